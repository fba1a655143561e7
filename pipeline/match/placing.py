"""Puts a snapshot's entries in the buckets of an index, without the GIL.

A block of keys at a time, and within it one column after the other, so that the processor waits for many places of
memory at once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.match.kernels import WHOLE, character, compiled, hashed, length_of, tag_of, without
from plates import alphabet

_BLOCK_KEYS: Final = 512
_BLOCK_ITEMS: Final = _BLOCK_KEYS * (alphabet.SLOTS + 1)
_U0: Final = np.uint64(0)


@compiled
def count_items(
    keys: NDArray[np.uint64],
    skip: NDArray[np.bool_],
    shift: np.uint64,
    part: tuple[int, int],
    counts: NDArray[np.uint32],
) -> None:
    """Count how many items fall in each bucket of a part of them: a plate and each of its deletions."""
    first, last = np.uint64(part[0]), np.uint64(part[1])
    buckets = np.empty(_BLOCK_ITEMS, np.uint64)
    for start in range(0, len(keys), _BLOCK_KEYS):
        count = 0
        for row in range(start, min(start + _BLOCK_KEYS, len(keys))):
            key = keys[row]
            if skip[row] or key == _U0:
                continue
            for step in range(length_of(key) + 1):
                bucket = (hashed(without(key, step - 1)) if step else hashed(key)) >> shift
                buckets[count] = bucket
                count += int(first <= bucket < last)
        for item in range(count):
            counts[buckets[item]] += np.uint32(1)


@compiled
def place_items(
    keys: NDArray[np.uint64],
    skip: NDArray[np.bool_],
    shift: np.uint64,
    part: tuple[int, int],
    ends: NDArray[np.uint32],
    tags: NDArray[np.uint16],
    rows: NDArray[np.uint32],
) -> None:
    """Write every item of a part of the buckets into its own; `ends` are their ends and become their starts."""
    first, last = np.uint64(part[0]), np.uint64(part[1])
    places = np.empty(_BLOCK_ITEMS, np.uint64)
    tag, row_of = np.empty(len(places), np.uint16), np.empty(len(places), np.uint32)
    for start in range(0, len(keys), _BLOCK_KEYS):
        count = 0
        for back in range(start, min(start + _BLOCK_KEYS, len(keys))):
            row = len(keys) - 1 - back
            key = keys[row]
            if skip[row] or key == _U0:
                continue
            for step in range(length_of(key) + 1):
                slot = step - 1 if step else WHOLE
                mixed = hashed(without(key, slot)) if step else hashed(key)
                bucket = mixed >> shift
                places[count] = bucket
                tag[count] = tag_of(mixed, slot, character(key, slot) if step else _U0)
                row_of[count] = np.uint32(row)
                count += int(first <= bucket < last)
        for item in range(count):
            bucket = places[item]
            ends[bucket] -= np.uint32(1)
            places[item] = ends[bucket]
        for item in range(count):
            tags[places[item]] = tag[item]
        for item in range(count):
            rows[places[item]] = row_of[item]
