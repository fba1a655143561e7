"""API tokens that were made at the desk: their names, scopes and times, and of each itself the SHA-256 alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from pipeline import telemetry
from pipeline.alerts.database import Database
from pipeline.alerts.tables import API_TOKENS


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One token, without what would let anybody use it."""

    name: str
    scopes: frozenset[str]
    made_by: str
    made_at_ns: int
    expires_at_ns: int
    revoked_by: str | None
    revoked_at_ns: int | None

    def holds(self, now_ns: int) -> bool:
        """Tell whether it opens anything at a moment."""
        return self.revoked_at_ns is None and now_ns < self.expires_at_ns


class TokenNameTakenError(Exception):
    """There is, or was, a token of this name: the trail must not say of two what one of them did."""


class ApiTokens:
    """The tokens in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, name: str, sha256: str, scopes: Iterable[str], *, by: str, expires_at_ns: int) -> None:
        """Keep a new token.

        Parameters
        ----------
        sha256
            Of the token, 64 hexadecimal digits.

        Raises
        ------
        TokenNameTakenError
            There is one of this name already, be it revoked or expired.
        """
        values = {
            "name": name,
            "sha256": sha256,
            "scopes": " ".join(sorted(scopes)),
            "made_by": by,
            "made_at_ns": telemetry.now_ns(),
            "expires_at_ns": expires_at_ns,
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(API_TOKENS).values(**values))
        except IntegrityError as error:
            raise TokenNameTakenError(name) from error

    async def all(self) -> list[ApiToken]:
        """Return every token, the latest first."""
        async with self._database.read() as connection:
            newest = select(API_TOKENS).order_by(API_TOKENS.c.made_at_ns.desc(), API_TOKENS.c.name)
            return [_token(row) for row in await connection.execute(newest)]

    async def find(self, sha256: str) -> ApiToken | None:
        """Return the token with this SHA-256, if it still holds."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(API_TOKENS).where(API_TOKENS.c.sha256 == sha256))).first()
        found = None if row is None else _token(row)
        return found if found is not None and found.holds(telemetry.now_ns()) else None

    async def revoke(self, name: str, *, by: str) -> bool:
        """End a token for good; return whether there was one to end."""
        mine = (API_TOKENS.c.name == name) & API_TOKENS.c.revoked_at_ns.is_(None)
        values = {"revoked_by": by, "revoked_at_ns": telemetry.now_ns()}
        async with self._database.write() as connection:
            return (await connection.execute(update(API_TOKENS).where(mine).values(**values))).rowcount > 0


def _token(row: Any) -> ApiToken:
    return ApiToken(
        name=row.name,
        scopes=frozenset(row.scopes.split()),
        made_by=row.made_by,
        made_at_ns=row.made_at_ns,
        expires_at_ns=row.expires_at_ns,
        revoked_by=row.revoked_by,
        revoked_at_ns=row.revoked_at_ns,
    )
