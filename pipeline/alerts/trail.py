"""The audit trail: who did what to what, when, why and from where; append-only, and chained by hashes.

Each line is hashed (SHA-256) together with the hash of the line before it, so that nobody can change, remove or
insert one without every later hash being wrong; `Trail.verify` computes them all again. The numbers have no gaps.
The database's own triggers refuse an update, and a deletion that retention has not announced. Whoever may rewrite
the whole table can rewrite the chain from there on: keep the head that `verify` gives elsewhere, and give it back
to the next one.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import exists, insert, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import telemetry
from pipeline.alerts.database import Database
from pipeline.alerts.tables import ALERTS, AUDIT, AUDIT_CUTS, RIR_REPORTS
from pipeline.alerts.viewer import Viewer, may_see_line
from pipeline.errors import ConfigurationError

BEGINNING: Final = "0" * 64
"""What the first line of all is chained to."""
_LOCK: Final = 5288
_BATCH: Final = 5000


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what to what, when, why and from where."""

    at_ns: int
    who: str
    what: str
    target: str
    why: str
    where: str


@dataclass(frozen=True, slots=True)
class Deed:
    """What goes on the trail: who did what to what, why and from where."""

    who: str
    what: str
    target: str
    why: str = ""
    where: str = ""
    covert: bool = False
    """True where the line itself would tell of a covert alert; one whose target is covert is marked by itself."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What going through the chain found."""

    lines: int
    head_id: int
    head_hash: str
    problem: str = ""
    """What is wrong first, and at which line; empty where the chain holds."""


class Trail:
    """The trail in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, deed: Deed) -> None:
        """Add a line."""
        async with self._database.write() as connection:
            await self.add_within(connection, deed)

    async def add_within(self, connection: AsyncConnection, deed: Deed) -> None:
        """Add a line in the transaction of what it tells of: both are there, or neither."""
        if not self._database.sqlite:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        last_id, last_hash = await _last(connection)
        target = deed.target[:256]
        values: dict[str, Any] = {
            "id": last_id + 1,
            "at_ns": telemetry.now_ns(),
            "who": deed.who,
            "what": deed.what,
            "target": target,
            "why": deed.why,
            "from_where": deed.where,
            "covert": deed.covert or await _is_covert(connection, target),
        }
        await connection.execute(insert(AUDIT).values(**values, hash=_hash(last_hash, values)))

    async def lines(self, user: Viewer, *, limit: int = 1000, before_ns: int | None = None) -> list[AuditLine]:
        """Return the latest lines that `user` may see, newest first; with `before_ns`, those before it."""
        return await self._lines(select(AUDIT).where(may_see_line(user)), limit, before_ns)

    async def all_lines(self, limit: int = 1000) -> list[AuditLine]:
        """Return the latest lines, those on covert alerts too, newest first."""
        return await self._lines(select(AUDIT), limit, None)

    async def _lines(self, query: Any, limit: int, before_ns: int | None) -> list[AuditLine]:
        if before_ns is not None:
            query = query.where(AUDIT.c.at_ns < before_ns)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(AUDIT.c.id.desc()).limit(limit))).all()
        return [AuditLine(row.at_ns, row.who, row.what, row.target, row.why, row.from_where) for row in rows]

    async def verify(self, expected: tuple[int, str] | None = None) -> Verification:
        """Compute every hash again, from where retention cut the trail off to its head.

        Parameters
        ----------
        expected
            Number and hash of a head that was given earlier: the trail must still hold it.
        """
        async with self._database.read() as connection:
            at_id, at_hash = await _cut(connection)
            lines = 0
            if expected is not None and expected[0] == at_id and expected[1] != at_hash:
                return Verification(0, at_id, at_hash, f"line {at_id} is not the one that was noted")
            while True:
                query = select(AUDIT).where(AUDIT.c.id > at_id).order_by(AUDIT.c.id).limit(_BATCH)
                rows = (await connection.execute(query)).mappings().all()
                if not rows:
                    break
                for row in rows:
                    problem = _problem(row, at_id, at_hash, expected)
                    if problem:
                        return Verification(lines, at_id, at_hash, problem)
                    at_id, at_hash, lines = row["id"], row["hash"], lines + 1
        if expected is not None and expected[0] > at_id:
            problem = f"the trail ends at line {at_id}; line {expected[0]} is gone"
            return Verification(lines, at_id, at_hash, problem)
        return Verification(lines, at_id, at_hash)


def parse_head(text: str) -> tuple[int, str]:
    """Read a head as `lik audit verify` prints it.

    Raises
    ------
    ConfigurationError
        It is not a number, a colon and 64 hexadecimal digits.
    """
    match = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text)
    if match is None:
        raise ConfigurationError("a head is NUMBER:HASH, as an earlier `lik audit verify` printed it")
    return int(match[1]), match[2]


def _problem(row: Any, last_id: int, last_hash: str, expected: tuple[int, str] | None) -> str:
    if row["id"] != last_id + 1:
        return f"line {last_id + 1} is missing"
    if row["hash"] != _hash(last_hash, row):
        return f"line {row['id']} was changed, or one before it"
    if expected is not None and expected[0] == row["id"] and expected[1] != row["hash"]:
        return f"line {row['id']} is not the one that was noted"
    return ""


def _hash(last_hash: str, values: Any) -> str:
    """Hash a line: SHA-256 over the hash before it and the line's fields, as a JSON array in UTF-8."""
    names = ("id", "at_ns", "who", "what", "target", "why", "from_where")
    fields = [last_hash, *(values[name] for name in names), bool(values["covert"])]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


async def _last(connection: AsyncConnection) -> tuple[int, str]:
    row = (await connection.execute(select(AUDIT.c.id, AUDIT.c.hash).order_by(AUDIT.c.id.desc()).limit(1))).first()
    return (row.id, row.hash) if row is not None else await _cut(connection)


async def _cut(connection: AsyncConnection) -> tuple[int, str]:
    query = select(AUDIT_CUTS).order_by(AUDIT_CUTS.c.through_id.desc()).limit(1)
    row = (await connection.execute(query)).first()
    return (row.through_id, row.hash) if row is not None else (0, BEGINNING)


async def _is_covert(connection: AsyncConnection, target: str) -> bool:
    query = select(
        or_(
            exists().where(ALERTS.c.alert_id == target, ALERTS.c.covert.is_(True)),
            exists().where(RIR_REPORTS.c.rir_id == target, RIR_REPORTS.c.covert.is_(True)),
        )
    )
    return bool((await connection.execute(query)).scalar())
