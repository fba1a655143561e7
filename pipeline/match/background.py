"""The traffic that is on no list: how likely a read is when the vehicle is any other.

Every series of `plates.syntax` is uniform over its texts and slots are read one by one, so that the chance of a
read, summed over *all* texts of a series, is a product over slots of a mean over the slot's characters. Nothing
is sampled and no neighbour is left out. A character missed or made up turns a series into series one shorter or
longer (`Background.of` writes them out and joins equal ones). Texts of no series (personalised, foreign, newer
than the tables) are uniform over each length.

Likelihoods are ratios to that of the text as it was read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.match.kernels import character, compiled, length_of
from plates import alphabet
from plates.confusion import Confusion
from plates.syntax import Series, SeriesTable

UNKNOWN_SERIES_SHARE: Final = 0.01
"""Share of passages whose text is of no known series."""

ANY_CHARACTER: Final = alphabet.CHARACTERS
_MADE_UP: Final = ""
_LAST: Final = len(alphabet.CHARACTERS)


Tables = tuple[
    NDArray[np.bool_], NDArray[np.float64], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64],
    NDArray[np.uint8], NDArray[np.int64], NDArray[np.float64],
]  # fmt: skip
"""``member, size, classes, shared, weight, edits, starts, unknown`` of a `Background`."""

SeriesBits = tuple[NDArray[np.uint64], NDArray[np.float64], NDArray[np.uint16]]
"""``bits, density, country`` of a `plates.syntax.SeriesTable`."""


@dataclass(frozen=True, slots=True)
class Background:
    """Series as classes of characters, by the length that is read.

    Attributes
    ----------
    table
        The series as bits.
    member
        bool ``(C, 64)``: class, code.
    size
        float64 ``(C,)``: characters per class; 1 for that of a made-up character.
    classes
        uint8 ``(V, SLOTS)``: the class of each slot.
    shared
        uint8 ``(V,)``: how many first slots have the classes of the row before, so that a product over them is
        made once.
    weight
        float64 ``(V,)``: share of passages, times the price of a missed or made-up character.
    edits
        uint8 ``(V,)``: 1 where that price is in `weight`.
    starts
        int64 ``(SLOTS + 2,)``: rows ``starts[n]`` to ``starts[n + 1]`` are read as n characters.
    unknown
        float64 ``(SLOTS + 1,)``: share of passages of each single text of a length, in no series.
    """

    table: SeriesTable
    member: NDArray[np.bool_]
    size: NDArray[np.float64]
    classes: NDArray[np.uint8]
    shared: NDArray[np.uint8]
    weight: NDArray[np.float64]
    edits: NDArray[np.uint8]
    starts: NDArray[np.int64]
    unknown: NDArray[np.float64]

    @classmethod
    def of(cls, series: Sequence[Series], confusion: Confusion) -> Background:
        """Build the tables. Class 0 is every character, class 1 a made-up one."""
        weights: dict[tuple[tuple[str, ...], int], float] = defaultdict(float)
        for each in series:
            slots = each.slots
            weights[slots, 0] += each.share
            for slot in range(len(slots)):
                if len(slots) > 1:
                    weights[slots[:slot] + slots[slot + 1 :], 1] += each.share * confusion.missed
            for slot in range(len(slots) + 1):
                if len(slots) < alphabet.SLOTS:
                    longer = (*slots[:slot], _MADE_UP, *slots[slot:])
                    weights[longer, 1] += each.share * confusion.extra / len(alphabet.CHARACTERS)
        names = [ANY_CHARACTER, _MADE_UP]
        names += sorted({slot for slots, _ in weights for slot in slots} - set(names))
        number = {name: row for row, name in enumerate(names)}
        ordered = sorted(
            weights.items(), key=lambda item: (len(item[0][0]), [number[slot] for slot in item[0][0]])
        )
        classes = np.zeros((len(ordered), alphabet.SLOTS), np.uint8)
        for row, ((slots, _), _) in enumerate(ordered):
            classes[row, : len(slots)] = [number[slot] for slot in slots]
        lengths = np.array([len(slots) for (slots, _), _ in ordered])
        shared = np.zeros(len(ordered), np.uint8)
        shared[1:] = (classes[1:] == classes[:-1]).cumprod(axis=1).sum(axis=1)
        member = np.zeros((len(names), 64), np.bool_)
        for row, name in enumerate(names):
            member[row, alphabet.encode(list(name))[:, 0]] = True
        each_length = UNKNOWN_SERIES_SHARE / alphabet.SLOTS
        return cls(
            table=SeriesTable.of(series),
            member=member,
            size=np.array([max(1, len(name)) for name in names], np.float64),
            classes=classes,
            shared=np.minimum(shared, lengths - 1).astype(np.uint8),
            weight=np.array([weight for _, weight in ordered], np.float64),
            edits=np.array([edits for (_, edits), _ in ordered], np.uint8),
            starts=np.searchsorted(lengths, np.arange(alphabet.SLOTS + 2)),
            unknown=each_length
            * float(len(alphabet.CHARACTERS)) ** -np.arange(alphabet.SLOTS + 1, dtype=np.float64),
        )

    @property
    def tables(self) -> Tables:
        """What `unlisted_of` takes."""
        return (
            self.member, self.size, self.classes, self.shared, self.weight, self.edits, self.starts, self.unknown
        )  # fmt: skip

    @property
    def series(self) -> SeriesBits:
        """What `density_of` takes."""
        return self.table.bits, self.table.density, self.table.country

    def off_sums(self, emission: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sum the ratios of each class's characters other than the one read.

        Parameters
        ----------
        emission
            float32 ``(R, 64)``, log-likelihood ratios; minus infinity at the character read.

        Returns
        -------
        float64 ``(R, C)``.
        """
        sums: NDArray[np.float64] = np.exp(emission.astype(np.float64)) @ self.member.T.astype(np.float64)
        return sums


@compiled
def density_of(key: np.uint64, series: SeriesBits, country: np.uint16) -> float:
    """Share of passages that the text `key` itself has, in its series of `country` (0: of any)."""
    bits, density, countries = series
    total = 0.0
    for word in range(bits.shape[2]):
        fits = ~np.uint64(0)
        for slot in range(bits.shape[0]):
            fits &= bits[slot, np.int64(character(key, slot)), word]
        number = word * 64
        while fits:
            if fits & np.uint64(1) and (country == 0 or countries[number] == country):
                total += density[number]
            fits >>= np.uint64(1)
            number += 1
    return total


@compiled
def unlisted_of(
    key: np.uint64,
    emission_row: NDArray[np.int32],
    scale: float,
    likelihoods: tuple[NDArray[np.float32], NDArray[np.float64]],
    tables: Tables,
) -> tuple[float, float]:
    """Chance of the read when the vehicle is of a series, and when it is of none; ratios to the text as read.

    Parameters
    ----------
    emission_row
        int32 ``(SLOTS,)``: row of `off` for each slot of this read.
    scale
        Factor on each misreading, from the read's confidence.
    likelihoods
        The emission and its `Background.off_sums`, of which rows that are NaN are filled in.
    tables
        Of the `Background`.
    """
    member, size, classes, shared, weight, edits, starts, unknown = tables
    emission, off = likelihoods
    length = length_of(key)
    means = np.empty((length, len(size)))
    outside = unknown[length]
    for slot in range(length):
        code = np.int64(character(key, slot))
        row = emission_row[slot]
        if np.isnan(off[row, 0]):
            for kind in range(len(size)):
                off[row, kind] = 0.0
            for true in range(1, _LAST + 1):
                chance = np.exp(np.float64(emission[row, true]))
                for kind in range(len(size)):
                    off[row, kind] += chance * member[kind, true]
        for kind in range(len(size)):
            means[slot, kind] = (member[kind, code] + scale * off[row, kind]) / size[kind]
        outside *= means[slot, 0] * size[0]
        means[slot, 1] = 1.0
    total = 0.0
    products = np.ones(length + 1)
    for number in range(starts[length], starts[length + 1]):
        # The first row of a length may share slots with the last of the length before.
        begin = shared[number] if number > starts[length] else 0
        for slot in range(begin, length):
            products[slot + 1] = products[slot] * means[slot, classes[number, slot]]
        total += products[length] * weight[number] * (scale if edits[number] else 1.0)
    return total, outside
