"""What operators read on plates: kept with their verdict, and taken out as pairs without when and where."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from hotlists.entry import Handling
from pipeline.alerts.pairs import TruePlateError, as_csv, true_plate
from pipeline.alerts.rows import LookedAt, Remark
from pipeline.alerts.store import AlertStore, Verdict
from pipeline.cli import app
from pipeline.model import Alert, ReadKind
from plates.confusion import estimate, read_pairs
from tests.alerts.viewers import DETECTIVE, NAMED, OPERATOR, UNIT
from tests.factories import make_alert, make_read


def alert_of(read: str, listed: str, number: int = 0, handling: Handling = Handling.OPEN) -> Alert:
    """An alert of a read on an entry."""
    wild = set(listed) & {"?", "*"}
    kind = ReadKind.PATTERN if wild else ReadKind.EXACT if read == listed else ReadKind.NEAR
    made = make_alert(listed, read=make_read(read), handling=handling)
    return msgspec.structs.replace(
        made, alert_id=f"{number:032x}", hit=msgspec.structs.replace(made.hit, kind=kind)
    )


@pytest.mark.parametrize(
    ("given", "plate"),
    [
        ("", ""),
        (" \t", ""),
        ("1-abc-128", "1ABC128"),
        ("B 1-ABC-128", "1ABC128"),
        ("АВ1234", "AB1234"),
        ("Ö 12 AB", "O12AB"),
        ("x" * 10, "X" * 10),
    ],
)
def test_it_is_normalised_as_plates_are(given: str, plate: str) -> None:
    assert true_plate(given) == plate


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("1AB?128", "wild"),
        ("1AB＊", "wild"),
        ("1ABC128;1ABC129", "several"),
        ("1ЖБЦ128", "letters"),
        ("--", "few"),
        ("7", "few"),
        ("\0", "few"),
        ("1ABC1234567", "long"),
        ("9" * 5000, "long"),
    ],
)
def test_what_would_become_another_plate_is_refused(given: str, code: str) -> None:
    with pytest.raises(TruePlateError) as caught:
        true_plate(given)
    assert caught.value.code == code


async def test_it_is_kept_with_its_verdict_and_no_other(store: AlertStore) -> None:
    alert = alert_of("1ABC128", "1ABC123")
    await store.record(alert)
    first = await store.acknowledge(
        alert.alert_id, Verdict.MISREAD, by=OPERATOR, remark=Remark("vuil", "1-abc-129")
    )
    assert first.acknowledgement is not None
    assert (first.acknowledgement.true_plate, first.acknowledgement.note) == ("1ABC129", "vuil")
    second = await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=NAMED)
    assert second.acknowledgement is not None
    assert second.acknowledgement.true_plate == ""
    third = await store.acknowledge(
        alert.alert_id, Verdict.MISREAD, by=NAMED, remark=Remark(true_plate="1ABC128"), looked_at=LookedAt(2)
    )
    history = await store.claims.history(alert.alert_id, OPERATOR)
    assert [(each.number, each.by, each.true_plate) for each in history] == [
        (1, OPERATOR.name, "1ABC129"),
        (2, NAMED.name, ""),
        (3, NAMED.name, "1ABC128"),
    ]
    assert history[-1] == third.acknowledgement


@pytest.mark.parametrize(
    ("read", "listed", "given"),
    [("1ABC123", "1ABC123", "1-ABC-123"), ("1ABC128", "1ABC123", "1abc123"), ("1ABC128", "1AB*", "1ABC129")],
)
async def test_the_plate_that_is_looked_for_is_no_misread(
    store: AlertStore, read: str, listed: str, given: str
) -> None:
    alert = alert_of(read, listed)
    await store.record(alert)
    with pytest.raises(TruePlateError) as caught:
        await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=OPERATOR, remark=Remark(true_plate=given))
    assert caught.value.code == "listed"
    row = await store.get(alert.alert_id, OPERATOR)
    assert (row.acknowledgement, await store.claims.history(alert.alert_id, OPERATOR)) == (None, [])


async def test_no_other_verdict_has_one(store: AlertStore) -> None:
    alert = alert_of("1ABC128", "1ABC123")
    await store.record(alert)
    for verdict in (Verdict.CONFIRMED, Verdict.NOT_CURRENT, Verdict.NO_ACTION):
        with pytest.raises(TruePlateError) as caught:
            await store.acknowledge(alert.alert_id, verdict, by=OPERATOR, remark=Remark(true_plate="1ABC129"))
        assert caught.value.code == "verdict"
    assert await store.claims.history(alert.alert_id, OPERATOR) == []


async def test_a_covert_history_is_not_there_for_others(store: AlertStore) -> None:
    alert = alert_of("1ABC128", "1ABC123", handling=Handling.COVERT)
    await store.record(alert)
    await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=DETECTIVE, remark=Remark(true_plate="1ABC129"))
    assert len(await store.claims.history(alert.alert_id, DETECTIVE)) == 1
    for viewer in (OPERATOR, UNIT):
        assert await store.claims.history(alert.alert_id, viewer) == []


async def test_a_database_from_before_is_read_and_goes_on(store: AlertStore) -> None:
    alert = alert_of("1ABC128", "1ABC123")
    await store.record(alert)
    await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=OPERATOR, remark=Remark("een 8"))
    async with store.database.write() as connection:
        await connection.execute(text("DROP TABLE true_plates"))
    await store.open()
    row = await store.get(alert.alert_id, OPERATOR)
    assert row.acknowledgement is not None
    assert (row.acknowledgement.note, row.acknowledgement.true_plate) == ("een 8", "")
    await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=OPERATOR, remark=Remark(true_plate="1ABC129"))
    assert [each.true_plate for each in await store.claims.history(alert.alert_id, OPERATOR)] == ["", "1ABC129"]


async def judged(store: AlertStore) -> None:
    """Alerts of every kind with a verdict, the covert ones by a detective."""
    verdicts = [
        ("1ABC128", "1ABC123", Verdict.MISREAD, "1ABC129"),
        ("2BCD456", "2BCD456", Verdict.MISREAD, "2BCO456"),
        ("2BCD457", "2BCD457", Verdict.MISREAD, ""),
        ("3EFG789", "3EFG789", Verdict.CONFIRMED, ""),
        ("4HJK0I2", "4HJK012", Verdict.CONFIRMED, ""),
        ("5LMN345", "5LM*", Verdict.CONFIRMED, ""),
        ("6PRS678", "6PRS678", Verdict.NOT_CURRENT, ""),
        ("7TUV901", "7TUV901", Verdict.NO_ACTION, ""),
    ]
    for number, (read, listed, verdict, true) in enumerate(verdicts):
        for handling, by in ((Handling.OPEN, OPERATOR), (Handling.COVERT, DETECTIVE)):
            covert = handling is Handling.COVERT
            mark = "X" if covert else ""
            alert = alert_of(read + mark, listed + mark, 2 * number + covert, handling)
            await store.record(alert)
            remark = Remark("nota", true)
            await store.acknowledge(alert.alert_id, verdict, by=by, remark=remark)
    await store.record(alert_of("8WXY234", "8WXY234", 99))


PAIRS = [("1ABC128", "1ABC129"), ("2BCD456", "2BCO456"), ("3EFG789", "3EFG789"), ("4HJK0I2", "4HJK012")]


async def test_pairs_are_what_the_verdicts_tell(store: AlertStore) -> None:
    await judged(store)
    assert await store.pairs.take(who="shell:inge", why="nieuwe tabel") == PAIRS
    line = (await store.audit_lines())[0]
    assert (line.who, line.what, line.target, line.why) == (
        "shell:inge",
        "confusion.export",
        "4 pairs",
        "nieuwe tabel",
    )


async def test_the_latest_verdict_counts(store: AlertStore) -> None:
    alert = alert_of("1ABC128", "1ABC123")
    await store.record(alert)

    async def after(verdict: Verdict, true: str = "") -> list[tuple[str, str]]:
        await store.acknowledge(alert.alert_id, verdict, by=OPERATOR, remark=Remark(true_plate=true))
        return await store.pairs.take(who="shell:inge", why="test")

    assert await after(Verdict.MISREAD, "1ABC129") == [("1ABC128", "1ABC129")]
    assert await after(Verdict.MISREAD) == []
    assert await after(Verdict.MISREAD, "1ABC128") == [("1ABC128", "1ABC128")]
    assert await after(Verdict.NO_ACTION) == []
    assert await after(Verdict.CONFIRMED) == [("1ABC128", "1ABC123")]


def test_the_command_writes_what_estimate_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'alerts.db'}"
    monkeypatch.setenv("LIK_DATABASE_URL", url)

    async def fill() -> None:
        store = AlertStore(url)
        await store.open()
        await judged(store)
        await store.close()

    asyncio.run(fill())
    out = tmp_path / "pairs.csv"
    done = CliRunner().invoke(app, ["confusion", "export", "--why", "tabel van de zone", "--out", str(out)])
    assert done.output.startswith("4 pairs: ")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.read_text() == "seen,true\n" + "".join(f"{seen},{true}\n" for seen, true in PAIRS)
    assert read_pairs(out) == PAIRS
    table = tmp_path / "confusion.json"
    made = CliRunner().invoke(app, ["confusion", "estimate", str(out), "--out", str(table)])
    assert "4 pairs" in made.output

    async def lines() -> list[str]:
        store = AlertStore(url)
        await store.open()
        found = [each.why for each in await store.audit_lines() if each.what == "confusion.export"]
        await store.close()
        return found

    # Without a reason, or without a place for it, nothing leaves the desk.
    assert CliRunner().invoke(app, ["confusion", "export", "--why", " "]).exit_code == 1
    nowhere = CliRunner().invoke(app, ["confusion", "export", "--why", "x", "--out", str(tmp_path / "no" / "x")])
    assert nowhere.exit_code == 1
    assert asyncio.run(lines()) == ["tabel van de zone"]


def test_pairs_teach_the_table() -> None:
    pairs = [("1ABC128", "1ABC123")] * 300
    assert as_csv(pairs[:1]) == "seen,true\n1ABC128,1ABC123\n"
    learnt, before = estimate(pairs), estimate([])
    assert learnt.matrix[4, 9] > 10 * before.matrix[4, 9]
