"""Every text of the console, by language. A new language is a new mapping with the same keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from console.messages import en, fr, nl

DEFAULT_LANGUAGE: Final = "nl-BE"
MESSAGES: Final[Mapping[str, Mapping[str, str]]] = {"nl-BE": nl.TEXTS, "fr-BE": fr.TEXTS, "en": en.TEXTS}
LANGUAGES: Final = tuple(MESSAGES)


def text(key: str, language: str = DEFAULT_LANGUAGE) -> str:
    """Return the text of `key`, which every language has."""
    return MESSAGES.get(language, nl.TEXTS)[key]


def texts(prefixes: tuple[str, ...], language: str = DEFAULT_LANGUAGE) -> dict[str, str]:
    """Return the texts whose key begins with one of `prefixes`, for a script to put together."""
    return {key: value for key, value in MESSAGES.get(language, nl.TEXTS).items() if key.startswith(prefixes)}


def preferred(accept_language: str) -> str:
    """Choose the first language of an ``Accept-Language`` header that there is; else the default."""
    for wanted in accept_language.split(","):
        code = wanted.split(";")[0].strip().lower()[:2]
        for language in LANGUAGES:
            if code and language.startswith(code):
                return language
    return DEFAULT_LANGUAGE
