"""Deltas on a real Redis: stored as edits upon what is live, published in one step, read and rolled back to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis.asyncio as aioredis

from hotlists import deskstore, parts
from hotlists.columns import Columns, pack_entries
from hotlists.deskstore import DeskStore
from hotlists.entry import Hotlist, HotlistEntry
from hotlists.parsed import NO_COLUMNS, as_entries
from hotlists.store import ConflictingError, HotlistError
from hotlists.versions import Mark
from tests.conftest import until
from tests.hotlists.conftest import gone, listed

BASE = [f"1ABC{number:03}" for number in range(40)]


@pytest.fixture
async def desk(client: aioredis.Redis) -> DeskStore:
    """A store with a list that has forty entries live, as version 1."""
    store = DeskStore(client)
    await store.create(Hotlist(name="a"))
    await store.publish("a", listed(*BASE), by="an", why="test")
    return store


def packed(*plates: str, **more: Any) -> Columns:
    return pack_entries(Hotlist(name="a"), listed(*plates, **more))


async def plates(store: DeskStore, number: int) -> list[str]:
    return sorted(each.plate for each in as_entries(await store.read("a", number)))


async def mark_of(store: DeskStore) -> Mark:
    return (await store.state()).lists["a"].mark


async def add(store: DeskStore, *added: str, removed: tuple[str, ...] = ()) -> int:
    number, _ = await store.apply_delta("a", packed(*added), removed=packed(*removed), by="an", why="spoed")
    return number


async def test_a_single_entry_writes_what_it_adds_and_no_more(desk: DeskStore, client: aioredis.Redis) -> None:
    number = await add(desk, "9ZZZ999", removed=("1ABC000",))
    assert await plates(desk, number) == sorted([*BASE[1:], "9ZZZ999"])
    assert not await client.exists(f"lik:hotlist:a:v{number}")
    assert await client.strlen("lik:hotlist:a:next") == 1
    (chunk,) = await client.lrange(f"lik:hotlist:a:d{number}", 0, -1)
    assert len(chunk) < 1500
    assert await client.ttl(f"lik:hotlist:a:d{number}") == -1


async def test_an_entry_that_is_there_is_replaced_in_its_country_alone(desk: DeskStore) -> None:
    await desk.apply_delta("a", packed("1ABC000", country="NL", reason="nieuw"), by="an", why="test")
    number, _ = await desk.apply_delta("a", packed("1ABC000", reason="anders"), by="an", why="test")
    found = [(e.country, e.reason) for e in as_entries(await desk.read("a", number)) if e.plate == "1ABC000"]
    assert found == [("NL", "nieuw"), ("", "anders")]


async def test_a_staged_delta_is_laid_over_what_is_live_when_it_is_published(desk: DeskStore) -> None:
    staged = await desk.stage("a", packed("9ZZZ999"), kind="delta", by="an", why="test")
    await add(desk, "8YYY888")
    with pytest.raises(ConflictingError, match="version 3 of list 'a' is live now"):
        await desk.publish_staged("a", staged.number, expected_live=staged.based_on, by="chef", why="test")
    assert await plates(desk, staged.number) == sorted([*BASE, "9ZZZ999"])
    await desk.publish_staged("a", staged.number, expected_live=None, by="chef", why="test")
    assert await plates(desk, staged.number) == sorted([*BASE, "8YYY888", "9ZZZ999"])
    added, removed = await desk.upload_of("a", staged.number)
    assert ([e.plate for e in as_entries(added)], len(removed)) == (["9ZZZ999"], 0)


async def test_deltas_at_once_are_all_in_what_is_live(desk: DeskStore) -> None:
    numbers = await asyncio.gather(*(add(desk, f"9ZZZ{number:03}") for number in range(20)))
    live = (await mark_of(desk)).number
    assert live in numbers
    assert await plates(desk, live) == sorted([*BASE, *(f"9ZZZ{number:03}" for number in range(20))])


async def test_of_two_publications_at_once_against_one_version_one_is_refused(desk: DeskStore) -> None:
    staged = [await desk.stage("a", packed(each), kind="full", by="an", why="test") for each in ("A", "B")]
    answers = await asyncio.gather(
        *(desk.publish_staged("a", each.number, expected_live=1, by="chef", why="test") for each in staged),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in answers) == ["ConflictingError", "int"]
    live = (await mark_of(desk)).number
    assert await plates(desk, live) == ["A" if live == staged[0].number else "B"]


async def test_a_replacement_that_changes_little_is_an_edit_too(desk: DeskStore) -> None:
    held = await mark_of(desk)
    staged = await desk.stage("a", packed(*BASE[2:], "9ZZZ999"), kind="full", by="an", why="test")
    await desk.publish_staged("a", staged.number, expected_live=1, by="chef", why="test")
    edit = await desk.edit_from("a", held, staged.number)
    assert edit is not None
    assert [e.plate for e in as_entries(edit.added)] == ["9ZZZ999"]
    assert sorted(e.plate for e in as_entries(edit.removed)) == BASE[:2]
    assert edit.applied(packed(*BASE)).keys.size == await _rows(desk, staged.number)


async def _rows(desk: DeskStore, number: int) -> int:
    return len(await desk.read("a", number))


async def test_the_edit_of_a_replacement_goes_where_it_follows_another_version(
    desk: DeskStore, client: aioredis.Redis
) -> None:
    """What it changes was worked out against version 1: laid over version 3 it would leave an entry there."""
    held = await mark_of(desk)
    staged = await desk.stage("a", packed(*BASE[1:]), kind="full", by="an", why="test")
    await add(desk, "9ZZZ999")
    after = await mark_of(desk)
    await desk.publish_staged("a", staged.number, expected_live=None, by="chef", why="test")
    assert await plates(desk, staged.number) == BASE[1:]
    assert not await client.exists(f"lik:hotlist:a:d{staged.number}")
    for mark in (held, after):
        assert await desk.edit_from("a", mark, staged.number) is None


async def test_a_replacement_that_changes_much_is_no_edit(desk: DeskStore, client: aioredis.Redis) -> None:
    staged = await desk.stage(
        "a", packed(*BASE[20:], *(f"9ZZZ{n:03}" for n in range(20))), kind="full", by="a", why=""
    )
    assert not await client.exists(f"lik:hotlist:a:d{staged.number}")


async def test_whoever_holds_an_earlier_version_is_told_the_way(desk: DeskStore) -> None:
    held = await mark_of(desk)
    for number in range(5):
        await add(desk, f"9ZZZ{number:03}", removed=(BASE[number],))
    last = await add(desk, removed=("9ZZZ000",))
    edit = await desk.edit_from("a", held, last)
    assert edit is not None
    assert sorted(e.plate for e in as_entries(edit.added)) == [f"9ZZZ{number:03}" for number in range(1, 5)]
    assert sorted(e.plate for e in as_entries(edit.applied(packed(*BASE)))) == await plates(desk, last)
    # Of another Redis, with the same number.
    assert await desk.edit_from("a", Mark(held.number, "f" * 32, held.stamp), last) is None


async def test_roll_back_to_a_version_of_either_form(desk: DeskStore) -> None:
    first = await add(desk, "9ZZZ999")
    await add(desk, "8YYY888")
    staged = await desk.stage("a", packed("7XXX777"), kind="full", by="an", why="test")
    await desk.publish_staged("a", staged.number, expected_live=None, by="an", why="test")
    for number, expected in ((first, sorted([*BASE, "9ZZZ999"])), (1, BASE), (staged.number, ["7XXX777"])):
        version = await desk.roll_back("a", number, by="an", why="fout")
        assert version == await desk.live_version()
        assert await plates(desk, (await mark_of(desk)).number) == expected
    # And what comes after a way back is laid over that.
    await desk.roll_back("a", first, by="an", why="fout")
    assert await plates(desk, await add(desk, "6WWW666")) == sorted([*BASE, "9ZZZ999", "6WWW666"])


async def test_what_a_kept_version_is_read_by_way_of_stays_with_it(
    desk: DeskStore, client: aioredis.Redis
) -> None:
    for number in range(30):
        await add(desk, f"9ZZZ{number:03}")
    kept = [each.number for each in await desk.history("a")]
    assert kept == [1, *range(12, 32)]
    for number in (12, 31):
        assert await plates(desk, number) == sorted([*BASE, *(f"9ZZZ{n:03}" for n in range(number - 1))])
    # One that is kept no longer, and by way of which the others are read.
    assert await client.exists("lik:hotlist:a:d5")
    with pytest.raises(HotlistError, match="version 5 of list 'a' is not kept"):
        await desk.roll_back("a", 5, by="an", why="test")


async def test_a_version_by_way_of_many_is_stored_whole_and_the_others_go(
    desk: DeskStore, client: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deskstore, "DEEPEST", 8)
    held = await mark_of(desk)
    for number in range(8):
        await add(desk, f"9ZZZ{number:03}")
    live = (await mark_of(desk)).number
    assert await client.exists(f"lik:hotlist:a:v{live}")
    assert await client.ttl(f"lik:hotlist:a:v{live}") == -1
    assert await plates(desk, live) == sorted([*BASE, *(f"9ZZZ{number:03}" for number in range(8))])
    # Workers go on by edits, past it too.
    edit = await desk.edit_from("a", held, await add(desk, "8YYY888"))
    assert edit is not None
    assert len(edit.added) == 9
    for number in range(40):
        await add(desk, f"7XXX{number:03}")
    numbers = {int(key.decode().rpartition(":d")[2]) for key in await client.keys("lik:hotlist:a:d*")}
    assert min(numbers) > live
    assert await client.keys("lik:hotlist:a:c*") == []


async def test_a_delta_that_dies_half_way_is_never_seen_and_expires(
    desk: DeskStore, client: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "CHUNK_BYTES", 100)
    monkeypatch.setattr(parts, "UNFINISHED_EXPIRY_S", 1)

    async def die(*arguments: Any, **more: Any) -> None:
        raise ConnectionResetError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(client, "eval", die)
        patch.setattr("hotlists.store.STAGED_EXPIRY_S", 1)
        with pytest.raises(ConnectionResetError):
            await add(desk, "9ZZZ999")
    assert await desk.live_version() == (await mark_of(desk)).stamp
    assert await plates(desk, (await mark_of(desk)).number) == BASE
    await until(lambda: gone(client, "lik:hotlist:a:d2"), "its chunks are gone")
    await until(lambda: gone(client, "lik:hotlist:a:i2"), "what was said of it is gone")
    await until(lambda: _is_history(desk, [1]), "nothing is staged any more")


async def _is_history(desk: DeskStore, numbers: list[int]) -> bool:
    return [each.number for each in await desk.history("a")] == numbers


@pytest.mark.parametrize("damage", ["cut", "flipped", "missing"])
async def test_a_damaged_edit_is_said_and_its_list_can_be_mended(
    desk: DeskStore, client: aioredis.Redis, damage: str
) -> None:
    held = await mark_of(desk)
    number = await add(desk, "9ZZZ999")
    key = f"lik:hotlist:a:d{number}"
    chunk = bytearray(await client.lindex(key, 0))
    chunk[len(chunk) // 2] ^= 1
    damaged = {"cut": bytes(chunk[:-4]), "flipped": bytes(chunk), "missing": b""}[damage]
    if damage == "missing":
        await client.delete(key)
    else:
        await client.lset(key, 0, damaged)
    with pytest.raises(HotlistError, match=f"version {number} of list 'a' is (damaged|missing)"):
        await desk.read("a", number)
    if damage != "missing":
        with pytest.raises(HotlistError, match=f"version {number} of list 'a' is damaged"):
            await desk.edit_from("a", held, number)
    staged = await desk.stage("a", packed(*BASE), kind="full", by="an", why="herstel")
    await desk.publish_staged("a", staged.number, expected_live=None, by="an", why="herstel")
    assert await plates(desk, staged.number) == BASE


async def test_a_flipped_bit_in_a_whole_version_is_seen(desk: DeskStore, client: aioredis.Redis) -> None:
    chunk = bytearray(await client.lindex("lik:hotlist:a:v1", 0))
    chunk[-20] ^= 1
    await client.lset("lik:hotlist:a:v1", 0, bytes(chunk))
    with pytest.raises(HotlistError, match="version 1 of list 'a' is damaged in Redis"):
        await desk.read("a", 1)


async def test_the_stream_says_from_which_version_to_which(desk: DeskStore, client: aioredis.Redis) -> None:
    await add(desk, "9ZZZ999")
    await desk.roll_back("a", 1, by="an", why="fout")
    told = [
        {key.decode(): value.decode() for key, value in change.items()}
        for _, change in await client.xrange("lik:hotlists:changes")
    ]
    assert [(each["what"], each["from"], each["number"]) for each in told] == [
        ("published", "0", "1"),
        ("published", "1", "2"),
        ("rolled-back", "2", "1"),
    ]
    assert [int(each["version"]) for each in told] == sorted({int(each["version"]) for each in told})


async def test_a_single_entry_does_not_make_a_list_fresh(desk: DeskStore) -> None:
    came_ns = (await mark_of(desk)).fresh_ns
    assert came_ns > 0
    for plate in ("9ZZZ999", "8YYY888"):
        await add(desk, plate)
    versions = {each.number: each for each in await desk.history("a")}
    assert [versions[number].fresh_ns for number in (1, 2, 3)] == [came_ns] * 3
    assert versions[3].when_ns > versions[1].when_ns == came_ns
    staged = await desk.stage("a", packed("7XXX777"), kind="delta", by="an", why="lijst van de nacht")
    await desk.publish_staged("a", staged.number, expected_live=None, by="an", why="test")
    assert (await mark_of(desk)).fresh_ns > came_ns
    await desk.roll_back("a", 3, by="an", why="fout")
    assert (await mark_of(desk)).fresh_ns == came_ns


# --- where a plate is --------------------------------------------------------------------------------------


async def test_a_plate_is_found_through_every_edit(desk: DeskStore) -> None:
    async def found(plate: str) -> list[str]:
        return sorted(each.entry.plate for each in await desk.find(plate, "a"))

    assert await found("1ABC001") == ["1ABC001"]
    await add(desk, "1ABC*", "9ZZZ999")
    assert await found("1ABC001") == ["1ABC*", "1ABC001"]
    assert await found("9ZZZ999") == ["9ZZZ999"]
    await add(desk, "9ZZZ?99", removed=("1ABC001", "9ZZZ999"))
    assert await found("1ABC001") == ["1ABC*"]
    assert await found("9ZZZ999") == ["9ZZZ?99"]
    await add(desk, removed=("1ABC*",))
    assert await found("1ABC001") == []
    await desk.roll_back("a", 1, by="an", why="fout")
    assert await found("1ABC001") == ["1ABC001"]
    assert await found("9ZZZ999") == []


async def test_what_is_looked_up_again_is_not_read_again(desk: DeskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.find("1ABC001")

    async def never(*arguments: Any) -> Columns:
        raise AssertionError("the list is read whole")

    monkeypatch.setattr(DeskStore, "read", never)
    await add(desk, "9ZZZ999")
    assert [each.entry.plate for each in await desk.find("9ZZZ999")] == ["9ZZZ999"]
    assert [each.entry.plate for each in await desk.find("1ABC001")] == ["1ABC001"]


async def test_many_edits_are_put_in_what_is_looked_up(desk: DeskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deskstore, "_FOLDED_ROWS", 2)
    await desk.find("1ABC001")
    for number in range(12):
        await add(desk, f"9ZZZ{number:03}", removed=(BASE[number],))
        assert [each.entry.plate for each in await desk.find(f"9ZZZ{number:03}")] == [f"9ZZZ{number:03}"]
        assert await desk.find(BASE[number]) == []
    assert len(desk._known["a"].edit) <= 6


async def test_another_list_that_is_damaged_is_nothing_to_this_one(
    desk: DeskStore, client: aioredis.Redis
) -> None:
    await desk.create(Hotlist(name="b"))
    await desk.publish("b", listed("9ZZZ999"), by="an", why="test")
    await client.lset("lik:hotlist:b:v1", 0, b"PK")
    assert [each.entry.plate for each in await desk.find("1ABC001", "a")] == ["1ABC001"]
    with pytest.raises(HotlistError, match="list 'b' is damaged"):
        await desk.find("1ABC001")


async def test_an_empty_list_takes_a_delta(client: aioredis.Redis) -> None:
    store = DeskStore(client)
    await store.create(Hotlist(name="a"))
    number, _ = await store.apply_delta("a", packed("9ZZZ999"), removed=NO_COLUMNS, by="an", why="spoed")
    assert as_entries(await store.read("a", number)) == [HotlistEntry(plate="9ZZZ999")]
