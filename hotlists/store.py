"""Hotlists in Redis: metadata, versions as packed columns, one atomic switch, a stream of changes.

Keys, all below ``lik:``

===================================== ======================================================================
``lik:hotlists``                      hash: list name -> metadata (JSON)
``lik:hotlists:live``                 hash: list name -> number of its live version
``lik:hotlists:version``              the snapshot's version: grows with each publication of any list
``lik:hotlists:changes``              stream: what was published, by whom, when and why
``lik:hotlist:NAME:next``             counter of the list's versions
``lik:hotlist:NAME:vN``               list of chunks, the packed columns of version N
``lik:hotlist:NAME:versions``         sorted set of the versions that are kept
``lik:worker:ID``                     snapshot version that a match worker holds; expires
===================================== ======================================================================
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
import redis.asyncio as aioredis

from hotlists.entry import Hotlist, HotlistEntry
from hotlists.snapshot import Columns, Snapshot, pack_entries

KEPT_VERSIONS: Final = 5
CHUNK_BYTES: Final = 4 * 1_048_576
HEARTBEAT_EXPIRY_S: Final = 10
# Milliseconds since the epoch, and more than before: it grows even when Redis has lost what it held.
_NEXT_VERSION: Final = (
    "local v = math.max(tonumber(redis.call('get', KEYS[1]) or '0') + 1, tonumber(ARGV[1])) "
    "redis.call('set', KEYS[1], string.format('%.0f', v)) return v"
)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")

_META: Final = "lik:hotlists"
_LIVE: Final = "lik:hotlists:live"
_VERSION: Final = "lik:hotlists:version"
_CHANGES: Final = "lik:hotlists:changes"


class HotlistError(ValueError):
    """A list's name is not allowed, or there is no such list or version."""


class HotlistStore:
    """The master copy of every hotlist, on one Redis."""

    def __init__(self, client: aioredis.Redis) -> None:
        self._redis: Any = client

    async def create(self, hotlist: Hotlist) -> None:
        """Make a list, or replace its metadata; its live version stays.

        Raises
        ------
        HotlistError
            The name is not 1 to 64 lower-case letters, digits and dashes.
        """
        if not _NAME.match(hotlist.name):
            raise HotlistError(f"{hotlist.name!r}: a list's name is 1 to 64 of a-z, 0-9 and -")
        live = await self._redis.hexists(_LIVE, hotlist.name)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(_META, hotlist.name, msgspec.json.encode(hotlist))
            if live:
                # Threshold, handling and owner are part of what workers match with.
                pipe.eval(_NEXT_VERSION, 1, _VERSION, _now_ms())
                pipe.xadd(_CHANGES, {"list": hotlist.name, "what": "metadata"}, maxlen=10_000)
            await pipe.execute()

    async def get(self, name: str) -> Hotlist:
        """Return a list's metadata.

        Raises
        ------
        HotlistError
            There is no such list.
        """
        raw = await self._redis.hget(_META, name)
        if raw is None:
            raise HotlistError(f"there is no list {name!r}; make it first")
        return msgspec.json.decode(raw, type=Hotlist)

    async def lists(self) -> list[tuple[Hotlist, int | None]]:
        """Return every list with the number of its live version (None: nothing published), by name."""
        metadata, live = await asyncio.gather(self._redis.hgetall(_META), self._redis.hgetall(_LIVE))
        return [
            (msgspec.json.decode(raw, type=Hotlist), int(live[name]) if name in live else None)
            for name, raw in sorted(metadata.items())
        ]

    async def publish(self, name: str, entries: Sequence[HotlistEntry], *, by: str, why: str) -> int:
        """Make `entries` the list's live version, in one step; return the new snapshot version.

        Nobody sees a part of it: chunks are written first, under the version's own key, and the switch is one
        transaction. Versions before the last `KEPT_VERSIONS` are removed.
        """
        hotlist = await self.get(name)
        raw = pack_entries(hotlist, entries).to_bytes()
        number = int(await self._redis.incr(f"lik:hotlist:{name}:next"))
        key = f"lik:hotlist:{name}:v{number}"
        for start in range(0, len(raw), CHUNK_BYTES):
            await self._redis.rpush(key, raw[start : start + CHUNK_BYTES])
        return await self._switch(name, number, by=by, why=why)

    async def roll_back(self, name: str, number: int, *, by: str, why: str) -> int:
        """Make a kept version live again; return the new snapshot version.

        Raises
        ------
        HotlistError
            That version is not kept.
        """
        if await self._redis.zscore(f"lik:hotlist:{name}:versions", number) is None:
            raise HotlistError(f"version {number} of list {name!r} is not kept")
        return await self._switch(name, number, by=by, why=why)

    async def _switch(self, name: str, number: int, *, by: str, why: str) -> int:
        kept = f"lik:hotlist:{name}:versions"
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(_LIVE, name, number)
            pipe.zadd(kept, {str(number): time.time()})
            pipe.eval(_NEXT_VERSION, 1, _VERSION, _now_ms())
            pipe.xadd(
                _CHANGES,
                {"list": name, "what": "published", "number": number, "by": by, "why": why},
                maxlen=10_000,
            )
            *_, version, _ = await pipe.execute()
        for old in await self._redis.zrange(kept, 0, -KEPT_VERSIONS - 1):
            await self._redis.zrem(kept, old)
            await self._redis.delete(f"lik:hotlist:{name}:v{int(old)}")
        return int(version)

    async def live_version(self) -> int:
        """Return the snapshot version that is live now; 0 when nothing was ever published."""
        return int(await self._redis.get(_VERSION) or 0)

    async def load_snapshot(self) -> Snapshot:
        """Read every live list, as they were at one version; reads again when one is published meanwhile."""
        while True:
            version = await self.live_version()
            parts: list[tuple[Hotlist, Columns]] = []
            for hotlist, number in await self.lists():
                if number is None:
                    continue
                chunks = await self._redis.lrange(f"lik:hotlist:{hotlist.name}:v{number}", 0, -1)
                if not chunks:
                    break
                raw = b"".join(chunks)
                parts.append((hotlist, await asyncio.to_thread(Columns.from_bytes, raw)))
            else:
                snapshot = await asyncio.to_thread(Snapshot.join, version, parts)
                if await self.live_version() == version:
                    return snapshot
            await asyncio.sleep(0.01)

    async def changes(self) -> AsyncIterator[None]:
        """Yield whenever something was published, from now on, for ever."""
        last = "$"
        while True:
            answer = await self._redis.xread({_CHANGES: last}, block=1000, count=1000)
            if answer:
                entries = answer[0][1] if isinstance(answer, list) else next(iter(answer.values()))
                last = entries[-1][0]
                yield None

    async def report_worker(self, worker_id: str, version: int) -> None:
        """Say that a match worker holds `version`; forgotten after `HEARTBEAT_EXPIRY_S`."""
        await self._redis.set(f"lik:worker:{worker_id}", version, ex=HEARTBEAT_EXPIRY_S)

    async def workers(self) -> dict[str, int]:
        """Return the snapshot version that each living match worker holds, by worker id."""
        found: dict[str, int] = {}
        async for key in self._redis.scan_iter("lik:worker:*"):
            version = await self._redis.get(key)
            if version is not None:
                found[key.decode().removeprefix("lik:worker:")] = int(version)
        return found


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
