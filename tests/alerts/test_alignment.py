"""Two plates under one another, against an oracle that tries everything."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pipeline.alerts.alignment import GAP, align, misread_pairs

plates = some.text("AB1", max_size=7)


@cache
def distance(one: str, other: str) -> int:
    """The edit distance by its definition, slow on purpose."""
    if not one or not other:
        return len(one) + len(other)
    return min(
        distance(one[1:], other[1:]) + (one[0] != other[0]),
        distance(one[1:], other) + 1,
        distance(one, other[1:]) + 1,
    )


@given(plates, plates)
def test_nothing_is_lost_and_no_edit_is_one_too_many(read: str, listed: str) -> None:
    columns = align(read, listed)
    assert "".join(seen for seen, _ in columns) == read
    assert "".join(true for _, true in columns) == listed
    assert (GAP, GAP) not in columns
    assert len(misread_pairs(read, listed)) == distance(read, listed)


@pytest.mark.parametrize(
    ("read", "listed", "pairs"),
    [
        ("1ABC128", "1ABC123", [("8", "3")]),
        ("1ABC12", "1ABC123", [(GAP, "3")]),
        ("ABC123", "1ABC123", [(GAP, "1")]),
        ("1ABBC123", "1ABC123", [("B", GAP)]),
        ("XY", "YX", [("X", "Y"), ("Y", "X")]),
        ("1ABC123", "1ABC123", []),
    ],
)
def test_what_differs_stands_under_one_another(read: str, listed: str, pairs: list[tuple[str, str]]) -> None:
    assert misread_pairs(read, listed) == pairs
