"""The database of the desk: SQLite or PostgreSQL, how transactions begin, and the numbers of changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Table, event, insert, inspect, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from pipeline.alerts.tables import COUNTER, METADATA, SCHEMA, SCHEMA_VERSION, guard_audit
from pipeline.errors import ConfigurationError

BUSY_TIMEOUT_S: Final = 30
CACHE_KIB: Final = 16_384
"""SQLite's page cache per connection: its default of 2 MB does not hold the indexes of 100,000 alerts."""
_OPEN_LOCK: Final = 5287
_READS: Final = "lik_reads"


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of one change: among all, and among those of open alerts (None for a covert one)."""

    seq: int
    open_seq: int | None


class Database:
    """One engine, and the three ways to use it: `read`, `write` and `change`.

    Parameters
    ----------
    url
        SQLAlchemy URL with an async driver.
    """

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = {}
        self.sqlite = url.startswith("sqlite")
        if self.sqlite:
            options["connect_args"] = {"timeout": BUSY_TIMEOUT_S}
        self.engine: AsyncEngine = create_async_engine(url, **options)
        if self.sqlite:
            _prepare_sqlite(self.engine)

    async def open(self) -> None:
        """Create what is missing of the tables.

        Raises
        ------
        ConfigurationError
            The tables are those of another version of this software.
        """
        async with self.write() as connection:
            if not self.sqlite:
                # Two workers that start together would both create; the second waits here.
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_OPEN_LOCK})"))
            known = await connection.run_sync(_version)
            if known not in (None, SCHEMA_VERSION):
                raise ConfigurationError(
                    f"the database holds tables of version {known}, this is version {SCHEMA_VERSION}; name "
                    "another one with LIK_DATABASE_URL, or run the version that made it"
                )
            await connection.run_sync(_create)
            if known is None:
                await connection.execute(insert(SCHEMA).values(version=SCHEMA_VERSION))
                await connection.execute(insert(COUNTER).values(id=1, seq=0, open_seq=0))
                await guard_audit(connection, sqlite=self.sqlite)

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    def insert_new(self, table: Table) -> Any:
        """Make an insert into `table` that leaves rows alone whose key is there already."""
        made = sqlite.insert(table) if self.sqlite else postgresql.insert(table)
        return made.on_conflict_do_nothing()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that reads: one moment's state, and nobody waits for it."""
        async with self.engine.connect() as connection:
            yield await connection.execution_options(**{_READS: True})

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that writes; it commits at the end of the block."""
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Change]:
        """Open a transaction in which alerts change; such transactions follow one another."""
        async with self.write() as connection:
            if not self.sqlite:
                await connection.execute(select(COUNTER.c.seq).with_for_update())
            yield Change(connection)


class Change:
    """A transaction in which alerts may take change numbers."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def take(self, *, covert: bool) -> Numbers:
        """Take the next number; a covert change takes none of those that everybody sees."""
        step = 0 if covert else 1
        values = {"seq": COUNTER.c.seq + 1, "open_seq": COUNTER.c.open_seq + step}
        taken = update(COUNTER).values(**values).returning(COUNTER.c.seq, COUNTER.c.open_seq)
        row = (await self.connection.execute(taken)).one()
        return Numbers(row.seq, None if covert else row.open_seq)


def _create(connection: Connection) -> None:
    """Create the tables that are missing, and the indexes that were added to those that are there."""
    METADATA.create_all(connection)
    for table in METADATA.sorted_tables:
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            index.create(connection, checkfirst=True)


def _version(connection: Connection) -> int | None:
    """Return the version of the tables, 0 for those from before versions, None where there are none."""
    names = inspect(connection).get_table_names()
    if SCHEMA.name in names:
        return connection.execute(select(SCHEMA.c.version)).scalar()
    return 0 if "alerts" in names else None


def _prepare_sqlite(engine: AsyncEngine) -> None:
    """WAL, so that readers do not wait for the writer; and writers that queue up at BEGIN, not at COMMIT."""

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Any) -> None:
        reads = connection.get_execution_options().get(_READS, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
