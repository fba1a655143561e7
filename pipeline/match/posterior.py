"""From candidate to probability that the listed vehicle passed.

For a read *s* and each distinct text *t* that it may be, by Bayes' rule,

    P(t passed | s) = rate(t) L(s|t) / ( sum over listed t' of rate(t') L(s|t')  +  unlisted(s) )

``rate`` is how large a part of all passages the listed vehicle makes (`Priors`). ``L`` is the likelihood: of each
true character from the read's own per-character probabilities where it has them, from the confusion table where
not; a missed, made-up or swapped character at its price. ``unlisted`` is the same sum over every text of every
national series (`pipeline.match.background`), less the texts that are listed: a plate is worn by one vehicle, so
whoever wears a listed text is the listed vehicle.

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
from pipeline.match.background import Background, SeriesBits, Tables, density_of, unlisted_of
from pipeline.match.kernels import (
    NEAR_EXTRA,
    NEAR_MISSED,
    NEAR_SWAP,
    compiled,
    length_of,
)
from plates import alphabet, confusion, syntax
from plates.confusion import Confusion

PATTERN: Final = 6
"""`Candidates.edit` of a pattern that the read fits."""

OWN_TRUST: Final = 0.9
"""Weight of a read's own character probabilities; the rest is the confusion table's, for readers are surer
than they are right."""

PAIR_MARGIN: Final = 2.0
"""Two substitutions are looked at when they explain a read of no series at least exp(-2), an eighth, as well as
all unlisted traffic does."""

Reads = tuple[
    NDArray[np.uint64], NDArray[np.int32], NDArray[np.float64], NDArray[np.float32], NDArray[np.float64]
]  # fmt: skip
"""Keys, rows of the emission by slot, factor on each misreading, emission, `Background.off_sums`."""

Entries = tuple[NDArray[np.uint64], NDArray[np.uint16], NDArray[np.float64]]
"""Each candidate's key, country and rate."""

_CONFIDENCE_RANGE: Final = (0.05, 0.999)
_SHIFT_RANGE: Final = 3.0
_LAST: Final = len(alphabet.CHARACTERS)
_CODES: Final = slice(1, _LAST + 1)


@dataclass(frozen=True, slots=True)
class Priors:
    """How much of the traffic is listed.

    A listed vehicle is taken to pass as often as any other: one passage in `fleet`. Where lists are so long that
    more than `listed_share` of all passages would be of listed vehicles, the rate is lowered to that.
    """

    fleet: float = 1e7
    """Vehicles whose passages are of the same order: those registered in Belgium, and as many regular guests."""
    listed_share: float = 0.2

    def rates(self, snapshot: Snapshot) -> NDArray[np.float64]:
        """Share of all passages that one entry makes, per list: float64 ``(lists,)``."""
        rate = min(1.0 / self.fleet, self.listed_share / max(1, len(snapshot)))
        return np.full(max(1, len(snapshot.hotlists)), rate)


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

    def prepare(self, batch: ReadBatch, rate: float, threshold: float, *, pairs: bool = False) -> Scores:
        """Lay out the likelihoods of a batch.

        Parameters
        ----------
        rate
            The largest rate of any list.
        threshold
            The lowest threshold of any list; 0 keeps every candidate.
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
        odds = _log_odds(threshold)
        reads = (batch.keys, rows, np.exp(shift.astype(np.float64)), emission, off)
        background = self.background
        bounds = (odds - np.log(rate), min(odds, 0.0) - np.log(rate) - PAIR_MARGIN)
        _weigh(reads, background.series, background.tables, bounds, pairs, (floor, floor_two, unlisted))
        return Scores(emission, rows, shift, floor, floor_two, unlisted, off)

    def _with_own(
        self, codes: NDArray[np.uint8], probabilities: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float64]]:
        """The emission with a row for each slot that has probabilities of its own, and which row that is."""
        first = len(self._emission)
        emission = np.empty((first + codes.size, 64), np.float32)
        emission[:first] = self._emission
        rows = codes.astype(np.int32)
        used = _own_emission(codes, probabilities, self._turned, emission, rows)
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
    ) -> NDArray[np.float32]:
        """Probability of each candidate's vehicle, given everything that the read may be.

        Parameters
        ----------
        found
            Ordered by read row, then the entry's key.

        Returns
        -------
        float32 ``(C,)``, 0 to 1. For a pattern: that the text was read right, and so fits.
        """
        result = np.zeros(len(found), np.float32)
        entries = (
            snapshot.keys[found.entry_row],
            snapshot.country[found.entry_row],
            rates[snapshot.list_row[found.entry_row]],
        )
        _posteriors(
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


def _log_odds(threshold: float) -> float:
    """Minus infinity for a threshold of 0: everything takes part."""
    sure = min(threshold, 1.0 - 1e-9)
    return float(np.log(sure / (1.0 - sure))) if sure > 0.0 else -np.inf


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


@compiled
def _own_emission(
    codes: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    turned: NDArray[np.float64],
    emission: NDArray[np.float32],
    rows: NDArray[np.int32],
) -> int:
    """Write ratios from the reads' own probabilities behind the first 64 rows; return the number of rows.

    What the listed characters leave of 1 is shared by the others; the confusion table's P(true | seen), in
    `turned`, is mixed in (`OWN_TRUST`). `rows` is set for the slots that have any.
    """
    used = 64
    mixed = np.empty(_LAST + 1)
    for read in range(len(codes)):
        for slot in range(codes.shape[1]):
            seen = np.int64(codes[read, slot])
            if not 0 < seen <= _LAST:
                continue
            total, unstated = 0.0, 0
            for code in range(1, _LAST + 1):
                chance = min(max(np.float64(probabilities[read, slot, code]), 0.0), 1.0)
                mixed[code] = chance
                total += chance
                unstated += chance == 0.0
            if total == 0.0:
                continue
            rest = max(0.0, 1.0 - total) / max(1, unstated)
            for code in range(1, _LAST + 1):
                chance = (rest if mixed[code] == 0.0 else mixed[code]) / max(1.0, total)
                mixed[code] = OWN_TRUST * chance + (1.0 - OWN_TRUST) * turned[seen - 1, code - 1]
            emission[used] = -np.inf
            for code in range(1, _LAST + 1):
                if code != seen:
                    emission[used, code] = np.log(mixed[code] / mixed[seen])
            rows[read, slot] = used
            used += 1
    return used


@compiled
def _weigh(
    reads: Reads,
    series: SeriesBits,
    tables: Tables,
    odds: tuple[float, float],
    pairs: bool,
    out: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]],
) -> None:
    """Write each read's floors: what is left of `odds` against the unlisted vehicles that are known of so far.

    For one substitution that is the text as read alone, which no listed text takes anything from. For two, in
    a read of no series, it is all that the read may be.
    """
    keys, emission_row, scale, emission, off = reads
    floor, floor_two, unlisted = out
    unknown = tables[7]
    for row in range(len(keys)):
        own = density_of(keys[row], series, np.uint16(0))
        as_read = np.log(own + unknown[length_of(keys[row])])
        floor[row] = odds[0] + as_read
        if pairs and own == 0.0 and keys[row] != 0:
            unlisted[row] = unlisted_of(keys[row], emission_row[row], scale[row], (emission, off), tables)
            as_read = np.log(unlisted[row, 0] + unlisted[row, 1])
        floor_two[row] = odds[1] + as_read


@compiled
def _posteriors(
    reads: Reads,
    found: tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float32]],
    entries: Entries,
    series: SeriesBits,
    tables: Tables,
    out: tuple[NDArray[np.float64], NDArray[np.float32]],
) -> None:
    """Write each candidate's posterior; a run of candidates of one read at a time."""
    keys, emission_row, scale, emission, off = reads
    read_row, edit, ratio = found
    unlisted, result = out
    unknown = tables[7]
    first = 0
    while first < len(read_row):
        row = read_row[first]
        last = first
        while last < len(read_row) and read_row[last] == row:
            last += 1
        if np.isnan(unlisted[row, 0]):
            unlisted[row] = unlisted_of(keys[row], emission_row[row], scale[row], (emission, off), tables)
        inside, outside = unlisted[row]
        listed, taken, own_weight, own_taken = _listed(keys[row], first, last, found, entries, series)
        total = listed + max(inside - taken, 0.0) + outside
        as_read = density_of(keys[row], series, np.uint16(0)) - own_taken
        as_read = own_weight + max(as_read, 0.0) + unknown[length_of(keys[row])]
        for each in range(first, last):
            weight = as_read
            if edit[each] != PATTERN:
                weight = _best_rate(each, first, last, edit, entries) * np.exp(ratio[each])
            result[each] = min(1.0, weight / total)
        first = last


@compiled
def _best_rate(
    each: int,
    first: int,
    last: int,
    edit: NDArray[np.uint8],
    entries: Entries,
) -> float:
    """The largest rate among the entries of the same text: they are one vehicle."""
    keys, _, rates = entries
    best = float(rates[each])
    other = each
    while other > first and keys[other - 1] == keys[each]:
        other -= 1
    while other < last and keys[other] == keys[each]:
        if edit[other] != PATTERN:
            best = max(best, float(rates[other]))
        other += 1
    return best


@compiled
def _listed(
    key: np.uint64,
    first: int,
    last: int,
    found: tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float32]],
    entries: Entries,
    series: SeriesBits,
) -> tuple[float, float, float, float]:
    """Weight of all listed texts, what they take from the unlisted; and both for the text as read alone."""
    _, edit, ratio = found
    keys, country, _ = entries
    listed = taken = own_weight = own_taken = 0.0
    each = first
    while each < last:
        end = each
        share = 0.0
        plain = -1
        while end < last and keys[end] == keys[each]:
            if edit[end] != PATTERN:
                plain = end
                share = max(share, density_of(keys[end], series, country[end]))
            end += 1
        if plain >= 0:
            likely = np.exp(ratio[plain])
            listed += _best_rate(plain, first, last, edit, entries) * likely
            taken += share * likely
            if keys[plain] == key:
                own_weight = _best_rate(plain, first, last, edit, entries)
                own_taken = share
        each = end
    return listed, taken, own_weight, own_taken
