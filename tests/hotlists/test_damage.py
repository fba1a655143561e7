"""A list of which what is live is damaged, on a real Redis: mended, gone round, or refused in plain words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import httpx
import pytest
import redis.asyncio as aioredis
from fastapi import FastAPI, Header

from hotlists import admin
from hotlists.desk import Desk
from hotlists.entry import Handling, Hotlist, Priority
from hotlists.people import Actor
from hotlists.problems import ConflictError, NotFoundError
from tests.hotlists import desk as at
from tests.hotlists.desk import CHIEF, DETECTIVE, NAMED, OPERATOR, OPS, Trail

FIRST = "plate,country\n1ABC123,BE\n"
LIVE = "plate,country,handling\n1ABC123,BE,\n2DEF456,BE,\n5MNO345,BE,covert\n"
WHOLE = "plate,country\n1ABC123,BE\n4JKL012,BE\n"
DELTA = "plate,country,action\n4JKL012,BE,add\n"

Damage = Callable[[int], Awaitable[None]]


@pytest.fixture(params=["flipped", "missing"])
def damage(request: pytest.FixtureRequest, client: aioredis.Redis) -> Damage:
    """Damages a version of list gestolen."""

    async def damaged(number: int) -> None:
        key = f"lik:hotlist:gestolen:v{number}"
        if request.param == "missing":
            assert await client.delete(key)
        else:
            chunk = await client.lindex(key, 0)
            await client.lset(key, 0, bytes([*chunk[:-1], chunk[-1] ^ 1]))

    return damaged


@pytest.fixture
async def fresh(desk: Desk, client: aioredis.Redis, damage: Damage) -> Desk:
    """A desk that begins when version 2 of a list is damaged; version 1 and another list are whole."""
    await at.make(desk, title="Gestolen", priority=Priority.CRITICAL, named_users=("nele",), removal_guard=1.0)
    assert await at.put_live(desk, FIRST) == 1
    assert await at.put_live(desk, LIVE) == 2
    await at.make(desk, "heel", title="Heel", priority=Priority.HIGH)
    await at.put_live(desk, "plate,country\n3GHI789,BE\n1ABC123,BE\n", name="heel")
    await at.make(desk, "geheim", handling=Handling.COVERT, priority=Priority.CRITICAL)
    await damage(2)
    return Desk(client, Trail())


# --- the whole list once more ----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [DETECTIVE, NAMED])
async def test_whoever_may_know_all_of_it_mends_it_by_an_upload(fresh: Desk, who: Actor) -> None:
    preview = await at.upload(fresh, WHOLE, by=who)
    assert (preview.unread, preview.based_on, preview.live_rows) == (True, 2, 0)
    assert (preview.rows, preview.added, preview.removed) == (2, 2, 0)
    assert [each.code for each in preview.guards] == ["unread"]
    with pytest.raises(ConflictError, match="what is live is damaged: nothing could be compared") as caught:
        await at.publish(fresh, preview, by=who)
    assert caught.value.code == "needs_confirmation"
    await at.publish(fresh, preview, by=who, confirm_removed=0)
    assert await at.listed(fresh) == ["1ABC123", "4JKL012"]
    assert (await fresh.register.show(who, "gestolen")).rows == 2
    after = await at.upload(fresh, WHOLE, by=who)
    assert (after.unread, after.guards, after.unchanged) == (False, [], 2)


@pytest.mark.parametrize("who", [OPS, CHIEF])
async def test_whoever_may_not_know_all_of_it_is_told_who_mends_it(fresh: Desk, who: Actor) -> None:
    with pytest.raises(ConflictError, match=r"Roll back .* or have who is named") as caught:
        await at.upload(fresh, WHOLE, by=who)
    assert caught.value.code == "damaged_hidden"
    assert {each.number for each in await fresh.register.versions(who, "gestolen")} == {1, 2}


async def test_the_refusal_does_not_tell_whether_anything_is_hidden(desk: Desk, damage: Damage) -> None:
    await at.make(desk)
    number = await at.put_live(desk, FIRST)
    await damage(number)
    with pytest.raises(ConflictError) as caught:
        await at.upload(desk, WHOLE, by=OPS)
    assert caught.value.code == "damaged_hidden"


@pytest.mark.parametrize("who", [OPS, DETECTIVE])
async def test_changes_are_not_laid_over_what_cannot_be_read(fresh: Desk, who: Actor) -> None:
    with pytest.raises(ConflictError, match="or upload the list whole") as caught:
        await at.upload(fresh, DELTA, by=who, kind="delta")
    assert caught.value.code == "damaged_delta"


async def test_a_version_that_waits_is_compared_again_with_what_is_damaged_since(
    desk: Desk, damage: Damage
) -> None:
    await at.make(desk, removal_guard=1.0)
    await at.put_live(desk, LIVE)
    by_ops = await at.upload(desk, WHOLE)
    delta = await at.upload(desk, DELTA, kind="delta")
    await damage(1)
    for number, code in ((by_ops.number, "damaged_hidden"), (delta.number, "damaged_delta")):
        with pytest.raises(ConflictError) as caught:
            await desk.staging.refresh(OPS, "gestolen", number, why="opnieuw")
        assert caught.value.code == code
    again = await desk.staging.refresh(DETECTIVE, "gestolen", by_ops.number, why="opnieuw")
    assert [each.code for each in again.guards] == ["unread"]
    await at.publish(desk, again, by=DETECTIVE, confirm_removed=0)
    # What ops could not know of was carried over when they uploaded it, and still is.
    assert sorted(await at.listed(desk)) == ["1ABC123", "4JKL012", "5MNO345"]
    assert sorted(await at.listed(desk, by=OPS)) == ["1ABC123", "4JKL012"]


async def test_a_staged_version_that_is_damaged_is_not_taken_for_an_empty_one(desk: Desk, damage: Damage) -> None:
    await at.make(desk)
    await at.put_live(desk, FIRST)
    preview = await at.upload(desk, "plate\n7STU901\n8VWX234\n")
    await damage(preview.number)
    with pytest.raises(ConflictError) as caught:
        await desk.staging.refresh(OPS, "gestolen", preview.number, why="opnieuw")
    assert caught.value.code == "not_published"


# --- back to an earlier version --------------------------------------------------------------------------------


async def test_a_damaged_version_is_rolled_back_from(fresh: Desk) -> None:
    await fresh.staging.roll_back(CHIEF, "gestolen", 1, why="v2 is beschadigd", expected_live=2)
    assert await at.listed(fresh) == ["1ABC123"]
    assert (await at.upload(fresh, WHOLE, by=OPS)).guards == []


async def test_a_damaged_version_is_not_rolled_back_to(fresh: Desk) -> None:
    await fresh.staging.roll_back(CHIEF, "gestolen", 1, why="v2 is beschadigd")
    with pytest.raises(ConflictError) as caught:
        await fresh.staging.roll_back(CHIEF, "gestolen", 2, why="vergissing")
    assert caught.value.code == "not_kept"
    assert await at.listed(fresh) == ["1ABC123"]


# --- single entries ----------------------------------------------------------------------------------------------


async def test_a_desk_that_held_the_list_goes_on_adding_and_removing(desk: Desk, damage: Damage) -> None:
    await at.make(desk)
    number = await at.put_live(desk, LIVE)
    await desk.store.know_live()
    await damage(number)
    for plate in ("9ZZZ999", "5MNO345"):
        assert not (await desk.entries.add(OPS, "gestolen", at.entry(plate, country="BE"))).unread
    await desk.entries.remove(OPS, "gestolen", "2DEF456", "BE", why="gevonden")
    found = await desk.store.find("5MNO345")
    assert sorted(each.entry.handling or "" for each in found) == ["", Handling.COVERT]
    assert [await desk.store.find(each) == [] for each in ("9ZZZ999", "2DEF456")] == [False, True]


async def test_whoever_may_know_all_of_it_adds_and_removes_all_the_same(fresh: Desk) -> None:
    added = await fresh.entries.add(DETECTIVE, "gestolen", at.entry("9ZZZ999", country="BE"))
    assert (added.unread, added.version) == (True, await fresh.store.live_version())
    removed = await fresh.entries.remove(DETECTIVE, "gestolen", "1ABC123", "BE", why="gevonden")
    assert removed.unread
    # How many there are is not known any more.
    assert (await fresh.register.show(DETECTIVE, "gestolen")).rows is None


async def test_whoever_may_not_is_told_which_list_takes_it(fresh: Desk) -> None:
    with pytest.raises(ConflictError, match="put the entry on list 'heel' instead") as caught:
        await fresh.entries.add(OPS, "gestolen", at.entry("9ZZZ999"))
    assert (caught.value.code, caught.value.more) == ("damaged_entry", {"other": "heel"})
    await fresh.entries.add(OPS, "heel", at.entry("9ZZZ999"))
    with pytest.raises(ConflictError) as caught:
        await fresh.entries.remove(OPS, "gestolen", "1ABC123", "BE", why="gevonden")
    assert caught.value.code == "damaged"
    await fresh.register.archive(CHIEF, "heel", why="oud")
    with pytest.raises(ConflictError) as caught:
        await fresh.entries.add(OPS, "gestolen", at.entry("9ZZZ999"))
    assert caught.value.code == "damaged"


# --- what is listed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["1ABC123", "1ABC?23"])
async def test_the_other_lists_are_looked_at_and_the_damaged_one_is_named(fresh: Desk, asked: str) -> None:
    found = await fresh.entries.find(OPERATOR, asked, why="controle")
    assert [(each.list, each.entry.plate) for each in found.found] == [("heel", "1ABC123")]
    assert [(each.name, each.title) for each in found.unread] == [("gestolen", "Gestolen")]


async def test_a_covert_list_that_is_damaged_is_named_to_who_may_know_of_it(
    desk: Desk, client: aioredis.Redis
) -> None:
    await desk.register.create(DETECTIVE, at.SECRET)
    number = await at.put_live(desk, FIRST, name="blauw")
    await client.delete(f"lik:hotlist:blauw:v{number}")
    fresh = Desk(client, Trail())
    for who, named in ((OPERATOR, []), (NAMED, ["blauw"])):
        assert [each.name for each in (await fresh.entries.find(who, "1ABC123", why="x")).unread] == named


async def test_a_list_whose_metadata_cannot_be_read_costs_nothing_else(
    fresh: Desk, client: aioredis.Redis
) -> None:
    await client.hset("lik:hotlists", "gestolen", b"{")
    assert [each.name for each in await fresh.register.lists(CHIEF)] == ["heel"]
    # Whether it is covert is not known: so it is named to those alone who may know of every such list.
    for asked in ("1ABC123", "1ABC?23"):
        for who, named in ((CHIEF, []), (DETECTIVE, ["gestolen"])):
            found = await fresh.entries.find(who, asked, why="controle")
            assert ([each.list for each in found.found], [each.name for each in found.unread]) == (["heel"], named)
    with pytest.raises(NotFoundError):
        await at.upload(fresh, WHOLE, by=DETECTIVE)
    with pytest.raises(ConflictError) as caught:
        await fresh.register.create(CHIEF, Hotlist(name="gestolen"))
    assert caught.value.code == "exists"
    await at.make(fresh, title="Gestolen")
    await fresh.staging.roll_back(CHIEF, "gestolen", 1, why="v2 is beschadigd")
    assert await at.listed(fresh) == ["1ABC123"]


async def test_what_is_damaged_is_not_exported(fresh: Desk) -> None:
    with pytest.raises(ConflictError) as caught:
        await at.exported(fresh)
    assert caught.value.code == "damaged"
    assert len((await at.exported(fresh, number=1)).splitlines()) == 2


# --- over HTTP ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def api(fresh: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """The endpoint, for whoever says a name."""
    people = {each.name: each for each in (OPERATOR, OPS, CHIEF, DETECTIVE)}

    async def authorise(x_who: Annotated[str, Header()]) -> Actor:
        return people[x_who]

    application = FastAPI()
    application.include_router(admin.router(lambda: fresh, authorise, upload_bytes=10_000), prefix="/lists")
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://admin.test") as client:
        yield client


async def test_nothing_that_is_asked_of_a_damaged_list_is_an_error_of_the_server(api: httpx.AsyncClient) -> None:
    entry = {"plate": "9ZZZ999", "why": "ontvoering"}
    asked = [
        ("ops", "/gestolen/staged?why=x", {"content": WHOLE}, 409, "damaged_hidden"),
        ("ops", "/gestolen/staged?why=x&kind=delta", {"content": DELTA}, 409, "damaged_delta"),
        ("ops", "/gestolen/entries", {"json": entry}, 409, "damaged_entry"),
        ("ops", "/gestolen/entries/remove", {"json": entry}, 409, "damaged"),
        ("otto", "/find", {"json": entry}, 200, None),
        ("rik", "/gestolen/staged?why=x", {"content": WHOLE}, 201, None),
        ("rik", "/gestolen/staged/3/refresh", {"json": {"why": "x"}}, 201, None),
        ("rik", "/gestolen/staged/4/publish", {"json": {"why": "x"}}, 409, "needs_confirmation"),
        ("chef", "/gestolen/rollback", {"json": {"number": 2, "why": "x"}}, 409, "not_kept"),
        ("rik", "/gestolen/entries", {"json": entry}, 201, None),
        ("chef", "/gestolen/rollback", {"json": {"number": 1, "why": "x"}}, 200, None),
    ]
    names = {"ops": OPS.name}
    for who, path, body, status, code in asked:
        answer = await api.post(f"/lists{path}", headers={"X-Who": names.get(who, who)}, **body)
        assert (answer.status_code, answer.json().get("code")) == (status, code), (who, path, answer.text)
    exported = await api.get("/lists/gestolen/export?why=x&version=2", headers={"X-Who": "rik"})
    assert (exported.status_code, exported.json()["code"]) == (409, "damaged")
    listed = await api.post("/lists/find", json={"plate": "1ABC123", "why": "x"}, headers={"X-Who": "otto"})
    assert (len(listed.json()["found"]), listed.json()["unread"]) == (2, [])


async def test_an_entry_that_was_never_there_is_still_told_apart(fresh: Desk) -> None:
    with pytest.raises(NotFoundError):
        await fresh.entries.remove(OPS, "heel", "9ZZZ999", "BE", why="x")
