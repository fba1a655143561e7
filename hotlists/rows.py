"""Rows to entries: every cell of a column checked at once, and what is wrong with a row told by its place.

Cells that repeat (countries, dates, reasons, ...) are read once for each distinct text; plates are normalised a
batch at a time. A row is taken when all its cells are sound; else its first error is told.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from hotlists import dates, duplicates, headers
from hotlists.batch import Batch, refusal
from hotlists.columns import ALWAYS_NS, FOR_EVER_NS, UNSTATED, Columns, Texts, pack_country, unpack_country
from hotlists.entry import COUNTRIES, SHORTEST_PLATE, Handling, Priority
from hotlists.parsed import MAX_TOLD, NO_COLUMNS, ParsedFile, RowNote, Use
from plates import alphabet, syntax
from plates.normalise import normalise, normalise_pattern

MAX_REASON: Final = 500
"""A longer reason is cut: it travels on every hit."""
FEWEST_KNOWN: Final = 2
"""Characters that a pattern must state: with one, it would be a hit on every other vehicle."""
_MAX_REMEMBERED: Final = 262_144
"""Distinct texts of a column that are remembered; a file with more is read no worse, only slower."""

_SEPARATES_PLATES: Final = re.compile(r"[,;|\t\r\n]")
_WILD: Final = re.compile(r"[?*？＊]")
_ODD: Final = re.compile(r"[,;|\t\r\n?*\0\x80-\U0010ffff]")
"""What a plate has none of, almost always: a cell with one is looked at by itself."""
_UNREADABLE: Final = "\ufffd"
_NUL: Final = "a character that no text has (NUL); the file is damaged there"
# Unofficial but common for a code of ISO 3166.
_COUNTRY_ALIASES: Final[Mapping[str, str]] = {"UK": "GB", "EL": "GR"}
_ACTIONS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("", "add", "toevoegen", "ajouter", "hinzufugen", "hinzufuegen"), False),
    **dict.fromkeys(("remove", "verwijderen", "supprimer", "loschen", "loeschen"), True),
}
_KINDS: Final[Mapping[str, type[np.generic]]] = {
    "keys": np.uint64, "country": np.uint16, "priority": np.uint8, "covert": np.bool_,
    "valid_from_ns": np.int64, "valid_until_ns": np.int64, "reason": np.uint32,
    "row": np.uint32, "removes": np.bool_,
}  # fmt: skip
_KEPT: Final = frozenset(_KINDS) - {"reason", "row", "removes"}

E = TypeVar("E", bound=StrEnum)
Arrays = dict[str, NDArray[Any]]
Wrong = dict[int, RowNote]


class Refused(ValueError):
    """A cell that cannot be taken; `value` is how it is shown, where not as it stands."""

    def __init__(self, reason: str, value: str | None = None) -> None:
        super().__init__(reason)
        self.value = value


class Rows:
    """The rows of one list, gathered batch by batch."""

    def __init__(self, name: str, use: Use) -> None:
        self._reasons = _Reasons()
        self._parts: dict[str, list[NDArray[Any]]] = {column: [] for column in _KINDS}
        self._parsed = ParsedFile(NO_COLUMNS, NO_COLUMNS)
        # In the order in which a row's errors are looked for. What is not in `_KINDS` is not kept.
        self._cells: dict[str, tuple[str, _Distinct]] = {
            "country": ("country", _Distinct(read_country)),
            "list": ("list", _Distinct(lambda text: read_list(text, name))),
            "action": ("removes", _Distinct(lambda text: read_action(text, use))),
            "priority": ("priority", _Distinct(read_priority)),
            "handling": ("covert", _Distinct(read_handling)),
            "valid_from": ("valid_from_ns", _Distinct(lambda text: read_moment(text, last=False))),
            "valid_until": ("valid_until_ns", _Distinct(lambda text: read_moment(text, last=True))),
            "reason": ("reason", _Distinct(self._reasons.number)),
        }

    @property
    def count(self) -> int:
        """Rows until now, taken or not."""
        return self._parsed.rows

    def take(self, batch: Batch) -> None:
        """Check a batch of rows, and keep the sound ones."""
        parsed, count = self._parsed, len(batch.numbers)
        parsed.cut_off |= batch.cut_off
        wrong: Wrong = {}
        made, judged = _read_plates(batch, wrong)
        for name, (column, distinct) in self._cells.items():
            if name in batch.cells:
                made[column] = distinct.read(batch.cells[name], _Refusals(name, batch, wrong))
            else:
                made[column] = np.full(count, distinct.absent())
        _check_order(batch, made, wrong)
        sound = np.ones(count, np.bool_)
        sound[list(wrong)] = False
        parsed.accepted += count - len(wrong)
        parsed.rejected += len(wrong) + len(batch.refused)
        if len(parsed.errors) < MAX_TOLD and (wrong or batch.refused):
            told = sorted([*wrong.values(), *batch.refused], key=lambda note: note.row)
            parsed.errors += told[: MAX_TOLD - len(parsed.errors)]
        self._judge(batch, made, judged & sound)
        made["row"] = np.asarray(batch.numbers)
        for column, kind in _KINDS.items():
            self._parts[column].append((made[column][sound] if wrong else made[column]).astype(kind, copy=False))

    def _judge(self, batch: Batch, made: Arrays, judged: NDArray[np.bool_]) -> None:
        """Warn of plates that fit no series of their country; of some countries no series are known."""
        parsed = self._parsed
        for packed in np.unique(made["country"][judged]).tolist():
            country = unpack_country(packed)
            if country not in _with_series():
                continue
            rows = np.flatnonzero(judged & (made["country"] == packed))
            odd = rows[~syntax.plausible(alphabet.unpack(made["keys"][rows]), country)]
            for row in odd[: MAX_TOLD - parsed.implausible].tolist() if parsed.implausible < MAX_TOLD else ():
                reason = f"fits no known series of {country}: misspelt, or of another country?"
                parsed.warnings.append(
                    refusal(batch.numbers[row], "plate", batch.cells["plate"][row].strip(), reason)
                )
            parsed.implausible += len(odd)

    def result(self) -> ParsedFile:
        """Put together what was taken; nothing can be added behind it."""
        arrays: Arrays = {}
        for name, kind in _KINDS.items():
            arrays[name] = np.concatenate([np.zeros(0, kind), *self._parts.pop(name)])
        found = duplicates.find(arrays)
        arrays["covert"][found.tightened] = True
        parsed = self._parsed
        parsed.duplicates = len(found.overruled)
        told = [*parsed.warnings, *duplicates.notes(arrays, found)]
        parsed.warnings = sorted(told, key=lambda note: note.row)
        kept = np.ones(len(arrays["keys"]), np.bool_)
        kept[found.overruled] = False
        parsed.removals = self._columns(arrays, kept & arrays["removes"])
        parsed.columns = self._columns(arrays, kept & ~arrays["removes"])
        return parsed

    def _columns(self, arrays: Arrays, rows: NDArray[np.bool_]) -> Columns:
        whole = bool(rows.all())
        chosen = {name: array if whole else array[rows] for name, array in arrays.items() if name in _KEPT}
        return Columns(
            **chosen, reasons=self._reasons.texts(arrays["reason"] if whole else arrays["reason"][rows])
        )


class _Refusals:
    """Notes of one column's cells, for the rows that have none yet."""

    def __init__(self, column: str, batch: Batch, wrong: Wrong) -> None:
        self._column, self._batch, self._wrong = column, batch, wrong

    def add(self, row: int, error: Refused) -> None:
        """Refuse a row of the batch."""
        if row not in self._wrong:
            shown = self._batch.cells[self._column][row].strip() if error.value is None else error.value
            self._wrong[row] = refusal(self._batch.numbers[row], self._column, shown, str(error))


class _Distinct:
    """A reader of cells that repeat: each distinct text is read once."""

    def __init__(self, read: Callable[[str], int]) -> None:
        self._read = read
        self._known: dict[str, int] = {}
        self._refused: dict[str, Refused] = {}

    def absent(self) -> int:
        """Read the cell of a row that has none."""
        return self._read("")

    def read(self, texts: Sequence[str], refusals: _Refusals) -> NDArray[np.int64]:
        """Read N cells to int64 ``(N,)``; where one is refused, the value says nothing."""
        if len(self._known) > _MAX_REMEMBERED:
            self._known, self._refused = {}, {}
        for text in set(texts).difference(self._known):
            try:
                if "\0" in text:
                    raise Refused(_NUL)
                self._known[text] = self._read(text.strip())
            except Refused as error:
                self._known[text], self._refused[text] = 0, error
        if self._refused:
            for row, text in enumerate(texts):
                if text in self._refused:
                    refusals.add(row, self._refused[text])
        return np.fromiter(map(self._known.__getitem__, texts), np.int64, len(texts))


class _Reasons:
    """Reasons by number, each distinct one kept once as long as there are not very many."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._arena = bytearray()
        self._offsets = array("q", [0])

    def number(self, text: str) -> int:
        """Number a reason."""
        reason = text[:MAX_REASON]
        if reason not in self._numbers:
            if len(self._numbers) >= _MAX_REMEMBERED:
                self._numbers = {}
            self._numbers[reason] = len(self._offsets) - 1
            self._arena += reason.encode("utf-8", "surrogatepass")
            self._offsets.append(len(self._arena))
        return self._numbers[reason]

    def texts(self, which: NDArray[np.uint32]) -> Texts:
        """The reasons of so many rows."""
        return Texts(which, np.frombuffer(self._arena, np.uint8), np.array(self._offsets, np.int64))


def _read_plates(batch: Batch, wrong: Wrong) -> tuple[Arrays, NDArray[np.bool_]]:
    """Read the plates of a batch to keys; say also which can be judged by the series of their country."""
    given = batch.cells["plate"]
    plates = normalise(given)
    refusals = _Refusals("plate", batch, wrong)
    fewest = np.full(len(given), SHORTEST_PLATE)
    known = np.fromiter(map(len, plates), np.int64, len(plates))
    is_plain = np.ones(len(given), np.bool_)
    if _ODD.search(" ".join(given)):
        for row, text in enumerate(given):
            if _ODD.search(text):
                try:
                    _check_odd(text)
                except Refused as error:
                    refusals.add(row, error)
                if _WILD.search(text):
                    plate = plates[row] = normalise_pattern([text])[0]
                    known[row] = len(plate) - plate.count("?") - plate.count("*")
                    fewest[row], is_plain[row] = FEWEST_KNOWN, False
    for row in np.flatnonzero(known < fewest).tolist():
        few = f"only {known[row]} letters and digits; at least {fewest[row]} are needed"
        refusals.add(row, Refused(few if known[row] else "no letter or digit in it"))
    for row in np.flatnonzero(np.fromiter(map(len, plates), np.int64, len(plates)) > alphabet.SLOTS).tolist():
        refusals.add(row, Refused(f"more than {alphabet.SLOTS} characters"))
    return {"keys": alphabet.pack(alphabet.encode(plates))}, is_plain


def _check_odd(given: str) -> None:
    """Refuse a plate whose normalised form would be another vehicle's.

    Raises
    ------
    Refused
        It is more than one plate, or has characters that normalisation would leave out.
    """
    if "\0" in given:
        raise Refused(_NUL)
    if _SEPARATES_PLATES.search(given.strip()):
        raise Refused("more than one cell or plate; is the delimiter the one of the first row?")
    if _UNREADABLE in given:
        raise Refused("characters that cannot be read; save the file as UTF-8")
    if not given.isascii() and any(map(_is_left_out, given)):
        raise Refused("letters other than A to Z; write the plate as it is registered in those")


@lru_cache(4096)
def _is_left_out(character: str) -> bool:
    """Whether normalisation leaves out a letter or digit, and not a separator."""
    return character.isalnum() and not normalise([character])[0]


def _check_order(batch: Batch, made: Arrays, wrong: Wrong) -> None:
    never = np.flatnonzero(made["valid_until_ns"] <= made["valid_from_ns"])
    refusals = _Refusals("valid_until", batch, wrong)
    for row in never.tolist():
        if row not in wrong:
            refusals.add(row, Refused("not after valid_from: the entry would never be valid"))


@cache
def _with_series() -> frozenset[str]:
    return frozenset(each.country for each in syntax.all_series())


def read_country(text: str) -> int:
    """Read a country to `Columns.country`; empty is any."""
    country = text.upper()
    country = _COUNTRY_ALIASES.get(country, country)
    if country and country not in COUNTRIES:
        raise Refused("not a two-letter country code (BE, NL, FR, ...)", country)
    return pack_country(country)


def read_list(text: str, name: str) -> int:
    """Refuse a row of another list than `name`."""
    if text and text.lower() != name:
        raise Refused(f"the row is of another list than {name!r}; upload it to that list")
    return 0


def read_action(text: str, use: Use) -> int:
    """Read whether a row removes."""
    action = headers.fold(text)
    if action not in _ACTIONS:
        raise Refused("not one of add, remove, toevoegen, verwijderen, ajouter, supprimer, hinzufügen, löschen")
    removes = _ACTIONS[action] or (use is Use.REMOVAL and not action)
    if removes and use is Use.REPLACEMENT:
        raise Refused("a file that replaces the whole list removes what it leaves out; upload it as a delta")
    if not removes and use is Use.REMOVAL:
        raise Refused("a file of removals adds nothing; upload it as a delta")
    return removes


def read_priority(text: str) -> int:
    """Read a priority to `Columns.priority`."""
    return UNSTATED if not text else _choice(text, Priority).rank


def read_handling(text: str) -> int:
    """Read a handling to `Columns.covert`."""
    return bool(text) and _choice(text, Handling) is Handling.COVERT


def _choice(text: str, kind: type[E]) -> E:
    try:
        return kind(text.lower())
    except ValueError:
        raise Refused(f"not one of {', '.join(kind)}", text.lower()) from None


def read_moment(text: str, *, last: bool) -> int:
    """Read a moment to `Columns.valid_from_ns` or, the `last`, to `Columns.valid_until_ns`."""
    if not text:
        return FOR_EVER_NS if last else ALWAYS_NS
    try:
        return dates.nanoseconds(text, last=last)
    except ValueError as error:
        raise Refused(str(error)) from None
