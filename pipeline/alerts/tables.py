"""The tables of the desk, for SQLite and PostgreSQL alike."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

METADATA: Final = MetaData()
SCHEMA_VERSION: Final = 1

# SQLite numbers rows by itself for INTEGER keys alone.
_ROW_ID: Final = BigInteger().with_variant(Integer, "sqlite")


def _of_alert(*, primary_key: bool = False, index: bool = False) -> Column[str]:
    key = ForeignKey("alerts.alert_id", ondelete="CASCADE")
    return Column("alert_id", String(32), key, primary_key=primary_key, nullable=False, index=index)


def _present(name: str, column: str) -> Index:
    there = text(f"{column} IS NOT NULL")
    return Index(name, column, sqlite_where=there, postgresql_where=there)


def _text(name: str, column: str) -> Index:
    """Index a text character by character: whatever PostgreSQL's collation is, beginnings are found in it."""
    return Index(name, column, postgresql_ops={column: "text_pattern_ops"})


SCHEMA: Final = Table("schema_version", METADATA, Column("version", Integer, primary_key=True))

ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("alert_id", String(32), primary_key=True),
    Column("seq", BigInteger, nullable=False, unique=True),
    Column("open_seq", BigInteger, unique=True),
    Column("covert", Boolean, nullable=False),
    Column("entry_id", String(32), nullable=False),
    Column("zone", String(128), nullable=False),
    Column("last_seen_ns", BigInteger, nullable=False),
    Column("created_at_ns", BigInteger, nullable=False),
    Column("hotlist", String(64), nullable=False),
    Column("plate_listed", String(32), nullable=False),
    Column("category", String(16), nullable=False),
    Column("priority", String(16), nullable=False),
    Column("priority_rank", Integer, nullable=False),
    Column("verdict", String(16)),
    Column("verdict_at_ns", BigInteger),
    Column("claimed_by", String(128)),
    Column("claimed_until_ns", BigInteger),
    Column("released_at_ns", BigInteger),
    Column("release_round", Integer, nullable=False),
    Column("withdrawn_at_ns", BigInteger),
    Column("escalated_at_ns", BigInteger),
    Column("has_patch", Boolean, nullable=False),
    Column("has_picture", Boolean, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("alerts_entry", "entry_id", "zone", "last_seen_ns"),
    Index("alerts_created", "created_at_ns", "alert_id"),
    # Of those rows alone that have it: a planner takes "is null" for rare, and would read nearly all the others.
    Index("alerts_covert", "alert_id", sqlite_where=text("covert = 1"), postgresql_where=text("covert")),
    _present("alerts_released", "released_at_ns"),
    _present("alerts_withdrawn", "withdrawn_at_ns"),
    _present("alerts_claimed", "claimed_until_ns"),
    _text("alerts_plate_text", "plate_listed"),
    Index("alerts_list", "hotlist", "created_at_ns", "covert", "verdict", "priority"),
)
"""``payload`` is the Alert without its pictures; ``seq`` is the number of the latest change among all,
``open_seq`` that among the changes of open alerts (null for a covert one): who may not see covert alerts counts
in the second, and finds no gap where a covert alert changed. ``verdict`` is the latest one."""

PICTURES: Final = Table(
    "alert_pictures",
    METADATA,
    _of_alert(primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""``kind`` is ``patch`` (the plate) or ``picture`` (the vehicle)."""

SIGHTINGS: Final = Table(
    "sightings",
    METADATA,
    Column("hit_id", String(32), primary_key=True),
    _of_alert(index=True),
    Column("camera", String(128), nullable=False),
    Column("plate", String(32), nullable=False),
    Column("captured_at_ns", BigInteger, nullable=False),
    Index("sightings_camera", "camera", "captured_at_ns"),
    _text("sightings_plate_text", "plate"),
)
"""Every hit of every alert, those too that a long alert's message leaves out."""

NAMED: Final = Table(
    "alert_named_users",
    METADATA,
    _of_alert(primary_key=True),
    Column("user", String(128), primary_key=True, index=True),
)
"""Who may see a covert alert beside the holders of the covert role."""

ACKNOWLEDGEMENTS: Final = Table(
    "acknowledgements",
    METADATA,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    _of_alert(index=True),
    Column("number", Integer, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("by", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)
"""Every verdict that was given; the latest of an alert counts. ``number`` counts an alert's verdicts from 1."""

TRUE_PLATES: Final = Table(
    "true_plates",
    METADATA,
    _of_alert(primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("plate", String(16), nullable=False),
    _text("true_plates_text", "plate"),
)
"""What an operator read on the plate, normalised, by the number of the verdict that says it was misread."""

LATER_READS: Final = Table(
    "later_reads",
    METADATA,
    Column("hit_id", String(32), primary_key=True),
    _of_alert(index=True),
    Column("plate", String(32), nullable=False),
    Column("country", String(2), nullable=False),
    Column("frames", Integer, nullable=False),
    Column("posterior", Float, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)
"""The best read of a hit that came after its alert was judged; the alert itself stays as it was judged."""

RESPONSES: Final = Table(
    "unit_responses",
    METADATA,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    _of_alert(index=True),
    Column("answer", String(16), nullable=False),
    Column("by", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)

SECTORS: Final = Table(
    "user_sectors",
    METADATA,
    Column("user", String(128), primary_key=True),
    Column("sector", String(128), primary_key=True),
)
"""The sectors (zones of cameras) of a unit; a unit without any has them all."""

COUNTER: Final = Table(
    "change_counter",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("open_seq", BigInteger, nullable=False),
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

API_TOKENS: Final = Table(
    "api_tokens",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("made_by", String(128), nullable=False),
    Column("made_at_ns", BigInteger, nullable=False),
    Column("expires_at_ns", BigInteger, nullable=False),
    Column("revoked_by", String(128)),
    Column("revoked_at_ns", BigInteger),
)
"""Tokens for programs, by the hash of each; none is removed: a name in the trail stays that of one token."""

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("who", String(128), nullable=False),
    Column("what", String(64), nullable=False),
    Column("target", String(256), nullable=False),
    Column("why", Text, nullable=False),
    Column("from_where", String(64), nullable=False),
    Column("covert", Boolean, nullable=False),
    Column("hash", String(64), nullable=False),
    Index("audit_at", "at_ns"),
)
"""The trail, numbered without gaps; ``hash`` is over the line and the hash of the one before it."""

AUDIT_CUTS: Final = Table(
    "audit_cuts",
    METADATA,
    Column("through_id", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)
"""Up to where retention removed the trail, and the hash of the last line that went: the chain goes on from it."""

RIR_REPORTS: Final = Table(
    "rir_reports",
    METADATA,
    Column("rir_id", String(32), primary_key=True),
    Column("alert_id", String(32), nullable=False, index=True),
    Column("covert", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at_ns", BigInteger, nullable=False),
    Column("changed_at_ns", BigInteger, nullable=False),
    Column("sent_version", Integer),
    Column("receipt", String(256), nullable=False),
    Column("problem", Text, nullable=False),
    Index("rir_created", "created_at_ns", "rir_id"),
)
"""No foreign key: a report has a period of its own, longer than its alert's."""

RIR_NAMED: Final = Table(
    "rir_named_users",
    METADATA,
    Column("rir_id", ForeignKey("rir_reports.rir_id", ondelete="CASCADE"), primary_key=True),
    Column("user", String(128), primary_key=True),
)
"""Who may see a covert report; as `NAMED` was when it was drafted."""

RIR_VERSIONS: Final = Table(
    "rir_versions",
    METADATA,
    Column("rir_id", ForeignKey("rir_reports.rir_id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("by", String(128), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
"""Every version of a report's text; ``payload`` is a RirDraft without the attachments' content."""

RIR_ATTACHMENTS: Final = Table(
    "rir_attachments",
    METADATA,
    Column("rir_id", ForeignKey("rir_reports.rir_id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    Column("rir_id", ForeignKey("rir_reports.rir_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("created_at_ns", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at_ns", BigInteger),
    Column("on_topic_at_ns", BigInteger),
    Column("done_at_ns", BigInteger),
    Column("problem", Text, nullable=False),
    _present("outbox_due", "next_at_ns"),
)
"""Which version of which report must leave, written in the transaction of what it tells of. ``next_at_ns`` is null
once it has left everywhere, or was refused for good; ``on_topic_at_ns`` is when Kafka acknowledged it."""

DELIVERIES: Final = Table(
    "deliveries",
    METADATA,
    Column("delivery_id", String(32), primary_key=True),
    _of_alert(index=True),
    Column("round", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("receiver", String(128), nullable=False),
    Column("level", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at_ns", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at_ns", BigInteger),
    _present("deliveries_due", "next_at_ns"),
)
"""One notification to one receiver; ``next_at_ns`` is null once it is delivered or given up."""

ATTEMPTS: Final = Table(
    "delivery_attempts",
    METADATA,
    Column("delivery_id", ForeignKey("deliveries.delivery_id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("detail", Text, nullable=False),
)

ROUNDS: Final = Table(
    "notification_rounds",
    METADATA,
    _of_alert(primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("level", Integer, nullable=False),
    Column("escalate_at_ns", BigInteger),
    Column("withdrawn", Boolean, nullable=False),
    _present("rounds_due", "escalate_at_ns"),
)
"""One release of one alert to the units: how far it was escalated, and when it will be next (null: no more)."""

REMOVALS: Final = Table(
    "retention_removals",
    METADATA,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("before_ns", BigInteger, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("covert", Boolean, nullable=False),
)
"""What retention removed, when, and from before which moment."""

_GUARD_SQLITE: Final = (
    "CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON audit "
    "WHEN OLD.id > COALESCE((SELECT MAX(through_id) FROM audit_cuts), 0) "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
)
_GUARD_POSTGRESQL: Final = (
    "CREATE OR REPLACE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF TG_OP = 'DELETE' AND OLD.id <= COALESCE((SELECT MAX(through_id) FROM audit_cuts), 0) "
    "THEN RETURN OLD; END IF; "
    "RAISE EXCEPTION 'the audit trail is append-only'; END $$",
    "CREATE OR REPLACE TRIGGER audit_guard BEFORE UPDATE OR DELETE ON audit "
    "FOR EACH ROW EXECUTE FUNCTION audit_guard()",
)


async def guard_audit(connection: AsyncConnection, *, sqlite: bool) -> None:
    """Have the database itself refuse to change the trail, or to remove what retention has not cut off."""
    for statement in _GUARD_SQLITE if sqlite else _GUARD_POSTGRESQL:
        await connection.execute(text(statement))
