"""Keeps a match worker's snapshot current: loads it, follows the changes, swaps, and survives without Redis."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from types import TracebackType
from typing import Final, Self

import redis.asyncio as aioredis
from redis.exceptions import RedisError

from hotlists import snapshot as snapshots
from hotlists.snapshot import Snapshot, SnapshotFileError
from hotlists.store import HotlistStore
from pipeline import telemetry
from pipeline.match.matcher import Matcher
from pipeline.settings import Settings

log = logging.getLogger(__name__)

CHECK_S: Final = 1.0
"""A missed change is healed, and a heartbeat given, this often."""


class SnapshotLoader:
    """Holds the `matcher` of the newest snapshot; use it as an async context manager.

    On entering: the snapshot from Redis; where Redis is away, the copy on disk; where there is none, nothing
    is listed, and the log and ``lik_snapshot_version`` say so. A new one is built beside the old one in a
    thread and put in place with one assignment.
    """

    def __init__(self, settings: Settings, worker_id: str) -> None:
        # The time-outs keep a Redis that hangs from looking like one that has nothing new.
        self._redis = aioredis.from_url(settings.redis_url, socket_timeout=5.0, socket_connect_timeout=2.0)
        self._store = HotlistStore(self._redis)
        self._copy = settings.state_dir / "snapshot.bin"
        self._worker_id = worker_id
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.matcher = Matcher(Snapshot.empty())

    async def __aenter__(self) -> Self:
        try:
            await self._refresh()
            await self._store.report_worker(self._worker_id, self.matcher.snapshot.version)
        except (RedisError, OSError) as error:
            log.error("Redis is away (%s); matching goes on with the copy on disk", type(error).__name__)
            self._load_copy()
        self._tasks = [asyncio.create_task(self._keep_current()), asyncio.create_task(self._listen())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()

    async def _refresh(self) -> None:
        """Load and put in place what is live, if it is not what is held."""
        version = await self._store.live_version()
        if version < self.matcher.snapshot.version:
            log.error("Redis has lost hotlists that were live; matching goes on with the snapshot that is held")
            return
        if version == self.matcher.snapshot.version and version:
            telemetry.SNAPSHOT_AGE.set(time.time())
            return
        snapshot = await self._store.load_snapshot()
        await self._place(snapshot)
        telemetry.SNAPSHOT_AGE.set(time.time())
        await asyncio.to_thread(snapshots.save, snapshot, self._copy)

    async def _place(self, snapshot: Snapshot) -> None:
        self.matcher = await asyncio.to_thread(Matcher, snapshot)
        telemetry.SNAPSHOT_VERSION.set(snapshot.version)
        log.info("snapshot %d: %d entries", snapshot.version, len(snapshot))

    def _load_copy(self) -> None:
        try:
            snapshot = snapshots.load(self._copy)
        except (OSError, SnapshotFileError) as error:
            log.error("no copy of the snapshot on disk (%s); NOTHING IS MATCHED until Redis is back", error)
            return
        self.matcher = Matcher(snapshot)
        telemetry.SNAPSHOT_VERSION.set(snapshot.version)
        log.warning("matching with snapshot %d from disk", snapshot.version)

    async def _keep_current(self) -> None:
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), CHECK_S)
            self._wake.clear()
            try:
                await self._refresh()
                await self._store.report_worker(self._worker_id, self.matcher.snapshot.version)
            except (RedisError, OSError) as error:
                log.warning("Redis is away (%s); the snapshot may be stale", type(error).__name__)
            except Exception:
                # A damaged list must not end the loop that will fetch its repair.
                log.exception("the snapshot cannot be loaded; matching goes on with the one that is held")

    async def _listen(self) -> None:
        while True:
            try:
                async for _ in self._store.changes():
                    self._wake.set()
            except (RedisError, OSError):
                await asyncio.sleep(CHECK_S)
