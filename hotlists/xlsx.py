"""XLSX (ECMA-376): the values of the first visible sheet with a column of plates, row by row.

Only what a list needs is read: values as they were last stored. Nothing is calculated, no link is followed, and
a document type, in which entities could be declared, is refused. What a part becomes by decompression is bounded
while it is read, so that a file is never larger in memory than some of its rows and its shared texts.
"""

from __future__ import annotations

import math
import os
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import chain
from typing import BinaryIO, Final

from hotlists.batch import Batch, refusal
from hotlists.files import check_growth
from hotlists.headers import BARE_SAMPLE, Layout, bare_layout, no_plates, read_layout
from hotlists.parsed import Detected, FileError, Limits, RowNote
from hotlists.sheet import Cell, SharedReader, SheetReader, TreeReader

_FEED_BYTES: Final = 131_072
_MAX_SMALL_BYTES: Final = 1_048_576
"""Of the parts that only say where the others are, and of the directory of the ZIP file."""
_END_OF_DIRECTORY: Final = b"PK\x05\x06"
_ZIP64_LOCATOR: Final = b"PK\x06\x07"
_LONGEST_END_BYTES: Final = 65_557
_DATES: Final = ("valid_from", "valid_until")
_EPOCHS: Final = {False: date(1899, 12, 30), True: date(1904, 1, 1)}
_LAST_SERIAL: Final = 2_958_465
"""31 December 9999."""
_DAMAGED: Final = "the XLSX file is damaged or cut off ({}); nothing was taken; fetch or save the file again"

Row = tuple[int, dict[int, Cell]]


def batches(stream: BinaryIO, limits: Limits, detected: Detected, ignored: list[str]) -> Iterator[Batch]:
    """Read the rows of an XLSX file; say in `detected` and `ignored` how.

    Raises
    ------
    FileError
        It is another ZIP file, is damaged or beyond `limits`, or no sheet has a column with plates.
    """
    detected.format = "xlsx"
    _check_directory(stream)
    with _checked():
        packed = zipfile.ZipFile(stream)
    with packed:
        workbook = _Workbook(packed, limits)
        name, layout, blocks = workbook.open()
        detected.sheet, detected.headers = name, layout.headers
        ignored += layout.ignored
        for block in blocks:
            yield _batch(block, layout, workbook.from_1904)


@contextmanager
def _checked() -> Iterator[None]:
    """Turn what the standard library says to a ZIP file that is none into a `FileError`."""
    try:
        yield
    except (NotImplementedError, RuntimeError) as error:
        raise FileError(f"the XLSX file cannot be read ({error}); save it as CSV, without a password") from error
    # Where the directory points outside the file, a seek or a struct fails, each in its own words.
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, OSError, struct.error) as error:
        raise FileError(_DAMAGED.format(error)) from error


def _check_directory(stream: BinaryIO) -> None:
    """Refuse a ZIP file whose directory alone would fill the memory, or that has none: its end is missing."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _LONGEST_END_BYTES))
    tail = stream.read()
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or len(tail) < at + 22:
        raise FileError(_DAMAGED.format("its end is missing"))
    (directory_bytes,) = struct.unpack_from("<I", tail, at + 12)
    if directory_bytes > _MAX_SMALL_BYTES or tail[max(0, at - 20) : at].startswith(_ZIP64_LOCATOR):
        raise FileError("the ZIP file has far more parts than a spreadsheet; save the sheet as XLSX or CSV")


class _Workbook:
    def __init__(self, packed: zipfile.ZipFile, limits: Limits) -> None:
        self._packed, self._limits = packed, limits
        root = self._related("", "/officeDocument")
        if not root:
            raise FileError(
                "the file is a ZIP file, but no XLSX; unpack it and send the list, or save the sheet as XLSX"
            )
        self._part = next(iter(root.values()))
        properties = self._tree(self._part)
        self.from_1904 = any(
            name == "workbookPr" and each.get("date1904", "") in ("1", "true") for name, each in properties
        )
        sheets = self._related(self._part, "/worksheet")
        self._sheets = [
            (each.get("name", ""), sheets[identity])
            for name, each in properties
            if name == "sheet"
            and each.get("state", "visible") == "visible"
            and (identity := _identity(each)) in sheets
        ]

    def open(self) -> tuple[str, Layout, Iterator[list[Row]]]:
        """Find the first visible sheet with a column of plates: its name, its layout, and the rows behind."""
        shared = self._shared()
        refused: FileError | None = None
        for name, part in self._sheets:
            blocks = self._rows(part, shared)
            first = next((block for block in blocks if block), None)
            if first is None:
                continue
            number, cells = first[0]
            header, place = _texts(cells), f"row {number} of sheet {name!r}"
            layout = read_layout(header, place)
            if layout is not None:
                return name, layout, chain([first[1:]], blocks)
            bare = bare_layout([_texts(each) for _, each in first[:BARE_SAMPLE]])
            if bare is not None:
                return name, bare, chain([first], blocks)
            refused = refused or no_plates(header, place, "")
        raise refused or FileError("the file is empty: no visible sheet has a cell with something in it")

    def _rows(self, part: str, shared: list[str]) -> Iterator[list[Row]]:
        reader = SheetReader(shared, self._limits.line_characters)
        for block in self._read(part, self._limits.file_bytes):
            yield reader.feed(block)
        yield reader.close()

    def _shared(self) -> list[str]:
        parts = self._related(self._part, "/sharedStrings")
        reader = SharedReader(self._limits.line_characters)
        for part in parts.values():
            for block in self._read(part, self._limits.file_bytes):
                reader.feed(block)
            reader.close()
            break
        return reader.texts

    def _related(self, part: str, kind: str) -> dict[str, str]:
        """Identity to part, of those that `part` is related to in that way."""
        folder, file = posixpath.split(part)
        described = posixpath.join(folder, "_rels", f"{file}.rels")
        if described not in self._packed.NameToInfo:
            return {}
        found: dict[str, str] = {}
        for name, each in self._tree(described):
            if name == "Relationship" and each.get("Type", "").endswith(kind):
                target = posixpath.normpath(posixpath.join("/", folder, each.get("Target", "")))
                found[each.get("Id", "")] = target.lstrip("/")
        return found

    def _tree(self, part: str) -> list[tuple[str, Mapping[str, str]]]:
        reader = TreeReader()
        for block in self._read(part, _MAX_SMALL_BYTES):
            reader.feed(block)
        reader.close()
        return reader.elements

    def _read(self, part: str, limit_bytes: int) -> Iterator[bytes]:
        with _checked():
            info = self._packed.getinfo(part)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise NotImplementedError(f"its compression is method {info.compress_type}")
            file = self._packed.open(info)
        size = 0
        with file:
            while True:
                with _checked():
                    block = file.read(_FEED_BYTES)
                if not block:
                    return
                size += len(block)
                if size > limit_bytes:
                    raise FileError(
                        f"{part} in the XLSX file is more than {limit_bytes} bytes; send the list as CSV"
                    )
                check_growth(size, info.compress_size, self._limits)
                yield block


def _identity(attributes: Mapping[str, str]) -> str:
    """The ``r:id`` of an element, whatever its prefix is."""
    return next((value for name, value in attributes.items() if name.endswith("relationships id")), "")


def _texts(cells: Mapping[int, Cell]) -> list[str]:
    """A row as texts, from the first column on."""
    return [cells[at].text if at in cells else "" for at in range(max(cells) + 1)]


def _batch(block: list[Row], layout: Layout, from_1904: bool) -> Batch:
    used = [(at, name) for at, name in enumerate(layout.columns) if name]
    numbers: list[int] = []
    rows: list[list[str]] = []
    refused: list[RowNote] = []
    for number, cells in block:
        row: list[str] = []
        for at, name in used:
            cell = cells.get(at)
            text, fault = _value(cell, name, from_1904) if cell else ("", "")
            if fault:
                refused.append(refusal(number, name, text, fault))
                break
            row.append(text)
        else:
            if any(map(str.strip, row)):
                numbers.append(number)
                rows.append(row)
    across = zip(*rows, strict=True) if rows else [()] * len(used)
    return Batch(numbers, {name: texts for (_, name), texts in zip(used, across, strict=True)}, refused)


def _value(cell: Cell, column: str, from_1904: bool) -> tuple[str, str]:
    """A cell as text, and why it cannot be taken; empty where it can."""
    if cell.fault or not cell.is_number:
        return cell.text, cell.fault
    try:
        number = float(cell.text)
    except ValueError:
        return cell.text, "no number, though the sheet says so"
    if column in _DATES:
        return _moment(cell.text, number, from_1904)
    if not math.isfinite(number):
        return cell.text, "no number, though the sheet says so"
    if number.is_integer():
        return (cell.text if cell.text.isdigit() else str(int(number))), ""
    return cell.text, "neither a text nor a whole number" if column == "plate" else ""


def _moment(text: str, number: float, from_1904: bool) -> tuple[str, str]:
    """A serial date as ISO 8601: the day alone, or with the time of day in Brussels."""
    if text.isdigit() and number > _LAST_SERIAL:
        return text, ""
    if not 1 <= number <= _LAST_SERIAL:
        return text, "no date: the sheet holds a number there that is none"
    days, seconds = divmod(round(number * 86_400), 86_400)
    day = _EPOCHS[from_1904] + timedelta(days=days)
    if not seconds:
        return day.isoformat(), ""
    return (datetime(day.year, day.month, day.day) + timedelta(seconds=seconds)).isoformat(), ""  # noqa: DTZ001
