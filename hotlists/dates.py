"""Moments as ops staff write them: a date, with a time or without, with an offset or in Brussels time."""

from __future__ import annotations

import functools
import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

BRUSSELS: Final = ZoneInfo("Europe/Brussels")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = (
    r"(?:(?:\s*T\s*|\s+)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"\s*(?P<offset>Z|[+-][0-9]{2}:?[0-5][0-9])?)?\Z"
)
_SHAPES: Final = tuple(
    re.compile(day + _TIME, re.IGNORECASE)
    for day in (
        r"(?P<year>[0-9]{4})(?P<between>[-/.])(?P<month>[0-9]{1,2})(?P=between)(?P<day>[0-9]{1,2})",
        r"(?P<day>[0-9]{1,2})(?P<between>[-/.])(?P<month>[0-9]{1,2})(?P=between)(?P<year>[0-9]{4})",
        r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})",
    )
)
_SHORT_YEAR: Final = re.compile(r"[0-9]{1,2}([-/.])[0-9]{1,2}\1[0-9]{2}(?![0-9])")
_LAST_MONTH: Final = 12


# A file of a million rows has a few hundred dates.
@functools.lru_cache(65_536)
def nanoseconds(value: str, *, last: bool) -> int:
    """Read a moment: nanoseconds since the epoch, UTC.

    ``2026-03-14``, ``14/03/2026``, ``14-03-2026``, ``14.03.2026`` and ``20260314`` are the same day, and the day
    comes before the month wherever the year comes last. A bare date begins that day in Brussels or, as the
    `last` day, ends with it. A time may follow: ``21:00``, ``T21:00:30``, ``T21:00:30.5``; with ``Z`` or an
    offset behind it, or else in Brussels. Of an hour that comes twice there, the widest validity is meant.

    Raises
    ------
    ValueError
        It is none of these, there is no such day or time, or it is outside the years 1678 to 2262.
    """
    found = next((match for shape in _SHAPES if (match := shape.match(value))), None)
    if found is None:
        if _SHORT_YEAR.match(value):
            raise ValueError("a year of two digits; write all four, as in 14/03/2026")
        raise ValueError("not a date or time like 2026-03-14, 14/03/2026 or 2026-03-14T21:00+01:00")
    day = _day(found)
    moment = _midnight(day, next_day=last) if found["hour"] is None else _clock(day, found, last)
    made = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    if found["fraction"]:
        made += int(found["fraction"].ljust(9, "0"))
    if not -(2**63) < made < 2**63:
        raise ValueError("outside the years 1678 to 2262")
    return made


def _day(found: re.Match[str]) -> date:
    year, month, day = int(found["year"]), int(found["month"]), int(found["day"])
    if month > _LAST_MONTH:
        raise ValueError(f"there is no month {month}; the day comes before the month, as in 14/03/2026")
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"not a date: there is no day {day} in month {month} of {year}") from None


def _midnight(day: date, *, next_day: bool) -> datetime:
    """Begin of a day in Brussels, or of the next; the last day of the calendar has none."""
    if next_day:
        day = date.fromordinal(min(day.toordinal() + 1, date.max.toordinal()))
    return datetime.combine(day, time(), BRUSSELS)


def _clock(day: date, found: re.Match[str], last: bool) -> datetime:
    try:
        clock = time(int(found["hour"]), int(found["minute"]), int(found["second"] or 0), fold=int(last))
        return datetime.combine(day, clock, _zone(found["offset"]))
    except ValueError:
        raise ValueError("there is no such time of day, or no such offset") from None


def _zone(offset: str | None) -> ZoneInfo | timezone:
    if offset is None:
        return BRUSSELS
    if offset in "Zz":
        return UTC
    minutes = int(offset[1:3]) * 60 + int(offset[-2:])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
