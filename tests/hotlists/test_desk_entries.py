"""Single entries on a real Redis: at once, within what one person may decide, and never what may not be known."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import redis.asyncio as aioredis

from hotlists import deskstore
from hotlists.desk import Desk
from hotlists.entries import ALONE_S, MOST_FOUND
from hotlists.entry import Handling, Priority
from hotlists.problems import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from hotlists.store import HotlistError
from tests.hotlists import desk as at
from tests.hotlists.conftest import listed, publish
from tests.hotlists.desk import AUDITOR, CHIEF, DETECTIVE, ENGINEER, NAMED, OPERATOR, OPS, Trail


@pytest.fixture
async def live(desk: Desk) -> int:
    """A list that is live."""
    await at.make(desk, title="Gestolen", owner="PZ Veldeke", legal_basis="WPA art. 44/2")
    return await at.put_live(desk, "plate,country,reason\n1ABC123,BE,gestolen\n2DEF456,,\n")


async def test_an_urgent_entry_is_live_in_one_step(desk: Desk, live: int, trail: Trail) -> None:
    given = at.entry("9-zzz-999", country="be", priority="critical", reason="ontvoerd kind")
    changed = await desk.entries.add(OPS, "gestolen", given)
    assert (changed.plate, changed.country, changed.valid_until_ms) == ("9ZZZ999", "BE", None)
    assert changed.version == await desk.store.live_version()
    assert await at.listed(desk) == ["1ABC123", "2DEF456", "9ZZZ999"]
    snapshot = await desk.store.load_snapshot()
    row = [snapshot.plate(each) for each in range(len(snapshot))].index("9ZZZ999")
    assert (snapshot.priority_of(row), snapshot.reasons[row]) == (Priority.CRITICAL, "ontvoerd kind")
    assert (trail.lines[-2].what, trail.lines[-2].target) == ("hotlist.entry.add", "gestolen 9ZZZ999 BE")
    assert trail.lines[-2].why == "ontvoering"
    assert (await desk.register.show(OPS, "gestolen")).rows == 3


async def test_a_desk_that_is_ready_reads_no_list_for_an_entry(
    desk: Desk, live: int, client: aioredis.Redis
) -> None:
    other = Desk(client, Trail())
    await other.store.know_live()
    await client.config_resetstat()
    await other.entries.add(OPS, "gestolen", at.entry("1ABC123", country="BE", reason="ontvoerd kind"))
    assert "cmdstat_lindex" not in await client.info("commandstats")
    # What another desk changed is known as well.
    await desk.entries.add(OPS, "gestolen", at.entry("9ZZZ999"))
    await other.store.know_live()
    assert [each.entry.plate for each in await other.store.find("9ZZZ999")] == ["9ZZZ999"]


async def lindexes(client: aioredis.Redis) -> int:
    """How many chunks of lists were read from Redis."""
    told = (await client.info("commandstats")).get("cmdstat_lindex", {"calls": 0})
    return int(told["calls"])


async def test_a_damaged_list_is_not_read_again_at_every_turn(
    desk: Desk, live: int, client: aioredis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at.make(desk, "heel")
    await at.put_live(desk, "plate\n3GHI789\n", name="heel")
    await client.lset(f"lik:hotlist:gestolen:v{live}", 0, b"PK")
    other = Desk(client, Trail())
    before = await lindexes(client)
    await other.store.know_live()
    read = await lindexes(client)
    assert read == before + 2
    await other.store.know_live()
    assert await lindexes(client) == read
    # Somebody who asks what is on it is told how it stands now, and the other lists are there all along.
    with pytest.raises(HotlistError, match="version 1 of list 'gestolen' is damaged"):
        await other.store.find("1ABC123", "gestolen")
    assert [each.hotlist.name for each in await other.store.find("3GHI789", "heel")] == ["heel"]
    assert await lindexes(client) == read + 1
    with monkeypatch.context() as patched:
        patched.setattr(deskstore, "RETRY_S", 0.0)
        await other.store.know_live()
    assert await lindexes(client) == read + 2
    # Another version of it is read at once.
    await publish(desk.store, "gestolen", listed("1ABC123"))
    read = await lindexes(client)
    await other.store.know_live()
    assert await lindexes(client) == read + 1
    assert [each.entry.plate for each in await other.store.find("1ABC123")] == ["1ABC123"]
    assert await lindexes(client) == read + 1


async def test_an_entry_that_is_there_is_replaced(desk: Desk, live: int) -> None:
    await desk.entries.add(OPS, "gestolen", at.entry("1ABC123", country="BE", reason="gewapend"))
    await desk.entries.add(OPS, "gestolen", at.entry("1ABC123", reason="ander land"))
    rows = list(csv.reader(io.StringIO(await at.exported(desk))))[1:]
    assert sorted(row[:3] for row in rows) == [
        ["1ABC123", "", "ander land"],
        ["1ABC123", "BE", "gewapend"],
        ["2DEF456", "", ""],
    ]
    assert (await desk.register.show(OPS, "gestolen")).rows == 3


async def test_an_entry_is_removed_in_one_step(desk: Desk, live: int, trail: Trail) -> None:
    with pytest.raises(NotFoundError) as caught:
        await desk.entries.remove(OPS, "gestolen", "1ABC123", "NL", why="x")
    assert caught.value.code == "no_entry"
    await desk.entries.remove(OPS, "gestolen", "1-ABC-123", "BE", why="teruggevonden")
    assert await at.listed(desk) == ["2DEF456"]
    assert trail.lines[-2].what == "hotlist.entry.remove"


async def test_the_first_entry_of_a_list_needs_no_file(desk: Desk) -> None:
    await at.make(desk, "nieuw")
    await desk.entries.add(OPS, "nieuw", at.entry("9ZZZ999"))
    assert await at.listed(desk, "nieuw") == ["9ZZZ999"]
    assert (await desk.register.show(OPS, "nieuw")).rows == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"plate": "---"}, "plate: no letter or digit"),
        ({"plate": "x" * 80}, "plate: more than 10"),
        ({"plate": "1ABC123", "country": "XX"}, "country: "),
        ({"plate": "1ABC123", "valid_until": "gisteren"}, "valid_until: "),
        ({"plate": "1ABC123", "valid_from": "2027-01-02", "valid_until": "2027-01-01"}, "valid_until: "),
        ({"plate": "1ABC123\n2DEF456"}, "plate: "),
        ({"plate": "*"}, "plate: "),
    ],
)
async def test_an_entry_that_cannot_be_says_which_field(
    desk: Desk, live: int, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadRequestError, match=says):
        await desk.entries.add(OPS, "gestolen", at.entry(**given))
    assert await at.listed(desk) == ["1ABC123", "2DEF456"]


@pytest.mark.parametrize("who", [OPERATOR, AUDITOR, ENGINEER])
async def test_who_does_not_load_changes_no_entry(desk: Desk, live: int, who: Any) -> None:
    for attempt in (
        desk.entries.add(who, "gestolen", at.entry("9ZZZ999")),
        desk.entries.remove(who, "gestolen", "1ABC123", "BE", why="x"),
        desk.entries.export(who, "gestolen", None, why="x"),
    ):
        with pytest.raises(ForbiddenError):
            await attempt


# --- two people ----------------------------------------------------------------------------------------------


@pytest.fixture
async def guarded(desk: Desk, live: int) -> None:
    """The list has the two-person rule."""
    await desk.register.describe(CHIEF, "gestolen", {"two_person": True}, why="afspraak")


@pytest.mark.usefixtures("guarded")
async def test_what_one_person_adds_ends_within_a_day(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotlists.entries.now_ns", lambda: 1_800_000_000 * 10**9)
    changed = await desk.entries.add(OPS, "gestolen", at.entry("9ZZZ999"))
    assert changed.valid_until_ms == (1_800_000_000 + ALONE_S) * 1000
    sooner = await desk.entries.add(CHIEF, "gestolen", at.entry("8YYY888", valid_until="2027-01-15T12:00Z"))
    assert sooner.valid_until_ms == 1_800_014_400_000
    with pytest.raises(ConflictError) as caught:
        await desk.entries.add(CHIEF, "gestolen", at.entry("7XXX777", valid_until="2028-01-01"))
    assert caught.value.code == "two_person"


@pytest.mark.usefixtures("guarded")
async def test_a_vehicle_leaves_such_a_list_by_a_chief(desk: Desk) -> None:
    with pytest.raises(ForbiddenError):
        await desk.entries.remove(OPS, "gestolen", "1ABC123", "BE", why="x")
    await desk.entries.remove(CHIEF, "gestolen", "1ABC123", "BE", why="teruggevonden")
    assert await at.listed(desk) == ["2DEF456"]


# --- asking where a plate is listed --------------------------------------------------------------------------


async def test_is_it_listed_by_whom_why_and_until_when(desk: Desk, live: int, trail: Trail) -> None:
    await desk.entries.add(OPS, "gestolen", at.entry("9ZZZ999", reason="gezocht", valid_until="2030-12-31"))
    found = await desk.entries.find(OPERATOR, "9-ZZZ-999", why="controle N9")
    (only,) = found.found
    assert (found.plate, only.list, only.title, only.owner) == ("9ZZZ999", "gestolen", "Gestolen", "PZ Veldeke")
    assert (only.legal_basis, only.entry.reason, only.handling) == ("WPA art. 44/2", "gezocht", Handling.OPEN)
    assert only.entry.valid_until_ms == 1_924_988_400_000
    line = trail.lines[-1]
    assert (line.who, line.what, line.target, line.why) == ("otto", "hotlist.find", "9ZZZ999", "controle N9")
    assert not line.covert
    assert (await desk.entries.find(OPERATOR, "5MNO345", why="controle")).found == []


async def test_a_plate_is_found_by_the_pattern_that_it_fits(desk: Desk) -> None:
    await at.make(desk)
    await at.put_live(desk, "plate,country\n7PQR???,BE\n*55S,\n")
    for plate, fits in (("7PQR123", ["7PQR???"]), ("7PQR12", []), ("1ABC55S", ["*55S"]), ("55S1", [])):
        found = (await desk.entries.find(OPERATOR, plate, why="controle")).found
        assert [each.entry.plate for each in found] == fits


@pytest.mark.parametrize("plate", ["1AB*", "???????", "---"])
async def test_a_plate_to_look_for_states_enough(desk: Desk, plate: str) -> None:
    with pytest.raises(BadRequestError):
        await desk.entries.find(OPERATOR, plate, why="x")


@pytest.fixture
async def hidden(desk: Desk, live: int) -> None:
    """A covert list with a plate, and the same plate as a covert entry of the open list."""
    await desk.register.create(DETECTIVE, at.SECRET)
    await desk.entries.add(DETECTIVE, "blauw", at.entry("9QQQ666", reason="Zwaluwnest"))
    for plate in ("9QQQ666", "9QQQ777"):
        await desk.entries.add(DETECTIVE, "gestolen", at.entry(plate, reason="Zwaluwnest", handling="covert"))


@pytest.mark.usefixtures("hidden")
async def test_nobody_else_finds_what_is_covert(desk: Desk, trail: Trail) -> None:
    for who in (OPERATOR, OPS, CHIEF):
        assert (await desk.entries.find(who, "9QQQ666", why="x")).found == []
    assert not any(each.covert for each in trail.lines[-3:])
    # Who is named on the one list knows of that one alone.
    assert [each.list for each in (await desk.entries.find(NAMED, "9QQQ666", why="x")).found] == ["blauw"]
    found = await desk.entries.find(DETECTIVE, "9QQQ666", why="x")
    assert sorted(each.list for each in found.found) == ["blauw", "gestolen"]
    assert {each.handling for each in found.found} == {Handling.COVERT}
    assert trail.lines[-1].covert


@pytest.mark.usefixtures("hidden")
async def test_a_covert_entry_stays_whatever_others_do_to_its_plate(desk: Desk) -> None:
    with pytest.raises(NotFoundError):
        await desk.entries.remove(OPS, "gestolen", "9QQQ666", "", why="x")
    with pytest.raises(ForbiddenError):
        await desk.entries.add(OPS, "gestolen", at.entry("8PPP555", handling="covert"))
    await desk.entries.add(OPS, "gestolen", at.entry("9QQQ666", reason="gestolen"))
    assert await at.listed(desk, by=OPS) == ["1ABC123", "2DEF456", "9QQQ666"]
    assert "Zwaluwnest" in await at.exported(desk)
    await desk.entries.remove(OPS, "gestolen", "9QQQ666", "", why="x")
    assert await at.listed(desk, by=OPS) == ["1ABC123", "2DEF456"]
    assert "Zwaluwnest" in await at.exported(desk)
    assert [(await desk.register.show(who, "gestolen")).rows for who in (OPS, DETECTIVE)] == [2, 4]


@pytest.mark.usefixtures("hidden")
async def test_a_part_of_a_plate_finds_what_fits_it_as_far_as_may_be_known(desk: Desk, trail: Trail) -> None:
    found = await desk.entries.find(OPERATOR, "1-AB?-1*", why="getuige zag een deel")
    assert [each.entry.plate for each in found.found] == ["1ABC123"]
    assert (await desk.entries.find(OPS, "9QQQ*", why="x")).found == []
    assert not trail.lines[-1].covert
    assert len((await desk.entries.find(DETECTIVE, "9QQQ*", why="x")).found) == 3
    assert trail.lines[-1].covert


async def test_a_part_that_fits_very_much_gives_the_first(desk: Desk) -> None:
    await at.make(desk)
    await at.put_live(desk, "plate\n" + "".join(f"8XYZ{number:03}\n" for number in range(MOST_FOUND + 1)))
    found = await desk.entries.find(OPERATOR, "8XYZ*", why="getuige")
    assert (len(found.found), found.more) == (MOST_FOUND, True)
    fewer = await desk.entries.find(OPERATOR, "8XYZ0*", why="getuige")
    assert (len(fewer.found), fewer.more) == (100, False)


# --- out of the desk -----------------------------------------------------------------------------------------


async def test_an_export_opens_safely_and_comes_back_as_it_was(desk: Desk, trail: Trail) -> None:
    await at.make(desk)
    content = (
        "plate,country,reason,priority,valid_from,valid_until\r\n"
        "1ABC123,BE,'=HYPERLINK(1),high,2026-01-01T00:00:00+00:00,2027-01-01T00:00:00+00:00\r\n"
    )
    number = await at.put_live(desk, content.replace("'=", "="))
    text = await at.exported(desk, by=OPS)
    assert "1ABC123,BE,'=HYPERLINK(1),high,," in text
    assert "2026-01-01T00:00:00+00:00,2027-01-01T00:00:00+00:00" in text
    assert (trail.lines[-1].what, trail.lines[-1].target) == ("hotlist.export", f"gestolen v{number}")
    await at.put_live(desk, "plate\n9ZZZ999\n")
    assert await at.exported(desk, number=number) == text
    with pytest.raises(NotFoundError):
        await at.exported(desk, number=99)


async def test_a_list_without_a_live_version_has_no_export(desk: Desk) -> None:
    await at.make(desk)
    with pytest.raises(NotFoundError) as caught:
        await at.exported(desk)
    assert caught.value.code == "no_version"
