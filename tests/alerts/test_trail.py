"""The audit trail: chained, append-only, and silent about covert alerts to those who may not know of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner, Result

from hotlists.entry import Handling
from pipeline.alerts.store import AlertStore
from pipeline.alerts.tables import AUDIT, AUDIT_CUTS
from pipeline.alerts.trail import Deed, parse_head
from pipeline.cli import app
from pipeline.errors import ConfigurationError
from tests.alerts.viewers import AUDITOR, DETECTIVE, NAMED, OPERATOR
from tests.factories import make_alert


async def _unguarded(store: AlertStore, statement: str) -> None:
    """Change the trail as somebody would who owns the database."""
    async with store.database.write() as connection:
        if store.database.sqlite:
            await connection.execute(text("DROP TRIGGER IF EXISTS audit_no_update"))
            await connection.execute(text("DROP TRIGGER IF EXISTS audit_no_delete"))
        else:
            await connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        await connection.execute(text(statement))
        if not store.database.sqlite:
            await connection.execute(text("ALTER TABLE audit ENABLE TRIGGER USER"))


async def test_lines_written_at_once_make_one_chain(store: AlertStore) -> None:
    await asyncio.gather(*(store.audit("an", "alert.view", f"alert-{number}") for number in range(25)))
    found = await store.trail.verify()
    assert (found.lines, found.head_id, found.problem) == (25, 25, "")
    assert await store.trail.verify((25, found.head_hash)) == found


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE audit SET who = 'eva' WHERE id = 3", "line 3 was changed"),
        ("UPDATE audit SET covert = NOT covert WHERE id = 3", "line 3 was changed"),
        ("DELETE FROM audit WHERE id = 2", "line 2 is missing"),
        ("UPDATE audit SET hash = 'x' WHERE id = 5", "line 5 was changed"),
    ],
)
async def test_whatever_is_changed_shows(store: AlertStore, statement: str, problem: str) -> None:
    for number in range(5):
        await store.audit("an", "alert.view", f"alert-{number}")
    await _unguarded(store, statement)
    assert (await store.trail.verify()).problem.startswith(problem)


async def test_a_head_that_was_kept_shows_an_end_that_is_gone(store: AlertStore) -> None:
    for number in range(5):
        await store.audit("an", "alert.view", f"alert-{number}")
    head = await store.trail.verify()
    await _unguarded(store, "DELETE FROM audit WHERE id > 3")
    assert (await store.trail.verify()).problem == ""
    assert "line 5 is gone" in (await store.trail.verify((5, head.head_hash))).problem
    assert "not the one that was noted" in (await store.trail.verify((3, "0" * 64))).problem


async def test_the_database_refuses_to_change_the_trail(store: AlertStore) -> None:
    await store.audit("an", "alert.view", "alert-1")
    for statement in (update(AUDIT).values(who="eva"), delete(AUDIT)):
        with pytest.raises(DBAPIError, match="append-only"):
            async with store.database.write() as connection:
                await connection.execute(statement)
    assert [line.who for line in await store.audit_lines()] == ["an"]


async def test_what_retention_cut_off_may_go_and_no_more(store: AlertStore) -> None:
    for number in range(4):
        await store.audit("an", "alert.view", f"alert-{number}")
    async with store.database.write() as connection:
        row = (await connection.execute(select(AUDIT).where(AUDIT.c.id == 2))).one()
        await connection.execute(insert(AUDIT_CUTS).values(through_id=2, hash=row.hash, at_ns=1))
        await connection.execute(delete(AUDIT).where(AUDIT.c.id <= 2))
    with pytest.raises(DBAPIError, match="append-only"):
        async with store.database.write() as connection:
            await connection.execute(delete(AUDIT).where(AUDIT.c.id == 3))
    found = await store.trail.verify()
    assert (found.lines, found.head_id, found.problem) == (2, 4, "")


async def test_lines_on_a_covert_alert_are_for_those_who_may_see_it(store: AlertStore) -> None:
    covert = make_alert(handling=Handling.COVERT, named_users=("cas",))
    await store.record(covert)
    await store.audit("bo", "alert.view", covert.alert_id)
    await store.audit("an", "page.view", "live")
    await store.trail.add(Deed("bo", "alerts.search", "{}", covert=True))

    def what(lines: list) -> list[str]:
        return [line.what for line in lines]

    assert what(await store.trail.lines(AUDITOR)) == ["page.view"]
    assert what(await store.trail.lines(OPERATOR)) == ["page.view"]
    assert what(await store.trail.lines(NAMED)) == ["page.view", "alert.view"]
    assert what(await store.trail.lines(DETECTIVE)) == ["alerts.search", "page.view", "alert.view"]


async def test_a_line_is_there_only_if_what_it_tells_of_is(store: AlertStore) -> None:
    async def fall() -> None:
        async with store.database.write() as connection:
            await store.trail.add_within(connection, Deed("an", "x", "y"))
            raise RuntimeError("fell")

    with pytest.raises(RuntimeError, match="fell"):
        await fall()
    await store.audit("an", "page.view", "live")
    assert (await store.trail.verify()).lines == 1


def test_a_head_is_read_as_it_is_printed() -> None:
    assert parse_head("12:" + "a" * 64) == (12, "a" * 64)
    for wrong in ("", "12", "x:" + "a" * 64, "12:" + "A" * 64, "12:abc"):
        with pytest.raises(ConfigurationError, match="NUMBER:HASH"):
            parse_head(wrong)


def _verify(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", "verify", *arguments])


async def _written(url: str, lines: int) -> AlertStore:
    store = AlertStore(url)
    await store.open()
    for number in range(lines):
        await store.audit("an", "alert.view", f"alert-{number}")
    return store


def test_the_command_says_whether_the_trail_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'alerts.db'}"
    monkeypatch.setenv("LIK_DATABASE_URL", url)

    async def write() -> None:
        await (await _written(url, 3)).close()

    async def change() -> None:
        store = await _written(url, 0)
        await _unguarded(store, "UPDATE audit SET why = 'x' WHERE id = 2")
        await store.close()

    asyncio.run(write())
    sound = _verify()
    assert sound.exit_code == 0
    head = sound.output.split("head ")[1].strip()
    assert sound.output == f"3 lines, unbroken; head {head}\n"
    assert _verify("--head", head).exit_code == 0
    longer = _verify("--head", "9:" + "0" * 64)
    assert (longer.exit_code, "line 9 is gone" in longer.output) == (1, True)
    asyncio.run(change())
    broken = _verify()
    assert broken.exit_code == 1
    assert "line 2 was changed" in broken.output
    assert "(1 lines before it are sound)" in broken.output
