"""Time and memory of the matcher, beside symspellpy and rapidfuzz on the same entries and reads.

Entries are of all of Europe's series (`bench.traffic.LISTED_SHARES`), reads of a Belgian camera's traffic, each
character misread in about 1.5 of 100 cases. Times are medians over batches, and p99 where it says so;
``cpu`` is the processor's time alone, which others on the machine do not lengthen, and what peers are compared by.
"""

from __future__ import annotations

import gc
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench import traffic
from bench.match_recall import with_probabilities
from hotlists import snapshot as snapshots
from hotlists.entry import Hotlist, HotlistEntry
from hotlists.snapshot import Columns, Delta, Snapshot, pack_entries
from pipeline.batch import ReadBatch
from pipeline.match.aside import aside
from pipeline.match.matcher import Matcher
from plates import alphabet
from plates.series import COUNTRY_SHARES

T = TypeVar("T")

BATCH: Final = 1024
_HOTLIST: Final = Hotlist(name="all")
_DELTA_ENTRIES: Final = 1000
_PRIOR_ENTRIES: Final = 100
_PRIOR: Final = 1e-3
_SINGLE_READS: Final = 5000
_SYMSPELL_READS: Final = 2000
_RAPIDFUZZ_READS: Final = 15
_PEER_ENTRIES: Final = 1_000_000
"""symspellpy needs about 1.5 GiB for this many, so that more are not given to it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    entries: int
    reads: int
    patterns: int
    peers: bool
    seed: int


def measure(plan: Plan) -> dict[str, Any]:
    """Measure everything of a plan; times in microseconds, milliseconds and seconds as their names say."""
    random = np.random.default_rng(plan.seed)
    lists = _lists(random, plan)
    Matcher(
        Snapshot.join(
            1, [(_HOTLIST, traffic.as_columns(random, traffic.draw_keys(random, 64, traffic.LISTED_SHARES)))]
        )
    )
    before_bytes = _resident_bytes()
    matcher, build = _timed(lambda: Matcher(Snapshot.join(1, lists), substitutions=1))
    answers: dict[str, Any] = {
        "entries": plan.entries,
        "patterns": plan.patterns,
        "cores": os.cpu_count(),
        "build_s": build,
        "memory": {
            "resident_mib": _resident_bytes() / 2**20,
            "of_it_before_the_build_mib": before_bytes / 2**20,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        },
    }
    codes = _codes(random, plan.reads)
    answers["read_us"] = _per_read(matcher, codes, None)
    two = Matcher(matcher.snapshot, substitutions=2, index=matcher.index)
    answers["read_two_substitutions_us"] = _per_read(two, codes, None)
    answers["read_with_a_list_of_its_own_prior_us"] = _with_prior(lists, codes)
    seen, own = with_probabilities(random, codes[: 64 * BATCH], traffic.held_out_confusion(plan.seed), False)
    answers["read_with_probabilities_us"] = _per_read(matcher, seen, own)
    answers["single_read_ms"] = _single(matcher, codes)
    answers["delta"] = _delta(random, matcher)
    answers["while_building"] = _while_building(matcher, lists, codes)
    answers["files"] = _files(matcher.snapshot, lists[0][1])
    if plan.peers:
        answers["peers"] = _peers(matcher.snapshot, codes, answers["read_us"]["cpu_median"])
    return answers


def _lists(random: np.random.Generator, plan: Plan) -> list[tuple[Hotlist, Columns]]:
    columns = traffic.as_columns(random, traffic.draw_listed(random, plan.entries))
    texts = traffic.draw_patterns(random, plan.patterns) if plan.patterns else []
    wild = pack_entries(_HOTLIST, [HotlistEntry(plate=text) for text in texts])
    gc.collect()
    return [(_HOTLIST, columns), (Hotlist(name="patterns"), wild)]


def _codes(random: np.random.Generator, reads: int) -> NDArray[np.uint8]:
    keys = traffic.draw_keys(random, reads - reads % BATCH, COUNTRY_SHARES)
    return traffic.read_plates(random, alphabet.unpack(keys), traffic.held_out_confusion(7))


def _batches(codes: NDArray[np.uint8], own: NDArray[np.float32] | None, size: int = BATCH) -> Iterator[ReadBatch]:
    for start in range(0, len(codes) - size + 1, size):
        part = slice(start, start + size)
        times = np.zeros(size, np.int64)
        yield ReadBatch.of(codes[part], times, probabilities=None if own is None else own[part])


def _per_read(matcher: Matcher, codes: NDArray[np.uint8], own: NDArray[np.float32] | None) -> dict[str, float]:
    times, busy, hits = [], [], 0
    for batch in _batches(codes, own):
        begin_s = time.thread_time()
        found, elapsed_s = _timed(partial(matcher.match, batch))
        busy.append((time.thread_time() - begin_s) / BATCH * 1e6)
        times.append(elapsed_s / BATCH * 1e6)
        hits += len(found)
    return {
        "median": float(np.median(times)),
        "cpu_median": float(np.median(busy)),
        "fastest": float(np.min(times)),
        "p99": float(np.quantile(times, 0.99)),
        "hits_per_1000_reads": hits / len(codes) * 1000,
    }


def _with_prior(lists: list[tuple[Hotlist, Columns]], codes: NDArray[np.uint8]) -> dict[str, float]:
    """The same entries, and a short list that says how likely it is: two substitutions."""
    keys = traffic.draw_keys(np.random.default_rng(1), _PRIOR_ENTRIES, traffic.LISTED_SHARES)
    short = (Hotlist(name="short", prior=_PRIOR), traffic.as_columns(np.random.default_rng(1), keys))
    return _per_read(Matcher(Snapshot.join(1, [*lists, short])), codes, None)


def _single(matcher: Matcher, codes: NDArray[np.uint8]) -> dict[str, float]:
    batches = list(_batches(codes[:_SINGLE_READS], None, 1))
    times = [_timed(partial(matcher.match, batch))[1] * 1e3 for batch in batches]
    return {"median": float(np.median(times)), "p99": float(np.quantile(times, 0.99))}


def _delta(random: np.random.Generator, matcher: Matcher) -> dict[str, float]:
    """Add 900 entries and remove 100, until a read of the last one is a hit; ten deltas, one after the other."""
    times = []
    kept = matcher
    for version in range(2, 12):
        fresh = traffic.draw_keys(random, _DELTA_ENTRIES * 9 // 10, traffic.LISTED_SHARES)
        old = matcher.snapshot.keys[random.integers(0, 1000, _DELTA_ENTRIES // 10)]
        gone = [(_HOTLIST.name, old, np.zeros(len(old), np.uint16))]
        delta = Delta(version, [(_HOTLIST, traffic.as_columns(random, fresh))], gone)
        read = ReadBatch.of(alphabet.unpack(fresh[-1:]), np.zeros(1, np.int64))
        begin_s = time.perf_counter()
        kept = kept.apply(delta)
        if not len(kept.match(read)):
            raise AssertionError("an entry of the delta is not found")
        times.append((time.perf_counter() - begin_s) * 1e3)
    return {"until_it_matches_ms": float(np.median(times)), "slowest_ms": max(times)}


def _while_building(
    matcher: Matcher, lists: list[tuple[Hotlist, Columns]], codes: NDArray[np.uint8]
) -> dict[str, float]:
    """Match batch after batch, alone and while another thread builds an index of the same size."""
    batches = list(_batches(codes, None))
    quiet = [_timed(partial(matcher.match, batch))[1] * 1e3 for batch in batches]
    building = threading.Thread(target=lambda: aside(lambda: Matcher(Snapshot.join(2, lists))))
    building.start()
    busy: list[float] = []
    while building.is_alive() or not busy:
        busy.append(_timed(lambda: matcher.match(batches[len(busy) % len(batches)]))[1] * 1e3)
    building.join()
    p99, p99_busy = float(np.quantile(quiet, 0.99)), float(np.quantile(busy, 0.99))
    return {"batches": len(busy), "p99_alone_ms": p99, "p99_ms": p99_busy, "ratio": p99_busy / p99}


def _files(snapshot: Snapshot, columns: Columns) -> dict[str, float]:
    raw, pack_s = _timed(columns.to_bytes)
    _, unpack_s = _timed(lambda: Columns.from_bytes(raw))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot.bin"
        _, save_s = _timed(lambda: snapshots.save(snapshot, path))
        _, load_s = _timed(lambda: snapshots.load(path))
    return {
        "mib": len(raw) / 2**20,
        "to_bytes_s": pack_s,
        "from_bytes_s": unpack_s,
        "save_s": save_s,
        "load_s": load_s,
    }


def _peers(snapshot: Snapshot, codes: NDArray[np.uint8], own_us: float) -> dict[str, Any]:
    plain = snapshot.keys[~snapshot.is_pattern][:_PEER_ENTRIES]
    entries = alphabet.decode(alphabet.unpack(plain))
    reads = alphabet.decode(codes[:_SYMSPELL_READS])
    answers: dict[str, Any] = {"entries": len(entries)}
    for name, peer in (("rapidfuzz", _rapidfuzz), ("symspellpy", _symspell)):
        try:
            answers[name] = peer(entries, reads)
        except ImportError:
            answers[name] = "not installed: pip install 'kruispunt[bench]'"
            continue
        answers[name]["times_slower"] = answers[name]["read_us"] / own_us
    return answers


def _symspell(entries: list[str], reads: list[str]) -> dict[str, Any]:
    """All entries within distance 1, as its `Verbosity.ALL` gives them; medians over single reads."""
    from symspellpy import SymSpell, Verbosity

    peer = SymSpell(max_dictionary_edit_distance=1, prefix_length=alphabet.SLOTS)
    begin_s = time.perf_counter()
    for entry in entries:
        peer.create_dictionary_entry(entry, 1)
    build_s = time.perf_counter() - begin_s
    times = [_cpu_timed(partial(peer.lookup, read, Verbosity.ALL, 1)) * 1e6 for read in reads]
    return {
        "read_us": float(np.median(times)),
        "mean_us": float(np.mean(times)),
        "build_s": build_s,
        "reads": len(reads),
    }


def _rapidfuzz(entries: list[str], reads: list[str]) -> dict[str, Any]:
    """The one nearest entry within distance 1; a few reads only, for each takes so long."""
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    find = partial(process.extractOne, choices=entries, scorer=Levenshtein.distance, score_cutoff=1)
    times = [_cpu_timed(partial(find, read)) for read in reads[:_RAPIDFUZZ_READS]]
    return {"read_us": float(np.median(times)) * 1e6, "reads": len(times)}


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    begin_s = time.perf_counter()
    result = call()
    return result, time.perf_counter() - begin_s


def _cpu_timed(call: Callable[[], object]) -> float:
    begin_s = time.thread_time()
    call()
    return time.thread_time() - begin_s


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
