"""How long a hotlist file takes to read: `python -m bench.hotlists_parse --rows 1000000`.

Writes a file as an owner of a list would (plate with dashes, country, one of a hundred reasons, a last day) into a
temporary folder, and reads it in a process of its own, so that the memory is that of reading alone. The bar that
an upload of a million rows is held against, checks and publication included, is 10 s and 1 GiB on two cores.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

FORMATS: Final = ("csv", "csv.gz", "ndjson", "xlsx")
HEADERS: Final = ("nummerplaat", "land", "reden", "geldig tot")
_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
_FIRST_DAY: Final = date(2027, 1, 1)
_CONTENT_TYPES: Final = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
_RELATED: Final = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{}" Target="{}"/></Relationships>'
)
_WORKBOOK: Final = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="Lijst" sheetId="1" r:id="rId1"/></sheets></workbook>'
)


def rows(count: int, seed: int) -> Iterator[tuple[str, str, str, str]]:
    """Make the cells of `count` rows, no plate twice."""
    draw = random.Random(seed)
    reasons = [f"Gestolen, proces-verbaal van zone {number}" for number in range(100)]
    days = [(_FIRST_DAY + timedelta(days=number)).isoformat() for number in range(365)]
    # A step that has no factor in common with the number of plates visits each of them once.
    size, step = 7 * len(_LETTERS) ** 3 * 1000, 6_700_417
    for number in range(count):
        rest, digits = divmod(number * step % size, 1000)
        rest, third = divmod(rest, len(_LETTERS))
        rest, second = divmod(rest, len(_LETTERS))
        index, first = divmod(rest, len(_LETTERS))
        plate = f"{index + 1}-{_LETTERS[first]}{_LETTERS[second]}{_LETTERS[third]}-{digits:03d}"
        yield plate, "BE", draw.choice(reasons), draw.choice(days)


def write(path: Path, count: int, seed: int) -> None:
    """Write a file of `count` rows in the format that its name ends in."""
    made = rows(count, seed)
    if path.suffix == ".gz":
        with gzip.open(path, "wt", 6, encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADERS, *made])
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow(HEADERS)
            csv.writer(file).writerows(made)
    elif path.suffix == ".ndjson":
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(dict(zip(HEADERS, row, strict=True))) + "\n" for row in made)
    else:
        _write_sheet(path, made)


def _write_sheet(path: Path, made: Iterator[tuple[str, ...]]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("[Content_Types].xml", _CONTENT_TYPES)
        packed.writestr("_rels/.rels", _RELATED.format("officeDocument", "xl/workbook.xml"))
        packed.writestr("xl/_rels/workbook.xml.rels", _RELATED.format("worksheet", "worksheets/sheet1.xml"))
        packed.writestr("xl/workbook.xml", _WORKBOOK)
        with packed.open("xl/worksheets/sheet1.xml", "w") as file:
            file.write(b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>')
            for number, row in enumerate([HEADERS, *made], 1):
                cells = "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in row)
                file.write(f'<row r="{number}">{cells}</row>'.encode())
            file.write(b"</sheetData></worksheet>")


_MEASURE: Final = """
import json, sys, time
from pathlib import Path
from hotlists.parse import Limits, parse_file
def peak_mib():
    # Not getrusage: its peak begins with that of the process that started this one.
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
before_mib, begin_s, begin_cpu_s = peak_mib(), time.perf_counter(), time.process_time()
parsed = parse_file(Path(sys.argv[1]), "gestolen")
print(json.dumps({
    "wall_s": time.perf_counter() - begin_s, "cpu_s": time.process_time() - begin_cpu_s,
    "peak_mib": peak_mib(), "more_than_before_mib": peak_mib() - before_mib,
    "accepted": parsed.accepted, "rejected": parsed.rejected, "duplicates": parsed.duplicates,
}))
"""


def measure(path: Path) -> dict[str, Any]:
    """Read a file in a new process; time and memory."""
    run = subprocess.run([sys.executable, "-c", _MEASURE, str(path)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return {"file_mib": path.stat().st_size / 2**20, **found}


def main() -> None:
    """Measure the formats that are asked for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    asked.add_argument("--seed", type=int, default=1, help="the same seed gives the same file")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in given.formats:
            path = Path(folder) / f"list.{name}"
            begin_s = time.perf_counter()
            write(path, given.rows, given.seed)
            written_s = time.perf_counter() - begin_s
            for figure, value in {"written_s": written_s, **measure(path)}.items():
                sys.stdout.write(f"{name:<8} {figure:<22} {value:>14,.6g}\n")
            path.unlink()


if __name__ == "__main__":
    main()
