"""What the desk and the reader of files say, in the language of the page.

Both speak English, with a code or in sentences that do not change; what is not known here is shown as it is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from console.messages import MESSAGES, text
from hotlists.problems import DeskError
from hotlists.shapes import NoteShape

_SENTENCES: Final = tuple(
    (re.compile(pattern, re.DOTALL), key)
    for pattern, key in (
        # Rows
        (r"fits no known series of (?P<country>..): .*", "hotlists.row.implausible"),
        (r"only (?P<count>\d+) letters and digits; at least (?P<least>\d+) are needed", "hotlists.row.few"),
        (r"no letter or digit in it", "hotlists.row.none"),
        (r"more than (?P<most>\d+) characters", "hotlists.row.long"),
        (r"a character that no text has.*", "hotlists.row.nul"),
        (r"more than one cell or plate; .*", "hotlists.row.several"),
        (r"characters that cannot be read; .*", "hotlists.row.unreadable"),
        (r"letters other than A to Z; .*", "hotlists.row.letters"),
        (r"not after valid_from: .*", "hotlists.row.order"),
        (r"not a two-letter country code .*", "hotlists.row.country"),
        (r"the row is of another list than .*", "hotlists.row.list"),
        (r"a file that replaces the whole list removes .*", "hotlists.row.removes"),
        (r"not one of (?P<options>.+)", "hotlists.row.options"),
        (r"a year of two digits; .*", "hotlists.row.year"),
        (r"not a date or time like .*", "hotlists.row.date"),
        (r"outside the years 1678 to 2262", "hotlists.row.years"),
        (r"there is no month (?P<month>\d+); .*", "hotlists.row.month"),
        (r"not a date: there is no day (?P<day>\d+) in month (?P<month>\d+) of (?P<year>\d+)", "hotlists.row.day"),
        (r"there is no such time of day, .*", "hotlists.row.time"),
        (r"a quote is not closed or not doubled.*", "hotlists.row.quote"),
        (r"stands behind the quote of row (?P<row>\d+) .*", "hotlists.row.behind"),
        (r"(?P<cells>\d+) cells for (?P<columns>\d+) columns", "hotlists.row.cells"),
        (r"a (?:line|text) of more than (?P<most>\d+) characters", "hotlists.row.line"),
        (r"no JSON: .*", "hotlists.row.json"),
        (r"no object", "hotlists.row.object"),
        (r"two fields mean (?P<column>\w+); .*", "hotlists.row.twice"),
        (r"neither a text nor a .*", "hotlists.row.kind"),
        (r"no (?:number|date)[:,] .*", "hotlists.row.number"),
        (r"points to a text that the file does not have", "hotlists.row.missing"),
        (r"the cell holds an error of the spreadsheet", "hotlists.row.error"),
        (r"row (?P<row>\d+) lists the same .* as covert, .*", "hotlists.row.tightened"),
        (r"row (?P<row>\d+) removes the same .*", "hotlists.row.overruled"),
        (r"the same plate, country and validity as row (?P<row>\d+), .*", "hotlists.row.duplicate"),
        # Files
        (r"the file is empty.*", "hotlists.file.empty"),
        (r"(?:decompressed, )?the file is (?:more than )?\d+ bytes.*", "hotlists.file.large"),
        (r"decompressed, the file is more than (?P<ratio>\d+) times as large.*", "hotlists.file.bomb"),
        (r"the gzip file ends half-way.*", "hotlists.file.half"),
        (r"the gzip file is damaged .*", "hotlists.file.gzip"),
        (r"the file is compressed twice; .*", "hotlists.file.twice"),
        (r"the file is binary: an old Excel file .*", "hotlists.file.xls"),
        (r"the file is binary, .*", "hotlists.file.binary"),
        (r"line (?P<line>\d+) is no CSV: .*", "hotlists.file.csv"),
        (r"no column with plates in .+?: it holds (?P<holds>.+)\. The first row .*", "hotlists.file.plates"),
        (r".+ all mean (?P<column>\w+); keep one of them", "hotlists.file.same"),
        (r"the file is one JSON array; .*", "hotlists.file.array"),
        (r"the file begins with very many blanks; .*", "hotlists.file.blanks"),
        (r"more than (?P<rows>\d+) rows; .*", "hotlists.file.rows"),
        (r"the ZIP file has far more parts .*", "hotlists.file.zip"),
        (r"the file is a ZIP file, but no XLSX; .*", "hotlists.file.zip"),
        (r".*\bthe XLSX file\b.*", "hotlists.file.xlsx"),
        (r"reading the file took more than .*", "hotlists.file.slow"),
        (r"the file cannot be read with the memory .*", "hotlists.file.memory"),
    )
)  # fmt: skip


def translated(said: str, language: str) -> str:
    """Say a sentence of the reader in `language`; as it is, where it is not known here."""
    for pattern, key in _SENTENCES:
        found = pattern.fullmatch(said)
        if found is not None:
            return text(key, language).format(**found.groupdict())
    return said


def notes(given: Iterable[NoteShape], language: str) -> list[NoteShape]:
    """Give notes about rows with their reasons in `language`."""
    return [each.model_copy(update={"reason": translated(each.reason, language)}) for each in given]


def sentence(error: DeskError, language: str) -> str:
    """Say what the desk refuses, where, and what to do."""
    if error.code == "entry":
        column, _, reason = error.detail.partition(": ")
        name = text(f"hotlists.column.{column}", language) if column in COLUMNS else column
        return f"{name}: {translated(reason, language)}"
    if error.code == "file":
        return translated(error.detail, language)
    unread = any(each["code"] == "unread" for each in error.more.get("guards", ()))
    key = f"hotlists.code.{error.code}{'_unread' if unread else ''}"
    if key not in MESSAGES[language]:
        return error.detail
    values = {each: error.more.get(each) for each in ("live", "removed", "other")}
    return text(key, language).format(**values)


COLUMNS: Final = frozenset(
    ("plate", "country", "reason", "priority", "handling", "valid_from", "valid_until", "list", "action")
)
"""What a column of a file can mean."""
