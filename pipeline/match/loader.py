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
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hotlists.journal import Change, SnapshotCopy
from hotlists.store import HotlistStore
from pipeline import telemetry
from pipeline.match import standing
from pipeline.match.following import Follower
from pipeline.match.matcher import Matcher
from pipeline.settings import Settings
from pipeline.tasks import end_tasks

log = logging.getLogger(__name__)

CHECK_S: Final = 1.0
"""A missed change is healed, and a heartbeat given, this often."""
AWAY_S: Final = 0.25
"""While Redis is away, it is tried this often: what changed meanwhile must not wait for long once it is back."""
LOST: Final = "Redis has lost hotlists that were live; publish or archive each of them again"
COPY_RETRY_S: Final = 10.0
"""A copy that could not be written is tried again after this long."""
JOURNAL_BYTES: Final = 64 * 1_048_576
JOURNAL_CHANGES: Final = 500
"""With more of either, the copy on disk is written anew: a start reads what changed one by one."""


class SnapshotLoader:
    """Holds the `matcher` of the newest snapshot; use it as an async context manager.

    On entering: the copy on disk, and then what Redis has, where that is newer. Where there is no copy and Redis
    does not answer, it is not `known` what is listed, and the log says so. From then on, changes are followed
    (`pipeline.match.following`), and put in place with one assignment.
    """

    def __init__(self, settings: Settings, worker_id: str) -> None:
        # The time-outs keep a Redis that hangs from looking like one that has nothing new. Tried again at once
        # where it restarted meanwhile, and then by the loops below, which do not wait longer each time.
        self._redis = aioredis.from_url(
            settings.redis_url, socket_timeout=5.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 1)
        )
        self._store = HotlistStore(self._redis)
        self._copy = SnapshotCopy(settings.state_dir)
        self._journalled = 0
        self._worker_id = worker_id
        self._wake = asyncio.Event()
        self._unsaved = asyncio.Event()
        self._known = asyncio.Event()
        self._away = False
        self._trouble = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._follower = Follower(self._store, self._wake.set)

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
        await self._follower.close()
        self._copy.close()
        await self._redis.aclose()

    @property
    def matcher(self) -> Matcher:
        """What reads are matched by."""
        return self._follower.matcher

    async def known(self, stop: asyncio.Event) -> None:
        """Wait until a snapshot is loaded, or Redis has said that nothing is listed; or until `stop`."""
        ends = [asyncio.ensure_future(event.wait()) for event in (self._known, stop)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()

    async def _load_copy(self) -> None:
        with contextlib.suppress(OSError):
            if not self._copy.own():
                log.warning("another worker writes to %s; give each a LIK_STATE_DIR of its own", self._copy.path)
        try:
            snapshot, marks, changes = await asyncio.to_thread(self._copy.load)
            await self._follower.begin(snapshot, marks, changes)
        except FileNotFoundError:
            log.info("no copy of the snapshot in %s yet", self._copy.path)
        except Exception as error:  # Damaged, unreadable, or of another release.
            log.error("the copy of the snapshot on disk is refused: %s", error)
        else:
            self._journalled = len(changes)
            self._known.set()
            self._tell()

    async def _refresh(self) -> None:
        """Hold what is live, as far as it can be had; say what keeps it from that, once."""
        try:
            await self._follower.follow()
        except (RedisError, OSError) as error:
            self._away = True
            self._say(f"Redis is away ({type(error).__name__})")
        except Exception as error:
            # Whatever it is must not end the loop that will fetch its repair.
            trouble = f"the snapshot cannot be loaded ({type(error).__name__}: {error})"
            if trouble != self._trouble:
                log.exception("a defect of ours; report it")
            self._say(trouble)
        else:
            self._away = False
            telemetry.SNAPSHOT_AGE.set(time.time())
            follower = self._follower
            if follower.marks or not follower.behind:
                self._known.set()
            lost = f"{LOST}: {', '.join(follower.lost)}" if follower.lost else ""
            behind = f"not as they are live: {', '.join(follower.behind)}" if follower.behind else ""
            self._say("; ".join(filter(None, (lost, behind))))
        self._tell()

    def _say(self, trouble: str) -> None:
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if not trouble:
            log.info("the snapshot agrees with Redis again")
        elif self._known.is_set():
            log.error("%s; matching goes on with snapshot %d", trouble, self._follower.version)
        else:
            log.error("%s; reads wait in Kafka until that is over", trouble)

    def _tell(self) -> None:
        """Show what is held in the metrics, and have it written to disk."""
        follower, snapshot = self._follower, self.matcher.snapshot
        if telemetry.SNAPSHOT_VERSION._value.get() != snapshot.version:
            log.info("snapshot %d: %d entries", snapshot.version, len(snapshot))
        telemetry.SNAPSHOT_VERSION.set(snapshot.version)
        telemetry.REDIS_ANSWERS.set(not self._away)
        standing.show(snapshot.hotlists, follower.marks, tuple(follower.behind), follower.lost)
        if follower.changes or follower.rebuilt:
            self._unsaved.set()

    async def _keep_current(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(CHECK_S, AWAY_S) if self._away else CHECK_S):
                    await self._wake.wait()
            self._wake.clear()
            version = self._follower.version
            await self._refresh()
            if version != self._follower.version:
                await self._report()

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError):
                async for _ in self._store.changes():
                    self._wake.set()
            await asyncio.sleep(AWAY_S)

    async def _beat(self) -> None:
        """Say each second what is held, also while a new snapshot takes its time to load."""
        while True:
            await self._report()
            await asyncio.sleep(CHECK_S)

    async def _report(self) -> None:
        follower = self._follower
        with contextlib.suppress(RedisError, OSError):
            await self._store.report_worker(
                self._worker_id, follower.version, behind=tuple(follower.behind), lost=follower.lost
            )

    async def _write_copies(self) -> None:
        """Write what changed to disk, beside the loop that must be free for the next change."""
        while True:
            await self._unsaved.wait()
            self._unsaved.clear()
            follower = self._follower
            changes, follower.changes = follower.changes, []
            rebuilt, follower.rebuilt = follower.rebuilt, False
            self._journalled += len(changes)
            full = self._journalled > JOURNAL_CHANGES or self._copy.journal_bytes > JOURNAL_BYTES
            try:
                if rebuilt or full:
                    await self._save()
                else:
                    await self._append(changes)
            except Exception as error:
                log.error(
                    "%s cannot be written (%s): a restart without Redis would miss lists", self._copy.path, error
                )
                await asyncio.sleep(COPY_RETRY_S)
                follower.rebuilt = True
                self._unsaved.set()

    async def _append(self, changes: list[Change]) -> None:
        for change in changes:
            await asyncio.to_thread(self._copy.append, change)

    async def _save(self) -> None:
        follower = self._follower
        follower.changes, self._journalled = [], 0
        await asyncio.to_thread(self._copy.save, follower.matcher.snapshot, dict(follower.marks))
