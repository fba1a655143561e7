"""How a plate's characters are misread: P(seen character | true character), and characters missed or made up.

`neutral` is the prior that holds without data. It says who is taken for whom, from three sources that agree
on the classes: the letters that registries leave out for being too alike (I, O, Q in Belgium; also C in the
Netherlands, U in France), the groups that commercial readers offer as "equivalent" (0/O/Q/D, 1/I/L, 8/B, 5/S,
2/Z, 6/G), and the stroke-level likeness of DIN 1451 and similar capitals (V/Y, U/V, M/N/H/W, P/R/F, E/F, C/G,
K/X, T/7/1/Y, 4/A, 3/8, 6/8, 9/8). `estimate` learns from labelled pairs and leans on the neutral prior where there
are few.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plates import alphabet

COUNT: Final = len(alphabet.CHARACTERS)
FORMAT: Final = "kruispunt-confusion-1"

NEUTRAL_ERROR: Final = 0.015
"""Chance that a character is misread: a plate of seven is wholly right in nine of ten reads."""
NEUTRAL_MISSED: Final = 0.0015
NEUTRAL_EXTRA: Final = 0.001
NEUTRAL_SWAP: Final = 0.00005
_ELSEWHERE: Final = 0.12
"""Share of misreadings that fall outside the look-alikes, spread evenly."""
_STRONG: Final = "0O 0D 0Q OQ OD DQ 1I 1L IL 8B 5S 2Z 6G VY UV MN EF CG 17"
_WEAK: Final = (
    "1T 7T 4A 38 68 89 B3 56 S8 NH MH MW NW PR PF FT KX XY TY 7Z 27 IT JI OC 0C C6 GO UJ U0 "
    "BR BE HK 3S 9P 0G UD LE 69"
)


class ConfusionFileError(ValueError):
    """The file is no confusion table, or has labelled pairs that cannot be used; says where and why."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """A reader's misreadings.

    Attributes
    ----------
    matrix
        float64 ``(37, 37)``: P(seen | true, neither missed nor swapped) at ``[true code, seen code]``; row and
        column 0 are empty, each other row sums to 1, and no character is impossible.
    missed, extra
        Chance that a character goes unread, and that one is read where there is none.
    swap
        Chance that two neighbours change places.
    """

    matrix: NDArray[np.float64]
    missed: float = NEUTRAL_MISSED
    extra: float = NEUTRAL_EXTRA
    swap: float = NEUTRAL_SWAP

    @property
    def error(self) -> float:
        """Mean chance that a character is misread."""
        return float(1.0 - np.diag(self.matrix)[1:].mean())

    def save(self, path: Path) -> None:
        """Write as JSON that a person can read."""
        document = {
            "format": FORMAT,
            "characters": alphabet.CHARACTERS,
            "missed": self.missed,
            "extra": self.extra,
            "swap": self.swap,
            "matrix": [[round(value, 8) for value in row] for row in self.matrix[1:, 1:].tolist()],
        }
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Confusion:
    """Read what `Confusion.save` wrote.

    Raises
    ------
    OSError
        The file cannot be read.
    ConfusionFileError
        It is something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT or document["characters"] != alphabet.CHARACTERS:
            raise ConfusionFileError(f"{path}: not of format {FORMAT}")
        inner = np.array(document["matrix"], np.float64)
        rates = [float(document[name]) for name in ("missed", "extra", "swap")]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfusionFileError(f"{path}: no confusion table: {error}") from error
    if inner.shape != (COUNT, COUNT) or not (inner > 0).all() or not all(0 < rate < 1 for rate in rates):
        raise ConfusionFileError(f"{path}: the matrix is not {COUNT} x {COUNT} chances above 0")
    return Confusion(_framed(inner), *rates)


def neutral() -> Confusion:
    """The documented prior that holds without data."""
    alike = np.zeros((COUNT, COUNT))
    for weight, pairs in ((1.0, _STRONG), (0.35, _WEAK)):
        for pair in pairs.split():
            a, b = (alphabet.CHARACTERS.index(each) for each in pair)
            alike[a, b] = alike[b, a] = weight
    share = alike / np.maximum(alike.sum(axis=1, keepdims=True), 1.0)
    spread = (1.0 - share.sum(axis=1, keepdims=True)) + _ELSEWHERE
    others = (1.0 - np.eye(COUNT)) / (COUNT - 1)
    wrong = share + spread * others
    matrix = NEUTRAL_ERROR * wrong / wrong.sum(axis=1, keepdims=True)
    np.fill_diagonal(matrix, 1.0 - NEUTRAL_ERROR)
    return Confusion(_framed(matrix))


def estimate(
    pairs: Iterable[tuple[str, str]], *, prior: Confusion | None = None, strength: float = 200.0
) -> Confusion:
    """Estimate from pairs (seen, true) of normalised texts.

    A pair of equal length counts its characters, unless it is only two neighbours swapped; one that differs by
    one character in length counts a missed or made-up character. Pairs that agree in less than half of their
    slots are two different plates, not a misreading, and count for nothing.

    Parameters
    ----------
    prior
        What is believed before; `neutral` by default.
    strength
        How many observations of each character the prior is worth.
    """
    before = prior or neutral()
    counts = before.matrix[1:, 1:] * strength
    slots = strength * COUNT
    missed, extra, swap = before.missed * slots, before.extra * slots, before.swap * slots
    for seen, true in pairs:
        if not seen or not true:
            continue
        slots += len(true)
        if len(seen) == len(true) - 1 and _drops_to(true, seen):
            missed += 1
        elif len(seen) == len(true) + 1 and _drops_to(seen, true):
            extra += 1
        elif len(seen) == len(true):
            wrong = [slot for slot in range(len(true)) if seen[slot] != true[slot]]
            if len(wrong) == 2 and wrong[1] == wrong[0] + 1 and _swapped(seen, true, wrong[0]):
                swap += 1
            elif 2 * len(wrong) <= len(true):
                _count(counts, seen, true)
    return Confusion(_framed(counts), missed / slots, extra / slots, swap / slots)


def _count(counts: NDArray[np.float64], seen: str, true: str) -> None:
    for read, real in zip(seen, true, strict=True):
        column, row = alphabet.CHARACTERS.find(read), alphabet.CHARACTERS.find(real)
        if column >= 0 and row >= 0:
            counts[row, column] += 1


def _drops_to(longer: str, shorter: str) -> bool:
    return any(longer[:slot] + longer[slot + 1 :] == shorter for slot in range(len(longer)))


def _swapped(seen: str, true: str, slot: int) -> bool:
    return seen[slot] == true[slot + 1] and seen[slot + 1] == true[slot]


def read_pairs(path: Path, columns: tuple[str, str] = ("seen", "true")) -> list[tuple[str, str]]:
    """Read a CSV of labelled pairs with the columns ``seen`` and ``true``.

    Raises
    ------
    OSError
        The file cannot be read.
    ConfusionFileError
        A column is missing.
    """
    from plates.normalise import normalise

    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        lacking = [name for name in columns if name not in (reader.fieldnames or ())]
        if lacking:
            raise ConfusionFileError(f"{path}: line 1: no column {' and no column '.join(lacking)}")
        rows = [(row[columns[0]] or "", row[columns[1]] or "") for row in reader]
    return list(zip(normalise([seen for seen, _ in rows]), normalise([true for _, true in rows]), strict=True))


def _framed(inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring rows to a sum of 1 and put the empty row and column of "no character" around."""
    framed = np.zeros((COUNT + 1, COUNT + 1))
    framed[1:, 1:] = inner / inner.sum(axis=1, keepdims=True)
    return framed
