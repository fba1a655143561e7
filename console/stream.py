"""The live stream: the store's changes as server-sent events, each with the change's number as its id.

One watcher per process reads the store's changes: at once when ``lik.alerts`` has something or a verdict was
given here, and every `POLL_S` besides, so that an alert is shown even while Kafka is away. It keeps the latest of
them in two feeds, one for those who see no covert alert and one for those who see them all, so that twenty open
pages cost one reading. Who sees some covert alerts (lists name them) is served from the store, query by query, as
is a page that was away for longer than the feeds go back. What Kafka carries is never passed on.

Events: ``snapshot`` (the newest alerts; replaces what the page has), ``alert`` (new or changed), ``beat``
(the server's time in ms; a page that hears none knows that the line is dead), ``leave`` (the session ended).
A page that was away resumes after its ``Last-Event-ID`` and misses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError
from sse_starlette import ServerSentEvent

from console.present import Cameras, alert_row
from hotlists.entry import Handling
from pipeline import telemetry, topics
from pipeline.alerts.rows import COVERT_SCALE
from pipeline.alerts.store import COVERT_ROLE, AlertRow, AlertStore, User, Viewer
from pipeline.settings import Settings

log = logging.getLogger(__name__)

POLL_S: Final = 1.0
BEAT_S: Final = 10
SHOWN: Final = 100
"""How many alerts a page begins with; it asks for older ones by itself."""
RESUMED: Final = 1000
"""A page that missed more changes than this begins anew."""
FEED: Final = 2000
"""How many changes a feed keeps."""
RETRY_MS: Final = 1000
CHECK_S: Final = 15.0
"""How often an open stream asks at least whether its session still holds; before each change it knows anyway."""
_PAGE: Final = 500

Who = Callable[[Mapping[str, User] | None], Awaitable[Viewer | None]]
"""Asks whose session it is, among the people given; None: as the store has them now."""

STREAMS: Final = Gauge("lik_console_streams", "Live pages that are connected.")


@dataclass(frozen=True, slots=True)
class Change:
    """One change in a feed, and the event that it is in each language, made when it is first asked for."""

    seq: int
    row: AlertRow
    covert: bool
    _events: dict[str, bytes] = field(default_factory=dict)

    def event(self, cameras: Cameras, language: str) -> bytes:
        """Return the event as it goes over the line."""
        made = self._events.get(language)
        if made is None:
            made = self._events[language] = alert_event(self.row, cameras, language)
        return made


class Feed:
    """The latest changes as one kind of viewer sees them.

    Parameters
    ----------
    store
        Where they come from.
    viewer
        Sees what all those see whom the feed serves.
    """

    def __init__(self, store: AlertStore, viewer: Viewer) -> None:
        self._store = store
        self._viewer = viewer
        self._changes: list[Change] = []
        self._begins = 0
        self.seq = 0

    async def begin(self) -> None:
        """Begin at the store's latest change."""
        self.seq = self._begins = await self._store.last_seq(self._viewer)

    async def read(self) -> int:
        """Take in what changed since; return how many of the changes are covert."""
        covert = 0
        while True:
            rows = await self._store.changes_since(self.seq, user=self._viewer, limit=_PAGE)
            for row in rows:
                hidden = row.alert.hit.entry.handling is Handling.COVERT
                covert += hidden
                self._changes.append(Change(row.seq, row, hidden))
                self.seq = row.seq
            if len(self._changes) > 2 * FEED:
                self._begins = self._changes[-FEED - 1].seq
                del self._changes[:-FEED]
            if len(rows) < _PAGE:
                return covert

    def after(self, seq: int) -> list[Change] | None:
        """Return the changes after `seq`, or None where they go further back than the feed."""
        if seq < self._begins:
            return None
        at = len(self._changes)
        while at > 0 and self._changes[at - 1].seq > seq:
            at -= 1
        return self._changes[at:]


class Hub:
    """Knows the latest changes of the store, and wakes the open streams when there are newer ones."""

    def __init__(self, store: AlertStore) -> None:
        self._store = store
        self._nudged = asyncio.Event()
        self._moved = asyncio.Event()
        self._seen: int | None = None
        self.open = Feed(store, Viewer("", frozenset({"operator"})))
        self.covert = Feed(store, Viewer("", frozenset({COVERT_ROLE})))
        self.covert_changes = 0
        """How many covert changes there were: after each, every page asks whether it sees what it should."""
        self.people: dict[str, User] = {}
        """Who may sign in, as they were after the latest changes were read."""
        self.moves = 0
        """Counts the times that there was something new."""
        self.closed = False
        self.store_answers = False
        self._ended = asyncio.Event()

    def nudge(self) -> None:
        """Have the watcher look at once."""
        self._nudged.set()

    def close(self) -> None:
        """End every stream, now; those that open later end at once."""
        self.closed = True
        self._moved.set()
        self._ended.set()

    async def closing(self, timeout_s: float) -> None:
        """Wait until the hub closes or the time is over, whatever changes meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), timeout_s)

    async def wait_past(self, moves: int, timeout_s: float) -> None:
        """Wait until there is something newer than at `moves`, the hub closes, or the time is over."""
        if self.closed or self.moves > moves:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), timeout_s)

    async def watch(self) -> None:
        """Follow the store's changes until cancelled."""
        while True:
            self._nudged.clear()
            try:
                await self._look()
                self.store_answers = True
            except (SQLAlchemyError, OSError) as error:
                if self.store_answers:
                    log.warning("the store does not answer (%s); see LIK_DATABASE_URL", type(error).__name__)
                self.store_answers = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), POLL_S)

    async def _look(self) -> None:
        latest = await self._store.last_seq()
        if latest == self._seen:
            return
        if self._seen is None:
            await self.open.begin()
            await self.covert.begin()
        await self.open.read()
        self.covert_changes += await self.covert.read()
        # After the changes: whoever lost a role before one of them is not sent it.
        self.people = {each.name: each for each in await self._store.users.all()}
        self._seen = latest
        self.moves += 1
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


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
                yield self._snapshot(at, await self._store.latest(SHOWN, user))
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
            await self._hub.wait_past(moves, CHECK_S)
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

    def _snapshot(self, seq: int, rows: list[AlertRow]) -> ServerSentEvent:
        shown = [alert_row(row, self._cameras, self._language) for row in rows]
        return ServerSentEvent(_json(shown), event="snapshot", id=str(seq), retry=RETRY_MS, sep="\n")


def alert_event(row: AlertRow, cameras: Cameras, language: str) -> bytes:
    """Make the event of a new or changed alert, as it goes over the line."""
    shown = _json(alert_row(row, cameras, language))
    return ServerSentEvent(shown, event="alert", id=str(row.seq), sep="\n").encode()


def beat() -> ServerSentEvent:
    """Make the event that says that the line is alive, with the server's time in ms."""
    return ServerSentEvent(str(telemetry.now_ns() // 1_000_000), event="beat", sep="\n")


def _leave() -> ServerSentEvent:
    return ServerSentEvent("", event="leave", sep="\n")


def _json(shown: Any) -> str:
    return msgspec.json.encode(shown).decode()
