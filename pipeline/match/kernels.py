"""Compiled inner loops of the index: a plate's key, its one-character deletions, and the table of them.

Keys are `plates.alphabet` keys. Everything here releases the GIL. All arithmetic on keys is explicitly uint64:
mixed with signed integers it would silently become floating point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., object])

Plan = tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint8]]
"""What is looked up: ``(P, 2)`` text and fingerprint; ``(P, 3)`` read row, where its bucket begins and ends;
``(P, 2)`` first and last slot of the run that a character is taken from, or `WHOLE`."""

Likelihoods = tuple[
    NDArray[np.float32], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]
]
"""``emission, emission_row, shift, floor`` as in `pipeline.match.posterior.Scores`, and the price by edit."""

Found = tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.float32]]
"""``(C, 2)`` read and entry; ``(C, 3)`` edit, slot, code; ``(C,)`` log-likelihood ratio."""

WHOLE: Final = 15
"""Slot number of a table item that is a whole plate, not one without a character."""

EXACT: Final = 0
NEAR_SUBSTITUTION: Final = 1
"""One character was read as another."""
NEAR_MISSED: Final = 2
"""The entry has a character that was not read."""
NEAR_EXTRA: Final = 3
"""A character was read that the entry lacks."""
NEAR_SWAP: Final = 4
"""Two neighbours changed places."""
NEAR_TWO: Final = 5
"""Two characters were read as others."""

_SLOTS: Final = 10
_LAST_CODE: Final = 36
_AHEAD: Final = 256
_NEVER: Final = np.uint16(0xFFFF)
_U0: Final = np.uint64(0)
_U1: Final = np.uint64(1)
_U6: Final = np.uint64(6)
_U9: Final = np.uint64(9)
_U10: Final = np.uint64(10)
_U15: Final = np.uint64(15)
_U63: Final = np.uint64(63)
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_U32: Final = np.uint64(32)


def compiled(function: F) -> F:
    """Compile with numba, kept on disk between processes, without the GIL."""
    return cast(F, numba.njit(cache=True, nogil=True, boundscheck=False)(function))


@compiled
def length_of(key: np.uint64) -> int:
    """Count the characters of a key: 0 to 10."""
    length = _SLOTS
    while length > 0 and key & _U63 == _U0:
        key >>= _U6
        length -= 1
    return length


@compiled
def character(key: np.uint64, slot: int) -> np.uint64:
    """Code at `slot`, counted from the left."""
    return (key >> (_U6 * (_U9 - np.uint64(slot)))) & _U63


@compiled
def without(key: np.uint64, slot: int) -> np.uint64:
    """Take the character at `slot` out; what follows moves left."""
    at = _U6 * (_U9 - np.uint64(slot))
    above = at + _U6
    low = key & ((_U1 << at) - _U1)
    return ((key >> above) << above) | (low << _U6)


@compiled
def inserted(key: np.uint64, slot: int, code: np.uint64) -> np.uint64:
    """Inverse of `without`: put `code` in at `slot`; what follows moves right."""
    at = _U6 * (_U9 - np.uint64(slot))
    above = at + _U6
    low = key & ((_U1 << above) - _U1)
    return ((key >> above) << above) | (code << at) | (low >> _U6)


@compiled
def hashed(key: np.uint64) -> np.uint64:
    """Mix a key: the high bits choose the bucket, bits 0 to 5 are the fingerprint."""
    key = (key ^ (key >> _U32)) * _MIX
    return key ^ (key >> _U32)


@compiled
def tag_of(mixed: np.uint64, slot: int, code: np.uint64) -> np.uint16:
    """Sixteen bits about a table item: fingerprint (6), slot taken out (4), character taken out (6)."""
    return np.uint16(((mixed & _U63) << _U10) | (np.uint64(slot) << _U6) | code)


@compiled
def plan_probes(
    keys: NDArray[np.uint64],
    shift: np.uint64,
    starts: NDArray[np.uint32],
    plan: Plan,
) -> int:
    """Write what each read looks up: itself, and itself without each distinct character.

    Returns
    -------
    Number of probes. That buckets' bounds are read here, and their items in the next loop, lets the processor
    wait for many of them at once.
    """
    probes, spans, slots = plan
    count = 0
    for row in range(len(keys)):
        key = keys[row]
        if key == _U0:
            continue
        length = length_of(key)
        slot = -1
        while slot < length:
            last = slot
            text = key
            if slot >= 0:
                code = character(key, slot)
                while last + 1 < length and character(key, last + 1) == code:
                    last += 1
                text = without(key, slot)
            mixed = hashed(text)
            bucket = mixed >> shift
            probes[count, 0] = text
            probes[count, 1] = mixed & _U63
            spans[count, 0] = row
            spans[count, 1] = starts[bucket]
            spans[count, 2] = starts[bucket + _U1]
            slots[count, 0] = WHOLE if slot < 0 else slot
            slots[count, 1] = WHOLE if slot < 0 else last
            count += 1
            slot = last + 1
    return count


@compiled
def edit_of(key: np.uint64, first: int, last: int, slot: int, code: np.uint64) -> int:
    """Say what a probe and an item that share a text mean for read `key`; -1 where another pair says it."""
    if first == WHOLE:
        if slot == WHOLE:
            return EXACT
        # Of a run of one character the entry has one more: the first place speaks for all.
        return -1 if slot > 0 and character(key, slot - 1) == code else NEAR_MISSED
    if slot == WHOLE:
        return NEAR_EXTRA
    own = character(key, first)
    if first <= slot <= last:
        return NEAR_SUBSTITUTION if code != own else -1
    return NEAR_SWAP if slot == last + 1 and code == own else -1


@compiled
def touched(spans: NDArray[np.uint32], tags: NDArray[np.uint16], begin: int, end: int) -> np.uint16:
    """Read the first and last tag of each bucket: a loop without a branch, so that many are fetched at once."""
    both = np.uint16(0)
    for probe in range(begin, end):
        last = max(spans[probe, 1], spans[probe, 2] - np.uint32(1))
        both ^= tags[spans[probe, 1]] ^ tags[last]
    return both


@compiled
def scan_probes(
    keys: NDArray[np.uint64], count: int, plan: Plan, tags: NDArray[np.uint16], likely: Likelihoods, found: Found
) -> int:
    """Go through the buckets; keep the items whose edit is likely enough. Exact ones are always kept.

    Returns
    -------
    Number of items; more than `found` has room for when they did not fit, and then it must be done again.
    """
    probes, spans, slots = plan
    emission, emission_row, shift, floor, prices = likely
    pairs, edits, ratios = found
    kept = 0
    ahead = np.uint16(0)
    for probe in range(count):
        if probe % _AHEAD == 0:
            ahead |= touched(spans, tags, probe, min(count, probe + _AHEAD))
        wanted = probes[probe, 1]
        row = spans[probe, 0]
        for item in range(spans[probe, 1], spans[probe, 2]):
            tag = np.uint64(tags[item])
            if tag >> _U10 != wanted:
                continue
            slot = int((tag >> _U6) & _U15)
            code = tag & _U63
            edit = edit_of(keys[row], slots[probe, 0], slots[probe, 1], slot, code)
            if edit < 0:
                continue
            ratio = np.float32(0.0)
            if edit == NEAR_SUBSTITUTION:
                ratio = emission[emission_row[row, slot], np.int64(code)] + shift[row]
            elif edit != EXACT:
                ratio = prices[edit] + shift[row]
            if edit != EXACT and ratio < floor[row]:
                continue
            if kept < len(pairs):
                pairs[kept, 0] = probe
                pairs[kept, 1] = item
                edits[kept, 0] = edit
                edits[kept, 1] = slot
                edits[kept, 2] = code
                ratios[kept] = ratio
            kept += 1
    # Uses what was read ahead, or the compiler would leave the reading out.
    return kept if kept or ahead != _NEVER else 0


@compiled
def confirm(kept: int, plan: Plan, found: Found, rows: NDArray[np.uint32], entry_keys: NDArray[np.uint64]) -> int:
    """Keep what is truly an entry's text, in place; ``pairs`` become read row and entry row."""
    probes, spans, _ = plan
    pairs, edits, ratios = found
    for each in range(kept):
        pairs[each, 1] = rows[pairs[each, 1]]
    true = 0
    for each in range(kept):
        probe, entry = pairs[each, 0], pairs[each, 1]
        slot = int(edits[each, 1])
        text = probes[probe, 0]
        if slot != WHOLE:
            text = inserted(text, slot, np.uint64(edits[each, 2]))
        if entry_keys[entry] != text:
            continue
        pairs[true, 0] = spans[probe, 0]
        pairs[true, 1] = entry
        edits[true, 0] = edits[each, 0]
        ratios[true] = ratios[each]
        true += 1
    return true


@compiled
def with_code(key: np.uint64, slot: int, code: np.uint64) -> np.uint64:
    """Put `code` in the place of the character at `slot`."""
    at = _U6 * (_U9 - np.uint64(slot))
    return (key & ~(_U63 << at)) | (code << at)


@compiled
def _without_two(key: np.uint64, first: int, second: int) -> np.uint64:
    """Leave two characters open."""
    return with_code(with_code(key, first, _U63), second, _U63)


@compiled
def mark_pairs(
    keys: NDArray[np.uint64], skip: NDArray[np.bool_], shift: np.uint64, marks: NDArray[np.uint64]
) -> None:
    """Mark each plate with each two of its characters left open; `marks` are bits, 64 in a word."""
    for row in range(len(keys)):
        if skip[row]:
            continue
        for second in range(1, length_of(keys[row])):
            for first in range(second):
                bit = hashed(_without_two(keys[row], first, second)) >> shift
                marks[bit >> _U6] |= _U1 << (bit & _U63)


@compiled
def has_pair(
    keys: NDArray[np.uint64], shift: np.uint64, marks: NDArray[np.uint64], found: NDArray[np.bool_]
) -> None:
    """Say which reads may be two characters from a plate that is marked: never no where one is."""
    for row in range(len(keys)):
        for second in range(1, length_of(keys[row])):
            for first in range(second):
                bit = hashed(_without_two(keys[row], first, second)) >> shift
                found[row] |= (marks[bit >> _U6] >> (bit & _U63)) & _U1 != _U0


@compiled
def find_two(
    keys: NDArray[np.uint64],
    table: tuple[np.uint64, NDArray[np.uint32], NDArray[np.uint16], NDArray[np.uint32], NDArray[np.uint64]],
    likely: Likelihoods,
    best: NDArray[np.float32],
    found: Found,
) -> int:
    """Find entries at two substitutions: each likely enough first one is made, each second one looked up.

    Parameters
    ----------
    table
        Shift, starts, tags and rows of the table, and the entries' keys.
    best
        float32 ``(R,)``: the largest of each row of the emission.

    Returns
    -------
    As `scan_probes`; what is in `found` is confirmed.
    """
    emission, emission_row, shift, floor, _ = likely
    kept = 0
    for row in range(len(keys)):
        key = keys[row]
        length = length_of(key)
        second = np.float32(-np.inf)
        for slot in range(length):
            second = max(second, best[emission_row[row, slot]])
        for slot in range(length - 1):
            if best[emission_row[row, slot]] + second + 2 * shift[row] < floor[row]:
                continue
            for code in range(1, _LAST_CODE + 1):
                ratio = emission[emission_row[row, slot], code] + shift[row]
                if ratio + second + shift[row] < floor[row] or character(key, slot) == np.uint64(code):
                    continue
                changed = with_code(key, slot, np.uint64(code))
                kept = _second_of(row, key, (slot, changed, ratio), table, likely, best, found, kept)
    return kept


@compiled
def _second_of(
    row: int,
    key: np.uint64,
    first: tuple[int, np.uint64, np.float32],
    table: tuple[np.uint64, NDArray[np.uint32], NDArray[np.uint16], NDArray[np.uint32], NDArray[np.uint64]],
    likely: Likelihoods,
    best: NDArray[np.float32],
    found: Found,
    kept: int,
) -> int:
    """Look up every second substitution, right of the first."""
    hash_shift, starts, tags, rows, entry_keys = table
    emission, emission_row, shift, floor, _ = likely
    pairs, edits, ratios = found
    before, changed, ratio = first
    for slot in range(before + 1, length_of(key)):
        if ratio + best[emission_row[row, slot]] + shift[row] < floor[row]:
            continue
        text = without(changed, slot)
        mixed = hashed(text)
        own = character(key, slot)
        for item in range(starts[mixed >> hash_shift], starts[(mixed >> hash_shift) + _U1]):
            tag = np.uint64(tags[item])
            code = tag & _U63
            if tag >> _U10 != mixed & _U63 or np.int64((tag >> _U6) & _U15) != slot or code == own:
                continue
            both = ratio + emission[emission_row[row, slot], np.int64(code)] + shift[row]
            swapped = slot == before + 1 and code == character(key, before) and own == character(changed, before)
            if both < floor[row] or swapped or entry_keys[rows[item]] != inserted(text, slot, code):
                continue
            if kept < len(pairs):
                pairs[kept, 0] = row
                pairs[kept, 1] = rows[item]
                edits[kept, 0] = NEAR_TWO
                ratios[kept] = both
            kept += 1
    return kept
