"""Makes the next matcher of what changed in Redis: by edits where it can, by columns where it must.

Each list is followed by itself. What changed little is an edit, and costs what it changes. A list that must be
read whole, and what edits have brought over time, is built into one base: beside, one build at a time, while edits
of other lists go on being followed. A list that cannot be read stays as it was held, and holds nobody up. Whatever
Redis does not know any more stays too: a Redis that lost its data must not take the lists from the workers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from redis.exceptions import RedisError

from hotlists.columns import Columns
from hotlists.edits import Edit
from hotlists.entry import Hotlist
from hotlists.journal import Change
from hotlists.parsed import NO_COLUMNS
from hotlists.snapshot import Delta, Snapshot
from hotlists.store import HotlistError, HotlistStore
from hotlists.versions import ListState, Mark, StoreState
from pipeline.match.index import Index, segments_of
from pipeline.match.matcher import Matcher
from pipeline.tasks import end_tasks

log = logging.getLogger(__name__)

SIDE_ROWS: Final = 100_000
"""Entries that are put beside the base; with more, everything is built anew."""
SMALL_CHUNKS: Final = 1
"""A list of so many chunks is put beside the base also while a build goes on, which takes seconds for millions."""
RETRY_S: Final = 30.0
"""A list that could not be read is tried again after this long, if nothing is published before."""

_MOST_THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done to hold what is live."""

    changed: list[str] = field(default_factory=list)
    """Lists to follow, the one that changed first before the others."""
    lost: list[str] = field(default_factory=list)
    """Lists that are held and that Redis has lost."""


def plan(held: Mapping[str, Mark], state: StoreState) -> Plan:
    """Compare what is held with what is live, list by list."""
    found = Plan()
    for name, each in state.lists.items():
        mine = held.get(name)
        if mine is None:
            if each.mark.number:
                found.changed.append(name)
        elif mine.epoch == state.epoch and each.mark.stamp < mine.stamp:
            # As after a restart from a backup: what is held is newer.
            found.lost.append(name)
        elif (mine.epoch, mine.stamp) != (state.epoch, each.mark.stamp):
            found.changed.append(name)
    found.lost.extend(name for name in held if name not in state.lists)
    found.changed.sort(key=lambda name: state.lists[name].mark.stamp)
    return found


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a list is not held as it is live."""

    why: str
    mark: Mark
    """The version that could not be read."""
    since_s: float
    """Monotonic clock."""


@dataclass(slots=True)
class _Whole:
    """A list that has to be built in."""

    hotlist: Hotlist
    columns: Columns
    mark: Mark


class Follower:
    """Holds the matcher, and makes the next one.

    Parameters
    ----------
    store
        Where lists are published.
    done
        Called when a build is in place: look again.

    Attributes
    ----------
    matcher
        What reads are matched by. Its snapshot's version: everything that was published up to it is in.
    marks
        Which version of each list is in it.
    behind
        Lists of which the live version cannot be read.
    lost
        Lists that are held although Redis has lost them.
    changes
        What changed since it was asked last, for the copy on disk.
    rebuilt
        The base is another one since it was asked last.
    """

    def __init__(self, store: HotlistStore, done: Callable[[], None]) -> None:
        self._store, self._done = store, done
        self._turn = asyncio.Lock()
        self._building: asyncio.Task[None] | None = None
        self._pending: dict[str, Mark] = {}
        self._since: list[Delta] = []
        self.matcher = Matcher(Snapshot.empty())
        self.marks: dict[str, Mark] = {}
        self.behind: dict[str, Trouble] = {}
        self.lost: tuple[str, ...] = ()
        self.changes: list[Change] = []
        self.rebuilt = False

    @property
    def version(self) -> int:
        """The snapshot's version."""
        return self.matcher.snapshot.version

    async def begin(self, snapshot: Snapshot, marks: dict[str, Mark], changes: list[Change]) -> None:
        """Hold what a copy on disk has."""
        self.matcher = await asyncio.to_thread(_hurried, snapshot)
        self.marks = dict(marks)
        for change in changes:
            self.matcher = await asyncio.to_thread(self.matcher.apply, change.delta)
            self.marks = _marked(self.marks, change.marks)

    async def close(self) -> None:
        """End what is being built."""
        await end_tasks([self._building] if self._building else [])

    async def follow(self) -> None:
        """Hold what is live, as far as it can be read; builds go on when it returns, unless nothing was held."""
        async with self._turn:
            state = await self._store.state()
            found = plan(self.marks, state)
            self.lost = tuple(found.lost)
            self.behind = {name: each for name, each in self.behind.items() if name in found.changed}
            open_ = set(found.changed)
            wholes: dict[str, _Whole] = {}
            for name in found.changed:
                if name in self._pending or self._waits(name, state.lists[name]):
                    continue
                whole = await self._take(name, state, open_)
                if whole is not None:
                    wholes[name] = whole
            if wholes or self._is_crowded():
                await self._start(wholes, state, open_)
            if self._version(state, open_) > self.version:
                await self._apply(Delta(self._version(state, open_)), {})

    def _waits(self, name: str, each: ListState) -> bool:
        """Whether a list that could not be read is not yet tried again."""
        trouble = self.behind.get(name)
        if trouble is None or trouble.mark != each.mark:
            return False
        return time.monotonic() - trouble.since_s < RETRY_S

    def _version(self, state: StoreState, open_: set[str]) -> int:
        """Up to which version everything is in, but for the lists that are open."""
        before = [state.lists[name].mark.stamp - 1 for name in open_ if name in state.lists]
        return max(self.version, min([state.version, *before]))

    async def _take(self, name: str, state: StoreState, open_: set[str]) -> _Whole | None:
        """Follow one list; return it where it must be built in, else it is in place, or in `behind`."""
        each, mine = state.lists[name], self.marks.get(name)
        try:
            delta = await self._delta_of(name, each, mine)
            if isinstance(delta, _Whole):
                return delta
            if delta is None:
                return None
            open_.discard(name)
            version = self._version(state, open_)
            change = Delta(version, delta.added, delta.removed, delta.emptied)
            await self._apply(change, {name: each.mark if each.mark.number else None})
        except (RedisError, OSError):
            open_.add(name)
            raise
        except Exception as error:  # Whatever a damaged list makes numpy or the index say.
            open_.add(name)
            self._told(name, each.mark, str(error))
        else:
            self.behind.pop(name, None)
        return None

    def _told(self, name: str, mark: Mark, why: str) -> None:
        if name not in self.behind or self.behind[name].mark != mark:
            kept = "its last good version is matched" if name in self.marks else "it is not matched"
            log.error("list %r cannot be followed, %s: %s", name, kept, why)
        self.behind[name] = Trouble(why, mark, time.monotonic())

    async def _delta_of(self, name: str, each: ListState, mine: Mark | None) -> Delta | _Whole | None:
        """Return what makes a list what is live of it; None where it has to wait for a build."""
        mark = each.mark
        if not mark.number:
            return Delta(0, emptied=(name,))
        if each.hotlist is None:
            raise HotlistError(f"the metadata of list {name!r} cannot be read; describe it again")
        if mine is not None and mark.id and (mine.number, mine.id) == (mark.number, mark.id):
            return Delta(0, [(each.hotlist, NO_COLUMNS)])
        edit = await self._edit(name, mine, mark.number)
        if edit is not None and (len(edit) <= 2 * SIDE_ROWS or self._building):
            named = edit.named()
            return Delta(0, [(each.hotlist, edit.added)], [(name, named.keys, named.country)])
        if self._building and await self._store.chunks(name, mark.number) > SMALL_CHUNKS:
            return None
        columns = await self._store.read(name, mark.number)
        if not self.marks or (len(columns) > SIDE_ROWS and not self._building):
            return _Whole(each.hotlist, columns, mark)
        return Delta(0, [(each.hotlist, columns)], emptied=(name,))

    async def _edit(self, name: str, mine: Mark | None, number: int) -> Edit | None:
        if mine is None or not mine.number:
            return None
        try:
            return await self._store.edit_from(name, mine, number)
        except HotlistError as error:
            log.warning("%s; list %r is read whole", error, name)
            return None

    async def _apply(self, delta: Delta, marks: Mapping[str, Mark | None]) -> None:
        self.matcher = await asyncio.to_thread(self.matcher.apply, delta)
        self.marks = _marked(self.marks, marks)
        if self._building:
            self._since.append(delta)
        self.changes.append(Change(delta, marks))

    def _is_crowded(self) -> bool:
        return max(self.matcher.side_rows, len(self.matcher.snapshot.removed)) > SIDE_ROWS

    async def _start(self, wholes: dict[str, _Whole], state: StoreState, open_: set[str]) -> None:
        """Build lists in beside what is matched; at once where nothing is matched yet."""
        if self._building:
            return
        if not self.marks:
            open_.difference_update(wholes)
            marks = {name: each.mark for name, each in wholes.items()}
            snapshots = [(each.hotlist, each.columns) for each in wholes.values()]
            wholes.clear()
            self.matcher = await asyncio.to_thread(_built, self._version(state, open_), snapshots)
            self.marks, self.changes, self.rebuilt = marks, [], True
            return
        self._pending, self._since = {name: each.mark for name, each in wholes.items()}, []
        self._building = asyncio.create_task(self._build(wholes))

    async def _build(self, wholes: dict[str, _Whole]) -> None:
        marks = {name: each.mark for name, each in wholes.items()}
        try:
            kept = [name for name in self.marks if name not in wholes]
            matcher = await asyncio.to_thread(_rebuilt, self.matcher.snapshot, kept, wholes)
            async with self._turn:
                for delta in self._since:
                    matcher = await asyncio.to_thread(matcher.apply, delta)
                self.matcher, self.marks = matcher, _marked(self.marks, marks)
                self.changes, self.rebuilt = [], True
        except Exception as error:
            log.exception("what is live cannot be built")
            for name, mark in marks.items():
                self._told(name, mark, f"{type(error).__name__}: {error}")
        finally:
            self._building, self._pending, self._since = None, {}, []
            self._done()


def _marked(marks: Mapping[str, Mark], changed: Mapping[str, Mark | None]) -> dict[str, Mark]:
    every = {**marks, **changed}
    return {name: mark for name, mark in every.items() if mark is not None}


def _built(version: int, lists: list[tuple[Hotlist, Columns]]) -> Matcher:
    """Build from lists, which are let go before the index takes its room."""
    snapshot = Snapshot.join(version, lists)
    lists.clear()
    return _hurried(snapshot)


def _hurried(snapshot: Snapshot) -> Matcher:
    """Build with every core there is: reads wait for it."""
    base = segments_of(snapshot, threads=min(_MOST_THREADS, os.cpu_count() or 1))
    return Matcher(snapshot, index=Index(snapshot, base))


def _rebuilt(snapshot: Snapshot, kept: list[str], wholes: dict[str, _Whole]) -> Matcher:
    lists = [(hotlist, columns) for hotlist, columns in snapshot.lists() if hotlist.name in kept]
    lists += [(each.hotlist, each.columns) for each in wholes.values()]
    wholes.clear()
    joined = Snapshot.join(snapshot.version, lists)
    lists.clear()
    return Matcher.aside(joined)
