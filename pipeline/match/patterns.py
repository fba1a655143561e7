"""Plates that a witness gave in part: ``?`` is one character, ``*`` any run. A whole batch against all patterns.

For reads of one length, a pattern is a choice of slots that must be equal and what must stand there: a mask and
a value. ``*`` is written out: one mask for each way in which its runs can fill the length. What is left is a
lookup of ``key & mask`` for each distinct mask of the read's length, of which there are few however many patterns
there are, and never more than two to the length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.match.kernels import compiled, length_of
from plates import alphabet

_BITS_PER_ITEM: Final = 16
_U1: Final = np.uint64(1)
_U63: Final = np.uint64(63)
_U6: Final = np.uint64(6)
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_ODD: Final = np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True, slots=True)
class PatternTable:
    """P ways to fit, grouped by length and mask.

    Attributes
    ----------
    group_of_length
        int64 ``(SLOTS + 2,)``: groups ``[n]`` to ``[n + 1]`` are for reads of n characters.
    masks
        uint64 ``(G,)``.
    starts
        int64 ``(G + 1,)``: rows of each group in `values`.
    values
        uint64 ``(P,)``, sorted within each group.
    rows
        int64 ``(P,)``: the entry.
    filter
        uint64 ``(2^k,)``: a bit for each mask and value, by hash.
    """

    group_of_length: NDArray[np.int64]
    masks: NDArray[np.uint64]
    starts: NDArray[np.int64]
    values: NDArray[np.uint64]
    rows: NDArray[np.int64]
    filter: NDArray[np.uint64]

    @classmethod
    def of(cls, keys: NDArray[np.uint64], rows: NDArray[np.int64]) -> PatternTable:
        """Build from the keys of patterns, uint64 ``(M,)``, and their entry rows."""
        parts = list(_expand(keys, rows))
        length = np.concatenate(
            [np.full(len(each[3]), each[0], np.int64) for each in parts] or [np.zeros(0, np.int64)]
        )
        mask = np.concatenate(
            [np.full(len(each[3]), each[1], np.uint64) for each in parts] or [np.zeros(0, np.uint64)]
        )
        value = np.concatenate([each[2] for each in parts] or [np.zeros(0, np.uint64)])
        row = np.concatenate([each[3] for each in parts] or [np.zeros(0, np.int64)])
        order = np.lexsort((row, value, mask, length))
        length, mask, value, row = length[order], mask[order], value[order], row[order]
        first = np.ones(len(row), np.bool_)
        first[1:] = (length[1:] != length[:-1]) | (mask[1:] != mask[:-1])
        # Runs can fill a length in two ways that ask the same: "*?" is "?*".
        again = np.zeros(len(row), np.bool_)
        again[1:] = ~first[1:] & (value[1:] == value[:-1]) & (row[1:] == row[:-1])
        length, mask, value, row, first = length[~again], mask[~again], value[~again], row[~again], first[~again]
        starts = np.append(np.flatnonzero(first), len(row))
        words = 1 << max(4, int(np.ceil(np.log2(max(1, len(row)) * _BITS_PER_ITEM / 64))))
        bits = np.zeros(words, np.uint64)
        _mark(mask, value, bits)
        return cls(
            group_of_length=np.searchsorted(length[first], np.arange(alphabet.SLOTS + 2)),
            masks=mask[first],
            starts=starts,
            values=value,
            rows=row,
            filter=bits,
        )

    def pairs(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the patterns that each read fits: read rows and entry rows, int64, ordered by read row."""
        room = max(64, len(keys))
        while len(self.masks):
            found = np.empty((room, 2), np.int64)
            count = _find(
                keys, self.group_of_length, self.masks, self.starts, self.values, self.rows, self.filter, found
            )
            if count <= room:
                # A pattern with runs may fit in two ways: "*0*" fits 00 twice.
                pairs = np.unique(found[:count], axis=0) if count > 1 else found[:count]
                return pairs[:, 0], pairs[:, 1]
            room = count
        return np.zeros(0, np.int64), np.zeros(0, np.int64)


def _expand(
    keys: NDArray[np.uint64], rows: NDArray[np.int64]
) -> Iterator[tuple[int, np.uint64, NDArray[np.uint64], NDArray[np.int64]]]:
    """Yield length, mask, values and rows, for all patterns of one shape (where the wildcards are) together."""
    codes = alphabet.unpack(keys)
    kinds = np.where(codes >= alphabet.ANY_ONE, codes, np.minimum(codes, 1))
    shapes, which = np.unique(alphabet.pack(kinds), return_inverse=True)
    for number, shape in enumerate(alphabet.unpack(shapes)):
        chosen = np.flatnonzero(which == number)
        for length, target in _placings(shape.tolist()):
            values = np.zeros(len(chosen), np.uint64)
            mask = np.uint64(0)
            for slot, at in target:
                shift = _U6 * np.uint64(alphabet.SLOTS - 1 - at)
                values |= codes[chosen, slot].astype(np.uint64) << shift
                mask |= _U63 << shift
            yield length, mask, values, rows[chosen]


def _placings(shape: list[int]) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield each length that a shape can have, and where its literal slots then stand: (slot, place)."""
    tokens = [(slot, kind) for slot, kind in enumerate(shape) if kind != alphabet.PAD]
    fixed = [(slot, kind) for slot, kind in tokens if kind != alphabet.ANY_RUN]
    stars = len(tokens) - len(fixed)
    before = [sum(kind == alphabet.ANY_RUN for kind in shape[:slot]) for slot, _ in fixed]
    for length in range(max(1, len(fixed)), alphabet.SLOTS + 1):
        spare = length - len(fixed)
        if not stars and spare:
            return
        # Cuts of the spare length into runs: the sum of the runs before a token moves it right.
        cuts = combinations_with_replacement(range(spare + 1), stars - 1) if stars else iter([()])
        for cut in cuts:
            moved = (0, *cut, spare)
            yield (
                length,
                [
                    (slot, place + moved[before[place]])
                    for place, (slot, kind) in enumerate(fixed)
                    if kind != alphabet.ANY_ONE
                ],
            )


@compiled
def _log2(power: int) -> int:
    exponent = 0
    while power > 1:
        power >>= 1
        exponent += 1
    return exponent


@compiled
def _mark(masks: NDArray[np.uint64], values: NDArray[np.uint64], bits: NDArray[np.uint64]) -> None:
    last = np.uint64(64 - _log2(len(bits) * 64))
    for each in range(len(values)):
        bit = ((values[each] ^ (masks[each] * _ODD)) * _MIX) >> last
        bits[bit >> _U6] |= _U1 << (bit & _U63)


@compiled
def _find(
    keys: NDArray[np.uint64],
    group_of_length: NDArray[np.int64],
    masks: NDArray[np.uint64],
    starts: NDArray[np.int64],
    values: NDArray[np.uint64],
    rows: NDArray[np.int64],
    bits: NDArray[np.uint64],
    found: NDArray[np.int64],
) -> int:
    last = np.uint64(64 - _log2(len(bits) * 64))
    count = 0
    for read in range(len(keys)):
        length = length_of(keys[read])
        if length == 0:
            continue
        for group in range(group_of_length[length], group_of_length[length + 1]):
            value = keys[read] & masks[group]
            bit = ((value ^ (masks[group] * _ODD)) * _MIX) >> last
            if not (bits[bit >> _U6] >> (bit & _U63)) & _U1:
                continue
            low, high = starts[group], starts[group + 1]
            while low < high:
                middle = (low + high) // 2
                if values[middle] < value:
                    low = middle + 1
                else:
                    high = middle
            while low < starts[group + 1] and values[low] == value:
                if count < len(found):
                    found[count, 0] = read
                    found[count, 1] = rows[low]
                count += 1
                low += 1
    return count
