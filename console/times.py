"""Moments as people write them: in Brussels, with the zone said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

BRUSSELS: Final = ZoneInfo("Europe/Brussels")
_NS: Final = 1_000_000_000
_ENGLISH: Final = "%Y-%m-%d %H:%M:%S %Z"
_OTHER: Final = "%d/%m/%Y %H:%M:%S %Z"


def moment(at_ns: int, language: str) -> str:
    """Write a moment (nanoseconds since the epoch) with its date and its zone, CET or CEST."""
    return _local(at_ns).strftime(_ENGLISH if language == "en" else _OTHER)


def iso(at_ns: int) -> str:
    """Write a moment for a machine: ISO 8601, UTC."""
    return datetime.fromtimestamp(at_ns // _NS, UTC).isoformat().replace("+00:00", "Z")


def for_input(at_ns: int | None) -> str:
    """Write a moment as a ``datetime-local`` field holds it; empty for None."""
    return "" if at_ns is None else _local(at_ns).strftime("%Y-%m-%dT%H:%M")


def from_input(given: str) -> int | None:
    """Read a ``datetime-local`` field, meant in Brussels; None where it is empty.

    Raises
    ------
    ValueError
        It is no moment.
    """
    if not given:
        return None
    read = datetime.fromisoformat(given)
    at = read if read.tzinfo is not None else read.replace(tzinfo=BRUSSELS)
    at_ns = int(at.timestamp()) * _NS
    if not 0 <= at_ns < 2**63:
        raise ValueError("before 1970, or after 2262")
    return at_ns


def _local(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // _NS, BRUSSELS)
