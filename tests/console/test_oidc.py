"""Signing in with the zone's account, at a real provider: small, but over HTTP, with keys, codes and PKCE."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import RSAKey

from console.app import create_app
from pipeline.alerts.store import AlertStore
from pipeline.embedded import free_port
from pipeline.errors import ConfigurationError
from pipeline.serve import serve
from pipeline.settings import Settings
from tests.console.conftest import PASSWORD, browse


@dataclass
class Provider:
    """An OpenID provider at which whoever comes is signed in as `claims` say."""

    port: int
    claims: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k", "use": "sig"}))
    signs_with: RSAKey | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        async def configuration() -> dict[str, Any]:
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorise",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }

        @app.get("/keys")
        async def keys() -> dict[str, Any]:
            return {"keys": [self.key.as_dict(private=False)]}

        @app.get("/authorise")
        async def authorise(request: Request) -> Response:
            asked = dict(request.query_params)
            assert asked["code_challenge_method"] == "S256"
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}", 302)

        @app.post("/token")
        async def token(request: Request) -> Response:
            given = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
            asked = self.codes.pop(given["code"], None)
            verifier = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
            if asked is None or challenge != asked["code_challenge"]:
                return JSONResponse({"error": "invalid_grant"}, 400)
            now = int(time.time())
            claims = {"iss": self.issuer, "aud": "kruispunt", "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
            signed = jwt.encode(
                {"alg": "RS256", "kid": "k"}, {**claims, **self.claims}, self.signs_with or self.key
            )
            return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": signed})

        return app


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made = Provider(free_port())
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(made.app(), "127.0.0.1", made.port, stop=stop, ready=ready.set))
    await asyncio.wait_for(ready.wait(), 20)
    yield made
    stop.set()
    await serving


@pytest.fixture
def app(console_settings: Settings, store: AlertStore, provider: Provider) -> FastAPI:
    changes = {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": "kruispunt",
        "oidc_roles": {"lik-operatoren": "operator", "lik-recherche": "covert"},
    }
    return create_app(console_settings.model_copy(update=changes), store=store)


@contextlib.asynccontextmanager
async def come_in(app: FastAPI) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.Response]]:
    """Go to the provider and back, as a browser does; gives the browser and the answer at its return."""
    async with browse(app) as client, httpx.AsyncClient(trust_env=False) as outside:
        away = await client.get("/sign-in/oidc")
        assert away.status_code == 302
        back = await outside.get(away.headers["location"])
        there = urlsplit(back.headers["location"])
        assert (there.netloc, there.path) == ("console.test", "/sign-in/oidc/callback")
        yield client, await client.get(f"{there.path}?{there.query}")


async def test_the_groups_give_the_roles(app: FastAPI, store: AlertStore, provider: Provider) -> None:
    provider.claims = {"sub": "s-1", "preferred_username": "an.peeters", "groups": ["lik-operatoren", "koffie"]}
    async with come_in(app) as (client, answer):
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        page = await client.get("/")
        assert "an.peeters" in page.text
    user = await store.get_user("an.peeters")
    assert user is not None
    assert user.roles == {"operator"}
    # No password fits: not the mark itself either.
    async with browse(app) as client:
        form = {"username": "an.peeters", "password": user.password_hash}
        assert (await client.post("/sign-in", data=form)).status_code == 401


async def test_roles_follow_the_groups(app: FastAPI, store: AlertStore, provider: Provider) -> None:
    provider.claims = {"sub": "s-1", "preferred_username": "an.peeters", "groups": ["lik-operatoren"]}
    async with come_in(app):
        pass
    provider.claims["groups"] = ["lik-operatoren", "lik-recherche"]
    async with come_in(app) as (_, answer):
        assert answer.status_code == 303
    user = await store.get_user("an.peeters")
    assert user is not None
    assert user.roles == {"operator", "covert"}


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "s-1", "preferred_username": "an.peeters", "groups": ["koffie"]},
        {"sub": "s-1", "preferred_username": "an.peeters"},
        {"sub": "s-1", "preferred_username": "x" * 200, "groups": ["lik-operatoren"]},
        {"sub": "s-1", "preferred_username": "a\u0000b", "groups": ["lik-operatoren"]},
        # Somebody with a password here has this name: that is not them.
        {"sub": "s-1", "preferred_username": "chief", "groups": ["lik-operatoren"]},
    ],
)
async def test_who_has_no_role_or_anothers_name_stays_out(
    app: FastAPI, store: AlertStore, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    async with come_in(app) as (client, answer):
        assert answer.status_code == 403
        assert "geen rol" in answer.text
        assert (await client.get("/search")).status_code == 303
    chief = await store.get_user("chief")
    assert chief is not None
    assert chief.roles == {"chief"}


async def test_another_subject_of_the_same_name_stays_out(app: FastAPI, provider: Provider) -> None:
    provider.claims = {"sub": "s-1", "preferred_username": "an.peeters", "groups": ["lik-operatoren"]}
    async with come_in(app):
        pass
    provider.claims["sub"] = "s-2"
    async with come_in(app) as (_, answer):
        assert answer.status_code == 403


@pytest.mark.parametrize("change", [{"iss": "http://evil.test"}, {"aud": "other"}, {"exp": 1}, {"nonce": "x"}])
async def test_a_token_that_is_not_for_us_now_is_refused(
    app: FastAPI, store: AlertStore, provider: Provider, change: dict[str, Any]
) -> None:
    provider.claims = {"sub": "s-1", "preferred_username": "an", "groups": ["lik-operatoren"], **change}
    async with come_in(app) as (_, answer):
        assert answer.status_code == 401
        assert "niet gelukt" in answer.text
    assert await store.get_user("an") is None


async def test_a_token_of_another_key_is_refused(app: FastAPI, store: AlertStore, provider: Provider) -> None:
    provider.claims = {"sub": "s-1", "preferred_username": "an", "groups": ["lik-operatoren"]}
    provider.signs_with = RSAKey.generate_key(2048, {"kid": "k"})
    async with come_in(app) as (_, answer):
        assert answer.status_code == 401
    assert await store.get_user("an") is None


@pytest.mark.parametrize("query", ["", "?code=x", "?code=x&state=forged", "?error=access_denied&state=x"])
async def test_a_return_that_nobody_began_is_refused(app: FastAPI, query: str) -> None:
    async with browse(app) as client:
        assert (await client.get(f"/sign-in/oidc/callback{query}")).status_code == 401


async def test_passwords_still_work_and_the_form_offers_both(app: FastAPI) -> None:
    async with browse(app) as client:
        assert 'href="/sign-in/oidc"' in (await client.get("/sign-in")).text
        form = {"username": "operator", "password": PASSWORD}
        assert (await client.post("/sign-in", data=form)).status_code == 303


async def test_an_issuer_that_is_away_is_said_plainly(console_settings: Settings, store: AlertStore) -> None:
    changes = {"oidc_issuer": f"http://127.0.0.1:{free_port()}", "oidc_client_id": "kruispunt"}
    app = create_app(console_settings.model_copy(update=changes), store=store)
    async with browse(app) as client:
        answer = await client.get("/sign-in/oidc")
        assert answer.status_code == 503
        assert "niet gelukt" in answer.text


async def test_without_an_issuer_there_is_no_such_way(console_settings: Settings, store: AlertStore) -> None:
    app = create_app(console_settings, store=store)
    async with browse(app) as client:
        assert (await client.get("/sign-in/oidc")).status_code == 404
        assert "/sign-in/oidc" not in (await client.get("/sign-in")).text


@pytest.mark.parametrize(
    "changes",
    [{"oidc_client_id": ""}, {"oidc_client_id": "x", "oidc_roles": {"groep": "koning"}}],
)
def test_settings_that_make_no_sense_are_refused(
    console_settings: Settings, store: AlertStore, changes: dict[str, Any]
) -> None:
    settings = console_settings.model_copy(update={"oidc_issuer": "http://127.0.0.1:9", **changes})
    with pytest.raises(ConfigurationError, match="LIK_OIDC"):
        create_app(settings, store=store)
