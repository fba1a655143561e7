"""API tokens: what each scope opens, and what is no token."""

from __future__ import annotations

import hashlib
import re

import pytest
from fastapi import FastAPI

from console.app import create_app
from console.tokens import Tokens
from pipeline import telemetry
from pipeline.alerts.store import AlertStore
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings
from tests.console.conftest import SignIn, browse, csrf_of
from tests.console.samples import make_alert


def token(text: str, scopes: str) -> dict[str, str]:
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "scopes": scopes}


@pytest.mark.parametrize(
    ("given", "status"),
    [("alles", 200), ("cijfers", 403), ("fout", 401), ("", 401), (None, 401), ("é", 401)],
)
async def test_a_scope_opens_what_it_names(
    console_settings: Settings, store: AlertStore, given: str | None, status: int
) -> None:
    await store.record(make_alert(1))
    tokens = {"a": token("alles", "alerts:read figures:read"), "b": token("cijfers", "figures:read")}
    app = create_app(console_settings.model_copy(update={"api_tokens": tokens}), store=store)
    headers = {} if given is None else {"Authorization": f"Bearer {given}".encode()}
    async with browse(app) as client:
        answer = await client.get("/api/alerts", headers=headers)
        assert answer.status_code == status
        if status == 200:
            assert [each["id"] for each in answer.json()] == [make_alert(1).alert_id]
        else:
            assert answer.headers["content-type"] == "application/problem+json"
        # No token is a session: the pages stay shut.
        assert (await client.get("/search", headers=headers)).status_code == 303
    lines = [line.who for line in await store.audit_lines() if line.what == "api.alerts"]
    assert lines == (["api:a"] if status == 200 else [])


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"sha256": "x" * 64, "scopes": "alerts:read"},
        token("x", ""),
        token("x", "alerts:write"),
        {"sha256": ""},
    ],
)
def test_a_token_that_makes_no_sense_is_refused_at_the_start(given: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="LIK_API_TOKENS: zone"):
        Tokens({"zone": given}, AlertStore("sqlite+aiosqlite://").api_tokens)


DAY_NS = 86_400_000_000_000
ASKED = {"name": "dashboard", "days": "30", "alerts:read": "on"}


def shown_once(page: str) -> list[str]:
    return re.findall(r"lik_[\w-]{43}", page)


async def test_a_token_is_made_shown_once_and_revoked(app: FastAPI, signed_in: SignIn, store: AlertStore) -> None:
    await store.record(make_alert(1))
    async with signed_in("chief") as chief, browse(app) as program:
        form = {"csrf": await csrf_of(chief)}
        made = await chief.post("/tokens", data={**ASKED, **form})
        (token,) = shown_once(made.text)
        assert made.headers["cache-control"] == "no-store"
        headers = {"Authorization": f"Bearer {token}"}
        assert (await program.get("/api/alerts", headers=headers)).status_code == 200
        assert (await program.get("/api/figures", headers=headers)).status_code == 403
        again = await chief.get("/tokens")
        assert "dashboard" in again.text
        assert shown_once(again.text) == []
        revoked = await chief.post("/tokens/dashboard/revoke", data=form)
        assert (revoked.status_code, revoked.headers["location"]) == (303, "/tokens")
        assert (await program.get("/api/alerts", headers=headers)).status_code == 401
        assert (await chief.post("/tokens/dashboard/revoke", data=form)).status_code == 404
        # Not again under this name: the trail would say of the second what the first did.
        assert (await chief.post("/tokens", data={**ASKED, **form})).status_code == 409
    lines = {(line.who, line.what, line.target, line.why) for line in await store.audit_lines()}
    assert {
        ("chief", "token.make", "dashboard", "alerts:read, 30 d"),
        ("chief", "token.revoke", "dashboard", ""),
        ("api:dashboard", "api.alerts", "alerts", "limit 100"),
    } <= lines
    assert token not in str(lines)


async def test_only_the_hash_is_kept_and_a_token_ends_by_itself(
    app: FastAPI, signed_in: SignIn, store: AlertStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with signed_in("chief") as chief, browse(app) as program:
        made = await chief.post("/tokens", data={**ASKED, "csrf": await csrf_of(chief)})
        (token,) = shown_once(made.text)
        async with store.database.read() as connection:
            rows = str((await connection.exec_driver_sql("SELECT * FROM api_tokens")).all())
        assert token not in rows
        assert hashlib.sha256(token.encode()).hexdigest() in rows
        headers = {"Authorization": f"Bearer {token}"}
        real = telemetry.now_ns
        for days, status in ((29, 200), (31, 401)):
            monkeypatch.setattr(telemetry, "now_ns", lambda days=days: real() + days * DAY_NS)
            assert (await program.get("/api/alerts", headers=headers)).status_code == status
        assert "Verlopen" in (await chief.get("/tokens")).text


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"name": ""}, 422),
        ({"name": "../x"}, 422),
        ({"name": "<script>"}, 422),
        ({"name": "a" * 33}, 422),
        ({"days": "3650"}, 422),
        ({"days": "-1"}, 422),
        ({"alerts:read": None}, 422),
        ({"alerts:read": None, "alerts:write": "on"}, 422),
        ({"name": "in-settings"}, 409),
        ({"csrf": "forged"}, 403),
    ],
)
async def test_what_makes_no_sense_makes_no_token(
    app: FastAPI, signed_in: SignIn, store: AlertStore, changed: dict[str, str | None], status: int
) -> None:
    app.state.settings = app.state.settings.model_copy(
        update={"api_tokens": {"in-settings": token("x", "alerts:read")}}
    )
    async with signed_in("chief") as chief:
        given = {**ASKED, "csrf": await csrf_of(chief), **changed}
        answer = await chief.post(
            "/tokens", data={name: value for name, value in given.items() if value is not None}
        )
    assert answer.status_code == status
    assert shown_once(answer.text) == []
    assert await store.api_tokens.all() == []


@pytest.mark.parametrize("name", ["operator", "auditor", "engineer", "recherche"])
async def test_nobody_else_makes_tokens_or_sees_their_names(
    signed_in: SignIn, store: AlertStore, name: str
) -> None:
    await store.api_tokens.add("dashboard", "0" * 64, ["alerts:read"], by="chief", expires_at_ns=2**62)
    async with signed_in(name) as client:
        page = await client.get("/tokens")
        assert (page.status_code, "dashboard" in page.text) == (403, False)
        assert (await client.post("/tokens", data=ASKED)).status_code == 403
        assert (await client.post("/tokens/dashboard/revoke")).status_code == 403
    assert [each.revoked_at_ns for each in await store.api_tokens.all()] == [None]


async def test_a_chief_who_may_not_know_what_is_covert_gives_no_token_that_may(
    app: FastAPI, signed_in: SignIn
) -> None:
    async with signed_in("chief") as chief:
        assert "hotlists:covert" not in (await chief.get("/tokens")).text
        form = {"name": "discreet", "days": "30", "hotlists:covert": "on", "csrf": await csrf_of(chief)}
        assert (await chief.post("/tokens", data=form)).status_code == 422
