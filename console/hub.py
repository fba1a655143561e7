"""The latest changes of the store, read once for all the pages that are open.

One watcher per process reads the store's changes: at once when ``lik.alerts`` has something or a verdict was
given here, and every `POLL_S` besides, so that an alert is shown even while Kafka is away. It keeps the latest of
them in two feeds, one for those who see no covert alert and one for those who see them all, so that twenty open
pages cost one reading, and one making of each event in each language.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sse_starlette import ServerSentEvent

from console.present import Cameras, alert_row
from pipeline.alerts.rows import COVERT_SCALE
from pipeline.alerts.store import AlertRow, AlertStore, User

log = logging.getLogger(__name__)

POLL_S: Final = 1.0
APART_S: Final = 0.03
"""Looks begin at least so long after one another: the first alert is shown at once, those that follow it closely
come together, and cost one look, one sending and one drawing."""
CHECK_S: Final = 15.0
"""How often a stream is woken without a change, to ask whether its session still holds."""
FEED: Final = 2000
"""How many changes a feed keeps."""
_PAGE: Final = 500
_NEVER: Final = 2**63


@dataclass(frozen=True, slots=True)
class Change:
    """One change in a feed, and the event that it is in each language, made when it is first asked for."""

    seq: int
    row: AlertRow
    _events: dict[str, bytes] = field(default_factory=dict)

    def event(self, cameras: Cameras, language: str) -> bytes:
        """Return the event as it goes over the line."""
        made = self._events.get(language)
        if made is None:
            made = self._events[language] = alert_event(self.row, cameras, language)
        return made


class Feed:
    """The latest changes as one kind of viewer sees them. It has none that anybody asks for until it begins."""

    def __init__(self) -> None:
        self._begins = _NEVER
        self._changes: list[Change] = []

    def begin(self, seq: int) -> None:
        """Begin after change number `seq`."""
        self._begins = seq

    def add(self, row: AlertRow) -> None:
        """Add the next change, and forget the oldest ones."""
        self._changes.append(Change(row.seq, row))
        if len(self._changes) > 2 * FEED:
            self._begins = self._changes[-FEED - 1].seq
            del self._changes[:-FEED]

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
        self._woken_s = 0.0
        self._seq: int | None = None
        self.open = Feed()
        self.covert = Feed()
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

    async def wait_past(self, moves: int) -> None:
        """Wait until there is something newer than at `moves`, the hub closes, or `CHECK_S` are over.

        The watcher keeps the time for all: a timer and a task for each of twenty pages, fifty times a second, is
        what a wait of their own would cost.
        """
        if not self.closed and self.moves <= moves:
            await self._moved.wait()

    async def watch(self) -> None:
        """Follow the store's changes until cancelled."""
        while True:
            self._nudged.clear()
            begun_s = time.monotonic()
            try:
                await self._look()
                self.store_answers = True
            except (SQLAlchemyError, OSError) as error:
                if self.store_answers:
                    log.warning("the store does not answer (%s); see LIK_DATABASE_URL", type(error).__name__)
                self.store_answers = False
            if begun_s - self._woken_s >= CHECK_S:
                self._wake()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), POLL_S)
            await asyncio.sleep(begun_s + APART_S - time.monotonic())

    async def _look(self) -> None:
        if self._seq is None:
            begun = await self._store.changes.begin()
            self._seq, self.people = begun.seq, begun.people
            self.open.begin(begun.open_seq)
            self.covert.begin(begun.seq + COVERT_SCALE)
            self.moves += 1
            self._wake()
        while (look := await self._store.changes.look(self._seq, limit=_PAGE)) is not None:
            for each in look.changed:
                self.covert.add(each.row)
                if each.open_row is None:
                    self.covert_changes += 1
                else:
                    self.open.add(each.open_row)
            self._seq, self.people = look.seq, look.people
            self.moves += 1
            self._wake()

    def _wake(self) -> None:
        self._woken_s = time.monotonic()
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


async def end_claims(store: AlertStore, hub: Hub) -> None:
    """End the claims that have run out, until cancelled; whichever console comes first does it for all."""
    while True:
        # Where the store does not answer, the watcher says so.
        with contextlib.suppress(SQLAlchemyError, OSError):
            if await store.claims.expire():
                hub.nudge()
        await asyncio.sleep(POLL_S)


def alert_event(row: AlertRow, cameras: Cameras, language: str) -> bytes:
    """Make the event of a new or changed alert, as it goes over the line."""
    shown = as_json(alert_row(row, cameras, language))
    return ServerSentEvent(shown, event="alert", id=str(row.seq), sep="\n").encode()


def as_json(shown: Any) -> str:
    """Write what a page is shown as JSON."""
    return msgspec.json.encode(shown).decode()
