"""Units are told through real servers on loopback: at once, again, further up, and never of a covert alert."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import update

from hotlists.entry import Category, Handling, Priority
from pipeline import telemetry
from pipeline.alerts import deliveries, signature
from pipeline.alerts.deliveries import Due, Kind, State
from pipeline.alerts.notify import CovertAlertError, Notifier, assert_open
from pipeline.alerts.receivers import Receiver
from pipeline.alerts.routing import recipients
from pipeline.alerts.rows import Answer, Verdict
from pipeline.alerts.store import AlertStore
from pipeline.alerts.tables import ALERTS
from pipeline.model import Alert
from pipeline.settings import Settings
from tests.alerts.receivers import Server, http_server
from tests.alerts.viewers import COLLEAGUE, DETECTIVE, OPERATOR, UNIT
from tests.conftest import CAMERAS
from tests.factories import make_alert

SECRET = "een geheim van de zone"


@dataclass
class Clock:
    """The time as the desk sees it: it runs, and can be moved forward."""

    moved_ns: int = 0
    real: Callable[[], int] = field(default=telemetry.now_ns)

    def __call__(self) -> int:
        return self.real() + self.moved_ns

    def forward(self, seconds: float) -> None:
        self.moved_ns += int(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(telemetry, "now_ns", made)
    return made


@dataclass
class Desk:
    """A notifier on a store, with the server that its receivers lead to."""

    store: AlertStore
    server: Server
    client: httpx.AsyncClient
    clock: Clock

    def notifier(self, *receivers: Receiver, **overrides: object) -> Notifier:
        values = {"escalate_after_s": 60.0, "public_url": "https://lik.zone.example/", **overrides}
        chosen = receivers or (self.hook(),)
        return Notifier(
            Settings(**values),
            self.store,
            {each.name: each for each in chosen},
            self.client,
            {camera.id: camera for camera in CAMERAS},
        )

    def hook(self, name: str = "Dispatching", **more: object) -> Receiver:
        return Receiver(name=name, url=f"webhook+{self.server.url}/{name}", secret=SECRET, **more)

    def apprise(self, name: str = "Ploeg", **more: object) -> Receiver:
        return Receiver(name=name, url=f"json://127.0.0.1:{self.server.port}/{name}", **more)

    async def confirmed(self, plate: str = "1ABC123", **hit: object) -> Alert:
        alert = make_alert(plate, **hit)
        await self.store.record(alert)
        await self.store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
        return alert

    def told(self) -> list[str]:
        return [taken.path.removeprefix("/") for taken in self.server.taken]

    async def states(self, alert: Alert) -> dict[tuple[str, str], str]:
        found = await self.store.deliveries.of_alert(alert.alert_id, OPERATOR)
        return {(each.receiver, each.kind.value): each.state.value for each in found}


@pytest.fixture
async def desk(store: AlertStore, clock: Clock) -> AsyncIterator[Desk]:
    async with http_server() as server, httpx.AsyncClient() as client:
        yield Desk(store, server, client, clock)


async def test_a_released_alert_is_told_once_signed_and_written_down(desk: Desk) -> None:
    notifier = desk.notifier(desk.hook(full=True))
    await notifier.step()
    assert desk.told() == []
    alert = await desk.confirmed()
    assert await notifier.step() == 1
    assert await notifier.step() == 0
    (taken,) = desk.server.taken
    assert signature.verify(
        SECRET,
        taken.headers["x-kruispunt-timestamp"],
        taken.body,
        taken.headers["x-kruispunt-signature"],
        now_s=time.time(),
    )
    told = msgspec.json.decode(taken.body)
    assert told["title"] == "DRINGEND: ANPR-alarm"
    assert told["link"] == "https://lik.zone.example/unit"
    assert (told["kind"], told["plate"], told["alert_id"]) == ("alert", "1ABC123", alert.alert_id)
    assert "N9 Stadhuis" in told["body"]
    assert re.search(r"\d\d:\d\d:\d\d CES?T", told["body"])
    (delivery,) = await desk.store.deliveries.of_alert(alert.alert_id, OPERATOR)
    assert (delivery.state, delivery.next_at_ns) == (State.DELIVERED, None)
    assert [(each.number, each.delivered, each.detail) for each in delivery.attempts] == [(1, True, "HTTP 200")]


async def test_apprise_tells_as_well_and_no_plate_leaves_by_itself(desk: Desk) -> None:
    notifier = desk.notifier(desk.apprise(), desk.hook())
    alert = await desk.confirmed()
    await notifier.step()
    assert sorted(desk.told()) == ["Dispatching", "Ploeg"]
    for taken in desk.server.taken:
        assert b"1ABC123" not in taken.body
        assert b"Diefstal" not in taken.body
    assert set((await desk.states(alert)).values()) == {"delivered"}


async def test_what_was_not_confirmed_is_not_told(desk: Desk) -> None:
    notifier = desk.notifier()
    alert = make_alert()
    await desk.store.record(alert)
    await desk.store.acknowledge(alert.alert_id, Verdict.MISREAD, by=OPERATOR)
    assert await notifier.step() == 0
    assert desk.server.taken == []


@pytest.mark.parametrize(
    ("language", "title", "opening"),
    [
        ("fr", "URGENT : alerte ANPR", "Nouvelle alerte pour votre secteur."),
        ("en", "URGENT: ANPR alert", "New alert for your sector."),
    ],
)
async def test_units_are_told_in_the_language_of_the_zone(
    desk: Desk, language: str, title: str, opening: str
) -> None:
    await desk.confirmed()
    await desk.notifier(zone_language=language).step()
    told = msgspec.json.decode(desk.server.taken[0].body)
    assert (told["title"], told["body"].split("\n")[0]) == (title, opening)


async def test_a_list_may_have_units_told_before_anybody_has_looked(desk: Desk) -> None:
    notifier = desk.notifier()
    await desk.store.record(make_alert(notify_unconfirmed=True))
    assert await notifier.step() == 1


@pytest.mark.parametrize("kind", ["hook", "apprise"])
async def test_a_failed_delivery_is_tried_again_later_under_the_same_key(desk: Desk, kind: str) -> None:
    desk.server.answers = [(503, b""), (503, b""), (200, b"")]
    notifier = desk.notifier(getattr(desk, kind)("Ploeg"))
    alert = await desk.confirmed()
    assert await notifier.step() == 1
    assert await notifier.step() == 0
    desk.clock.forward(6)
    assert await notifier.step() == 1
    desk.clock.forward(6)
    assert await notifier.step() == 0
    desk.clock.forward(10)
    assert await notifier.step() == 1
    (delivery,) = await desk.store.deliveries.of_alert(alert.alert_id, OPERATOR)
    assert delivery.state is State.DELIVERED
    assert [each.delivered for each in delivery.attempts] == [False, False, True]
    assert "503" in delivery.attempts[0].detail
    if kind == "hook":
        assert len({taken.headers["idempotency-key"] for taken in desk.server.taken}) == 1


async def test_a_receiver_that_cannot_be_reached_is_given_up_for_all_to_see(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    away = Receiver(name="Weg", url="webhook+http://127.0.0.1:9/", secret=SECRET)
    notifier = desk.notifier(away, desk.hook(), notify_attempts=2)
    alert = await desk.confirmed()
    await notifier.step()
    before = await desk.store.last_seq(OPERATOR)
    desk.clock.forward(6)
    with caplog.at_level(logging.ERROR):
        await notifier.step()
    assert (await desk.states(alert)) == {("Weg", "alert"): "failed", ("Dispatching", "alert"): "delivered"}
    (row,) = await desk.store.changes_since(before, user=OPERATOR)
    assert row.failed_deliveries == 1
    assert "Weg was not told" in caplog.text
    assert "1ABC123" not in caplog.text
    assert (await desk.store.figures.hand_over(OPERATOR, since_ns=0)).failed_deliveries == 1


async def test_a_redirect_is_not_followed(desk: Desk) -> None:
    desk.server.answers = [(307, b"")]
    notifier = desk.notifier()
    alert = await desk.confirmed()
    await notifier.step()
    assert desk.told() == ["Dispatching"]
    assert (await desk.states(alert)) == {("Dispatching", "alert"): "pending"}


async def test_nobody_answers_so_it_goes_further_up(desk: Desk) -> None:
    notifier = desk.notifier(desk.hook("Ploeg"), desk.hook("Officier", level=1), desk.hook("Chef", level=2))
    alert = await desk.confirmed()
    await notifier.step()
    assert desk.told() == ["Ploeg"]
    before = await desk.store.last_seq(OPERATOR)
    desk.clock.forward(61)
    await notifier.step()
    assert desk.told() == ["Ploeg", "Officier"]
    (row,) = await desk.store.changes_since(before, user=OPERATOR)
    assert row.escalated_at_ns is not None
    desk.clock.forward(61)
    await notifier.step()
    desk.clock.forward(61)
    await notifier.step()
    assert desk.told() == ["Ploeg", "Officier", "Chef"]
    assert (await desk.states(alert))[("Chef", "escalation")] == "delivered"


async def test_the_operator_sees_that_nobody_answers_where_there_is_nobody_further_up(desk: Desk) -> None:
    notifier = desk.notifier()
    alert = await desk.confirmed()
    await notifier.step()
    desk.clock.forward(61)
    await notifier.step()
    assert (await desk.store.get(alert.alert_id, OPERATOR)).escalated_at_ns is not None
    assert desk.told() == ["Dispatching"]


async def test_an_answer_ends_it(desk: Desk) -> None:
    notifier = desk.notifier(desk.hook("Ploeg"), desk.hook("Officier", level=1))
    alert = await desk.confirmed()
    await notifier.step()
    await desk.store.units.respond(alert.alert_id, Answer.ON_THE_WAY, by=UNIT)
    desk.clock.forward(61)
    await notifier.step()
    assert desk.told() == ["Ploeg"]
    assert (await desk.store.get(alert.alert_id, OPERATOR)).escalated_at_ns is None


async def test_whoever_was_told_is_told_that_it_was_taken_back(desk: Desk) -> None:
    notifier = desk.notifier(desk.hook("Ploeg"), desk.hook("Zuid", sectors=("zuid",)), desk.hook("Chef", level=1))
    alert = await desk.confirmed()
    await notifier.step()
    await desk.store.acknowledge(alert.alert_id, Verdict.MISREAD, by=COLLEAGUE)
    await notifier.step()
    assert desk.told() == ["Ploeg", "Ploeg"]
    told = msgspec.json.decode(desk.server.taken[1].body)
    assert told["kind"] == "withdrawn"
    assert told["title"].startswith("INGETROKKEN")
    desk.clock.forward(3600)
    await notifier.step()
    assert desk.told() == ["Ploeg", "Ploeg"]
    # Confirmed again: a release of its own.
    await desk.store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    await notifier.step()
    assert [msgspec.json.decode(taken.body)["kind"] for taken in desk.server.taken] == [
        "alert",
        "withdrawn",
        "alert",
    ]


async def test_what_was_taken_back_before_it_left_is_not_told_at_all(desk: Desk) -> None:
    desk.server.answers = [(503, b""), (200, b"")]
    notifier = desk.notifier(desk.hook("Ploeg"), desk.hook("Weg"))
    alert = await desk.confirmed()
    for opened in await desk.store.deliveries.unopened():
        await desk.store.deliveries.open_round(opened, ["Ploeg", "Weg"], escalate_at_ns=None)
    await desk.store.acknowledge(alert.alert_id, Verdict.MISREAD, by=COLLEAGUE)
    assert await desk.store.deliveries.take_due(telemetry.now_ns()) == []
    await notifier.step()
    assert desk.told() == []
    assert set((await desk.states(alert)).values()) == {"cancelled"}


async def test_a_withdrawal_that_a_new_release_overtakes_is_not_told_after_it(desk: Desk) -> None:
    desk.server.answers = [(200, b""), (503, b""), (200, b"")]
    notifier = desk.notifier(desk.hook("Ploeg"))
    alert = await desk.confirmed()
    await notifier.step()
    await desk.store.acknowledge(alert.alert_id, Verdict.MISREAD, by=COLLEAGUE)
    await notifier.step()
    await desk.store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    desk.clock.forward(20)
    await notifier.step()
    desk.clock.forward(20)
    await notifier.step()
    kinds = [msgspec.json.decode(taken.body)["kind"] for taken in desk.server.taken]
    # The second was not accepted; the unit must not hear of it after the alert stands again.
    assert kinds == ["alert", "withdrawn", "alert"]


async def test_a_receiver_that_is_gone_from_the_registry_is_a_failure_to_see(desk: Desk) -> None:
    alert = await desk.confirmed()
    (opened,) = await desk.store.deliveries.unopened()
    await desk.store.deliveries.open_round(opened, ["Vorige"], escalate_at_ns=None)
    await desk.notifier().step()
    assert (await desk.states(alert))[("Vorige", "alert")] == "failed"


async def test_a_notifier_that_fell_leaves_what_it_took_to_the_next(desk: Desk) -> None:
    await desk.confirmed()
    (opened,) = await desk.store.deliveries.unopened()
    await desk.store.deliveries.open_round(opened, ["Dispatching"], escalate_at_ns=None)
    taken = await desk.store.deliveries.take_due(telemetry.now_ns())
    assert len(taken) == 1
    assert await desk.notifier().step() == 0
    desk.clock.forward(deliveries.LEASE_NS / 1e9 + 1)
    assert await desk.notifier().step() == 1


async def test_after_a_long_outage_nobody_is_woken_for_what_is_over(desk: Desk) -> None:
    await desk.confirmed()
    desk.clock.forward(deliveries.REACH_NS / 1e9 + 1)
    assert await desk.notifier().step() == 0


async def test_a_covert_alert_that_the_queries_let_through_is_stopped_at_the_door(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    covert = make_alert(handling=Handling.COVERT)
    await desk.store.record(covert)
    async with desk.store.database.write() as connection:
        # As if a defect had marked it open and released it.
        await connection.execute(
            update(ALERTS).values(covert=False, released_at_ns=telemetry.now_ns(), release_round=1)
        )
    (opened,) = await desk.store.deliveries.unopened()
    await desk.store.deliveries.open_round(opened, ["Dispatching"], escalate_at_ns=None)
    await desk.notifier(notify_attempts=1).step()
    assert desk.server.taken == []
    assert (await desk.states(covert)) == {("Dispatching", "alert"): "failed"}
    assert "not for units" in caplog.text


@given(
    handling=st.sampled_from(Handling),
    category=st.sampled_from(Category),
    priority=st.sampled_from(Priority),
    unconfirmed=st.booleans(),
    named=st.lists(st.sampled_from(["ploeg-1", "cas", "an"]), unique=True),
    verdicts=st.lists(st.sampled_from(Verdict), max_size=3),
    claimed=st.booleans(),
)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_history_of_a_covert_alert_leads_to_a_notification(
    tmp_path: Path,
    handling: Handling,
    category: Category,
    priority: Priority,
    unconfirmed: bool,
    named: list[str],
    verdicts: list[Verdict],
    claimed: bool,
) -> None:
    made = make_alert(
        handling=handling,
        category=category,
        priority=priority,
        notify_unconfirmed=unconfirmed,
        named_users=tuple(named),
    )
    alert = msgspec.structs.replace(made, recipients=[each.value for each in recipients(made.hit)])
    (tmp_path / "alerts.db").unlink(missing_ok=True)
    store = AlertStore(f"sqlite+aiosqlite:///{tmp_path / 'alerts.db'}")
    await store.open()
    told: list[Due] = []
    try:
        await store.record(alert)
        if claimed:
            await store.claims.claim(alert.alert_id, DETECTIVE)
        for verdict in (None, *verdicts):
            if verdict is not None:
                await store.acknowledge(alert.alert_id, verdict, by=DETECTIVE)
            await store.deliveries.withdraw()
            for opened in await store.deliveries.unopened():
                await store.deliveries.open_round(opened, ["Ploeg"], escalate_at_ns=1)
            for late in await store.deliveries.unanswered(telemetry.now_ns()):
                await store.deliveries.escalate(late, ["Chef"], again_at_ns=None)
            due = await store.deliveries.take_due(telemetry.now_ns())
            for each in due:
                await store.deliveries.note(each, delivered=True, detail="", retry_at_ns=None)
            told += due
    finally:
        await store.close()
    if handling is Handling.COVERT:
        assert told == []
        with pytest.raises(CovertAlertError):
            assert_open(alert)
    else:
        assert_open(alert)
        expected = unconfirmed or Verdict.CONFIRMED in verdicts
        assert any(each.kind is Kind.ALERT for each in told) is expected


def test_an_alert_that_is_not_for_interventie_is_stopped_too() -> None:
    alert = msgspec.structs.replace(make_alert(), recipients=["lik"])
    with pytest.raises(CovertAlertError):
        assert_open(alert)


async def test_two_notifiers_share_what_is_due(desk: Desk) -> None:
    names = [f"Ploeg {number}" for number in range(12)]
    await desk.confirmed()
    (opened,) = await desk.store.deliveries.unopened()
    await desk.store.deliveries.open_round(opened, names, escalate_at_ns=None)
    now_ns = telemetry.now_ns()
    taken = await asyncio.gather(*(desk.store.deliveries.take_due(now_ns, limit=4) for _ in range(4)))
    receivers = [due.receiver for part in taken for due in part]
    receivers += [due.receiver for due in await desk.store.deliveries.take_due(now_ns, limit=12)]
    assert sorted(receivers) == sorted(names)
