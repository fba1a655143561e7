"""The stage clock, the latency budgets, and the Prometheus metrics.

Each stage stamps the message's ``trail`` with the wall clock in ns. Kafka's own append times are not used:
they have milliseconds only, and the embedded broker gives the producer's.

Metric labels never hold plate text, list names or entry ids: a covert list must not show in a metric.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from pipeline.errors import ConfigurationError
from pipeline.model import LAST_NS
from pipeline.settings import Settings

_MS_BUCKETS: Final = (0.5, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)


class Stamp(StrEnum):
    """A moment in the life of a capture; the keys of every ``trail``."""

    RECEIVED = "received"
    """The gateway or replay took the input in."""
    FRAME_SENT = "frame_sent"
    """The frame was handed to Kafka."""
    FRAME_TAKEN = "frame_taken"
    """The OCR worker took the frame."""
    READ_SENT = "read_sent"
    """The read was handed to Kafka."""
    READ_TAKEN = "read_taken"
    """The match worker took the read."""
    HIT_SENT = "hit_sent"
    """The hit was handed to Kafka."""
    HIT_TAKEN = "hit_taken"
    """The alert stage took the hit."""
    ALERT_STORED = "alert_stored"
    """The alert is in the store."""


SPANS: Final[Mapping[str, tuple[Stamp, Stamp]]] = {
    "ocr": (Stamp.FRAME_TAKEN, Stamp.READ_SENT),
    "match": (Stamp.READ_TAKEN, Stamp.HIT_SENT),
    "alert": (Stamp.HIT_TAKEN, Stamp.ALERT_STORED),
    "frame_to_read": (Stamp.FRAME_SENT, Stamp.READ_SENT),
    "read_to_hit": (Stamp.READ_SENT, Stamp.HIT_SENT),
    "read_to_alert": (Stamp.READ_SENT, Stamp.ALERT_STORED),
    "frame_to_alert": (Stamp.FRAME_SENT, Stamp.ALERT_STORED),
}
"""Named spans between two stamps; those named in `budgets_ms` have a budget."""

MESSAGES = Counter("lik_messages_total", "Messages a stage handled.", ["stage", "outcome"])
REJECTS = Counter("lik_rejects_total", "Inputs that were not used.", ["stage", "reason"])
LATENCY = Histogram("lik_latency_ms", "Latency of a span, ms.", ["span"], buckets=_MS_BUCKETS)
LATE = Counter("lik_late_total", "Messages over their latency budget.", ["span"])
BATCH = Histogram("lik_batch_size", "Messages taken at once.", ["stage"], buckets=(1, 4, 16, 64, 256, 1024, 4096))
SNAPSHOT_VERSION = Gauge("lik_snapshot_version", "Version of the snapshot that is matched against.")
SNAPSHOT_AGE = Gauge("lik_snapshot_checked_seconds", "Unix time when the snapshot last agreed with Redis.")
RIR_WAITING = Gauge("lik_rir_waiting", "Versions of information reports that have yet to leave.")
RIR_OLDEST_S = Gauge("lik_rir_oldest_seconds", "How long the oldest of them has waited; 0 where there is none.")
CAMERA_NOTICES = Gauge("lik_camera_notices", "1 while this is wrong with a camera.", ["camera", "kind"])


def budgets_ms(settings: Settings) -> dict[str, float]:
    """Latency budget per span, in ms."""
    return {
        "read_to_hit": settings.budget_read_to_hit_ms,
        "read_to_alert": settings.budget_read_to_alert_ms,
        "frame_to_alert": settings.budget_frame_to_alert_ms,
    }


def now_ns() -> int:
    """Wall clock, nanoseconds since the epoch, UTC."""
    return time.time_ns()


def stamped(trail: Mapping[str, int], stamp: Stamp, at_ns: int | None = None) -> dict[str, int]:
    """Return a copy of `trail` with `stamp` set to `at_ns` (default: now)."""
    return {**trail, stamp.value: now_ns() if at_ns is None else at_ns}


def plausible(trail: Mapping[str, int]) -> dict[str, int]:
    """Leave out of a trail what is no moment: later stages measure with it."""
    return {stamp: at_ns for stamp, at_ns in trail.items() if 0 <= at_ns <= LAST_NS}


def span_ms(trail: Mapping[str, int], span: str) -> float | None:
    """Length of a named span in ms, or None when the trail lacks one of its ends."""
    begin, end = SPANS[span]
    if begin.value not in trail or end.value not in trail:
        return None
    return (trail[end.value] - trail[begin.value]) / 1e6


def observe(trail: Mapping[str, int], spans: tuple[str, ...], budgets: Mapping[str, float]) -> bool:
    """Record `spans` of a trail in the metrics; True when one of them was over its budget."""
    late = False
    for span in spans:
        length = span_ms(trail, span)
        if length is None:
            continue
        LATENCY.labels(span).observe(length)
        if length > budgets.get(span, float("inf")):
            LATE.labels(span).inc()
            late = True
    return late


def start(settings: Settings) -> None:
    """Configure logging and, where a port is set, serve ``/metrics``.

    Raises
    ------
    ConfigurationError
        The address is taken, or is not this machine's.
    """
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if not settings.metrics_port:
        return
    try:
        start_http_server(settings.metrics_port, settings.metrics_host)
    except OSError as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise ConfigurationError(
            f"cannot serve metrics on {where} ({error.strerror}); see LIK_METRICS_HOST and LIK_METRICS_PORT"
        ) from error
