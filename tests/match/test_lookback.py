"""The reads of the last hour: counted in memory, forgotten, and told as numbers that point at nobody."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import redis.asyncio as aioredis

from hotlists.columns import Columns, pack_entries
from hotlists.deskstore import DeskStore
from hotlists.entry import Hotlist, HotlistEntry
from hotlists.lookback import Lookbacks
from pipeline.match.lookback import MOST_PLATES, PART_MS, SPAN_MS, Counter, Lookback, coarse
from plates import alphabet
from tests.conftest import MakeSettings, until


def keys(*plates: str) -> np.ndarray:
    return alphabet.pack(alphabet.encode(list(plates)))


def packed(*plates: str) -> Columns:
    return pack_entries(Hotlist(name="a"), [HotlistEntry(plate=each) for each in plates])


def test_every_passage_of_a_listed_plate_is_counted() -> None:
    counter = Counter()
    counter.count(keys("1ABC123", "2DEF456", "1ABC123"), 1_000)
    counter.count(keys("1ABC123"), 1_000 + PART_MS)
    assert counter.tally(keys("1ABC123", "9ZZZ999"), 2_000 + PART_MS) == (4, 1_000, 3)


def test_nothing_is_left_after_an_hour() -> None:
    counter = Counter()
    counter.count(keys("1ABC123"), 0)
    counter.count(keys("1ABC123"), PART_MS)
    assert counter.tally(keys("1ABC123"), SPAN_MS + 1) == (1, PART_MS, 1)
    assert counter.tally(keys("1ABC123"), SPAN_MS + PART_MS + 1) == (0, SPAN_MS + PART_MS + 1, 0)
    assert not counter._parts


def test_nobody_finds_a_plate_in_what_is_held() -> None:
    counter, other = Counter(), Counter()
    for each in (counter, other):
        each.count(keys("1ABC123"), 0)
        each.tally(keys(), 0)
    held = [int(each._parts[0].keys[0]) for each in (counter, other)]
    assert int(keys("1ABC123")[0]) not in held
    assert held[0] != held[1]


def test_too_many_plates_shorten_the_time_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.match.lookback.MOST_PLATES", MOST_PLATES // 20)
    counter = Counter()
    for part in range(3):
        counter.count(np.arange(part * 70_000, (part + 1) * 70_000, dtype=np.uint64), part * PART_MS)
    reads, since_ms, _ = counter.tally(keys(), 3 * PART_MS)
    assert (reads, since_ms) == (70_000, 2 * PART_MS)


@pytest.mark.parametrize(
    ("hits", "noise", "told"),
    [(0, 0.0, None), (19, 0.4, None), (20, 0.0, 20), (25, -8.0, None), (123, 0.0, 120), (98_765, 0.0, 99_000)],
)
def test_a_figure_is_coarse_and_a_small_one_is_none(hits: int, noise: float, told: int | None) -> None:
    assert coarse(hits, noise) == told


async def test_a_worker_answers_what_the_desk_asks(make_settings: MakeSettings, redis_url: str) -> None:
    settings = make_settings(redis_url=redis_url)
    async with aioredis.from_url(redis_url) as client, Lookback(settings, "host-1") as lookback:
        store, desk = DeskStore(client), Lookbacks(client)
        await store.create(Hotlist(name="a"))
        plates = [f"1ABC{number:03d}" for number in range(300)]
        for each in (plates, ["9ZZZ999"] * 50):
            lookback.counter.count(keys(*each))
        staged = await store.stage("a", packed(*plates), kind="full", by="an", why="test")
        few = await store.stage("a", packed(plates[0]), kind="full", by="an", why="test")
        await until(lambda: _listens(client), "the worker listens")
        await asyncio.gather(desk.ask("a", staged.number), desk.ask("a", few.number))
        told, hidden = [await desk.answers("a", each.number) for each in (staged, few)]
    assert (told.asked, told.answered, told.reads) == (1, 1, 350)
    assert told.would_hit is not None
    assert 220 <= told.would_hit <= 380
    assert (hidden.answered, hidden.reads, hidden.would_hit) == (1, 350, None)


async def _listens(client: aioredis.Redis) -> bool:
    ((_, count),) = await client.pubsub_numsub("lik:lookback")
    return bool(count)


async def test_without_workers_nothing_is_claimed(redis_url: str) -> None:
    async with aioredis.from_url(redis_url) as client:
        desk = Lookbacks(client)
        await desk.ask("a", 1)
        told = await desk.answers("a", 1)
    assert (told.asked, told.answered, told.since_ms, told.would_hit) == (0, 0, None, None)
