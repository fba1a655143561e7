"""The store of the desk: alerts, what people make of them, and all that follows, in SQLite or PostgreSQL.

Who may see what is part of every query here, not of the pages: a covert alert comes back only for a viewer
with the role ``covert`` or one whom its list names, and is as absent as one that never was for all others
(`pipeline.alerts.viewer`). That goes for counts, search, figures and the numbers of changes as well.

`AlertStore` takes alerts in and gives them out; the rest of the desk is in its parts:

| part | what it keeps |
| --- | --- |
| `AlertStore.changes` | every change in one look, for the live pages |
| `AlertStore.claims` | who is handling which alert |
| `AlertStore.pairs` | what was read, and what is on the plate by the eye |
| `AlertStore.better_reads` | the same vehicle, read from more frames |
| `AlertStore.units` | what units see and answer, and their sectors |
| `AlertStore.search` | looking for alerts, filters and pages |
| `AlertStore.figures` | the hand-over of a shift, statistics |
| `AlertStore.cameras` | counts per camera, and what is wrong with them |
| `AlertStore.reports`, `AlertStore.outbox` | information reports (RIR), and which of them must still leave |
| `AlertStore.deliveries` | notifications to units |
| `AlertStore.retention` | how long what is kept, and what was removed |
| `AlertStore.trail` | the audit trail |
| `AlertStore.users` | who may sign in |
| `AlertStore.api_tokens` | which programs may ask |
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import msgspec
from sqlalchemy import func as sql
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hotlists.entry import Handling
from pipeline import telemetry
from pipeline.alerts.api_tokens import ApiTokens
from pipeline.alerts.better import BetterReads, picture_rows, pictures_of, without_pictures
from pipeline.alerts.camera_book import CameraBook
from pipeline.alerts.changes import Changes
from pipeline.alerts.claims import Claims
from pipeline.alerts.database import Database
from pipeline.alerts.deliveries import Deliveries
from pipeline.alerts.figures import Figures
from pipeline.alerts.outbox import Outbox
from pipeline.alerts.pairs import Pairs
from pipeline.alerts.reports import Reports, add_draft
from pipeline.alerts.retention import Retention
from pipeline.alerts.rows import (
    ANYTHING,
    COVERT_SCALE,
    NO_REMARK,
    AlertRow,
    LookedAt,
    Remark,
    UnknownAlertError,
    Verdict,
    changes_scale,
    load,
    visible,
)
from pipeline.alerts.search import Limits, Search
from pipeline.alerts.tables import ALERTS, COUNTER, NAMED, PICTURES, SIGHTINGS
from pipeline.alerts.trail import AuditLine, Deed, Trail
from pipeline.alerts.units import Units
from pipeline.alerts.users import User, Users
from pipeline.alerts.viewer import COVERT_ROLE, Viewer, may_see
from pipeline.alerts.wording import Wording
from pipeline.model import Alert, Hit, RirDraft, decode, encode
from pipeline.settings import Settings

__all__ = ["COVERT_ROLE", "AlertRow", "AlertStore", "UnknownAlertError", "User", "Verdict", "Viewer"]


class AlertStore:
    """The store; one per process. `open` it before use.

    Parameters
    ----------
    database_url
        SQLAlchemy URL with an async driver.
    """

    def __init__(self, database_url: str) -> None:
        self.database = Database(database_url)
        self.api_tokens = ApiTokens(self.database)
        self.changes = Changes(self.database)
        self.reports = Reports(self.database)
        self.claims = Claims(self.database, self.reports)
        self.deliveries = Deliveries(self.database)
        self.figures = Figures(self.database)
        self.outbox = Outbox(self.database)
        self.trail = Trail(self.database)
        self.better_reads = BetterReads(self.database, self.trail, self.reports)
        self.cameras = CameraBook(self.database, self.trail)
        self.pairs = Pairs(self.database, self.trail)
        self.retention = Retention(self.database, self.trail)
        self.search = Search(self.database, self.trail)
        self.units = Units(self.database)
        self.users = Users(self.database)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make the store that the settings name, with their limits on looking far back and their words of reports.

        Raises
        ------
        ConfigurationError
            The registry of cameras cannot be read.
        """
        store = cls(settings.database_url)
        store.reports.wording = Wording.of(settings)
        store.search.limits = Limits(settings.search_reason_after_days)
        return store

    async def open(self) -> None:
        """Create what is missing of the tables; see `Database.open`."""
        await self.database.open()

    async def close(self) -> None:
        """Close all connections."""
        await self.database.close()

    async def record(self, alert: Alert, report: RirDraft | None = None) -> int:
        """Insert or replace an alert; return its change number. The same alert twice is one change.

        The pictures that were stored first stay. A report that a new alert calls for goes into the outbox in the
        same transaction.
        """
        payload = encode(_without_pictures(alert))
        known = select(ALERTS.c.seq, ALERTS.c.payload).where(ALERTS.c.alert_id == alert.alert_id)
        covert = alert.hit.entry.handling is Handling.COVERT
        async with self.database.change() as change:
            row = (await change.connection.execute(known)).first()
            if row is not None and row.payload == payload:
                known_seq: int = row.seq
                return known_seq
            numbers = await change.take(covert=covert)
            values: dict[str, Any] = {
                "seq": numbers.seq,
                "open_seq": numbers.open_seq,
                "payload": payload,
                "last_seen_ns": max(sighting.captured_at_ns for sighting in alert.sightings),
            }
            if row is None:
                await _insert(change.connection, alert, values)
                await self._add_sightings(change.connection, alert, set())
                if report is not None:
                    named = alert.hit.entry.named_users
                    await add_draft(change.connection, report, by="", named=named, leave=True)
            else:
                await change.connection.execute(
                    update(ALERTS).where(ALERTS.c.alert_id == alert.alert_id).values(**values)
                )
                before = {each.hit_id for each in decode(row.payload, Alert).sightings}
                await self._add_sightings(change.connection, alert, before)
            return numbers.seq

    async def _add_sightings(self, connection: AsyncConnection, alert: Alert, known: set[str]) -> None:
        rows = [
            {
                "hit_id": each.hit_id,
                "alert_id": alert.alert_id,
                "camera": each.camera,
                "plate": each.plate,
                "captured_at_ns": each.captured_at_ns,
            }
            for each in alert.sightings
            if each.hit_id not in known
        ]
        if rows:
            # A hit is counted once: what another alert counts already stays there.
            await connection.execute(self.database.insert_new(SIGHTINGS), rows)

    async def open_alert(self, hit: Hit, window_ns: int) -> Alert | None:
        """Return the alert that `hit` is a sighting of: on its entry, in its zone, last seen within `window_ns`.

        An alert of another handling is another alert: a list that was turned covert must not go on adding
        sightings to what units have already seen.
        """
        at_ns = hit.read.captured_at_ns
        query = (
            select(ALERTS.c.payload)
            .where(ALERTS.c.entry_id == hit.entry.entry_id, ALERTS.c.zone == hit.zone)
            .where(ALERTS.c.covert.is_(hit.entry.handling is Handling.COVERT))
            .where(ALERTS.c.last_seen_ns.between(at_ns - window_ns, at_ns + window_ns))
            .order_by(ALERTS.c.last_seen_ns.desc())
            .limit(1)
        )
        return await self._alert(query)

    async def with_hit(self, hit: Hit) -> Alert | None:
        """Return the alert that counts `hit` among its sightings already."""
        return await self._alert(
            select(ALERTS.c.payload)
            .join(SIGHTINGS, SIGHTINGS.c.alert_id == ALERTS.c.alert_id)
            .where(SIGHTINGS.c.hit_id == hit.hit_id)
        )

    async def _alert(self, query: Any) -> Alert | None:
        async with self.database.read() as connection:
            payload = (await connection.execute(query)).scalar()
        return None if payload is None else decode(payload, Alert)

    async def changes_since(self, seq: int, *, user: Viewer, limit: int = 500) -> list[AlertRow]:
        """Return the alerts changed after change number `seq`, in order of their latest change.

        `seq` is 0 or on the viewer's own scale, as every `AlertRow.seq` and `last_seq` of that viewer; one of the
        other scale gives nothing (see `last_seq`).
        """
        async with self.database.read() as connection:
            scale = await changes_scale(connection, user)
            if seq > 0 and (seq >= COVERT_SCALE) is not scale.covert:
                return []
            column = scale.column
            later = visible(user, scale).where(column > max(0, seq - scale.added))
            return await load(connection, later.order_by(column).limit(limit))

    async def latest(self, limit: int, user: Viewer, *, before_ns: int | None = None) -> list[AlertRow]:
        """Return the newest alerts, newest first; with `before_ns`, of those that were made before it.

        None that is so old that looking at it needs a reason: `AlertStore.search` finds those.
        """
        async with self.database.read() as connection:
            scale = await changes_scale(connection, user)
            recent = ALERTS.c.created_at_ns >= self.search.free_from_ns()
            newest = visible(user, scale).where(recent).order_by(ALERTS.c.created_at_ns.desc()).limit(limit)
            if before_ns is not None:
                newest = newest.where(ALERTS.c.created_at_ns < before_ns)
            return await load(connection, newest)

    async def last_seq(self, user: Viewer | None = None) -> int:
        """Return the number of the latest change, 0 when there is none: that `user` could see, on their scale.

        A viewer's scale changes when they get or lose sight of covert alerts. A number that is above `last_seq`,
        or far below it, is one of the other scale: begin anew.

        Without a user, count every change: what a watcher asks to learn that there is something new.
        """
        async with self.database.read() as connection:
            row = (await connection.execute(select(COUNTER.c.seq, COUNTER.c.open_seq))).one()
            if user is None:
                return int(row.seq)
            scale = await changes_scale(connection, user)
            return int(row.seq if scale.covert else row.open_seq) + scale.added

    async def get(self, alert_id: str, user: Viewer) -> AlertRow:
        """Return one alert.

        Raises
        ------
        UnknownAlertError
            There is none of that id, or `user` may not see it.
        """
        async with self.database.read() as connection:
            scale = await changes_scale(connection, user)
            rows = await load(connection, visible(user, scale).where(ALERTS.c.alert_id == alert_id))
        if not rows:
            raise UnknownAlertError(alert_id)
        return rows[0]

    async def patch(self, alert_id: str, user: Viewer) -> bytes | None:
        """Return the JPEG of an alert's plate, or None where there is none; see `picture`."""
        return await self._picture(alert_id, "patch", user)

    async def picture(self, alert_id: str, user: Viewer) -> bytes | None:
        """Return the JPEG of an alert's vehicle, or None where there is none.

        Raises
        ------
        UnknownAlertError
            As `get`.
        """
        return await self._picture(alert_id, "picture", user)

    async def _picture(self, alert_id: str, kind: str, user: Viewer) -> bytes | None:
        of_kind = (PICTURES.c.alert_id == ALERTS.c.alert_id) & (PICTURES.c.kind == kind)
        query = (
            select(PICTURES.c.content)
            .select_from(ALERTS.outerjoin(PICTURES, of_kind))
            .where(ALERTS.c.alert_id == alert_id, may_see(user))
        )
        async with self.database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise UnknownAlertError(alert_id)
        content: bytes | None = row.content
        return content

    async def acknowledge(
        self,
        alert_id: str,
        verdict: Verdict,
        *,
        by: Viewer,
        remark: Remark = NO_REMARK,
        looked_at: LookedAt = ANYTHING,
        take_over: bool = False,
    ) -> AlertRow:
        """Store a verdict; the alert changes, so every page hears of it.

        Confirming an open alert releases it to the units; a later verdict that does not confirm takes that back.

        Parameters
        ----------
        looked_at
            What `by` had before them; `ANYTHING` to judge whatever there is.
        take_over
            Give the verdict although somebody else is handling the alert.

        Raises
        ------
        UnknownAlertError
            As `get`.
        ClaimedError
            Somebody else is handling the alert.
        OutdatedError
            There has been another verdict since, or another read of the vehicle.
        TruePlateError
            The remark's true plate is none, or is what is looked for: that is no misread.
        """
        await self.claims.acknowledge(
            alert_id, verdict, by=by, remark=remark, looked_at=looked_at, take_over=take_over
        )
        return await self.get(alert_id, by)

    async def count(self) -> int:
        """Count all alerts, the covert ones too."""
        async with self.database.read() as connection:
            return int((await connection.execute(select(sql.count()).select_from(ALERTS))).scalar_one())

    async def audit(self, who: str, what: str, target: str, *, why: str = "", where: str = "") -> None:
        """Add a line to the audit trail; see `Trail.add`."""
        await self.trail.add(Deed(who, what, target, why, where))

    async def audit_lines(self, limit: int = 1000) -> list[AuditLine]:
        """Return the latest lines of the audit trail, newest first, those on covert alerts too."""
        return await self.trail.all_lines(limit)

    async def put_user(self, name: str, password_hash: str, roles: Iterable[str]) -> None:
        """Add a user, or replace their password and roles."""
        await self.users.put(name, password_hash, roles)

    async def get_user(self, name: str) -> User | None:
        """Return a user, or None."""
        return await self.users.get(name)


async def _insert(connection: AsyncConnection, alert: Alert, values: dict[str, Any]) -> None:
    entry, pictures = alert.hit.entry, pictures_of(alert.hit)
    covert = entry.handling is Handling.COVERT
    released = entry.notify_unconfirmed and not covert
    await connection.execute(
        insert(ALERTS).values(
            alert_id=alert.alert_id,
            covert=covert,
            entry_id=entry.entry_id,
            zone=alert.zone,
            created_at_ns=alert.created_at_ns,
            hotlist=entry.hotlist,
            plate_listed=entry.plate,
            category=entry.category.value,
            priority=entry.priority.value,
            priority_rank=entry.priority.rank,
            released_at_ns=telemetry.now_ns() if released else None,
            release_round=int(released),
            has_patch="patch" in pictures,
            has_picture="picture" in pictures,
            **values,
        )
    )
    named = [{"alert_id": alert.alert_id, "user": name} for name in set(entry.named_users)] if covert else []
    if named:
        await connection.execute(insert(NAMED), named)
    if pictures:
        await connection.execute(insert(PICTURES), picture_rows(alert.alert_id, pictures))


def _without_pictures(alert: Alert) -> Alert:
    return msgspec.structs.replace(alert, hit=without_pictures(alert.hit))
