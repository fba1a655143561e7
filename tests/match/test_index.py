"""All candidates of a batch, and only those: every edit, patterns, deltas."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotlists.entry import Hotlist, HotlistEntry
from hotlists.snapshot import Delta, Snapshot, pack_entries
from pipeline.batch import ReadBatch
from pipeline.match import kernels, posterior, weighing
from pipeline.match.index import Index
from pipeline.match.matcher import Matcher
from pipeline.match.patterns import PatternTable
from plates import alphabet
from tests import reference

LIST = Hotlist(name="a")
NAMES = {
    kernels.EXACT: "exact",
    kernels.NEAR_SUBSTITUTION: "substitution",
    kernels.NEAR_MISSED: "missed",
    kernels.NEAR_EXTRA: "extra",
    kernels.NEAR_SWAP: "swap",
    kernels.NEAR_TWO: "two",
    weighing.PATTERN: "pattern",
}


def snapshot_of(plates: list[str]) -> Snapshot:
    return Snapshot.build(1, [(LIST, [HotlistEntry(plate=plate) for plate in plates])])


def found(plates: list[str], reads: list[str], substitutions: int = 2) -> list[tuple[str, str, str]]:
    """Read, entry and what lies between, of every candidate whatever its likelihood."""
    snapshot = snapshot_of(plates)
    scoring = posterior.default()
    batch = ReadBatch.of(alphabet.encode(reads), np.zeros(len(reads), np.int64))
    scores = scoring.prepare(batch, posterior.bounds_of(1e-7, 0.0), pairs=substitutions > 1)
    every = Index(snapshot).candidates(batch.keys, scores, scoring.prices, substitutions)
    return sorted(
        (reads[read], plates[entry], NAMES[int(edit)])
        for read, entry, edit in zip(every.read_row.tolist(), every.entry_row.tolist(), every.edit, strict=True)
    )


@pytest.mark.parametrize(
    ("read", "entry", "how"),
    [
        ("1ABC123", "1ABC123", "exact"),
        ("1ABC123", "1XBC123", "substitution"),
        ("1ABC123", "XABC123", "substitution"),
        ("1ABC123", "1ABC12X", "substitution"),
        ("1ABC123", "1AXC12X", "two"),
        ("1ABC123", "XX", None),
        ("1ABC123", "1ABC1234", "missed"),
        ("1ABC123", "X1ABC123", "missed"),
        ("1ABC123", "1ABCC123", "missed"),
        ("1ABC123", "1ABC12", "extra"),
        ("1AABC12", "1ABC12", "extra"),
        ("1ABC123", "1BAC123", "swap"),
        ("1ABC123", "1ABC132", "swap"),
        ("1ABC123", "1CBA123", "two"),
        ("1AAB123", "1ABA123", "swap"),
        ("1ABC123", "1AXX12X", None),
        ("AAAAAAAAAA", "AAAAAAAAAA", "exact"),
        ("AAAAAAAAAA", "AAAAAAAAAB", "substitution"),
        ("AAAAAAAAA", "AAAAAAAAAA", "missed"),
        ("AAAAAAAAAA", "AAAAAAAAA", "extra"),
        ("A", "B", "substitution"),
        ("A", "AB", "missed"),
        ("AB", "BA", "swap"),
    ],
)
def test_every_edit(read: str, entry: str, how: str | None) -> None:
    assert found([entry], [read]) == ([] if how is None else [(read, entry, how)])


def test_two_substitutions_are_a_choice() -> None:
    assert found(["1AXC12X"], ["1ABC123"], substitutions=1) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("01AB", max_size=5), max_size=25),
    st.lists(st.text("01AB", max_size=6), max_size=8, unique=True),
)
def test_it_is_what_comparing_each_with_each_finds(plates: list[str], reads: list[str]) -> None:
    expected = []
    for read, entry in itertools.product(reads, plates):
        codes = [reference.characters_of(row) for row in alphabet.encode([read, entry])]
        how = reference.difference(codes[0], codes[1]) if read and entry else None
        expected += [(read, entry, how)] if how else []
    assert found(plates, reads) == sorted(expected)


def test_an_entry_that_is_listed_often_is_found_as_often() -> None:
    plates = ["1ABC123"] * 5000 + ["1ABC124"] * 3000
    assert len(found(plates, ["1ABC123"])) == 8000
    assert len(found(["1AB?123"] * 700, ["1ABC123"])) == 700


PATTERNS = st.text(st.sampled_from("01A?*"), min_size=1, max_size=10)


@settings(max_examples=150, deadline=None)
@given(st.lists(PATTERNS, max_size=15), st.lists(st.text("01AB", max_size=10), max_size=8))
def test_patterns_are_what_a_regular_expression_says(patterns: list[str], reads: list[str]) -> None:
    table = PatternTable.of(alphabet.pack(alphabet.encode(patterns)), np.arange(len(patterns)))
    read_rows, entry_rows = table.pairs(alphabet.pack(alphabet.encode(reads)))
    codes = [reference.characters_of(row) for row in alphabet.encode(patterns + reads)]
    expected = [
        (read, entry)
        for read in range(len(reads))
        for entry in range(len(patterns))
        if reads[read] and reference.fits(codes[len(patterns) + read], codes[entry])
    ]
    assert sorted(zip(read_rows.tolist(), entry_rows.tolist(), strict=True)) == expected


def test_there_are_never_more_lookups_than_ways_to_choose_slots() -> None:
    random = np.random.default_rng(3)
    patterns = ["".join(random.choice(list("01AB?*"), 8)) for _ in range(3000)]
    table = PatternTable.of(alphabet.pack(alphabet.encode(patterns)), np.arange(3000))
    per_length = np.diff(table.group_of_length)
    assert (per_length <= 2 ** np.arange(alphabet.SLOTS + 1)).all()


def test_a_delta_shares_the_base() -> None:
    before = Matcher(snapshot_of(["1ABC123", "1A?*", "2DEF456"]))
    gone = pack_entries(LIST, [HotlistEntry(plate=plate) for plate in ("1ABC123", "1A?*", "NEVER")])
    delta = Delta(
        2, [(LIST, pack_entries(LIST, [HotlistEntry(plate="9NEW999")]))], [(LIST.name, gone.keys, gone.country)]
    )
    after = before.apply(delta)
    assert after.index.base is before.index.base
    assert (after.side_rows, len(after.snapshot)) == (1, 2)
    batch = ReadBatch.of(alphabet.encode(["1ABC123", "2DEF456", "9NEW999"]), np.zeros(3, np.int64))
    assert set(before.match(batch).entry_row.tolist()) == {0, 1, 2}
    hits = after.match(batch)
    assert [after.snapshot.plate(row) for row in hits.entry_row] == ["2DEF456", "9NEW999"]
    merged = after.merged()
    assert merged.side_rows == 0
    assert [merged.snapshot.plate(row) for row in merged.match(batch).entry_row] == ["2DEF456", "9NEW999"]


def test_a_large_delta_becomes_a_range_of_the_base() -> None:
    before = Matcher(snapshot_of(["1ABC123", "8A?*", "2DEF456"]))
    beside = before.apply(Delta(2, [(LIST, pack_entries(LIST, [HotlistEntry(plate="9NEW999")]))]))
    other = Hotlist(name="other")
    large = pack_entries(other, [HotlistEntry(plate=plate) for plate in ("7LAY777", "7L?*", "2DEF456")])
    delta = Delta(3, [(other, large)], [(LIST.name, *_named("1ABC123"))])
    after = beside.apply(delta, before.prepare(delta))
    assert (before.index.ranges, beside.index.ranges, after.index.ranges) == (1, 1, 3)
    assert (beside.side_rows, after.side_rows) == (1, 0)
    plates = ["1ABC123", "2DEF456", "7LAY777", "9NEW999", "7LOY777"]
    batch = ReadBatch.of(alphabet.encode(plates), np.zeros(len(plates), np.int64))
    for matcher in (after, after.merged()):
        hits = matcher.match(batch)
        rows = zip(hits.read_row.tolist(), hits.entry_row.tolist(), strict=True)
        named = [(read, matcher.snapshot.hotlist(row).name, matcher.snapshot.plate(row)) for read, row in rows]
        assert sorted(named) == [
            (1, LIST.name, "2DEF456"), (1, "other", "2DEF456"), (2, "other", "7L?*"), (2, "other", "7LAY777"),
            (3, LIST.name, "9NEW999"), (4, "other", "7L?*"),
        ]  # fmt: skip
    only = after.merged({"other"})
    assert [each.name for each in only.snapshot.hotlists] == ["other"]
    assert len(only.match(batch)) == 4


def test_what_was_prepared_by_a_base_that_was_merged_since_removes_the_same() -> None:
    before = Matcher(snapshot_of(["1ABC123", "2DEF456", "3GHI789"]))
    changed = before.apply(Delta(2, removed=[(LIST.name, *_named("1ABC123"))]))
    delta = Delta(
        3, [(LIST, pack_entries(LIST, [HotlistEntry(plate="9NEW999")]))], [(LIST.name, *_named("2DEF456"))]
    )
    after = changed.merged().apply(delta, changed.prepare(delta))
    assert after.snapshot.counts.tolist() == [2]
    assert [after.snapshot.plate(row) for row in after.snapshot.removed] == ["2DEF456"]


def _named(*plates: str) -> tuple[NDArray[np.uint64], NDArray[np.uint16]]:
    columns = pack_entries(LIST, [HotlistEntry(plate=plate) for plate in plates])
    return columns.keys, columns.country


def test_a_delta_removes_no_neighbour_of_what_it_names() -> None:
    before = Matcher(snapshot_of(["1ABC123", "1ABC124", "1ABC12", "1ABC1234", "1ACB123", "1ABD123"]))
    gone = pack_entries(LIST, [HotlistEntry(plate="1ABD123")])
    after = before.apply(Delta(2, [], [(LIST.name, gone.keys, gone.country)]))
    assert after.snapshot.removed.tolist() == [5]
    asked, rows = before.index.rows_of(alphabet.pack(alphabet.encode(["1ABC123", "NEVER"])))
    assert (asked.tolist(), rows.tolist()) == ([0], [0])


def test_a_delta_that_changes_how_likely_a_list_is_holds_for_all_its_entries() -> None:
    rare, likely = Hotlist(name="a"), Hotlist(name="a", prior=1e-3)
    other = (Hotlist(name="b"), [HotlistEntry(plate="9ZZZ999")])
    batch = ReadBatch.of(alphabet.encode(["1AEC123"]), np.zeros(1, np.int64))
    before = Matcher(Snapshot.build(1, [(rare, [HotlistEntry(plate="1ABC123")]), other]))
    after = before.apply(Delta(2, [(likely, pack_entries(likely, [HotlistEntry(plate="2DEF456")]))]))
    afresh = Matcher(
        Snapshot.build(2, [(likely, [HotlistEntry(plate=plate) for plate in ("1ABC123", "2DEF456")]), other])
    )
    assert len(before.match(batch)) == 0
    for matcher in (after, after.merged(), afresh):
        assert matcher.snapshot.counts.tolist() == [2, 1]
        hits = matcher.match(batch)
        assert [matcher.snapshot.plate(row) for row in hits.entry_row] == ["1ABC123"]
        assert hits.posterior.tolist() == pytest.approx(afresh.match(batch).posterior.tolist(), rel=1e-5)
    # Half of them gone, once and again: the other is twice as likely.
    gone = pack_entries(likely, [HotlistEntry(plate="2DEF456")])
    fewer = after.apply(Delta(3, removed=[("a", gone.keys, gone.country)]))
    fewer = fewer.apply(Delta(4, removed=[("a", gone.keys, gone.country)]))
    assert fewer.snapshot.counts.tolist() == [1, 1]
    assert fewer.match(batch).posterior[0] > afresh.match(batch).posterior[0]


def test_many_entries_of_a_likely_list_are_found_at_two_substitutions() -> None:
    random = np.random.default_rng(5)
    plates = sorted({"".join(random.choice(list("ABCDEFGHJKLMNPRSTUVXYZ0123456789"), 7)) for _ in range(25_000)})
    reads = ["##".join([plate[:2], plate[4:]]).replace("#", "8") for plate in plates[::500]]
    batch = ReadBatch.of(alphabet.encode(reads), np.zeros(len(reads), np.int64))
    for count in (1000, len(plates)):
        likely = Hotlist(name="b", prior=0.5, threshold=0.0)
        lists = [
            (LIST, [HotlistEntry(plate="9ZZZ999")]),
            (likely, [HotlistEntry(plate=each) for each in plates[:count]]),
        ]
        matcher = Matcher(Snapshot.build(1, lists))
        found = {(int(read), int(entry)) for read, entry in zip(*_pairs(matcher, batch), strict=True)}
        asked = [number for number in range(len(reads)) if number * 500 < count]
        assert {(number, 1 + number * 500) for number in asked} <= found


def _pairs(matcher: Matcher, batch: ReadBatch) -> tuple[list[int], list[int]]:
    scores = posterior.default().prepare(batch, posterior.bounds_of(1.0, 0.0), pairs=True)
    every = matcher.index.candidates(batch.keys, scores, posterior.default().prices, 2)
    return every.read_row.tolist(), every.entry_row.tolist()


def test_removing_names_list_and_country() -> None:
    entries = [HotlistEntry(plate="1ABC123", country=country) for country in ("BE", "NL")]
    before = Matcher(Snapshot.build(1, [(Hotlist(name=name), entries) for name in ("a", "b")]))
    gone = pack_entries(LIST, entries[:1])
    after = before.apply(Delta(2, removed=[("b", gone.keys, gone.country)]))
    left = set(range(4)) - set(after.snapshot.removed.tolist())
    assert [(after.snapshot.hotlist(row).name, after.snapshot.country_code(row)) for row in sorted(left)] == [
        ("a", "BE"), ("a", "NL"), ("b", "NL")
    ]  # fmt: skip
