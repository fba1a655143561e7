"""What a reader gets right: exact texts, the calibration of its characters, its speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BINS: Final = 15


@dataclass(frozen=True, slots=True)
class Score:
    """What came out of reading N patches.

    Attributes
    ----------
    exact
        Share of texts that are right in every character.
    characters
        Share of characters, of slots that are in use.
    calibration
        Expected calibration error of the likeliest characters of the slots in use: how far the chance that one
        claims is from how often it is right, on average.
    """

    exact: float
    characters: float
    calibration: float


def score(read: NDArray[np.uint8], probabilities: NDArray[np.floating], codes: NDArray[np.uint8]) -> Score:
    """Score texts ``(N, SLOTS)`` and the probabilities ``(N, SLOTS, 37)`` behind them by the true codes."""
    right = read == codes
    likeliest = probabilities.argmax(axis=2)
    used = (codes > 0) | (likeliest > 0)
    return Score(
        float(right.all(axis=1).mean()),
        float(right[(codes > 0) | (read > 0)].mean()),
        expected_error(probabilities.max(axis=2)[used], (likeliest == codes)[used]),
    )


def expected_error(claimed: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """Expected calibration error in 15 equal bins (Naeini et al. 2015): claimed chances and outcomes ``(M,)``."""
    bins = np.minimum((claimed * _BINS).astype(int), _BINS - 1)
    weight = np.bincount(bins, minlength=_BINS)
    gap = np.abs(np.bincount(bins, claimed, _BINS) - np.bincount(bins, right.astype(float), _BINS))
    return float(gap[weight > 0].sum() / max(1, len(claimed)))
