"""An alert as the desk sees it: its verdict, its claim, the units' answers, and who could not be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, select
from sqlalchemy import func as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import telemetry
from pipeline.alerts.tables import (
    ACKNOWLEDGEMENTS,
    ALERTS,
    DELIVERIES,
    LATER_READS,
    NAMED,
    RESPONSES,
    TRUE_PLATES,
)
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
    true_plate: str = ""
    """What is on the plate, normalised, where it was misread; empty where that was not said."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said beside a verdict."""

    note: str = ""
    true_plate: str = ""
    """What is on the plate, by the eye; with `Verdict.MISREAD` alone."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What somebody who judges had before them; what is None is not compared."""

    verdict: int | None = None
    """`Acknowledgement.number` of the verdict that was shown, 0 where there was none."""
    plate: str | None = None
    """What was read: a better read may have taken its place since."""

    def is_outdated(self, verdicts: int, plate: str) -> bool:
        """Tell whether there is something newer, by how many verdicts there are now, and what is read now."""
        judged = self.verdict is not None and verdicts > self.verdict
        return judged or (self.plate is not None and plate != self.plate)


NO_REMARK: Final = Remark()
ANYTHING: Final = LookedAt()
"""Judge whatever there is."""


@dataclass(frozen=True, slots=True)
class LaterRead:
    """A better read of an alert's vehicle, which came after the verdict."""

    plate: str
    country: str
    frames: int
    posterior: float


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
    later_read: LaterRead | None = None
    """What the alert's own hit was read as later, from more frames, when it had been judged."""


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
    judged = [row.alert_id for row in found if row.verdict is not None]
    given, later = await _verdicts(connection, judged), await _later(connection, judged)
    responses = await _responses(connection, released)
    failed = await _failed(connection, released)
    now_ns = telemetry.now_ns()
    alerts = [decode(row.payload, Alert) for row in found]
    return [
        AlertRow(
            seq=row.number,
            alert=alert,
            acknowledgement=given.get(row.alert_id),
            claim=live_claim(row.claimed_by, row.claimed_until_ns, now_ns),
            responses=tuple(responses.get(row.alert_id, ())),
            released_at_ns=row.released_at_ns,
            withdrawn_at_ns=row.withdrawn_at_ns,
            escalated_at_ns=row.escalated_at_ns,
            failed_deliveries=failed.get(row.alert_id, 0),
            has_patch=row.has_patch,
            has_picture=row.has_picture,
            later_read=later.get(alert.hit.hit_id),
        )
        for row, alert in zip(found, alerts, strict=True)
    ]


def live_claim(by: str | None, until_ns: int | None, now_ns: int) -> Claim | None:
    """Return the claim that two columns hold, unless it has expired."""
    return Claim(by, until_ns) if by is not None and until_ns is not None and until_ns > now_ns else None


async def _verdicts(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, Acknowledgement]:
    if not ids:
        return {}
    query = verdicts().where(ACKNOWLEDGEMENTS.c.alert_id.in_(ids))
    return {row.alert_id: acknowledgement(row) for row in await connection.execute(query)}


def verdicts() -> Select[Any]:
    """Select what `acknowledgement` needs of every verdict, in the order in which they were given."""
    given = ACKNOWLEDGEMENTS
    told = and_(TRUE_PLATES.c.alert_id == given.c.alert_id, TRUE_PLATES.c.number == given.c.number)
    return select(given, TRUE_PLATES.c.plate).outerjoin(TRUE_PLATES, told).order_by(given.c.id)


def acknowledgement(row: Any) -> Acknowledgement:
    """Make a verdict of a row that `verdicts` selects."""
    return Acknowledgement(Verdict(row.verdict), row.by, row.note, row.at_ns, row.number, row.plate or "")


async def _later(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, LaterRead]:
    if not ids:
        return {}
    query = select(LATER_READS).where(LATER_READS.c.alert_id.in_(ids))
    return {
        row.hit_id: LaterRead(row.plate, row.country, row.frames, row.posterior)
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
