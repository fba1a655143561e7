"""An upload read beside the console: in a process of its own, so that alerts go on reaching the screens.

A process also gives its memory back, and a file that costs too much of it takes nothing else along. The upload is
handed over by its file descriptor: it never has a name that could be left behind.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from typing import BinaryIO, Final

import msgspec

from hotlists.columns import Columns
from hotlists.parse import FileError, ParsedFile, Use, parse_file
from hotlists.parsed import Detected, Limits, RowNote

SMALL_BYTES: Final = 262_144
"""A plain text up to this size is read in a thread: a process takes longer to begin than this to read."""
AT_ONCE: Final = 2
"""Files that are read at the same time; others wait their turn."""
LIMIT_S: Final = 600.0
_PACKED: Final = (b"PK\x03\x04", b"\x1f\x8b")


class _Head(msgspec.Struct):
    accepted: int
    rejected: int
    duplicates: int
    implausible: int
    errors: list[RowNote]
    warnings: list[RowNote]
    ignored_columns: list[str]
    detected: Detected
    cut_off: bool
    bytes_of_columns: int


class Reader:
    """Reads uploads, a few at once."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def read(self, file: BinaryIO, name: str, use: Use) -> ParsedFile:
        """Read a file for list `name`.

        Parameters
        ----------
        file
            On disk, open for reading.

        Raises
        ------
        FileError
            As `parse_file`; also where reading it takes more memory or time than there is.
        """
        async with self._turns:
            if await asyncio.to_thread(_is_small, file):
                return await asyncio.to_thread(parse_file, file, name, use=use, limits=self._limits)
            return await self._read_beside(file, name, use)

    async def _read_beside(self, file: BinaryIO, name: str, use: Use) -> ParsedFile:
        with tempfile.TemporaryFile() as answer:
            given = msgspec.json.encode([name, use.value, self._limits]).decode()
            ends = (file.fileno(), answer.fileno())
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "hotlists.reading", str(ends[0]), str(ends[1]), given),
                pass_fds=ends,
                stdin=asyncio.subprocess.DEVNULL,
            )
            try:
                async with asyncio.timeout(LIMIT_S):
                    code = await process.wait()
            except TimeoutError as error:
                raise FileError(f"reading the file took more than {LIMIT_S:.0f} s; split it up") from error
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            return await asyncio.to_thread(_take_answer, answer, code)


def _is_small(file: BinaryIO) -> bool:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    begin = file.read(4)
    file.seek(0)
    return size <= SMALL_BYTES and not begin.startswith(_PACKED)


def _take_answer(answer: BinaryIO, code: int) -> ParsedFile:
    answer.seek(0)
    line = answer.readline()
    if code == 1 and line:
        raise FileError(line.decode().strip())
    if code != 0:
        raise FileError(f"the file cannot be read with the memory that there is (exit code {code}); split it up")
    head = msgspec.json.decode(line, type=_Head)
    columns = Columns.from_bytes(answer.read(head.bytes_of_columns))
    removals = Columns.from_bytes(answer.read())
    counts = {name: getattr(head, name) for name in head.__struct_fields__ if name != "bytes_of_columns"}
    return ParsedFile(columns=columns, removals=removals, **counts)


def _answer(parsed: ParsedFile, out: BinaryIO) -> None:
    columns = parsed.columns.to_bytes()
    names = [name for name in _Head.__struct_fields__ if name != "bytes_of_columns"]
    head = _Head(**{name: getattr(parsed, name) for name in names}, bytes_of_columns=len(columns))
    out.write(msgspec.json.encode(head) + b"\n")
    out.write(columns)
    out.write(parsed.removals.to_bytes())


def main(arguments: list[str]) -> int:
    """Read the file behind the first descriptor, and write what it holds, or what is wrong, to the second."""
    name, use, limits = msgspec.json.decode(arguments[2], type=tuple[str, Use, Limits])
    with os.fdopen(int(arguments[0]), "rb", closefd=False) as file, os.fdopen(int(arguments[1]), "wb") as out:
        try:
            parsed = parse_file(file, name, use=use, limits=limits)
        except FileError as error:
            out.write(" ".join(str(error).split()).encode("utf-8", "replace"))
            return 1
        except MemoryError:
            return 2
        _answer(parsed, out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
