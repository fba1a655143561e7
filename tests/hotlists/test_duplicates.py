"""A vehicle that comes more than once in a file: which row holds, and that nobody is surprised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotlists.entry import Handling
from hotlists.parse import ParsedFile, Use
from tests.hotlists.reading import parse, plates_removed


def reasons(parsed: ParsedFile) -> list[tuple[str, str]]:
    return [(entry.plate, entry.reason) for entry in parsed.entries]


def test_of_the_same_plate_and_country_the_last_row_holds() -> None:
    parsed = parse(
        "plate,country,reason\n1ABC123,BE,a\n1-abc-123,be,b\n1ABC123,,c\n1ABC123,NL,d\n2DEF456,BE,e\n1ABC123,BE,f\n"
    )
    assert reasons(parsed) == [("1ABC123", "c"), ("1ABC123", "d"), ("2DEF456", "e"), ("1ABC123", "f")]
    assert (parsed.accepted, parsed.rejected, parsed.duplicates) == (6, 0, 2)
    told = [(note.row, note.value, note.reason) for note in parsed.warnings if "same plate" in note.reason]
    reason = "the same plate, country and validity as row 7, which comes later and holds"
    assert told == [(2, "1ABC123", reason), (3, "1ABC123", reason)]


def test_rows_of_other_days_all_hold() -> None:
    days = ["2026-03-14", "2026-03-21", "2026-03-14"]
    parsed = parse(
        "plate,valid_from,valid_until,reason\n"
        + "".join(f"1ABC123,{day},{day},{n}\n" for n, day in enumerate(days))
    )
    assert reasons(parsed) == [("1ABC123", "1"), ("1ABC123", "2")]
    assert parsed.duplicates == 1


@pytest.mark.parametrize("order", [("covert", "open"), ("open", "covert"), ("covert", "")])
def test_covert_is_never_loosened(order: tuple[str, str]) -> None:
    parsed = parse("plate,handling,reason\n" + "".join(f"1ABC123,{each},{each}\n" for each in order))
    assert reasons(parsed) == [("1ABC123", order[1])]
    assert parsed.entries[0].handling is Handling.COVERT
    assert parsed.duplicates == 1
    assert any("as covert, so this one is covert too" in note.reason for note in parsed.warnings)


def test_covert_holds_for_every_validity_of_the_plate() -> None:
    parsed = parse("plate,handling,valid_until\n1ABC123,,2026-03-14\n1ABC123,covert,2026-03-21\n2DEF456,,\n")
    assert [entry.handling for entry in parsed.entries] == [Handling.COVERT, Handling.COVERT, None]
    assert parsed.duplicates == 0
    assert [(note.row, note.value) for note in parsed.warnings] == [(2, "1ABC123")]


def test_the_last_of_adding_and_removing_holds() -> None:
    rows = [
        "1ABC123,add,covert,a",
        "1ABC123,remove,,",
        "2DEF456,remove,,",
        "2DEF456,add,,b",
        "3GHI789,remove,,",
        "3GHI789,remove,,",
    ]
    parsed = parse("plate,action,handling,reason\n" + "\n".join(rows), use=Use.DELTA)
    assert reasons(parsed) == [("2DEF456", "b")]
    assert plates_removed(parsed) == ["1ABC123", "2DEF456", "3GHI789"]
    assert [(note.row, note.reason) for note in parsed.warnings] == [
        (2, "row 3 removes the same plate and country; it comes later and holds"),
        (6, "row 7 removes the same plate and country; it comes later and holds"),
    ]
    assert parsed.duplicates == 2


def test_what_was_covert_before_its_removal_tightens_nothing() -> None:
    rows = "1ABC123,add,covert\n1ABC123,remove,\n1ABC123,add,open\n"
    parsed = parse(f"plate,action,handling\n{rows}", use=Use.DELTA)
    assert [entry.handling for entry in parsed.entries] == [None]
    assert plates_removed(parsed) == ["1ABC123"]


def test_of_very_many_duplicates_the_first_are_told_and_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotlists.duplicates.MAX_TOLD", 3)
    parsed = parse("plate\n" + "".join(f"{number % 5000:04}\n" for number in range(10_000)))
    assert (len(parsed.columns), parsed.duplicates) == (5000, 5000)
    assert [note.row for note in parsed.warnings] == [2, 3, 4]


ROW = st.tuples(
    st.sampled_from(["1ABC123", "2DEF456"]),
    st.sampled_from(["BE", ""]),
    st.sampled_from(["add", "remove"]),
    st.sampled_from(["covert", "open"]),
    st.sampled_from(["", "2026-03-14"]),
)


@given(st.lists(ROW, max_size=12))
def test_the_rows_that_hold_are_those_of_the_three_rules(rows: list[tuple[str, str, str, str, str]]) -> None:
    lines = [f"{','.join(row)},{number}" for number, row in enumerate(rows)]
    parsed = parse("plate,country,action,handling,valid_until,reason\n" + "\n".join(lines), use=Use.DELTA)
    held: dict[tuple[str, str], dict[str, tuple[int, str]]] = {}
    removed: set[tuple[str, str]] = set()
    for number, (plate, country, action, handling, day) in enumerate(rows):
        vehicle = (plate, country)
        if action == "remove":
            held.pop(vehicle, None)
            removed.add(vehicle)
            continue
        validities = held.setdefault(vehicle, {})
        earlier = [each for _, each in validities.values()]
        strict = "covert" if "covert" in [*earlier, handling] else "open"
        validities[day] = (number, strict)
        held[vehicle] = {each: (kept, strict) for each, (kept, _) in validities.items()}
    expected = sorted((number, strict == "covert") for each in held.values() for number, strict in each.values())
    assert [(int(each.reason), each.handling is Handling.COVERT) for each in parsed.entries] == expected
    assert sorted(plates_removed(parsed)) == sorted(plate for plate, _ in removed)
    assert parsed.duplicates == len(rows) - len(parsed.columns) - len(parsed.removals)
