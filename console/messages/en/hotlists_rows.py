"""What is wrong with a row or a file of a hotlist, in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "hotlists.row.implausible": "fits no known series of {country}: misspelt, or of another country?",
    "hotlists.row.few": "only {count} letters and digits; at least {least} are needed",
    "hotlists.row.none": "no letter or digit in it",
    "hotlists.row.long": "more than {most} characters",
    "hotlists.row.nul": "a character that no text has (NUL); the file is damaged there",
    "hotlists.row.several": "more than one cell or plate; is the delimiter the one of the first row?",
    "hotlists.row.unreadable": "characters that cannot be read; save the file as UTF-8",
    "hotlists.row.letters": "letters other than A to Z; write the plate as it is registered in those",
    "hotlists.row.order": "not after “valid from”: the entry would never be valid",
    "hotlists.row.country": "not a two-letter country code (BE, NL, FR, …)",
    "hotlists.row.list": "the row is of another list; upload it to that one",
    "hotlists.row.removes": "a whole list removes what it leaves out; upload the file as changes only",
    "hotlists.row.options": "not one of {options}",
    "hotlists.row.year": "a year of two digits; write all four, as in 14/03/2026",
    "hotlists.row.date": "not a date or time like 2026-03-14, 14/03/2026 or 2026-03-14T21:00",
    "hotlists.row.years": "outside the years 1678 to 2262",
    "hotlists.row.month": "there is no month {month}; the day comes before the month, as in 14/03/2026",
    "hotlists.row.day": "not a date: there is no day {day} in month {month} of {year}",
    "hotlists.row.time": "there is no such time of day, or no such offset",
    "hotlists.row.quote": "a quote is not closed or not doubled",
    "hotlists.row.behind": "stands behind the quote of row {row}, which is not closed",
    "hotlists.row.cells": "{cells} cells for {columns} columns",
    "hotlists.row.line": "longer than {most} characters",
    "hotlists.row.json": "no valid JSON",
    "hotlists.row.object": "no JSON object",
    "hotlists.row.twice": "two fields mean the same ({column}); keep one of them",
    "hotlists.row.kind": "neither a text nor a whole number",
    "hotlists.row.number": "no number or date, though the sheet says so",
    "hotlists.row.missing": "points to a text that the file does not have",
    "hotlists.row.error": "the cell holds an error of the spreadsheet",
    "hotlists.row.tightened": "row {row} lists the same plate as covert, so this one is covert too",
    "hotlists.row.overruled": "row {row} removes the same plate; it comes later and holds",
    "hotlists.row.duplicate": "the same plate, country and validity as row {row}, which comes later and holds",
    "hotlists.file.empty": "The file is empty. Check whether it is the right one.",
    "hotlists.file.large": "Decompressed, the file is too large. Spread it over several lists.",
    "hotlists.file.bomb": "Decompressed, the file is more than {ratio} times as large: no list is. Nothing of "
    "it was read; send it without compression if it is one.",
    "hotlists.file.half": "The gzip file ends half-way. Nothing was kept; fetch it again.",
    "hotlists.file.gzip": "The gzip file is damaged. Nothing was kept; fetch it again.",
    "hotlists.file.twice": "The file is compressed twice. Decompress it once and send that.",
    "hotlists.file.xls": "This is an old Excel file (.xls) or one with a password. Save it as XLSX or CSV.",
    "hotlists.file.binary": "This is no text. Save the list as CSV (UTF-8), NDJSON or XLSX.",
    "hotlists.file.csv": "Row {line} is no CSV: a quote is not closed, or a cell is very long.",
    "hotlists.file.plates": "No column with plates: it holds {holds}. The first row names the columns; call one "
    "of them plate, nummerplaat, plaque or kenteken.",
    "hotlists.file.same": "More than one column means {column}. Keep one of them.",
    "hotlists.file.array": "The file is one JSON array. Write one object a line (NDJSON), without the brackets.",
    "hotlists.file.blanks": "The file begins with very many blank lines. Is it the right one?",
    "hotlists.file.rows": "More than {rows} rows. Spread them over several lists.",
    "hotlists.file.zip": "This is a ZIP file, no XLSX. Unpack it and send the list that is in it.",
    "hotlists.file.xlsx": "The XLSX file cannot be read: damaged, cut off, too large or with a password. Save "
    "the sheet as CSV.",
    "hotlists.file.slow": "Reading took too long. Split the file up.",
    "hotlists.file.memory": "There is not enough memory to read the file. Split it up.",
}
