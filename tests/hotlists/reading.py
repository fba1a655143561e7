"""Hotlist files for tests, read and written."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from hotlists.parse import Limits, ParsedFile, Use, parse_file
from hotlists.parsed import as_entries

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATED = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'


def parse(
    file: str | bytes, name: str = "gestolen", *, use: Use = Use.REPLACEMENT, limits: Limits | None = None
) -> ParsedFile:
    """Read a file that a test states."""
    raw = file.encode() if isinstance(file, str) else file
    return parse_file(io.BytesIO(raw), name, use=use, limits=limits)


def plates(file: str | bytes) -> list[str]:
    """The plates of a file in which every row is sound."""
    parsed = parse(file)
    assert not parsed.errors
    return [entry.plate for entry in parsed.entries]


def plates_removed(parsed: ParsedFile) -> list[str]:
    """The plates that a file removes."""
    return [entry.plate for entry in as_entries(parsed.removals)]


def at_ns(moment: str) -> int:
    """ISO 8601 with an offset to nanoseconds."""
    return int(datetime.fromisoformat(moment).timestamp()) * 10**9


def cell(value: Any, reference: str = "") -> str:
    """XML of a cell: a text inline, a number as one, XML in angle brackets as it is."""
    at = f' r="{reference}"' if reference else ""
    if isinstance(value, str) and value.startswith("<c"):
        return value
    if isinstance(value, str):
        return f'<c{at} t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f"<c{at}/>" if value is None else f"<c{at}><v>{value}</v></c>"


def sheet_of(rows: Sequence[Sequence[Any]]) -> str:
    """XML of a sheet with these rows."""
    inside = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{inside}</sheetData></worksheet>'


def workbook(
    sheets: Mapping[str, str | Sequence[Sequence[Any]]],
    *,
    shared: str | None = None,
    properties: str = "",
    hidden: Sequence[str] = (),
) -> bytes:
    """An XLSX file: sheets by name, as rows or as XML; `shared` is the inside of the shared texts."""
    parts = {"[Content_Types].xml": "<Types/>"}
    relations, named = [], []
    for number, (name, sheet) in enumerate(sheets.items(), 1):
        part = f"worksheets/sheet{number}.xml"
        parts[f"xl/{part}"] = sheet if isinstance(sheet, str) else sheet_of(sheet)
        relations.append(f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="{part}"/>')
        state = ' state="hidden"' if name in hidden else ""
        named.append(f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"{state}/>')
    if shared is not None:
        parts["xl/sharedStrings.xml"] = f'<sst xmlns="{_MAIN}">{shared}</sst>'
        relations.append(f'<Relationship Id="t" Type="{_OFFICE}/sharedStrings" Target="/xl/sharedStrings.xml"/>')
    parts["xl/_rels/workbook.xml.rels"] = _RELATED.format("".join(relations))
    parts["xl/workbook.xml"] = (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">{properties}<sheets>{"".join(named)}</sheets></workbook>'
    )
    root = f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    parts["_rels/.rels"] = _RELATED.format(root)
    return zipped(parts)


def zipped(parts: Mapping[str, str]) -> bytes:
    """A ZIP file with these parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts.items():
            packed.writestr(name, text)
    return file.getvalue()
