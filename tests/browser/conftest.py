"""A real Chromium, and a page of it per test."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

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


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A Chromium of the test's own; where there is none, the test is skipped, unless one is required."""
    if CHROMIUM is None:
        if os.environ.get("LIK_TEST_REQUIRE_BROWSER"):
            pytest.fail("no Chromium; apt-get install chromium, or set LIK_TEST_CHROMIUM")
        pytest.skip("no Chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        await launched.close()


@pytest.fixture
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
