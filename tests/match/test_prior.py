"""How likely a list is: from its metadata in Redis to the posterior on the topic."""

from __future__ import annotations

import redis.asyncio as aioredis

from hotlists.entry import Hotlist, HotlistEntry
from hotlists.store import HotlistStore
from pipeline import topics
from pipeline.match.worker import run
from pipeline.model import Hit, ReadKind, decode
from tests.conftest import BrokerUnderTest, MakeSettings, running
from tests.factories import make_read
from tests.wire import receive, send

LISTS = [
    Hotlist(name="afgeleid", threshold=0.6),
    Hotlist(name="streng", prior=1e-3, threshold=0.9999),
    Hotlist(name="vanavond", prior=1e-3, threshold=0.6),
]


async def test_the_worker_weighs_each_list_by_its_own_prior_and_threshold(
    make_settings: MakeSettings, embedded_broker: BrokerUnderTest, redis_url: str
) -> None:
    settings = make_settings(embedded_broker, redis_url=redis_url)
    async with aioredis.from_url(redis_url) as client:
        store = HotlistStore(client)
        for hotlist in LISTS:
            await store.create(hotlist)
        await store.publish(
            "afgeleid", [HotlistEntry(plate=plate) for plate in ("1ABC123", "2DEF456")], by="an", why="x"
        )
        await store.publish(
            "streng", [HotlistEntry(plate="2DEF456"), HotlistEntry(plate="3GHJ789")], by="an", why="x"
        )
        await store.publish("vanavond", [HotlistEntry(plate="3GHJ789")], by="an", why="x")
    # Each of them one misread character away, in a text that is a Belgian plate as well.
    reads = [make_read(plate, confidence=None) for plate in ("1AEC123", "2DBF456", "3GHJ709", "3GHJ789")]
    await send(settings, topics.READS, reads)
    async with running(run, settings):
        hits = [decode(message.value, Hit) for message in await receive(settings, topics.HITS, 4)]
    found = sorted((hit.read.plate, hit.entry.hotlist, hit.kind) for hit in hits)
    assert found == [
        ("2DBF456", "afgeleid", ReadKind.NEAR),
        ("3GHJ709", "vanavond", ReadKind.NEAR),
        ("3GHJ789", "streng", ReadKind.EXACT),
        ("3GHJ789", "vanavond", ReadKind.EXACT),
    ]
