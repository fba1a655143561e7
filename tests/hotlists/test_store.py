"""The master copy of the hotlists, on a real Redis: whole versions, one switch, and no change that is missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import redis.asyncio as aioredis

from hotlists import store as storing
from hotlists.entry import Category, Handling, Hotlist, HotlistEntry, Priority
from hotlists.snapshot import UNSTATED, Columns, Snapshot
from hotlists.store import HotlistError, HotlistStore
from tests.conftest import until

STOLEN = Hotlist(name="gestolen", title="Gestolen", owner="PZ Veldeke", category=Category.STOLEN)
COVERT = Hotlist(name="recherche", handling=Handling.COVERT, named_users=("an",), threshold=0.8)


def listed(*plates: str, **more: Any) -> list[HotlistEntry]:
    return [HotlistEntry(plate=plate, **more) for plate in plates]


def plates_of(snapshot: Snapshot) -> list[str]:
    return [snapshot.plate(row) for row in range(len(snapshot))]


async def publish(store: HotlistStore, name: str, entries: Sequence[HotlistEntry]) -> int:
    return await store.publish(name, entries, by="an", why="test")


# --- lists -------------------------------------------------------------------------------------------------


async def test_a_list_is_made_read_and_replaced(store: HotlistStore) -> None:
    assert await store.lists() == []
    await store.create(COVERT)
    await store.create(STOLEN)
    assert await store.get("recherche") == COVERT
    assert await store.lists() == [(STOLEN, None), (COVERT, None)]
    renamed = Hotlist(name="gestolen", title="Gestolen voertuigen")
    await store.create(renamed)
    await publish(store, "gestolen", listed("1ABC123"))
    assert await store.lists() == [(renamed, 1), (COVERT, None)]


@pytest.mark.parametrize("name", ["", "Gestolen", "a b", "a:v1", "a/b", "../a", "-a", "é", "a" * 65, "a\n", "*"])
async def test_a_name_that_is_none_is_refused(store: HotlistStore, name: str) -> None:
    with pytest.raises(HotlistError, match="1 to 64"):
        await store.create(Hotlist(name=name))
    assert await store.lists() == []


async def test_an_unknown_list_is_said(store: HotlistStore, client: aioredis.Redis) -> None:
    with pytest.raises(HotlistError, match="no list 'geen'; make it first"):
        await store.get("geen")
    with pytest.raises(HotlistError, match="no list 'geen'"):
        await publish(store, "geen", listed("1ABC123"))
    with pytest.raises(HotlistError, match="not kept"):
        await store.roll_back("geen", 1, by="an", why="test")
    assert await client.keys() == []


async def test_a_list_without_a_version_is_in_no_snapshot(store: HotlistStore) -> None:
    await store.create(STOLEN)
    snapshot = await store.load_snapshot()
    assert (snapshot.version, len(snapshot), snapshot.hotlists) == (0, 0, ())


# --- what is published -------------------------------------------------------------------------------------


async def test_what_is_published_is_what_is_loaded(store: HotlistStore) -> None:
    await store.create(STOLEN)
    await store.create(COVERT)
    entries = [
        HotlistEntry(plate="1ABC123", country="BE", reason="Diefstal é", valid_from_ns=1, valid_until_ns=2),
        HotlistEntry(plate="2D?F*", priority=Priority.CRITICAL, handling=Handling.COVERT),
    ]
    first = await publish(store, "gestolen", entries)
    second = await publish(store, "recherche", listed("9ZZZ999", handling=Handling.OPEN))
    snapshot = await store.load_snapshot()
    assert second > first
    assert snapshot.version == second == await store.live_version()
    expected = Snapshot.build(second, [(STOLEN, entries), (COVERT, listed("9ZZZ999", handling=Handling.OPEN))])
    for column in (
        "codes",
        "keys",
        "country",
        "list_row",
        "priority",
        "covert",
        "valid_from_ns",
        "valid_until_ns",
    ):
        assert getattr(snapshot, column).tolist() == getattr(expected, column).tolist(), column
    assert list(snapshot.reasons) == list(expected.reasons)
    assert snapshot.hotlists == (STOLEN, COVERT)


@pytest.mark.parametrize("plate", ["", "1abc123", "1-ABC-123", "1ABC1234567", "É"])
async def test_a_plate_that_is_not_normalised_is_refused(store: HotlistStore, plate: str) -> None:
    await store.create(STOLEN)
    with pytest.raises(HotlistError, match="entry 1 of the upload to 'gestolen': its plate is not normalised"):
        await publish(store, "gestolen", listed("1ABC123", plate))
    assert await store.live_version() == 0


async def test_an_empty_version_empties_the_list(store: HotlistStore) -> None:
    await store.create(STOLEN)
    await publish(store, "gestolen", listed("1ABC123"))
    version = await publish(store, "gestolen", [])
    snapshot = await store.load_snapshot()
    assert (snapshot.version, len(snapshot)) == (version, 0)


async def test_a_version_of_many_chunks_is_whole(
    store: HotlistStore, client: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "CHUNK_BYTES", 50)
    await store.create(STOLEN)
    plates = [f"1ABC{number:03}" for number in range(500)]
    await publish(store, "gestolen", listed(*plates))
    assert await client.llen("lik:hotlist:gestolen:v1") > 5
    assert plates_of(await store.load_snapshot()) == plates


# --- the list's metadata counts as it is now, not as it was at the upload ---------------------------------------


async def test_a_list_that_becomes_covert_makes_its_published_entries_covert(store: HotlistStore) -> None:
    await store.create(STOLEN)
    before = await publish(store, "gestolen", [*listed("1ABC123"), *listed("2DEF456", handling=Handling.OPEN)])
    assert (await store.load_snapshot()).covert.tolist() == [False, False]
    await store.create(Hotlist(name="gestolen", handling=Handling.COVERT))
    snapshot = await store.load_snapshot()
    assert snapshot.version > before
    assert snapshot.covert.tolist() == [True, True]
    assert snapshot.hotlist(0).handling is Handling.COVERT


async def test_a_list_that_becomes_open_leaves_covert_what_an_entry_says_itself(store: HotlistStore) -> None:
    await store.create(COVERT)
    await publish(store, "recherche", [*listed("1ABC123"), *listed("2DEF456", handling=Handling.COVERT)])
    assert (await store.load_snapshot()).covert.tolist() == [True, True]
    await store.create(Hotlist(name="recherche"))
    assert (await store.load_snapshot()).covert.tolist() == [False, True]


async def test_a_list_of_another_priority_moves_the_entries_that_state_none(store: HotlistStore) -> None:
    await store.create(STOLEN)
    await publish(store, "gestolen", [*listed("1ABC123"), *listed("2DEF456", priority=Priority.LOW)])
    await store.create(Hotlist(name="gestolen", priority=Priority.CRITICAL))
    snapshot = await store.load_snapshot()
    assert [snapshot.priority_of(row) for row in (0, 1)] == [Priority.CRITICAL, Priority.LOW]


async def test_metadata_is_a_new_version_only_of_a_live_list(store: HotlistStore) -> None:
    await store.create(STOLEN)
    assert await store.live_version() == 0
    version = await publish(store, "gestolen", listed("1ABC123"))
    await store.create(COVERT)
    assert await store.live_version() == version
    await store.create(STOLEN)
    assert await store.live_version() > version


# --- versions ----------------------------------------------------------------------------------------------


async def test_the_last_versions_are_kept_and_older_ones_removed(
    store: HotlistStore, client: aioredis.Redis
) -> None:
    await store.create(STOLEN)
    for number in range(8):
        await publish(store, "gestolen", listed(f"1ABC{number:03}"))
    assert await store.versions("gestolen") == [4, 5, 6, 7, 8]
    chunks = await client.keys("lik:hotlist:gestolen:v[0-9]*")
    assert sorted(chunks) == [f"lik:hotlist:gestolen:v{number}".encode() for number in (4, 5, 6, 7, 8)]
    # Nothing that is live may ever expire.
    assert [await client.ttl(key) for key in chunks] == [-1] * 5


async def test_roll_back_to_a_kept_version(store: HotlistStore) -> None:
    await store.create(STOLEN)
    for number in range(6):
        await publish(store, "gestolen", listed(f"1ABC{number:03}"))
    before = await store.live_version()
    version = await store.roll_back("gestolen", 2, by="an", why="verkeerd bestand")
    snapshot = await store.load_snapshot()
    assert snapshot.version == version > before
    assert plates_of(snapshot) == ["1ABC001"]
    assert await store.versions("gestolen") == [3, 4, 5, 6, 2]
    with pytest.raises(HotlistError, match="version 1 of list 'gestolen' is not kept"):
        await store.roll_back("gestolen", 1, by="an", why="te laat")
    assert await store.live_version() == version


async def test_the_version_that_is_live_after_a_roll_back_outlives_later_ones(store: HotlistStore) -> None:
    await store.create(STOLEN)
    for number in range(5):
        await publish(store, "gestolen", listed(f"1ABC{number:03}"))
    await store.roll_back("gestolen", 1, by="an", why="test")
    for number in range(5, 9):
        await publish(store, "gestolen", listed(f"1ABC{number:03}"))
    assert await store.versions("gestolen") == [1, 6, 7, 8, 9]


async def test_the_version_grows_even_after_redis_lost_its_data(
    store: HotlistStore, client: aioredis.Redis
) -> None:
    await store.create(STOLEN)
    before = [await publish(store, "gestolen", listed("1ABC123")) for _ in range(20)]
    assert sorted(set(before)) == before
    await client.flushall()
    assert await store.live_version() == 0
    await store.create(STOLEN)
    assert await publish(store, "gestolen", listed("1ABC123")) > before[-1]


async def test_the_version_grows_when_the_clock_goes_back(
    store: HotlistStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.create(STOLEN)
    first = await publish(store, "gestolen", listed("1ABC123"))
    monkeypatch.setattr(storing, "_now_ms", lambda: 1)
    assert await publish(store, "gestolen", listed("1ABC123")) == first + 1


# --- one step, or nothing ----------------------------------------------------------------------------------


async def test_a_reader_never_sees_a_part_or_a_mix(
    redis_url: str, store: HotlistStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each generation goes to list a and then to list b; readers find whole lists, b at most one behind."""
    monkeypatch.setattr(storing, "CHUNK_BYTES", 64)
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
    monkeypatch.setattr(storing, "CHUNK_BYTES", 50)
    with pytest.raises(ConnectionResetError):
        await publish(HotlistStore(Dying(client, 3)), "gestolen", listed("2DEF456", "3GHI789"))  # type: ignore[arg-type]
    assert await client.llen("lik:hotlist:gestolen:v2") == 3
    assert 0 < await client.ttl("lik:hotlist:gestolen:v2") <= storing.UNFINISHED_EXPIRY_S
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
    monkeypatch.setattr(storing, "CHUNK_BYTES", 50)
    monkeypatch.setattr(storing, "UNFINISHED_EXPIRY_S", 1)
    await store.create(STOLEN)
    with pytest.raises(ConnectionResetError):
        await publish(HotlistStore(Dying(client, 2)), "gestolen", listed("2DEF456"))  # type: ignore[arg-type]
    await until(lambda: _gone(client, "lik:hotlist:gestolen:v1"), "the unfinished chunks are gone")


async def _gone(client: aioredis.Redis, key: str) -> bool:
    return not await client.exists(key)


async def test_a_publication_that_lost_its_chunks_changes_nothing(
    store: HotlistStore, client: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when Redis starts anew, or a publication hangs for so long that its chunks expired."""
    await store.create(STOLEN)
    version = await publish(store, "gestolen", listed("1ABC123"))
    monkeypatch.setattr(storing, "CHUNK_BYTES", 50)

    class Forgetful(Dying):
        def pipeline(self, **options: Any) -> Any:
            self._left -= 1
            pipe = self._client.pipeline(**options)
            return pipe.delete("lik:hotlist:gestolen:v2") if self._left == 0 else pipe

    with pytest.raises(HotlistError, match="lost a part of the upload to 'gestolen'; the live version stays"):
        await publish(HotlistStore(Forgetful(client, 3)), "gestolen", listed("2DEF456"))  # type: ignore[arg-type]
    assert await store.live_version() == version
    assert plates_of(await store.load_snapshot()) == ["1ABC123"]


class Racing:
    """A client that lets something happen between two of a reader's questions."""

    def __init__(self, client: aioredis.Redis, happens: Callable[[], Any]) -> None:
        self._client, self._happens, self.reads = client, happens, 0

    async def lrange(self, *arguments: Any) -> Any:
        self.reads += 1
        if self.reads == 1:
            await self._happens()
        return await self._client.lrange(*arguments)

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
    await store.publish("gestolen", listed("1ABC123"), by="jan", why="nieuwe lijst van é")
    ((_, change),) = await client.xrevrange("lik:hotlists:changes", count=1)
    assert {key.decode(): value.decode() for key, value in change.items()} == {
        "list": "gestolen",
        "what": "published",
        "number": "1",
        "by": "jan",
        "why": "nieuwe lijst van é",
    }


# --- workers -----------------------------------------------------------------------------------------------


async def test_workers_are_known_while_they_live(
    store: HotlistStore, client: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await store.workers() == {}
    await store.report_worker("host-1", 5)
    await store.report_worker("host-2", 6)
    await store.report_worker("host-1", 7)
    assert await store.workers() == {"host-1": 7, "host-2": 6}
    assert 0 < await client.ttl("lik:worker:host-1") <= storing.HEARTBEAT_EXPIRY_S
    await client.pexpire("lik:worker:host-1", 1)
    await until(lambda: _gone(client, "lik:worker:host-1"), "the worker is forgotten")
    assert await store.workers() == {"host-2": 6}


def test_a_version_holds_what_its_entries_state_and_no_more() -> None:
    packed = Columns.from_bytes(
        storing._pack("x", [*listed("1ABC123"), *listed("2DEF456", priority=Priority.LOW)])
    )
    assert packed.priority.tolist() == [UNSTATED, Priority.LOW.rank]
    assert packed.covert.tolist() == [False, False]
