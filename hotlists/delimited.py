"""CSV: lines to rows. A bad line costs itself, and a quote that is never closed costs no row behind it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hotlists.batch import Batch, refusal
from hotlists.files import Lines
from hotlists.headers import BARE_SAMPLE, Layout, bare_layout, no_plates, read_layout
from hotlists.parsed import Detected, FileError, RowNote

DELIMITERS: Final = (",", ";", "\t", "|")
MAX_RECORD_LINES: Final = 100
"""Lines over which one quoted cell may go."""

_Record = tuple[int, list[str]]


def batches(blocks: Iterator[Lines], detected: Detected, ignored: list[str]) -> Iterator[Batch]:
    """Read the rows of a CSV file; say in `detected` and `ignored` how.

    Raises
    ------
    FileError
        The file is empty, has no column with plates, or has one column twice.
    """
    reader: _Reader | None = None
    for block in blocks:
        if reader is None:
            if not any(line.strip() for line in block.lines):
                if block.refused:
                    yield Batch(range(0), {"plate": []}, block.refused)
                continue
            reader, begin = _open(block, detected)
            ignored += reader.layout.ignored
            yield reader.read(Lines(block.first + begin, block.lines[begin:], block.final, block.refused))
        else:
            yield reader.read(block)
    if reader is None:
        raise FileError("the file is empty")


def _open(block: Lines, detected: Detected) -> tuple[_Reader, int]:
    """Read the header; return also the index of the first line behind it."""
    at = next(number for number, line in enumerate(block.lines) if line.strip())
    line, place = block.lines[at], f"line {block.first + at}"
    splits = {delimiter: _cells(line, delimiter) for delimiter in DELIMITERS}
    found: list[tuple[Layout, str]] = []
    for delimiter, cells in splits.items():
        if cells is not None and (layout := read_layout(cells, place)) is not None:
            found.append((layout, delimiter))
    detected.format = "csv"
    if found:
        layout, delimiter = max(found, key=lambda each: (len(each[0].headers), len(each[0].columns)))
        detected.headers = layout.headers
        if len(layout.columns) == 1:
            # The header does not say; what a spreadsheet writes behind each plate for columns without one does.
            delimiter = max(DELIMITERS, key="".join(block.lines[at : at + BARE_SAMPLE]).count)
        else:
            detected.delimiter = delimiter
        return _Reader(layout, delimiter), at + 1
    sample = [each.strip() for each in block.lines[at:] if each.strip()][:BARE_SAMPLE]
    if (bare := bare_layout([_split_any(each) for each in sample])) is not None:
        return _Reader(bare, DELIMITERS[0]), at
    best = max(DELIMITERS, key=lambda delimiter: len(splits[delimiter] or ()))
    cells = splits[best]
    if cells is None:
        raise FileError(f"{place} is no CSV: a quote is not closed or not doubled, or a cell is very long")
    raise no_plates(cells, place, ", separated by comma, semicolon, tab or |")


def _cells(line: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _split_any(line: str) -> list[str]:
    """One cell, or several whatever it is that separates them."""
    for delimiter in DELIMITERS:
        line = line.replace(delimiter, "\n")
    return line.strip('"').split("\n")


@dataclass(slots=True)
class _Reader:
    layout: Layout
    delimiter: str
    held: Sequence[str] = ()
    """Lines of a record that the last block did not finish."""

    def read(self, block: Lines) -> Batch:
        """Read a block; what it does not finish waits for the next."""
        first = block.first - len(self.held)
        lines = [*self.held, *block.lines] if self.held else block.lines
        self.held = ()
        refused = block.refused
        cut_off = False
        rows = self._whole_lines(lines)
        numbers: Sequence[int] = range(first, first + len(lines))
        if rows is None:
            records, more, cut_off = self._records(lines, first, block.final)
            numbers, rows = [number for number, _ in records], [row for _, row in records]
            refused = refused + more
        return self._shape(numbers, rows, refused, cut_off)

    def _whole_lines(self, lines: list[str]) -> list[list[str]] | None:
        """Read lines of which each is a record; None when one is not."""
        try:
            rows = list(csv.reader(lines, delimiter=self.delimiter, strict=True))
        except csv.Error:
            return None
        return rows if len(rows) == len(lines) else None

    def _records(self, lines: list[str], first: int, final: bool) -> tuple[list[_Record], list[RowNote], bool]:
        """Read records that may go over several lines.

        What is no CSV is refused, and reading goes on with the next line that by itself has all the cells of a
        row: it is one, and the quote before it was never closed. What stands between is refused too, line by
        line: it may be the rest of a text, and read as a row, a word of it would be a plate.
        """
        records: list[_Record] = []
        refused: list[RowNote] = []
        at, cut_off = 0, False
        while at < len(lines):
            taken = [lines[at]]
            reader = csv.reader(self._following(lines, at, taken), delimiter=self.delimiter, strict=True)
            try:
                records.append((first + at, next(reader)))
            except csv.Error as error:
                is_open = len(taken) < MAX_RECORD_LINES and "unexpected end" in str(error)
                ended = is_open and at + len(taken) == len(lines)
                if ended and not final:
                    self.held = lines[at:]
                    break
                where = "; the file ends before it is" if ended else ""
                refused.append(
                    refusal(
                        first + at, "", taken[0].strip(), f"a quote is not closed or not doubled: {error}{where}"
                    )
                )
                behind = f"stands behind the quote of row {first + at} that is not closed"
                refused += [
                    refusal(first + at + number, "", line.strip(), behind)
                    for number, line in enumerate(taken[1:], 1)
                    if line.strip()
                ]
                cut_off = cut_off or ended
            at += len(taken)
        return records, refused, cut_off

    def _following(self, lines: list[str], at: int, taken: list[str]) -> Iterator[str]:
        """Give the lines of one record from index `at` on; keep in `taken` those that were asked for."""
        yield lines[at]
        cells = len(self.layout.columns)
        for line in lines[at + 1 : at + MAX_RECORD_LINES]:
            if line.count(self.delimiter) >= cells - 1:
                return
            taken.append(line)
            yield line

    def _shape(
        self, numbers: Sequence[int], rows: list[list[str]], refused: list[RowNote], cut_off: bool
    ) -> Batch:
        """Bring rows to the width of the header, and to columns."""
        columns = self.layout.columns
        across = list(zip(*rows, strict=False)) if set(map(len, rows)) == {len(columns)} else []
        if not across or not all(map(str.strip, across[columns.index("plate")])):
            numbers, rows, more = self._mended(numbers, rows)
            refused = refused + more
            across = list(zip(*rows, strict=True)) or [()] * len(columns)
        cells = {name: texts for name, texts in zip(columns, across, strict=True) if name}
        return Batch(numbers, cells, sorted(refused, key=lambda note: note.row), cut_off)

    def _mended(
        self, numbers: Sequence[int], rows: list[list[str]]
    ) -> tuple[list[int], list[list[str]], list[RowNote]]:
        """Fill up short rows, leave out blank ones, refuse those with too many cells."""
        width = len(self.layout.columns)
        kept: list[int] = []
        mended: list[list[str]] = []
        refused: list[RowNote] = []
        for number, row in zip(numbers, rows, strict=True):
            if any(map(str.strip, row[width:])):
                shown = self.delimiter.join(row)
                refused.append(refusal(number, "", shown, f"{len(row)} cells for {width} columns"))
            elif any(map(str.strip, row)):
                kept.append(number)
                mended.append(row[:width] + [""] * (width - len(row)))
        return kept, mended, refused
