"""From a file to a live version over HTTP: `python -m bench.hotlists_upload --rows 1000000`.

Starts a Redis and a console, each a process of its own, and does what a script does: make a list, put a version
live that holds all but a part of the file's rows, upload the file, take its preview, publish. Timed from the first
byte sent to the answer that it is live. Memory is the largest that the console and its readers held together,
sampled.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from pipeline.embedded import EmbeddedRedis

TOKEN: Final = "bench"  # noqa: S105 - of a console that lives for this measurement
BAR_S: Final = 10.0
BAR_BYTES: Final = 1_073_741_824
_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
_SAMPLE_S: Final = 0.02
_WAIT_S: Final = 60.0


def write_csv(path: Path, rows: int, seed: int) -> None:
    """Write a list as an owner sends it: plates as they are written, countries, reasons, dates, some rows bad."""
    chosen = random.Random(seed)
    reasons = [f"Gestolen, PV {number:05d}/2026" for number in range(20_000)]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("nummerplaat;land;reden;geldig tot\r\n")
        for number in range(rows):
            letters = "".join(chosen.choices(_LETTERS, k=3))
            plate = f"{1 + number % 2}-{letters}-{chosen.randrange(1000):03d}"
            bad = number % 1000 == 999
            file.write(
                f"{'---' if bad else plate};{'BE' if number % 5 else 'NL'};{chosen.choice(reasons)};"
                f"{1 + number % 28:02d}/12/2026\r\n"
            )


@contextmanager
def console(redis_url: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Run a console; give its address and its process id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "LIK_REDIS_URL": redis_url,
        "LIK_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'bench.db'}",
        "LIK_ADMIN_TOKEN": TOKEN,
        "LIK_CONSOLE_PORT": str(port),
        "LIK_KAFKA_BOOTSTRAP": "127.0.0.1:9",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "worker", "console"], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(20)


class Memory:
    """Samples the resident memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._pid, self._end = pid, threading.Event()
        self.largest = 0
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(_SAMPLE_S):
            self.largest = max(self.largest, sum(map(_resident, [self._pid, *_children(self._pid)])))


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def measure(rows: int, seed: int) -> dict[str, Any]:
    """Upload, preview and publish; return what it took."""
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedRedis() as redis,
        console(redis.url, Path(name)) as (url, pid),
    ):
        folder = Path(name)
        live, update = folder / "live.csv", folder / "update.csv"
        write_csv(live, rows, seed)
        update.write_bytes(b"".join(_all_but_some(live)))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=f"{url}/api/hotlists", headers=headers, timeout=300, trust_env=False) as client:
            _await(client)
            _checked(client.put("/bench", json={"removal_guard": 0.5}))
            _put_live(client, live)
            with Memory(pid) as memory:
                begin_s = time.monotonic()
                preview = _upload(client, update)
                uploaded_s = time.monotonic() - begin_s
                _checked(client.post(f"/bench/staged/{preview['number']}/publish", json={"why": "bench"}))
                published_s = time.monotonic() - begin_s
            longest_s = _busy(client, update)
        kept = ("accepted", "rejected", "duplicates", "added", "changed", "unchanged", "removed")
        return {
            "rows": rows,
            "file_bytes": update.stat().st_size if update.exists() else 0,
            "upload_and_preview_s": round(uploaded_s, 2),
            "to_published_s": round(published_s, 2),
            "bar_s": BAR_S,
            "memory_bytes": memory.largest,
            "bar_bytes": BAR_BYTES,
            "slowest_other_answer_s": round(longest_s, 3),
            **{name: preview[name] for name in kept},
        }


def _all_but_some(path: Path) -> Iterator[bytes]:
    """The lines of a file without one in a hundred, and with as many new ones."""
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if number and number % 100 == 0:
                yield f"3-NEW-{number // 100 % 1000:03d};BE;nieuw {number};\r\n".encode()
            else:
                yield line


def _upload(client: httpx.Client, path: Path) -> Any:
    with path.open("rb") as file:
        return _checked(client.post("/bench/staged", params={"why": "bench"}, content=file)).json()


def _put_live(client: httpx.Client, path: Path) -> None:
    preview = _upload(client, path)
    body = {"why": "bench", "confirm_removed": preview["removed"]}
    _checked(client.post(f"/bench/staged/{preview['number']}/publish", json=body))


def _busy(client: httpx.Client, path: Path) -> float:
    """Upload once more, and return the longest that another question had to wait meanwhile, in seconds."""
    uploading = threading.Thread(target=_upload, args=(client, path))
    uploading.start()
    longest_s = 0.0
    while uploading.is_alive():
        begin_s = time.monotonic()
        _checked(client.get("/workers"))
        longest_s = max(longest_s, time.monotonic() - begin_s)
        time.sleep(_SAMPLE_S)
    return longest_s


def _await(client: httpx.Client) -> None:
    deadline_s = time.monotonic() + _WAIT_S
    while True:
        try:
            _checked(client.get("/workers"))
        except httpx.HTTPError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)
        else:
            return


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
    return answer


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description="From a hotlist file to a live version, over HTTP.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(measure(given.rows, given.seed), indent=1) + "\n")


if __name__ == "__main__":
    main()
