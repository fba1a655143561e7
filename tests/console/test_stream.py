"""The live stream, over a real server: what it begins with, how it resumes, what it keeps back, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from console.app import run
from console.auth import ensure_user
from hotlists.entry import Handling
from pipeline.alerts.store import AlertStore, Verdict, Viewer
from pipeline.embedded import free_port
from pipeline.settings import Settings
from pipeline.topics import ALERTS, Publisher
from tests.conftest import BrokerUnderTest, MakeSettings, running, until
from tests.console.conftest import PASSWORD
from tests.console.samples import make_alert

Event = tuple[str, str, Any]


@pytest.fixture
def console_settings(make_settings: MakeSettings, redis_url: str) -> Settings:
    return make_settings(kafka_bootstrap="127.0.0.1:9", redis_url=redis_url, console_port=free_port())


@contextlib.asynccontextmanager
async def signed_in(settings: Settings, name: str) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://127.0.0.1:{settings.console_port}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
        answer = await client.post("/sign-in", data={"username": name, "password": PASSWORD})
        assert answer.status_code == 303
        yield client


@contextlib.asynccontextmanager
async def live(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Run the console, and sign the operator in."""
    async with running(run, settings), signed_in(settings, "operator") as client:
        yield client


@contextlib.asynccontextmanager
async def listening(client: httpx.AsyncClient, **headers: str) -> AsyncIterator[AsyncIterator[Event]]:
    """Open the stream; gives (event, id, data) without the beats."""
    async with client.stream("GET", "/alerts/stream", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = _events(answer.aiter_lines())
        yield events
        await events.aclose()


async def _events(lines: AsyncIterator[str]) -> Any:
    fields: dict[str, str] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            found, fields = fields, {}
            if found.get("event") != "beat":
                data = found.get("data", "")
                yield found["event"], found.get("id", ""), msgspec.json.decode(data) if data else None


async def _next(events: AsyncIterator[Event]) -> Event:
    return await asyncio.wait_for(anext(events), 20)


async def test_a_page_begins_with_the_newest_and_hears_what_follows(
    console_settings: Settings, store: AlertStore
) -> None:
    await store.record(make_alert(1, age_s=60))
    await store.record(make_alert(2, age_s=30))
    async with live(console_settings) as client, listening(client) as events:
        name, number, shown = await _next(events)
        assert (name, number) == ("snapshot", "2")
        assert [each["id"] for each in shown] == [make_alert(2).alert_id, make_alert(1).alert_id]
        await store.record(make_alert(3))
        name, number, alert = await _next(events)
        assert (name, number, alert["id"]) == ("alert", "3", make_alert(3).alert_id)
        by = Viewer("operator", frozenset({"operator"}))
        await store.acknowledge(make_alert(1).alert_id, Verdict.CONFIRMED, by=by)
        name, number, alert = await _next(events)
        assert (name, number, alert["acknowledgement"]["verdict"]) == ("alert", "4", "confirmed")


async def test_a_page_that_was_away_misses_nothing(console_settings: Settings, store: AlertStore) -> None:
    for number in range(1, 6):
        await store.record(make_alert(number))
    async with live(console_settings) as client, listening(client, **{"Last-Event-ID": "3"}) as events:
        found = [await _next(events), await _next(events)]
    assert [(name, number) for name, number, _ in found] == [("alert", "4"), ("alert", "5")]


@pytest.mark.parametrize("given", ["99", "-1", "x", "9" * 30, "٣"])
async def test_a_number_that_makes_no_sense_begins_anew(
    console_settings: Settings, store: AlertStore, given: str
) -> None:
    await store.record(make_alert(1))
    async with (
        live(console_settings) as client,
        client.stream("GET", "/alerts/stream", params={"since": given}) as answer,
    ):
        events = _events(answer.aiter_lines())
        assert (await _next(events))[:2] == ("snapshot", "1")
        await events.aclose()


async def test_a_covert_alert_streams_to_the_named_alone(console_settings: Settings, store: AlertStore) -> None:
    covert = make_alert(2, handling=Handling.COVERT, named_users=("named",))
    await store.record(make_alert(1))
    async with (
        running(run, console_settings),
        signed_in(console_settings, "operator") as operator,
        signed_in(console_settings, "named") as named,
        listening(operator) as for_operator,
        listening(named) as for_named,
    ):
        await _next(for_operator)
        await _next(for_named)
        await store.record(covert)
        # Who comes to see covert alerts counts changes on another scale from then on, and begins anew.
        event, _, shown = await _next(for_named)
        assert event == "snapshot"
        assert {alert["id"]: alert["covert"] for alert in shown}[covert.alert_id] is True
        await store.record(make_alert(3))
        # The next that the operator hears of is the open one: the covert one was passed over.
        assert (await _next(for_operator))[2]["id"] == make_alert(3).alert_id
    async with running(run, console_settings), signed_in(console_settings, "operator") as again:
        async with listening(again, **{"Last-Event-ID": "1"}) as events:
            assert (await _next(events))[2]["id"] == make_alert(3).alert_id
        async with listening(again) as events:
            assert covert.alert_id not in str(await _next(events))


async def test_a_stream_ends_with_its_session(console_settings: Settings, store: AlertStore) -> None:
    async with live(console_settings) as client, listening(client) as events:
        await _next(events)
        await ensure_user(store, "operator", "een nieuw wachtwoord", ["operator"])
        await store.record(make_alert(1))
        assert (await _next(events))[0] == "leave"


async def test_an_open_stream_does_not_hold_the_server(console_settings: Settings, store: AlertStore) -> None:
    stop, ready = asyncio.Event(), asyncio.Event()
    console = asyncio.create_task(run(console_settings, stop=stop, ready=ready.set))
    await asyncio.wait_for(ready.wait(), 20)
    async with signed_in(console_settings, "operator") as client, listening(client) as events:
        await _next(events)
        stop.set()
        # The stream ends properly, rather than being cut off: that would be an error here.
        with pytest.raises(StopAsyncIteration):
            await _next(events)
        await asyncio.wait_for(console, 20)


async def test_kafka_wakes_the_streams(
    make_settings: MakeSettings,
    embedded_broker: BrokerUnderTest,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    console_settings: Settings,
    store: AlertStore,
) -> None:
    # The safety net would come after a minute: what arrives before has come by Kafka.
    monkeypatch.setattr("console.hub.POLL_S", 300.0)
    settings = make_settings(embedded_broker, redis_url=redis_url, console_port=console_settings.console_port)
    async with (
        running(run, settings),
        signed_in(settings, "operator") as client,
        Publisher(settings) as publisher,
        listening(client) as events,
    ):
        await _next(events)

        async def reaches_kafka() -> bool:
            return bool((await client.get("/health")).json()["kafka"])

        await until(reaches_kafka, "the console reaches Kafka")
        await store.record(make_alert(1))
        arrived = asyncio.create_task(_next(events))

        async def announced() -> bool:
            # Again and again: the first may come before the consumer has its partitions.
            await publisher.send(ALERTS, make_alert(1), key=make_alert(1).alert_id)
            await publisher.flush()
            return arrived.done()

        await until(announced, "the alert comes by Kafka", 20)
        assert (await arrived)[2]["id"] == make_alert(1).alert_id
