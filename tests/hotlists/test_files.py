"""What a file is, by its content: encodings, compression, lines of any length, and what is none."""

from __future__ import annotations

import gzip
import io
import random

import pytest

from hotlists import files
from hotlists.parse import FileError, Limits, parse_file
from tests.hotlists.reading import parse, plates

LIEGE = "plate,reason\n1ABC123,gezocht in Liège\n"


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (LIEGE.encode(), "utf-8"),
        (LIEGE.encode("utf-8-sig"), "utf-8"),
        (LIEGE.encode("cp1252"), "windows-1252"),
        (LIEGE.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + LIEGE.encode("utf-16-be"), "utf-16"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_encodings_are_told_apart(raw: bytes, encoding: str, compressed: bool) -> None:
    parsed = parse(gzip.compress(raw) if compressed else raw)
    assert parsed.entries[0].reason == "gezocht in Liège"
    assert (parsed.detected.encoding, parsed.detected.compression) == (encoding, "gzip" if compressed else "")


def test_one_broken_byte_leaves_the_rest_of_a_utf8_file_alone() -> None:
    raw = "plate,reason\n1ABC123,Liège é\n2DEF456,kapot: ".encode() + b"\xe9\nM-\xc3 1\n" + "ÖAB 123,\n".encode()
    parsed = parse(raw)
    assert [entry.plate for entry in parsed.entries] == ["1ABC123", "2DEF456", "OAB123"]
    assert parsed.entries[0].reason == "Liège é"
    assert (parsed.errors[0].row, parsed.errors[0].column) == (4, "plate")
    assert "UTF-8" in parsed.errors[0].reason


def test_a_lone_surrogate_costs_its_own_row() -> None:
    raw = "plate,reason\n1AAA111,é\nA\ud800B 12,é\n2BBB222,é\n".encode("utf-8", "surrogatepass")
    assert [entry.plate for entry in parse(raw).entries] == ["1AAA111", "2BBB222"]
    raw = b"\xff\xfe" + "plate\n1AAA111\nA\ud800B 12\n2BBB222\n".encode("utf-16-le", "surrogatepass")
    assert [entry.plate for entry in parse(raw).entries] == ["1AAA111", "2BBB222"]


@pytest.mark.parametrize("at", [0, 1])
def test_a_nul_costs_its_own_row(at: int) -> None:
    cells = ["2BBB222", "x"]
    cells[at] = f"{cells[at][:1]}\0{cells[at][1:]}"
    parsed = parse(f"plate,reason\n1AAA111,ok\n{','.join(cells)}\n3CCC333,ok\n")
    assert [entry.plate for entry in parsed.entries] == ["1AAA111", "3CCC333"]
    assert [(note.row, note.column) for note in parsed.errors] == [(3, ("plate", "reason")[at])]
    assert "NUL" in parsed.errors[0].reason


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "empty"),
        (b" \r\n\t\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\xff\xfe", "empty"),
        (gzip.compress(b""), "empty"),
        (b"\n" * 3_000_000, "very many blanks"),
        (LIEGE.encode("utf-16-le"), "binary, or UTF-16"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "old Excel file"),
        (b"PK\x03\x04\x14\x00", "damaged or cut off"),
        (gzip.compress(gzip.compress(LIEGE.encode())), "compressed twice"),
        (gzip.compress(LIEGE.encode())[:-9], "cut off"),
        (gzip.compress(LIEGE.encode())[:5], "cut off"),
        (b"\x1f\x8b", "cut off"),
        (b"\x1f\x8b\x08\x00nothing that inflates", "damaged"),
        (gzip.compress(LIEGE.encode()) + b"more", "damaged"),
        (b"[\n" + b'{"plate": "1ABC123"}]', "one object a line"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "no column with plates in line 1"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(raw: bytes, says: str) -> None:
    with pytest.raises(FileError, match=says):
        parse(raw)


def test_bytes_of_chance_are_no_list() -> None:
    with pytest.raises(FileError):
        parse(random.Random(1).randbytes(300_000))


def test_gzip_in_several_members_is_one_file() -> None:
    assert plates(gzip.compress(b"plate\n1ABC123\n") + gzip.compress(b"2DEF456\n")) == ["1ABC123", "2DEF456"]


# --- bounds ------------------------------------------------------------------------------------------------


def test_a_bomb_is_refused_before_it_is_large() -> None:
    bomb = gzip.compress(b"plate\n" + b"1ABC123\n" * 1_000_000)
    assert len(bomb) < 50_000
    with pytest.raises(FileError, match="more than 50 times"):
        parse(bomb, limits=Limits(ratio=50, free_bytes=100_000))
    with pytest.raises(FileError, match="more than 100000 bytes"):
        parse(bomb, limits=Limits(file_bytes=100_000))
    assert parse(bomb).accepted == 1_000_000


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(FileError, match=r"14 bytes, more than 13"):
        parse("plate\n1ABC123\n", limits=Limits(file_bytes=13))
    assert parse("plate\n1ABC123\n", limits=Limits(file_bytes=14)).accepted == 1


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("length", [1001, 500_000])
def test_a_line_that_is_too_long_costs_itself(end: str, length: int) -> None:
    rows = ["plate,reason", "1AAA111,ok", "2BBB222," + "x" * (length - 8), "3CCC333," + "y" * 900, "4DDD444,ok"]
    parsed = parse(end.join(rows), limits=Limits(line_characters=1000))
    assert [entry.plate for entry in parsed.entries] == ["1AAA111", "3CCC333", "4DDD444"]
    assert [(note.row, note.value) for note in parsed.errors] == [(3, rows[2][:80])]
    assert "more than 1000 characters" in parsed.errors[0].reason


def test_of_a_line_without_end_no_more_than_a_block_is_held() -> None:
    stream = iter(["plate\n1AAA111\n", *["x" * 100_000] * 2000, "\n2BBB222\n"])
    blocks = list(files.lines(stream, 1000, only_newline=False))
    assert max(len(line) for block in blocks for line in block.lines) < 1000
    assert [note.row for block in blocks for note in block.refused] == [3]
    assert [line for block in blocks for line in block.lines] == ["plate\n", "1AAA111\n", "", "2BBB222\n"]


def test_an_over_long_header_is_a_file_error() -> None:
    with pytest.raises(FileError, match="no column with plates in line 2"):
        parse(f"plate,{'x' * 5000}\nFiat,rood\n", limits=Limits(line_characters=1000))


@pytest.mark.parametrize("only_newline", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_lines_are_cut_wherever_the_blocks_end(only_newline: bool, size: int) -> None:
    text = "a\r\nb\rc\n\r\n\r\rd\u2028e\x85f\r\n\n\rg\r"
    cut = [text[at : at + size] for at in range(0, len(text), size)]
    blocks = list(files.lines(iter(cut), 1000, only_newline=only_newline))
    lines = [line for block in blocks for line in block.lines]
    assert lines == io.StringIO(text, newline="\n" if only_newline else "").readlines()
    assert [block.first for block in blocks] == [
        1 + sum(len(each.lines) for each in blocks[:at]) for at in range(len(blocks))
    ]
    assert [block.final for block in blocks] == [False] * (len(blocks) - 1) + [True]


def test_a_file_is_left_open_for_whoever_opened_it() -> None:
    file = io.BytesIO(b"")
    with pytest.raises(FileError):
        parse_file(file, "gestolen")
    assert not file.closed
