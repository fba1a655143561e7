"""What a version changes against another, beside the slowest obvious way to say it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hotlists.columns import Columns, pack_entries
from hotlists.compare import compare, joined, without
from hotlists.entry import Handling, Hotlist, HotlistEntry, Priority
from hotlists.parsed import as_entries

ENTRIES = st.lists(
    st.builds(
        HotlistEntry,
        plate=st.sampled_from(["1ABC123", "2DEF456", "3GHI789", "1AB*"]),
        country=st.sampled_from(["", "BE", "NL"]),
        reason=st.sampled_from(["", "gestolen", "é"]),
        priority=st.sampled_from([None, Priority.HIGH]),
        handling=st.sampled_from([None, Handling.COVERT]),
        valid_until_ns=st.sampled_from([None, 5]),
    ),
    max_size=8,
)


def packed(entries: list[HotlistEntry]) -> Columns:
    return pack_entries(Hotlist(name="a"), entries)


def by_vehicle(entries: list[HotlistEntry]) -> dict[tuple[str, str], set[Any]]:
    """What is said of each plate in each country."""
    found = defaultdict(set)
    for each in entries:
        found[each.plate, each.country].add(each)
    return found


def vehicles(columns: Columns, rows: Any) -> list[tuple[str, str]]:
    return sorted((each.plate, each.country) for each in as_entries(columns.chosen(rows)))


@given(ENTRIES, ENTRIES)
def test_it_finds_what_a_plain_comparison_finds(before: list[HotlistEntry], after: list[HotlistEntry]) -> None:
    old, new = packed(before), packed(after)
    held, named = by_vehicle(before), by_vehicle(after)
    found = compare(old, new)
    assert vehicles(new, found.added) == sorted(set(named) - set(held))
    assert vehicles(old, found.removed) == sorted(set(held) - set(named))
    both = set(held) & set(named)
    assert vehicles(new, found.changed) == sorted(each for each in both if held[each] != named[each])
    assert found.unchanged == len([each for each in both if held[each] == named[each]])


def test_more_countries_than_a_key_has_bits_for() -> None:
    codes = ["BE", "NL", "FR", "DE", "LU", "GB", "ES", "PT", "IT", "AT", "CH", "PL", "CZ", "SK", "HU", "RO", "BG"]
    old = packed([HotlistEntry(plate="1ABC123", country=code) for code in codes])
    new = packed([HotlistEntry(plate="1ABC123", country=code) for code in (*codes[1:], "DK")])
    found = compare(old, new)
    assert (vehicles(new, found.added), vehicles(old, found.removed)) == ([("1ABC123", "DK")], [("1ABC123", "BE")])
    assert (len(found.changed), found.unchanged) == (0, 16)


@given(ENTRIES, ENTRIES)
def test_a_delta_removes_and_then_adds(before: list[HotlistEntry], after: list[HotlistEntry]) -> None:
    made = joined(without(packed(before), packed(after)), packed(after))
    gone = set(by_vehicle(after))
    assert as_entries(made) == [each for each in before if (each.plate, each.country) not in gone] + after


def test_an_empty_list_against_an_empty_one() -> None:
    found = compare(packed([]), packed([]))
    assert [len(each) for each in (found.added, found.changed, found.removed)] == [0, 0, 0]
    assert found.unchanged == 0
    assert found.added.dtype == np.int64
