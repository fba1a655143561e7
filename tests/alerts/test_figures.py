"""The hand-over of a shift and the statistics, each over what the viewer may see."""

from __future__ import annotations

import msgspec

from hotlists.entry import Handling, Priority
from pipeline.alerts.rows import Answer, Verdict
from pipeline.alerts.store import AlertStore
from pipeline.model import Sighting
from pipeline.telemetry import Stamp
from tests.alerts.viewers import DETECTIVE, OPERATOR, UNIT
from tests.factories import make_alert, make_read

MS = 1_000_000


async def test_the_next_shift_hears_what_was_done_and_what_waits(store: AlertStore) -> None:
    alerts = [make_alert(f"1ABC00{number}", priority=Priority.NORMAL) for number in range(4)]
    critical = make_alert("2XYZ789", priority=Priority.CRITICAL)
    before = msgspec.structs.replace(make_alert("1OLD000"), created_at_ns=alerts[0].created_at_ns - 10)
    hidden = make_alert("3HID333", handling=Handling.COVERT)
    for alert in (*alerts, critical, before, hidden):
        await store.record(alert)
    await store.acknowledge(alerts[0].alert_id, Verdict.CONFIRMED, by=OPERATOR)
    await store.acknowledge(alerts[1].alert_id, Verdict.MISREAD, by=OPERATOR)
    await store.units.respond(alerts[0].alert_id, Answer.SEEN, by=UNIT)
    await store.claims.claim(alerts[2].alert_id, OPERATOR)
    told = await store.figures.hand_over(OPERATOR, since_ns=alerts[0].created_at_ns)
    assert (told.alerts, told.claimed, told.released, told.answered) == (5, 1, 1, 1)
    assert told.by_priority == {"normal": 4, "critical": 1}
    assert told.by_verdict == {"confirmed": 1, "misread": 1, "none": 3}
    assert [row.alert.hit.entry.plate for row in told.open] == ["2XYZ789", "1ABC002", "1ABC003"]
    assert (await store.figures.hand_over(DETECTIVE, since_ns=alerts[0].created_at_ns)).alerts == 6
    nothing = await store.figures.hand_over(OPERATOR, since_ns=critical.created_at_ns + 10**12)
    assert (nothing.alerts, nothing.by_priority, nothing.open) == (0, {}, [])


async def test_a_lists_precision_is_of_what_was_judged(store: AlertStore) -> None:
    verdicts = (Verdict.CONFIRMED, Verdict.CONFIRMED, Verdict.CONFIRMED, Verdict.MISREAD, Verdict.NO_ACTION, None)
    for number, verdict in enumerate(verdicts):
        alert = make_alert(f"1ABC00{number}")
        await store.record(alert)
        if verdict is not None:
            await store.acknowledge(alert.alert_id, verdict, by=OPERATOR)
    await store.record(make_alert("2XYZ789", hotlist="sis"))
    await store.record(make_alert("3HID333", hotlist="geheim", handling=Handling.COVERT))
    stolen, sis = await store.figures.per_list(OPERATOR, since_ns=0)
    assert (stolen.hotlist, stolen.alerts, stolen.precision) == ("gestolen", 6, 0.75)
    assert (sis.hotlist, sis.alerts, sis.precision) == ("sis", 1, None)
    assert {each.hotlist for each in await store.figures.per_list(DETECTIVE, since_ns=0)} == {
        "gestolen",
        "sis",
        "geheim",
    }


async def test_a_cameras_hits_are_all_sightings(store: AlertStore) -> None:
    alert = make_alert("1ABC123")
    later = Sighting(hit_id="h2", camera="cam-2", captured_at_ns=alert.created_at_ns + 7, plate="1ABC123")
    again = Sighting(hit_id="h3", camera="cam-2", captured_at_ns=alert.created_at_ns + 9, plate="1ABC123")
    await store.record(msgspec.structs.replace(alert, sightings=[*alert.sightings, later, again]))
    await store.record(make_alert("3HID333", read=make_read("3HID333", camera="cam-3"), handling=Handling.COVERT))
    busy, calm = await store.figures.per_camera(OPERATOR, since_ns=0)
    assert (busy.camera, busy.hits, busy.last_hit_ns) == ("cam-2", 2, again.captured_at_ns)
    assert (calm.camera, calm.hits) == ("cam-1", 1)
    assert [each.camera for each in await store.figures.per_camera(OPERATOR, since_ns=later.captured_at_ns)] == [
        "cam-2"
    ]
    assert len(await store.figures.per_camera(DETECTIVE, since_ns=0)) == 3


async def test_a_stages_latency_stands_beside_its_budget(store: AlertStore) -> None:
    for number in range(100):
        sent_ns = 1_000 * MS
        trail = {Stamp.READ_SENT.value: sent_ns, Stamp.ALERT_STORED.value: sent_ns + (number + 1) * MS}
        await store.record(msgspec.structs.replace(make_alert(f"1ABC{number:03d}"), trail=trail))
    (span,) = await store.figures.per_stage(OPERATOR, {"read_to_alert": 90.0})
    assert (span.span, span.count, span.budget_ms, span.late) == ("read_to_alert", 100, 90.0, 10)
    assert (span.p50_ms, span.p99_ms, span.max_ms) == (50.0, 99.0, 100.0)
    (free,) = await store.figures.per_stage(OPERATOR, {})
    assert (free.budget_ms, free.late) == (None, 0)
