"""The live stream: the store's changes as server-sent events, each with the change's number as its id.

One watcher per process asks the store how far its changes go: at once when ``lik.alerts`` has something or a
verdict was given here, and every `POLL_S` besides, so that an alert is shown even while Kafka is away. Each
open stream then reads what is new *for its own user* from the store: what Kafka carries is never passed on.

Events: ``snapshot`` (the newest alerts; replaces what the page has), ``alert`` (new or changed), ``beat``
(the server's time in ms; a page that hears none knows that the line is dead), ``leave`` (the session ended).
A page that was away resumes after its ``Last-Event-ID`` and misses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError
from sse_starlette import ServerSentEvent

from console.present import Cameras, alert_row
from pipeline import telemetry, topics
from pipeline.alerts.store import AlertRow, AlertStore, Viewer
from pipeline.settings import Settings

log = logging.getLogger(__name__)

POLL_S: Final = 1.0
BEAT_S: Final = 10
SHOWN: Final = 200
"""How many alerts a page begins with."""
RESUMED: Final = 1000
"""A page that missed more changes than this begins anew."""
RETRY_MS: Final = 1000
CHECK_S: Final = 15.0
"""How often an open stream asks whether its session still holds."""

STREAMS: Final = Gauge("lik_console_streams", "Live pages that are connected.")


class Hub:
    """Knows the latest change of the store, and wakes the open streams when there is a newer one."""

    def __init__(self, store: AlertStore) -> None:
        self._store = store
        self._nudged = asyncio.Event()
        self._moved = asyncio.Event()
        self.seq = 0
        self.closed = False
        self.store_answers = False

    def nudge(self) -> None:
        """Have the watcher look at once."""
        self._nudged.set()

    def close(self) -> None:
        """End every stream, now; those that open later end at once."""
        self.closed = True
        self._moved.set()

    async def wait_past(self, seq: int, timeout_s: float) -> None:
        """Wait until there is a change after `seq`, the hub closes, or the time is over."""
        if self.closed or self.seq > seq:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), timeout_s)

    async def watch(self) -> None:
        """Follow the store's changes until cancelled."""
        while True:
            self._nudged.clear()
            try:
                latest = await self._store.last_seq()
                self.store_answers = True
            except (SQLAlchemyError, OSError) as error:
                if self.store_answers:
                    log.warning("the store does not answer (%s); see LIK_DATABASE_URL", type(error).__name__)
                self.store_answers = False
            else:
                if latest != self.seq:
                    self.seq = latest
                    moved, self._moved = self._moved, asyncio.Event()
                    moved.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), POLL_S)


class AlertTopic:
    """Listens to ``lik.alerts`` without a group, from now on, and tells `heard` that there is something."""

    def __init__(self, settings: Settings, heard: Callable[[], None]) -> None:
        self._settings = settings
        self._heard = heard
        self._consumer: AIOKafkaConsumer | None = None

    async def listen(self) -> None:
        """Listen until cancelled; a broker that is away is tried again."""
        while True:
            # A group would share the alerts out among consoles; each of them must hear all.
            consumer = topics.consumer(
                self._settings, topics.ALERTS, group="none", group_id=None, auto_offset_reset="latest"
            )
            try:
                await consumer.start()
                self._consumer = consumer
                while True:
                    if await consumer.getmany(timeout_ms=1000):
                        self._heard()
            except (KafkaError, OSError) as error:
                log.warning("Kafka does not answer (%s); trying again", type(error).__name__)
            finally:
                self._consumer = None
                await consumer.stop()
            await asyncio.sleep(1.0)

    async def answers(self) -> bool:
        """Tell whether the broker answers now."""
        if self._consumer is None:
            return False
        try:
            await asyncio.wait_for(self._consumer.topics(), 2.0)
        except (KafkaError, OSError, TimeoutError):
            return False
        return True


class AlertEvents:
    """The events of one open page.

    Parameters
    ----------
    hub, store, cameras
        What the events are made of.
    who
        Gives the session's user, with the roles they have now; None when the session has ended.
    """

    def __init__(
        self, hub: Hub, store: AlertStore, cameras: Cameras, who: Callable[[], Awaitable[Viewer | None]]
    ) -> None:
        self._hub = hub
        self._store = store
        self._cameras = cameras
        self._who = who

    async def after(self, seq: int | None) -> AsyncIterator[ServerSentEvent]:
        """Yield what changed after `seq` (None: begin with a snapshot), and then what changes, until closed."""
        STREAMS.inc()
        try:
            user = await self._who()
            if user is None:
                yield _leave()
                return
            at = seq
            if at is None or not await self._can_resume(at):
                # The number first: what comes in between is then sent twice rather than never.
                at = await self._store.last_seq()
                yield self._snapshot(at, await self._store.latest(SHOWN, user))
            else:
                yield beat()
            async for event in self._follow(at):
                yield event
        finally:
            STREAMS.dec()

    async def _follow(self, at: int) -> AsyncIterator[ServerSentEvent]:
        while not self._hub.closed:
            # Before each look: roles may have been taken away since.
            user = await self._who()
            if user is None:
                yield _leave()
                return
            target = self._hub.seq
            rows = await self._store.changes_since(at, user=user)
            for row in rows:
                at = row.seq
                yield ServerSentEvent(
                    _json(alert_row(row, self._cameras)), event="alert", id=str(row.seq), sep="\n"
                )
            if not rows:
                at = max(at, target)
            await self._hub.wait_past(at, CHECK_S)

    async def _can_resume(self, seq: int) -> bool:
        latest = await self._store.last_seq()
        # A page that knows of later changes than the store has looked at another store.
        return latest - RESUMED <= seq <= latest

    def _snapshot(self, seq: int, rows: list[AlertRow]) -> ServerSentEvent:
        shown = [alert_row(row, self._cameras) for row in rows]
        return ServerSentEvent(_json(shown), event="snapshot", id=str(seq), retry=RETRY_MS, sep="\n")


def beat() -> ServerSentEvent:
    """Make the event that says that the line is alive, with the server's time in ms."""
    return ServerSentEvent(str(telemetry.now_ns() // 1_000_000), event="beat", sep="\n")


def _leave() -> ServerSentEvent:
    return ServerSentEvent("", event="leave", sep="\n")


def _json(shown: Any) -> str:
    return msgspec.json.encode(shown).decode()
