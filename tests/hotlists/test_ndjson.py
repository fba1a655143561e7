"""NDJSON: the same columns as CSV, one object a line, and lines that are none."""

from __future__ import annotations

import pytest

from hotlists.entry import Priority
from hotlists.parse import Limits
from hotlists.parsed import Detected
from tests.hotlists.reading import at_ns, parse


def test_ndjson_has_the_same_columns() -> None:
    parsed = parse(
        '\ufeff{"plate": "1-ABC-123", "country": "be", "priority": "high", "valid_until": "2026-03-14"}\r\n'
        '\n{"Nummerplaat": 123456, "reden": null, "merk": "Fiat", "geldig tot": 20260314}\n'
    )
    assert [entry.plate for entry in parsed.entries] == ["1ABC123", "123456"]
    assert parsed.entries[0].priority is Priority.HIGH
    assert [entry.valid_until_ns for entry in parsed.entries] == [at_ns("2026-03-15T00:00+01:00")] * 2
    assert parsed.ignored_columns == ["merk"]
    assert parsed.detected == Detected(
        format="ndjson",
        encoding="utf-8",
        headers={
            "plate": "plate",
            "country": "country",
            "priority": "priority",
            "valid_until": "valid_until",
            "Nummerplaat": "plate",
            "reden": "reason",
            "geldig tot": "valid_until",
        },
    )


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
        ('{"plate": "1AB\\u0000C123"}', "plate", "NUL"),
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
    assert not parsed.cut_off


@pytest.mark.parametrize(("end", "cut_off"), [('{"plate": "2BB', True), ('{"plate": "!"}', False), ("", False)])
def test_a_file_that_ends_within_an_object_was_cut_off(end: str, cut_off: bool) -> None:
    parsed = parse(f'{{"plate": "1AAA111"}}\n{end}')
    assert [entry.plate for entry in parsed.entries] == ["1AAA111"]
    assert parsed.cut_off is cut_off


def test_a_line_that_is_too_long_costs_itself() -> None:
    long = f'{{"plate": "2BBB222", "reason": "{"x" * 300_000}"}}'
    parsed = parse(
        f'{{"plate": "1AAA111"}}\n{long}\n{{"plate": "3CCC333"}}\n', limits=Limits(line_characters=1000)
    )
    assert [entry.plate for entry in parsed.entries] == ["1AAA111", "3CCC333"]
    assert [note.row for note in parsed.errors] == [2]
