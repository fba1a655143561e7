"""XLSX: values of the first sheet with plates, dates as numbers, and files made to harm."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from typing import Any

import pytest

from hotlists.parse import FileError, Limits
from hotlists.parsed import RowNote
from tests.hotlists.reading import at_ns, parse, plates, sheet_of, workbook, zipped


def table(*rows: list[Any]) -> bytes:
    return workbook({"Lijst": rows})


def test_the_first_visible_sheet_with_plates_is_read() -> None:
    raw = workbook(
        {
            "Oud": [["plate"], ["9OLD999"]],
            "Uitleg": [["Lees dit eerst", 1.5]],
            "Leeg": [],
            "Lijst": [
                [],
                ["merk", "Nummerplaat", "Land"],
                ["Fiat", "1-ABC-123", "be"],
                ["", 123456, None],
                [None] * 3,
            ],
            "Later": [["plate"], ["2DEF456"]],
        },
        hidden=["Oud"],
    )
    for parsed in (parse(raw), parse(gzip.compress(raw))):
        assert [(entry.plate, entry.country) for entry in parsed.entries] == [("1ABC123", "BE"), ("123456", "")]
        assert parsed.ignored_columns == ["merk"]
        assert (parsed.detected.format, parsed.detected.sheet, parsed.detected.encoding) == ("xlsx", "Lijst", "")
        assert parsed.detected.headers == {"Nummerplaat": "plate", "Land": "country"}


def test_texts_may_be_shared_rich_or_of_a_formula() -> None:
    shared = (
        "<si><t>plate</t></si><si><t>reden</t></si><si><t>1ABC123</t></si>"
        "<si><r><t>ge</t></r><r><rPr/><t>zocht</t></r><rPh sb='0' eb='1'><t>weg</t></rPh></si>"
    )
    rows = [
        ['<c t="s"><v>0</v></c>', '<c t="s"><v>1</v></c>'],
        ['<c t="s"><v>2</v></c>', '<c t="s"><v>3</v></c>'],
        ['<c t="str"><f>A1&amp;B1</f><v>2DEF456</v></c>', "=HYPERLINK(1)"],
        ["<c><f>6*7</f><v>42</v></c>", '<c t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c>'],
    ]
    parsed = parse(workbook({"Lijst": rows}, shared=shared))
    assert [(entry.plate, entry.reason) for entry in parsed.entries] == [
        ("1ABC123", "gezocht"),
        ("2DEF456", "=HYPERLINK(1)"),
        ("42", "ab"),
    ]


def test_names_may_have_a_prefix() -> None:
    sheet = (
        '<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:sheetData>'
        '<x:row><x:c t="inlineStr"><x:is><x:t>plate</x:t></x:is></x:c></x:row>'
        '<x:row><x:c t="s"><x:v>0</x:v></x:c></x:row></x:sheetData></x:worksheet>'
    )
    assert plates(workbook({"Lijst": sheet}, shared="<x:si xmlns:x='x'><x:t>1ABC123</x:t></x:si>")) == ["1ABC123"]


def test_cells_stand_where_they_say() -> None:
    sheet = (
        '<row r="3"><c r="AB3" t="str"><v>plate</v></c><c r="B3" t="str"><v>land</v></c></row>'
        '<row r="9"><c r="B9" t="str"><v>BE</v></c><c r="AB9" t="str"><v>1ABC123</v></c>'
        '<c t="str"><v>x</v></c></row>'
        '<row r="12"><c r="AB12" t="str"><v>!</v></c></row><row><c r="AB13" t="str"><v>?</v></c></row>'
    )
    parsed = parse(workbook({"Lijst": sheet_of([]).replace("<sheetData>", f"<sheetData>{sheet}")}))
    assert [(entry.plate, entry.country) for entry in parsed.entries] == [("1ABC123", "BE")]
    assert [note.row for note in parsed.errors] == [12, 13]


@pytest.mark.parametrize(
    ("value", "begins", "ends"),
    [
        (46095, "2026-03-14T00:00+01:00", "2026-03-15T00:00+01:00"),
        (46095.875, "2026-03-14T21:00+01:00", "2026-03-14T21:00+01:00"),
        (46217.99999999, "2026-07-15T00:00+02:00", "2026-07-16T00:00+02:00"),
        (20260314, "2026-03-14T00:00+01:00", "2026-03-15T00:00+01:00"),
        ("14/03/2026", "2026-03-14T00:00+01:00", "2026-03-15T00:00+01:00"),
        ('<c t="d"><v>2026-03-14T21:00:00</v></c>', "2026-03-14T21:00+01:00", "2026-03-14T21:00+01:00"),
    ],
)
def test_a_date_is_a_number_of_days(value: Any, begins: str, ends: str) -> None:
    entry = parse(table(["plate", "geldig van"], ["1ABC123", value])).entries[0]
    assert entry.valid_from_ns == at_ns(begins)
    entry = parse(table(["plate", "geldig tot"], ["1ABC123", value])).entries[0]
    assert entry.valid_until_ns == at_ns(ends)


def test_a_workbook_of_1904_counts_from_there() -> None:
    raw = workbook(
        {"Lijst": [["plate", "geldig van"], ["1ABC123", 44633]]}, properties='<workbookPr date1904="1"/>'
    )
    assert parse(raw).entries[0].valid_from_ns == at_ns("2026-03-14T00:00+01:00")


@pytest.mark.parametrize(
    ("cells", "column", "value", "says"),
    [
        (["<c><f>A1</f></c>", ""], "plate", "", "formula without a stored value"),
        (['<c t="e"><f>A1</f><v>#REF!</v></c>', ""], "plate", "#REF!", "error of the spreadsheet"),
        (['<c t="b"><v>1</v></c>', ""], "plate", "1", "true or false"),
        (['<c t="s"><v>7</v></c>', ""], "plate", "7", "points to a text"),
        (['<c t="s"><v>-1</v></c>', ""], "plate", "-1", "points to a text"),
        ([1.5, ""], "plate", "1.5", "neither a text nor a whole number"),
        (["<c><v>1e999</v></c>", ""], "plate", "1e999", "no number"),
        (["<c><v>een</v></c>", ""], "plate", "een", "no number"),
        (["1ABC123", 0.5], "valid_until", "0.5", "no date"),
        (["1ABC123", -3], "valid_until", "-3", "no date"),
        (["1ABC123", "<c><v>nan</v></c>"], "valid_until", "nan", "no date"),
        (["1ABC123", "<c><v>inf</v></c>"], "valid_until", "inf", "no date"),
        (["1ABC123", 20261314], "valid_until", "20261314", "no month 13"),
        (["x" * 300, ""], "plate", "X" * 80, "more than 10 characters"),
        (["x" * 3000, ""], "plate", "x" * 80, "more than 1000 characters"),
        (["!", ""], "plate", "!", "no letter or digit"),
    ],
)
def test_a_bad_cell_costs_its_own_row(cells: list[Any], column: str, value: str, says: str) -> None:
    raw = table(["plate", "geldig tot"], ["1AAA111", ""], cells, ["2BBB222", ""])
    parsed = parse(raw, limits=Limits(line_characters=1000))
    assert [entry.plate for entry in parsed.entries] == ["1AAA111", "2BBB222"]
    (note,) = parsed.errors
    assert (note.row, note.column, note.value.upper()) == (3, column, value.upper())
    assert says in note.reason


def test_a_cell_under_no_header_is_nothing() -> None:
    raw = table(["plate"], ["1AAA111", "<c><f>A1</f></c>", "nota"], [None, "nota"])
    assert plates(raw) == ["1AAA111"]


def test_a_bare_column_of_plates_needs_no_header() -> None:
    assert plates(table(["1-ABC-123"], ["2DEF456"])) == ["1ABC123", "2DEF456"]


# --- what is no list, or does harm -------------------------------------------------------------------------

ENTITIES = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><worksheet><sheetData/></worksheet>'


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (zipped({"lijst.csv": "plate\n1ABC123\n"}), "no XLSX"),
        (workbook({}), "empty"),
        (workbook({"Lijst": []}), "empty"),
        (workbook({"Lijst": [["plate"]]}, hidden=["Lijst"]), "empty"),
        (workbook({"A": [["merk"]], "B": [["kleur"]]}), "in row 1 of sheet 'A': it holds 'merk'"),
        (workbook({"A": [["plate", "vrm"]]}), "row 1 of sheet 'A': 'plate', 'vrm' all mean plate"),
        (workbook({"A": ENTITIES}), "declares a document type"),
        (workbook({"A": "<worksheet><sheetData>"}), "no XML"),
        (workbook({"A": "geen XML"}), "no XML"),
        (
            workbook({"A": '<worksheet><sheetData><row r="x"/></sheetData></worksheet>'}),
            "says that it is number 'x'",
        ),
        (workbook({"A": f'<worksheet><sheetData><row r="{"9" * 30}"/></sheetData></worksheet>'}), "it is number"),
        (workbook({"A": [["plate"], ["1ABC123"]]})[:-30], "damaged or cut off"),
        (workbook({"A": [["plate"], ["1ABC123"]]})[:200], "damaged or cut off"),
        (
            workbook({"A": [["plate"], ["1ABC123"]]}).replace(b"xl/worksheets/sheet1", b"xl/worksheets/sheet2"),
            "damaged or cut off",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_why(raw: bytes, says: str) -> None:
    with pytest.raises(FileError, match=says):
        parse(raw)


def test_a_part_that_says_it_is_encrypted_is_refused() -> None:
    raw = bytearray(table(["plate"], ["1ABC123"]))
    at = 0
    while (at := raw.find(b"PK\x01\x02", at)) >= 0:
        raw[at + 8] |= 1
        at += 4
    with pytest.raises(FileError, match="without a password"):
        parse(bytes(raw))


def test_a_bomb_in_a_part_is_refused_before_it_is_large() -> None:
    raw = table(["plate"], *(["1ABC123"] for _ in range(50_000)))
    with pytest.raises(FileError, match="times as large"):
        parse(raw, limits=Limits(ratio=20, free_bytes=100_000))
    with pytest.raises(FileError, match="is more than 100000 bytes"):
        parse(raw, limits=Limits(file_bytes=100_000))
    shared = workbook({"A": [["plate"]]}, shared="<si><t>a</t></si>" * 50_000)
    with pytest.raises(FileError, match="times as large"):
        parse(shared, limits=Limits(ratio=20, free_bytes=100_000))


def test_a_directory_that_would_fill_the_memory_is_refused() -> None:
    raw = table(["plate"], ["1ABC123"])
    at = raw.rfind(b"PK\x05\x06")
    large = raw[: at + 12] + struct.pack("<I", 2**30) + raw[at + 16 :]
    zip64 = raw[:at] + b"PK\x06\x07" + bytes(16) + raw[at:]
    for each in (large, zip64):
        with pytest.raises(FileError, match="far more parts"):
            parse(each)


def test_a_directory_that_points_outside_the_file_is_damage() -> None:
    raw = bytearray(table(["plate"], ["1ABC123"]))
    struct.pack_into("<I", raw, raw.rfind(b"PK\x05\x06") + 16, 2**24)
    with pytest.raises(FileError, match="damaged or cut off"):
        parse(bytes(raw))


def test_a_compression_that_no_spreadsheet_writes_is_refused() -> None:
    file = io.BytesIO(table(["plate"], ["1ABC123"]))
    with zipfile.ZipFile(file) as packed:
        parts = {each: packed.read(each) for each in packed.namelist()}
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_LZMA) as packed:
        for name, text in parts.items():
            packed.writestr(name, text)
    with pytest.raises(FileError, match="method 14"):
        parse(file.getvalue())


def test_more_shared_texts_than_a_list_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotlists.sheet._MAX_SHARED", 10)
    with pytest.raises(FileError, match="more texts than a list"):
        parse(workbook({"A": [["plate"]]}, shared="<si/>" * 11))


def test_a_sheet_of_many_blocks_is_read_as_one() -> None:
    rows = [[f"{number:06}", "" if number % 3 else 0.1] for number in range(20_000)]
    parsed = parse(table(["plate", "geldig tot"], *rows))
    assert [entry.plate for entry in parsed.entries] == [row[0] for row in rows if not row[1]]
    assert parsed.errors[0] == RowNote(
        2, "valid_until", "0.1", "no date: the sheet holds a number there that is none"
    )
    assert parsed.rejected == 6667
