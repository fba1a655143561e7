"""Files that ops staff bring, CSV or NDJSON, to entries and row errors. A bad row costs nothing that was good."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from hotlists.entry import Handling, HotlistEntry, Priority
from plates import alphabet
from plates.normalise import normalise, normalise_pattern

E = TypeVar("E", bound=StrEnum)

MAX_REASON: Final = 500
_BRUSSELS: Final = ZoneInfo("Europe/Brussels")
_DELIMITERS: Final = (",", ";", "\t")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_HEADERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("plate", "nummerplaat", "plaque", "kenteken", "kennzeichen", "vrm"), "plate"),
    **dict.fromkeys(("country", "land", "pays"), "country"),
    **dict.fromkeys(("reason", "reden", "motif", "raison"), "reason"),
    **dict.fromkeys(("priority", "prioriteit", "priorité"), "priority"),
    **dict.fromkeys(("handling", "afhandeling"), "handling"),
    **dict.fromkeys(("valid_from", "geldig_van", "valable_du"), "valid_from"),
    **dict.fromkeys(("valid_until", "geldig_tot", "valable_au"), "valid_until"),
    "list": "list",
}


class FileError(ValueError):
    """The file as a whole cannot be read; says why and what to do."""


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that was not taken."""

    row: int
    """Line of the file, the header being 1 in a CSV."""
    column: str
    value: str
    reason: str


@dataclass(slots=True)
class Parsed:
    """What a file holds."""

    entries: list[HotlistEntry] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)


class _Refused(ValueError):
    def __init__(self, column: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.column, self.value, self.reason = column, str(value)[:80], reason


def parse(raw: bytes) -> Parsed:
    """Read a hotlist file: NDJSON when its first character is ``{``, CSV otherwise.

    Delimiter (comma, semicolon, tab) and encoding (UTF-8, else Windows-1252) are detected. Of the columns
    ``plate, country, list, reason, priority, handling, valid_from, valid_until`` only the first is required.

    Raises
    ------
    FileError
        The file is empty, binary, or has no column with plates.
    """
    text = _decode(raw)
    if not text.strip():
        raise FileError("the file is empty")
    rows = _ndjson_rows(text) if text.lstrip()[0] == "{" else _csv_rows(text)
    parsed = Parsed()
    for number, row in rows:
        try:
            parsed.entries.append(_entry(row))
        except _Refused as error:
            parsed.errors.append(RowError(number, error.column, error.value, error.reason))
    return parsed


def _decode(raw: bytes) -> str:
    if b"\0" in raw:
        raise FileError("the file is binary, not CSV or NDJSON; save the sheet as CSV")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _csv_rows(text: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    first = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [_HEADERS.get(name.strip().lower(), "") for name in next(reader)]
    except csv.Error as error:
        raise FileError(f"line 1 is no CSV: {error}") from error
    if "plate" not in header:
        raise FileError(
            "no column with plates in line 1; name one of: plate, nummerplaat, plaque, kenteken, kennzeichen, vrm"
        )
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, {"": str(error)}
            continue
        if any(value.strip() for value in values):
            yield reader.line_num, {name: value for name, value in zip(header, values, strict=False) if name}


def _ndjson_rows(text: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            found = {"": f"no JSON: {error}"}
        yield number, found if isinstance(found, dict) else {"": "not a JSON object"}


def _entry(row: Mapping[str, Any]) -> HotlistEntry:
    if "" in row:
        raise _Refused("", "", str(row[""]))
    return HotlistEntry(
        plate=_plate(row),
        country=_country(row),
        reason=_text(row, "reason")[:MAX_REASON],
        priority=_choice(row, "priority", Priority),
        handling=_choice(row, "handling", Handling),
        valid_from_ns=_moment(row, "valid_from", last=False),
        valid_until_ns=_moment(row, "valid_until", last=True),
    )


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value).strip()


def _plate(row: Mapping[str, Any]) -> str:
    given = _text(row, "plate")
    wild = "?" in given or "*" in given
    plate = (normalise_pattern if wild else normalise)([given])[0]
    if not plate.strip("?*"):
        raise _Refused("plate", given, "no letter or digit in it")
    if len(plate) > alphabet.SLOTS:
        raise _Refused("plate", given, f"more than {alphabet.SLOTS} characters")
    return plate


def _country(row: Mapping[str, Any]) -> str:
    country = _text(row, "country").upper()
    if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
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
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _Refused(column, value, "not a date or time like 2026-03-14 or 2026-03-14T21:00+01:00") from None
    if _DATE.match(value):
        day = moment.date()
        if last:
            day = day.fromordinal(min(day.toordinal() + 1, day.max.toordinal()))
        moment = datetime.combine(day, time(), _BRUSSELS)
    elif moment.tzinfo is None:
        raise _Refused(column, value, "the time has no offset; write +01:00, +02:00 or Z behind it")
    nanoseconds = int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
    if not -(2**63) < nanoseconds < 2**63:
        raise _Refused(column, value, "outside the years 1678 to 2262")
    return nanoseconds
