"""A real Chromium, a page of it per test, and the desk that it looks at.

One Chromium serves all tests of a process: to start it takes as long as a test. It belongs to the event loop that
it was started in, so that everything asynchronous here runs in the session's loop; each test file says so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from console.app import run
from pipeline.alerts.store import AlertStore
from pipeline.embedded import free_port
from pipeline.settings import Settings
from tests.browser.lists import client, lists
from tests.conftest import MakeSettings, running
from tests.console.conftest import PASSWORD, password_hash

__all__ = ["client", "lists", "password_hash"]

PEOPLE = {
    "operator": ["operator"],
    "tweede": ["operator"],
    "named": ["operator"],
    "recherche": ["operator", "covert"],
    "ops": ["ops"],
    "chief": ["chief", "ops"],
    "auditor": ["auditor"],
    "engineer": ["engineer"],
    "alfa": ["unit"],
}

CHROMIUM = os.environ.get("LIK_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    # Chromium refuses its own sandbox to root, as whom tests run in a container.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A running Chromium; where there is none, the tests are skipped, unless one is required."""
    if CHROMIUM is None:
        if os.environ.get("LIK_TEST_REQUIRE_BROWSER"):
            pytest.fail("no Chromium; apt-get install chromium, or set LIK_TEST_CHROMIUM")
        pytest.skip("no Chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    """Chromium with nothing open in it; what a test opens, cookies and storage included, goes with the test."""
    assert chromium.contexts == []
    yield chromium
    for context in chromium.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page on a desk's screen; an error in its script, or something refused by the CSP, fails the test."""
    context = await browser.new_context(viewport={"width": 1366, "height": 768}, locale="nl-BE")
    opened = await context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "console",
        lambda message: wrong.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield opened
    await context.close()
    assert not wrong, wrong


@dataclass(frozen=True)
class Desk:
    """A console that runs on a real store with somebody of every role, without a broker."""

    settings: Settings
    store: AlertStore
    open: Callable[..., Awaitable[Page]]
    """Open a page for somebody: ``open(name, path, theme=, size=)``; None for nobody."""

    @property
    def url(self) -> str:
        """Address of the console, without a slash at its end."""
        return f"http://127.0.0.1:{self.settings.console_port}"


@pytest_asyncio.fixture(loop_scope="session")
async def desk(
    browser: Browser, make_settings: MakeSettings, redis_url: str, password_hash: str
) -> AsyncIterator[Desk]:
    """A running console; what goes wrong in a page's script fails the test."""
    settings = make_settings(kafka_bootstrap="127.0.0.1:9", redis_url=redis_url, console_port=free_port())
    store = AlertStore.of(settings)
    await store.open()
    for name, roles in PEOPLE.items():
        await store.put_user(name, password_hash, roles)
    wrong: list[str] = []

    async def open_page(
        name: str | None, path: str = "/", *, theme: str = "dark", size: tuple[int, int] = (1366, 768)
    ) -> Page:
        context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="nl-BE")
        await context.add_cookies([{"name": "theme", "value": theme, "url": desk.url}])
        page = await context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        if name is not None:
            form = {"username": name, "password": PASSWORD}
            answer = await context.request.post(f"{desk.url}/sign-in", form=form, max_redirects=0)
            assert answer.status == 303
        await page.goto(desk.url + path)
        if await page.locator("#connection").count():
            await expect(page.locator("#connection")).to_have_attribute("data-state", "connected")
        return page

    desk = Desk(settings, store, open_page)
    async with running(run, settings):
        yield desk
        for context in browser.contexts:
            await context.close()
    await store.close()
    assert not wrong, wrong
