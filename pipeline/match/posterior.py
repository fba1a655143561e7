"""From candidate to probability that the listed vehicle passed.

For a read *s* and each distinct text *t* that it may be, by Bayes' rule,

    P(t passed | s) = rate(t) L(s|t) / ( sum over listed t' of rate(t') L(s|t')  +  unlisted(s) )

``rate`` is how often the listed vehicle passes, to one passage of all unlisted ones (`Priors`). ``L`` is the
likelihood: of each true character from the read's own per-character probabilities where it has them, from the
confusion table where not; a missed, made-up or swapped character at its price. ``unlisted`` is the same sum over
every text of every national series (`pipeline.match.background`), less the texts that are listed: a plate is worn
by one vehicle, so whoever wears a listed text is the listed vehicle.

Likelihoods are kept as ratios to that of the text as read, in natural logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hotlists.snapshot import Snapshot
from pipeline.batch import ReadBatch
from pipeline.match import weighing
from pipeline.match.background import Background
from pipeline.match.kernels import NEAR_EXTRA, NEAR_MISSED, NEAR_SWAP
from plates import alphabet, confusion, syntax
from plates.confusion import Confusion

PAIR_MARGIN: Final = 2.0
"""Two substitutions are looked at when they explain a read of no series at least exp(-2), an eighth, as well as
all unlisted traffic does."""

Bounds = tuple[float, float]
"""What is left of a threshold and a rate when a candidate's likelihood is held against the unlisted vehicles, in
logs: for one substitution, and for two."""

_CONFIDENCE_RANGE: Final = (0.05, 0.999)
_SHIFT_RANGE: Final = 3.0
_NO_ODDS: Final = -1e30
_LAST: Final = len(alphabet.CHARACTERS)
_CODES: Final = slice(1, _LAST + 1)


@dataclass(frozen=True, slots=True)
class Priors:
    """How much of the traffic is listed, where a list does not say it itself (`Hotlist.prior`).

    A listed vehicle is taken to pass as often as any other: one passage in `fleet`. Where lists are so long that
    more than `listed_share` of all passages would be of listed vehicles, the rate is lowered to that.
    """

    fleet: float = 1e7
    """Vehicles whose passages are of the same order: those registered in Belgium, and as many regular guests."""
    listed_share: float = 0.2

    def rates(self, snapshot: Snapshot) -> NDArray[np.float64]:
        """Passages that one entry makes, to one of all unlisted vehicles, per list: float64 ``(lists,)``.

        Of a list with a prior of its own, each entry has an equal part of that. The other lists share what is said
        above, by how many entries they have together.
        """
        counts = np.maximum(snapshot.counts, 1)
        own = np.array([np.nan if each.prior is None else each.prior for each in snapshot.hotlists])
        derived = np.isnan(own)
        rate = min(1.0 / self.fleet, self.listed_share / max(1, int(snapshot.counts[derived].sum())))
        each = np.maximum(own / (1.0 - own) / counts, np.finfo(np.float64).tiny)
        rates: NDArray[np.float64] = np.where(derived, rate, each)
        return rates if len(rates) else np.array([rate])


@dataclass(frozen=True, slots=True)
class Scores:
    """What the likelihoods of a batch of N reads rest on.

    Attributes
    ----------
    emission
        float32 ``(R, 64)``: log-likelihood ratio of each true code to the one read. Row r below 64 is for a
        slot read as code r, without probabilities of its own.
    emission_row
        int32 ``(N, SLOTS)``: the row of each slot.
    shift
        float32 ``(N,)``: added for each edit; 0 where the read is as sure as the confusion table.
    floor, floor_two
        float32 ``(N,)``: a candidate whose log-likelihood ratio is below takes no part; one or two substitutions.
    unlisted
        float64 ``(N, 2)``: `background.unlisted_of`; NaN where it was not needed yet.
    off
        float64 ``(R, C)``: `Background.off_sums` of the emission; NaN where it was not needed yet.
    """

    emission: NDArray[np.float32]
    emission_row: NDArray[np.int32]
    shift: NDArray[np.float32]
    floor: NDArray[np.float32]
    floor_two: NDArray[np.float32]
    unlisted: NDArray[np.float64]
    off: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """C pairs of a read and an entry whose text it may be.

    Attributes
    ----------
    read_row, entry_row
        int64 ``(C,)``.
    edit
        uint8 ``(C,)``: `kernels.EXACT`, the ``NEAR_`` edits, or `PATTERN`.
    ratio
        float32 ``(C,)``: log-likelihood ratio of the entry's text to the text as read.
    """

    read_row: NDArray[np.int64]
    entry_row: NDArray[np.int64]
    edit: NDArray[np.uint8]
    ratio: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.read_row)

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Candidates:
        """Keep some, or put in another order."""
        return Candidates(self.read_row[which], self.entry_row[which], self.edit[which], self.ratio[which])


class Posterior:
    """Scores candidates; holds tables only, shared by threads.

    Parameters
    ----------
    table
        The reader's misreadings; the neutral prior by default.
    priors
        How much of the traffic is listed.
    """

    def __init__(self, table: Confusion | None = None, priors: Priors | None = None) -> None:
        self.confusion = table or confusion.neutral()
        self.priors = priors or Priors()
        self.background = Background.of(syntax.all_series(), self.confusion)
        self._emission = _base_emission(self.confusion)
        self._off = self.background.off_sums(self._emission)
        turned = self.confusion.matrix[_CODES, _CODES].T
        self._turned = turned / turned.sum(axis=1, keepdims=True)
        prices = np.zeros(8, np.float32)
        prices[NEAR_MISSED] = np.log(self.confusion.missed)
        prices[NEAR_EXTRA] = np.log(self.confusion.extra / len(alphabet.CHARACTERS))
        prices[NEAR_SWAP] = np.log(self.confusion.swap)
        self.prices = prices

    def prepare(self, batch: ReadBatch, bounds: Bounds, *, pairs: bool = False) -> Scores:
        """Lay out the likelihoods of a batch.

        Parameters
        ----------
        bounds
            `bounds_of` the largest rate of any list and the lowest threshold of any.
        pairs
            Whether two substitutions will be looked for.
        """
        emission, rows, off = self._emission, batch.codes.astype(np.int32), self._off
        shift = self._shift(batch)
        if batch.probabilities is not None:
            emission, rows, off = self._with_own(batch.codes, batch.probabilities)
            shift[(rows >= len(self._emission)).any(axis=1)] = 0.0
        floor, floor_two = np.empty((2, len(batch)), np.float32)
        unlisted = np.full((len(batch), 2), np.nan)
        reads = (batch.keys, rows, np.exp(shift.astype(np.float64)), emission, off)
        background = self.background
        weighing.weigh(reads, background.series, background.tables, bounds, pairs, (floor, floor_two, unlisted))
        return Scores(emission, rows, shift, floor, floor_two, unlisted, off)

    def _with_own(
        self, codes: NDArray[np.uint8], probabilities: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float64]]:
        """The emission with a row for each slot that has probabilities of its own, and which row that is."""
        first = len(self._emission)
        emission = np.empty((first + codes.size, 64), np.float32)
        emission[:first] = self._emission
        rows = codes.astype(np.int32)
        used = weighing.own_emission(codes, probabilities, self._turned, emission, rows)
        off = np.full((used, len(self.background.size)), np.nan)
        off[:first] = self._off
        return emission[:used], rows, off

    def _shift(self, batch: ReadBatch) -> NDArray[np.float32]:
        """Odds of an error in a slot at the read's own confidence, over those of the confusion table, in logs."""
        if np.isnan(batch.confidence).all():
            return np.zeros(len(batch), np.float32)
        low, high = _CONFIDENCE_RANGE
        sure = np.clip(batch.confidence, low, high) ** (1.0 / np.maximum(1, alphabet.lengths(batch.codes)))
        usual = self.confusion.error
        shift = np.log((1.0 - sure) / sure) - np.log(usual / (1.0 - usual))
        bounded: NDArray[np.float64] = np.nan_to_num(np.clip(shift, -_SHIFT_RANGE, _SHIFT_RANGE), nan=0.0)
        return bounded.astype(np.float32)

    def probabilities(
        self, batch: ReadBatch, scores: Scores, found: Candidates, snapshot: Snapshot, rates: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Probability of each candidate's vehicle, given everything that the read may be.

        Parameters
        ----------
        found
            Ordered by read row, then the entry's key.

        Returns
        -------
        float64 ``(C,)``, 0 to 1: rounded to float32, what is nearly certain would pass a threshold of 1. For a
        pattern: that the text was read right, and so fits.
        """
        result = np.zeros(len(found))
        entries = (
            snapshot.keys[found.entry_row],
            snapshot.country[found.entry_row],
            rates[snapshot.list_row[found.entry_row]],
        )
        weighing.posteriors(
            (
                batch.keys,
                scores.emission_row,
                np.exp(scores.shift.astype(np.float64)),
                scores.emission,
                scores.off,
            ),
            (found.read_row, found.edit, found.ratio),
            entries,
            self.background.series,
            self.background.tables,
            (scores.unlisted, result),
        )
        return result


def bounds_of(rate: float, threshold: float) -> Bounds:
    """Return the bounds of a rate and a threshold; one of 0 is so low that all takes part that is possible."""
    sure = min(threshold, 1.0 - 1e-9)
    odds = float(np.log(sure / (1.0 - sure))) if sure > 0.0 else _NO_ODDS
    return odds - float(np.log(rate)), min(odds, 0.0) - float(np.log(rate)) - PAIR_MARGIN


@cache
def default() -> Posterior:
    """The posterior of the neutral confusion table and the documented priors."""
    return Posterior()


def _base_emission(table: Confusion) -> NDArray[np.float32]:
    """Ratios for a slot without probabilities of its own; a code outside the alphabet says nothing."""
    emission = np.full((64, 64), -np.inf, np.float32)
    likely = table.matrix[_CODES, _CODES]
    emission[_CODES, _CODES] = np.log(likely / np.diag(likely)).T
    np.fill_diagonal(emission, -np.inf)
    emission[_LAST + 1 :, _CODES] = 0.0
    return emission
