"""Real parts for the tests: a Kafka broker of each kind, a real Redis, settings that point at them.

The Apache Kafka is, in this order: ``LIK_TEST_KAFKA`` (a bootstrap address; its topics are deleted!), a
container where a Docker engine answers, or a local node on Java 17. Where none can be had, the tests that
need it are skipped by name, unless ``LIK_TEST_REQUIRE_APACHE`` is set.

Under ``pytest -n`` each process that tests has servers of its own; of one that is given there is only one, and its
tests take turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest
import redis
from aiokafka.admin import AIOKafkaAdminClient

from pipeline import topics
from pipeline.cameras import Camera
from pipeline.embedded import ApacheBroker, EmbeddedBroker, EmbeddedRedis
from pipeline.errors import KruispuntError
from pipeline.settings import Settings
from pipeline.topics import TOPICS, ensure_topics

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("kruispunt", parent=hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("kruispunt")


@pytest.fixture(autouse=True)
def _alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """While a test that is marked ``alone`` runs, run no other in the other processes of ``pytest -n``."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    shared = tmp_path_factory.getbasetemp().parent
    kind = fcntl.LOCK_EX if request.node.get_closest_marker("alone") else fcntl.LOCK_SH
    with (shared / "gate.lock").open("w") as gate, (shared / "alone.lock").open("w") as lock:
        # Who waits to be alone keeps the gate meanwhile, or the others would come in one after another for ever.
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(lock, kind)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name no case by bytes that nobody can read, or that hold the time: processes must agree on the names."""
    if isinstance(val, bytes) and not (len(val) <= 40 and val.decode("latin-1").isprintable()):
        return "bytes"
    return None


@contextlib.contextmanager
def turn_on(given: str | None) -> Iterator[None]:
    """Have a server that was given, if one was, to ourselves: others that test on it wait until the block ends."""
    if given is None:
        yield
        return
    name = f"kruispunt-tests-{hashlib.sha256(given.encode()).hexdigest()[:16]}.lock"
    with (Path(tempfile.gettempdir()) / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class BrokerUnderTest:
    """Where a broker is, and of which kind."""

    bootstrap: str
    kind: str


@pytest.fixture(scope="session")
def apache() -> Iterator[str]:
    """Bootstrap address of a real Apache Kafka, started once a process that tests."""
    with contextlib.ExitStack() as stack:
        try:
            yield _real_kafka(stack)
        except KruispuntError as error:
            if os.environ.get("LIK_TEST_REQUIRE_APACHE"):
                raise
            pytest.skip(f"no Apache Kafka: {error}")


def _real_kafka(stack: contextlib.ExitStack) -> str:
    given = os.environ.get("LIK_TEST_KAFKA")
    if given:
        return given
    if _docker_answers():
        from testcontainers.kafka import KafkaContainer

        container = stack.enter_context(KafkaContainer("confluentinc/cp-kafka:7.7.1").with_kraft())
        address: str = container.get_bootstrap_server()
        return address
    return stack.enter_context(ApacheBroker(say=print)).bootstrap


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False).returncode == 0
    return False


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.apache)])
def broker(request: pytest.FixtureRequest) -> Iterator[BrokerUnderTest]:
    """A broker without messages: the test runs once on each kind."""
    if request.param == "apache":
        bootstrap = request.getfixturevalue("apache")
        with turn_on(os.environ.get("LIK_TEST_KAFKA")):
            asyncio.run(_empty(bootstrap))
            yield BrokerUnderTest(bootstrap, "apache")
    else:
        with EmbeddedBroker() as embedded:
            yield BrokerUnderTest(embedded.bootstrap, "embedded")


@pytest.fixture
def quick_restarts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a worker that is started again wait for 1 s on the embedded broker, not for 9.

    A busy machine can take its partitions from a worker then: not for a test that would fail by that. Apache Kafka
    has no such wait, and allows no such session.
    """
    if "broker" not in request.fixturenames or request.getfixturevalue("broker").kind == "embedded":
        monkeypatch.setattr(topics, "SESSION_MS", 2_000)


@pytest.fixture
def embedded_broker() -> Iterator[BrokerUnderTest]:
    """An embedded broker without messages, for tests in which the kind does not matter."""
    with EmbeddedBroker() as embedded:
        yield BrokerUnderTest(embedded.bootstrap, "embedded")


async def _empty(bootstrap: str) -> None:
    """Delete every topic of ours, and with it its messages and its groups' offsets."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        while ours := [name for name in await admin.list_topics() if not name.startswith("__")]:
            await admin.delete_topics(ours)
            await asyncio.sleep(0.05)
    finally:
        await admin.close()
    await ensure_topics(Settings(kafka_bootstrap=bootstrap))
    await _await_topics(bootstrap)


async def _await_topics(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        wanted = {topic.name for topic in TOPICS}
        while True:
            described = await admin.describe_topics(sorted(wanted))
            if all(not each["error_code"] and len(each["partitions"]) for each in described):
                return
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    """A real Redis, started once a process that tests."""
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """URL of a real Redis without keys."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


CAMERAS = [
    Camera(
        id="cam-1",
        name="N9 Stadhuis",
        latitude=51.05,
        longitude=3.72,
        heading=90.0,
        municipality="Veldeke",
        zone="noord",
    ),
    Camera(id="cam-2", name="N9 Brug", latitude=51.06, longitude=3.73, municipality="Veldeke", zone="noord"),
    Camera(id="cam-3", name="R4 Zuid", latitude=51.01, longitude=3.71, municipality="Oudenhove", zone="zuid"),
]
"""The cameras that the tests' settings register."""

MakeSettings = Callable[..., Settings]


@pytest.fixture
def make_settings(tmp_path: Path) -> MakeSettings:
    """Make settings with a database, a state folder and cameras of the test's own; arguments override."""
    cameras = tmp_path / "cameras.json"
    cameras.write_bytes(msgspec.json.encode(CAMERAS))

    def make(broker: BrokerUnderTest | None = None, **overrides: Any) -> Settings:
        values: dict[str, Any] = {
            "database_url": f"sqlite+aiosqlite:///{tmp_path / 'test.db'}",
            "state_dir": tmp_path / "state",
            "cameras": cameras,
            "gateway_token": "gateway-token",
            "admin_token": "admin-token",
            "console_secret": "console-secret",
        }
        if broker is not None:
            values["kafka_bootstrap"] = broker.bootstrap
            values["kafka_create_topics"] = broker.kind == "apache"
            values["kafka_in_flight_bytes"] = 1_048_576 if broker.kind == "embedded" else 0
        return Settings(**{**values, **overrides})

    return make


async def until(condition: Callable[[], Awaitable[Any] | Any], what: str, timeout_s: float = 30.0) -> Any:
    """Ask `condition` again and again until it is true; return what it gave. Fails, naming `what`, in the end."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline_s:
            pytest.fail(f"not within {timeout_s:.0f} s: {what}")
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(run: Callable[..., Awaitable[None]], settings: Settings) -> AsyncIterator[None]:
    """Run a worker's ``run`` from ready to the end of the block, and surface what it raises."""
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.ensure_future(run(settings, stop=stop, ready=ready.set))
    became_ready = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({task, became_ready}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        if not ready.is_set():
            pytest.fail("the worker is not ready after 60 s")
        yield
    finally:
        became_ready.cancel()
        stop.set()
        await asyncio.wait_for(task, 20)
