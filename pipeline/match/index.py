"""A snapshot's entries by what they may be read as: all candidates of a whole batch at once.

Each plate is put in a hash table whole, and once without each of its characters. A read is looked up the same
way, whole and without each character, and whatever shares a text with it is at most one edit away:

============================ ============================ ==================================================
read                         entry                        what happened
============================ ============================ ==================================================
whole                        whole                        read exactly as listed
without the character at i   without the character at i   another character was read at i
whole                        without a character          a character was missed
without a character          whole                        a character was made up
without the character at i   without that at i + 1        the two changed places
============================ ============================ ==================================================

(The symmetric deletes of W. Garbe's SymSpell, with the slot and the character that was taken out kept beside
each item.) That is eight lookups for a plate of seven, however many entries there are. Items are two columns: 16
bits that decide nearly everything (fingerprint, slot, character: the price of the edit follows from these and the
read alone), and the entry's row, which is only fetched for what is likely enough. Two substitutions are found by
making every first one that is likely enough. Patterns: `pipeline.match.patterns`.

An index is a base and a side. Applying a delta builds a new small side and shares the base; a delta of many
entries, of which the table was made beside, becomes a range of the base itself. Each range has the lists with a
prior of their own in a table of their own: what is worth a look there is not for the millions of others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hotlists.snapshot import Snapshot
from pipeline.match import kernels, placing
from pipeline.match.patterns import PatternTable
from pipeline.match.posterior import Candidates, Scores
from pipeline.match.weighing import PATTERN
from plates import alphabet

_ITEMS_PER_BUCKET: Final = 5
_PROBES_PER_READ: Final = alphabet.SLOTS + 1
_MOST_MARKED: Final = 20_000
_MARK_WORDS_PER_ENTRY: Final = 128
_MOST_MARK_WORDS: Final = 1 << 18
"""An entry sets some 21 bits, and a read asks for as many: of up to 2,048 entries, one read in twenty finds one by
chance, and of the most that are marked, every third. Two MiB stay in a core's cache."""
_BATCH_READS: Final = 1024
"""Reads are looked up this many at a time, so that what is written down for them stays in cache."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The entries of a range of a snapshot's rows, as a hash table and a pattern table.

    Attributes
    ----------
    first_row
        The range begins here; ``rows`` count from it.
    lists
        int64: rows in `Snapshot.hotlists` of the lists whose entries are here.
    keys
        uint64 ``(M,)``: a view of the snapshot's.
    shift
        A mixed key, shifted right by this, is its bucket.
    starts
        uint32 ``(buckets + 1,)``.
    tags, rows
        uint16 and uint32 ``(I + 1,)``: the items; one more than there are, so that an empty last bucket has a
        place to look at.
    marks
        uint64 ``(2**n,)``: bits by the hash of each plate with two characters left open. Where there are so few
        entries that most reads have no bit here, only the others are looked up at two substitutions. Else empty.
    patterns
        The patterns of the range.
    """

    first_row: int
    lists: NDArray[np.int64]
    keys: NDArray[np.uint64]
    shift: np.uint64
    starts: NDArray[np.uint32]
    tags: NDArray[np.uint16]
    rows: NDArray[np.uint32]
    marks: NDArray[np.uint64]
    patterns: PatternTable

    @classmethod
    def of(cls, snapshot: Snapshot, first_row: int, lists: NDArray[np.int64], *, threads: int = 1) -> Segment:
        """Build from the rows of some lists, from `first_row` on; `threads` share the buckets."""
        keys, is_pattern = snapshot.keys[first_row:], snapshot.is_pattern[first_row:]
        skip, count = is_pattern, len(keys)
        if len(lists) < len(snapshot.hotlists):
            elsewhere = np.ones(len(snapshot.hotlists), np.bool_)
            elsewhere[lists] = False
            skip = elsewhere[snapshot.list_row[first_row:]]
            is_pattern = is_pattern & ~skip
            count -= int(np.count_nonzero(skip))
            skip |= is_pattern
        bits = max(4, int(np.ceil(np.log2(max(1, count) * 8 / _ITEMS_PER_BUCKET))))
        shift = np.uint64(64 - bits)
        starts = np.zeros((1 << bits) + 1, np.uint32)
        _in_parts(1 << bits, threads, lambda part: placing.count_items(keys, skip, shift, part, starts))
        np.cumsum(starts, out=starts)
        tags = np.zeros(int(starts[-1]) + 1, np.uint16)
        rows = np.zeros(int(starts[-1]) + 1, np.uint32)
        _in_parts(
            1 << bits,
            threads,
            lambda part: placing.place_items(keys, skip, shift, part, starts, tags, rows),
        )
        wild = np.flatnonzero(is_pattern)
        patterns = PatternTable.of(keys[wild], wild + first_row)
        return cls(first_row, lists, keys, shift, starts, tags, rows, _marked(keys, skip, count), patterns)

    def moved(self, snapshot: Snapshot, lists: NDArray[np.int64]) -> Segment:
        """Return the same for the last rows of a snapshot, where the same entries are those of `lists`."""
        by = len(snapshot.keys) - len(self.keys) - self.first_row
        patterns = replace(self.patterns, rows=self.patterns.rows + by)
        keys = snapshot.keys[self.first_row + by :]
        return replace(self, first_row=self.first_row + by, lists=lists, keys=keys, patterns=patterns)


def _marked(keys: NDArray[np.uint64], skip: NDArray[np.bool_], count: int) -> NDArray[np.uint64]:
    if count > _MOST_MARKED:
        return np.zeros(0, np.uint64)
    words = min(_MOST_MARK_WORDS, max(1, count) * _MARK_WORDS_PER_ENTRY)
    marks = np.zeros(1 << int(np.ceil(np.log2(words))), np.uint64)
    kernels.mark_pairs(keys, skip, _marks_shift(marks), marks)
    return marks


def _marks_shift(marks: NDArray[np.uint64]) -> np.uint64:
    return np.uint64(64 - (64 * len(marks) - 1).bit_length())


def segments_of(snapshot: Snapshot, first_row: int = 0, *, threads: int = 1) -> tuple[Segment, ...]:
    """Build from all rows from `first_row` on: the lists with a prior of their own, and all others."""
    own = np.array([each.prior is not None for each in snapshot.hotlists], np.bool_)
    others = np.flatnonzero(~own)
    parts = [others, np.flatnonzero(own)] if own.any() and len(others) else [np.arange(len(own))]
    return tuple(Segment.of(snapshot, first_row, lists, threads=threads) for lists in parts)


def _in_parts(count: int, threads: int, work: Callable[[tuple[int, int]], None]) -> None:
    """Do work on each part of a range, each in a thread of its own."""
    edges = [count * number // threads for number in range(threads + 1)]
    if threads == 1:
        work((0, count))
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, itertools.pairwise(edges)))


class Index:
    """Finds entries by what they may be read as. Built once per snapshot, read by many threads.

    Parameters
    ----------
    snapshot
        The entries.
    base
        The segments of the same entries' first rows that another index holds already.
    """

    def __init__(self, snapshot: Snapshot, base: tuple[Segment, ...] = ()) -> None:
        self.base = base or segments_of(snapshot)
        end = max(each.first_row + len(each.keys) for each in self.base)
        side = segments_of(snapshot, end) if end < len(snapshot.keys) else ()
        self.side_rows = len(snapshot.keys) - end
        """How many entries are not in the base."""
        self.segments = (*self.base, *side)
        """Base and side, in order of their rows."""
        self._keys, self._list_row = snapshot.keys, snapshot.list_row
        self._removed = snapshot.removed

    @property
    def ranges(self) -> int:
        """How many ranges the base has: a read is looked up in each."""
        return len({each.first_row for each in self.base})

    def candidates(
        self,
        keys: NDArray[np.uint64],
        scores: Scores,
        prices: NDArray[np.float32],
        substitutions: int = 1,
        above: NDArray[np.float32] | None = None,
    ) -> Candidates:
        """Find the entries that reads may be, of which the likelihood is at least the read's floor.

        Parameters
        ----------
        keys
            uint64 ``(N,)``.
        scores, prices
            From `Posterior.prepare` and `Posterior.prices`.
        substitutions
            1, or 2 to look for two misread characters as well.
        above
            float32 ``(lists,)``: how far each list's bound is above the floors; None: they are all the same.

        Returns
        -------
        In no particular order. Exact matches and patterns are there whatever the floor, and every entry of a text
        of which one is there. An empty read has none.
        """
        parts: list[tuple[int, Candidates]] = []
        raised = [0.0 if above is None else float(above[each.lists].min(initial=np.inf)) for each in self.segments]
        for start in range(0, len(keys), _BATCH_READS):
            part = slice(start, start + _BATCH_READS)
            likely = (scores.emission, scores.emission_row[part], scores.shift[part], scores.floor[part], prices)
            pairs = (*likely[:3], scores.floor_two[part], prices)
            for segment, by in zip(self.segments, raised, strict=True):
                found = [_near(segment, keys[part], _raised(likely, by)), _patterns(segment, keys[part])]
                if substitutions > 1:
                    found.append(_two(segment, keys[part], _raised(pairs, by)))
                parts += [(start, each) for each in found if len(each)]
        if not parts:
            nobody = np.zeros(0, np.int64)
            return Candidates(nobody, nobody, np.zeros(0, np.uint8), np.zeros(0, np.float32))
        joined = Candidates(
            np.concatenate([each.read_row + start for start, each in parts]),
            np.concatenate([each.entry_row for _, each in parts]),
            np.concatenate([each.edit for _, each in parts]),
            np.concatenate([each.ratio for _, each in parts]),
        )
        if above is not None:
            joined = self._with_twins(joined, above[self._list_row[joined.entry_row]] < max(raised))
        return joined.chosen(~self._gone(joined.entry_row)) if len(self._removed) else joined

    def _with_twins(self, found: Candidates, low: NDArray[np.bool_]) -> Candidates:
        """Add what a higher floor left out of texts that a lower one let in: they are one vehicle."""
        near = found.chosen(low & (found.edit != kernels.EXACT) & (found.edit != PATTERN))
        if not len(near):
            return found
        texts, number = np.unique(self._keys[near.entry_row], return_inverse=True)
        asked, rows = self._exactly(texts)
        order = np.argsort(asked, kind="stable")
        first = np.searchsorted(asked[order], number)
        count = np.searchsorted(asked[order], number, side="right") - first
        each = np.repeat(np.arange(len(near)), count)
        behind = np.arange(len(each)) - np.repeat(np.cumsum(count) - count, count)
        twins = Candidates(
            near.read_row[each], rows[order][first[each] + behind], near.edit[each], near.ratio[each]
        )
        pairs = [one.read_row * len(self._keys) + one.entry_row for one in (found, twins)]
        _, new = np.unique(np.concatenate(pairs), return_index=True)
        both = (found, twins)
        return Candidates(
            np.concatenate([one.read_row for one in both]),
            np.concatenate([one.entry_row for one in both]),
            np.concatenate([one.edit for one in both]),
            np.concatenate([one.ratio for one in both]),
        ).chosen(new)

    def _gone(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which rows a delta took out; they are sorted, and may be many."""
        if not len(self._removed):
            return np.zeros(len(rows), np.bool_)
        place = np.minimum(np.searchsorted(self._removed, rows), len(self._removed) - 1)
        gone: NDArray[np.bool_] = self._removed[place] == rows
        return gone

    def _exactly(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the entries of plates: rows of `keys`, and entry rows, removed ones too."""
        nothing = np.zeros((len(keys), alphabet.SLOTS), np.int32)
        shift, never = np.zeros(len(keys), np.float32), np.full(len(keys), np.inf, np.float32)
        likely = (np.zeros((1, 64), np.float32), nothing, shift, never, np.zeros(8, np.float32))
        near = [_near(segment, keys, likely) for segment in self.segments]
        parts = [each.chosen(each.edit == kernels.EXACT) for each in near]
        return (
            np.concatenate([each.read_row for each in parts]),
            np.concatenate([each.entry_row for each in parts]),
        )

    def rows_of(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the entries whose plate or pattern is written exactly so: rows of `keys`, and entry rows."""
        asked, rows = ([each] for each in self._exactly(keys))
        for segment in self.segments:
            wild = np.unique(segment.patterns.rows)
            same = segment.keys[wild - segment.first_row][None, :] == keys[:, None]
            which, pattern = np.nonzero(same)
            asked.append(which)
            rows.append(wild[pattern])
        every = np.concatenate(rows)
        alive = ~self._gone(every)
        return np.concatenate(asked)[alive], every[alive]


def _raised(likely: kernels.Likelihoods, by: float) -> kernels.Likelihoods:
    """Raise the floors to the least bound of a segment's lists."""
    return (*likely[:3], likely[3] + np.float32(by), likely[4]) if by > 0.0 else likely


def _near(segment: Segment, keys: NDArray[np.uint64], likely: kernels.Likelihoods) -> Candidates:
    probes = _PROBES_PER_READ * len(keys)
    plan = (np.empty((probes, 2), np.uint64), np.empty((probes, 3), np.uint32), np.empty((probes, 2), np.uint8))
    count = kernels.plan_probes(keys, segment.shift, segment.starts, plan)
    room = max(256, 2 * len(keys))
    while True:
        found = _room(room)
        kept = kernels.scan_probes(keys, count, plan, segment.tags, likely, found)
        if kept <= room:
            break
        room = kept
    kept = kernels.confirm(kept, plan, found, segment.rows, segment.keys)
    return _as_candidates(segment, found, kept)


def _two(segment: Segment, keys: NDArray[np.uint64], likely: kernels.Likelihoods) -> Candidates:
    if len(segment.marks):
        may_be = np.zeros(len(keys), np.bool_)
        kernels.has_pair(keys, _marks_shift(segment.marks), segment.marks, may_be)
        asked = np.flatnonzero(may_be)
        some = (likely[0], likely[1][asked], likely[2][asked], likely[3][asked], likely[4])
        found = _two_of(segment, keys[asked], some)
        return Candidates(asked[found.read_row], found.entry_row, found.edit, found.ratio)
    return _two_of(segment, keys, likely)


def _two_of(segment: Segment, keys: NDArray[np.uint64], likely: kernels.Likelihoods) -> Candidates:
    table = (segment.shift, segment.starts, segment.tags, segment.rows, segment.keys)
    best = likely[0].max(axis=1)
    room = max(256, 2 * len(keys))
    while True:
        found = _room(room)
        kept = kernels.find_two(keys, table, likely, best, found)
        if kept <= room:
            return _as_candidates(segment, found, kept)
        room = kept


def _patterns(segment: Segment, keys: NDArray[np.uint64]) -> Candidates:
    reads, entries = segment.patterns.pairs(keys)
    return Candidates(reads, entries, np.full(len(reads), PATTERN, np.uint8), np.zeros(len(reads), np.float32))


def _room(count: int) -> kernels.Found:
    return np.empty((count, 2), np.uint32), np.empty((count, 3), np.uint8), np.empty(count, np.float32)


def _as_candidates(segment: Segment, found: kernels.Found, count: int) -> Candidates:
    pairs, edits, ratios = found
    return Candidates(
        pairs[:count, 0].astype(np.int64),
        pairs[:count, 1].astype(np.int64) + segment.first_row,
        edits[:count, 0].copy(),
        ratios[:count].copy(),
    )
