"""The XML of an XLSX file, as a stream of elements: cells, shared texts, and what relates the parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from xml.parsers import expat

from hotlists.parsed import FileError

_MAX_SHARED: Final = 4_194_304
"""Shared texts; a sheet has 1,048,576 rows."""
_MAX_SHARED_CHARACTERS: Final = 268_435_456
_MAX_COLUMNS: Final = 16_384
_MAX_ROW: Final = 2**31
_VALUES: Final = frozenset({"v", "t"})
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NO_VALUE: Final = "a formula without a stored value; open the file, let it calculate, and save it with values"


class Cell(NamedTuple):
    """A value of a sheet."""

    text: str
    is_number: bool = False
    fault: str = ""
    """Why the value cannot be taken; empty where it can."""


class _Reader:
    """Elements of one part, as they come; with a separator, names have their namespace before it.

    Raises
    ------
    FileError
        From `feed` and `close`: it is no XML, or has a document type.
    """

    def __init__(self, namespace_separator: str | None = None) -> None:
        self._parser = expat.ParserCreate(namespace_separator=namespace_separator)
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse

    def feed(self, block: bytes) -> Any:
        """Read more of the part."""
        self._parse(block, False)

    def close(self) -> Any:
        """Say that this was all of it."""
        self._parse(b"", True)

    def _parse(self, block: bytes, final: bool) -> None:
        try:
            self._parser.Parse(block, final)
        except expat.ExpatError as error:
            raise FileError(f"the XLSX file is damaged: no XML ({error}); save it again") from error

    def _refuse(self, *_: Any) -> None:
        raise FileError("the XLSX file declares a document type, as no spreadsheet does; save the sheet as CSV")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def _end(self, name: str) -> None:
        raise NotImplementedError


class TreeReader(_Reader):
    """A small part: its elements in order, each with its attributes."""

    def __init__(self) -> None:
        super().__init__(" ")
        self.elements: list[tuple[str, Mapping[str, str]]] = []

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self.elements.append((name.rpartition(" ")[2], attributes))

    def _end(self, name: str) -> None:
        pass


class _TextReader(_Reader):
    """A part with texts, none of which is kept beyond `limit` characters."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._parser.CharacterDataHandler = self._more
        self._limit = limit
        self._collects = False
        self._text: list[str] = []
        self._length = 0

    def _more(self, text: str) -> None:
        if self._collects and self._length <= self._limit:
            self._text.append(text)
            self._length += len(text)

    def _taken(self) -> str:
        text = "".join(self._text)
        self._text.clear()
        self._length = 0
        return text


class SharedReader(_TextReader):
    """The texts that cells point to."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.texts: list[str] = []
        self._characters = 0
        self._is_phonetic = False

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        local = _local(name)
        if local == "rPh":
            self._is_phonetic = True
        self._collects = local == "t" and not self._is_phonetic

    def _end(self, name: str) -> None:
        self._collects = False
        local = _local(name)
        if local == "rPh":
            self._is_phonetic = False
        elif local == "si":
            self.texts.append(self._taken())
            self._characters += len(self.texts[-1])
            if len(self.texts) > _MAX_SHARED or self._characters > _MAX_SHARED_CHARACTERS:
                raise FileError("the XLSX file has more texts than a list of plates; send the list as CSV")


class SheetReader(_TextReader):
    """The rows of a sheet that hold a value, each with its number and its cells by column index."""

    def __init__(self, shared: list[str], limit: int) -> None:
        super().__init__(limit)
        self._shared = shared
        self._rows: list[tuple[int, dict[int, Cell]]] = []
        self._number = 0
        self._cells: dict[int, Cell] = {}
        self._at = -1
        self._kind = ""
        self._has_formula = False

    def feed(self, block: bytes) -> list[tuple[int, dict[int, Cell]]]:
        """Read more; return the rows that it completes."""
        super().feed(block)
        return self._ready()

    def close(self) -> list[tuple[int, dict[int, Cell]]]:
        """Say that this was all of the sheet; return what was not yet returned."""
        super().close()
        return self._ready()

    def _ready(self) -> list[tuple[int, dict[int, Cell]]]:
        rows, self._rows = self._rows, []
        return rows

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        local = _local(name) if ":" in name else name
        if local == "c":
            self._at += 1
            if "r" in attributes:
                self._at = _column(attributes["r"], self._at)
            self._kind = attributes.get("t", "n")
            self._has_formula = False
        elif local in _VALUES:
            self._collects = True
        elif local == "f":
            self._has_formula = True
        elif local == "row":
            self._number = _row(attributes.get("r", ""), self._number + 1)
            self._at = -1
            self._cells = {}

    def _end(self, name: str) -> None:
        local = _local(name) if ":" in name else name
        if local == "c":
            cell = self._cell(self._taken())
            if self._at < _MAX_COLUMNS and (cell.fault or cell.text.strip()):
                self._cells[self._at] = cell
        elif local == "row":
            if self._cells:
                self._rows.append((self._number, self._cells))
        else:
            self._collects = False

    def _cell(self, text: str) -> Cell:
        kind = self._kind
        if len(text) > self._limit:
            return Cell(text, fault=f"a text of more than {self._limit} characters")
        if not text:
            return Cell("", fault=_NO_VALUE if self._has_formula and kind != "str" else "")
        if kind == "inlineStr":
            return Cell(text)
        if kind == "s":
            try:
                return Cell(self._shared[int(text)])
            except (ValueError, IndexError):
                return Cell(text, fault="points to a text that the file does not have")
        if kind == "n":
            return Cell(text.strip(), is_number=True)
        if kind == "e":
            return Cell(text, fault="the cell holds an error of the spreadsheet")
        if kind == "b":
            return Cell(text, fault="neither a text nor a number: the cell holds true or false")
        return Cell(text)


def _local(name: str) -> str:
    """A name without its prefix."""
    return name.rpartition(":")[2]


def _column(reference: str, following: int) -> int:
    """Index of the column of ``AB12``; of the following where the reference has no letters."""
    letters = reference.rstrip("0123456789")
    if not letters:
        return following
    index = 0
    for letter in letters[:4].upper():
        index = index * 26 + _LETTERS.find(letter) + 1
    return index - 1


def _row(reference: str, following: int) -> int:
    if reference and not (reference.isdecimal() and int(reference[:12]) < _MAX_ROW):
        raise FileError(f"the XLSX file is damaged: a row says that it is number {reference[:20]!r}")
    return int(reference) if reference else following
