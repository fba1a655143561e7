"""An information report as a PDF: one page of facts, what somebody wrote, and the pictures with their hashes.

Set in Bitstream Vera, which comes with reportlab and may be embedded: it has the letters of Dutch and French, and
most of Latin script. A character that it lacks is written without its accent, or as ``?``.
"""

from __future__ import annotations

import hashlib
import io
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import reportlab
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Image, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from hotlists.entry import Handling
from pipeline.alerts.reports import Report, State
from pipeline.model import RirDraft

_ZONE: Final = ZoneInfo("Europe/Brussels")
_FOLDER: Final = Path(reportlab.__file__).parent / "fonts"
_REGULAR: Final = TTFont("Vera", str(_FOLDER / "Vera.ttf"))
_BOLD: Final = TTFont("VeraBd", str(_FOLDER / "VeraBd.ttf"))
_WIDEST: Final = 120 * mm
_HIGHEST: Final = 90 * mm
_STATES: Final = {
    State.DRAFT: "Ontwerp",
    State.QUEUED: "Wordt verzonden",
    State.SENT: "Verzonden",
    State.ACKNOWLEDGED: "Ontvangen door de intake",
    State.REFUSED: "Geweigerd door de intake",
}


def render(report: Report, pictures: Mapping[str, bytes]) -> bytes:
    """Make the PDF of a report.

    Parameters
    ----------
    pictures
        Content of the attachments, by name. One that is missing, is not the one that was attached, or is no image
        is named as such in its place.
    """
    pdfmetrics.registerFont(_REGULAR)
    pdfmetrics.registerFont(_BOLD)
    draft = report.draft
    flow: list[Any] = [_heading(f"Informatierapport {draft.rir_id}", 14)]
    if draft.handling is Handling.COVERT:
        flow.append(_heading("DISCREET: niet voor interventie", 11))
    flow += [_table(_facts(report)), _heading("Inhoud", 11), _table(_text(draft))]
    if draft.attachments:
        flow.append(_heading("Bijlagen", 11))
    for attachment in draft.attachments:
        content = pictures.get(attachment.name)
        flow += _picture(attachment.name, attachment.sha256, content)
    out = io.BytesIO()
    margin = 18 * mm
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=margin,
        rightMargin=margin,
        topMargin=margin,
        bottomMargin=margin,
        title=f"Informatierapport {draft.rir_id}",
        author=_shown(draft.author),
        lang="nl-BE",
    )
    document.build(flow)
    return out.getvalue()


def _facts(report: Report) -> Iterable[tuple[str, str]]:
    draft = report.draft
    return (
        ("Toestand", f"{_STATES[report.state]}, versie {report.version}"),
        ("Opsteller", draft.author or "automatisch ontwerp"),
        ("Gesignaleerde nummerplaat", draft.plate_listed),
        ("Gelezen nummerplaat", draft.plate_read),
        ("Zekerheid van de lezing", f"{draft.posterior:.1%}".replace(".", ",")),
        ("Tijdstip", _moment(draft.captured_at_ns)),
        ("Camera", f"{draft.camera} (zone {draft.zone})" if draft.zone else draft.camera),
        ("Lijst", draft.hotlist),
        ("Reden van signalering", draft.reason),
        ("Wettelijke basis", draft.legal_basis),
        ("Evaluatie bron / informatie", f"{draft.source_evaluation} / {draft.information_evaluation}"),
        ("Verwerkingscode", draft.handling_code),
    )


def _text(draft: RirDraft) -> Iterable[tuple[str, str]]:
    return (
        ("Wie", draft.who),
        ("Wat", draft.what),
        ("Waar", draft.place),
        ("Doel", draft.purpose),
        ("Bron", draft.source),
    )


def _table(rows: Iterable[tuple[str, str]]) -> Table:
    cells = [[_paragraph(name, "VeraBd"), _paragraph(value, "Vera")] for name, value in rows]
    style = TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.25, "#999999")])
    return Table(cells, colWidths=[55 * mm, None], style=style, splitInRow=1)


def _picture(name: str, sha256: str, content: bytes | None) -> list[Any]:
    caption = _paragraph(f"{name}, SHA-256 {sha256}", "Vera")
    if content is None:
        return [caption, _paragraph("Deze bijlage wordt niet meer bewaard.", "VeraBd")]
    if hashlib.sha256(content).hexdigest() != sha256:
        return [caption, _paragraph("Deze bijlage is niet het beeld dat werd toegevoegd.", "VeraBd")]
    try:
        width, height = ImageReader(io.BytesIO(content)).getSize()
    except OSError:
        return [caption, _paragraph("Deze bijlage is geen leesbaar beeld.", "VeraBd")]
    scale = min(_WIDEST / width, _HIGHEST / height)
    return [Image(io.BytesIO(content), width * scale, height * scale, hAlign="LEFT"), caption, Spacer(0, 4 * mm)]


def _heading(text: str, size: int) -> Paragraph:
    style = ParagraphStyle("heading", fontName="VeraBd", fontSize=size, leading=size * 1.4, spaceBefore=4 * mm)
    return Paragraph(escape(_shown(text)), style)


def _paragraph(text: str, font: str) -> Paragraph:
    style = ParagraphStyle("text", fontName=font, fontSize=9, leading=12)
    # What people write is never markup.
    return Paragraph(escape(_shown(text)).replace("\n", "<br/>"), style)


def _moment(at_ns: int) -> str:
    at = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).astimezone(_ZONE)
    return f"{at:%d/%m/%Y %H:%M:%S} ({at:%Z}, Europe/Brussels)"


def _shown(text: str) -> str:
    return "".join(_glyph(character) for character in unicodedata.normalize("NFC", text))


def _glyph(character: str) -> str:
    known = _REGULAR.face.charToGlyph
    if character == "\n" or ord(character) in known:
        return character
    plain = unicodedata.normalize("NFKD", character)[0]
    return plain if ord(plain) in known else "?"
