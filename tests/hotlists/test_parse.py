"""Files as ops staff bring them, whole: what is told of them, what they may hold, and lists parted."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from hotlists import parsed as words
from hotlists.columns import pack_entries
from hotlists.entry import Handling, Hotlist, HotlistEntry, Priority
from hotlists.parse import FileError, Limits, Use, parse_file, parse_lists
from hotlists.parse import parse as parse_raw
from hotlists.parsed import Detected, RowNote, as_entries
from tests.hotlists.reading import at_ns, parse, plates_removed

CSV = "nummerplaat;land;merk\n1-ABC-123;BE;Fiat\n---;BE;\n2DEF456;nl;\n"


def test_a_file_on_disk_and_an_open_one_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "lijst.dat"
    path.write_text(CSV)
    expected = parse_raw(CSV.encode(), "gestolen")
    with path.open("rb") as file:
        file.seek(7)
        for parsed in (parse_file(path, "gestolen"), parse_file(file, "gestolen")):
            assert parsed.entries == expected.entries
            assert parsed.errors == expected.errors
        assert not file.closed


def test_what_was_found_in_a_file_is_told() -> None:
    parsed = parse(gzip.compress(CSV.encode("utf-16")))
    assert [entry.plate for entry in parsed.entries] == ["1ABC123", "2DEF456"]
    assert (parsed.accepted, parsed.rejected, parsed.rows) == (2, 1, 3)
    assert parsed.errors == [RowNote(3, "plate", "---", "no letter or digit in it")]
    assert parsed.ignored_columns == ["merk"]
    assert parsed.detected == Detected(
        format="csv",
        compression="gzip",
        encoding="utf-16",
        delimiter=";",
        headers={"nummerplaat": "plate", "land": "country"},
    )
    assert not parsed.cut_off


def test_a_header_alone_is_a_file_without_rows() -> None:
    parsed = parse("plate,country\n")
    assert (parsed.rows, parsed.errors, parsed.warnings, parsed.ignored_columns) == (0, [], [], [])
    assert len(parsed.columns) == len(parsed.removals) == 0


def test_more_rows_than_fit_are_refused_whole() -> None:
    limits = Limits(rows=2)
    assert parse("plate\n1ABC123\n!\n", limits=limits).rows == 2
    for file in ("plate\n1ABC123\n!\n\n3GHI789\n", "{}\n[]\n{}\n"):
        with pytest.raises(FileError, match="more than 2 rows"):
            parse(file, limits=limits)
        with pytest.raises(FileError, match="more than 2 rows"):
            parse_lists(file.encode(), "alle", limits)


def test_of_very_many_row_errors_the_first_are_told_and_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotlists.rows.MAX_TOLD", 2)
    parsed = parse("plate\n!\n?\n-\n1ABC123\n")
    assert parsed.rejected == 3
    assert [error.row for error in parsed.errors] == [2, 3]
    assert len(parsed.columns) == 1


def test_a_file_of_many_blocks_is_read_as_one() -> None:
    count = 40_000
    rows = "".join(f"{number:06},{number % 7},ok {number % 13}\n" for number in range(count))
    parsed = parse(f"plate,valid_from,reason\n{rows}".replace(",0,", ",,").replace(",3,", ",2026-03-14,"))
    taken = [number for number in range(count) if number % 7 in (0, 3)]
    assert [entry.plate for entry in parsed.entries] == [f"{number:06}" for number in taken]
    assert [entry.reason for entry in parsed.entries] == [f"ok {number % 13}" for number in taken]
    assert parsed.rejected == count - len(taken)
    assert len(parsed.errors) == words.MAX_TOLD
    assert [note.row for note in parsed.errors[:3]] == [3, 4, 6]


def test_more_reasons_than_are_remembered_are_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotlists.rows._MAX_REMEMBERED", 10)
    rows = "".join(f"{number:06},reden {number % 500}\n" for number in range(20_000))
    entries = parse(f"plate,reason\n{rows}").entries
    assert [entry.reason for entry in entries] == [f"reden {number % 500}" for number in range(20_000)]


def test_columns_and_entries_are_the_same() -> None:
    entries = [
        HotlistEntry(plate="1ABC123", country="BE", reason="a", priority=Priority.LOW, handling=Handling.COVERT),
        HotlistEntry(plate="1A?C*", valid_from_ns=-5, valid_until_ns=7),
    ]
    assert as_entries(pack_entries(Hotlist(name="gestolen"), entries)) == entries


# --- what a file is for ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("add", "remove"),
    [("add", "Remove"), ("toevoegen", "verwijderen"), ("ajouter", "supprimer"), ("hinzufügen", " LÖSCHEN ")],
)
@pytest.mark.parametrize("header", ["action", "actie", "Aktion"])
def test_rows_of_a_delta_add_and_remove(header: str, add: str, remove: str) -> None:
    parsed = parse(
        f"plate,{header},land\n1AAA111,{add},BE\n2BBB222,{remove},NL\n3CCC333,,\n4DDD444,wis,\n", use=Use.DELTA
    )
    assert [entry.plate for entry in parsed.entries] == ["1AAA111", "3CCC333"]
    assert plates_removed(parsed) == ["2BBB222"]
    assert as_entries(parsed.removals)[0].country == "NL"
    assert [(note.row, note.column, note.value) for note in parsed.errors] == [(5, "action", "wis")]


def test_a_file_of_removals_removes_every_row() -> None:
    parsed = parse("plate,action\n1AAA111,\n2BBB222,remove\n3CCC333,add\n", use=Use.REMOVAL)
    assert plates_removed(parsed) == ["1AAA111", "2BBB222"]
    assert len(parsed.columns) == 0
    assert [(note.row, note.column) for note in parsed.errors] == [(4, "action")]
    assert plates_removed(parse("plate\n1AAA111\n", use=Use.REMOVAL)) == ["1AAA111"]


def test_a_replacement_does_not_list_what_its_owner_wants_removed() -> None:
    parsed = parse("plate,action\n1AAA111,remove\n2BBB222,add\n")
    assert [entry.plate for entry in parsed.entries] == ["2BBB222"]
    assert [(note.row, note.column) for note in parsed.errors] == [(2, "action")]
    assert "as a delta" in parsed.errors[0].reason


# --- several lists in one file -----------------------------------------------------------------------------


def test_rows_go_to_the_list_that_they_name() -> None:
    raw = b'plate,list\n1AAA111,SIS\n2BBB222,\n!,sis\n3CCC333,sis\n"broken\n4DDD444,bin\n5EEE555,gestolen\n'
    lists = parse_lists(raw, "gestolen")
    assert {name: [entry.plate for entry in parsed.entries] for name, parsed in lists.items()} == {
        "gestolen": ["2BBB222", "5EEE555"],
        "sis": ["1AAA111", "3CCC333"],
        "bin": ["4DDD444"],
    }
    assert [note.row for note in lists["sis"].errors] == [4]
    assert [note.row for note in lists["gestolen"].errors] == [6]
    assert sum(parsed.rows for parsed in lists.values()) == 7


def test_a_file_without_a_column_of_lists_is_one_list() -> None:
    lists = parse_lists(io.BytesIO(b"plate,valid_until\n1AAA111,2026-03-14\n"), "alle")
    assert list(lists) == ["alle"]
    assert lists["alle"].entries[0].valid_until_ns == at_ns("2026-03-15T00:00+01:00")
