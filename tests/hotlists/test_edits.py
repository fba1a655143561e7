"""Edits: what makes one version the next, against the slowest obvious way to say it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotlists.columns import Columns, pack_entries
from hotlists.edits import Edit
from hotlists.entry import Hotlist, HotlistEntry
from hotlists.parsed import NO_COLUMNS, as_entries

PLATES = ("1ABC123", "2DEF456", "1AB?", "9ZZZ999")
ENTRIES = st.builds(
    HotlistEntry,
    plate=st.sampled_from(PLATES),
    country=st.sampled_from(("", "BE", "NL")),
    reason=st.sampled_from(("", "gestolen", "geseind é")),
    valid_until_ns=st.sampled_from((None, 5)),
)
LISTS = st.lists(ENTRIES, max_size=8)


def packed(entries: list[HotlistEntry]) -> Columns:
    return pack_entries(Hotlist(name="a"), entries)


def said(columns: Columns) -> list[tuple[str, str, str, int]]:
    """What entries say, in no order."""
    return sorted((e.plate, e.country, e.reason, e.valid_until_ns or 0) for e in as_entries(columns))


def edited(base: list[HotlistEntry], added: list[HotlistEntry], removed: list[HotlistEntry]) -> list[HotlistEntry]:
    """Apply an edit, entry by entry."""
    named = {(each.plate, each.country) for each in (*added, *removed)}
    return [each for each in base if (each.plate, each.country) not in named] + added


@given(LISTS, LISTS, LISTS)
def test_an_edit_removes_what_it_names_and_adds(
    base: list[HotlistEntry], added: list[HotlistEntry], removed: list[HotlistEntry]
) -> None:
    edit = Edit(packed(added), packed(removed))
    assert said(edit.applied(packed(base))) == said(packed(edited(base, added, removed)))
    # Twice is as once.
    assert said(edit.applied(edit.applied(packed(base)))) == said(edit.applied(packed(base)))


@given(LISTS, LISTS, LISTS, LISTS, LISTS)
def test_two_edits_are_one(
    base: list[HotlistEntry],
    added: list[HotlistEntry],
    removed: list[HotlistEntry],
    later_added: list[HotlistEntry],
    later_removed: list[HotlistEntry],
) -> None:
    first, later = Edit(packed(added), packed(removed)), Edit(packed(later_added), packed(later_removed))
    one_by_one = later.applied(first.applied(packed(base)))
    assert said(first.then(later).applied(packed(base))) == said(one_by_one)


@given(LISTS, LISTS)
def test_what_is_between_two_versions_makes_the_one_of_the_other(
    old: list[HotlistEntry], new: list[HotlistEntry]
) -> None:
    found = Edit.between(packed(old), packed(new))
    assert set(said(found.applied(packed(old)))) == set(said(packed(new)))
    if sorted(map(str, old)) == sorted(map(str, new)):
        assert len(found) == 0


@given(LISTS, LISTS)
def test_what_is_stored_is_what_is_read(added: list[HotlistEntry], removed: list[HotlistEntry]) -> None:
    again = Edit.from_bytes(Edit(packed(added), packed(removed)).to_bytes())
    assert (as_entries(again.added), as_entries(again.removed)) == (added, removed)


@pytest.mark.parametrize("damaged", [b"", b"\0" * 8, b"PK\3\4" * 20])
def test_what_is_no_edit_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="hotlist"):
        Edit.from_bytes(damaged)


def test_a_few_of_many_are_found_without_sorting_the_many() -> None:
    """The table of bits that comes first may only ever let too many through."""
    random = np.random.default_rng(1)
    keys = random.integers(1, 1 << 60, 50_000, np.uint64)
    many = Columns(
        keys=keys,
        country=np.zeros(len(keys), np.uint16),
        priority=np.zeros(len(keys), np.uint8),
        covert=np.zeros(len(keys), np.bool_),
        valid_from_ns=np.zeros(len(keys), np.int64),
        valid_until_ns=np.zeros(len(keys), np.int64),
        reasons=packed([HotlistEntry(plate="1ABC123")] * len(keys)).reasons,
    )
    gone = many.chosen(random.integers(0, len(keys), 200))
    left = Edit(NO_COLUMNS, gone).applied(many)
    assert left.keys.tolist() == keys[~np.isin(keys, gone.keys)].tolist()


def test_an_edit_carries_no_reasons_but_its_own() -> None:
    entries = [HotlistEntry(plate=f"1ABC{number:03}", reason=f"PV {number}") for number in range(500)]
    edit = Edit.between(packed(entries), packed([*entries[1:], HotlistEntry(plate="9ZZZ999", reason="nieuw")]))
    assert (len(edit.added.reasons.offsets), len(edit.removed.reasons.offsets)) == (2, 2)
    assert list(edit.added.reasons) == ["nieuw"]
