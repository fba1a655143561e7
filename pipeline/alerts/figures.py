"""What the desk's figures are made of: the hand-over of a shift, and statistics per list, camera and stage.

Everything is counted over the alerts that the viewer may see: a covert alert is in nobody else's figure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from sqlalchemy import case, select
from sqlalchemy import func as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import telemetry
from pipeline.alerts.database import Database
from pipeline.alerts.rows import AlertRow, Verdict, changes_scale, load, visible
from pipeline.alerts.tables import ALERTS, DELIVERIES, RESPONSES, SIGHTINGS
from pipeline.alerts.viewer import Viewer, hidden, may_see
from pipeline.model import Alert, decode

TRAILS: Final = 2000
"""Of how many of the latest alerts latencies are computed."""
OPEN_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class HandOver:
    """What the next shift must know of the one that ends."""

    since_ns: int
    until_ns: int
    alerts: int
    by_priority: dict[str, int]
    by_verdict: dict[str, int]
    """Verdict to how many; ``none`` are those that still wait for one."""
    claimed: int
    """In somebody's hands now."""
    released: int
    answered: int
    """Released, and answered by a unit."""
    escalated: int
    failed_deliveries: int
    open: list[AlertRow] = field(default_factory=list)
    """Without a verdict, most urgent first, oldest first among equals; at most `OPEN_SHOWN`."""


@dataclass(frozen=True, slots=True)
class ListFigures:
    """How often a list hit, and how often it was right."""

    hotlist: str
    alerts: int
    by_verdict: dict[str, int]

    @property
    def precision(self) -> float | None:
        """Share of confirmed among confirmed, misread and not current; None while there is none of these."""
        judged = [self.by_verdict.get(each.value, 0) for each in Verdict if each is not Verdict.NO_ACTION]
        return self.by_verdict.get(Verdict.CONFIRMED.value, 0) / sum(judged) if sum(judged) else None


@dataclass(frozen=True, slots=True)
class CameraFigures:
    """How often a camera had a hit, and when it last had one; `CameraBook` knows of its reads."""

    camera: str
    hits: int
    last_hit_ns: int


@dataclass(frozen=True, slots=True)
class StageFigures:
    """How long a span took, of the latest alerts, against its budget."""

    span: str
    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    budget_ms: float | None
    late: int
    """How many were over the budget."""
    line: tuple[float | None, ...] = ()
    """The 99th percentile of each part of the time, oldest first; None where there was no alert."""


class Figures:
    """Counting over the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hand_over(self, user: Viewer, *, since_ns: int) -> HandOver:
        """Sum up the alerts created since `since_ns`, and list those that still wait for a verdict."""
        now_ns = telemetry.now_ns()
        mine = (may_see(user), ALERTS.c.created_at_ns >= since_ns)
        live = (ALERTS.c.claimed_until_ns.is_not(None)) & (ALERTS.c.claimed_until_ns > now_ns)
        answered = ALERTS.c.alert_id.in_(select(RESPONSES.c.alert_id))
        sums = select(
            sql.count().label("alerts"),
            _count(live).label("claimed"),
            _count(ALERTS.c.released_at_ns.is_not(None)).label("released"),
            _count(ALERTS.c.released_at_ns.is_not(None) & answered).label("answered"),
            _count(ALERTS.c.escalated_at_ns.is_not(None)).label("escalated"),
        ).where(*mine)
        failed = (
            select(sql.count())
            .select_from(DELIVERIES.join(ALERTS, ALERTS.c.alert_id == DELIVERIES.c.alert_id))
            .where(*mine, DELIVERIES.c.state == "failed")
        )
        async with self._database.read() as connection:
            row = (await connection.execute(sums)).one()
            by_priority = await _tally(connection, ALERTS.c.priority, *mine)
            by_verdict = await _tally(connection, ALERTS.c.verdict, *mine)
            waiting = (
                visible(user, await changes_scale(connection, user))
                .where(ALERTS.c.created_at_ns >= since_ns, ALERTS.c.verdict.is_(None))
                .order_by(ALERTS.c.priority_rank, ALERTS.c.created_at_ns)
                .limit(OPEN_SHOWN)
            )
            return HandOver(
                since_ns=since_ns,
                until_ns=now_ns,
                alerts=row.alerts,
                by_priority=by_priority,
                by_verdict=by_verdict,
                claimed=row.claimed,
                released=row.released,
                answered=row.answered,
                escalated=row.escalated,
                failed_deliveries=int((await connection.execute(failed)).scalar_one()),
                open=await load(connection, waiting),
            )

    async def per_list(self, user: Viewer, *, since_ns: int) -> list[ListFigures]:
        """Return each list's alerts created since `since_ns` by verdict, most alerts first."""
        verdict = sql.coalesce(ALERTS.c.verdict, "none").label("verdict")
        query = (
            select(ALERTS.c.hotlist, verdict, sql.count().label("alerts"))
            .where(may_see(user), ALERTS.c.created_at_ns >= since_ns)
            .group_by(ALERTS.c.hotlist, verdict)
        )
        found: dict[str, dict[str, int]] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(query):
                found.setdefault(row.hotlist, {})[row.verdict] = row.alerts
        figures = [ListFigures(name, sum(verdicts.values()), verdicts) for name, verdicts in found.items()]
        return sorted(figures, key=lambda each: (-each.alerts, each.hotlist))

    async def per_camera(self, user: Viewer, *, since_ns: int) -> list[CameraFigures]:
        """Return each camera's hits captured since `since_ns`, most hits first; none to who is not at the desk."""
        if not user.at_desk:
            return []
        query = (
            select(
                SIGHTINGS.c.camera,
                sql.count().label("hits"),
                sql.max(SIGHTINGS.c.captured_at_ns).label("last_ns"),
            )
            .where(SIGHTINGS.c.captured_at_ns >= since_ns, SIGHTINGS.c.alert_id.not_in(hidden(user)))
            .group_by(SIGHTINGS.c.camera)
            .order_by(sql.count().desc(), SIGHTINGS.c.camera)
        )
        async with self._database.read() as connection:
            return [CameraFigures(row.camera, row.hits, row.last_ns) for row in await connection.execute(query)]

    async def per_stage(
        self, user: Viewer, budgets_ms: dict[str, float], *, since_ns: int = 0, parts: int = 1
    ) -> list[StageFigures]:
        """Return how long each span took of the alerts made since `since_ns`, of the latest `TRAILS` at most.

        Against its budget where it has one, and in `parts` equal parts of the time from then to now.
        """
        query = (
            select(ALERTS.c.payload, ALERTS.c.created_at_ns)
            .where(may_see(user), ALERTS.c.created_at_ns >= since_ns)
            .order_by(ALERTS.c.created_at_ns.desc())
            .limit(TRAILS)
        )
        part_ns = max(1, -(-(telemetry.now_ns() - since_ns) // parts))
        lengths: dict[str, list[list[float]]] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(query):
                trail = decode(row.payload, Alert).trail
                part = min(parts - 1, (row.created_at_ns - since_ns) // part_ns)
                for span in telemetry.SPANS:
                    length = telemetry.span_ms(trail, span)
                    if length is not None:
                        lengths.setdefault(span, [[] for _ in range(parts)])[part].append(length)
        return [_stage(span, each, budgets_ms.get(span)) for span, each in lengths.items()]


def _stage(span: str, parts: list[list[float]], budget_ms: float | None) -> StageFigures:
    lengths = sorted(chain.from_iterable(parts))
    return StageFigures(
        span=span,
        count=len(lengths),
        p50_ms=_quantile(lengths, 0.5),
        p99_ms=_quantile(lengths, 0.99),
        max_ms=round(lengths[-1], 3),
        budget_ms=budget_ms,
        late=0 if budget_ms is None else sum(length > budget_ms for length in lengths),
        line=tuple(_quantile(sorted(each), 0.99) if each else None for each in parts),
    )


def _quantile(ordered: list[float], share: float) -> float:
    last = len(ordered) - 1
    return round(ordered[last // 2 if share == 0.5 else round(last * share)], 3)


def _count(condition: Any) -> Any:
    return sql.coalesce(sql.sum(case((condition, 1), else_=0)), 0)


async def _tally(connection: AsyncConnection, column: Any, *conditions: Any) -> dict[str, int]:
    named = sql.coalesce(column, "none").label("named")
    query = select(named, sql.count().label("alerts")).where(*conditions).group_by(named)
    return {row.named: row.alerts for row in await connection.execute(query)}
