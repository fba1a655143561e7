"""Plates that fit a part of one: as a regular expression says it, and without edges where a column is cut."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotlists import fitting as module
from hotlists.fitting import fitting
from plates import alphabet

PLATES = st.text("AB12", min_size=1, max_size=10)
PATTERNS = st.text("AB1?*", min_size=1, max_size=10)


def keys(plates: list[str]) -> np.ndarray:
    return alphabet.pack(alphabet.encode(plates))


@given(st.lists(PLATES, max_size=20), PATTERNS)
def test_it_is_what_a_regular_expression_says(plates: list[str], pattern: str) -> None:
    wanted = re.compile("".join({"?": ".", "*": ".*"}.get(each, each) for each in pattern))
    expected = [row for row, plate in enumerate(plates) if wanted.fullmatch(plate)]
    assert fitting(keys(plates), pattern).tolist() == expected


def test_a_pattern_that_is_listed_is_found_by_itself_and_is_no_plate() -> None:
    listed = ["1ABC???", "1ABC*", "1ABC123", "2ABC123"]
    assert fitting(keys(listed), "1ABC???").tolist() == [0, 2]
    assert fitting(keys(listed), "1ABC12?").tolist() == [2]


def test_what_is_looked_at_together_has_no_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    plates = [f"1ABC10{number}" for number in range(10)]
    assert fitting(keys(plates), "1ABC*").tolist() == list(range(10))
    assert fitting(keys([]), "1ABC*").tolist() == []
