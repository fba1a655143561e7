"""How many reads of the last hour a staged version would have hit: the question and the answers, in Redis.

===================================== ======================================================================
``lik:lookback``                      channel: which staged version is asked about (`Question`, JSON)
``lik:lookback:NAME:N``               hash: worker -> its answer (`Answer`, JSON); expires
===================================== ======================================================================

No read is stored for it: each match worker counts, in its own memory, for at most an hour, under a key that only
it has and that goes with the process (`pipeline.match.lookback`). Only numbers come here, and coarse ones, so that
a list of one plate cannot ask whether a vehicle was seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import redis.asyncio as aioredis

from hotlists.shapes import LookbackShape

CHANNEL: Final = "lik:lookback"
ANSWER_EXPIRY_S: Final = 86_400
WAIT_S: Final = 1.0
"""An upload waits this long for the workers' answers; later ones are in the preview when it is asked again."""


class Question(msgspec.Struct, frozen=True):
    """Which staged version is asked about."""

    name: str
    number: int


class Answer(msgspec.Struct, frozen=True):
    """What one worker has counted."""

    reads: int
    """Reads since `since_ms`."""
    since_ms: int
    would_hit: int | None
    """About how many of them; None: too few to say."""


class Lookbacks:
    """Both sides of the question, on the Redis of the lists."""

    def __init__(self, client: aioredis.Redis) -> None:
        self._redis: Any = client

    async def ask(self, name: str, number: int) -> None:
        """Ask every worker; wait `WAIT_S` at most until all that listen have answered."""
        key = _key(name, number)
        listening = int(await self._redis.publish(CHANNEL, msgspec.json.encode(Question(name, number))))
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, "asked", listening)
            pipe.expire(key, ANSWER_EXPIRY_S)
            await pipe.execute()
        for _ in range(round(WAIT_S / 0.05)):
            if int(await self._redis.hlen(key)) > listening:
                return
            await asyncio.sleep(0.05)

    async def answers(self, name: str, number: int) -> LookbackShape:
        """Give what has been answered so far."""
        found = await self._redis.hgetall(_key(name, number))
        asked = int(found.pop(b"asked", 0))
        answers = [msgspec.json.decode(raw, type=Answer) for raw in found.values()]
        hits = [each.would_hit for each in answers if each.would_hit is not None]
        return LookbackShape(
            asked=asked,
            answered=len(answers),
            reads=sum(each.reads for each in answers),
            since_ms=max((each.since_ms for each in answers), default=None),
            would_hit=sum(hits) if hits else None,
        )

    async def questions(self) -> AsyncIterator[Question]:
        """Give the questions as they come, for ever: the workers' side."""
        async with self._redis.pubsub() as channel:
            await channel.subscribe(CHANNEL)
            async for message in channel.listen():
                if message["type"] == "message":
                    yield msgspec.json.decode(message["data"], type=Question)

    async def answer(self, question: Question, worker_id: str, answer: Answer) -> None:
        """Answer one: the workers' side."""
        key = _key(question.name, question.number)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, worker_id, msgspec.json.encode(answer))
            pipe.expire(key, ANSWER_EXPIRY_S)
            await pipe.execute()


def _key(name: str, number: int) -> str:
    return f"{CHANNEL}:{name}:{number}"
