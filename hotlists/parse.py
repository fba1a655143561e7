"""Files that ops staff bring, CSV or NDJSON, to entries and row errors. A bad row costs nothing that was good."""

from __future__ import annotations

import csv
import functools
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from hotlists.columns import pack_entries
from hotlists.entry import COUNTRIES, SHORTEST_PLATE, Handling, Hotlist, HotlistEntry, Priority
from hotlists.parsed import FileError, Limits, ParsedFile, RowNote, Use
from plates import alphabet
from plates.normalise import normalise, normalise_pattern

E = TypeVar("E", bound=StrEnum)

MAX_REASON: Final = 500
"""A longer reason is cut: it travels on every hit."""
MAX_ROWS: Final = 1_000_000
"""What one upload may hold, so that parsing it stays within the memory of the console."""
MAX_ERRORS: Final = 1000
"""Row errors that are told apart; more are counted."""
MAX_IGNORED: Final = 50
FEWEST_KNOWN: Final = 2
"""Characters that a pattern must state: with one, it would be a hit on every other vehicle."""

_BRUSSELS: Final = ZoneInfo("Europe/Brussels")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DELIMITERS: Final = (",", ";", "\t")
_SEPARATES_PLATES: Final = re.compile(r"[,;|\t\r\n]")
_UNREADABLE: Final = "\ufffd"
# Unofficial but common for a code of ISO 3166.
_COUNTRY_ALIASES: Final[Mapping[str, str]] = {"UK": "GB", "EL": "GR"}
_HEADERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("plate", "nummerplaat", "plaque", "kenteken", "kennzeichen", "vrm"), "plate"),
    **dict.fromkeys(("country", "land", "pays"), "country"),
    **dict.fromkeys(("list", "lijst", "liste"), "list"),
    **dict.fromkeys(("reason", "reden", "motif", "raison", "grund"), "reason"),
    **dict.fromkeys(("priority", "prioriteit", "priorite", "prioritat"), "priority"),
    **dict.fromkeys(("handling", "afhandeling", "traitement", "behandlung"), "handling"),
    **dict.fromkeys(("valid_from", "geldig_van", "geldig_vanaf", "valable_du", "gultig_ab"), "valid_from"),
    **dict.fromkeys(("valid_until", "geldig_tot", "valable_au", "gultig_bis"), "valid_until"),
}


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that was not taken."""

    row: int
    """Line of the file on which the row begins; the first is 1."""
    column: str
    """Empty where it is the row as a whole."""
    value: str
    reason: str


@dataclass(slots=True)
class Parsed:
    """What a file holds."""

    entries: list[HotlistEntry] = field(default_factory=list)
    rejected: int = 0
    """Rows that were not taken; with the entries, every row of the file."""
    errors: list[RowError] = field(default_factory=list)
    """The first `MAX_ERRORS` of them."""
    ignored_columns: list[str] = field(default_factory=list)
    """Columns of the file that mean nothing here, as they are written there; at most `MAX_IGNORED`."""


class _Refused(ValueError):
    def __init__(self, column: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.column, self.value, self.reason = column, str(value)[:80], reason


_Row = Mapping[str, Any] | _Refused


def parse(raw: bytes, name: str) -> Parsed:
    """Read a file for list `name`: NDJSON when its first character is ``{``, CSV otherwise.

    Delimiter (comma, semicolon, tab), encoding (UTF-8, else Windows-1252) and the language of the headers (Dutch,
    French, English, German) are detected. Of the columns ``plate, country, list, reason, priority, handling,
    valid_from, valid_until`` only the first is required. A cell is a text, whatever a spreadsheet would make of
    it. A row that names another list than `name` is an error.

    Raises
    ------
    FileError
        The file is empty, binary, has no column with plates or one column twice, or more than `MAX_ROWS` rows.
    """
    parsed = Parsed()
    for count, (number, row) in enumerate(_rows(raw, parsed.ignored_columns), 1):
        if count > MAX_ROWS:
            raise FileError(f"more than {MAX_ROWS} rows; spread them over several lists")
        _take(parsed, number, row, name)
    return parsed


def parse_file(
    source: Path | BinaryIO, name: str, *, use: Use = Use.REPLACEMENT, limits: Limits | None = None
) -> ParsedFile:
    """Read a file for list `name`, whatever it is: CSV, NDJSON or XLSX, any of them compressed with gzip.

    Parameters
    ----------
    source
        The file, or where it is: open for reading and seekable. It is read in blocks, never whole.
    use
        What the file is for, and so whether its rows add or remove.

    Raises
    ------
    FileError
        The file is none of these, is damaged or cut off, has no column with plates, or is beyond `limits`.
    """
    raw = source.read_bytes() if isinstance(source, Path) else source.read()
    parsed = parse(raw, name)
    nothing = pack_entries(Hotlist(name=name), [])
    notes = [RowNote(each.row, each.column, each.value, each.reason) for each in parsed.errors]
    given = pack_entries(Hotlist(name=name), parsed.entries)
    removes = use is Use.REMOVAL
    return ParsedFile(
        columns=nothing if removes else given,
        removals=given if removes else nothing,
        accepted=len(given),
        rejected=parsed.rejected,
        errors=notes,
        ignored_columns=parsed.ignored_columns,
    )


def parse_lists(raw: bytes, name: str) -> dict[str, Parsed]:
    """Read a file of several lists, however long: as `parse`, each row for the list it names, or else `name`.

    Raises
    ------
    FileError
        The file is empty, binary, or has no column with plates or one column twice.
    """
    ignored: list[str] = []
    lists: dict[str, Parsed] = {}
    for number, row in _rows(raw, ignored):
        named = "" if isinstance(row, _Refused) else str(row.get("list") or "").strip().lower()
        _take(lists.setdefault(named or name, Parsed(ignored_columns=ignored)), number, row, named or name)
    return lists


def _rows(raw: bytes, ignored: list[str]) -> Iterator[tuple[int, _Row]]:
    text = _decode(raw)
    if not text.strip():
        raise FileError("the file is empty")
    return (_ndjson_rows if text.lstrip()[0] == "{" else _csv_rows)(text, ignored)


def _take(parsed: Parsed, number: int, row: _Row, name: str) -> None:
    try:
        if isinstance(row, _Refused):
            raise row
        parsed.entries.append(_entry(row, name))
    except _Refused as error:
        parsed.rejected += 1
        if len(parsed.errors) < MAX_ERRORS:
            parsed.errors.append(RowError(number, error.column, error.value, error.reason))


def _decode(raw: bytes) -> str:
    if b"\0" in raw:
        raise FileError("the file is binary, not CSV or NDJSON; save the sheet as CSV UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        damaged = raw.decode("utf-8-sig", "replace")
    # A single broken byte must not turn every other é of the file into Ã©. In a text that really is
    # Windows-1252, what happens to be UTF-8 is rarer than what is not.
    broken = damaged.count(_UNREADABLE)
    sound = sum(character > "\x7f" for character in damaged) - broken
    if broken < sound:
        return damaged
    return raw.decode("cp1252", "replace")


@functools.lru_cache(4096)
def _column(header: str) -> str:
    """Name the column that a header means, in whatever language, accents or not; empty for none."""
    folded = unicodedata.normalize("NFKD", header).strip().lower()
    plain = "".join(character for character in folded if not unicodedata.combining(character))
    return _HEADERS.get(re.sub(r"[\s-]+", "_", plain), "")


def _ignore(header: str, ignored: list[str]) -> None:
    shown = header.strip()[:80]
    if shown and len(ignored) < MAX_IGNORED and shown not in ignored:
        ignored.append(shown)


def _csv_rows(text: str, ignored: list[str]) -> Iterator[tuple[int, _Row]]:
    lines = list(io.StringIO(text, newline=""))
    first = next(number for number, line in enumerate(lines) if line.strip())
    delimiter = max(_DELIMITERS, key=lines[first].count)
    columns = _header(lines[first], first + 1, delimiter, ignored)
    width = len(columns)
    for number, values in _records(lines, first + 1, delimiter, width):
        if isinstance(values, _Refused):
            yield number, values
        elif any(value.strip() for value in values[width:]):
            yield number, _Refused("", delimiter.join(values), f"{len(values)} cells for {width} columns")
        elif any(value.strip() for value in values):
            yield number, {name: value for name, value in zip(columns, values, strict=False) if name}


def _header(line: str, number: int, delimiter: str, ignored: list[str]) -> list[str]:
    """Read the header: for each cell the column that it means, empty for none."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise FileError(f"line {number} is no CSV: {error}") from error
    columns = [_column(cell) for cell in cells]
    for cell, column in zip(cells, columns, strict=True):
        if not column:
            _ignore(cell, ignored)
        elif columns.count(column) > 1:
            same = ", ".join(repr(cells[at].strip()) for at, other in enumerate(columns) if other == column)
            raise FileError(f"line {number}: {same} all mean {column}; keep one of them")
    if "plate" not in columns:
        raise FileError(
            f"no column with plates in line {number}; "
            "name one of: plate, nummerplaat, plaque, kenteken, kennzeichen, vrm"
        )
    return columns


def _records(lines: list[str], at: int, delimiter: str, width: int) -> Iterator[tuple[int, list[str] | _Refused]]:
    """Read the records from line index `at` on, each with the number of its first line.

    A quote that is never closed would swallow every row behind it. So what is no CSV costs its first line, and
    reading goes on with the next; and so does a record over several lines of which one by itself has all the
    cells of a row.
    """
    while at < len(lines):
        reader = csv.reader((lines[index] for index in range(at, len(lines))), delimiter=delimiter, strict=True)
        begin = at
        try:
            for values in reader:
                end = at + reader.line_num
                if any(line.count(delimiter) >= width - 1 for line in lines[begin + 1 : end]):
                    raise csv.Error("a cell holds what looks like whole rows")
                yield begin + 1, values
                begin = end
            return
        except csv.Error as error:
            yield begin + 1, _Refused("", lines[begin].strip(), f"a quote is not closed or not doubled: {error}")
            at = begin + 1


def _ndjson_rows(text: str, ignored: list[str]) -> Iterator[tuple[int, _Row]]:
    # Not splitlines: it splits at U+2028 and the like too, which JSON allows within a text.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = msgspec.json.decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            yield number, _Refused("", line.strip(), f"no JSON: {error}")
            continue
        yield number, _object_row(found, ignored) if isinstance(found, dict) else _Refused("", found, "no object")


def _object_row(found: Mapping[str, Any], ignored: list[str]) -> _Row:
    row: dict[str, Any] = {}
    for key, value in found.items():
        column = _column(key)
        if not column:
            _ignore(key, ignored)
        elif column in row:
            return _Refused(column, value, f"two fields mean {column}; keep one of them")
        else:
            row[column] = value
    return row


def _entry(row: Mapping[str, Any], name: str) -> HotlistEntry:
    listed = _text(row, "list")
    if listed and listed.lower() != name:
        raise _Refused("list", listed, f"the row is of another list than {name!r}; upload it to that list")
    valid_from_ns = _moment(row, "valid_from", last=False)
    valid_until_ns = _moment(row, "valid_until", last=True)
    if valid_from_ns is not None and valid_until_ns is not None and valid_until_ns <= valid_from_ns:
        raise _Refused("valid_until", row["valid_until"], "not after valid_from: the entry would never be valid")
    return HotlistEntry(
        plate=_plate(row),
        country=_country(row),
        reason=_text(row, "reason")[:MAX_REASON],
        priority=_choice(row, "priority", Priority),
        handling=_choice(row, "handling", Handling),
        valid_from_ns=valid_from_ns,
        valid_until_ns=valid_until_ns,
    )


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    if value is None:
        return ""
    # A number is a plate of digits alone that its writer did not quote.
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise _Refused(column, value, "neither a text nor a whole number")
    return str(value).strip()


def _plate(row: Mapping[str, Any]) -> str:
    given = _text(row, "plate")
    if _SEPARATES_PLATES.search(given):
        raise _Refused("plate", given, "more than one cell or plate; is the delimiter the one of line 1?")
    if not given.isascii():
        _check_script(given)
    wild = "?" in given or "*" in given
    plate = (normalise_pattern if wild else normalise)([given])[0]
    known = len(plate) - plate.count("?") - plate.count("*")
    if not known:
        raise _Refused("plate", given, "no letter or digit in it")
    if len(plate) > alphabet.SLOTS:
        raise _Refused("plate", given, f"more than {alphabet.SLOTS} characters")
    fewest = FEWEST_KNOWN if wild else SHORTEST_PLATE
    if known < fewest:
        raise _Refused("plate", given, f"only {known} letters and digits; at least {fewest} are needed")
    return plate


def _check_script(given: str) -> None:
    """Refuse letters that normalisation would leave out: what is left would be another vehicle's plate."""
    if _UNREADABLE in given:
        raise _Refused("plate", given, "characters that cannot be read; save the file as UTF-8")
    if any(character.isalnum() and not normalise([character])[0] for character in given):
        raise _Refused("plate", given, "letters other than A to Z; write the plate as it is registered in those")


def _country(row: Mapping[str, Any]) -> str:
    country = _text(row, "country").upper()
    country = _COUNTRY_ALIASES.get(country, country)
    if country and country not in COUNTRIES:
        raise _Refused("country", country, "not a two-letter country code (BE, NL, FR, ...)")
    return country


def _choice(row: Mapping[str, Any], column: str, kind: type[E]) -> E | None:
    value = _text(row, column).lower()
    if not value:
        return None
    try:
        return kind(value)
    except ValueError:
        raise _Refused(column, value, f"not one of {', '.join(kind)}") from None


def _moment(row: Mapping[str, Any], column: str, *, last: bool) -> int | None:
    """Read a moment; a bare date begins, or as the end includes, that day in Brussels."""
    value = _text(row, column)
    if not value:
        return None
    try:
        return _nanoseconds(value, last)
    except ValueError as error:
        raise _Refused(column, value, str(error)) from None


# A file of a million rows has a few hundred dates.
@functools.lru_cache(1024)
def _nanoseconds(value: str, last: bool) -> int:
    try:
        moment = _midnight(date.fromisoformat(value), next_day=last)
    except ValueError:
        moment = _time(value)
    nanoseconds = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    if not -(2**63) < nanoseconds < 2**63:
        raise ValueError("outside the years 1678 to 2262")
    return nanoseconds


def _midnight(day: date, *, next_day: bool) -> datetime:
    """Begin of a day in Brussels, or of the next; the last day of the calendar has none."""
    if next_day:
        day = date.fromordinal(min(day.toordinal() + 1, date.max.toordinal()))
    return datetime.combine(day, time(), _BRUSSELS)


def _time(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("not a date or time like 2026-03-14 or 2026-03-14T21:00+01:00") from None
    if moment.tzinfo is None:
        raise ValueError("the time has no offset; write +01:00, +02:00 or Z behind it")
    return moment
