"""A covert alert is absent, not greyed, for whoever may not know of it: every page, stream and API, crawled.

The alert's words occur nowhere else, so that one of them anywhere is a leak; and the desk with it answers a person
who may not know exactly what the desk without it answers.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute

from console.alerts import LAST_MS
from console.app import ROUTERS, create_app, run
from hotlists.entry import Category, Handling, Hotlist, Priority
from hotlists.people import Actor
from pipeline.alerts.rows import Remark, Verdict
from pipeline.alerts.store import AlertStore, Viewer
from pipeline.embedded import free_port
from pipeline.settings import Settings
from tests.conftest import MakeSettings, running
from tests.console.conftest import PASSWORD, SignIn, browse, csrf_of
from tests.console.samples import make_alert, picture

SECRET = make_alert(
    666,
    read="9QQQ666",
    handling=Handling.COVERT,
    named_users=("named",),
    title="Operatie Nachtegaal",
    reason="Observatie Zwaluwnest",
    owner="Dienst Uilskuiken",
    legal_basis="Onderzoek Winterkoning",
    category=Category.RECHERCHE,
    priority=Priority.CRITICAL,
    patch=picture("9QQQ666"),
    sightings=2,
)
OPEN = make_alert(1, read="1ABC123", age_s=30)
LIST = Hotlist(
    name="blauw",
    title="Operatie Nachtegaal",
    owner="Dienst Uilskuiken",
    legal_basis="Onderzoek Winterkoning",
    handling=Handling.COVERT,
    named_users=("named",),
    max_age_s=60,
)
BOSS = Viewer("recherche", frozenset({"operator", "covert"}))
WORDS = ("9QQQ666", "9-QQQ-666", "Nachtegaal", "Zwaluwnest", "Uilskuiken", "Winterkoning", SECRET.alert_id)

MAY_NOT = ("operator", "ops", "chief", "auditor", "engineer", "unit")
MAY = ("named", "recherche")


@pytest.fixture
def console_settings(make_settings: MakeSettings, redis_url: str) -> Settings:
    return make_settings(kafka_bootstrap="127.0.0.1:9", redis_url=redis_url, console_port=free_port())


@pytest.fixture
async def rir_id(app: FastAPI, store: AlertStore, password_hash: str) -> str:
    """The desk with an open and a covert alert, each with all that can be done to it; gives the covert report.

    The covert alert's list is there too, with its words.
    """
    await app.state.desk.register.create(Actor.with_roles("recherche", ["chief", "covert"]), LIST)
    for name in ("ops", "unit"):
        await store.put_user(name, password_hash, [name])
    ids = []
    for alert in (OPEN, SECRET):
        await store.record(alert)
        await store.acknowledge(
            alert.alert_id, Verdict.CONFIRMED, by=BOSS, remark=Remark("Zwaluwnest" * (alert is SECRET))
        )
        await store.claims.claim(alert.alert_id, BOSS)
        ids.append((await store.reports.create(alert.alert_id, BOSS)).draft.rir_id)
        await store.audit("recherche", "alert.view", alert.alert_id, why="Winterkoning" * (alert is SECRET))
    return ids[1]


def paths(rir_id: str) -> list[str]:
    """Every path that a GET may ask for, with the covert alert and its report for what they leave open."""
    filled = {
        "alert_id": SECRET.alert_id,
        "rir_id": rir_id,
        "camera_id": "cam-1",
        "kind": "patch",
        "name": "plaat.jpg",
        "version": "1",
        "number": "1",
    }
    found = ["/api/openapi.json", "/api/hotlists", "/api/hotlists/health", f"/api/hotlists/{LIST.name}"]
    for router in ROUTERS:
        for route in router.routes:
            found += _paths(route)
    found = [path.replace("/hotlists/{name}", f"/hotlists/{LIST.name}") for path in found]
    made = {re.sub(r"\{(\w+)(:\w+)?\}", lambda match: filled.get(match[1], "x"), path) for path in found}
    return sorted(path for path in made if "stream" not in path and not path.startswith("/static"))


def _paths(route: BaseRoute) -> list[str]:
    methods = getattr(route, "methods", None) or set()
    return [route.path] if "GET" in methods else []  # type: ignore[attr-defined]


def leaks(text: str) -> list[str]:
    return [word for word in WORDS if word.lower() in text.lower()]


async def crawl(client: httpx.AsyncClient, asked: list[str]) -> dict[str, str]:
    """Ask for everything; give what was answered, headers included."""
    answers = {}
    for path in asked:
        query = {"/alerts": f"?before_ms={LAST_MS}&limit=500"}.get(path, "")
        answer = await client.get(path + query)
        text = answer.content.decode("latin-1") if "image" in str(answer.headers) else answer.text
        answers[path] = f"{answer.status_code}\n{dict(answer.headers)}\n{text}"
    return answers


async def test_the_crawl_covers_what_there_is(rir_id: str) -> None:
    asked = paths(rir_id)
    for path in ("/", "/alerts", f"/alerts/{SECRET.alert_id}", f"/rir/{rir_id}", f"/rir/{rir_id}/report.pdf"):
        assert path in asked
    for path in ("/search", "/handover", "/statistics", "/retention", "/audit", "/map/cameras/cam-1/alerts"):
        assert path in asked
    for path in ("/hotlists", f"/hotlists/{LIST.name}", f"/hotlists/{LIST.name}/staged/1", "/hotlists/find"):
        assert path in asked
    for path in ("/metrics", "/health", "/api/alerts", "/api/figures", "/api/openapi.json"):
        assert path in asked


@pytest.mark.parametrize("name", MAY_NOT)
async def test_nobody_who_may_not_know_finds_a_word_of_it(
    signed_in: SignIn, rir_id: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with signed_in(name) as client:
        answers = await crawl(client, paths(rir_id))
        # What was asked for may be said back: a name that one knows already.
        found = {path: leaks(text.replace(path, "")) for path, text in answers.items()}
        assert {path: words for path, words in found.items() if words} == {}
        for path in (f"/alerts/{SECRET.alert_id}", f"/rir/{rir_id}", f"/rir/{rir_id}/report.pdf"):
            assert answers[path].startswith(("404", "403")), path
        if name in ("operator", "ops", "chief", "auditor"):
            csrf = await csrf_of(client)
            for given in ({"plate": "9QQQ666"}, {"plate": "9*"}, {"category": "recherche"}, {}):
                searched = await client.post("/search", data={**given, "csrf": csrf})
                assert "tbody" not in searched.text or leaks(searched.text.split("<tbody>")[1]) == []
    # The crawler itself logs what it asks for.
    ours = [each.getMessage() for each in caplog.records if not each.name.startswith("httpx")]
    assert leaks("\n".join(ours)) == []


@pytest.mark.parametrize("name", MAY)
async def test_who_may_know_finds_it(signed_in: SignIn, rir_id: str, name: str) -> None:
    async with signed_in(name) as client:
        answers = await crawl(client, paths(rir_id))
    for path in ("/alerts", f"/alerts/{SECRET.alert_id}", f"/rir/{rir_id}", "/rir"):
        assert leaks(answers[path]), path
    assert answers[f"/alerts/{SECRET.alert_id}/patch.jpg"].startswith("200")
    assert answers[f"/rir/{rir_id}/report.pdf"].startswith("200")


async def test_counts_are_those_of_a_desk_without_it(signed_in: SignIn, rir_id: str) -> None:
    async with signed_in("chief") as client:
        handover, statistics = await client.get("/handover"), await client.get("/statistics")
        retention = await client.get("/retention")
    figures = re.findall(r"<strong>(\d+)</strong>", handover.text)
    assert figures[:4] == ["1", "0", "1", "1"], figures
    assert 'data-verdict="none"' not in statistics.text.split("<tbody>")[1].split("</tbody>")[0]
    assert re.findall(r'<td class="number">(\d+)</td>', retention.text)[:4] == ["0", "0", "1", "1"]


async def test_a_deed_on_it_is_answered_as_on_one_that_never_was(signed_in: SignIn, rir_id: str) -> None:
    async with signed_in("operator") as client:
        headers = {"X-CSRF-Token": await csrf_of(client)}
        deeds = {"acknowledgement": '{"verdict": "misread"}', "claim": "{}", "release": "{}"}
        for deed, body in deeds.items():
            answers = [
                await client.post(f"/alerts/{alert_id}/{deed}", content=body, headers=headers)
                for alert_id in (SECRET.alert_id, "0" * 32)
            ]
            assert [each.status_code for each in answers] == [404, 404]
            assert answers[0].content == answers[1].content
        form = {"csrf": headers["X-CSRF-Token"]}
        for path in (f"/alerts/{SECRET.alert_id}/rir", f"/rir/{rir_id}"):
            assert (await client.post(path, data=form)).status_code == 404
    async with signed_in("unit") as client:
        page = await client.get("/unit")
        headers = {"X-CSRF-Token": page.text.split('name="csrf" content="')[1].split('"')[0]}
        answer = await client.post(
            f"/unit/alerts/{SECRET.alert_id}/response", content='{"answer": "gezien"}', headers=headers
        )
        assert answer.status_code == 404


@pytest.mark.parametrize(("name", "path"), [("operator", "/alerts/stream"), ("unit", "/unit/stream")])
async def test_no_stream_carries_it_or_a_gap_where_it_was(
    console_settings: Settings, store: AlertStore, rir_id: str, name: str, path: str
) -> None:
    url = f"http://127.0.0.1:{console_settings.console_port}"
    async with (
        running(run, console_settings),
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client,
    ):
        await client.post("/sign-in", data={"username": name, "password": PASSWORD})
        async with client.stream("GET", path) as answer:
            heard = _heard(answer)
            first = await asyncio.wait_for(anext(heard), 20)
            # The covert one changes, and then an open one: the next thing heard is of the open one.
            await store.claims.release(SECRET.alert_id, BOSS)
            await store.acknowledge(SECRET.alert_id, Verdict.NO_ACTION, by=BOSS)
            await store.acknowledge(OPEN.alert_id, Verdict.MISREAD, by=BOSS, take_over=True)
            second = await asyncio.wait_for(anext(heard), 20)
    assert leaks(first["data"] + second["data"]) == []
    assert OPEN.alert_id in second["data"]
    if "id" in second:
        # The change that was made is the next number: none was taken for the covert one in between.
        assert int(second["id"]) == int(first["id"]) + 1


async def _heard(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            found, fields = fields, {}
            if found.get("event") != "beat":
                yield found


async def test_a_token_sees_no_covert_alert(console_settings: Settings, store: AlertStore, rir_id: str) -> None:
    tokens = {
        "zone": {"sha256": hashlib.sha256(b"leesmij").hexdigest(), "scopes": "alerts:read figures:read"},
        # Not even one that is called as somebody whom the list names.
        "named": {"sha256": hashlib.sha256(b"named").hexdigest(), "scopes": "alerts:read figures:read"},
    }
    app = create_app(console_settings.model_copy(update={"api_tokens": tokens}), store=store)
    async with browse(app) as client:
        for token in ("leesmij", "named"):
            headers = {"Authorization": f"Bearer {token}"}
            alerts = await client.get("/api/alerts", headers=headers)
            figures = await client.get("/api/figures", headers=headers)
            assert [each["id"] for each in alerts.json()] == [OPEN.alert_id]
            assert leaks(json.dumps(figures.json())) == []
            assert [each["alerts"] for each in figures.json()["lists"]] == [1]
