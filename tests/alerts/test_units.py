"""What units see, of which sector, and what they answer."""

from __future__ import annotations

import msgspec
import pytest

from hotlists.entry import Handling
from pipeline.alerts.rows import Answer, UnknownAlertError, Verdict
from pipeline.alerts.store import AlertStore, Viewer
from tests.alerts.viewers import DETECTIVE, OPERATOR, UNIT
from tests.factories import JPEG, make_alert, make_read


async def test_an_answer_is_a_change_that_operators_see(store: AlertStore) -> None:
    alert = make_alert()
    await store.record(alert)
    with pytest.raises(UnknownAlertError):
        await store.units.respond(alert.alert_id, Answer.ON_THE_WAY, by=UNIT)
    confirmed = await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    await store.units.respond(alert.alert_id, Answer.ON_THE_WAY, by=UNIT)
    await store.units.respond(alert.alert_id, Answer.NOT_FOUND, by=UNIT, note="al weg")
    (row,) = await store.changes_since(confirmed.seq, user=OPERATOR)
    assert row.seq == confirmed.seq + 2
    assert [(each.answer, each.by, each.note) for each in row.responses] == [
        (Answer.ON_THE_WAY, "ploeg-1", ""),
        (Answer.NOT_FOUND, "ploeg-1", "al weg"),
    ]


async def test_a_unit_sees_its_sectors_and_without_any_all_of_them(store: AlertStore) -> None:
    north = make_alert("1ABC123", read=make_read(patch=JPEG))
    south = msgspec.structs.replace(make_alert("2XYZ789"), zone="zuid")
    for alert in (north, south):
        await store.record(alert)
        await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    assert len(await store.units.alerts(UNIT, since_ns=0)) == 2
    await store.units.set_sectors("ploeg-1", ["noord", "noord"])
    assert await store.units.sectors("ploeg-1") == ["noord"]
    assert [row.alert.alert_id for row in await store.units.alerts(UNIT, since_ns=0)] == [north.alert_id]
    assert await store.patch(north.alert_id, UNIT) == JPEG
    for attempt in (
        store.get(south.alert_id, UNIT),
        store.patch(south.alert_id, UNIT),
        store.units.respond(south.alert_id, Answer.SEEN, by=UNIT),
    ):
        with pytest.raises(UnknownAlertError):
            await attempt
    await store.units.set_sectors("ploeg-1", [])
    assert len(await store.units.alerts(UNIT, since_ns=0)) == 2


async def test_no_role_beside_unit_puts_a_covert_alert_on_the_phone(store: AlertStore) -> None:
    covert = make_alert(handling=Handling.COVERT, named_users=("ploeg-1",), notify_unconfirmed=True)
    await store.record(covert)
    await store.acknowledge(covert.alert_id, Verdict.CONFIRMED, by=DETECTIVE)
    for roles in ({"unit"}, {"unit", "covert"}, {"unit", "operator", "covert"}):
        both = Viewer("ploeg-1", frozenset(roles))
        assert await store.units.alerts(both, since_ns=0) == []
        with pytest.raises(UnknownAlertError):
            await store.units.respond(covert.alert_id, Answer.SEEN, by=both)


async def test_a_unit_is_shown_what_was_released_since_a_moment(store: AlertStore) -> None:
    first, second = make_alert("1ABC123"), make_alert("2XYZ789")
    for alert in (first, second):
        await store.record(alert)
        await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    rows = await store.units.alerts(UNIT, since_ns=0)
    assert [row.alert.alert_id for row in rows] == [second.alert_id, first.alert_id]
    released_ns = rows[1].released_at_ns
    assert released_ns is not None
    later = await store.units.alerts(UNIT, since_ns=released_ns)
    assert [row.alert.alert_id for row in later] == [second.alert_id]
