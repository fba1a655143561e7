"""CSV with a header: ``camera,captured_at,plate`` and, where they are, ``country,confidence``.

Comma, semicolon or tab; UTF-8; times in ISO 8601 with an offset; confidence 0 to 1.
"""

from __future__ import annotations

import csv
import io
from typing import Final

from pipeline.errors import FeedError
from pipeline.ingest.feeds.base import (
    Feed,
    camera_of,
    country_of,
    make_read,
    moment_ns,
    share,
    shift_iso,
    text_of,
)
from pipeline.model import PlateRead

_REQUIRED: Final = ("camera", "captured_at", "plate")


def _rows(payload: bytes) -> tuple[list[str], list[list[str]], str]:
    """Header, rows and delimiter."""
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FeedError(f"byte {error.start} is not UTF-8", field="") from error
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    except csv.Error as error:
        raise FeedError(f"no CSV: {error}", field="") from error
    header = [name.strip().lower() for name in rows[0]] if rows else []
    for name in _REQUIRED:
        if name not in header:
            raise FeedError(f"row 1: no column {name}; the header names camera, captured_at, plate", field=name)
    if len(rows) < 2:
        raise FeedError("no rows below the header", field="")
    return header, rows[1:], delimiter


def parse(payload: bytes) -> list[PlateRead]:
    """Read every row."""
    header, rows, _ = _rows(payload)
    reads = []
    for number, row in enumerate(rows):
        where = f"row {number + 2}: "
        if len(row) != len(header):
            raise FeedError(f"{where}{len(row)} values under {len(header)} headings", field=where.strip(": "))
        values = dict(zip(header, row, strict=True))
        confidence = values.get("confidence", "").strip()
        reads.append(
            make_read(
                "csv",
                camera_of(values["camera"], f"{where}camera"),
                moment_ns(values["captured_at"].strip(), f"{where}captured_at"),
                text_of(values["plate"], f"{where}plate"),
                country=country_of(values.get("country")),
                confidence=share(_number(confidence, f"{where}confidence"), f"{where}confidence")
                if confidence
                else None,
            )
        )
    return reads


def _number(text: str, field: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise FeedError(f"{field} is not a number", field=field) from None


def _write(header: list[str], rows: list[list[str]], delimiter: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def split(payload: bytes) -> list[bytes]:
    """One body, header included, per row."""
    header, rows, delimiter = _rows(payload)
    return [_write(header, [row], delimiter) for row in rows]


def shift_time(payload: bytes, delta_ns: int) -> bytes:
    """Move ``captured_at``."""
    header, rows, delimiter = _rows(payload)
    column = header.index("captured_at")
    for row in rows:
        if len(row) > column:
            row[column] = shift_iso(row[column].strip(), delta_ns)
    return _write(header, rows, delimiter)


FEED = Feed("csv", parse, shift_time, split)
