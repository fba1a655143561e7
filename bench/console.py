"""How long an alert takes from the hands of the alert stage to the eyes of an operator, measured in Chromium.

    python -m bench.console [--rate 50] [--seconds 60] [--operators 20]

A console as it is deployed (its own process, SQLite, the embedded broker), alerts stored and announced on
``lik.alerts`` at a steady rate by another process, all operators but one connected by HTTP, and one in a real
Chromium. An alert counts as visible in the frame after its row is in the page: the clock is stopped there, in the
page, and compared with the moment just before the alert was stored. Both are clocks of the same machine.

The first load is measured too, `LOADS` times in a browser that was just started and knows nothing of the console:
by the page's own clock, from the start of the navigation to the frame after the first rows of a list of `SHOWN`
alerts are in the page.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
from argon2 import PasswordHasher
from playwright.async_api import Browser, Page, async_playwright

from console.app import run
from console.stream import SHOWN
from pipeline.alerts.store import AlertStore
from pipeline.embedded import EmbeddedBroker, EmbeddedRedis, free_port
from pipeline.model import Alert, EntryRef, Hit, PlateRead, ReadKind, Sighting, derive_id
from pipeline.settings import Settings
from pipeline.topics import ALERTS, Publisher

CHROMIUM: Final = os.environ.get("LIK_TEST_CHROMIUM") or shutil.which("chromium")
FLAGS: Final = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PASSWORD: Final = "bench"  # noqa: S105
LOADS: Final = 5
FIRST: Final = """
window.firstRows = new Promise((shown) => {
  new MutationObserver((_, watch) => {
    if (document.querySelector("li.alert") === null) return;
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => shown(performance.now())));
  }).observe(document, { childList: true, subtree: true });
});
"""
_ID: Final = re.compile(rb'"id":"([0-9a-f]{32})"')
WATCH: Final = """
window.seen = {};
new MutationObserver((changes) => {
  const added = changes.flatMap((each) => [...each.addedNodes]).map((row) => row.dataset?.id).filter(Boolean);
  if (added.length > 0) requestAnimationFrame(() => setTimeout(() => {
    for (const id of added) window.seen[id] ??= performance.timeOrigin + performance.now();
  }));
}).observe(document.getElementById("list"), { childList: true });
"""


def make_alert(number: int) -> Alert:
    """Make an alert as the alert stage does, captured now."""
    now_ns = time.time_ns()
    letters = "".join(chr(65 + number // 26**place % 26) for place in range(3))
    plate = f"1{letters}{number % 1000:03d}"
    read = PlateRead(
        read_id=derive_id("read", number),
        capture_id=derive_id("capture", number),
        camera=f"cam-{number % 40}",
        captured_at_ns=now_ns,
        text=plate,
        plate=plate,
        country="BE",
        source="bench",
    )
    entry = EntryRef(entry_id=derive_id("entry", number), plate=plate, hotlist="bench", title="Gestolen")
    hit_id = derive_id("hit", number)
    hit = Hit(
        hit_id=hit_id, read=read, entry=entry, kind=ReadKind.EXACT, edits=0, posterior=0.99, snapshot_version=1
    )
    return Alert(
        alert_id=derive_id("alert", hit_id),
        hit=hit,
        sightings=[Sighting(hit_id=hit_id, camera=read.camera, captured_at_ns=now_ns, plate=plate)],
        zone="noord",
        recipients=["lik", "interventie"],
        created_at_ns=now_ns,
    )


def serve_console(settings: Settings) -> None:
    """Run the console until the process is ended."""
    asyncio.run(run(settings, stop=asyncio.Event()))


def produce(settings: Settings, rate: float, seconds: float, out: Path) -> None:
    """Store and announce alerts at a steady rate; write down when each was produced (ms since the epoch)."""
    out.write_text(json.dumps(asyncio.run(_produce(settings, rate, seconds))))


async def _produce(settings: Settings, rate: float, seconds: float) -> dict[str, float]:
    produced: dict[str, float] = {}
    store = AlertStore.of(settings)
    async with Publisher(settings) as publisher:
        begun_s = time.monotonic()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begun_s + number / rate - time.monotonic()))
            alert = make_alert(number)
            produced[alert.alert_id] = time.time() * 1000
            await store.record(alert)
            await publisher.send(ALERTS, alert, key=alert.alert_id)
        await publisher.flush()
        print(f"produced {len(produced)} in {time.monotonic() - begun_s:.1f} s")
    await store.close()
    return produced


@contextlib.asynccontextmanager
async def operators(url: str, count: int) -> AsyncIterator[dict[str, float]]:
    """Connect `count` operators who read their streams; gives when each alert reached one of them (ms)."""
    heard: dict[str, float] = {}

    async def listen(number: int) -> None:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=600) as client:
            form = {"username": f"operator-{number}", "password": PASSWORD}
            (await client.post("/sign-in", data=form, follow_redirects=True)).raise_for_status()
            async with client.stream("GET", "/alerts/stream") as answer:
                answer.raise_for_status()
                async for chunk in answer.aiter_raw():
                    for found in _ID.findall(chunk) if number == 1 else ():
                        heard.setdefault(found.decode(), time.time() * 1000)

    tasks = [asyncio.create_task(listen(number)) for number in range(1, count + 1)]
    try:
        yield heard
    finally:
        lost = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in lost:
            # An operator who was not connected to the end would make the figures too good.
            task.result()


async def measure(settings: Settings, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Load the page cold, then watch it while alerts are produced; return the figures."""
    url = f"http://127.0.0.1:{settings.console_port}"
    load = await first_loads(url)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await _signed_in(browser, url)
        await page.goto(url)
        await page.wait_for_selector("#connection[data-state=connected]")
        await page.evaluate(WATCH)
        out = folder / "produced.json"
        async with operators(url, arguments.operators - 1) as heard:
            await asyncio.sleep(2)
            producer = multiprocessing.get_context("spawn").Process(
                target=produce, args=(settings, arguments.rate, arguments.seconds, out)
            )
            producer.start()
            await asyncio.to_thread(producer.join)
            await asyncio.sleep(2)
            seen: dict[str, float] = await page.evaluate("window.seen")
        await browser.close()
    produced: dict[str, float] = json.loads(await asyncio.to_thread(out.read_text))
    taken = sorted(seen[alert_id] - at_ms for alert_id, at_ms in produced.items() if alert_id in seen)
    on_line = sorted(heard[alert_id] - at_ms for alert_id, at_ms in produced.items() if alert_id in heard)
    return {
        "alerts": len(produced),
        "on the line, p50 ms": round(statistics.median(on_line), 1),
        "on the line, p99 ms": round(on_line[int(len(on_line) * 0.99)], 1),
        "never drawn": len(produced) - len(taken),
        "visible, p50 ms": round(statistics.median(taken), 1),
        "visible, p99 ms": round(taken[int(len(taken) * 0.99)], 1),
        "visible, max ms": round(taken[-1], 1),
        **load,
    }


async def first_loads(url: str) -> dict[str, Any]:
    """Load the page in `LOADS` browsers, one after the other, each started for it; return the figures."""
    taken_ms, most_bytes = [], 0
    async with async_playwright() as playwright:
        for _ in range(LOADS):
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = await _signed_in(browser, url)
            await page.add_init_script(FIRST)
            await page.goto(url)
            taken_ms.append(float(await page.evaluate("window.firstRows")))
            size: int = await page.evaluate(
                "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
                ".filter((each) => !each.name.includes('/stream'))"
                ".reduce((sum, each) => sum + each.transferSize, 0)"
            )
            most_bytes = max(most_bytes, size)
            await browser.close()
    return {
        "first list, median ms": round(statistics.median(taken_ms)),
        "first list, worst ms": round(max(taken_ms)),
        "first load bytes": most_bytes,
    }


async def _signed_in(browser: Browser, url: str) -> Page:
    context = await browser.new_context(viewport={"width": 1366, "height": 768})
    await context.request.post(f"{url}/sign-in", form={"username": "operator-0", "password": PASSWORD})
    return await context.new_page()


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description="Alert produced to visible, in Chromium.")
    parser.add_argument("--rate", type=float, default=50.0, help="alerts a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--operators", type=int, default=20, help="connected pages, the measured one included")
    arguments = parser.parse_args(argv)
    with EmbeddedBroker() as broker, EmbeddedRedis() as redis, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(
            kafka_bootstrap=broker.bootstrap,
            kafka_create_topics=False,
            kafka_in_flight_bytes=1_048_576,
            redis_url=redis.url,
            database_url=f"sqlite+aiosqlite:///{folder / 'bench.db'}",
            state_dir=folder,
            cameras=folder / "none.json",
            console_port=free_port(),
            console_secret="bench",  # noqa: S106
        )
        figures = asyncio.run(_run(settings, arguments, folder))
    for what, value in figures.items():
        print(f"{what:>22}: {value}")
    return 0


async def _run(settings: Settings, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    store = AlertStore.of(settings)
    await store.open()
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    for number in range(arguments.operators):
        await store.put_user(f"operator-{number}", hashed, ["operator"])
    for number in range(SHOWN):
        await store.record(make_alert(-1 - number))
    await store.close()
    console = multiprocessing.get_context("spawn").Process(target=serve_console, args=(settings,), daemon=True)
    console.start()
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    health = await client.get(f"http://127.0.0.1:{settings.console_port}/health")
                    if health.json()["kafka"]:
                        break
                await asyncio.sleep(0.1)
        return await measure(settings, arguments, folder)
    finally:
        console.terminate()
        await asyncio.to_thread(console.join)


if __name__ == "__main__":
    sys.exit(main())
