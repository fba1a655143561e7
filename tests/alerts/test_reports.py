"""Information reports: drafted, versioned, sent once, and as covert as their alert."""

from __future__ import annotations

import asyncio
import hashlib

import msgspec
import pytest

from hotlists.entry import Handling, Priority
from pipeline.alerts import rir
from pipeline.alerts.reports import (
    LONGEST,
    Report,
    ReportChangedError,
    State,
    Text,
    UnknownReportError,
)
from pipeline.alerts.rows import UnknownAlertError, Verdict
from pipeline.alerts.store import AlertStore
from pipeline.telemetry import now_ns
from tests.alerts.viewers import AUDITOR, COLLEAGUE, DETECTIVE, ENGINEER, NAMED, OPERATOR, UNIT
from tests.factories import JPEG, make_alert, make_read

SHA256 = hashlib.sha256(JPEG).hexdigest()


def text_of(report: Report, **more: str) -> Text:
    """The text of a report as a page sends it back, with what was changed in it."""
    fields = {name: getattr(report.draft, name) for name in Text.__struct_fields__}
    return msgspec.convert({**fields, **more}, Text)


async def confirmed(store: AlertStore, plate: str = "1ABC123") -> Report:
    """The report of an alert that was just confirmed."""
    alert = make_alert(plate, read=make_read(plate, patch=JPEG))
    await store.record(alert)
    await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    report = await store.reports.of_alert(alert.alert_id, OPERATOR)
    assert report is not None
    return report


async def test_a_confirmed_hit_becomes_a_draft_that_has_not_left(store: AlertStore) -> None:
    report = await confirmed(store)
    draft = report.draft
    assert (report.state, report.version, report.sent_version) == (State.DRAFT, 1, None)
    assert (draft.plate_listed, draft.legal_basis, draft.final) == ("1ABC123", "WPA art. 44/2", False)
    assert (draft.source_evaluation, draft.information_evaluation, draft.handling_code) == ("X", "X", "H0")
    (attachment,) = draft.attachments
    assert (attachment.name, attachment.sha256, attachment.content) == (rir.PATCH, SHA256, None)
    assert await store.reports.attachment(draft.rir_id, rir.PATCH, OPERATOR) == JPEG
    assert [each.by for each in await store.reports.versions(draft.rir_id, OPERATOR)] == ["an"]
    assert await store.outbox.take_due(now_ns()) == []
    # Whoever asks for it again gets the same one.
    assert await store.reports.create(draft.alert_id, COLLEAGUE) == report


async def test_a_verdict_that_does_not_confirm_drafts_nothing(store: AlertStore) -> None:
    alert = make_alert()
    await store.record(alert)
    await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=OPERATOR)
    assert await store.reports.of_alert(alert.alert_id, OPERATOR) is None


async def test_what_was_drafted_at_once_is_in_the_outbox_with_its_alert(store: AlertStore) -> None:
    alert = make_alert(handling=Handling.COVERT, read=make_read(patch=JPEG, picture=JPEG))
    await store.record(alert, rir.draft(alert))
    await store.record(alert, rir.draft(alert))
    (leaving,) = await store.outbox.take_due(now_ns())
    assert leaving.draft == rir.draft(alert)
    assert [each.content for each in leaving.draft.attachments] == [JPEG, JPEG]
    report = await store.reports.get(leaving.draft.rir_id, DETECTIVE)
    assert (report.state, report.draft.handling_code) == (State.DRAFT, "H2")


async def test_an_edit_is_a_new_version_and_the_old_one_stays(store: AlertStore) -> None:
    report = await confirmed(store)
    rir_id = report.draft.rir_id
    changed = await store.reports.edit(
        rir_id, text_of(report, purpose="Opsporing", source_evaluation="A"), by=COLLEAGUE, version=1
    )
    assert (changed.version, changed.draft.purpose, changed.draft.source_evaluation) == (2, "Opsporing", "A")
    assert changed.draft.plate_listed == report.draft.plate_listed
    versions = await store.reports.versions(rir_id, OPERATOR)
    assert [(each.number, each.by) for each in versions] == [(1, "an"), (2, "eva")]
    assert [each.draft.purpose for each in versions] == ["", "Opsporing"]
    with pytest.raises(ReportChangedError):
        await store.reports.edit(rir_id, text_of(report), by=OPERATOR, version=1)


async def test_of_two_who_edit_at_once_one_is_told(store: AlertStore) -> None:
    report = await confirmed(store)
    rir_id = report.draft.rir_id
    tried = await asyncio.gather(
        *(
            store.reports.edit(rir_id, text_of(report, purpose=each.name), by=each, version=1)
            for each in (OPERATOR, COLLEAGUE, DETECTIVE)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(each, ReportChangedError) for each in tried) == 2
    assert (await store.reports.get(rir_id, OPERATOR)).version == 2


async def test_sending_makes_it_final_once(store: AlertStore) -> None:
    report = await confirmed(store)
    rir_id = report.draft.rir_id
    sent = await store.reports.send(rir_id, by=COLLEAGUE, version=1)
    assert (sent.state, sent.version, sent.draft.final, sent.draft.author) == (State.QUEUED, 2, True, "eva")
    for again in (
        store.reports.send(rir_id, by=OPERATOR, version=2),
        store.reports.send(rir_id, by=OPERATOR, version=1),
        store.reports.edit(rir_id, text_of(sent), by=OPERATOR, version=2),
    ):
        with pytest.raises(ReportChangedError):
            await again
    (leaving,) = await store.outbox.take_due(now_ns())
    assert (leaving.draft.version, leaving.draft.final) == (2, True)


async def test_a_receipt_is_of_the_version_it_names(store: AlertStore) -> None:
    report = await confirmed(store)
    rir_id = report.draft.rir_id
    await store.reports.acknowledge(rir_id, version=1, receipt="R-0")
    assert (await store.reports.get(rir_id, OPERATOR)).state is State.DRAFT
    await store.reports.send(rir_id, by=OPERATOR, version=1)
    await store.reports.acknowledge(rir_id, version=1, receipt="R-1")
    assert (await store.reports.get(rir_id, OPERATOR)).state is State.QUEUED
    await store.reports.acknowledge(rir_id, version=2, receipt="R-2")
    known = await store.reports.get(rir_id, OPERATOR)
    assert (known.state, known.receipt) == (State.ACKNOWLEDGED, "R-2")
    changed = await store.reports.edit(rir_id, text_of(known, what="Meer"), by=OPERATOR, version=2)
    assert (changed.state, changed.draft.final, changed.draft.author) == (State.DRAFT, False, "")
    with pytest.raises(UnknownReportError):
        await store.reports.acknowledge("0" * 32, version=1, receipt="")


@pytest.mark.parametrize("field", ["who", "what", "place", "purpose", "source"])
async def test_a_text_without_end_is_refused(store: AlertStore, field: str) -> None:
    report = await confirmed(store)
    for wrong in ("x" * (LONGEST + 1), "a\x00b"):
        with pytest.raises(ValueError, match=field):
            await store.reports.edit(
                report.draft.rir_id, text_of(report, **{field: wrong}), by=OPERATOR, version=1
            )
    with pytest.raises(msgspec.ValidationError):
        text_of(report, handling_code="H9")


async def test_a_covert_report_is_absent_for_all_but_those_it_names(store: AlertStore) -> None:
    alert = make_alert(handling=Handling.COVERT, named_users=("cas",), read=make_read(patch=JPEG))
    await store.record(alert, rir.draft(alert))
    rir_id = rir.report(alert).rir_id
    for user in (OPERATOR, AUDITOR, ENGINEER, UNIT):
        assert await store.reports.all(user) == []
        assert await store.reports.of_alert(alert.alert_id, user) is None
        for attempt in (
            store.reports.get(rir_id, user),
            store.reports.versions(rir_id, user),
            store.reports.attachment(rir_id, rir.PATCH, user),
            store.reports.send(rir_id, by=user, version=1),
        ):
            with pytest.raises(UnknownReportError):
                await attempt
        with pytest.raises(UnknownAlertError):
            await store.reports.create(alert.alert_id, user)
    for user in (NAMED, DETECTIVE):
        assert len(await store.reports.all(user)) == 1


async def test_reports_are_listed_newest_first_and_by_state(store: AlertStore) -> None:
    first, second = await confirmed(store, "1ABC123"), await confirmed(store, "2XYZ789")
    await store.reports.send(first.draft.rir_id, by=OPERATOR, version=1)
    listed = await store.reports.all(OPERATOR)
    assert [each.draft.rir_id for each in listed] == [second.draft.rir_id, first.draft.rir_id]
    queued = await store.reports.all(OPERATOR, state=State.QUEUED)
    assert [each.draft.rir_id for each in queued] == [first.draft.rir_id]


@pytest.mark.parametrize(("priority", "due"), [(Priority.CRITICAL, True), (Priority.NORMAL, False)])
def test_a_draft_is_made_at_once_where_the_report_desk_receives_the_alert(priority: Priority, due: bool) -> None:
    alert = make_alert(priority=priority)
    alert = msgspec.structs.replace(alert, recipients=["lik", "rir"] if due else ["lik"])
    assert (rir.draft(alert) is not None) is due
