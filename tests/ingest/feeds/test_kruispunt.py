"""The project's own JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.errors import FeedError
from pipeline.ingest.feeds.kruispunt import FEED, parse
from pipeline.model import MAX_PICTURE_BYTES, Box
from tests.ingest.feeds.sample_files import changed, sample, without

SAMPLE = sample("kruispunt.json")
ONE = json.dumps(json.loads(SAMPLE)[0]).encode()


def test_the_sample_is_read_exactly() -> None:
    first, second = parse(SAMPLE)
    assert (first.camera, first.captured_at_ns) == ("N9-STADHUIS-1", 1_773_522_251_250_000_000)
    assert (first.text, first.plate, first.country, first.confidence) == ("2-KRX-417", "2KRX417", "BE", 0.94)
    assert first.characters is not None
    assert first.characters[2] == {"R": 0.9, "P": 0.07}
    assert first.box == Box(x=812, y=604, w=148, h=35)
    assert first.patch is not None
    picture = cv2.imdecode(np.frombuffer(first.patch, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert picture.shape == (8, 36)
    assert (first.source, first.frames) == ("kruispunt", 1)
    assert (second.plate, second.captured_at_ns) == ("KV482T", 1_773_522_252_000_000_000)
    assert (second.country, second.confidence, second.characters, second.box, second.patch) == (
        "",
        None,
        None,
        None,
        None,
    )


def test_one_object_is_one_read() -> None:
    assert parse(ONE) == parse(SAMPLE)[:1]


def test_a_picture_of_any_size_is_taken() -> None:
    vehicle = b"\xff\xd8\xff" + bytes(MAX_PICTURE_BYTES)
    assert parse(changed(ONE, ("picture",), base64.b64encode(vehicle).decode()))[0].picture == vehicle


def test_optional_fields_may_be_null() -> None:
    body = ONE
    for name in ("country", "confidence", "characters", "box", "patch", "picture"):
        body = changed(body, (name,), None)
    (read,) = parse(body)
    assert read.plate == "2KRX417"
    assert read.characters is None


@pytest.mark.parametrize("name", ["camera", "captured_at", "plate"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(FeedError, match="missing") as caught:
        parse(without(ONE, (name,)))
    assert caught.value.field == name
    with pytest.raises(FeedError) as caught:
        parse(without(SAMPLE, (1, name)))
    assert caught.value.field == f"[1].{name}"


WRONG: list[tuple[str, Any]] = [
    ("camera", ""),
    ("camera", None),
    ("camera", 1.5),
    ("camera", True),
    ("camera", ["a"]),
    ("camera", "c" * 129),
    ("camera", "cam\n1"),
    ("camera", "cam\x1b[2J"),
    ("camera", "cam\u202e1"),
    ("camera", -1),
    ("camera", 2**64),
    ("captured_at", "2026-03-14T22:04:11"),
    ("captured_at", "yesterday"),
    ("captured_at", 1_773_522_251),
    ("captured_at", None),
    ("captured_at", "1970-01-01T00:00:12Z"),
    ("captured_at", "2019-12-31T23:59:59Z"),
    ("captured_at", "2117-01-01T00:00:00Z"),
    ("captured_at", "9999-12-31T23:59:59+00:00"),
    ("plate", ""),
    ("plate", "   "),
    ("plate", 417),
    ("plate", {"text": "2KRX417"}),
    ("plate", "2KRX417" * 10),
    ("plate", "2KRX\x00417"),
    ("plate", "2KRX?17"),
    ("plate", "2KRX*17"),
    ("plate", "2KRX\ufffd17"),
    ("confidence", -0.01),
    ("confidence", 1.01),
    ("confidence", 94),
    ("confidence", "0.94"),
    ("confidence", True),
    ("country", "Belgium"),
    ("country", "B"),
    ("country", 32),
    ("characters", [{"2": 1.0}]),
    ("characters", {"2": 1.0}),
    ("box", {"x": 1, "y": 1, "w": 0, "h": 5}),
    ("box", {"x": 1, "y": 1, "w": 5}),
    ("box", {"x": 1.5, "y": 1, "w": 5, "h": 5}),
    ("box", {"x": -1, "y": 1, "w": 5, "h": 5}),
    ("box", {"x": 1, "y": 1, "w": 2**70, "h": 5}),
    ("box", [1, 2, 3, 4]),
    ("patch", "not base64!"),
    ("patch", "aGVsbG8="),
    ("patch", 7),
    ("picture", "aGVsbG8="),
    ("picture", 7),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_field_is_named(name: str, value: Any) -> None:
    with pytest.raises(FeedError) as caught:
        parse(changed(ONE, (name,), value))
    assert caught.value.field == name
    assert str(caught.value).startswith(name)
    with pytest.raises(FeedError) as caught:
        parse(changed(SAMPLE, (0, name), value))
    assert caught.value.field == f"[0].{name}"


@pytest.mark.parametrize(
    "slot", [{"2": 1.2}, {"2": -0.1}, {"2": "1"}, {"22": 0.5}, {"é": 0.5}, {"": 0.5}, {"2": 0.7, "Z": 0.6}, 7]
)
def test_a_wrong_slot_is_named(slot: Any) -> None:
    with pytest.raises(FeedError) as caught:
        parse(changed(ONE, ("characters", 3), slot))
    assert caught.value.field == "characters[3]"


def test_a_number_may_be_a_camera() -> None:
    assert parse(changed(ONE, ("camera",), 4127))[0].camera == "4127"


@pytest.mark.parametrize(
    "body", [b"[]", b"7", b"null", b'"x"', b"", b"{", b"[[]]", b"[1]", b"NaN", b'{"a":1e999}']
)
def test_what_is_no_read_is_refused(body: bytes) -> None:
    with pytest.raises(FeedError):
        parse(body)


def test_of_a_key_that_is_there_twice_the_last_one_counts() -> None:
    body = ONE.replace(b'"plate": "2-KRX-417"', b'"plate": "1AAA111", "plate": "2-KRX-417"')
    assert parse(body) == parse(ONE)


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(FeedError):
        parse(ONE.replace(b"2-KRX-417", b"2-KRX\\ud800-417"))


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse(b"\xef\xbb\xbf" + SAMPLE) == parse(SAMPLE)
    assert len(FEED.split(b"\xef\xbb\xbf" + SAMPLE)) == 2
    assert FEED.shift_time(b"\xef\xbb\xbf" + SAMPLE, 0).startswith(b"[")
