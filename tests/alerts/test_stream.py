"""The Faust stage on each kind of broker: suppression, routing, reports, garbage, replays."""

from __future__ import annotations

import msgspec
import pytest

from hotlists.entry import Handling
from pipeline import topics
from pipeline.alerts import desk, stream
from pipeline.alerts.store import AlertStore, Viewer
from pipeline.model import Alert, Hit, Reject, RirDraft, decode
from pipeline.settings import Settings
from pipeline.topics import Publisher
from tests.conftest import BrokerUnderTest, MakeSettings, running, until
from tests.factories import JPEG, make_hit, make_read

ALL = Viewer("all", frozenset({"covert"}))
SECOND_NS = 1_000_000_000


async def _send(publisher: Publisher, *hits: Hit) -> None:
    for hit in hits:
        await publisher.send(topics.HITS, hit, key=hit.entry.entry_id)
    await publisher.flush()


async def _drained(settings: Settings) -> None:
    async def done() -> bool:
        return await topics.group_lag(settings, topics.HITS) == 0

    await until(done, "the alert stage commits every hit")


async def _all(settings: Settings, topic: str) -> list[bytes]:
    async with topics.consumer(settings, topic, group="none", group_id=None) as consumer:
        found: list[bytes] = []
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            records = await consumer.getmany(timeout_ms=10_000)
            found += [record.value for each in records.values() for record in each]
        return found


async def test_hits_become_alerts(broker: BrokerUnderTest, make_settings: MakeSettings) -> None:
    settings = make_settings(broker, suppression_window_s=900, zone_language="fr")
    start_ns = make_read().captured_at_ns - 4000 * SECOND_NS

    def hit_at(second: int, plate: str = "1ABC123", **more: object) -> Hit:
        read = make_read(plate, captured_at_ns=start_ns + second * SECOND_NS, patch=JPEG)
        return make_hit(plate, read=read, **more)

    first, again, later = hit_at(0), hit_at(600), hit_at(3000)
    covert = hit_at(10, "2XYZ789", hotlist="recherche", handling=Handling.COVERT)
    store = AlertStore(settings.database_url)
    await store.open()
    async with (
        Publisher(settings) as publisher,
        running(stream.run, settings),
        running(desk.run, settings),
    ):
        await _send(publisher, first, again)
        await publisher.send_bytes(topics.HITS, b"\xff garbage", key="x")
        await _send(publisher, covert, later, first, again)
        await _drained(settings)

        async def left() -> bool:
            return await store.outbox.waiting() == 0

        await until(left, "every report leaves the outbox")

    rows = {row.alert.hit.hit_id: row.alert for row in await store.latest(10, ALL)}
    assert set(rows) == {first.hit_id, later.hit_id, covert.hit_id}
    assert [each.hit_id for each in rows[first.hit_id].sightings] == [first.hit_id, again.hit_id]
    assert "interventie" in rows[first.hit_id].recipients
    assert rows[covert.hit_id].recipients == ["recherche", "rir"]
    assert await store.patch(rows[first.hit_id].alert_id, ALL) == JPEG
    await store.close()

    alerts = {decode(value, Alert).alert_id for value in await _all(settings, topics.ALERTS)}
    assert alerts == {alert.alert_id for alert in rows.values()}
    reports = {
        each.alert_id: each for each in (decode(value, RirDraft) for value in await _all(settings, topics.RIR))
    }
    report = reports[rows[covert.hit_id].alert_id]
    assert (report.who, report.source) == ("Véhicule portant la plaque 2XYZ789", "Caméra ANPR N9 Stadhuis")
    (reject,) = [decode(value, Reject) for value in await _all(settings, topics.REJECTS)]
    assert (reject.topic, reject.source) == (topics.HITS, "alerts")
    assert reject.offset is not None


@pytest.mark.usefixtures("quick_restarts")
async def test_suppression_survives_a_restart(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker)
    read = make_read()
    second = msgspec.structs.replace(
        read, read_id="second", camera="cam-2", captured_at_ns=read.captured_at_ns + 60 * SECOND_NS
    )
    store = AlertStore(settings.database_url)
    await store.open()
    for each in (read, second):
        async with Publisher(settings) as publisher, running(stream.run, settings):
            await _send(publisher, make_hit(read=each))
            await _drained(settings)
    (row,) = await store.latest(10, ALL)
    assert [sighting.camera for sighting in row.alert.sightings] == ["cam-1", "cam-2"]
    await store.close()
