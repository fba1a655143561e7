"""The Kafka topics: names, keys, partitions, retention; how consumers and producers are made.

| topic | value | key | consumer group |
| --- | --- | --- | --- |
| anpr.frames | Capture | camera | kruispunt-ocr |
| anpr.reads | PlateRead | camera | kruispunt-match |
| anpr.rejects | Reject | camera or source | none |
| lik.hits | Hit | entry | kruispunt-alerts |
| lik.alerts | Alert | alert | none |
| rir.intake | RirDraft | alert | none |
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.partitioner import murmur2

from pipeline import telemetry
from pipeline.backpressure import LagGate
from pipeline.errors import UnavailableError
from pipeline.model import Message, Reject, RejectReason, derive_id, encode
from pipeline.settings import Settings

FRAMES: Final = "anpr.frames"
READS: Final = "anpr.reads"
REJECTS: Final = "anpr.rejects"
HITS: Final = "lik.hits"
ALERTS: Final = "lik.alerts"
RIR: Final = "rir.intake"

GROUPS: Final[Mapping[str, str]] = {
    FRAMES: "kruispunt-ocr",
    READS: "kruispunt-match",
    HITS: "kruispunt-alerts",
}
"""The consumer group that must see every message of a topic."""

SESSION_MS: Final = 10_000
"""A worker that died is replaced within this; its reads wait in Kafka so long."""

CLOSE_S: Final = 2.0
"""How long a publisher that is closed waits for what was not flushed."""

_HOUR_MS: Final = 3_600_000
_BESIDE_PAYLOAD_BYTES: Final = 4096
_MOST_PENDING: Final = 4096


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and how long Kafka keeps its messages."""

    name: str
    retention_ms: int

    @property
    def segment_ms(self) -> int:
        """How long Kafka writes to one file. It removes whole files that it no longer writes to: with its own
        week or 1 GiB, a message on a quiet topic would be there long after its retention.
        """
        return self.retention_ms // 12


TOPICS: Final = (
    # Pictures of everybody who passes: kept only as long as the OCR worker may be behind.
    Topic(FRAMES, _HOUR_MS),
    # Movements of everybody who passes: a day, to survive a long outage of the match worker.
    Topic(READS, 24 * _HOUR_MS),
    Topic(REJECTS, 72 * _HOUR_MS),
    # Hits and what follows: a week; the store is their lasting place.
    Topic(HITS, 168 * _HOUR_MS),
    Topic(ALERTS, 168 * _HOUR_MS),
    Topic(RIR, 168 * _HOUR_MS),
)


async def ensure_topics(settings: Settings) -> None:
    """Create the topics that are missing; does nothing where `Settings.kafka_create_topics` is off.

    Raises
    ------
    UnavailableError
        The broker does not answer, or refuses.
    """
    if not settings.kafka_create_topics:
        return
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    try:
        await admin.start()
        wanted = [
            NewTopic(
                topic.name,
                settings.kafka_partitions,
                settings.kafka_replication,
                topic_configs={
                    "retention.ms": str(topic.retention_ms),
                    "segment.ms": str(topic.segment_ms),
                    "max.message.bytes": str(settings.kafka_max_message_bytes),
                },
            )
            for topic in TOPICS
        ]
        answer = await admin.create_topics(wanted)
        for name, code, *_ in answer.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise UnavailableError(f"cannot create topic {name}: {for_code(code).__name__}")
    except KafkaError as error:
        raise UnavailableError(f"Kafka at {settings.kafka_bootstrap}: {error}; see LIK_KAFKA_BOOTSTRAP") from error
    finally:
        await admin.close()


def consumer(settings: Settings, topic: str, *, group: str | None = None, **overrides: Any) -> AIOKafkaConsumer:
    """Make a consumer of `topic` in its group, from the earliest message, with commits by hand.

    Parameters
    ----------
    group
        Another group than `GROUPS`'.
    **overrides
        Arguments of AIOKafkaConsumer that take the place of ours.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "group_id": group or GROUPS[topic],
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "max_partition_fetch_bytes": max(1_048_576, settings.kafka_max_message_bytes),
        "session_timeout_ms": SESSION_MS,
        "heartbeat_interval_ms": 1_000,
        # Longer than any batch takes, a slow frame batch and a broker's restart included.
        "max_poll_interval_ms": 300_000,
        "fetch_max_wait_ms": fetch_wait_ms(settings),
        **overrides,
    }
    return AIOKafkaConsumer(topic, **options)


def fetch_wait_ms(settings: Settings) -> int:
    """How long a fetch may wait for the first message.

    A real broker answers as soon as one is there. The embedded one looks only when the wait is over, so that
    the wait is a latency there and must be short.
    """
    return 5 if settings.kafka_in_flight_bytes else 500


async def group_lag(settings: Settings, topic: str) -> int:
    """Count the messages on `topic` that its group has not committed yet."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, group_id=GROUPS[topic], enable_auto_commit=False
    )
    await reader.start()
    try:
        partitions = [TopicPartition(topic, number) for number in reader.partitions_for_topic(topic) or ()]
        if not partitions:
            await reader._client.add_topic(topic)
            partitions = [TopicPartition(topic, number) for number in reader.partitions_for_topic(topic) or ()]
        ends = await reader.end_offsets(partitions)
        begins = await reader.beginning_offsets(partitions)
        lag = 0
        for partition in partitions:
            lag += ends[partition] - (await reader.committed(partition) or begins[partition])
        return lag
    finally:
        await reader.stop()


class Publisher:
    """The one way to produce: keyed, acknowledged by all replicas, idempotent, held back where needed.

    With `Settings.kafka_in_flight_bytes` set, `send` waits while the partition's group is that many bytes
    behind what this publisher sent: the embedded broker would drop the oldest otherwise.

    Use it as an async context manager. `send` hands over; `flush` returns once every message sent so far is
    acknowledged, and raises if one is not.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap,
            acks="all",
            enable_idempotence=True,
            # A read has 25 ms from here to its hit: a longer linger would eat it.
            linger_ms=1,
            max_request_size=settings.kafka_max_message_bytes,
            partitioner=_partition,
            request_timeout_ms=10_000,
        )
        self._gate = LagGate(settings, GROUPS) if settings.kafka_in_flight_bytes else None
        self._pending: list[Any] = []

    async def __aenter__(self) -> Self:
        try:
            await self._producer.start()
            if self._gate is not None:
                await self._gate.start()
        except KafkaError as error:
            await self._producer.stop()
            raise UnavailableError(
                f"Kafka at {self._settings.kafka_bootstrap}: {error}; see LIK_KAFKA_BOOTSTRAP"
            ) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._gate is not None:
            await self._gate.stop()
        stopping = asyncio.ensure_future(self._producer.stop())
        await asyncio.wait({stopping}, timeout=CLOSE_S)
        if not stopping.done():
            # An idempotent producer never gives a message up, and would not end while Kafka is away. Whoever
            # needs what is still pending has flushed, and knows that it was not acknowledged.
            self._producer._message_accumulator.fail_all(KafkaError("closed before it was acknowledged"))
        await stopping

    @property
    def max_payload_bytes(self) -> int:
        """Most bytes of an image that fit into a message: as base64, beside the other fields."""
        return (self._settings.kafka_max_message_bytes - _BESIDE_PAYLOAD_BYTES) // 4 * 3

    async def send(self, topic: str, message: Message, *, key: str) -> Any:
        """Hand `message` over; return a future of its RecordMetadata, which `flush` also waits for.

        Raises
        ------
        UnavailableError
            The broker does not take it: away, or the message is larger than `kafka_max_message_bytes`.
        """
        return await self.send_bytes(topic, encode(message), key=key)

    async def send_bytes(self, topic: str, value: bytes, *, key: str) -> Any:
        """Hand an encoded message over; see `send`."""
        raw_key = key.encode()
        try:
            if self._gate is None or topic not in GROUPS:
                future = await self._producer.send(topic, value, key=raw_key)
            else:
                numbers = sorted(await self._producer.partitions_for(topic))
                partition = TopicPartition(topic, _partition(raw_key, numbers, numbers))
                async with self._gate.admitted(partition, len(value)) as watch:
                    future = await self._producer.send(topic, value, key=raw_key, partition=partition.partition)
                    watch(future)
        except KafkaError as error:
            raise UnavailableError(f"{topic}: not taken: {error}") from error
        self._pending.append(future)
        if len(self._pending) >= _MOST_PENDING:
            self._forget_settled()
        return future

    def _forget_settled(self) -> None:
        """Forget what is acknowledged, and all but one of what failed: `flush` needs to know of one."""
        settled = [each for each in self._pending if each.done()]
        failed = [each for each in settled if not each.cancelled() and each.exception()]
        self._pending = [*failed[:1], *(each for each in self._pending if not each.done())]

    async def flush(self) -> None:
        """Wait until all that was sent since the last flush is acknowledged.

        Raises
        ------
        UnavailableError
            A message was not acknowledged; the others may have been. Send the batch again: ids are stable.
        """
        pending, self._pending = self._pending, []
        failure: KafkaError | None = None
        for future in pending:
            try:
                await future
            except KafkaError as error:
                failure = error
        if failure is not None:
            raise UnavailableError(f"Kafka did not acknowledge: {failure}") from failure

    async def reject(
        self,
        reason: RejectReason,
        detail: str,
        *,
        stage: str,
        payload: bytes = b"",
        field: str | None = None,
        camera: str = "",
        source: str = "",
        record: ConsumerRecord[Any, Any] | None = None,
    ) -> Any:
        """Put an input that cannot be used on ``anpr.rejects``, counted, with where it came from.

        Returns what `send` does.

        Parameters
        ----------
        detail
            What was wrong, in plain words; never the plate text.
        record
            The Kafka message that it was, if it was one.
        """
        telemetry.REJECTS.labels(stage, reason.value).inc()
        at_ns = telemetry.now_ns()
        where = (record.topic, record.partition, record.offset) if record is not None else (source, camera, at_ns)
        message = Reject(
            reject_id=derive_id("reject", stage, *where),
            reason=reason,
            detail=detail,
            rejected_at_ns=at_ns,
            field=field,
            camera=camera,
            source=source or stage,
            topic=record.topic if record is not None else None,
            partition=record.partition if record is not None else None,
            offset=record.offset if record is not None else None,
            payload=payload[: self._settings.reject_payload_bytes],
        )
        return await self.send(REJECTS, message, key=camera or source or stage)


def _partition(key: bytes, all_partitions: list[int], available: list[int]) -> int:
    """Choose a partition as Kafka's own clients do, so that every producer agrees."""
    chosen: int = (murmur2(key) & 0x7FFFFFFF) % len(all_partitions)
    return all_partitions[chosen]
