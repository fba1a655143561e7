"""A hotlist file as it was brought, opened: what it is, by its content, and its lines, a block at a time.

Nothing here holds more of a file than a block and one line. Compression is undone into a temporary file, within
bounds, so that what comes after can read from the begin as often as it must.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, cast

from hotlists.parsed import MAX_SHOWN, FileError, Limits, RowNote

BLOCK_BYTES: Final = 131_072
"""Few enough that a block's rows stay in the processor's cache until they are columns."""
_SAMPLE_BYTES: Final = 65_536
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CODECS: Final = {"utf-8": "utf-8-sig", "windows-1252": "cp1252", "utf-16": "utf-16"}
_UNREADABLE: Final = "\ufffd"
_BROKEN: Final = re.compile(f"{_UNREADABLE}+")
_AGAIN: Final = "nothing was taken; fetch or save the file again"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file without its compression."""

    stream: BinaryIO
    """At its begin, seekable."""
    compression: str
    encoding: str
    """A key of `Detected.encoding`; empty for XLSX."""


@dataclass(slots=True)
class Lines:
    """Lines of a text that follow each other, each with its end."""

    first: int
    """Number of the first; the first of a file is 1."""
    lines: list[str]
    final: bool
    """No line comes behind these."""
    refused: list[RowNote] = field(default_factory=list)
    """Lines that were too long; in `lines` an empty one stands in their place."""


@contextmanager
def opened(source: Path | BinaryIO, limits: Limits) -> Iterator[Opened]:
    """Open a file and find out, by its content, what it is.

    Raises
    ------
    FileError
        It is empty, binary, damaged, cut off, or beyond `limits`.
    """
    with ExitStack() as stack:
        given = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        given.seek(0)
        compression = ""
        stream = given
        if given.read(2) == _GZIP:
            compression = "gzip"
            stream = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile()))
            _decompress(given, stream, limits)
        size = stream.seek(0, os.SEEK_END)
        if size > limits.file_bytes:
            raise FileError(
                f"the file is {size} bytes, more than {limits.file_bytes}; spread it over several lists"
            )
        stream.seek(0)
        sample = stream.read(_SAMPLE_BYTES)
        stream.seek(0)
        encoding = "" if sample.startswith(_ZIP) else _encoding(stream, sample)
        stream.seek(0)
        yield Opened(stream, compression, encoding)


def _decompress(given: BinaryIO, into: BinaryIO, limits: Limits) -> None:
    given.seek(0)
    size = 0
    with gzip.GzipFile(fileobj=given, mode="rb") as packed:
        while True:
            try:
                block = packed.read(1_048_576)
            except EOFError as error:
                raise FileError(f"the gzip file ends half-way: it was cut off; {_AGAIN}") from error
            except (gzip.BadGzipFile, zlib.error) as error:
                raise FileError(f"the gzip file is damaged ({error}); {_AGAIN}") from error
            if not block:
                return
            size += len(block)
            check_growth(size, given.tell(), limits)
            into.write(block)


def check_growth(size: int, packed: int, limits: Limits) -> None:
    """Refuse what decompression makes far larger than a file of rows becomes.

    Raises
    ------
    FileError
        `packed` bytes became `size`, and that is beyond `limits`.
    """
    if size > limits.file_bytes:
        raise FileError(
            f"decompressed, the file is more than {limits.file_bytes} bytes; spread it over several lists"
        )
    if size > limits.free_bytes and size > limits.ratio * packed:
        raise FileError(
            f"decompressed, the file is more than {limits.ratio} times as large: "
            "no list of plates is; send it without compression if it is one"
        )


def _encoding(stream: BinaryIO, sample: bytes) -> str:
    """Tell how a text is encoded.

    Raises
    ------
    FileError
        It is no text, or there is nothing in it.
    """
    if sample.startswith(_GZIP):
        raise FileError("the file is compressed twice; decompress it once and send that")
    if sample.startswith(_OLE):
        raise FileError(
            "the file is binary: an old Excel file (.xls) or one with a password; save it as XLSX or CSV"
        )
    if sample.startswith(_UTF_16):
        return "utf-16"
    if sample.count(0) * 4 > len(sample):
        raise FileError(
            "the file is binary, or UTF-16 without its mark; it must be CSV, NDJSON or XLSX: save it as CSV UTF-8"
        )
    sound = broken = 0
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for block in iter(lambda: stream.read(1_048_576), b""):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    stream.seek(0)
    # A single broken place must not turn every other é of the file into Ã©. In a text that really is
    # Windows-1252, what happens to be UTF-8 is rarer than what is not.
    for text in texts(stream, "utf-8"):
        broken += len(_BROKEN.findall(text))
        sound += len(text) - len(text.encode("ascii", "ignore")) - text.count(_UNREADABLE)
    return "utf-8" if broken < sound else "windows-1252"


def texts(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """Decode a stream, a block at a time; what cannot be decoded becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder(_CODECS[encoding])("replace")
    for block in iter(lambda: stream.read(BLOCK_BYTES), b""):
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def lines(blocks: Iterator[str], limit: int, *, only_newline: bool) -> Iterator[Lines]:
    """Cut a text into lines of at most `limit` characters; the last that is given is final.

    Parameters
    ----------
    only_newline
        Only ``\\n`` ends a line; else ``\\r`` and ``\\r\\n`` do too, mixed or not.
    """
    number, rest = 1, ""
    for block in chain(blocks, [None]):
        text = rest + (block or "")
        cut = _last_end(text, only_newline) if block is not None else len(text)
        if not cut and block is not None:
            # Of a line that is too long it is enough to know that it is, and whether half a \r\n ends it.
            rest = text[: limit + 1] + ("\r" if text[limit + 1 :].endswith("\r") else "")
            continue
        given = io.StringIO(text[:cut], newline="\n" if only_newline else "").readlines()
        rest = text[cut:]
        made = Lines(number, given, block is None)
        if len(text) > limit:
            _refuse_long(made, limit)
        yield made
        number += len(given)


def _last_end(text: str, only_newline: bool) -> int:
    """Where the last line ends for certain: a ``\\r`` at the very end may be half of a ``\\r\\n``."""
    newline = text.rfind("\n")
    return (newline if only_newline else max(newline, text.rfind("\r", 0, len(text) - 1))) + 1


def _refuse_long(made: Lines, limit: int) -> None:
    for at, line in enumerate(made.lines):
        if len(line) > limit:
            made.refused.append(
                RowNote(made.first + at, "", line.strip()[:MAX_SHOWN], f"a line of more than {limit} characters")
            )
            made.lines[at] = ""
