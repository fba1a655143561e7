"""Which texts are plausible where: the national series, asked of a whole column at once.

A text that fits no series is never refused or changed by what stands here: plates are personalised, foreign,
older than the tables or newer. It only makes a misreading the likelier explanation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plates import alphabet
from plates.series import COUNTRY_SHARES, LETTERS, SERIES

_DIGITS: Final = "0123456789"
_ALL_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TOKEN: Final = re.compile(r"\[([^\]]+)\]|(.)")
_RANGE: Final = re.compile(r"(.)-(.)")


@dataclass(frozen=True, slots=True)
class Series:
    """One way in which a country's plates are made up."""

    country: str
    name: str
    slots: tuple[str, ...]
    """The characters that each slot may hold, sorted."""
    share: float
    """Share of all passages, 0 to 1."""

    @property
    def size(self) -> int:
        """How many texts the series has."""
        product = 1
        for slot in self.slots:
            product *= len(slot)
        return product


def compile_template(template: str, letters: str = _ALL_LETTERS) -> tuple[str, ...]:
    """Turn a template of `plates.series` into the characters that each slot may hold.

    Raises
    ------
    ValueError
        The template has more than `alphabet.SLOTS` slots, or none.
    """
    kinds = {"d": _DIGITS, "n": _DIGITS[1:], "l": letters, "x": _ALL_LETTERS}
    slots = tuple(
        _expand(inside) if inside else "".join(sorted(kinds.get(single, single)))
        for inside, single in _TOKEN.findall(template)
    )
    if not 0 < len(slots) <= alphabet.SLOTS:
        raise ValueError(f"template {template!r}: {len(slots)} slots; a plate has 1 to {alphabet.SLOTS}")
    return slots


def _expand(inside: str) -> str:
    listed = _RANGE.sub(
        lambda found: "".join(chr(each) for each in range(ord(found[1]), ord(found[2]) + 1)), inside
    )
    return "".join(sorted(set(listed)))


@cache
def all_series() -> tuple[Series, ...]:
    """Every known series; the shares of all of them sum to at most 1."""
    return tuple(
        Series(
            country,
            name,
            compile_template(template, LETTERS.get(country, _ALL_LETTERS)),
            share * COUNTRY_SHARES[country],
        )
        for country, name, template, share in SERIES
    )


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """Series as bits, so that one AND per slot finds all series that a text fits.

    Attributes
    ----------
    bits
        uint64 ``(SLOTS, 64, W)``: bit ``s % 64`` of word ``s // 64`` at slot, code: series s may have it there.
        Code `alphabet.PAD` fits behind a series' last slot.
    density
        float64 ``(S,)``: share of passages that each single text of the series has.
    country
        uint16 ``(S,)``: ``ord(a) << 8 | ord(b)``.
    """

    bits: NDArray[np.uint64]
    density: NDArray[np.float64]
    country: NDArray[np.uint16]

    @classmethod
    def of(cls, series: Sequence[Series]) -> SeriesTable:
        """Build the table of `series`."""
        words = max(1, -(-len(series) // 64))
        bits = np.zeros((alphabet.SLOTS, 64, words), np.uint64)
        for number, each in enumerate(series):
            mark = np.uint64(1) << np.uint64(number % 64)
            for slot in range(alphabet.SLOTS):
                inside = each.slots[slot] if slot < len(each.slots) else ""
                codes = alphabet.encode(list(inside))[:, 0] if inside else [alphabet.PAD]
                bits[slot, codes, number // 64] |= mark
        density = np.array([each.share / each.size for each in series], np.float64)
        country = np.array([ord(each.country[0]) << 8 | ord(each.country[1]) for each in series], np.uint16)
        return cls(bits, density, country)

    def fits(self, codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which series each text fits: codes ``(N, SLOTS)`` to bool ``(N, S)``."""
        words = self.bits[0, codes[:, 0]]
        for slot in range(1, alphabet.SLOTS):
            words = words & self.bits[slot, codes[:, slot]]
        flags = np.unpackbits(
            words.astype("<u8").view(np.uint8), axis=1, bitorder="little", count=len(self.density)
        )
        return flags.astype(np.bool_)


@cache
def table() -> SeriesTable:
    """The table of `all_series`."""
    return SeriesTable.of(all_series())


def plausible(codes: NDArray[np.uint8], country: str = "") -> NDArray[np.bool_]:
    """Say which texts fit a series of `country` (ISO alpha-2), or any: codes ``(N, SLOTS)`` to bool ``(N,)``."""
    fits = table().fits(codes)
    if country:
        packed = ord(country[0]) << 8 | ord(country[1]) if len(country) == 2 else 0
        fits = fits[:, table().country == packed]
    found: NDArray[np.bool_] = np.any(fits, axis=1)
    return found


def infer_country(codes: NDArray[np.uint8]) -> list[str]:
    """Name the likeliest country of each text, by the shares of the series it fits; empty where it fits none."""
    seen = table()
    names = sorted({each.country for each in all_series()})
    belongs = np.array([[each.country == name for name in names] for each in all_series()], np.float64)
    weights = (seen.fits(codes) * seen.density) @ belongs
    best = weights.argmax(axis=1)
    return [names[which] if weights[row, which] > 0 else "" for row, which in enumerate(best.tolist())]
