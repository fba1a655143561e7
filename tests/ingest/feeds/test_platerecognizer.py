"""Plate Recognizer: Stream's webhook in both its shapes, and Snapshot's answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.errors import FeedError
from pipeline.ingest.feeds.platerecognizer import FEED, parse
from pipeline.model import Box
from tests.ingest.feeds.sample_files import changed, sample, without

STREAM = sample("platerecognizer-stream.json")
VEHICLE = sample("platerecognizer-vehicle.json")
SNAPSHOT = sample("platerecognizer-snapshot.json")


def test_the_stream_sample_is_read_exactly() -> None:
    first, second = parse(STREAM)
    assert (first.camera, first.captured_at_ns) == ("ring-noord-2", 1_773_522_253_606_935_000)
    assert (first.text, first.plate, first.country, first.confidence) == ("1vdp906", "1VDP906", "BE", 0.839)
    assert first.box == Box(x=460, y=571, w=137, h=33)
    assert first.characters is not None
    assert first.characters[0] == {"1": 0.9396, "I": 0.0533}
    assert first.characters[1] == {"V": 0.9929}
    assert (second.plate, second.confidence) == ("GH614ZT", 0.964)
    assert second.capture_id == first.capture_id
    assert second.read_id != first.read_id


def test_a_country_that_the_vendor_guesses_is_unknown() -> None:
    assert [read.country for read in parse(STREAM)] == ["BE", ""]


def test_a_vehicle_sample_is_read_exactly_and_a_vehicle_without_a_plate_is_no_read() -> None:
    (read,) = parse(VEHICLE)
    assert (read.text, read.plate, read.country, read.confidence) == ("ackl2210", "ACKL2210", "DE", 0.901)
    assert read.box == Box(x=698, y=610, w=144, h=33)
    assert read.characters is not None
    assert read.characters[7] == {"0": 0.9445, "O": 0.0493}


def test_a_timestamp_without_offset_is_told_by_the_local_one() -> None:
    (read,) = parse(VEHICLE)
    assert read.captured_at_ns == 1_773_522_255_112_400_000
    with pytest.raises(FeedError, match="offset") as caught:
        parse(without(VEHICLE, ("data", "timestamp_local")))
    assert caught.value.field == "data.timestamp"


def test_the_local_timestamp_does_not_mend_a_broken_one() -> None:
    with pytest.raises(FeedError) as caught:
        parse(changed(STREAM, ("data", "timestamp"), "today"))
    assert caught.value.field == "data.timestamp"


def test_the_snapshot_sample_is_read_exactly() -> None:
    (read,) = parse(SNAPSHOT)
    assert (read.camera, read.captured_at_ns) == ("combi-7", 1_773_522_256_514_896_000)
    assert (read.plate, read.country, read.confidence) == ("1HNT552", "BE", 0.632)
    assert read.characters is not None
    assert read.characters[6] == {"2": 0.8052, "Z": 0.1876}


@pytest.mark.parametrize("name", ["camera_id", "timestamp", "results"])
def test_a_missing_field_is_named(name: str) -> None:
    for body, path, field in ((STREAM, ("data", name), f"data.{name}"), (SNAPSHOT, (name,), name)):
        with pytest.raises(FeedError, match="missing") as caught:
            parse(without(body, path))
        assert caught.value.field == field


WRONG: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("data",), [], "data"),
    (("data",), None, "data"),
    (("data", "camera_id"), None, "data.camera_id"),
    (("data", "camera_id"), "\x07", "data.camera_id"),
    (("data", "timestamp"), 1_773_522_253, "data.timestamp"),
    (("data", "results"), {"plate": "x"}, "data.results"),
    (("data", "results", 1), "1vdp906", "data.results[1]"),
    (("data", "results", 1, "plate"), 614, "data.results[1].plate"),
    (("data", "results", 1, "plate"), "x" * 65, "data.results[1].plate"),
    (("data", "results", 1, "plate"), {}, "data.results[1].plate.props"),
    (("data", "results", 1, "plate"), {"props": {}}, "data.results[1].plate.props.plate"),
    (("data", "results", 1, "plate"), {"props": {"plate": ["x"]}}, "data.results[1].plate.props.plate[0]"),
    (("data", "results", 1, "plate"), {"props": {"plate": [{}]}}, "data.results[1].plate.props.plate[0].value"),
    (("data", "results", 1, "score"), 96.4, "data.results[1].score"),
    (("data", "results", 1, "score"), "0.96", "data.results[1].score"),
]


@pytest.mark.parametrize(("path", "value", "field"), WRONG)
def test_a_wrong_field_is_named(path: tuple[str | int, ...], value: Any, field: str) -> None:
    with pytest.raises(FeedError) as caught:
        parse(changed(STREAM, path, value))
    assert caught.value.field == field


def test_a_result_without_plate_is_named() -> None:
    with pytest.raises(FeedError, match="missing") as caught:
        parse(without(STREAM, ("data", "results", 1, "plate")))
    assert caught.value.field == "data.results[1].plate"


ODD: list[tuple[str, Any]] = [
    ("candidates", "1vdp906"),
    ("candidates", [7, {"plate": 5}, {"plate": "1vop906", "score": "high"}]),
    ("candidates", None),
    ("box", [1, 2, 3, 4]),
    ("box", {"xmin": 2**80, "ymin": 0, "xmax": 2**81, "ymax": 5}),
    ("region", "be"),
    ("region", {"code": 32, "score": 1}),
    ("region", {"code": "be", "score": "sure"}),
]


@pytest.mark.parametrize(("name", "value"), ODD)
def test_what_only_describes_does_not_cost_the_read(name: str, value: Any) -> None:
    first, _ = parse(changed(STREAM, ("data", "results", 0, name), value))
    assert (first.plate, first.confidence) == ("1VDP906", 0.839)


def test_a_score_that_is_not_there_is_not_made_up() -> None:
    first, _ = parse(without(STREAM, ("data", "results", 0, "score")))
    assert (first.plate, first.confidence, first.characters) == ("1VDP906", None, None)


def test_no_results_are_no_reads() -> None:
    assert parse(changed(STREAM, ("data", "results"), [])) == []


def test_other_events_are_no_reads() -> None:
    beat = {"hook": {"event": "heartbeat", "id": "ring-noord-2"}, "data": {"camera_id": "ring-noord-2"}}
    assert parse(json.dumps(beat).encode()) == []
    with pytest.raises(FeedError) as caught:
        parse(json.dumps({**beat, "hook": {"event": "recognition"}}).encode())
    assert caught.value.field == "data.timestamp"


def test_a_part_keeps_the_number_that_its_result_had() -> None:
    parts = FEED.split(changed(STREAM, ("data", "results", 1, "plate"), 614))
    assert FEED.parse(parts[0].payload, parts[0].first)[0].plate == "1VDP906"
    with pytest.raises(FeedError) as caught:
        FEED.parse(parts[1].payload, parts[1].first)
    assert caught.value.field == "data.results[1].plate"
