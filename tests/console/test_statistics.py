"""The statistics page: what is drawn, for whom, and what is wrong with a camera until somebody has seen it."""

from __future__ import annotations

import re

import pytest

from console.pages.plots import bars, line
from pipeline import telemetry
from pipeline.alerts.camera_book import NS, Advance, Count, Slot
from pipeline.alerts.store import AlertStore
from tests.console.conftest import SignIn
from tests.console.samples import make_alert


async def fill(store: AlertStore) -> str:
    """Put reads of a camera whose clock is 34 s ahead; return the id of its notice."""
    now_ns = telemetry.now_ns()
    slot = Slot("cam-1", now_ns // NS // 60 * 60)
    count = Count(8, 2, confident=8, confidence=6.0, lag_ms=-272_000, least_lag_ms=-34_000, last_ns=now_ns)
    await store.cameras.add({slot: count, slot._replace(camera=""): Count(3)}, [Advance("t", 0, None, 13)])
    await store.record(make_alert(1))
    await store.cameras.tell({("cam-1", "ahead"): (now_ns, -34_000)})
    return (await store.cameras.notices())[0].notice_id


@pytest.mark.parametrize(("period", "slots"), [("1h", 30), ("24h", 24), ("7d", 28), ("30d", 30)])
async def test_every_plot_is_as_wide_as_its_period(
    store: AlertStore, signed_in: SignIn, period: str, slots: int
) -> None:
    await fill(store)
    async with signed_in("chief") as client:
        page = (await client.get(f"/statistics?period={period}")).text
    drawn = re.findall(
        r'<svg (?:class="(?:spark|course)" )?viewBox="([^"]*)" preserveAspectRatio="none" role', page
    )
    assert set(drawn) == {f"0 0 {slots} 60", f"0 0 {slots} 20"}
    assert {f"h{slots}"} == set(re.findall(r'class="budget" d="M0 [\d.]+(h\w+)"', page))


async def test_a_cameras_line_says_what_came_of_it(store: AlertStore, signed_in: SignIn) -> None:
    await fill(store)
    async with signed_in("chief") as client:
        page = (await client.get("/statistics?period=1h", headers={"Accept-Language": "en"})).text
    (row,) = re.findall(r'<tr data-state="ahead">.*?</tr>', page, re.DOTALL)
    assert "N9 Stadhuis" in row
    assert re.findall(r'<td class="number(?: much)?">([^<]*)</td>', row)[:3] == ["8", "20.0 %", "75 %"]
    # Ahead is above 0 wherever it is written.
    assert "(+34.0 s)" in page
    assert page.count('data-state="never"') == 2


async def test_a_notice_waits_until_somebody_has_seen_it(store: AlertStore, signed_in: SignIn) -> None:
    notice_id = await fill(store)
    async with signed_in("engineer") as client:
        assert (await client.get("/statistics/notices")).json() == {"waiting": 1}
        page = (await client.get("/statistics")).text
        assert 'id="technical"' in page
        csrf = page.split('name="csrf" value="')[1].split('"')[0]
        path = f"/statistics/notices/{notice_id}"
        assert (await client.post(path, data={"csrf": "x"})).status_code == 403
        assert (await client.get("/statistics/notices")).json() == {"waiting": 1}
        assert (await client.post(path, data={"csrf": csrf})).status_code == 303
        assert (await client.post(f"{path}0", data={"csrf": csrf})).status_code == 404
        assert (await client.get("/statistics/notices")).json() == {"waiting": 0}
    (line_,) = [each for each in await store.audit_lines() if each.what == "camera.acknowledge"]
    assert (line_.who, line_.target, line_.why) == ("engineer", "cam-1", "ahead")


async def test_who_does_not_look_after_cameras_is_not_told(store: AlertStore, signed_in: SignIn) -> None:
    notice_id = await fill(store)
    async with signed_in("operator") as client:
        assert 'id="technical"' not in (await client.get("/")).text
        assert (await client.get("/statistics/notices")).status_code == 403
        assert (await client.post(f"/statistics/notices/{notice_id}")).status_code == 403


async def test_a_period_that_is_none_is_refused(signed_in: SignIn) -> None:
    async with signed_in("chief") as client:
        assert (await client.get("/statistics?period=1000d")).status_code == 422


def test_one_read_is_not_drawn_as_none() -> None:
    assert bars([0, 1, 1000], 1000) == "M1.1 20v-0.50h.8v0.50zM2.1 20v-20.00h.8v20.00z"
    assert bars([0, 0], 0) == ""


def test_a_line_breaks_where_nothing_is_known() -> None:
    assert line([1.0, 2.0, None, 4.0], 4.0) == "M0.5 15.00L1.5 10.00M3.5 0.00m-.4 0h.8"
