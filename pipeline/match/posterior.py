"""From candidate to probability that the listed vehicle passed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.batch import ReadBatch

UNSTATED_CONFIDENCE: Final = 0.9
"""Taken for a read whose source gives no confidence."""


def exact(batch: ReadBatch, read_row: NDArray[np.int64]) -> NDArray[np.float32]:
    """Probability that the text of each read is right, given that an entry has that very text.

    The source's confidence where it gives one, `UNSTATED_CONFIDENCE` where not; with per-character
    probabilities, their product over the slots.

    Parameters
    ----------
    batch
        The reads.
    read_row
        int64 ``(C,)``, one row of the batch per candidate.

    Returns
    -------
    float32 ``(C,)``, 0 to 1.
    """
    confidence = np.where(np.isnan(batch.confidence), np.float32(UNSTATED_CONFIDENCE), batch.confidence)
    if batch.probabilities is not None:
        slots = np.take_along_axis(batch.probabilities, batch.codes[:, :, None].astype(np.intp), axis=2)[:, :, 0]
        known = batch.probabilities.any(axis=(1, 2))
        confidence = np.where(known, slots.prod(axis=1, dtype=np.float64), confidence)
    return np.clip(confidence[read_row], 0.0, 1.0).astype(np.float32)
