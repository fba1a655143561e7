"""Hotlists in Redis: metadata, versions as packed columns, one atomic switch, a stream of changes.

Keys, all below ``lik:``

===================================== ======================================================================
``lik:hotlists``                      hash: list name -> metadata (JSON)
``lik:hotlists:live``                 hash: list name -> number of its live version
``lik:hotlists:version``              the snapshot's version: grows with each publication of any list
``lik:hotlists:changes``              stream: what was published, by whom, when and why
``lik:hotlist:NAME:next``             counter of the list's versions
``lik:hotlist:NAME:vN``               chunks of the packed columns of version N; expires until published
``lik:hotlist:NAME:versions``         sorted set of the versions that are kept, by when they last became live
``lik:worker:ID``                     snapshot version that a match worker holds; expires
===================================== ======================================================================

A version's columns hold what its entries state themselves. The list's priority and handling are those of the
snapshot's metadata: a list that becomes covert must not go on with the open entries of its last upload.
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
UNFINISHED_EXPIRY_S: Final = 600
"""Chunks that no switch has made a version of are gone this long after the last of them was written."""
HEARTBEAT_EXPIRY_S: Final = 10

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")

_META: Final = "lik:hotlists"
_LIVE: Final = "lik:hotlists:live"
_VERSION: Final = "lik:hotlists:version"
_CHANGES: Final = "lik:hotlists:changes"
_NORMALISED: Final = re.compile(r"[0-9A-Z?*]{1,10}\Z")

# A script is one step to everybody else. Its version is milliseconds since the epoch and more than the one
# before, so that it grows even when Redis has lost what it held.
_BUMP: Final = """
local function bump(now_ms)
    local version = math.max(tonumber(redis.call('get', KEYS[1]) or '0') + 1, tonumber(now_ms))
    redis.call('set', KEYS[1], string.format('%.0f', version))
    return version
end
"""
# KEYS: version, live, changes, metadata. ARGV: list, its metadata, now in ms.
_DESCRIBE: Final = f"""{_BUMP}
redis.call('hset', KEYS[4], ARGV[1], ARGV[2])
if redis.call('hexists', KEYS[2], ARGV[1]) == 1 then
    bump(ARGV[3])
    redis.call('xadd', KEYS[3], 'MAXLEN', '~', 10000, '*', 'list', ARGV[1], 'what', 'metadata')
end
"""
# KEYS: version, live, changes, kept versions, chunks. ARGV: list, number, how many chunks it must have (0: it is
# a kept version), now in ms, by, why, how many versions to keep, prefix of chunk keys. False: it is not whole.
_SWITCH: Final = f"""{_BUMP}
local chunks = tonumber(ARGV[3])
if chunks == 0 then
    if not redis.call('zscore', KEYS[4], ARGV[2]) then return false end
    if redis.call('exists', KEYS[5]) == 0 then return false end
elseif redis.call('llen', KEYS[5]) ~= chunks then
    return false
end
redis.call('persist', KEYS[5])
local version = bump(ARGV[4])
redis.call('hset', KEYS[2], ARGV[1], ARGV[2])
redis.call('zadd', KEYS[4], string.format('%.0f', version), ARGV[2])
redis.call('xadd', KEYS[3], 'MAXLEN', '~', 10000, '*',
    'list', ARGV[1], 'what', 'published', 'number', ARGV[2], 'by', ARGV[5], 'why', ARGV[6])
for _, old in ipairs(redis.call('zrange', KEYS[4], 0, -tonumber(ARGV[7]) - 1)) do
    redis.call('zrem', KEYS[4], old)
    redis.call('unlink', ARGV[8] .. old)
end
return version
"""


class HotlistError(ValueError):
    """A list's name is not allowed, there is no such list or version, or Redis does not hold it whole."""


def _packed(name: str, entries: Columns | Sequence[HotlistEntry]) -> bytes:
    """Serialise what is published.

    Raises
    ------
    HotlistError
        A plate is not normalised: cut to fit or read as another, it would be a hit on someone else.
    """
    if isinstance(entries, Columns):
        return entries.to_bytes()
    for number, entry in enumerate(entries):
        if not _NORMALISED.match(entry.plate):
            raise HotlistError(f"entry {number} of the upload to {name!r}: its plate is not normalised")
    return pack_entries(Hotlist(name=name), entries).to_bytes()


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
        if not NAME.match(hotlist.name):
            raise HotlistError(f"{hotlist.name!r}: a list's name is 1 to 64 of a-z, 0-9 and -")
        # Threshold, handling and owner of a live list are part of what workers match with.
        await self._redis.eval(
            _DESCRIBE,
            4,
            *(_VERSION, _LIVE, _CHANGES, _META),
            *(hotlist.name, msgspec.json.encode(hotlist), now_ms()),
        )

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
        return (await self._at_one_moment())[1]

    async def _at_one_moment(self) -> tuple[int, list[tuple[Hotlist, int | None]]]:
        """Read the snapshot version and every list with its live version, as they are together."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.get(_VERSION)
            pipe.hgetall(_META)
            pipe.hgetall(_LIVE)
            version, metadata, live = await pipe.execute()
        lists = [
            (msgspec.json.decode(raw, type=Hotlist), int(live[name]) if name in live else None)
            for name, raw in sorted(metadata.items())
        ]
        return int(version or 0), lists

    async def publish(self, name: str, entries: Columns | Sequence[HotlistEntry], *, by: str, why: str) -> int:
        """Make `entries` the list's live version, in one step; return the new snapshot version.

        Nobody sees a part of it: chunks are written first, under the version's own key, and the switch is one
        script. What a publication leaves behind that dies half-way expires by itself. Versions before the last
        `KEPT_VERSIONS` are removed.

        Raises
        ------
        HotlistError
            There is no such list, a plate is not normalised, or Redis has lost a part of the upload meanwhile.
        """
        await self.get(name)
        raw = await asyncio.to_thread(_packed, name, entries)
        number = int(await self._redis.incr(f"lik:hotlist:{name}:next"))
        key = f"lik:hotlist:{name}:v{number}"
        chunks = [raw[start : start + CHUNK_BYTES] for start in range(0, len(raw), CHUNK_BYTES)]
        for chunk in chunks:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.rpush(key, chunk)
                pipe.expire(key, UNFINISHED_EXPIRY_S)
                await pipe.execute()
        version = await self._switch(name, number, chunks=len(chunks), by=by, why=why)
        if version is None:
            raise HotlistError(
                f"Redis lost a part of the upload to {name!r}; the live version stays, upload it again"
            )
        return version

    async def roll_back(self, name: str, number: int, *, by: str, why: str) -> int:
        """Make a kept version live again; return the new snapshot version.

        Raises
        ------
        HotlistError
            That version is not kept.
        """
        version = await self._switch(name, number, chunks=0, by=by, why=why)
        if version is None:
            raise HotlistError(f"version {number} of list {name!r} is not kept")
        return version

    async def versions(self, name: str) -> list[int]:
        """Return the numbers of a list's kept versions, the live one last."""
        return [int(number) for number in await self._redis.zrange(f"lik:hotlist:{name}:versions", 0, -1)]

    async def _switch(self, name: str, number: int, *, chunks: int, by: str, why: str) -> int | None:
        prefix = f"lik:hotlist:{name}:v"
        version = await self._redis.eval(
            _SWITCH,
            5,
            *(_VERSION, _LIVE, _CHANGES, f"lik:hotlist:{name}:versions", f"{prefix}{number}"),
            *(name, number, chunks, now_ms(), by, why, KEPT_VERSIONS, prefix),
        )
        return None if version is None else int(version)

    async def live_version(self) -> int:
        """Return the snapshot version that is live now; 0 when nothing was ever published."""
        return int(await self._redis.get(_VERSION) or 0)

    async def load_snapshot(self) -> Snapshot:
        """Read every live list, as they were at one version.

        Versions never change, so only one that is removed meanwhile makes it begin anew; what it has read of the
        others stays read.

        Raises
        ------
        HotlistError
            A live version is missing from Redis, or damaged there.
        """
        read: dict[tuple[str, int], Columns] = {}
        while True:
            version, lists = await self._at_one_moment()
            live = [(hotlist, number) for hotlist, number in lists if number is not None]
            for hotlist, number in live:
                if (hotlist.name, number) not in read:
                    chunks = await self._redis.lrange(f"lik:hotlist:{hotlist.name}:v{number}", 0, -1)
                    if not chunks:
                        break
                    read[hotlist.name, number] = await asyncio.to_thread(
                        unpack_chunks, hotlist.name, number, chunks
                    )
            else:
                parts = [(hotlist, read[hotlist.name, number]) for hotlist, number in live]
                return await asyncio.to_thread(Snapshot.join, version, parts)
            # A version is only removed together with a switch to a later one.
            if await self.live_version() == version:
                raise HotlistError(
                    f"version {number} of list {hotlist.name!r} is missing from Redis; upload it again"
                )

    async def changes(self) -> AsyncIterator[None]:
        """Yield at once, and then whenever something was published, for ever.

        Whoever looks at the live version after each yield misses no change: what came before the first is there
        to see, and what comes later yields again.
        """
        last = await self._last_change()
        while True:
            yield None
            while not await self._redis.xread({_CHANGES: last}, block=1000, count=1):
                pass
            last = await self._last_change()

    async def _last_change(self) -> Any:
        found = await self._redis.xrevrange(_CHANGES, count=1)
        return found[0][0] if found else "0-0"

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


def unpack_chunks(name: str, number: int, chunks: Sequence[bytes]) -> Columns:
    try:
        return Columns.from_bytes(b"".join(chunks))
    except Exception as error:  # Whatever numpy, zip or JSON say to bytes that are not theirs.
        raise HotlistError(
            f"version {number} of list {name!r} is damaged in Redis ({error}); upload it again or roll back"
        ) from error


def now_ms() -> int:
    return time.time_ns() // 1_000_000
