"""The census: how many reads and rejects come of each camera, counted from the topics, each exactly once.

Kafka gives a message at least once. So the counts and the offset up to which they go are written in one
transaction, on condition that the partition stood where the counting began (`CameraBook.add`): of two workers that
counted the same, one adds, and the other begins again from what the store says. Offsets in Kafka are committed
afterwards, only for others to see the lag.

The loop shares a process with notifications: it takes few messages at a time, and decodes four fields of each.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline import telemetry, topics
from pipeline.alerts.camera_book import Advance, CameraBook, Count, FencedError, Slot
from pipeline.alerts.camera_tables import MINUTE_S
from pipeline.errors import UnavailableError
from pipeline.intake import Record
from pipeline.model import RejectReason
from pipeline.settings import Settings
from pipeline.telemetry import Stamp

log = logging.getLogger(__name__)

GROUP: Final = "kruispunt-census"
MOST_RECORDS: Final = 2000
FLUSH_S: Final = 2.0
"""How often counts are written, so much later a page knows of a read."""
FLUSH_RECORDS: Final = 50_000
SLACK_RECORDS: Final = 20_000
"""About a second of the busiest zone."""
TAKE_MS: Final = 200
LAG_LIMIT_MS: Final = 10 * 86_400_000
"""A capture further from its arrival counts as so far: a clock at 1970 must not drown what else is in a mean."""
_AHEAD_NS: Final = 1_000_000_000


class _Read(msgspec.Struct):
    camera: str
    captured_at_ns: int
    confidence: float | None = None
    trail: dict[str, int] = {}


class _Reject(msgspec.Struct):
    reason: str
    camera: str = ""


class Census:
    """Counts the topics into the book; one per worker. Use it as an async context manager.

    Parameters
    ----------
    cameras
        The registered ids; what comes of any other is counted under ``""``. Nobody outside can make rows.
    """

    def __init__(self, settings: Settings, book: CameraBook, cameras: Collection[str]) -> None:
        self._book = book
        self._cameras = frozenset(cameras)
        self._consumer: AIOKafkaConsumer = topics.consumer(settings, topics.READS, group=GROUP)
        self._consumer.subscribe([topics.READS, topics.REJECTS])
        self._read = msgspec.json.Decoder(_Read)
        self._reject = msgspec.json.Decoder(_Reject)
        self._counts: dict[Slot, Count] = {}
        self._records = 0
        self._stored: dict[TopicPartition, int | None] = {}
        """Up to where each partition is in the store."""
        self._next: dict[TopicPartition, int] = {}
        """Up to where each is in `_counts`."""
        self._since_s = 0.0
        """When the first message was taken that is not written yet."""

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
        except KafkaError as error:
            await self._consumer.stop()
            raise UnavailableError(f"Kafka does not answer ({type(error).__name__})") from error
        return self

    async def __aexit__(self, *args: object) -> None:
        await self._consumer.stop()

    async def caught_up(self) -> bool:
        """Return whether all but the last moment of what is on the topics has been counted."""
        for partition in self._consumer.assignment():
            end = self._consumer.highwater(partition)
            if end is None or await self._consumer.position(partition) + SLACK_RECORDS < end:
                return False
        return bool(self._consumer.assignment())

    async def step(self) -> int:
        """Take what there is and count it, write when it is time; return how many messages were taken.

        What was not written when it falls, or ends, is taken again.
        """
        taken: Mapping[TopicPartition, Sequence[Record]] = await self._consumer.getmany(
            timeout_ms=TAKE_MS, max_records=MOST_RECORDS
        )
        self._forget_revoked()
        count = 0
        for partition, records in taken.items():
            fresh = await self._fresh(partition, records)
            self._count(partition.topic, fresh)
            count += len(fresh)
        if count and not self._records:
            self._since_s = time.monotonic()
        self._records += count
        waited_s = time.monotonic() - self._since_s
        if self._records and (waited_s >= FLUSH_S or self._records >= FLUSH_RECORDS):
            await self.flush()
        return count

    async def flush(self) -> None:
        """Write the counts, and up to where they go."""
        advances = [
            Advance(partition.topic, partition.partition, self._stored[partition], end)
            for partition, end in self._next.items()
            if end != self._stored[partition]
        ]
        try:
            await self._book.add(self._counts, advances)
        except FencedError as error:
            log.info("counted by another worker meanwhile (%s); beginning again from the store", error)
            await self._begin_again()
            return
        except BaseException:
            await self._begin_again()
            raise
        telemetry.MESSAGES.labels("census", "counted").inc(self._records)
        self._stored.update(self._next)
        self._counts, self._records = {}, 0
        assigned = self._consumer.assignment()
        ours = {each: end for each, end in self._next.items() if each in assigned}
        if not ours:
            return
        try:
            await self._consumer.commit(ours)
        except KafkaError as error:
            log.info("offsets are not committed (%s); the store has them", type(error).__name__)

    async def _begin_again(self) -> None:
        """Forget what is not written; `_fresh` finds the place in the store again."""
        partitions = {each: stored for each, stored in self._stored.items() if each in self._consumer.assignment()}
        self._counts, self._records = {}, 0
        self._stored, self._next = {}, {}
        for partition, stored in partitions.items():
            if stored is None:
                await self._consumer.seek_to_beginning(partition)
            else:
                self._consumer.seek(partition, stored)

    def _forget_revoked(self) -> None:
        gone = set(self._next) - set(self._consumer.assignment())
        if not gone:
            return
        # The counts are of all partitions together: what others have now is counted again by them, so all of
        # it is dropped here, and what is still ours is taken again.
        kept = {each: stored for each, stored in self._stored.items() if each not in gone}
        self._counts, self._records = {}, 0
        for partition, stored in kept.items():
            if stored is not None:
                self._consumer.seek(partition, stored)
        self._stored, self._next = {}, {}

    async def _fresh(self, partition: TopicPartition, records: Sequence[Record]) -> Sequence[Record]:
        """Return those of `records` that are not counted yet, and note that they will be."""
        if partition not in self._next:
            stored = await self._book.offset(*partition)
            end = self._consumer.highwater(partition)
            self._stored[partition] = stored
            if stored is not None and end is not None and stored > end:
                log.warning("%s/%d begins anew: the broker has less than was counted", *partition)
                stored = records[0].offset
            self._next[partition] = records[0].offset if stored is None else stored
        due = self._next[partition]
        if records[0].offset > due:
            if (
                self._stored[partition] is not None
                and records[0].offset - due
                and await self._is_there(partition, due)
            ):
                self._consumer.seek(partition, due)
                return []
            log.warning(
                "%s/%d: %d messages were gone before they were counted", *partition, records[0].offset - due
            )
        fresh = [record for record in records if record.offset >= due]
        if fresh:
            self._next[partition] = fresh[-1].offset + 1
        return fresh

    async def _is_there(self, partition: TopicPartition, offset: int) -> bool:
        begins = await self._consumer.beginning_offsets([partition])
        return bool(begins[partition] <= offset)

    def _count(self, topic: str, records: Sequence[Record]) -> None:
        for record in records:
            value = record.value or b""
            try:
                if topic == topics.READS:
                    self._count_read(record, self._read.decode(value))
                else:
                    rejected = self._reject.decode(value)
                    count = self._slot(rejected.camera, record)
                    count.rejects += 1
                    count.future += rejected.reason == RejectReason.FROM_THE_FUTURE
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                # What is no read comes by once more, as a reject.
                telemetry.MESSAGES.labels("census", "unreadable").inc()

    def _count_read(self, record: Record, read: _Read) -> None:
        count = self._slot(read.camera, record)
        arrived_ns = record.timestamp * 1_000_000
        received_ns = read.trail.get(Stamp.RECEIVED.value, arrived_ns)
        # A frame's read is appended when its turn came: what counts is when its capture came in.
        if not 0 < received_ns <= arrived_ns + _AHEAD_NS:
            received_ns = arrived_ns
        lag_ms = (received_ns - read.captured_at_ns) // 1_000_000
        lag_ms = max(-LAG_LIMIT_MS, min(LAG_LIMIT_MS, lag_ms))
        count.reads += 1
        count.lag_ms += lag_ms
        count.least_lag_ms = lag_ms if count.least_lag_ms is None else min(count.least_lag_ms, lag_ms)
        count.last_ns = max(count.last_ns, arrived_ns)
        if read.confidence is not None and 0.0 <= read.confidence <= 1.0:
            count.confident += 1
            count.confidence += read.confidence

    def _slot(self, camera: str, record: Record) -> Count:
        second = record.timestamp // 1000
        slot = Slot(camera if camera in self._cameras else "", second - second % MINUTE_S)
        count = self._counts.get(slot)
        if count is None:
            count = self._counts[slot] = Count()
        return count
