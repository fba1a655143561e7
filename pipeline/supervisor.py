"""Child processes of `lik up`: one per worker, watched, restarted, and ended together.

Each worker is a process of its own (``lik worker NAME``), so that one that falls does not take the others
along, and each has an interpreter of its own. A worker says that it is ready by writing one line to the pipe
that it inherits; nobody has to guess by sleeping.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from pipeline.errors import UnavailableError

WORKERS = ("match", "alerts", "ocr", "gateway", "desk", "console")
"""Every worker there is, in the order in which they are started: the slowest to be ready first."""

STOP_GRACE_S = 3.0
"""How long a worker may take to end by itself; then it is killed. Ctrl-C promises 5 s in all."""

RESTART_DELAYS_S = (0.5, 1.0, 2.0, 5.0, 10.0)
STABLE_AFTER_S = 60.0
"""A worker that ran this long starts again with the shortest delay."""


@dataclass
class Worker:
    """One child process, through its restarts."""

    name: str
    process: subprocess.Popen[bytes]
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    restarts: int = 0
    started_s: float = field(default_factory=time.monotonic)


class Supervisor:
    """Starts, watches, restarts and ends the workers.

    Parameters
    ----------
    environment
        Environment of every worker, the settings included.
    log
        Where the workers' output goes; None is this process's own.
    restart
        Start a fallen worker again; False makes the first fall fatal (`failed` is set). A worker that falls
        before it was ever ready is fatal in any case: what is wrong then is wrong again.
    say
        Called with a line of text when something happens that a person should know.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        log: IO[bytes] | None = None,
        restart: bool = True,
        say: Callable[[str], None] = print,
    ) -> None:
        self._environment = dict(environment)
        self._log = log
        self._restart = restart
        self._say = say
        self._stopping = False
        self._workers: dict[str, Worker] = {}
        self._ready_pipes: dict[str, int] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def start(self, name: str) -> None:
        """Start worker `name` and watch it."""
        worker = Worker(name, self._spawn(name))
        self._workers[name] = worker
        self._watchers.append(asyncio.create_task(self._watch(worker), name=f"watch {name}"))

    async def ready(self, timeout_s: float) -> None:
        """Wait until every worker that was started is ready.

        Raises
        ------
        UnavailableError
            A worker fell and is not restarted, or one is not ready in time.
        """
        waits = asyncio.ensure_future(asyncio.gather(*(each.ready.wait() for each in self._workers.values())))
        try:
            either: set[asyncio.Future[Any]] = {waits, self.failed}
            await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waits.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waits
        if self.failed.done():
            raise UnavailableError(self.failed.result())
        late = [worker.name for worker in self._workers.values() if not worker.ready.is_set()]
        if late:
            raise UnavailableError(f"not ready within {timeout_s:.0f} s: {', '.join(late)}")

    def pids(self) -> dict[str, int]:
        """Return the process id of each worker, as it is now."""
        return {name: worker.process.pid for name, worker in self._workers.items()}

    async def stop(self) -> None:
        """End every worker: ask, wait `STOP_GRACE_S`, kill. Returns when none is left."""
        self._stopping = True
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        running = [worker.process for worker in self._workers.values() if worker.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_GRACE_S
        for process in running:
            left_s = max(0.0, deadline - time.monotonic())
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, left_s)
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _spawn(self, name: str) -> subprocess.Popen[bytes]:
        receive, send = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.cli", "worker", name, "--ready-fd", str(send)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(send,),
                # A terminal's Ctrl-C reaches this process alone, which then ends the workers in order.
                start_new_session=True,
            )
        finally:
            os.close(send)
        self._ready_pipes[name] = receive
        return process

    async def _watch(self, worker: Worker) -> None:
        while True:
            receive = self._ready_pipes.pop(worker.name)
            try:
                line = await asyncio.to_thread(os.read, receive, 64)
            finally:
                os.close(receive)
            if line:
                worker.ready.set()
            code = await self._exit_code(worker.process)
            if self._stopping:
                return
            if not self._restart or not worker.ready.is_set():
                if not self.failed.done():
                    self.failed.set_result(f"worker {worker.name!r} ended with code {code}")
                return
            if time.monotonic() - worker.started_s > STABLE_AFTER_S:
                worker.restarts = 0
            delay_s = RESTART_DELAYS_S[min(worker.restarts, len(RESTART_DELAYS_S) - 1)]
            self._say(f"worker {worker.name} ended with code {code}; starting it again in {delay_s:g} s")
            await asyncio.sleep(delay_s)
            worker.restarts += 1
            worker.started_s = time.monotonic()
            worker.process = self._spawn(worker.name)

    @staticmethod
    async def _exit_code(process: subprocess.Popen[bytes]) -> int:
        while (code := process.poll()) is None:
            await asyncio.sleep(0.1)
        return code
