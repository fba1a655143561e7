"""From a change of a hotlist to a hit by it, in a worker that holds millions: `python -m bench.hotlists`.

Starts a Redis that keeps its data, a Kafka and a match worker, each a process of its own, puts a list of
`--entries` live, and measures

- how long the worker takes from its start until it matches by all of them, from Redis and from its copy on disk;
- from the call that publishes a delta, or a replacement of another list, until the first hit on an entry of it;
- the same of a third list of `--large` entries, each time when the worker has come to rest;
- from the call that adds a single entry at the desk until the first hit on it, also while the worker merges all of
  its lists anew;
- what becomes of reads while Redis is away for `--away` seconds; how soon after its return a change is matched.

A hit is one that Kafka has: reads of the new plate are sent every few milliseconds, and the moment is that at
which the worker handed the first hit over. ``cpu_s`` is the worker's own processor time, which others on the
machine do not lengthen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import numpy as np
import redis.asyncio as aioredis
from redis.exceptions import RedisError

from bench import traffic
from bench.hotlists_worker import WAIT_S, Worker
from hotlists.columns import Columns
from hotlists.desk import Desk
from hotlists.deskstore import DeskStore
from hotlists.entry import Hotlist
from hotlists.people import Actor, Deed, Right
from hotlists.shapes import EntryGiven
from pipeline import topics
from pipeline.cameras import Camera
from pipeline.embedded import ApacheBroker, EmbeddedBroker, EmbeddedRedis, free_port
from pipeline.match.following import SIDE_ROWS
from pipeline.model import Hit, PlateRead, decode, derive_id, encode
from pipeline.settings import Settings
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher
from plates import alphabet

CAMERA: Final = Camera(id="cam-1", name="N9", latitude=51.0, longitude=3.7, zone="noord")
LARGE: Final = Hotlist(name="all")
OTHER: Final = Hotlist(name="other")
THIRD: Final = Hotlist(name="third")
DELTA_ROWS: Final = 1000
OTHER_ROWS: Final = 20_000
CROWD_ROWS: Final = SIDE_ROWS + 1000
"""Of a delta after which a worker merges everything anew."""
PROBE_S: Final = 0.01
"""Between two reads of a plate that is waited for: the worker must not be busy with these."""
LOAD_READS_PER_S: Final = 500


@dataclass
class Wire:
    """Sends reads, and notes the hits that come of them."""

    settings: Settings
    first_ns: dict[str, int] = field(default_factory=dict)
    """Plate to the moment at which its first hit was handed to Kafka."""
    seen: set[str] = field(default_factory=set)
    """Reads that were hits."""

    async def __aenter__(self) -> Self:
        self._publisher = await Publisher(self.settings).__aenter__()
        self._consumer = topics.consumer(self.settings, topics.HITS, group="none", group_id=None)
        await self._consumer.start()
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._consumer.stop()
        await self._publisher.__aexit__(kind, error, traceback)

    async def _watch(self) -> None:
        async for message in self._consumer:
            hit = decode(message.value, Hit)
            self.seen.add(hit.read.read_id)
            # Not by a neighbour that was listed before.
            if hit.entry.plate == hit.read.plate:
                self.first_ns.setdefault(hit.read.plate, hit.trail[Stamp.HIT_SENT])

    async def send(self, plate: str) -> str:
        """Send one read; return its id."""
        at_ns = time.time_ns()
        identity = derive_id("read", CAMERA.id, at_ns, plate)
        read = PlateRead(
            read_id=identity, capture_id=identity, camera=CAMERA.id, captured_at_ns=at_ns, text=plate, plate=plate,
            confidence=0.97, source="bench", trail={Stamp.READ_SENT: at_ns},
        )  # fmt: skip
        await self._publisher.send_bytes(topics.READS, encode(read), key=CAMERA.id)
        return identity

    async def matched_ms(self, plate: str, since_ns: int) -> float:
        """Send reads of a plate until one is a hit; return how long after `since_ns` that was, in ms."""
        deadline_s = time.monotonic() + WAIT_S
        while plate not in self.first_ns:
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"no hit after {WAIT_S:.0f} s")
            await self.send(plate)
            await asyncio.sleep(PROBE_S)
        return (self.first_ns[plate] - since_ns) / 1e6


class Trail:
    """Takes the lines of the audit trail, and keeps none."""

    async def record(self, deed: Deed) -> None:
        """Take one."""


class Bench:
    """The parts, and what is measured with them."""

    def __init__(self, client: aioredis.Redis, wire: Wire, seed: int) -> None:
        self.store, self.desk = DeskStore(client), Desk(client, Trail())
        self.wire = wire
        self.random = np.random.default_rng(seed)
        self._fresh = iter(range(10_000))

    def fresh(self) -> str:
        """A plate that nothing lists: of no series, and far from those."""
        number = next(self._fresh)
        return f"QZ{number // 676 % 26:02d}Q{chr(65 + number // 26 % 26)}{chr(65 + number % 26)}Z"

    def rows(self, count: int, plate: str) -> Columns:
        """Entries of a list, one of them of `plate`."""
        keys = traffic.draw_keys(self.random, count, traffic.LISTED_SHARES)
        keys[-1] = alphabet.pack(alphabet.encode([plate]))[0]
        return traffic.as_columns(self.random, keys)

    async def put_live(self, hotlist: Hotlist, entries: int) -> None:
        """Make a list of so many entries live."""
        await self.store.create(hotlist)
        keys = await asyncio.to_thread(traffic.draw_listed, self.random, entries)
        columns = await asyncio.to_thread(traffic.as_columns, self.random, keys)
        await self.store.publish(hotlist.name, columns, by="bench", why="bench")

    async def held(self) -> None:
        """Wait until the worker holds what is live."""
        deadline_s = time.monotonic() + WAIT_S
        while await self.store.live_version() not in (await self.store.workers()).values():
            if time.monotonic() > deadline_s:
                raise TimeoutError("the worker does not hold what is live")
            await asyncio.sleep(0.02)

    async def started_s(self, worker: Worker) -> dict[str, float]:
        """Start the worker; return how long it takes until it holds what is live, and until its first hit."""
        await self.store.publish("probe", self.rows(1, plate := self.fresh()), by="bench", why="bench")
        for worker_id in await self.store.workers():
            await self.store._redis.delete(f"lik:worker:{worker_id}")
        begin_ns = time.time_ns()
        worker.start()
        await self.held()
        held_s = (time.time_ns() - begin_ns) / 1e9
        cpu_s = worker.cpu_s
        first_s = await self.wire.matched_ms(plate, begin_ns) / 1e3
        return {"holds_all_s": round(held_s, 2), "cpu_s": round(cpu_s, 2), "first_hit_s": round(first_s, 2)}

    async def deltas(self, count: int) -> dict[str, float]:
        """Publish deltas of the large list."""
        times = []
        for _ in range(count):
            plate = self.fresh()
            staged = await self.store.stage(
                LARGE.name, self.rows(DELTA_ROWS, plate), kind="delta", by="bench", why="bench"
            )
            begin_ns = time.time_ns()
            await self.store.publish_staged(LARGE.name, staged.number, expected_live=None, by="bench", why="b")
            times.append(await self.wire.matched_ms(plate, begin_ns))
        return _quantiles(times)

    async def replacements(self, hotlist: Hotlist, rows: int, count: int, worker: Worker) -> dict[str, float]:
        """Replace all of a list, by publications of which nothing is as before."""
        times = []
        for _ in range(count):
            columns = await asyncio.to_thread(self.rows, rows, plate := self.fresh())
            staged = await self.store.stage(hotlist.name, columns, kind="full", by="bench", why="bench")
            await worker.rest()
            begin_ns = time.time_ns()
            await self.store.publish_staged(hotlist.name, staged.number, expected_live=None, by="bench", why="b")
            times.append(await self.wire.matched_ms(plate, begin_ns))
        return _quantiles(times)

    async def singles_while_merging(self, count: int) -> dict[str, Any]:
        """Add single entries while the worker merges everything anew."""
        crowd = self.rows(CROWD_ROWS, plate := self.fresh())
        await self.store.apply_delta(LARGE.name, crowd, by="bench", why="bench")
        await self.wire.matched_ms(plate, time.time_ns())
        return await self.singles(count)

    async def singles(self, count: int) -> dict[str, Any]:
        """Add single entries to the large list, as the desk does; from the call, and from its answer."""
        actor = Actor("bench", frozenset(Right), covert=True)
        # The first entry of a desk's life reads the list and the tables of plates; it is not timed.
        await self.desk.entries.add(actor, LARGE.name, EntryGiven(plate=self.fresh(), why="ontvoering"))
        times, answers = [], []
        for _ in range(count):
            plate = self.fresh()
            begin_ns = time.time_ns()
            await self.desk.entries.add(actor, LARGE.name, EntryGiven(plate=plate, why="ontvoering"))
            answers.append((time.time_ns() - begin_ns) / 1e6)
            times.append(await self.wire.matched_ms(plate, begin_ns))
        return {**_quantiles(times), "answer_p50_ms": float(np.quantile(answers, 0.5))}


def _quantiles(times: list[float]) -> dict[str, float]:
    names = {"p50_ms": 0.5, "p99_ms": 0.99, "longest_ms": 1.0}
    return {name: round(float(np.quantile(times, share)), 1) for name, share in names.items()}


class Outage:
    """Redis goes away under load, and returns."""

    def __init__(self, bench: Bench, redis_folder: Path, port: int) -> None:
        self._bench, self._folder, self._port = bench, redis_folder, port
        self._sent: dict[str, None] = {}

    async def measure(self, server: EmbeddedRedis, away_s: float) -> tuple[EmbeddedRedis, dict[str, Any]]:
        """Return the Redis that came back, and what became of the reads."""
        plate = self._bench.fresh()
        await self._bench.store.apply_delta(LARGE.name, self._bench.rows(1, plate), by="bench", why="bench")
        await self._bench.wire.matched_ms(plate, time.time_ns())
        load = asyncio.create_task(self._load(plate))
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(away_s)
        server = await asyncio.to_thread(EmbeddedRedis, self._folder, port=self._port)
        after = self._bench.fresh()
        while True:
            with suppress(RedisError):
                await self._bench.store.live_version()
                break
            await asyncio.sleep(0.01)
        begin_ns = time.time_ns()
        await self._bench.store.apply_delta(LARGE.name, self._bench.rows(1, after), by="bench", why="bench")
        visible_ms = await self._bench.wire.matched_ms(after, begin_ns)
        load.cancel()
        await asyncio.wait([load])
        deadline_s = time.monotonic() + 30.0
        while self._sent.keys() - self._bench.wire.seen and time.monotonic() < deadline_s:
            await asyncio.sleep(0.1)
        unmatched = len(self._sent.keys() - self._bench.wire.seen)
        return server, {
            "away_s": away_s,
            "reads": len(self._sent),
            "unmatched": unmatched,
            "visible_after_return_ms": round(visible_ms, 1),
        }

    async def _load(self, plate: str) -> None:
        while True:
            for _ in range(LOAD_READS_PER_S // 50):
                self._sent[await self._bench.wire.send(plate)] = None
            await asyncio.sleep(0.02)


async def measure(given: argparse.Namespace, folder: Path, bootstrap: str, embedded: bool) -> dict[str, Any]:
    """Measure all of it; times in s and ms as their names say."""
    (folder / "cameras.json").write_bytes(msgspec.json.encode([CAMERA]))
    port = free_port()
    server = EmbeddedRedis(folder / "redis", port=port)
    settings = Settings(
        redis_url=server.url, kafka_bootstrap=bootstrap, kafka_create_topics=not embedded,
        state_dir=folder / "state", cameras=folder / "cameras.json",
    )  # fmt: skip
    worker = Worker(settings, folder)
    try:
        async with _parts(settings, given.seed) as bench:
            told = await _measure(bench, worker, given)
            if given.away:
                outage = Outage(bench, folder / "redis", port)
                server, told["redis_away"] = await outage.measure(server, given.away)
            told["worker_peak_mib"] = round(worker.stop() / 2**20)
            told["cold_start_from_disk"] = await bench.started_s(worker)
            return told
    except BaseException:
        sys.stderr.write((folder / "worker.log").read_text("utf-8", "replace")[-3000:])
        raise
    finally:
        worker.stop()
        server.stop()


@asynccontextmanager
async def _parts(settings: Settings, seed: int) -> AsyncIterator[Bench]:
    if settings.kafka_create_topics:
        await topics.ensure_topics(settings)
    async with aioredis.from_url(settings.redis_url) as client, Wire(settings) as wire:
        yield Bench(client, wire, seed)


async def _measure(bench: Bench, worker: Worker, given: argparse.Namespace) -> dict[str, Any]:
    for hotlist, entries in ((LARGE, given.entries), (OTHER, OTHER_ROWS), (THIRD, given.large)):
        await bench.put_live(hotlist, entries)
    await bench.store.create(Hotlist(name="probe"))
    few = max(1, given.changes // 4)
    return {
        "entries": given.entries,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "cold_start_from_redis": await bench.started_s(worker),
        "single_entry": await bench.singles(given.changes),
        "delta_of_1000": await bench.deltas(given.changes),
        "replacement_of_20000": await bench.replacements(OTHER, OTHER_ROWS, few, worker),
        "large": given.large,
        "replacement_of_large": await bench.replacements(THIRD, given.large, few, worker),
        "single_entry_while_merging": await bench.singles_while_merging(few),
    }


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description="From a change of a hotlist to a hit by it.")
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--large", type=int, default=1_000_000, help="entries of the large list that is replaced")
    parser.add_argument("--changes", type=int, default=100, help="changes of each kind that are timed")
    parser.add_argument("--away", type=float, default=20.0, help="seconds that Redis is away; 0: not at all")
    parser.add_argument(
        "--broker",
        choices=("apache", "embedded"),
        default="apache",
        help="the embedded one drops reads that wait for long: what it says of Redis that is away is its own",
    )
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    kafka = ApacheBroker if given.broker == "apache" else EmbeddedBroker
    with tempfile.TemporaryDirectory(prefix="kruispunt-bench-") as name, kafka() as broker:
        told = asyncio.run(measure(given, Path(name), broker.bootstrap, given.broker == "embedded"))
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
