"""The master copy of the hotlists, on a real Redis: lists, what is published, versions kept, and workers."""

from __future__ import annotations

import pytest
import redis.asyncio as aioredis

from hotlists import store as storing
from hotlists.entry import Category, Handling, Hotlist, HotlistEntry, Priority
from hotlists.snapshot import UNSTATED, Columns, Snapshot
from hotlists.store import HotlistError, HotlistStore
from tests.conftest import until
from tests.hotlists.conftest import gone, listed, plates_of, publish

STOLEN = Hotlist(name="gestolen", title="Gestolen", owner="PZ Veldeke", category=Category.STOLEN)
COVERT = Hotlist(name="recherche", handling=Handling.COVERT, named_users=("an",), threshold=0.8)


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
    # Twenty versions in a few milliseconds are ahead of the clock by some; no Redis comes back that fast.
    await until(lambda: storing.now_ms() > before[-1], "the clock has passed the versions")
    await store.create(STOLEN)
    assert await publish(store, "gestolen", listed("1ABC123")) > before[-1]


async def test_the_version_grows_when_the_clock_goes_back(
    store: HotlistStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.create(STOLEN)
    first = await publish(store, "gestolen", listed("1ABC123"))
    monkeypatch.setattr(storing, "now_ms", lambda: 1)
    assert await publish(store, "gestolen", listed("1ABC123")) == first + 1


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
    await until(lambda: gone(client, "lik:worker:host-1"), "the worker is forgotten")
    assert await store.workers() == {"host-2": 6}


def test_a_version_holds_what_its_entries_state_and_no_more() -> None:
    packed = Columns.from_bytes(
        storing._packed("x", [*listed("1ABC123"), *listed("2DEF456", priority=Priority.LOW)])
    )
    assert packed.priority.tolist() == [UNSTATED, Priority.LOW.rank]
    assert packed.covert.tolist() == [False, False]
