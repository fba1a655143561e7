"""Information reports (RIR) in the store: drafts, versions, states, and the outbox by which they leave.

A report's text has versions; none is ever changed. Sending a version writes it to the outbox in the same
transaction as the new state, so that what the desk shows as queued does leave, whatever falls in between.

| state | meaning |
| --- | --- |
| draft | drafted or edited; nobody has sent this version |
| queued | sent by somebody; not yet on ``rir.intake`` |
| sent | on ``rir.intake``; the intake has not acknowledged it |
| acknowledged | the intake has it |
| refused | the intake refused it, with its words in `Report.problem`; edit it and send it again |

What is drafted by itself leaves as a draft (`RirDraft.final` is false) and stays one here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hotlists.entry import Handling
from pipeline import telemetry
from pipeline.alerts import rir
from pipeline.alerts.database import Database
from pipeline.alerts.rows import UnknownAlertError
from pipeline.alerts.tables import (
    ALERTS,
    OUTBOX,
    PICTURES,
    RIR_ATTACHMENTS,
    RIR_NAMED,
    RIR_REPORTS,
    RIR_VERSIONS,
)
from pipeline.alerts.viewer import Viewer, may_see, may_see_report
from pipeline.model import Alert, RirDraft, decode, encode

LONGEST: Final = 20_000
"""Characters of one field of a report."""


class State(StrEnum):
    """How far a report is."""

    DRAFT = "draft"
    QUEUED = "queued"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person writes in a report; the facts of the hit are not theirs to change."""

    who: str
    what: str
    place: str
    purpose: str
    source: str
    source_evaluation: rir.SourceEvaluation
    information_evaluation: rir.InformationEvaluation
    handling_code: rir.HandlingCode


@dataclass(frozen=True, slots=True)
class Report:
    """A report's latest version, and how far it is."""

    draft: RirDraft
    state: State
    version: int
    changed_at_ns: int
    sent_version: int | None
    """The latest version that has left."""
    receipt: str
    """The intake's own number for it, where it gave one."""
    problem: str
    """Why it has not left yet, or was refused; empty where all is well."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a report's text."""

    number: int
    by: str
    at_ns: int
    draft: RirDraft


class UnknownReportError(LookupError):
    """There is no such report, or not for this viewer."""


class ReportChangedError(Exception):
    """Somebody else has changed or sent the report since the version that was edited."""


class Reports:
    """The reports in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.wording = rir.DUTCH

    async def create(self, alert_id: str, by: Viewer) -> Report:
        """Draft the report of an alert, or return the one that there is.

        Raises
        ------
        UnknownAlertError
            There is none of that id, or `by` may not see it.
        """
        query = select(ALERTS.c.payload).where(ALERTS.c.alert_id == alert_id, may_see(by))
        async with self._database.write() as connection:
            payload = (await connection.execute(query)).scalar()
            if payload is None:
                raise UnknownAlertError(alert_id)
            draft = await self.draft_stored(connection, decode(payload, Alert), by=by.name)
        return await self.get(draft.rir_id, by)

    async def get(self, rir_id: str, user: Viewer) -> Report:
        """Return one report.

        Raises
        ------
        UnknownReportError
            There is none of that id, or `user` may not see it.
        """
        found = await self._reports(_visible(user).where(RIR_REPORTS.c.rir_id == rir_id))
        if not found:
            raise UnknownReportError(rir_id)
        return found[0]

    async def of_alert(self, alert_id: str, user: Viewer) -> Report | None:
        """Return an alert's report, or None where there is none that `user` may see."""
        found = await self._reports(_visible(user).where(RIR_REPORTS.c.alert_id == alert_id))
        return found[0] if found else None

    async def all(
        self, user: Viewer, *, state: State | None = None, before_ns: int | None = None, limit: int = 100
    ) -> list[Report]:
        """Return the newest reports, newest first; with `before_ns`, those created before it."""
        query = _visible(user)
        if state is not None:
            query = query.where(RIR_REPORTS.c.state == state.value)
        if before_ns is not None:
            query = query.where(RIR_REPORTS.c.created_at_ns < before_ns)
        newest = (RIR_REPORTS.c.created_at_ns.desc(), RIR_REPORTS.c.rir_id)
        return await self._reports(query.order_by(*newest).limit(limit))

    async def versions(self, rir_id: str, user: Viewer) -> list[Version]:
        """Return every version of a report, oldest first.

        Raises
        ------
        UnknownReportError
            As `get`.
        """
        await self.get(rir_id, user)
        query = select(RIR_VERSIONS).where(RIR_VERSIONS.c.rir_id == rir_id).order_by(RIR_VERSIONS.c.version)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Version(row.version, row.by, row.at_ns, decode(row.payload, RirDraft)) for row in rows]

    async def attachment(self, rir_id: str, name: str, user: Viewer) -> bytes:
        """Return the content of an attachment.

        Raises
        ------
        UnknownReportError
            As `get`, or the report has no attachment of that name.
        """
        query = (
            select(RIR_ATTACHMENTS.c.content)
            .join(RIR_REPORTS, RIR_REPORTS.c.rir_id == RIR_ATTACHMENTS.c.rir_id)
            .where(RIR_ATTACHMENTS.c.rir_id == rir_id, RIR_ATTACHMENTS.c.name == name, may_see_report(user))
        )
        async with self._database.read() as connection:
            content: bytes | None = (await connection.execute(query)).scalar()
        if content is None:
            raise UnknownReportError(rir_id)
        return content

    async def edit(self, rir_id: str, text: Text, *, by: Viewer, version: int) -> Report:
        """Store a new version of the text; `version` is the one that was edited.

        Raises
        ------
        UnknownReportError
            As `get`.
        ReportChangedError
            The report has another version by now, or was sent and has not arrived yet.
        ValueError
            A field has more than `LONGEST` characters, or a NUL.
        """
        fields = msgspec.structs.asdict(text)
        for name, value in fields.items():
            if len(value) > LONGEST or "\x00" in value:
                raise ValueError(f"{name}: at most {LONGEST} characters, and no NUL")
        async with self._database.write() as connection:
            row = await self._locked(connection, rir_id, by, version)
            if row.state == State.QUEUED.value:
                raise ReportChangedError(rir_id)
            latest = await _version(connection, rir_id, row.version)
            draft = msgspec.structs.replace(latest, **fields, version=row.version + 1, final=False, author="")
            await _add_version(connection, draft, by.name)
            await _set(connection, rir_id, state=State.DRAFT.value, version=draft.version, problem="")
        return await self.get(rir_id, by)

    async def send(self, rir_id: str, *, by: Viewer, version: int) -> Report:
        """Send a report as it is: it becomes final under the sender's name, and goes into the outbox.

        Raises
        ------
        UnknownReportError
            As `get`.
        ReportChangedError
            The report has another version by now, or was sent already.
        """
        async with self._database.write() as connection:
            row = await self._locked(connection, rir_id, by, version)
            if row.state not in (State.DRAFT.value, State.REFUSED.value):
                raise ReportChangedError(rir_id)
            latest = await _version(connection, rir_id, row.version)
            draft = msgspec.structs.replace(latest, version=row.version + 1, final=True, author=by.name)
            await _add_version(connection, draft, by.name)
            await _set(connection, rir_id, state=State.QUEUED.value, version=draft.version, problem="")
            await _queue(connection, rir_id, draft.version)
        return await self.get(rir_id, by)

    async def acknowledge(self, rir_id: str, *, version: int, receipt: str) -> None:
        """Note that the intake has a version; one that is not the latest final one changes no state.

        Raises
        ------
        UnknownReportError
            There is none of that id.
        """
        async with self._database.write() as connection:
            query = select(RIR_REPORTS).where(RIR_REPORTS.c.rir_id == rir_id)
            row = (await connection.execute(query)).first()
            if row is None:
                raise UnknownReportError(rir_id)
            values: dict[str, Any] = {"receipt": receipt[:256], "problem": ""}
            if row.version == version and row.state in (State.QUEUED.value, State.SENT.value):
                values["state"] = State.ACKNOWLEDGED.value
            await _set(connection, rir_id, **values)

    async def draft_stored(self, connection: AsyncConnection, alert: Alert, *, by: str) -> RirDraft:
        """Draft the report of an alert that is in the store, with its stored pictures; the one there is stays."""
        query = select(PICTURES.c.kind, PICTURES.c.content).where(PICTURES.c.alert_id == alert.alert_id)
        names = {"patch": rir.PATCH, "picture": rir.PICTURE}
        pictures = {names[row.kind]: row.content for row in await connection.execute(query)}
        drafted = rir.report(alert, self.wording)
        draft = msgspec.structs.replace(drafted, attachments=rir.attachments(pictures))
        await add_draft(connection, draft, by=by, named=alert.hit.entry.named_users, leave=False)
        return draft

    async def _locked(self, connection: AsyncConnection, rir_id: str, by: Viewer, version: int) -> Any:
        query = select(RIR_REPORTS).where(RIR_REPORTS.c.rir_id == rir_id, may_see_report(by)).with_for_update()
        row = (await connection.execute(query)).first()
        if row is None:
            raise UnknownReportError(rir_id)
        if row.version != version:
            raise ReportChangedError(rir_id)
        return row

    async def _reports(self, query: Any) -> list[Report]:
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            Report(
                draft=decode(row.payload, RirDraft),
                state=State(row.state),
                version=row.version,
                changed_at_ns=row.changed_at_ns,
                sent_version=row.sent_version,
                receipt=row.receipt,
                problem=row.problem,
            )
            for row in rows
        ]


async def add_draft(
    connection: AsyncConnection, draft: RirDraft, *, by: str, named: Iterable[str], leave: bool
) -> None:
    """Store a new report, in the transaction of what called for it; one that is there already stays as it is.

    Parameters
    ----------
    leave
        Put it into the outbox at once, as a draft.
    """
    known = select(RIR_REPORTS.c.rir_id).where(RIR_REPORTS.c.rir_id == draft.rir_id)
    if (await connection.execute(known)).first() is not None:
        return
    covert = draft.handling is Handling.COVERT
    now_ns = telemetry.now_ns()
    await connection.execute(
        insert(RIR_REPORTS).values(
            rir_id=draft.rir_id,
            alert_id=draft.alert_id,
            covert=covert,
            state=State.DRAFT.value,
            version=draft.version,
            created_at_ns=now_ns,
            changed_at_ns=now_ns,
            sent_version=None,
            receipt="",
            problem="",
        )
    )
    names = [{"rir_id": draft.rir_id, "user": name} for name in set(named)] if covert else []
    if names:
        await connection.execute(insert(RIR_NAMED), names)
    contents = [
        {"rir_id": draft.rir_id, "name": each.name, "content": each.content}
        for each in draft.attachments
        if each.content is not None
    ]
    if contents:
        await connection.execute(insert(RIR_ATTACHMENTS), contents)
    await _add_version(connection, draft, by)
    if leave:
        await _queue(connection, draft.rir_id, draft.version)


async def _add_version(connection: AsyncConnection, draft: RirDraft, by: str) -> None:
    bare: Sequence[Any] = [msgspec.structs.replace(each, content=None) for each in draft.attachments]
    payload = encode(msgspec.structs.replace(draft, attachments=list(bare)))
    await connection.execute(
        insert(RIR_VERSIONS).values(
            rir_id=draft.rir_id, version=draft.version, by=by, at_ns=telemetry.now_ns(), payload=payload
        )
    )


async def _version(connection: AsyncConnection, rir_id: str, version: int) -> RirDraft:
    query = select(RIR_VERSIONS.c.payload).where(
        RIR_VERSIONS.c.rir_id == rir_id, RIR_VERSIONS.c.version == version
    )
    return decode((await connection.execute(query)).scalar_one(), RirDraft)


async def _queue(connection: AsyncConnection, rir_id: str, version: int) -> None:
    now_ns = telemetry.now_ns()
    await connection.execute(
        insert(OUTBOX).values(
            rir_id=rir_id, version=version, created_at_ns=now_ns, attempts=0, next_at_ns=now_ns, problem=""
        )
    )


async def _set(connection: AsyncConnection, rir_id: str, **values: Any) -> None:
    values["changed_at_ns"] = telemetry.now_ns()
    await connection.execute(update(RIR_REPORTS).where(RIR_REPORTS.c.rir_id == rir_id).values(**values))


def _visible(user: Viewer) -> Any:
    latest = (RIR_VERSIONS.c.rir_id == RIR_REPORTS.c.rir_id) & (RIR_VERSIONS.c.version == RIR_REPORTS.c.version)
    return (
        select(RIR_REPORTS, RIR_VERSIONS.c.payload)
        .select_from(RIR_REPORTS.join(RIR_VERSIONS, latest))
        .where(may_see_report(user))
    )
