"""What reading a hotlist file gives: its entries as columns, what was not taken and why, and how it was read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from hotlists.columns import ALWAYS_NS, FOR_EVER_NS, UNSTATED, Columns, pack_entries, unpack_country
from hotlists.entry import Handling, Hotlist, HotlistEntry, Priority
from plates import alphabet

MAX_TOLD: Final = 1000
"""Row errors, and warnings of each kind, that are told apart; more are counted."""
MAX_IGNORED: Final = 50
MAX_SHOWN: Final = 80
"""Characters of a cell that a note shows."""

NO_COLUMNS: Final = pack_entries(Hotlist(name=""), [])


class FileError(ValueError):
    """The file as a whole cannot be read; says why and what to do."""


class Use(StrEnum):
    """What a file is for, and so what a row of it may do."""

    REPLACEMENT = "replacement"
    """It lists all that the hotlist holds from now on: a row that removes is an error."""
    DELTA = "delta"
    """Its rows add, or remove where the column ``action`` says so."""
    REMOVAL = "removal"
    """Every row removes, and a row that adds is an error."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may ask of the machine that reads it."""

    rows: int = 10_000_000
    """Rows of a file, taken or not."""
    file_bytes: int = 4 * 1_073_741_824
    """Bytes of the file once it is decompressed, and of each part of an XLSX file."""
    ratio: int = 200
    """How many times larger a part may become by decompression, beyond its first `free_bytes`. What a
    spreadsheet writes stays below 50; a bomb is at 1000."""
    free_bytes: int = 16 * 1_048_576
    """Bytes that a part may become at any ratio."""
    line_characters: int = 1_048_576
    """A longer line is a row error, whatever it holds."""


@dataclass(frozen=True, slots=True)
class RowNote:
    """Something about one row: why it was not taken, or what to look at again."""

    row: int
    """Line of the file, or row of the sheet, on which the row begins; the first is 1."""
    column: str
    """Empty where it is the row as a whole."""
    value: str
    """The first `MAX_SHOWN` characters of the cell."""
    reason: str


@dataclass(slots=True)
class Detected:
    """How a file was read, so that whoever brought it can see that it was read as meant."""

    format: str = ""
    """``csv``, ``ndjson`` or ``xlsx``."""
    compression: str = ""
    """``gzip``, or empty."""
    encoding: str = ""
    """``utf-8``, ``windows-1252`` or ``utf-16``; empty for XLSX."""
    delimiter: str = ""
    """What separates the cells of a CSV file; empty where there is one column, and in other formats."""
    sheet: str = ""
    """Name of the sheet that was read, of an XLSX file."""
    headers: dict[str, str] = field(default_factory=dict)
    """Header as it is written, to the column that it means. Empty where the file is a bare column of plates."""


@dataclass(slots=True)
class ParsedFile:
    """What a file holds for one list.

    Every row of the file is in `accepted` or in `rejected`; of the accepted ones, `duplicates` were overruled by
    another row, and each other one is in `columns` or in `removals`.
    """

    columns: Columns
    """The entries to add, in the order of the file. The same plate and country may come more than once, each
    time with another validity; then all of them have the same handling."""
    removals: Columns
    """The entries to remove: of these only `keys` and `country` say anything, and no pair of them comes twice.
    They come before the additions: a plate in both is replaced."""
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    implausible: int = 0
    """Accepted plates that fit no known series of the country that their row states."""
    errors: list[RowNote] = field(default_factory=list)
    """Why rows were rejected: the first `MAX_TOLD`."""
    warnings: list[RowNote] = field(default_factory=list)
    """Duplicates, and which row holds instead; implausible plates: the first `MAX_TOLD` of each, by row."""
    ignored_columns: list[str] = field(default_factory=list)
    """Headers that mean nothing here, as they are written; at most `MAX_IGNORED`."""
    detected: Detected = field(default_factory=Detected)
    cut_off: bool = False
    """The file ends in the middle of a row: the rest of it may be missing."""

    @property
    def rows(self) -> int:
        """Rows of the file that are for this list."""
        return self.accepted + self.rejected

    @property
    def entries(self) -> list[HotlistEntry]:
        """The entries to add as objects, made anew each time: for a small file, or a test."""
        return as_entries(self.columns)


def as_entries(columns: Columns) -> list[HotlistEntry]:
    """Turn columns into entries, the inverse of `hotlists.columns.pack_entries`."""
    return [
        HotlistEntry(
            plate=plate,
            country=unpack_country(country),
            reason=reason,
            priority=None if rank == UNSTATED else list(Priority)[rank],
            handling=Handling.COVERT if covert else None,
            valid_from_ns=None if begin == ALWAYS_NS else begin,
            valid_until_ns=None if end == FOR_EVER_NS else end,
        )
        for plate, country, reason, rank, covert, begin, end in zip(
            alphabet.decode(columns.codes),
            columns.country.tolist(),
            columns.reasons,
            columns.priority.tolist(),
            columns.covert.tolist(),
            columns.valid_from_ns.tolist(),
            columns.valid_until_ns.tolist(),
            strict=True,
        )
    ]
