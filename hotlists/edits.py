"""What makes one version of a list the next: the entries that go, and those that come. On columns.

Pure: numpy and the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hotlists.columns import Columns
from hotlists.compare import compare, joined, only, without
from hotlists.parsed import NO_COLUMNS

_SIZE_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Edit:
    """What a version adds to the one that it is based on, and removes from it.

    An entry is a plate in a country, and may have several rows. All rows go of what `removed` or `added` names,
    then those of `added` come: so an edit means the same whatever it is laid over, and twice is as once.

    Attributes
    ----------
    added
        Rows that come.
    removed
        Entries that go; of these only `keys` and `country` say anything.
    """

    added: Columns = NO_COLUMNS
    removed: Columns = NO_COLUMNS

    def __len__(self) -> int:
        return len(self.added) + len(self.removed)

    @classmethod
    def between(cls, old: Columns, new: Columns) -> Edit:
        """Find what makes `old` say what `new` says; rows may change order. Takes seconds for millions."""
        found = compare(old, new)
        touched = new.chosen(np.concatenate([found.added, found.changed]))
        return cls(only(new, touched).lean(), old.chosen(found.removed).lean())

    def named(self) -> Columns:
        """Return the entries that it says anything of, some perhaps twice."""
        return joined(self.removed, self.added)

    def applied(self, columns: Columns) -> Columns:
        """Return the entries that it makes of `columns`."""
        return joined(without(columns, self.named()), self.added) if len(self) else columns

    def then(self, later: Edit) -> Edit:
        """Return the one that does both, this one first."""
        return Edit(later.applied(self.added), joined(without(self.removed, later.removed), later.removed))

    def to_bytes(self) -> bytes:
        """Serialise; `from_bytes` is the inverse."""
        added = self.added.to_bytes()
        return b"".join([len(added).to_bytes(_SIZE_BYTES, "big"), added, self.removed.to_bytes()])

    @classmethod
    def from_bytes(cls, raw: bytes | memoryview) -> Edit:
        """Read what `to_bytes` made.

        Raises
        ------
        ValueError
            `raw` is something else, or damaged.
        """
        middle = _SIZE_BYTES + int.from_bytes(raw[:_SIZE_BYTES], "big")
        return cls(Columns.from_bytes(raw[_SIZE_BYTES:middle]), Columns.from_bytes(raw[middle:]))
