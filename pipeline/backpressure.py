"""Hold a producer back by its consumers' lag, in bytes per partition.

librdkafka's in-process broker keeps about 5 MiB a partition and then silently drops the oldest. A producer
that never has more than a fraction of that unconsumed can lose nothing, however slow the consumer is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.settings import Settings

REFRESH_S: Final = 0.01
"""How often the committed offset is asked for while somebody waits."""


@dataclass
class _InFlight:
    """What this producer has sent to one partition and its group has not committed."""

    acknowledged: deque[tuple[int, int]] = field(default_factory=deque)
    """(offset, bytes), offsets ascending."""
    total_bytes: int = 0
    """Acknowledged and not yet acknowledged together."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Those who wait are let through in the order in which they came."""


class LagGate:
    """Admits a message when its partition's unconsumed bytes, of this producer, are under the limit.

    A message that is larger than the limit by itself is admitted when nothing else is in flight.
    """

    def __init__(self, settings: Settings, groups: Mapping[str, str]) -> None:
        self._settings = settings
        self._limit_bytes = settings.kafka_in_flight_bytes
        self._groups = groups
        self._partitions: dict[TopicPartition, _InFlight] = defaultdict(_InFlight)
        self._readers: dict[str, AIOKafkaConsumer] = {}

    async def start(self) -> None:
        """Open one reader of committed offsets per group; none of them joins its group."""
        for group in set(self._groups.values()):
            reader = AIOKafkaConsumer(
                bootstrap_servers=self._settings.kafka_bootstrap, group_id=group, enable_auto_commit=False
            )
            await reader.start()
            self._readers[group] = reader

    async def stop(self) -> None:
        """Close the readers."""
        for reader in self._readers.values():
            await reader.stop()

    @contextlib.asynccontextmanager
    async def admitted(
        self, partition: TopicPartition, size_bytes: int
    ) -> AsyncIterator[Callable[[asyncio.Future[Any]], None]]:
        """Wait until a message of `size_bytes` may be sent to `partition`; it then counts as in flight.

        Gives the function that follows the message: its offset once it is acknowledged, its bytes back when it
        fails. Leaving by an exception, before there was a future to follow, gives the bytes back too.
        """
        state = self._partitions[partition]
        async with state.lock:
            while state.total_bytes and state.total_bytes + size_bytes > self._limit_bytes:
                await self._refresh(partition, state)
                if state.total_bytes + size_bytes > self._limit_bytes and state.total_bytes:
                    await asyncio.sleep(REFRESH_S)
            state.total_bytes += size_bytes

        def settle(done: asyncio.Future[Any]) -> None:
            if done.cancelled() or done.exception() is not None:
                state.total_bytes -= size_bytes
            else:
                state.acknowledged.append((done.result().offset, size_bytes))

        try:
            yield lambda future: future.add_done_callback(settle)
        except BaseException:
            state.total_bytes -= size_bytes
            raise

    async def _refresh(self, partition: TopicPartition, state: _InFlight) -> None:
        committed: int | None = None
        with contextlib.suppress(asyncio.TimeoutError):
            committed = await self._readers[self._groups[partition.topic]].committed(partition)
        while state.acknowledged and committed is not None and state.acknowledged[0][0] < committed:
            state.total_bytes -= state.acknowledged.popleft()[1]
