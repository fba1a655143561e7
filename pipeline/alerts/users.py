"""The people who may sign in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.alerts.database import Database
from pipeline.alerts.tables import USERS


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in."""

    name: str
    password_hash: str
    roles: frozenset[str]


class Users:
    """The users in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, name: str, password_hash: str, roles: Iterable[str]) -> None:
        """Add a user, or replace their password and roles."""
        values = {"password_hash": password_hash, "roles": " ".join(sorted(roles))}
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(USERS).values(name=name, **values))
        except IntegrityError:
            async with self._database.write() as connection:
                await connection.execute(update(USERS).where(USERS.c.name == name).values(**values))

    async def get(self, name: str) -> User | None:
        """Return a user, or None."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(USERS).where(USERS.c.name == name))).first()
        return None if row is None else _user(row)

    async def all(self) -> list[User]:
        """Return every user, by name."""
        async with self._database.read() as connection:
            return list((await all_users(connection)).values())


async def all_users(connection: AsyncConnection) -> dict[str, User]:
    """Return every user by name, in the order of their names, as a transaction sees them."""
    return {row.name: _user(row) for row in await connection.execute(select(USERS).order_by(USERS.c.name))}


def _user(row: object) -> User:
    return User(row.name, row.password_hash, frozenset(row.roles.split()))  # type: ignore[attr-defined]
