"""Moments as ops staff write them: every shape, days in Brussels, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotlists.dates import BRUSSELS, nanoseconds
from tests.hotlists.reading import at_ns, parse


@pytest.mark.parametrize(
    ("cell", "begins", "ends"),
    [
        ("2026-01-15", "2026-01-15T00:00+01:00", "2026-01-16T00:00+01:00"),
        ("2026-07-15", "2026-07-15T00:00+02:00", "2026-07-16T00:00+02:00"),
        ("20260715", "2026-07-15T00:00+02:00", "2026-07-16T00:00+02:00"),
        ("15/07/2026", "2026-07-15T00:00+02:00", "2026-07-16T00:00+02:00"),
        ("15-07-2026", "2026-07-15T00:00+02:00", "2026-07-16T00:00+02:00"),
        ("15.7.2026", "2026-07-15T00:00+02:00", "2026-07-16T00:00+02:00"),
        ("2026/07/15", "2026-07-15T00:00+02:00", "2026-07-16T00:00+02:00"),
        ("05/07/2026", "2026-07-05T00:00+02:00", "2026-07-06T00:00+02:00"),
        # The day on which summer time begins has 23 hours, that on which it ends 25.
        ("2026-03-29", "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00"),
        ("2026-10-25", "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00"),
        ("2026-03-14T21:00+01:00", "2026-03-14T20:00+00:00", "2026-03-14T20:00+00:00"),
        ("2026-03-14T21:00:00Z", "2026-03-14T21:00+00:00", "2026-03-14T21:00+00:00"),
        ("2026-03-14 21:00-05:00", "2026-03-15T02:00+00:00", "2026-03-15T02:00+00:00"),
        ("2026-03-14T21:00", "2026-03-14T21:00+01:00", "2026-03-14T21:00+01:00"),
        ("14/03/2026 21:00", "2026-03-14T21:00+01:00", "2026-03-14T21:00+01:00"),
        ("14.07.2026  9:05:30", "2026-07-14T09:05:30+02:00", "2026-07-14T09:05:30+02:00"),
        ("20260714 21:00", "2026-07-14T21:00+02:00", "2026-07-14T21:00+02:00"),
        # Half past two comes twice that night: the widest validity is meant.
        ("25/10/2026 02:30", "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"),
    ],
)
def test_a_bare_date_is_a_day_in_brussels_and_a_time_is_what_it_says(cell: str, begins: str, ends: str) -> None:
    assert nanoseconds(cell, last=False) == at_ns(begins)
    assert nanoseconds(cell, last=True) == at_ns(ends)
    entry = parse(f"plate,valid_from\n1ABC123, {cell} \n").entries[0]
    assert entry.valid_from_ns == at_ns(begins)


def test_moments_are_exact_before_1970_too() -> None:
    assert nanoseconds("1969-12-31T23:59:59.5Z", last=False) == -500_000_000
    assert nanoseconds("1970-01-01T00:00:00.000000001Z", last=False) == 1


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("07/25/2026", "there is no month 25; the day comes before the month, as in 14/03/2026"),
        ("2026-25-07", "no month 25"),
        ("14/03/26", "two digits"),
        ("14-3-26 21:00", "two digits"),
        ("2026-02-30", "no day 30 in month 2 of 2026"),
        ("29/02/2026", "no day 29"),
        ("00/03/2026", "no day 0"),
        ("2026-03-14T24:00", "no such time"),
        ("2026-03-14T21:60", "no such time"),
        ("2026-03-14T21:00+25:00", "no such offset"),
        ("2026-03-14T21", "not a date or time"),
        ("14/03-2026", "not a date or time"),
        ("14 maart 2026", "not a date or time"),
        ("morgen", "not a date or time"),
        ("２０２６-03-14", "not a date or time"),
        ("46095", "not a date or time"),
        ("9999-12-31", "1678 to 2262"),
        ("0001-01-01", "1678 to 2262"),
        ("0001-01-01T00:00+14:00", "1678 to 2262"),
        ("9999-12-31T23:59-14:00", "1678 to 2262"),
        ("0000-01-01", "not a date"),
    ],
)
def test_a_moment_that_is_none_says_why(cell: str, says: str) -> None:
    for last in (False, True):
        with pytest.raises(ValueError, match=says):
            nanoseconds(cell, last=last)


@given(
    st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1), timezones=st.just(BRUSSELS)),  # noqa: DTZ001
    st.sampled_from(["%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y%m%d %H:%M:%S"]),
)
def test_every_second_in_brussels_is_read_back(moment: datetime, shape: str) -> None:
    moment = moment.replace(microsecond=0)
    # strftime leaves the zeros of an early year out on some platforms.
    written = moment.strftime(shape.replace("%Y", f"{moment.year:04}"))
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * 10**9
    assert nanoseconds(written, last=bool(moment.fold)) == expected


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{1,8}[-/. ][0-9]{1,2}[-/.][0-9]{1,4}([T ][0-9:+Z]{1,9})?"))
def test_any_text_is_a_moment_or_a_value_error(text: str) -> None:
    try:
        begin, end = nanoseconds(text, last=False), nanoseconds(text, last=True)
    except ValueError:
        return
    assert begin <= end
