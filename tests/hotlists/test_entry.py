"""The metadata of a list: what older releases wrote still reads, and where and when a list applies."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest

from hotlists.entry import BRUSSELS, EVERYWHERE, AppliesTo, Handling, Hotlist, Weekday, Window

OLD = (
    b'{"name":"recherche","title":"","owner":"PZ Veldeke","legal_basis":"","purpose":"","category":"recherche",'
    b'"priority":"high","handling":"covert","named_users":["an"],"threshold":0.8,"notify_unconfirmed":false}'
)


def moment(text: str) -> int:
    """Nanoseconds of a time on the Brussels clock, or of one with an offset."""
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=BRUSSELS)).timestamp()) * 1_000_000_000


def test_metadata_that_an_older_release_wrote_still_reads() -> None:
    read = msgspec.json.decode(OLD, type=Hotlist)
    assert (read.handling, read.named_users, read.threshold) == (Handling.COVERT, ("an",), 0.8)
    assert (read.prior, read.max_age_s, read.two_person, read.archived) == (None, None, False, False)
    assert read.applies_to == EVERYWHERE


def test_metadata_of_a_newer_release_reads_without_what_is_not_known_here() -> None:
    newer = OLD[:-1] + b',"colour":"red","applies_to":{"zones":["noord"],"weather":"rain"}}'
    assert msgspec.json.decode(newer, type=Hotlist).applies_to.zones == ("noord",)


def test_metadata_comes_back_as_it_was_written() -> None:
    window = Window(from_ns=1, until_ns=2, days=(Weekday.FRIDAY,), starts="22:00", ends="04:00")
    made = Hotlist(name="match", applies_to=AppliesTo(cameras=("cam-1",), windows=(window,)), prior=1e-5)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Hotlist) == made


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prior", "0"),
        ("prior", "1"),
        ("max_age_s", "59"),
        ("removal_guard", "1.1"),
        ("rejection_guard", "-0.1"),
        ("applies_to", '{"windows":[{"starts":"24:00"}]}'),
        ("applies_to", '{"windows":[{"ends":"9:00"}]}'),
        ("applies_to", '{"windows":[{"days":["vrijdag"]}]}'),
    ],
)
def test_a_value_outside_its_range_is_refused(field: str, value: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(f'{{"name":"a","{field}":{value}}}', type=Hotlist)


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        ("2026-11-27T21:59:59", False),
        ("2026-11-27T22:00", True),
        ("2026-11-28T03:59:59", True),
        ("2026-11-28T04:00", False),
        ("2026-11-27T03:00", False),
        ("2026-11-28T22:00", False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(at: str, holds: bool) -> None:
    night = Window(days=(Weekday.FRIDAY,), starts="22:00", ends="04:00")
    assert night.holds_at(moment(at)) is holds


@pytest.mark.parametrize(
    ("window", "at", "holds"),
    [
        (Window(), "2026-11-27T00:00", True),
        (Window(days=(Weekday.MONDAY,)), "2026-11-27T12:00", False),
        (Window(starts="08:00", ends="09:00"), "2026-11-27T09:00", False),
        (Window(starts="18:00"), "2026-11-27T23:59", True),
        (Window(starts="18:00"), "2026-11-28T00:00", False),
        (Window(ends="06:00"), "2026-11-27T05:59", True),
        (Window(from_ns=moment("2026-11-27T10:00")), "2026-11-27T10:00", True),
        (Window(until_ns=moment("2026-11-27T10:00")), "2026-11-27T10:00", False),
        # Both passes of the hour that October repeats.
        (Window(starts="02:00", ends="03:00"), "2026-10-25T02:30+02:00", True),
        (Window(starts="02:00", ends="03:00"), "2026-10-25T02:30+01:00", True),
    ],
)
def test_a_window_limits_by_what_it_gives(window: Window, at: str, holds: bool) -> None:
    assert window.holds_at(moment(at)) is holds


@pytest.mark.parametrize(
    ("place", "holds"),
    [
        (AppliesTo(), True),
        (AppliesTo(zones=("noord",)), True),
        (AppliesTo(zones=("zuid",)), False),
        (AppliesTo(zones=("zuid",), cameras=("cam-1",)), True),
        (AppliesTo(cameras=("cam-2",)), False),
        (AppliesTo(windows=(Window(starts="23:00"), Window(starts="11:00", ends="13:00"))), True),
        (AppliesTo(zones=("noord",), windows=(Window(starts="23:00"),)), False),
    ],
)
def test_a_list_applies_where_and_when_it_says(place: AppliesTo, holds: bool) -> None:
    assert place.holds("cam-1", "noord", moment("2026-11-27T12:00")) is holds
