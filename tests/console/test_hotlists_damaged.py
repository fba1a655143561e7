"""The pages of the hotlists when what is live of a list is damaged: what they say, and what can still be done."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from console.messages import LANGUAGES, text
from hotlists.desk import Desk
from hotlists.entry import Hotlist
from hotlists.people import Actor
from pipeline.alerts.store import AlertStore
from tests.console.conftest import SignIn
from tests.console.test_hotlists_leaks import token
from tests.hotlists.desk import as_file

KEEPER = Actor.with_roles("keeper", ["chief", "covert"])
CSV = "plate;country;reason\n1ABC123;BE;open\n"


@pytest.fixture
async def desk(app: FastAPI, store: AlertStore, password_hash: str) -> Desk:
    """A desk that has not looked at its lists when one of them is damaged."""
    for name, roles in {"ops": ["ops"], "keeper": ["chief", "covert"]}.items():
        await store.put_user(name, password_hash, roles)
    made: Desk = app.state.desk
    for name in ("gestolen", "heel"):
        await made.register.create(KEEPER, Hotlist(name=name, title=f"Lijst {name}"))
        with as_file(CSV) as file:
            await made.staging.upload(KEEPER, name, file, kind="full", why="nacht")
        await made.staging.publish(KEEPER, name, 1, why="nagekeken")
    await app.state.redis.lset("lik:hotlist:gestolen:v1", 0, b"PK")
    return made


async def upload(client: httpx.AsyncClient, kind: str = "full") -> httpx.Response:
    return await client.post(
        "/hotlists/gestolen/staged",
        params={"why": "nacht", "kind": kind},
        content=CSV.encode(),
        headers={"X-CSRF-Token": await token(client)},
    )


async def urgent(client: httpx.AsyncClient, deed: str, name: str, plate: str) -> httpx.Response:
    body = {"list": name, "entry": {"plate": plate, "why": "ontvoering"}}
    return await client.post(f"/urgent/{deed}", json=body, headers={"X-CSRF-Token": await token(client)})


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_upload_that_cannot_be_compared_is_published_by_saying_so(
    signed_in: SignIn, desk: Desk, language: str
) -> None:
    async with signed_in("keeper") as client:
        client.cookies.set("language", language)
        assert (await upload(client)).status_code == 201
        listed = (await client.get("/hotlists/gestolen")).text
        assert text("hotlists.guard.unread", language) in listed
        preview = (await client.get("/hotlists/gestolen/staged/2")).text
        for key in ("hotlists.against_unread", "hotlists.guard_said.unread", "hotlists.confirm_unread"):
            assert text(key, language).format(number=1, removed=0) in preview
        form: dict[str, Any] = {"csrf": await token(client), "why": "hersteld", "based_on": "1"}
        refused = await client.post("/hotlists/gestolen/staged/2/publish", data=form)
        assert refused.status_code == 409
        assert text("hotlists.code.needs_confirmation_unread", language).format(removed=0) in refused.text
        done = await client.post("/hotlists/gestolen/staged/2/publish", data={**form, "confirm_removed": "0"})
        assert done.status_code == 303
    found = await desk.entries.find(KEEPER, "1ABC123", why="controle")
    assert (len(found.found), found.unread) == (2, [])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("kind", "code"), [("full", "damaged_hidden"), ("delta", "damaged_delta")])
async def test_an_upload_that_cannot_be_is_refused_in_plain_words(
    signed_in: SignIn, desk: Desk, language: str, kind: str, code: str
) -> None:
    async with signed_in("ops") as client:
        client.cookies.set("language", language)
        answer = await upload(client, kind)
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert answer.json()["detail"] == text(f"hotlists.code.{code}", language)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_looking_a_plate_up_says_where_it_was_not_looked_for(
    signed_in: SignIn, desk: Desk, language: str
) -> None:
    async with signed_in("operator") as client:
        client.cookies.set("language", language)
        for plate, shown in (("1ABC123", "hotlists.found_one"), ("9ZZZ999", "hotlists.found_nowhere_read")):
            form = {"csrf": await token(client), "plate": plate, "why": "controle"}
            answer = await client.post("/hotlists/find", data=form)
            assert answer.status_code == 200
            assert text("hotlists.found_unread", language).format(lists="Lijst gestolen") in answer.text
            assert text(shown, language) in answer.text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_urgent_entry_is_sent_to_another_list(signed_in: SignIn, desk: Desk, language: str) -> None:
    async with signed_in("ops") as client:
        client.cookies.set("language", language)
        refused = await urgent(client, "add", "gestolen", "9ZZZ999")
        assert (refused.status_code, refused.json()["other"]) == (409, "heel")
        assert refused.json()["detail"] == text("hotlists.code.damaged_entry", language).format(other="heel")
        assert (await urgent(client, "add", "heel", "9ZZZ999")).status_code == 201
        found = (await urgent(client, "find", "", "9ZZZ999")).json()
        assert ([each["list"] for each in found["rows"]], found["unread"]) == (["heel"], ["Lijst gestolen"])
    async with signed_in("keeper") as client:
        added = await urgent(client, "add", "gestolen", "9ZZZ999")
        assert (added.status_code, added.json()["unread"]) == (201, True)


async def test_a_damaged_version_is_not_gone_back_to_nor_exported(
    signed_in: SignIn, desk: Desk, app: FastAPI
) -> None:
    await desk.store.publish("gestolen", [], by="an", why="leeg")
    async with signed_in("chief") as client:
        form = {"csrf": await token(client), "why": "terug", "number": "1", "live": "2"}
        answer = await client.post("/hotlists/gestolen/rollback", data=form)
        assert (answer.status_code, text("hotlists.code.not_kept", "nl") in answer.text) == (409, True)
        await app.state.redis.lset("lik:hotlist:gestolen:v2", 0, b"PK")
        assert (await client.get("/api/hotlists/gestolen/export?why=x")).status_code == 409
