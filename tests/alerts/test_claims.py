"""Claims and verdicts: nobody handles an alert unknowingly, and units see what was confirmed."""

from __future__ import annotations

import asyncio

import pytest

from hotlists.entry import Handling
from pipeline.alerts import claims
from pipeline.alerts.claims import ClaimedError, OutdatedError
from pipeline.alerts.rows import UnknownAlertError, Verdict
from pipeline.alerts.store import AlertStore
from tests.alerts.viewers import COLLEAGUE, DETECTIVE, OPERATOR, UNIT
from tests.factories import make_alert


async def test_a_claim_shows_who_handles_the_alert_until_it_is_released(store: AlertStore) -> None:
    alert = make_alert()
    seq = await store.record(alert)
    claim = await store.claims.claim(alert.alert_id, OPERATOR)
    row = await store.get(alert.alert_id, COLLEAGUE)
    assert row.claim == claim
    assert (claim.by, row.seq) == ("an", seq + 1)
    # Renewing is no change: pages need not hear of it.
    renewed = await store.claims.claim(alert.alert_id, OPERATOR)
    assert renewed.until_ns > claim.until_ns
    assert await store.last_seq(OPERATOR) == seq + 1
    await store.claims.release(alert.alert_id, COLLEAGUE)
    assert (await store.get(alert.alert_id, OPERATOR)).claim == renewed
    await store.claims.release(alert.alert_id, OPERATOR)
    assert (await store.get(alert.alert_id, OPERATOR)).claim is None
    assert await store.last_seq(OPERATOR) == seq + 2


async def test_of_many_who_claim_at_once_one_has_it(store: AlertStore) -> None:
    alert = make_alert()
    await store.record(alert)
    tried = await asyncio.gather(
        *(store.claims.claim(alert.alert_id, each) for each in (OPERATOR, COLLEAGUE, DETECTIVE)),
        return_exceptions=True,
    )
    held = [each for each in tried if not isinstance(each, BaseException)]
    refused = [each for each in tried if isinstance(each, ClaimedError)]
    assert (len(held), len(refused)) == (1, 2)
    assert {each.claim.by for each in refused} == {held[0].by}


async def test_another_ones_verdict_is_refused_unless_they_take_over(store: AlertStore) -> None:
    alert = make_alert()
    await store.record(alert)
    await store.claims.claim(alert.alert_id, OPERATOR)
    with pytest.raises(ClaimedError, match="an is handling"):
        await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=COLLEAGUE)
    row = await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=COLLEAGUE, take_over=True)
    assert row.acknowledgement is not None
    assert (row.acknowledgement.by, row.claim) == ("eva", None)


async def test_a_claim_that_was_not_renewed_holds_nobody_up(
    store: AlertStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = make_alert()
    await store.record(alert)
    monkeypatch.setattr(claims, "CLAIM_S", 0)
    await store.claims.claim(alert.alert_id, OPERATOR)
    assert (await store.get(alert.alert_id, COLLEAGUE)).claim is None
    row = await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=COLLEAGUE)
    assert row.acknowledgement is not None


async def test_a_claim_that_ran_out_ends_for_every_page_at_once(
    store: AlertStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, secret, held = (
        make_alert("1ABC001"),
        make_alert("1ABC002", handling=Handling.COVERT),
        make_alert("1ABC003"),
    )
    for alert in (over, secret, held):
        await store.record(alert)
    await store.claims.claim(held.alert_id, OPERATOR)
    assert await store.claims.expire() == 0
    monkeypatch.setattr(claims, "CLAIM_S", 0)
    await store.claims.claim(over.alert_id, OPERATOR)
    await store.claims.claim(secret.alert_id, DETECTIVE)
    seq = await store.last_seq(OPERATOR)
    # Two consoles that see it at once end it once.
    assert sorted(await asyncio.gather(store.claims.expire(), store.claims.expire())) == [0, 2]
    changed = await store.changes_since(seq, user=OPERATOR)
    assert [(row.alert.alert_id, row.claim) for row in changed] == [(over.alert_id, None)]
    assert (await store.get(held.alert_id, COLLEAGUE)).claim is not None
    assert await store.last_seq(OPERATOR) == seq + 1


async def test_of_two_verdicts_at_once_the_second_is_told_of_the_first(store: AlertStore) -> None:
    alert = make_alert()
    await store.record(alert)
    tried = await asyncio.gather(
        store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR, seen=0),
        store.acknowledge(alert.alert_id, Verdict.MISREAD, by=COLLEAGUE, seen=0),
        return_exceptions=True,
    )
    assert sum(isinstance(each, OutdatedError) for each in tried) == 1
    row = await store.get(alert.alert_id, OPERATOR)
    assert row.acknowledgement is not None
    assert row.acknowledgement.number == 1
    again = await store.acknowledge(alert.alert_id, Verdict.NO_ACTION, by=COLLEAGUE, seen=1)
    assert again.acknowledgement is not None
    assert again.acknowledgement.number == 2


async def test_confirming_releases_and_a_later_verdict_takes_back(store: AlertStore) -> None:
    alert = make_alert()
    await store.record(alert)
    assert await store.units.alerts(UNIT, since_ns=0) == []
    confirmed = await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    assert confirmed.released_at_ns is not None
    again = await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    assert again.released_at_ns == confirmed.released_at_ns
    taken = await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=COLLEAGUE)
    assert taken.withdrawn_at_ns is not None
    # Units must see that they are to do nothing: it does not just vanish.
    (shown,) = await store.units.alerts(UNIT, since_ns=0)
    assert shown.withdrawn_at_ns == taken.withdrawn_at_ns
    back = await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    assert back.withdrawn_at_ns is None
    assert back.released_at_ns is not None
    assert back.released_at_ns > confirmed.released_at_ns


@pytest.mark.parametrize("verdict", [Verdict.MISREAD, Verdict.NOT_CURRENT, Verdict.NO_ACTION])
async def test_what_was_not_confirmed_is_not_released(store: AlertStore, verdict: Verdict) -> None:
    alert = make_alert()
    await store.record(alert)
    row = await store.acknowledge(alert.alert_id, verdict, by=OPERATOR)
    assert (row.released_at_ns, row.withdrawn_at_ns) == (None, None)
    assert await store.units.alerts(UNIT, since_ns=0) == []


async def test_a_list_may_tell_units_before_anybody_has_looked_but_never_a_covert_one(store: AlertStore) -> None:
    at_once = make_alert("1ABC123", notify_unconfirmed=True)
    covert = make_alert("2XYZ789", notify_unconfirmed=True, handling=Handling.COVERT)
    await store.record(at_once)
    await store.record(covert)
    assert [row.alert.alert_id for row in await store.units.alerts(UNIT, since_ns=0)] == [at_once.alert_id]
    assert (await store.get(covert.alert_id, DETECTIVE)).released_at_ns is None
    row = await store.acknowledge(at_once.alert_id, Verdict.NOT_CURRENT, by=OPERATOR)
    assert row.withdrawn_at_ns is not None


async def test_confirming_a_covert_alert_releases_nothing(store: AlertStore) -> None:
    covert = make_alert(handling=Handling.COVERT)
    await store.record(covert)
    row = await store.acknowledge(covert.alert_id, Verdict.CONFIRMED, by=DETECTIVE)
    assert row.released_at_ns is None


async def test_an_alert_that_one_may_not_see_cannot_be_claimed(store: AlertStore) -> None:
    covert = make_alert(handling=Handling.COVERT)
    await store.record(covert)
    for attempt in (
        store.claims.claim(covert.alert_id, OPERATOR),
        store.claims.release(covert.alert_id, OPERATOR),
        store.claims.claim("0" * 32, DETECTIVE),
    ):
        with pytest.raises(UnknownAlertError):
            await attempt
