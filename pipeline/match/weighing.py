"""Compiled inner loops of the posterior: emissions, floors, and the sum over what a read may be."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.match.background import SeriesBits, Tables, density_of, unlisted_of
from pipeline.match.kernels import compiled, length_of
from plates import alphabet

PATTERN: Final = 6
"""`Candidates.edit` of a pattern that the read fits."""

OWN_TRUST: Final = 0.9
"""Weight of a read's own character probabilities; the rest is the confusion table's, for readers are surer
than they are right."""

Reads = tuple[
    NDArray[np.uint64], NDArray[np.int32], NDArray[np.float64], NDArray[np.float32], NDArray[np.float64]
]  # fmt: skip
"""Keys, rows of the emission by slot, factor on each misreading, emission, `Background.off_sums`."""

Entries = tuple[NDArray[np.uint64], NDArray[np.uint16], NDArray[np.float64]]
"""Each candidate's key, country and rate."""

_LAST: Final = len(alphabet.CHARACTERS)


@compiled
def own_emission(
    codes: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    turned: NDArray[np.float64],
    emission: NDArray[np.float32],
    rows: NDArray[np.int32],
) -> int:
    """Write ratios from the reads' own probabilities behind the first 64 rows; return the number of rows.

    What the listed characters leave of 1 is shared by the others; the confusion table's P(true | seen), in
    `turned`, is mixed in (`OWN_TRUST`). `rows` is set for the slots that have any.
    """
    used = 64
    mixed = np.empty(_LAST + 1)
    for read in range(len(codes)):
        for slot in range(codes.shape[1]):
            seen = np.int64(codes[read, slot])
            if not 0 < seen <= _LAST:
                continue
            total, unstated = 0.0, 0
            for code in range(1, _LAST + 1):
                chance = min(max(np.float64(probabilities[read, slot, code]), 0.0), 1.0)
                mixed[code] = chance
                total += chance
                unstated += chance == 0.0
            if total == 0.0:
                continue
            rest = max(0.0, 1.0 - total) / max(1, unstated)
            for code in range(1, _LAST + 1):
                chance = (rest if mixed[code] == 0.0 else mixed[code]) / max(1.0, total)
                mixed[code] = OWN_TRUST * chance + (1.0 - OWN_TRUST) * turned[seen - 1, code - 1]
            for code in range(emission.shape[1]):
                likely = 0 < code <= _LAST and code != seen
                emission[used, code] = np.log(mixed[code] / mixed[seen]) if likely else -np.inf
            rows[read, slot] = used
            used += 1
    return used


@compiled
def weigh(
    reads: Reads,
    series: SeriesBits,
    tables: Tables,
    odds: tuple[float, float],
    pairs: bool,
    out: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]],
) -> None:
    """Write each read's floors: what is left of `odds` against the unlisted vehicles that are known of so far.

    For one substitution that is the text as read alone, which no listed text takes anything from. For two, in
    a read of no series, it is all that the read may be.
    """
    keys, emission_row, scale, emission, off = reads
    floor, floor_two, unlisted = out
    unknown = tables[7]
    for row in range(len(keys)):
        own = density_of(keys[row], series, np.uint16(0))
        as_read = np.log(own + unknown[length_of(keys[row])])
        floor[row] = odds[0] + as_read
        if pairs and own == 0.0 and keys[row] != 0:
            inside, outside = unlisted_of(keys[row], emission_row[row], scale[row], (emission, off), tables)
            unlisted[row, 0], unlisted[row, 1] = inside, outside
            as_read = np.log(inside + outside)
        floor_two[row] = odds[1] + as_read


@compiled
def posteriors(
    reads: Reads,
    found: tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float32]],
    entries: Entries,
    series: SeriesBits,
    tables: Tables,
    out: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Write each candidate's posterior; a run of candidates of one read at a time."""
    keys, emission_row, scale, emission, off = reads
    read_row, edit, ratio = found
    unlisted, result = out
    unknown = tables[7]
    first = 0
    while first < len(read_row):
        row = read_row[first]
        last = first
        while last < len(read_row) and read_row[last] == row:
            last += 1
        if np.isnan(unlisted[row, 0]):
            inside, outside = unlisted_of(keys[row], emission_row[row], scale[row], (emission, off), tables)
            unlisted[row, 0], unlisted[row, 1] = inside, outside
        inside, outside = unlisted[row, 0], unlisted[row, 1]
        listed, taken, own_weight, own_taken = _listed(keys[row], first, last, found, entries, series)
        total = listed + max(inside - taken, 0.0) + outside
        as_read = density_of(keys[row], series, np.uint16(0)) - own_taken
        as_read = own_weight + max(as_read, 0.0) + unknown[length_of(keys[row])]
        for each in range(first, last):
            weight = as_read
            if edit[each] != PATTERN:
                weight = _best_rate(each, first, last, edit, entries) * np.exp(ratio[each])
            result[each] = min(1.0, weight / total)
        first = last


@compiled
def _best_rate(
    each: int,
    first: int,
    last: int,
    edit: NDArray[np.uint8],
    entries: Entries,
) -> float:
    """The largest rate among the entries of the same text: they are one vehicle."""
    keys, _, rates = entries
    best = float(rates[each])
    other = each
    while other > first and keys[other - 1] == keys[each]:
        other -= 1
    while other < last and keys[other] == keys[each]:
        if edit[other] != PATTERN:
            best = max(best, float(rates[other]))
        other += 1
    return best


@compiled
def _listed(
    key: np.uint64,
    first: int,
    last: int,
    found: tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float32]],
    entries: Entries,
    series: SeriesBits,
) -> tuple[float, float, float, float]:
    """Weight of all listed texts, what they take from the unlisted; and both for the text as read alone."""
    _, edit, ratio = found
    keys, country, _ = entries
    listed = taken = own_weight = own_taken = 0.0
    each = first
    while each < last:
        end = each
        share = 0.0
        plain = -1
        while end < last and keys[end] == keys[each]:
            if edit[end] != PATTERN:
                plain = end
                share = max(share, density_of(keys[end], series, country[end]))
            end += 1
        if plain >= 0:
            likely = np.exp(ratio[plain])
            listed += _best_rate(plain, first, last, edit, entries) * likely
            taken += share * likely
            if keys[plain] == key:
                own_weight = _best_rate(plain, first, last, edit, entries)
                own_taken = share
        each = end
    return listed, taken, own_weight, own_taken
