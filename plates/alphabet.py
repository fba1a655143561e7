"""Characters of a plate as small numbers, and ten of them in one 64-bit key.

Code 0 is "no character" (padding on the right), 1 to 10 are the digits, 11 to 36 the letters A to Z.
`ANY_ONE` and `ANY_RUN` stand for ``?`` and ``*`` in plate patterns and never occur in a read.
Six bits a character, ten characters: 60 bits of a uint64, first character in the highest bits, so that
numeric order of keys is alphabetical order of plates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

SLOTS: Final = 10
PAD: Final = 0
CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
UNKNOWN: Final = 61
ANY_ONE: Final = 62
ANY_RUN: Final = 63

_SHIFTS: Final = (6 * np.arange(SLOTS - 1, -1, -1)).astype(np.uint64)
_TO_CODE: Final = np.full(128, UNKNOWN, np.uint8)
_TO_CODE[0] = PAD
_TO_CODE[[ord(c) for c in CHARACTERS]] = np.arange(1, len(CHARACTERS) + 1)
_TO_CODE[ord("?")] = ANY_ONE
_TO_CODE[ord("*")] = ANY_RUN
_TO_TEXT: Final = np.full(64, "\ufffd", "U1")
_TO_TEXT[PAD] = ""
_TO_TEXT[1 : len(CHARACTERS) + 1] = list(CHARACTERS)
_TO_TEXT[ANY_ONE] = "?"
_TO_TEXT[ANY_RUN] = "*"


def encode(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Turn normalised texts into codes.

    Parameters
    ----------
    texts
        Upper-case texts of `CHARACTERS` (and ``?``, ``*`` in patterns). Any other character becomes `UNKNOWN`.

    Returns
    -------
    uint8 array of shape ``(N, SLOTS)``, padded with `PAD`. A text longer than `SLOTS` is cut; ask
    `lengths` beforehand where that matters.
    """
    if len(texts) == 0:
        return np.zeros((0, SLOTS), np.uint8)
    column = np.array(texts, dtype=f"U{SLOTS}")
    points = column.view(np.uint32).reshape(len(texts), SLOTS)
    codes: NDArray[np.uint8] = np.where(points < 128, _TO_CODE[np.minimum(points, 127)], np.uint8(UNKNOWN))
    return codes


def decode(codes: NDArray[np.uint8]) -> list[str]:
    """Turn codes of shape ``(N, SLOTS)`` back into texts; `UNKNOWN` shows as U+FFFD."""
    return ["".join(row) for row in _TO_TEXT[codes]]


def pack(codes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Pack codes of shape ``(N, SLOTS)`` into uint64 keys of shape ``(N,)``. Equal keys mean equal codes."""
    keys: NDArray[np.uint64] = np.bitwise_or.reduce(codes.astype(np.uint64) << _SHIFTS, axis=1)
    return keys


def unpack(keys: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Inverse of `pack`: keys of shape ``(N,)`` to uint8 codes of shape ``(N, SLOTS)``."""
    codes: NDArray[np.uint8] = ((keys[:, None] >> _SHIFTS) & np.uint64(63)).astype(np.uint8)
    return codes


def lengths(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Count characters per row: uint8 of shape ``(N,)``, 0 to `SLOTS`."""
    counts: NDArray[np.uint8] = np.count_nonzero(codes, axis=1).astype(np.uint8)
    return counts
