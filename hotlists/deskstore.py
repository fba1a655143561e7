"""What the desk asks of the store: staged versions, edits at once, versions with who and why, where a plate is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import redis.asyncio as aioredis
from numpy.typing import NDArray
from redis.exceptions import RedisError

from hotlists import parts, scripts
from hotlists.columns import Columns
from hotlists.compare import without
from hotlists.edits import Edit
from hotlists.entry import Handling, Hotlist
from hotlists.parsed import NO_COLUMNS, as_entries
from hotlists.snapshot import is_pattern
from hotlists.store import HotlistError, HotlistStore, known, now_ms
from hotlists.versions import Kind, Listing, ListState, Mark, Staged, VersionInfo
from plates import alphabet

log = logging.getLogger(__name__)

EDIT_SHARE: Final = 0.25
"""A replacement that changes less than this share of its rows is stored as an edit too, for workers to follow."""
DEEPEST: Final = 128
"""Edits that a version may be away from one that is stored whole, and chunks of them."""
RETRY_S: Final = 30.0
"""A live version that could not be read is tried again this much later, unless somebody asks what is on it."""
_FOLDED_ROWS: Final = 10_000
"""Rows of edits that are kept beside the columns to look plates up in; with more they are put in."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A live version in memory, to look plates up."""

    mark: Mark
    base: Columns
    patterns: NDArray[np.int64]
    """Rows of `base` that are patterns."""
    edit: Edit
    """What makes the version of `base`."""

    @classmethod
    def of(cls, mark: Mark, base: Columns) -> _Known:
        return cls(mark, base, np.flatnonzero(is_pattern(base.keys)), Edit())

    def edited(self, mark: Mark, edit: Edit) -> _Known:
        """Return the version that `edit` makes of it."""
        both = self.edit.then(edit)
        if len(both) > _FOLDED_ROWS:
            return _Known.of(mark, both.applied(self.base))
        return _Known(mark, self.base, self.patterns, both)

    def naming(self, plate: str) -> Columns:
        """Return the entries that a read of `plate` would be an exact or a pattern hit on."""
        key = alphabet.pack(alphabet.encode([plate]))[0]
        rows = np.flatnonzero(self.base.keys == key)
        old = self.base.chosen(np.union1d(rows, self.patterns[_fits(self.base.keys[self.patterns], plate)]))
        wild = np.flatnonzero(is_pattern(self.edit.added.keys))
        new = np.flatnonzero(self.edit.added.keys == key)
        fresh = np.union1d(new, wild[_fits(self.edit.added.keys[wild], plate)])
        return Edit(self.edit.added.chosen(fresh)).applied(without(old, self.edit.named()))


@dataclass(frozen=True, slots=True)
class _Unread:
    """A live version that could not be read, and when that was tried last (monotonic)."""

    mark: Mark
    since_s: float


class DeskStore(HotlistStore):
    """The store, with what the desk asks of it."""

    def __init__(self, client: aioredis.Redis) -> None:
        super().__init__(client)
        self._known: dict[str, _Known] = {}
        self._unread: dict[str, _Unread] = {}
        self._knowing = asyncio.Lock()

    async def stage(
        self,
        name: str,
        columns: Columns,
        *,
        removed: Columns = NO_COLUMNS,
        kind: Kind,
        by: str,
        why: str,
    ) -> Staged:
        """Write a version that nobody matches yet, and that expires unless it is published.

        Parameters
        ----------
        columns, removed
            What the upload adds and removes. A delta is stored as that alone, and laid over what is live when it
            is published.
        """
        live = await self._live(name)
        told = {
            "kind": kind,
            "based_on": live,
            "rows": len(columns),
            "removed": len(removed),
            "by": by,
            "why": why,
        }
        if kind == "delta":
            number, digest = await self._write(name, told, edit=Edit(columns, removed))
        else:
            edit = await self._small_edit(name, live, columns)
            number, digest = await self._write(name, told, whole=columns, edit=edit)
        return Staged(number, kind, len(columns), digest, live)

    async def _small_edit(self, name: str, live: int, columns: Columns) -> Edit | None:
        """Return what a replacement changes of what is live, where that is little."""
        if not live or not len(columns):
            return None
        try:
            held = await self.read(name, live)
        except HotlistError:
            # Whoever replaces a damaged version is mending it.
            return None
        if abs(len(held) - len(columns)) > EDIT_SHARE * len(columns):
            return None
        edit = await asyncio.to_thread(Edit.between, held, columns)
        return edit if len(edit) <= EDIT_SHARE * len(columns) else None

    async def upload_of(self, name: str, number: int) -> tuple[Columns, Columns]:
        """Return what a staged version's upload added and removed; of a full one, its entries and nothing.

        Raises
        ------
        HotlistError
            It is damaged; or, of a delta, what it would be laid over is missing.
        """
        path = await self._path(name, number)
        if not path:
            raise HotlistError(
                f"a part of version {number} of list {name!r} is missing from Redis; upload it again"
            )
        if len(path) == 1:
            return await self._base(name, path[0]), NO_COLUMNS
        edit = await self._edits(name, path[-1:])
        return edit.added, edit.removed

    async def discard(self, name: str, number: int) -> None:
        """Forget a staged version."""
        prefix = scripts.prefix(name)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(f"{prefix}staged", number)
            pipe.unlink(f"{prefix}v{number}", f"{prefix}d{number}", f"{prefix}i{number}")
            await pipe.execute()

    async def publish_staged(self, name: str, number: int, *, expected_live: int | None, by: str, why: str) -> int:
        """Make a staged version live in one step, and return the new snapshot version.

        Raises
        ------
        ConflictingError
            Another version than `expected_live` is live; nothing has changed.
        HotlistError
            The staged version has expired, or Redis has lost a part of it.
        """
        expected = "" if expected_live is None else expected_live
        version = await self._publish(name, number, expected, by=by, why=why)
        await self._compact(name, number)
        return version

    async def apply_delta(
        self, name: str, added: Columns, *, removed: Columns = NO_COLUMNS, by: str, why: str
    ) -> tuple[int, int]:
        """Add and remove entries of what is live, at once; return the version's number and the snapshot version.

        Only what changes is written. Two at once are one after the other, and both are in what is live then.
        """
        told = {
            "kind": "delta", "single": 1, "rows": len(added), "removed": len(removed), "by": by, "why": why
        }  # fmt: skip
        number, _ = await self._write(name, told, edit=Edit(added, removed))
        return number, await self.publish_staged(name, number, expected_live=None, by=by, why=why)

    async def _compact(self, name: str, number: int) -> None:
        """Store a version whole that is read by way of many edits; that it cannot be costs nothing but time."""
        try:
            path = await self._path(name, number)
            if max(len(path), sum(step.chunks for step in path[1:])) <= DEEPEST:
                return
            raw = await asyncio.to_thread((await self.read(name, number)).to_bytes)
            key = f"{scripts.prefix(name)}c{number}"
            count, digest = await parts.write(self._redis, key, raw)
            await self._redis.eval(scripts.COMPACT, 1, key, scripts.prefix(name), number, count, digest)
        except (HotlistError, RedisError, OSError) as error:
            log.warning("version %d of list %r is not compacted: %s", number, name, error)

    async def history(self, name: str) -> list[VersionInfo]:
        """Return what is staged and then what is kept, the live version last."""
        prefix = scripts.prefix(name)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hget(scripts.LIVE, name)
            pipe.zrangebyscore(f"{prefix}staged", now_ms() // 1000, "+inf")
            pipe.zrange(f"{prefix}versions", 0, -1)
            live, staged, kept = await pipe.execute()
            for number in (*staged, *kept):
                pipe.hgetall(f"{prefix}i{int(number)}")
            found = await pipe.execute()
        states = {**dict.fromkeys(staged, "staged"), **dict.fromkeys(kept, "kept"), live: "live"}
        return [
            _version_info(int(number), states[number], told)
            for number, told in zip((*staged, *kept), found, strict=True)
        ]

    async def find(self, plate: str, name: str | None = None) -> list[Listing]:
        """Return every live entry that a read of `plate` (normalised) would be an exact or a pattern hit on.

        Parameters
        ----------
        name
            Look on this list alone.

        Raises
        ------
        HotlistError
            A list that is asked about is damaged: what is on it cannot be told.
        """
        states = (await self.state()).lists
        asked = {each: state for each, state in states.items() if name in (None, each) and state.mark.number}
        found = [await self._naming(each, state, plate) for each, state in asked.items()]
        return [listing for listings in found for listing in listings]

    async def find_readable(self, plate: str) -> tuple[list[Listing], list[Hotlist]]:
        """Return what `find` does, of every list that can be read; and the lists that are damaged."""
        return await self.each_readable(lambda name, state: self._naming(name, state, plate))

    async def each_readable(
        self, look: Callable[[str, ListState], Awaitable[list[Listing]]]
    ) -> tuple[list[Listing], list[Hotlist]]:
        """Look at each list that is live: return what is found on them, and those that are damaged.

        Parameters
        ----------
        look
            Given a list's name and what is live of it; its `HotlistError` says that it is damaged.
        """
        found: list[Listing] = []
        unread = []
        for name, state in (await self.state()).lists.items():
            if not state.mark.number:
                continue
            try:
                found += await look(name, state)
            except HotlistError:
                unread.append(state.hotlist or unknown(name))
        return found, unread

    async def _naming(self, name: str, state: ListState, plate: str) -> list[Listing]:
        """Return the live entries of one list that name a plate."""
        hotlist, number = known(name, state.hotlist), state.mark.number
        held = await self._know(name, state)
        entries = as_entries(await asyncio.to_thread(held.naming, plate))
        return [Listing(hotlist, entry, number, number, state.when_ns) for entry in entries]

    async def know_live(self) -> None:
        """Hold in memory what `find` looks at; a list that is damaged is left to whoever asks about it.

        What could not be read is read again when another version is live, or after `RETRY_S`.
        """
        live = {name: each for name, each in (await self.state()).lists.items() if each.mark.number}
        for name, state in live.items():
            if self._waits(name, state.mark):
                continue
            with contextlib.suppress(HotlistError):
                await self._know(name, state)
        self._known = {name: each for name, each in self._known.items() if name in live}
        self._unread = {name: each for name, each in self._unread.items() if name in live}

    def _waits(self, name: str, mark: Mark) -> bool:
        """Whether a version that could not be read is not yet tried again."""
        unread = self._unread.get(name)
        return unread is not None and unread.mark == mark and time.monotonic() - unread.since_s < RETRY_S

    async def _know(self, name: str, state: ListState) -> _Known:
        """Return a live version, from memory, or what changed since read, or all of it."""
        async with self._knowing:
            known, mark = self._known.get(name), state.mark
            if known is not None and known.mark.id == mark.id:
                return known
            edit = None
            if known is not None:
                with contextlib.suppress(HotlistError):
                    edit = await self.edit_from(name, known.mark, mark.number)
            if known is not None and edit is not None:
                known = await asyncio.to_thread(known.edited, mark, edit)
            else:
                known = await asyncio.to_thread(_Known.of, mark, await self._readable(name, mark))
            self._known[name] = known
            return known

    async def _readable(self, name: str, mark: Mark) -> Columns:
        """Read a live version, and remember where that cannot be."""
        try:
            columns = await self.read(name, mark.number)
        except HotlistError:
            self._unread[name] = _Unread(mark, time.monotonic())
            raise
        self._unread.pop(name, None)
        return columns

    async def _live(self, name: str) -> int:
        return int(await self._redis.hget(scripts.LIVE, name) or 0)


def unknown(name: str) -> Hotlist:
    """Return what a list is taken for whose metadata cannot be read: it may be covert, so it is."""
    return Hotlist(name=name, handling=Handling.COVERT)


def _version_info(number: int, state: Any, raw: dict[bytes, bytes]) -> VersionInfo:
    told = {key.decode(): value.decode() for key, value in raw.items()}
    kind: Kind = "delta" if told.get("kind") == "delta" else "full"
    return VersionInfo(
        number=number,
        kind=kind,
        state=state,
        rows=int(told.get("rows", -1)),
        removed=int(told.get("removed", 0)),
        by=told.get("by", ""),
        published_by=told.get("published_by", ""),
        why=told.get("why", ""),
        when_ns=int(told.get("when_ns", 0)),
        fresh_ns=int(told.get("fresh_ns", told.get("when_ns", 0))),
        based_on=int(told.get("based_on", 0)),
        sha256=told.get(f"{kind}_sha256", ""),
    )


def _fits(keys: NDArray[np.uint64], plate: str) -> NDArray[np.bool_]:
    """Tell of each pattern whether `plate` fits; bool ``(N,)``."""
    wanted = (
        "".join({"?": ".", "*": ".*"}.get(character, character) for character in pattern)
        for pattern in alphabet.decode(alphabet.unpack(keys))
    )
    return np.array([re.fullmatch(each, plate) is not None for each in wanted], np.bool_)
