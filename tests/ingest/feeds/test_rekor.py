"""Rekor Scout: groups, results, alerts, and what is no read."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pipeline.errors import FeedError
from pipeline.ingest.feeds.rekor import FEED, parse
from pipeline.model import MAX_PATCH_BYTES, MAX_PICTURE_BYTES, Box
from tests.ingest.feeds.sample_files import changed, sample, without

GROUP = sample("rekor-group.json")
RESULTS = sample("rekor-results.json")


def test_the_group_sample_is_read_exactly() -> None:
    (read,) = parse(GROUP)
    assert (read.camera, read.captured_at_ns) == ("1218845263", 1_773_522_257_504_000_000)
    # The group's text, weighed over its three frames, not the best frame's.
    assert (read.text, read.plate, read.country, read.confidence) == ("1XRC638", "1XRC638", "BE", 0.925)
    assert read.frames == 3
    assert read.box == Box(x=1254, y=788, w=147, h=41)
    assert read.patch is not None
    assert read.patch.startswith(b"\xff\xd8\xff")
    assert read.characters is not None
    assert read.characters[3] == {"C": 0.9552, "G": 0.0377}
    assert read.characters[6] == {"8": 0.9561, "B": 0.0368}


VEHICLE = b"\xff\xd8\xff" + bytes(3 * MAX_PICTURE_BYTES)
SCENE = b"\xff\xd8\xff" + bytes(10)


@pytest.mark.parametrize(
    ("vehicle", "scene", "taken"),
    [
        (VEHICLE, SCENE, VEHICLE),
        (None, SCENE, SCENE),
        (b"GIF89a", SCENE, SCENE),
        (b"GIF89a", None, None),
        (None, None, None),
    ],
)
def test_the_vehicle_is_pictured_or_else_the_scene(
    vehicle: bytes | None, scene: bytes | None, taken: bytes | None
) -> None:
    body = GROUP
    for name, picture in (("vehicle_crop_jpeg", vehicle), ("overview_jpeg", scene)):
        body = changed(body, (name,), None if picture is None else base64.b64encode(picture).decode())
    assert parse(body)[0].picture == taken


def test_the_results_sample_is_read_exactly() -> None:
    first, second = parse(RESULTS)
    assert first.camera == second.camera == "1218845263"
    assert first.captured_at_ns == second.captured_at_ns == 1_773_522_259_425_000_000
    assert (first.plate, first.confidence, first.box) == ("TZK71R", 0.945, Box(x=319, y=902, w=136, h=37))
    assert (second.plate, second.confidence, second.box) == ("1BWQ204", 0.88, Box(x=1500, y=610, w=120, h=30))
    assert first.characters is None
    assert second.characters is not None
    assert second.characters[1] == {"B": 0.8737, "8": 0.1191}


def test_europe_is_not_a_country_and_a_guess_is_unknown() -> None:
    assert [read.country for read in parse(RESULTS)] == ["", "BE"]


@pytest.mark.parametrize(
    ("region", "area", "country"),
    [
        ("us-mo", "us", "US"),
        ("mo", "us", ""),
        ("be", "eu", "BE"),
        ("be", None, ""),
        ("eu", "eu", ""),
        (7, "eu", ""),
    ],
)
def test_a_region_gives_a_country_only_where_it_names_one(region: Any, area: Any, country: str) -> None:
    body = changed(changed(GROUP, ("best_region",), region), ("country",), area)
    assert parse(body)[0].country == country


def test_an_agent_of_version_1_is_read() -> None:
    body = json.loads(GROUP)
    for name in ("best_region", "best_region_confidence", "candidates", "plate_indexes"):
        del body[name]
    body["best_plate"]["candidates"] = [
        {"plate": "1XRC638", "confidence": 92.5},
        {"plate": "1XRC63B", "confidence": 80},
    ]
    body["best_plate"]["region"] = "be"
    (read,) = parse(json.dumps(body).encode())
    assert (read.plate, read.country) == ("1XRC638", "BE")
    assert read.characters is not None
    assert read.characters[6] == {"8": 0.9184, "B": 0.0745}


def test_the_best_frames_text_is_taken_where_the_group_gives_none() -> None:
    assert parse(without(GROUP, ("best_plate_number",)))[0].plate == "1XRG638"
    assert parse(without(GROUP, ("best_plate",)))[0].plate == "1XRC638"


def test_an_alert_is_the_read_of_its_group() -> None:
    alert = {"data_type": "alpr_alert", "alert_list": "x", "group": json.loads(GROUP)}
    assert parse(json.dumps(alert).encode()) == parse(GROUP)


@pytest.mark.parametrize(
    "body", [sample("rekor-heartbeat.json"), b'{"data_type": "vehicle"}', b'{"openalpr_webhook": "test"}']
)
def test_what_an_agent_sends_beside_plates_is_no_read(body: bytes) -> None:
    assert parse(body) == []


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (GROUP, ("camera_id",)),
        (GROUP, ("epoch_start",)),
        (GROUP, ("data_type",)),
        (RESULTS, ("camera_id",)),
        (RESULTS, ("epoch_time",)),
        (RESULTS, ("results",)),
    ],
)
def test_a_missing_field_is_named(payload: bytes, path: tuple[str]) -> None:
    with pytest.raises(FeedError) as caught:
        parse(without(payload, path))
    assert caught.value.field == path[0]


def test_a_group_without_any_text_is_named() -> None:
    with pytest.raises(FeedError, match="missing") as caught:
        parse(without(without(GROUP, ("best_plate",)), ("best_plate_number",)))
    assert caught.value.field == "best_plate_number"
    with pytest.raises(FeedError) as caught:
        parse(without(RESULTS, ("results", 1, "plate")))
    assert caught.value.field == "results[1].plate"


WRONG: list[tuple[bytes, tuple[str | int, ...], Any, str]] = [
    (GROUP, ("data_type",), "alpr_secret", "data_type"),
    (GROUP, ("data_type",), 7, "data_type"),
    (GROUP, ("data_type",), ["alpr_group"], "data_type"),
    (GROUP, ("camera_id",), None, "camera_id"),
    (GROUP, ("camera_id",), 12.5, "camera_id"),
    (GROUP, ("epoch_start",), "1773522257504", "epoch_start"),
    (GROUP, ("epoch_start",), 1_773_522_257, "epoch_start"),
    (GROUP, ("epoch_start",), 1_773_522_257_504_000, "epoch_start"),
    (GROUP, ("epoch_start",), 10**40, "epoch_start"),
    (GROUP, ("epoch_start",), -1, "epoch_start"),
    (GROUP, ("epoch_start",), 0.5, "epoch_start"),
    (GROUP, ("best_plate_number",), 638, "best_plate_number"),
    (GROUP, ("best_plate_number",), "", "best_plate_number"),
    (GROUP, ("best_confidence",), 100.1, "best_confidence"),
    (GROUP, ("best_confidence",), "92", "best_confidence"),
    (RESULTS, ("results",), {}, "results"),
    (RESULTS, ("results", 0), None, "results[0]"),
    (RESULTS, ("results", 1, "plate"), 204, "results[1].plate"),
    (RESULTS, ("results", 1, "confidence"), -1, "results[1].confidence"),
]


@pytest.mark.parametrize(("payload", "path", "value", "field"), WRONG)
def test_a_wrong_field_is_named(payload: bytes, path: tuple[str | int, ...], value: Any, field: str) -> None:
    with pytest.raises(FeedError) as caught:
        parse(changed(payload, path, value))
    assert caught.value.field == field


def test_in_an_alert_the_path_begins_at_the_alert() -> None:
    group = json.loads(GROUP)
    del group["camera_id"]
    with pytest.raises(FeedError) as caught:
        parse(json.dumps({"data_type": "alpr_alert", "group": group}).encode())
    assert caught.value.field == "group.camera_id"
    with pytest.raises(FeedError) as caught:
        parse(b'{"data_type": "alpr_alert"}')
    assert caught.value.field == "group"


ODD: list[tuple[tuple[str | int, ...], Any]] = [
    (("best_plate", "coordinates"), [{"x": 1, "y": 2}]),
    (("best_plate", "coordinates"), [{"x": "a", "y": 2}] * 4),
    (("best_plate", "coordinates"), [1, 2, 3, 4]),
    (("best_plate", "plate_crop_jpeg"), "%%%"),
    (("best_plate", "plate_crop_jpeg"), "A" * (MAX_PATCH_BYTES * 4 // 3 + 8)),
    (("best_plate", "plate_crop_jpeg"), 5),
    (("candidates",), [None, {"plate": "1XRC63B", "confidence": 999}]),
    (("candidates",), 3),
    (("uuids",), 3),
    (("best_region_confidence",), True),
]


@pytest.mark.parametrize(("path", "value"), ODD)
def test_what_only_describes_does_not_cost_the_read(path: tuple[str | int, ...], value: Any) -> None:
    (read,) = parse(changed(GROUP, path, value))
    assert (read.plate, read.confidence) == ("1XRC638", 0.925)


def test_a_whole_number_may_be_written_as_a_float() -> None:
    assert parse(changed(GROUP, ("epoch_start",), 1773522257504.0)) == parse(GROUP)


def test_a_part_keeps_the_number_that_its_result_had() -> None:
    parts = FEED.split(changed(RESULTS, ("results", 1, "plate"), 204))
    assert FEED.parse(parts[0].payload, parts[0].first)[0].plate == "TZK71R"
    with pytest.raises(FeedError) as caught:
        FEED.parse(parts[1].payload, parts[1].first)
    assert caught.value.field == "results[1].plate"


def test_an_alerts_group_is_moved_in_time() -> None:
    alert = json.dumps({"data_type": "alpr_alert", "group": json.loads(GROUP)}).encode()
    (moved,) = parse(FEED.shift_time(alert, 5_000_000))
    assert moved.captured_at_ns == parse(GROUP)[0].captured_at_ns + 5_000_000
