"""Any text of a plate to its normalised form: the digits and capital letters A to Z that it shows, and no more.

Full-width and other compatibility forms become their plain characters (Unicode NFKC), small letters become
capitals, diacritics on Latin letters are taken off (plates are registered without them in nearly every
country's exchange format), separators and everything else go.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_NOT_PLATE: Final = re.compile(r"[^0-9A-Z]+")
_NOT_PATTERN: Final = re.compile(r"[^0-9A-Z?*]+")
_PLAIN: Final = re.compile(r"[0-9A-Z]*\Z")


def normalise(texts: Sequence[str]) -> list[str]:
    """Normalise plate texts, one for one; a text without any plate character becomes the empty string."""
    return [text if _PLAIN.match(text) else _NOT_PLATE.sub("", _fold(text)) for text in texts]


def normalise_pattern(texts: Sequence[str]) -> list[str]:
    """Normalise plate patterns: as `normalise`, and ``?`` (one character) and ``*`` (any run) stay."""
    return [_NOT_PATTERN.sub("", _fold(text)) for text in texts]


def _fold(text: str) -> str:
    """Bring a text to capitals without diacritics; what was left of a decomposed letter is its base letter."""
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).upper())
