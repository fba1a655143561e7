"""Files that ops staff bring, to entries and row errors. A bad row costs nothing that was good."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from hotlists import delimited, files, ndjson, xlsx
from hotlists.batch import Batch
from hotlists.files import Lines
from hotlists.parsed import Detected, FileError, Limits, ParsedFile, Use
from hotlists.rows import Rows

__all__ = ["FileError", "Limits", "ParsedFile", "Use", "parse", "parse_file", "parse_lists"]


def parse_file(
    source: Path | BinaryIO, name: str, *, use: Use = Use.REPLACEMENT, limits: Limits | None = None
) -> ParsedFile:
    """Read a file for list `name`, whatever it is: CSV, NDJSON or XLSX, any of them compressed with gzip.

    What it is, delimiter, encoding and the language of the headers are detected by content. Of the columns
    ``plate, country, list, action, reason, priority, handling, valid_from, valid_until`` only the first is
    required, and a cell is a text, whatever a spreadsheet would make of it. A row that names another list than
    `name` is an error.

    Parameters
    ----------
    source
        The file, or where it is: open for reading, and seekable. It is read in blocks, never whole.
    use
        What the file is for, and so whether its rows add or remove.
    limits
        What the file may ask of the machine; `Limits` by default.

    Raises
    ------
    FileError
        The file is none of these, is empty, damaged or cut off, has no column with plates or one column twice, or
        is beyond `limits`.
    """
    limits = limits or Limits()
    detected, ignored = Detected(), list[str]()
    rows = Rows(name, use)
    with _batches(source, limits, detected, ignored) as batches:
        for batch in batches:
            rows.take(batch)
            if rows.count > limits.rows:
                raise FileError(f"more than {limits.rows} rows; spread them over several lists")
    parsed = rows.result()
    parsed.detected, parsed.ignored_columns = detected, ignored
    return parsed


def parse(raw: bytes, name: str) -> ParsedFile:
    """Read a small file that is in memory already: as `parse_file`.

    Raises
    ------
    FileError
        As `parse_file`.
    """
    return parse_file(io.BytesIO(raw), name)


def parse_lists(source: Path | BinaryIO | bytes, name: str, limits: Limits | None = None) -> dict[str, ParsedFile]:
    """Read a file of several lists: as `parse_file`, each row for the list that it names, or else `name`.

    Raises
    ------
    FileError
        As `parse_file`.
    """
    limits = limits or Limits()
    detected, ignored = Detected(), list[str]()
    lists: dict[str, Rows] = {}
    with _batches(
        io.BytesIO(source) if isinstance(source, bytes) else source, limits, detected, ignored
    ) as batches:
        for batch in batches:
            for listed, part in _by_list(batch, name):
                lists.setdefault(listed, Rows(listed, Use.REPLACEMENT)).take(part)
            if sum(rows.count for rows in lists.values()) > limits.rows:
                raise FileError(f"more than {limits.rows} rows; spread them over several files")
    found = {listed: rows.result() for listed, rows in lists.items()}
    for parsed in found.values():
        parsed.detected, parsed.ignored_columns = detected, ignored
    return found


def _by_list(batch: Batch, name: str) -> Iterator[tuple[str, Batch]]:
    """Part a batch by the list that its rows name; what is no row at all goes to `name`."""
    named = [text.strip().lower() or name for text in batch.cells.get("list", ())]
    if set(named) <= {name}:
        yield name, batch
        return
    if batch.refused:
        yield name, Batch([], {"plate": []}, batch.refused, batch.cut_off)
    for listed in dict.fromkeys(named):
        yield listed, batch.chosen([row for row, each in enumerate(named) if each == listed])


@contextmanager
def _batches(
    source: Path | BinaryIO, limits: Limits, detected: Detected, ignored: list[str]
) -> Iterator[Iterator[Batch]]:
    """Open a file and read its rows; say in `detected` and `ignored` how."""
    with files.opened(source, limits) as opened:
        detected.compression, detected.encoding = opened.compression, opened.encoding
        if not opened.encoding:
            yield xlsx.batches(opened.stream, limits, detected, ignored)
            return
        texts = files.texts(opened.stream, opened.encoding)
        begin: list[str] = []
        for text in texts:
            begin.append(text)
            if text.strip():
                break
            if len(begin) * files.BLOCK_BYTES > limits.line_characters:
                raise FileError("the file begins with very many blanks; is it the right one?")
        else:
            raise FileError("the file is empty")
        first = begin[-1].lstrip()[0]
        if first == "[":
            raise FileError("the file is one JSON array; write one object a line (NDJSON), without the brackets")
        is_json = first == "{"
        lines: Iterator[Lines] = files.lines(chain(begin, texts), limits.line_characters, only_newline=is_json)
        yield (ndjson if is_json else delimited).batches(lines, detected, ignored)
