"""Parts of versions in Redis: bytes in chunks, written so that a half of them is never taken for the whole."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Final

import redis.asyncio as aioredis

CHUNK_BYTES: Final = 4 * 1_048_576
"""As much as Redis hands over in a few milliseconds: others are answered in between."""
UNFINISHED_EXPIRY_S: Final = 600
"""Chunks of which nothing is made are gone this long after the last of them was written."""


class PartError(ValueError):
    """A part is missing, cut short, or not what was written."""


async def write(client: aioredis.Redis, key: str, raw: bytes) -> tuple[int, str]:
    """Write a part, which expires unless somebody persists it; return how many chunks it has, and its SHA-256."""
    redis: Any = client
    digest = asyncio.create_task(asyncio.to_thread(digest_of, raw))
    view = memoryview(raw)
    count = 0
    try:
        for start in range(0, len(raw), CHUNK_BYTES):
            async with redis.pipeline(transaction=True) as pipe:
                pipe.rpush(key, view[start : start + CHUNK_BYTES])
                pipe.expire(key, UNFINISHED_EXPIRY_S)
                await pipe.execute()
            count += 1
    finally:
        told = await digest
    return count, told


async def read(client: aioredis.Redis, key: str, count: int, digest: str) -> memoryview:
    """Read a part chunk by chunk, so that it is in memory once.

    Parameters
    ----------
    count, digest
        As `write` returned them; an empty digest is not compared.

    Raises
    ------
    PartError
        It is missing, or damaged.
    """
    redis: Any = client
    raw = bytearray()
    summed = hashlib.sha256()
    for number in range(count):
        chunk = await redis.lindex(key, number)
        if chunk is None:
            raise PartError(f"chunk {number + 1} of {count} is missing")
        raw += chunk
        await asyncio.to_thread(summed.update, chunk)
    if digest and summed.hexdigest() != digest:
        raise PartError("the checksum does not agree")
    return memoryview(raw).toreadonly()


def digest_of(raw: bytes) -> str:
    """SHA-256 of a part, hex."""
    return hashlib.sha256(raw).hexdigest()
