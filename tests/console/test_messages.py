"""Every text exists in every language, and no page or script has a text of its own."""

from __future__ import annotations

import re
import string

import pytest

from console.messages import DEFAULT_LANGUAGE, LANGUAGES, MESSAGES, preferred, text, texts
from console.web import HERE

TEMPLATES = sorted((HERE / "templates").glob("*.html"))
SCRIPTS = sorted((HERE / "static").glob("*.js"))
NAMES_OF_KEYS = {"j", "k", "c", "m", "f", "s", "Enter", "Esc", "Home", "End", "ms"}
"""What is on the keyboard, and the unit that every language writes alike."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_is_in_each_language(language: str) -> None:
    assert set(MESSAGES[language]) == set(MESSAGES[DEFAULT_LANGUAGE])
    assert all(value.strip() for value in MESSAGES[language].values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_area_replaces_the_text_of_another(language: str) -> None:
    areas = sorted((HERE / "messages" / language[:2]).glob("[a-z]*.py"))
    keys = [key for path in areas for key in re.findall(r"^    \"([^\"]+)\":", path.read_text(), re.MULTILINE)]
    assert len(keys) == len(set(keys)) == len(MESSAGES[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_fills_in_the_same(language: str) -> None:
    def fields(sentence: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}

    for key, sentence in MESSAGES[DEFAULT_LANGUAGE].items():
        assert fields(MESSAGES[language][key]) == fields(sentence), key


def test_the_languages_are_not_copies_of_one_another() -> None:
    long = [key for key, sentence in MESSAGES[DEFAULT_LANGUAGE].items() if len(sentence.split()) > 2]
    for key in long:
        assert len({MESSAGES[language][key] for language in LANGUAGES}) == len(LANGUAGES), key


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_a_text_of_its_own(path: object) -> None:
    source = path.read_text()  # type: ignore[attr-defined]
    source = re.sub(r"\{% block kind %\}.*?\{% endblock %\}", " ", source)
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", source, flags=re.DOTALL)
    source = re.sub(r"<!doctype html>|<script.*?</script>", " ", source, flags=re.DOTALL)
    attributes = re.findall(r"(?:aria-label|title|placeholder|alt|value)=\"([^\"]*)\"", source)
    spoken = [each for each in attributes if re.search(r"[A-Za-zÀ-ÿ]+ [A-Za-zÀ-ÿ]+", each)]
    between = re.findall(r"[A-Za-zÀ-ÿ]+", re.sub(r"<[^>]*>", " ", source))
    assert set(between) - NAMES_OF_KEYS == set()
    assert spoken == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_key_of_a_template_exists(path: object) -> None:
    source = path.read_text()  # type: ignore[attr-defined]
    for key in re.findall(r"\bt\(\"([^\"]+)\"\)", source):
        assert key in MESSAGES[DEFAULT_LANGUAGE], key
    for prefix in re.findall(r"\bt\(\"([^\"]+)\" ~", source):
        assert texts((prefix,)), prefix


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_has_a_text_of_its_own(path: object) -> None:
    source = re.sub(r"^\s*//.*$|/\*.*?\*/", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)  # type: ignore[attr-defined]
    for key in re.findall(r"\bword\(\s*\"([^\"]+)\"", source):
        assert key in MESSAGES[DEFAULT_LANGUAGE], key
    written = re.findall(r"\"([^\"\n]*)\"|'([^'\n]*)'", source)
    said = {each for language in LANGUAGES for each in MESSAGES[language].values() if len(each) > 4}
    assert {one or other for one, other in written} & said == set()
    # A sentence: two words or more, the first with a capital.
    sentences = [one for one, _ in written if re.fullmatch(r"[A-ZÀ-Þ][a-zà-ÿ]+( [a-zà-ÿ’]+)+[.!?…]?", one)]
    assert sentences == []


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "nl-BE"),
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr-BE"),
        ("de,en-GB;q=0.8", "en"),
        ("nl", "nl-BE"),
        ("*", "nl-BE"),
        ("," * 5000, "nl-BE"),
    ],
)
def test_the_browser_says_what_it_prefers(header: str, language: str) -> None:
    assert preferred(header) == language


def test_an_unknown_language_is_the_default() -> None:
    assert text("sign_in", "xx") == MESSAGES[DEFAULT_LANGUAGE]["sign_in"]


def test_every_text_is_used_somewhere() -> None:
    sources = "".join(path.read_text() for path in [*TEMPLATES, *SCRIPTS, *sorted(HERE.rglob("*.py"))])
    # Keys that are put together: by their prefix.
    made = set(re.findall(r"\"((?:\w+\.)+)\" ~|f\"([\w.]+)\{|`((?:\w+\.)+)\$", sources))
    prefixes = tuple({part for parts in made for part in parts if part} | {"sure.", "rir.", "live.sound_"})
    unused = [
        key
        for key in MESSAGES[DEFAULT_LANGUAGE]
        if not key.startswith(prefixes)
        and not key.endswith(".title")
        and sources.count(f'"{key}"') <= len(LANGUAGES)
    ]
    assert unused == []
