"""What one version of a list changes against another, on columns. An entry is a plate in a country.

Pure: numpy and the standard library.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hotlists.columns import Columns, Texts

Rows = NDArray[np.int64]

_COUNTRY_BITS: Final = 4
"""What a key leaves free of 64 bits."""
_COMPARED: Final = ("priority", "covert", "valid_from_ns", "valid_until_ns")


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows, int64: one per entry, also where an entry has several.

    Attributes
    ----------
    added, changed
        Rows of the new version.
    removed
        Rows of the old one.
    unchanged
        How many entries are in both and say the same.
    """

    added: Rows
    changed: Rows
    removed: Rows
    unchanged: int


def compare(old: Columns, new: Columns) -> Difference:
    """Find what `new` adds to, changes in and removes from `old`."""
    before, after = _identities(old, new)
    held, first_held, times_held = np.unique(before, return_index=True, return_counts=True)
    named, first_named, times_named = np.unique(after, return_index=True, return_counts=True)
    at = np.minimum(np.searchsorted(held, named), max(len(held) - 1, 0))
    both = held[at] == named if len(held) else np.zeros(len(named), np.bool_)
    gone = np.ones(len(held), np.bool_)
    gone[at[both]] = False
    differs = both.copy()
    single = both.copy()
    single[both] = (times_named[both] == 1) & (times_held[at[both]] == 1)
    mine, theirs = first_named[single], first_held[at[single]]
    old_reason, new_reason = _same_numbers(old.reasons, new.reasons)
    unlike = old_reason[theirs] != new_reason[mine]
    for name in _COMPARED:
        unlike |= getattr(old, name)[theirs] != getattr(new, name)[mine]
    differs[single] = unlike
    several = np.flatnonzero(both & ~single)
    if len(several):
        told_before = _told(old, old_reason, before, held[at[several]])
        told_after = _told(new, new_reason, after, named[several])
        differs[several] = [left != right for left, right in zip(told_before, told_after, strict=True)]
    return Difference(
        added=first_named[~both],
        changed=first_named[differs],
        removed=first_held[gone],
        unchanged=int(both.sum() - differs.sum()),
    )


def without(columns: Columns, gone: Columns) -> Columns:
    """Return `columns` without the entries that `gone` names."""
    own, others = _identities(columns, gone)
    return columns.chosen(~np.isin(own, others))


def only(columns: Columns, named: Columns) -> Columns:
    """Return those of `columns` that `named` names too."""
    own, others = _identities(columns, named)
    return columns.chosen(np.isin(own, others))


def joined(first: Columns, second: Columns) -> Columns:
    """Put the entries of `second` behind those of `first`."""
    left, right = first.reasons, second.reasons
    base = len(left.offsets) - 1
    reasons = Texts(
        np.concatenate([left.which, right.which + np.uint32(base)]),
        np.concatenate([left.arena, right.arena]),
        np.concatenate([left.offsets, right.offsets[1:] + left.offsets[-1]]),
    )
    names = ("keys", "country", *_COMPARED)
    plain = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names}
    return Columns(**plain, reasons=reasons)


def _identities(*columns: Columns) -> list[NDArray[np.uint64]]:
    """Give each row a number that is another's where plate and country are: uint64 of ``(N,)`` for each."""
    countries = np.unique(np.concatenate([each.country for each in columns]))
    if len(countries) <= 1 << _COUNTRY_BITS:
        plates = [each.keys for each in columns]
    else:
        _, number = np.unique(np.concatenate([each.keys for each in columns]), return_inverse=True)
        plates = np.split(number.astype(np.uint64), np.cumsum([len(each) for each in columns])[:-1])
    bits = np.uint64(max(_COUNTRY_BITS, len(countries).bit_length()))
    return [
        (plate << bits) | np.searchsorted(countries, each.country).astype(np.uint64)
        for plate, each in zip(plates, columns, strict=True)
    ]


def _same_numbers(old: Texts, new: Texts) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Number the reasons of both so that equal texts have equal numbers."""
    if np.array_equal(old.offsets, new.offsets) and np.array_equal(old.arena, new.arena):
        return old.which, new.which
    numbers: dict[bytes, int] = {}
    tables = []
    for texts in (old, new):
        raw, ends = texts.arena.tobytes(), texts.offsets.tolist()
        found = [numbers.setdefault(raw[begin:end], len(numbers)) for begin, end in itertools.pairwise(ends)]
        tables.append(np.array(found or [0], np.uint32))
    return (
        tables[0][old.which] if len(old) else old.which,
        tables[1][new.which] if len(new) else new.which,
    )


def _told(
    columns: Columns, reason: NDArray[np.uint32], identities: NDArray[np.uint64], wanted: NDArray[np.uint64]
) -> list[set[tuple[int, ...]]]:
    """All that the rows of each wanted entry say, as sets. `wanted` is sorted."""
    place = np.minimum(np.searchsorted(wanted, identities), len(wanted) - 1)
    rows = np.flatnonzero(wanted[place] == identities)
    told: list[set[tuple[int, ...]]] = [set() for _ in range(len(wanted))]
    values = [getattr(columns, name)[rows].tolist() for name in _COMPARED]
    for entry, *said in zip(place[rows].tolist(), reason[rows].tolist(), *values, strict=True):
        told[entry].add(tuple(said))
    return told
