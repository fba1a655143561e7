"""What the desk asks of the store: staged versions, one switch to live, deltas, versions with who and why."""

from __future__ import annotations

import asyncio
import hashlib
import re
import uuid
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from hotlists import scripts
from hotlists.columns import Columns
from hotlists.compare import joined, without
from hotlists.entry import Hotlist
from hotlists.parsed import NO_COLUMNS, as_entries
from hotlists.snapshot import is_pattern
from hotlists.store import CHUNK_BYTES, NAME, HotlistError, HotlistStore, now_ms, unpack_chunks
from hotlists.versions import Kind, Listing, Staged, VersionInfo
from plates import alphabet

STAGED_EXPIRY_S: Final = 86_400
KEPT: Final = 20


class ConflictingError(HotlistError):
    """Another version went live meanwhile."""

    def __init__(self, name: str, live: int) -> None:
        super().__init__(f"version {live} of list {name!r} is live now")
        self.live = live


class DeskStore(HotlistStore):
    """The store, with what the desk asks of it."""

    async def create(self, hotlist: Hotlist, *, by: str = "", why: str = "") -> None:
        """Make a list, or replace its metadata, as `HotlistStore.create`, with who and why in the stream."""
        _check_name(hotlist.name)
        await self._eval(scripts.DESCRIBE, hotlist.name, msgspec.json.encode(hotlist), "0", by, why)

    async def archive(self, name: str, *, by: str, why: str) -> None:
        """Take a list out of use: nothing of it is live any more, its versions stay.

        Raises
        ------
        HotlistError
            There is no such list.
        """
        hotlist = msgspec.structs.replace(await self.get(name), archived=True)
        await self._eval(scripts.DESCRIBE, name, msgspec.json.encode(hotlist), "1", by, why)

    async def _eval(self, script: str, *values: Any) -> Any:
        return await self._redis.eval(
            script, len(scripts.SHARED), *scripts.SHARED, now_ms(), uuid.uuid4().hex, *values
        )

    async def stage(
        self, name: str, columns: Columns, *, removed: Columns = NO_COLUMNS, kind: Kind, by: str, why: str
    ) -> Staged:
        """Write a version that nobody matches yet, and that expires unless it is published.

        Parameters
        ----------
        columns, removed
            What the upload adds and removes. A delta is laid over the version that is live now, and stored whole.
        """
        live = (await self._lives()).get(name, 0)
        held = await self.read(name, live) if live else NO_COLUMNS
        whole = columns if kind == "full" else await asyncio.to_thread(_applied, held, columns, removed)
        number = int(await self._redis.incr(f"{scripts.prefix(name)}next"))
        key, info = f"{scripts.prefix(name)}v{number}", f"{scripts.prefix(name)}i{number}"
        raw = await asyncio.to_thread(whole.to_bytes)
        digest = await asyncio.to_thread(lambda: hashlib.sha256(raw).hexdigest())
        chunks = [raw[start : start + CHUNK_BYTES] for start in range(0, len(raw), CHUNK_BYTES)]
        for chunk in chunks:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.rpush(key, chunk)
                pipe.expire(key, STAGED_EXPIRY_S)
                await pipe.execute()
        told = {
            "kind": kind, "full": len(chunks), "delta": 0, "full_sha256": digest, "based_on": live,
            "rows": len(columns), "removed": len(removed), "by": by, "why": why, "when_ns": now_ms() * 1_000_000,
        }  # fmt: skip
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(info, mapping=told)
            pipe.expire(info, STAGED_EXPIRY_S)
            pipe.zadd(f"{scripts.prefix(name)}staged", {str(number): now_ms() // 1000 + STAGED_EXPIRY_S})
            await pipe.execute()
        if kind == "delta":
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.rpush(f"{scripts.prefix(name)}u{number}", columns.to_bytes(), removed.to_bytes())
                pipe.expire(f"{scripts.prefix(name)}u{number}", STAGED_EXPIRY_S)
                await pipe.execute()
        return Staged(number, kind, len(columns), digest, live, 0, 0, 0, len(held))

    async def upload_of(self, name: str, number: int) -> tuple[Columns, Columns]:
        """Return what a staged version's upload added and removed; of a full one, its entries and nothing."""
        parts = await self._redis.lrange(f"{scripts.prefix(name)}u{number}", 0, -1)
        if parts:
            return Columns.from_bytes(parts[0]), Columns.from_bytes(parts[1])
        return await self.read(name, number), NO_COLUMNS

    async def discard(self, name: str, number: int) -> None:
        """Forget a staged version."""
        prefix = scripts.prefix(name)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(f"{prefix}staged", number)
            pipe.unlink(f"{prefix}v{number}", f"{prefix}i{number}")
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
        return self._became(
            name,
            number,
            await self._eval(
                scripts.PUBLISH,
                name,
                scripts.prefix(name),
                number,
                expected,
                by,
                why,
                now_ms() * 1_000_000,
                KEPT,
                KEPT,
            ),
        )

    async def roll_back(
        self, name: str, number: int, *, by: str, why: str, expected_live: int | None = None
    ) -> int:
        """Make a kept version live again, as `publish_staged` does a staged one."""
        expected = "" if expected_live is None else expected_live
        return self._became(
            name,
            number,
            await self._eval(scripts.ROLL_BACK, name, scripts.prefix(name), number, expected, by, why),
        )

    @staticmethod
    def _became(name: str, number: int, answer: Any) -> int:
        what, value = answer[0].decode(), int(answer[1])
        if what == "conflict":
            raise ConflictingError(name, value)
        if what == "missing":
            raise HotlistError(
                f"version {number} of list {name!r} is not kept, or no longer whole; upload it again"
            )
        return value

    async def apply_delta(
        self, name: str, added: Columns, *, removed: Columns = NO_COLUMNS, by: str, why: str
    ) -> tuple[int, int]:
        """Add and remove entries of what is live, at once; return the version's number and the snapshot version.

        Where another version goes live meanwhile, it begins anew on that one.
        """
        while True:
            staged = await self.stage(name, added, removed=removed, kind="delta", by=by, why=why)
            try:
                return staged.number, await self.publish_staged(
                    name, staged.number, expected_live=staged.based_on, by=by, why=why
                )
            except ConflictingError:
                await self.discard(name, staged.number)

    async def history(self, name: str) -> list[VersionInfo]:
        """Return what is staged and then what is kept, the live version last."""
        prefix = scripts.prefix(name)
        live = (await self._lives()).get(name, 0)
        kept = [int(each) for each in await self._redis.zrange(f"{prefix}versions", 0, -1)]
        staged = [
            int(each) for each in await self._redis.zrangebyscore(f"{prefix}staged", now_ms() // 1000, "+inf")
        ]
        found = []
        for number in (*staged, *kept):
            told = {
                key.decode(): value.decode()
                for key, value in (await self._redis.hgetall(f"{prefix}i{number}")).items()
            }
            found.append(
                VersionInfo(
                    number=number,
                    kind="delta" if told.get("kind") == "delta" else "full",
                    state="live" if number == live else "kept" if number in kept else "staged",
                    rows=int(told.get("rows", -1)),
                    removed=int(told.get("removed", 0)),
                    by=told.get("by", ""),
                    published_by=told.get("published_by", ""),
                    why=told.get("why", ""),
                    when_ns=int(told.get("when_ns", 0)),
                    based_on=int(told.get("based_on", 0)),
                    sha256=told.get("full_sha256", ""),
                )
            )
        return found

    async def read(self, name: str, number: int) -> Columns:
        """Return the entries of a version.

        Raises
        ------
        HotlistError
            It is not kept, or damaged.
        """
        chunks = await self._redis.lrange(f"{scripts.prefix(name)}v{number}", 0, -1)
        if not chunks:
            raise HotlistError(f"version {number} of list {name!r} is missing from Redis; upload it again")
        return await asyncio.to_thread(unpack_chunks, name, number, chunks)

    async def find(self, plate: str) -> list[Listing]:
        """Return every live entry that a read of `plate` (normalised) would be an exact or a pattern hit on."""
        key = alphabet.pack(alphabet.encode([plate]))[0]
        found = []
        for hotlist, number in await self.lists():
            if number is not None:
                columns = await self.read(hotlist.name, number)
                rows = np.flatnonzero((columns.keys == key) | _patterns_of(columns, plate))
                infos = {each.number: each for each in await self.history(hotlist.name)} if len(rows) else {}
                for entry in as_entries(columns.chosen(rows)):
                    since = infos[number].when_ns if number in infos else 0
                    found.append(Listing(hotlist, entry, number, number, since))
        return found

    async def _lives(self) -> dict[str, int]:
        return {each.name: number for each, number in await self.lists() if number is not None}


def _check_name(name: str) -> None:
    if not NAME.match(name):
        raise HotlistError(f"{name!r}: a list's name is 1 to 64 of a-z, 0-9 and -")


def _applied(held: Columns, added: Columns, removed: Columns) -> Columns:
    return joined(without(held, joined(removed, added)), added)


def _patterns_of(columns: Columns, plate: str) -> NDArray[np.bool_]:
    """Tell of each of N entries whether it is a pattern that `plate` fits; bool ``(N,)``."""
    found = is_pattern(columns.keys)
    rows = np.flatnonzero(found)
    for row, pattern in zip(rows, alphabet.decode(columns.chosen(rows).codes), strict=True):
        wanted = "".join({"?": ".", "*": ".*"}.get(character, character) for character in pattern)
        found[row] = re.fullmatch(wanted, plate) is not None
    return found
