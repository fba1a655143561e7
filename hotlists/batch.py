"""Rows of a file on their way to columns: texts by column, whatever the format that they came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hotlists.parsed import MAX_SHOWN, RowNote


@dataclass(slots=True)
class Batch:
    """N rows that follow each other."""

    numbers: Sequence[int]
    """Number of each row, ascending."""
    cells: Mapping[str, Sequence[str]]
    """Column to N texts, for the columns that these rows have; ``plate`` is always there."""
    refused: list[RowNote] = field(default_factory=list)
    """Rows that are not among the N: they did not become cells."""
    cut_off: bool = False
    """The file ends in the middle of the last row."""

    def chosen(self, rows: Sequence[int]) -> Batch:
        """Keep some of the N rows, and none that was refused."""
        cells = {name: [texts[row] for row in rows] for name, texts in self.cells.items()}
        return Batch([self.numbers[row] for row in rows], cells)


def refusal(number: int, column: str, value: object, reason: str) -> RowNote:
    """Say why a row was not taken; of a long value the begin is shown."""
    return RowNote(number, column, str(value)[:MAX_SHOWN], reason)
