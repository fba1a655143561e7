"""What the desk knows of its cameras: counts by minute and by hour, when each was last heard, what is wrong.

No text of a read is in here, and nothing that tells whether a read was a hit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, case, select, update
from sqlalchemy import func as sql
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import telemetry
from pipeline.alerts.camera_tables import (
    CAMERA_COUNTS,
    CAMERA_NOTICES,
    CAMERAS_SEEN,
    CENSUS_OFFSETS,
    HOUR_S,
    MINUTE_S,
)
from pipeline.alerts.database import Database
from pipeline.alerts.trail import Deed, Trail
from pipeline.model import derive_id

NS: Final = 1_000_000_000
CLEARED_SHOWN: Final = 20
_SUMS: Final = ("reads", "rejects", "future", "confident", "confidence", "lag_ms")


class NoticeKind(StrEnum):
    """What may be wrong with a camera."""

    QUIET = "quiet"
    """No read for longer than its own past explains."""
    ALL_QUIET = "all_quiet"
    """Most cameras at once: rather a feed, the network or the gateway than a camera."""
    AHEAD = "ahead"
    """Its captures are from the future: its clock runs ahead, for certain."""
    BEHIND = "behind"
    """Even its fastest reads arrive late: its clock runs behind, or its deliveries take that long."""


class Slot(NamedTuple):
    """A camera and a minute."""

    camera: str
    minute_s: int


@dataclass(slots=True)
class Count:
    """What came of one camera in one minute; see `CAMERA_COUNTS`."""

    reads: int = 0
    rejects: int = 0
    future: int = 0
    confident: int = 0
    confidence: float = 0.0
    lag_ms: int = 0
    least_lag_ms: int | None = None
    last_ns: int = 0

    def add(self, other: Count) -> None:
        """Add what another counted."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        known = [each for each in (self.least_lag_ms, other.least_lag_ms) if each is not None]
        self.least_lag_ms = min(known, default=None)
        self.last_ns = max(self.last_ns, other.last_ns)


@dataclass(frozen=True, slots=True)
class Advance:
    """From where to where a partition was counted; `begin` is None where it never was before."""

    topic: str
    partition: int
    begin: int | None
    end: int


@dataclass(frozen=True, slots=True)
class CameraTotal:
    """What came of one camera in a period, and how it is spread over it."""

    camera: str
    reads: int
    rejects: int
    confidence: float | None
    """Mean over the reads that gave one, 0 to 1."""
    lag_ms: float | None
    """Mean of arrival minus capture."""
    bars: tuple[int, ...]
    """Reads per equal part of the period, oldest first."""

    @property
    def rejected_share(self) -> float:
        """Share of rejects among all that came; 0 to 1."""
        return self.rejects / max(1, self.reads + self.rejects)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that is, or was, wrong with a camera."""

    notice_id: str
    camera: str
    kind: str
    since_ns: int
    raised_at_ns: int
    detail_ms: int
    cleared_at_ns: int | None
    acknowledged_by: str | None
    acknowledged_at_ns: int | None


class FencedError(Exception):
    """Somebody else has counted some of these messages; begin again from where the store says."""


class UnknownNoticeError(LookupError):
    """There is no notice of that id."""


class CameraBook:
    """The book in the store."""

    def __init__(self, database: Database, trail: Trail) -> None:
        self._database = database
        self._trail = trail

    async def offset(self, topic: str, partition: int) -> int | None:
        """Return up to where a partition is counted; None where it never was."""
        table = CENSUS_OFFSETS.c
        query = select(table.next_offset).where(table.topic == topic, table.partition == partition)
        async with self._database.read() as connection:
            found: int | None = (await connection.execute(query)).scalar()
        return found

    async def add(self, counts: Mapping[Slot, Count], advances: Collection[Advance]) -> None:
        """Add counts, and how far they go, in one transaction: both are there, or neither.

        Raises
        ------
        FencedError
            A partition is not counted up to where an advance begins: nothing was added.
        """
        async with self._database.write() as connection:
            for advance in sorted(advances, key=lambda each: (each.topic, each.partition)):
                await self._advance(connection, advance)
            rows = _rows(counts)
            if rows:
                await connection.execute(self._adding(), rows)
            seen: dict[str, int] = {}
            for slot, count in counts.items():
                if count.reads:
                    seen[slot.camera] = max(seen.get(slot.camera, 0), count.last_ns)
            if seen:
                last = [{"camera": camera, "last_ns": at_ns} for camera, at_ns in sorted(seen.items())]
                await connection.execute(self._seeing(), last)

    async def _advance(self, connection: AsyncConnection, advance: Advance) -> None:
        table = CENSUS_OFFSETS.c
        if advance.begin is None:
            values = {"topic": advance.topic, "partition": advance.partition, "next_offset": advance.end}
            changed = await connection.execute(self._database.insert_new(CENSUS_OFFSETS).values(**values))
        else:
            changed = await connection.execute(
                update(CENSUS_OFFSETS)
                .where(table.topic == advance.topic, table.partition == advance.partition)
                .where(table.next_offset == advance.begin)
                .values(next_offset=advance.end)
            )
        if changed.rowcount != 1:
            raise FencedError(f"{advance.topic}/{advance.partition} is not at {advance.begin}")

    def _upsert(self, table: Table) -> Any:
        return sqlite.insert(table) if self._database.sqlite else postgresql.insert(table)

    def _adding(self) -> Any:
        made, table = self._upsert(CAMERA_COUNTS), CAMERA_COUNTS.c
        new = made.excluded
        changes: dict[str, Any] = {name: table[name] + new[name] for name in _SUMS}
        less = new.least_lag_ms < table.least_lag_ms
        changes["least_lag_ms"] = case(
            (less, new.least_lag_ms), else_=sql.coalesce(table.least_lag_ms, new.least_lag_ms)
        )
        return made.on_conflict_do_update(index_elements=["step_s", "start_s", "camera"], set_=changes)

    def _seeing(self) -> Any:
        made = self._upsert(CAMERAS_SEEN)
        new, known = made.excluded.last_ns, CAMERAS_SEEN.c.last_ns
        later = {"last_ns": case((new > known, new), else_=known)}
        return made.on_conflict_do_update(index_elements=["camera"], set_=later)

    async def totals(self, since_s: int, until_s: int, parts: int) -> dict[str, CameraTotal]:
        """Return what came of each camera between two moments, in `parts` equal parts.

        Of a period of up to three hours by the minute, of a longer one by the hour.
        """
        table, step_s = CAMERA_COUNTS.c, MINUTE_S if until_s - since_s <= 3 * HOUR_S else HOUR_S
        part_s = max(step_s, (until_s - since_s) // parts)
        part = ((table.start_s - since_s) // part_s).label("part")
        query = (
            select(table.camera, part, *(sql.sum(table[name]).label(name) for name in _SUMS))
            .where(table.step_s == step_s, table.start_s >= since_s, table.start_s < until_s)
            .group_by(table.camera, part)
        )
        sums: dict[str, Count] = {}
        bars: dict[str, list[int]] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(query):
                values = {name: getattr(row, name) for name in _SUMS}
                sums.setdefault(row.camera, Count()).add(Count(**values))
                bars.setdefault(row.camera, [0] * parts)[min(int(row.part), parts - 1)] += int(row.reads)
        return {camera: _total(camera, each, bars[camera]) for camera, each in sums.items()}

    async def seen(self) -> dict[str, int]:
        """Return when the last read of each camera arrived."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(CAMERAS_SEEN))
            return {row.camera: row.last_ns for row in rows}

    async def hours(self, since_s: int, until_s: int) -> list[tuple[str, int, int]]:
        """Return camera, beginning and reads of each whole hour."""
        table = CAMERA_COUNTS.c
        query = select(table.camera, table.start_s, table.reads).where(
            table.step_s == HOUR_S, table.start_s >= since_s, table.start_s < until_s
        )
        async with self._database.read() as connection:
            return [(row.camera, row.start_s, row.reads) for row in await connection.execute(query)]

    async def minutes(self, since_s: int) -> dict[str, list[Count]]:
        """Return each camera's minutes since a moment."""
        table = CAMERA_COUNTS.c
        query = select(table.camera, table.reads, table.rejects, table.future, table.least_lag_ms).where(
            table.step_s == MINUTE_S, table.start_s >= since_s
        )
        found: dict[str, list[Count]] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(query):
                count = Count(row.reads, row.rejects, row.future, least_lag_ms=row.least_lag_ms)
                found.setdefault(row.camera, []).append(count)
        return found

    async def notices(self) -> list[Notice]:
        """Return what is wrong now, not acknowledged and latest first, then what was wrong lately."""
        table = CAMERA_NOTICES.c
        wrong = (
            select(CAMERA_NOTICES)
            .where(table.cleared_at_ns.is_(None))
            .order_by(table.acknowledged_at_ns.is_not(None), table.raised_at_ns.desc())
        )
        over = (
            select(CAMERA_NOTICES)
            .where(table.cleared_at_ns.is_not(None))
            .order_by(table.raised_at_ns.desc())
            .limit(CLEARED_SHOWN)
        )
        async with self._database.read() as connection:
            rows = [*(await connection.execute(wrong)), *(await connection.execute(over))]
        return [Notice(**row._mapping) for row in rows]

    async def waiting(self) -> int:
        """Count what is wrong now and nobody has acknowledged."""
        table = CAMERA_NOTICES.c
        query = select(sql.count()).where(table.cleared_at_ns.is_(None), table.acknowledged_at_ns.is_(None))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def tell(self, wrong: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """Make the open notices those of `wrong`: raise what is new, clear what is over.

        Parameters
        ----------
        wrong
            Camera and kind to since when (ns) and how much (ms). What recurs after it was cleared is raised anew.
        """
        now_ns, table = telemetry.now_ns(), CAMERA_NOTICES.c
        async with self._database.write() as connection:
            query = select(table.notice_id, table.camera, table.kind).where(table.cleared_at_ns.is_(None))
            known = {(row.camera, row.kind): row.notice_id for row in await connection.execute(query)}
            over = [notice_id for each, notice_id in known.items() if each not in wrong]
            if over:
                cleared = update(CAMERA_NOTICES).where(table.notice_id.in_(over)).values(cleared_at_ns=now_ns)
                await connection.execute(cleared)
            new = [
                {
                    "notice_id": derive_id("notice", camera, kind, now_ns),
                    "camera": camera,
                    "kind": kind,
                    "since_ns": since_ns,
                    "raised_at_ns": now_ns,
                    "detail_ms": detail_ms,
                }
                for (camera, kind), (since_ns, detail_ms) in sorted(wrong.items())
                if (camera, kind) not in known
            ]
            if new:
                await connection.execute(self._database.insert_new(CAMERA_NOTICES), new)

    async def acknowledge(self, notice_id: str, *, by: str, where: str = "") -> None:
        """Note that somebody has seen a notice, in the audit trail too; the first who did stays.

        Raises
        ------
        UnknownNoticeError
            There is none of that id.
        """
        table = CAMERA_NOTICES.c
        async with self._database.write() as connection:
            query = select(table.camera, table.kind).where(table.notice_id == notice_id)
            row = (await connection.execute(query)).first()
            if row is None:
                raise UnknownNoticeError(notice_id)
            taken = await connection.execute(
                update(CAMERA_NOTICES)
                .where(table.notice_id == notice_id, table.acknowledged_at_ns.is_(None))
                .values(acknowledged_by=by, acknowledged_at_ns=telemetry.now_ns())
            )
            if taken.rowcount:
                deed = Deed(by, "camera.acknowledge", row.camera or "*", row.kind, where)
                await self._trail.add_within(connection, deed)


def _rows(counts: Mapping[Slot, Count]) -> list[dict[str, Any]]:
    """Make a row of each minute, and one of each hour that they are in; in one order, so that writers queue up."""
    summed: dict[tuple[int, int, str], Count] = {}
    for slot, count in counts.items():
        for step_s in (MINUTE_S, HOUR_S):
            start_s = slot.minute_s - slot.minute_s % step_s
            summed.setdefault((step_s, start_s, slot.camera), Count()).add(count)
    return [
        {
            "step_s": step_s,
            "start_s": start_s,
            "camera": camera,
            **{name: getattr(count, name) for name in (*_SUMS, "least_lag_ms")},
        }
        for (step_s, start_s, camera), count in sorted(summed.items(), key=lambda each: each[0])
    ]


def _total(camera: str, sums: Count, bars: list[int]) -> CameraTotal:
    return CameraTotal(
        camera=camera,
        reads=int(sums.reads),
        rejects=int(sums.rejects),
        confidence=float(sums.confidence) / int(sums.confident) if sums.confident else None,
        lag_ms=float(sums.lag_ms) / int(sums.reads) if sums.reads else None,
        bars=tuple(bars),
    )
