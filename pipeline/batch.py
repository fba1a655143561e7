"""Columns of the hot path: ReadBatch and HitBatch. Objects begin at `pipeline.model.Hit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plates import alphabet

KIND_EXACT = 0
KIND_PATTERN = 1
KIND_NEAR = 2
KINDS = ("exact", "pattern", "near")

_CODE_OF: Final = {character: code for code, character in enumerate(alphabet.CHARACTERS, 1)}


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """N reads as columns, row i of each column is read i.

    Attributes
    ----------
    codes
        uint8 ``(N, SLOTS)``, `plates.alphabet` codes.
    keys
        uint64 ``(N,)``, `plates.alphabet.pack` of the codes.
    captured_at_ns
        int64 ``(N,)``, nanoseconds since the epoch.
    country
        uint16 ``(N,)``: ``ord(a) << 8 | ord(b)`` of the ISO alpha-2 code, 0 where unknown.
    confidence
        float32 ``(N,)``, 0 to 1; NaN where the source gives none.
    probabilities
        float32 ``(N, SLOTS, 37)``: P(true code | image) per slot, code 0 is "no character"; or None when no
        read of the batch has them. A row whose slots are all zero has none.
    """

    codes: NDArray[np.uint8]
    keys: NDArray[np.uint64]
    captured_at_ns: NDArray[np.int64]
    country: NDArray[np.uint16]
    confidence: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def of(
        cls,
        codes: NDArray[np.uint8],
        captured_at_ns: NDArray[np.int64],
        *,
        country: NDArray[np.uint16] | None = None,
        confidence: NDArray[np.float32] | None = None,
        probabilities: NDArray[np.float32] | None = None,
    ) -> ReadBatch:
        """Build a batch from codes ``(N, SLOTS)`` and capture times ``(N,)``; the rest defaults to unknown."""
        count = len(codes)
        return cls(
            codes=codes,
            keys=alphabet.pack(codes),
            captured_at_ns=captured_at_ns,
            country=np.zeros(count, np.uint16) if country is None else country,
            confidence=np.full(count, np.nan, np.float32) if confidence is None else confidence,
            probabilities=probabilities,
        )


@dataclass(frozen=True, slots=True)
class HitBatch:
    """H hits as columns, ordered by read row, then posterior, the likeliest first.

    Attributes
    ----------
    read_row
        int64 ``(H,)``, row in the ReadBatch.
    entry_row
        int64 ``(H,)``, row in the snapshot.
    kind
        uint8 ``(H,)``: `KIND_EXACT`, `KIND_PATTERN` or `KIND_NEAR`.
    edits
        uint8 ``(H,)``: characters misread, missed or made up between read and entry, two that changed places
        being one; 0 for a pattern.
    posterior
        float32 ``(H,)``, 0 to 1.
    snapshot_version
        The version that every hit of the batch was matched against.
    """

    read_row: NDArray[np.int64]
    entry_row: NDArray[np.int64]
    kind: NDArray[np.uint8]
    edits: NDArray[np.uint8]
    posterior: NDArray[np.float32]
    snapshot_version: int

    def __len__(self) -> int:
        return len(self.read_row)


def lay_out(characters: Sequence[Sequence[Mapping[str, float]] | None]) -> NDArray[np.float32] | None:
    """Lay out reads' own character probabilities as `ReadBatch.probabilities`; None when no read has any.

    Parameters
    ----------
    characters
        Per read, for each slot the likeliest characters and their probability; None where it has none. What is
        no plate character, and slots beyond `SLOTS`, are left out.
    """
    triples = [
        (row, slot, _CODE_OF[character], probability)
        for row, slots in enumerate(characters)
        if slots
        for slot, choices in enumerate(slots[: alphabet.SLOTS])
        for character, probability in choices.items()
        if character in _CODE_OF
    ]
    if not triples:
        return None
    rows, slots, codes, values = zip(*triples, strict=True)
    found = np.zeros((len(characters), alphabet.SLOTS, len(alphabet.CHARACTERS) + 1), np.float32)
    np.maximum.at(found, (np.array(rows), np.array(slots), np.array(codes)), np.array(values, np.float32))
    return found
