"""The changes of the whole store in one look, for a watcher that serves them to many."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import select

from pipeline.alerts.database import Database
from pipeline.alerts.rows import COVERT_SCALE, AlertRow, fill, visible_to_all
from pipeline.alerts.tables import ALERTS, COUNTER
from pipeline.alerts.users import User, all_users


@dataclass(frozen=True, slots=True)
class Changed:
    """One alert as its latest change left it, numbered for either kind of viewer."""

    row: AlertRow
    """As who sees covert alerts is given it."""
    open_row: AlertRow | None
    """As all others are given it; None where the alert is covert."""


@dataclass(frozen=True, slots=True)
class Look:
    """What there was at one moment."""

    seq: int
    """Number of the latest change that was taken in; `Changes.look` goes on from it."""
    open_seq: int
    changed: list[Changed]
    """In order of their latest change."""
    people: dict[str, User]
    """Who may sign in; read after the changes, so that whoever lost a role before one of them is not sent it."""


class Changes:
    """Every change in the store. What it gives is for a process, which must say for itself who may see what."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self) -> Look:
        """Look at how far the store is, without any of its changes."""
        async with self._database.read() as connection:
            at = (await connection.execute(select(COUNTER.c.seq, COUNTER.c.open_seq))).one()
            return Look(at.seq, at.open_seq, [], await all_users(connection))

    async def look(self, seq: int, *, limit: int) -> Look | None:
        """Take in what changed after `seq`, at most `limit` changes; None where nothing did."""
        async with self._database.read() as connection:
            at = (await connection.execute(select(COUNTER.c.seq, COUNTER.c.open_seq))).one()
            if at.seq == seq:
                return None
            later = visible_to_all().add_columns(ALERTS.c.open_seq).where(ALERTS.c.seq > seq)
            found = (await connection.execute(later.order_by(ALERTS.c.seq).limit(limit))).all()
            rows = await fill(connection, found)
            changed = [
                Changed(row, None if each.open_seq is None else replace(row, seq=each.open_seq))
                for each, row in zip(found, rows, strict=True)
            ]
            last = rows[-1].seq - COVERT_SCALE if rows else seq
            through = last if len(found) == limit else max(at.seq, last)
            return Look(through, at.open_seq, changed, await all_users(connection))
