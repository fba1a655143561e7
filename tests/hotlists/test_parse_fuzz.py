"""Whatever comes: a file or a file error, every row accounted for, and the fast reader as the slow one reads."""

from __future__ import annotations

import csv
import gzip
import io
from unittest import mock

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from hotlists import files
from hotlists.parse import FileError, Limits, ParsedFile, Use
from plates import alphabet
from tests.hotlists import reference
from tests.hotlists.reading import parse, workbook

PLATES = st.from_regex(r"[1-9][A-Z]{3}[0-9]{3}", fullmatch=True)
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
ROWS = st.lists(st.tuples(PLATES | CELLS, CELLS, CELLS), max_size=20)
SMALL = Limits(rows=1000, file_bytes=1_000_000, ratio=50, free_bytes=100_000, line_characters=10_000)


def check(file: str | bytes, use: Use = Use.REPLACEMENT) -> ParsedFile | None:
    """Parse, or be refused as a file; either way nothing else is raised, and what is taken is sound."""
    try:
        parsed = parse(file, use=use, limits=SMALL)
    except FileError:
        return None
    assert len(parsed.errors) == min(parsed.rejected, 1000)
    assert len(parsed.columns) + len(parsed.removals) + parsed.duplicates == parsed.accepted
    assert [note.row for note in parsed.errors] == sorted(note.row for note in parsed.errors)
    for entry in parsed.entries:
        assert 2 <= len(entry.plate) <= alphabet.SLOTS
        assert set(entry.plate) <= set(alphabet.CHARACTERS + "?*")
        assert entry.country == "" or len(entry.country) == 2
    return parsed


BEGINS = [
    b"",
    b"plate,reason\n",
    b"\xef\xbb\xbfvrm\tland\r\n",
    b"{",
    b"\xff\xfep\0l\0a\0t\0e\0\n\0",
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
]


@given(st.binary(max_size=400), st.sampled_from(BEGINS), st.sampled_from(Use))
def test_any_bytes_are_a_file_or_a_file_error(raw: bytes, before: bytes, use: Use) -> None:
    parsed = check(before + raw, use)
    assert parsed is not None or not before.startswith(b"plate") or raw.count(0) * 4 > len(raw)
    check(gzip.compress(before + raw), use)


@given(st.text(max_size=300), st.sampled_from(["plate,valid_from,country\n", '{"plate":"1ABC123","valid_from":"']))
def test_any_text_is_a_file_or_a_file_error(text: str, before: str) -> None:
    parsed = check((before + text).encode("utf-8", "replace"))
    assert parsed is not None or text.count("\0") * 4 > len(text)


WORKBOOK = workbook(
    {"Lijst": [["plate", "reden", "geldig tot"], ["1ABC123", "a", 46095], ["2DEF456", "b", 1.5]]},
    shared="<si><t>a</t></si>",
)


@given(
    st.lists(st.tuples(st.integers(0, len(WORKBOOK) - 1), st.integers(0, 255)), max_size=5),
    st.integers(0, len(WORKBOOK)),
)
def test_a_damaged_xlsx_is_a_file_or_a_file_error(changes: list[tuple[int, int]], end: int) -> None:
    raw = bytearray(WORKBOOK)
    for at, byte in changes:
        raw[at] = byte
    check(bytes(raw))
    check(bytes(raw[:end]))


# A character that XML does not allow cannot be in a sheet.
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"], exclude_characters="\0"), max_size=20
)


@given(st.lists(st.tuples(PLATES, TEXTS, TEXTS), max_size=20, unique_by=lambda row: row[0]))
def test_what_was_written_comes_back(rows: list[tuple[str, str, str]]) -> None:
    expected = [(plate, reason.strip()) for plate, reason, _ in rows]
    table = [["plate", "reden", "vrij"], *rows]
    file = io.StringIO()
    csv.writer(file, delimiter=";").writerows(table)
    lines = b"\n".join(msgspec.json.encode(dict(zip(table[0], row, strict=True))) for row in rows) or b"{}"
    for raw in (file.getvalue().encode(), file.getvalue().encode("utf-16"), lines, workbook({"Lijst": table})):
        parsed = check(raw)
        assert parsed is not None
        assert [(entry.plate, entry.reason) for entry in parsed.entries] == expected


@given(ROWS, st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_accepted_and_rejected_are_all_rows_of_a_csv(
    rows: list[tuple[str, str, str]], delimiter: str, end: str
) -> None:
    # What a spreadsheet writes: every cell quoted where it must be.
    rows = [(" ".join(a.split()), " ".join(b.split()), " ".join(c.split())) for a, b, c in rows]
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end)
    writer.writerow(["plate", "reason", "country"])
    writer.writerows(rows)
    parsed = check(file.getvalue())
    assert parsed is not None
    assert parsed.rows == sum(any(cell.strip() for cell in row) for row in rows)


@given(ROWS)
def test_accepted_and_rejected_are_all_rows_of_ndjson(rows: list[tuple[str, str, str]]) -> None:
    lines = [msgspec.json.encode({"plate": plate, "reason": reason, "country": c}) for plate, reason, c in rows]
    parsed = check(b'{"plate": "1ABC123"}\n' + b"\n".join(lines))
    assert parsed is not None
    assert parsed.rows == 1 + len(rows)


@given(st.lists(PLATES, min_size=1, unique=True), st.data())
def test_one_bad_row_costs_nothing_that_was_good(good: list[str], data: st.DataObject) -> None:
    where = data.draw(st.integers(0, len(good)))
    bad = data.draw(CELLS.filter(lambda text: not set("\r\n") & set(text)))
    lines = [f"{plate},BE" for plate in good]
    lines.insert(where, f"{bad},{bad}")
    taken = {entry.plate for entry in parse("plate,country\n" + "\n".join(lines)).entries}
    assert set(good) <= taken


# --- beside the reference ----------------------------------------------------------------------------------

SIGNS = st.text(st.sampled_from('1A?*,;"\n\r\té\0 \ufffdα-'), max_size=8)
CELL = {
    "plate": PLATES | st.sampled_from(["1ABC123", "1-abc-123", "1?B*", "B1ABC123", "ÖAB 12", "---", ""]) | SIGNS,
    "country": st.sampled_from(["BE", "nl", "UK", "XX", "B", " ", ""]) | SIGNS,
    "reason": st.sampled_from(["gestolen", '"over\ntwee"', '"a ""b"" c"', '"nooit dicht', "", "=1+1"]) | SIGNS,
    "priority": st.sampled_from(["", "high", "LOW", "urgent"]),
    "handling": st.sampled_from(["", "covert", "Open", "geheim"]),
    "valid_from": st.sampled_from(["", "2026-03-14", "14/03/2026 21:00", "20260314", "14.13.2026"]),
    "valid_until": st.sampled_from(["", "2026-03-13", "15-03-2026", "25/10/2026 02:30", "2026-02-30", "morgen"]),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, str]:
    """A file of rows as people make them, and its delimiter."""
    delimiter = draw(st.sampled_from(",;\t|"))
    others = draw(st.lists(st.sampled_from(reference.COLUMNS[1:]), unique=True, min_size=1, max_size=6))
    header = draw(st.permutations(["plate", *others]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines = [delimiter.join(header)]
    for _ in range(draw(st.integers(0, 8))):
        cells = [draw(CELL[name]) for name in header]
        lines.append(delimiter.join(cells[: draw(st.integers(0, 9))] if draw(st.booleans()) else cells))
    return end.join([*lines, ""] if draw(st.booleans()) else lines), delimiter


@given(tables(), st.sampled_from([1, 3, 7, 50, 131_072]))
@example(("plate,country\n1ABC123,BE\n", ","), 1)
def test_the_fast_reader_reads_as_the_slow_one(table: tuple[str, str], block_bytes: int) -> None:
    text, delimiter = table
    with mock.patch.object(files, "BLOCK_BYTES", block_bytes):
        parsed = parse(text)
    entries, refused = reference.read(text, delimiter)
    assert parsed.entries == entries
    assert [note.row for note in parsed.errors] == refused
