"""A worker's snapshot on disk: a checksummed copy, and beside it what changed since, appended change by change.

The journal begins with the checksum of the copy that it belongs to; each record has its own. What is cut short at
its end, by a machine that lost power, is left out, and fetched from Redis again. Of processes that share a folder
one writes there, as long as it lives; the others only begin with what it wrote.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import msgspec
import numpy as np

from hotlists import snapshot as snapshots
from hotlists.columns import Columns
from hotlists.entry import Hotlist
from hotlists.snapshot import Delta, Snapshot
from hotlists.versions import Mark

log = logging.getLogger(__name__)

_DIGEST_BYTES: Final = 32
_SIZE_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Change:
    """What made a snapshot the next one, and which versions of lists it holds by it."""

    delta: Delta
    marks: Mapping[str, Mark | None]
    """Of the lists that changed; None: no longer held."""


class _Head(msgspec.Struct, frozen=True):
    copy: bytes
    """Checksum of the copy that the journal belongs to."""
    marks: dict[str, Mark]


class _Record(msgspec.Struct, frozen=True):
    version: int
    marks: dict[str, Mark | None]
    added: list[tuple[Hotlist, bytes]]
    removed: list[tuple[str, bytes, bytes]]
    emptied: list[str]


class SnapshotCopy:
    """The copy and its journal, in a folder.

    Parameters
    ----------
    folder
        Made when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "snapshot.bin"
        self.journal = folder / "snapshot.journal"
        self._lock: IO[bytes] | None = None
        self._whole = False
        self.journal_bytes = 0
        """Size of the journal: what it costs to begin with it."""

    def own(self) -> bool:
        """Become the one that writes here, if nobody is; return whether this is the one.

        Raises
        ------
        OSError
            The folder cannot be made or written to.
        """
        if self._lock is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.with_suffix(".lock").open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                return False
            self._lock, self._whole = file, False
        return True

    def close(self) -> None:
        """Let another one write here."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def load(self) -> tuple[Snapshot, dict[str, Mark], list[Change]]:
        """Read the copy, the version of each list that is in it, and what changed since.

        Raises
        ------
        OSError
            There is no copy, or it cannot be read.
        SnapshotFileError
            It is damaged or of another release.
        """
        snapshot = snapshots.load(self.path)
        with self.path.open("rb") as file:
            digest = file.read(_DIGEST_BYTES)
        try:
            marks, changes = self._load_journal(digest)
        except (OSError, ValueError) as error:
            log.warning("%s is left out: %s; lists are compared with Redis anew", self.journal, error)
            marks, changes = {each.name: Mark() for each in snapshot.hotlists}, []
        return snapshot, marks, changes

    def _load_journal(self, digest: bytes) -> tuple[dict[str, Mark], list[Change]]:
        raw = self.journal.read_bytes()
        records = list(_records(raw))
        head = msgspec.msgpack.decode(records[0] if records else b"", type=_Head)
        if head.copy != digest:
            raise ValueError("it belongs to another copy")
        changes = [_change(each) for each in records[1:]]
        self.journal_bytes = sum(_SIZE_BYTES + _DIGEST_BYTES + len(each) for each in records)
        if self.journal_bytes < len(raw):
            log.warning("%s is cut short: %d bytes are left out", self.journal, len(raw) - self.journal_bytes)
            if self._lock is not None:
                os.truncate(self.journal, self.journal_bytes)
        self._whole = True
        return head.marks, changes

    def save(self, snapshot: Snapshot, marks: Mapping[str, Mark]) -> None:
        """Write the copy anew, and begin an empty journal; nothing, where another process does.

        Raises
        ------
        OSError
            It cannot be written.
        """
        if not self.own():
            return
        self._whole = False
        snapshots.save(snapshot, self.path)
        with self.path.open("rb") as file:
            digest = file.read(_DIGEST_BYTES)
        first = _framed(msgspec.msgpack.encode(_Head(digest, dict(marks))))
        temporary = self.journal.with_suffix(f".{os.getpid()}.part")
        with temporary.open("wb") as file:
            temporary.chmod(0o600)
            _write(file.fileno(), first)
        temporary.replace(self.journal)
        self.journal_bytes, self._whole = len(first), True

    def append(self, change: Change) -> None:
        """Write one change behind those before it; returns when it is on disk, or another process writes.

        Raises
        ------
        OSError
            It cannot be written, or what is there is no whole journal: save the copy.
        """
        if not self.own():
            return
        if not self._whole:
            raise OSError(f"{self.journal}: not a whole journal")
        record = _framed(msgspec.msgpack.encode(_record(change)))
        # Until it is there in full, nothing may come behind it.
        self._whole = False
        with self.journal.open("ab") as file:
            _write(file.fileno(), record)
        self.journal_bytes += len(record)
        self._whole = True


def _write(file: int, raw: bytes) -> None:
    view = memoryview(raw)
    while view:
        view = view[os.write(file, view) :]
    os.fsync(file)


def _framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(_SIZE_BYTES, "big") + hashlib.sha256(payload).digest() + payload


def _records(raw: bytes) -> Iterator[bytes]:
    """Give the records that are whole, up to the first that is not."""
    at = 0
    while at + _SIZE_BYTES + _DIGEST_BYTES <= len(raw):
        begin = at + _SIZE_BYTES + _DIGEST_BYTES
        end = begin + int.from_bytes(raw[at : at + _SIZE_BYTES], "big")
        payload = raw[begin:end]
        if hashlib.sha256(payload).digest() != raw[at + _SIZE_BYTES : begin]:
            return
        yield payload
        at = end


def _record(change: Change) -> _Record:
    delta = change.delta
    return _Record(
        version=delta.version,
        marks=dict(change.marks),
        added=[(hotlist, columns.to_bytes()) for hotlist, columns in delta.added],
        removed=[
            (name, keys.astype("<u8").tobytes(), countries.astype("<u2").tobytes())
            for name, keys, countries in delta.removed
        ],
        emptied=list(delta.emptied),
    )


def _change(payload: bytes) -> Change:
    record = msgspec.msgpack.decode(payload, type=_Record)
    delta = Delta(
        version=record.version,
        added=[(hotlist, Columns.from_bytes(raw)) for hotlist, raw in record.added],
        removed=[
            (name, np.frombuffer(keys, np.uint64), np.frombuffer(countries, np.uint16))
            for name, keys, countries in record.removed
        ],
        emptied=record.emptied,
    )
    return Change(delta, record.marks)
