"""Watch a run from the outside, by reading its topics, and report counts and latencies per stage."""

from __future__ import annotations

import asyncio
import contextlib
import platform
from collections import Counter, defaultdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline import telemetry, topics
from pipeline.model import Alert, Hit, Message, MessageError, PlateRead, Reject, RirDraft, decode
from pipeline.settings import Settings

WATCHED: dict[str, tuple[str, type[Message]]] = {
    topics.READS: ("reads", PlateRead),
    topics.REJECTS: ("rejects", Reject),
    topics.HITS: ("hits", Hit),
    topics.ALERTS: ("alerts", Alert),
    topics.RIR: ("rir_drafts", RirDraft),
}

_SPANS_OF: dict[str, tuple[str, ...]] = {
    "reads": ("ocr", "frame_to_read"),
    "hits": ("match", "read_to_hit"),
    "alerts": ("alert", "read_to_alert", "frame_to_alert"),
}

_PACKAGES = ("kruispunt", "aiokafka", "faust-streaming", "numpy", "opencv-python-headless", "onnxruntime", "redis")


class Observer:
    """Counts what appears on the topics, and collects the trails, from `start` to `stop`.

    Distinct things are counted by id: a message delivered twice is one read, hit or alert.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ids: dict[str, set[str]] = defaultdict(set)
        self._spans: dict[str, list[float]] = defaultdict(list)
        self.reject_reasons: Counter[str] = Counter()
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin at the topics' present ends."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_bootstrap,
            enable_auto_commit=False,
            max_partition_fetch_bytes=self._settings.kafka_max_message_bytes,
        )
        await consumer.start()
        partitions = []
        for topic in WATCHED:
            # The embedded broker makes a topic when somebody asks for it.
            while not (found := await self._partitions(consumer, topic)):
                await asyncio.sleep(0.1)
            partitions += [TopicPartition(topic, number) for number in found]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        self._consumer = consumer
        self._task = asyncio.create_task(self._watch(consumer))

    @staticmethod
    async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
        await consumer._client.add_topic(topic)
        return set(consumer.partitions_for_topic(topic) or ())

    async def stop(self) -> None:
        """Stop watching; the counts stay."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._consumer is not None:
            await self._consumer.stop()

    def counts(self) -> dict[str, int]:
        """Distinct messages so far, per stage."""
        return {name: len(self._ids[name]) for name, _ in WATCHED.values()}

    def latencies(self) -> dict[str, dict[str, float]]:
        """Return p50, p99 and max in ms, and the count, per span that was seen."""
        return {
            span: {
                "count": len(values),
                "p50_ms": round(float(np.percentile(values, 50)), 3),
                "p99_ms": round(float(np.percentile(values, 99)), 3),
                "max_ms": round(max(values), 3),
            }
            for span, values in self._spans.items()
        }

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            name, kind = WATCHED[record.topic]
            with contextlib.suppress(MessageError):
                self._take(name, decode(record.value, kind))

    def _take(self, name: str, message: Message) -> None:
        match message:
            case PlateRead():
                identity, trail = message.read_id, message.trail
            case Hit():
                identity, trail = message.hit_id, message.trail
            case Alert():
                identity, trail = message.alert_id, message.trail
            case Reject():
                identity, trail = message.reject_id, {}
            case RirDraft():
                identity, trail = message.rir_id, {}
            case _:
                return
        if identity in self._ids[name]:
            return
        self._ids[name].add(identity)
        if isinstance(message, Reject):
            self.reject_reasons[message.reason.value] += 1
        for span in _SPANS_OF.get(name, ()):
            length = telemetry.span_ms(trail, span)
            if length is not None:
                self._spans[span].append(length)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a figure depends on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def build(
    observer: Observer, *, frames: int, expected: int, missing: list[str], broker: str, wall_s: float
) -> dict[str, Any]:
    """Put a run's report together: what `lik up --demo --once --report` writes."""
    return {
        "counts": {"frames": frames, **observer.counts()},
        "reject_reasons": dict(observer.reject_reasons),
        "expected_alerts": expected,
        "missing_alerts": missing,
        "latency": observer.latencies(),
        "wall_s": round(wall_s, 3),
        "broker": broker,
        "versions": versions(),
    }
