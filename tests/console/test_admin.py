"""Who may use the admin endpoint of the hotlists as the console mounts it, and the trail that they leave."""

from __future__ import annotations

import hashlib

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from pipeline.alerts.store import AlertStore, Viewer
from pipeline.settings import Settings
from tests.console.conftest import SignIn, application, browse, csrf_of

LIST = {"title": "Gestolen", "owner": "PZ Veldeke", "legal_basis": "art. 44", "category": "stolen"}
TOKEN = {"Authorization": "Bearer admin-token"}
CSV = "plate,country\n1ABC123,BE\n"
FIND = {"plate": "1ABC123", "why": "controle"}


async def put_live(client: httpx.AsyncClient, headers: dict[str, str], content: str = CSV) -> httpx.Response:
    """Upload and publish, as a script does."""
    path = "/api/hotlists/gestolen/staged"
    preview = await client.post(path, params={"why": "nacht"}, content=content, headers=headers)
    assert preview.status_code == 201, preview.text
    number = preview.json()["number"]
    return await client.post(f"{path}/{number}/publish", json={"why": "nagekeken"}, headers=headers)


async def test_the_token_makes_and_publishes_a_list_and_the_trail_holds(app: FastAPI, store: AlertStore) -> None:
    async with browse(app) as client:
        made = await client.put("/api/hotlists/gestolen", json=LIST, headers=TOKEN)
        assert made.status_code == 201, made.text
        assert (await put_live(client, TOKEN)).status_code == 200
        assert (await client.post("/api/hotlists/find", json=FIND, headers=TOKEN)).status_code == 200
    lines = [(each.who, each.what, each.target, each.why) for each in await store.trail.all_lines()]
    assert lines[:3] == [
        ("api", "hotlist.find", "1ABC123", "controle"),
        ("api", "hotlist.publish", "gestolen v1", "nagekeken"),
        ("api", "hotlist.upload", "gestolen full", "nacht"),
    ]
    assert (await store.trail.verify()).problem == ""


@pytest.mark.parametrize("given", ["Bearer wrong", "Bearer ", "Bearer", "Basic admin-token", "Bearer é"])
async def test_a_wrong_token_does_not(app: FastAPI, given: str) -> None:
    async with browse(app) as client:
        answer = await client.put(
            "/api/hotlists/gestolen", json=LIST, headers={"Authorization": given.encode("latin-1")}
        )
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


async def test_no_token_set_means_no_token_taken(console_settings: Settings, store: AlertStore) -> None:
    settings = console_settings.model_copy(update={"admin_token": SecretStr("")})
    async with application(settings, store) as app, browse(app) as client:
        answer = await client.get("/api/hotlists", headers={"Authorization": "Bearer "})
        assert answer.status_code == 401


@pytest.mark.parametrize(("name", "status"), [("operator", 403), ("chief", 201)])
async def test_a_session_needs_the_role_and_the_csrf_token(signed_in: SignIn, name: str, status: int) -> None:
    async with signed_in(name) as client:
        assert (await client.put("/api/hotlists/gestolen", json=LIST)).status_code == 403
        csrf = await csrf_of(client)
        made = await client.put("/api/hotlists/gestolen", json=LIST, headers={"X-CSRF-Token": csrf})
        assert made.status_code == status


async def test_each_role_does_its_part(signed_in: SignIn, store: AlertStore, password_hash: str) -> None:
    for name in ("ops", "unit"):
        await store.put_user(name, password_hash, [name])
    async with signed_in("chief") as chief, signed_in("ops") as ops:
        by_chief, by_ops = [{"X-CSRF-Token": await csrf_of(each)} for each in (chief, ops)]
        await chief.put("/api/hotlists/gestolen", json={**LIST, "two_person": True}, headers=by_chief)
        staged = await ops.post(
            "/api/hotlists/gestolen/staged", params={"why": "nacht"}, content=CSV, headers=by_ops
        )
        path = f"/api/hotlists/gestolen/staged/{staged.json()['number']}/publish"
        refused = await ops.post(path, json={"why": "x"}, headers=by_ops)
        assert (refused.status_code, refused.json()["code"]) == (403, "no_right")
        assert (await chief.post(path, json={"why": "nagekeken"}, headers=by_chief)).status_code == 200
    async with signed_in("operator") as client:
        headers = {"X-CSRF-Token": await csrf_of(client)}
        found = await client.post("/api/hotlists/find", json=FIND, headers=headers)
        assert [each["list"] for each in found.json()["found"]] == ["gestolen"]
        assert (await client.get("/api/hotlists/health")).status_code == 200
        assert (await client.get("/api/hotlists")).status_code == 403
    async with signed_in("auditor") as client:
        assert (await client.get("/api/hotlists")).status_code == 200
        lines = await store.trail.lines(Viewer("auditor", frozenset({"auditor"})))
        assert {"hotlist.create", "hotlist.upload", "hotlist.publish", "hotlist.find"} <= {e.what for e in lines}
    async with signed_in("unit") as client:
        assert (await client.get("/api/hotlists/health")).status_code == 403


SCOPES = {
    "hotlists:search": {"find"},
    "hotlists:load": {"lists", "upload", "add"},
    "hotlists:publish": {"lists", "create"},
    "hotlists:write": {"lists", "create", "upload", "add"},
    "alerts:read hotlists:covert": set(),
}


@pytest.mark.parametrize("scopes", list(SCOPES))
async def test_a_token_may_what_its_scopes_say(console_settings: Settings, store: AlertStore, scopes: str) -> None:
    token = {"sha256": hashlib.sha256(b"geheim").hexdigest(), "scopes": scopes}
    settings = console_settings.model_copy(update={"api_tokens": {"zone": token}})
    headers = {"Authorization": "Bearer geheim"}
    prefix = "/api/hotlists"
    async with application(settings, store) as app, browse(app) as client:
        await client.put(f"{prefix}/gestolen", json=LIST, headers=TOKEN)
        asked = {
            "lists": await client.get(prefix, headers=headers),
            "find": await client.post(f"{prefix}/find", json=FIND, headers=headers),
            "create": await client.put(f"{prefix}/nieuw", json=LIST, headers=headers),
            "upload": await client.post(
                f"{prefix}/gestolen/staged", params={"why": "x"}, content=CSV, headers=headers
            ),
            "add": await client.post(
                f"{prefix}/gestolen/entries", json={"plate": "9ZZZ999", "why": "x"}, headers=headers
            ),
        }
    assert {name for name, answer in asked.items() if answer.is_success} == SCOPES[scopes]
    assert {answer.status_code for answer in asked.values() if not answer.is_success} == {403}


async def test_a_token_reaches_covert_lists_by_a_scope_of_its_own(
    console_settings: Settings, store: AlertStore
) -> None:
    def token(scopes: str) -> dict[str, str]:
        return {"sha256": hashlib.sha256(scopes.encode()).hexdigest(), "scopes": scopes}

    every = ("hotlists:write", "hotlists:write hotlists:covert")
    tokens = {str(number): token(scopes) for number, scopes in enumerate(every)}
    settings = console_settings.model_copy(update={"api_tokens": tokens})
    async with application(settings, store) as app, browse(app) as client:
        await client.put("/api/hotlists/blauw", json={**LIST, "handling": "covert"}, headers=TOKEN)
        seen = [
            len((await client.get("/api/hotlists", headers={"Authorization": f"Bearer {scopes}"})).json())
            for scopes in every
        ]
    assert seen == [0, 1]


async def test_a_covert_list_is_absent_for_a_chief_and_there_for_who_may_know(
    app: FastAPI, signed_in: SignIn, store: AlertStore
) -> None:
    secret = {"title": "Operatie Nachtegaal", "handling": "covert", "named_users": ["named"]}
    async with browse(app) as client:
        await client.put("/api/hotlists/blauw", json=secret, headers=TOKEN)
    async with signed_in("chief") as chief:
        for path in ("", "/health", "/blauw", "/blauw/versions", "/blauw/staged"):
            answer = await chief.get(f"/api/hotlists{path}")
            assert "Nachtegaal" not in answer.text
        assert (await chief.get("/api/hotlists/blauw")).json() == {
            **(await chief.get("/api/hotlists/nooit")).json(),
            "detail": "there is no list 'blauw'; make it first",
        }
    async with signed_in("recherche") as detective:
        assert [each["name"] for each in (await detective.get("/api/hotlists")).json()] == ["blauw"]
    lines = await store.trail.lines(Viewer("auditor", frozenset({"auditor"})))
    assert not any("blauw" in each.target for each in lines if each.who == "api")


@pytest.mark.parametrize("value", [b"1e999", b"NaN", b"-Infinity"])
async def test_a_number_that_is_none_is_answered_plainly(app: FastAPI, value: bytes) -> None:
    async with browse(app) as client:
        headers = {**TOKEN, "Content-Type": "application/json"}
        answer = await client.put("/api/hotlists/a", content=b'{"threshold": ' + value + b"}", headers=headers)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_description_needs_nothing_from_elsewhere(app: FastAPI) -> None:
    async with browse(app) as client:
        described = (await client.get("/api/openapi.json")).json()
    assert set(described["paths"]) >= {"/api/hotlists", "/api/hotlists/{name}/staged/{number}/publish"}
    assert not any(path.startswith("/alerts") for path in described["paths"])
    refused = described["paths"]["/api/hotlists"]["get"]["responses"]["503"]["content"]
    assert set(refused["application/problem+json"]["schema"]["properties"]) >= {"title", "detail", "code"}
