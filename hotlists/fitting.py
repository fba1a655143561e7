"""Which of many plates fit a pattern: somebody saw part of a plate, and asks whether it is listed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from plates import alphabet

AT_ONCE: Final = 262_144
"""Plates that are looked at together: the places that they may be at take 11 bytes each."""


def fitting(keys: NDArray[np.uint64], pattern: str) -> NDArray[np.int64]:
    """Find the plates that fit `pattern`, or are written as it.

    Parameters
    ----------
    keys
        Packed plates and patterns, uint64 ``(N,)``. Of a listed pattern, what it leaves open is no character.
    pattern
        Normalised: ``?`` is one character, ``*`` any run.

    Returns
    -------
    Their rows, int64 ``(M,)``, in order.
    """
    rows = np.flatnonzero(_begin_alike(keys, pattern))
    found = [np.flatnonzero(keys == alphabet.pack(alphabet.encode([pattern]))[0])]
    for begin in range(0, len(rows), AT_ONCE):
        some = rows[begin : begin + AT_ONCE]
        found.append(some[_fit(alphabet.unpack(keys[some]), pattern)])
    return np.unique(np.concatenate(found))


def _begin_alike(keys: NDArray[np.uint64], pattern: str) -> NDArray[np.bool_]:
    """Tell of each of N keys whether it has the characters that stand before any run; bool ``(N,)``.

    Of most patterns that leaves few, at the cost of one comparison of numbers each.
    """
    mask = wanted = 0
    for slot, code in enumerate(alphabet.encode([pattern])[0].tolist()):
        if code == alphabet.ANY_RUN:
            break
        if code != alphabet.ANY_ONE:
            shift = 6 * (alphabet.SLOTS - 1 - slot)
            mask, wanted = mask | 63 << shift, wanted | code << shift
    alike: NDArray[np.bool_] = (keys & np.uint64(mask)) == np.uint64(wanted)
    return alike


def _fit(codes: NDArray[np.uint8], pattern: str) -> NDArray[np.bool_]:
    """Tell of each of N plates, uint8 ``(N, SLOTS)``, whether it fits; bool ``(N,)``.

    `at[n, i]` says whether what is done of the pattern can have taken the first `i` characters of plate `n`.
    """
    count = len(codes)
    plain = (codes != alphabet.PAD) & (codes < alphabet.UNKNOWN)
    at = np.zeros((count, alphabet.SLOTS + 1), np.bool_)
    at[:, 0] = True
    for code in alphabet.encode([pattern])[0]:
        if code == alphabet.PAD:
            break
        if code == alphabet.ANY_RUN:
            for slot in range(alphabet.SLOTS):
                at[:, slot + 1] |= at[:, slot] & plain[:, slot]
            continue
        takes = plain if code == alphabet.ANY_ONE else codes == code
        at[:, 1:] = at[:, :-1] & takes
        at[:, 0] = False
    lengths = (codes != alphabet.PAD).sum(axis=1)
    whole: NDArray[np.bool_] = at[np.arange(count), lengths]
    return whole
