"""The live stream: the store's changes as server-sent events, each with the change's number as its id.

Who sees no covert alert, or all of them, is served from the hub's feeds (`console.hub`). Who sees some (lists name
them) is served from the store, query by query, as is a page that was away for longer than the feeds go back. What
Kafka carries is never passed on.

Events: ``snapshot`` (the newest alerts; replaces what the page has), ``alert`` (new or changed), ``beat``
(the server's time in ms; a page that hears none knows that the line is dead), ``leave`` (the session ended).
A page that was away resumes after its ``Last-Event-ID`` and misses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from prometheus_client import Gauge
from sse_starlette import ServerSentEvent

from console.hub import Feed, Hub, alert_event, as_json
from console.present import Cameras, Shown, alert_row
from pipeline import telemetry, topics
from pipeline.alerts.rows import COVERT_SCALE
from pipeline.alerts.store import COVERT_ROLE, AlertStore, User, Viewer
from pipeline.settings import Settings

log = logging.getLogger(__name__)

BEAT_S: Final = 10
SHOWN: Final = 50
"""How many alerts a page begins with; it asks for older ones by itself."""
RESUMED: Final = 1000
"""A page that missed more changes than this begins anew."""
RETRY_MS: Final = 1000

Who = Callable[[Mapping[str, User] | None], Awaitable[Viewer | None]]
"""Asks whose session it is, among the people given; None: as the store has them now."""

STREAMS: Final = Gauge("lik_console_streams", "Live pages that are connected.")


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
    language
        Of the words in them.
    who
        Gives the session's user, with the roles they have now; None when the session has ended.
    """

    def __init__(self, hub: Hub, store: AlertStore, cameras: Cameras, language: str, who: Who) -> None:
        self._hub = hub
        self._store = store
        self._cameras = cameras
        self._language = language
        self._who = who
        self._user: Viewer | None = None
        self._covert_seen = 0
        self._feed: Feed | None = None

    async def after(self, seq: int | None) -> AsyncIterator[ServerSentEvent | bytes]:
        """Yield what changed after `seq` (None: begin with a snapshot), and then what changes, until closed."""
        STREAMS.inc()
        try:
            async for event in self._events(seq):
                yield event
        finally:
            STREAMS.dec()

    async def _events(self, seq: int | None) -> AsyncIterator[ServerSentEvent | bytes]:
        while not self._hub.closed:
            user = await self._ask(None)
            if user is None:
                yield _leave()
                return
            at = seq
            latest = await self._store.last_seq(user)
            covert_scale = latest >= COVERT_SCALE
            if COVERT_ROLE in user.roles:
                self._feed = self._hub.covert
            else:
                self._feed = None if covert_scale else self._hub.open
            if at is None or not latest - RESUMED <= at <= latest:
                # The number first: what comes in between is then sent twice rather than never.
                at = latest
                shown = as_json(await newest(self._store, user, self._cameras, self._language))
                yield ServerSentEvent(shown, event="snapshot", id=str(at), retry=RETRY_MS, sep="\n")
            else:
                yield beat()
            async for event in self._follow(at, user):
                yield event
            if self._user is None:
                return
            # The user sees more, or less, than they did: another count of changes, another snapshot.
            seq = None

    async def _follow(self, at: int, user: Viewer) -> AsyncIterator[ServerSentEvent | bytes]:
        # Who signed in since the hub last looked is not among its people yet.
        known: int | None = None
        while not self._hub.closed:
            moves = self._hub.moves
            # Before each look: roles may have been taken away since.
            if not await self._same(user, None if known is None else self._hub.people):
                if self._user is None:
                    yield _leave()
                return
            changes = None if self._feed is None else self._feed.after(at)
            if changes is None:
                rows = await self._store.changes_since(at, user=user)
                if rows:
                    at = rows[-1].seq
                    yield b"".join(alert_event(row, self._cameras, self._language) for row in rows)
                    continue
            elif changes:
                at = changes[-1].seq
                yield b"".join(change.event(self._cameras, self._language) for change in changes)
                continue
            await self._hub.wait_past(moves)
            # Nothing came: what the hub knows of people may be old.
            known = None if self._hub.moves == moves else moves

    async def _ask(self, people: Mapping[str, User] | None) -> Viewer | None:
        self._covert_seen = self._hub.covert_changes
        self._user = await self._who(people)
        return self._user

    async def _same(self, user: Viewer, people: Mapping[str, User] | None) -> bool:
        """Ask again who is there; False when they are gone, or see covert alerts by other rules than before."""
        covert = self._hub.covert_changes != self._covert_seen
        if await self._ask(people) != user:
            return False
        if not covert or COVERT_ROLE in user.roles:
            return True
        scale = await self._store.last_seq(user) >= COVERT_SCALE
        return scale == (self._feed is None)


async def newest(store: AlertStore, user: Viewer, cameras: Cameras, language: str) -> list[Shown]:
    """Return the alerts that a page begins with, newest first."""
    return [alert_row(row, cameras, language) for row in await store.latest(SHOWN, user)]


def beat() -> ServerSentEvent:
    """Make the event that says that the line is alive, with the server's time in ms."""
    return ServerSentEvent(str(telemetry.now_ns() // 1_000_000), event="beat", sep="\n")


def _leave() -> ServerSentEvent:
    return ServerSentEvent("", event="leave", sep="\n")
