"""Notifications to units in the store: who must be told of what, every attempt, and when it goes further up.

A release of an alert to the units is a round. A round opens with the receivers of level 0; while no unit answers,
it escalates to the next level; it ends with an answer, or when a later verdict takes the release back, of which
everybody who was told is then told too. A delivery that arrives or is given up is a change of its alert, so that
the operator sees it at once.

Every query here leaves covert alerts out; `pipeline.alerts.notify` asserts it once more before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Select, and_, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import telemetry
from pipeline.alerts.database import Change, Database
from pipeline.alerts.rows import UnknownAlertError
from pipeline.alerts.tables import ALERTS, ATTEMPTS, DELIVERIES, RESPONSES, ROUNDS
from pipeline.alerts.viewer import Viewer, may_see
from pipeline.model import Alert, decode, derive_id

REACH_NS: Final = 86_400_000_000_000
"""Releases and withdrawals from before this long ago are not told any more: a notifier that was away for days must
not wake everybody for what is long over."""
LEASE_NS: Final = 60_000_000_000
"""A delivery that is being made is not taken up again before this; a notifier that fell leaves it no longer."""


class Kind(StrEnum):
    """What a notification tells."""

    ALERT = "alert"
    ESCALATION = "escalation"
    WITHDRAWN = "withdrawn"


class State(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up: this receiver was not told."""
    CANCELLED = "cancelled"
    """Not sent any more: the release was taken back."""


@dataclass(frozen=True, slots=True)
class Round:
    """A release of an alert, and who is told next."""

    alert: Alert
    number: int
    level: int


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that must be made now, and how often it was tried."""

    delivery_id: str
    alert: Alert
    kind: Kind
    receiver: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, and what the receiver's side said."""

    number: int
    at_ns: int
    delivered: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notification to one receiver, with its attempts."""

    receiver: str
    kind: Kind
    level: int
    state: State
    created_at_ns: int
    next_at_ns: int | None
    """When it is tried next; None once it is over."""
    attempts: list[Attempt]


class Deliveries:
    """The notifications in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_alert(self, alert_id: str, user: Viewer) -> list[Delivery]:
        """Return an alert's notifications, oldest first.

        Raises
        ------
        UnknownAlertError
            There is none of that id, or `user` may not see it.
        """
        known = select(ALERTS.c.alert_id).where(ALERTS.c.alert_id == alert_id, may_see(user))
        query = (
            select(DELIVERIES)
            .where(DELIVERIES.c.alert_id == alert_id)
            .order_by(DELIVERIES.c.created_at_ns, DELIVERIES.c.level, DELIVERIES.c.receiver)
        )
        async with self._database.read() as connection:
            if (await connection.execute(known)).first() is None:
                raise UnknownAlertError(alert_id)
            rows = (await connection.execute(query)).all()
            attempts = await _attempts(connection, [row.delivery_id for row in rows])
        return [
            Delivery(
                receiver=row.receiver,
                kind=Kind(row.kind),
                level=row.level,
                state=State(row.state),
                created_at_ns=row.created_at_ns,
                next_at_ns=row.next_at_ns,
                attempts=attempts.get(row.delivery_id, []),
            )
            for row in rows
        ]

    async def unopened(self, limit: int = 100) -> list[Round]:
        """Return the releases that nobody was told of yet, oldest first."""
        opened = exists().where(ROUNDS.c.alert_id == ALERTS.c.alert_id, ROUNDS.c.round == ALERTS.c.release_round)
        query = (
            select(ALERTS.c.payload, ALERTS.c.release_round)
            .where(_released(), ALERTS.c.released_at_ns >= telemetry.now_ns() - REACH_NS, ~opened)
            .order_by(ALERTS.c.released_at_ns)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Round(decode(row.payload, Alert), row.release_round, 0) for row in rows]

    async def open_round(self, of: Round, receivers: Iterable[str], *, escalate_at_ns: int | None) -> None:
        """Open a round: its first receivers are to be told. One that was taken back meanwhile is not opened."""
        alert_id = of.alert.alert_id
        async with self._database.change() as change:
            if not await _still(change, alert_id, of.number):
                return
            values = {"alert_id": alert_id, "round": of.number, "level": 0, "withdrawn": False}
            opened = self._database.insert_new(ROUNDS).values(**values, escalate_at_ns=escalate_at_ns)
            await change.connection.execute(opened)
            # That an earlier release was taken back is no longer so.
            await change.connection.execute(
                update(DELIVERIES)
                .where(DELIVERIES.c.alert_id == alert_id, DELIVERIES.c.round < of.number)
                .where(DELIVERIES.c.state == State.PENDING.value)
                .values(state=State.CANCELLED.value, next_at_ns=None)
            )
            await self._add(change.connection, of, Kind.ALERT, receivers)

    async def unanswered(self, now_ns: int, limit: int = 100) -> list[Round]:
        """Return the rounds that must go a level up: no unit has answered in time. Answered ones end here."""
        answered = exists().where(
            RESPONSES.c.alert_id == ROUNDS.c.alert_id, RESPONSES.c.at_ns >= ALERTS.c.released_at_ns
        )
        due = (
            select(ROUNDS.c.alert_id, ROUNDS.c.round, ROUNDS.c.level, ALERTS.c.payload, answered.label("answered"))
            .select_from(ROUNDS.join(ALERTS, ALERTS.c.alert_id == ROUNDS.c.alert_id))
            .where(_released(), ROUNDS.c.round == ALERTS.c.release_round, ROUNDS.c.escalate_at_ns <= now_ns)
            .limit(limit)
        )
        if not await self._any(due):
            return []
        async with self._database.write() as connection:
            rows = (await connection.execute(due)).all()
            for row in rows:
                if row.answered:
                    await connection.execute(
                        update(ROUNDS)
                        .where(ROUNDS.c.alert_id == row.alert_id, ROUNDS.c.round == row.round)
                        .values(escalate_at_ns=None)
                    )
        return [Round(decode(row.payload, Alert), row.round, row.level) for row in rows if not row.answered]

    async def escalate(self, of: Round, receivers: Iterable[str], *, again_at_ns: int | None) -> None:
        """Take a round one level up: its receivers are to be told, and the operator sees the mark."""
        alert_id, level = of.alert.alert_id, of.level + 1
        async with self._database.change() as change:
            moved = await change.connection.execute(
                update(ROUNDS)
                .where(ROUNDS.c.alert_id == alert_id, ROUNDS.c.round == of.number, ROUNDS.c.level == of.level)
                .values(level=level, escalate_at_ns=again_at_ns)
            )
            if moved.rowcount == 0 or not await _still(change, alert_id, of.number):
                return
            await self._add(change.connection, Round(of.alert, of.number, level), Kind.ESCALATION, receivers)
            await _touch(change, alert_id, escalated_at_ns=telemetry.now_ns())

    async def withdraw(self) -> int:
        """Tell everybody who was told of a release that was taken back; return how many rounds that ended."""
        ended = (
            select(ROUNDS.c.alert_id, ROUNDS.c.round, ALERTS.c.payload)
            .select_from(ROUNDS.join(ALERTS, ALERTS.c.alert_id == ROUNDS.c.alert_id))
            .where(ROUNDS.c.withdrawn.is_(False), ROUNDS.c.round == ALERTS.c.release_round)
            .where(ALERTS.c.covert.is_(False), ALERTS.c.withdrawn_at_ns >= telemetry.now_ns() - REACH_NS)
        )
        if not await self._any(ended):
            return 0
        async with self._database.write() as connection:
            rows = (await connection.execute(ended)).all()
            for row in rows:
                told = (DELIVERIES.c.alert_id == row.alert_id) & (DELIVERIES.c.round == row.round)
                # What was tried may have arrived, whatever was answered: those are told too.
                tried = select(DELIVERIES.c.receiver).where(told, DELIVERIES.c.attempts > 0).distinct()
                receivers = list((await connection.execute(tried)).scalars())
                await connection.execute(
                    update(DELIVERIES)
                    .where(told, DELIVERIES.c.state == State.PENDING.value)
                    .values(state=State.CANCELLED.value, next_at_ns=None)
                )
                of = Round(decode(row.payload, Alert), row.round, 0)
                await self._add(connection, of, Kind.WITHDRAWN, receivers)
                await connection.execute(
                    update(ROUNDS)
                    .where(ROUNDS.c.alert_id == row.alert_id, ROUNDS.c.round == row.round)
                    .values(withdrawn=True, escalate_at_ns=None)
                )
        return len(rows)

    async def take_due(self, now_ns: int, limit: int = 20) -> list[Due]:
        """Take the deliveries that must be made now; nobody else gets them for `LEASE_NS`."""
        query = (
            select(DELIVERIES, ALERTS.c.payload)
            .select_from(DELIVERIES.join(ALERTS, ALERTS.c.alert_id == DELIVERIES.c.alert_id))
            .where(DELIVERIES.c.next_at_ns <= now_ns, ALERTS.c.covert.is_(False))
            # What a later verdict has overtaken is not told any more: `withdraw` and `open_round` cancel it.
            .where(DELIVERIES.c.round == ALERTS.c.release_round)
            .where(
                or_(
                    and_(DELIVERIES.c.kind == Kind.WITHDRAWN.value, ALERTS.c.withdrawn_at_ns.is_not(None)),
                    and_(DELIVERIES.c.kind != Kind.WITHDRAWN.value, _released()),
                )
            )
            .order_by(ALERTS.c.priority_rank, DELIVERIES.c.next_at_ns)
            .limit(limit)
        )
        if not await self._any(query):
            return []
        async with self._database.write() as connection:
            rows = (await connection.execute(query.with_for_update(of=DELIVERIES, skip_locked=True))).all()
            ids = [row.delivery_id for row in rows]
            await connection.execute(
                update(DELIVERIES).where(DELIVERIES.c.delivery_id.in_(ids)).values(next_at_ns=now_ns + LEASE_NS)
            )
        return [
            Due(row.delivery_id, decode(row.payload, Alert), Kind(row.kind), row.receiver, row.attempts)
            for row in rows
        ]

    async def note(self, due: Due, *, delivered: bool, detail: str, retry_at_ns: int | None) -> None:
        """Write an attempt down; one that failed without a `retry_at_ns` was the last."""
        number = due.attempts + 1
        state = State.DELIVERED if delivered else State.FAILED if retry_at_ns is None else State.PENDING
        async with self._database.change() as change:
            await change.connection.execute(
                insert(ATTEMPTS).values(
                    delivery_id=due.delivery_id,
                    attempt=number,
                    at_ns=telemetry.now_ns(),
                    delivered=delivered,
                    detail=detail,
                )
            )
            # One that was cancelled meanwhile is over, but for what it came to.
            over = DELIVERIES.c.state == State.CANCELLED.value
            mine = DELIVERIES.c.delivery_id == due.delivery_id
            await change.connection.execute(update(DELIVERIES).where(mine).values(attempts=number))
            await change.connection.execute(
                update(DELIVERIES)
                .where(mine, ~over)
                .values(state=state.value, next_at_ns=None if delivered else retry_at_ns)
            )
            if state is not State.PENDING:
                await _touch(change, due.alert.alert_id)

    async def _any(self, query: Select[Any]) -> bool:
        """Look before a transaction is begun: nearly always there is nothing, and nobody has to wait for that."""
        async with self._database.read() as connection:
            return (await connection.execute(query.limit(1))).first() is not None

    async def _add(self, connection: AsyncConnection, of: Round, kind: Kind, receivers: Iterable[str]) -> None:
        now_ns = telemetry.now_ns()
        rows: Sequence[dict[str, Any]] = [
            {
                "delivery_id": derive_id("delivery", of.alert.alert_id, of.number, kind.value, receiver),
                "alert_id": of.alert.alert_id,
                "round": of.number,
                "kind": kind.value,
                "receiver": receiver,
                "level": of.level,
                "state": State.PENDING.value,
                "created_at_ns": now_ns,
                "attempts": 0,
                "next_at_ns": now_ns,
            }
            for receiver in receivers
        ]
        if rows:
            await connection.execute(self._database.insert_new(DELIVERIES), rows)


def _released() -> Any:
    return and_(
        ALERTS.c.covert.is_(False), ALERTS.c.released_at_ns.is_not(None), ALERTS.c.withdrawn_at_ns.is_(None)
    )


async def _still(change: Change, alert_id: str, number: int) -> bool:
    query = select(ALERTS.c.alert_id).where(
        ALERTS.c.alert_id == alert_id, ALERTS.c.release_round == number, _released()
    )
    return (await change.connection.execute(query)).first() is not None


async def _touch(change: Change, alert_id: str, **values: Any) -> None:
    numbers = await change.take(covert=False)
    await change.connection.execute(
        update(ALERTS)
        .where(ALERTS.c.alert_id == alert_id)
        .values(seq=numbers.seq, open_seq=numbers.open_seq, **values)
    )


async def _attempts(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[Attempt]]:
    found: dict[str, list[Attempt]] = {}
    query = select(ATTEMPTS).where(ATTEMPTS.c.delivery_id.in_(ids)).order_by(ATTEMPTS.c.attempt)
    for row in await connection.execute(query):
        attempt = Attempt(row.attempt, row.at_ns, row.delivered, row.detail)
        found.setdefault(row.delivery_id, []).append(attempt)
    return found
