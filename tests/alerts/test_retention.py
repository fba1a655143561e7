"""What is past its period goes, with all that hangs on it; what went is told, and the trail still verifies."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import func, select

from hotlists.entry import Handling
from pipeline import telemetry, topics
from pipeline.alerts import retention, rir
from pipeline.alerts.deliveries import Round
from pipeline.alerts.retention import DAY_NS, periods_days
from pipeline.alerts.rows import Remark, UnknownAlertError, Verdict
from pipeline.alerts.store import AlertStore
from pipeline.alerts.tables import (
    ACKNOWLEDGEMENTS,
    DELIVERIES,
    METADATA,
    NAMED,
    OUTBOX,
    PICTURES,
    RIR_ATTACHMENTS,
    RIR_REPORTS,
    RIR_VERSIONS,
    SIGHTINGS,
    TRUE_PLATES,
)
from pipeline.model import Alert
from pipeline.settings import Settings
from tests.alerts.viewers import AUDITOR, DETECTIVE, OPERATOR
from tests.factories import JPEG, make_alert, make_read

SETTINGS = Settings(
    keep_alerts_days=100,
    keep_pictures_days=10,
    keep_deliveries_days=20,
    keep_reports_days=200,
    keep_audit_days=400,
)


def _alert(plate: str, days: float, **hit: object) -> Alert:
    alert = make_alert(plate, read=make_read(plate, patch=JPEG, picture=JPEG), **hit)
    return msgspec.structs.replace(alert, created_at_ns=telemetry.now_ns() - int(days * DAY_NS))


async def _count(store: AlertStore, table: object) -> int:
    async with store.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def test_what_is_past_its_period_goes_and_nothing_else(store: AlertStore) -> None:
    young, faded, old = _alert("1ABC123", 9.9), _alert("2XYZ789", 10.1), _alert("3OLD333", 100.1)
    for alert in (young, faded, old):
        await store.record(alert)
        await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    removals = await store.retention.enforce(SETTINGS)
    assert {each.kind: each.removed for each in removals} == {"pictures": 4, "alerts": 1}
    assert await store.patch(young.alert_id, OPERATOR) == JPEG
    row = await store.get(faded.alert_id, OPERATOR)
    assert (row.has_patch, row.has_picture) == (False, False)
    assert await store.picture(faded.alert_id, OPERATOR) is None
    with pytest.raises(UnknownAlertError):
        await store.get(old.alert_id, OPERATOR)
    # The report has a period of its own, and its attachments with it.
    report = await store.reports.get(rir.report(old).rir_id, OPERATOR)
    assert await store.reports.attachment(report.draft.rir_id, rir.PATCH, OPERATOR) == JPEG
    assert await store.retention.enforce(SETTINGS) == []


async def test_nothing_is_left_of_an_alert_that_went(store: AlertStore) -> None:
    old = _alert("1ABC123", 101, handling=Handling.COVERT, named_users=("cas",))
    open_one = _alert("2XYZ789", 101)
    await store.record(old, rir.draft(old))
    await store.record(open_one)
    await store.acknowledge(open_one.alert_id, Verdict.MISREAD, by=OPERATOR, remark=Remark(true_plate="2XYZ788"))
    await store.acknowledge(open_one.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    assert await _count(store, TRUE_PLATES) == 1
    await store.deliveries.open_round(Round(open_one, 1, 0), ["Ploeg"], escalate_at_ns=None)
    assert await _count(store, DELIVERIES) == 1
    await store.retention.enforce(SETTINGS)
    for table in (SIGHTINGS, ACKNOWLEDGEMENTS, TRUE_PLATES, NAMED, PICTURES, DELIVERIES):
        assert await _count(store, table) == 0
    assert await store.count() == 0


async def test_a_report_goes_with_its_versions_and_what_had_yet_to_leave(
    store: AlertStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = make_alert(handling=Handling.COVERT, read=make_read(patch=JPEG))
    await store.record(alert, rir.draft(alert))
    now_ns = telemetry.now_ns()
    monkeypatch.setattr(telemetry, "now_ns", lambda: now_ns + 201 * DAY_NS)
    await store.retention.enforce(SETTINGS)
    for table in (RIR_REPORTS, RIR_VERSIONS, RIR_ATTACHMENTS, OUTBOX):
        assert await _count(store, table) == 0


async def test_the_trail_is_cut_off_and_still_verifies(store: AlertStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        await store.audit("an", "alert.view", f"alert-{number}")
    now_ns = telemetry.now_ns()
    monkeypatch.setattr(telemetry, "now_ns", lambda: now_ns + 401 * DAY_NS)
    await store.audit("an", "page.view", "live")
    (removal,) = await store.retention.enforce(SETTINGS)
    assert (removal.kind, removal.removed) == ("audit", 3)
    assert [line.what for line in await store.audit_lines()] == ["retention.remove", "page.view"]
    found = await store.trail.verify()
    assert (found.lines, found.problem) == (2, "")


async def test_each_run_is_told_and_audited_and_covert_ones_to_those_who_may_know(store: AlertStore) -> None:
    await store.record(_alert("1ABC123", 101))
    await store.record(_alert("2XYZ789", 101, handling=Handling.COVERT))
    await store.retention.enforce(SETTINGS)
    open_ones = [(each.kind, each.removed) for each in await store.retention.removals(AUDITOR)]
    assert open_ones == [("alerts", 1), ("pictures", 2)]
    assert len(await store.retention.removals(DETECTIVE)) == 4
    lines = await store.trail.lines(AUDITOR)
    assert [(line.who, line.target) for line in lines] == [
        (retention.ACTOR, "alerts"),
        (retention.ACTOR, "pictures"),
    ]
    assert len(await store.trail.lines(DETECTIVE)) == 4


async def test_more_than_a_batch_goes_in_one_run(store: AlertStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    for number in range(8):
        await store.record(_alert(f"1ABC00{number}", 101))
    removals = await store.retention.enforce(SETTINGS)
    assert {each.kind: each.removed for each in removals} == {"alerts": 8, "pictures": 16}


async def test_the_page_shows_what_is_kept_as_far_as_one_may_see(store: AlertStore) -> None:
    await store.record(_alert("1ABC123", 5))
    await store.record(_alert("2XYZ789", 7, handling=Handling.COVERT))
    await store.audit("an", "page.view", "live")
    kept = {each.kind: each for each in await store.retention.kept(OPERATOR, SETTINGS)}
    assert (kept["alerts"].count, kept["pictures"].count, kept["alerts"].period_days) == (1, 2, 100)
    assert (kept["reports"].count, kept["reports"].oldest_ns, kept["audit"].count) == (0, None, 1)
    assert (kept[topics.READS].period_days, kept[topics.READS].count) == (1, None)
    every = {each.kind: each for each in await store.retention.kept(DETECTIVE, SETTINGS)}
    assert every["alerts"].count == 2
    assert every["alerts"].oldest_ns < kept["alerts"].oldest_ns


def test_nothing_of_an_alert_is_kept_longer_than_the_alert() -> None:
    periods = periods_days(Settings(keep_alerts_days=5, keep_pictures_days=30, keep_deliveries_days=90))
    assert (periods["pictures"], periods["deliveries"]) == (5, 5)


def test_no_period_is_longer_than_the_law_allows() -> None:
    with pytest.raises(ValueError, match="keep_alerts_days"):
        Settings(keep_alerts_days=366)


def test_every_table_that_names_an_alert_goes_with_it() -> None:
    """A table that is added later must not keep what retention thinks is gone."""
    known = {"rir_reports"}
    for table in METADATA.tables.values():
        if "alert_id" not in table.columns or table.name in known | {"alerts"}:
            continue
        (key,) = table.columns["alert_id"].foreign_keys
        assert key.ondelete == "CASCADE", table.name
