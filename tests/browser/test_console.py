"""The console as an operator meets it: in Chromium, on a real store, a real broker and a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from console.app import run
from console.auth import ensure_user
from hotlists.entry import Handling, Priority
from pipeline.alerts.store import AlertRow, AlertStore, Verdict, Viewer
from pipeline.embedded import free_port
from pipeline.settings import Settings
from pipeline.topics import ALERTS, Publisher
from tests.conftest import BrokerUnderTest, MakeSettings, running, until
from tests.console.samples import make_alert, picture

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PASSWORD = "een lang wachtwoord"
SEES_ALL = Viewer("test", frozenset({"covert"}))


@pytest.fixture
def settings(make_settings: MakeSettings, embedded_broker: BrokerUnderTest, redis_url: str) -> Settings:
    return make_settings(embedded_broker, redis_url=redis_url, console_port=free_port())


@pytest_asyncio.fixture(loop_scope="session")
async def store(settings: Settings) -> AsyncIterator[AlertStore]:
    opened = AlertStore(settings.database_url)
    await opened.open()
    await ensure_user(opened, "operator", PASSWORD, ["operator"])
    yield opened
    await opened.close()


def url(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.console_port}/"


async def sign_in(page: Page, settings: Settings) -> None:
    await page.goto(url(settings))
    await page.get_by_label("Gebruikersnaam").fill("operator")
    await page.get_by_label("Wachtwoord").fill(PASSWORD)
    await page.get_by_role("button", name="Aanmelden").click()
    await expect(page.locator("#connection")).to_have_text("Verbonden")


async def judged(store: AlertStore, alert_id: str) -> AlertRow:
    async def row() -> AlertRow | None:
        found = await store.get(alert_id, SEES_ALL)
        return found if found.acknowledgement is not None else None

    found: AlertRow = await until(row, "the verdict is in the store")
    return found


async def test_an_alert_arrives_and_one_key_judges_it(page: Page, settings: Settings, store: AlertStore) -> None:
    alert = make_alert(1, read="1ABC128", listed="1ABC123", patch=picture("1ABC128"))
    covert = make_alert(2, read="1ZZZ999", handling=Handling.COVERT)
    async with running(run, settings), Publisher(settings) as publisher:
        await sign_in(page, settings)
        await expect(page.locator("#empty")).to_contain_text("Nog geen meldingen")
        await expect(page.locator(".banner").first).to_contain_text("niet bewaard na afsluiten")
        # A mark that a reload would wipe out.
        await page.evaluate("document.documentElement.dataset.since = 'the beginning'")
        for each in (covert, alert):
            await store.record(each)
            await publisher.send(ALERTS, each, key=each.alert_id)
        await publisher.flush()

        row = page.locator("li.alert")
        await expect(row).to_have_count(1)
        await expect(row.locator(".plate.read")).to_contain_text("1-ABC-128")
        await expect(row.locator(".plate.listed mark")).to_have_text("3")
        await expect(row.locator(".priority")).to_have_text("Hoog")
        await expect(row.locator(".camera")).to_have_text("N9 Stadhuis")
        await expect(row.locator(".latency")).to_have_text("84 ms")
        await expect(row.locator(".time")).to_contain_text("CE")
        await expect(row.locator(".patch")).to_have_class("patch has-image")
        await expect(page).to_have_title("(1) Meldingen · Kruispunt")
        await expect(page.locator("#announcer")).to_contain_text("1-ABC-128")

        await page.keyboard.press("j")
        await expect(row).to_be_focused()
        await page.keyboard.press("2")
        await page.keyboard.press("Enter")
        await expect(row.locator(".given")).to_contain_text("Misgelezen door operator")
        await expect(page).to_have_title("Meldingen · Kruispunt")
        stored = await judged(store, alert.alert_id)
        assert stored.acknowledgement is not None
        assert (stored.acknowledgement.verdict, stored.acknowledgement.by) == (Verdict.MISREAD, "operator")
        assert await page.locator("html").get_attribute("data-since") == "the beginning"
        assert "1-ZZZ-999" not in await page.content()


async def test_newest_on_top_and_the_keys_move(page: Page, settings: Settings, store: AlertStore) -> None:
    for number, age_s in enumerate((90, 60, 30), 1):
        await store.record(make_alert(number, age_s=age_s))
    newest = [make_alert(number).alert_id for number in (4, 3, 2, 1)]
    async with running(run, settings):
        await sign_in(page, settings)
        rows = page.locator("li.alert")
        await expect(rows).to_have_count(3)
        await page.keyboard.press("j")
        await page.keyboard.press("ArrowDown")
        await expect(rows.nth(1)).to_be_focused()
        await store.record(make_alert(4, age_s=0))
        await expect(rows).to_have_count(4)
        shown = [await rows.nth(number).get_attribute("data-id") for number in range(4)]
        assert shown == newest
        # The one that was chosen stays chosen, wherever it has moved to.
        await expect(rows.nth(2)).to_be_focused()
        await page.keyboard.press("k")
        await expect(rows.nth(1)).to_be_focused()
        await page.keyboard.press("3")
        assert (await judged(store, newest[1])).acknowledgement is not None
        await page.get_by_role("button", name="Te behandelen").click()
        await expect(rows).to_have_count(3)


async def test_script_in_a_reason_is_text(page: Page, settings: Settings, store: AlertStore) -> None:
    bad = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    await store.record(make_alert(1, reason=bad, title=bad, owner=bad, legal_basis=bad))
    async with running(run, settings):
        await sign_in(page, settings)
        await expect(page.locator("li.alert .reason")).to_have_text(bad)
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await expect(page.locator("#details")).to_contain_text(bad)
        assert await page.locator("li.alert script, #details script, img[src=x]").count() == 0
        await expect(page).to_have_title("(1) Meldingen · Kruispunt")


async def test_details_and_a_note(page: Page, settings: Settings, store: AlertStore) -> None:
    alert = make_alert(1, sightings=2, priority=Priority.CRITICAL)
    await store.record(alert)
    async with running(run, settings):
        await sign_in(page, settings)
        await page.keyboard.press("?")
        await expect(page.locator("#help")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#help")).to_be_hidden()
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        details = page.locator("#details")
        await expect(details).to_contain_text("van lezing tot melding: 84 ms")
        # Digits in a note are a note, not a verdict.
        await details.locator("textarea").fill("")
        await details.locator("textarea").press_sequentially("om 14 u getakeld")
        # A sighting that comes in meanwhile leaves the note, and the cursor, where they were.
        await store.record(make_alert(1, sightings=3, priority=Priority.CRITICAL))
        await expect(page.locator("li.alert .sightings")).to_have_text("3× gezien")
        await expect(details).to_contain_text("N9 Stadhuis")
        await expect(details.locator("textarea")).to_be_focused()
        await expect(details.locator("textarea")).to_have_value("om 14 u getakeld")
        await page.keyboard.press("Escape")
        await expect(details).to_be_hidden()
        assert (await store.get(alert.alert_id, SEES_ALL)).acknowledgement is None
        await page.keyboard.press("Enter")
        await details.locator("textarea").fill("om 14 u getakeld")
        await details.get_by_role("button", name="Bevestigd").click()
        # Units will be told: the operator looks with their own eyes first.
        await expect(page.locator("#confirm")).to_contain_text("met het oog")
        await page.keyboard.press("Escape")
        await expect(page.locator("#confirm")).to_be_hidden()
        assert (await store.get(alert.alert_id, SEES_ALL)).acknowledgement is None
        await details.get_by_role("button", name="Bevestigd").click()
        await page.keyboard.press("Enter")
        stored = await judged(store, alert.alert_id)
        assert stored.acknowledgement is not None
        assert stored.acknowledgement.note == "om 14 u getakeld"


async def test_a_lost_line_is_said_and_taken_up_again(page: Page, settings: Settings, store: AlertStore) -> None:
    await store.record(make_alert(1, age_s=10))
    async with running(run, settings):
        await sign_in(page, settings)
        await expect(page.locator("li.alert")).to_have_count(1)
    await expect(page.locator("#connection")).to_have_text("Verbinding verbroken, opnieuw…")
    await store.record(make_alert(2))
    async with running(run, settings):
        await expect(page.locator("li.alert")).to_have_count(2, timeout=20_000)
        await expect(page.locator("#connection")).to_have_text("Verbonden")


async def test_a_session_that_has_ended_goes_back_to_the_form(
    page: Page, settings: Settings, store: AlertStore
) -> None:
    async with running(run, settings):
        await sign_in(page, settings)
        await ensure_user(store, "operator", "een nieuw wachtwoord", ["operator"])
        await store.record(make_alert(1))
        await expect(page).to_have_url(url(settings) + "sign-in")
