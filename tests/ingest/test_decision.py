"""What is told as a plate: by how it looks, and by how it is read."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import ReadBatch
from pipeline.ingest import decision
from pipeline.ingest.decision import FEWEST_CHARACTERS, LEAST_CHANCE, LEAST_SCORE, chances
from pipeline.ingest.recognise import Recogniser
from plates import alphabet
from tests.ingest.pictures import DAY, INFRARED, YELLOW, Image, collage, plate_of
from training.localiser.decoys import draw_decoy, draw_lit_decoy

shares = st.floats(0.05, 1.0)


@cache
def recogniser() -> Recogniser:
    return Recogniser()


def read_as(text: str, sure: list[float]) -> ReadBatch:
    """One read in which each character of the text has its probability, and the rest is shared evenly."""
    codes = alphabet.encode([text])
    probabilities = np.zeros((1, alphabet.SLOTS, 37), np.float32)
    for slot, code in enumerate(codes[0]):
        own = sure[slot] if slot < len(text) else 1.0
        probabilities[0, slot] = (1 - own) / 36
        probabilities[0, slot, code] = own
    return ReadBatch.of(codes, np.zeros(1, np.int64), probabilities=probabilities)


@given(st.lists(shares, min_size=7, max_size=7), st.integers(0, 6), st.floats(0.0, 1.0))
def test_a_character_that_is_less_sure_makes_a_plate_less_likely(
    sure: list[float], slot: int, score: float
) -> None:
    doubted = [own / 2 if number == slot else own for number, own in enumerate(sure)]
    scores = np.array([score], np.float32)
    (one,), (other,) = (chances(scores, read_as("1ABC123", each)) for each in (sure, doubted))
    assert 0 <= other <= one <= 1


@given(st.lists(shares, min_size=7, max_size=7))
def test_what_looks_more_like_a_plate_is_likelier_one(sure: list[float]) -> None:
    looks = np.linspace(0, 1, 21, dtype=np.float32)
    chance = [float(chances(looks[row : row + 1], read_as("1ABC123", sure))[0]) for row in range(len(looks))]
    assert chance == sorted(chance)
    assert chance[0] < chance[-1]


def test_neither_looks_nor_text_alone_are_enough() -> None:
    def chance(score: float, sure: float) -> float:
        return float(chances(np.array([score], np.float32), read_as("1ABC123", [sure] * 7))[0])

    assert chance(0.9, 0.98) > 0.9
    assert chance(0.95, 0.3) < LEAST_CHANCE
    assert chance(LEAST_SCORE, 0.5) < LEAST_CHANCE < chance(0.95, 0.7)
    assert LEAST_CHANCE < chance(LEAST_SCORE, 0.98) < chance(0.9, 0.98)


@pytest.mark.parametrize(("text", "usual"), [("JJJJJJ", "JLJLJL"), ("444K44", "454K44"), ("1KKKK23", "1KKK123")])
def test_a_character_that_stands_many_times_in_a_row_is_seldom_a_plates(text: str, usual: str) -> None:
    scores = np.array([0.9], np.float32)
    (one,), (other,) = (chances(scores, read_as(each, [0.8] * len(each))) for each in (text, usual))
    assert one < other


@pytest.mark.parametrize("text", ["", "A", "A12"])
def test_a_text_of_a_few_characters_is_no_plate(text: str) -> None:
    assert len(text) < FEWEST_CHARACTERS
    assert chances(np.ones(1, np.float32), read_as(text, [1.0] * len(text))).tolist() == [0.0]


def test_reads_without_probabilities_say_nothing() -> None:
    bare = ReadBatch.of(alphabet.encode(["1ABC123"]), np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="without probabilities"):
        chances(np.ones(1, np.float32), bare)


def test_of_no_plate_there_is_no_chance() -> None:
    nothing = ReadBatch.of(
        np.zeros((0, alphabet.SLOTS), np.uint8),
        np.zeros(0, np.int64),
        probabilities=np.zeros((0, alphabet.SLOTS, 37), np.float32),
    )
    assert chances(np.zeros(0, np.float32), nothing).shape == (0,)


def test_the_likeliest_plate_of_each_image_comes_first() -> None:
    found = recogniser().recognise([collage([DAY, INFRARED]), collage([YELLOW])])
    assert found.image.tolist() == [0, 0, 1]
    assert found.scores[0] >= found.scores[1]
    assert sorted(alphabet.decode(found.reads.codes)[:2]) == sorted([plate_of(DAY), plate_of(INFRARED)])
    assert (found.scores >= LEAST_CHANCE).all()


def test_what_looks_like_a_plate_and_is_read_as_nothing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    image = collage([DAY])
    monkeypatch.setattr(decision, "LEAST_CHANCE", 0.9999)
    found = recogniser().recognise([image])
    assert (len(found), found.passed_over) == (0, 1)


def scenery(seed: int, *, night: bool) -> Image:
    """A road with signs, lettering, stripes, windows and lamps, and no plate."""
    random = np.random.default_rng([31, seed])
    tone = 30 if night else 110
    image = np.clip(random.normal(tone, 5, (720, 1280, 1)) + np.zeros(3), 0, 255).astype(np.uint8)
    for _ in range(12):
        (draw_lit_decoy if night else draw_decoy)(image, random)
    return image


@pytest.mark.parametrize("night", [False, True], ids=["by day", "at night"])
def test_signs_lamps_and_lettering_are_no_plates(night: bool) -> None:
    frames = [scenery(seed, night=night) for seed in range(8)]
    found = recogniser().recognise(frames)
    # Of 2,880 decoys 24 are told (`training.localiser.decide` counts them); here are 96.
    assert len(found) <= 2
    assert found.passed_over + len(found) > 0
