"""`lik up` as a person runs it: from the first word that it says to the last process that it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import pytest

from pipeline.demo import Recording
from pipeline.embedded import free_port
from pipeline.supervisor import WORKERS
from recordings import CROSSROADS
from tests.conftest import until

ENDS_WITHIN_S = 5.0
"""What Ctrl-C promises."""


@dataclass
class Lik:
    """A running `lik`, what it has said so far, and the processes that it has started."""

    process: asyncio.subprocess.Process
    said: list[str] = field(default_factory=list)
    seen: dict[tuple[int, int], str] = field(default_factory=dict)

    async def line(self, pattern: str, timeout_s: float = 120.0) -> re.Match[str]:
        """Wait for a line that matches."""
        async with asyncio.timeout(timeout_s):
            while True:
                assert self.process.stdout is not None
                raw = await self.process.stdout.readline()
                assert raw, f"ended without saying {pattern!r}: {''.join(self.said)}"
                self.said.append(raw.decode())
                if found := re.search(pattern, self.said[-1]):
                    return found

    async def end(self, timeout_s: float = 300.0) -> int:
        """Wait for the end; return the exit code."""
        rest, _ = await asyncio.wait_for(self.process.communicate(), timeout_s)
        self.said.append(rest.decode())
        assert self.process.returncode is not None
        return self.process.returncode

    def family(self) -> dict[tuple[int, int], str]:
        """Return `lik` and every process below it, by process id and start time, with their command lines."""
        found = {self.process.pid: _process(self.process.pid)}
        everything = {
            int(each.name): _process(int(each.name)) for each in Path("/proc").iterdir() if each.name.isdigit()
        }
        for pid, process in sorted(everything.items()):
            if process is not None and process.parent in found:
                found[pid] = process
        self.seen |= {(pid, each.began): each.command for pid, each in found.items() if each is not None}
        return self.seen

    def left(self) -> list[str]:
        """Name the processes of those `family` has seen that still run."""
        alive = []
        for (pid, began), command in self.seen.items():
            process = _process(pid)
            if process is not None and process.began == began:
                alive.append(command)
        return alive


@dataclass(frozen=True)
class Process:
    """A running process, as the kernel shows it."""

    parent: int
    began: int
    command: str


def _process(pid: int) -> Process | None:
    """Look a process up; None when it has ended, or waits for its parent to ask how."""
    folder = Path(f"/proc/{pid}")
    try:
        state, parent, *fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:120]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else Process(int(parent), int(fields[17]), command)


async def start(folder: Path, *arguments: str, **settings: str) -> Lik:
    """Run `lik` in `folder`, with `settings` and none from outside, the gateway on a free port where not told."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIK_")}
    environment |= {"LIK_GATEWAY_PORT": str(free_port()), **settings}
    if cache := os.environ.get("LIK_KAFKA_CACHE"):
        environment["LIK_KAFKA_CACHE"] = cache
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipeline.cli", *arguments,
        cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    return Lik(process)


@pytest.fixture
async def lik(tmp_path: Path) -> AsyncIterator[list[Lik]]:
    """What the test has started; whatever is left of it at the end is ended, and fails the test."""
    started: list[Lik] = []
    yield started
    for each in started:
        if each.process.returncode is None:
            each.process.kill()
            await each.process.wait()
        await until(lambda each=each: not each.left(), "every process has ended", ENDS_WITHIN_S)


@pytest.mark.slow
@pytest.mark.parametrize("broker", ["embedded", pytest.param("apache", marks=pytest.mark.apache)])
async def test_once_ends_with_every_expected_alert(
    lik: list[Lik], tmp_path: Path, broker: str, request: pytest.FixtureRequest
) -> None:
    if broker == "apache" and shutil.which("java") is None:
        assert not os.environ.get("LIK_TEST_REQUIRE_APACHE"), "no Java"
        pytest.skip("no Java: lik up --broker apache needs it")
    lik.append(await start(tmp_path, "up", "--demo", "--once", "--report", "report.json", "--broker", broker))
    assert await lik[0].end() == 0, "".join(lik[0].said)
    report = json.loads((tmp_path / "report.json").read_text())
    expected = len(Recording(CROSSROADS).expected())
    assert report["expected_alerts"] == report["counts"]["alerts"] == expected
    assert report["missing_alerts"] == []
    assert report["broker"] == broker
    assert report["counts"]["frames"] > 50
    assert report["counts"]["hits"] > expected
    assert report["counts"]["rir_drafts"] > 0
    assert {"reads", "rejects"} <= set(report["counts"])
    assert {"p50_ms", "p99_ms", "max_ms", "count"} == set(report["latency"]["read_to_alert"])
    assert report["versions"]["aiokafka"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json"]


@pytest.mark.slow
@pytest.mark.alone
async def test_the_demo_greets_serves_and_ends_on_ctrl_c(lik: list[Lik], tmp_path: Path) -> None:
    port = free_port()
    lik.append(await start(tmp_path, "up", "--demo", "--port", str(port)))
    found = await lik[0].line(r"The console is on\s+(http://\S+)")
    assert found[1] == f"http://127.0.0.1:{port}"
    name, password = (await lik[0].line(r"Sign in as\s+(\S+) / (\S+)")).groups()
    async with httpx.AsyncClient(base_url=found[1]) as client:
        answer = await client.post("/sign-in", data={"username": name, "password": password})
        assert answer.status_code == 303
        assert (await client.get("/health")).json() == {"store": True, "kafka": True, "redis": True}
        await lik[0].line("replaying")
        await lik[0].line(r"alerts [1-9]")
        commands = sorted(lik[0].family().values())
        assert sum("pipeline.cli worker" in each for each in commands) == len(WORKERS)
        assert sum("redis-server" in each for each in commands) == 1
        # A stream that is open must not hold the end up.
        async with client.stream("GET", "/alerts/stream") as stream:
            assert stream.status_code == 200
            began_s = time.monotonic()
            lik[0].process.send_signal(signal.SIGINT)
            assert await lik[0].end(30) == 0
    assert time.monotonic() - began_s < ENDS_WITHIN_S
    assert lik[0].left() == []
    assert "Traceback" not in "".join(lik[0].said)


@pytest.mark.alone
async def test_ctrl_c_while_it_starts_ends_everything(lik: list[Lik], tmp_path: Path) -> None:
    lik.append(await start(tmp_path, "up", "--demo", "--port", str(free_port())))
    await lik[0].line("starting")
    await until(lambda: len(lik[0].family()) >= 2 + len(WORKERS), "every worker has been started")
    lik[0].process.send_signal(signal.SIGINT)
    began_s = time.monotonic()
    assert await lik[0].end(30) == 0
    assert time.monotonic() - began_s < ENDS_WITHIN_S
    assert lik[0].left() == []


@pytest.mark.slow
async def test_an_alert_that_does_not_come_is_named(lik: list[Lik], tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    shutil.copytree(CROSSROADS, folder)
    recording = Recording(folder)
    hotlist, rows, _ = recording.hotlists()[0]
    header, first, *_ = rows.decode().splitlines()
    # Listed, and said to have passed; but no camera saw it.
    unseen = first.replace(first.split(",")[0], "1-ZZZ-999", 1)
    with (folder / "hotlist.csv").open("a") as file:
        file.write(unseen + "\n")
    line = {"at_s": 1.0, "camera": recording.truth()[0].camera, "plate": "1-ZZZ-999"}
    with (folder / "truth.ndjson").open("ab") as file:
        file.write(msgspec.json.encode(line) + b"\n")
    lik.append(await start(tmp_path, "up", "--once", "--recording", str(folder)))
    assert await lik[0].end() == 1
    assert header.startswith("plate")
    said = "".join(lik[0].said)
    assert f"expected alerts that are not in the store: {hotlist.name} in" in said
    assert "ZZZ" not in said


async def test_once_without_a_recording_says_what_to_give(lik: list[Lik], tmp_path: Path) -> None:
    lik.append(await start(tmp_path, "up", "--once"))
    assert await lik[0].end(60) == 1
    assert "--recording" in "".join(lik[0].said)


async def test_a_port_that_is_taken_is_said(lik: list[Lik], tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        lik.append(await start(tmp_path, "up", "--demo", "--port", str(other.getsockname()[1])))
        assert await lik[0].end(120) == 1
    said = "".join(lik[0].said)
    assert str(other) not in said
    assert "is another program using it" in said
    assert "Traceback" not in said


async def test_a_desk_of_its_own_keeps_what_it_knows(lik: list[Lik], tmp_path: Path) -> None:
    """Without a recording, users, alerts and hotlists are there again at the next start."""
    shutil.copy(Recording(CROSSROADS).cameras, tmp_path / "cameras.json")
    ports = {"LIK_GATEWAY_PORT": str(free_port())}
    said = []
    for _ in range(2):
        lik.append(await start(tmp_path, "up", "--port", str(free_port()), **ports))
        await lik[-1].line("Ctrl-C ends everything")
        lik[-1].family()
        lik[-1].process.send_signal(signal.SIGTERM)
        assert await lik[-1].end(30) == 0
        assert lik[-1].left() == []
        said.append("".join(lik[-1].said))
    assert "Sign in as          operator /" in said[0]
    # The passwords were shown once; they are not changed behind anybody's back.
    assert "Sign in as" not in said[1]
