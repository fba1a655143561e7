"""A list that is damaged while workers hold it: what the desk does from there is matched, on a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis.asyncio as aioredis

from hotlists.desk import Desk
from hotlists.deskstore import DeskStore
from pipeline.match.loader import SnapshotLoader
from pipeline.settings import Settings
from tests.conftest import until
from tests.hotlists import desk as at
from tests.hotlists.desk import CHIEF, DETECTIVE, OPS, Trail
from tests.match.lists import entries, held, is_live, lists_in, publish, worker

pytestmark = pytest.mark.usefixtures("often")

KEY = "lik:hotlist:b:v2"


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[aioredis.Redis]:
    async with aioredis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
async def holding(settings: Settings, store: DeskStore) -> AsyncIterator[SnapshotLoader]:
    """A worker that holds version 2 of list b."""
    await publish(store, "b", "2BBB00B")
    async with worker(settings) as loader:
        await held(loader, "b", "2BBB00B")
        yield loader


@pytest.mark.parametrize("how", ["flipped", "missing"])
@pytest.mark.parametrize("begins", [False, True])
async def test_an_urgent_entry_is_matched_by_who_held_what_is_damaged_now(
    holding: SnapshotLoader, store: DeskStore, client: aioredis.Redis, how: str, begins: bool
) -> None:
    desk = Desk(client, Trail())
    if not begins:
        await desk.store.know_live()
    if how == "missing":
        await client.delete(KEY)
    else:
        await client.lset(KEY, 0, (await client.lindex(KEY, 0))[:-1] + b"~")
    changed = await desk.entries.add(DETECTIVE if begins else OPS, "b", at.entry("9ZZZ999"))
    assert changed.unread is begins
    await held(holding, "b", "2BBB00B", "9ZZZ999")
    await until(lambda: is_live(store, holding), "the worker says so")
    assert holding.matcher.snapshot.version == changed.version
    assert lists_in("behind") == 0.0


@pytest.mark.parametrize("mended", ["uploaded", "rolled back"])
async def test_mending_a_list_is_followed_and_clears_what_is_behind(
    settings: Settings, store: DeskStore, client: aioredis.Redis, mended: str
) -> None:
    desk = Desk(client, Trail())
    async with worker(settings) as loader:
        await held(loader, "b", "1AAA00B")
        staged = await store.stage("b", entries("2BBB00B"), kind="full", by="an", why="nacht")
        await client.lset(KEY, 0, b"PK")
        await store.publish_staged("b", staged.number, expected_live=None, by="an", why="nacht")
        await until(lambda: lists_in("behind") == 1.0, "it is behind")
        assert (await desk.register.health(CHIEF)).state == "alarm"
        if mended == "uploaded":
            preview = await at.upload(desk, "plate\n3CCC00B\n", by=DETECTIVE, name="b")
            await at.publish(desk, preview, by=DETECTIVE, confirm_removed=0)
        else:
            await desk.staging.roll_back(CHIEF, "b", 1, why="v2 is beschadigd")
        await held(loader, "b", "3CCC00B" if mended == "uploaded" else "1AAA00B")
        await until(lambda: lists_in("behind") == 0.0, "nothing is behind")
        await until(lambda: is_live(store, loader), "all of it is held")

        async def well() -> bool:
            return (await desk.register.health(CHIEF)).state == "ok"

        await until(well, "the desk says so")
