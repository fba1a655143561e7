"""Put messages on a topic and take them off, as the tests of the workers do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pipeline import topics
from pipeline.model import Capture, PlateRead, encode
from pipeline.settings import Settings
from pipeline.topics import Publisher
from tests.conftest import until


async def send(
    settings: Settings, topic: str, messages: Sequence[Capture | PlateRead | bytes]
) -> list[tuple[str, int, int]]:
    """Put messages on a topic, raw bytes as those of cam-1; return topic, partition and offset of each."""
    async with Publisher(settings) as publisher:
        places = []
        for message in messages:
            raw = message if isinstance(message, bytes) else encode(message)
            key = "cam-1" if isinstance(message, bytes) else message.camera
            places.append(await publisher.send_bytes(topic, raw, key=key))
        return [(where.topic, where.partition, where.offset) for where in await asyncio.gather(*places)]


async def receive(settings: Settings, topic: str, count: int) -> list[Any]:
    """Take the first `count` messages of a topic."""
    async with topics.consumer(settings, topic, group="none", group_id=None) as consumer:
        return [await asyncio.wait_for(consumer.getone(), 30) for _ in range(count)]


async def drained(settings: Settings, topic: str) -> None:
    """Return once the topic's group has committed every message."""

    async def done() -> bool:
        return await topics.group_lag(settings, topic) == 0

    await until(done, f"every message of {topic} is committed")
