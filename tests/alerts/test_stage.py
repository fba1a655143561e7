"""What one hit after another becomes, on a real store and a real broker, without Faust around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from sqlalchemy.exc import DataError, OperationalError

from hotlists.entry import Handling, Priority
from pipeline import topics
from pipeline.alerts.store import AlertStore, Verdict, Viewer
from pipeline.alerts.stream import SIGHTINGS_KEPT, AlertStage, Window
from pipeline.model import Alert, Hit, Reject, RejectReason, RirDraft, decode, encode
from pipeline.settings import Settings
from pipeline.telemetry import Stamp, now_ns
from pipeline.topics import Publisher
from tests.conftest import BrokerUnderTest, MakeSettings
from tests.factories import JPEG, make_hit, make_read

ALL = Viewer("all", frozenset({"covert"}))
SECOND_NS = 1_000_000_000
WINDOW_S = 900


@dataclass(frozen=True)
class Message:
    """A Kafka message, as far as the stage looks at it."""

    value: bytes
    topic: str = topics.HITS
    partition: int = 2
    offset: int = 17


@dataclass(frozen=True)
class Desk:
    """A stage with what it writes to."""

    stage: AlertStage
    store: AlertStore
    windows: dict[str, Window]
    settings: Settings

    async def take(self, *hits: Hit) -> None:
        for hit in hits:
            await self.stage.take(Message(encode(hit)))

    async def alerts(self) -> list[Alert]:
        return [row.alert for row in await self.store.latest(100, ALL)]

    async def topic(self, name: str, count: int) -> list[Any]:
        found: list[bytes] = []
        async with topics.consumer(self.settings, name, group="none", group_id=None) as consumer:
            while len(found) < count:
                records = await consumer.getmany(timeout_ms=10_000)
                assert records, f"{len(found)} of {count} messages on {name}"
                found += [record.value for each in records.values() for record in each]
        return found


@pytest.fixture
async def desk(embedded_broker: BrokerUnderTest, make_settings: MakeSettings) -> AsyncIterator[Desk]:
    settings = make_settings(embedded_broker, suppression_window_s=WINDOW_S)
    store = AlertStore(settings.database_url)
    await store.open()
    windows: dict[str, Window] = {}
    async with Publisher(settings) as publisher:
        yield Desk(AlertStage(settings, store, publisher, windows), store, windows, settings)
    await store.close()


@pytest.fixture
def hit_at() -> Callable[..., Hit]:
    start_ns = now_ns() - 100_000 * SECOND_NS

    def make(second: float, plate: str = "1ABC123", **entry: Any) -> Hit:
        return make_hit(plate, read=make_read(plate, captured_at_ns=start_ns + int(second * SECOND_NS)), **entry)

    return make


async def test_sightings_within_the_window_are_one_alert(desk: Desk, hit_at: Callable[..., Hit]) -> None:
    await desk.take(hit_at(0), hit_at(WINDOW_S), hit_at(2 * WINDOW_S), hit_at(3 * WINDOW_S + 1))
    second, first = await desk.alerts()
    assert (first.sighting_count, second.sighting_count) == (3, 1)


async def test_the_same_hit_again_changes_nothing_and_is_sent_again(
    desk: Desk, hit_at: Callable[..., Hit]
) -> None:
    hit = hit_at(0, priority=Priority.HIGH)
    await desk.take(hit, hit)
    (alert,) = await desk.alerts()
    assert alert.sighting_count == 1
    assert await desk.store.last_seq() == 1
    # The fall may have come between the store and Kafka: the alert goes out again, under the same id.
    alerts = [decode(raw, Alert).alert_id for raw in await desk.topic(topics.ALERTS, 2)]
    assert alerts == [alert.alert_id] * 2
    # The report went into the outbox with the alert: it leaves from there, once.
    (leaving,) = await desk.store.outbox.take_due(now_ns())
    assert leaving.draft.alert_id == alert.alert_id


async def test_a_better_read_of_the_same_hit_is_the_same_alert(desk: Desk, hit_at: Callable[..., Hit]) -> None:
    first = hit_at(0, priority=Priority.HIGH)
    better = msgspec.structs.replace(
        first, posterior=0.999, read=msgspec.structs.replace(first.read, frames=4, patch=JPEG)
    )
    await desk.take(first, better, first, better)
    (alert,) = await desk.alerts()
    assert (alert.hit.read.frames, alert.hit.posterior, alert.sighting_count) == (4, 0.999, 1)
    assert await desk.store.patch(alert.alert_id, ALL) == JPEG
    # Two changes; the replays are sent again as the store has the alert by then.
    assert await desk.store.last_seq() == 2
    sent = [decode(raw, Alert) for raw in await desk.topic(topics.ALERTS, 4)]
    assert {each.alert_id for each in sent} == {alert.alert_id}
    assert [each.hit.read.frames for each in sent] == [1, 4, 4, 4]
    # And it is in the same window as before.
    await desk.take(hit_at(WINDOW_S))
    assert [each.sighting_count for each in await desk.alerts()] == [2]


async def test_a_better_read_after_the_verdict_is_sent_as_it_was_judged(
    desk: Desk, hit_at: Callable[..., Hit]
) -> None:
    first = hit_at(0)
    better = msgspec.structs.replace(first, read=msgspec.structs.replace(first.read, frames=2))
    await desk.take(first)
    (alert,) = await desk.alerts()
    await desk.store.acknowledge(alert.alert_id, Verdict.NO_ACTION, by=ALL)
    await desk.take(better)
    sent = [decode(raw, Alert) for raw in await desk.topic(topics.ALERTS, 2)]
    assert [each.hit.read.frames for each in sent] == [1, 1]
    row = await desk.store.get(alert.alert_id, ALL)
    assert row.later_read is not None
    assert row.later_read.frames == 2


async def test_a_hit_that_comes_late_moves_no_window_back(desk: Desk, hit_at: Callable[..., Hit]) -> None:
    await desk.take(hit_at(0), hit_at(5000), hit_at(100), hit_at(5800))
    later, earlier = await desk.alerts()
    assert [each.captured_at_ns for each in earlier.sightings] == [
        hit_at(second).read.captured_at_ns for second in (0, 100)
    ]
    assert later.sighting_count == 2


async def test_a_list_that_turns_covert_adds_nothing_to_what_units_have_seen(
    desk: Desk, hit_at: Callable[..., Hit]
) -> None:
    await desk.take(hit_at(0), hit_at(10, handling=Handling.COVERT), hit_at(20))
    alerts = {alert.hit.entry.handling: alert for alert in await desk.alerts()}
    assert alerts[Handling.OPEN].sighting_count == 2
    assert alerts[Handling.COVERT].sighting_count == 1
    assert alerts[Handling.COVERT].recipients == ["recherche", "rir"]


async def test_a_car_that_stands_before_a_camera_makes_no_endless_message(
    desk: Desk, hit_at: Callable[..., Hit]
) -> None:
    hits = [hit_at(second) for second in range(SIGHTINGS_KEPT + 20)]
    await desk.take(*hits)
    (alert,) = await desk.alerts()
    assert alert.sighting_count == len(hits)
    kept = [each.hit_id for each in alert.sightings]
    assert kept == [hit.hit_id for hit in (hits[0], *hits[-SIGHTINGS_KEPT + 1 :])]


@pytest.mark.parametrize(("waited_ms", "late"), [(0, False), (60_000, True)])
async def test_an_alert_says_when_it_is_over_its_budget(desk: Desk, waited_ms: int, late: bool) -> None:
    read = make_read(trail={Stamp.READ_SENT.value: now_ns() - waited_ms * 1_000_000})
    hit = make_hit(read=read)
    hit = Hit(**{**{name: getattr(hit, name) for name in hit.__struct_fields__}, "trail": read.trail})
    await desk.take(hit)
    (alert,) = await desk.alerts()
    assert alert.late is late
    assert {Stamp.HIT_TAKEN.value, Stamp.ALERT_STORED.value} <= set(alert.trail)


async def test_what_is_no_hit_is_rejected_with_its_place(desk: Desk, hit_at: Callable[..., Hit]) -> None:
    await desk.stage.take(Message(b"\xff no hit"))
    await desk.take(hit_at(0))
    (reject,) = [decode(raw, Reject) for raw in await desk.topic(topics.REJECTS, 1)]
    assert (reject.reason, reject.source) == (RejectReason.UNREADABLE, "alerts")
    assert (reject.topic, reject.partition, reject.offset) == (topics.HITS, 2, 17)
    assert len(await desk.alerts()) == 1


class _FailingStore(AlertStore):
    """Fails as told, once each, and then works: a database that was away, or that refuses a value."""

    def __init__(self, url: str, *failures: Exception) -> None:
        super().__init__(url)
        self.failures = list(failures)

    async def record(self, alert: Alert, report: RirDraft | None = None) -> int:
        if self.failures:
            raise self.failures.pop(0)
        return await super().record(alert, report)


async def test_a_database_that_is_away_costs_no_hit(
    desk: Desk, hit_at: Callable[..., Hit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.alerts.stream.RETRY_S", 0.01)
    away = OperationalError("insert", None, Exception("database is locked"))
    store = _FailingStore(desk.settings.database_url, away, ConnectionResetError(), away)
    async with Publisher(desk.settings) as publisher:
        stage = AlertStage(desk.settings, store, publisher, desk.windows)
        await stage.take(Message(encode(hit_at(0))))
    await store.close()
    assert store.failures == []
    assert len(await desk.alerts()) == 1


@pytest.mark.parametrize("failure", [DataError("insert", None, Exception("out of range")), KeyError("defect")])
async def test_a_hit_that_cannot_be_handled_holds_nobody_up(
    desk: Desk, hit_at: Callable[..., Hit], failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    store = _FailingStore(desk.settings.database_url, failure)
    async with Publisher(desk.settings) as publisher:
        stage = AlertStage(desk.settings, store, publisher, desk.windows)
        await stage.take(Message(encode(hit_at(0))))
        await stage.take(Message(encode(hit_at(0, "2XYZ789"))))
    await store.close()
    (alert,) = await desk.alerts()
    assert alert.hit.read.plate == "2XYZ789"
    (reject,) = [decode(raw, Reject) for raw in await desk.topic(topics.REJECTS, 1)]
    assert (reject.reason, reject.offset) == (RejectReason.FAILED, 17)
    assert type(failure).__name__ in caplog.text
    assert "1ABC123" not in caplog.text
