"""How many misread listed vehicles are found, against how many others are taken for them; and whether a
posterior of 0.8 is right in eight of ten.

Traffic is made up (`bench.traffic`), and read by a reader whose confusions the posterior does not know. Two rules
in use elsewhere are measured on the same reads: every entry within an edit distance of 1, and characters that
count as equal (0/O and 8/B).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench import traffic
from hotlists.entry import Hotlist
from hotlists.snapshot import Snapshot
from pipeline.batch import KIND_NEAR, HitBatch, ReadBatch
from pipeline.match import kernels
from pipeline.match.matcher import Matcher
from plates import alphabet
from plates.confusion import Confusion
from plates.series import COUNTRY_SHARES

EQUIVALENT: Final = {
    "0/O, 8/B": ("0O", "8B"),
    "0/O/D/Q, 1/I/L, 8/B, 5/S, 2/Z, 6/G": ("0ODQ", "1IL", "8B", "5S", "2Z", "6G"),
}
_BATCH: Final = 1024
_LOWEST: Final = 0.001
_AMBIGUOUS: Final = 4.0
"""A slot is ambiguous this many times as often as it is misread: of those, a quarter goes wrong."""


@dataclass(frozen=True, slots=True)
class World:
    """A hotlist, the vehicles that pass, and the reader."""

    listed: NDArray[np.uint64]
    matcher: Matcher
    reader: Confusion
    random: np.random.Generator

    @classmethod
    def of(cls, entries: int, reader: Confusion, seed: int) -> World:
        """Make a list of `entries` plates."""
        random = np.random.default_rng(seed)
        keys = traffic.draw_listed(random, entries)
        snapshot = Snapshot.join(1, [(Hotlist(name="all", threshold=_LOWEST), traffic.as_columns(random, keys))])
        return cls(np.sort(keys), Matcher(snapshot), reader, random)

    def unlisted(self, count: int) -> NDArray[np.uint8]:
        """Vehicles on no list: codes ``(count, SLOTS)``."""
        keys = np.zeros(0, np.uint64)
        while len(keys) < count:
            more = traffic.draw_keys(self.random, count - len(keys) + 64, COUNTRY_SHARES)
            keys = np.concatenate([keys, more[~self.on_list(more)]])
        return alphabet.unpack(keys[:count])

    def on_list(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which keys are listed."""
        at = np.minimum(np.searchsorted(self.listed, keys), len(self.listed) - 1)
        found: NDArray[np.bool_] = self.listed[at] == keys
        return found


def with_probabilities(
    random: np.random.Generator, true: NDArray[np.uint8], reader: Confusion, one_wrong: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Read plates by a reader that says how sure it is, and is right about that.

    In an ambiguous slot it gives the better of two characters the probability q, uniform from 0.5 to 1, and is
    wrong in 1 - q of the cases. With `one_wrong`, each plate has exactly one slot wrong.
    """
    rows = np.arange(len(true))
    wrong = reader.matrix * (1 - np.eye(len(reader.matrix)))
    error = np.clip(_AMBIGUOUS * wrong.sum(axis=1), 0.0, 1.0)
    share = (wrong / np.maximum(wrong.sum(axis=1, keepdims=True), 1e-12)).cumsum(axis=1)
    partner = np.minimum((share[true] < random.random(true.shape)[:, :, None]).sum(axis=2), 36).astype(np.uint8)
    real = true != alphabet.PAD
    ambiguous = real & (random.random(true.shape) < error[true])
    sure = random.uniform(0.5, 1.0, true.shape)
    mistaken = ambiguous & (random.random(true.shape) > sure)
    if one_wrong:
        weight = (error[true] * real).cumsum(axis=1)
        slot = (weight < random.random((len(true), 1)) * weight[:, -1:]).sum(axis=1)
        mistaken[:] = False
        mistaken[rows, slot] = ambiguous[rows, slot] = True
        # Slots that went wrong are those of less certainty: density in proportion to 1 - q.
        sure[rows, slot] = 1.0 - 0.5 * np.sqrt(random.random(len(true)))
    seen = np.where(mistaken, partner, true).astype(np.uint8)
    other = np.where(mistaken, true, partner)
    top = np.where(ambiguous, sure, 0.9995).astype(np.float32)
    probabilities = np.zeros((*true.shape, 37), np.float32)
    np.put_along_axis(probabilities, other[:, :, None].astype(np.intp), (1 - top)[:, :, None], axis=2)
    np.put_along_axis(probabilities, seen[:, :, None].astype(np.intp), top[:, :, None], axis=2)
    probabilities[~real] = 0.0
    return seen, probabilities


def hits_of(
    matcher: Matcher, codes: NDArray[np.uint8], probabilities: NDArray[np.float32] | None
) -> tuple[NDArray[np.int64], HitBatch]:
    """Match all reads, in batches; read rows over the whole, and the hits."""
    reads, parts = [], []
    for start in range(0, len(codes), _BATCH):
        part = slice(start, start + _BATCH)
        own = None if probabilities is None else probabilities[part]
        hits = matcher.match(ReadBatch.of(codes[part], np.zeros(len(codes[part]), np.int64), probabilities=own))
        reads.append(hits.read_row + start)
        parts.append(hits)
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("read_row", "entry_row", "kind", "edits", "posterior")
    }
    return np.concatenate(reads), HitBatch(**joined, snapshot_version=1)


def _best_false(
    world: World, codes: NDArray[np.uint8], probabilities: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """The largest posterior of a near hit on each read of a vehicle that is on no list; 0 for none."""
    rows, hits = hits_of(world.matcher, codes, probabilities)
    best = np.zeros(len(codes), np.float32)
    near = hits.kind == KIND_NEAR
    np.maximum.at(best, rows[near], hits.posterior[near])
    return best


def _of_truth(
    world: World, true: NDArray[np.uint64], codes: NDArray[np.uint8], probabilities: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """The posterior of each read's true entry; 0 when it was not found."""
    rows, hits = hits_of(world.matcher, codes, probabilities)
    right = world.matcher.snapshot.keys[hits.entry_row] == true[rows]
    found = np.zeros(len(codes), np.float32)
    np.maximum.at(found, rows[right], hits.posterior[right])
    return found


def curve(found: NDArray[np.float32], false: NDArray[np.float32]) -> list[dict[str, float]]:
    """Recall and false near-hits per 10,000 reads, from one false near-hit on, in even steps of its logarithm."""
    ordered = np.sort(found)
    some = np.sort(false[false > 0])[::-1]
    ranks = np.unique(np.geomspace(1, max(1, len(some)), 120).astype(np.int64)) - 1
    steps = np.unique(some[ranks]) if len(some) else some
    return [
        {
            "threshold": threshold,
            "false_per_10000": float((false >= threshold).mean() * 1e4),
            "recall": float(1 - np.searchsorted(ordered, threshold) / len(ordered)),
        }
        for threshold in [*steps.tolist(), 0.9999]
    ]


def at_rate(found: NDArray[np.float32], false: NDArray[np.float32], per_reads: float) -> dict[str, float]:
    """The threshold that has at most one false near-hit in `per_reads` reads, and the recall there."""
    allowed = int(len(false) / per_reads)
    threshold = float(np.nextafter(np.sort(false)[::-1][allowed], np.float32(2)))
    threshold = max(threshold, _LOWEST)
    return {"threshold": threshold, "recall": float((found >= threshold).mean())}


def _rules(
    world: World, true: NDArray[np.uint64], misread: NDArray[np.uint8], passing: NDArray[np.uint8]
) -> dict[str, Any]:
    """The two rules in use elsewhere, each at its one operating point."""
    reads = ReadBatch.of(passing, np.zeros(len(passing), np.int64))
    every = world.matcher.candidates(reads)
    edits = (every.edit > kernels.EXACT) & (every.edit < kernels.NEAR_SWAP)
    rules = {
        "edit distance 1": {
            "recall": 1.0,
            "false_per_10000": len(np.unique(every.read_row[edits])) / len(passing) * 1e4,
        }
    }
    for name, groups in EQUIVALENT.items():
        same = np.arange(64, dtype=np.uint8)
        for group in groups:
            codes = alphabet.encode(list(group))[:, 0]
            same[codes] = codes[0]
        folded = np.unique(alphabet.pack(same[alphabet.unpack(world.listed)]))
        seen = alphabet.pack(same[passing])
        hit = np.isin(seen, folded) & ~world.on_list(alphabet.pack(passing))
        right = alphabet.pack(same[misread]) == alphabet.pack(same[alphabet.unpack(true)])
        rules[name] = {"recall": float(right.mean()), "false_per_10000": float(hit.mean() * 1e4)}
    return rules


def measure(entries: int, reads: int, seed: int = 11) -> dict[str, Any]:
    """Measure recall at one false near-hit per 10,000 reads, beside the rules: text alone, with probabilities."""
    world = World.of(entries, traffic.held_out_confusion(seed), seed)
    passing = world.unlisted(reads)
    true = world.random.choice(world.listed, max(1000, reads // 10))
    vehicles = alphabet.unpack(true)
    text_false = traffic.read_plates(world.random, passing, world.reader)
    text_found = traffic.misread_one(world.random, vehicles, world.reader)
    answers: dict[str, Any] = {"entries": entries, "reads": reads, "seed": seed}
    answers["rules"] = _rules(world, true, text_found, text_false[: min(reads, 200_000)])
    own_false, own_found = (
        with_probabilities(world.random, codes, world.reader, one_wrong)
        for codes, one_wrong in ((passing, False), (vehicles, True))
    )
    for name, (false, found) in {
        "text": ((text_false, None), (text_found, None)),
        "probabilities": (own_false, own_found),
    }.items():
        best, truth = _best_false(world, *false), _of_truth(world, true, *found)
        answers[name] = {"at_1_in_10000": at_rate(truth, best, 1e4), "curve": curve(truth, best)}
    return answers


def reliabilities(entries: int, reads: int, seed: int) -> dict[str, list[dict[str, float]]]:
    """`reliability` of text alone and with probabilities, by a reader that the posterior does not know."""
    reader = traffic.held_out_confusion(seed)
    return {
        "text alone": reliability(entries, reads, reader, own=False, seed=seed + 1),
        "reader's probabilities": reliability(entries, reads, reader, own=True, seed=seed + 1),
    }


def reliability(entries: int, reads: int, reader: Confusion, *, own: bool, seed: int) -> list[dict[str, float]]:
    """Among near and exact hits of a posterior, how many are right: traffic in which listed vehicles pass too."""
    world = World.of(entries, reader, seed)
    rate = world.matcher.rate
    listed = world.random.random(reads) < rate * entries
    vehicles = world.unlisted(reads)
    vehicles[listed] = alphabet.unpack(world.random.choice(world.listed, int(listed.sum())))
    true = alphabet.pack(vehicles)
    if own:
        codes, probabilities = with_probabilities(world.random, vehicles, reader, False)
        rows, hits = hits_of(world.matcher, codes, probabilities)
    else:
        rows, hits = hits_of(world.matcher, traffic.read_plates(world.random, vehicles, reader), None)
    right = world.matcher.snapshot.keys[hits.entry_row] == true[rows]
    edges = np.array([0.001, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01])
    bins = []
    for low, high in pairwise(edges.tolist()):
        inside = (hits.posterior >= low) & (hits.posterior < high)
        if inside.sum() >= 20:
            bins.append(
                {
                    "hits": int(inside.sum()),
                    "posterior": float(hits.posterior[inside].mean()),
                    "right": float(right[inside].mean()),
                }
            )
    return bins
