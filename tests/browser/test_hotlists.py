"""The hotlist desk as somebody meets it at night: in Chromium, on a real Redis: upload, look, publish, go back."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from hotlists.desk import Desk as HotlistDesk
from tests.browser.conftest import Desk
from tests.browser.lists import CHIEF, FIRST, OPS, ROWS, live, put
from tests.hotlists.desk import publish, upload

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def send(page: Page, path: Path, why: str = "lijst van de nacht", kind: str = "full") -> None:
    """Upload a file from a list's page."""
    await page.set_input_files("#file", path)
    await page.check(f"input[name=kind][value={kind}]")
    await page.fill("#upload-why", why)
    await page.get_by_role("button", name="Opladen en nakijken").click()


def a_file(folder: Path, content: str | bytes, name: str = "lijst.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


async def test_ops_uploads_with_rejects_and_a_chief_publishes(
    desk: Desk, lists: HotlistDesk, tmp_path: Path
) -> None:
    more = FIRST + "2XYZ987;BE;Gestolen te Gent\n2XYZ98712345;BE;te lang\n;BE;=HYPERLINK(1)\n=HYPERLINK(A1);BE;x\n"
    ops = await desk.open("ops", "/hotlists/gestolen")
    await send(ops, a_file(tmp_path, gzip.compress(more.encode()), "nacht.csv.gz"))
    await expect(ops).to_have_url(f"{desk.url}/hotlists/gestolen/staged/2")
    content = ops.locator("main")
    await expect(content).to_contain_text("Gelezen als CSV, gzip, UTF-8, gescheiden door ;")
    await expect(content.locator("[data-change=added] strong").first).to_have_text("1")
    rows = content.locator(".row-notes").first.locator("tbody tr")
    await expect(rows).to_have_count(3)
    await expect(rows.first).to_contain_text("23")
    await expect(rows.first).to_contain_text("2XYZ98712345")
    await expect(rows.first).to_contain_text("meer dan 10 tekens")
    async with ops.expect_download() as downloading:
        await ops.get_by_role("link", name="Geweigerde rijen als CSV").click()
    told = Path(await (await downloading.value).path()).read_text("utf-8-sig")
    assert told.splitlines()[0] == "Rij;Kolom;Waarde;Waarom"
    assert "'=HYPERLINK(A1)" in told
    # Who loads does not publish: there is nothing to press.
    await expect(ops.get_by_role("button", name="Publiceren")).to_have_count(0)
    await expect(content).to_contain_text("Een diensthoofd kijkt dit na")

    chief = await desk.open("chief", "/hotlists")
    await chief.get_by_role("link", name="1 wacht op publicatie").click()
    await chief.get_by_role("link", name="Nakijken v2").click()
    # Three of 24 rows: more than the list allows without a second look.
    await expect(chief.locator(".guards")).to_contain_text("3 van 24 rijen zijn geweigerd")
    await chief.fill("#confirm", "0")
    await chief.fill("#publish-why", "nagekeken met de eigenaar")
    await chief.keyboard.press("Enter")
    await expect(chief.locator("main .done-well")).to_contain_text("Gepubliceerd")
    assert "2XYZ987" in await live(lists)


async def test_a_delta_adds_and_removes(desk: Desk, lists: HotlistDesk, tmp_path: Path) -> None:
    page = await desk.open("chief", "/hotlists/gestolen")
    delta = "plate,country,action\n9NEW999,BE,add\n1ABC100,BE,remove\n"
    await send(page, a_file(tmp_path, delta), kind="delta")
    await expect(page.locator("[data-change=removed] strong").first).to_have_text("1")
    await page.fill("#publish-why", "twee wijzigingen")
    await page.keyboard.press("Enter")
    await expect(page.locator("main .done-well")).to_be_visible()
    assert {"9NEW999", "1ABC101"} <= await live(lists)
    assert "1ABC100" not in await live(lists)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Het bestand is leeg"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "oud Excel-bestand"),
        (b"naam;kleur\nJan;rood\n", "Geen kolom met platen"),
        (b"plate\n;\n!!\n", "Geen enkele rij kon gebruikt worden"),
        (gzip.compress(bytes(200_000_000)), "Uitgepakt is het bestand"),
    ],
)
async def test_a_file_that_is_none_is_refused_in_plain_words(
    desk: Desk, lists: HotlistDesk, tmp_path: Path, content: bytes, said: str
) -> None:
    page = await desk.open("ops", "/hotlists/gestolen")
    before = await live(lists)
    await send(page, a_file(tmp_path, content))
    problem = page.locator("#upload-problem")
    await expect(problem).to_contain_text(said)
    await expect(problem).to_be_focused()
    # The file and the reason are still there, to try again with.
    await expect(page.locator("#upload-why")).to_have_value("lijst van de nacht")
    assert await live(lists) == before


async def test_a_file_may_be_dropped_and_needs_a_reason(desk: Desk, lists: HotlistDesk) -> None:
    page = await desk.open("ops", "/hotlists/gestolen")
    await page.evaluate(
        """(content) => {
          const data = new DataTransfer();
          data.items.add(new File([content], "gesleept.csv", { type: "text/csv" }));
          document.getElementById("drop").dispatchEvent(
            new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        FIRST,
    )
    await expect(page.locator("#chosen")).to_contain_text("gesleept.csv")
    await page.get_by_role("button", name="Opladen en nakijken").click()
    await expect(page.locator("#upload-problem")).to_contain_text("Geef een reden")
    await page.fill("#upload-why", "gesleept")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text("Versie 2 nakijken")
    await expect(page.locator("[data-change=unchanged] strong").first).to_have_text("20")


async def test_two_persons_publish_what_one_may_not(desk: Desk, lists: HotlistDesk, tmp_path: Path) -> None:
    await put(lists, "twee", title="Met twee", two_person=True)
    await desk.store.put_user("chef2", (await desk.store.get_user("chief")).password_hash, ["chief"])  # type: ignore[union-attr]
    first = await desk.open("chief", "/hotlists/twee")
    await send(first, a_file(tmp_path, FIRST))
    await expect(first.locator(".decide")).to_contain_text("iemand anders")
    await expect(first.get_by_role("button", name="Publiceren")).to_have_count(0)
    second = await desk.open("chef2", "/hotlists/twee/staged/1")
    await expect(second.locator(".decide")).to_contain_text("Opgeladen door chief: u bent de tweede persoon")
    await second.fill("#publish-why", "tweede paar ogen")
    await second.keyboard.press("Enter")
    await expect(second.locator("main .done-well")).to_contain_text("Gepubliceerd")
    await expect(second.locator("table").last).to_contain_text("chief → chef2")
    assert len(await live(lists, "twee")) == 20


async def test_the_guard_asks_for_the_number_that_goes(desk: Desk, lists: HotlistDesk) -> None:
    await upload(lists, ROWS + "1ABC100;BE;nog één\n", by=OPS)
    page = await desk.open("chief", "/hotlists/gestolen/staged/2")
    await expect(page.locator(".guards")).to_contain_text("19 van 20 vermeldingen verdwijnen (95")
    await page.fill("#confirm", "20")
    await page.fill("#publish-why", "de eigenaar zegt dat het klopt")
    await page.keyboard.press("Enter")
    await expect(page.locator("main [role=alert]").first).to_contain_text("19 vermeldingen verdwijnen")
    assert len(await live(lists)) == 20
    # What was typed as the reason is not typed again.
    await expect(page.locator("#publish-why")).to_have_value("de eigenaar zegt dat het klopt")
    await page.fill("#confirm", "19")
    await page.keyboard.press("Enter")
    await expect(page.locator("main .done-well")).to_contain_text("Gepubliceerd")
    assert await live(lists) == {"1ABC100"}


async def test_of_two_publishes_at_once_the_second_is_told(desk: Desk, lists: HotlistDesk) -> None:
    for plate in ("8AAA111", "8BBB222"):
        await upload(lists, FIRST + f"{plate};BE;nieuw\n", by=OPS)
    pages = [await desk.open("chief", f"/hotlists/gestolen/staged/{number}") for number in (2, 3)]
    for page in pages:
        await page.fill("#publish-why", "nacht")
        await page.keyboard.press("Enter")
        await page.wait_for_load_state()
    await expect(pages[0].locator("main .done-well")).to_contain_text("Gepubliceerd")
    await expect(pages[1].locator("main [role=alert]").first).to_contain_text("versie 2 live")
    assert "8AAA111" in await live(lists)
    await pages[1].get_by_role("button", name="Opnieuw vergelijken").click()
    await expect(pages[1].locator("h1")).to_contain_text("Versie 4 nakijken")
    await expect(pages[1].locator("[data-change=removed] strong").first).to_have_text("1")


async def test_rolling_back_is_one_step(desk: Desk, lists: HotlistDesk) -> None:
    wrong = await upload(lists, FIRST.replace("1ABC", "7WWW"), by=OPS)
    await publish(lists, wrong, by=CHIEF, confirm_removed=20)
    page = await desk.open("chief", "/hotlists/gestolen")
    await page.get_by_text("Terugzetten v1").click()
    await page.fill("#back-1", "verkeerd bestand")
    await page.keyboard.press("Enter")
    await expect(page.locator("main .done-well")).to_contain_text("Teruggezet")
    assert "1ABC100" in await live(lists)


async def test_an_upload_may_be_discarded(desk: Desk, lists: HotlistDesk) -> None:
    await upload(lists, FIRST, by=OPS)
    page = await desk.open("ops", "/hotlists/gestolen/staged/2")
    await page.get_by_text("Weggooien").first.click()
    await page.fill("#discard-why", "verkeerde lijst")
    await page.keyboard.press("Enter")
    await expect(page.locator("main .done-well")).to_contain_text("weggegooid")
    assert await lists.staging.previews(CHIEF, "gestolen") == []


async def test_a_chief_makes_a_list_and_changes_it(desk: Desk, lists: HotlistDesk) -> None:
    page = await desk.open("chief", "/hotlists/new")
    await page.fill("#title", "Actie N9, vrijdag")
    await page.fill("#threshold", "honderd")
    await page.get_by_role("button", name="Venster toevoegen").click()
    await page.locator(".window").get_by_label("vr").check()
    await page.fill("[id='window.0.starts']", "20:00")
    await page.fill("[id='window.0.ends']", "06:00")
    await page.get_by_label("N9 Stadhuis").check()
    await page.fill("#max_age", "36")
    await page.get_by_role("button", name="Lijst maken").last.click()
    await expect(page.locator("main [role=alert]")).to_contain_text("percentage van 0 tot 100")
    await expect(page.locator("#threshold")).to_have_attribute("aria-invalid", "true")
    await page.fill("#threshold", "72,5")
    await page.locator("#threshold").press("Enter")
    await expect(page.locator("main .done-well")).to_contain_text("De lijst is gemaakt")
    made = await lists.register.show(CHIEF, "actie-n9-vrijdag")
    assert (made.threshold, made.max_age_s) == (0.725, 36 * 3600)
    assert made.applies_to.cameras == ["cam-1"]
    window = made.applies_to.windows[0]
    assert (window.days, window.starts, window.ends) == (["fri"], "20:00", "06:00")
    await page.get_by_role("link", name="Beschrijving wijzigen").click()
    await page.get_by_role("button", name="Weglaten 1").click()
    await page.check("#two_person")
    await page.fill("#why", "voortaan met twee")
    await page.locator("#why").press("Enter")
    await expect(page.locator("main .done-well")).to_contain_text("bewaard")
    changed = await lists.register.show(CHIEF, "actie-n9-vrijdag")
    assert changed.two_person
    assert changed.applies_to.windows == []


async def test_nothing_of_a_preview_is_cut_off_on_a_phone(desk: Desk, lists: HotlistDesk) -> None:
    await upload(lists, ROWS + "1ABC100;BE;x\n2XYZ98712345;BE;te lang\nAB12;BE;oude reeks\n", by=OPS)
    page = await desk.open("chief", "/hotlists/gestolen/staged/2", size=(390, 844))
    await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
