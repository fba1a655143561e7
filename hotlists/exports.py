"""Texts on their way out, into a file that a spreadsheet will open."""

from __future__ import annotations

from typing import Final

_BEGINS_FORMULA: Final = frozenset("=+-@＝＋－＠")
_BEGINS_CELL: Final = ("\t", "\r", "\n")


def spreadsheet_safe(text: str) -> str:
    """Have a spreadsheet show a text that it would calculate: ``=HYPERLINK(...)`` becomes ``'=HYPERLINK(...)``.

    A list's reason or a plate is whatever its owner wrote. Every cell of an export goes through here, whatever
    its column. What begins with ``=``, ``+``, ``-``, ``@`` (or their full-width forms), after blanks too, or with
    a tab or line end, gets an apostrophe in front, which a spreadsheet takes as the mark of a text.
    """
    if text.startswith(_BEGINS_CELL) or text.lstrip()[:1] in _BEGINS_FORMULA:
        return f"'{text}"
    return text
