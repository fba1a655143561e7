"""ReadBatch and snapshot to HitBatch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hotlists.snapshot import Delta, Snapshot
from pipeline.batch import KIND_EXACT, KIND_NEAR, KIND_PATTERN, HitBatch, ReadBatch
from pipeline.match import kernels, posterior
from pipeline.match.index import Index, Segment, segments_of
from pipeline.match.posterior import Candidates, Posterior, Scores
from pipeline.match.weighing import PATTERN
from plates import alphabet

_KIND_OF_EDIT: Final = np.full(8, KIND_NEAR, np.uint8)
_KIND_OF_EDIT[[kernels.EXACT, PATTERN]] = KIND_EXACT, KIND_PATTERN
_EDITS: Final = np.ones(8, np.uint8)
_EDITS[[kernels.EXACT, PATTERN, kernels.NEAR_TWO]] = 0, 0, 2

_FIRST_CODES: Final = alphabet.encode(["0"])
_FIRST_BATCHES: Final = (
    ReadBatch.of(_FIRST_CODES, np.zeros(1, np.int64)),
    ReadBatch.of(
        _FIRST_CODES, np.zeros(1, np.int64), probabilities=np.full((1, alphabet.SLOTS, 37), 0.01, np.float32)
    ),
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What costs most of a delta of many entries, done beforehand.

    Attributes
    ----------
    segment
        The table of the entries that it adds.
    removed
        int64: rows that it takes out, as long as the matcher is one of those that share `base`.
    base
        The first segment of the matcher's that `removed` was found by: a base that was built anew has other rows.
    """

    segment: Segment
    removed: NDArray[np.int64]
    base: Segment


class Matcher:
    """Matches batches against one snapshot; may be shared by threads.

    Parameters
    ----------
    snapshot
        What is looked for.
    scoring
        The posterior; by default with the neutral confusion table.
    substitutions
        How many misread characters an entry may be away: 1 or 2.
    index
        One that was made for this snapshot already.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        scoring: Posterior | None = None,
        *,
        substitutions: int = 2,
        index: Index | None = None,
    ) -> None:
        self.snapshot = snapshot
        self._scoring = scoring or posterior.default()
        self._substitutions = substitutions
        self.index = index or Index(snapshot)
        self._rates = self._scoring.priors.rates(snapshot)
        self._thresholds = np.array([each.threshold for each in snapshot.hotlists] or [1.0])
        self._bounds = posterior.bounds_of(self.rate, float(self._thresholds.min()))
        # What a list's bound is above that of the list with the highest rate.
        above = (np.log(self.rate) - np.log(self._rates)).astype(np.float32)
        self._above = above if above.any() else None
        # Compiles what matching calls, or loads it compiled, before the first real read comes.
        for batch in _FIRST_BATCHES:
            self.match(batch)

    def match(self, batch: ReadBatch) -> HitBatch:
        """Find every hit of a batch.

        A candidate counts when its entry was valid at the read's capture time and their countries, where both
        are known, agree. Text that is read exactly as listed, or that fits a pattern, is always a hit, and its
        posterior says how sure the reading is; anything else is a hit from its list's threshold on.
        """
        snapshot = self.snapshot
        scores = self._scoring.prepare(batch, self._bounds, pairs=self._substitutions > 1)
        found = self.index.candidates(batch.keys, scores, self._scoring.prices, self._substitutions, self._above)
        found = found.chosen(_current(snapshot, batch, found.read_row, found.entry_row))
        found = found.chosen(np.lexsort((found.entry_row, snapshot.keys[found.entry_row], found.read_row)))
        if self._above is not None:
            found = found.chosen(_possible(snapshot, found, scores, self._above))
        probability = self._scoring.probabilities(batch, scores, found, snapshot, self._rates)
        kind = _KIND_OF_EDIT[found.edit]
        hit = (kind != KIND_NEAR) | (probability >= self._thresholds[snapshot.list_row[found.entry_row]])
        found, probability, kind = found.chosen(hit), probability[hit], kind[hit]
        order = np.lexsort((found.entry_row, -probability, found.read_row))
        return HitBatch(
            read_row=found.read_row[order],
            entry_row=found.entry_row[order],
            kind=kind[order],
            edits=_EDITS[found.edit][order],
            posterior=probability[order].astype(np.float32),
            snapshot_version=snapshot.version,
        )

    @property
    def rate(self) -> float:
        """Passages that a listed vehicle is taken to make at most, to one of all unlisted vehicles."""
        return float(self._rates.max())

    def candidates(self, batch: ReadBatch) -> Candidates:
        """Find every entry at one edit, however unlikely, and every pattern, whatever list and country say."""
        scores = self._scoring.prepare(batch, posterior.bounds_of(self.rate, 0.0))
        return self.index.candidates(batch.keys, scores, self._scoring.prices)

    def prepare(self, delta: Delta, *, threads: int = 1) -> Prepared:
        """Do what costs most of `apply` where a delta adds many entries, to one list.

        Other deltas may be applied meanwhile, as long as they say nothing of that list.
        """
        segment = segments_of(Snapshot.join(delta.version, delta.added), threads=threads)[0]
        return Prepared(segment, self._removed_by(delta), self.index.base[0])

    def apply(self, delta: Delta, prepared: Prepared | None = None) -> Matcher:
        """Return the matcher of the next snapshot; the cost is that of what changed since the base was built.

        What is `prepared` of the delta becomes a part of the base. When `side_rows`, `Index.ranges` or
        `Snapshot.removed` have grown large, put what is `merged` in place.
        """
        known = prepared is not None and prepared.base is self.index.base[0]
        removed = prepared.removed if prepared is not None and known else self._removed_by(delta)
        snapshot = self.snapshot.changed(delta.version, delta.added, removed)
        base = self.index.base
        if prepared is not None:
            names = [hotlist.name for hotlist in snapshot.hotlists]
            lists = np.array([names.index(delta.added[0][0].name)])
            base = (*self.index.segments, prepared.segment.moved(snapshot, lists))
        index = Index(snapshot, base)
        return Matcher(snapshot, self._scoring, substitutions=self._substitutions, index=index)

    def merged(self, names: Collection[str] | None = None) -> Matcher:
        """Build the matcher of the same entries with all of them in one range of the base.

        Lists that are not of `names` are left out; None: all stay.
        """
        lists = [each for each in self.snapshot.lists() if names is None or each[0].name in names]
        snapshot = Snapshot.join(self.snapshot.version, lists)
        # Let go before the index takes its room.
        lists.clear()
        return Matcher(snapshot, self._scoring, substitutions=self._substitutions)

    def _removed_by(self, delta: Delta) -> NDArray[np.int64]:
        """Which rows a delta takes out."""
        rows = [np.zeros(0, np.int64)]
        names = {hotlist.name: row for row, hotlist in enumerate(self.snapshot.hotlists)}
        for name, keys, countries in delta.removed:
            asked, entry_row = self.index.rows_of(keys)
            same = self.snapshot.country[entry_row] == countries[asked]
            same &= self.snapshot.list_row[entry_row] == names.get(name, len(names))
            rows.append(entry_row[same])
        emptied = (names.get(name, len(names)) for name in delta.emptied)
        rows.extend(np.flatnonzero(self.snapshot.list_row == row) for row in emptied)
        return np.concatenate(rows)

    @property
    def side_rows(self) -> int:
        """How many entries deltas have brought since the base was built."""
        return self.index.side_rows


def _possible(
    snapshot: Snapshot, found: Candidates, scores: Scores, above: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which candidates reach their own list's bound, `above` the floor, or are of a text of which one does.

    `found` is in the order of `Posterior.probabilities`.
    """
    floor = np.where(
        found.edit == kernels.NEAR_TWO, scores.floor_two[found.read_row], scores.floor[found.read_row]
    )
    reached = found.ratio >= floor + above[snapshot.list_row[found.entry_row]]
    reached |= _EDITS[found.edit] == 0
    keys = snapshot.keys[found.entry_row]
    begins = np.ones(len(found), np.bool_)
    begins[1:] = (found.read_row[1:] != found.read_row[:-1]) | (keys[1:] != keys[:-1])
    text = np.cumsum(begins) - 1
    possible = np.zeros(len(found), np.bool_)
    possible[text[reached]] = True
    kept: NDArray[np.bool_] = possible[text]
    return kept


def _current(
    snapshot: Snapshot, batch: ReadBatch, read_row: NDArray[np.int64], entry_row: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which pairs are of one country, and valid when the read was captured."""
    at_ns = batch.captured_at_ns[read_row]
    here, listed = batch.country[read_row], snapshot.country[entry_row]
    current: NDArray[np.bool_] = (
        (snapshot.valid_from_ns[entry_row] <= at_ns)
        & (at_ns < snapshot.valid_until_ns[entry_row])
        & ((here == 0) | (listed == 0) | (here == listed))
    )
    return current
