"""What every worker that takes batches from a topic does alike: take, handle, commit; or take again.

The order makes it at-least-once: a batch's offsets are committed after all that follows from it is acknowledged.
A failing broker seeks the batch back. A failing commit changes nothing: the next one, or the worker that has the
partitions by then, makes up for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.errors import UnavailableError

log = logging.getLogger(__name__)

RETRY_S: Final = 0.5
TAKE_MS: Final = 200
"""How long a worker waits for messages before it looks whether it must stop."""

Record: TypeAlias = ConsumerRecord[Any, Any]
Take: TypeAlias = Callable[[Sequence[Record]], Awaitable[None]]


async def assigned(consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
    """Wait until the group has given `consumer` partitions, or `stop`."""
    while not consumer.assignment() and not stop.is_set():
        await asyncio.sleep(0.01)


async def take_batches(consumer: AIOKafkaConsumer, take: Take, *, stop: asyncio.Event, max_records: int) -> None:
    """Have `take` handle batch after batch until `stop`, and commit each.

    Parameters
    ----------
    take
        Returns when Kafka has acknowledged all that follows from the batch. Raises `UnavailableError` when it did
        not: the batch is then taken again.
    """
    while not stop.is_set():
        taken: Mapping[TopicPartition, Sequence[Record]] = await consumer.getmany(
            timeout_ms=TAKE_MS, max_records=max_records
        )
        if not taken:
            continue
        try:
            await take(list(chain.from_iterable(taken.values())))
        except UnavailableError as error:
            log.warning("what follows from a batch is not taken (%s); it is taken again", error)
            for partition, records in taken.items():
                # What another worker was given meanwhile is that worker's to handle.
                if partition in consumer.assignment():
                    consumer.seek(partition, records[0].offset)
            await asyncio.sleep(RETRY_S)
            continue
        try:
            await consumer.commit()
        except KafkaError as error:
            log.warning("offsets are not committed (%s); messages may be handled twice", type(error).__name__)


async def handle_or_refuse(
    records: Sequence[Record], handle: Take, refuse: Callable[[Record, str], Awaitable[None]]
) -> None:
    """Have `handle` do a batch; of one that it cannot do, find the message that is the cause, and refuse that.

    What cannot be handled must not keep back what is behind it: the batch is halved until the one message is
    found.

    Parameters
    ----------
    refuse
        Called with that message and the name of the error. What the error says is left out: it may hold a plate.

    Raises
    ------
    UnavailableError
        Of `handle`: a broker that is away is not the messages' fault.
    """
    try:
        await handle(records)
    except UnavailableError:
        raise
    except Exception as error:
        log.error("%d messages could not be handled: %s", len(records), type(error).__name__)
        if len(records) == 1:
            await refuse(records[0], type(error).__name__)
            return
        half = len(records) // 2
        await handle_or_refuse(records[:half], handle, refuse)
        await handle_or_refuse(records[half:], handle, refuse)
