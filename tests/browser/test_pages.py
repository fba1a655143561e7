"""Every page, in each appearance: accessible by WCAG 2.2 AA, small at first, and without a word from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.async_api import Page, expect

from hotlists.entry import Category, Priority
from pipeline import telemetry
from pipeline.alerts.rows import Answer
from pipeline.alerts.store import Verdict, Viewer
from tests.browser.conftest import Desk
from tests.console.samples import make_alert, picture

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AXE = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")).read_text()
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FIRST_LOAD_BYTES = 200_000

PAGES = {
    "/": "chief",
    "/map": "operator",
    "/search": "operator",
    "/handover": "operator",
    "/rir": "operator",
    "/statistics": "chief",
    "/retention": "auditor",
    "/tokens": "chief",
    "/hotlists": "chief",
    "/hotlists/new": "chief",
    "/hotlists/find": "operator",
    "/audit": "auditor",
    "/unit": "alfa",
    "/sign-in": None,
    "/nergens": "operator",
}


async def violations(page: Page) -> list[str]:
    """Run axe-core on a page; its script is put in by the test, past the page's own policy."""
    await page.evaluate(AXE)
    options = {"runOnly": {"type": "tag", "values": STANDARDS}, "resultTypes": ["violations"]}
    found: dict[str, Any] = await page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{each['id']}: {node['html'][:160]} ({node['failureSummary'][:300]})"
        for each in found["violations"]
        for node in each["nodes"]
    ]


async def fill(desk: Desk) -> str:
    """Put alerts of every look on the desk; return the id of a report."""
    operator = Viewer("operator", frozenset({"operator"}))
    for number, category in enumerate(Category):
        priority = list(Priority)[number % 4]
        await desk.store.record(
            make_alert(number, category=category, priority=priority, patch=picture("1ABC123"), age_s=5 + number)
        )
    await desk.store.record(make_alert(50, read="1ABC128", listed="1ABC123", late=True, age_s=60))
    for number, verdict in enumerate(Verdict):
        await desk.store.acknowledge(make_alert(number).alert_id, verdict, by=operator)
    await desk.store.acknowledge(make_alert(9).alert_id, Verdict.CONFIRMED, by=operator)
    await desk.store.claims.claim(make_alert(8).alert_id, operator)
    await desk.store.units.respond(
        make_alert(0).alert_id, Answer.ON_THE_WAY, by=Viewer("alfa", frozenset({"unit"}))
    )
    for name, days in (("dashboard", 30), ("oud-dashboard", -1)):
        until_ns = telemetry.now_ns() + days * 86_400_000_000_000
        await desk.store.api_tokens.add(name, name.ljust(64), ["alerts:read"], by="chief", expires_at_ns=until_ns)
    return (await desk.store.reports.create(make_alert(1).alert_id, operator)).draft.rir_id


async def settled(page: Page) -> None:
    """Wait until nothing moves any more: a colour on its way to another is neither of the two."""
    await page.wait_for_load_state()
    await page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished.catch(() => null)))")


async def test_what_is_not_accessible_would_be_found(desk: Desk) -> None:
    page = await desk.open(None, "/sign-in")
    await page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend',"
        " '<img src=x><p class=bad>nauwelijks te lezen</p>');"
        "document.querySelector('.bad').style.color = '#223'"
    )
    found = await violations(page)
    assert [each.split(":")[0] for each in found] == ["color-contrast", "image-alt"]


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_every_page_is_accessible(desk: Desk, theme: str) -> None:
    rir_id = await fill(desk)
    pages: dict[str, str | None] = {**PAGES, f"/rir/{rir_id}": "operator"}
    opened: dict[str | None, Page] = {}
    wrong: dict[str, list[str]] = {}
    for path, name in pages.items():
        if name not in opened:
            size = (390, 844) if name == "alfa" else (1366, 768)
            opened[name] = await desk.open(name, "/sign-in" if name is None else path, theme=theme, size=size)
        page = opened[name]
        await page.goto(desk.url + path)
        if path == "/":
            await expect(page.locator("li.alert")).not_to_have_count(0)
        await settled(page)
        wrong[path] = await violations(page)
        if path == "/search":
            await page.fill("#plate", "1*")
            await page.keyboard.press("Enter")
            await expect(page.locator("tbody tr")).not_to_have_count(0)
            wrong["/search, found"] = await violations(page)
        if path == "/":
            wrong |= await _live(page)
    assert {path: each for path, each in wrong.items() if each} == {}


async def _live(page: Page) -> dict[str, list[str]]:
    """Look at what opens on the live page."""
    wrong = {}
    await page.keyboard.press("j")
    await page.keyboard.press("m")
    await expect(page.locator(".map-drawing .camera").first).to_be_visible()
    await settled(page)
    wrong["/, details and map"] = await violations(page)
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    wrong["/, help"] = await violations(page)
    await page.keyboard.press("Escape")
    await expect(page.locator("#help")).to_be_hidden()
    wrong |= await _misread(page)
    await page.locator(".menu summary").click()
    wrong["/, menu"] = await violations(page)
    await page.select_option("#by-category", "football")
    await settled(page)
    wrong["/, filtered"] = await violations(page)
    return wrong


async def _misread(page: Page) -> dict[str, list[str]]:
    """Look at what is asked where a plate was misread; of whoever may judge."""
    if await page.locator("#misread").count() == 0:
        return {}
    wrong = {}
    await page.keyboard.press("2")
    await expect(page.locator("#true-plate")).to_be_focused()
    wrong["/, misread"] = await violations(page)
    await page.keyboard.type("7")
    await page.keyboard.press("Enter")
    await expect(page.locator("#true-problem")).to_be_visible()
    wrong["/, misread, refused"] = await violations(page)
    await page.keyboard.press("Escape")
    await expect(page.locator("#misread")).to_be_hidden()
    return wrong


@pytest.mark.parametrize(("path", "name"), [("/", "operator"), ("/unit", "alfa"), ("/sign-in", None)])
async def test_the_first_load_is_small_and_all_ours(desk: Desk, path: str, name: str | None) -> None:
    page = await desk.open(name, path)
    sizes: list[list[Any]] = await page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".map((each) => [each.name, each.transferSize])"
    )
    assert all(address.startswith(desk.url) for address, _ in sizes)
    loaded = sum(size for address, size in sizes if "/stream" not in address)
    assert 5_000 < loaded < FIRST_LOAD_BYTES, sizes


@pytest.mark.parametrize("path", sorted(PAGES))
async def test_nothing_is_cut_off_on_a_phone_or_a_small_screen(desk: Desk, path: str) -> None:
    await desk.store.record(make_alert(1))
    page = await desk.open(PAGES[path], path, size=(390, 844))
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
