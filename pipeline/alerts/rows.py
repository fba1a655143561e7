"""An alert as the desk sees it: its verdict, its claim, the units' answers, and who could not be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy import func as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import telemetry
from pipeline.alerts.tables import ACKNOWLEDGEMENTS, ALERTS, DELIVERIES, NAMED, RESPONSES
from pipeline.alerts.viewer import COVERT_ROLE, Viewer, may_see
from pipeline.model import Alert, decode

COVERT_SCALE: Final = 1 << 52
"""Added to the change numbers of those who see covert alerts: a number says by itself on which scale it counts,
and stays below what a page's script can count exactly (2**53)."""


class Verdict(StrEnum):
    """What an operator says of an alert."""

    CONFIRMED = "confirmed"
    MISREAD = "misread"
    NOT_CURRENT = "not_current"
    NO_ACTION = "no_action"


class Answer(StrEnum):
    """What a unit answers to an alert."""

    ON_THE_WAY = "onderweg"
    SEEN = "gezien"
    NOT_FOUND = "niet_gevonden"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The latest verdict on an alert."""

    verdict: Verdict
    by: str
    note: str
    at_ns: int
    number: int = 1
    """How many verdicts the alert has had, this one included."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who is handling an alert, and until when the claim holds without being renewed."""

    by: str
    until_ns: int


@dataclass(frozen=True, slots=True)
class UnitResponse:
    """What a unit answered, and when."""

    answer: Answer
    by: str
    note: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert without its pictures, its latest change's number, and what was done with it."""

    seq: int
    """Number of the latest change, on the viewer's scale: see `changes_scale`."""
    alert: Alert
    acknowledgement: Acknowledgement | None
    claim: Claim | None = None
    """Who handles it; None also when the claim has expired."""
    responses: tuple[UnitResponse, ...] = ()
    """The units' answers, oldest first."""
    released_at_ns: int | None = None
    """When it was released to the units; None while they do not see it."""
    withdrawn_at_ns: int | None = None
    """When a later verdict took the release back; units are told to do nothing."""
    escalated_at_ns: int | None = None
    """When nobody had answered in time."""
    failed_deliveries: int = 0
    """Notifications that were given up: these receivers were not told."""
    has_patch: bool = False
    has_picture: bool = False


class UnknownAlertError(LookupError):
    """There is no such alert, or not for this viewer."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How changes are numbered for a viewer: by a column of ``alerts``, with something added."""

    column: ColumnElement[int]
    added: int

    @property
    def covert(self) -> bool:
        """True for the scale of those who see covert alerts."""
        return self.added == COVERT_SCALE


_OPEN: Final = Scale(ALERTS.c.open_seq, 0)
_ALL: Final = Scale(ALERTS.c.seq, COVERT_SCALE)


async def changes_scale(connection: AsyncConnection, user: Viewer) -> Scale:
    """Return the scale on which changes are numbered for `user`.

    Those who may see covert alerts count all changes; all others count the changes of open alerts alone, so that
    no gap tells them of a covert one.
    """
    if COVERT_ROLE in user.roles:
        return _ALL
    if user.at_desk:
        named = await connection.execute(select(exists(select(NAMED.c.alert_id).where(NAMED.c.user == user.name))))
        if named.scalar():
            return _ALL
    return _OPEN


def visible(user: Viewer, scale: Scale = _OPEN) -> Select[Any]:
    """Select what `load` needs of the alerts that `user` may see, numbered on `scale`."""
    return select(
        ALERTS.c.alert_id,
        (scale.column + scale.added).label("number"),
        ALERTS.c.payload,
        ALERTS.c.verdict,
        ALERTS.c.claimed_by,
        ALERTS.c.claimed_until_ns,
        ALERTS.c.released_at_ns,
        ALERTS.c.withdrawn_at_ns,
        ALERTS.c.escalated_at_ns,
        ALERTS.c.has_patch,
        ALERTS.c.has_picture,
    ).where(may_see(user))


def visible_to_all() -> Select[Any]:
    """Select what `fill` needs of every alert, numbered as for who sees covert ones."""
    return visible(Viewer("", frozenset({COVERT_ROLE})), _ALL)


async def load(connection: AsyncConnection, query: Select[Any]) -> list[AlertRow]:
    """Run a query made by `visible` and return its rows with all that belongs to them."""
    return await fill(connection, (await connection.execute(query)).all())


async def fill(connection: AsyncConnection, found: Sequence[Any]) -> list[AlertRow]:
    """Bring what belongs to the rows of a query made by `visible`, in the same transaction."""
    # Only what was judged has a verdict, and only what was released was ever told to anybody: at 50 new alerts a
    # second most have neither, and cost no query for them.
    released = [row.alert_id for row in found if row.released_at_ns is not None]
    verdicts = await _verdicts(connection, [row.alert_id for row in found if row.verdict is not None])
    responses = await _responses(connection, released)
    failed = await _failed(connection, released)
    now_ns = telemetry.now_ns()
    return [
        AlertRow(
            seq=row.number,
            alert=decode(row.payload, Alert),
            acknowledgement=verdicts.get(row.alert_id),
            claim=live_claim(row.claimed_by, row.claimed_until_ns, now_ns),
            responses=tuple(responses.get(row.alert_id, ())),
            released_at_ns=row.released_at_ns,
            withdrawn_at_ns=row.withdrawn_at_ns,
            escalated_at_ns=row.escalated_at_ns,
            failed_deliveries=failed.get(row.alert_id, 0),
            has_patch=row.has_patch,
            has_picture=row.has_picture,
        )
        for row in found
    ]


def live_claim(by: str | None, until_ns: int | None, now_ns: int) -> Claim | None:
    """Return the claim that two columns hold, unless it has expired."""
    return Claim(by, until_ns) if by is not None and until_ns is not None and until_ns > now_ns else None


async def _verdicts(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Acknowledgement]:
    if not ids:
        return {}
    query = select(ACKNOWLEDGEMENTS).where(ACKNOWLEDGEMENTS.c.alert_id.in_(ids)).order_by(ACKNOWLEDGEMENTS.c.id)
    return {
        row.alert_id: Acknowledgement(Verdict(row.verdict), row.by, row.note, row.at_ns, row.number)
        for row in await connection.execute(query)
    }


async def _responses(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[UnitResponse]]:
    found: dict[str, list[UnitResponse]] = {}
    if not ids:
        return found
    query = select(RESPONSES).where(RESPONSES.c.alert_id.in_(ids)).order_by(RESPONSES.c.id)
    for row in await connection.execute(query):
        response = UnitResponse(Answer(row.answer), row.by, row.note, row.at_ns)
        found.setdefault(row.alert_id, []).append(response)
    return found


async def _failed(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, int]:
    if not ids:
        return {}
    query = (
        select(DELIVERIES.c.alert_id, sql.count().label("failed"))
        .where(DELIVERIES.c.alert_id.in_(ids), DELIVERIES.c.state == "failed")
        .group_by(DELIVERIES.c.alert_id)
    )
    return {row.alert_id: row.failed for row in await connection.execute(query)}
