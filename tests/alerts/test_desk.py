"""The desk's worker, whole: a confirmed alert is told, its report leaves, what is old goes."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from pipeline import telemetry
from pipeline.alerts import desk
from pipeline.alerts.reports import State
from pipeline.alerts.retention import DAY_NS
from pipeline.alerts.rows import Verdict
from pipeline.alerts.store import AlertStore
from pipeline.errors import ConfigurationError
from tests.alerts.receivers import http_server
from tests.alerts.viewers import OPERATOR
from tests.conftest import BrokerUnderTest, MakeSettings, running, until
from tests.factories import make_alert


async def test_what_follows_from_an_alert(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, tmp_path: Path
) -> None:
    async with http_server() as server:
        receivers = tmp_path / "receivers.json"
        receivers.write_text(json.dumps([{"name": "Ploeg", "url": f"json://127.0.0.1:{server.port}/ploeg"}]))
        settings = make_settings(embedded_broker, receivers=receivers, rir_intake_url=f"{server.url}/intake")
        store = AlertStore.of(settings)
        await store.open()
        old = msgspec.structs.replace(make_alert("3OLD333"), created_at_ns=telemetry.now_ns() - 366 * DAY_NS)
        await store.record(old)
        async with running(desk.run, settings):
            alert = make_alert()
            await store.record(alert)
            await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
            report = await store.reports.create(alert.alert_id, OPERATOR)
            await store.reports.send(report.draft.rir_id, by=OPERATOR, version=1)
            await until(lambda: {each.path for each in server.taken} == {"/ploeg", "/intake"}, "both are told")

            async def acknowledged() -> bool:
                return (await store.reports.get(report.draft.rir_id, OPERATOR)).state is State.ACKNOWLEDGED

            await until(acknowledged, "the report is acknowledged")

            async def gone() -> bool:
                return await store.count() == 1

            await until(gone, "what is past its period is removed")
        await store.close()


async def test_one_loop_that_falls_does_not_hold_up_the_others(
    embedded_broker: BrokerUnderTest,
    make_settings: MakeSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fall(*args: object) -> int:
        raise KeyError("1ABC123")

    monkeypatch.setattr(desk, "RETRY_S", 0.01)
    monkeypatch.setattr("pipeline.alerts.notify.Notifier.step", fall)
    async with http_server() as server:
        settings = make_settings(
            embedded_broker, receivers=tmp_path / "none.json", rir_intake_url=f"{server.url}/intake"
        )
        store = AlertStore.of(settings)
        await store.open()
        async with running(desk.run, settings):
            alert = make_alert()
            await store.record(alert)
            report = await store.reports.create(alert.alert_id, OPERATOR)
            await store.reports.send(report.draft.rir_id, by=OPERATOR, version=1)
            await until(lambda: server.taken, "the report leaves")
        await store.close()
    assert "notify: failed (KeyError)" in caplog.text
    assert "1ABC123" not in caplog.text


async def test_a_registry_that_cannot_be_read_stops_the_start(make_settings: MakeSettings, tmp_path: Path) -> None:
    (tmp_path / "receivers.json").write_text("{")
    settings = make_settings(receivers=tmp_path / "receivers.json")
    with pytest.raises(ConfigurationError, match=r"receivers\.json"):
        async with running(desk.run, settings):
            pass
