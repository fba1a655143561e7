"""A list that applies somewhere, or at some time, hits nothing elsewhere; and what was read is counted."""

from __future__ import annotations

import time

import redis.asyncio as aioredis

from hotlists.columns import pack_entries
from hotlists.deskstore import DeskStore
from hotlists.entry import AppliesTo, Hotlist, HotlistEntry, Window
from hotlists.lookback import Lookbacks
from hotlists.store import HotlistStore
from pipeline import topics
from pipeline.match.worker import run
from pipeline.model import Hit, decode
from pipeline.settings import Settings
from tests.conftest import BrokerUnderTest, MakeSettings, running
from tests.factories import make_read
from tests.wire import drained, receive, send

LISTS = {
    "overal": AppliesTo(),
    "elders": AppliesTo(cameras=("cam-3",)),
    "hier": AppliesTo(zones=("noord",)),
    "voorbij": AppliesTo(windows=(Window(until_ns=time.time_ns() - 3600 * 10**9),)),
}


async def test_a_list_hits_where_and_when_it_applies(
    make_settings: MakeSettings, embedded_broker: BrokerUnderTest, redis_url: str
) -> None:
    settings = make_settings(embedded_broker, redis_url=redis_url)
    async with aioredis.from_url(redis_url) as client:
        store = HotlistStore(client)
        for name, applies_to in LISTS.items():
            await store.create(Hotlist(name=name, applies_to=applies_to))
            await store.publish(name, [HotlistEntry(plate="1ABC123")], by="an", why="test")
    await send(settings, topics.READS, [make_read("1ABC123", camera="cam-1")])
    async with running(run, settings):
        hits = [decode(message.value, Hit) for message in await receive(settings, topics.HITS, 2)]
        await drained(settings, topics.READS)
        counted = await _counted(settings)
    assert sorted(hit.entry.hotlist for hit in hits) == ["hier", "overal"]
    assert counted == (1, 1)


async def _counted(settings: Settings) -> tuple[int, int]:
    """How many workers answer for the last hour, and how many reads they have seen."""
    async with aioredis.from_url(settings.redis_url) as client:
        entries = pack_entries(Hotlist(name="overal"), [HotlistEntry(plate="1ABC123")])
        staged = await DeskStore(client).stage("overal", entries, kind="full", by="an", why="test")
        desk = Lookbacks(client)
        await desk.ask("overal", staged.number)
        told = await desk.answers("overal", staged.number)
    return told.answered, told.reads
