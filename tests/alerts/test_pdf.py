"""The PDF of a report: it opens, it holds what was written, whatever was written."""

from __future__ import annotations

import hashlib
import io
import re

import msgspec
import pytest
from pypdf import PdfReader

from hotlists.entry import Handling
from pipeline.alerts import pdf, rir
from pipeline.alerts.reports import Report, State
from pipeline.alerts.wording import Wording
from pipeline.cameras import Camera
from tests.factories import JPEG, make_alert, make_read


def _report(**fields: object) -> Report:
    draft = rir.report(make_alert(read=make_read(patch=JPEG)))
    draft = msgspec.structs.replace(draft, **fields)
    return Report(draft, State.SENT, draft.version, draft.created_at_ns, 1, "", "")


def _text(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def test_a_report_is_a_pdf_with_its_picture_and_embedded_fonts() -> None:
    content = pdf.render(_report(), {rir.PATCH: JPEG})
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert b"BitstreamVeraSans-Roman" in content
    assert b"/FontFile2" in content
    assert b"/Subtype /Image" in content


def test_it_holds_the_facts_and_what_somebody_wrote() -> None:
    report = _report(purpose="Opsporing van het voertuig", source_evaluation="B", author="an")
    text = _text(pdf.render(report, {rir.PATCH: JPEG}))
    for shown in (
        report.draft.rir_id,
        "1ABC123",
        "93,0%",
        "Diefstal gemeld",
        "WPA art. 44/2",
        "B / X",
        "H0",
        "Opsporing van het voertuig",
        "Verzonden, versie 1",
        "Europe/Brussels",
        hashlib.sha256(JPEG).hexdigest(),
    ):
        assert shown in text
    assert "DISCREET" not in text
    assert "DISCREET" in _text(pdf.render(_report(handling=Handling.COVERT), {}))


def test_what_is_written_is_never_markup() -> None:
    written = "<b>&lt;script&gt; <para> & </para>"
    content = pdf.render(_report(what=written, purpose="<img src='/etc/passwd'/>"), {})
    assert written in _text(content)
    assert b"/Subtype /Image" not in content


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Coördinatie in België: «çà et là», œuvre, €", "Coördinatie in België: «çà et là», œuvre, €"),
        ("Łukasz Ångström", "Łukasz Ångström"),
        ("e\u0301", "é"),
        ("ệ", "e"),
        ("漢字", "??"),
        ("a\nb", "a\nb"),
    ],
)
def test_letters_are_shown_or_named_as_missing(written: str, shown: str) -> None:
    assert shown in _text(pdf.render(_report(who=written), {}))


@pytest.mark.parametrize("content", [None, b"another picture", b""])
def test_a_picture_that_is_not_the_one_is_not_drawn(content: bytes | None) -> None:
    made = pdf.render(_report(), {} if content is None else {rir.PATCH: content})
    assert b"/Subtype /Image" not in made
    assert "Deze bijlage" in _text(made)


def test_what_is_no_image_is_not_drawn() -> None:
    text = b"this is text"
    attachments = rir.attachments({rir.PATCH: text})
    assert attachments[0].sha256 == hashlib.sha256(text).hexdigest()
    made = pdf.render(_report(attachments=attachments), {rir.PATCH: text})
    assert b"/Subtype /Image" not in made


def test_a_text_of_many_pages_is_one_document() -> None:
    lines = [f"regel {number}" for number in range(3000)]
    made = pdf.render(_report(what="\n".join(lines), handling=Handling.COVERT), {rir.PATCH: JPEG})
    assert len(PdfReader(io.BytesIO(made)).pages) > 5
    assert re.findall(r"regel \d+", _text(made)) == lines


def test_it_is_in_the_zones_language_and_names_the_place() -> None:
    camera = Camera(
        id="cam-1", name="N9 Stadhuis", municipality="Veldeke", latitude=51.05, longitude=3.71234, zone="noord"
    )
    wording = Wording("fr", {"cam-1": camera})
    text = _text(pdf.render(_report(camera="cam-1"), {rir.PATCH: JPEG}, wording)).replace("\n", " ")
    assert "Rapport d’information" in text
    assert "N9 Stadhuis, Veldeke (51.05000, 3.71234; caméra cam-1)" in text
    assert "Envoyé, version 1" in text
    assert "Toestand" not in text


def test_plates_that_differ_are_set_under_one_another() -> None:
    differs = "Verschil (gelezen boven gesignaleerd)"
    text = _text(pdf.render(_report(plate_read="1AC123", plate_listed="1ABC123"), {}))
    cells = text[text.index(differs) + len(differs) : text.index("Inhoud")].split()
    assert cells == [*"1A–C123", *"1ABC123"]
    for read, listed in (("1ABC123", "1ABC123"), ("1ABC123", "1AB*")):
        assert differs not in _text(pdf.render(_report(plate_read=read, plate_listed=listed), {}))
