"""Who may use the admin endpoint of the hotlists, as the console mounts it."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from console.app import create_app
from pipeline.alerts.store import AlertStore
from pipeline.settings import Settings
from tests.console.conftest import SignIn, browse, csrf_of

LIST = {"title": "Gestolen", "owner": "PZ Veldeke", "legal_basis": "art. 44", "category": "stolen"}
TOKEN = {"Authorization": "Bearer admin-token"}


async def test_the_token_makes_and_publishes_a_list(app: FastAPI) -> None:
    async with browse(app) as client:
        made = await client.put("/api/hotlists/gestolen", json=LIST, headers=TOKEN)
        assert made.status_code == 200, made.text
        published = await client.post(
            "/api/hotlists/gestolen/versions",
            params={"why": "test"},
            content="plate,country\n1ABC123,BE\n",
            headers={**TOKEN, "Content-Type": "text/csv"},
        )
        assert (published.status_code, published.json()["accepted"]) == (201, 1)


@pytest.mark.parametrize("given", ["Bearer wrong", "Bearer ", "Bearer", "Basic admin-token", "Bearer é"])
async def test_a_wrong_token_does_not(app: FastAPI, given: str) -> None:
    async with browse(app) as client:
        answer = await client.put(
            "/api/hotlists/gestolen", json=LIST, headers={"Authorization": given.encode("latin-1")}
        )
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


async def test_no_token_set_means_no_token_taken(console_settings: Settings, store: AlertStore) -> None:
    settings = console_settings.model_copy(update={"admin_token": type(console_settings.admin_token)("")})
    app = create_app(settings, store=store)
    async with browse(app) as client:
        answer = await client.get("/api/hotlists", headers={"Authorization": "Bearer "})
        assert answer.status_code == 401


@pytest.mark.parametrize(("name", "status"), [("operator", 403), ("chief", 200)])
async def test_a_session_needs_the_role_and_the_csrf_token(signed_in: SignIn, name: str, status: int) -> None:
    async with signed_in(name) as client:
        assert (await client.put("/api/hotlists/gestolen", json=LIST)).status_code == 403
        csrf = await csrf_of(client)
        made = await client.put("/api/hotlists/gestolen", json=LIST, headers={"X-CSRF-Token": csrf})
        assert made.status_code == status


async def test_the_description_needs_nothing_from_elsewhere(app: FastAPI) -> None:
    async with browse(app) as client:
        described = (await client.get("/api/openapi.json")).json()
    assert set(described["paths"]) >= {"/api/hotlists", "/api/hotlists/{name}/versions"}
    assert not any(path.startswith("/alerts") for path in described["paths"])
