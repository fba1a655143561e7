"""Who comes in, who does not, and what is said to them."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from console.auth import ROLES, Throttle, ensure_user
from pipeline.alerts.store import AlertStore
from pipeline.errors import ConfigurationError
from tests.console.conftest import PASSWORD, SignIn, browse, csrf_of


async def test_a_stranger_is_sent_to_the_form(app: FastAPI) -> None:
    async with browse(app) as client:
        page = await client.get("/")
        assert (page.status_code, page.headers["location"]) == (303, "/sign-in")
        form = await client.get("/sign-in")
        assert "Aanmelden" in form.text
        for path in ("/alerts/stream", "/alerts/x", "/alerts/x/patch.jpg", "/api/hotlists"):
            answer = await client.get(path)
            assert answer.status_code == 401, path
            assert answer.headers["content-type"] == "application/problem+json"


async def test_the_right_password_opens_the_live_page(signed_in: SignIn, store: AlertStore) -> None:
    async with signed_in("operator") as client:
        page = await client.get("/")
        assert page.status_code == 200
        assert '<html lang="nl-BE" data-theme="dark">' in page.text
        assert (await client.get("/sign-in")).headers["location"] == "/"
    assert [(line.who, line.what) for line in await store.audit_lines()] == [
        ("operator", "page.view"),
        ("operator", "sign_in"),
    ]


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("operator", "fout"),
        ("operator", ""),
        ("nobody", PASSWORD),
        ("", ""),
        ("x" * 5000, PASSWORD),
        ("a\x00b", PASSWORD),
        ("operator", "x" * 5000),
    ],
)
async def test_anything_else_does_not(app: FastAPI, store: AlertStore, name: str, password: str) -> None:
    async with browse(app) as client:
        answer = await client.post("/sign-in", data={"username": name, "password": password})
        assert answer.status_code == 401
        assert "klopt niet" in answer.text
        assert (await client.get("/")).status_code == 303
    [line] = await store.audit_lines()
    assert (line.what, line.target) == ("sign_in.refused", name if name == "operator" else "")


async def test_guessing_is_throttled_even_with_the_right_password(app: FastAPI) -> None:
    async with browse(app) as client:
        for _ in range(5):
            await client.post("/sign-in", data={"username": "operator", "password": "fout"})
        answer = await client.post("/sign-in", data={"username": "operator", "password": PASSWORD})
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 301
        other = await client.post("/sign-in", data={"username": "chief", "password": PASSWORD})
        assert other.status_code == 303


def test_the_throttle_forgets_and_counts_each_way() -> None:
    now = [0.0]
    throttle = Throttle(clock=lambda: now[0])
    for _ in range(5):
        throttle.failed("a", "1")
    assert throttle.wait_s("a", "1") == 300
    assert throttle.wait_s("a", "2") == 0
    for number in range(45):
        throttle.failed("a", f"other {number}")
    assert throttle.wait_s("a", "2") == 300
    for number in range(100):
        throttle.failed(f"name {number}", "3")
    assert throttle.wait_s("b", "3") == 300
    now[0] = 301.0
    assert throttle.wait_s("a", "1") == throttle.wait_s("b", "3") == 0


async def test_a_form_from_another_site_is_refused(app: FastAPI) -> None:
    form = {"username": "operator", "password": PASSWORD}
    async with browse(app) as client:
        for headers in ({"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            assert (await client.post("/sign-in", data=form, headers=headers)).status_code == 403
        own = await client.post("/sign-in", data=form, headers={"Origin": "http://console.test"})
        assert own.status_code == 303


async def test_the_cookie_is_out_of_reach_of_scripts(app: FastAPI) -> None:
    async with browse(app) as client:
        answer = await client.post("/sign-in", data={"username": "operator", "password": PASSWORD})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie


async def test_sign_out_needs_the_token_and_ends_the_session(signed_in: SignIn) -> None:
    async with signed_in("operator") as client:
        assert (await client.post("/sign-out")).status_code == 403
        answer = await client.post("/sign-out", data={"csrf": await csrf_of(client)})
        assert answer.headers["location"] == "/sign-in"
        assert (await client.get("/")).status_code == 303


async def test_a_new_password_ends_the_sessions_of_the_old(signed_in: SignIn, store: AlertStore) -> None:
    async with signed_in("operator") as client:
        await ensure_user(store, "operator", "een ander wachtwoord", ["operator"])
        assert (await client.get("/alerts/x")).status_code == 401


async def test_a_role_without_alerts_gets_a_plain_page(signed_in: SignIn) -> None:
    async with signed_in("engineer") as client:
        assert (await client.get("/")).headers["location"] == "/statistics"
        page = await client.get("/search")
        assert page.status_code == 403
        assert "geen toegang" in page.text


async def test_a_forged_cookie_is_nobody(app: FastAPI) -> None:
    async with browse(app) as client:
        client.cookies.set("kruispunt", "eyJ1c2VyIjogImNoaWVmIn0=.aaaa.bbbb")
        assert (await client.get("/alerts/x")).status_code == 401


@pytest.mark.parametrize(
    ("name", "password", "roles"),
    [("", "x", ["operator"]), ("x" * 129, "x", []), ("x", "", []), ("x", "y", ["king"])],
)
async def test_a_user_that_makes_no_sense_is_refused(
    store: AlertStore, name: str, password: str, roles: list[str]
) -> None:
    with pytest.raises(ConfigurationError):
        await ensure_user(store, name, password, roles)


def test_every_role_is_known() -> None:
    assert {"operator", "ops", "chief", "unit", "auditor", "engineer", "covert"} == ROLES


async def test_a_large_form_is_not_read(app: FastAPI) -> None:
    async with browse(app) as client:
        answer: httpx.Response = await client.post("/sign-in", content=b"x" * 100_000)
        assert answer.status_code == 413
