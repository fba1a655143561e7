"""A vehicle that comes more than once in a file: which row holds.

1. A row that removes a plate and country overrules every row for it that comes before.
2. Of the rows with the same plate, country and validity, the last holds: lists grow at the end, and so do their
   corrections. Rows with different validities (a match on Saturday, another on Sunday) all hold.
3. No row loosens another: when one of a plate's rows that are left is covert, all of them are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hotlists.parsed import MAX_TOLD, RowNote
from plates import alphabet

_NONE: Final = np.zeros(0, np.int64)

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """Row indices, int64; the K-th of `overruled_by` overrules the K-th of `overruled`, and likewise."""

    overruled: Indices
    overruled_by: Indices
    tightened: Indices
    tightened_by: Indices


def find(arrays: Mapping[str, NDArray[Any]]) -> Found:
    """Find the duplicates among N rows.

    Parameters
    ----------
    arrays
        ``keys``, ``country``, ``valid_from_ns``, ``valid_until_ns``, ``covert`` and ``removes``, each ``(N,)``,
        in the order of the file.
    """
    ordered = np.sort(arrays["keys"])
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(repeated):
        return Found(_NONE, _NONE, _NONE, _NONE)
    del ordered
    place = np.minimum(np.searchsorted(repeated, arrays["keys"]), len(repeated) - 1)
    rows = np.flatnonzero(repeated[place] == arrays["keys"])
    rows = rows[np.lexsort((rows, arrays["country"][rows], arrays["keys"][rows]))]
    columns = {name: array[rows] for name, array in arrays.items()}
    starts = _starts(columns["keys"], columns["country"])
    group = _number(starts, len(rows))
    position = np.arange(len(rows))

    removal = np.maximum.reduceat(np.where(columns["removes"], position, -1), starts)[group]
    before = np.flatnonzero(position < removal)
    left = np.flatnonzero(position > removal)

    covert = np.where(columns["covert"] & (position > removal), position, len(rows))
    first_covert = np.minimum.reduceat(covert, starts)[group]
    loose = left[(first_covert[left] < len(rows)) & ~columns["covert"][left]]

    begin, end = columns["valid_from_ns"][left], columns["valid_until_ns"][left]
    alike = np.lexsort((left, end, begin, group[left]))
    left = left[alike]
    runs = _starts(group[left], begin[alike], end[alike])
    last = np.append(runs, len(left))[1:][_number(runs, len(left))] - 1
    earlier = np.flatnonzero(np.arange(len(left)) != last)

    return Found(
        overruled=rows[np.append(before, left[earlier])],
        overruled_by=rows[np.append(removal[before], left[last[earlier]])],
        tightened=rows[loose],
        tightened_by=rows[first_covert[loose]],
    )


def _starts(*columns: NDArray[Any]) -> Indices:
    """Where runs of equal rows begin."""
    count = len(columns[0])
    new = np.zeros(count, np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new)


def _number(starts: Indices, count: int) -> Indices:
    """Number the runs that begin at `starts`: for each of `count` rows, which it is in."""
    return np.repeat(np.arange(len(starts)), np.diff(np.append(starts, count)))


def notes(arrays: Mapping[str, NDArray[Any]], found: Found) -> Iterator[RowNote]:
    """Tell the first `MAX_TOLD` of what was found, by row."""
    affected = np.append(found.overruled, found.tightened)
    by = np.append(found.overruled_by, found.tightened_by)
    for which in np.argsort(affected, kind="stable")[:MAX_TOLD].tolist():
        row, other = int(affected[which]), int(by[which])
        number = int(arrays["row"][other])
        if which >= len(found.overruled):
            reason = f"row {number} lists the same plate and country as covert, so this one is covert too"
        elif arrays["removes"][other]:
            reason = f"row {number} removes the same plate and country; it comes later and holds"
        else:
            reason = f"the same plate, country and validity as row {number}, which comes later and holds"
        plate = alphabet.decode(alphabet.unpack(arrays["keys"][row : row + 1]))[0]
        yield RowNote(int(arrays["row"][row]), "plate", plate, reason)
