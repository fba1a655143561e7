"""Made-up traffic and hotlists for the benchmarks: plates of the national series, read by an imperfect reader."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hotlists.columns import ALWAYS_NS, FOR_EVER_NS, UNSTATED, Columns, Texts
from plates import alphabet, confusion
from plates.confusion import Confusion
from plates.series import COUNTRY_SHARES
from plates.syntax import Series, all_series

LISTED_SHARES: Final = {**COUNTRY_SHARES, "BE": 0.35, "FR": 0.2, "DE": 0.2, "NL": 0.1}
"""Countries of a long hotlist, before scaling to 1: national lists, and those of all of Europe."""

_REASONS: Final = ("Diefstal gemeld", "Niet verzekerd", "Niet gekeurd", "Geseind, zie dossier", "")
_CHUNK: Final = 500_000


def draw_keys(random: np.random.Generator, count: int, shares: dict[str, float]) -> NDArray[np.uint64]:
    """Draw plates of the known series; countries by `shares`, series by theirs: uint64 ``(count,)``."""
    series = all_series()
    weight = np.array([each.share * shares[each.country] / COUNTRY_SHARES[each.country] for each in series])
    keys = np.empty(count, np.uint64)
    for start in range(0, count, _CHUNK):
        part = keys[start : start + _CHUNK]
        which = random.choice(len(series), len(part), p=weight / weight.sum())
        codes = np.zeros((len(part), alphabet.SLOTS), np.uint8)
        for number in np.unique(which).tolist():
            rows = np.flatnonzero(which == number)
            codes[rows] = _texts_of(random, series[number], len(rows))
        part[:] = alphabet.pack(codes)
    return keys


def _texts_of(random: np.random.Generator, series: Series, count: int) -> NDArray[np.uint8]:
    codes = np.zeros((count, alphabet.SLOTS), np.uint8)
    for slot, characters in enumerate(series.slots):
        codes[:, slot] = random.choice(alphabet.encode(list(characters))[:, 0], count)
    return codes


def draw_listed(random: np.random.Generator, count: int) -> NDArray[np.uint64]:
    """Draw `count` different plates for a hotlist, in no order."""
    keys = np.zeros(0, np.uint64)
    while len(keys) < count:
        more = draw_keys(random, int((count - len(keys)) * 1.1) + 64, LISTED_SHARES)
        keys = np.unique(np.concatenate([keys, more]))
    return random.permutation(keys)[:count]


def as_columns(random: np.random.Generator, keys: NDArray[np.uint64]) -> Columns:
    """Dress keys up as the entries of a list."""
    count = len(keys)
    pool = Texts.of(_REASONS)
    return Columns(
        keys=keys,
        country=np.zeros(count, np.uint16),
        priority=np.full(count, UNSTATED, np.uint8),
        covert=np.zeros(count, np.bool_),
        valid_from_ns=np.full(count, ALWAYS_NS, np.int64),
        valid_until_ns=np.full(count, FOR_EVER_NS, np.int64),
        reasons=Texts(random.integers(0, len(_REASONS), count, np.uint32), pool.arena, pool.offsets),
    )


def draw_patterns(random: np.random.Generator, count: int) -> list[str]:
    """Draw patterns as witnesses give them: one to three characters forgotten, or an end that was not seen."""
    texts = alphabet.decode(alphabet.unpack(draw_keys(random, count, LISTED_SHARES)))
    patterns = []
    for text in texts:
        if random.random() < 0.3:
            half = max(4, len(text) - 2)
            patterns.append(text[:half] + "*" if random.random() < 0.5 else "*" + text[-half:])
            continue
        forgotten = set(
            random.choice(len(text), int(random.integers(1, min(4, len(text)))), replace=False).tolist()
        )
        patterns.append("".join("?" if slot in forgotten else each for slot, each in enumerate(text)))
    return patterns


def held_out_confusion(seed: int) -> Confusion:
    """A reader that the posterior does not know.

    Its look-alikes are those of the neutral prior with every weight multiplied by a log-normal factor (sigma 1),
    and two in ten misreadings fall on pairs drawn at random that no list of look-alikes has.
    """
    random = np.random.default_rng(seed)
    size = confusion.COUNT
    base = confusion.neutral().matrix[1:, 1:] * (1 - np.eye(size))
    base *= random.lognormal(0.0, 1.0, base.shape)
    strange = (random.random(base.shape) < 0.1) * random.random(base.shape) * (1 - np.eye(size))
    wrong = 0.8 * base / base.sum(axis=1, keepdims=True) + 0.2 * strange / np.maximum(
        strange.sum(axis=1, keepdims=True), 1e-9
    )
    error = confusion.NEUTRAL_ERROR * random.lognormal(0.0, 0.5, (size, 1))
    matrix = np.zeros((size + 1, size + 1))
    matrix[1:, 1:] = error * wrong + (1 - error) * np.eye(size)
    return Confusion(matrix)


def read_plates(random: np.random.Generator, codes: NDArray[np.uint8], reader: Confusion) -> NDArray[np.uint8]:
    """Read plates, codes ``(N, SLOTS)``, character by character; each slot errs by itself."""
    cumulative = reader.matrix.cumsum(axis=1)
    draws = random.random(codes.shape)
    seen = (cumulative[codes] < draws[:, :, None]).sum(axis=2).astype(np.uint8)
    return np.where(codes == alphabet.PAD, alphabet.PAD, np.minimum(seen, confusion.COUNT)).astype(np.uint8)


def misread_one(random: np.random.Generator, codes: NDArray[np.uint8], reader: Confusion) -> NDArray[np.uint8]:
    """Read plates with exactly one character wrong, the slot and the character as `reader` errs."""
    error = 1.0 - np.diag(reader.matrix)
    error[alphabet.PAD] = 0.0
    slot_weight = error[codes].cumsum(axis=1)
    slot = (slot_weight < random.random((len(codes), 1)) * slot_weight[:, -1:]).sum(axis=1)
    rows = np.arange(len(codes))
    wrong = reader.matrix * (1 - np.eye(len(reader.matrix)))
    cumulative = wrong[codes[rows, slot]].cumsum(axis=1)
    seen = (cumulative < random.random((len(codes), 1)) * cumulative[:, -1:]).sum(axis=1)
    changed = codes.copy()
    changed[rows, slot] = np.minimum(seen, confusion.COUNT)
    return changed
