"""The whole pipeline, every worker in it, on each kind of broker and on a real Redis."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from console import app as console
from hotlists.entry import Handling
from pipeline import demo, topics
from pipeline.alerts import desk as desk_worker
from pipeline.alerts import stream
from pipeline.alerts.store import AlertStore
from pipeline.cameras import load_cameras
from pipeline.demo import SEES_ALL, Expected, Recording
from pipeline.embedded import free_port
from pipeline.ingest import gateway
from pipeline.ingest import worker as ocr
from pipeline.match import worker as match
from pipeline.model import Alert, Capture, PlateRead, Reject, RejectReason, RirDraft, decode, encode
from pipeline.report import Observer, build
from pipeline.settings import Settings
from pipeline.topics import Publisher
from recordings import CROSSROADS
from tests.conftest import BrokerUnderTest, MakeSettings, running, until
from tests.factories import make_read

RECORDING = Recording(CROSSROADS)
SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Desk:
    """A running pipeline with the recording's hotlists in every worker."""

    settings: Settings
    store: AlertStore
    observer: Observer

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.gateway_port}"

    async def drained(self) -> None:
        assert await demo.drained(self.settings, 120), "the pipeline has not handled everything"

    async def alerts(self) -> list[Alert]:
        return [row.alert for row in await self.store.latest(1000, SEES_ALL)]


@pytest.fixture
async def desk(broker: BrokerUnderTest, make_settings: MakeSettings, redis_url: str) -> AsyncIterator[Desk]:
    settings = make_settings(
        broker,
        redis_url=redis_url,
        cameras=RECORDING.cameras,
        console_port=free_port(),
        gateway_port=free_port(),
        # At full speed a frame waits for those before it, however long that takes here.
        frame_max_age_s=86_400,
    )
    store = AlertStore(settings.database_url)
    await store.open()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        await asyncio.gather(
            *(
                stack.enter_async_context(running(module.run, settings))
                for module in (match, stream, desk_worker, ocr, gateway, console)
            )
        )
        url = f"http://127.0.0.1:{settings.console_port}"
        version = await demo.publish_hotlists(RECORDING, settings, url)
        await demo.await_snapshot(settings, url, version)
        observer = Observer(settings)
        await observer.start()
        stack.push_async_callback(observer.stop)
        yield Desk(settings, store, observer)


async def _all(settings: Settings, topic: str) -> list[Any]:
    """Read a topic from its beginning to its present end."""
    async with topics.consumer(settings, topic, group="none", group_id=None) as consumer:
        await until(consumer.assignment, f"partitions of {topic}")
        ends = await consumer.end_offsets(consumer.assignment())
        found = []
        for partition, end in ends.items():
            await consumer.seek_to_beginning(partition)
            while await consumer.position(partition) < end:
                records = await consumer.getmany(partition, timeout_ms=5000)
                found += [record for each in records.values() for record in each]
    return found


@pytest.mark.slow
async def test_the_recording_becomes_its_alerts(desk: Desk) -> None:
    frames, feed = await demo.replay(RECORDING, desk.settings, desk.gateway_url, speed=None)
    await desk.drained()
    assert await demo.await_alerts(RECORDING, desk.store, 30) == []

    alerts = await desk.alerts()
    stored = [Expected(each.hit.entry.hotlist, each.hit.entry.plate, each.zone) for each in alerts]
    assert set(stored) == RECORDING.expected()
    covert = [each for each in alerts if each.hit.entry.handling is Handling.COVERT]
    assert covert
    for alert in alerts:
        is_covert = alert.hit.entry.handling is Handling.COVERT
        assert ("interventie" in alert.recipients) is not is_covert
    # What stands before a camera, or comes back, is one alert that counts.
    assert any(each.sighting_count > 1 for each in alerts)

    async def left() -> bool:
        return await desk.store.outbox.waiting() == 0

    await until(left, "every report leaves the outbox")
    reports = {decode(record.value, RirDraft).alert_id for record in await _all(desk.settings, topics.RIR)}
    assert reports == {each.alert_id for each in alerts if "rir" in each.recipients}
    assert {each.alert_id for each in covert} <= reports

    await until(lambda: desk.observer.counts()["alerts"] == len(alerts), "the observer has seen every alert")
    report = build(desk.observer, frames=frames, expected=len(stored), missing=[], broker="test", wall_s=1.0)
    assert report["counts"]["frames"] == frames > 50
    # Every message of the feed and every frame with a plate on it is a read, or is accounted for.
    assert report["counts"]["reads"] + report["counts"]["rejects"] >= feed
    for span in ("ocr", "match", "alert", "read_to_hit", "read_to_alert", "frame_to_alert"):
        figures = report["latency"][span]
        assert 0 <= figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"]

    # The same input again changes nothing.
    before = await desk.store.last_seq()
    for record in await _all(desk.settings, topics.READS):
        async with Publisher(desk.settings) as publisher:
            await publisher.send_bytes(topics.READS, record.value, key=record.key.decode())
            await publisher.flush()
    await desk.drained()
    assert await desk.store.last_seq() == before


def _jpeg(width: int, height: int) -> bytes:
    return cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8))[1].tobytes()


@pytest.mark.slow
async def test_bad_input_costs_nothing_that_was_good(desk: Desk) -> None:
    now_ns = time.time_ns()
    cameras = list(load_cameras(RECORDING.cameras).values())
    camera = cameras[0].id
    listed = sorted({each.plate for each in RECORDING.expected() if each.plate.isalnum()})

    def read(plate: str, **more: Any) -> bytes:
        return encode(make_read(plate, **{"camera": camera, "captured_at_ns": now_ns, **more}))

    def frame(image: bytes, **more: Any) -> bytes:
        values = {"camera": camera, "captured_at_ns": now_ns, **more}
        return encode(Capture(capture_id=f"bad {len(image)} {more}", image=image, **values))

    future_ns = now_ns + 3600 * SECOND_NS
    bad = {
        topics.READS: [
            (b"\xff\x00 no JSON", RejectReason.UNREADABLE),
            (b'{"read_id": 1}', RejectReason.UNREADABLE),
            (b"", RejectReason.UNREADABLE),
            (b"[" * 100_000, RejectReason.UNREADABLE),
            (read(listed[0], camera="nobody-knows-me"), RejectReason.UNKNOWN_CAMERA),
            (read(listed[0], captured_at_ns=future_ns), RejectReason.FROM_THE_FUTURE),
            (read("", text="---"), RejectReason.NOT_A_PLATE),
            (read("ABCDEFGHIJKLMNOP"), RejectReason.NOT_A_PLATE),
        ],
        topics.FRAMES: [
            (b"\xff\x00 no JSON", RejectReason.UNREADABLE),
            (frame(b"GIF89a or so"), RejectReason.NOT_AN_IMAGE),
            (frame(b""), RejectReason.NOT_AN_IMAGE),
            (frame(_jpeg(640, 480)[:300]), RejectReason.NOT_AN_IMAGE),
            (frame(_jpeg(1, 1)), RejectReason.IMAGE_SIZE),
            (frame(_jpeg(640, 480), camera="nobody-knows-me"), RejectReason.UNKNOWN_CAMERA),
            (frame(_jpeg(640, 480), captured_at_ns=future_ns), RejectReason.FROM_THE_FUTURE),
        ],
    }
    expected: dict[tuple[str, int, int], RejectReason] = {}
    async with Publisher(desk.settings) as publisher:
        for topic, cases in bad.items():
            for number, (value, reason) in enumerate(cases):
                # Every plate that is listed goes between two bad ones, on the same partition.
                good = listed[number % len(listed)]
                moment_ns = now_ns - (number + 1) * SECOND_NS
                await publisher.send_bytes(topics.READS, read(good, captured_at_ns=moment_ns), key=camera)
                sent = await (await publisher.send_bytes(topic, value, key=camera))
                expected[topic, sent.partition, sent.offset] = reason
        for number, plate in enumerate(listed):
            moment_ns = now_ns - (100 + number) * SECOND_NS
            await publisher.send_bytes(topics.READS, read(plate, captured_at_ns=moment_ns), key=camera)
        await publisher.flush()
    await desk.drained()

    rejects = [decode(record.value, Reject) for record in await _all(desk.settings, topics.REJECTS)]
    found = {(each.topic, each.partition, each.offset): each.reason for each in rejects}
    assert found == expected
    assert len(rejects) == len(expected)
    assert Counter(each.reason for each in rejects) == Counter(expected.values())
    for each in rejects:
        assert each.detail
        assert not any(plate in each.detail for plate in listed)
    plates = {alert.hit.read.plate for alert in await desk.alerts()}
    assert plates == set(listed)


async def test_a_message_of_a_later_version_is_read(desk: Desk) -> None:
    """Unknown fields are ignored, so that workers of two releases can run beside one another."""
    plate = min(each.plate for each in RECORDING.expected() if each.plate.isalnum())
    camera = next(iter(load_cameras(RECORDING.cameras)))
    fields = msgspec.json.decode(encode(make_read(plate, camera=camera, captured_at_ns=time.time_ns())))
    async with Publisher(desk.settings) as publisher:
        value = msgspec.json.encode({**fields, "v": 2, "colour": "blue", "patches": [{"deep": [1]}]})
        await publisher.send_bytes(topics.READS, value, key=camera)
        await publisher.flush()
    assert decode(value, PlateRead).plate == plate

    async def alerted() -> bool:
        return bool(await desk.alerts())

    await until(alerted, "the alert is stored")
