"""Train the character classifier of `pipeline.ingest.ocr`: a small perceptron on drawn glyphs.

``python -m training.glyphs`` writes ``pipeline/ingest/models/glyphs.npz``; about a minute on one core.
Deterministic by its seed and the fonts' versions.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.ocr import GLYPH_HEIGHT_PX, MODEL, glyph_features
from plates.alphabet import CHARACTERS
from training.plates import font

FONTS: Final = ("OSP-DIN.ttf", "LiberationSansNarrow-Bold.ttf")
SAMPLES: Final = 600
HELD_OUT: Final = 60
HIDDEN: Final = 96
EPOCHS: Final = 25
Floats = NDArray[np.float32]


def draw_glyph(character: str, face: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one character as segmentation finds it: ink bright on dark, cut to its box, uint8 ``(H, W)``."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (160, 160), 0)
    ImageDraw.Draw(canvas).text((80, 80), character, font=font(face, 108), fill=255, anchor="mm")
    glyph = np.asarray(canvas)
    angle, shear = random.uniform(-5, 5), random.uniform(-0.14, 0.14)
    scale = random.uniform(0.14, 0.45)
    turn = np.vstack([cv2.getRotationMatrix2D((80, 80), angle, 1.0), [0, 0, 1]])
    skew = np.array([[1, shear, -80 * shear], [0, 1, 0], [0, 0, 1]])
    glyph = cv2.warpAffine(glyph, (skew @ turn)[:2], (160, 160))
    glyph = cv2.resize(glyph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    glyph = cv2.GaussianBlur(glyph, (0, 0), float(random.uniform(0.3, 1.1)))
    noisy = np.clip(glyph + random.normal(0, 14, glyph.shape), 0, 255).astype(np.uint8)
    rows, columns = np.nonzero(noisy > random.uniform(90, 150))
    return noisy[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def draw_set(samples: int, random: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """Features ``(N, F)`` and labels ``(N,)`` of `samples` glyphs per character and font."""
    rows, labels = [], []
    for label, character in enumerate(CHARACTERS):
        for face in FONTS:
            for _ in range(samples):
                glyph = draw_glyph(character, face, random)
                # What the segmenter finds is a share of the plate's height.
                height = random.uniform(0.55, 0.9) * GLYPH_HEIGHT_PX
                rows.append(glyph_features(glyph, height))
                labels.append(label)
    return np.array(rows, np.float32), np.array(labels)


def train(seed: int) -> tuple[dict[str, Floats], float]:
    """Train; return the weights and the accuracy on held-out glyphs."""
    random = np.random.default_rng(seed)
    features, labels = draw_set(SAMPLES, random)
    held_features, held_labels = draw_set(HELD_OUT, np.random.default_rng(seed + 1))
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
        for rows in np.array_split(random.permutation(len(labels)), len(labels) // 128):
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
