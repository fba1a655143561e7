"""Reads to columns: each value in its place, and what a source says beyond sense taken as not said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hotlists.columns import pack_country
from pipeline.match.worker import to_batch
from plates import alphabet
from tests.factories import make_read


def probabilities(plate: str, *characters: list[dict[str, float]] | None) -> Any:
    """Lay out reads of `plate`, one for each list of characters."""
    return to_batch([make_read(plate, characters=each) for each in characters]).probabilities


def code(character: str) -> int:
    return int(alphabet.encode([character])[0, 0])


def test_reads_become_columns() -> None:
    reads = [
        make_read("1ABC123", captured_at_ns=5, country="BE", confidence=0.5),
        make_read("AB", captured_at_ns=2**63 - 1, country="nl", confidence=None),
    ]
    batch = to_batch(reads)
    assert alphabet.decode(batch.codes) == ["1ABC123", "AB"]
    assert batch.keys.tolist() == alphabet.pack(batch.codes).tolist()
    assert batch.captured_at_ns.tolist() == [5, 2**63 - 1]
    assert batch.country.tolist() == [pack_country("BE"), pack_country("NL")]
    assert batch.confidence[0] == 0.5
    assert np.isnan(batch.confidence[1])
    assert batch.probabilities is None
    assert [column.dtype for column in (batch.codes, batch.country, batch.confidence)] == [
        np.uint8,
        np.uint16,
        np.float32,
    ]


def test_no_reads_are_columns_of_none() -> None:
    batch = to_batch([])
    assert (len(batch), batch.codes.shape, batch.probabilities) == (0, (0, alphabet.SLOTS), None)


@pytest.mark.parametrize("country", ["", "é", "ß", "BEL", "B", "12", "XX", "\u0130E", "be ", "x" * 1000])
def test_a_country_that_is_none_is_not_said(country: str) -> None:
    assert to_batch([make_read(country=country)]).country.tolist() == [0]


@pytest.mark.parametrize("confidence", [5.0, 1.0000001, -0.1, 1e300, float("inf"), float("nan"), None])
def test_a_confidence_that_is_none_is_not_said(confidence: float | None) -> None:
    assert np.isnan(to_batch([make_read(confidence=confidence)]).confidence).all()


@pytest.mark.parametrize("confidence", [0.0, 0.25, 1.0])
def test_a_confidence_is_kept(confidence: float) -> None:
    assert to_batch([make_read(confidence=confidence)]).confidence.tolist() == [confidence]


def test_probabilities_stand_in_their_slots() -> None:
    found = probabilities("AB1", None, [{"A": 0.9, "4": 0.1}, {"B": 0.5, "8": 0.25}, {"1": 1.0}], None)
    assert (found.shape, found.dtype) == ((3, alphabet.SLOTS, 37), np.float32)
    assert not found[0].any()
    assert not found[2].any()
    expected = np.zeros((alphabet.SLOTS, 37), np.float32)
    expected[0, [code("A"), code("4")]] = 0.9, 0.1
    expected[1, [code("B"), code("8")]] = 0.5, 0.25
    expected[2, code("1")] = 1.0
    # Beyond the text there is no character, surely.
    expected[3:, alphabet.PAD] = 1.0
    assert np.array_equal(found[1], expected)


def test_the_empty_text_is_no_character_and_small_letters_are_capitals() -> None:
    found = probabilities("AB", [{"a": 0.7, "A": 0.2}, {"b": 0.6, "": 0.4}, {"": 0.8, "1": 0.2}])
    assert found[0, 0, code("A")] == np.float32(0.7)
    assert found[0, 1, [code("B"), alphabet.PAD]].tolist() == np.float32([0.6, 0.4]).tolist()
    assert found[0, 2, [alphabet.PAD, code("1")]].tolist() == np.float32([0.8, 0.2]).tolist()


def test_what_is_no_character_or_no_probability_is_left_out() -> None:
    slot = {"A": 5.0, "AB": 0.9, "é": 0.9, "?": 0.9, "_": 0.9, "B": -1.0, "C": float("nan"), "D": 1e308}
    found = probabilities("AA", [slot, {"A": 0.5}])
    assert np.flatnonzero(found[0, 0]).tolist() == [code("A"), code("D")]
    assert found[0, 0].max() == 1.0
    assert np.isfinite(found).all()


def test_slots_beyond_ten_are_left_out() -> None:
    found = probabilities("ABCDEFGHIJ", [{character: 0.5} for character in "ABCDEFGHIJKLM"])
    assert found[0, 9, code("J")] == 0.5
    assert found.sum() == 5.0


@pytest.mark.parametrize(
    "characters",
    [
        [],
        [{}],
        [{}, {}, {}],
        [{"A": 0.9}],
        [{"A": 0.9}, {"X": 0.9}],
        [{"A": 0.9}, {"é": 0.9}],
        [{"A": 0.9}, {"B": 0.0}],
        [{"A": 0.9}, {"B": 0.9}, {"C": 0.9}],
    ],
)
def test_characters_that_deny_their_own_text_count_as_none(characters: list[dict[str, float]]) -> None:
    found = probabilities("AB", characters, [{"A": 0.9}, {"B": 0.9}])
    assert not found[0].any()
    assert found[1].any()
