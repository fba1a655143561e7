"""NDJSON: one JSON object a line, its fields the columns. A bad line costs itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from hotlists import headers
from hotlists.batch import Batch, refusal
from hotlists.files import Lines
from hotlists.headers import Layout
from hotlists.parsed import Detected, RowNote


def batches(blocks: Iterator[Lines], detected: Detected, ignored: list[str]) -> Iterator[Batch]:
    """Read the rows of an NDJSON file; say in `detected` and `ignored` how."""
    detected.format = "ndjson"
    layout = Layout(headers=detected.headers, ignored=ignored)
    for block in blocks:
        yield _batch(block, layout)


def _batch(block: Lines, layout: Layout) -> Batch:
    refused = list(block.refused)
    numbers: list[int] = []
    rows: list[dict[str, str]] = []
    cut_off = False
    for number, found in _objects(block, refused):
        row = _row(number, found, layout)
        if isinstance(row, RowNote):
            refused.append(row)
        else:
            numbers.append(number)
            rows.append(row)
    if block.final and block.lines and not block.lines[-1].endswith("\n"):
        last = block.first + len(block.lines) - 1
        cut_off = any(note.row == last and not note.column for note in refused)
    named = {"plate"}.union(*rows)
    cells = {name: [row.get(name, "") for row in rows] for name in sorted(named)}
    return Batch(numbers, cells, sorted(refused, key=lambda note: note.row), cut_off)


def _objects(block: Lines, refused: list[RowNote]) -> Iterator[tuple[int, dict[str, Any]]]:
    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(block.lines, block.first):
        if line.isspace() or not line:
            continue
        try:
            found = decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            refused.append(refusal(number, "", line.strip(), f"no JSON: {error}"))
            continue
        if isinstance(found, dict):
            yield number, found
        else:
            refused.append(refusal(number, "", found, "no object"))


def _row(number: int, found: Mapping[str, Any], layout: Layout) -> dict[str, str] | RowNote:
    row: dict[str, str] = {}
    for key, value in found.items():
        column = headers.column(key)
        if not column:
            layout.ignore(key)
            continue
        layout.know(key, column)
        if column in row:
            return refusal(number, column, value, f"two fields mean {column}; keep one of them")
        # A number is a plate of digits alone that its writer did not quote.
        if isinstance(value, str):
            row[column] = value
        elif value is None:
            row[column] = ""
        elif isinstance(value, int) and not isinstance(value, bool):
            row[column] = str(value)
        else:
            return refusal(number, column, value, "neither a text nor a whole number")
    return row
