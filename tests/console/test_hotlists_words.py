"""What the reader of files says is said in the language of the page, each sentence of it."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from console.messages import LANGUAGES, text
from console.pages.hotlists_words import notes, sentence, translated
from hotlists.parse import FileError, Use, parse_file
from hotlists.previews import note
from hotlists.problems import BadRequestError, ConflictError, NotFoundError
from hotlists.shapes import NoteShape

HEAD = "plate;country;reason;valid_from;valid_until;list;action;priority\n"
ROWS = [
    "AB12345678901;BE;;;;;;",
    "1?;BE;;;;;;",
    "--;BE;;;;;;",
    "1ABC123\x00;BE;;;;;;",
    '"1ABC123,2ABC123";BE;;;;;;',
    "1ABC\ufffd23;BE;;;;;;",
    "1ЖБЦ123;BE;;;;;;",
    "1ABC123;BE;;2027-01-02;2027-01-01;;;",
    "1ABC123;Belgie;;;;;;",
    "1ABC123;BE;;;;andere;;",
    "1ABC123;BE;;;;;remove;",
    "1ABC123;BE;;;;;;urgent",
    "1ABC123;BE;;14/03/26;;;;",
    "1ABC123;BE;;morgen;;;;",
    "1ABC123;BE;;1500-01-01;;;;",
    "1ABC123;BE;;01/13/2026;;;;",
    "1ABC123;BE;;31/02/2026;;;;",
    "1ABC123;BE;;2026-01-01T25:00;;;;",
    "1ABC123;BE;;;;;;;te veel;cellen",
]
OBJECTS = ["{", "[]", '{"plate": "1ABC123", "nummerplaat": "1ABC124"}', '{"plate": 1.5}']
ODD = "AB12;BE;;;;;;\n1ABC124;BE;;;;;;\n1ABC124;BE;;;;;;\n"


def _zip(name: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, "x")
    return made.getvalue()


FILES = {
    "empty": b"",
    "xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "binary": bytes(range(256)) * 4,
    "no plates": b"naam;kleur\nJan;rood\n",
    "array": b'[{"plate": "1ABC123"}]',
    "bomb": gzip.compress(bytes(100_000_000)),
    "half": gzip.compress(b"plate\n" + b"1ABC123\n" * 5000)[:-20],
    "damaged": gzip.compress(b"plate\n1ABC123\n")[:-8] + bytes(8),
    "twice": gzip.compress(gzip.compress(b"plate\n1ABC123\n")),
    "two columns": b"plate;kenteken\n1ABC123;1ABC124\n",
    "zip": _zip("lijst.csv"),
    "xlsx": b"PK\x03\x04 afgekapt",
}


def _said(content: bytes, use: Use = Use.REPLACEMENT) -> list[str]:
    parsed = parse_file(io.BytesIO(content), "gestolen", use=use)
    return [each.reason for each in (*parsed.errors, *parsed.warnings)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_row_is_known(language: str) -> None:
    said = [*_said((HEAD + "\n".join(ROWS)).encode()), *_said("\n".join([*OBJECTS, '{"plate": "x1"}']).encode())]
    said += _said((HEAD + ODD).encode())
    assert len(said) == len(ROWS) + len(OBJECTS) + 2
    known = {text(key, language).split("{", maxsplit=1)[0] for key in _keys("hotlists.row.")}
    for each in said:
        shown = translated(each, language)
        assert any(shown.startswith(begin) for begin in known), (each, shown)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_every_file_that_is_none_is_said_in_plain_words(content: bytes, language: str) -> None:
    with pytest.raises(FileError) as refused:
        parse_file(io.BytesIO(content), "gestolen", use=Use.REPLACEMENT)
    shown = sentence(BadRequestError("file", str(refused.value)), language)
    known = {text(key, language).split("{", maxsplit=1)[0] for key in _keys("hotlists.file.")}
    assert any(shown.startswith(begin) for begin in known), (str(refused.value), shown)


def _keys(prefix: str) -> list[str]:
    from console.messages import MESSAGES

    return [key for key in MESSAGES["nl-BE"] if key.startswith(prefix)]


def test_what_is_not_known_is_shown_as_it_is() -> None:
    assert translated("something quite new", "nl-BE") == "something quite new"
    assert sentence(ConflictError("quite_new", "something quite new"), "fr-BE") == "something quite new"


def test_values_and_places_are_kept() -> None:
    found = parse_file(io.BytesIO(b"plate;valid_until\n1ABC123;31/02/2026\n"), "x", use=Use.DELTA).errors[0]
    shown = notes([NoteShape(**note(found))], "nl-BE")[0]
    assert (shown.row, shown.column, shown.value) == (2, "valid_until", "31/02/2026")
    assert shown.reason == "geen datum: er is geen dag 31 in maand 2 van 2026"


def test_a_refusal_of_an_entry_names_its_field() -> None:
    error = BadRequestError("entry", "valid_until: a year of two digits; write all four, as in 14/03/2026")
    assert sentence(error, "nl-BE").startswith("geldig tot: een jaartal van twee cijfers")
    assert sentence(NotFoundError("no_list", "there is no list 'x'"), "en").startswith("There is no list of this")
