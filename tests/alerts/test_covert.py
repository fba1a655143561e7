"""A desk with covert alerts and one without look the same to all who may not know, whatever they ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hotlists.entry import Handling, Priority
from pipeline.alerts import rir
from pipeline.alerts.rows import Verdict
from pipeline.alerts.search import Pretext, Query
from pipeline.alerts.store import AlertStore, Viewer
from pipeline.model import Alert
from pipeline.settings import Settings
from tests.alerts.viewers import AUDITOR, CHIEF, DETECTIVE, ENGINEER, OPERATOR, UNIT
from tests.factories import JPEG, make_alert, make_read

HOUR_NS = 3_600_000_000_000


async def _world(path: Path, alerts: list[Alert]) -> AlertStore:
    store = AlertStore(f"sqlite+aiosqlite:///{path}")
    await store.open()
    for alert in alerts:
        covert = alert.hit.entry.handling is Handling.COVERT
        await store.record(alert, rir.draft(alert) if covert else None)
        await store.audit("bo", "alert.view", alert.alert_id)
        by = DETECTIVE if covert else OPERATOR
        await store.claims.claim(alert.alert_id, by)
        await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=by)
        if covert:
            report = await store.reports.create(alert.alert_id, DETECTIVE)
            await store.reports.send(report.draft.rir_id, by=DETECTIVE, version=report.version)
            await store.search.find(Query(plate=alert.hit.entry.plate), DETECTIVE, pretext=Pretext())
    await store.retention.enforce(Settings(keep_alerts_days=10, keep_pictures_days=5, keep_deliveries_days=5))
    return store


async def _everything(store: AlertStore, user: Viewer, ids: list[str]) -> dict[str, Any]:
    """Ask all that there is to ask, and keep what does not depend on when it was asked."""
    page = await store.search.find(Query(), user, pretext=Pretext())
    told = await store.figures.hand_over(user, since_ns=0)
    kept = await store.retention.kept(user, Settings())
    found: dict[str, Any] = {
        "latest": [(row.seq, row.alert) for row in await store.latest(100, user)],
        "changes": [(row.seq, row.alert) for row in await store.changes_since(0, user=user)],
        "seq": await store.last_seq(user),
        "search": [(row.seq, row.alert) for row in page.rows],
        "count": await store.search.count(Query(), user),
        "units": [row.alert for row in await store.units.alerts(user, since_ns=0)],
        "hand_over": (told.alerts, told.by_priority, told.by_verdict, told.claimed, told.released, len(told.open)),
        "lists": await store.figures.per_list(user, since_ns=0),
        "cameras": await store.figures.per_camera(user, since_ns=0),
        "stages": await store.figures.per_stage(user, {}),
        "reports": [each.draft for each in await store.reports.all(user)],
        "kept": [(each.kind, each.count) for each in kept if each.kind != "audit"],
        "removals": [(each.kind, each.removed) for each in await store.retention.removals(user)],
        "trail": [(line.who, line.what, line.target) for line in await store.trail.lines(user)],
    }
    for alert_id in ids:
        for name, ask in (
            ("get", store.get),
            ("patch", store.patch),
            ("deliveries", store.deliveries.of_alert),
            ("claim", store.claims.claim),
            ("report", store.reports.of_alert),
        ):
            try:
                answer = await ask(alert_id, user)
                found[f"{name} {alert_id}"] = type(answer).__name__
            except LookupError as error:
                found[f"{name} {alert_id}"] = repr(error)
    return found


@pytest.mark.parametrize("user", [OPERATOR, CHIEF, AUDITOR, UNIT, ENGINEER, Viewer("bo-2", frozenset({"ops"}))])
async def test_nothing_that_one_can_ask_tells_of_a_covert_alert(tmp_path: Path, user: Viewer) -> None:
    plates = [f"1ABC00{number}" for number in range(4)]
    open_ones = [make_alert(plate, read=make_read(plate, patch=JPEG)) for plate in plates]
    covert = [
        make_alert(
            f"2XYZ00{number}",
            read=make_read(f"2XYZ00{number}", patch=JPEG, camera=f"cam-{number}"),
            handling=Handling.COVERT,
            hotlist="geheim",
            priority=Priority.CRITICAL,
            named_users=("cas",),
            notify_unconfirmed=True,
        )
        for number in range(3)
    ]
    old = msgspec.structs.replace(covert[0], created_at_ns=covert[0].created_at_ns - 400 * 24 * HOUR_NS)
    mixed = [open_ones[0], covert[1], open_ones[1], old, covert[2], *open_ones[2:]]
    ids = [alert.alert_id for alert in mixed]
    with_covert = await _world(tmp_path / "with.db", mixed)
    without = await _world(tmp_path / "without.db", open_ones)
    try:
        answers = [await _everything(store, user, ids) for store in (with_covert, without)]
        to_detective = await with_covert.search.count(Query(), DETECTIVE)
    finally:
        await with_covert.close()
        await without.close()
    assert answers[0] == answers[1]
    assert to_detective == len(open_ones) + 2
