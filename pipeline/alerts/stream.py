"""The Faust application: ``lik.hits`` to alerts, with suppression, storage, and ``lik.alerts``.

For each hit, in this order:

1. find the open alert of the same entry, handling and zone: in the table, else in the store (it outlives the
   table);
2. make a new alert, or add the sighting; a hit that is counted already is a better read of the same vehicle where
   it rests on more frames (`pipeline.alerts.better`), and else changes nothing;
3. store it, and in the same transaction, where one is due, the draft report in the outbox (`outbox`);
4. send the alert; wait until Kafka has acknowledged it;
5. remember the alert in the table; only then is the hit acknowledged.

A fall in between means that the hit comes again; every id is derived, so nothing doubles.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import faust
import msgspec
from sqlalchemy.exc import DataError, SQLAlchemyError

from pipeline import telemetry, topics
from pipeline.alerts import rir
from pipeline.alerts.better import in_order, sighting_of
from pipeline.alerts.routing import recipients
from pipeline.alerts.store import AlertStore
from pipeline.alerts.transport import make_transport
from pipeline.errors import UnavailableError
from pipeline.model import Alert, Hit, MessageError, RejectReason, decode, derive_id
from pipeline.settings import Settings
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher

log = logging.getLogger(__name__)

RETRY_S: Final = 0.5
SIGHTINGS_KEPT: Final = 100
"""An alert names its first sighting and the latest ones up to this many, and counts the rest: a car that stands
before a camera all night must not make each of its alert's messages larger than the one before."""
READY_TIMEOUT_S: Final = 60.0


class Window(faust.Record, serializer="json"):
    """What the table holds per entry and zone: the alert that was seen last, and when that was."""

    alert_id: str
    last_seen_ns: int


class AlertStage:
    """What happens to one hit; the Faust agent below feeds it."""

    def __init__(self, settings: Settings, store: AlertStore, publisher: Publisher, windows: Any) -> None:
        self._settings = settings
        self._store = store
        self._publisher = publisher
        self._windows = windows
        self._window_ns = int(settings.suppression_window_s * 1e9)
        self._budgets = telemetry.budgets_ms(settings)

    async def take(self, message: Any) -> None:
        """Handle one message of ``lik.hits``; returns when all that follows from it is safe."""
        try:
            hit = decode(message.value or b"", Hit)
        except MessageError as error:
            await self._reject(message, RejectReason.UNREADABLE, str(error))
            return
        taken_ns = telemetry.now_ns()
        try:
            await self._until_done(lambda: self._handle(hit, taken_ns))
        except Exception as error:
            # A hit that we cannot handle must not keep back those behind it. Its message may hold a plate.
            log.error("a hit could not be handled: %s; see anpr.rejects", type(error).__name__)
            await self._reject(message, RejectReason.FAILED, f"{type(error).__name__} in the alert stage")

    async def _until_done(self, work: Callable[[], Any]) -> None:
        """Try until it is done: a hit is not given up because a broker or a database is away."""
        while True:
            try:
                await work()
                return
            except DataError:
                # What the database refuses for what it holds it would refuse again.
                raise
            except (UnavailableError, SQLAlchemyError, OSError) as error:
                log.warning("not done (%s); trying again in %g s", type(error).__name__, RETRY_S)
                telemetry.MESSAGES.labels("alerts", "retry").inc()
                await asyncio.sleep(RETRY_S)

    async def _reject(self, message: Any, reason: RejectReason, detail: str) -> None:
        async def send() -> None:
            await self._publisher.reject(
                reason, detail, stage="alerts", payload=message.value or b"", record=message
            )
            await self._publisher.flush()

        await self._until_done(send)

    async def _handle(self, hit: Hit, taken_ns: int) -> None:
        key = f"{hit.entry.entry_id}/{hit.entry.handling}/{hit.zone}"
        known = await self._store.with_hit(hit)
        if known is not None:
            await self._again(key, known, hit)
            return
        alert = await self._open_alert(key, hit)
        new = alert is None
        alert = self._created(hit, taken_ns) if alert is None else _with_sighting(alert, hit)
        await self._store.record(alert, rir.draft(alert, self._store.reports.wording) if new else None)
        self._measure(hit, taken_ns)
        await self._announce(alert)
        self._remember(key, alert)
        telemetry.MESSAGES.labels("alerts", "alert" if new else "sighting").inc()

    async def _again(self, key: str, known: Alert, hit: Hit) -> None:
        """Take in a hit that an alert counts already: a better read of the same vehicle, or a replay."""
        better = await self._store.better_reads.take(known.alert_id, hit)
        # Of a replay too: what follows from it may not have been sent before the fall.
        await self._announce(known if better is None else better.alert)
        if better is None:
            telemetry.MESSAGES.labels("alerts", "replayed").inc()
            return
        self._remember(key, better.alert)
        telemetry.MESSAGES.labels("alerts", "better_read_after" if better.decided else "better_read").inc()

    async def _open_alert(self, key: str, hit: Hit) -> Alert | None:
        """Find the alert that this hit is a sighting of: last seen within the window, before or after."""
        at_ns = hit.read.captured_at_ns
        window = self._windows.get(key)
        if window is not None and window.last_seen_ns + self._window_ns < at_ns:
            # The table holds the latest sighting of all: what is past its window is a new passage.
            return None
        return await self._store.open_alert(hit, self._window_ns)

    def _remember(self, key: str, alert: Alert) -> None:
        """Note the alert in the table, unless a later one is there: a hit that came late moves no window back."""
        last_seen_ns = _last_seen_ns(alert)
        window = self._windows.get(key)
        if window is None or window.last_seen_ns <= last_seen_ns:
            self._windows[key] = Window(alert_id=alert.alert_id, last_seen_ns=last_seen_ns)

    def _created(self, hit: Hit, taken_ns: int) -> Alert:
        """Make a new alert; it carries the trail up to its storing, and says whether that was late."""
        trail = self._trail(hit, taken_ns)
        over = [
            span
            for span, budget in self._budgets.items()
            if (length := telemetry.span_ms(trail, span)) is not None and length > budget
        ]
        return Alert(
            alert_id=derive_id("alert", hit.hit_id),
            hit=hit,
            sightings=[sighting_of(hit)],
            zone=hit.zone,
            recipients=[each.value for each in recipients(hit)],
            created_at_ns=taken_ns,
            late=bool(over),
            trail=trail,
        )

    def _measure(self, hit: Hit, taken_ns: int) -> None:
        spans = ("alert", "read_to_alert", "frame_to_alert")
        telemetry.observe(self._trail(hit, taken_ns), spans, self._budgets)

    @staticmethod
    def _trail(hit: Hit, taken_ns: int) -> dict[str, int]:
        taken = telemetry.stamped(hit.trail, Stamp.HIT_TAKEN, taken_ns)
        return telemetry.stamped(taken, Stamp.ALERT_STORED)

    async def _announce(self, alert: Alert) -> None:
        await self._publisher.send(topics.ALERTS, alert, key=alert.alert_id)
        await self._publisher.flush()


def _with_sighting(alert: Alert, hit: Hit) -> Alert:
    sightings = in_order([*alert.sightings, sighting_of(hit)])
    if len(sightings) > SIGHTINGS_KEPT:
        del sightings[1 : len(sightings) - SIGHTINGS_KEPT + 1]
    return msgspec.structs.replace(alert, sightings=sightings, sighting_count=alert.sighting_count + 1)


def _last_seen_ns(alert: Alert) -> int:
    return max(sighting.captured_at_ns for sighting in alert.sightings)


def create_app(settings: Settings, store: AlertStore, publisher: Publisher) -> faust.App:
    """Make the Faust application on an open store and a running publisher."""
    embedded = not settings.kafka_create_topics
    datadir = settings.state_dir / "faust"
    datadir.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        topics.GROUPS[topics.HITS],
        broker=[f"kafka://{each}" for each in settings.kafka_bootstrap.split(",")],
        # The tables live in memory and in their changelog topic; the store is what lasts.
        store="memory://",
        datadir=str(datadir),
        web_enabled=False,
        value_serializer="raw",
        topic_partitions=settings.kafka_partitions,
        topic_replication_factor=settings.kafka_replication,
        # The embedded broker knows no CreateTopics: its topics appear when they are used.
        topic_allow_declare=not embedded,
        topic_disable_leader=True,
        broker_commit_interval=0.2,
        broker_session_timeout=topics.SESSION_MS / 1000,
        broker_heartbeat_interval=1.0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=settings.kafka_max_message_bytes,
        # Logging is this process's own.
        loghandlers=[],
        logging_config=None,
    )
    app.transport = make_transport(app, settings)
    hits = app.topic(topics.HITS, key_serializer="raw", value_serializer="raw")
    windows = app.Table("windows", partitions=settings.kafka_partitions, key_type=str, value_type=Window)
    stage = AlertStage(settings, store, publisher, windows)

    @app.agent(hits, name="alerts")
    async def alerts(stream: Any) -> None:
        async for found in stream.events():
            await stage.take(found.message)

    return app


async def run(settings: Settings, *, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Turn hits into alerts until `stop`; `ready` is called once partitions are assigned."""
    store = AlertStore.of(settings)
    await store.open()
    try:
        async with Publisher(settings) as publisher:
            app = create_app(settings, store, publisher)
            app.finalize()
            await app.start()
            try:
                await _assigned(app)
                ready()
                await stop.wait()
            finally:
                await app.stop()
    finally:
        await store.close()


async def _assigned(app: faust.App) -> None:
    """Wait until the group has given us partitions and the tables are recovered."""
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            tables: Any = app.tables
            while not (app.consumer.assignment() and tables.recovery.completed.is_set()):
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise UnavailableError("the alert stage gets no partitions of lik.hits; is Kafka well?") from None
