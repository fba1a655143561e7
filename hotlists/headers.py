"""The first row of a file: which of its cells means which column, in Dutch, French, English or German."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hotlists.parsed import MAX_IGNORED, MAX_SHOWN, FileError
from plates import alphabet, syntax
from plates.normalise import normalise

BARE_SAMPLE: Final = 100
"""Rows that must all be plates before a file without headers is taken for a column of plates."""

_HEADERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("plate", "nummerplaat", "plaque", "kenteken", "kennzeichen", "vrm"), "plate"),
    **dict.fromkeys(("country", "land", "pays"), "country"),
    **dict.fromkeys(("list", "lijst", "liste"), "list"),
    **dict.fromkeys(("action", "actie", "aktion"), "action"),
    **dict.fromkeys(("reason", "reden", "motif", "raison", "grund"), "reason"),
    **dict.fromkeys(("priority", "prioriteit", "priorite", "prioritat"), "priority"),
    **dict.fromkeys(("handling", "afhandeling", "traitement", "behandlung"), "handling"),
    **dict.fromkeys(("valid_from", "geldig_van", "geldig_vanaf", "valable_du", "gultig_ab"), "valid_from"),
    **dict.fromkeys(("valid_until", "geldig_tot", "valable_au", "gultig_bis"), "valid_until"),
}
_NAMES: Final = "plate, nummerplaat, plaque, kenteken, kennzeichen, vrm"


@dataclass(slots=True)
class Layout:
    """What the cells of a row mean."""

    columns: list[str] = field(default_factory=list)
    """For each cell its column; empty for none."""
    headers: dict[str, str] = field(default_factory=dict)
    """As `hotlists.parsed.Detected.headers`."""
    ignored: list[str] = field(default_factory=list)
    """As `hotlists.parsed.ParsedFile.ignored_columns`."""

    def ignore(self, header: str) -> None:
        """Remember a header that means nothing here."""
        shown = header.strip()[:MAX_SHOWN]
        if shown and len(self.ignored) < MAX_IGNORED and shown not in self.ignored:
            self.ignored.append(shown)

    def know(self, header: str, column: str) -> None:
        """Remember a header that means `column`; of a thousand spellings the first are enough."""
        if len(self.headers) < MAX_IGNORED:
            self.headers.setdefault(header.strip()[:MAX_SHOWN], column)


@functools.lru_cache(4096)
def column(header: str) -> str:
    """Name the column that a header means, accents or not; empty for none."""
    folded = fold(header)
    return _HEADERS.get(re.sub(r"[\s-]+", "_", folded), "")


def fold(text: str) -> str:
    """Bring a word that somebody typed to small letters without accents."""
    decomposed = unicodedata.normalize("NFKD", text).strip().lower()
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def read_layout(cells: Sequence[str], place: str) -> Layout | None:
    """Read the first row; None when it names no column with plates.

    Parameters
    ----------
    place
        Where the row is, for an error: ``line 1``.

    Raises
    ------
    FileError
        Two headers mean the same column.
    """
    layout = Layout([column(cell) for cell in cells])
    if "plate" not in layout.columns:
        return None
    for cell, meant in zip(cells, layout.columns, strict=True):
        if not meant:
            layout.ignore(cell)
            continue
        layout.know(cell, meant)
        if layout.columns.count(meant) > 1:
            same = ", ".join(repr(cells[at].strip()) for at, other in enumerate(layout.columns) if other == meant)
            raise FileError(f"{place}: {same} all mean {meant}; keep one of them")
    return layout


def bare_layout(rows: Sequence[Sequence[str]]) -> Layout | None:
    """Take rows of one cell, all of them plates of a known series with a digit, for a column of plates."""
    if not rows or any(len(row) != 1 for row in rows):
        return None
    plates = normalise([row[0] for row in rows])
    if any(len(plate) > alphabet.SLOTS or plate.isalpha() or not plate for plate in plates):
        return None
    return Layout(["plate"]) if syntax.plausible(alphabet.encode(plates)).all() else None


def no_plates(cells: Sequence[str], place: str, separated: str) -> FileError:
    """Make the error of a first row without a column of plates; `separated` says by what cells are."""
    shown = ", ".join(repr(cell.strip()[:MAX_SHOWN]) for cell in cells[:8])
    return FileError(
        f"no column with plates in {place}: it holds {shown}. The first row names the columns{separated}; "
        f"name one of: {_NAMES}"
    )
