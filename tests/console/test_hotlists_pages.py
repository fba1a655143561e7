"""The pages of the hotlists over HTTP: roles, forged and wrong forms, what is kept of them, and outages."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hotlists.desk import Desk
from hotlists.entry import AppliesTo, Hotlist, Window
from hotlists.people import Actor
from hotlists.shapes import EntryGiven
from pipeline.alerts.store import AlertStore
from pipeline.settings import Settings
from tests.console.conftest import SignIn, application, browse, csrf_of
from tests.console.test_hotlists_leaks import token
from tests.hotlists.desk import as_file

KEEPER = Actor.with_roles("recherche", ["chief", "covert"])
CSV = "plate;country;reason\n1ABC123;BE;open\n"


@pytest.fixture
async def desk(app: FastAPI, store: AlertStore, password_hash: str) -> Desk:
    """A desk with a list that has a version live, and one that waits."""
    for name, roles in {"ops": ["ops"], "unit": ["unit"], "covert": ["covert"]}.items():
        await store.put_user(name, password_hash, roles)
    made: Desk = app.state.desk
    await made.register.create(KEEPER, Hotlist(name="gestolen", title="Gestolen voertuigen"))
    for number in (1, 2):
        with as_file(CSV) as file:
            await made.staging.upload(KEEPER, "gestolen", file, kind="full", why="nacht")
        if number == 1:
            await made.staging.publish(KEEPER, "gestolen", 1, why="nagekeken")
    return made


async def status(client: httpx.AsyncClient, path: str) -> int:
    return (await client.get(path)).status_code


SEES = {
    "operator": {"/hotlists/find"},
    "ops": {"/hotlists", "/hotlists/gestolen", "/hotlists/gestolen/staged/2", "/hotlists/find", "/urgent/lists"},
    "chief": {
        "/hotlists",
        "/hotlists/new",
        "/hotlists/gestolen",
        "/hotlists/gestolen/edit",
        "/hotlists/gestolen/staged/2",
        "/hotlists/find",
        "/urgent/lists",
    },
    "auditor": {"/hotlists", "/hotlists/gestolen", "/hotlists/gestolen/staged/2"},
    "engineer": {"/hotlists"},
    "covert": {"/hotlists", "/hotlists/gestolen", "/hotlists/gestolen/staged/2", "/hotlists/find"},
    "unit": set(),
}


@pytest.mark.parametrize("name", list(SEES))
async def test_each_role_has_its_pages(signed_in: SignIn, desk: Desk, name: str) -> None:
    async with signed_in(name) as client:
        answers = {path: await status(client, path) for path in SEES["chief"]}
        links = (await client.get("/", follow_redirects=True)).text
    assert {path for path, each in answers.items() if each == 200} == SEES[name]
    assert {each for path, each in answers.items() if path not in SEES[name]} <= {403}
    assert ('href="/hotlists"' in links) == ("/hotlists" in SEES[name])
    assert ('href="/hotlists/find"' in links) == ("/hotlists/find" in SEES[name])
    # The urgent entry is there for who may load, and for nobody else.
    assert ('id="urgent"' in links) == (name in ("ops", "chief"))


async def test_nobody_is_sent_to_sign_in(app: FastAPI) -> None:
    async with browse(app) as client:
        answer = await client.get("/hotlists")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        asked = await client.get("/urgent/lists")
        assert (asked.status_code, asked.headers["content-type"]) == (401, "application/problem+json")


@pytest.mark.parametrize(
    "path",
    [
        "/hotlists/new",
        "/hotlists/gestolen/edit",
        "/hotlists/gestolen/archive",
        "/hotlists/gestolen/restore",
        "/hotlists/gestolen/rollback",
        "/hotlists/gestolen/staged",
        "/hotlists/gestolen/staged/2/publish",
        "/hotlists/gestolen/staged/2/discard",
        "/hotlists/gestolen/staged/2/refresh",
        "/hotlists/find",
        "/hotlists/find/remove",
        "/urgent/add",
        "/urgent/find",
        "/urgent/remove",
    ],
)
async def test_a_forged_form_does_nothing(signed_in: SignIn, desk: Desk, path: str) -> None:
    async with signed_in("chief") as client:
        before = await desk.register.versions(KEEPER, "gestolen")
        for csrf in ("", "forged"):
            answer = await client.post(path, data={"csrf": csrf, "why": "x"}, headers={"X-CSRF-Token": csrf})
            assert answer.status_code == 403, path
    assert await desk.register.versions(KEEPER, "gestolen") == before


@pytest.mark.parametrize("deed", ["archive", "rollback", "staged/2/publish", "staged/2/discard"])
async def test_a_reason_is_asked_for(signed_in: SignIn, desk: Desk, deed: str) -> None:
    async with signed_in("chief") as client:
        csrf = await csrf_of(client)
        for why in ("", "   ", "…!", "a\0b"):
            answer = await client.post(
                f"/hotlists/gestolen/{deed}", data={"csrf": csrf, "why": why, "number": "1"}
            )
            assert answer.status_code == 422
            assert "Geef een reden" in answer.text
    shape = await desk.register.show(KEEPER, "gestolen")
    assert (shape.archived, shape.live, shape.staged) == (False, 1, 1)


async def test_a_list_is_archived_and_taken_back(signed_in: SignIn, desk: Desk) -> None:
    async with signed_in("chief") as client:
        form = {"csrf": await csrf_of(client), "why": "actie is voorbij"}
        done = await client.post("/hotlists/gestolen/archive", data=form)
        assert done.headers["location"] == "/hotlists/gestolen?done=archived"
        page = (await client.get("/hotlists/gestolen?done=archived")).text
        assert "De lijst is uit gebruik" in page
        assert 'id="upload"' not in page
        refused = await client.post("/hotlists/gestolen/staged/2/publish", data=form)
        assert (refused.status_code, "gearchiveerd" in refused.text) == (409, True)
        await client.post("/hotlists/gestolen/restore", data=form)
        back = await client.post("/hotlists/gestolen/rollback", data={**form, "number": "1", "live": "0"})
        assert back.status_code == 303
    assert (await desk.register.show(KEEPER, "gestolen")).live == 1


@pytest.mark.parametrize("number", ["99", "0", "-1", "x", "9" * 30, "²"])
async def test_a_version_that_is_not_kept_is_not_gone_back_to(signed_in: SignIn, desk: Desk, number: str) -> None:
    async with signed_in("chief") as client:
        form = {"csrf": await csrf_of(client), "why": "terug", "number": number, "live": "1"}
        answer = await client.post("/hotlists/gestolen/rollback", data=form)
    assert answer.status_code == 409
    assert "Deze versie wordt niet meer bewaard" in answer.text


@pytest.mark.parametrize(
    "path", ["/hotlists/..%2f..%2fetc", "/hotlists/A", "/hotlists/gestolen/staged/x", "/hotlists/é"]
)
async def test_a_path_that_is_none_is_refused_plainly(signed_in: SignIn, desk: Desk, path: str) -> None:
    async with signed_in("chief") as client:
        assert await status(client, path) in (404, 422)


def described(**changed: Any) -> dict[str, Any]:
    """The form of a list, as a browser sends it."""
    return {
        "title": "Gestolen", "owner": "", "legal_basis": "", "purpose": "", "category": "stolen",
        "priority": "high", "handling": "open", "named_users": "", "threshold": "60", "prior": "",
        "max_age": "", "max_age_unit": "hours", "removal_guard": "20", "rejection_guard": "5", **changed,
    }  # fmt: skip


WRONG = {
    "threshold": ("101", "percentage"),
    "removal_guard": ("veel", "percentage"),
    "rejection_guard": ("nan", "percentage"),
    "prior": ("1", "tussen 0 en 1"),
    "max_age": ("0,5", "van 1 minuut tot 10 jaar"),
    "category": ("bestaat-niet", "waarde die niet kan"),
    "owner": ("x" * 201, "te lang"),
    "window.0.from": ("gisteren", "tijdstip bestaat niet"),
    "window.0.starts": ("25:00", "waarde die niet kan"),
    "name": ("Hoofd Letters", "kleine letters"),
}


@pytest.mark.parametrize("field", list(WRONG))
async def test_a_field_that_is_wrong_is_named_and_nothing_typed_is_lost(
    signed_in: SignIn, desk: Desk, field: str
) -> None:
    value, said = WRONG[field]
    form = described(title="Nieuwe actie", **{"max_age_unit": "minutes", field: value})
    async with signed_in("chief") as client:
        answer = await client.post("/hotlists/new", data={**form, "csrf": await csrf_of(client)})
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="Nieuwe actie"' in answer.text
    assert len(await desk.register.lists(KEEPER)) == 1


async def test_a_window_that_ends_before_it_begins_is_refused(signed_in: SignIn, desk: Desk) -> None:
    form = described(**{"window.0.from": "2026-03-02T10:00", "window.0.until": "2026-03-01T10:00"})
    async with signed_in("chief") as client:
        answer = await client.post("/hotlists/new", data={**form, "csrf": await csrf_of(client)})
    assert (answer.status_code, "eindigt voor het begint" in answer.text) == (422, True)


async def test_windows_are_added_and_left_out_before_anything_is_saved(signed_in: SignIn, desk: Desk) -> None:
    async with signed_in("chief") as client:
        form = described(csrf=await csrf_of(client), **{"window.0.starts": "20:00"})
        more = await client.post("/hotlists/new", data={**form, "do": "add_window"})
        assert more.text.count('class="window"') == 2
        assert 'value="20:00"' in more.text
        fewer = await client.post("/hotlists/new", data={**form, "do": "drop.0"})
        assert 'class="window"' not in fewer.text
    assert len(await desk.register.lists(KEEPER)) == 1


@pytest.mark.parametrize(("name", "said"), [("gestolen", "Deze naam is bezet"), ("find", "kijk de velden na")])
async def test_a_name_that_is_taken_or_is_a_page_is_refused(
    signed_in: SignIn, desk: Desk, name: str, said: str
) -> None:
    async with signed_in("chief") as client:
        answer = await client.post("/hotlists/new", data=described(name=name, csrf=await csrf_of(client)))
    assert said in answer.text
    assert answer.status_code in (400, 409)


async def test_of_two_who_describe_a_list_the_second_is_told(signed_in: SignIn, desk: Desk) -> None:
    async with signed_in("chief") as client:
        page = (await client.get("/hotlists/gestolen/edit")).text
        seen = page.split('name="seen" value="')[1].split('"')[0]
        await desk.register.describe(KEEPER, "gestolen", {"owner": "Federale politie"}, why="eigenaar")
        form = described(csrf=await csrf_of(client), seen=seen, why="titel", title="Anders")
        answer = await client.post("/hotlists/gestolen/edit", data=form)
        assert answer.status_code == 409
        assert "Iemand anders heeft de lijst intussen gewijzigd" in answer.text
        assert 'value="Federale politie"' in answer.text
    assert (await desk.register.show(KEEPER, "gestolen")).title == "Gestolen voertuigen"


async def test_describing_changes_what_was_changed_alone(signed_in: SignIn, desk: Desk) -> None:
    places = AppliesTo(cameras=("weg-12",), windows=(Window(from_ns=1_767_225_600_000_000_000, ends="06:00"),))
    made = Hotlist(
        name="actie", title="Actie", prior=0.00012345, threshold=0.623, max_age_s=5400, applies_to=places
    )
    await desk.register.create(KEEPER, made)
    async with signed_in("chief") as client:
        page = (await client.get("/hotlists/actie/edit")).text
        # A camera that is no longer in the registry stays until somebody takes it off.
        assert 'value="weg-12" checked' in page
        fields = dict(_inputs(page))
        answer = await client.post(
            "/hotlists/actie/edit", data={**fields, "owner": "PZ Veldeke", "why": "eigenaar"}
        )
        assert answer.status_code == 303, answer.text
    shape = await desk.register.show(KEEPER, "actie")
    assert shape.owner == "PZ Veldeke"
    assert (shape.prior, shape.threshold, shape.max_age_s) == (0.00012345, 0.623, 5400)
    assert shape.applies_to.cameras == ["weg-12"]
    assert shape.applies_to.windows[0].from_ns == 1_767_225_600_000_000_000


def _inputs(page: str) -> list[tuple[str, str]]:
    """What the form of a page holds, as a browser would send it again."""
    form = page.split('class="describe"')[1].split("</form>")[0]
    found = []
    for tag in re.findall(r"<input[^>]*>", form):
        named, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if named and not ('type="checkbox"' in tag and "checked" not in tag):
            found.append((named[1], value[1] if value else ""))
    for name, body in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form, re.DOTALL):
        found.append((name, re.findall(r'value="([^"]*)" selected', body)[0]))
    for name, body in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found.append((name, body))
    return found


async def test_a_covert_list_is_opened_only_by_saying_so(signed_in: SignIn, desk: Desk) -> None:
    async with signed_in("chief") as client:
        form = described(csrf=await csrf_of(client), handling="covert", title="Dossier")
        unnamed = await client.post("/hotlists/new", data={**form, "name": "blauw"})
        assert (unnamed.status_code, "zet uw eigen naam erbij" in unnamed.text) == (403, True)
        # Its title says too much for a name: one is asked for.
        assert (await client.post("/hotlists/new", data={**form, "named_users": "chief"})).status_code == 422
        made = await client.post("/hotlists/new", data={**form, "named_users": "chief", "name": "blauw"})
        assert made.status_code == 303
        page = (await client.get("/hotlists/blauw/edit")).text
        change = {**dict(_inputs(page)), "handling": "open", "why": "dossier afgesloten"}
        refused = await client.post("/hotlists/blauw/edit", data=change)
        assert (refused.status_code, "wordt een discrete lijst open" in refused.text) == (409, True)
        opened = await client.post("/hotlists/blauw/edit", data={**change, "open_covert": "on"})
        assert opened.status_code == 303


async def test_script_in_what_others_wrote_is_text(signed_in: SignIn, desk: Desk) -> None:
    evil = "<script>alert(1)</script>"
    await desk.register.create(
        KEEPER, Hotlist(name="evil", title=evil, owner=evil, purpose=evil, legal_basis=evil)
    )
    with as_file(f"plate;reason\n1ABC123;{evil}\n{evil};x\n") as file:
        await desk.staging.upload(KEEPER, "evil", file, kind="full", why=evil)
    async with signed_in("chief") as client:
        for path in ("/hotlists", "/hotlists/evil", "/hotlists/evil/edit", "/hotlists/evil/staged/1"):
            text = (await client.get(path)).text
            assert evil not in text
            assert "&lt;script&gt;" in text


async def test_an_upload_is_refused_before_its_body_is_read(signed_in: SignIn, desk: Desk) -> None:
    async def endless() -> Any:
        raise AssertionError("the body was read")
        yield b""

    async with signed_in("auditor") as client:
        csrf = await token(client)
        answer = await client.post(
            "/hotlists/gestolen/staged",
            params={"why": "x"},
            content=endless(),
            headers={"X-CSRF-Token": csrf},
        )
    assert (answer.status_code, answer.json()["code"]) == (403, "no_right")
    assert answer.json()["detail"].startswith("Uw rol mag dit niet")


async def test_an_upload_says_what_is_wrong_with_its_rows(signed_in: SignIn, desk: Desk) -> None:
    async with signed_in("ops") as client:
        answer = await client.post(
            "/hotlists/gestolen/staged",
            params={"why": "nacht"},
            content=b"nummerplaat;land\n--;BE\n1ABC123;Belgie\n",
            headers={"X-CSRF-Token": await csrf_of(client), "Accept-Language": "fr"},
        )
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Aucune ligne")
    assert answer.json()["rows"] == [
        "Ligne 2, plaque: ni lettre ni chiffre (--)",
        "Ligne 3, pays: pas un code de pays à deux lettres (BE, NL, FR, …) (BELGIE)",
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"list": "gestolen", "entry": {"why": "x"}}, 422),
        ({"list": "gestolen", "entry": {"plate": "1ABC123"}}, 422),
        ({"list": "gestolen", "entry": {"plate": "1ABC123", "why": "x", "country": "België"}}, 422),
        ({"list": "nooit", "entry": {"plate": "1ABC123", "why": "x"}}, 404),
        ({"list": "gestolen", "entry": {"plate": "!", "why": "x"}}, 400),
        ({"list": "gestolen", "entry": []}, 400),
        ({"entry": {}}, 400),
        ([], 400),
    ],
)
async def test_an_urgent_entry_that_cannot_be_is_refused(
    signed_in: SignIn, desk: Desk, body: object, code: int
) -> None:
    async with signed_in("ops") as client:
        headers = {"X-CSRF-Token": await csrf_of(client)}
        answer = await client.post("/urgent/add", json=body, headers=headers)
        assert answer.status_code == code
        assert answer.headers["content-type"] == "application/problem+json"
        huge = await client.post("/urgent/add", content=b"x" * 20_000, headers=headers)
        assert huge.status_code == 413


async def test_an_age_is_counted_as_staleness_is(signed_in: SignIn, desk: Desk, app: FastAPI) -> None:
    await desk.register.describe(KEEPER, "gestolen", {"max_age_s": 3600}, why="te oud is te oud")
    entry = EntryGiven(plate="2XYZ987", why="ontvoering", reason="ontvoering")
    number = (await desk.entries.add(KEEPER, "gestolen", entry)).number
    two_hours_ago_ns = str(time.time_ns() - 2 * 3600 * 1_000_000_000)
    await app.state.redis.hset(f"lik:hotlist:gestolen:i{number}", "fresh_ns", two_hours_ago_ns)
    async with signed_in("ops") as client:
        overview = (await client.get("/hotlists")).text
        one = (await client.get("/hotlists/gestolen")).text
    # The entry went live just now; the owner's list did not come with it.
    assert re.search(r'class="aged stale">2 u van 1 u', overview)
    assert '<rect class="reached" width="100.0"' in overview
    assert "<strong>2 u</strong> oud" in one
    async with signed_in("engineer") as client:
        stale = (await client.get("/hotlists")).text
    assert re.search(r"Laatste lijst</th>.*Gestolen voertuigen</th><td>", stale, re.DOTALL)


async def test_without_redis_every_page_says_so(
    console_settings: Settings, store: AlertStore, desk: Desk, password_hash: str
) -> None:
    settings = console_settings.model_copy(update={"redis_url": "redis://127.0.0.1:9"})
    async with application(settings, store) as away, browse(away) as client:
        await client.post("/sign-in", data={"username": "chief", "password": "een lang wachtwoord"})
        for path in ("/hotlists", "/hotlists/gestolen", "/hotlists/gestolen/edit", "/urgent/lists"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert "Redis antwoordt niet" in answer.text
        csrf = await csrf_of(client)
        entry = {"list": "gestolen", "entry": {"plate": "1ABC123", "why": "x"}}
        refused = await client.post("/urgent/add", json=entry, headers={"X-CSRF-Token": csrf})
        assert (refused.status_code, refused.json()["code"]) == (503, "redis_away")


async def test_what_is_done_is_on_the_trail_with_its_reason(
    signed_in: SignIn, desk: Desk, store: AlertStore
) -> None:
    async with signed_in("chief") as client:
        csrf = await csrf_of(client)
        form = {"csrf": csrf, "why": "nagekeken", "based_on": "1"}
        assert (await client.post("/hotlists/gestolen/staged/2/publish", data=form)).status_code == 303
        await client.post("/hotlists/find", data={"csrf": csrf, "why": "controle N9", "plate": "1abc123"})
        body = {"list": "gestolen", "entry": {"plate": "2XYZ987", "why": "ontvoering", "reason": "ontvoering"}}
        assert (await client.post("/urgent/add", json=body, headers={"X-CSRF-Token": csrf})).status_code == 201
    lines = [(each.who, each.what, each.target, each.why) for each in await store.trail.all_lines()]
    assert lines[:3] == [
        ("chief", "hotlist.entry.add", "gestolen 2XYZ987", "ontvoering"),
        ("chief", "hotlist.find", "1ABC123", "controle N9"),
        ("chief", "hotlist.publish", "gestolen v2", "nagekeken"),
    ]
