"""Plate patches to a ReadBatch with per-character probabilities, a batch at once.

Characters are segmented on the rectified patch (Otsu's threshold, connected components) and classified
together, all characters of all patches in one call, by a small perceptron (`models/glyphs.npz`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.batch import ReadBatch
from plates import alphabet

PATCH_HEIGHT_PX: Final = 64
PATCH_WIDTH_PX: Final = 256
MODEL: Final = Path(__file__).parent / "models" / "glyphs.npz"

_GRID_HEIGHT: Final = 20
_GRID_WIDTH: Final = 14
# A character's box, as shares of the patch. Dashes are lower, the frame and the euro band larger.
_MIN_HEIGHT: Final = 0.50
_MAX_HEIGHT: Final = 0.92
_MIN_WIDTH: Final = 0.02
_MAX_WIDTH: Final = 0.30
_OFF_CENTRE: Final = 0.18
_ALIGNMENT: Final = 0.15


class Reader:
    """Reads patches. The model comes with the package; nothing is downloaded.

    Parameters
    ----------
    model
        The classifier's weights.
    """

    def __init__(self, model: Path = MODEL) -> None:
        with np.load(model, allow_pickle=False) as weights:
            self._weights = {name: weights[name] for name in ("w1", "b1", "w2", "b2")}

    def read(self, patches: NDArray[np.uint8], captured_at_ns: NDArray[np.int64]) -> ReadBatch:
        """Read a batch of patches.

        Parameters
        ----------
        patches
            RGB uint8 ``(N, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3)``.
        captured_at_ns
            int64 ``(N,)``.

        Returns
        -------
        A batch of N reads with probabilities. One without a character, or with more than a plate can have, has
        no codes, no probabilities and confidence 0.
        """
        count = len(patches)
        rows: list[int] = []
        slots: list[int] = []
        features: list[NDArray[np.float32]] = []
        for row, patch in enumerate(patches):
            glyphs = segment(patch)
            if len(glyphs) > alphabet.SLOTS:
                continue
            rows += [row] * len(glyphs)
            slots += range(len(glyphs))
            features += [glyph_features(glyph, width) for glyph, width in glyphs]
        probabilities = np.zeros((count, alphabet.SLOTS, len(alphabet.CHARACTERS) + 1), np.float32)
        probabilities[:, :, alphabet.PAD] = 1.0
        if features:
            probabilities[rows, slots, alphabet.PAD] = 0.0
            probabilities[rows, slots, 1:] = self._classify(np.array(features, np.float32))
        codes = probabilities.argmax(axis=2).astype(np.uint8)
        found = codes.any(axis=1)
        confidence = np.where(found, probabilities.max(axis=2).prod(axis=1), 0.0).astype(np.float32)
        probabilities[~found] = 0.0
        return ReadBatch.of(codes, captured_at_ns, confidence=confidence, probabilities=probabilities)

    def _classify(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        weights = self._weights
        hidden = np.maximum(features @ weights["w1"] + weights["b1"], 0)
        logits = hidden @ weights["w2"] + weights["b2"]
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        normalised: NDArray[np.float32] = shares / shares.sum(axis=1, keepdims=True)
        return normalised


def segment(patch: NDArray[np.uint8]) -> list[tuple[NDArray[np.uint8], float]]:
    """Cut a patch into its characters, left to right.

    Returns
    -------
    Each glyph, uint8 ``(H, W)``, ink bright on dark, cut to its box; and its width as a share of the median
    width on this patch, which tells 1 from I and 0 from O however the patch was stretched.
    """
    # Red ink on white (Belgium) is dark in green, black on yellow (Netherlands) too.
    dark = 255 - patch[:, :, 1]
    enlarged = np.asarray(cv2.resize(dark, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)
    _, ink = cv2.threshold(enlarged, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    height, width = ink.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=4)
    x, y, w, h = stats[1:, :4].T
    likely = (
        (h >= _MIN_HEIGHT * height)
        & (h <= _MAX_HEIGHT * height)
        & (w >= _MIN_WIDTH * width)
        & (w <= _MAX_WIDTH * width)
        & (np.abs(y + h / 2 - height / 2) <= _OFF_CENTRE * height)
        & (x > 0)
        & (x + w < width)
    )
    if not likely.any():
        return []
    # Characters are equally high; seals, rivets and pieces of the frame are not.
    middle = np.median(h[likely])
    boxes = stats[1:, :4][likely & (np.abs(h - middle) <= _ALIGNMENT * middle)]
    boxes = boxes[np.argsort(boxes[:, 0], kind="stable")]
    typical = float(np.median(boxes[:, 2]))
    return [(enlarged[y : y + h, x : x + w], w / typical) for x, y, w, h in boxes.tolist()]


def glyph_features(glyph: NDArray[np.uint8], relative_width: float) -> NDArray[np.float32]:
    """Features of one glyph of `segment` for the classifier.

    Returns
    -------
    float32 ``(281,)``: a grid of 20x14 of the glyph stretched to its box, 0 to 1, and its relative width.
    """
    grid = cv2.resize(glyph, (_GRID_WIDTH, _GRID_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    low, high = grid.min(), grid.max()
    grid = (grid - low) / (high - low) if high > low else np.zeros_like(grid)
    return np.append(grid.ravel(), np.float32(relative_width))
