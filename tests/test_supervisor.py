"""The supervisor: workers that fall come back, one that cannot start is named, and none is left at the end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from pipeline.embedded import free_port
from pipeline.errors import UnavailableError
from pipeline.supervisor import STOP_GRACE_S, Supervisor
from tests.conftest import BrokerUnderTest, until

MakeSupervisor = Callable[..., AbstractAsyncContextManager[Supervisor]]


@pytest.fixture
def environment(embedded_broker: BrokerUnderTest, tmp_path: Path) -> dict[str, str]:
    """The gateway's settings; it is the worker that starts the fastest."""
    return {
        **os.environ,
        "LIK_KAFKA_BOOTSTRAP": embedded_broker.bootstrap,
        "LIK_KAFKA_CREATE_TOPICS": "false",
        "LIK_KAFKA_IN_FLIGHT_BYTES": "1048576",
        "LIK_GATEWAY_PORT": str(free_port()),
        "LIK_STATE_DIR": str(tmp_path),
    }


@asynccontextmanager
async def supervised(
    environment: dict[str, str], log: Path, said: list[str], *, restart: bool = True
) -> AsyncIterator[Supervisor]:
    with log.open("wb") as file:
        supervisor = Supervisor(environment, log=file, restart=restart, say=said.append)
        try:
            yield supervisor
        finally:
            await supervisor.stop()


async def _healthy(environment: dict[str, str]) -> bool:
    try:
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{environment['LIK_GATEWAY_PORT']}/health")
    except httpx.TransportError:
        return False
    return answer.status_code == 200


async def test_a_worker_that_is_killed_comes_back(environment: dict[str, str], tmp_path: Path) -> None:
    said: list[str] = []
    async with supervised(environment, tmp_path / "log", said) as supervisor:
        supervisor.start("gateway")
        await supervisor.ready(60)
        assert await _healthy(environment)
        first = supervisor.pids()["gateway"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: supervisor.pids()["gateway"] != first, "the gateway is started again")
        await until(lambda: _healthy(environment), "the gateway serves again")
    assert said == ["worker gateway ended with code -9; starting it again in 0.5 s"]
    assert not await _healthy(environment)


async def test_without_restarts_a_fall_is_final(environment: dict[str, str], tmp_path: Path) -> None:
    async with supervised(environment, tmp_path / "log", [], restart=False) as supervisor:
        supervisor.start("gateway")
        await supervisor.ready(60)
        os.kill(supervisor.pids()["gateway"], signal.SIGKILL)
        assert "'gateway' ended with code -9" in await supervisor.failed


async def test_a_worker_that_cannot_start_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    environment |= {"LIK_CAMERAS": str(tmp_path / "absent.json")}
    async with supervised(environment, tmp_path / "log", [], restart=False) as supervisor:
        supervisor.start("match")
        with pytest.raises(UnavailableError, match="'match' ended with code 1"):
            await supervisor.ready(60)
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.startswith("lik: ")
    assert "LIK_CAMERAS" in line


async def test_a_worker_that_does_not_end_is_ended(environment: dict[str, str], tmp_path: Path) -> None:
    async with supervised(environment, tmp_path / "log", []) as supervisor:
        supervisor.start("gateway")
        await supervisor.ready(60)
        pid = supervisor.pids()["gateway"]
        # A stopped process hears no SIGTERM.
        os.kill(pid, signal.SIGSTOP)
        began_s = time.monotonic()
    assert time.monotonic() - began_s >= STOP_GRACE_S
    assert not Path(f"/proc/{pid}").exists()
