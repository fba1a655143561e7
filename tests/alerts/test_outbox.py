"""Reports leave for a real topic and a real HTTP intake: once each where all is well, again where it is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest

from hotlists.entry import Handling
from pipeline import telemetry, topics
from pipeline.alerts import outbox, rir
from pipeline.alerts.outbox import Dispatcher
from pipeline.alerts.reports import Report, State
from pipeline.alerts.rows import Verdict
from pipeline.alerts.store import AlertStore
from pipeline.errors import UnavailableError
from pipeline.model import RirDraft, decode
from pipeline.settings import Settings
from pipeline.telemetry import now_ns
from pipeline.topics import Publisher
from tests.alerts.receivers import Server, http_server
from tests.alerts.viewers import DETECTIVE, OPERATOR
from tests.conftest import BrokerUnderTest, MakeSettings
from tests.factories import JPEG, make_alert, make_read

FAR_NS = 4 * 10**18


@dataclass
class Intake:
    """A dispatcher with what it writes to."""

    store: AlertStore
    settings: Settings
    publisher: Publisher
    server: Server
    client: httpx.AsyncClient

    def dispatcher(self, **overrides: object) -> Dispatcher:
        settings = self.settings.model_copy(update=overrides)
        return Dispatcher(settings, self.store.outbox, self.store.reports, self.publisher, self.client)

    async def on_topic(self, count: int) -> list[RirDraft]:
        found: list[RirDraft] = []
        async with topics.consumer(self.settings, topics.RIR, group="none", group_id=None) as consumer:
            while len(found) < count:
                records = await consumer.getmany(timeout_ms=10_000)
                assert records, f"{len(found)} of {count} messages"
                found += [decode(record.value, RirDraft) for each in records.values() for record in each]
        return found

    async def sent_report(self, plate: str = "1ABC123") -> Report:
        alert = make_alert(plate, read=make_read(plate, patch=JPEG))
        await self.store.record(alert)
        await self.store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
        report = await self.store.reports.create(alert.alert_id, OPERATOR)
        return await self.store.reports.send(report.draft.rir_id, by=OPERATOR, version=1)

    async def state(self, report: Report) -> Report:
        return await self.store.reports.get(report.draft.rir_id, DETECTIVE)


@pytest.fixture
async def intake(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, tmp_path: Path
) -> AsyncIterator[Intake]:
    async with http_server() as server, httpx.AsyncClient() as client:
        settings = make_settings(
            embedded_broker, rir_intake_url=f"{server.url}/intake", rir_intake_token="token-1"
        )
        store = AlertStore.of(settings)
        await store.open()
        async with Publisher(settings) as publisher:
            yield Intake(store, settings, publisher, server, client)
        await store.close()


async def test_a_report_leaves_for_both_and_is_acknowledged(intake: Intake) -> None:
    intake.server.answers = [(201, b'{"receipt": "RIR-2024-17"}')]
    report = await intake.sent_report()
    dispatcher = intake.dispatcher()
    assert await dispatcher.step() == 1
    assert await dispatcher.step() == 0
    (posted,) = intake.server.taken
    assert posted.path == "/intake"
    assert posted.headers["idempotency-key"] == f"{report.draft.rir_id}:2"
    assert posted.headers["authorization"] == "Bearer token-1"
    draft = decode(posted.body, RirDraft)
    assert (draft.version, draft.final, draft.author) == (2, True, "an")
    assert draft.attachments[0].content == JPEG
    assert await intake.on_topic(1) == [draft]
    known = await intake.state(report)
    assert (known.state, known.sent_version, known.receipt) == (State.ACKNOWLEDGED, 2, "RIR-2024-17")


async def test_without_an_intake_a_report_is_sent_with_the_topic(intake: Intake) -> None:
    report = await intake.sent_report()
    await intake.dispatcher(rir_intake_url="").step()
    assert (await intake.state(report)).state is State.SENT
    assert intake.server.taken == []


async def test_what_is_drafted_at_once_leaves_as_a_draft_and_stays_one(intake: Intake) -> None:
    alert = make_alert(handling=Handling.COVERT)
    await intake.store.record(alert, rir.draft(alert))
    await intake.dispatcher().step()
    (draft,) = await intake.on_topic(1)
    assert (draft.final, draft.author, draft.version) == (False, "", 1)
    known = await intake.store.reports.get(draft.rir_id, DETECTIVE)
    assert (known.state, known.sent_version) == (State.DRAFT, 1)


@pytest.mark.parametrize("status", [301, 401, 404, 409, 429, 500, 503])
async def test_an_intake_that_is_not_well_gets_it_again_under_the_same_key(
    intake: Intake, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake.server.answers = [(status, b"no"), (200, b"ok")]
    report = await intake.sent_report()
    dispatcher = intake.dispatcher()
    await dispatcher.step()
    waiting = await intake.state(report)
    assert waiting.state is State.SENT
    assert f"HTTP {status}" in waiting.problem
    monkeypatch.setattr(outbox.telemetry, "now_ns", lambda: FAR_NS)
    assert await dispatcher.step() == 1
    done = await intake.state(report)
    assert (done.state, done.problem) == (State.ACKNOWLEDGED, "")
    first, second = intake.server.taken
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    # On the topic it is once: what Kafka had acknowledged was noted.
    assert len(await intake.on_topic(1)) == 1


async def test_an_intake_that_is_away_holds_no_topic_up(intake: Intake) -> None:
    report = await intake.sent_report()
    await intake.dispatcher(rir_intake_url="http://127.0.0.1:9/").step()
    known = await intake.state(report)
    assert (known.state, known.sent_version) == (State.SENT, 2)
    assert "does not answer" in known.problem
    assert len(await intake.on_topic(1)) == 1


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_what_the_intake_refuses_waits_for_a_person(intake: Intake, status: int) -> None:
    intake.server.answers = [(status, b"no"), (200, b"{}")]
    report = await intake.sent_report()
    dispatcher = intake.dispatcher()
    await dispatcher.step()
    refused = await intake.state(report)
    assert (refused.state, refused.problem) == (State.REFUSED, f"intake: HTTP {status}")
    assert await intake.store.outbox.take_due(FAR_NS) == []
    await intake.store.reports.send(report.draft.rir_id, by=OPERATOR, version=2)
    await dispatcher.step()
    assert (await intake.state(report)).state is State.ACKNOWLEDGED


async def test_versions_of_a_report_leave_in_their_order(intake: Intake) -> None:
    alert = make_alert(handling=Handling.COVERT)
    await intake.store.record(alert, rir.draft(alert))
    rir_id = rir.report(alert).rir_id
    await intake.store.reports.send(rir_id, by=DETECTIVE, version=1)
    assert [each.draft.version for each in await intake.store.outbox.take_due(now_ns())] == [1]
    # While the first is under way, the second waits.
    assert await intake.store.outbox.take_due(now_ns()) == []
    dispatcher = intake.dispatcher()
    later_ns = now_ns() + outbox.LEASE_NS + 1
    (first,) = await intake.store.outbox.take_due(later_ns)
    await intake.store.outbox.done(first)
    assert await dispatcher.step() == 1
    assert [each.version for each in await intake.on_topic(1)] == [2]


async def test_a_dispatcher_that_fell_leaves_what_it_took(intake: Intake) -> None:
    await intake.sent_report()
    (taken,) = await intake.store.outbox.take_due(now_ns())
    assert await intake.store.outbox.take_due(now_ns()) == []
    assert await intake.store.outbox.take_due(now_ns() + outbox.LEASE_NS + 1) == [taken]


async def test_kafka_that_takes_nothing_is_shown_and_tried_again(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*args: object, **more: object) -> None:
        raise UnavailableError("away")

    report = await intake.sent_report()
    with monkeypatch.context() as patched:
        patched.setattr(intake.publisher, "send", away)
        await intake.dispatcher().step()
    known = await intake.state(report)
    assert known.state is State.QUEUED
    assert "Kafka" in known.problem
    assert intake.server.taken == []
    monkeypatch.setattr(outbox.telemetry, "now_ns", lambda: FAR_NS)
    await intake.dispatcher().step()
    assert (await intake.state(report)).state is State.ACKNOWLEDGED


async def test_a_picture_too_large_for_kafka_goes_as_its_hash(intake: Intake) -> None:
    large = b"\xff\xd8" + bytes(100_000)
    alert = make_alert(read=make_read(patch=JPEG, picture=large), handling=Handling.COVERT)
    await intake.store.record(alert, rir.draft(alert))
    await intake.dispatcher(kafka_max_message_bytes=65_536).step()
    (draft,) = await intake.on_topic(1)
    assert [(each.name, each.content) for each in draft.attachments] == [(rir.PATCH, JPEG), (rir.PICTURE, None)]
    assert draft.attachments[1].size_bytes == len(large)
    # The HTTP intake gets it whole.
    (posted,) = intake.server.taken
    assert decode(posted.body, RirDraft).attachments[1].content == large


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"receipt": 5}', b"\xff", b'{"receipt": "' + b"x" * 70_000 + b'"}']
)
async def test_an_answer_without_a_receipt_is_one(intake: Intake, body: bytes) -> None:
    intake.server.answers = [(200, body)]
    report = await intake.sent_report()
    await intake.dispatcher().step()
    known = await intake.state(report)
    assert (known.state, known.receipt) == (State.ACKNOWLEDGED, "")


def test_a_draft_of_before_is_still_read() -> None:
    old = b'{"v":1,"rir_id":"a","alert_id":"b","created_at_ns":1,"handling":"open","hotlist":"x","reason":"",' + (
        b'"plate_listed":"1","plate_read":"1","camera":"c","captured_at_ns":1}'
    )
    draft = decode(old, RirDraft)
    assert (draft.version, draft.final, draft.attachments) == (1, False, [])
    assert msgspec.json.decode(msgspec.json.encode(draft))["handling_code"] == ""


async def test_what_waits_is_measured_and_shown_to_whom_it_may_be(intake: Intake) -> None:
    store = intake.store
    before_ns = now_ns()
    await intake.sent_report()
    alert = make_alert("2XYZ789", handling=Handling.COVERT)
    await store.record(alert, rir.report(alert))
    seen, known = await store.outbox.backlog(OPERATOR), await store.outbox.backlog(DETECTIVE)
    assert (seen.waiting, known.waiting, await store.outbox.waiting()) == (1, 2, 2)
    assert seen.oldest_at_ns is not None
    assert before_ns <= seen.oldest_at_ns <= now_ns()
    away = intake.dispatcher(rir_intake_url="http://127.0.0.1:9/")
    await away.step()
    assert telemetry.RIR_WAITING._value.get() == 2
    assert 0 < telemetry.RIR_OLDEST_S._value.get() < 600
