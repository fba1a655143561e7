"""The tables of what is counted per camera: numbers and moments alone, never a text that was read."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, text

from pipeline.alerts.tables import METADATA

MINUTE_S: Final = 60
HOUR_S: Final = 3600

CAMERA_COUNTS: Final = Table(
    "camera_counts",
    METADATA,
    Column("step_s", Integer, primary_key=True, autoincrement=False),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("camera", String(128), primary_key=True),
    Column("reads", Integer, nullable=False),
    Column("rejects", Integer, nullable=False),
    Column("future", Integer, nullable=False),
    Column("confident", Integer, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("lag_ms", BigInteger, nullable=False),
    Column("least_lag_ms", BigInteger),
)
"""What came of a camera in one minute, and again in one hour (``step_s`` 60 and 3600), by when it arrived.
``future`` are those of the rejects that were from the future, ``confident`` the reads that gave a confidence and
``confidence`` their sum, ``lag_ms`` the sum of arrival minus capture and ``least_lag_ms`` the least of them. The
camera ``""`` stands for all that are not registered."""

CAMERAS_SEEN: Final = Table(
    "cameras_seen",
    METADATA,
    Column("camera", String(128), primary_key=True),
    Column("last_ns", BigInteger, nullable=False),
)
"""When the last read of a camera arrived."""

CENSUS_OFFSETS: Final = Table(
    "census_offsets",
    METADATA,
    Column("topic", String(128), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
)
"""Up to where a partition is in the counts; changed in the transaction that counts."""

CAMERA_NOTICES: Final = Table(
    "camera_notices",
    METADATA,
    Column("notice_id", String(32), primary_key=True),
    Column("camera", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("raised_at_ns", BigInteger, nullable=False),
    Column("detail_ms", BigInteger, nullable=False),
    Column("cleared_at_ns", BigInteger),
    Column("acknowledged_by", String(128)),
    Column("acknowledged_at_ns", BigInteger),
    Index("camera_notices_raised", "raised_at_ns"),
    Index(
        "camera_notices_open",
        "camera",
        "kind",
        unique=True,
        sqlite_where=text("cleared_at_ns IS NULL"),
        postgresql_where=text("cleared_at_ns IS NULL"),
    ),
)
"""What is wrong with a camera (``""``: with all of them); one row from when it was raised until it was over."""
