"""The worker for what follows from alerts: it tells units, sends reports, and removes what is past its time.

It counts what comes of each camera too, and looks for those that are quiet or whose clock is off. Loops in one
process, each on its own: one that cannot go on for now does not hold the others up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import httpx
from sqlalchemy.exc import SQLAlchemyError

from pipeline import telemetry
from pipeline.alerts.census import Census
from pipeline.alerts.notify import Notifier
from pipeline.alerts.outbox import Dispatcher
from pipeline.alerts.receivers import load_receivers
from pipeline.alerts.store import AlertStore
from pipeline.alerts.watch import Watch
from pipeline.cameras import load_cameras
from pipeline.errors import UnavailableError
from pipeline.settings import Settings
from pipeline.topics import Publisher

log = logging.getLogger(__name__)

POLL_S: Final = 0.25
"""How often is asked whether something is due: one indexed read each time."""
RETENTION_S: Final = 3600.0
COUNT_S: Final = 0.05
WATCH_S: Final = 30.0
RETRY_S: Final = 2.0


async def run(settings: Settings, *, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Notify, send and remove until `stop`; `ready` is called once the store and Kafka answer.

    Raises
    ------
    ConfigurationError
        The receivers or the cameras cannot be read.
    UnavailableError
        Kafka does not answer.
    """
    receivers = load_receivers(settings.receivers)
    cameras = load_cameras(settings.cameras) if settings.cameras.exists() else {}
    store = AlertStore.of(settings)
    await store.open()
    try:
        census = Census(settings, store.cameras, cameras)
        async with Publisher(settings) as publisher, httpx.AsyncClient() as client, census:
            watch = Watch(settings, store.cameras, cameras)
            notifier = Notifier(settings, store, receivers, client, cameras)
            dispatcher = Dispatcher(settings, store.outbox, store.reports, publisher, client)

            async def enforce() -> int:
                await store.retention.enforce(settings)
                return 0

            async def look() -> int:
                if await census.caught_up():
                    await watch.step()
                return 0

            loops = [
                asyncio.create_task(_repeat("census", census.step, COUNT_S, stop)),
                asyncio.create_task(_repeat("watch", look, WATCH_S, stop)),
                asyncio.create_task(_repeat("notify", notifier.step, POLL_S, stop)),
                asyncio.create_task(_repeat("rir", dispatcher.step, POLL_S, stop)),
                asyncio.create_task(_repeat("retention", enforce, RETENTION_S, stop)),
            ]
            ready()
            await asyncio.gather(*loops)
    finally:
        await store.close()


async def _repeat(name: str, step: Callable[[], Awaitable[int]], wait_s: float, stop: asyncio.Event) -> None:
    """Do `step` until `stop`: again at once while it finds something to do, else after `wait_s`."""
    while not stop.is_set():
        pause_s = wait_s
        try:
            if await step():
                continue
        except (SQLAlchemyError, OSError, UnavailableError) as error:
            log.warning("%s: not done (%s); trying again in %g s", name, type(error).__name__, RETRY_S)
            telemetry.MESSAGES.labels(name, "retry").inc()
            pause_s = RETRY_S
        except Exception as error:
            # A defect of ours in one loop must not end the others; the text may hold a plate.
            log.error("%s: failed (%s); trying again in %g s", name, type(error).__name__, RETRY_S)
            telemetry.MESSAGES.labels(name, "defect").inc()
            pause_s = RETRY_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await stop.wait()
