"""What operators and units do to an alert, and that each sees at once what the other did."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from hotlists.entry import Handling, Priority
from pipeline import telemetry
from pipeline.alerts import claims
from pipeline.alerts.store import Verdict, Viewer
from tests.browser.conftest import Desk
from tests.conftest import until
from tests.console.samples import make_alert, picture

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SEES_ALL = Viewer("test", frozenset({"covert"}))


async def verdict_of(desk: Desk, alert_id: str) -> Verdict | None:
    row = await desk.store.get(alert_id, SEES_ALL)
    return None if row.acknowledgement is None else row.acknowledgement.verdict


async def choose_first(page: Page) -> None:
    await expect(page.locator("li.alert")).not_to_have_count(0)
    await page.keyboard.press("j")


async def test_a_claim_is_seen_by_the_other_and_kept_from_them(desk: Desk) -> None:
    alert = make_alert(1)
    await desk.store.record(alert)
    mine, other = await desk.open("operator"), await desk.open("tweede")
    await choose_first(mine)
    await mine.keyboard.press("c")
    await expect(mine.locator("li.alert .claim")).to_have_text("bij mij")
    await expect(other.locator("li.alert .claim")).to_have_text("bij operator")
    await choose_first(other)
    await other.keyboard.press("2")
    await expect(other.locator("#take-over")).to_contain_text("operator behandelt deze melding")
    await other.keyboard.press("Escape")
    assert await verdict_of(desk, alert.alert_id) is None
    # A dialog is over for the page one task after it has closed.
    await other.evaluate("new Promise((done) => setTimeout(done))")
    await other.keyboard.press("2")
    await expect(other.locator("#take-over")).to_be_visible()
    await other.keyboard.press("Enter")
    await expect(other.locator("#true-plate")).to_be_focused()
    await other.keyboard.press("Enter")
    await expect(mine.locator("li.alert .given")).to_contain_text("Misgelezen door tweede")
    assert await verdict_of(desk, alert.alert_id) is Verdict.MISREAD


async def test_a_claim_that_ran_out_is_gone_from_every_page_by_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.store.record(make_alert(1))
    mine, other = await desk.open("operator"), await desk.open("tweede")
    await choose_first(mine)
    monkeypatch.setattr(claims, "CLAIM_S", 1.0)
    await mine.keyboard.press("c")
    await expect(other.locator("li.alert .claim")).to_have_text("bij operator")
    for page in (mine, other):
        await expect(page.locator("li.alert .claim")).to_be_hidden()


async def test_plates_of_different_length_stand_under_one_another(desk: Desk) -> None:
    await desk.store.record(make_alert(1, read="1AC123", listed="1ABC123"))
    page = await desk.open("operator")
    await choose_first(page)
    await page.keyboard.press("Enter")
    for place in ("li.alert", "#details"):
        read, listed = page.locator(f"{place} .plate.read"), page.locator(f"{place} .plate.listed")
        await expect(read.locator("mark.gap")).to_have_text("ontbreekt")
        await expect(listed.locator("mark")).to_have_text("B")
        gap, there = await read.locator("mark").bounding_box(), await listed.locator("mark").bounding_box()
        ends = [await each.locator(":scope > :last-child").bounding_box() for each in (read, listed)]
        assert gap is not None
        assert there is not None
        assert abs(gap["x"] - there["x"]) < 1
        assert abs(gap["width"] - there["width"]) < 1
        assert abs(ends[0]["x"] - ends[1]["x"]) < 1  # type: ignore[index]


async def test_what_is_no_picture_leaves_a_word_and_a_vehicle_is_shown(desk: Desk) -> None:
    await desk.store.record(make_alert(1, patch=b"<script>alert(1)</script>"))
    whole = make_alert(2, patch=picture("1ABC123"), vehicle=picture("VOERTUIG"), age_s=1)
    await desk.store.record(whole)
    page = await desk.open("operator")
    rows = page.locator("li.alert")
    await expect(rows).to_have_count(2)
    await expect(rows.filter(has_text="Beeld niet leesbaar")).to_have_count(1)
    await expect(rows.locator(".vehicle.has-image")).to_be_visible()
    await page.keyboard.press("j")
    await page.keyboard.press("1")
    await expect(page.locator("#confirm .vehicle.has-image")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("li.chosen")).to_be_focused()
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator("#details .patch")).to_contain_text("Beeld niet leesbaar")


async def test_the_details_show_who_was_told_as_it_happens(desk: Desk) -> None:
    alert = make_alert(1)
    await desk.store.record(alert)
    await desk.store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=Viewer("tweede", frozenset({"operator"})))
    (opened,) = await desk.store.deliveries.unopened()
    await desk.store.deliveries.open_round(opened, ["sms-noord"], escalate_at_ns=None)
    page = await desk.open("operator")
    await choose_first(page)
    await page.keyboard.press("Enter")
    await expect(page.locator("#details .told")).to_contain_text("sms-noord (melding): onderweg")
    (due,) = await desk.store.deliveries.take_due(telemetry.now_ns())
    await desk.store.deliveries.note(due, delivered=False, detail="HTTP 503", retry_at_ns=None)
    await expect(page.locator("#details .told")).to_contain_text("niet verwittigd: bel zelf")
    await expect(page.locator("#details .told")).to_contain_text("in storing (HTTP 503)")


async def test_a_verdict_on_what_changed_meanwhile_is_asked_again(desk: Desk) -> None:
    alert = make_alert(1)
    await desk.store.record(alert)
    page = await desk.open("operator")
    await choose_first(page)
    # The page is held up: it does not hear of the verdict that another gives.
    await page.evaluate("window.stop()")
    await page.route("**/alerts/stream*", lambda route: route.abort())
    await desk.store.acknowledge(alert.alert_id, Verdict.NOT_CURRENT, by=Viewer("tweede", frozenset({"operator"})))
    await page.keyboard.press("2")
    await page.keyboard.press("Enter")
    await expect(page.locator("#toast, li.alert .given >> visible=true").first).to_be_visible()
    assert await verdict_of(desk, alert.alert_id) is Verdict.NOT_CURRENT


async def test_units_are_told_only_after_a_look_and_their_answer_is_seen(desk: Desk) -> None:
    alert = make_alert(1, read="1ABC128", listed="1ABC123", patch=picture("1ABC128"), priority=Priority.CRITICAL)
    await desk.store.record(alert)
    await desk.store.record(make_alert(2, handling=Handling.COVERT))
    unit = await desk.open("alfa", "/unit", size=(390, 844))
    await expect(unit.locator("#empty")).to_be_visible()
    desk_page = await desk.open("operator")
    await choose_first(desk_page)
    await desk_page.keyboard.press("1")
    await expect(desk_page.locator("#confirm")).to_contain_text("waarschijnlijk misgelezen: 8/3?")
    await expect(desk_page.locator("#confirm .patch")).to_have_class("patch has-image")
    await expect(unit.locator(".card-alert")).to_have_count(0)
    await desk_page.keyboard.press("Enter")
    card = unit.locator(".card-alert")
    await expect(card).to_have_count(1)
    await expect(card.locator(".plate.listed")).to_contain_text("1-ABC-123")
    await expect(card.locator(".plate.read mark")).to_have_text("8")
    await expect(card.locator(".standing")).to_have_text("Bevestigd door het LIK")
    await expect(unit.locator("#announcer")).to_contain_text("Nieuwe opdracht")
    for name in ("Onderweg", "Gezien", "Niet gevonden"):
        box = await card.get_by_role("button", name=name).bounding_box()
        assert box is not None
        # For a thumb, and within its reach: all of it in sight without scrolling.
        assert min(box["width"], box["height"]) >= 44
        assert box["y"] + box["height"] <= 844
    await card.get_by_role("button", name="Onderweg").click()
    await expect(desk_page.locator("li.alert .responses")).to_have_text("Onderweg: alfa")
    await expect(card.locator(".told")).to_contain_text("alfa: Onderweg")

    await desk_page.keyboard.press("2")
    await desk_page.keyboard.press("Enter")
    await expect(card.locator(".standing")).to_have_text("INGETROKKEN: niets doen")
    await expect(card.get_by_role("button", name="Onderweg")).to_be_hidden()


async def true_plates(desk: Desk, alert_id: str) -> list[str]:
    return [each.true_plate for each in await desk.store.claims.history(alert_id, SEES_ALL)]


async def test_what_is_on_a_misread_plate_is_typed_over_what_was_read(desk: Desk) -> None:
    alert = make_alert(1, read="1ABC128", listed="1ABC123", patch=picture("1ABC129"))
    await desk.store.record(alert)
    page = await desk.open("operator")
    await choose_first(page)
    await page.keyboard.press("2")
    field, hint = page.locator("#true-plate"), page.locator("#true-hint")
    await expect(field).to_be_focused()
    # The key that opened it is not typed into it, and what was read is there to be typed over.
    await expect(field).to_have_value("1-ABC-128")
    await expect(hint).to_have_text("Juist gelezen, maar niet de gezochte plaat.")
    await expect(page.locator("#misread .patch")).to_have_class("patch has-image")
    await page.keyboard.type("1abc129")
    await expect(field).to_have_value("1-ABC-129")
    await expect(hint).to_have_text("Wordt bewaard als de juiste plaat.")
    # Character stands under character with what was read.
    read, typed = page.locator("#misread .plate.read > :nth-child(2)"), field
    boxes = [await each.bounding_box() for each in (read, typed)]
    assert all(box is not None for box in boxes)
    assert abs(boxes[0]["x"] - boxes[1]["x"]) < 1  # type: ignore[index]
    await page.keyboard.press("Escape")
    assert await true_plates(desk, alert.alert_id) == []
    # A dialog is over for the page one task after it has closed.
    await page.evaluate("new Promise((done) => setTimeout(done))")
    await page.keyboard.press("2")
    await expect(field).to_have_value("1-ABC-128")
    await page.keyboard.press("End")
    await page.keyboard.press("Backspace")
    await page.keyboard.type("9")
    await page.keyboard.press("Enter")
    await expect(page.locator("li.alert .given")).to_have_text("Misgelezen door operator · 1-ABC-129")
    assert await true_plates(desk, alert.alert_id) == ["1ABC129"]
    await expect(page.locator("li.chosen")).to_be_focused()
    other = await desk.open("tweede", "/search")
    await other.fill("#plate", "1ABC128")
    await other.keyboard.press("Enter")
    await expect(other.locator("tbody tr")).to_contain_text("op de plaat: 1-ABC-129")

    await page.keyboard.press("2")
    await page.keyboard.press("Delete")
    await expect(hint).to_have_text("Leeg: de juiste plaat blijft onbekend.")
    await page.keyboard.press("Enter")
    await expect(page.locator("li.alert .given")).to_have_text("Misgelezen door operator")
    assert await true_plates(desk, alert.alert_id) == ["1ABC129", ""]
    await page.keyboard.press("Enter")
    await expect(page.locator("#details .facts.first")).not_to_contain_text("op de plaat")
    earlier = page.locator("#details .facts.more > div").filter(has_text="Eerdere beoordelingen")
    await expect(earlier).to_contain_text("Misgelezen door operator")
    await expect(earlier).to_contain_text("op de plaat: 1-ABC-129")


async def test_the_plate_that_is_looked_for_is_not_misread_away(desk: Desk) -> None:
    alert = make_alert(1, read="1ABC128", listed="1ABC123")
    await desk.store.record(alert)
    page = await desk.open("operator")
    await choose_first(page)
    await page.keyboard.press("2")
    field, problem = page.locator("#true-plate"), page.locator("#true-problem")
    for typed, said in (
        ("1ABC123", "Dat is wat gezocht wordt"),
        ("1AB?", "Een ? of * kan hier niet"),
        ("7", "minstens 2"),
    ):
        await page.keyboard.type(typed)
        await page.keyboard.press("Enter")
        await expect(problem).to_contain_text(said)
        # What was typed is still there, to be put right.
        await expect(field).to_be_focused()
        await expect(field).to_have_attribute("aria-invalid", "true")
    assert await verdict_of(desk, alert.alert_id) is None
    await page.keyboard.press("Escape")
    await expect(page.locator("li.chosen")).to_be_focused()
    await page.keyboard.press("1")
    await page.keyboard.press("Enter")
    await expect(page.locator("li.alert .given")).to_contain_text("Bevestigd door operator")


async def test_a_key_right_after_escape_is_not_lost(desk: Desk) -> None:
    await desk.store.record(make_alert(1, read="1ABC128", listed="1ABC123"))
    page = await desk.open("operator")
    await choose_first(page)
    await page.keyboard.press("2")
    await expect(page.locator("#true-plate")).to_be_focused()
    # Before the browser tells anybody that the dialog is closed.
    await page.evaluate(
        """async () => {
            document.getElementById("misread").requestClose();
            for (let turn = 0; turn < 50; turn++) await null;
            const key = new KeyboardEvent("keydown", { key: "1", bubbles: true });
            document.querySelector("li.chosen").dispatchEvent(key);
        }"""
    )
    await expect(page.locator("#confirm")).to_be_visible()


async def test_the_same_again_tells_nothing_where_that_is_what_is_listed(desk: Desk) -> None:
    alert = make_alert(1)
    await desk.store.record(alert)
    page = await desk.open("operator")
    await choose_first(page)
    await page.locator("li.alert [data-verdict=misread]").click()
    await expect(page.locator("#true-hint")).to_have_text("Ongewijzigd: de juiste plaat blijft onbekend.")
    await page.keyboard.press("Enter")
    await expect(page.locator("li.alert .given")).to_have_text("Misgelezen door operator")
    assert await true_plates(desk, alert.alert_id) == [""]


async def test_a_list_may_say_that_units_are_told_at_once(desk: Desk) -> None:
    alert = make_alert(1, notify_unconfirmed=True)
    await desk.store.record(alert)
    unit = await desk.open("alfa", "/unit", size=(390, 844))
    await expect(unit.locator(".standing")).to_contain_text("Niet bevestigd door het LIK")
    page = await desk.open("operator")
    await choose_first(page)
    await page.keyboard.press("1")
    # They know already: there is nothing to ask.
    await expect(page.locator("li.alert .given")).to_contain_text("Bevestigd door operator")
    await expect(unit.locator(".standing")).to_have_text("Bevestigd door het LIK")


async def test_the_map_draws_the_way_that_a_vehicle_went(desk: Desk) -> None:
    alert = make_alert(1, sightings=3)
    cameras = ("cam-3", "cam-1", "cam-2")
    moved = [
        type(each)(hit_id=each.hit_id, camera=camera, captured_at_ns=each.captured_at_ns, plate=each.plate)
        for each, camera in zip(alert.sightings, cameras, strict=True)
    ]
    await desk.store.record(type(alert)(**{**_fields(alert), "sightings": moved}))
    page = await desk.open("operator")
    loaded = await page.evaluate("performance.getEntriesByType('resource').map((each) => each.name)")
    assert not any(name.endswith("map.js") for name in loaded)
    await choose_first(page)
    await page.keyboard.press("m")
    drawing = page.locator(".map-drawing")
    await expect(drawing.locator(".track")).to_have_count(2)
    await expect(drawing.locator(".arrow")).to_have_count(2)
    await expect(drawing.locator(".sighting")).to_have_count(3)
    await expect(drawing.locator(".sighting.last")).to_contain_text("3")
    await expect(drawing).to_have_attribute(
        "aria-label", "Kaart met 3 camera’s en 3 waarneming(en); de laatste bij N9 Brug"
    )
    await page.get_by_role("button", name="Inzoomen").click()
    await page.keyboard.press("m")
    await expect(page.locator("#details .map")).to_be_hidden()


async def test_a_report_is_made_from_an_alert_edited_and_sent(desk: Desk) -> None:
    await desk.store.record(make_alert(1, patch=picture("1ABC123")))
    page = await desk.open("operator")
    await choose_first(page)
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Informatierapport").click()
    await expect(page.locator("h1")).to_contain_text("Ontwerp")
    await page.fill("#purpose", "Opsporing van het gestolen voertuig")
    await page.select_option("#source_evaluation", "B")
    await page.get_by_role("button", name="Bewaren").click()
    await expect(page.locator(".done-well")).to_have_text("Bewaard als nieuwe versie.")
    await expect(page.locator("#purpose")).to_have_value("Opsporing van het gestolen voertuig")
    await page.get_by_role("button", name="Verzenden").click()
    await expect(page.locator("h1")).to_contain_text("Wacht op verzending")
    await expect(page.locator("#purpose")).not_to_be_editable()

    async def queued() -> bool:
        return bool(await desk.store.reports.all(SEES_ALL))

    await until(queued, "the report is in the store")


async def test_a_search_opens_what_it_finds(desk: Desk) -> None:
    await desk.store.record(make_alert(1, read="1ABC123"))
    await desk.store.record(make_alert(2, read="2XYZ999"))
    page = await desk.open("operator")
    await page.keyboard.press("/")
    await page.fill("#plate", "1abc*")
    await page.keyboard.press("Enter")
    await expect(page.locator("tbody tr")).to_have_count(1)
    assert "1abc" not in page.url.lower()
    await page.get_by_role("link", name="Openen").click()
    await expect(page.locator("#details")).to_contain_text("1-ABC-123")


async def test_a_token_is_made_on_its_page_and_shown_this_once(desk: Desk) -> None:
    page = await desk.open("chief", "/tokens")
    await page.fill("#name", "dashboard")
    await page.check("text=alerts:read")
    await page.get_by_role("button", name="Token maken").click()
    await expect(page.locator("code.token")).to_contain_text("lik_")
    await page.get_by_role("link", name="Tokens").click()
    await expect(page.locator("tbody th")).to_have_text("dashboard")
    await expect(page.locator("code.token")).to_have_count(0)
    await page.get_by_role("button", name="Intrekken dashboard").click()
    await expect(page.locator("tbody")).to_contain_text("Ingetrokken door chief")


def _fields(alert: object) -> dict[str, object]:
    return {name: getattr(alert, name) for name in type(alert).__struct_fields__}  # type: ignore[attr-defined]
