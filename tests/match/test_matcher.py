"""What is a hit: thresholds, countries, validity; and swaps under load."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from hotlists.columns import pack_country, pack_entries
from hotlists.entry import Hotlist, HotlistEntry
from hotlists.snapshot import Delta, Snapshot
from pipeline.batch import KIND_EXACT, KIND_NEAR, KIND_PATTERN, ReadBatch, lay_out
from pipeline.match.matcher import Matcher
from plates import alphabet


def batch_of(*reads: str, at_ns: int = 0, country: str = "") -> ReadBatch:
    count = len(reads)
    return ReadBatch.of(
        alphabet.encode(list(reads)),
        np.full(count, at_ns, np.int64),
        country=np.full(count, pack_country(country), np.uint16),
    )


def matcher_of(*entries: HotlistEntry, threshold: float = 0.5) -> Matcher:
    return Matcher(Snapshot.build(9, [(Hotlist(name="a", threshold=threshold), list(entries))]))


def test_kinds_edits_order_and_version() -> None:
    matcher = matcher_of(
        HotlistEntry(plate="1ABC12B"), HotlistEntry(plate="1ABC128"), HotlistEntry(plate="1AB*"), threshold=0.0
    )
    hits = matcher.match(batch_of("2XYZ999", "1ABC128"))
    assert hits.read_row.tolist() == [1, 1, 1]
    assert sorted(hits.kind.tolist()[:2]) == [KIND_EXACT, KIND_PATTERN]
    assert hits.kind[2] == KIND_NEAR
    assert hits.edits.tolist() == [0, 0, 1]
    assert (np.diff(hits.posterior) <= 0).all()
    assert hits.snapshot_version == 9


def test_each_list_has_its_own_threshold() -> None:
    lists = [
        (Hotlist(name=name, threshold=threshold), [HotlistEntry(plate="1ABC123")])
        for name, threshold in (("strict", 0.999), ("usual", 0.5), ("all", 0.0))
    ]
    matcher = Matcher(Snapshot.build(1, lists))
    near = matcher.match(batch_of("1A8C123"))
    assert [matcher.snapshot.hotlist(row).name for row in near.entry_row] == ["usual", "all"]


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_what_is_read_as_listed_is_a_hit_whatever_the_threshold(threshold: float) -> None:
    matcher = matcher_of(HotlistEntry(plate="1ABC123"), HotlistEntry(plate="?ABC*"), threshold=threshold)
    characters = [[{"1": 0.05, "7": 0.95}] + [{each: 1.0} for each in "ABC123"]]
    doubtful = ReadBatch.of(alphabet.encode(["1ABC123"]), np.zeros(1, np.int64), probabilities=lay_out(characters))
    for batch in (batch_of("1ABC123"), doubtful):
        assert sorted(matcher.match(batch).entry_row.tolist()) == [0, 1]


@pytest.mark.parametrize(("here", "hit"), [("", True), ("BE", True), ("NL", False)])
def test_countries_agree_where_both_are_known(here: str, hit: bool) -> None:
    listed = matcher_of(HotlistEntry(plate="1ABC123", country="BE"), HotlistEntry(plate="1ABC12*", country="BE"))
    assert len(listed.match(batch_of("1ABC123", country=here))) == (2 if hit else 0)
    anywhere = matcher_of(HotlistEntry(plate="1ABC123"))
    assert len(anywhere.match(batch_of("1ABC123", country=here))) == 1


@pytest.mark.parametrize(("at_ns", "hit"), [(9, False), (10, True), (19, True), (20, False)])
@pytest.mark.parametrize("read", ["1ABC123", "1A8C123"])
def test_an_entry_counts_when_it_was_valid_as_the_read_was_captured(at_ns: int, hit: bool, read: str) -> None:
    matcher = matcher_of(HotlistEntry(plate="1ABC123", valid_from_ns=10, valid_until_ns=20))
    assert len(matcher.match(batch_of(read, at_ns=at_ns))) == hit


def test_an_entry_that_is_not_valid_takes_no_share_of_the_posterior() -> None:
    alone = matcher_of(HotlistEntry(plate="1ABC123"))
    beside = matcher_of(HotlistEntry(plate="1ABC123"), HotlistEntry(plate="1A6C123", valid_from_ns=10))
    assert (
        beside.match(batch_of("1A8C123")).posterior.tolist() == alone.match(batch_of("1A8C123")).posterior.tolist()
    )


def test_nothing_listed_and_nothing_read() -> None:
    assert len(Matcher(Snapshot.empty()).match(batch_of("1ABC123", ""))) == 0
    matcher = matcher_of(HotlistEntry(plate="1ABC123"), HotlistEntry(plate="*"), HotlistEntry(plate=""))
    assert len(matcher.match(batch_of())) == 0
    assert len(matcher.match(batch_of(""))) == 0


def test_a_thousand_swaps_under_load() -> None:
    """Readers take the matcher in place, as a worker does, while deltas and merges replace it. Version v holds the
    plate number v and no other, so that each hit tells which version held its entry."""
    hotlist = Hotlist(name="a", threshold=0.5)

    def plate(version: int) -> str:
        return f"1ABC{version:03d}" if version < 1000 else f"2DEF{version - 1000:03d}"

    def columns(version: int):  # type: ignore[no-untyped-def]
        return pack_entries(hotlist, [HotlistEntry(plate=plate(version))])

    current = [Matcher(Snapshot.join(1, [(hotlist, columns(1))]))]
    every = batch_of(*(plate(version) for version in range(1, 1002)))
    ended, wrong, batches = threading.Event(), [], [0, 0]

    def read(which: int) -> None:
        while not ended.is_set():
            matcher = current[0]
            hits = matcher.match(every)
            version = matcher.snapshot.version
            exact = hits.read_row[hits.kind == KIND_EXACT].tolist()
            if hits.snapshot_version != version or exact != [version - 1]:
                wrong.append((version, exact))
            batches[which] += 1

    readers = [threading.Thread(target=read, args=(which,)) for which in range(2)]
    for reader in readers:
        reader.start()
    try:
        for version in range(2, 1002):
            old = columns(version - 1)
            delta = Delta(version, [(hotlist, columns(version))], [(hotlist.name, old.keys, old.country)])
            following = current[0].apply(delta)
            current[0] = following.merged() if version % 100 == 0 else following
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    assert current[0].snapshot.version == 1001
    assert min(batches) > 10
