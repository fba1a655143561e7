"""No alert is lost or doubled, however often the line breaks and the server falls: counted."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from console.app import run
from pipeline.alerts.store import AlertStore
from pipeline.embedded import free_port
from pipeline.settings import Settings
from tests.conftest import MakeSettings, running, until
from tests.console.conftest import PASSWORD
from tests.console.samples import make_alert

DISCONNECTS = 100
RESTARTS = 5
ALERTS = 600


class Operator:
    """A page as `line.js` is one: it remembers the last id, reconnects after it, and begins anew by a snapshot."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self._url = f"http://127.0.0.1:{settings.console_port}"
        self._random = random.Random(seed)
        self._last = ""
        self.seen: Counter[str] = Counter()
        self.snapshots = 0
        self.cuts = 0

    async def watch(self, stop: asyncio.Event) -> None:
        """Listen until `stop`, and cut the line at random."""
        async with httpx.AsyncClient(base_url=self._url, trust_env=False, timeout=5) as client:
            await self._sign_in(client)
            while not stop.is_set():
                cut_after = self._random.randint(1, 8)
                try:
                    await self._listen(client, cut_after, stop)
                except httpx.TransportError:
                    # The server is away: as a browser, try again a little later.
                    await asyncio.sleep(0.02)

    async def _sign_in(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/sign-in", data={"username": "operator", "password": PASSWORD})
        assert answer.status_code == 303

    async def _listen(self, client: httpx.AsyncClient, cut_after: int, stop: asyncio.Event) -> None:
        headers = {"Last-Event-ID": self._last} if self._last else {}
        async with client.stream("GET", "/alerts/stream", headers=headers) as answer:
            assert answer.status_code == 200, answer.status_code
            fields: dict[str, str] = {}
            async for line in _lines(answer, stop):
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                    continue
                event, fields = fields, {}
                if event.get("id"):
                    self._last = event["id"]
                if event.get("event") == "snapshot":
                    self.snapshots += 1
                    self.seen.update(each["id"] for each in msgspec.json.decode(event["data"]))
                elif event.get("event") == "alert":
                    self.seen[msgspec.json.decode(event["data"])["id"]] += 1
                    cut_after -= 1
                    if cut_after <= 0:
                        self.cuts += 1
                        return


async def _lines(answer: httpx.Response, stop: asyncio.Event) -> AsyncIterator[str]:
    lines = answer.aiter_lines()
    ended = asyncio.create_task(stop.wait())
    try:
        while True:
            line = asyncio.ensure_future(anext(lines, None))
            await asyncio.wait({line, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not line.done():
                line.cancel()
                return
            found = line.result()
            if found is None:
                return
            yield found
    finally:
        ended.cancel()


@pytest.fixture
def console_settings(make_settings: MakeSettings, redis_url: str) -> Settings:
    return make_settings(kafka_bootstrap="127.0.0.1:9", redis_url=redis_url, console_port=free_port())


@pytest.mark.slow
async def test_nothing_is_lost_or_doubled(
    console_settings: Settings, store: AlertStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a broker the watcher looks by itself; often, so that many streams are cut in the middle of something.
    monkeypatch.setattr("console.hub.POLL_S", 0.01)
    operator, stop = Operator(console_settings, seed=7), asyncio.Event()
    ids = [make_alert(number).alert_id for number in range(ALERTS)]
    watching: asyncio.Task[None] | None = None
    share = ALERTS // (RESTARTS + 1)
    for part in range(RESTARTS + 1):
        async with running(run, console_settings):
            if watching is None:
                watching = asyncio.create_task(operator.watch(stop))
                await until(lambda: operator.snapshots == 1, "the page has begun")
            for number in range(part * share, (part + 1) * share):
                await store.record(make_alert(number))
            # Half of what there is has arrived when the server falls: the rest is on its way.
            half = part * share + share // 2
            await until(lambda half=half: len(operator.seen) >= half, "half has arrived")
        # The server is away; what happens meanwhile must not be missed either.
        await store.record(make_alert(10_000 + part))
        ids.append(make_alert(10_000 + part).alert_id)
    async with running(run, console_settings):
        await until(lambda: set(ids) <= set(operator.seen), "every alert has arrived", 60)
        stop.set()
        assert watching is not None
        await watching
    doubled = {each: count for each, count in operator.seen.items() if count != 1}
    assert operator.snapshots == 1
    assert set(operator.seen) == set(ids)
    assert doubled == {}
    assert operator.cuts >= DISCONNECTS
