"""Files as ops staff bring them: what is taken, what is refused and why, and that nothing good is lost."""

from __future__ import annotations

import csv
import io
from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotlists import parse as parsing
from hotlists.entry import Handling, HotlistEntry, Priority
from hotlists.parse import FileError, Parsed
from plates import alphabet


def parse(file: str | bytes, name: str = "gestolen") -> Parsed:
    return parsing.parse(file.encode() if isinstance(file, str) else file, name)


def plates(file: str | bytes) -> list[str]:
    parsed = parse(file)
    assert not parsed.errors
    return [entry.plate for entry in parsed.entries]


def at_ns(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp()) * 10**9


# --- columns, delimiters, encodings ------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_column_is_read_with_each_delimiter_and_line_end(delimiter: str, end: str) -> None:
    rows = (
        "plate|country|list|reason|priority|handling|valid_from|valid_until",
        "1-abc-123|be|gestolen|Diefstal|High|COVERT|2026-03-14T21:00+01:00|2026-03-15T00:00Z",
    )
    parsed = parse(end.join(rows).replace("|", delimiter))
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
    assert (entry.plate, entry.country, entry.reason) == ("1ABC123", "BE", "Diefstal")
    assert (entry.priority, entry.handling) == (Priority.LOW, Handling.OPEN)
    assert entry.valid_from_ns is not None
    assert entry.valid_until_ns is not None
    assert parsed.ignored_columns == []


def test_a_decomposed_accent_in_a_header_is_the_same_accent() -> None:
    assert parse("plaque,priorite\u0301\n1ABC123,high\n").entries[0].priority is Priority.HIGH


@pytest.mark.parametrize(
    "raw",
    [
        "plate,reason\n1ABC123,gezocht in Liège\n".encode(),
        b"\xef\xbb\xbf" + "plate,reason\n1ABC123,gezocht in Liège\n".encode(),
        "plate,reason\n1ABC123,gezocht in Liège\n".encode("cp1252"),
    ],
)
def test_encodings_are_told_apart(raw: bytes) -> None:
    assert parse(raw).entries[0].reason == "gezocht in Liège"


def test_one_broken_byte_leaves_the_rest_of_a_utf8_file_alone() -> None:
    raw = "plate,reason\n1ABC123,Liège é\n2DEF456,kapot: ".encode() + b"\xe9\nM-\xc3 1\n" + "ÖAB 123,\n".encode()
    parsed = parse(raw)
    assert [entry.plate for entry in parsed.entries] == ["1ABC123", "2DEF456", "OAB123"]
    assert parsed.entries[0].reason == "Liège é"
    assert (parsed.errors[0].row, parsed.errors[0].column) == (4, "plate")
    assert "UTF-8" in parsed.errors[0].reason


def test_columns_that_mean_nothing_here_are_named() -> None:
    parsed = parse("merk,plate,geldig tot en met\nFiat,1ABC123,2026-03-14\n")
    assert parsed.ignored_columns == ["merk", "geldig tot en met"]
    assert parsed.entries[0].valid_until_ns is None


def test_missing_cells_at_the_end_are_empty() -> None:
    assert plates("country,plate,reason\nBE,1ABC123\n") == ["1ABC123"]


def test_empty_cells_beyond_the_header_are_nothing() -> None:
    assert plates("plate,country\n1ABC123,BE,,,\n") == ["1ABC123"]


def test_blank_lines_are_no_rows_but_count_as_lines() -> None:
    parsed = parse("\n\nplate\n\n1ABC123\n ,\n\n!\n")
    assert [entry.plate for entry in parsed.entries] == ["1ABC123"]
    assert [error.row for error in parsed.errors] == [8]


# --- what is a file ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "empty"),
        (b" \r\n\t\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"plate\n1ABC\x00123\n", "binary"),
        (b"PK\x03\x04\x14\x00", "binary"),
        ("plate\n1ABC123\n".encode("utf-16"), "binary"),
        (b"1ABC123\n2DEF456\n", "no column with plates in line 1"),
        (b"merk,kleur\nFiat,rood\n", "nummerplaat"),
        (b"plate,nummerplaat\n1ABC123,2DEF456\n", "'plate', 'nummerplaat' all mean plate"),
        (b'"' + b"x" * 200_000, "line 1 is no CSV"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(raw: bytes, says: str) -> None:
    with pytest.raises(FileError, match=says):
        parse(raw)


def test_more_rows_than_fit_are_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MAX_ROWS", 2)
    assert len(parse("plate\n1ABC123\n2DEF456\n").entries) == 2
    with pytest.raises(FileError, match="more than 2 rows"):
        parse("plate\n1ABC123\n2DEF456\n\n3GHI789\n")


def test_a_header_alone_is_a_file_without_rows() -> None:
    assert parse("plate,country\n") == Parsed()


# --- row errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "column", "value", "says"),
    [
        ("---,,,,,,,", "plate", "---", "no letter or digit"),
        (",BE,,,,,,", "plate", "", "no letter or digit"),
        ("?*?,,,,,,,", "plate", "?*?", "no letter or digit"),
        ("1ABC1234567,,,,,,,", "plate", "1ABC1234567", "more than 10 characters"),
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
        ("1ABC123,BE,,,,,14/03/2026,", "valid_from", "14/03/2026", "not a date or time like 2026-03-14"),
        ("1ABC123,BE,,,,,,2026-02-30", "valid_until", "2026-02-30", "not a date"),
        ("1ABC123,BE,,,,,2026-03-14T21:00,", "valid_from", "2026-03-14T21:00", "no offset"),
        ("1ABC123,BE,,,,,,9999-12-31", "valid_until", "9999-12-31", "1678 to 2262"),
        ("1ABC123,BE,,,,,0001-01-01,", "valid_from", "0001-01-01", "1678 to 2262"),
        ("1ABC123,BE,,,,,2026-03-15,2026-03-14", "valid_until", "2026-03-14", "never be valid"),
        ("1ABC123,BE,,a,,,,,b", "", "1ABC123,BE,,a,,,,,b", "9 cells for 8 columns"),
        ('1ABC123,BE,,"a"b,,,,', "", '1ABC123,BE,,"a"b,,,,', "quote"),
    ],
)
def test_a_bad_row_is_told_with_place_and_reason_and_costs_nothing_else(
    row: str, column: str, value: str, says: str
) -> None:
    header = "plate,country,list,reason,priority,handling,valid_from,valid_until"
    parsed = parse(f"{header}\n1AAA111,BE,,,,,,\n{row}\n2BBB222,BE,,,,,,\n")
    assert [entry.plate for entry in parsed.entries] == ["1AAA111", "2BBB222"]
    assert parsed.rejected == 1
    (error,) = parsed.errors
    assert (error.row, error.column, error.value) == (3, column, value)
    assert says in error.reason


def test_of_very_many_row_errors_the_first_are_told_and_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MAX_ERRORS", 2)
    parsed = parse("plate\n!\n?\n-\n1ABC123\n")
    assert parsed.rejected == 3
    assert [error.row for error in parsed.errors] == [2, 3]
    assert len(parsed.entries) == 1


def test_rows_of_the_list_itself_are_taken_whatever_their_case() -> None:
    assert plates("list,plate\nGestolen,1ABC123\n,2DEF456\n") == ["1ABC123", "2DEF456"]


# --- quotes ------------------------------------------------------------------------------------------------


def test_a_quoted_cell_may_hold_the_delimiter_quotes_and_line_ends() -> None:
    parsed = parse('plate,reason,country\n1ABC123,"rood, ""cabrio""\r\nvluchtte",BE\n2DEF456,,BE\n!,,\n')
    assert [entry.reason for entry in parsed.entries] == ['rood, "cabrio"\r\nvluchtte', ""]
    assert [error.row for error in parsed.errors] == [5]


@pytest.mark.parametrize("behind", [0, 3, 50_000])
def test_a_quote_that_is_never_closed_swallows_no_rows(behind: int) -> None:
    rows = "".join(f"1ABC{number % 1000:03},BE,ok\n" for number in range(behind))
    parsed = parse(f'plate,country,reason\n1AAA111,BE,"nooit gesloten\n{rows}')
    assert len(parsed.entries) == behind
    assert [(error.row, error.column) for error in parsed.errors] == [(2, "")]
    assert "quote" in parsed.errors[0].reason


def test_a_quote_that_closes_in_a_later_row_swallows_no_rows() -> None:
    parsed = parse('plate,country,reason\n1AAA111,BE,"open\n2BBB222,BE,ok\n3CCC333,BE,dicht"\n4DDD444,BE,ok\n')
    assert [entry.plate for entry in parsed.entries] == ["2BBB222", "3CCC333", "4DDD444"]
    assert [error.row for error in parsed.errors] == [2]


def test_a_cell_larger_than_csv_allows_is_one_bad_row() -> None:
    parsed = parse(f"plate,reason\n1AAA111,{'x' * 200_000}\n2BBB222,ok\n")
    assert [entry.plate for entry in parsed.entries] == ["2BBB222"]
    assert [error.row for error in parsed.errors] == [2]


# --- plates and texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "plate"),
    [
        ("1-ABC-123", "1ABC123"),
        (" 1 abc.123 ", "1ABC123"),
        ("ÖS·AB 12", "OSAB12"),
        ("１ＡＢＣ１２３", "1ABC123"),
        ("1?b?-12*", "1?B?12*"),
        ("'1ABC123", "1ABC123"),
        ("=1+1", "11"),
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
    assert parse(f"plate,reason\n1ABC123,{'x' * 5000}\n").entries[0].reason == "x" * parsing.MAX_REASON


@pytest.mark.parametrize(("cell", "code"), [("be", "BE"), ("UK", "GB"), ("EL", "GR"), ("XK", "XK"), ("", "")])
def test_a_country_is_its_iso_code(cell: str, code: str) -> None:
    assert parse(f"plate,country\n1ABC123,{cell}\n").entries[0].country == code


# --- moments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "begins", "ends"),
    [
        ("2026-01-15", "2026-01-15T00:00+01:00", "2026-01-16T00:00+01:00"),
        ("2026-07-15", "2026-07-15T00:00+02:00", "2026-07-16T00:00+02:00"),
        ("20260715", "2026-07-15T00:00+02:00", "2026-07-16T00:00+02:00"),
        # The day on which summer time begins has 23 hours, that on which it ends 25.
        ("2026-03-29", "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00"),
        ("2026-10-25", "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00"),
        ("2026-03-14T21:00+01:00", "2026-03-14T20:00+00:00", "2026-03-14T20:00+00:00"),
        ("2026-03-14T21:00:00Z", "2026-03-14T21:00+00:00", "2026-03-14T21:00+00:00"),
        ("2026-03-14 21:00-05:00", "2026-03-15T02:00+00:00", "2026-03-15T02:00+00:00"),
    ],
)
def test_a_bare_date_is_a_day_in_brussels_and_a_time_is_what_it_says(cell: str, begins: str, ends: str) -> None:
    begin = parse(f"plate,valid_from\n1ABC123,{cell}\n").entries[0]
    end = parse(f"plate,valid_until\n1ABC123,{cell}\n").entries[0]
    assert begin.valid_from_ns == at_ns(begins)
    assert end.valid_until_ns == at_ns(ends)


def test_moments_are_exact_before_1970_too() -> None:
    entry = parse("plate,valid_from\n1ABC123,1969-12-31T23:59:59.5Z\n").entries[0]
    assert entry.valid_from_ns == -500_000_000


# --- NDJSON ------------------------------------------------------------------------------------------------


def test_ndjson_has_the_same_columns() -> None:
    parsed = parse(
        '\ufeff{"plate": "1-ABC-123", "country": "be", "priority": "high", "valid_until": "2026-03-14"}\r\n'
        '\n{"Nummerplaat": 123456, "reden": null, "merk": "Fiat"}\n'
    )
    assert [entry.plate for entry in parsed.entries] == ["1ABC123", "123456"]
    assert parsed.entries[0].priority is Priority.HIGH
    assert parsed.entries[0].valid_until_ns == at_ns("2026-03-15T00:00+01:00")
    assert parsed.ignored_columns == ["merk"]


def test_a_line_separator_within_a_json_text_ends_no_row() -> None:
    assert parse('{"plate": "1ABC123", "reason": "a\u2028b\x85c"}').entries[0].reason == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("line", "column", "says"),
    [
        ("{", "", "no JSON"),
        ("[1]", "", "no object"),
        ("null", "", "no object"),
        ('"1ABC123"', "", "no object"),
        ("[" * 100_000, "", "no JSON"),
        ('{"plate": "\\ud800"}', "", "no JSON"),
        ("{}", "plate", "no letter or digit"),
        ('{"": "1ABC123"}', "plate", "no letter or digit"),
        ('{"plate": true}', "plate", "neither a text"),
        ('{"plate": ["1ABC123"]}', "plate", "neither a text"),
        ('{"plate": 1.5}', "plate", "neither a text"),
        ('{"plate": "1ABC123", "vrm": "2DEF456"}', "plate", "two fields mean plate"),
        ('{"plate": "1ABC123", "handling": 1}', "handling", "not one of"),
        ('{"plate": "1ABC123", "list": "sis"}', "list", "another list"),
    ],
)
def test_a_bad_line_of_ndjson_costs_nothing_else(line: str, column: str, says: str) -> None:
    parsed = parse(f'{{"plate": "1AAA111"}}\n{line}\n{{"plate": "2BBB222"}}\n')
    assert [entry.plate for entry in parsed.entries] == ["1AAA111", "2BBB222"]
    (error,) = parsed.errors
    assert (error.row, error.column) == (2, column)
    assert says in error.reason


# --- whatever comes ----------------------------------------------------------------------------------------


def check(file: str | bytes) -> Parsed | None:
    """Parse, or be refused as a file; either way nothing else is raised, and what is taken is sound."""
    try:
        parsed = parse(file)
    except FileError:
        return None
    assert len(parsed.errors) <= parsed.rejected
    for entry in parsed.entries:
        assert 2 <= len(entry.plate) <= alphabet.SLOTS
        assert set(entry.plate) <= set(alphabet.CHARACTERS + "?*")
        assert entry.country == "" or len(entry.country) == 2
    return parsed


@given(st.binary(max_size=400), st.sampled_from([b"", b"plate,reason\n", b"\xef\xbb\xbfvrm\tland\r\n", b"{"]))
def test_any_bytes_are_a_file_or_a_file_error(raw: bytes, before: bytes) -> None:
    parsed = check(before + raw)
    assert parsed is not None or not before.startswith(b"plate") or b"\0" in raw


@given(st.text(max_size=300), st.sampled_from(["plate,valid_from,country\n", '{"plate":"1ABC123","valid_from":"']))
def test_any_text_is_a_file_or_a_file_error(text: str, before: str) -> None:
    parsed = check((before + text).encode("utf-8", "replace"))
    assert parsed is not None or "\0" in text


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
ROWS = st.lists(
    st.tuples(st.one_of(st.from_regex(r"[1-9][A-Z]{3}[0-9]{3}", fullmatch=True), CELLS), CELLS, CELLS), max_size=20
)


@given(ROWS, st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_accepted_and_rejected_are_all_rows_of_a_csv(
    rows: list[tuple[str, str, str]], delimiter: str, end: str
) -> None:
    # What a spreadsheet writes: every cell quoted where it must be. Line ends within a cell have tests above.
    rows = [(" ".join(a.split()), " ".join(b.split()), " ".join(c.split())) for a, b, c in rows]
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end)
    writer.writerow(["plate", "reason", "country"])
    writer.writerows(rows)
    parsed = check(file.getvalue())
    assert parsed is not None
    assert len(parsed.entries) + parsed.rejected == sum(any(cell.strip() for cell in row) for row in rows)


@given(ROWS)
def test_accepted_and_rejected_are_all_rows_of_ndjson(rows: list[tuple[str, str, str]]) -> None:
    lines = [msgspec.json.encode({"plate": plate, "reason": reason, "country": c}) for plate, reason, c in rows]
    parsed = check(b'{"plate": "1ABC123"}\n' + b"\n".join(lines))
    assert parsed is not None
    assert len(parsed.entries) + parsed.rejected == 1 + len(rows)


@given(st.lists(st.from_regex(r"[1-9][A-Z]{3}[0-9]{3}", fullmatch=True), min_size=1), st.data())
def test_one_bad_row_costs_nothing_that_was_good(good: list[str], data: st.DataObject) -> None:
    where = data.draw(st.integers(0, len(good)))
    bad = data.draw(CELLS.filter(lambda text: not set("\r\n") & set(text)))
    lines = [f"{plate},BE" for plate in good]
    lines.insert(where, f"{bad},{bad}")
    taken = [entry.plate for entry in parse("plate,country\n" + "\n".join(lines)).entries]
    assert taken[:where] == good[:where]
    assert taken[len(taken) - len(good) + where :] == good[where:]
