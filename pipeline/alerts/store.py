"""Alerts, acknowledgements, users and the audit trail, in SQLite or PostgreSQL.

Who may see what is part of every query here, not of the pages: a covert alert comes back only for a viewer
with the role ``covert`` or one whom its list names, and is as absent as one that never was for all others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Select, event, insert, literal, or_, select, text, update
from sqlalchemy import func as sql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from hotlists.entry import Handling
from pipeline import telemetry
from pipeline.alerts.tables import ACKNOWLEDGEMENTS, ALERTS, AUDIT, COUNTER, METADATA, NAMED, USERS
from pipeline.model import Alert, Hit, decode, encode

COVERT_ROLE: Final = "covert"
BUSY_TIMEOUT_S: Final = 30


class Verdict(StrEnum):
    """What an operator says of an alert."""

    CONFIRMED = "confirmed"
    MISREAD = "misread"
    NOT_CURRENT = "not_current"
    NO_ACTION = "no_action"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is looking, and in which roles."""

    name: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The latest verdict on an alert."""

    verdict: Verdict
    by: str
    note: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert (without its patch: `AlertStore.patch`), its latest change's number, and its verdict."""

    seq: int
    alert: Alert
    acknowledgement: Acknowledgement | None


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in."""

    name: str
    password_hash: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what to what, when, why and from where."""

    at_ns: int
    who: str
    what: str
    target: str
    why: str
    where: str


class UnknownAlertError(LookupError):
    """There is no such alert, or not for this viewer."""


class AlertStore:
    """The store; one per process. `open` it before use.

    Parameters
    ----------
    database_url
        SQLAlchemy URL with an async driver.
    """

    def __init__(self, database_url: str) -> None:
        options: dict[str, Any] = {}
        self._sqlite = database_url.startswith("sqlite")
        if self._sqlite:
            options["connect_args"] = {"timeout": BUSY_TIMEOUT_S}
        self._engine: AsyncEngine = create_async_engine(database_url, **options)
        if self._sqlite:
            _prepare_sqlite(self._engine)

    async def open(self) -> None:
        """Create what is missing of the tables."""
        async with self._engine.begin() as connection:
            if not self._sqlite:
                # Two workers that start together would both create; the second waits here.
                await connection.execute(text("SELECT pg_advisory_xact_lock(5287)"))
            await connection.run_sync(METADATA.create_all)
            if (await connection.execute(select(COUNTER.c.seq))).first() is None:
                await connection.execute(insert(COUNTER).values(id=1, seq=0))

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def record(self, alert: Alert) -> int:
        """Insert or replace an alert; return its change number. The same alert twice is one change.

        The patch that was stored first stays.
        """
        patch = alert.hit.read.patch
        payload = encode(_without_patch(alert))
        known = select(ALERTS.c.seq, ALERTS.c.payload).where(ALERTS.c.alert_id == alert.alert_id)
        async with self._change() as (connection, take):
            row = (await connection.execute(known)).first()
            if row is not None and row.payload == payload:
                known_seq: int = row.seq
                return known_seq
            seq: int = await take()
            values = {
                "seq": seq,
                "payload": payload,
                "last_seen_ns": max(sighting.captured_at_ns for sighting in alert.sightings),
            }
            if row is not None:
                await connection.execute(
                    update(ALERTS).where(ALERTS.c.alert_id == alert.alert_id).values(**values)
                )
                return seq
            await connection.execute(
                insert(ALERTS).values(
                    alert_id=alert.alert_id,
                    patch=patch,
                    covert=alert.hit.entry.handling is Handling.COVERT,
                    entry_id=alert.hit.entry.entry_id,
                    zone=alert.zone,
                    created_at_ns=alert.created_at_ns,
                    **values,
                )
            )
            named = [{"alert_id": alert.alert_id, "user": name} for name in set(alert.hit.entry.named_users)]
            if named:
                await connection.execute(insert(NAMED), named)
            return seq

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
        async with self._engine.connect() as connection:
            payload = (await connection.execute(query)).scalar()
        return None if payload is None else decode(payload, Alert)

    async def with_hit(self, hit: Hit) -> Alert | None:
        """Return the alert that counts `hit` among its sightings already."""
        query = select(ALERTS.c.payload).where(
            ALERTS.c.entry_id == hit.entry.entry_id,
            ALERTS.c.zone == hit.zone,
            ALERTS.c.last_seen_ns >= hit.read.captured_at_ns,
        )
        async with self._engine.connect() as connection:
            for payload in (await connection.execute(query)).scalars():
                alert = decode(payload, Alert)
                if any(sighting.hit_id == hit.hit_id for sighting in alert.sightings):
                    return alert
        return None

    async def changes_since(self, seq: int, *, user: Viewer, limit: int = 500) -> list[AlertRow]:
        """Return the alerts changed after change number `seq`, in order of their latest change."""
        query = _visible(user).where(ALERTS.c.seq > seq).order_by(ALERTS.c.seq).limit(limit)
        return await self._rows(query)

    async def latest(self, limit: int, user: Viewer) -> list[AlertRow]:
        """Return the newest alerts, newest first."""
        return await self._rows(_visible(user).order_by(ALERTS.c.created_at_ns.desc()).limit(limit))

    async def last_seq(self) -> int:
        """Return the number of the latest change; 0 when there is none."""
        async with self._engine.connect() as connection:
            return int((await connection.execute(select(COUNTER.c.seq))).scalar_one())

    async def get(self, alert_id: str, user: Viewer) -> AlertRow:
        """Return one alert.

        Raises
        ------
        UnknownAlertError
            There is none of that id, or `user` may not see it.
        """
        rows = await self._rows(_visible(user).where(ALERTS.c.alert_id == alert_id))
        if not rows:
            raise UnknownAlertError(alert_id)
        return rows[0]

    async def patch(self, alert_id: str, user: Viewer) -> bytes | None:
        """Return the JPEG of an alert's plate, or None where there is none.

        Raises
        ------
        UnknownAlertError
            As `get`.
        """
        query = select(ALERTS.c.patch).where(ALERTS.c.alert_id == alert_id, _may_see(user))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise UnknownAlertError(alert_id)
        patch: bytes | None = row.patch
        return patch

    async def acknowledge(self, alert_id: str, verdict: Verdict, *, by: Viewer, note: str = "") -> AlertRow:
        """Store a verdict; the alert changes, so every page hears of it.

        Raises
        ------
        UnknownAlertError
            As `get`.
        """
        async with self._change() as (connection, take):
            seen = select(ALERTS.c.alert_id).where(ALERTS.c.alert_id == alert_id, _may_see(by))
            if (await connection.execute(seen)).first() is None:
                raise UnknownAlertError(alert_id)
            await connection.execute(
                insert(ACKNOWLEDGEMENTS).values(
                    alert_id=alert_id, verdict=verdict.value, by=by.name, note=note, at_ns=telemetry.now_ns()
                )
            )
            seq = await take()
            await connection.execute(update(ALERTS).where(ALERTS.c.alert_id == alert_id).values(seq=seq))
        return await self.get(alert_id, by)

    async def count(self) -> int:
        """Count all alerts, the covert ones too."""
        async with self._engine.connect() as connection:
            return int((await connection.execute(select(sql.count()).select_from(ALERTS))).scalar_one())

    async def audit(self, who: str, what: str, target: str, *, why: str = "", where: str = "") -> None:
        """Add a line to the audit trail."""
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(AUDIT).values(
                    at_ns=telemetry.now_ns(), who=who, what=what, target=target[:256], why=why, from_where=where
                )
            )

    async def audit_lines(self, limit: int = 1000) -> list[AuditLine]:
        """Return the latest lines of the audit trail, newest first."""
        query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [AuditLine(row.at_ns, row.who, row.what, row.target, row.why, row.from_where) for row in rows]

    async def put_user(self, name: str, password_hash: str, roles: Iterable[str]) -> None:
        """Add a user, or replace their password and roles."""
        values = {"password_hash": password_hash, "roles": " ".join(sorted(roles))}
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(USERS).values(name=name, **values))
        except IntegrityError:
            async with self._engine.begin() as connection:
                await connection.execute(update(USERS).where(USERS.c.name == name).values(**values))

    async def get_user(self, name: str) -> User | None:
        """Return a user, or None."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(USERS).where(USERS.c.name == name))).first()
        return None if row is None else User(row.name, row.password_hash, frozenset(row.roles.split()))

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[tuple[AsyncConnection, Any]]:
        """Open a transaction in which one change number may be taken; changes follow one another."""
        async with self._engine.begin() as connection:
            if not self._sqlite:
                await connection.execute(select(COUNTER.c.seq).with_for_update())

            async def take() -> int:
                await connection.execute(update(COUNTER).values(seq=COUNTER.c.seq + 1))
                return int((await connection.execute(select(COUNTER.c.seq))).scalar_one())

            yield connection, take

    async def _rows(self, query: Select[Any]) -> list[AlertRow]:
        async with self._engine.connect() as connection:
            alerts = (await connection.execute(query)).all()
            ids = [row.alert_id for row in alerts]
            verdicts = await connection.execute(
                select(ACKNOWLEDGEMENTS)
                .where(ACKNOWLEDGEMENTS.c.alert_id.in_(ids))
                .order_by(ACKNOWLEDGEMENTS.c.id)
            )
            latest = {
                row.alert_id: Acknowledgement(Verdict(row.verdict), row.by, row.note, row.at_ns)
                for row in verdicts
            }
        return [AlertRow(row.seq, decode(row.payload, Alert), latest.get(row.alert_id)) for row in alerts]


def _may_see(user: Viewer) -> ColumnElement[bool]:
    if COVERT_ROLE in user.roles:
        return literal(True)
    named = select(NAMED.c.alert_id).where(NAMED.c.user == user.name)
    return or_(ALERTS.c.covert.is_(False), ALERTS.c.alert_id.in_(named))


def _visible(user: Viewer) -> Select[Any]:
    return select(ALERTS.c.alert_id, ALERTS.c.seq, ALERTS.c.payload).where(_may_see(user))


def _without_patch(alert: Alert) -> Alert:
    read = msgspec.structs.replace(alert.hit.read, patch=None)
    return msgspec.structs.replace(alert, hit=msgspec.structs.replace(alert.hit, read=read))


def _prepare_sqlite(engine: AsyncEngine) -> None:
    """WAL, so that readers do not wait for the writer; and writers that queue up at BEGIN, not at COMMIT."""

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
