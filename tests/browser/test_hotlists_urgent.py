"""The urgent entry by keyboard alone, looking a plate up, the banner, and what axe says of the lists' pages."""

from __future__ import annotations

import pytest
import redis.asyncio as aioredis
from playwright.async_api import expect

from hotlists.desk import Desk as HotlistDesk
from hotlists.entry import Category, Handling, Priority
from hotlists.shapes import EntryGiven
from tests.browser.conftest import Desk
from tests.browser.lists import CHIEF, OPS, ROWS, live, put
from tests.browser.test_pages import settled, violations
from tests.hotlists.desk import publish, upload

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def hold(lists: HotlistDesk, worker: str) -> None:
    """Have a match worker report that it holds what is live, as one does."""
    await lists.store.report_worker(worker, await lists.store.live_version())


async def test_the_urgent_entry_by_keyboard_alone(desk: Desk, lists: HotlistDesk) -> None:
    await put(lists, "ontvoering", title="Ontvoering", priority=Priority.CRITICAL, category=Category.WANTED)
    page = await desk.open("ops", "/")
    await hold(lists, "match-1")
    await page.keyboard.press("F2")
    await expect(page.locator("#urgent-plate")).to_be_focused()
    await expect(page.locator("#urgent-list")).to_have_value("ontvoering")
    await page.keyboard.type("1-xyz-987")
    for _ in range(2):
        await page.keyboard.press("Tab")
    await page.keyboard.type("Ontvoering minderjarige")
    await page.keyboard.press("Enter")
    # Not yet: what is about to be done is looked at first.
    await expect(page.locator("#urgent-sure")).to_contain_text("1-XYZ-987")
    assert await lists.entries.find(CHIEF, "1XYZ987", why="test") == await lists.entries.find(
        CHIEF, "1-XYZ-987", why="test"
    )
    assert (await lists.entries.find(CHIEF, "1XYZ987", why="test")).found == []
    await page.keyboard.press("Enter")
    await expect(page.locator("#urgent-done .done-well")).to_contain_text("Live op Ontvoering, tot")
    await expect(page.locator("#urgent-done .workers")).to_contain_text("0 van 1 workers")
    await hold(lists, "match-1")
    await expect(page.locator("#urgent-done .workers")).to_contain_text("Alle 1 workers zoeken ernaar")
    found = (await lists.entries.find(CHIEF, "1XYZ987", why="test")).found
    assert [(each.list, each.priority, each.entry.reason) for each in found] == [
        ("ontvoering", Priority.CRITICAL, "Ontvoering minderjarige")
    ]
    assert found[0].entry.valid_until_ms is not None
    # And off again.
    await page.keyboard.press("Enter")
    await expect(page.locator("#urgent")).not_to_be_visible()
    await page.keyboard.press("Shift+F2")
    await page.keyboard.type("1xyz987")
    await page.keyboard.press("Tab")
    await page.keyboard.type("kind is terecht")
    await page.keyboard.press("Enter")
    await expect(page.locator("#urgent-found input")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#urgent-done .done-well")).to_contain_text("Geschrapt van Ontvoering")
    assert (await lists.entries.find(CHIEF, "1XYZ987", why="test")).found == []


async def test_the_urgent_entry_is_refused_in_plain_words(desk: Desk, lists: HotlistDesk) -> None:
    await put(lists, "twee", title="Met twee", priority=Priority.CRITICAL, two_person=True)
    await lists.entries.add(OPS, "twee", EntryGiven(plate="1AAA111", country="BE", why="x"))
    page = await desk.open("ops", "/hotlists")
    await page.keyboard.press("F2")
    await page.keyboard.press("Enter")
    problem = page.locator("#urgent [role=alert]:visible")
    await expect(problem).to_contain_text("Geef de plaat")
    await page.keyboard.type("1")
    await page.locator("#urgent-why").fill("ontvoering")
    await page.fill("#urgent-until", "2040-01-01T00:00")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(problem).to_contain_text("minstens 2 nodig")
    await page.keyboard.press("Escape")
    await page.fill("#urgent-plate", "1BBB222")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(problem).to_contain_text("hoogstens 24 uur")
    await page.keyboard.press("Escape")
    await page.keyboard.press("F2")
    await page.fill("#urgent-plate", "1AAA111")
    await page.keyboard.press("Enter")
    await expect(page.locator("#urgent-found input")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(problem).to_contain_text("schrapt alleen een diensthoofd")


async def test_the_urgent_entry_says_where_a_list_is_damaged(
    desk: Desk, lists: HotlistDesk, client: aioredis.Redis
) -> None:
    for name, named in (("stuk", ()), ("eigen", ("ops",)), ("heel", ())):
        await put(lists, name, title=f"Lijst {name}", priority=Priority.CRITICAL, named_users=named)
        preview = await upload(lists, "plate\n1AAA111\n", by=OPS, name=name)
        if name != "heel":
            await client.lset(f"lik:hotlist:{name}:v{preview.number}", 0, b"PK")
        await publish(lists, preview, by=CHIEF)
    page = await desk.open("ops", "/")
    await page.keyboard.press("F2")
    await expect(page.locator("#urgent-list option[value=stuk]")).to_have_count(1)
    await page.fill("#urgent-plate", "1BBB222")
    await page.fill("#urgent-why", "ontvoering")
    await page.select_option("#urgent-list", "stuk")
    await page.press("#urgent-why", "Enter")
    await page.keyboard.press("Enter")
    problem = page.locator("#urgent [role=alert]:visible")
    await expect(problem).to_have_text("Deze lijst is beschadigd. Zet de plaat op een andere lijst: heel.")
    await page.keyboard.press("Escape")
    await page.keyboard.press("F2")
    await page.keyboard.press("Enter")
    await expect(problem).to_contain_text(
        "Nergens gevonden, maar niet gezocht op Lijst eigen, Lijst stuk: beschadigd"
    )
    await page.fill("#urgent-plate", "1AAA111")
    await page.keyboard.press("Enter")
    await expect(page.locator("#urgent-sure .facts")).to_have_text("Niet gezochtLijst eigen, Lijst stuk")
    await expect(page.locator("#urgent-found input")).to_have_count(1)
    # Who may know all of a list adds to it all the same, and is told to put the plate on another one too.
    await page.keyboard.press("Escape")
    await page.keyboard.press("F2")
    await page.select_option("#urgent-list", "eigen")
    await page.press("#urgent-why", "Enter")
    await page.keyboard.press("Enter")
    await expect(page.locator("#urgent-done .done-well")).to_contain_text("Live op Lijst eigen")
    await expect(problem).to_contain_text("Zet de plaat ook op een andere lijst")


async def test_who_may_not_has_no_key_and_no_page(desk: Desk, lists: HotlistDesk) -> None:
    page = await desk.open("operator", "/")
    await page.keyboard.press("F2")
    await expect(page.locator("#urgent")).to_have_count(0)
    await expect(page.get_by_role("link", name="Lijsten")).to_have_count(0)
    answer = await page.goto(f"{desk.url}/hotlists/gestolen")
    assert answer is not None
    assert answer.status == 403
    await page.goto(f"{desk.url}/hotlists/find")
    await page.fill("#plate", "1abc100")
    await page.fill("#why", "controle N9")
    await page.keyboard.press("Enter")
    await expect(page.locator(".found li")).to_contain_text("Gestolen te Veldeke")
    await expect(page.get_by_text("Van deze lijst schrappen")).to_have_count(0)


async def test_a_look_up_asks_why_and_removes_for_who_may(desk: Desk, lists: HotlistDesk) -> None:
    page = await desk.open("ops", "/hotlists/find")
    await page.fill("#plate", "1ABC100")
    await page.evaluate("document.querySelector('.find').noValidate = true")
    await page.keyboard.press("Enter")
    await expect(page.locator("main [role=alert]").first).to_contain_text("Geef een reden")
    await page.fill("#why", "controle")
    await page.keyboard.press("Enter")
    await page.get_by_text("Van deze lijst schrappen").click()
    await page.fill("#remove-1", "teruggevonden")
    await page.keyboard.press("Enter")
    await expect(page.locator("main .done-well")).to_contain_text("Geschrapt")
    assert "1ABC100" not in await live(lists)


async def test_a_list_that_is_stale_is_said_on_every_page(desk: Desk, lists: HotlistDesk) -> None:
    await put(lists, "sis", title="SIS-signaleringen", max_age_s=3600)
    for name, path in (("ops", "/"), ("chief", "/rir"), ("engineer", "/statistics")):
        page = await desk.open(name, path)
        banner = page.locator("#stale-lists")
        await expect(banner).to_contain_text("SIS-signaleringen")
        await banner.click()
        await expect(page.locator("main")).to_contain_text("SIS-signaleringen")
    operator = await desk.open("operator", "/search")
    await expect(operator.locator("#stale-lists")).to_have_count(0)


async def test_workers_that_do_not_hold_what_is_live_are_said_on_every_page(
    desk: Desk, lists: HotlistDesk
) -> None:
    page = await desk.open("chief", "/")
    await expect(page.locator("#no-workers")).to_be_visible()
    await lists.store.report_worker("match-1", await lists.store.live_version(), behind=["gestolen"], lost=["oud"])
    await page.reload()
    await expect(page.locator("#workers-behind")).to_have_text("1 van 1 workers lopen achter")
    await expect(page.locator("#lists-lost")).to_be_visible()
    await expect(page.locator("#no-workers")).to_be_hidden()


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_every_page_of_the_lists_is_accessible(desk: Desk, lists: HotlistDesk, theme: str) -> None:
    await put(lists, "blauw", title="Dossier Blauw", handling=Handling.COVERT, named_users=("chief",))
    await put(lists, "oud", title="Verouderd", max_age_s=60, two_person=True)
    await upload(lists, ROWS + "1ABC100;BE;x\n2XYZ98712345;BE;te lang\nAB12;BE;oude reeks\n", by=OPS)
    page = await desk.open("chief", "/hotlists", theme=theme)
    wrong: dict[str, list[str]] = {}
    for path in (
        "/hotlists",
        "/hotlists/gestolen",
        "/hotlists/blauw/edit",
        "/hotlists/new",
        "/hotlists/gestolen/staged/2",
    ):
        await page.goto(desk.url + path)
        await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        await settled(page)
        wrong[path] = await violations(page)
    await page.goto(f"{desk.url}/hotlists/find")
    await page.fill("#plate", "1ABC100")
    await page.fill("#why", "controle")
    await page.keyboard.press("Enter")
    await expect(page.locator(".found li")).to_have_count(1)
    await settled(page)
    wrong["find"] = await violations(page)
    for key in ("F2", "Shift+F2"):
        await page.keyboard.press(key)
        await settled(page)
        wrong[key] = await violations(page)
        await page.fill("#urgent-plate", "1ABC100")
        await page.fill("#urgent-why", "test")
        await page.keyboard.press("Enter")
        await expect(page.locator("#urgent-sure")).to_be_visible()
        await settled(page)
        wrong[f"{key}, sure"] = await violations(page)
        await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
    assert {path: each for path, each in wrong.items() if each} == {}
