"""The slowest obvious reader of a CSV hotlist: a record at a time, an entry at a time.

It shares the tables of `plates` and the words of `hotlists.entry` with the fast one, and no line of its code. Slow
is the point.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hotlists.entry import COUNTRIES, Handling, HotlistEntry, Priority
from plates.normalise import normalise, normalise_pattern

BRUSSELS = ZoneInfo("Europe/Brussels")
DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y%m%d")
COLUMNS = ("plate", "country", "reason", "priority", "handling", "valid_from", "valid_until")


def read(text: str, delimiter: str) -> tuple[list[HotlistEntry], list[int]]:
    """Read a file whose first line names some of `COLUMNS`: its entries, and the rows that are refused."""
    lines = list(io.StringIO(text, newline=""))
    header = lines[0].strip().split(delimiter)
    entries: list[HotlistEntry] = []
    refused: list[int] = []
    for number, cells in records(lines, delimiter, len(header)):
        if cells is not None and not any(cell.strip() for cell in cells):
            continue
        entry = None
        if cells is not None and not any(cell.strip() for cell in cells[len(header) :]):
            entry = entry_of({name: cell.strip() for name, cell in zip(header, cells, strict=False)})
        if entry is None:
            refused.append(number)
        else:
            entries.append(entry)
    return settled(entries), refused


def records(lines: list[str], delimiter: str, width: int) -> Iterator[tuple[int, list[str] | None]]:
    """Each record behind the header, with the number of its first line; None where it is no CSV."""
    at = 1
    while at < len(lines):
        count, cells = 1, None
        while cells is None:
            try:
                (cells,) = csv.reader(lines[at : at + count], delimiter=delimiter, strict=True)
            except csv.Error as error:
                may_go_on = "unexpected end" in str(error) and count < 100 and at + count < len(lines)
                if not may_go_on or lines[at + count].count(delimiter) >= width - 1:
                    break
                count += 1
        if cells is None:
            for number in range(at, at + count):
                if lines[number].strip():
                    yield number + 1, None
        else:
            yield at + 1, cells
        at += count


def entry_of(row: dict[str, str]) -> HotlistEntry | None:
    """One row to its entry; None where a cell is not sound."""
    text = row.get("plate", "")
    is_pattern = any(sign in text for sign in "?*？＊")
    plate = (normalise_pattern if is_pattern else normalise)([text])[0]
    known = len(plate.replace("?", "").replace("*", ""))
    country = row.get("country", "").upper()
    country = {"UK": "GB", "EL": "GR"}.get(country, country)
    priority, handling = row.get("priority", "").lower(), row.get("handling", "").lower()
    try:
        begin_ns = moment(row.get("valid_from", ""), last=False)
        end_ns = moment(row.get("valid_until", ""), last=True)
    except ValueError:
        return None
    if (
        not 2 <= known <= len(plate) <= 10
        or any(sign in text for sign in ",;|\t\r\n\0\ufffd")
        or any(each.isalnum() and not normalise([each])[0] for each in text)
        or (country and country not in COUNTRIES)
        or (priority and priority not in list(Priority))
        or (handling and handling not in list(Handling))
        or (begin_ns is not None and end_ns is not None and end_ns <= begin_ns)
        or any("\0" in cell for cell in row.values())
    ):
        return None
    return HotlistEntry(
        plate=plate,
        country=country,
        reason=row.get("reason", "")[:500],
        priority=Priority(priority) if priority else None,
        handling=Handling.COVERT if handling == "covert" else None,
        valid_from_ns=begin_ns,
        valid_until_ns=end_ns,
    )


def moment(text: str, *, last: bool) -> int | None:
    """A day, or a time of day in Brussels."""
    if not text:
        return None
    for shape in DAYS:
        for clock in ("", " %H:%M"):
            try:
                found = datetime.strptime(text, shape + clock).replace(tzinfo=BRUSSELS, fold=int(last))
            except ValueError:
                continue
            if not clock and last:
                following = date(found.year, found.month, found.day) + timedelta(days=1)
                found = datetime(following.year, following.month, following.day, tzinfo=BRUSSELS)
            return int((found - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9
    raise ValueError(text)


def settled(entries: list[HotlistEntry]) -> list[HotlistEntry]:
    """Keep the last of the same plate, country and validity; where one of a vehicle's is covert, all are."""
    kept: list[HotlistEntry] = []
    for at, entry in enumerate(entries):
        same = [each for each in entries if (each.plate, each.country) == (entry.plate, entry.country)]
        validity = (entry.valid_from_ns, entry.valid_until_ns)
        later = [each for each in entries[at + 1 :] if (each.plate, each.country) == (entry.plate, entry.country)]
        if all((each.valid_from_ns, each.valid_until_ns) != validity for each in later):
            covert = any(each.handling is Handling.COVERT for each in same)
            kept.append(
                HotlistEntry(
                    plate=entry.plate,
                    country=entry.country,
                    reason=entry.reason,
                    priority=entry.priority,
                    handling=Handling.COVERT if covert else None,
                    valid_from_ns=entry.valid_from_ns,
                    valid_until_ns=entry.valid_until_ns,
                )
            )
    return kept
