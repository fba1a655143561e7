"""Buffers of which snapshots are views, with spare rows behind.

Pure: numpy and the standard library.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SPARE_ROWS: Final = 16_384
_SPARE_SHARE: Final = 4
"""One row in so many is spare: what nothing was written to costs no memory."""


class Room:
    """Columns of one length, with spare rows behind: the next snapshot's new entries are written there, beyond
    the end of every older view. Rows that a view shows are never written again.

    Parameters
    ----------
    kinds
        Name and dtype of each column.
    rows
        How many rows there will be at first.
    """

    def __init__(self, kinds: Mapping[str, type[np.generic]], rows: int) -> None:
        self._lock = threading.Lock()
        self._kinds = kinds
        self._used = 0
        self._rows = rows + rows // _SPARE_SHARE + _SPARE_ROWS
        self._buffers: dict[str, NDArray[Any]] = {name: np.empty(self._rows, kind) for name, kind in kinds.items()}

    def append(self, start: int, columns: Mapping[str, NDArray[Any]]) -> bool:
        """Write `columns` from row `start` on; False when these rows are taken or there is no room."""
        count = len(next(iter(columns.values())))
        with self._lock:
            if self._used != start or start + count > self._rows:
                return False
            self._used = start + count
        for name, column in columns.items():
            self._buffers[name][start : start + count] = column
        return True

    def with_appended(self, start: int, columns: Mapping[str, NDArray[Any]]) -> Room:
        """Write `columns` from row `start` on, here or, where that cannot be, in a roomier copy; return which."""
        if self.append(start, columns):
            return self
        larger = Room(self._kinds, start + len(next(iter(columns.values()))))
        larger.append(0, self.views(start))
        larger.append(start, columns)
        return larger

    def views(self, rows: int) -> dict[str, NDArray[Any]]:
        """The first `rows` of each column, read-only."""
        views = {name: buffer[:rows] for name, buffer in self._buffers.items()}
        for view in views.values():
            view.flags.writeable = False
        return views
