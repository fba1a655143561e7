"""The ingest gateway on real brokers: what it takes, and what it makes of what cannot be read."""

from __future__ import annotations

import json
import logging

import pytest

from pipeline import topics
from pipeline.ingest.feeds import FEEDS
from pipeline.ingest.images import image_size
from pipeline.model import MAX_PATCH_BYTES, MAX_PICTURE_BYTES, Capture, PlateRead, Reject, RejectReason, derive_id
from tests.conftest import BrokerUnderTest, MakeSettings
from tests.factories import JPEG
from tests.ingest.feeds.sample_files import NAMES, changed, feed_of, sample
from tests.ingest.feeds.test_form import TYPE as FORM_TYPE
from tests.ingest.feeds.test_form import form
from tests.ingest.gateway_client import FRAME, GOOD, STREAM, application, kept, problem
from tests.ingest.pictures import DAY, jpeg_of

# What is good


async def test_202_means_that_the_reads_are_on_the_topic_by_camera(
    broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(broker)
    async with application(settings) as (_, client):
        answer = await client.post("/ingest/platerecognizer", content=STREAM)
        lag = await topics.group_lag(settings, topics.READS)
    assert answer.status_code == 202
    assert lag == 2
    found = await kept(settings, topics.READS, PlateRead, 2)
    assert answer.json() == {"accepted": 2, "rejected": 0, "read_ids": [read.read_id for _, read in found]}
    expected = FEEDS["platerecognizer"].parse(STREAM)
    for (key, read), plain in zip(found, expected, strict=True):
        assert key == read.camera == "ring-noord-2"
        assert (read.read_id, read.plate, read.box) == (plain.read_id, plain.plate, plain.box)
        assert 0 < read.trail["received"] <= read.trail["read_sent"]


async def test_every_sample_is_taken(embedded_broker: BrokerUnderTest, make_settings: MakeSettings) -> None:
    settings = make_settings(embedded_broker)
    expected = {read.read_id for name in NAMES for read in feed_of(name).parse(sample(name))}
    async with application(settings) as (_, client):
        for name in NAMES:
            answer = await client.post(f"/ingest/{feed_of(name).name}", content=sample(name))
            assert answer.status_code == 202, answer.text
            assert answer.json()["rejected"] == 0
        count = await topics.group_lag(settings, topics.READS)
    found = await kept(settings, topics.READS, PlateRead, count)
    assert {read.read_id for _, read in found} == expected


async def test_a_heartbeat_is_taken_and_gives_nothing(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker)) as (_, client):
        answer = await client.post("/ingest/rekor", content=sample("rekor-heartbeat.json"))
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 0, "rejected": 0, "read_ids": []}


async def test_a_delivery_that_comes_twice_has_the_same_ids(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker)) as (_, client):
        first, second = [(await client.post("/ingest/rekor", content=GOOD)).json() for _ in range(2)]
    assert first["read_ids"] == second["read_ids"] != []


# What cannot be read


async def test_what_cannot_be_read_is_answered_400_and_kept(
    broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(broker, reject_payload_bytes=200)
    body = changed(GOOD, ("epoch_start",), "yesterday")
    async with application(settings) as (_, client):
        answer = await client.post("/ingest/rekor", content=body)
    found = problem(answer, 400)
    assert found["field"] == "epoch_start"
    ((key, reject),) = await kept(settings, topics.REJECTS, Reject, 1)
    assert (key, reject.source, reject.field, reject.reason) == (
        "rekor",
        "rekor",
        "epoch_start",
        RejectReason.UNREADABLE,
    )
    assert reject.detail == found["detail"]
    assert reject.payload == body[:200]


async def test_one_bad_result_does_not_cost_the_others(
    broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(broker)
    body = changed(STREAM, ("data", "results", 0, "plate"), 906)
    async with application(settings) as (_, client):
        answer = await client.post("/ingest/platerecognizer", content=body)
    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 1)
    assert answer.json()["first_error"]["field"] == "data.results[0].plate"
    ((_, read),) = await kept(settings, topics.READS, PlateRead, 1)
    assert read.plate == "GH614ZT"
    ((_, reject),) = await kept(settings, topics.REJECTS, Reject, 1)
    assert reject.field == "data.results[0].plate"
    assert json.loads(reject.payload)["data"]["results"][0]["plate"] == 906


async def test_a_thousand_bad_results_are_kept_each(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker)
    rows = b"".join(b"cam-%d,2026-03-14T22:04:18Z,\n" % number for number in range(999))
    body = b"camera,captured_at,plate\n" + rows + b"cam-1,2026-03-14T22:04:18Z,1DFR860\n"
    async with application(settings) as (_, client):
        answer = await client.post("/ingest/csv", content=body)
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 999)
    found = await kept(settings, topics.REJECTS, Reject, 999)
    assert {reject.field for _, reject in found} == {f"row {line}: plate" for line in range(2, 1001)}


async def test_a_plate_that_was_read_in_part_is_no_plate(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker)
    async with application(settings) as (_, client):
        answer = await client.post("/ingest/rekor", content=GOOD.replace(b"1XRC638", b"1XR?638"))
    assert problem(answer, 400)["field"] == "best_plate_number"
    ((_, reject),) = await kept(settings, topics.REJECTS, Reject, 1)
    assert reject.reason is RejectReason.NOT_A_PLATE


@pytest.mark.parametrize("name", sorted(FEEDS))
@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"[" * 50_000, b"<a/>"])
async def test_rubbish_is_answered_400(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, name: str, body: bytes
) -> None:
    async with application(make_settings(embedded_broker)) as (_, client):
        problem(await client.post(f"/ingest/{name}", content=body), 400)


async def test_neither_the_log_nor_the_answer_holds_a_plate(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings = make_settings(embedded_broker)
    async with application(settings) as (_, client):
        for name in NAMES:
            path = f"/ingest/{feed_of(name).name}"
            await client.post(path, content=sample(name))
            for spoil in (b"T2", b'"camera', b"12188", b"AMS-", b"</ANPR>"):
                answer = await client.post(path, content=sample(name).replace(spoil, b"\x01"))
                for read in feed_of(name).parse(sample(name)):
                    assert read.text not in answer.text
                    assert read.plate not in answer.text
    for name in NAMES:
        for read in feed_of(name).parse(sample(name)):
            assert read.text not in caplog.text
            assert read.plate not in caplog.text


# Forms


async def test_a_cameras_form_gives_the_read_and_its_patch(
    broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(broker)
    xml = sample("hikvision.xml")
    scene = jpeg_of(DAY)
    assert len(scene) > MAX_PICTURE_BYTES
    body = form(("anpr.xml", xml), ("licensePlatePicture.jpg", JPEG), ("detectionPicture.jpg", scene))
    async with application(settings) as (_, client):
        answer = await client.post("/ingest/hikvision", content=body, headers={"Content-Type": FORM_TYPE})
    assert answer.status_code == 202
    ((_, read),) = await kept(settings, topics.READS, PlateRead, 1)
    assert (read.plate, read.patch) == ("1KLD593", JPEG)
    assert read.picture is not None
    assert len(read.picture) <= MAX_PICTURE_BYTES
    assert image_size(read.picture) == (480, 270)
    assert read.read_id == FEEDS["hikvision"].parse(xml)[0].read_id


@pytest.mark.parametrize("picture", [b"GIF89a", b"", JPEG + bytes(MAX_PATCH_BYTES)])
async def test_a_picture_that_is_no_small_jpeg_is_left_out(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, picture: bytes
) -> None:
    settings = make_settings(embedded_broker)
    body = form(
        ("anpr.xml", sample("hikvision.xml")),
        ("licensePlatePicture.jpg", picture),
        ("detectionPicture.jpg", b"\xff\xd8\xff" + bytes(MAX_PICTURE_BYTES)),
    )
    async with application(settings) as (_, client):
        answer = await client.post("/ingest/hikvision", content=body, headers={"Content-Type": FORM_TYPE})
    assert answer.status_code == 202
    ((_, read),) = await kept(settings, topics.READS, PlateRead, 1)
    assert (read.patch, read.picture) == (None, None)


async def test_the_picture_of_one_vehicle_goes_with_its_read(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker)
    async with application(settings) as (_, client):
        answer = await client.post(
            "/ingest/platerecognizer",
            data={"json": sample("platerecognizer-vehicle.json").decode()},
            files={"upload": ("vehicle.jpg", JPEG, "image/jpeg")},
        )
    assert answer.status_code == 202
    ((_, read),) = await kept(settings, topics.READS, PlateRead, 1)
    assert (read.patch, read.picture) == (None, JPEG)


async def test_a_vendors_form_with_json_and_a_picture_is_taken(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker)
    async with application(settings) as (_, client):
        pictured = await client.post(
            "/ingest/platerecognizer",
            data={"json": STREAM.decode()},
            files={"upload": ("vehicle.jpg", JPEG, "image/jpeg")},
        )
        plain = await client.post("/ingest/platerecognizer", data={"json": STREAM.decode()})
    assert plain.request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert pictured.status_code == plain.status_code == 202
    assert pictured.json() == plain.json()
    assert plain.json()["accepted"] == 2
    # Of two vehicles, nobody says whose picture it is.
    assert {read.picture for _, read in await kept(settings, topics.READS, PlateRead, 4)} == {None}


async def test_a_file_may_be_uploaded_as_a_form_does(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker)) as (_, client):
        answer = await client.post(
            "/ingest/csv", files={"file": ("export.csv", sample("csv-semicolons.csv"), "text/csv")}
        )
    assert (answer.status_code, answer.json()["accepted"]) == (202, 3)


async def test_a_wrong_content_type_does_not_cost_the_read(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker)) as (_, client):
        for kind in ("application/x-www-form-urlencoded", "text/plain", "application/octet-stream", "", "\xe9"):
            answer = await client.post(
                "/ingest/rekor", content=GOOD, headers={"Content-Type": kind.encode("latin-1")}
            )
            assert answer.status_code == 202, kind


@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        (form(("other.bin", b"x")), FORM_TYPE, "*.xml"),
        (form(("anpr.xml", sample("hikvision.xml")))[:1500], FORM_TYPE, "*.xml"),
        (b"no form at all", FORM_TYPE, ""),
        (b"", FORM_TYPE, ""),
        (form(("anpr.xml", sample("hikvision.xml"))), "multipart/form-data", ""),
        (form(("anpr.xml", b"<EventNotificationAlert/>")), FORM_TYPE, "ANPR"),
    ],
)
async def test_a_broken_form_is_answered_400_and_kept(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, body: bytes, kind: str, field: str
) -> None:
    settings = make_settings(embedded_broker)
    async with application(settings) as (_, client):
        answer = await client.post("/ingest/hikvision", content=body, headers={"Content-Type": kind})
    assert problem(answer, 400)["field"] == field
    ((_, reject),) = await kept(settings, topics.REJECTS, Reject, 1)
    assert (reject.source, reject.field) == ("hikvision", field)


# Frames


async def test_a_frame_is_on_its_topic_by_camera(broker: BrokerUnderTest, make_settings: MakeSettings) -> None:
    settings = make_settings(broker)
    async with application(settings) as (_, client):
        answer = await client.post(FRAME, content=JPEG)
    assert answer.status_code == 202
    ((key, capture),) = await kept(settings, topics.FRAMES, Capture, 1)
    assert key == capture.camera == "cam-1"
    assert (capture.image, capture.captured_at_ns) == (JPEG, 1_773_522_251_000_000_000)
    assert capture.capture_id == answer.json()["capture_id"]
    assert capture.capture_id == derive_id("capture", "frame", "cam-1", capture.captured_at_ns)
    assert 0 < capture.trail["received"] <= capture.trail["frame_sent"]


@pytest.mark.parametrize(
    ("query", "body", "field"),
    [
        ("captured_at=2026-03-14T21:04:11Z", JPEG, "camera"),
        ("camera=&captured_at=2026-03-14T21:04:11Z", JPEG, "camera"),
        ("camera=a%0Ab&captured_at=2026-03-14T21:04:11Z", JPEG, "camera"),
        ("camera=cam-1", JPEG, "captured_at"),
        ("camera=cam-1&captured_at=2026-03-14T22:04:11+01:00", JPEG, "captured_at"),
        ("camera=cam-1&captured_at=2026-03-14T21:04:11", JPEG, "captured_at"),
        ("camera=cam-1&captured_at=1970-01-01T00:00:11Z", JPEG, "captured_at"),
        ("camera=cam-1&captured_at=2026-03-14T21:04:11Z", b"", ""),
    ],
)
async def test_a_frame_that_cannot_be_placed_is_answered_400_and_kept(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, query: str, body: bytes, field: str
) -> None:
    settings = make_settings(embedded_broker)
    async with application(settings) as (_, client):
        answer = await client.post(f"/ingest/frame?{query}", content=body)
    assert problem(answer, 400)["field"] == field
    ((_, reject),) = await kept(settings, topics.REJECTS, Reject, 1)
    assert (reject.source, reject.field, reject.payload) == ("frame", field, body)


async def test_a_plus_in_an_address_is_explained(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker)) as (_, client):
        answer = await client.post(FRAME.replace("%2B", "+"), content=JPEG)
        spaced = await client.post(FRAME.replace("T22", "%2022"), content=JPEG)
    assert "%2B" in problem(answer, 400)["detail"]
    assert spaced.status_code == 202
