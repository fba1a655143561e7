"""The outbox of information reports: what was written there leaves for ``rir.intake``, and for an HTTP intake.

In this order, for each version of a report, oldest first:

1. put it on ``rir.intake`` and wait until Kafka has acknowledged it;
2. note that; the desk shows the report as sent;
3. where `Settings.rir_intake_url` is set, post it there under the ``Idempotency-Key`` ``RIR_ID:VERSION``;
4. note the intake's answer; the desk shows the report as acknowledged, or as refused.

A fall in between means that it leaves again: at least once, and the same report and version each time. What the
intake refuses for what it says (400, 413, 415, 422) would be refused again, and waits for a person; anything else
is tried until it succeeds, and the desk shows why it has not yet.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

import httpx
import msgspec
from sqlalchemy import exists, select, update
from sqlalchemy import func as sql

from pipeline import telemetry, topics
from pipeline.alerts.database import Database
from pipeline.alerts.reports import Reports, State
from pipeline.alerts.tables import OUTBOX, RIR_ATTACHMENTS, RIR_REPORTS, RIR_VERSIONS
from pipeline.alerts.viewer import Viewer, may_see_report
from pipeline.errors import UnavailableError
from pipeline.model import Attachment, RirDraft, decode, encode
from pipeline.settings import Settings
from pipeline.topics import Publisher

log = logging.getLogger(__name__)

LEASE_NS: Final = 60_000_000_000
GAUGE_NS: Final = 5_000_000_000
"""How often is measured what waits: it must be seen in minutes, and each time is a query."""
BACKOFF_S: Final = (1.0, 5.0, 15.0, 60.0, 300.0)
TIMEOUT_S: Final = 15.0
REFUSED: Final = frozenset({400, 413, 415, 422})
LONGEST_ANSWER: Final = 65_536
_BASE64: Final = 4 / 3


@dataclass(frozen=True, slots=True)
class Leaving:
    """One version of a report that must leave."""

    number: int
    draft: RirDraft
    attempts: int
    on_topic: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """What has yet to leave."""

    waiting: int
    oldest_at_ns: int | None
    """When the oldest of them was to leave; None where there is none."""


class Outbox:
    """The outbox in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take_due(self, now_ns: int, limit: int = 20) -> list[Leaving]:
        """Take what must leave now, one version of a report at a time; nobody else gets it for `LEASE_NS`."""
        earlier = OUTBOX.alias()
        before = exists().where(
            earlier.c.rir_id == OUTBOX.c.rir_id, earlier.c.id < OUTBOX.c.id, earlier.c.next_at_ns.is_not(None)
        )
        due = select(OUTBOX).where(OUTBOX.c.next_at_ns <= now_ns, ~before).order_by(OUTBOX.c.id).limit(limit)
        async with self._database.read() as connection:
            if (await connection.execute(due.limit(1))).first() is None:
                return []
        async with self._database.write() as connection:
            rows = (await connection.execute(due.with_for_update(skip_locked=True))).all()
            numbers = [row.id for row in rows]
            await connection.execute(
                update(OUTBOX).where(OUTBOX.c.id.in_(numbers)).values(next_at_ns=now_ns + LEASE_NS)
            )
            return [
                Leaving(row.id, await _draft(connection, row), row.attempts, row.on_topic_at_ns is not None)
                for row in rows
            ]

    async def waiting(self) -> int:
        """Count what has yet to leave, covert reports too."""
        return (await self.backlog()).waiting

    async def backlog(self, user: Viewer | None = None) -> Backlog:
        """Sum up what has yet to leave: of the reports that `user` may see, or of all without one."""
        query = select(sql.count(), sql.min(OUTBOX.c.created_at_ns)).where(OUTBOX.c.next_at_ns.is_not(None))
        if user is not None:
            of_report = RIR_REPORTS.c.rir_id == OUTBOX.c.rir_id
            query = query.select_from(OUTBOX.join(RIR_REPORTS, of_report)).where(may_see_report(user))
        async with self._database.read() as connection:
            waiting, oldest_at_ns = (await connection.execute(query)).one()
        return Backlog(waiting, oldest_at_ns)

    async def sent(self, leaving: Leaving) -> None:
        """Note that Kafka has acknowledged it."""
        draft, now_ns = leaving.draft, telemetry.now_ns()
        async with self._database.write() as connection:
            await connection.execute(
                update(OUTBOX).where(OUTBOX.c.id == leaving.number).values(on_topic_at_ns=now_ns)
            )
            mine = RIR_REPORTS.c.rir_id == draft.rir_id
            await connection.execute(
                update(RIR_REPORTS).where(mine).values(sent_version=draft.version, problem="")
            )
            current = (RIR_REPORTS.c.version == draft.version) & (RIR_REPORTS.c.state == State.QUEUED.value)
            await connection.execute(
                update(RIR_REPORTS).where(mine, current).values(state=State.SENT.value, changed_at_ns=now_ns)
            )

    async def done(self, leaving: Leaving) -> None:
        """Note that it has left everywhere."""
        async with self._database.write() as connection:
            await connection.execute(
                update(OUTBOX)
                .where(OUTBOX.c.id == leaving.number)
                .values(next_at_ns=None, done_at_ns=telemetry.now_ns(), problem="")
            )

    async def failed(self, leaving: Leaving, problem: str, *, retry_at_ns: int | None) -> None:
        """Note what went wrong, for the desk to see; without a `retry_at_ns`, it was refused for good."""
        draft = leaving.draft
        async with self._database.write() as connection:
            await connection.execute(
                update(OUTBOX)
                .where(OUTBOX.c.id == leaving.number)
                .values(next_at_ns=retry_at_ns, attempts=leaving.attempts + 1, problem=problem)
            )
            mine = RIR_REPORTS.c.rir_id == draft.rir_id
            await connection.execute(update(RIR_REPORTS).where(mine).values(problem=problem))
            if retry_at_ns is None and draft.final:
                current = mine & (RIR_REPORTS.c.version == draft.version)
                await connection.execute(update(RIR_REPORTS).where(current).values(state=State.REFUSED.value))


class Dispatcher:
    """Empties the outbox.

    Parameters
    ----------
    settings
        Where the HTTP intake is, if there is one.
    outbox, reports
        Of an open store.
    publisher
        Running.
    client
        What the HTTP intake is posted to with.
    """

    def __init__(
        self, settings: Settings, outbox: Outbox, reports: Reports, publisher: Publisher, client: httpx.AsyncClient
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._reports = reports
        self._publisher = publisher
        self._client = client
        self._gauged_at_ns = 0

    async def step(self) -> int:
        """Send what is due now; return how much that was."""
        due = await self._outbox.take_due(telemetry.now_ns())
        for leaving in due:
            await self._send(leaving)
        if telemetry.now_ns() - self._gauged_at_ns >= GAUGE_NS:
            await self._gauge()
        return len(due)

    async def _gauge(self) -> None:
        backlog, now_ns = await self._outbox.backlog(), telemetry.now_ns()
        age_ns = 0 if backlog.oldest_at_ns is None else now_ns - backlog.oldest_at_ns
        telemetry.RIR_WAITING.set(backlog.waiting)
        telemetry.RIR_OLDEST_S.set(age_ns / 1e9)
        self._gauged_at_ns = now_ns

    async def _send(self, leaving: Leaving) -> None:
        draft = leaving.draft
        try:
            if not leaving.on_topic:
                fitting = _fitting(draft, self._settings.kafka_max_message_bytes)
                await self._publisher.send(topics.RIR, fitting, key=draft.alert_id)
                await self._publisher.flush()
                await self._outbox.sent(leaving)
        except UnavailableError as error:
            await self._retry(leaving, f"rir.intake: {type(error).__name__}; Kafka does not take it")
            return
        if not self._settings.rir_intake_url or await self._post(leaving):
            await self._outbox.done(leaving)
            telemetry.MESSAGES.labels("rir", "sent").inc()

    async def _post(self, leaving: Leaving) -> bool:
        """Post to the HTTP intake; True when it has the report."""
        draft = leaving.draft
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"{draft.rir_id}:{draft.version}"}
        token = self._settings.rir_intake_token.get_secret_value()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            answer = await self._client.post(
                self._settings.rir_intake_url,
                content=encode(draft),
                headers=headers,
                timeout=TIMEOUT_S,
                follow_redirects=False,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            await self._retry(leaving, f"intake: {type(error).__name__}; it does not answer")
            return False
        if answer.is_success:
            await self._reports.acknowledge(draft.rir_id, version=draft.version, receipt=_receipt(answer))
            return True
        if answer.status_code in REFUSED:
            await self._outbox.failed(leaving, f"intake: HTTP {answer.status_code}", retry_at_ns=None)
            log.error("the intake refused report %s: HTTP %d", draft.rir_id, answer.status_code)
            telemetry.MESSAGES.labels("rir", "refused").inc()
        else:
            await self._retry(leaving, f"intake: HTTP {answer.status_code}; see LIK_RIR_INTAKE_URL")
        return False

    async def _retry(self, leaving: Leaving, problem: str) -> None:
        wait_s = BACKOFF_S[min(leaving.attempts, len(BACKOFF_S) - 1)]
        await self._outbox.failed(leaving, problem, retry_at_ns=telemetry.now_ns() + int(wait_s * 1e9))
        log.warning("report %s has not left (%s); trying again in %g s", leaving.draft.rir_id, problem, wait_s)
        telemetry.MESSAGES.labels("rir", "retry").inc()


async def _draft(connection: Any, row: Any) -> RirDraft:
    of_version = (RIR_VERSIONS.c.rir_id == row.rir_id) & (RIR_VERSIONS.c.version == row.version)
    payload = (await connection.execute(select(RIR_VERSIONS.c.payload).where(of_version))).scalar_one()
    draft = decode(payload, RirDraft)
    query = select(RIR_ATTACHMENTS).where(RIR_ATTACHMENTS.c.rir_id == row.rir_id)
    contents = {each.name: each.content for each in await connection.execute(query)}
    filled = [msgspec.structs.replace(each, content=contents.get(each.name)) for each in draft.attachments]
    return msgspec.structs.replace(draft, attachments=filled)


def _fitting(draft: RirDraft, most_bytes: int) -> RirDraft:
    """Leave out the content of attachments, largest first, until the message fits: its hash and size stay."""
    attachments: list[Attachment] = list(draft.attachments)
    size = len(encode(draft))
    for each in sorted(draft.attachments, key=lambda attachment: -attachment.size_bytes):
        # Kafka's own headers come on top of the value.
        if size <= most_bytes * 0.95:
            break
        size -= int(each.size_bytes * _BASE64)
        attachments[attachments.index(each)] = msgspec.structs.replace(each, content=None)
    return msgspec.structs.replace(draft, attachments=attachments)


def _receipt(answer: httpx.Response) -> str:
    """Read the intake's own number from its answer: ``{"receipt": "..."}``; empty where it gives none."""
    if len(answer.content) > LONGEST_ANSWER:
        return ""
    try:
        found = msgspec.json.decode(answer.content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    receipt = found.get("receipt") if isinstance(found, dict) else None
    return receipt if isinstance(receipt, str) else ""
