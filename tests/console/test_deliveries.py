"""The details say who was told, by how many attempts, and why not: in plain words, and never of a covert alert."""

from __future__ import annotations

from pipeline import telemetry
from pipeline.alerts.rows import Verdict
from pipeline.alerts.store import AlertStore, Viewer
from tests.console.conftest import SignIn
from tests.console.samples import make_alert

BY = Viewer("operator", frozenset({"operator"}))
KEY = "json://user:hunter2@sms.example/?key=geheim"


async def tell(store: AlertStore, detail: str, *, delivered: bool, last: bool) -> None:
    """Make an attempt at the delivery that is due."""
    (due,) = await store.deliveries.take_due(telemetry.now_ns())
    retry_at_ns = None if delivered or last else telemetry.now_ns()
    await store.deliveries.note(due, delivered=delivered, detail=detail, retry_at_ns=retry_at_ns)


async def test_who_was_told_is_shown_with_what_went_wrong(signed_in: SignIn, store: AlertStore) -> None:
    alert = make_alert(1)
    await store.record(alert)
    await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=BY)
    (opened,) = await store.deliveries.unopened()
    await store.deliveries.open_round(opened, ["sms-noord"], escalate_at_ns=None)
    shown = []
    async with signed_in("operator") as client:
        for detail, delivered, last in (
            ("HTTP 503", False, False),
            ("ConnectError: no answer", False, False),
            (f"Failed to send to {KEY}", False, True),
        ):
            seq = await store.last_seq(BY)
            await tell(store, detail, delivered=delivered, last=last)
            # An end is news for the page; one more try is not.
            assert await store.last_seq(BY) == seq + last
            answer = await client.get(f"/alerts/{alert.alert_id}")
            (line,) = answer.json()["deliveries"]
            shown.append((line["state_word"], line["attempts"], line["problem"]))
            assert line["receiver"] == "sms-noord"
            assert (line["next_ms"] is None) is last
    assert shown == [
        ("onderweg", 1, "de dienst van de ontvanger is in storing (HTTP 503)"),
        ("onderweg", 2, "de dienst van de ontvanger antwoordt niet"),
        ("niet verwittigd: bel zelf", 3, "de dienst van de ontvanger aanvaardt het bericht niet"),
    ]
    assert "hunter2" not in answer.text


async def test_what_arrived_is_a_change_of_its_alert(signed_in: SignIn, store: AlertStore) -> None:
    alert = make_alert(1, notify_unconfirmed=True)
    await store.record(alert)
    (opened,) = await store.deliveries.unopened()
    await store.deliveries.open_round(opened, ["mail"], escalate_at_ns=None)
    seq = await store.last_seq(BY)
    await tell(store, "", delivered=True, last=False)
    assert [row.alert.alert_id for row in await store.changes_since(seq, user=BY)] == [alert.alert_id]
    async with signed_in("chief") as client:
        (line,) = (await client.get(f"/alerts/{alert.alert_id}")).json()["deliveries"]
    assert (line["state"], line["problem"], line["next_ms"]) == ("delivered", "", None)
