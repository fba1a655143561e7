"""ReadBatch and snapshot to HitBatch."""

from __future__ import annotations

import numpy as np

from hotlists.snapshot import Snapshot
from pipeline.batch import KIND_EXACT, KIND_PATTERN, HitBatch, ReadBatch
from pipeline.match import posterior
from pipeline.match.index import Index


class Matcher:
    """Matches batches against one snapshot; may be shared by threads."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._index = Index(snapshot)

    def match(self, batch: ReadBatch) -> HitBatch:
        """Find every hit of a batch.

        A candidate is a hit when its entry was valid at the read's capture time and their countries, where
        both are known, agree. Text that is read exactly as listed, or that fits a pattern, is always a hit;
        its posterior says how sure the reading is.
        """
        snapshot = self.snapshot
        found = self._index.candidates(batch.keys)
        read_row, entry_row = found.read_row, found.entry_row
        at_ns = batch.captured_at_ns[read_row]
        here, listed = batch.country[read_row], snapshot.country[entry_row]
        keep = (
            (snapshot.valid_from_ns[entry_row] <= at_ns)
            & (at_ns < snapshot.valid_until_ns[entry_row])
            & ((here == 0) | (listed == 0) | (here == listed))
        )
        read_row, entry_row = read_row[keep], entry_row[keep]
        probability = posterior.exact(batch, read_row)
        order = np.lexsort((entry_row, -probability, read_row))
        return HitBatch(
            read_row=read_row[order],
            entry_row=entry_row[order],
            kind=np.where(found.is_pattern[keep], KIND_PATTERN, KIND_EXACT).astype(np.uint8)[order],
            edits=np.zeros(len(order), np.uint8),
            posterior=probability[order],
            snapshot_version=snapshot.version,
        )
