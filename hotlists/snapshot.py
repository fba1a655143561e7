"""All valid entries at one moment, as frozen columns; swapped whole; a copy on disk that survives Redis.

Pure: numpy and the standard library.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from hotlists.entry import Handling, Hotlist, HotlistEntry, Priority
from plates import alphabet

ALWAYS_NS: Final = np.iinfo(np.int64).min
FOR_EVER_NS: Final = np.iinfo(np.int64).max
_DIGEST_BYTES: Final = 32


class SnapshotFileError(ValueError):
    """The copy on disk is damaged or of another version."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """N entries as columns; row i of each column is entry i.

    Attributes
    ----------
    version
        Grows with every publication, over all lists.
    codes, keys
        uint8 ``(N, SLOTS)`` and uint64 ``(N,)``: `plates.alphabet` codes of plate or pattern, and their keys.
    is_pattern
        bool ``(N,)``: the plate holds ``?`` or ``*``.
    country
        uint16 ``(N,)``: ``ord(a) << 8 | ord(b)``; 0 is any country.
    list_row
        uint16 ``(N,)``: row in `hotlists`.
    priority
        uint8 ``(N,)``: `Priority.rank`, the list's own already filled in.
    covert
        bool ``(N,)``.
    valid_from_ns, valid_until_ns
        int64 ``(N,)``, from inclusive, until exclusive; `ALWAYS_NS`, `FOR_EVER_NS` where open.
    reasons
        One text per entry.
    hotlists
        The lists that entries point to.
    """

    version: int
    codes: NDArray[np.uint8]
    keys: NDArray[np.uint64]
    is_pattern: NDArray[np.bool_]
    country: NDArray[np.uint16]
    list_row: NDArray[np.uint16]
    priority: NDArray[np.uint8]
    covert: NDArray[np.bool_]
    valid_from_ns: NDArray[np.int64]
    valid_until_ns: NDArray[np.int64]
    reasons: Sequence[str]
    hotlists: tuple[Hotlist, ...]

    def __len__(self) -> int:
        return len(self.keys)

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
        columns = [each for _, each in lists] or [pack_entries(Hotlist(name="none"), [])]
        rows = [np.full(len(each.codes), row, np.uint16) for row, each in enumerate(columns)]
        codes = np.concatenate([each.codes for each in columns])
        return cls(
            version=version,
            codes=codes,
            keys=alphabet.pack(codes),
            is_pattern=np.any(codes >= alphabet.ANY_ONE, axis=1),
            country=np.concatenate([each.country for each in columns]),
            list_row=np.concatenate(rows),
            priority=np.concatenate([each.priority for each in columns]),
            covert=np.concatenate([each.covert for each in columns]),
            valid_from_ns=np.concatenate([each.valid_from_ns for each in columns]),
            valid_until_ns=np.concatenate([each.valid_until_ns for each in columns]),
            reasons=[reason for each in columns for reason in each.reasons],
            hotlists=tuple(hotlist for hotlist, _ in lists),
        )

    def plate(self, row: int) -> str:
        """Plate or pattern of one entry."""
        return alphabet.decode(self.codes[row : row + 1])[0]

    def hotlist(self, row: int) -> Hotlist:
        """The list that an entry is on."""
        return self.hotlists[int(self.list_row[row])]

    def country_code(self, row: int) -> str:
        """ISO 3166 alpha-2 code of an entry, or the empty string for any."""
        packed = int(self.country[row])
        return chr(packed >> 8) + chr(packed & 255) if packed else ""

    def priority_of(self, row: int) -> Priority:
        """Priority of an entry."""
        return list(Priority)[int(self.priority[row])]

    def handling_of(self, row: int) -> Handling:
        """Handling of an entry."""
        return Handling.COVERT if self.covert[row] else Handling.OPEN

    def entry_id(self, row: int) -> str:
        """Identity of an entry over versions: its list, its plate and its country (32 hex digits)."""
        parts = (self.hotlist(row).name, self.plate(row), self.country_code(row))
        return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Columns:
    """The entries of one list as columns, shapes and types as in `Snapshot`; what the store keeps."""

    codes: NDArray[np.uint8]
    country: NDArray[np.uint16]
    priority: NDArray[np.uint8]
    covert: NDArray[np.bool_]
    valid_from_ns: NDArray[np.int64]
    valid_until_ns: NDArray[np.int64]
    reasons: Sequence[str]

    def to_bytes(self) -> bytes:
        """Serialise without pickle; `from_bytes` is the inverse."""
        file = io.BytesIO()
        reasons = json.dumps(list(self.reasons), ensure_ascii=False).encode()
        np.savez_compressed(
            file,
            codes=self.codes,
            country=self.country,
            priority=self.priority,
            covert=self.covert,
            valid_from_ns=self.valid_from_ns,
            valid_until_ns=self.valid_until_ns,
            reasons=np.frombuffer(reasons, np.uint8),
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Columns:
        """Read what `to_bytes` made.

        Raises
        ------
        ValueError
            `raw` is something else, or damaged.
        """
        try:
            with np.load(io.BytesIO(raw), allow_pickle=False) as columns:
                reasons = json.loads(columns["reasons"].tobytes())
                return cls(
                    **{name: columns[name] for name in cls.__dataclass_fields__ if name != "reasons"},
                    reasons=reasons,
                )
        except (OSError, KeyError, EOFError) as error:
            raise ValueError(f"not the columns of a hotlist: {error}") from error


def pack_entries(hotlist: Hotlist, entries: Sequence[HotlistEntry]) -> Columns:
    """Turn the entries of a list into columns; the list's priority and handling fill what an entry leaves open.

    An entry may tighten its list's handling, never loosen it: on a covert list everything is covert.
    """
    return Columns(
        codes=alphabet.encode([entry.plate for entry in entries]),
        country=np.array([_pack_country(entry.country) for entry in entries], np.uint16),
        priority=np.array([(entry.priority or hotlist.priority).rank for entry in entries], np.uint8),
        covert=np.array([Handling.COVERT in (hotlist.handling, entry.handling) for entry in entries], np.bool_),
        valid_from_ns=np.array(
            [ALWAYS_NS if entry.valid_from_ns is None else entry.valid_from_ns for entry in entries], np.int64
        ),
        valid_until_ns=np.array(
            [FOR_EVER_NS if entry.valid_until_ns is None else entry.valid_until_ns for entry in entries], np.int64
        ),
        reasons=[entry.reason for entry in entries],
    )


def _pack_country(code: str) -> int:
    return ord(code[0]) << 8 | ord(code[1]) if len(code) == 2 and code.isascii() else 0


class SnapshotHolder:
    """Holds the snapshot that is matched against; readers take it once per batch and keep it for the batch."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self._lock = threading.Lock()
        self._current = snapshot or Snapshot.empty()

    @property
    def current(self) -> Snapshot:
        """The latest snapshot."""
        return self._current

    def swap(self, snapshot: Snapshot) -> bool:
        """Put `snapshot` in place unless an equal or later version is there; return whether it was put."""
        with self._lock:
            if snapshot.version <= self._current.version:
                return False
            self._current = snapshot
            return True


def save(snapshot: Snapshot, path: Path) -> None:
    """Write a checksummed copy that replaces the one at `path` in one step."""
    lists = []
    for row, hotlist in enumerate(snapshot.hotlists):
        own = snapshot.list_row == row
        lists.append((hotlist, _rows(snapshot, own)))
    head = msgspec.json.encode({"version": snapshot.version, "hotlists": snapshot.hotlists})
    parts = [head, *(columns.to_bytes() for _, columns in lists)]
    body = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.part")
    with temporary.open("wb") as file:
        file.write(hashlib.sha256(body).digest())
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    # The copy holds every list, the covert ones too.
    temporary.chmod(0o600)
    temporary.replace(path)


def load(path: Path) -> Snapshot:
    """Read what `save` wrote.

    Raises
    ------
    OSError
        There is no such file, or it cannot be read.
    SnapshotFileError
        It is damaged.
    """
    raw = path.read_bytes()
    body = raw[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != raw[:_DIGEST_BYTES]:
        raise SnapshotFileError(f"{path}: the checksum does not agree; remove the file")
    parts, start = [], 0
    while start < len(body):
        size = int.from_bytes(body[start : start + 8], "big")
        parts.append(body[start + 8 : start + 8 + size])
        start += 8 + size
    head = msgspec.json.decode(parts[0], type=_Head)
    columns = [Columns.from_bytes(part) for part in parts[1:]]
    return Snapshot.join(head.version, list(zip(head.hotlists, columns, strict=True)))


class _Head(msgspec.Struct):
    version: int
    hotlists: tuple[Hotlist, ...]


def _rows(snapshot: Snapshot, chosen: NDArray[np.bool_]) -> Columns:
    return Columns(
        codes=snapshot.codes[chosen],
        country=snapshot.country[chosen],
        priority=snapshot.priority[chosen],
        covert=snapshot.covert[chosen],
        valid_from_ns=snapshot.valid_from_ns[chosen],
        valid_until_ns=snapshot.valid_until_ns[chosen],
        reasons=[snapshot.reasons[row] for row in np.flatnonzero(chosen).tolist()],
    )
