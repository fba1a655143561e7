"""The lists themselves: who makes, describes and archives them, and how they stand."""

from __future__ import annotations

import msgspec
import pytest

from hotlists.desk import Desk
from hotlists.entry import AppliesTo, Handling, Hotlist, Window
from hotlists.people import Actor
from hotlists.problems import (
    AwayError,
    BadRequestError,
    ConflictError,
    DeskError,
    ForbiddenError,
    NotFoundError,
)
from tests.hotlists import desk as at
from tests.hotlists.desk import AUDITOR, CHIEF, DETECTIVE, ENGINEER, NAMED, OPERATOR, OPS, SECRET, Trail


async def test_a_chief_makes_a_list_and_the_same_again_changes_nothing(desk: Desk, trail: Trail) -> None:
    hotlist = Hotlist(name="gestolen", title="Gestolen", owner="PZ Veldeke")
    shape, made = await desk.register.create(CHIEF, hotlist)
    assert (made, shape.title, shape.live, shape.staged) == (True, "Gestolen", None, 0)
    assert (await desk.register.create(CHIEF, hotlist))[1] is False
    with pytest.raises(ConflictError, match="taken"):
        await desk.register.create(CHIEF, Hotlist(name="gestolen", title="Anders"))
    assert trail.what == ["hotlist.create", "hotlist.create.refused"]
    assert (trail.lines[0].who, trail.lines[0].where) == ("chef", "10.0.0.3")
    assert '"owner":"PZ Veldeke"' in trail.lines[0].why


@pytest.mark.parametrize("who", [OPERATOR, OPS, AUDITOR, ENGINEER, Actor.with_roles("ploeg", ["unit"])])
async def test_nobody_else_changes_what_a_list_is(desk: Desk, trail: Trail, who: Actor) -> None:
    await at.make(desk)
    done = len(trail.lines)
    for attempt in (
        desk.register.create(who, Hotlist(name="nieuw")),
        desk.register.describe(who, "gestolen", {"title": "x"}, why="x"),
        desk.register.archive(who, "gestolen", why="x"),
        desk.register.restore(who, "gestolen", why="x"),
        desk.staging.publish(who, "gestolen", 1, why="x"),
        desk.staging.roll_back(who, "gestolen", 1, why="x"),
    ):
        with pytest.raises(ForbiddenError):
            await attempt
    assert len(trail.lines) == done


async def test_what_a_change_leaves_out_stays(desk: Desk, trail: Trail) -> None:
    await at.make(desk, "blauw", handling=Handling.COVERT, threshold=0.8, named_users=("nele",))
    shape = await desk.register.describe(NAMED, "blauw", {"title": "Blauw"}, why="naam")
    assert (shape.title, shape.handling, shape.threshold) == ("Blauw", Handling.COVERT, 0.8)
    assert trail.lines[-1].why == 'naam: {"title":"Blauw"}'
    assert trail.lines[-1].covert


async def test_a_covert_list_opens_only_when_that_is_said(desk: Desk, trail: Trail) -> None:
    await at.make(desk, "blauw", handling=Handling.COVERT)
    with pytest.raises(ConflictError) as caught:
        await desk.register.describe(DETECTIVE, "blauw", {"handling": "open"}, why="klaar")
    assert caught.value.code == "opens_covert"
    assert (await desk.store.get("blauw")).handling is Handling.COVERT
    shape = await desk.register.describe(DETECTIVE, "blauw", {"handling": "open"}, why="klaar", open_covert=True)
    assert shape.handling is Handling.OPEN
    assert trail.what[-1] == "hotlist.open"


async def test_who_makes_a_list_covert_must_still_know_of_it(desk: Desk) -> None:
    with pytest.raises(ForbiddenError, match="name yourself"):
        await desk.register.create(CHIEF, Hotlist(name="blauw", handling=Handling.COVERT))
    await at.make(desk)
    with pytest.raises(ForbiddenError, match="name yourself"):
        await desk.register.describe(CHIEF, "gestolen", {"handling": "covert"}, why="x")
    shape, _ = await desk.register.create(
        CHIEF, Hotlist(name="blauw", handling=Handling.COVERT, named_users=("chef",))
    )
    assert shape.name == "blauw"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "health"}, "page of its own"),
        ({"name": "Gestolen"}, "a-z"),
        ({"name": "a", "applies_to": AppliesTo(windows=(Window(from_ns=2, until_ns=2),))}, "ends before"),
    ],
)
async def test_metadata_that_cannot_be(desk: Desk, fields: dict[str, object], says: str) -> None:
    with pytest.raises(BadRequestError, match=says):
        await desk.register.create(CHIEF, Hotlist(**fields))  # type: ignore[arg-type]
    assert await desk.store.lists() == []


async def test_a_value_that_is_none_leaves_what_there_was(desk: Desk) -> None:
    await at.make(desk, title="Gestolen")
    with pytest.raises(BadRequestError, match="threshold"):
        await desk.register.describe(CHIEF, "gestolen", {"threshold": 2}, why="x")
    assert (await desk.store.get("gestolen")).title == "Gestolen"


async def test_an_archived_list_matches_nothing_and_takes_nothing(desk: Desk) -> None:
    await at.make(desk)
    number = await at.put_live(desk, "plate\n1ABC123\n")
    shape = await desk.register.archive(CHIEF, "gestolen", why="niet meer nodig")
    assert (shape.archived, shape.live) == (True, None)
    assert len(await desk.store.load_snapshot()) == 0
    for attempt in (
        at.upload(desk, "plate\n2DEF456\n"),
        desk.staging.roll_back(CHIEF, "gestolen", number, why="x"),
        desk.entries.add(OPS, "gestolen", at.entry("2DEF456")),
    ):
        with pytest.raises(ConflictError, match="archived"):
            await attempt
    assert (await desk.register.restore(CHIEF, "gestolen", why="toch wel")).archived is False
    await desk.staging.roll_back(CHIEF, "gestolen", number, why="toch wel")
    assert await at.listed(desk) == ["1ABC123"]


# --- covert lists are absent -------------------------------------------------------------------------------------


@pytest.fixture
async def with_secret(desk: Desk) -> None:
    """A covert list, live, stale, with something staged, beside an open one."""
    hotlist = msgspec.structs.replace(SECRET, max_age_s=60)
    await desk.register.create(DETECTIVE, hotlist)
    await at.put_live(desk, "plate\n9QQQ666\n", name="blauw")
    await at.upload(desk, "plate\n9QQQ667\n", name="blauw", by=DETECTIVE)
    await at.make(desk)
    await at.put_live(desk, "plate\n1ABC123\n")


@pytest.mark.usefixtures("with_secret")
@pytest.mark.parametrize("who", [OPS, CHIEF, AUDITOR])
async def test_a_covert_list_is_absent(desk: Desk, who: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotlists.register.now_ns", lambda: 2**62)
    told = [await desk.register.lists(who), await desk.register.health(who)]
    assert "Nachtegaal" not in str(told)
    assert "blauw" not in str(told)
    assert [each.name for each in await desk.register.lists(who)] == ["gestolen"]


@pytest.mark.usefixtures("with_secret")
@pytest.mark.parametrize("name", ["blauw", "bestaat-niet"])
async def test_what_is_asked_of_it_is_answered_as_of_one_that_is_not_there(desk: Desk, name: str) -> None:
    asked = [
        desk.register.show(CHIEF, name),
        desk.register.versions(CHIEF, name),
        desk.register.describe(CHIEF, name, {}, why="x"),
        desk.register.archive(CHIEF, name, why="x"),
        desk.staging.check_upload(CHIEF, name),
        desk.staging.previews(CHIEF, name),
        desk.staging.preview(CHIEF, name, 2),
        desk.staging.errors(CHIEF, name, 2),
        desk.staging.discard(CHIEF, name, 2, why="x"),
        desk.staging.refresh(CHIEF, name, 2, why="x"),
        desk.staging.publish(CHIEF, name, 2, why="x"),
        desk.staging.roll_back(CHIEF, name, 1, why="x"),
        desk.entries.add(CHIEF, name, at.entry("9QQQ666")),
        desk.entries.remove(CHIEF, name, "9QQQ666", "", why="x"),
        desk.entries.export(CHIEF, name, None, why="x"),
    ]
    for attempt in asked:
        with pytest.raises(NotFoundError) as caught:
            await attempt
        assert (caught.value.code, caught.value.detail) == ("no_list", f"there is no list {name!r}; make it first")


@pytest.mark.usefixtures("with_secret")
@pytest.mark.parametrize("who", [DETECTIVE, NAMED])
async def test_who_may_know_of_it_sees_all_of_it(desk: Desk, who: Actor, trail: Trail) -> None:
    assert [each.name for each in await desk.register.lists(who)] == ["blauw", "gestolen"]
    shape = await desk.register.show(who, "blauw")
    assert (shape.rows, shape.staged) == (1, 1)
    assert len(await desk.register.versions(who, "blauw")) == 2
    covert = {each.target.split()[0]: each.covert for each in trail.lines}
    assert covert == {"blauw": True, "gestolen": False, "hotlists": False}


@pytest.mark.usefixtures("with_secret")
async def test_a_name_that_is_taken_covertly_says_no_more_than_that(desk: Desk, trail: Trail) -> None:
    for name in ("blauw", "gestolen"):
        with pytest.raises(ConflictError) as caught:
            await desk.register.create(CHIEF, Hotlist(name=name, title="x"))
        assert caught.value.detail == f"the name {name!r} is taken; to change a list, send what changes"
    assert [each.covert for each in trail.lines[-2:]] == [True, False]


# --- how it stands -----------------------------------------------------------------------------------------------


async def test_a_list_goes_stale_by_its_last_publication(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await at.make(desk, max_age_s=3600)
    assert (await desk.register.show(OPS, "gestolen")).stale
    first = await at.put_live(desk, "plate\n1ABC123\n")
    assert not (await desk.register.show(OPS, "gestolen")).stale
    published_ms = (await desk.register.show(OPS, "gestolen")).published_ms
    assert published_ms is not None
    monkeypatch.setattr("hotlists.register.now_ns", lambda: (published_ms + 3_600_001) * 1_000_000)
    health = await desk.register.health(OPERATOR)
    assert [each.name for each in health.stale] == ["gestolen"]
    await desk.staging.roll_back(CHIEF, "gestolen", first, why="terug")
    assert (await desk.register.show(OPS, "gestolen")).stale


async def test_a_single_entry_makes_a_list_no_younger(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await at.make(desk, max_age_s=3600)
    assert (await desk.register.show(OPS, "gestolen")).fresh_ms is None
    await at.put_live(desk, "plate\n1ABC123\n")
    came_ms = (await desk.register.show(OPS, "gestolen")).fresh_ms
    assert came_ms is not None
    await desk.entries.add(OPS, "gestolen", at.entry("9ZZZ999"))
    shown = await desk.register.show(OPS, "gestolen")
    assert (shown.live, shown.fresh_ms, shown.stale) == (2, came_ms, False)
    assert shown.published_ms is not None
    assert shown.published_ms >= came_ms
    monkeypatch.setattr("hotlists.register.now_ns", lambda: (came_ms + 3_600_001) * 1_000_000)
    assert (await desk.register.show(OPS, "gestolen")).stale
    assert [each.fresh_ms for each in (await desk.register.health(OPERATOR)).stale] == [came_ms]


async def test_workers_that_are_behind_are_an_alarm(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await at.make(desk)
    assert (await desk.register.health(ENGINEER)).state == "alarm"
    await at.put_live(desk, "plate\n1ABC123\n")
    version = await desk.store.live_version()
    await desk.store.report_worker("host-1", version)
    await desk.store.report_worker("host-2", version - 1)
    health = await desk.register.health(ENGINEER)
    assert (health.state, health.workers, health.behind) == ("ok", 2, 0)
    monkeypatch.setattr("hotlists.register.now_ns", lambda: (version + 6_000) * 1_000_000)
    health = await desk.register.health(ENGINEER)
    assert (health.state, health.workers, health.behind, health.version) == ("alarm", 2, 1, version)
    assert await desk.register.workers(ENGINEER) == {"host-1": version, "host-2": version - 1}


# --- what is away ------------------------------------------------------------------------------------------------


async def test_without_its_trail_the_desk_does_nothing(desk: Desk, trail: Trail) -> None:
    await at.make(desk)
    number = await at.put_live(desk, "plate\n1ABC123\n")
    preview = await at.upload(desk, "plate\n2DEF456\n")
    before = await desk.store.live_version()
    trail.away = True
    for attempt in (
        desk.register.create(CHIEF, Hotlist(name="nieuw")),
        desk.register.describe(CHIEF, "gestolen", {"title": "x"}, why="x"),
        at.upload(desk, "plate\n3GHI789\n"),
        at.publish(desk, preview, confirm_removed=1),
        desk.staging.roll_back(CHIEF, "gestolen", number, why="x"),
        desk.entries.add(OPS, "gestolen", at.entry("2DEF456")),
        desk.entries.find(OPERATOR, "1ABC123", why="x"),
        desk.entries.export(OPS, "gestolen", None, why="x"),
    ):
        with pytest.raises(AwayError) as caught:
            await attempt
        assert caught.value.code == "trail_away"
    trail.away = False
    assert await desk.store.live_version() == before
    assert [each.number for each in await desk.staging.previews(OPS, "gestolen")] == [preview.number]


async def test_what_failed_is_said_behind_what_was_about_to_be_done(desk: Desk, trail: Trail) -> None:
    await at.make(desk)
    with pytest.raises(DeskError):
        await at.upload(desk, "merk\nFiat\n")
    assert trail.what[-2:] == ["hotlist.upload", "hotlist.upload.failed"]
    assert trail.lines[-1].why == "file"
