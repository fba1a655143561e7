"""The frozen columns: what an entry states, deltas that leave older snapshots alone, bytes and files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotlists import snapshot as snapshots
from hotlists.entry import Handling, Hotlist, HotlistEntry, Priority
from hotlists.snapshot import Columns, Snapshot, SnapshotFileError, Texts, pack_entries

OPEN = Hotlist(name="gestolen", priority=Priority.LOW)
ENTRIES = [
    HotlistEntry(plate="1ABC123", country="BE", reason="Diefstal", valid_from_ns=5, valid_until_ns=9),
    HotlistEntry(plate="2D?F*", reason="Geseind — dossier", priority=Priority.CRITICAL, handling=Handling.COVERT),
    HotlistEntry(plate="AB123CD", reason="Diefstal"),
]


def rows_of(snapshot: Snapshot) -> list[tuple[object, ...]]:
    """Everything that each row says."""
    return [
        (
            snapshot.plate(row),
            snapshot.hotlist(row).name,
            snapshot.country_code(row),
            snapshot.priority_of(row),
            snapshot.handling_of(row),
            int(snapshot.valid_from_ns[row]),
            int(snapshot.valid_until_ns[row]),
            snapshot.reasons[row],
        )
        for row in range(len(snapshot.keys))
    ]


def test_a_row_says_what_its_entry_says() -> None:
    snapshot = Snapshot.build(4, [(OPEN, ENTRIES)])
    always, for_ever = snapshots.ALWAYS_NS, snapshots.FOR_EVER_NS
    assert rows_of(snapshot) == [
        ("1ABC123", "gestolen", "BE", Priority.LOW, Handling.OPEN, 5, 9, "Diefstal"),
        ("2D?F*", "gestolen", "", Priority.CRITICAL, Handling.COVERT, always, for_ever, "Geseind — dossier"),
        ("AB123CD", "gestolen", "", Priority.LOW, Handling.OPEN, always, for_ever, "Diefstal"),
    ]
    assert snapshot.is_pattern.tolist() == [False, True, False]
    assert snapshot.priority.tolist() == [Priority.LOW.rank, Priority.CRITICAL.rank, Priority.LOW.rank]
    assert snapshot.covert.tolist() == [False, True, False]
    assert (snapshot.version, len(snapshot)) == (4, 3)


def test_a_list_that_changes_changes_entries_that_are_packed_already() -> None:
    columns = pack_entries(OPEN, ENTRIES)
    later = Hotlist(name="gestolen", priority=Priority.HIGH, handling=Handling.COVERT)
    snapshot = Snapshot.join(1, [(later, columns)])
    assert snapshot.covert.all()
    assert [snapshot.priority_of(row) for row in range(3)] == [Priority.HIGH, Priority.CRITICAL, Priority.HIGH]


def test_an_entry_may_tighten_its_list_never_loosen_it() -> None:
    covert = Hotlist(name="recherche", handling=Handling.COVERT)
    snapshot = Snapshot.build(1, [(covert, [HotlistEntry(plate="1ABC123", handling=Handling.OPEN)])])
    assert snapshot.handling_of(0) is Handling.COVERT


def test_a_plate_that_is_too_long_is_refused_by_place() -> None:
    with pytest.raises(ValueError, match="'gestolen', entry 1: a plate of more than 10"):
        pack_entries(OPEN, [HotlistEntry(plate="1ABC123"), HotlistEntry(plate="ABCDEFGHIJK")])


@given(st.lists(st.text(max_size=20)))
def test_texts_are_kept_once_and_given_back(texts: list[str]) -> None:
    kept = Texts.of(texts)
    assert list(kept) == texts
    assert len(kept.offsets) - 1 == len(set(texts))
    assert kept[1:3] == texts[1:3]


@given(st.lists(st.sampled_from(ENTRIES), max_size=6))
def test_bytes_and_back(entries: list[HotlistEntry]) -> None:
    columns = pack_entries(OPEN, entries)
    again = Columns.from_bytes(columns.to_bytes())
    assert rows_of(Snapshot.join(1, [(OPEN, again)])) == rows_of(Snapshot.join(1, [(OPEN, columns)]))


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04 an older version", b"kruispunt columns 2\n", b"\0" * 100])
def test_other_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="publish the list again"):
        Columns.from_bytes(raw)


def test_bytes_cut_short_anywhere_are_refused() -> None:
    raw = pack_entries(OPEN, ENTRIES).to_bytes()
    for size in range(len(raw)):
        with pytest.raises(ValueError, match="publish the list again"):
            Columns.from_bytes(raw[:size])


def test_the_copy_on_disk(tmp_path: Path) -> None:
    lists = [
        (OPEN, ENTRIES),
        (Hotlist(name="b", threshold=0.9), [HotlistEntry(plate="9ZZZ999")]),
        (Hotlist(name="c"), []),
    ]
    snapshot = Snapshot.build(7, lists)
    path = tmp_path / "folder" / "snapshot.bin"
    snapshots.save(snapshot, path)
    loaded = snapshots.load(path)
    assert (loaded.version, loaded.hotlists) == (7, snapshot.hotlists)
    assert rows_of(loaded) == rows_of(snapshot)
    assert os.listdir(path.parent) == ["snapshot.bin"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_damaged_copy_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.bin"
    snapshots.save(Snapshot.build(7, [(OPEN, ENTRIES)]), path)
    raw = path.read_bytes()
    for damaged in (raw[:-1], raw[:40] + b"x" + raw[41:], b""):
        path.write_bytes(damaged)
        with pytest.raises(SnapshotFileError, match=r"snapshot\.bin.*remove the file"):
            snapshots.load(path)


def test_a_delta_leaves_the_older_snapshot_alone() -> None:
    before = Snapshot.build(1, [(OPEN, ENTRIES)])
    old_rows = rows_of(before)
    more = [HotlistEntry(plate="5NEW555", reason="Nieuw")]
    after = before.changed(2, [(OPEN, pack_entries(OPEN, more))], np.array([0]))
    assert rows_of(before) == old_rows
    assert (len(before), len(after), after.version) == (3, 3, 2)
    assert after.plate(3) == "5NEW555"
    assert after.reasons[3] == "Nieuw"
    assert after.removed.tolist() == [0]
    assert np.shares_memory(before.keys, after.keys)
    again = Snapshot.join(2, after.lists())
    assert [snapshot_row[0] for snapshot_row in rows_of(again)] == ["2D?F*", "AB123CD", "5NEW555"]


def test_two_deltas_of_one_snapshot_do_not_write_over_each_other() -> None:
    before = Snapshot.build(1, [(OPEN, ENTRIES)])
    one, other = (
        before.changed(2, [(OPEN, pack_entries(OPEN, [HotlistEntry(plate=plate)]))], np.zeros(0, np.int64))
        for plate in ("5NEW555", "6NEW666")
    )
    assert (one.plate(3), other.plate(3)) == ("5NEW555", "6NEW666")


def test_more_entries_than_there_is_room_for() -> None:
    before = Snapshot.build(1, [(OPEN, ENTRIES)])
    many = [HotlistEntry(plate=f"{number:06d}") for number in range(20_000)]
    after = before.changed(2, [(Hotlist(name="new"), pack_entries(OPEN, many))], np.zeros(0, np.int64))
    assert rows_of(after)[:3] == rows_of(before)
    assert (after.plate(20_002), after.hotlist(20_002).name) == ("019999", "new")


def test_a_delta_brings_a_lists_new_metadata() -> None:
    before = Snapshot.build(1, [(OPEN, ENTRIES)])
    covert = Hotlist(name="gestolen", handling=Handling.COVERT)
    after = before.changed(2, [(covert, pack_entries(covert, []))], np.zeros(0, np.int64))
    assert after.covert.all()
    assert before.covert.tolist() == [False, True, False]


def test_the_columns_cannot_be_written() -> None:
    snapshot = Snapshot.build(1, [(OPEN, ENTRIES)])
    with pytest.raises(ValueError, match="read-only"):
        snapshot.keys[0] = 0


def test_an_empty_snapshot() -> None:
    snapshot = Snapshot.empty(3)
    assert (len(snapshot), snapshot.version, snapshot.hotlists) == (0, 3, ())
    assert snapshot.priority.tolist() == snapshot.covert.tolist() == []


def test_an_entry_keeps_its_identity_over_versions() -> None:
    one, other = (Snapshot.build(version, [(OPEN, ENTRIES)]) for version in (1, 2))
    identities = {one.entry_id(row) for row in range(3)}
    assert len(identities) == 3
    assert identities == {other.entry_id(row) for row in range(3)}
