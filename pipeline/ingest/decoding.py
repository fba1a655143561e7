"""The text of a read: what its characters say, weighed with which plates there are.

A reader says of each slot what may be there. O and 0, I and 1, B and 8 look alike, and the likeliest character of
each slot may make a text that no country gives out, while one that is given out is nearly as likely. Then that is
the text. The probabilities themselves stay as they are: they are the reader's word alone, and the matcher weighs
them with the traffic by itself (`pipeline.match.background`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hotlists.columns import pack_country
from plates import alphabet
from plates.syntax import all_series

SERIES_WEIGHT: Final = 5.0
"""A text of a series is taken where it is at most so many times less likely than the likeliest text. The reader
knows most of the series by itself, from training in which three texts in ten were of none; on the road one in a
hundred is. A larger weight makes personalised plates into others (`training/LOG.md`)."""

_CLASSES: Final = len(alphabet.CHARACTERS) + 1
_LEAST: Final = 1e-9

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Patterns:
    """The series as classes of characters.

    Attributes
    ----------
    classes
        int64 ``(P, SLOTS)``: which class each slot is of.
    country
        uint16 ``(P,)``.
    members
        The codes of each class.
    outside
        float32 ``(K, 37)``: 0 for the codes of a class, minus infinity for others.
    """

    classes: NDArray[np.int64]
    country: NDArray[np.uint16]
    members: tuple[NDArray[np.int64], ...]
    outside: Floats


def likeliest(probabilities: Floats, country: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Say what is written on each plate.

    Parameters
    ----------
    probabilities
        float32 ``(N, SLOTS, 37)``: P(code) of each slot.
    country
        uint16 ``(N,)``, ``ord(a) << 8 | ord(b)``: only its series are weighed; 0: those of all.

    Returns
    -------
    Codes, uint8 ``(N, SLOTS)``.
    """
    codes: NDArray[np.uint8] = probabilities.argmax(axis=2).astype(np.uint8)
    # Where the likeliest text leaves less than this to all others together, none of them is likely enough.
    open_to_others = probabilities.max(axis=2).prod(axis=1) < SERIES_WEIGHT / (1 + SERIES_WEIGHT)
    rows = np.flatnonzero(open_to_others & codes.any(axis=1))
    if len(rows):
        codes[rows] = _weighed(probabilities[rows], country[rows], codes[rows])
    return codes


def _weighed(probabilities: Floats, country: NDArray[np.uint16], codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    patterns = _patterns()
    logs = np.log(np.maximum(probabilities, _LEAST)).astype(np.float32)
    # The likeliest character of each class, in each slot.
    best = np.stack([logs[:, :, members].max(axis=2) for members in patterns.members], axis=2)
    chances = np.zeros((len(logs), len(patterns.classes)), np.float32)
    for slot in range(alphabet.SLOTS):
        chances += best[:, slot, patterns.classes[:, slot]]
    elsewhere = (country[:, None] != 0) & (country[:, None] != patterns.country)
    chances[elsewhere] = -np.inf
    which = chances.argmax(axis=1)
    as_series = (logs + patterns.outside[patterns.classes[which]]).argmax(axis=2).astype(np.uint8)
    taken = chances[np.arange(len(logs)), which] + np.log(SERIES_WEIGHT) >= logs.max(axis=2).sum(axis=1)
    texts: NDArray[np.uint8] = np.where(taken[:, None], as_series, codes)
    return texts


@cache
def _patterns() -> _Patterns:
    written = sorted({(each.country, each.slots) for each in all_series()})
    names = ["", *sorted({slot for _, slots in written for slot in slots})]
    number = {name: row for row, name in enumerate(names)}
    outside = np.full((len(names), _CLASSES), -np.inf, np.float32)
    for row, name in enumerate(names):
        outside[row, alphabet.encode(list(name))[:, 0] if name else [alphabet.PAD]] = 0.0
    classes = np.zeros((len(written), alphabet.SLOTS), np.int64)
    for row, (_, slots) in enumerate(written):
        classes[row, : len(slots)] = [number[slot] for slot in slots]
    return _Patterns(
        classes,
        np.array([pack_country(each) for each, _ in written], np.uint16),
        tuple(np.flatnonzero(row == 0) for row in outside),
        outside,
    )
