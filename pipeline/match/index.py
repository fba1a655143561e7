"""A snapshot as sorted keys: which entries a whole batch of reads may be."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hotlists.snapshot import Snapshot
from plates import alphabet


@dataclass(frozen=True, slots=True)
class Candidates:
    """C pairs of a read and an entry whose text it may be.

    Attributes
    ----------
    read_row, entry_row
        int64 ``(C,)``, ordered by read row.
    is_pattern
        bool ``(C,)``: the entry is a pattern that the read fits; else their texts are equal.
    """

    read_row: NDArray[np.int64]
    entry_row: NDArray[np.int64]
    is_pattern: NDArray[np.bool_]


class Index:
    """Finds entries by key. Built once per snapshot, read by many threads."""

    def __init__(self, snapshot: Snapshot) -> None:
        plain = np.flatnonzero(~snapshot.is_pattern)
        order = np.argsort(snapshot.keys[plain], kind="stable")
        self._rows: NDArray[np.int64] = plain[order]
        self._keys: NDArray[np.uint64] = snapshot.keys[self._rows]
        self._patterns = _distinct_patterns(snapshot)

    def candidates(self, keys: NDArray[np.uint64]) -> Candidates:
        """Find the entries that reads with `keys` (uint64 ``(N,)``) may be."""
        first = np.searchsorted(self._keys, keys, "left")
        count = np.searchsorted(self._keys, keys, "right") - first
        read_row = np.repeat(np.arange(len(keys)), count)
        # Each read's run of rows: first, first + 1, ... without a loop over reads.
        within = np.arange(len(read_row)) - np.repeat(np.cumsum(count) - count, count)
        entry_row = self._rows[np.repeat(first, count) + within]
        is_pattern = np.zeros(len(read_row), np.bool_)
        if self._patterns:
            pattern_reads, pattern_entries = self._pattern_pairs(keys)
            read_row = np.concatenate([read_row, pattern_reads])
            entry_row = np.concatenate([entry_row, pattern_entries])
            is_pattern = np.concatenate([is_pattern, np.ones(len(pattern_reads), np.bool_)])
            order = np.argsort(read_row, kind="stable")
            read_row, entry_row, is_pattern = read_row[order], entry_row[order], is_pattern[order]
        return Candidates(read_row.astype(np.int64), entry_row.astype(np.int64), is_pattern)

    def _pattern_pairs(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        texts = alphabet.decode(alphabet.unpack(keys))
        reads: list[NDArray[np.int64]] = []
        entries: list[NDArray[np.int64]] = []
        for pattern, rows in self._patterns:
            fits = np.array([row for row, text in enumerate(texts) if pattern.fullmatch(text)], np.int64)
            reads.append(np.repeat(fits, len(rows)))
            entries.append(np.tile(rows, len(fits)))
        return np.concatenate(reads), np.concatenate(entries)


def _distinct_patterns(snapshot: Snapshot) -> list[tuple[re.Pattern[str], NDArray[np.int64]]]:
    rows = np.flatnonzero(snapshot.is_pattern)
    keys, which = np.unique(snapshot.keys[rows], return_inverse=True)
    texts = alphabet.decode(alphabet.unpack(keys))
    return [
        (re.compile(text.replace("?", ".").replace("*", ".*")), rows[which == number])
        for number, text in enumerate(texts)
    ]
