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
GLYPH_HEIGHT_PX: Final = PATCH_HEIGHT_PX
MODEL: Final = Path(__file__).parent / "models" / "glyphs.npz"

_GRID_HEIGHT: Final = 20
_GRID_WIDTH: Final = 14
# A character's box, as shares of the patch. Dashes are lower, the frame and the euro band larger.
_MIN_HEIGHT: Final = 0.45
_MAX_HEIGHT: Final = 0.95
_MAX_WIDTH: Final = 0.20
_ALIGNMENT: Final = 0.22


def glyph_features(glyph: NDArray[np.uint8], height_px: float) -> NDArray[np.float32]:
    """Features of one glyph for the classifier.

    Parameters
    ----------
    glyph
        uint8 ``(H, W)``, ink bright on dark, cut to its box.
    height_px
        Its height on a patch of `PATCH_HEIGHT_PX`.

    Returns
    -------
    float32 ``(282,)``: a grid of 20x14 of the glyph stretched to its box, its proportion, and its height.
    """
    grid = cv2.resize(glyph, (_GRID_WIDTH, _GRID_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    low, high = grid.min(), grid.max()
    grid = (grid - low) / (high - low) if high > low else np.zeros_like(grid)
    shape = [glyph.shape[1] / glyph.shape[0], height_px / PATCH_HEIGHT_PX]
    return np.concatenate([grid.ravel(), np.array(shape, np.float32)])


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
        A batch of N reads with probabilities; one without a character found has no codes and confidence 0.
        """
        count = len(patches)
        rows: list[int] = []
        slots: list[int] = []
        features: list[NDArray[np.float32]] = []
        for row, patch in enumerate(patches):
            for slot, (glyph, height) in enumerate(segment(patch)[: alphabet.SLOTS]):
                rows.append(row)
                slots.append(slot)
                features.append(glyph_features(glyph, height))
        probabilities = np.zeros((count, alphabet.SLOTS, len(alphabet.CHARACTERS) + 1), np.float32)
        probabilities[:, :, alphabet.PAD] = 1.0
        if features:
            shares = self._classify(np.array(features, np.float32))
            probabilities[rows, slots, alphabet.PAD] = 0.0
            probabilities[rows, slots, 1:] = shares
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
    """Cut a patch into its characters, left to right: each ink-bright glyph, and its height in pixels."""
    # Red ink on white (Belgium) is dark in green, black on yellow (Netherlands) too.
    dark = 255 - patch[:, :, 1]
    enlarged = cv2.resize(dark, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    _, ink = cv2.threshold(enlarged, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    height, width = ink.shape
    count, _, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=4)
    likely = [
        box
        for box in boxes[1:count]
        if _MIN_HEIGHT * height <= box[3] <= _MAX_HEIGHT * height
        and box[2] <= _MAX_WIDTH * width
        and box[0] > 0
        and box[0] + box[2] < width
    ]
    if not likely:
        return []
    # Characters stand on one line and are equally high; seals and rivets are not.
    middle = np.median([box[3] for box in likely])
    likely = [box for box in likely if abs(box[3] - middle) <= _ALIGNMENT * middle]
    likely.sort(key=lambda box: int(box[0]))
    return [
        (enlarged[y : y + h, x : x + w], h / 2)
        for x, y, w, h in (tuple(int(each) for each in box[:4]) for box in likely)
    ]
