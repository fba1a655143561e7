"""A hotlist store on a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis.asyncio as aioredis

from hotlists.store import HotlistStore


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[aioredis.Redis]:
    """A client of a Redis without keys."""
    async with aioredis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
async def store(client: aioredis.Redis) -> HotlistStore:
    """A store in which there is nothing."""
    return HotlistStore(client)
