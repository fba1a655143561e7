"""Cells: what each column takes, what is wrong with a row and where, and plates unlike those of their country."""

from __future__ import annotations

import pytest

from hotlists import rows
from hotlists.parse import Use
from hotlists.parsed import RowNote
from tests.hotlists.reading import parse, plates, plates_removed

HEADER = "plate,country,list,reason,priority,handling,valid_from,valid_until"


@pytest.mark.parametrize(
    ("row", "column", "value", "says"),
    [
        ("---,,,,,,,", "plate", "---", "no letter or digit"),
        (",BE,,,,,,", "plate", "", "no letter or digit"),
        ("?*?,,,,,,,", "plate", "?*?", "no letter or digit"),
        ("1ABC1234567,,,,,,,", "plate", "1ABC1234567", "more than 10 characters"),
        ("1?BC*1234567,,,,,,,", "plate", "1?BC*1234567", "more than 10 characters"),
        (f"{'9' * 300},,,,,,,", "plate", "9" * 80, "more than 10 characters"),
        ("A,,,,,,,", "plate", "A", "at least 2"),
        ("*1?*,,,,,,,", "plate", "*1?*", "at least 2"),
        ("1ABC123;2DEF456,,,,,,,", "plate", "1ABC123;2DEF456", "more than one cell or plate"),
        ("ΑΒΓ1234,,,,,,,", "plate", "ΑΒΓ1234", "other than A to Z"),
        ("1AB\ufffd123,,,,,,,", "plate", "1AB\ufffd123", "cannot be read"),
        ("1ABC123,BEL,,,,,,", "country", "BEL", "two-letter"),
        ("1ABC123,BL\u0130,,,,,,", "country", "BL\u0130", "two-letter"),
        ("1ABC123,XX,,,,,,", "country", "XX", "two-letter"),
        ("1ABC123,BE,verzekering,,,,,", "list", "verzekering", "another list than 'gestolen'"),
        ("1ABC123,BE,,,urgent,,,", "priority", "urgent", "not one of critical, high, normal, low"),
        ("1ABC123,BE,,,,secret,,", "handling", "secret", "not one of open, covert"),
        ("1ABC123,BE,,,,,14/13/2026,", "valid_from", "14/13/2026", "no month 13"),
        ("1ABC123,BE,,,,,,2026-02-30", "valid_until", "2026-02-30", "not a date"),
        ("1ABC123,BE,,,,,2026-03-15,2026-03-14", "valid_until", "2026-03-14", "never be valid"),
        ("1ABC123,BE,,a,,,,,b", "", "1ABC123,BE,,a,,,,,b", "9 cells for 8 columns"),
        ('1ABC123,BE,,"a"b,,,,', "", '1ABC123,BE,,"a"b,,,,', "quote"),
        ("---,XX,a,a,a,a,a,a", "plate", "---", "no letter or digit"),
    ],
)
def test_a_bad_row_is_told_with_place_and_reason_and_costs_nothing_else(
    row: str, column: str, value: str, says: str
) -> None:
    parsed = parse(f"{HEADER}\n1AAA111,BE,,,,,,\n{row}\n2BBB222,BE,,,,,,\n")
    assert [entry.plate for entry in parsed.entries] == ["1AAA111", "2BBB222"]
    assert (parsed.accepted, parsed.rejected) == (2, 1)
    (error,) = parsed.errors
    assert (error.row, error.column, error.value) == (3, column, value)
    assert says in error.reason


def test_each_row_with_the_same_bad_cell_is_told() -> None:
    parsed = parse("plate,country\n1AAA111,XX\n2BBB222,BE\n!,XX\n3CCC333,XX\n")
    assert [(note.row, note.column) for note in parsed.errors] == [(2, "country"), (4, "plate"), (5, "country")]


def test_rows_of_the_list_itself_are_taken_whatever_their_case() -> None:
    assert plates("list,plate\nGestolen,1ABC123\n,2DEF456\n") == ["1ABC123", "2DEF456"]


# --- plates and texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "plate"),
    [
        ("1-ABC-123", "1ABC123"),
        (" 1 abc.123 ", "1ABC123"),
        ("ÖS·AB 12", "OSAB12"),
        ("１ＡＢＣ１２３", "1ABC123"),
        ("1?b?-12*", "1?B?12*"),
        ("1？B＊", "1?B*"),
        ("'1ABC123", "1ABC123"),
        ("=1+1", "11"),
        (f"1ABC{'-' * 5000}123", "1ABC123"),
    ],
)
def test_a_plate_is_normalised(cell: str, plate: str) -> None:
    assert plates(f"plate\n{cell}\n") == [plate]


@pytest.mark.parametrize(
    "cell", ["=1+1", "@SUM(A1)", '=HYPERLINK("http://x")', "+32 9 123", "-1", "=cmd|' /C calc'!A0"]
)
def test_a_formula_is_a_text(cell: str) -> None:
    quoted = cell.replace('"', '""')
    assert parse(f'plate,reason\n1ABC123,"{quoted}"\n').entries[0].reason == cell


def test_a_long_reason_is_cut() -> None:
    assert parse(f"plate,reason\n1ABC123,{'x' * 5000}\n").entries[0].reason == "x" * rows.MAX_REASON


@pytest.mark.parametrize(("cell", "code"), [("be", "BE"), ("UK", "GB"), ("EL", "GR"), ("XK", "XK"), ("", "")])
def test_a_country_is_its_iso_code(cell: str, code: str) -> None:
    assert parse(f"plate,country\n1ABC123,{cell}\n").entries[0].country == code


# --- plates that are unlike those of their country ---------------------------------------------------------


def test_a_plate_unlike_those_of_its_country_is_taken_and_told() -> None:
    parsed = parse(
        "plate,country\n1ABC123,BE\n-1A2B3C4-,be\n1A2B3C4,\n1A2B3C4,XK\n1A2B*,BE\nGG123B,NL\n9X,NL\n!,BE\n"
    )
    assert (parsed.accepted, parsed.implausible, parsed.rejected) == (7, 2, 1)
    assert [(note.row, note.column, note.value) for note in parsed.warnings] == [
        (3, "plate", "-1A2B3C4-"),
        (8, "plate", "9X"),
    ]
    assert "no known series of BE" in parsed.warnings[0].reason


def test_of_very_many_unlike_plates_the_first_are_told_and_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotlists.rows.MAX_TOLD", 3)
    parsed = parse("plate,country\n" + "".join(f"A1B2C{number:04},BE\n" for number in range(9000)))
    assert parsed.implausible == parsed.accepted == 9000
    assert [note.row for note in parsed.warnings] == [2, 3, 4]


def test_a_removal_is_checked_like_any_row() -> None:
    parsed = parse("plate,country\n1ABC123,XX\n2DEF456,BE\n", use=Use.REMOVAL)
    assert plates_removed(parsed) == ["2DEF456"]
    assert parsed.errors == [RowNote(2, "country", "XX", "not a two-letter country code (BE, NL, FR, ...)")]
