"""The container's own check: it finds its worker, asks it, and says what is wrong."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from prometheus_client import start_http_server

from deploy import healthcheck
from pipeline.embedded import free_port
from pipeline.ingest import gateway
from pipeline.settings import Settings
from pipeline.supervisor import WORKERS
from tests.conftest import BrokerUnderTest, MakeSettings, running
from tests.deploy.stack import SERVICES, image_environment, instructions


@pytest.fixture
def first_process(tmp_path: Path) -> Path:
    """A file as /proc/1/cmdline is in a container of the gateway."""
    path = tmp_path / "cmdline"
    path.write_bytes(b"/opt/kruispunt/bin/python\0/opt/kruispunt/bin/lik\0worker\0gateway\0")
    return path


@pytest.mark.parametrize("name", WORKERS)
@pytest.mark.parametrize("before", [b"", b"/sbin/docker-init\0--\0", b"/opt/kruispunt/bin/python\0"])
def test_the_worker_is_the_one_that_the_command_line_names(name: str, before: bytes) -> None:
    command = SERVICES[name]["command"]
    line = before + b"\0".join([b"/opt/kruispunt/bin/lik", *(word.encode() for word in command)]) + b"\0"
    assert healthcheck.worker_of(line) == name


@pytest.mark.parametrize(
    "line", [b"", b"lik\0--help\0", b"lik\0worker\0", b"lik\0worker\0baker\0", b"\xff\0worker"]
)
def test_a_command_line_without_a_worker_names_none(line: bytes) -> None:
    assert healthcheck.worker_of(line) is None


def test_every_worker_has_a_check() -> None:
    assert set(healthcheck.PROBES) == set(WORKERS)


@pytest.mark.parametrize("name", WORKERS)
def test_without_a_variable_it_asks_where_the_image_listens(name: str) -> None:
    variable, default, _ = healthcheck.PROBES[name]
    field = variable.removeprefix("LIK_").lower()
    image = image_environment().get(variable)
    assert default == (int(image) if image else Settings.model_fields[field].default)


def test_the_image_runs_this_check() -> None:
    check = next(arguments for name, arguments in instructions() if name == "HEALTHCHECK")
    assert re.search(r'CMD \["python", "-I", "/opt/kruispunt/healthcheck.py"\]$', check)
    assert ("COPY", "deploy/healthcheck.py /opt/kruispunt/") in instructions()


async def test_a_gateway_that_serves_is_well(
    embedded_broker: BrokerUnderTest,
    make_settings: MakeSettings,
    first_process: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = make_settings(embedded_broker, gateway_port=free_port())
    monkeypatch.setenv("LIK_GATEWAY_PORT", str(settings.gateway_port))
    async with running(gateway.run, settings):
        assert await asyncio.to_thread(healthcheck.main, first_process) == 0
    assert await asyncio.to_thread(healthcheck.main, first_process) == 1


@pytest.fixture
def metrics_port() -> Iterator[int]:
    """A port on which this process's metrics are served, as by a worker."""
    port = free_port()
    server, thread = start_http_server(port, "127.0.0.1")
    yield port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("name", ["ocr", "match", "alerts", "desk"])
def test_a_worker_that_shows_its_metrics_is_well(
    name: str, metrics_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIK_METRICS_PORT", str(metrics_port))
    assert healthcheck.problem_of(name) is None


class _Unwell(BaseHTTPRequestHandler):
    """A gateway without its Kafka."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()
        self.wfile.write(b'{"kafka":false}')

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep the test's output clean."""


def test_a_worker_that_says_that_it_is_not_well_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), _Unwell) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        monkeypatch.setenv("LIK_GATEWAY_PORT", str(port))
        problem = healthcheck.problem_of("gateway")
        server.shutdown()
        thread.join()
    assert problem == f'gateway: 503 on port {port}/health: {{"kafka":false}}'


def test_it_says_what_is_wrong(
    first_process: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    monkeypatch.setenv("LIK_GATEWAY_PORT", str(port))
    assert healthcheck.main(first_process) == 1
    assert capsys.readouterr().err.startswith(f"gateway: no answer on port {port}/health: ")


def test_a_container_without_a_worker_is_not_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cmdline"
    path.write_bytes(b"lik\0user\0add\0")
    assert healthcheck.main(path) == 1
    assert capsys.readouterr().err == "this container runs no worker\n"
