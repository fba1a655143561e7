"""A covert list is absent for whoever may not know of it: every page, answer, count and banner of the hotlists.

What is asked of it is answered as of a list that never was.
"""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from console.pages import hotlists, hotlists_edit, hotlists_find, hotlists_upload, hotlists_urgent
from hotlists.desk import Desk
from hotlists.entry import Category, Handling, Hotlist, Priority
from hotlists.people import Actor
from hotlists.shapes import EntryGiven
from pipeline.alerts.store import AlertStore
from tests.console.conftest import SignIn, csrf_of
from tests.hotlists.desk import as_file

WORDS = ("Nachtegaal", "Zwaluwnest", "Uilskuiken", "Winterkoning", "9QQQ666", "9-QQQ-666", "8SSS888", "8-SSS-888")
SECRET = Hotlist(
    name="blauw",
    title="Operatie Nachtegaal",
    owner="Dienst Uilskuiken",
    legal_basis="Onderzoek Winterkoning",
    category=Category.RECHERCHE,
    priority=Priority.CRITICAL,
    handling=Handling.COVERT,
    named_users=("genoemd",),
    max_age_s=60,
)
KEEPER = Actor.with_roles("recherche", ["chief", "covert"])
MAY_NOT = ("operator", "ops", "chief", "auditor", "engineer", "unit")
ROUTERS = (hotlists, hotlists_edit, hotlists_find, hotlists_upload, hotlists_urgent)


@pytest.fixture
async def secret(app: FastAPI, store: AlertStore, password_hash: str) -> Desk:
    """A desk with an open list, and a covert one that is live, stale, and has a version that waits."""
    for name, roles in {
        "ops": ["ops"],
        "unit": ["unit"],
        "genoemd": ["chief"],
        "rik": ["chief", "covert"],
    }.items():
        await store.put_user(name, password_hash, roles)
    desk: Desk = app.state.desk
    await desk.register.create(KEEPER, Hotlist(name="gestolen", title="Gestolen voertuigen"))
    await desk.register.create(KEEPER, SECRET)
    for name, rows in (("gestolen", "1ABC123;open\n"), ("blauw", "9QQQ666;Zwaluwnest\n")):
        await _stage(desk, name, rows)
        await desk.staging.publish(KEEPER, name, 1, why="Zwaluwnest" if name == "blauw" else "open")
        await _stage(desk, name, rows + rows.replace("666", "667"))
    # A covert entry on a list that everybody knows.
    given = EntryGiven(plate="8SSS888", reason="Zwaluwnest", handling=Handling.COVERT, why="Winterkoning")
    await desk.entries.add(KEEPER, "gestolen", given)
    await app.state.redis.hset("lik:hotlist:blauw:i1", mapping={"when_ns": "1", "fresh_ns": "1"})
    return desk


async def _stage(desk: Desk, name: str, rows: str) -> None:
    with as_file("plate;reason\n" + rows) as content:
        await desk.staging.upload(KEEPER, name, content, kind="full", why="nacht")


def paths(name: str) -> list[tuple[str, str]]:
    """Every method and path of the pages of the hotlists, with a list's name and its waiting version."""
    found = {
        (method, route.path.replace("{name}", name).replace("{number}", "2"))  # type: ignore[attr-defined]
        for module in ROUTERS
        for routes in (module.routes, getattr(module, "pages", module.routes))
        for route in routes.routes
        for method in route.methods  # type: ignore[attr-defined]
    }
    return sorted(found)


def bodies(path: str, name: str, csrf: str) -> dict[str, Any]:
    """What a form, the upload or the dialog sends there."""
    headers = {"X-CSRF-Token": csrf}
    if path.startswith("/urgent/"):
        entry = {"plate": "9QQQ666", "why": "controle"}
        return {"json": {"list": name, "entry": entry}, "headers": headers, "params": {"version": 1}}
    if path.endswith("/staged"):
        return {"content": b"plate\n1ABC124\n", "headers": headers, "params": {"why": "nacht", "kind": "full"}}
    fields = {"csrf": csrf, "why": "controle", "plate": "9QQQ666", "list": name, "number": "1", "live": "1"}
    return {"data": {**fields, "title": "Iets anders", "name": "iets", "seen": "x", "based_on": "1"}}


async def ask(client: httpx.AsyncClient, method: str, path: str, name: str, csrf: str) -> httpx.Response:
    if method == "GET":
        return await client.get(path, params={"version": 1} if path == "/urgent/workers" else None)
    return await client.request(method, path, **bodies(path, name, csrf))


async def token(client: httpx.AsyncClient) -> str:
    """The CSRF token of whoever is signed in, from whatever page they have."""
    page = await client.get("/", follow_redirects=True)
    return re.findall(r'csrf" (?:content|value)="([^"]+)"', page.text)[0]


def leaks(text: str) -> list[str]:
    return [word for word in WORDS if word.lower() in text.lower()]


def test_the_crawl_covers_what_there_is() -> None:
    asked = paths("blauw")
    for each in (
        ("GET", "/hotlists"),
        ("GET", "/hotlists/blauw"),
        ("GET", "/hotlists/blauw/edit"),
        ("GET", "/hotlists/blauw/staged/2"),
        ("GET", "/hotlists/blauw/staged/2/errors.csv"),
        ("POST", "/hotlists/blauw/staged/2/publish"),
        ("POST", "/hotlists/blauw/rollback"),
        ("POST", "/hotlists/find"),
        ("POST", "/urgent/find"),
        ("GET", "/urgent/lists"),
    ):
        assert each in asked
    assert len(asked) > 20


@pytest.mark.parametrize("name", MAY_NOT)
async def test_nobody_who_may_not_know_finds_a_word_of_it(signed_in: SignIn, secret: Desk, name: str) -> None:
    async with signed_in(name) as client:
        csrf = await token(client)
        found = {}
        for method, path in paths("blauw"):
            answer = await ask(client, method, path, "blauw", csrf)
            # What was asked for is said back in the form; nothing else may be.
            said = answer.text.replace('value="9QQQ666"', "").replace(">9-QQQ-666<", "><")
            found[f"{method} {path}"] = leaks(said)
            assert answer.status_code < 500, (path, answer.text)
        for path in ("/api/hotlists", "/api/hotlists/health", "/api/hotlists/blauw", "/api/hotlists/blauw/staged"):
            found[path] = leaks((await client.get(path)).text)
    assert {path: words for path, words in found.items() if words} == {}
    # And nothing was done to it.
    shape = await secret.register.show(KEEPER, "blauw")
    assert (shape.live, shape.staged, shape.archived, shape.title) == (1, 1, False, SECRET.title)


@pytest.mark.parametrize("name", ["ops", "chief", "auditor"])
async def test_it_is_answered_as_a_list_that_never_was(signed_in: SignIn, secret: Desk, name: str) -> None:
    async with signed_in(name) as client:
        csrf = await csrf_of(client)
        for method, path in paths("blauw"):
            if "blauw" not in path and not path.startswith("/urgent"):
                continue
            other = path.replace("blauw", "nooit")
            answers = [
                await ask(client, method, each, listed, csrf)
                for each, listed in ((path, "blauw"), (other, "nooit"))
            ]
            assert answers[0].status_code == answers[1].status_code, path
            assert answers[0].text.replace("blauw", "nooit") == answers[1].text, path


async def test_counts_are_those_of_a_desk_without_it(signed_in: SignIn, secret: Desk) -> None:
    async with signed_in("chief") as client:
        page = await client.get("/hotlists")
        one = await client.get("/hotlists/gestolen")
        health = (await client.get("/api/hotlists/health")).json()
    assert page.text.count("<tr") == 2
    assert "Geen enkele lijst is verouderd" in page.text
    assert health["stale"] == []
    # One entry, not two: the covert one on it is not counted.
    assert re.findall(r"<li><strong>([^<]*)</strong> vermeldingen live", one.text) == ["1"]


@pytest.mark.parametrize("name", ["genoemd", "rik"])
async def test_who_may_know_finds_it(signed_in: SignIn, secret: Desk, name: str) -> None:
    async with signed_in(name) as client:
        csrf = await csrf_of(client)
        overview, one = await client.get("/hotlists"), await client.get("/hotlists/blauw")
        assert "Operatie Nachtegaal" in overview.text
        assert "Dienst Uilskuiken" in one.text
        assert "Zwaluwnest" in (await client.get("/hotlists/blauw/staged/2")).text
        found = await client.post("/hotlists/find", data={"csrf": csrf, "plate": "9qqq666", "why": "dossier"})
        assert "Onderzoek Winterkoning" in found.text
        lists = (await client.get("/urgent/lists")).json()
        assert {each["name"]: each["covert"] for each in lists} == {"blauw": True, "gestolen": False}
