"""Reads, and what is made of a vendor's candidates, regions, boxes and pictures."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.feeds.reads import (
    box_of,
    candidates_of,
    characters_of,
    country_of,
    make_read,
    patch_of,
)
from pipeline.model import MAX_PATCH_BYTES, Box
from tests.factories import JPEG

plates = st.text("ABC012", min_size=1, max_size=8)


@settings(deadline=None)
@given(text=plates, confidence=st.floats(0, 1), others=st.lists(st.tuples(plates, st.floats(0, 1)), max_size=12))
def test_characters_are_probabilities_of_this_text(
    text: str, confidence: float, others: list[tuple[str, float]]
) -> None:
    slots = characters_of(text, confidence, others)
    if slots is None:
        return
    assert len(slots) == len(text)
    for slot, character in zip(slots, text, strict=True):
        assert all(0 <= probability <= 1 for probability in slot.values())
        assert sum(slot.values()) <= 1
        assert slot[character] > 0
    # The text is never less likely than another of the vendor's.
    mine = prod(slot[character] for slot, character in zip(slots, text, strict=True))
    assert mine > 0


def test_a_text_is_about_as_likely_as_its_confidence() -> None:
    """Ten candidates of nearly equal scores, which add up to far more than one, do not dilute it."""
    others = [("1ABC23" + last, 0.88) for last in "4567890XYZ"]
    slots = characters_of("1ABC234", 0.9, [("1ABC234", 0.9), *others])
    assert slots is not None
    assert prod(slot[c] for slot, c in zip(slots, "1ABC234", strict=True)) == pytest.approx(0.9 * 0.95, abs=0.01)


def test_the_text_that_was_read_counts_even_where_it_is_not_the_first_candidate() -> None:
    slots = characters_of("1ABC234", 0.8, [("1A8C234", 0.9), ("1ABC234", 0.8)])
    assert slots is not None
    assert slots[2]["B"] == pytest.approx(0.8, abs=0.01)


def test_ranked_first_is_never_less_than_an_equal_share() -> None:
    slots = characters_of("AB", 0.0, [("AC", 0.4), ("AD", 0.3)])
    assert slots is not None
    assert slots[1]["B"] == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize(
    ("text", "confidence", "candidates"),
    [
        ("1ABC234", 0.9, []),
        ("1ABC234", 0.9, [("1abc234", 0.9)]),
        ("1ABC234", 0.9, [("1ABC23", 0.9), ("1ABC2345", 0.9)]),
        ("1ABC234", 0.9, [("1ABC235", 0.0)]),
        ("1ABC234", None, [("1ABC235", 0.9)]),
        ("---", 0.9, [("...", 0.9)]),
    ],
)
def test_nothing_is_said_where_the_vendor_says_nothing(
    text: str, confidence: float | None, candidates: list[tuple[str, float | None]]
) -> None:
    assert characters_of(text, confidence, candidates) is None


def test_candidates_that_are_odd_are_passed_over() -> None:
    value = [
        {"plate": "A", "score": 50},
        {"plate": "B", "score": 101},
        {"plate": "C"},
        {"plate": "A?"},
        {"plate": 4},
        7,
        {},
    ]
    assert candidates_of(value, "score", 100.0) == [("A", 0.5), ("B", None), ("C", None)]
    assert candidates_of([{"plate": "A", "score": float("nan")}], "score") == [("A", None)]
    assert len(candidates_of([{"plate": "A"}] * 10_000, "score")) == 20
    assert candidates_of({"plate": "A"}, "score") == []


@pytest.mark.parametrize(
    ("code", "sure", "country"),
    [
        ("be", None, "BE"),
        ("BE", 0.8, "BE"),
        ("be", 0.79, ""),
        ("be", float("nan"), ""),
        ("be", "sure", ""),
        ("be", True, ""),
        ("us-ca", 1, "US"),
        ("eu-be", 0.9, "BE"),
        ("eu", None, ""),
        ("eu-be-vlg", None, ""),
        ("bel", None, ""),
        ("b1", None, ""),
        ("", None, ""),
        ("unknown", None, ""),
        ("ßa", None, ""),
        (32, None, ""),
        (None, None, ""),
    ],
)
def test_country(code: Any, sure: Any, country: str) -> None:
    assert country_of(code, sure) == country


def test_boxes() -> None:
    assert box_of(1, 2, 4, 8) == Box(x=1, y=2, w=3, h=6)
    for corners in [(4, 2, 1, 8), (1, 2, 1, 8), (-1, 2, 4, 8), (1, 2, 4, 65_536), (1.0, 2, 4, 8), (True, 2, 4, 8)]:
        assert box_of(*corners) is None


def test_patches_are_small_jpegs() -> None:
    assert patch_of(JPEG) == JPEG
    assert patch_of(JPEG + bytes(MAX_PATCH_BYTES - len(JPEG))) is not None
    assert patch_of(JPEG + bytes(MAX_PATCH_BYTES - len(JPEG) + 1)) is None
    assert patch_of(b"GIF89a") is None
    assert patch_of(b"") is None
    assert patch_of(None) is None


def test_a_read_is_its_content() -> None:
    first = make_read("csv", "cam-1", 5, "1-abc-234", confidence=0.5)
    assert first.read_id == make_read("csv", "cam-1", 5, "1ABC234").read_id
    others = [
        make_read("rekor", "cam-1", 5, "1ABC234"),
        make_read("csv", "cam-2", 5, "1ABC234"),
        make_read("csv", "cam-1", 6, "1ABC234"),
        make_read("csv", "cam-1", 5, "1ABC235"),
    ]
    assert len({first.read_id, *(read.read_id for read in others)}) == 5
    assert others[3].capture_id == first.capture_id
