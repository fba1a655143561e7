"""What holds for every adapter, whatever the bytes: reads or a FeedError, and nothing else."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import FeedError
from pipeline.ingest.feeds import FEEDS
from pipeline.ingest.feeds.base import MAX_READS, Feed, take
from pipeline.ingest.feeds.reads import MAX_PATCH_BYTES
from pipeline.model import PlateRead, RejectReason, decode, encode
from tests.ingest.feeds.sample_files import NAMES, changed, feed_of, paths, sample, without

JSON_NAMES = [name for name in NAMES if name.endswith(".json")]
HOUR_NS = 3_600_000_000_000

feeds = st.sampled_from(sorted(FEEDS))
names = st.sampled_from(NAMES)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def attempt(feed: Feed, payload: bytes) -> list[PlateRead]:
    """Try everything that an adapter does; every read must travel, every error must be one of ours."""
    whole: list[PlateRead] = []
    with contextlib.suppress(FeedError):
        feed.shift_time(payload, HOUR_NS)
    with contextlib.suppress(FeedError):
        whole = feed.parse(payload)
    taken = take(feed, payload)
    for error, _ in taken.refused:
        assert error.field is not None
        assert RejectReason(error.reason)
    for read in taken.reads:
        assert isinstance(read, PlateRead)
        assert decode(encode(read), PlateRead) == read
        read.camera.encode()
    # Part by part at least as much is read as at once.
    assert not Counter(read.read_id for read in whole) - Counter(read.read_id for read in taken.reads)
    return taken.reads


@settings(deadline=None)
@given(feed=feeds, payload=st.binary(max_size=400))
@example(feed="rekor", payload=b"[" * 100_000)
@example(feed="kruispunt", payload=b'{"a":' * 100_000)
@example(feed="kruispunt", payload=b'[{"a":' * 50_000)
@example(feed="platerecognizer", payload=b'{"data":{"results":' + b"[" * 100_000)
@example(feed="hikvision", payload=b"<EventNotificationAlert>" + b"<ANPR>" * 50_000)
@example(feed="csv", payload=b"\n" * 100_000)
@example(feed="csv", payload=b"camera,captured_at,plate\n" + b'"' * 100_000)
@example(feed="rekor", payload=b"9" * 5000)
def test_any_bytes(feed: str, payload: bytes) -> None:
    attempt(FEEDS[feed], payload)


@settings(deadline=None)
@given(feed=feeds, value=json_values)
def test_any_json(feed: str, value: Any) -> None:
    attempt(FEEDS[feed], json.dumps(value).encode())


@settings(deadline=None)
@given(name=names, data=st.data())
def test_a_sample_with_bytes_changed(name: str, data: st.DataObject) -> None:
    payload = bytearray(sample(name))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(payload) - 1))
        payload[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    attempt(feed_of(name), bytes(payload))


@settings(deadline=None)
@given(name=names, data=st.data())
def test_a_sample_cut_short(name: str, data: st.DataObject) -> None:
    payload = sample(name)
    attempt(feed_of(name), payload[: data.draw(st.integers(0, len(payload)))])


@settings(deadline=None)
@given(name=st.sampled_from(JSON_NAMES), value=json_values, data=st.data())
def test_a_sample_with_a_value_replaced(name: str, value: Any, data: st.DataObject) -> None:
    payload = sample(name)
    path = data.draw(st.sampled_from([path for path in paths(json.loads(payload)) if path]))
    attempt(feed_of(name), changed(payload, path, value))
    attempt(feed_of(name), without(payload, path))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_body_twice_gives_the_same_ids(name: str) -> None:
    feed, payload = feed_of(name), sample(name)
    first, second = feed.parse(payload), feed.parse(payload)
    assert first == second
    assert len({read.read_id for read in first}) == len(first)


@pytest.mark.parametrize("name", NAMES)
def test_split_loses_nothing(name: str) -> None:
    feed, payload = feed_of(name), sample(name)
    parts = feed.split(payload)
    assert [read for part in parts for read in feed.parse(part.payload, part.first)] == feed.parse(payload)
    assert take(feed, payload).reads == feed.parse(payload)
    assert len(parts) >= len(feed.parse(payload))


@pytest.mark.parametrize(
    "name", [name for name in NAMES if len(feed_of(name).parse(sample(name))) > 1], ids=lambda name: name
)
def test_one_bad_result_never_costs_the_good_ones(name: str) -> None:
    feed, payload = feed_of(name), sample(name)
    reads = feed.parse(payload)
    for victim in reads:
        # Its text as it stands in the body, made too long for a plate.
        spoiled = payload.replace(f'"{victim.text}"'.encode(), b'"' + b"1" * 65 + b'"')
        if name.startswith("csv"):
            spoiled = payload.replace(victim.text.encode(), b"1" * 65)
        assert spoiled != payload
        taken = take(feed, spoiled)
        assert taken.reads == [read for read in reads if read != victim]
        assert len(taken.refused) == 1


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(delta_ms=st.integers(-150_000_000_000, 2_000_000_000_000))
@example(delta_ms=0)
def test_shift_time_moves_by_exactly_the_delta(name: str, delta_ms: int) -> None:
    feed, payload = feed_of(name), sample(name)
    before, after = feed.parse(payload), feed.parse(feed.shift_time(payload, delta_ms * 1_000_000))
    assert [read.captured_at_ns - delta_ms * 1_000_000 for read in after] == [
        read.captured_at_ns for read in before
    ]
    assert [(read.camera, read.plate, read.confidence) for read in after] == [
        (read.camera, read.plate, read.confidence) for read in before
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_time_is_in_the_id(name: str) -> None:
    feed, payload = feed_of(name), sample(name)
    moved = feed.parse(feed.shift_time(payload, 1_000_000))
    assert not {read.read_id for read in moved} & {read.read_id for read in feed.parse(payload)}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("kruispunt", b"[" + b",".join([b"{}"] * (MAX_READS + 1)) + b"]"),
        ("platerecognizer", b'{"data": {"results": [' + b",".join([b"{}"] * (MAX_READS + 1)) + b"]}}"),
        ("rekor", b'{"data_type": "alpr_results", "results": [' + b",".join([b"{}"] * (MAX_READS + 1)) + b"]}"),
        ("csv", b"camera,captured_at,plate\n" + b"a,b,c\n" * (MAX_READS + 1)),
    ],
)
def test_a_body_of_too_many_reads_is_refused_at_once(name: str, body: bytes) -> None:
    taken = take(FEEDS[name], body)
    assert taken.reads == []
    ((error, payload),) = taken.refused
    assert payload == body
    assert str(MAX_READS) in str(error)


def test_what_is_repeated_per_result_cannot_fill_the_memory() -> None:
    """Each of 1,000 parts would hold a camera id of 1 MiB."""
    body = {
        "camera_id": "c" * 2**20,
        "timestamp": "2026-03-14T21:04:13Z",
        "results": [{"plate": "1ABC234"}] * 1000,
    }
    payload = json.dumps(body).encode()
    assert [part.payload for part in FEEDS["platerecognizer"].split(payload)] == [payload]
    ((error, _),) = take(FEEDS["platerecognizer"], payload).refused
    assert error.field == "camera_id"


def test_two_reads_of_one_plate_at_one_moment_are_one_read() -> None:
    payload = sample("rekor-results.json").replace(b"1BWQ204", b"TZK71R")
    first, second = FEEDS["rekor"].parse(payload)
    assert first.read_id == second.read_id


@pytest.mark.parametrize("name", NAMES)
def test_no_error_repeats_a_plate(name: str) -> None:
    """Errors are logged, and kept as the detail of a reject."""
    feed, payload = feed_of(name), sample(name)
    reads = feed.parse(payload)
    for read in reads:
        for spoil in (b"T21:", b"T22:", b'"camera', b'"1218845263', b"1218845263", b"AMS-", b"</ANPR>"):
            for error, _ in take(feed, payload.replace(spoil, b"\x01")).refused:
                assert read.text not in str(error)
                assert read.plate not in str(error)


def test_the_guide_names_every_feed_and_its_limits() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "feeds.md").read_text("utf-8")
    assert [name for name in FEEDS if f"## `POST /ingest/{name}`" not in guide] == []
    assert f"{MAX_READS:,} reads" in guide
    assert f"at most {MAX_PATCH_BYTES // 1024} KiB" in guide


def test_a_plate_in_the_wrong_place_is_not_repeated() -> None:
    payload = sample("platerecognizer-stream.json")
    for path in [path for path in paths(json.loads(payload)) if path]:
        for error, _ in take(FEEDS["platerecognizer"], changed(payload, path, "1QQQ999")).refused:
            assert "1QQQ999" not in str(error)
