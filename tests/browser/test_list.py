"""The windowed list: of five thousand alerts only those in sight are drawn, and the keyboard keeps its place."""

from __future__ import annotations

import msgspec
import pytest
from playwright.async_api import expect

from hotlists.entry import Category, Priority
from tests.browser.conftest import Desk
from tests.console.samples import make_alert, picture

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MANY = 4_950
"""With the fifty that come in meanwhile, as many as a page keeps."""


@pytest.mark.slow
async def test_five_thousand_alerts_are_there_and_few_are_drawn(desk: Desk) -> None:
    for number in range(MANY):
        await desk.store.record(make_alert(number, age_s=MANY - number))
    page = await desk.open("operator")
    await expect(page.locator("#todo")).to_have_text(str(MANY), timeout=60_000)
    rows = page.locator("li.alert")
    assert await rows.count() < 30
    await page.keyboard.press("j")
    await page.keyboard.press("End")
    last = page.locator(f"li[data-id='{make_alert(0).alert_id}']")
    await expect(last).to_be_focused()
    await expect(last).to_have_attribute("aria-posinset", str(MANY))
    await expect(last).to_have_attribute("aria-setsize", str(MANY))
    assert await rows.count() < 30
    # What comes in above moves neither the keyboard nor what is looked at.
    top = (await last.bounding_box() or {})["y"]
    for number in range(MANY, MANY + 50):
        await desk.store.record(make_alert(number, age_s=0))
    await expect(page.locator("#newer")).to_contain_text("50")
    await expect(last).to_be_focused()
    assert abs((await last.bounding_box() or {})["y"] - top) < 2
    await page.keyboard.press("Home")
    await expect(rows.first).to_be_focused()
    await expect(page.locator("#newer")).to_be_hidden()


async def test_the_chosen_row_stays_where_it_is_when_one_comes_between_scrolling_and_drawing(desk: Desk) -> None:
    for number in range(30):
        await desk.store.record(make_alert(number, age_s=60 - number))
    page = await desk.open("operator")
    await expect(page.locator("#todo")).to_have_text("30")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    chosen = page.locator("li.chosen")
    before = await chosen.bounding_box()
    # As browsers do where the list was scrolled the frame before: the event comes just before the drawing.
    await page.evaluate(
        """() => {
          const list = document.getElementById("content"), next = requestAnimationFrame;
          window.requestAnimationFrame = (draw) => next((time) => {
            list.dispatchEvent(new Event("scroll"));
            draw(time);
          });
        }"""
    )
    for each in range(100, 130):
        await desk.store.record(make_alert(each, age_s=0))
    await expect(page.locator("#todo")).to_have_text("60")
    after = await chosen.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2


async def test_the_chosen_row_stays_in_sight_while_alerts_pour_in(desk: Desk) -> None:
    for number in range(30):
        await desk.store.record(make_alert(number, age_s=60 - number))
    page = await desk.open("operator")
    await expect(page.locator("#todo")).to_have_text("30")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    chosen = page.locator("li.chosen")
    number = await chosen.get_attribute("data-id")
    before = await chosen.bounding_box()
    for each in range(100, 150):
        await desk.store.record(make_alert(each, age_s=0))
    await expect(page.locator("#todo")).to_have_text("80")
    await expect(chosen).to_have_attribute("data-id", number or "")
    await expect(chosen).to_be_focused()
    after = await chosen.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2
    await page.keyboard.press("k")
    await expect(page.locator("li.chosen")).to_be_focused()
    assert await page.locator("li.chosen").get_attribute("data-id") != number


async def test_a_better_read_takes_its_place_in_the_same_row(desk: Desk) -> None:
    alert = make_alert(1, read="1A8C123", listed="1ABC123", patch=picture("1A8C123"))
    page = await desk.open("operator")
    await desk.store.record(alert)
    rows = page.locator("li.alert")
    await expect(rows.locator(".plate.read")).to_contain_text("1-A8C-123")
    await expect(rows.locator(".patch.has-image")).to_have_count(1)
    await expect(page.locator("#announcer")).to_contain_text("1-A8C-123")
    await page.keyboard.press("j")
    read = msgspec.structs.replace(alert.hit.read, plate="1ABC123", frames=2, patch=picture("1ABC123"))
    await desk.store.better_reads.take(alert.alert_id, msgspec.structs.replace(alert.hit, read=read))
    await expect(rows.locator(".plate.read")).to_contain_text("1-ABC-123")
    await expect(rows.locator(".patch.has-image img")).to_have_attribute(
        "src", f"/alerts/{alert.alert_id}/patch.jpg?frames=2"
    )
    await expect(rows).to_have_count(1)
    await expect(rows).to_be_focused()
    await expect(page.locator("#todo")).to_have_text("1")
    # Nothing is announced, and nothing rings, for what is there already.
    await expect(page.locator("#announcer")).to_contain_text("1-A8C-123")


async def test_a_screen_reader_hears_of_many_as_of_a_number(desk: Desk) -> None:
    page = await desk.open("operator")
    await desk.store.record(make_alert(1))
    await expect(page.locator("#announcer")).to_contain_text("Nieuwe melding: Hoog, 1-ABC-123")
    for number in range(2, 12):
        await desk.store.record(make_alert(number))
    await expect(page.locator("#announcer")).to_contain_text("nieuwe meldingen")
    await expect(page.locator("li.alert").first).to_have_attribute("aria-setsize", "11")


async def test_a_filter_is_remembered_and_says_what_it_hides(desk: Desk) -> None:
    await desk.store.record(make_alert(1, age_s=30, category=Category.FOOTBALL, priority=Priority.LOW))
    await desk.store.record(make_alert(2, age_s=20))
    page = await desk.open("operator")
    await expect(page.locator("li.alert")).to_have_count(2)
    await page.select_option("#by-category", "football")
    await expect(page.locator("li.alert")).to_have_count(1)
    await expect(page.locator("#filtered")).to_contain_text("1 melding verborgen")
    await page.reload()
    await expect(page.locator("li.alert")).to_have_count(1)
    assert await page.input_value("#by-category") == "football"
    await desk.store.record(make_alert(3, priority=Priority.CRITICAL))
    await expect(page.locator("#filtered")).to_contain_text("2 meldingen verborgen")
    await page.get_by_role("button", name="Filter wissen").click()
    await expect(page.locator("li.alert")).to_have_count(3)
    await page.keyboard.press("f")
    await expect(page.get_by_role("button", name="Te behandelen")).to_have_attribute("aria-pressed", "true")


async def test_the_sound_is_chosen_once(desk: Desk) -> None:
    page = await desk.open("operator")
    await page.select_option("#sound", "all")
    await expect(page.locator("#sound-blocked")).to_be_hidden()
    await page.reload()
    assert await page.input_value("#sound") == "all"
    await page.keyboard.press("j")
    await expect(page.locator("#sound-blocked")).to_be_hidden()


async def test_language_and_appearance_are_remembered(desk: Desk) -> None:
    page = await desk.open("operator")
    await page.locator(".menu summary").click()
    await page.get_by_role("button", name="Français").click()
    await expect(page.locator("html")).to_have_attribute("lang", "fr-BE")
    await expect(page.locator(".todo")).to_contain_text("à traiter")
    await page.locator(".menu summary").click()
    await page.get_by_role("button", name="Clair").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.goto(desk.url + "/search")
    await expect(page.locator("h1")).to_have_text("Rechercher des alertes")
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
