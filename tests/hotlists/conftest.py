"""A hotlist store on a real Redis, and what tests put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import redis.asyncio as aioredis

from hotlists.desk import Desk
from hotlists.entry import HotlistEntry
from hotlists.snapshot import Snapshot
from hotlists.store import HotlistStore
from tests.hotlists.desk import Trail


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[aioredis.Redis]:
    """A client of a Redis without keys."""
    async with aioredis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
async def store(client: aioredis.Redis) -> HotlistStore:
    """A store in which there is nothing."""
    return HotlistStore(client)


def listed(*plates: str, **more: Any) -> list[HotlistEntry]:
    """Entries of these plates, all with the same fields beside."""
    return [HotlistEntry(plate=plate, **more) for plate in plates]


def plates_of(snapshot: Snapshot) -> list[str]:
    """The plates of a snapshot, in its order."""
    return [snapshot.plate(row) for row in range(len(snapshot))]


async def publish(store: HotlistStore, name: str, entries: Sequence[HotlistEntry]) -> int:
    """Publish with a name and a reason that do not matter."""
    return await store.publish(name, entries, by="an", why="test")


async def gone(client: aioredis.Redis, key: str) -> bool:
    """Tell whether Redis no longer has a key."""
    return not await client.exists(key)


@pytest.fixture
def trail() -> Trail:
    """A trail in memory."""
    return Trail()


@pytest.fixture
def desk(client: aioredis.Redis, trail: Trail) -> Desk:
    """A desk on a Redis without keys."""
    return Desk(client, trail)
