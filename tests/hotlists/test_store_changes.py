"""Publications on a real Redis: one step or nothing, whoever reads or dies meanwhile; no change is missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis.asyncio as aioredis

from hotlists import parts
from hotlists import store as storing
from hotlists.entry import Handling, Hotlist
from hotlists.store import HotlistError, HotlistStore
from tests.conftest import until
from tests.hotlists.conftest import gone, listed, plates_of, publish

STOLEN = Hotlist(name="gestolen", title="Gestolen")


# --- one step, or nothing ----------------------------------------------------------------------------------


async def test_a_reader_never_sees_a_part_or_a_mix(
    redis_url: str, store: HotlistStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each generation goes to list a and then to list b; readers find whole lists, b at most one behind."""
    monkeypatch.setattr(parts, "CHUNK_BYTES", 64)
    for name in ("a", "b"):
        await store.create(Hotlist(name=name))
        await publish(store, name, listed("1ABC123", reason="0"))
    done = asyncio.Event()
    seen: set[int] = set()

    async def write() -> None:
        for generation in range(1, 31):
            entries = listed(*(f"1ABC{number:03}" for number in range(generation)), reason=str(generation))
            await publish(store, "a", entries)
            await publish(store, "b", entries)
        done.set()

    async def read() -> None:
        async with aioredis.from_url(redis_url) as own:
            last = 0
            while not done.is_set():
                snapshot = await HotlistStore(own).load_snapshot()
                assert snapshot.version >= last
                last = snapshot.version
                generations = []
                for row in range(2):
                    reasons = {snapshot.reasons[entry] for entry in (snapshot.list_row == row).nonzero()[0]}
                    (generation,) = map(int, reasons)
                    assert (snapshot.list_row == row).sum() == max(generation, 1)
                    generations.append(generation)
                assert generations[0] - generations[1] in (0, 1)
                seen.add(generations[0])

    await asyncio.gather(write(), read(), read(), read())
    assert len(seen) > 5


async def test_two_publications_at_once_are_one_after_the_other(redis_url: str, store: HotlistStore) -> None:
    await store.create(STOLEN)
    versions = await asyncio.gather(
        *(publish(store, "gestolen", listed(*(f"{each}ABC{n:03}" for n in range(50)))) for each in range(1, 9))
    )
    assert len(set(versions)) == 8
    snapshot = await store.load_snapshot()
    assert snapshot.version == max(versions)
    assert len({plate[0] for plate in plates_of(snapshot)}) == 1
    assert len(snapshot) == 50


class Dying:
    """A client whose process dies after some chunks: what it hands over then never arrives."""

    def __init__(self, client: aioredis.Redis, pushes: int) -> None:
        self._client, self._left = client, pushes

    def pipeline(self, **options: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ConnectionResetError("killed")
        return self._client.pipeline(**options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


async def test_a_publication_that_dies_half_way_is_never_seen_and_cleans_up_after_itself(
    store: HotlistStore, client: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.create(STOLEN)
    version = await publish(store, "gestolen", listed("1ABC123"))
    monkeypatch.setattr(parts, "CHUNK_BYTES", 50)
    with pytest.raises(ConnectionResetError):
        await publish(HotlistStore(Dying(client, 3)), "gestolen", listed("2DEF456", "3GHI789"))  # type: ignore[arg-type]
    assert await client.llen("lik:hotlist:gestolen:v2") == 3
    assert 0 < await client.ttl("lik:hotlist:gestolen:v2") <= parts.UNFINISHED_EXPIRY_S
    assert await store.live_version() == version
    assert await store.versions("gestolen") == [1]
    assert plates_of(await store.load_snapshot()) == ["1ABC123"]
    with pytest.raises(HotlistError, match="not kept"):
        await store.roll_back("gestolen", 2, by="an", why="test")
    await publish(store, "gestolen", listed("4JKL012"))
    assert await store.versions("gestolen") == [1, 3]


async def test_what_died_half_way_expires(
    store: HotlistStore, client: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "CHUNK_BYTES", 50)
    monkeypatch.setattr(parts, "UNFINISHED_EXPIRY_S", 1)
    await store.create(STOLEN)
    with pytest.raises(ConnectionResetError):
        await publish(HotlistStore(Dying(client, 2)), "gestolen", listed("2DEF456"))  # type: ignore[arg-type]
    await until(lambda: gone(client, "lik:hotlist:gestolen:v1"), "the unfinished chunks are gone")


async def test_a_publication_that_lost_its_chunks_changes_nothing(
    store: HotlistStore, client: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when Redis starts anew, or a publication hangs for so long that its chunks expired."""
    await store.create(STOLEN)
    version = await publish(store, "gestolen", listed("1ABC123"))
    monkeypatch.setattr(parts, "CHUNK_BYTES", 50)

    class Forgetful(Dying):
        def pipeline(self, **options: Any) -> Any:
            self._left -= 1
            pipe = self._client.pipeline(**options)
            return pipe.delete("lik:hotlist:gestolen:v2") if self._left == 0 else pipe

    with pytest.raises(HotlistError, match="Redis lost a part of the upload to it; the live version stays"):
        await publish(HotlistStore(Forgetful(client, 3)), "gestolen", listed("2DEF456"))  # type: ignore[arg-type]
    assert await store.live_version() == version
    assert plates_of(await store.load_snapshot()) == ["1ABC123"]


class Racing:
    """A client that lets something happen between two of a reader's questions."""

    def __init__(self, client: aioredis.Redis, happens: Callable[[], Any]) -> None:
        self._client, self._happens, self.reads = client, happens, 0

    async def lindex(self, *arguments: Any) -> Any:
        self.reads += 1
        if self.reads == 1:
            await self._happens()
        return await self._client.lindex(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


async def test_a_reader_whose_version_is_removed_reads_again(store: HotlistStore, client: aioredis.Redis) -> None:
    await store.create(STOLEN)
    await publish(store, "gestolen", listed("1ABC123"))

    async def overtake() -> None:
        for number in range(storing.KEPT_VERSIONS + 1):
            await publish(store, "gestolen", listed(f"2DEF{number:03}"))

    racing = Racing(client, overtake)
    snapshot = await HotlistStore(racing).load_snapshot()  # type: ignore[arg-type]
    assert racing.reads == 2
    assert plates_of(snapshot) == ["2DEF005"]
    assert snapshot.version == await store.live_version()


async def test_a_reader_is_not_held_up_by_publications(store: HotlistStore, client: aioredis.Redis) -> None:
    """A version that is still kept is read to its end, under its own number, and the change is there to follow."""
    await store.create(STOLEN)
    version = await publish(store, "gestolen", listed("1ABC123"))
    racing = Racing(client, lambda: publish(store, "gestolen", listed("2DEF456")))
    snapshot = await HotlistStore(racing).load_snapshot()  # type: ignore[arg-type]
    assert (snapshot.version, plates_of(snapshot), racing.reads) == (version, ["1ABC123"], 1)
    assert await store.live_version() > version


async def test_a_version_that_is_missing_or_damaged_is_said(store: HotlistStore, client: aioredis.Redis) -> None:
    await store.create(STOLEN)
    await publish(store, "gestolen", listed("1ABC123"))
    await publish(store, "gestolen", listed("2DEF456"))
    whole = await client.lindex("lik:hotlist:gestolen:v2", 0)
    for damaged in (b"PK", b"", whole[:200], whole[:-100] + b"\0" * 100):
        await client.lset("lik:hotlist:gestolen:v2", 0, damaged)
        with pytest.raises(HotlistError, match="version 2 of list 'gestolen' is damaged in Redis"):
            await store.load_snapshot()
    await client.delete("lik:hotlist:gestolen:v2")
    with pytest.raises(HotlistError, match="version 2 of list 'gestolen' is missing"):
        await store.load_snapshot()
    await store.roll_back("gestolen", 1, by="an", why="versie 2 is stuk")
    assert plates_of(await store.load_snapshot()) == ["1ABC123"]


# --- changes -----------------------------------------------------------------------------------------------


@pytest.fixture
async def changes(redis_url: str) -> AsyncIterator[AsyncIterator[None]]:
    """A listener on a connection of its own."""
    async with aioredis.from_url(redis_url) as own:
        listening = HotlistStore(own).changes()
        yield listening
        await listening.aclose()  # type: ignore[attr-defined]


async def test_a_change_wakes_a_listener(store: HotlistStore, changes: AsyncIterator[None]) -> None:
    await store.create(STOLEN)
    await anext(changes)
    for change in (
        lambda: publish(store, "gestolen", listed("1ABC123")),
        lambda: publish(store, "gestolen", listed("2DEF456")),
        lambda: store.roll_back("gestolen", 1, by="an", why="test"),
        lambda: store.create(Hotlist(name="gestolen", handling=Handling.COVERT)),
    ):
        waiting = asyncio.ensure_future(anext(changes))
        await change()
        await asyncio.wait_for(waiting, 10)


async def test_changes_between_two_questions_are_not_lost(
    store: HotlistStore, changes: AsyncIterator[None]
) -> None:
    await store.create(STOLEN)
    await anext(changes)
    for number in range(3):
        # Nobody asks while these are published; one yield tells of both.
        await publish(store, "gestolen", listed(f"1ABC{number:03}"))
        await publish(store, "gestolen", listed(f"2DEF{number:03}"))
        await asyncio.wait_for(anext(changes), 10)
    waiting = asyncio.ensure_future(anext(changes))
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert not done
    await publish(store, "gestolen", [])
    await asyncio.wait_for(waiting, 10)


async def test_whoever_looks_after_each_yield_misses_nothing(
    store: HotlistStore, client: aioredis.Redis, changes: AsyncIterator[None]
) -> None:
    """From the very first question on, and through a Redis that loses its stream: the live version is seen."""
    await store.create(STOLEN)
    published = await publish(store, "gestolen", listed("1ABC123"))
    await asyncio.wait_for(anext(changes), 10)
    assert await store.live_version() == published
    await client.flushall()
    await store.create(STOLEN)
    published = await publish(store, "gestolen", listed("1ABC123"))
    await asyncio.wait_for(anext(changes), 10)
    assert await store.live_version() == published


async def test_the_change_stream_says_who_and_why(store: HotlistStore, client: aioredis.Redis) -> None:
    await store.create(STOLEN)
    version = await store.publish("gestolen", listed("1ABC123"), by="jan", why="nieuwe lijst van é")
    ((_, change),) = await client.xrevrange("lik:hotlists:changes", count=1)
    assert {key.decode(): value.decode() for key, value in change.items()} == {
        "list": "gestolen",
        "what": "published",
        "number": "1",
        "from": "0",
        "version": str(version),
        "kind": "full",
        "by": "jan",
        "why": "nieuwe lijst van é",
    }
