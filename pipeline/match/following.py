"""Makes the next matcher of what changed in Redis: by edits where it can, by columns where it must.

Each list is followed by itself. What changed little is an edit, and costs what it changes. Of what changed much,
or must be read whole, the table is made beside, one list at a time, and then laid to the base, while edits of
other lists go on being followed. What has come over time is merged into one base, beside too. A list that cannot
be read stays as it was held, and holds nobody up. Whatever Redis does not know any more stays too: a Redis that
lost its data must not take the lists from the workers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from redis.exceptions import RedisError

from hotlists.columns import Columns
from hotlists.edits import Edit
from hotlists.entry import Hotlist
from hotlists.journal import Change
from hotlists.parsed import NO_COLUMNS
from hotlists.snapshot import Delta, Snapshot
from hotlists.store import HotlistError, HotlistStore, known
from hotlists.versions import ListState, Mark, StoreState
from pipeline.match.aside import aside
from pipeline.match.index import Index, segments_of
from pipeline.match.matcher import Matcher, Prepared
from pipeline.tasks import end_tasks

log = logging.getLogger(__name__)

SIDE_ROWS: Final = 100_000
"""Entries that are put in the side; of more, the table is made beside. With more in the side, all is merged."""
SMALL_CHUNKS: Final = 1
"""A part of more chunks is read beside: others need not wait for it."""
MOST_RANGES: Final = 8
"""Ranges of the base; what would be one more waits until they are merged."""
RETRY_S: Final = 30.0
"""A list that could not be read is tried again after this long, if nothing is published before; so is a merge that
failed."""

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


class Follower:
    """Holds the matcher, and makes the next one.

    Parameters
    ----------
    store
        Where lists are published.
    done
        Called when something that was made beside is in place: look again.

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
        self._merging: asyncio.Task[None] | None = None
        self._since: list[tuple[Delta, Prepared | None]] = []
        """What was applied since the merge began."""
        self._merge_failed_s = -RETRY_S
        self._preparing: asyncio.Task[None] | None = None
        self._pending = ""
        """The list that is prepared."""
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
            self.matcher = await asyncio.to_thread(_again, self.matcher, change.delta)
            self.marks = _marked(self.marks, change.marks)

    async def close(self) -> None:
        """End what is made beside."""
        await end_tasks([each for each in (self._merging, self._preparing) if each])

    async def follow(self) -> None:
        """Hold what is live, as far as it can be read; where nothing was held, all of it when this returns.

        Later, what is made beside is not waited for.
        """
        async with self._turn:
            state = await self._store.state()
            found = plan(self.marks, state)
            self.lost = tuple(found.lost)
            self.behind = {name: each for name, each in self.behind.items() if name in found.changed}
            open_ = set(found.changed)
            if not (self.marks or self._merging or self._preparing):
                await self._fill(state, open_)
            for name in found.changed:
                if name in open_ and name != self._pending and not self._waits(name, state.lists[name]):
                    await self._take(name, state, open_)
            if self._is_crowded():
                self._merge()
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

    async def _fill(self, state: StoreState, open_: set[str]) -> None:
        """Hold every list that can be read, where none is held: with every core there is, for reads wait."""
        lists: list[tuple[Hotlist, Columns]] = []
        marks: dict[str, Mark] = {}
        for name, each in state.lists.items():
            if not each.mark.number or self._waits(name, each):
                continue
            with self._trouble_of(name, each.mark):
                lists.append((known(name, each.hotlist), await self._store.read(name, each.mark.number)))
                marks[name] = each.mark
                self.behind.pop(name, None)
        if lists:
            open_.difference_update(marks)
            self.matcher = await asyncio.to_thread(_built, self._version(state, open_), lists)
            self.marks, self.changes, self.rebuilt = marks, [], True

    async def _take(self, name: str, state: StoreState, open_: set[str]) -> None:
        """Follow one list: it is in place when this returns, or it is prepared, has to wait, or is in `behind`."""
        each, mine = state.lists[name], self.marks.get(name)
        with self._trouble_of(name, each.mark):
            is_large = await self._is_large(name, each, mine)
            delta = None if is_large else await self._delta_of(name, each, mine)
            if delta is None or _rows(delta) > SIDE_ROWS:
                if self._preparing is None and self.matcher.index.ranges < MOST_RANGES:
                    self._pending = name
                    self._preparing = asyncio.create_task(self._prepare(name, each, mine, delta))
                return
            open_.discard(name)
            version = self._version(state, open_)
            try:
                await self._apply(replace(delta, version=version), {name: each.mark if each.mark.number else None})
            except BaseException:
                open_.add(name)
                raise
            self.behind.pop(name, None)

    @contextmanager
    def _trouble_of(self, name: str, mark: Mark) -> Iterator[None]:
        """Note what keeps a list from being followed; Redis that is away is not the list's trouble."""
        try:
            yield
        except (RedisError, OSError):
            raise
        except Exception as error:  # Whatever a damaged list makes numpy or the index say.
            if name not in self.behind or self.behind[name].mark != mark:
                kept = "its last good version is matched" if name in self.marks else "it is not matched"
                log.error("list %r cannot be followed, %s: %s", name, kept, str(error) or type(error).__name__)
            self.behind[name] = Trouble(str(error), mark, time.monotonic())

    async def _is_large(self, name: str, each: ListState, mine: Mark | None) -> bool:
        """Whether there is so much to read of what changed that others should not wait for it."""
        if not each.mark.number or _same(each.mark, mine):
            return False
        return await self._store.largest_part(name, mine, each.mark.number) > SMALL_CHUNKS

    async def _delta_of(self, name: str, each: ListState, mine: Mark | None) -> Delta:
        """Return what makes a list what is live of it."""
        mark = each.mark
        if not mark.number:
            return Delta(0, emptied=(name,))
        hotlist = known(name, each.hotlist)
        if _same(mark, mine):
            return Delta(0, [(hotlist, NO_COLUMNS)])
        edit = await self._edit(name, mine, mark.number)
        if edit is not None:
            named = edit.named()
            return Delta(0, [(hotlist, edit.added)], [(name, named.keys, named.country)])
        return Delta(0, [(hotlist, await self._store.read(name, mark.number))], emptied=(name,))

    async def _edit(self, name: str, mine: Mark | None, number: int) -> Edit | None:
        if mine is None or not mine.number:
            return None
        try:
            return await self._store.edit_from(name, mine, number)
        except HotlistError as error:
            log.warning("%s; list %r is read whole", error, name)
            return None

    async def _apply(
        self, delta: Delta, marks: Mapping[str, Mark | None], prepared: Prepared | None = None
    ) -> None:
        self.matcher = await asyncio.to_thread(self.matcher.apply, delta, prepared)
        self.marks = _marked(self.marks, marks)
        if self._merging:
            self._since.append((delta, prepared))
        self.changes.append(Change(delta, marks))

    async def _prepare(self, name: str, each: ListState, mine: Mark | None, delta: Delta | None) -> None:
        """Read what changed of a list, unless that is done, make its table beside, and lay it to the base."""
        try:
            with self._trouble_of(name, each.mark):
                change = delta or await self._delta_of(name, each, mine)
                prepared = await asyncio.to_thread(_prepared, self.matcher, change)
                async with self._turn:
                    await self._apply(replace(change, version=self.version), {name: each.mark}, prepared)
                self.behind.pop(name, None)
        except (RedisError, OSError) as error:
            log.warning("list %r is read again, once Redis is back: %s", name, error)
        finally:
            self._preparing, self._pending = None, ""
            self._done()

    def _is_crowded(self) -> bool:
        index, removed = self.matcher.index, self.matcher.snapshot.removed
        return index.ranges > 1 or max(index.side_rows, len(removed)) > SIDE_ROWS

    def _merge(self) -> None:
        """Begin to merge everything into one base beside what is matched, unless that goes on."""
        if self._merging is None and time.monotonic() - self._merge_failed_s >= RETRY_S:
            self._since = []
            self._merging = asyncio.create_task(self._merge_beside())

    async def _merge_beside(self) -> None:
        try:
            matcher = await asyncio.to_thread(_merged, self.matcher, frozenset(self.marks))
            # What came meanwhile may be much: others wait only for what comes while that is applied.
            matcher = await self._caught_up(matcher)
            async with self._turn:
                self.matcher = await self._caught_up(matcher)
                self.changes, self.rebuilt = [], True
        except Exception:
            log.exception("what is held cannot be merged; it is matched as it is, and tried again later")
            self._merge_failed_s = time.monotonic()
        finally:
            self._merging, self._since = None, []
            self._done()

    async def _caught_up(self, matcher: Matcher) -> Matcher:
        since, self._since = self._since, []
        for delta, prepared in since:
            matcher = await asyncio.to_thread(matcher.apply, delta, prepared)
        return matcher


def _marked(marks: Mapping[str, Mark], changed: Mapping[str, Mark | None]) -> dict[str, Mark]:
    every = {**marks, **changed}
    return {name: mark for name, mark in every.items() if mark is not None}


def _same(mark: Mark, mine: Mark | None) -> bool:
    """Whether the entries are those that are held: only what is said of the list may differ."""
    return mine is not None and bool(mark.id) and (mine.number, mine.id) == (mark.number, mark.id)


def _rows(delta: Delta) -> int:
    """How many entries a delta adds and removes."""
    return sum(len(each) for _, each in delta.added) + sum(len(keys) for _, keys, _ in delta.removed)


def _built(version: int, lists: list[tuple[Hotlist, Columns]]) -> Matcher:
    """Build from lists, which are let go before the index takes its room."""
    snapshot = Snapshot.join(version, lists)
    lists.clear()
    return _hurried(snapshot)


def _hurried(snapshot: Snapshot) -> Matcher:
    """Build with every core there is: reads wait for it."""
    base = segments_of(snapshot, threads=_cores())
    return Matcher(snapshot, index=Index(snapshot, base))


def _again(matcher: Matcher, delta: Delta) -> Matcher:
    """Apply what was applied before."""
    return matcher.apply(delta, _prepared(matcher, delta))


def _prepared(matcher: Matcher, delta: Delta) -> Prepared | None:
    """Prepare a delta, if it is large: for half a second per million entries, reads share the cores with this."""
    return matcher.prepare(delta, threads=_cores()) if _rows(delta) > SIDE_ROWS else None


def _merged(matcher: Matcher, names: frozenset[str]) -> Matcher:
    """Merge, while reads come first: nothing is matched later for it."""
    return aside(lambda: matcher.merged(names))


def _cores() -> int:
    return min(_MOST_THREADS, os.cpu_count() or 1)
