"""Whether what was found is told as a plate: by how much it looks like one, and by what is read on it.

Neither is enough. Chevrons and lit signs look like plates; lettering is read well and looks like none. Together
they are the logarithm of the odds that it is a plate whose text is right but for two characters at most, as on
drawn scenes: `training/localiser/decide.py` fits the numbers, and prints what each limit would tell.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.batch import ReadBatch
from plates import alphabet

FEWEST_CHARACTERS: Final = 4
"""Fewer on a picture are a house number, a brand or a scratch far more often than a plate."""
LEAST_SCORE: Final = 0.5
"""What looks less like a plate than this is not read at all: of what is read well there, most is lettering."""
LEAST_CHANCE: Final = 0.07
"""What is less likely is not told. On drawn scenes 99 in 100 of what is told are plates, and of the plates that
are read to within two characters 99 in 100 are told; at 0.2 it would be 97. Lower, frames full of signs and lamps
show too many."""

_WEIGHTS: Final = (0.69, -1.93, -0.66)
_OFFSET: Final = 3.08
_EDGE: Final = 1e-4
# A character stands twice in a row on many plates, three times on few, oftener on hardly any.
_USUAL_RUN: Final = 2

Floats = NDArray[np.float64]


def chances(scores: NDArray[np.float32], reads: ReadBatch) -> NDArray[np.float32]:
    """Say how likely each is a plate that is read to within two characters.

    Parameters
    ----------
    scores
        Of the localiser, float32 ``(K,)``, 0 to 1.
    reads
        What is read on each, with probabilities.

    Returns
    -------
    float32 ``(K,)``; 0 where fewer than `FEWEST_CHARACTERS` are read.
    """
    odds = signs(scores, reads) @ np.array(_WEIGHTS) + _OFFSET
    enough = alphabet.lengths(reads.codes) >= FEWEST_CHARACTERS
    return np.where(enough, 1 / (1 + np.exp(-odds)), 0.0).astype(np.float32)


def signs(scores: NDArray[np.float32], reads: ReadBatch) -> Floats:
    """Return what the chance rests on, float64 ``(K, 3)``.

    They are the logarithm of the odds of looking like a plate; how many slots are likely read wrong; and how much
    oftener than on most plates one character stands in a row, as where chevrons, lamps or bars are read.
    """
    if reads.probabilities is None:
        raise ValueError("reads without probabilities say nothing of how well a plate is read")
    edged = np.clip(scores.astype(np.float64), _EDGE, 1 - _EDGE)
    looks = np.log(edged / (1 - edged))
    wrong = (1 - reads.probabilities.max(axis=2).astype(np.float64)).sum(axis=1)
    return np.column_stack([looks, wrong, np.maximum(0, _longest_runs(reads.codes) - _USUAL_RUN)])


def _longest_runs(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often the same character stands in a row at most, int64 ``(K,)``."""
    run = np.zeros(len(codes), np.int64)
    longest = run.copy()
    before = np.full(len(codes), alphabet.PAD, np.uint8)
    for slot in codes.T:
        run = np.where(slot == alphabet.PAD, 0, np.where(slot == before, run + 1, 1))
        longest = np.maximum(longest, run)
        before = slot
    return longest
