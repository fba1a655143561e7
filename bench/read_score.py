"""How right reads and boxes are: exact texts, characters, calibration, detection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plates import alphabet

BINS: Final = 15
"""Of equal width, as Guo et al. (2017), "On Calibration of Modern Neural Networks", have them."""
OVERLAP: Final = 0.5
DOUBTED_OVERLAP: Final = 0.3
_PRECISION: Final = 0.95


@dataclass(frozen=True, slots=True)
class Judged:
    """A plate with its truth.

    Attributes
    ----------
    file
        Where it is.
    truth, text
        What is on it, and what is read; empty where nothing is.
    lines
        Of the plate; 0 where nobody says.
    confidence
        Of the read.
    shares
        float32 ``(SLOTS, 37)``: its character probabilities; None where nothing is read.
    """

    file: str
    truth: str
    text: str = ""
    lines: int = 0
    confidence: float = 0.0
    shares: NDArray[np.float32] | None = None


def accuracy(judged: Sequence[Judged]) -> dict[str, Any]:
    """Shares of plates and characters that are read right, by lines where they are given, and the calibration."""
    pairs = [(each.truth, each.text) for each in judged]
    lines = [each.lines for each in judged]
    return {
        "plates": len(judged),
        **texts(pairs),
        "by_lines": {
            str(number): texts([pair for pair, own in zip(pairs, lines, strict=True) if own == number])
            for number in sorted(set(lines) - {0})
        },
        "calibration_error": calibration_error(judged),
    }


def texts(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Share of texts that are exact, and of characters that need no edit, of ``(truth, read)``."""
    edits = sum(min(distance(truth, read), len(truth)) for truth, read in pairs)
    return {
        "exact": float(np.mean([truth == read for truth, read in pairs])) if pairs else 0.0,
        "characters": 1 - edits / max(1, sum(len(truth) for truth, _ in pairs)),
    }


def distance(one: str, other: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(other) + 1))
    for number, character in enumerate(one, 1):
        before, row[0] = row[0], number
        for at, against in enumerate(other, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (character != against))
    return row[-1]


def calibration_error(judged: Sequence[Judged]) -> float | None:
    """Expected calibration error of the character probabilities; None where there are none.

    Each slot that the truth or the read uses counts: the likeliest code's probability, against whether it is the
    true one. So a character too many or too few spoils the slots behind it.
    """
    sure: list[float] = []
    right: list[bool] = []
    for each in judged:
        if each.shares is None:
            continue
        slots = min(alphabet.SLOTS, max(len(each.truth), len(each.text)))
        codes = alphabet.encode([each.truth[: alphabet.SLOTS]])[0]
        sure += each.shares[:slots].max(axis=1).tolist()
        right += (each.shares[:slots].argmax(axis=1) == codes[:slots]).tolist()
    if not sure:
        return None
    bins = np.minimum((np.array(sure) * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, np.array(right, float) - np.array(sure), BINS)
    return float(np.abs(gaps).sum() / len(sure))


Boxes = NDArray[np.float64]


def overlaps(ones: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Intersection over union of boxes ``(N, 4)`` and ``(M, 4)``, x, y, w, h: ``(N, M)``."""
    low = np.maximum(ones[:, None, :2], others[None, :, :2])
    high = np.minimum(ones[:, None, :2] + ones[:, None, 2:], others[None, :, :2] + others[None, :, 2:])
    shared = np.maximum(0, high - low).prod(axis=2)
    areas = ones[:, 2:].prod(axis=1)[:, None] + others[:, 2:].prod(axis=1)
    share: NDArray[np.float64] = shared / np.maximum(1e-9, areas - shared)
    return share


def matched(boxes: Boxes, truth: Boxes) -> NDArray[np.int64]:
    """For each box, the best first, the row of the true one that it finds (`OVERLAP`) and no other did, or -1."""
    found = np.full(len(boxes), -1, np.int64)
    if not len(boxes) or not len(truth):
        return found
    shared = overlaps(boxes, truth)
    for row in range(len(boxes)):
        best = int(shared[row].argmax())
        if shared[row, best] >= OVERLAP:
            found[row] = best
            shared[:, best] = 0
    return found


@dataclass(frozen=True, slots=True)
class Detected:
    """What is found on an image, and what is there.

    Attributes
    ----------
    boxes
        ``(N, 4)``: x, y, w, h.
    scores
        ``(N,)``.
    truth
        ``(M, 4)``: the plates that are to be found.
    open_to_doubt
        ``(L, 4)``: plates that may be found or not; a box on one is neither right nor wrong.
    """

    boxes: Boxes
    scores: NDArray[np.float64]
    truth: Boxes
    open_to_doubt: Boxes


def detection(images: Sequence[Detected]) -> dict[str, float]:
    """Recall and precision of the boxes of some images, and what a limit on their scores would make of it."""
    found = [_judged(image) for image in images]
    hits = np.concatenate([np.zeros(0, bool), *(each for each, _ in found)])
    scores = np.concatenate([np.zeros(0), *(each for _, each in found)])
    plates = max(1, sum(len(image.truth) for image in images))
    right = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    precision = right / np.arange(1, len(right) + 1)
    good = right[precision >= _PRECISION]
    return {
        "recall": float(hits.sum() / plates),
        "precision": float(hits.mean()) if len(hits) else 0.0,
        "recall_at_precision_95": float(good.max() / plates) if len(good) else 0.0,
    }


def _judged(image: Detected) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which boxes of an image are right, and their scores, the best first, without those that do not count."""
    best = np.argsort(-image.scores, kind="stable")
    boxes, scores = image.boxes[best], image.scores[best]
    right = matched(boxes, image.truth) >= 0
    # Whoever marks what is open to doubt may mark it roughly.
    doubted = overlaps(boxes, image.open_to_doubt).max(axis=1, initial=0) >= DOUBTED_OVERLAP
    counts = right | ~doubted
    return right[counts], scores[counts]
