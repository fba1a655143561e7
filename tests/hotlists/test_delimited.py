"""CSV: delimiters, headers in four languages, widths, and quotes that are never closed."""

from __future__ import annotations

import pytest

from hotlists.entry import Handling, HotlistEntry, Priority
from hotlists.parse import FileError
from tests.hotlists.reading import at_ns, parse, plates

# --- columns, delimiters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_column_is_read_with_each_delimiter_and_line_end(delimiter: str, end: str) -> None:
    rows = (
        "plate/country/list/reason/priority/handling/valid_from/valid_until",
        "1-abc-123/be/gestolen/Diefstal/High/COVERT/2026-03-14T21:00+01:00/2026-03-15T00:00Z",
    )
    parsed = parse(end.join(rows).replace("/", delimiter))
    assert parsed.entries == [
        HotlistEntry(
            plate="1ABC123",
            country="BE",
            reason="Diefstal",
            priority=Priority.HIGH,
            handling=Handling.COVERT,
            valid_from_ns=at_ns("2026-03-14T20:00+00:00"),
            valid_until_ns=at_ns("2026-03-15T00:00+00:00"),
        )
    ]
    assert (parsed.rejected, parsed.errors, parsed.ignored_columns) == (0, [], [])
    assert (parsed.detected.format, parsed.detected.delimiter) == ("csv", delimiter)


@pytest.mark.parametrize(
    "header",
    [
        "nummerplaat;land;reden;prioriteit;afhandeling;geldig van;geldig tot",
        "Plaque;Pays;Motif;Priorité;Traitement;Valable du;Valable au",
        "plaque;pays;raison;priorite;traitement;valable_du;valable-au",
        "VRM;Country;Reason;Priority;Handling;Valid from;Valid until",
        "kenteken;land;reden;prioriteit;afhandeling;geldig_vanaf;geldig_tot",
        "Kennzeichen;Land;Grund;Priorität;Behandlung;Gültig ab;Gültig bis",
        " PLATE ; COUNTRY ; REASON ; PRIORITY ; HANDLING ; VALID-FROM ; VALID-UNTIL ",
    ],
)
def test_headers_are_known_in_four_languages(header: str) -> None:
    parsed = parse(f"{header}\n1ABC123;BE;Diefstal;low;open;2026-03-14;2026-03-14\n")
    entry = parsed.entries[0]
    assert (entry.plate, entry.country, entry.reason, entry.priority) == (
        "1ABC123",
        "BE",
        "Diefstal",
        Priority.LOW,
    )
    # A list that is covert stays so, whatever an entry says: an entry states covert, or nothing.
    assert entry.handling is None
    assert entry.valid_from_ns is not None
    assert entry.valid_until_ns is not None
    assert parsed.ignored_columns == []
    assert list(parsed.detected.headers) == [name.strip() for name in header.split(";")]


def test_a_decomposed_accent_in_a_header_is_the_same_accent() -> None:
    assert parse("plaque,priorite\u0301\n1ABC123,high\n").entries[0].priority is Priority.HIGH


def test_the_delimiter_is_the_one_that_gives_columns() -> None:
    parsed = parse("opmerking, vrij, lang, veld;nummerplaat;land\nx,y,z;1ABC123;BE\n")
    assert parsed.detected.delimiter == ";"
    assert [(entry.plate, entry.country) for entry in parsed.entries] == [("1ABC123", "BE")]


def test_columns_that_mean_nothing_here_are_named() -> None:
    parsed = parse("merk,plate,geldig tot en met\nFiat,1ABC123,2026-03-14\n")
    assert parsed.ignored_columns == ["merk", "geldig tot en met"]
    assert parsed.entries[0].valid_until_ns is None


def test_missing_cells_at_the_end_are_empty() -> None:
    assert plates("country,plate,reason\nBE,1ABC123\n") == ["1ABC123"]


def test_empty_cells_beyond_the_header_are_nothing() -> None:
    assert plates("plate,country\n1ABC123,BE,,,\n") == ["1ABC123"]


def test_empty_cells_behind_the_only_column_are_nothing() -> None:
    assert plates("plate\n1ABC123;;\n2DEF456;;\n;;\n") == ["1ABC123", "2DEF456"]


def test_blank_lines_are_no_rows_but_count_as_lines() -> None:
    parsed = parse("\n\nplate\n\n1ABC123\n ,\n\n!\n")
    assert [entry.plate for entry in parsed.entries] == ["1ABC123"]
    assert [error.row for error in parsed.errors] == [8]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_bare_column_of_plates_needs_no_header(end: str) -> None:
    parsed = parse(end.join(['"1-ABC-123"', "", "M-XY 123", "12-AB-34", "GG 123 B"] + ["2DEF456"] * 200))
    assert [entry.plate for entry in parsed.entries[:2]] == ["1ABC123", "MXY123"]
    assert (parsed.detected.headers, parsed.detected.delimiter) == ({}, "")


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("merk,kleur\nFiat,rood\n", "nummerplaat"),
        ("1ABC123,BE\n2DEF456,BE\n", r"no column with plates in line 1: it holds '1ABC123', 'BE'\. The first row"),
        ("1ABC123\nFiat\n", "no column with plates in line 1"),
        ("ABCDEF\n1ABC123\n", "no column with plates in line 1"),
        ("plate:country\n1ABC123:BE\n", "separated by comma, semicolon, tab or |"),
        ("plate country\n1ABC123 BE\n", "'plate country'"),
        ("plate,nummerplaat\n1ABC123,2DEF456\n", "line 1: 'plate', 'nummerplaat' all mean plate"),
        ("\n\nVRM;kenteken;x\n", "line 3: 'VRM', 'kenteken' all mean plate"),
        ('"' + "x" * 200_000, "line 1 is no CSV"),
        ('"plate\n1ABC123\n', "line 1 is no CSV"),
    ],
)
def test_a_header_that_cannot_be_read_says_why(file: str, says: str) -> None:
    with pytest.raises(FileError, match=says):
        parse(file)


def test_rows_with_another_delimiter_than_the_header_say_so() -> None:
    parsed = parse("plate,country\n1ABC123;BE\n2DEF456,BE\n")
    assert [entry.plate for entry in parsed.entries] == ["2DEF456"]
    assert "is the delimiter the one of the first row?" in parsed.errors[0].reason


# --- quotes ------------------------------------------------------------------------------------------------


def test_a_quoted_cell_may_hold_the_delimiter_quotes_and_line_ends() -> None:
    parsed = parse('plate,reason,country\n1ABC123,"rood, ""cabrio""\r\nvluchtte",BE\n2DEF456,,BE\n!,,\n')
    assert [entry.reason for entry in parsed.entries] == ['rood, "cabrio"\r\nvluchtte', ""]
    assert [error.row for error in parsed.errors] == [5]
    assert not parsed.cut_off


def test_a_quote_within_a_cell_is_a_character() -> None:
    assert parse('plate,reason\n1ABC123,banden 18" rond\n2DEF456,ok\n').entries[0].reason == 'banden 18" rond'


@pytest.mark.parametrize("behind", [0, 3, 50_000])
def test_a_quote_that_is_never_closed_swallows_no_rows(behind: int) -> None:
    rows = "".join(f"{number:06},BE,ok\n" for number in range(behind))
    parsed = parse(f'plate,country,reason\n1AAA111,BE,"nooit gesloten\n{rows}')
    assert [entry.plate for entry in parsed.entries] == [f"{number:06}" for number in range(behind)]
    assert [(error.row, error.column) for error in parsed.errors] == [(2, "")]
    assert "quote" in parsed.errors[0].reason
    assert parsed.cut_off is (behind == 0)


def test_a_file_that_ends_within_a_quote_was_cut_off() -> None:
    parsed = parse('plate,reason\n1AAA111,ok\n2BBB222,"eerste regel\ntweede re')
    assert [entry.plate for entry in parsed.entries] == ["1AAA111"]
    assert parsed.cut_off
    assert "the file ends before it is" in parsed.errors[0].reason
    # The rest of a text is no plate, though "TWEEDERE" could be one.
    assert [(note.row, note.value) for note in parsed.errors] == [(3, '2BBB222,"eerste regel'), (4, "tweede re")]


def test_a_quote_that_closes_in_a_later_row_swallows_no_rows() -> None:
    parsed = parse('plate,country,reason\n1AAA111,BE,"open\n2BBB222,BE,ok\n3CCC333,BE,dicht"\n4DDD444,BE,ok\n')
    assert [entry.plate for entry in parsed.entries] == ["2BBB222", "3CCC333", "4DDD444"]
    assert [error.row for error in parsed.errors] == [2]


def test_a_cell_over_very_many_lines_is_one_bad_line() -> None:
    parsed = parse('plate,reason\n1AAA111,"' + "x\n" * 500 + '"\n2BBB222,ok\n')
    assert parsed.entries[-1].plate == "2BBB222"
    assert parsed.errors[0].row == 2
    assert parsed.rows == 502


def test_a_cell_larger_than_csv_allows_is_one_bad_row() -> None:
    parsed = parse(f"plate,reason\n1AAA111,{'x' * 200_000}\n2BBB222,ok\n")
    assert [entry.plate for entry in parsed.entries] == ["2BBB222"]
    assert [error.row for error in parsed.errors] == [2]


@pytest.mark.parametrize("ahead", range(4950, 5000))
def test_a_record_over_two_lines_may_lie_across_blocks(ahead: int) -> None:
    rows = "1AAA111,een gewone regel\n" * (131_072 // 25 - 1) + "1AAA111," + "x" * (ahead - 4950) + "\n"
    parsed = parse(f'plate,reason\n{rows}2BBB222,"over\ntwee"\n3CCC333,ok\n')
    assert [(entry.plate, entry.reason) for entry in parsed.entries[-2:]] == [
        ("2BBB222", "over\ntwee"),
        ("3CCC333", "ok"),
    ]
    assert parsed.rejected == 0
