"""Any text of a plate to its normalised form: the digits and capital letters A to Z that it shows, and no more.

What becomes of what:

- full-width and other compatibility forms become their plain characters (Unicode NFKC), small letters capitals,
  decimal digits of any script 0 to 9;
- diacritics on Latin letters are taken off, and a stroke through one: plates are registered without them in
  nearly every country's exchange format;
- Greek and Cyrillic letters become the Latin letter that they look like (А В Е К М Н О Р С Т У Х, Α Β Ε Ζ Η Ι Κ Μ
  Ν Ο Ρ Τ Υ Χ): the Convention on Road Traffic (Vienna 1968, annex 2) has plates show Latin letters, so that
  countries with another alphabet use those that both share. Letters without such a twin are left out;
- separators, spaces and everything else are left out;
- the characters of the blue band (``B``, ``NL``, ``EU``, ...) in front of a plate are left out when the text as a
  whole fits no series at all and the rest fits one of the country that they name. ``B1ABC123`` is 1ABC123;
  ``DMAB1234`` may be a plate of Delmenhorst and stays.

A text of more than ten characters stays as long as it is: nothing is cut, and `alphabet.SLOTS` tells whether it
can be matched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plates import alphabet, syntax

_NOT_PLATE: Final = re.compile(r"[^0-9A-Z]+")
_NOT_PATTERN: Final = re.compile(r"[^0-9A-Z?*]+")
_TWINS: Final = str.maketrans(
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" "АВЕКМНОРСТУХІЈЅ" "ØĐŁĦ",
    "ABEZHIKMNOPTYX" "ABEKMHOPCTYXIJS" "ODLH",
)  # fmt: skip
_WIDEST: Final = 32
"""A longer text is no plate, and would make every row of the column as wide as itself."""

# Every ASCII character to the plate character it becomes; 0 leaves it out.
_ASCII: Final = np.zeros(128, np.uint8)
_ASCII[48:58] = np.arange(48, 58)
_ASCII[65:91] = np.arange(65, 91)
_ASCII[97:123] = np.arange(65, 91)

_BANDS: Final = {
    "B": "BE", "NL": "NL", "F": "FR", "D": "DE", "L": "LU", "GB": "GB", "UK": "GB", "PL": "PL", "RO": "RO",
    "E": "ES", "I": "IT", "BG": "BG", "LT": "LT", "CZ": "CZ", "P": "PT", "H": "HU", "SK": "SK", "A": "AT",
    "CH": "CH", "DK": "DK", "S": "SE", "UA": "UA", "IRL": "IE", "SLO": "SI", "HR": "HR", "SRB": "RS",
    "LV": "LV", "EST": "EE", "FIN": "FI", "N": "NO", "GR": "GR", "TR": "TR", "MD": "MD",
}  # fmt: skip
"""What stands in the band, and the country that it names (Convention on Road Traffic, distinguishing signs)."""
_BANDED: Final = re.compile(rf"(?:EU|{'|'.join(_BANDS)})[0-9A-Z]{{5,}}\Z")


def normalise(texts: Sequence[str]) -> list[str]:
    """Normalise plate texts, one for one; a text without any plate character becomes the empty string."""
    plain = _plain(texts)
    bands = [row for row, text in enumerate(plain) if text[:1].isalpha() and _BANDED.match(text)]
    if bands:
        for row, text in zip(bands, _without_band([plain[row] for row in bands]), strict=True):
            plain[row] = text
    return plain


def normalise_pattern(texts: Sequence[str]) -> list[str]:
    """Normalise plate patterns: as `normalise`, and ``?`` (one character) and ``*`` (any run) stay.

    Nothing is taken for a band: a pattern is written by a person, who means what stands there.
    """
    return [_NOT_PATTERN.sub("", _fold(text)) for text in texts]


def _plain(texts: Sequence[str]) -> list[str]:
    """Normalise but for the band: ASCII texts as one matrix of characters, the others one by one."""
    if len(texts) == 0:
        return []
    lengths = np.fromiter((len(text) for text in texts), np.int64, len(texts))
    width = int(min(lengths.max(), _WIDEST))
    if width == 0:
        return [""] * len(texts)
    points = np.array(texts, dtype=f"U{width}").view(np.uint32).reshape(len(texts), width)
    simple = (points < 128).all(axis=1) & (lengths <= width)
    mapped = _ASCII[np.where(points < 128, points, 0)]
    packed = _to_the_left(mapped)
    result: list[str] = packed.astype(np.uint32).view(f"U{width}").ravel().tolist()
    for row in np.flatnonzero(~simple).tolist():
        result[row] = _NOT_PLATE.sub("", _fold(texts[row]))
    return result


def _to_the_left(characters: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Close the gaps (zeros) in each row, keeping the order."""
    kept = characters > 0
    rows, columns = np.nonzero(kept)
    packed = np.zeros_like(characters)
    packed[rows, (kept.cumsum(axis=1) - 1)[rows, columns]] = characters[rows, columns]
    return packed


def _fold(text: str) -> str:
    """Bring a text to Latin capitals and digits; what was left of a decomposed letter is its base letter."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).upper()).translate(_TWINS)
    if folded.isascii():
        return folded
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in folded)


def _without_band(texts: list[str]) -> list[str]:
    """Take the band off texts that begin with one, where the module's rule allows it."""
    result = list(texts)
    fits = (np.array([len(text) for text in texts]) <= alphabet.SLOTS) & syntax.plausible(alphabet.encode(texts))
    left = set(np.flatnonzero(~fits).tolist())
    for sign, country in (("", ""), *_BANDS.items()):
        rests = {row: rest for row in left if (rest := _behind(texts[row], sign))}
        if rests:
            plausible = syntax.plausible(alphabet.encode(list(rests.values())), country).tolist()
            good = [row for row, fine in zip(rests, plausible, strict=True) if fine]
            left.difference_update(good)
            for row in good:
                result[row] = rests[row]
    return result


def _behind(text: str, sign: str) -> str:
    """What stands behind ``EU``, a sign, or both; empty when the text does not begin so or the rest is long."""
    rest = text.removeprefix("EU")
    if not (rest if sign else text).startswith(sign or "EU"):
        rest = text
    rest = rest.removeprefix(sign)
    return rest if rest != text and len(rest) <= alphabet.SLOTS else ""
