"""Three hotlists on a real Redis, and a worker that looks often."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis.asyncio as aioredis

from hotlists.deskstore import DeskStore
from hotlists.entry import Hotlist
from pipeline.match import loader as loading
from pipeline.settings import Settings
from tests.conftest import MakeSettings
from tests.match.lists import LISTS, publish


@pytest.fixture
def settings(make_settings: MakeSettings, redis_url: str) -> Settings:
    return make_settings(redis_url=redis_url)


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[DeskStore]:
    """A store with three lists of one entry each."""
    async with aioredis.from_url(redis_url) as client:
        desk = DeskStore(client)
        for name in LISTS:
            await desk.create(Hotlist(name=name))
            await publish(desk, name, f"1AAA00{name.upper()}")
        yield desk


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have workers compare versions many times a second."""
    monkeypatch.setattr(loading, "CHECK_S", 0.05)
