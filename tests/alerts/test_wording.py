"""Reports are worded in the zone's language, with the names and places of its cameras."""

from __future__ import annotations

import string
from typing import get_args

import pytest

from hotlists.entry import Priority
from pipeline.alerts import rir
from pipeline.alerts.deliveries import Kind
from pipeline.alerts.reports import State
from pipeline.alerts.rows import Verdict
from pipeline.alerts.store import AlertStore
from pipeline.alerts.wording import TEXTS, Wording
from pipeline.settings import Settings
from tests.alerts.viewers import OPERATOR
from tests.conftest import MakeSettings
from tests.factories import make_alert, make_read


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_says_the_same() -> None:
    assert set(TEXTS) == set(get_args(Settings.model_fields["zone_language"].annotation))
    for texts in TEXTS.values():
        assert set(texts) == set(TEXTS["nl"])
        for key, text in texts.items():
            fields = [
                {name for _, name, _, _ in string.Formatter().parse(each)} for each in (text, TEXTS["nl"][key])
            ]
            assert fields[0] == fields[1], key
        assert {f"state.{each.value}" for each in State} <= set(texts)
        assert {f"told.{each.value}" for each in Kind} <= set(texts)
        assert {f"told.priority.{each.value}" for each in Priority} <= set(texts)


@pytest.mark.parametrize(
    ("language", "who", "source"),
    [
        ("nl", "Voertuig met nummerplaat 1ABC123", "ANPR-camera N9 Stadhuis"),
        ("fr", "Véhicule portant la plaque 1ABC123", "Caméra ANPR N9 Stadhuis"),
        ("en", "Vehicle with number plate 1ABC123", "ANPR camera N9 Stadhuis"),
    ],
)
async def test_a_stored_alert_is_drafted_as_the_settings_say(
    make_settings: MakeSettings, language: str, who: str, source: str
) -> None:
    settings = make_settings(zone_language=language)
    store = AlertStore.of(settings)
    await store.open()
    try:
        alert = make_alert("1ABC123", read=make_read("1ABC123", camera="cam-1"))
        await store.record(alert)
        await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
        (report,) = await store.reports.all(OPERATOR)
    finally:
        await store.close()
    assert (report.draft.who, report.draft.source) == (who, source)
    assert report.draft.place.startswith("N9 Stadhuis, Veldeke (")
    assert "cam-1)" in report.draft.place


def test_a_camera_that_is_not_registered_goes_by_its_id() -> None:
    draft = rir.report(make_alert(read=make_read(camera="cam-x")), Wording("nl", {}))
    assert (draft.place, draft.source) == ("Camera cam-x", "ANPR-camera cam-x")
