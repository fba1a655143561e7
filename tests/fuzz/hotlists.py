"""Look for a file that breaks the reader of hotlists: `python -m tests.fuzz.hotlists -max_total_time=300`.

Atheris is guided by the code that an input reaches. It needs ``pip install atheris``, takes the arguments of
libFuzzer, and is no part of the test suite: what it finds becomes an example there. The first byte of an input
chooses what the rest is: a file as it is, one that is compressed, or the XML of a sheet in a sound XLSX file, so
that the fuzzer need not find a checksum to get there.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hotlists", "zipfile", "gzip"]):
    from hotlists.parse import FileError, Limits, Use
from tests.hotlists.reading import parse, workbook

LIMITS = Limits(rows=10_000, file_bytes=1_000_000, ratio=50, free_bytes=100_000, line_characters=10_000)
USES = list(Use)
SEEDS = (
    b'\0plate,country,reason,valid_until\n1ABC123,BE,"a\nb",14/03/2026\n1ABC123,BE,,\n!,XX,"\n',
    b"\0\xff\xfe" + "plaque;pays\n1ABC123;BE\n".encode("utf-16-le"),
    b'\1{"plate": "1ABC123", "action": "remove", "valid_from": 20260314}\n{"plate": 1.5}\n',
    b"\2" + b"nummerplaat\tactie\n\xd6AB 123\tverwijderen\n1?B*\t\n",
    b'\3<worksheet><sheetData><row r="1"><c r="A1" t="str"><v>plate</v></c><c t="inlineStr"><is><t>geldig tot</t>'
    b'</is></c></row><row><c t="s"><v>0</v></c><c><f>A1</f><v>46095.5</v></c></row></sheetData></worksheet>',
    b"\4<si><t>plate</t></si><si><r><t>1</t></r><rPh><t>x</t></rPh></si>",
    b"\5" + workbook({"Lijst": [["plate"], ["1ABC123"]]}),
)


def one(data: bytes) -> None:
    """Read one file; anything but a result that adds up, or a `FileError`, is a find."""
    if not data:
        return
    raw = data[1:]
    kind = data[0] % 6
    if kind == 2:
        raw = gzip.compress(raw, 1)
    elif kind == 3:
        raw = workbook({"Lijst": raw.decode("utf-8", "replace")}, shared="<si><t>1ABC123</t></si>")
    elif kind == 4:
        raw = workbook(
            {"Lijst": [['<c t="s"><v>0</v></c>'], ['<c t="s"><v>1</v></c>']]},
            shared=raw.decode("utf-8", "replace"),
        )
    try:
        parsed = parse(raw, use=USES[data[0] // 6 % len(USES)], limits=LIMITS)
    except FileError:
        return
    assert len(parsed.columns) + len(parsed.removals) + parsed.duplicates == parsed.accepted
    assert len(parsed.errors) == min(parsed.rejected, 1000)


def main() -> None:
    """Fuzz until told to stop."""
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS):
            one(seed)
            (Path(folder) / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, folder], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
