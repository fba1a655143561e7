"""How many reads of the last hour a list would have hit, without storing a read: counted here, told as numbers.

Each match worker counts the plates that it reads, in its own memory, under a key that only this process has and
that goes with it: not a plate, a camera or a time stands in it, and after an hour nothing. When a version is
staged, every worker is asked through Redis, and answers with numbers alone (`hotlists.lookback`): the reads it has
seen, since when, and about how many of them it names exactly. Never as a plain figure: a list of one plate
would then ask whether that vehicle was seen.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import msgspec
import numpy as np
import redis.asyncio as aioredis
from numpy.typing import NDArray
from redis.exceptions import RedisError

from hotlists.deskstore import DeskStore
from hotlists.lookback import Answer, Lookbacks, Question
from hotlists.store import HotlistError
from pipeline.settings import Settings
from pipeline.tasks import end_tasks

log = logging.getLogger(__name__)

SPAN_MS: Final = 3_600_000
PART_MS: Final = 300_000
"""Counts are forgotten in parts of this length."""
MOST_PLATES: Final = 2_000_000
"""Plates that are counted at once, 12 bytes each; with more, the oldest part goes early, as `since_ms` says."""
_WAITING: Final = 65_536
_FEWEST: Final = 20
"""A smaller figure is not told."""
_NOISE: Final = 6.0
"""Scale of the noise (Laplace) that each figure gets: one vehicle more or less cannot be told from it."""
_RETRY_S: Final = 1.0

Keys = NDArray[np.uint64]


@dataclass(slots=True)
class _Part:
    began_ms: int
    reads: int = 0
    waiting: list[Keys] = field(default_factory=list)
    waits: int = 0
    keys: Keys = field(default_factory=lambda: np.zeros(0, np.uint64))
    counts: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))

    def fold(self) -> None:
        """Put what waits among the counts."""
        if not self.waiting:
            return
        every = np.concatenate([self.keys, *self.waiting])
        weight = np.concatenate([self.counts, np.ones(len(every) - len(self.keys), np.uint32)])
        self.keys, place = np.unique(every, return_inverse=True)
        self.counts = np.bincount(place, weight).astype(np.uint32)
        self.waiting, self.waits = [], 0


class Counter:
    """Counts plates under a key of its own. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: deque[_Part] = deque()
        first, second, third = (secrets.randbits(64) for _ in range(3))
        # Odd, so that no two plates become one.
        self._key = (np.uint64(first), np.uint64(second | 1), np.uint64(third | 1))

    def count(self, keys: Keys, now_ms: int | None = None) -> None:
        """Count reads, uint64 ``(N,)`` as `plates.alphabet.pack` makes them. Takes microseconds."""
        now_ms = _now_ms() if now_ms is None else now_ms
        hidden = self._hide(keys)
        with self._lock:
            self._forget(now_ms)
            if not self._parts or now_ms - self._parts[-1].began_ms >= PART_MS:
                if self._parts:
                    self._parts[-1].fold()
                self._parts.append(_Part(now_ms))
            part = self._parts[-1]
            part.reads += len(keys)
            part.waiting.append(hidden)
            part.waits += len(keys)
            if part.waits > _WAITING:
                part.fold()
                while len(self._parts) > 1 and sum(len(each.keys) for each in self._parts) > MOST_PLATES:
                    self._parts.popleft()

    def tally(self, keys: Keys, now_ms: int | None = None) -> tuple[int, int, int]:
        """Return how many reads there were, since when (ms since the epoch), and how many were of these plates."""
        now_ms = _now_ms() if now_ms is None else now_ms
        wanted = np.unique(self._hide(keys))
        with self._lock:
            self._forget(now_ms)
            for part in self._parts:
                part.fold()
            parts = [(each.reads, each.keys, each.counts) for each in self._parts]
            since_ms = self._parts[0].began_ms if self._parts else now_ms
        found = sum(int(counts[np.isin(held, wanted, assume_unique=True)].sum()) for _, held, counts in parts)
        return sum(reads for reads, _, _ in parts), since_ms, found

    def _forget(self, now_ms: int) -> None:
        while self._parts and now_ms - self._parts[0].began_ms > SPAN_MS:
            self._parts.popleft()

    def _hide(self, keys: Keys) -> Keys:
        """Mix with the secret: xor, multiply, shift, twice (after the finaliser of MurmurHash3)."""
        first, second, third = self._key
        mixed = (keys ^ first) * second
        mixed = (mixed ^ (mixed >> np.uint64(32))) * third
        hidden: Keys = mixed ^ (mixed >> np.uint64(29))
        return hidden


def coarse(hits: int, noise: float) -> int | None:
    """Round a figure to two digits, with noise in it; None where it is too small to tell."""
    noisy = round(hits + noise)
    if noisy < _FEWEST:
        return None
    step: int = 10 ** (len(str(noisy)) - 2)
    return round(noisy / step) * step


class Lookback:
    """Counts a worker's reads, and answers what is asked of them; use it as an async context manager."""

    def __init__(self, settings: Settings, worker_id: str) -> None:
        # Without a time-out to read: nobody may ask anything for hours.
        self._redis = aioredis.from_url(settings.redis_url, socket_connect_timeout=2.0)
        self._store, self._questions = DeskStore(self._redis), Lookbacks(self._redis)
        self._worker_id = worker_id
        self._random = np.random.default_rng()
        self._tasks: list[asyncio.Task[None]] = []
        self.counter = Counter()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._serve())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await end_tasks(self._tasks)
        await self._redis.aclose()

    async def _serve(self) -> None:
        while True:
            try:
                async for question in self._questions.questions():
                    await self._answer(question)
            except (RedisError, OSError, msgspec.MsgspecError) as error:
                log.info("no question about the last hour can be answered (%s)", type(error).__name__)
            await asyncio.sleep(_RETRY_S)

    async def _answer(self, question: Question) -> None:
        try:
            columns = await self._store.read(question.name, question.number)
        except HotlistError:
            return
        reads, since_ms, found = await asyncio.to_thread(self.counter.tally, columns.keys)
        noise = float(self._random.laplace(scale=_NOISE))
        answer = Answer(reads, since_ms, coarse(found, noise))
        await self._questions.answer(question, self._worker_id, answer)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
