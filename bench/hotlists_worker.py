"""The match worker that `bench.hotlists` measures: a process of its own, with its log in a folder."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline.embedded import die_with_parent
from pipeline.settings import Settings

REST_S: Final = 0.5
WAIT_S: Final = 180.0


class Worker:
    """A match worker, a process of its own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder = folder
        names = ("redis_url", "kafka_bootstrap", "kafka_create_topics", "state_dir", "cameras")
        given = {f"LIK_{name.upper()}": str(getattr(settings, name)) for name in names}
        self._environment = {**os.environ, **given}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its log goes to a file in the folder."""
        with (self._folder / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "pipeline.cli", "worker", "match"]
            self._process = subprocess.Popen(
                command,
                env=self._environment,
                stderr=log,
                stdout=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - a single system call, safe after fork
            )

    @property
    def cpu_s(self) -> float:
        """Processor time that it has used."""
        if self._process is None:
            return 0.0
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def rest(self) -> None:
        """Wait until it does little: nothing is merged any more."""
        deadline_s = time.monotonic() + WAIT_S
        before_s = self.cpu_s - REST_S
        while self.cpu_s - before_s > REST_S / 2:
            if time.monotonic() > deadline_s:
                raise TimeoutError("the worker does not come to rest")
            before_s = self.cpu_s
            await asyncio.sleep(REST_S)

    def stop(self) -> int:
        """End it, and return the most memory that it has held, in bytes."""
        process, self._process = self._process, None
        if process is None:
            return 0
        peak_bytes = 0
        with suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak_bytes = int(status.split("VmHWM:")[1].split()[0]) * 1024
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return peak_bytes
