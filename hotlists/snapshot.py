"""All valid entries at one moment, as frozen columns; swapped whole; a copy on disk that survives Redis.

Pure: numpy and the standard library.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from hotlists.columns import ALWAYS_NS, FOR_EVER_NS, UNSTATED, Columns, Texts, pack_entries, unpack_country
from hotlists.entry import Handling, Hotlist, HotlistEntry, Priority
from hotlists.room import Room
from plates import alphabet

__all__ = [
    "ALWAYS_NS", "FOR_EVER_NS", "UNSTATED", "Columns", "Delta", "Snapshot", "SnapshotFileError",
    "Texts", "load", "pack_entries", "save",
]  # fmt: skip

_DIGEST_BYTES: Final = 32
_NO_ROWS: Final = np.zeros(0, np.int64)
_KINDS: Final[dict[str, type[np.generic]]] = {
    "keys": np.uint64, "is_pattern": np.bool_, "country": np.uint16, "list_row": np.uint16,
    "stated_priority": np.uint8, "stated_covert": np.bool_, "reason": np.uint32,
    "valid_from_ns": np.int64, "valid_until_ns": np.int64,
}  # fmt: skip
_Rooms = tuple[Room, Room, Room]
"""Of the rows, of the bytes of their reasons, and of where each of those ends."""


class SnapshotFileError(ValueError):
    """The copy on disk is damaged or of another version."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What makes a snapshot the next one.

    Attributes
    ----------
    version
        The next version.
    added
        Entries to add to lists. A list that is there already gets the metadata given here.
    removed
        Entries that go: list name, keys uint64 ``(K,)`` and countries uint16 ``(K,)``, as they were written. An
        entry that changes is removed and added.
    emptied
        Lists of which all entries go, before any is added.
    """

    version: int
    added: Sequence[tuple[Hotlist, Columns]] = ()
    removed: Sequence[tuple[str, NDArray[np.uint64], NDArray[np.uint16]]] = ()
    emptied: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """N rows as columns; row i of each column is entry i.

    Attributes
    ----------
    version
        Grows with every publication, over all lists.
    keys
        uint64 ``(N,)``: `plates.alphabet` keys of plate or pattern.
    is_pattern
        bool ``(N,)``: the plate holds ``?`` or ``*``.
    country
        uint16 ``(N,)``: ``ord(a) << 8 | ord(b)``; 0 is any country.
    list_row
        uint16 ``(N,)``: row in `hotlists`.
    stated_priority, stated_covert
        uint8 and bool ``(N,)``: what the entry itself states, as in `Columns`. What holds is in `priority` and
        `covert`.
    valid_from_ns, valid_until_ns
        int64 ``(N,)``, from inclusive, until exclusive; `ALWAYS_NS`, `FOR_EVER_NS` where open.
    reasons
        One text per entry.
    hotlists
        The lists that entries point to.
    counts
        int64 ``(lists,)``: how many entries each of them has, without those that were removed.
    removed
        int64, sorted: rows that a delta took out, no longer entries.
    """

    version: int
    keys: NDArray[np.uint64]
    is_pattern: NDArray[np.bool_]
    country: NDArray[np.uint16]
    list_row: NDArray[np.uint16]
    stated_priority: NDArray[np.uint8]
    stated_covert: NDArray[np.bool_]
    valid_from_ns: NDArray[np.int64]
    valid_until_ns: NDArray[np.int64]
    reasons: Texts
    hotlists: tuple[Hotlist, ...]
    counts: NDArray[np.int64]
    removed: NDArray[np.int64]
    _rooms: _Rooms

    def __len__(self) -> int:
        return len(self.keys) - len(self.removed)

    @property
    def codes(self) -> NDArray[np.uint8]:
        """uint8 ``(N, SLOTS)``: the keys unpacked, made anew each time."""
        return alphabet.unpack(self.keys)

    @property
    def priority(self) -> NDArray[np.uint8]:
        """uint8 ``(N,)``: `Priority.rank`, the list's own filled in; made anew each time."""
        own = np.array([each.priority.rank for each in self.hotlists] or [0], np.uint8)
        return np.where(self.stated_priority == UNSTATED, own[self.list_row], self.stated_priority)

    @property
    def covert(self) -> NDArray[np.bool_]:
        """bool ``(N,)``: on a covert list, or covert itself; made anew each time."""
        own = np.array([each.handling is Handling.COVERT for each in self.hotlists] or [False], np.bool_)
        covert: NDArray[np.bool_] = self.stated_covert | own[self.list_row]
        return covert

    @classmethod
    def empty(cls, version: int = 0) -> Snapshot:
        """Return a snapshot in which nothing is listed."""
        return cls.build(version, [])

    @classmethod
    def build(cls, version: int, lists: Sequence[tuple[Hotlist, Sequence[HotlistEntry]]]) -> Snapshot:
        """Build the columns of `lists`; their order is kept."""
        return cls.join(version, [(hotlist, pack_entries(hotlist, entries)) for hotlist, entries in lists])

    @classmethod
    def join(cls, version: int, lists: Sequence[tuple[Hotlist, Columns]]) -> Snapshot:
        """Put lists that are columns already together into one snapshot."""
        texts = [columns.reasons for _, columns in lists]
        rooms = (
            Room(_KINDS, sum(len(each) for each in texts)),
            Room({"arena": np.uint8}, sum(len(each.arena) for each in texts)),
            Room({"offsets": np.int64}, sum(len(each.offsets) for each in texts)),
        )
        rooms[2].append(0, {"offsets": np.zeros(1, np.int64)})
        empty = cls._of(version, (), _NO_ROWS, (0, 0, 1), rooms, _NO_ROWS)
        return empty.changed(version, lists, _NO_ROWS)

    @classmethod
    def _of(
        cls,
        version: int,
        hotlists: Sequence[Hotlist],
        counts: NDArray[np.int64],
        used: tuple[int, int, int],
        rooms: _Rooms,
        removed: NDArray[np.int64],
    ) -> Snapshot:
        """Make a snapshot of the first rows, bytes and ends that rooms hold."""
        views, arena, offsets = (room.views(count) for room, count in zip(rooms, used, strict=True))
        reasons = Texts(views.pop("reason"), arena["arena"], offsets["offsets"])
        return cls(
            version=version,
            **views,
            reasons=reasons,
            hotlists=tuple(hotlists),
            counts=counts,
            removed=removed,
            _rooms=rooms,
        )

    def changed(
        self, version: int, added: Sequence[tuple[Hotlist, Columns]], removed_rows: NDArray[np.int64]
    ) -> Snapshot:
        """Return the next snapshot, which shares this one's columns; this one stays as it is.

        The cost is that of what changes, unless the spare rows are used up: then the columns are copied, once.
        """
        hotlists, counts = list(self.hotlists), self.counts.tolist()
        names = {hotlist.name: row for row, hotlist in enumerate(hotlists)}
        rooms = self._rooms
        rows, arena, offsets = len(self.keys), len(self.reasons.arena), len(self.reasons.offsets)
        for hotlist, columns in added:
            row = names.setdefault(hotlist.name, len(hotlists))
            hotlists[row : row + 1] = [hotlist]
            counts[row : row + 1] = [sum(counts[row : row + 1]) + len(columns)]
            texts = columns.reasons
            written = _as_rows(columns, row, texts.which + np.uint32(offsets - 1))
            rooms = (
                rooms[0].with_appended(rows, written),
                rooms[1].with_appended(arena, {"arena": texts.arena}),
                rooms[2].with_appended(offsets, {"offsets": texts.offsets[1:] + arena}),
            )
            rows, arena, offsets = rows + len(texts), arena + len(texts.arena), offsets + len(texts.offsets) - 1
        left, removed = np.array(counts, np.int64), self.removed
        if len(removed_rows):
            gone = _new_rows(removed_rows, removed)
            left -= np.bincount(self.list_row[gone], minlength=len(left))
            removed = np.sort(np.concatenate([removed, gone]), kind="stable")
        return Snapshot._of(version, hotlists, left, (rows, arena, offsets), rooms, removed)

    def lists(self) -> list[tuple[Hotlist, Columns]]:
        """Take the snapshot apart again: each list with its entries, without the rows that were removed."""
        alive = np.ones(len(self.keys), np.bool_)
        alive[self.removed] = False
        every = Columns(
            keys=self.keys,
            country=self.country,
            priority=self.stated_priority,
            covert=self.stated_covert,
            valid_from_ns=self.valid_from_ns,
            valid_until_ns=self.valid_until_ns,
            reasons=self.reasons,
        )
        if alive.all() and len(self.hotlists) == 1:
            return [(self.hotlists[0], every)]
        return [
            (hotlist, every.chosen(alive & (self.list_row == row)).lean())
            for row, hotlist in enumerate(self.hotlists)
        ]

    def plate(self, row: int) -> str:
        """Plate or pattern of one entry."""
        return alphabet.decode(alphabet.unpack(self.keys[row : row + 1]))[0]

    def hotlist(self, row: int) -> Hotlist:
        """The list that an entry is on."""
        return self.hotlists[int(self.list_row[row])]

    def country_code(self, row: int) -> str:
        """ISO 3166 alpha-2 code of an entry, or the empty string for any."""
        return unpack_country(int(self.country[row]))

    def priority_of(self, row: int) -> Priority:
        """Priority of an entry: its own, or its list's."""
        stated = int(self.stated_priority[row])
        return self.hotlist(row).priority if stated == UNSTATED else list(Priority)[stated]

    def handling_of(self, row: int) -> Handling:
        """Handling of an entry. It may tighten its list's, never loosen it: on a covert list all is covert."""
        covert = bool(self.stated_covert[row]) or self.hotlist(row).handling is Handling.COVERT
        return Handling.COVERT if covert else Handling.OPEN

    def entry_id(self, row: int) -> str:
        """Identity of an entry over versions: its list, its plate and its country (32 hex digits)."""
        parts = (self.hotlist(row).name, self.plate(row), self.country_code(row))
        return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def _as_rows(columns: Columns, list_row: int, reason: NDArray[np.uint32]) -> dict[str, NDArray[Any]]:
    """The columns of a list as rows of a snapshot."""
    return {
        "keys": columns.keys,
        "is_pattern": is_pattern(columns.keys),
        "country": columns.country,
        "list_row": np.full(len(columns), list_row, np.uint16),
        "stated_priority": columns.priority,
        "stated_covert": columns.covert,
        "valid_from_ns": columns.valid_from_ns,
        "valid_until_ns": columns.valid_until_ns,
        "reason": reason,
    }


def _new_rows(rows: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return rows that are not among the known ones, each once, sorted; as the known ones are.

    `numpy.setdiff1d` says the same, and takes a second and more for a million rows.
    """
    rows = np.sort(rows, kind="stable")
    rows = rows[np.append(True, rows[1:] != rows[:-1])[: len(rows)]]
    if len(known):
        place = np.minimum(np.searchsorted(known, rows), len(known) - 1)
        rows = rows[known[place] != rows]
    return rows


def is_pattern(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether a character is `ANY_ONE` or `ANY_RUN`: the only codes whose upper five bits are all set."""
    upper = keys
    for shift in (1, 2, 3, 4):
        upper = upper & (keys >> np.uint64(shift))
    ones = sum(1 << (6 * slot + 1) for slot in range(alphabet.SLOTS))
    found: NDArray[np.bool_] = (upper & np.uint64(ones)) != 0
    return found


def save(snapshot: Snapshot, path: Path) -> None:
    """Write a checksummed copy that replaces the one at `path` in one step."""
    head = msgspec.json.encode({"version": snapshot.version, "hotlists": snapshot.hotlists})
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.part")
    digest = hashlib.sha256()
    with temporary.open("wb") as file:
        # The copy holds every list, the covert ones too.
        temporary.chmod(0o600)
        file.write(bytes(_DIGEST_BYTES))
        for columns in (None, *(each for _, each in snapshot.lists())):
            part = head if columns is None else columns.to_bytes()
            for piece in (len(part).to_bytes(8, "big"), part):
                digest.update(piece)
                file.write(piece)
        file.seek(0)
        file.write(digest.digest())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load(path: Path) -> Snapshot:
    """Read what `save` wrote.

    Raises
    ------
    OSError
        There is no such file, or it cannot be read.
    SnapshotFileError
        It is damaged or of another version.
    """
    raw = path.read_bytes()
    if hashlib.sha256(memoryview(raw)[_DIGEST_BYTES:]).digest() != raw[:_DIGEST_BYTES]:
        raise SnapshotFileError(f"{path}: the checksum does not agree; remove the file")
    parts, start = [], _DIGEST_BYTES
    while start < len(raw):
        size = int.from_bytes(raw[start : start + 8], "big")
        parts.append(raw[start + 8 : start + 8 + size])
        start += 8 + size
    try:
        head = msgspec.json.decode(parts[0], type=_Head)
        columns = [Columns.from_bytes(part) for part in parts[1:]]
        lists = list(zip(head.hotlists, columns, strict=True))
    except (ValueError, IndexError) as error:
        raise SnapshotFileError(f"{path}: {error}; remove the file") from error
    return Snapshot.join(head.version, lists)


class _Head(msgspec.Struct):
    version: int
    hotlists: tuple[Hotlist, ...]
