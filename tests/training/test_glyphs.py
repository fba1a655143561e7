"""The recipe of the character classifier, and the model that came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.ingest.ocr import MODEL, Reader
from plates import alphabet
from training.glyphs import draw_set, train


@pytest.fixture(scope="module")
def held_out() -> tuple[np.ndarray, np.ndarray]:
    """Glyphs that no seed of the recipe's default has seen."""
    return draw_set(150, np.random.default_rng(20_260_314))


def test_glyphs_come_with_their_labels(held_out: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = held_out
    assert features.shape == (len(labels), 281)
    assert features.dtype == np.float32
    assert len(labels) % 7 == 0
    assert len(labels) > 100 * 7
    counts = np.bincount(labels, minlength=36)
    rare = [alphabet.CHARACTERS.index(character) for character in "IOQ"]
    assert counts[rare].max() < np.median(counts)


def test_the_bundled_model_knows_glyphs_that_it_never_saw(held_out: tuple[np.ndarray, np.ndarray]) -> None:
    features, labels = held_out
    shares = Reader(MODEL)._classify(features)
    assert (shares.argmax(axis=1) == labels).mean() > 0.985
    # Its probabilities are evidence: where it is wrong, it is less sure.
    right = shares.argmax(axis=1) == labels
    assert shares.max(axis=1)[right].mean() > 0.9
    assert shares.max(axis=1).max() < 0.999


def test_the_recipe_learns_and_gives_the_same_twice(tmp_path: Path) -> None:
    weights, accuracy = train(7, plates=60, held_out=20)
    assert accuracy > 0.6
    again, _ = train(7, plates=60, held_out=20)
    for name, values in weights.items():
        np.testing.assert_allclose(values, again[name], atol=1e-4)
    path = tmp_path / "glyphs.npz"
    np.savez_compressed(path, **weights)
    blank = np.full((1, 64, 256, 3), 200, np.uint8)
    assert alphabet.decode(Reader(path).read(blank, np.zeros(1, np.int64)).codes) == [""]
