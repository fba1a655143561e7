"""The entries of one list as columns, what the store keeps of them, and texts that repeat.

Pure: numpy and the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from hotlists.entry import Handling, Hotlist, HotlistEntry
from plates import alphabet

ALWAYS_NS: Final = np.iinfo(np.int64).min
FOR_EVER_NS: Final = np.iinfo(np.int64).max
UNSTATED: Final = 255
"""In a priority column: the entry states none, the list's own holds."""

_MAGIC: Final = b"kruispunt columns 2\n"
_ARRAYS: Final = {
    "keys": "<u8", "country": "<u2", "priority": "|u1", "covert": "|b1",
    "valid_from_ns": "<i8", "valid_until_ns": "<i8",
    "reason": "<u4", "arena": "|u1", "offsets": "<i8",
}  # fmt: skip
_OF_TEXTS: Final = ("arena", "offsets")


@dataclass(frozen=True, slots=True, eq=False)
class Texts(Sequence[str]):
    """N texts, each distinct one kept once: a reason is shared by most entries of a list.

    Attributes
    ----------
    which
        uint32 ``(N,)``: which distinct text.
    arena
        uint8 ``(B,)``: the distinct texts as UTF-8, one after the other.
    offsets
        int64 ``(D + 1,)``: where each begins, and the last ends.
    """

    which: NDArray[np.uint32]
    arena: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """Keep `texts`."""
        numbers: dict[str, int] = {}
        which = np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.uint32)
        raw = [text.encode("utf-8", "surrogatepass") for text in numbers]
        offsets = np.cumsum([0, *(len(each) for each in raw)], dtype=np.int64)
        return cls(which, np.frombuffer(b"".join(raw), np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.which)

    def lean(self) -> Texts:
        """Return the same texts, without those in the arena that none of them is."""
        kept = np.zeros(len(self.offsets) - 1, np.bool_)
        kept[self.which] = True
        if kept.all():
            return self
        lengths = np.diff(self.offsets)
        number = np.cumsum(kept, dtype=np.uint32) - np.uint32(1)
        offsets = np.zeros(int(kept.sum()) + 1, np.int64)
        np.cumsum(lengths[kept], out=offsets[1:])
        return Texts(number[self.which], self.arena[np.repeat(kept, lengths)], offsets)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        number = int(self.which[row])
        raw = self.arena[self.offsets[number] : self.offsets[number + 1]].tobytes()
        return raw.decode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Columns:
    """The N entries of one list, as the entries themselves state them; the list's own priority and handling
    are filled in when they are asked for, so that a list can be made covert or urgent later.

    Attributes
    ----------
    keys
        uint64 ``(N,)``: `plates.alphabet` keys of plate or pattern.
    country
        uint16 ``(N,)``: ``ord(a) << 8 | ord(b)``; 0 is any country.
    priority
        uint8 ``(N,)``: `Priority.rank`, or `UNSTATED`.
    covert
        bool ``(N,)``: the entry itself is covert.
    valid_from_ns, valid_until_ns
        int64 ``(N,)``, from inclusive, until exclusive; `ALWAYS_NS`, `FOR_EVER_NS` where open.
    reasons
        One text per entry.
    """

    keys: NDArray[np.uint64]
    country: NDArray[np.uint16]
    priority: NDArray[np.uint8]
    covert: NDArray[np.bool_]
    valid_from_ns: NDArray[np.int64]
    valid_until_ns: NDArray[np.int64]
    reasons: Texts

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def codes(self) -> NDArray[np.uint8]:
        """uint8 ``(N, SLOTS)``: the keys unpacked, made anew each time."""
        return alphabet.unpack(self.keys)

    def chosen(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Columns:
        """Keep some entries, or put them in another order."""
        reasons = Texts(self.reasons.which[rows], self.reasons.arena, self.reasons.offsets)
        plain = {name: getattr(self, name)[rows] for name in _ARRAYS if name in self.__dataclass_fields__}
        return Columns(**plain, reasons=reasons)

    def lean(self) -> Columns:
        """Return the same entries, without texts that none of them has: chosen ones share those of all."""
        return replace(self, reasons=self.reasons.lean())

    def to_bytes(self) -> bytes:
        """Serialise without pickle; `from_bytes` is the inverse. A column of one value is written once."""
        parts: list[bytes] = []
        counts: dict[str, int] = {}
        for name, array in self._arrays().items():
            constant = name not in _OF_TEXTS and len(array) > 1 and bool((array == array[0]).all())
            written = np.ascontiguousarray(array[:1] if constant else array, dtype=_ARRAYS[name])
            counts[name] = len(written)
            parts.append(written.tobytes())
        head = json.dumps({"rows": len(self), "counts": counts}).encode()
        return b"".join([_MAGIC, len(head).to_bytes(4, "big"), head, *parts])

    @classmethod
    def from_bytes(cls, raw: bytes | memoryview) -> Columns:
        """Read what `to_bytes` made; the columns are read-only views of `raw`.

        Raises
        ------
        ValueError
            `raw` is something else, of another version, or damaged.
        """
        if raw[: len(_MAGIC)] != _MAGIC:
            raise ValueError("not the columns of a hotlist, or of another version: publish the list again")
        start = len(_MAGIC) + 4
        end = start + int.from_bytes(raw[start - 4 : start], "big")
        try:
            arrays = _read(raw, json.loads(bytes(raw[start:end])), end)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"the columns of a hotlist are damaged: publish the list again ({error})") from error
        reasons = Texts(arrays.pop("reason"), arrays.pop("arena"), arrays.pop("offsets"))
        return cls(**arrays, reasons=reasons)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        own = {name: getattr(self, name) for name in _ARRAYS if name in self.__dataclass_fields__}
        return {**own, "reason": self.reasons.which, "arena": self.reasons.arena, "offsets": self.reasons.offsets}


def _read(raw: bytes | memoryview, head: dict[str, Any], at: int) -> dict[str, NDArray[Any]]:
    rows, counts = int(head["rows"]), head["counts"]
    arrays: dict[str, NDArray[Any]] = {}
    for name, kind in _ARRAYS.items():
        arrays[name] = np.frombuffer(raw, kind, int(counts[name]), at)
        at += arrays[name].nbytes
        if name not in _OF_TEXTS and len(arrays[name]) != rows:
            if len(arrays[name]) != 1:
                raise ValueError(f"column {name} has {len(arrays[name])} of {rows} rows")
            arrays[name] = np.broadcast_to(arrays[name], rows)
    offsets, which = arrays["offsets"], arrays["reason"]
    if at != len(raw) or offsets[-1] != len(arrays["arena"]) or (rows and which.max() >= len(offsets) - 1):
        raise ValueError("it is cut short, or its texts do not agree")
    return arrays


def pack_entries(hotlist: Hotlist, entries: Sequence[HotlistEntry]) -> Columns:
    """Turn the entries of a list into columns.

    Raises
    ------
    ValueError
        A plate has more than `alphabet.SLOTS` characters: it would match what it is not.
    """
    plates = [entry.plate for entry in entries]
    for row, plate in enumerate(plates):
        if len(plate) > alphabet.SLOTS:
            raise ValueError(
                f"list {hotlist.name!r}, entry {row}: a plate of more than {alphabet.SLOTS} characters"
            )
    return Columns(
        keys=alphabet.pack(alphabet.encode(plates)),
        country=np.array([pack_country(entry.country) for entry in entries], np.uint16),
        priority=np.array(
            [UNSTATED if each.priority is None else each.priority.rank for each in entries], np.uint8
        ),
        covert=np.array([entry.handling is Handling.COVERT for entry in entries], np.bool_),
        valid_from_ns=np.array(
            [ALWAYS_NS if entry.valid_from_ns is None else entry.valid_from_ns for entry in entries], np.int64
        ),
        valid_until_ns=np.array(
            [FOR_EVER_NS if entry.valid_until_ns is None else entry.valid_until_ns for entry in entries], np.int64
        ),
        reasons=Texts.of(entry.reason for entry in entries),
    )


def pack_country(code: str) -> int:
    """Pack an ISO 3166 alpha-2 code into 16 bits; anything else is 0, unknown."""
    return ord(code[0]) << 8 | ord(code[1]) if len(code) == 2 and code.isascii() else 0


def unpack_country(packed: int) -> str:
    """Inverse of `pack_country`; 0 is the empty string."""
    return chr(packed >> 8) + chr(packed & 255) if packed else ""
