"""Train the character classifier of `pipeline.ingest.ocr`: a small perceptron on the glyphs of drawn plates.

``python -m training.glyphs`` writes ``pipeline/ingest/models/glyphs.npz``; about two minutes on one core.
Plates are drawn, photographed, found, rectified and segmented as in the pipeline, so that the classifier learns
from what it will see. Deterministic by its seed and the fonts' versions.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.images import decode_image
from pipeline.ingest.localise import Localiser, rectify
from pipeline.ingest.ocr import MODEL, glyph_features, segment
from plates.alphabet import CHARACTERS
from training.plates import STYLES
from training.scenes import Vehicle, draw_close_up, encode_jpeg

PLATES: Final = 12_000
HELD_OUT: Final = 1_000
HIDDEN: Final = 96
EPOCHS: Final = 20
_JPEG_QUALITY: Final = 80
_RARE: Final = "IOQ"
_RARITY: Final = 0.05
"""How often I, O and Q are on plates beside the other characters. The series leave them out, because their
shapes are those of 1 and 0; drawn as often as these, every zero would be read as an even chance of an O."""

Floats = NDArray[np.float32]


def draw_set(plates: int, random: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """Features ``(N, F)`` and labels ``(N,)`` of the glyphs of `plates` plates.

    All characters come equally often, but for the `_RARE` ones.

    A plate that is not found, or not cut into as many glyphs as it has characters, is left out: which glyph
    is which would be a guess.
    """
    localiser = Localiser()
    rows: list[Floats] = []
    labels: list[int] = []
    countries = list(STYLES)
    weight = np.array([_RARITY if character in _RARE else 1.0 for character in CHARACTERS])
    for number in range(plates):
        text = "".join(random.choice(list(CHARACTERS), 7, p=weight / weight.sum()))
        country = countries[number % len(countries)]
        written = f"{text[:2]} {text[2:4]} {text[4:]}" if country == "DE" else f"{text[:1]}-{text[1:4]}-{text[4:]}"
        scene = draw_close_up(Vehicle(written, country), random, infrared=bool(random.random() < 0.4))
        frame = decode_image(encode_jpeg(scene.image, _JPEG_QUALITY))
        found = localiser.find([frame])[0]
        if len(found) == 0:
            continue
        glyphs = segment(rectify(frame, found.corners[:1])[0])
        if len(glyphs) == len(text):
            rows += [glyph_features(glyph, width) for glyph, width in glyphs]
            labels += [CHARACTERS.index(character) for character in text]
    return np.array(rows, np.float32), np.array(labels)


def train(seed: int, plates: int = PLATES, held_out: int = HELD_OUT) -> tuple[dict[str, Floats], float]:
    """Train; return the weights and the accuracy on held-out glyphs."""
    random = np.random.default_rng(seed)
    features, labels = draw_set(plates, random)
    held_features, held_labels = draw_set(held_out, np.random.default_rng(seed + 1))
    count = features.shape[1]
    weights = {
        "w1": random.normal(0, np.sqrt(2 / count), (count, HIDDEN)).astype(np.float32),
        "b1": np.zeros(HIDDEN, np.float32),
        "w2": random.normal(0, np.sqrt(2 / HIDDEN), (HIDDEN, len(CHARACTERS))).astype(np.float32),
        "b2": np.zeros(len(CHARACTERS), np.float32),
    }
    first = {name: np.zeros_like(value) for name, value in weights.items()}
    second = {name: np.zeros_like(value) for name, value in weights.items()}
    step = 0
    for epoch in range(EPOCHS):
        rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
        for rows in np.array_split(random.permutation(len(labels)), max(1, len(labels) // 128)):
            step += 1
            for name, gradient in _gradients(weights, features[rows], labels[rows]).items():
                # Adam, Kingma and Ba 2015.
                first[name] = 0.9 * first[name] + 0.1 * gradient
                second[name] = 0.999 * second[name] + 0.001 * gradient**2
                scaled = (first[name] / (1 - 0.9**step)) / (np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8)
                weights[name] -= (rate * scaled).astype(np.float32)
    hidden = np.maximum(held_features @ weights["w1"] + weights["b1"], 0)
    guess = (hidden @ weights["w2"] + weights["b2"]).argmax(axis=1)
    return weights, float((guess == held_labels).mean())


def _gradients(weights: dict[str, Floats], features: Floats, labels: NDArray[np.int64]) -> dict[str, Floats]:
    hidden = np.maximum(features @ weights["w1"] + weights["b1"], 0)
    logits = hidden @ weights["w2"] + weights["b2"]
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    # Labels smoothed by 2%: the probabilities are evidence, so they must not be surer than they are right.
    wanted = np.full_like(shares, 0.02 / shares.shape[1])
    wanted[np.arange(len(labels)), labels] += 0.98
    error = (shares - wanted) / len(labels)
    back = (error @ weights["w2"].T) * (hidden > 0)
    return {
        "w1": features.T @ back + 1e-5 * weights["w1"],
        "b1": back.sum(axis=0),
        "w2": hidden.T @ error + 1e-5 * weights["w2"],
        "b2": error.sum(axis=0),
    }


def main() -> None:
    """Train and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=MODEL)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    weights, accuracy = train(arguments.seed)
    np.savez_compressed(arguments.out, **weights)  # type: ignore[arg-type]
    sys.stdout.write(f"{accuracy:.4f} of held-out glyphs right\n")


if __name__ == "__main__":
    main()
