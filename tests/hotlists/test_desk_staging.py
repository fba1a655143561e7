"""From a file to a live version on a real Redis: what a preview says, what the guards hold back, who publishes."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest
import redis.asyncio as aioredis

from hotlists.desk import Desk
from hotlists.deskstore import DeskStore
from hotlists.entry import Handling
from hotlists.ledger import Ledger
from hotlists.people import Actor
from hotlists.problems import AwayError, BadRequestError, ConflictError, ForbiddenError, NotFoundError
from hotlists.reading import SMALL_BYTES
from pipeline.embedded import EmbeddedRedis
from tests.hotlists import desk as at
from tests.hotlists.desk import ALL, AUDITOR, CHIEF, DETECTIVE, NAMED, OPERATOR, OPS, Trail

LIVE = "plate,country,reason\n1ABC123,BE,gestolen\n2DEF456,BE,gestolen\n3GHI789,NL,verduisterd\n"


@pytest.fixture
async def live(desk: Desk) -> int:
    """A list that is live."""
    await at.make(desk, removal_guard=0.5, rejection_guard=0.4)
    return await at.put_live(desk, LIVE)


async def test_a_preview_says_what_publishing_would_do(desk: Desk, live: int) -> None:
    preview = await at.upload(
        desk,
        "nummerplaat;land;reden;merk\n1-ABC-123;BE;gestolen\n2DEF456;BE;gezocht\n4JKL012;BE;\n---;;\n4JKL012;BE;\n",
    )
    assert (preview.accepted, preview.rejected, preview.duplicates, preview.rows) == (4, 1, 1, 3)
    assert (preview.based_on, preview.live_rows) == (live, 3)
    assert (preview.added, preview.changed, preview.removed, preview.unchanged) == (1, 1, 1, 1)
    assert [each.plate for each in preview.examples_added] == ["4JKL012"]
    assert [(each.plate, each.reason) for each in preview.examples_changed] == [("2DEF456", "gezocht")]
    assert [(each.plate, each.country) for each in preview.examples_removed] == [("3GHI789", "NL")]
    assert [(each.row, each.column) for each in preview.errors] == [(5, "plate")]
    assert (preview.ignored_columns, preview.detected.delimiter, preview.guards) == (["merk"], ";", [])
    assert await at.listed(desk) == ["1ABC123", "2DEF456", "3GHI789"]
    await at.publish(desk, preview)
    assert await at.listed(desk) == ["1ABC123", "2DEF456", "4JKL012"]


async def test_a_delta_adds_and_removes_and_leaves_the_rest(desk: Desk, live: int) -> None:
    rows = "plate,country,action\n1ABC123,BE,remove\n9ZZZ999,BE,remove\n2DEF456,BE,\n4JKL012,BE,add\n"
    preview = await at.upload(desk, rows, kind="delta")
    assert (preview.rows, preview.removals, preview.live_rows) == (2, 2, 3)
    assert (preview.added, preview.changed, preview.removed, preview.unchanged) == (1, 1, 1, 1)
    assert [each.plate for each in preview.examples_removed] == ["1ABC123"]
    await at.publish(desk, preview)
    assert sorted(await at.listed(desk)) == ["2DEF456", "3GHI789", "4JKL012"]
    assert (await desk.register.show(OPS, "gestolen")).rows == 3


@pytest.mark.parametrize(
    ("content", "code", "removed"),
    [
        ("plate,country\n1ABC123,BE\n", "removes", 2),
        ("plate,country\n1ABC123,BE\n2DEF456,BE\n---,\n---,\n", "rejected", 1),
        (LIVE + '4JKL012,BE,"gest', "cut_off", 0),
    ],
)
async def test_a_guard_asks_how_many_entries_go(
    desk: Desk, live: int, content: str, code: str, removed: int
) -> None:
    preview = await at.upload(desk, content)
    assert [each.code for each in preview.guards] == [code]
    assert preview.removed == removed
    for given in (None, preview.removed + 1):
        with pytest.raises(ConflictError) as caught:
            await at.publish(desk, preview, confirm_removed=given)
        assert (caught.value.code, caught.value.more["removed"]) == ("needs_confirmation", removed)
    assert await at.listed(desk) == ["1ABC123", "2DEF456", "3GHI789"]
    await at.publish(desk, preview, confirm_removed=removed)
    assert len(await at.listed(desk)) == 3 - removed


async def test_an_empty_list_is_published_only_when_that_is_said(desk: Desk, live: int) -> None:
    preview = await at.upload(desk, "plate,action\n1ABC123,remove\n", kind="delta")
    assert preview.guards == []
    with pytest.raises(BadRequestError) as caught:
        await at.upload(desk, "plate\n---\n")
    assert (caught.value.code, caught.value.more["rejected"]) == ("no_row", 1)


async def test_the_guard_is_the_one_of_now(desk: Desk, live: int) -> None:
    preview = await at.upload(desk, "plate,country\n1ABC123,BE\n")
    await desk.register.describe(CHIEF, "gestolen", {"removal_guard": 1.0}, why="lijst krimpt")
    assert (await desk.staging.preview(CHIEF, "gestolen", preview.number)).guards == []
    await at.publish(desk, preview)


@pytest.mark.parametrize("who", [OPERATOR, AUDITOR, Actor.with_scopes("api:x", ["hotlists:publish"])])
async def test_only_who_loads_uploads(desk: Desk, live: int, who: Actor) -> None:
    with pytest.raises(ForbiddenError, match="load"):
        await at.upload(desk, LIVE, by=who)


async def test_whoever_loads_does_not_publish(desk: Desk, live: int) -> None:
    preview = await at.upload(desk, LIVE)
    with pytest.raises(ForbiddenError, match="publish"):
        await at.publish(desk, preview, by=OPS)


async def test_two_people_where_the_list_asks_for_them(desk: Desk, live: int) -> None:
    await desk.register.describe(CHIEF, "gestolen", {"two_person": True}, why="afspraak")
    preview = await at.upload(desk, LIVE, by=CHIEF)
    assert preview.needs_other
    again = await desk.staging.refresh(DETECTIVE, "gestolen", preview.number, why="opnieuw")
    assert again.by == "chef"
    with pytest.raises(ConflictError) as caught:
        await at.publish(desk, again, by=CHIEF)
    assert caught.value.code == "two_person"
    await at.publish(desk, again, by=NAMED)


async def test_of_two_publications_at_once_one_is_told_of_the_other(desk: Desk, live: int, trail: Trail) -> None:
    first = await at.upload(desk, LIVE + "4JKL012,BE,\n")
    second = await at.upload(desk, LIVE + "5MNO345,BE,\n", by=CHIEF)
    done = await asyncio.gather(
        at.publish(desk, first), at.publish(desk, second, by=DETECTIVE), return_exceptions=True
    )
    lost = [each for each in done if isinstance(each, ConflictError)]
    assert [each.code for each in lost] == ["moved"]
    assert "is live now: nothing was published" in lost[0].detail
    assert len(await at.listed(desk)) == 4
    assert trail.what[-1] == "hotlist.export"
    assert trail.what.count("hotlist.publish.failed") == 1


async def test_an_upload_that_was_overtaken_is_compared_again(desk: Desk, live: int) -> None:
    preview = await at.upload(desk, LIVE)
    await desk.entries.add(OPS, "gestolen", at.entry("9ZZZ999"))
    with pytest.raises(ConflictError) as caught:
        await at.publish(desk, preview)
    assert caught.value.code == "moved"
    again = await desk.staging.refresh(OPS, "gestolen", preview.number, why="opnieuw")
    assert (again.removed, [each.plate for each in again.examples_removed]) == (1, ["9ZZZ999"])
    assert [each.number for each in await desk.staging.previews(OPS, "gestolen")] == [again.number]
    assert (again.accepted, again.by) == (preview.accepted, preview.by)
    await at.publish(desk, again)
    assert await at.listed(desk) == ["1ABC123", "2DEF456", "3GHI789"]


async def test_a_delta_that_was_overtaken_is_compared_again(desk: Desk, live: int) -> None:
    preview = await at.upload(desk, "plate,country,action\n1ABC123,BE,remove\n4JKL012,BE,\n", kind="delta")
    await desk.entries.add(OPS, "gestolen", at.entry("9ZZZ999"))
    again = await desk.staging.refresh(OPS, "gestolen", preview.number, why="opnieuw")
    await at.publish(desk, again)
    assert sorted(await at.listed(desk)) == ["2DEF456", "3GHI789", "4JKL012", "9ZZZ999"]


async def test_a_version_that_was_published_elsewhere_is_not_the_expected_one(desk: Desk, live: int) -> None:
    preview = await at.upload(desk, LIVE)
    with pytest.raises(ConflictError, match="look at the preview again"):
        await at.publish(desk, preview, expected_live=live + 100)
    await at.publish(desk, preview, expected_live=live)


async def test_back_to_any_version_that_is_kept(desk: Desk, live: int) -> None:
    second = await at.put_live(desk, "plate\n9ZZZ999\n")
    assert await at.listed(desk) == ["9ZZZ999"]
    await desk.staging.roll_back(CHIEF, "gestolen", live, why="verkeerde lijst", expected_live=second)
    assert await at.listed(desk) == ["1ABC123", "2DEF456", "3GHI789"]
    with pytest.raises(ConflictError) as caught:
        await desk.staging.roll_back(CHIEF, "gestolen", second, why="x", expected_live=second)
    assert caught.value.code == "moved"
    with pytest.raises(ConflictError) as caught:
        await desk.staging.roll_back(CHIEF, "gestolen", 99, why="x")
    assert caught.value.code == "not_kept"
    states = {each.number: each.state for each in await desk.register.versions(OPS, "gestolen")}
    assert states == {live: "live", second: "kept"}


async def test_what_is_discarded_cannot_be_published(desk: Desk, live: int) -> None:
    preview = await at.upload(desk, LIVE)
    await desk.staging.discard(OPS, "gestolen", preview.number, why="verkeerd bestand")
    with pytest.raises(NotFoundError) as caught:
        await at.publish(desk, preview)
    assert caught.value.code == "not_staged"
    assert await desk.staging.previews(OPS, "gestolen") == []


async def test_who_when_where_and_why_are_in_the_trail(desk: Desk, live: int, trail: Trail) -> None:
    trail.lines.clear()
    preview = await at.upload(desk, LIVE)
    await at.publish(desk, preview)
    told = [(each.who, each.what, each.target, each.why, each.where) for each in trail.lines]
    assert told == [
        ("an", "hotlist.upload", "gestolen full", "lijst van de nacht", "10.0.0.2"),
        ("chef", "hotlist.publish", f"gestolen v{preview.number}", "nagekeken", "10.0.0.3"),
    ]


# --- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("plate,reason\n" + "1ABC123,lang\n" * (SMALL_BYTES // 12), id="a large one"),
        pytest.param(gzip.compress(b"plate\n1ABC123\n"), id="gzip"),
    ],
)
async def test_a_file_is_read_beside_the_console(desk: Desk, content: str | bytes) -> None:
    await at.make(desk)
    preview = await at.upload(desk, content)
    assert (preview.rows, preview.rejected) == (1, 0)
    await at.publish(desk, preview)
    assert await at.listed(desk) == ["1ABC123"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\x00" * 1000, "binary"),
        (b"merk\nFiat\n", "no column with plates"),
        (b"PK\x03\x04 no zip", "damaged"),
        (gzip.compress(b"plate\n" + b"1ABC123\n" * 1000)[:-20], "cut off"),
        (gzip.compress(b"\n" * 200_000_000, 9), "200 times"),
        (b"plate\n" + b"x" * 400_000, "no row could be used"),
    ],
)
async def test_a_file_that_cannot_be_used_leaves_what_is_live(
    desk: Desk, live: int, content: bytes, says: str
) -> None:
    with pytest.raises(BadRequestError, match=says):
        await at.upload(desk, content)
    assert await at.listed(desk) == ["1ABC123", "2DEF456", "3GHI789"]
    assert (await desk.register.show(OPS, "gestolen")).staged == 0


# --- covert entries on an open list ------------------------------------------------------------------------------

MIXED = "plate,country,handling\n1ABC123,BE,\n9QQQ666,BE,covert\n"


@pytest.fixture
async def mixed(desk: Desk) -> int:
    """An open list with a covert entry."""
    await at.make(desk, removal_guard=1.0)
    return await at.put_live(desk, MIXED)


async def test_who_does_not_know_of_them_does_not_load_them(desk: Desk, mixed: int) -> None:
    with pytest.raises(ForbiddenError) as caught:
        await at.upload(desk, MIXED)
    assert caught.value.code == "covert_rows"


async def test_a_replacement_carries_them_over_and_says_nothing_of_it(desk: Desk, mixed: int) -> None:
    preview = await at.upload(desk, "plate,country\n2DEF456,BE\n")
    assert (preview.live_rows, preview.added, preview.removed, preview.unchanged) == (1, 1, 1, 0)
    assert "9QQQ666" not in preview.model_dump_json()
    await at.publish(desk, preview)
    assert await at.listed(desk, by=OPS) == ["2DEF456"]
    assert sorted(await at.listed(desk)) == ["2DEF456", "9QQQ666"]
    assert [(await desk.register.show(who, "gestolen")).rows for who in (OPS, DETECTIVE)] == [1, 2]


@pytest.mark.parametrize("row", ["9QQQ666,BE,add", "9QQQ666,BE,remove"])
async def test_a_delta_does_not_touch_them(desk: Desk, mixed: int, row: str) -> None:
    preview = await at.upload(desk, f"plate,country,action\n{row}\n2DEF456,BE,add\n", kind="delta")
    assert (preview.removed, preview.changed) == (0, 0)
    await at.publish(desk, preview)
    assert "9QQQ666,BE,,,covert,," in await at.exported(desk)
    counts = [(await desk.register.show(who, "gestolen")).rows for who in (OPS, DETECTIVE)]
    assert counts == [len(await at.listed(desk, by=who)) for who in (OPS, DETECTIVE)]


async def test_what_was_staged_with_them_is_absent_for_the_others(desk: Desk, mixed: int) -> None:
    preview = await at.upload(desk, MIXED, by=DETECTIVE)
    assert await desk.staging.previews(CHIEF, "gestolen") == []
    assert (await desk.register.show(CHIEF, "gestolen")).staged == 0
    assert [each.number for each in await desk.register.versions(CHIEF, "gestolen")] == [mixed]
    with pytest.raises(NotFoundError):
        await at.publish(desk, preview, by=CHIEF)
    with pytest.raises(NotFoundError):
        await desk.staging.refresh(CHIEF, "gestolen", preview.number, why="x")
    await at.publish(desk, preview, by=DETECTIVE)


async def test_a_refresh_carries_over_what_is_covert_now(desk: Desk, mixed: int) -> None:
    preview = await at.upload(desk, "plate,country\n1ABC123,BE\n")
    await desk.entries.add(DETECTIVE, "gestolen", at.entry("8PPP555", handling=Handling.COVERT))
    again = await desk.staging.refresh(OPS, "gestolen", preview.number, why="opnieuw")
    await at.publish(desk, again)
    assert sorted(await at.listed(desk)) == ["1ABC123", "8PPP555", "9QQQ666"]


# --- Redis goes away ---------------------------------------------------------------------------------------------


async def test_a_publication_while_redis_is_away_is_whole_or_not_at_all(tmp_path: Path, trail: Trail) -> None:
    redis = EmbeddedRedis(tmp_path)
    with redis:
        client = aioredis.from_url(redis.url, socket_timeout=2.0)
        desk = Desk(client, trail)
        await at.make(desk, removal_guard=1.0)
        number = await at.put_live(desk, LIVE)
        preview = await at.upload(desk, "plate\n9ZZZ999\n")
    for attempt in (
        at.publish(desk, preview),
        at.upload(desk, LIVE),
        desk.staging.roll_back(CHIEF, "gestolen", number, why="x"),
        desk.entries.add(OPS, "gestolen", at.entry("9ZZZ999")),
        desk.entries.find(OPERATOR, "1ABC123", why="x"),
        desk.register.lists(OPS),
        desk.register.describe(CHIEF, "gestolen", {"title": "x"}, why="x"),
    ):
        with pytest.raises(AwayError, match="nothing was changed"):
            await attempt
    health = await desk.register.health(ALL)
    assert (health.state, health.redis) == ("alarm", False)
    await client.aclose()
    with EmbeddedRedis(tmp_path) as again:
        async with aioredis.from_url(again.url) as back:
            desk = Desk(back, trail)
            assert await at.listed(desk) == ["1ABC123", "2DEF456", "3GHI789"]
            await at.publish(desk, preview)
            assert await at.listed(desk) == ["9ZZZ999"]


async def test_redis_that_goes_between_line_and_switch_is_said_in_the_trail(trail: Trail) -> None:
    async with aioredis.from_url("unix:///nowhere.sock") as away:
        ledger = Ledger(DeskStore(away), trail)
        with pytest.raises(AwayError):
            async with ledger.noted(CHIEF, "hotlist.publish", at.SECRET, "nagekeken"):
                await ledger.store.live_version()
    assert [(each.what, each.why, each.covert) for each in trail.lines] == [
        ("hotlist.publish", "nagekeken", True),
        ("hotlist.publish.failed", "redis_away", True),
    ]
