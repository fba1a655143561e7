"""The slowest obvious matcher and posterior: loops over reads, entries, series and slots, on tuples of codes.

It shares tables of data (series, confusion, priors) with the fast one, and no line of its code. Slow is the
point.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from hotlists.snapshot import Snapshot
from pipeline.batch import ReadBatch
from pipeline.match import background, posterior, weighing
from plates import alphabet, syntax
from plates.confusion import Confusion

Plate = tuple[int, ...]
LETTERS = range(1, 37)


@dataclass(frozen=True)
class Expected:
    """A hit, as `HitBatch` has it."""

    read_row: int
    entry_row: int
    kind: str
    edits: int
    posterior: float


def characters_of(codes: np.ndarray) -> Plate:
    """Codes of one plate without padding."""
    return tuple(int(code) for code in codes if code != alphabet.PAD)


def without(plate: Plate, slot: int) -> Plate:
    """Take one character out."""
    return plate[:slot] + plate[slot + 1 :]


def difference(read: Plate, entry: Plate) -> str | None:
    """Name what lies between a read and an entry; None when it is too much."""
    if read == entry:
        return "exact"
    if len(read) == len(entry):
        wrong = [slot for slot in range(len(read)) if read[slot] != entry[slot]]
        if len(wrong) == 1:
            return "substitution"
        if len(wrong) == 2:
            a, b = wrong
            swapped = b == a + 1 and read[a] == entry[b] and read[b] == entry[a]
            return "swap" if swapped else "two"
    if len(entry) == len(read) + 1 and any(without(entry, slot) == read for slot in range(len(entry))):
        return "missed"
    if len(read) == len(entry) + 1 and any(without(read, slot) == entry for slot in range(len(read))):
        return "extra"
    return None


def fits(read: Plate, pattern: Plate) -> bool:
    """Whether a read fits a pattern, by way of a regular expression."""
    wild = {alphabet.ANY_ONE: ".", alphabet.ANY_RUN: ".*"}
    expression = "".join(wild.get(code, re.escape(chr(256 + code))) for code in pattern)
    return re.fullmatch(expression, "".join(chr(256 + code) for code in read)) is not None


class Reading:
    """What one read says about each of its slots."""

    def __init__(self, batch: ReadBatch, row: int, table: Confusion) -> None:
        self.plate = characters_of(batch.codes[row])
        self.table = table
        given = None if batch.probabilities is None else batch.probabilities[row].astype(float)
        self.own = [
            given is not None and code in LETTERS and given[slot, 1:].max() > 0
            for slot, code in enumerate(self.plate)
        ]
        self.chances = [
            self._chances(given[slot, 1:], code) if self.own[slot] and given is not None else None
            for slot, code in enumerate(self.plate)
        ]
        self.scale = math.exp(self._shift(float(batch.confidence[row])))

    def _shift(self, confidence: float) -> float:
        if math.isnan(confidence) or any(self.own):
            return 0.0
        low, high = posterior._CONFIDENCE_RANGE
        sure = min(max(confidence, low), high) ** (1 / max(1, len(self.plate)))
        usual = self.table.error
        shift = math.log((1 - sure) / sure) - math.log(usual / (1 - usual))
        return max(-posterior._SHIFT_RANGE, min(posterior._SHIFT_RANGE, shift))

    def _chances(self, given: np.ndarray, code: int) -> list[float]:
        """P(true character | slot), for the 36 characters."""
        clipped = [min(max(value, 0.0), 1.0) for value in given.tolist()]
        total, unlisted = sum(clipped), sum(value == 0 for value in clipped)
        rest = max(0.0, 1 - total) / max(1, unlisted)
        clipped = [rest if value == 0 else value / max(1.0, total) for value in clipped]
        column = [float(self.table.matrix[true, code]) for true in LETTERS]
        return [
            weighing.OWN_TRUST * value + (1 - weighing.OWN_TRUST) * usual / sum(column)
            for value, usual in zip(clipped, column, strict=True)
        ]

    def ratio(self, slot: int, true: int) -> float:
        """Likelihood of the slot when `true` is there, to that when it was read right."""
        seen = self.plate[slot]
        if true == seen:
            return 1.0
        if true not in LETTERS:
            return 0.0
        chances = self.chances[slot]
        if chances is not None:
            return self.scale * chances[true - 1] / chances[seen - 1]
        if seen not in LETTERS:
            return self.scale
        return self.scale * float(self.table.matrix[true, seen] / self.table.matrix[seen, seen])

    def likelihood(self, entry: Plate, how: str) -> float:
        """Likelihood of the read when the vehicle is the entry's, to that of its being right."""
        prices = {
            "missed": self.table.missed,
            "extra": self.table.extra / 36,
            "swap": self.table.swap,
            "exact": 1.0,
        }
        if how in prices:
            return prices[how] * (1.0 if how == "exact" else self.scale)
        return math.prod(self.ratio(slot, entry[slot]) for slot in range(len(entry)))

    def mean(self, slot: int, characters: str) -> float:
        """Mean over the characters that a slot of a series may hold."""
        codes = [1 + alphabet.CHARACTERS.index(each) for each in characters]
        inside = 1.0 if self.plate[slot] in codes else 0.0
        return (inside + sum(self.ratio(slot, code) for code in codes if code != self.plate[slot])) / len(codes)

    def of_series(self, slots: tuple[str, ...]) -> float:
        """Likelihood summed over every text of a series, each equally likely."""
        count = len(self.plate)
        if len(slots) == count:
            return math.prod(self.mean(slot, slots[slot]) for slot in range(count))
        if len(slots) == count + 1:
            left_out = [slots[:slot] + slots[slot + 1 :] for slot in range(len(slots))]
            price = self.table.missed * self.scale
            return price * sum(math.prod(self.mean(slot, s[slot]) for slot in range(count)) for s in left_out)
        if len(slots) == count - 1:
            price = self.table.extra / 36 * self.scale
            total = 0.0
            for made_up in range(count):
                rest = [slot for slot in range(count) if slot != made_up]
                total += math.prod(self.mean(slot, slots[place]) for place, slot in enumerate(rest))
            return price * total
        return 0.0

    def unlisted(self) -> tuple[float, float]:
        """Weight of all vehicles of any series, and of none."""
        inside = sum(each.share * self.of_series(each.slots) for each in syntax.all_series() if each.slots)
        outside = of_no_series(self.plate) * math.prod(
            36 * self.mean(slot, alphabet.CHARACTERS) for slot in range(len(self.plate))
        )
        return inside, outside


def of_no_series(plate: Plate) -> float:
    """Share of passages of a text, when it is of no series."""
    return float(background.UNKNOWN_SERIES_SHARE / alphabet.SLOTS / 36 ** len(plate))


def density(plate: Plate, country: str = "") -> float:
    """Share of passages of a text in the series that it fits."""
    text = "".join(alphabet.CHARACTERS[code - 1] if code in LETTERS else "\ufffd" for code in plate)
    return sum(
        each.share / each.size
        for each in syntax.all_series()
        if len(each.slots) == len(text)
        and country in ("", each.country)
        and all(character in slot for character, slot in zip(text, each.slots, strict=True))
    )


def match(
    snapshot: Snapshot, batch: ReadBatch, scoring: posterior.Posterior, substitutions: int
) -> list[Expected]:
    """Find every hit of a batch."""
    found: list[Expected] = []
    for row in range(len(batch)):
        if batch.codes[row].any():
            found += _match_one(snapshot, batch, row, scoring, substitutions)
    return found


def _match_one(
    snapshot: Snapshot, batch: ReadBatch, row: int, scoring: posterior.Posterior, substitutions: int
) -> list[Expected]:
    reading = Reading(batch, row, scoring.confusion)
    rates = rates_of(snapshot, scoring.priors)
    threshold = min(each.threshold for each in snapshot.hotlists)
    floors = {name: _floors(reading, threshold, rate, substitutions) for name, rate in rates.items()}
    listed: list[tuple[int, Plate, str, float]] = []
    possible: set[Plate] = set()
    patterns: list[int] = []
    for entry_row in range(len(snapshot.keys)):
        if entry_row in snapshot.removed.tolist() or not _current(snapshot, entry_row, batch, row):
            continue
        entry = characters_of(snapshot.codes[entry_row])
        if snapshot.is_pattern[entry_row]:
            patterns += [entry_row] if fits(reading.plate, entry) else []
            continue
        how = difference(reading.plate, entry) if entry else None
        if how is None or (how == "two" and substitutions < 2):
            continue
        likely = reading.likelihood(entry, how)
        listed.append((entry_row, entry, how, likely))
        floor = floors[snapshot.hotlist(entry_row).name][how == "two"]
        if how == "exact" or likely >= max(floor, 1e-300):
            possible.add(entry)
    listed = [each for each in listed if each[1] in possible]
    return _weigh(snapshot, row, reading, rates, listed, patterns) if listed or patterns else []


def rates_of(snapshot: Snapshot, priors: posterior.Priors) -> dict[str, float]:
    """Rate of an entry of each list."""
    removed = snapshot.removed.tolist()
    names = [snapshot.hotlist(row).name for row in range(len(snapshot.keys)) if row not in removed]
    counts = {each.name: names.count(each.name) for each in snapshot.hotlists}
    others = sum(counts[each.name] for each in snapshot.hotlists if each.prior is None)
    derived = min(1 / priors.fleet, priors.listed_share / max(1, others))
    return {
        each.name: derived if each.prior is None else each.prior / (1 - each.prior) / max(1, counts[each.name])
        for each in snapshot.hotlists
    }


def _floors(reading: Reading, threshold: float, rate: float, substitutions: int) -> tuple[float, float]:
    odds = min(threshold, 1 - 1e-9) / (1 - min(threshold, 1 - 1e-9))
    own = density(reading.plate)
    as_read = own + of_no_series(reading.plate)
    all_of_it = sum(reading.unlisted()) if own == 0 and substitutions > 1 else as_read
    return odds * as_read / rate, min(odds, 1.0) * all_of_it / rate * math.exp(-posterior.PAIR_MARGIN)


def _current(snapshot: Snapshot, entry_row: int, batch: ReadBatch, row: int) -> bool:
    here, listed = int(batch.country[row]), int(snapshot.country[entry_row])
    at_ns = int(batch.captured_at_ns[row])
    return (not here or not listed or here == listed) and (
        int(snapshot.valid_from_ns[entry_row]) <= at_ns < int(snapshot.valid_until_ns[entry_row])
    )


def _weigh(
    snapshot: Snapshot,
    row: int,
    reading: Reading,
    rates: dict[str, float],
    listed: list[tuple[int, Plate, str, float]],
    patterns: list[int],
) -> list[Expected]:
    inside, outside = reading.unlisted()
    texts = {entry: likely for _, entry, _, likely in listed}
    shares = dict.fromkeys(texts, 0.0)
    rate = dict.fromkeys(texts, 0.0)
    for entry_row, entry, _, _ in listed:
        rate[entry] = max(rate[entry], rates[snapshot.hotlist(entry_row).name])
        shares[entry] = max(shares[entry], density(entry, snapshot.country_code(entry_row)))
    taken = sum(shares[entry] * likely for entry, likely in texts.items())
    total = sum(rate[entry] * likely for entry, likely in texts.items()) + max(0.0, inside - taken) + outside
    as_read = rate.get(reading.plate, 0.0) + of_no_series(reading.plate)
    as_read += max(0.0, density(reading.plate) - shares.get(reading.plate, 0.0))
    hits = [Expected(row, entry_row, "pattern", 0, min(1.0, as_read / total)) for entry_row in patterns]
    for entry_row, entry, how, likely in listed:
        probability = min(1.0, rate[entry] * likely / total)
        if how == "exact" or probability >= snapshot.hotlist(entry_row).threshold:
            edits = {"exact": 0, "two": 2}.get(how, 1)
            hits.append(Expected(row, entry_row, "exact" if how == "exact" else "near", edits, probability))
    return hits
