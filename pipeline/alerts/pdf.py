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
from pipeline.alerts.alignment import align, misread_pairs
from pipeline.alerts.reports import Report
from pipeline.alerts.rir import DUTCH
from pipeline.alerts.wording import Wording
from pipeline.model import Attachment, RirDraft

_ZONE: Final = ZoneInfo("Europe/Brussels")
_FOLDER: Final = Path(reportlab.__file__).parent / "fonts"
_REGULAR: Final = TTFont("Vera", str(_FOLDER / "Vera.ttf"))
_BOLD: Final = TTFont("VeraBd", str(_FOLDER / "VeraBd.ttf"))
_WIDEST: Final = 120 * mm
_HIGHEST: Final = 90 * mm
_PART_LINES: Final = 40
"""Lines of a text that are set together. What is left of a part is broken into lines anew on each page, so that
one of thousands of lines would take seconds."""


def render(report: Report, pictures: Mapping[str, bytes], wording: Wording = DUTCH) -> bytes:
    """Make the PDF of a report.

    Parameters
    ----------
    pictures
        Content of the attachments, by name. One that is missing, is not the one that was attached, or is no image
        is named as such in its place.
    wording
        Of everything but what people wrote.
    """
    pdfmetrics.registerFont(_REGULAR)
    pdfmetrics.registerFont(_BOLD)
    draft, text = report.draft, wording.text
    title = text("title").format(id=draft.rir_id)
    flow: list[Any] = [_heading(title, 14)]
    if draft.handling is Handling.COVERT:
        flow.append(_heading(text("covert"), 11))
    flow.append(_table(_facts(report, wording)))
    if misread_pairs(draft.plate_read, draft.plate_listed) and not set("?*") & set(draft.plate_listed):
        flow += [_heading(text("differs"), 9), _compared(draft)]
    flow += [_heading(text("content"), 11), _table(_text(draft, wording))]
    if draft.attachments:
        flow.append(_heading(text("attachments"), 11))
    for attachment in draft.attachments:
        content = pictures.get(attachment.name)
        flow += _picture(attachment, content, wording)
    out = io.BytesIO()
    margin = 18 * mm
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=margin,
        rightMargin=margin,
        topMargin=margin,
        bottomMargin=margin,
        title=title,
        author=_shown(draft.author),
        lang=text("tag"),
    )
    document.build(flow)
    return out.getvalue()


def _facts(report: Report, wording: Wording) -> Iterable[tuple[str, str]]:
    draft, text = report.draft, wording.text
    zone = f" ({text('zone').format(zone=draft.zone)})" if draft.zone else ""
    state = f"{text(f'state.{report.state.value}')}, {text('version').format(number=report.version)}"
    return (
        (text("state"), state),
        (text("author"), draft.author or text("author.none")),
        (text("listed"), draft.plate_listed),
        (text("read"), draft.plate_read),
        (text("posterior"), wording.percent(draft.posterior)),
        (text("moment"), _moment(draft.captured_at_ns)),
        (text("camera"), wording.place(draft.camera) + zone),
        (text("hotlist"), draft.hotlist),
        (text("reason"), draft.reason),
        (text("legal"), draft.legal_basis),
        (text("evaluation"), f"{draft.source_evaluation} / {draft.information_evaluation}"),
        (text("handling"), draft.handling_code),
    )


def _text(draft: RirDraft, wording: Wording) -> Iterable[tuple[str, str]]:
    fields = {name: getattr(draft, name) for name in ("who", "what", "place", "purpose", "source")}
    return ((wording.text(f"field.{name}"), written) for name, written in fields.items())


def _compared(draft: RirDraft) -> Table:
    """Set the plate that was read above the one that is listed, a cell for each character, what differs marked."""
    columns = align(draft.plate_read, draft.plate_listed)
    cells = [[_paragraph(column[side] or "–", "VeraBd") for column in columns] for side in (0, 1)]
    marked = [number for number, (seen, true) in enumerate(columns) if seen != true]
    style: list[Any] = [("GRID", (0, 0), (-1, -1), 0.25, "#999999")]
    style += [("BACKGROUND", (number, 0), (number, -1), "#ffc94d") for number in marked]
    return Table(cells, colWidths=[7 * mm] * len(columns), style=TableStyle(style), hAlign="LEFT")


def _table(rows: Iterable[tuple[str, str]]) -> Table:
    """Set names beside what they name; a line goes under each, however many rows of the table it takes."""
    cells: list[list[Paragraph]] = []
    style: list[Any] = [("VALIGN", (0, 0), (-1, -1), "TOP")]
    for name, value in rows:
        first = len(cells)
        for part in _parts(value):
            cells.append([_paragraph(name if len(cells) == first else "", "VeraBd"), _paragraph(part, "Vera")])
        last = len(cells) - 1
        style.append(("LINEBELOW", (0, last), (-1, last), 0.25, "#999999"))
        # The rows of one text stand under one another like its lines.
        style += [("BOTTOMPADDING", (0, row), (-1, row), 0) for row in range(first, last)]
        style += [("TOPPADDING", (0, row), (-1, row), 0) for row in range(first + 1, last + 1)]
    return Table(cells, colWidths=[55 * mm, None], style=TableStyle(style), splitInRow=1)


def _parts(text: str) -> list[str]:
    """Cut a text into parts of at most `_PART_LINES` lines."""
    lines = text.split("\n")
    return ["\n".join(lines[at : at + _PART_LINES]) for at in range(0, len(lines), _PART_LINES)]


def _picture(attachment: Attachment, content: bytes | None, wording: Wording) -> list[Any]:
    caption = _paragraph(f"{attachment.name}, SHA-256 {attachment.sha256}", "Vera")
    if content is None:
        return [caption, _paragraph(wording.text("picture.gone"), "VeraBd")]
    if hashlib.sha256(content).hexdigest() != attachment.sha256:
        return [caption, _paragraph(wording.text("picture.other"), "VeraBd")]
    try:
        width, height = ImageReader(io.BytesIO(content)).getSize()
    except OSError:
        return [caption, _paragraph(wording.text("picture.none"), "VeraBd")]
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
