"""The embedded broker loses nothing: a gibibyte goes in, and every message is counted at the other end."""

from __future__ import annotations

import asyncio

import pytest

from pipeline import topics
from pipeline.embedded import EmbeddedBroker
from pipeline.model import Capture, PlateRead
from pipeline.settings import Settings
from pipeline.topics import Publisher
from tests.conftest import BrokerUnderTest, MakeSettings

FRAME_BYTES = 262_144
FRAMES = 3_000
READS = 70_000
READ_PATCH_BYTES = 3_000
CAMERAS = [f"cam-{number}" for number in range(16)]


def _frame(number: int) -> Capture:
    return Capture(
        capture_id=str(number),
        camera=CAMERAS[number % 16],
        captured_at_ns=number,
        image=number.to_bytes(8, "big") * (FRAME_BYTES // 8),
    )


def _read(number: int) -> PlateRead:
    patch = number.to_bytes(8, "big") * (READ_PATCH_BYTES // 8)
    return PlateRead(
        read_id=str(number),
        capture_id=str(number),
        camera=CAMERAS[number % 16],
        captured_at_ns=number,
        text="X",
        plate="X",
        patch=patch,
    )


async def _count(settings: Settings, topic: str, expected: int) -> tuple[set[bytes], int]:
    """Consume, commit each batch, and return the distinct head of each message and all bytes seen."""
    seen: set[bytes] = set()
    size = 0
    async with topics.consumer(settings, topic) as consumer:
        while len(seen) < expected:
            batches = await consumer.getmany(timeout_ms=5000, max_records=500)
            if not batches:
                break
            for records in batches.values():
                # The id is among the first fields of both types.
                seen |= {record.value[:40] for record in records}
                size += sum(len(record.value) for record in records)
            await consumer.commit()
    return seen, size


@pytest.mark.slow
async def test_a_gibibyte_of_frames_and_reads_arrives_whole(make_settings: MakeSettings) -> None:
    with EmbeddedBroker() as broker:
        settings = make_settings(BrokerUnderTest(broker.bootstrap, "embedded"))

        async def flood(topic: str, count: int) -> None:
            async with Publisher(settings) as publisher:
                for number in range(count):
                    message = _frame(number) if topic == topics.FRAMES else _read(number)
                    await publisher.send(topic, message, key=message.camera)
                await publisher.flush()

        _, _, frames, reads = await asyncio.gather(
            flood(topics.FRAMES, FRAMES),
            flood(topics.READS, READS),
            _count(settings, topics.FRAMES, FRAMES),
            _count(settings, topics.READS, READS),
        )
    assert frames[1] + reads[1] >= 2**30
    assert len(frames[0]) == FRAMES
    assert len(reads[0]) == READS


async def test_without_the_gate_the_embedded_broker_does_lose(make_settings: MakeSettings) -> None:
    """Shows that the flood test can fail: the same flood, nobody holding back, and a consumer that comes late."""
    with EmbeddedBroker() as broker:
        settings = make_settings(BrokerUnderTest(broker.bootstrap, "embedded"), kafka_in_flight_bytes=0)
        async with Publisher(settings) as publisher:
            for number in range(200):
                await publisher.send(topics.FRAMES, _frame(number), key="cam-0")
            await publisher.flush()
        frames, _ = await _count(settings, topics.FRAMES, 200)
    assert 0 < len(frames) < 200
