"""What the desk keeps in Redis beside the store's own: the preview of each staged version, and counts.

===================================== ======================================================================
``lik:hotlist:NAME:pN``               preview of staged version N (`hotlists.shapes.Preview`, JSON); expires
``lik:hotlist:NAME:counts``           hash: version -> its entries, and how many of these are covert
===================================== ======================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import redis.asyncio as aioredis

from hotlists.shapes import Preview


@dataclass(frozen=True, slots=True)
class Count:
    """How many entries a version has."""

    rows: int
    covert: int
    """Of these, how many are covert by themselves."""


class Kept(Preview):
    """A preview as it is kept."""

    covert: bool = False
    """It shows covert entries of an open list: absent for who may not know of those."""


class Notes:
    """Previews and counts, on the Redis of the lists."""

    def __init__(self, client: aioredis.Redis) -> None:
        self._redis: Any = client

    async def keep(self, preview: Kept, expiry_s: int) -> None:
        """Keep a preview for as long as its version may be published."""
        await self._redis.set(_key(preview.name, preview.number), preview.model_dump_json(), ex=expiry_s)

    async def preview(self, name: str, number: int) -> Kept | None:
        """Return the preview of a staged version; None where it has none any more."""
        raw = await self._redis.get(_key(name, number))
        return None if raw is None else Kept.model_validate_json(raw)

    async def previews(self, name: str, numbers: list[int], knows_covert: bool) -> list[Kept]:
        """Return those previews of staged versions that somebody may see, in the order of `numbers`."""
        raw = await self._redis.mget([_key(name, number) for number in numbers]) if numbers else []
        found = [Kept.model_validate_json(each) for each in raw if each is not None]
        return [each for each in found if knows_covert or not each.covert]

    async def forget(self, name: str, number: int) -> None:
        """Remove a preview."""
        await self._redis.delete(_key(name, number))

    async def count(self, name: str, number: int, count: Count) -> None:
        """Keep how many entries a version has."""
        await self._redis.hset(f"lik:hotlist:{name}:counts", str(number), f"{count.rows} {count.covert}")

    async def prune(self, name: str, numbers: Iterable[int]) -> None:
        """Forget the counts of versions other than these."""
        gone = set(await self.counts(name)) - set(numbers)
        if gone:
            await self._redis.hdel(f"lik:hotlist:{name}:counts", *map(str, gone))

    async def counts(self, name: str) -> dict[int, Count]:
        """Return the counts of a list's versions, by number."""
        found = await self._redis.hgetall(f"lik:hotlist:{name}:counts")
        return {int(number): Count(*map(int, value.split())) for number, value in found.items()}

    @staticmethod
    def visible(count: Count | None, knows_covert: bool) -> int | None:
        """How many entries somebody may know of; None where that is not known."""
        if count is None:
            return None
        return count.rows if knows_covert else count.rows - count.covert


def _key(name: str, number: int) -> str:
    return f"lik:hotlist:{name}:p{number}"
