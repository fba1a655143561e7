"""Routing: no covert hit ever reaches a unit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hotlists.entry import Category, Handling, Priority
from pipeline.alerts import rir
from pipeline.alerts.routing import Recipient, recipients
from tests.factories import make_alert, make_hit


@given(st.sampled_from(Category), st.sampled_from(Priority))
def test_a_covert_hit_reaches_the_recherche_and_the_rir_alone(category: Category, priority: Priority) -> None:
    hit = make_hit(handling=Handling.COVERT, category=category, priority=priority)
    assert recipients(hit) == (Recipient.RECHERCHE, Recipient.RIR)


@given(st.sampled_from(Category), st.sampled_from(Priority))
def test_every_open_hit_reaches_the_lik_and_the_units(category: Category, priority: Priority) -> None:
    chosen = recipients(make_hit(category=category, priority=priority))
    assert {Recipient.LIK, Recipient.INTERVENTIE} <= set(chosen)
    assert (Recipient.RIR in chosen) == (priority in (Priority.CRITICAL, Priority.HIGH))
    assert (Recipient.VERKEER in chosen) == (
        category in (Category.TRAFFIC, Category.UNINSURED, Category.NO_INSPECTION)
    )


def test_a_report_is_drafted_once_and_only_where_it_is_due() -> None:
    covert = make_alert(handling=Handling.COVERT)
    report = rir.draft(covert)
    assert report is not None
    assert report == rir.draft(covert)
    assert (report.alert_id, report.handling) == (covert.alert_id, Handling.COVERT)
    assert rir.draft(make_alert()) is None
