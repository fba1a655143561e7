"""The tables of the alert store, for SQLite and PostgreSQL alike."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA: Final = MetaData()

# SQLite numbers rows by itself for INTEGER keys alone.
_ROW_ID: Final = BigInteger().with_variant(Integer, "sqlite")

ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("alert_id", String(32), primary_key=True),
    Column("seq", BigInteger, nullable=False, unique=True),
    Column("payload", LargeBinary, nullable=False),
    Column("patch", LargeBinary),
    Column("covert", Boolean, nullable=False),
    Column("entry_id", String(32), nullable=False),
    Column("zone", String(128), nullable=False),
    Column("last_seen_ns", BigInteger, nullable=False),
    Column("created_at_ns", BigInteger, nullable=False),
    Index("alerts_open", "entry_id", "zone", "last_seen_ns"),
)
"""``payload`` is the Alert without its patch; ``seq`` is that of the latest change."""

NAMED: Final = Table(
    "alert_named_users",
    METADATA,
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), primary_key=True),
    Column("user", String(128), primary_key=True),
)
"""Who may see a covert alert beside the holders of the covert role."""

ACKNOWLEDGEMENTS: Final = Table(
    "acknowledgements",
    METADATA,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("verdict", String(16), nullable=False),
    Column("by", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)
"""Every verdict that was given; the latest of an alert counts."""

COUNTER: Final = Table(
    "change_counter",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
)
"""One row. Whoever changes an alert takes the next number in the same transaction, and holds the row until it
commits: numbers become visible in order and without gaps, so that a reader of ``seq > n`` misses nothing."""

USERS: Final = Table(
    "users",
    METADATA,
    Column("name", String(128), primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("roles", Text, nullable=False),
)

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("who", String(128), nullable=False),
    Column("what", String(64), nullable=False),
    Column("target", String(256), nullable=False),
    Column("why", Text, nullable=False),
    Column("from_where", String(64), nullable=False),
)
