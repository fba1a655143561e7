"""How long the desk keeps what: the periods, the job that enforces them, and what a page shows of it.

Which law stands behind which period, and what the zone must decide itself: `docs/retention.md`. Reads are kept in
Kafka alone, for as long as its topics say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy import func as sql

from pipeline import telemetry, topics
from pipeline.alerts.camera_tables import CAMERA_COUNTS, CAMERA_NOTICES, MINUTE_S
from pipeline.alerts.database import Database
from pipeline.alerts.tables import (
    ALERTS,
    AUDIT,
    AUDIT_CUTS,
    DELIVERIES,
    PICTURES,
    REMOVALS,
    RIR_REPORTS,
)
from pipeline.alerts.trail import Deed, Trail
from pipeline.alerts.viewer import COVERT_ROLE, Viewer, may_see, may_see_line, may_see_report
from pipeline.settings import Settings

log = logging.getLogger(__name__)

DAY_NS: Final = 86_400_000_000_000
BATCH: Final = 100
PAUSE_S: Final = 0.02
"""Rows removed in one transaction, and the time left to others between two: an alert that comes in meanwhile waits
for no more than one."""
MINUTES_KEPT_DAYS: Final = 2
"""How long counts by the minute are kept: by the hour, they stay."""
ACTOR: Final = "bewaartermijn"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one kind: how many, since when, and for how long."""

    kind: str
    period_days: float
    count: int | None
    """None for what only Kafka keeps."""
    oldest_ns: int | None


@dataclass(frozen=True, slots=True)
class Removal:
    """What a run of the job removed of one kind: all from before `before_ns`."""

    at_ns: int
    kind: str
    before_ns: int
    removed: int


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of record: its table, its moment, and whether a row is of a covert alert."""

    name: str
    table: Any
    key: Any
    at_ns: Any
    covert: Any
    of: Any
    """What to select from to know `at_ns` and `covert`."""


def _kinds() -> tuple[_Kind, ...]:
    of_pictures = PICTURES.join(ALERTS, ALERTS.c.alert_id == PICTURES.c.alert_id)
    of_deliveries = DELIVERIES.join(ALERTS, ALERTS.c.alert_id == DELIVERIES.c.alert_id)
    made_ns, covert = ALERTS.c.created_at_ns, ALERTS.c.covert
    told_ns, drafted_ns = DELIVERIES.c.created_at_ns, RIR_REPORTS.c.created_at_ns
    return (
        _Kind("pictures", PICTURES, PICTURES.c.alert_id, made_ns, covert, of_pictures),
        _Kind("deliveries", DELIVERIES, DELIVERIES.c.delivery_id, told_ns, covert, of_deliveries),
        _Kind("alerts", ALERTS, ALERTS.c.alert_id, made_ns, covert, ALERTS),
        _Kind("reports", RIR_REPORTS, RIR_REPORTS.c.rir_id, drafted_ns, RIR_REPORTS.c.covert, RIR_REPORTS),
    )


_KINDS: Final = _kinds()


def periods_days(settings: Settings) -> dict[str, int]:
    """Return how long each kind in the store is kept."""
    return {
        "alerts": settings.keep_alerts_days,
        "pictures": min(settings.keep_pictures_days, settings.keep_alerts_days),
        "deliveries": min(settings.keep_deliveries_days, settings.keep_alerts_days),
        "reports": settings.keep_reports_days,
        "figures": settings.keep_figures_days,
        "audit": settings.keep_audit_days,
    }


class Retention:
    """Enforces the periods, and tells what is kept and what was removed."""

    def __init__(self, database: Database, trail: Trail) -> None:
        self._database = database
        self._trail = trail

    async def enforce(self, settings: Settings) -> list[Removal]:
        """Remove what is past its period; return, store and audit what that was.

        Hits and their sightings, verdicts, answers and the names on a covert alert go with their alert.
        """
        now_ns = telemetry.now_ns()
        periods = periods_days(settings)
        removals = []
        for kind in _KINDS:
            before_ns = now_ns - periods[kind.name] * DAY_NS
            for covert in (False, True):
                removed = await self._remove(kind, before_ns, covert)
                if removed:
                    removals.append(await self._note(kind.name, before_ns, removed, covert))
        before_ns = now_ns - periods["figures"] * DAY_NS
        counts = await self._remove_figures(before_ns, now_ns - MINUTES_KEPT_DAYS * DAY_NS)
        if counts:
            removals.append(await self._note("figures", before_ns, counts, False))
        before_ns = now_ns - periods["audit"] * DAY_NS
        cut = await self._cut_trail(before_ns)
        if cut:
            removals.append(await self._note("audit", before_ns, cut, False))
        return removals

    async def kept(self, user: Viewer, settings: Settings) -> list[Kept]:
        """Return what is kept, of what `user` may see: of each kind in the store, and of each topic of Kafka."""
        periods = periods_days(settings)
        seen = {
            "alerts": may_see(user),
            "pictures": may_see(user),
            "deliveries": may_see(user),
            "reports": may_see_report(user),
        }
        found = []
        async with self._database.read() as connection:
            for kind in _KINDS:
                query = select(sql.count(), sql.min(kind.at_ns)).select_from(kind.of).where(seen[kind.name])
                count, oldest_ns = (await connection.execute(query)).one()
                found.append(Kept(kind.name, periods[kind.name], count, oldest_ns))
            figures = select(sql.count(), sql.min(CAMERA_COUNTS.c.start_s))
            count, oldest_s = (await connection.execute(figures)).one()
            oldest_ns = None if oldest_s is None else oldest_s * 1_000_000_000
            found.append(Kept("figures", periods["figures"], count, oldest_ns))
            lines = select(sql.count(), sql.min(AUDIT.c.at_ns)).where(may_see_line(user))
            count, oldest_ns = (await connection.execute(lines)).one()
            found.append(Kept("audit", periods["audit"], count, oldest_ns))
        return found + [Kept(topic.name, topic.retention_ms / 86_400_000, None, None) for topic in topics.TOPICS]

    async def removals(self, user: Viewer, limit: int = 100) -> list[Removal]:
        """Return what was removed, latest first; of covert alerts, only to those who see them all."""
        query = select(REMOVALS).order_by(REMOVALS.c.id.desc()).limit(limit)
        if COVERT_ROLE not in user.roles:
            query = query.where(REMOVALS.c.covert.is_(False))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Removal(row.at_ns, row.kind, row.before_ns, row.removed) for row in rows]

    async def _remove(self, kind: _Kind, before_ns: int, covert: bool) -> int:
        old = (
            select(kind.key)
            .select_from(kind.of)
            .where(kind.at_ns < before_ns, kind.covert.is_(covert))
            .limit(BATCH)
        )
        removed = 0
        while True:
            async with self._database.read() as connection:
                keys: Sequence[str] = (await connection.execute(old)).scalars().all()
            if not keys:
                return removed
            async with self._database.write() as connection:
                gone = await connection.execute(delete(kind.table).where(kind.key.in_(keys)))
                removed += gone.rowcount
                if kind.table is PICTURES:
                    none_left = {"has_patch": False, "has_picture": False}
                    await connection.execute(update(ALERTS).where(ALERTS.c.alert_id.in_(keys)).values(**none_left))
            await asyncio.sleep(PAUSE_S)

    async def _remove_figures(self, before_ns: int, minutes_before_ns: int) -> int:
        """Remove counts and notices; return how many, without the minutes: what they say stays, by the hour."""
        table, notices = CAMERA_COUNTS.c, CAMERA_NOTICES.c
        hours = (table.step_s != MINUTE_S) & (table.start_s < before_ns // 1_000_000_000)
        minutes = (table.step_s == MINUTE_S) & (table.start_s < minutes_before_ns // 1_000_000_000)
        over = notices.cleared_at_ns.is_not(None) & (notices.raised_at_ns < before_ns)
        removed = 0
        for each, counted in (
            (CAMERA_COUNTS.delete().where(minutes), False),
            (CAMERA_COUNTS.delete().where(hours), True),
            (CAMERA_NOTICES.delete().where(over), True),
        ):
            async with self._database.write() as connection:
                gone = await connection.execute(each)
                removed += gone.rowcount if counted else 0
        return removed

    async def _cut_trail(self, before_ns: int) -> int:
        """Cut the trail off before a moment; the chain goes on from the last line that went."""
        last = (
            select(AUDIT.c.id, AUDIT.c.hash).where(AUDIT.c.at_ns < before_ns).order_by(AUDIT.c.id.desc()).limit(1)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(last)).first()
            if row is None:
                return 0
            cut = {"through_id": row.id, "hash": row.hash, "at_ns": telemetry.now_ns()}
            await connection.execute(insert(AUDIT_CUTS).values(**cut))
            gone = await connection.execute(delete(AUDIT).where(AUDIT.c.id <= row.id))
            return gone.rowcount

    async def _note(self, kind: str, before_ns: int, removed: int, covert: bool) -> Removal:
        removal = Removal(telemetry.now_ns(), kind, before_ns, removed)
        values = {"at_ns": removal.at_ns, "kind": kind, "before_ns": before_ns, "removed": removed}
        async with self._database.write() as connection:
            await connection.execute(insert(REMOVALS).values(**values, covert=covert))
            why = f"{removed} from before {before_ns // 1_000_000_000}"
            await self._trail.add_within(connection, Deed(ACTOR, "retention.remove", kind, why, covert=covert))
        if not covert:
            log.info("retention removed %d %s", removed, kind)
        return removal
