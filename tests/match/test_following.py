"""What a worker does about each change of each list, on a real Redis: by edits, beside, and in spite of damage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hotlists.deskstore import DeskStore
from hotlists.entry import Handling, Hotlist
from hotlists.store import HotlistStore
from hotlists.versions import ListState, Mark, StoreState
from pipeline.match import loader as loading
from pipeline.match.following import plan
from pipeline.settings import Settings
from tests.conftest import until
from tests.match.lists import (
    LISTS,
    copied_version,
    edit,
    entries,
    held,
    is_live,
    lists_in,
    never,
    on,
    publish,
    worker,
)

pytestmark = pytest.mark.usefixtures("often")


# --- what is to be done --------------------------------------------------------------------------------------


def state_of(**lists: Mark) -> StoreState:
    return StoreState(9, "e", {name: ListState(Hotlist(name=name), mark) for name, mark in lists.items()})


@pytest.mark.parametrize(
    ("held", "live", "changed", "lost"),
    [
        ({}, {"a": Mark(1, "x", 5, "e")}, ["a"], []),
        ({}, {"a": Mark(0, "", 5, "e")}, [], []),
        ({"a": Mark(1, "x", 5, "e")}, {"a": Mark(1, "x", 5, "e")}, [], []),
        ({"a": Mark(1, "x", 5, "e")}, {"a": Mark(2, "y", 6, "e")}, ["a"], []),
        ({"a": Mark(1, "x", 5, "e")}, {"a": Mark(0, "", 6, "e")}, ["a"], []),
        ({"a": Mark(1, "x", 5, "e")}, {}, [], ["a"]),
        # Restored from a backup: what is held is newer than what is there.
        ({"a": Mark(2, "y", 6, "e")}, {"a": Mark(1, "x", 5, "e")}, [], ["a"]),
        # Another Redis: somebody has published there, or archived, however early its clock is.
        ({"a": Mark(2, "y", 6, "old")}, {"a": Mark(1, "z", 3, "e")}, ["a"], []),
        # A copy on disk that does not know which versions it has.
        ({"a": Mark()}, {"a": Mark(1, "x", 5, "e")}, ["a"], []),
        ({}, {"a": Mark(1, "x", 7, "e"), "b": Mark(1, "y", 6, "e")}, ["b", "a"], []),
    ],
)
def test_what_is_held_is_compared_with_whatis_live_list_by_list(
    held: dict[str, Mark], live: dict[str, Mark], changed: list[str], lost: list[str]
) -> None:
    found = plan(held, state_of(**live))
    assert (found.changed, found.lost) == (changed, lost)


# --- by edits ----------------------------------------------------------------------------------------------


async def test_a_change_is_followed_by_what_it_changes(
    settings: Settings, store: DeskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker(settings) as loader:
        await held(loader, "a", "1AAA00A")
        monkeypatch.setattr(HotlistStore, "read", never)
        version = await edit(store, "a", "9ZZZ999")
        await held(loader, "a", "1AAA00A", "9ZZZ999")
        assert loader.matcher.snapshot.version == version
        await edit(store, "a", "8YYY888", removed=("1AAA00A",))
        await held(loader, "a", "8YYY888", "9ZZZ999")
        await store.create(Hotlist(name="a", handling=Handling.COVERT))
        await until(lambda: all(loader.matcher.snapshot.covert[-2:]), "the list is covert")
        await store.archive("b", by="an", why="test")
        await held(loader, "b")
        assert on(loader, "a") == ["8YYY888", "9ZZZ999"]


async def test_many_changes_that_were_missed_are_healed_at_once(
    settings: Settings, store: DeskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(self: HotlistStore) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield None

    monkeypatch.setattr(HotlistStore, "changes", deaf)
    monkeypatch.setattr(loading, "CHECK_S", 0.3)
    async with worker(settings) as loader:
        monkeypatch.setattr(HotlistStore, "read", never)
        for number in range(10):
            await edit(store, "a", f"9ZZZ{number:03}")
        await edit(store, "b", "8YYY888")
        await held(loader, "a", "1AAA00A", *(f"9ZZZ{number:03}" for number in range(10)))
        await held(loader, "b", "1AAA00B", "8YYY888")
        await until(lambda: is_live(store, loader), "all of it is held")


async def test_a_roll_back_is_followed(settings: Settings, store: DeskStore) -> None:
    async with worker(settings) as loader:
        await edit(store, "a", "9ZZZ999")
        await held(loader, "a", "1AAA00A", "9ZZZ999")
        await store.roll_back("a", 1, by="an", why="fout")
        await held(loader, "a", "1AAA00A")
        await edit(store, "a", "8YYY888")
        await held(loader, "a", "1AAA00A", "8YYY888")


async def test_a_restart_goes_on_from_the_copy_on_disk_by_edits(
    settings: Settings, store: DeskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker(settings) as loader:
        version = await edit(store, "a", "9ZZZ999")
        await until(lambda: copied_version(settings) == version, "it is on disk")
    await edit(store, "a", "8YYY888")
    await edit(store, "b", removed=("1AAA00B",))
    monkeypatch.setattr(HotlistStore, "read", never)
    async with worker(settings) as loader:
        assert on(loader, "a") == ["1AAA00A", "8YYY888", "9ZZZ999"]
        assert on(loader, "b") == []
        assert await store.live_version() == loader.matcher.snapshot.version


# --- a list that cannot be read ------------------------------------------------------------------------------


async def damage(store: DeskStore, how: str, number: int) -> None:
    """Damage a version of list b."""
    client = store._redis
    chunk = await client.lindex(f"lik:hotlist:b:v{number}", 0)
    if how == "truncated":
        await client.lset(f"lik:hotlist:b:v{number}", 0, chunk[:-9])
    elif how == "flipped":
        await client.lset(f"lik:hotlist:b:v{number}", 0, bytes([*chunk[:-1], chunk[-1] ^ 1]))
    elif how == "missing":
        await client.delete(f"lik:hotlist:b:v{number}")
    elif how == "shape":
        # Its own checksum agrees: whoever wrote it wrote nonsense.
        raw = entries("1AAA00B", "2BBB00B").to_bytes().replace(b'"rows": 2', b'"rows": 3')
        await client.lset(f"lik:hotlist:b:v{number}", 0, raw)
        await client.hset(f"lik:hotlist:b:i{number}", "full_sha256", "")
    else:
        await client.hset("lik:hotlists", "b", b"{")


@pytest.mark.parametrize("how", ["truncated", "flipped", "missing", "shape", "metadata"])
async def test_a_list_that_is_damaged_holds_nobody_up(
    settings: Settings,
    store: DeskStore,
    how: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with worker(settings) as loader:
        await held(loader, "b", "1AAA00B")
        before = loader.matcher.snapshot.version
        with monkeypatch.context() as patch:
            patch.setattr(loader._follower, "follow", lambda: asyncio.sleep(0))
            await asyncio.sleep(0.1)
            stamp = await publish(store, "b", "2BBB00B")
            await damage(store, how, 2)
            await edit(store, "a", "9ZZZ999")
        await held(loader, "a", "1AAA00A", "9ZZZ999")
        await edit(store, "c", "8YYY888")
        await held(loader, "c", "1AAA00C", "8YYY888")
        assert on(loader, "b") == ["1AAA00B"]
        assert "list 'b' cannot be followed, its last good version is matched" in caplog.text
        # Everything up to its publication is in, and of what came after, not all.
        assert before <= loader.matcher.snapshot.version < stamp
        await until(lambda: lists_in("behind") == 1.0, "the metric says so")
        await until(lambda: _reported(store, behind=("b",)), "the heartbeat says so")
        if how == "metadata":
            await store.create(Hotlist(name="b"))
        else:
            await publish(store, "b", "3CCC00B")
        await held(loader, "b", "2BBB00B" if how == "metadata" else "3CCC00B")
        await until(lambda: is_live(store, loader), "all of it is held")
        assert lists_in("behind") == 0.0
    assert caplog.text.count("list 'b' cannot be followed") == 1


async def _reported(store: HotlistStore, **expected: tuple[str, ...]) -> bool:
    reports = await store.reports()
    return all(getattr(reports["w"], name) == value for name, value in expected.items()) if reports else False


async def test_a_worker_that_starts_goes_on_without_the_list_that_is_damaged(
    settings: Settings, store: DeskStore, caplog: pytest.LogCaptureFixture
) -> None:
    await damage(store, "truncated", 1)
    async with worker(settings) as loader:
        assert (on(loader, "a"), on(loader, "b"), on(loader, "c")) == (["1AAA00A"], [], ["1AAA00C"])
        assert "list 'b' cannot be followed, it is not matched" in caplog.text
        assert loader._known.is_set()


async def test_reads_wait_where_nothing_thatis_live_can_be_read(settings: Settings, store: DeskStore) -> None:
    for name in ("a", "c"):
        await store.archive(name, by="an", why="test")
    await damage(store, "truncated", 1)
    async with worker(settings) as loader:
        assert not loader._known.is_set()
        await publish(store, "b", "2BBB00B")
        await held(loader, "b", "2BBB00B")
        await until(loader._known.is_set, "reads go on")


async def test_a_damaged_edit_is_gone_round_by_the_whole_list(settings: Settings, store: DeskStore) -> None:
    async with worker(settings) as loader:
        await held(loader, "b", "1AAA00B")
        staged = await store.stage("b", entries("1AAA00B", "2B", "3B", "4B", "5B"), kind="full", by="an", why="t")
        await store.publish_staged("b", staged.number, expected_live=None, by="an", why="test")
        await held(loader, "b", "1AAA00B", "2B", "3B", "4B", "5B")
        staged = await store.stage("b", entries("1AAA00B", "2B", "3B", "4B"), kind="full", by="an", why="t")
        await store._redis.lset(f"lik:hotlist:b:d{staged.number}", 0, b"PK")
        await store.publish_staged("b", staged.number, expected_live=None, by="an", why="test")
        await held(loader, "b", "1AAA00B", "2B", "3B", "4B")
        assert lists_in("behind") == 0.0


# --- a Redis that lost its data, or went back -------------------------------------------------------------------


async def test_lists_that_redis_lost_are_held_until_somebody_publishes_or_archives_each(
    settings: Settings, store: DeskStore, caplog: pytest.LogCaptureFixture
) -> None:
    async with worker(settings) as loader:
        await edit(store, "b", "9ZZZ999")
        await held(loader, "b", "1AAA00B", "9ZZZ999")
        await store._redis.flushall()
        await until(lambda: loading.LOST in caplog.text, "the loss is said")
        await until(lambda: lists_in("lost") == 3.0, "the metric says so")
        await until(lambda: _reported(store, lost=LISTS), "the heartbeat says so")
        for name in LISTS:
            await store.create(Hotlist(name=name))
        assert [on(loader, name) for name in LISTS] == [["1AAA00A"], ["1AAA00B", "9ZZZ999"], ["1AAA00C"]]
        # Numbers begin at 1 again, and mean something else.
        await publish(store, "b", "3CCC00B")
        await held(loader, "b", "3CCC00B")
        await edit(store, "b", "4DDD00B")
        await held(loader, "b", "3CCC00B", "4DDD00B")
        assert on(loader, "a") == ["1AAA00A"]
        await store.archive("a", by="an", why="bestaat niet meer")
        await held(loader, "a")
        assert lists_in("lost") == 1.0
        await publish(store, "c", "5EEE00C")
        await held(loader, "c", "5EEE00C")
        await until(lambda: lists_in("lost") == 0.0, "nothing is lost any more")


async def test_what_is_newer_than_a_backup_is_held(settings: Settings, store: DeskStore) -> None:
    client = store._redis
    dumps = {key: await client.dump(key) for key in await client.keys()}
    async with worker(settings) as loader:
        await edit(store, "b", "9ZZZ999")
        await held(loader, "b", "1AAA00B", "9ZZZ999")
        async with client.pipeline(transaction=True) as pipe:
            pipe.flushall()
            for key, dump in dumps.items():
                pipe.restore(key, 0, dump)
            await pipe.execute()
        await until(lambda: _reported(store, lost=("b",)), "the heartbeat says so")
        assert on(loader, "b") == ["1AAA00B", "9ZZZ999"]
        # Version 2 again, and another one.
        await edit(store, "b", "8YYY888")
        await held(loader, "b", "1AAA00B", "8YYY888")
        await until(lambda: lists_in("lost") == 0.0, "nothing is lost any more")
