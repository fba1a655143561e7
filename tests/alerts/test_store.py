"""The alert store on SQLite and on PostgreSQL: order, idempotence, and who may see what."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from hotlists.entry import Handling
from pipeline.alerts.rows import COVERT_SCALE, Remark
from pipeline.alerts.store import AlertStore, UnknownAlertError, Verdict, Viewer
from pipeline.alerts.tables import SCHEMA
from pipeline.errors import ConfigurationError
from pipeline.model import Alert, Hit, Sighting
from tests.alerts.viewers import DETECTIVE, NAMED, OPERATOR, UNIT
from tests.factories import JPEG, make_alert, make_hit, make_read


async def test_an_alert_comes_back_without_its_patch_and_the_patch_alone(store: AlertStore) -> None:
    alert = make_alert(read=make_read(patch=JPEG))
    seq = await store.record(alert)
    row = await store.get(alert.alert_id, OPERATOR)
    assert row.seq == seq == 1
    assert row.alert.hit.read.patch is None
    assert row.alert.hit.entry == alert.hit.entry
    assert await store.patch(alert.alert_id, OPERATOR) == JPEG


async def test_the_same_alert_twice_is_one_change(store: AlertStore) -> None:
    alert = make_alert()
    assert await store.record(alert) == await store.record(alert)
    assert await store.count() == 1
    assert await store.last_seq() == 1


async def test_a_new_sighting_is_a_change_of_the_same_alert(store: AlertStore) -> None:
    alert = make_alert(read=make_read(patch=JPEG))
    await store.record(alert)
    second = Sighting(hit_id="h2", camera="cam-2", captured_at_ns=alert.created_at_ns + 5, plate="1ABC123")
    await store.record(msgspec.structs.replace(alert, sightings=[*alert.sightings, second]))
    (row,) = await store.changes_since(0, user=OPERATOR)
    assert row.seq == 2
    assert len(row.alert.sightings) == 2
    assert await store.patch(alert.alert_id, OPERATOR) == JPEG


async def test_concurrent_changes_get_numbers_without_gaps(store: AlertStore) -> None:
    alerts = [make_alert(f"1ABC{number:03d}") for number in range(40)]
    numbers = await asyncio.gather(*(store.record(alert) for alert in alerts))
    assert sorted(numbers) == list(range(1, 41))
    rows = await store.changes_since(0, user=OPERATOR)
    assert [row.seq for row in rows] == list(range(1, 41))
    assert {row.alert.alert_id for row in await store.changes_since(30, user=OPERATOR)} == {
        row.alert.alert_id for row in rows[30:]
    }


async def test_a_covert_alert_is_absent_for_all_but_those_it_names(store: AlertStore) -> None:
    covert = make_alert("2XYZ789", handling=Handling.COVERT, named_users=("cas",), read=make_read(patch=JPEG))
    await store.record(covert)
    await store.record(make_alert())
    for viewer, sees in ((OPERATOR, 1), (DETECTIVE, 2), (NAMED, 2)):
        assert len(await store.latest(10, viewer)) == sees
        assert len(await store.changes_since(0, user=viewer)) == sees
    for attempt in (
        store.get(covert.alert_id, OPERATOR),
        store.patch(covert.alert_id, OPERATOR),
        store.acknowledge(covert.alert_id, Verdict.CONFIRMED, by=OPERATOR),
    ):
        with pytest.raises(UnknownAlertError):
            await attempt
    assert (await store.get(covert.alert_id, NAMED)).alert.alert_id == covert.alert_id


async def test_a_verdict_is_a_change_and_the_latest_counts(store: AlertStore) -> None:
    alert = make_alert()
    seq = await store.record(alert)
    await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    row = await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=NAMED, remark=Remark("8 is B"))
    assert row.seq == seq + 2
    assert row.acknowledgement is not None
    assert (row.acknowledgement.verdict, row.acknowledgement.by) == (Verdict.MISREAD, "cas")
    assert row.acknowledgement.note == "8 is B"
    (listed,) = await store.changes_since(seq, user=OPERATOR)
    assert listed.acknowledgement == row.acknowledgement


async def test_the_open_alert_is_the_one_within_the_window(store: AlertStore) -> None:
    alert = make_alert()
    await store.record(alert)
    at_ns = alert.hit.read.captured_at_ns

    def hit(moved_ns: int, zone: str = "noord", handling: Handling = Handling.OPEN) -> Hit:
        found = make_hit(read=make_read(captured_at_ns=at_ns + moved_ns), handling=handling)
        return msgspec.structs.replace(found, zone=zone)

    for found, window_ns in ((hit(10), 10), (hit(-10), 10)):
        open_alert = await store.open_alert(found, window_ns)
        assert open_alert is not None
        assert open_alert.alert_id == alert.alert_id
    for other in (hit(11), hit(-11), hit(0, zone="zuid"), hit(0, handling=Handling.COVERT)):
        assert await store.open_alert(other, 10) is None


async def test_users_and_the_audit_trail(store: AlertStore) -> None:
    assert await store.get_user("an") is None
    await store.put_user("an", "hash-1", {"operator"})
    await store.put_user("an", "hash-2", {"operator", "chief"})
    user = await store.get_user("an")
    assert user is not None
    assert (user.password_hash, user.roles) == ("hash-2", {"operator", "chief"})
    await store.audit("an", "viewed", "alert-1", why="shift", where="127.0.0.1")
    (line,) = await store.audit_lines()
    assert (line.who, line.what, line.target, line.why, line.where) == (
        "an",
        "viewed",
        "alert-1",
        "shift",
        "127.0.0.1",
    )


async def test_two_processes_write_to_one_sqlite(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'shared.db'}"
    script = (
        "import asyncio\n"
        "from pipeline.alerts.store import AlertStore\n"
        "from tests.factories import make_alert\n"
        "async def main():\n"
        f"    store = AlertStore({url!r})\n"
        "    await store.open()\n"
        "    for n in range(25): await store.record(make_alert(f'1ABC{n:03d}'))\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
    )
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", script) for _ in range(2)]
    with contextlib.suppress(asyncio.CancelledError):
        assert [await process.wait() for process in processes] == [0, 0]
    store = AlertStore(url)
    await store.open()
    assert await store.last_seq() == 50
    await store.close()


async def test_both_pictures_come_back_to_those_who_see_the_alert(store: AlertStore) -> None:
    alert = make_alert(read=make_read(patch=JPEG, picture=JPEG + b"vehicle"))
    await store.record(alert)
    row = await store.get(alert.alert_id, OPERATOR)
    assert (row.has_patch, row.has_picture) == (True, True)
    assert (row.alert.hit.read.patch, row.alert.hit.read.picture) == (None, None)
    assert await store.picture(alert.alert_id, OPERATOR) == JPEG + b"vehicle"
    with pytest.raises(UnknownAlertError):
        await store.picture(alert.alert_id, UNIT)
    without = make_alert("2XYZ789")
    await store.record(without)
    assert await store.picture(without.alert_id, OPERATOR) is None


async def test_a_hit_that_a_long_alert_leaves_out_of_its_message_is_still_known(store: AlertStore) -> None:
    alert = make_alert()
    await store.record(alert)
    later = Sighting(hit_id="h2", camera="cam-2", captured_at_ns=alert.created_at_ns + 5, plate="1ABC123")
    await store.record(msgspec.structs.replace(alert, sightings=[*alert.sightings, later], sighting_count=2))
    last = Sighting(hit_id="h3", camera="cam-2", captured_at_ns=alert.created_at_ns + 9, plate="1ABC123")
    await store.record(msgspec.structs.replace(alert, sightings=[alert.sightings[0], last], sighting_count=3))
    known = await store.with_hit(msgspec.structs.replace(alert.hit, hit_id="h2"))
    assert known is not None
    assert known.sighting_count == 3


def _history(seed: int) -> list[tuple[str, Alert]]:
    """Make a random history of open and covert alerts, each a name and what to do with it."""
    chance = random.Random(seed)
    found: list[tuple[str, Alert]] = []
    for number in range(12):
        covert = chance.random() < 0.5
        handling = Handling.COVERT if covert else Handling.OPEN
        alert = make_alert(f"1ABC{number:03d}", handling=handling, named_users=("cas",) if covert else ())
        found.append(("record", alert))
        if chance.random() < 0.7:
            found.append(("claim", alert))
        if chance.random() < 0.7:
            found.append(("acknowledge", alert))
    return found


async def _play(store: AlertStore, history: list[tuple[str, Alert]], *, covert_too: bool) -> None:
    for what, alert in history:
        covert = alert.hit.entry.handling is Handling.COVERT
        if covert and not covert_too:
            continue
        by = DETECTIVE if covert else OPERATOR
        if what == "record":
            await store.record(alert)
        elif what == "claim":
            await store.claims.claim(alert.alert_id, by)
        else:
            await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=by)


@pytest.mark.parametrize("seed", range(4))
async def test_no_number_tells_an_operator_that_there_are_covert_alerts(tmp_path: Path, seed: int) -> None:
    history = _history(seed)
    seen = []
    for name, covert_too in (("with", True), ("without", False)):
        store = AlertStore(f"sqlite+aiosqlite:///{tmp_path / name}.db")
        await store.open()
        await _play(store, history, covert_too=covert_too)
        rows = [
            msgspec.structs.asdict(row.alert) | {"seq": row.seq, "verdict": row.acknowledgement is not None}
            for row in await store.changes_since(0, user=OPERATOR)
        ]
        seen.append((await store.last_seq(OPERATOR), rows))
        await store.close()
    assert seen[0] == seen[1]


async def test_who_comes_to_see_covert_alerts_counts_on_another_scale(store: AlertStore) -> None:
    await store.record(make_alert())
    before = await store.last_seq(NAMED)
    await store.record(make_alert("2XYZ789", handling=Handling.COVERT, named_users=("cas",)))
    after = await store.last_seq(NAMED)
    assert (before, after) == (1, COVERT_SCALE + 2)
    assert await store.last_seq(OPERATOR) == 1
    # A number of the one scale is none of the other: neither is taken for how far somebody has read.
    assert await store.changes_since(before, user=NAMED) == []
    assert await store.changes_since(after, user=OPERATOR) == []
    assert [row.seq for row in await store.changes_since(0, user=NAMED)] == [COVERT_SCALE + 1, COVERT_SCALE + 2]


async def test_a_role_that_is_not_for_the_desk_sees_nothing(store: AlertStore) -> None:
    covert = make_alert("2XYZ789", handling=Handling.COVERT, named_users=("gust", "ploeg-1"))
    await store.record(covert)
    await store.record(make_alert())
    for roles in ({"engineer"}, {"unit"}, set()):
        for name in ("gust", "ploeg-1"):
            assert await store.latest(10, Viewer(name, frozenset(roles))) == []


async def test_tables_of_another_version_are_not_touched(tmp_path: Path) -> None:
    store = AlertStore(f"sqlite+aiosqlite:///{tmp_path / 'old.db'}")
    await store.open()
    async with store.database.write() as connection:
        await connection.execute(update(SCHEMA).values(version=99))
    with pytest.raises(ConfigurationError, match=r"version 99.*LIK_DATABASE_URL"):
        await store.open()
    await store.close()


async def test_a_reader_does_not_wait_for_the_writer(tmp_path: Path) -> None:
    store = AlertStore(f"sqlite+aiosqlite:///{tmp_path / 'alerts.db'}")
    await store.open()
    await store.record(make_alert())
    async with store.database.change() as change:
        await change.take(covert=False)
        # The writer has not committed; a reader sees the state before it, at once.
        assert await asyncio.wait_for(store.last_seq(), 5) == 1
    assert await store.last_seq() == 2
    await store.close()
