"""The services that `lik up` starts: they serve, they say why they do not, and they end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from pipeline import embedded
from pipeline.embedded import ApacheBroker, EmbeddedBroker, EmbeddedRedis, free_port
from pipeline.errors import ConfigurationError, UnavailableError
from tests.conftest import until


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_free_port_is_given_once_and_a_server_can_listen_on_it() -> None:
    ports = [free_port() for _ in range(300)]
    assert len(set(ports)) == len(ports)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", ports[0]))
    with socket.create_server(("127.0.0.1", ports[0])) as server:
        assert server.getsockname()[1] == ports[0]


def test_redis_ends_with_its_context() -> None:
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        pid = client.info("server")["process_id"]
        assert _alive(pid)
    assert not _alive(pid)


def test_a_redis_that_cannot_start_says_why() -> None:
    with EmbeddedRedis() as first, pytest.raises(UnavailableError, match="Address already in use"):
        EmbeddedRedis(port=first.port)


def test_stopping_twice_is_no_error() -> None:
    server = EmbeddedRedis()
    server.stop()
    server.stop()
    broker = EmbeddedBroker()
    broker.stop()
    broker.stop()


async def test_redis_ends_when_its_parent_is_killed() -> None:
    script = (
        "import redis, sys, time\n"
        "from pipeline.embedded import EmbeddedRedis\n"
        "server = EmbeddedRedis()\n"
        "print(redis.Redis.from_url(server.url).info('server')['process_id'], flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert _alive(pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    await until(lambda: not _alive(pid), "Redis ends with the process that started it", 5)


def test_apache_kafka_without_java_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="openjdk-17-jre-headless"):
        ApacheBroker()


def test_apache_kafka_that_maven_cannot_fetch_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pom = tmp_path / "pom.xml"
    pom.write_text("<project>no such thing</project>")
    monkeypatch.setenv("LIK_KAFKA_POM", str(pom))
    monkeypatch.setenv("LIK_KAFKA_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ConfigurationError, match="Maven cannot fetch"):
        embedded.kafka_libraries(lambda text: None)
    monkeypatch.setenv("LIK_KAFKA_POM", str(tmp_path / "absent.xml"))
    with pytest.raises(ConfigurationError, match="LIK_KAFKA_POM"):
        embedded.kafka_libraries(lambda text: None)
