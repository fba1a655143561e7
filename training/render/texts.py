"""Make up what is written on plates: texts of the series, of any characters in their places, or personalised."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plates import alphabet
from plates.series import LETTERS
from training.render.layouts import TEMPLATES

BETWEEN: Final = "-.:*^; /"
"""What stands between characters, and between lines, in a template of `layouts`."""

_TOKEN: Final = re.compile(r"\[([^\]]+)\]|(.)")
_DIGITS: Final = "0123456789"
_ALL: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VOWELS: Final = "AEIOUY"
_CONSONANTS: Final = "BCDFGHJKLMNPQRSTVWXZ"
_UNIFORM: Final = 0.22
"""How often the text is any characters in the places of the series: what is on the plate must decide, not what
is usual."""
_SHAPELESS: Final = 0.08
"""How often even the places are any: personalised plates, and countries that are not here."""


def make_up(random: np.random.Generator, kind: str | None = None, *, usual: bool = False) -> tuple[str, str]:
    """Make up a text of a kind of plate, or of any: the kind, and what is written (`draw`)."""
    templates, weights = _templates(kind)
    number = int(random.choice(len(templates), p=weights))
    kind, template = templates[number]
    chance = 1.0 if usual else random.random()
    if chance < _SHAPELESS:
        return kind, _personal(random)
    at_random = chance < _SHAPELESS + _UNIFORM
    letters = LETTERS.get(kind[:2], _ALL)
    kinds = {"d": _DIGITS, "n": _DIGITS[1:], "l": letters, "x": letters if usual else _ALL}
    written = []
    for inside, single in _TOKEN.findall(template):
        if single and single in BETWEEN:
            written.append(single)
            continue
        choices = _expand(inside) if inside else kinds.get(single, single)
        if at_random:
            choices = anything(choices[0].isdigit(), random)
        written.append(str(random.choice(list(choices))))
    return kind, "".join(written)


def anything(is_digit: bool, random: np.random.Generator) -> str:
    """Any characters, but of those that many faces draw alike only the one that is usual in the place."""
    if random.random() < 0.5:
        return _DIGITS if is_digit else _ALL
    alike = "OI" if is_digit else "01"
    return "".join(each for each in alphabet.CHARACTERS if each not in alike)


def _personal(random: np.random.Generator) -> str:
    """A text of one to three runs of letters or digits: personalised plates, their letters often a word."""
    length = int(random.integers(4, 9))
    runs = []
    letters = bool(random.random() < 0.7)
    while length > 0:
        count = min(length, int(random.integers(1, 7)))
        if letters and random.random() < 0.6:
            runs.append(_word(count, random))
        else:
            runs.append("".join(random.choice(list(_ALL if letters else _DIGITS), count)))
        letters, length = not letters, length - count
    return str(random.choice(list("- *^"))).join(runs[:2]) + "".join(runs[2:])


def _word(length: int, random: np.random.Generator) -> str:
    """Letters that can be said: consonants and vowels by turns, now and then two of a kind."""
    vowel = bool(random.random() < 0.35)
    written = []
    for _ in range(length):
        written.append(str(random.choice(list(_VOWELS if vowel else _CONSONANTS))))
        vowel = not vowel if random.random() < 0.85 else vowel
    return "".join(written)


@cache
def _templates(kind: str | None) -> tuple[list[tuple[str, str]], NDArray[np.float64]]:
    chosen = [(each, weight, template) for each, weight, template in TEMPLATES if kind in (None, each)]
    weights = np.array([weight for _, weight, _ in chosen])
    return [(each, template) for each, _, template in chosen], weights / weights.sum()


def _expand(inside: str) -> str:
    return re.sub("(.)-(.)", lambda f: "".join(map(chr, range(ord(f[1]), ord(f[2]) + 1))), inside)
