"""`lik up`: everything on one machine, from broker to console, and its orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from console.auth import ensure_user
from pipeline import demo, report
from pipeline.alerts.store import AlertStore
from pipeline.demo import Recording
from pipeline.embedded import ApacheBroker, EmbeddedBroker, EmbeddedRedis, free_port
from pipeline.errors import ConfigurationError, KruispuntError, UnavailableError
from pipeline.settings import Settings, load_settings
from pipeline.supervisor import WORKERS, Supervisor
from pipeline.topics import ensure_topics

BrokerKind = Literal["embedded", "apache"]

IN_FLIGHT_BYTES = 1_048_576
"""Per producer and partition on the embedded broker, which keeps about 5 MiB: room for three producers."""

READY_TIMEOUT_S = 90.0
ONCE_TIMEOUT_S = 240.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What `lik up` was asked for."""

    broker: BrokerKind = "embedded"
    demo: bool = False
    once: bool = False
    recording: Path | None = None
    report: Path | None = None
    port: int | None = None


@dataclass(frozen=True)
class Stack:
    """What is running."""

    settings: Settings
    supervisor: Supervisor
    passwords: dict[str, str]

    @property
    def console_url(self) -> str:
        """Address of the console."""
        return f"http://{self.settings.console_host}:{self.settings.console_port}"

    @property
    def gateway_url(self) -> str:
        """Address of the ingest gateway."""
        return f"http://{self.settings.gateway_host}:{self.settings.gateway_port}"


async def run(options: Options, say: Say = print) -> int:
    """Start everything, do what was asked, end everything; return the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    main = asyncio.create_task(_run(options, say))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({main, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not main.done():
        say("\nending ...")
        main.cancel()
    stopped.cancel()
    try:
        code = await main
    except asyncio.CancelledError:
        code = 130 if options.once else 0
    except KruispuntError as error:
        say(f"lik up: {error}")
        return 1
    if stop.is_set():
        say("ended")
    return code


async def _run(options: Options, say: Say) -> int:
    recording = Recording(options.recording) if options.recording else None
    if options.once and recording is None:
        raise ConfigurationError("--once needs a recording: give --demo or --recording FOLDER")
    async with stack(options, recording, say) as running:
        if options.once and recording is not None:
            return await _once(running, recording, options, say)
        _greet(running, options, say)
        if recording is not None:
            await _live_demo(running, recording, say)
        # Ended by being cancelled, and by nothing else: two ends would cut each other short.
        await asyncio.get_running_loop().create_future()
    return 0


@asynccontextmanager
async def stack(options: Options, recording: Recording | None, say: Say) -> AsyncIterator[Stack]:
    """Run broker, Redis and workers; on leaving, end every process that was started."""
    with ExitStack() as services:
        # The demo starts from nothing each time; a desk's own `lik up` keeps its alerts.
        if recording is not None:
            folder = Path(services.enter_context(tempfile.TemporaryDirectory(prefix="kruispunt-")))
        else:
            folder = load_settings().state_dir.resolve()
            folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **_environment(options, recording, folder, services, say)}
        log_path = folder / "workers.log"
        log = services.enter_context(log_path.open("wb"))
        settings = _settings(environment)
        _check_ports(settings)
        if settings.kafka_create_topics:
            await ensure_topics(settings)
        passwords = await _add_users(settings)
        supervisor = Supervisor(environment, log=log, restart=not options.once, say=say)
        try:
            for name in WORKERS:
                supervisor.start(name)
            say("starting " + ", ".join(WORKERS) + " ...")
            await supervisor.ready(READY_TIMEOUT_S)
            yield Stack(settings, supervisor, passwords)
        except UnavailableError as error:
            shutil.copyfile(log_path, Path("lik-up.log"))
            raise UnavailableError(f"{error}{_last_words(log_path)}; the workers' log is lik-up.log") from error
        finally:
            await supervisor.stop()


def _last_words(log: Path) -> str:
    """Return what a worker said when it fell of an error that it knows, as ``: ...``; empty when none did."""
    said = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith("lik: ")]
    return f": {said[-1].removeprefix('lik: ')}" if said else ""


def _check_ports(settings: Settings) -> None:
    """Refuse to start where another program has a port already: a worker would only find out later."""
    for name, host, port in (
        ("CONSOLE", settings.console_host, settings.console_port),
        ("GATEWAY", settings.gateway_host, settings.gateway_port),
    ):
        try:
            with socket.create_server((host, port)):
                pass
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port} ({error.strerror}); is another program using it? "
                f"Choose another port: --port, or LIK_{name}_PORT"
            ) from error


def _environment(
    options: Options, recording: Recording | None, folder: Path, services: ExitStack, say: Say
) -> dict[str, str]:
    broker: EmbeddedBroker | ApacheBroker
    broker = EmbeddedBroker() if options.broker == "embedded" else ApacheBroker(say=say)
    services.enter_context(broker)
    keep = None if recording is not None else folder / "redis"
    redis = services.enter_context(EmbeddedRedis(keep))
    say(f"Kafka ({options.broker}) on {broker.bootstrap}, Redis on {redis.url}")
    embedded = options.broker == "embedded"
    values = {
        "KAFKA_BOOTSTRAP": broker.bootstrap,
        "KAFKA_IN_FLIGHT_BYTES": str(IN_FLIGHT_BYTES if embedded else 0),
        "KAFKA_CREATE_TOPICS": "false" if embedded else "true",
        "REDIS_URL": redis.url,
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'alerts.db'}",
        "STATE_DIR": str(folder / "state"),
        "ADMIN_TOKEN": secrets.token_urlsafe(24),
        "GATEWAY_TOKEN": secrets.token_urlsafe(24),
        "CONSOLE_SECRET": secrets.token_urlsafe(32),
    }
    if recording is not None:
        values["CAMERAS"] = str(recording.cameras)
    if options.once:
        # Everything at full speed: any free port, and frames wait their turn however long it takes.
        values |= {"CONSOLE_PORT": str(free_port()), "GATEWAY_PORT": str(free_port()), "FRAME_MAX_AGE_S": "86400"}
    elif options.port is not None:
        values |= {"CONSOLE_PORT": str(options.port), "GATEWAY_PORT": str(free_port())}
    # What the operator set for the secrets stands.
    kept = {"ADMIN_TOKEN", "GATEWAY_TOKEN", "CONSOLE_SECRET"}
    return {
        f"LIK_{name}": value
        for name, value in values.items()
        if not (name in kept and os.environ.get(f"LIK_{name}"))
    }


def _settings(environment: dict[str, str]) -> Settings:
    """Read the settings as the workers will: from their environment."""
    own = {name: value for name, value in environment.items() if name.startswith("LIK_")}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        return load_settings()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


async def _add_users(settings: Settings) -> dict[str, str]:
    """Make the first users, with passwords made up now; return name to password."""
    accounts = {"operator": {"operator"}, "recherche": {"operator", "covert"}}
    store = AlertStore(settings.database_url)
    await store.open()
    passwords = {}
    try:
        for name, roles in accounts.items():
            if await store.get_user(name) is None:
                passwords[name] = secrets.token_urlsafe(9)
                await ensure_user(store, name, passwords[name], sorted(roles))
    finally:
        await store.close()
    return passwords


def _greet(running: Stack, options: Options, say: Say) -> None:
    say("")
    say(f"  The console is on   {running.console_url}")
    for name, password in running.passwords.items():
        what = "sees every alert" if name == "recherche" else "sees open alerts"
        say(f"  Sign in as          {name} / {password}   ({what})")
    say(f"  Feeds go to         {running.gateway_url}/ingest/FORMAT")
    if options.broker == "embedded":
        say("  The embedded broker keeps nothing after exit.")
    say("  Ctrl-C ends everything.")
    say("")


async def _live_demo(running: Stack, recording: Recording, say: Say) -> None:
    version = await demo.publish_hotlists(recording, running.settings, running.console_url)
    await demo.await_snapshot(running.settings, running.console_url, version)
    say(f"demo hotlists published through the admin endpoint (snapshot {version})")
    async with _observed(running.settings) as observer:
        narrator = asyncio.create_task(demo.narrate(observer.counts, say))
        try:
            while True:
                say(f"replaying {recording.folder.name}: {recording.duration_s():.0f} s at real speed")
                await demo.replay(recording, running.settings, running.gateway_url, speed=1.0)
                missing = await demo.await_alerts(recording, running_store := await _open(running), 10.0)
                await running_store.close()
                say("the recording has ended" + (f"; missing: {', '.join(missing)}" if missing else ""))
                say("replaying it again in 30 s; Ctrl-C ends")
                await asyncio.sleep(30.0)
        finally:
            narrator.cancel()


async def _once(running: Stack, recording: Recording, options: Options, say: Say) -> int:
    began_s = time.monotonic()
    settings = running.settings
    version = await demo.publish_hotlists(recording, settings, running.console_url)
    await demo.await_snapshot(settings, running.console_url, version)
    async with _observed(settings) as observer, AsyncExitStack() as stack_:
        store = await _open(running)
        stack_.push_async_callback(store.close)
        work = asyncio.create_task(_process(recording, running, store))
        either: set[asyncio.Future[Any]] = {work, running.supervisor.failed}
        done, _ = await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if work not in done:
            work.cancel()
            raise UnavailableError(running.supervisor.failed.result())
        frames_sent, feed_sent, in_time, missing = await work
        # The observer may be a moment behind the store.
        await asyncio.sleep(0.5)
        result = report.build(
            observer,
            frames=frames_sent,
            expected=len(recording.expected()),
            missing=missing,
            broker=options.broker,
            wall_s=time.monotonic() - began_s,
        )
    if options.report is not None:
        options.report.write_text(json.dumps(result, indent=2) + "\n")
    say(f"{frames_sent} frames and {feed_sent} feed messages; " + json.dumps(result["counts"]))
    if not in_time:
        say(f"not everything was processed within {ONCE_TIMEOUT_S:.0f} s")
    if missing:
        say("expected alerts that are not in the store: " + ", ".join(missing))
    return 1 if missing or not in_time else 0


async def _process(recording: Recording, running: Stack, store: AlertStore) -> tuple[int, int, bool, list[str]]:
    frames_sent, feed_sent = await demo.replay(recording, running.settings, running.gateway_url, speed=None)
    in_time = await demo.drained(running.settings, ONCE_TIMEOUT_S)
    missing = await demo.await_alerts(recording, store, 5.0)
    in_time = await _reports_left(store) and in_time
    return frames_sent, feed_sent, in_time, missing


async def _reports_left(store: AlertStore) -> bool:
    """Wait until no report is left in the outbox; False when one still is after 10 s."""
    deadline_s = time.monotonic() + 10.0
    while await store.outbox.waiting():
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(0.1)
    return True


async def _open(running: Stack) -> AlertStore:
    store = AlertStore(running.settings.database_url)
    await store.open()
    return store


@asynccontextmanager
async def _observed(settings: Settings) -> AsyncIterator[report.Observer]:
    observer = report.Observer(settings)
    await observer.start()
    try:
        yield observer
    finally:
        with contextlib.suppress(Exception):
            await observer.stop()
