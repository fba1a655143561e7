"""CSV with a header: ``camera,captured_at,plate`` and, where they are, ``country,confidence``.

Comma, semicolon or tab; UTF-8; times in ISO 8601 with an offset; confidence 0 to 1, with a decimal point or
(where a comma does not separate the columns) a decimal comma. Other columns are passed over. The rows in errors
are the lines of the file; the header is row 1.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Final

from pipeline.errors import FeedError
from pipeline.ingest.feeds.base import MAX_READS, Feed, Form, Part, checked_count
from pipeline.ingest.feeds.fields import camera_of, moment_ns, number_of, plate_of, share, shift_iso
from pipeline.ingest.feeds.reads import country_of, make_read
from pipeline.model import PlateRead

_REQUIRED: Final = ("camera", "captured_at", "plate")
_KNOWN: Final = (*_REQUIRED, "country", "confidence")
_MAX_COLUMNS: Final = 64
_MAX_LINES: Final = 20 * MAX_READS


@dataclass(frozen=True, slots=True)
class _Table:
    header: list[str]
    rows: list[tuple[int, list[str]]]
    """Line of the file on which the row begins, and its values."""
    delimiter: str


def _table(payload: bytes) -> _Table:
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FeedError(f"byte {error.start} is not UTF-8", field="") from None
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, begins = [], 1
    try:
        for row in reader:
            if row:
                rows.append((begins, row))
            begins = reader.line_num + 1
            checked_count(len(rows) - 1, "rows or more", "")
            if begins > _MAX_LINES:
                raise FeedError(f"more than {_MAX_LINES} lines; send it in pieces", field="")
    except csv.Error:
        raise FeedError(
            f"row {begins}: a quote is not closed, or a value is too long", field=f"row {begins}"
        ) from None
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    if len(header) > _MAX_COLUMNS:
        raise FeedError(f"row 1: {len(header)} columns; at most {_MAX_COLUMNS}", field="row 1")
    for name in _REQUIRED:
        if name not in header:
            raise FeedError(f"row 1: no column {name}; the header names camera, captured_at, plate", field=name)
    for name in _KNOWN:
        if header.count(name) > 1:
            raise FeedError(f"row 1: the column {name} is there twice", field=name)
    if len(rows) < 2:
        raise FeedError("no rows below the header", field="")
    return _Table(header, rows[1:], delimiter)


def parse(payload: bytes, first: int = 0) -> list[PlateRead]:
    """Read every row."""
    table = _table(payload)
    # The one row of a part stands on line 2 there; `first` is the line on which it came.
    moved = first - 2 if first else 0
    return [_read(table, row, line + moved) for line, row in table.rows]


def _read(table: _Table, row: list[str], line: int) -> PlateRead:
    where = f"row {line}: "
    if len(row) != len(table.header):
        raise FeedError(f"{where}{len(row)} values under {len(table.header)} headings", field=f"row {line}")
    values = dict(zip(table.header, row, strict=True))
    confidence = values.get("confidence", "").strip()
    if table.delimiter != ",":
        confidence = confidence.replace(",", ".")
    field = f"{where}confidence"
    return make_read(
        "csv",
        camera_of(values["camera"], f"{where}camera"),
        moment_ns(values["captured_at"].strip(), f"{where}captured_at"),
        plate_of(values["plate"], f"{where}plate"),
        country=country_of(values.get("country")),
        confidence=share(number_of(confidence, field), field) if confidence else None,
    )


def _write(header: list[str], rows: list[list[str]], delimiter: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def split(payload: bytes) -> list[Part]:
    """One part, header included, per row."""
    table = _table(payload)
    return [Part(_write(table.header, [row], table.delimiter), line) for line, row in table.rows]


def shift_time(payload: bytes, delta_ns: int) -> bytes:
    """Move ``captured_at``."""
    table = _table(payload)
    column = table.header.index("captured_at")
    for _, row in table.rows:
        if len(row) > column:
            row[column] = shift_iso(row[column].strip(), delta_ns)
    return _write(table.header, [row for _, row in table.rows], table.delimiter)


FEED = Feed("csv", parse, shift_time, split, Form("*.csv"))
