"""Hotlists in Redis: lists, versions, one atomic switch, what workers follow. `hotlists.scripts` lists the keys.

A version's columns hold what its entries state themselves. The list's priority and handling are those of the
snapshot's metadata: a list that becomes covert must not go on with the open entries of its last upload.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import reduce
from typing import Any, Final, NamedTuple

import msgspec
import redis.asyncio as aioredis

from hotlists import parts, scripts
from hotlists.edits import Edit
from hotlists.entry import Hotlist, HotlistEntry
from hotlists.parsed import NO_COLUMNS
from hotlists.snapshot import Columns, Snapshot, pack_entries
from hotlists.versions import ListState, Mark, StoreState, WorkerReport

KEPT_VERSIONS: Final = 5
"""Replacements of a list that are kept, to roll back to."""
KEPT_DELTAS: Final = 20
STAGED_EXPIRY_S: Final = 86_400
HEARTBEAT_EXPIRY_S: Final = 10

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")
_NORMALISED: Final = re.compile(r"[0-9A-Z?*]{1,10}\Z")


class HotlistError(ValueError):
    """A list's name is not allowed, there is no such list or version, or Redis does not hold it whole."""


class ConflictingError(HotlistError):
    """Another version went live meanwhile."""

    def __init__(self, name: str, live: int) -> None:
        super().__init__(f"version {live} of list {name!r} is live now")
        self.live = live


class Step(NamedTuple):
    """One part of what makes a version."""

    number: int
    id: str
    """Identity of the version that the part leads to."""
    chunks: int
    digest: str


class HotlistStore:
    """The master copy of every hotlist, on one Redis."""

    def __init__(self, client: aioredis.Redis) -> None:
        self._redis: Any = client

    async def create(self, hotlist: Hotlist, *, by: str = "", why: str = "") -> None:
        """Make a list, or replace its metadata; its live version stays.

        Raises
        ------
        HotlistError
            The name is not 1 to 64 lower-case letters, digits and dashes.
        """
        if not NAME.match(hotlist.name):
            raise HotlistError(f"{hotlist.name!r}: a list's name is 1 to 64 of a-z, 0-9 and -")
        # Threshold, handling and owner of a live list are part of what workers match with.
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

    async def get(self, name: str) -> Hotlist:
        """Return a list's metadata.

        Raises
        ------
        HotlistError
            There is no such list, or its metadata cannot be read.
        """
        raw = await self._redis.hget(scripts.META, name)
        if raw is None:
            raise HotlistError(f"there is no list {name!r}; make it first")
        return known(name, _hotlist(raw))

    async def lists(self) -> list[tuple[Hotlist, int | None]]:
        """Return every list with the number of its live version (None: nothing published), by name.

        One whose metadata cannot be read is left out: whether it is covert is not known.
        """
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(scripts.META)
            pipe.hgetall(scripts.LIVE)
            metadata, live = await pipe.execute()
        found = [(_hotlist(raw), live.get(name)) for name, raw in sorted(metadata.items())]
        return [(each, None if number is None else int(number)) for each, number in found if each is not None]

    async def exists(self, name: str) -> bool:
        """Tell whether there is a list of that name, be its metadata readable or not."""
        return bool(await self._redis.hexists(scripts.META, name))

    # --- what is published ---------------------------------------------------------------------------------

    async def publish(self, name: str, entries: Columns | Sequence[HotlistEntry], *, by: str, why: str) -> int:
        """Make `entries` the list's live version, whatever was; return the new snapshot version.

        Nobody sees a part of it: chunks are written first, under the version's own key, and the switch is one
        script. What a publication leaves behind that dies half-way expires by itself.

        Raises
        ------
        HotlistError
            There is no such list, a plate is not normalised, or Redis has lost a part of the upload meanwhile.
        """
        await self.get(name)
        columns = await asyncio.to_thread(_packed, name, entries)
        number, _ = await self._write(name, {"kind": "full", "rows": len(columns), "by": by}, whole=columns)
        return await self._publish(name, number, "", by=by, why=why)

    async def roll_back(
        self, name: str, number: int, *, by: str, why: str, expected_live: int | None = None
    ) -> int:
        """Make a kept version live again, whatever its form; return the new snapshot version.

        Raises
        ------
        ConflictingError
            Another version than `expected_live` is live; nothing has changed.
        HotlistError
            That version is not kept.
        """
        expected = "" if expected_live is None else expected_live
        answer = await self._eval(scripts.ROLL_BACK, name, scripts.prefix(name), number, expected, by, why)
        return _became(name, answer, f"version {number} of list {name!r} is not kept, or no longer whole")

    async def _write(
        self, name: str, told: Mapping[str, Any], *, whole: Columns | None = None, edit: Edit | None = None
    ) -> tuple[int, str]:
        """Write a version that nobody matches yet, and that expires; return its number and its digest."""
        prefix = scripts.prefix(name)
        number = int(await self._redis.incr(f"{prefix}next"))
        info = {"id": uuid.uuid4().hex, "full": 0, "delta": 0, "based_on": 0, **told}
        for form, key, content in (("full", "v", whole), ("delta", "d", edit)):
            if content is not None:
                raw = await asyncio.to_thread(content.to_bytes)
                info[form], info[f"{form}_sha256"] = await parts.write(self._redis, f"{prefix}{key}{number}", raw)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(f"{prefix}i{number}", mapping={**info, "when_ns": time.time_ns()})
            for key in "ivd":
                pipe.expire(f"{prefix}{key}{number}", STAGED_EXPIRY_S)
            now_s = now_ms() // 1000
            pipe.zremrangebyscore(f"{prefix}staged", "-inf", now_s)
            pipe.zadd(f"{prefix}staged", {str(number): now_s + STAGED_EXPIRY_S})
            await pipe.execute()
        return number, str(info["delta_sha256" if whole is None else "full_sha256"])

    async def _publish(self, name: str, number: int, expected: int | str, *, by: str, why: str) -> int:
        answer = await self._eval(
            scripts.PUBLISH,
            *(name, scripts.prefix(name), number, expected, by, why, time.time_ns(), KEPT_VERSIONS, KEPT_DELTAS),
        )
        return _became(
            name,
            answer,
            f"version {number} of list {name!r} has expired, or Redis lost a part of the upload to it; "
            "the live version stays, upload it again",
        )

    async def versions(self, name: str) -> list[int]:
        """Return the numbers of a list's kept versions, the live one last."""
        return [int(number) for number in await self._redis.zrange(f"{scripts.prefix(name)}versions", 0, -1)]

    # --- reading -------------------------------------------------------------------------------------------

    async def read(self, name: str, number: int) -> Columns:
        """Return the entries of a version, staged ones too.

        Raises
        ------
        HotlistError
            It is not kept, or damaged.
        """
        path = await self._path(name, number)
        if not path:
            raise HotlistError(f"version {number} of list {name!r} is missing from Redis; upload it again")
        base, edit = await self._base(name, path[0]), await self._edits(name, path[1:])
        return await asyncio.to_thread(edit.applied, base)

    async def edit_from(self, name: str, held: Mark, number: int) -> Edit | None:
        """Return what makes a version of the one that is `held`; None where the store knows no way.

        Raises
        ------
        HotlistError
            A part of the way is missing, or damaged.
        """
        path = await self._path(name, number, held)
        return await self._edits(name, path[1:]) if path else None

    async def largest_part(self, name: str, held: Mark | None, number: int) -> int:
        """Return how many chunks the largest part has that there is to read of a version, or from the one held."""
        path = await self._path(name, number, held) if held and held.number else []
        steps = path[1:] if path else await self._path(name, number)
        return max((step.chunks for step in steps), default=0)

    async def _path(self, name: str, number: int, held: Mark | None = None) -> list[Step]:
        begin = ("", "") if held is None else (held.number, held.id or "unknown")
        path = await self._redis.eval(scripts.PATH, 0, scripts.prefix(name), *begin, number)
        return [Step(int(each[0]), each[1].decode(), int(each[2]), each[3].decode()) for each in path]

    async def _base(self, name: str, step: Step) -> Columns:
        if not step.number:
            return NO_COLUMNS
        key = f"{scripts.prefix(name)}v{step.number}"
        try:
            raw = await parts.read(self._redis, key, step.chunks, step.digest)
            return await asyncio.to_thread(Columns.from_bytes, raw)
        except Exception as error:
            raise _damaged(name, step.number, error) from error

    async def _edits(self, name: str, steps: Sequence[Step]) -> Edit:
        """Read edits and join them into one."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for step in steps:
                pipe.lrange(f"{scripts.prefix(name)}d{step.number}", 0, -1)
            found = await pipe.execute() if steps else []
        edits = []
        for step, chunks in zip(steps, found, strict=True):
            raw = b"".join(chunks)
            try:
                if len(chunks) != step.chunks or parts.digest_of(raw) != step.digest:
                    raise parts.PartError("the checksum does not agree, or chunks are missing")
                edits.append(Edit.from_bytes(raw))
            except Exception as error:
                raise _damaged(name, step.number, error) from error
        return await asyncio.to_thread(reduce, Edit.then, edits) if edits else Edit()

    async def load_snapshot(self) -> Snapshot:
        """Read every live list, as they were at one version.

        Versions never change, so only one that is removed meanwhile makes it begin anew.

        Raises
        ------
        HotlistError
            A live version is missing from Redis, or damaged there.
        """
        while True:
            state = await self.state()
            live = [(each.hotlist, each.mark.number) for each in state.lists.values() if each.mark.number]
            try:
                parts = [(hotlist, await self.read(hotlist.name, number)) for hotlist, number in live if hotlist]
            except HotlistError:
                if await self.live_version() == state.version:
                    raise
            else:
                return await asyncio.to_thread(Snapshot.join, state.version, parts)

    # --- what workers follow -------------------------------------------------------------------------------

    async def live_version(self) -> int:
        """Return the snapshot version that is live now; 0 when nothing was ever published."""
        return int(await self._redis.get(scripts.VERSION) or 0)

    async def state(self) -> StoreState:
        """Return everything that workers follow, as it is at one moment; by name."""
        version, epoch, metadata, stamps, lives = await self._eval(scripts.STATE)
        told = dict(zip(metadata[::2], metadata[1::2], strict=True))
        stamp = {name: int(value) for name, value in zip(stamps[::2], stamps[1::2], strict=True)}
        live = {each[0]: each[1:] for each in lives}
        lists = {}
        for name in sorted({*stamp, *live}):
            number, identity, fresh_ns, when_ns = live.get(name, (b"0", b"", b"0", b"0"))
            mark = Mark(int(number), identity.decode(), stamp.get(name, 0), epoch.decode(), int(fresh_ns))
            lists[name.decode()] = ListState(_hotlist(told.get(name)), mark, int(when_ns))
        return StoreState(int(version), epoch.decode(), lists)

    async def changes(self) -> AsyncIterator[None]:
        """Yield at once, and then whenever something was published, for ever.

        Whoever looks at the state after each yield misses no change: what came before the first is there to see,
        and what comes later yields again.
        """
        last = await self._last_change()
        while True:
            yield None
            while not await self._redis.xread({scripts.CHANGES: last}, block=1000, count=1):
                pass
            last = await self._last_change()

    async def _last_change(self) -> Any:
        found = await self._redis.xrevrange(scripts.CHANGES, count=1)
        return found[0][0] if found else "0-0"

    async def report_worker(
        self, worker_id: str, version: int, *, behind: Sequence[str] = (), lost: Sequence[str] = ()
    ) -> None:
        """Say what a match worker holds (`WorkerReport`); forgotten after `HEARTBEAT_EXPIRY_S`."""
        report = msgspec.json.encode(WorkerReport(version, tuple(behind), tuple(lost)))
        await self._redis.set(f"{scripts.WORKER}{worker_id}", report, ex=HEARTBEAT_EXPIRY_S)

    async def reports(self) -> dict[str, WorkerReport]:
        """Return what each living match worker holds, by worker id."""
        found: dict[str, WorkerReport] = {}
        async for key in self._redis.scan_iter(f"{scripts.WORKER}*"):
            raw = await self._redis.get(key)
            if raw is not None:
                report = msgspec.json.decode(raw, type=WorkerReport)
                found[key.decode().removeprefix(scripts.WORKER)] = report
        return found

    async def workers(self) -> dict[str, int]:
        """Return the snapshot version that each living match worker holds, by worker id."""
        return {worker_id: report.version for worker_id, report in (await self.reports()).items()}

    async def _eval(self, script: str, *values: Any) -> Any:
        return await self._redis.eval(
            script, len(scripts.SHARED), *scripts.SHARED, now_ms(), uuid.uuid4().hex, *values
        )


def _packed(name: str, entries: Columns | Sequence[HotlistEntry]) -> Columns:
    """Turn what is published into columns.

    Raises
    ------
    HotlistError
        A plate is not normalised: cut to fit or read as another, it would be a hit on someone else.
    """
    if isinstance(entries, Columns):
        return entries
    for number, entry in enumerate(entries):
        if not _NORMALISED.match(entry.plate):
            raise HotlistError(f"entry {number} of the upload to {name!r}: its plate is not normalised")
    return pack_entries(Hotlist(name=name), entries)


def _became(name: str, answer: Any, missing: str) -> int:
    """Read what a switch answered."""
    what, value = answer[0].decode(), int(answer[1])
    if what == "conflict":
        raise ConflictingError(name, value)
    if what == "missing":
        raise HotlistError(missing)
    return value


def _damaged(name: str, number: int, error: Exception) -> HotlistError:
    """Say that a version is damaged, whatever numpy or JSON said to bytes that are not theirs; Redis that is away
    is no damage."""
    if isinstance(error, aioredis.RedisError | OSError):
        raise error
    return HotlistError(
        f"version {number} of list {name!r} is damaged in Redis ({error}); upload it again or roll back"
    )


def known(name: str, hotlist: Hotlist | None) -> Hotlist:
    """Return a list's metadata.

    Raises
    ------
    HotlistError
        It is None: it could not be read.
    """
    if hotlist is None:
        raise HotlistError(f"the metadata of list {name!r} cannot be read; describe it again")
    return hotlist


def _hotlist(raw: bytes | None) -> Hotlist | None:
    try:
        return None if raw is None else msgspec.json.decode(raw, type=Hotlist)
    except msgspec.MsgspecError:
        return None


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
