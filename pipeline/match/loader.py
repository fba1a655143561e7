"""Keeps a match worker's snapshot current: loads it, follows the changes, swaps, and survives without Redis."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self

import redis.asyncio as aioredis
from redis.exceptions import RedisError

from hotlists import snapshot as snapshots
from hotlists.snapshot import Snapshot
from hotlists.store import HotlistStore
from pipeline import telemetry
from pipeline.match.matcher import Matcher
from pipeline.settings import Settings
from pipeline.tasks import end_tasks

log = logging.getLogger(__name__)

CHECK_S: Final = 1.0
"""A missed change is healed, and a heartbeat given, this often."""
LOST: Final = "Redis has lost hotlists that were live; publish them again"
COPY_RETRY_S: Final = 10.0
"""A copy that could not be written is tried again after this long."""


class SnapshotLoader:
    """Holds the `matcher` of the newest snapshot; use it as an async context manager.

    On entering: the copy on disk, and then what Redis has, where that is newer. Where there is no copy and Redis
    does not answer, it is not `known` what is listed, and the log says so. From then on, a new one is built beside
    the old one in a thread and put in place with one assignment. Never an older one: a Redis that has lost its
    lists must not take them from the worker too.
    """

    def __init__(self, settings: Settings, worker_id: str) -> None:
        # The time-outs keep a Redis that hangs from looking like one that has nothing new.
        self._redis = aioredis.from_url(settings.redis_url, socket_timeout=5.0, socket_connect_timeout=2.0)
        self._store = HotlistStore(self._redis)
        self._copy = settings.state_dir / "snapshot.bin"
        self._worker_id = worker_id
        self._wake = asyncio.Event()
        self._unsaved = asyncio.Event()
        self._known = asyncio.Event()
        self._trouble = ""
        self._tasks: list[asyncio.Task[None]] = []
        self.matcher = Matcher(Snapshot.empty())

    async def __aenter__(self) -> Self:
        await self._load_copy()
        await self._refresh()
        loops: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = (
            self._keep_current,
            self._listen,
            self._beat,
            self._write_copies,
        )
        self._tasks = [asyncio.create_task(loop()) for loop in loops]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await end_tasks(self._tasks)
        await self._redis.aclose()

    async def known(self, stop: asyncio.Event) -> None:
        """Wait until a snapshot is loaded, or Redis has said that nothing is listed; or until `stop`."""
        ends = [asyncio.ensure_future(event.wait()) for event in (self._known, stop)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()

    @property
    def _held(self) -> int:
        return self.matcher.snapshot.version

    async def _load_copy(self) -> None:
        try:
            snapshot = await asyncio.to_thread(snapshots.load, self._copy)
            await self._place(snapshot)
        except FileNotFoundError:
            log.info("no copy of the snapshot in %s yet", self._copy)
        except Exception as error:  # Damaged, unreadable, or of another release.
            log.error("the copy of the snapshot on disk is refused: %s", error)

    async def _refresh(self) -> None:
        """Put in place what is live, if it is newer than what is held; say what keeps it from that, once."""
        try:
            trouble = await self._follow()
        except (RedisError, OSError) as error:
            trouble = f"Redis is away ({type(error).__name__})"
        except Exception as error:
            # A damaged list must not end the loop that will fetch its repair.
            trouble = f"the snapshot cannot be loaded ({type(error).__name__}: {error})"
        if trouble != self._trouble:
            self._trouble = trouble
            if not trouble:
                log.info("the snapshot agrees with Redis again")
            elif self._held:
                log.error("%s; matching goes on with snapshot %d", trouble, self._held)
            else:
                log.error("%s; reads wait in Kafka until that is over", trouble)

    async def _follow(self) -> str:
        """Load and put in place what is newer; return what is wrong, or the empty string."""
        version = await self._store.live_version()
        if version < self._held:
            return LOST
        if version > self._held:
            snapshot = await self._store.load_snapshot()
            if snapshot.version <= self._held:
                return LOST
            await self._place(snapshot)
            self._unsaved.set()
            await self._store.report_worker(self._worker_id, self._held)
        self._known.set()
        telemetry.SNAPSHOT_AGE.set(time.time())
        return ""

    async def _place(self, snapshot: Snapshot) -> None:
        self.matcher = await asyncio.to_thread(Matcher.aside, snapshot)
        self._known.set()
        telemetry.SNAPSHOT_VERSION.set(snapshot.version)
        log.info("snapshot %d: %d entries", snapshot.version, len(snapshot))

    async def _keep_current(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._wake.wait()
            self._wake.clear()
            await self._refresh()

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError):
                async for _ in self._store.changes():
                    self._wake.set()
            await asyncio.sleep(CHECK_S)

    async def _beat(self) -> None:
        """Say each second what is held, also while a new snapshot takes its time to load."""
        while True:
            with contextlib.suppress(RedisError, OSError):
                await self._store.report_worker(self._worker_id, self._held)
            await asyncio.sleep(CHECK_S)

    async def _write_copies(self) -> None:
        """Write each snapshot to disk, beside the loop that must be free for the next change."""
        while True:
            await self._unsaved.wait()
            self._unsaved.clear()
            try:
                await asyncio.to_thread(snapshots.save, self.matcher.snapshot, self._copy)
            except Exception as error:
                log.error("%s cannot be written (%s): a restart without Redis would miss lists", self._copy, error)
                await asyncio.sleep(COPY_RETRY_S)
                self._unsaved.set()
