"""The copy of a snapshot on disk, and what changed since: whole, cut short, damaged, of another copy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hotlists.columns import pack_country, pack_entries
from hotlists.entry import Handling, Hotlist, HotlistEntry
from hotlists.journal import Change, SnapshotCopy
from hotlists.snapshot import Delta, Snapshot, SnapshotFileError
from hotlists.versions import Mark
from plates import alphabet

STOLEN = Hotlist(name="gestolen", handling=Handling.COVERT, named_users=("an",))
SNAPSHOT = Snapshot.build(5, [(STOLEN, [HotlistEntry(plate="1ABC123", reason="é")]), (Hotlist(name="b"), [])])
MARKS = {"gestolen": Mark(3, "abc", 5, "epoch", 7), "b": Mark(1, "def", 4, "epoch", 6)}


def change(version: int, plate: str) -> Change:
    entries = pack_entries(STOLEN, [HotlistEntry(plate=plate, country="BE")])
    keys = alphabet.pack(alphabet.encode(["1ABC123"]))
    gone = [("gestolen", keys, np.array([pack_country("NL")], np.uint16))]
    return Change(
        Delta(version, [(STOLEN, entries)], gone, ("b",)), {"gestolen": Mark(version, "x", version), "b": None}
    )


Open = Callable[[Path], SnapshotCopy]


@pytest.fixture
def open_copy() -> Iterator[Open]:
    """Open the copy in a folder; closed when the test is over."""
    with contextlib.ExitStack() as stack:

        def opened(folder: Path) -> SnapshotCopy:
            return stack.enter_context(contextlib.closing(SnapshotCopy(folder)))

        yield opened


@pytest.fixture
def copy(tmp_path: Path, open_copy: Open) -> SnapshotCopy:
    """A copy with two changes since."""
    made = open_copy(tmp_path / "state")
    made.save(SNAPSHOT, MARKS)
    for version in (6, 7):
        made.append(change(version, f"2DEF00{version}"))
    made.close()
    return made


def test_what_is_written_is_what_is_read(copy: SnapshotCopy, open_copy: Open) -> None:
    snapshot, marks, changes = open_copy(copy.path.parent).load()
    assert (snapshot.version, snapshot.plate(0), snapshot.reasons[0]) == (5, "1ABC123", "é")
    assert marks == MARKS
    assert [each.delta.version for each in changes] == [6, 7]
    (hotlist, columns), expected = changes[1].delta.added[0], change(7, "2DEF007")
    assert (hotlist, alphabet.decode(columns.codes)) == (STOLEN, ["2DEF007"])
    ((name, keys, countries),) = changes[1].delta.removed
    assert (name, alphabet.decode(alphabet.unpack(keys)), countries.tolist()) == (
        "gestolen",
        ["1ABC123"],
        [pack_country("NL")],
    )
    assert (tuple(changes[1].delta.emptied), changes[1].marks) == (("b",), expected.marks)


def test_only_their_owner_reads_them(copy: SnapshotCopy) -> None:
    assert [path.stat().st_mode & 0o777 for path in (copy.path, copy.journal)] == [0o600, 0o600]


def test_a_journal_that_is_cut_short_is_read_as_far_as_it_goes_and_goes_on(
    copy: SnapshotCopy, open_copy: Open, caplog: pytest.LogCaptureFixture
) -> None:
    whole = copy.journal.stat().st_size
    for cut in (whole - 1, whole - 40):
        os.truncate(copy.journal, cut)
        again = open_copy(copy.path.parent)
        assert again.own()
        _, marks, changes = again.load()
        assert (marks, [each.delta.version for each in changes]) == (MARKS, [6])
        again.append(change(8, "9ZZZ999"))
        again.close()
        _, _, changes = open_copy(copy.path.parent).load()
        assert [each.delta.version for each in changes] == [6, 8]
    assert "is cut short" in caplog.text


def test_nothing_behind_a_damaged_record_is_believed(copy: SnapshotCopy, open_copy: Open) -> None:
    raw = bytearray(copy.journal.read_bytes())
    raw[-copy.journal_bytes // 3 * 2 + 60] ^= 1
    copy.journal.write_bytes(raw)
    _, _, changes = open_copy(copy.path.parent).load()
    assert len(changes) < 2


@pytest.mark.parametrize("damage", ["missing", "foreign", "other copy"])
def test_without_its_journal_a_copy_holds_lists_of_which_the_version_is_not_known(
    copy: SnapshotCopy, open_copy: Open, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    if damage == "missing":
        copy.journal.unlink()
    elif damage == "foreign":
        copy.journal.write_bytes(b"PK\3\4" * 50)
    else:
        other = open_copy(tmp_path / "other")
        other.save(Snapshot.empty(9), {})
        copy.journal.write_bytes(other.journal.read_bytes())
    again = open_copy(copy.path.parent)
    snapshot, marks, changes = again.load()
    assert (snapshot.version, marks, changes) == (5, {"gestolen": Mark(), "b": Mark()}, [])
    assert "lists are compared with Redis anew" in caplog.text
    with pytest.raises(OSError, match="not a whole journal"):
        again.append(change(6, "2DEF456"))


def test_a_damaged_copy_is_refused_whatever_its_journal_says(copy: SnapshotCopy) -> None:
    copy.path.write_bytes(copy.path.read_bytes()[:-1])
    with pytest.raises(SnapshotFileError, match="checksum"):
        copy.load()


def test_a_list_that_is_no_longer_held_has_no_mark(copy: SnapshotCopy, open_copy: Open) -> None:
    copy.save(SNAPSHOT, {"gestolen": Mark(9)})
    _, marks, _ = open_copy(copy.path.parent).load()
    assert marks == {"gestolen": Mark(9)}


def test_a_new_copy_begins_a_new_journal(copy: SnapshotCopy, open_copy: Open) -> None:
    copy.save(Snapshot.build(8, [(STOLEN, [])]), {"gestolen": Mark(9)})
    _, marks, changes = open_copy(copy.path.parent).load()
    assert (marks, changes) == ({"gestolen": Mark(9)}, [])
    assert copy.journal.stat().st_size == copy.journal_bytes


def test_of_two_that_share_a_folder_one_writes_until_it_is_gone(copy: SnapshotCopy, open_copy: Open) -> None:
    second, third = open_copy(copy.path.parent), open_copy(copy.path.parent)
    assert copy.own()
    assert not second.own()
    second.save(Snapshot.empty(9), {})
    second.append(change(9, "9ZZZ999"))
    snapshot, _, changes = third.load()
    assert (snapshot.version, [each.delta.version for each in changes]) == (5, [6, 7])
    copy.close()
    # What the first wrote last is not known to the second: it begins anew.
    with pytest.raises(OSError, match="not a whole journal"):
        second.append(change(9, "9ZZZ999"))
    second.save(Snapshot.empty(9), {})
    assert third.load()[0].version == 9
    assert not third.own()


def test_who_only_reads_cuts_nothing_off(copy: SnapshotCopy, open_copy: Open) -> None:
    os.truncate(copy.journal, copy.journal.stat().st_size - 1)
    size = copy.journal.stat().st_size
    assert len(open_copy(copy.path.parent).load()[2]) == 1
    assert copy.journal.stat().st_size == size
