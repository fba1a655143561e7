"""What is sent in bad faith or by accident: refused plainly, and it costs nothing that was good."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from console.auth import SESSION_S
from pipeline.alerts.store import AlertStore, Viewer
from tests.console.conftest import SignIn, browse, csrf_of
from tests.console.samples import make_alert

BAD = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}"
SEES_ALL = Viewer("test", frozenset({"covert"}))

PATHS = ["/", "/map", "/search", "/handover", "/rir", "/statistics", "/retention", "/audit", "/unit"]


@pytest.mark.parametrize("path", [*PATHS, "/rir/x", "/unit/stream", "/alerts?before_ms=1", "/map/cameras.json"])
async def test_nobody_gets_in_without_a_session(app: FastAPI, path: str) -> None:
    async with browse(app) as client:
        answer = await client.get(path)
    page = answer.status_code == 303 and answer.headers["location"] == "/sign-in"
    assert page or answer.status_code == 401


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("operator", {"/", "/map", "/search", "/handover", "/rir"}),
        ("chief", {"/", "/map", "/search", "/handover", "/rir", "/statistics", "/retention"}),
        ("auditor", {"/", "/map", "/search", "/handover", "/rir", "/retention", "/audit"}),
        ("engineer", {"/statistics"}),
    ],
)
async def test_each_role_has_its_pages_and_no_other(signed_in: SignIn, name: str, allowed: set[str]) -> None:
    async with signed_in(name) as client:
        statuses = {path: (await client.get(path)).status_code for path in PATHS}
        for path in sorted(allowed):
            page = await client.get(path)
            links = {each for each in PATHS if f'href="{each}"' in page.text}
            assert links == allowed
    assert {path for path, status in statuses.items() if status == 200} == allowed
    assert {status for path, status in statuses.items() if path not in allowed} <= {403, 303}


async def test_a_session_is_over_after_a_shift(signed_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    async with signed_in("operator") as client:
        assert (await client.get("/search")).status_code == 200
        later = time.time() + SESSION_S + 1
        monkeypatch.setattr("console.auth.time.time", lambda: later)
        assert (await client.get("/search")).headers["location"] == "/sign-in"


FORMS = [
    "/search",
    "/audit",
    "/sign-out",
    f"/alerts/{make_alert(1).alert_id}/rir",
    f"/alerts/{make_alert(1).alert_id}/claim",
    f"/alerts/{make_alert(1).alert_id}/release",
    f"/alerts/{make_alert(1).alert_id}/acknowledgement",
    "/rir/x",
]


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("forged", ["", "wrong", "é", "x" * 5000])
async def test_a_forged_token_does_nothing(signed_in: SignIn, store: AlertStore, path: str, forged: str) -> None:
    await store.record(make_alert(1))
    async with signed_in("auditor" if path == "/audit" else "operator") as client:
        headers = {"X-CSRF-Token": forged.encode()}
        answer = await client.post(path, data={"csrf": forged, "verdict": "misread"}, headers=headers)
        assert answer.status_code == 403, answer.text
    row = await store.get(make_alert(1).alert_id, SEES_ALL)
    assert (row.acknowledgement, row.claim) == (None, None)
    assert await store.reports.all(SEES_ALL) == []


@pytest.mark.parametrize(
    "path",
    [
        "/static/../auth.py",
        "/static/%2e%2e/auth.py",
        "/static/..%2fauth.py",
        "/static/%252e%252e/auth.py",
        "/static//etc/passwd",
        "/alerts/..%2f..%2fetc%2fpasswd",
        "/alerts/%00",
        "/alerts/x/..%2f..%2fetc.jpg",
        "/rir/x/attachments/..%2f..%2fplaat.jpg",
        "/rir/%00/report.pdf",
        "/map/cameras/..%2f..%2fx/alerts",
        "/unit/alerts/%00/patch.jpg",
        "/" + "a" * 5000,
    ],
)
@pytest.mark.parametrize("name", ["operator", "chief"])
async def test_a_trick_with_a_path_finds_nothing(signed_in: SignIn, name: str, path: str) -> None:
    async with signed_in(name) as client:
        answer = await client.get(httpx.URL(f"http://console.test{path}"))
    assert answer.status_code in (403, 404), answer.status_code
    assert "root:" not in answer.text
    assert "Doorkeeper" not in answer.text


NO_IMAGE = {
    "a page": b"<html><script>alert(1)</script></html>",
    "a drawing with script": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "a program": b"MZ\x90\x00" + b"\x00" * 60,
    "a pdf": b"%PDF-1.7 /JavaScript",
    "a picture of another kind": b"GIF89a<script>alert(1)</script>",
}


@pytest.mark.parametrize("content", NO_IMAGE.values(), ids=NO_IMAGE)
async def test_an_image_that_is_no_image_is_not_given(
    signed_in: SignIn, store: AlertStore, password_hash: str, content: bytes
) -> None:
    await store.put_user("unit", password_hash, ["unit"])
    alert = make_alert(1, patch=content, notify_unconfirmed=True)
    await store.record(alert)
    report = await store.reports.create(alert.alert_id, SEES_ALL)
    asked = {
        "operator": [f"/alerts/{alert.alert_id}/patch.jpg", f"/rir/{report.draft.rir_id}/attachments/plaat.jpg"],
        "unit": [f"/unit/alerts/{alert.alert_id}/patch.jpg"],
    }
    for name, paths in asked.items():
        async with signed_in(name) as client:
            for path in paths:
                answer = await client.get(path)
                assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
                assert content not in answer.content


async def test_what_begins_as_an_image_is_given_as_that_alone(signed_in: SignIn, store: AlertStore) -> None:
    # It is both: a browser that was told so makes nothing else of it.
    both = b"\xff\xd8\xff\xe0<script>alert(1)</script>"
    alert = make_alert(1, patch=both)
    await store.record(alert)
    async with signed_in("operator") as client:
        answer = await client.get(f"/alerts/{alert.alert_id}/patch.jpg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


async def test_script_in_what_others_wrote_is_text_on_every_page(
    signed_in: SignIn, store: AlertStore, app: FastAPI
) -> None:
    camera = app.state.cameras["cam-1"]
    app.state.cameras["cam-1"] = type(camera)(
        id="cam-1", name=BAD, latitude=51.0, longitude=3.7, municipality=BAD, zone=BAD
    )
    alert = make_alert(1, reason=BAD, title=BAD, owner=BAD, legal_basis=BAD)
    await store.record(alert)
    report = await store.reports.create(alert.alert_id, SEES_ALL)
    await store.audit(BAD[:100], BAD[:60], BAD, why=BAD)
    for name in ("chief", "auditor"):
        async with signed_in(name) as client:
            for path in [*PATHS, f"/rir/{report.draft.rir_id}"]:
                page = await client.get(path)
                assert "<script>alert" not in page.text, path
                assert "<img src=x" not in page.text, path
            found = await client.post("/search", data={"csrf": await csrf_of(client)})
            assert "&lt;script&gt;" in found.text
            assert "<script>alert" not in found.text


async def test_a_note_of_fifty_megabytes_is_not_read(signed_in: SignIn, store: AlertStore) -> None:
    alert = make_alert(1)
    await store.record(alert)
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(50):
            read += 1
            yield b"x" * 1_000_000

    async with signed_in("operator") as client:
        headers = {"X-CSRF-Token": await csrf_of(client), "Content-Type": "application/json"}
        answer = await client.post(f"/alerts/{alert.alert_id}/acknowledgement", content=body(), headers=headers)
    assert answer.status_code == 413
    assert read < 3


async def test_an_alert_that_is_not_a_units_own_is_not_there(
    app: FastAPI, signed_in: SignIn, store: AlertStore, password_hash: str
) -> None:
    await store.put_user("bravo", password_hash, ["unit"])
    await store.units.set_sectors("bravo", ["zuid"])
    for number, released in ((1, True), (2, False)):
        await store.record(make_alert(number, notify_unconfirmed=released))
    async with signed_in("bravo") as client:
        page = await client.get("/unit")
        headers = {"X-CSRF-Token": page.text.split('name="csrf" content="')[1].split('"')[0]}
        for number in (1, 2):
            answer = await client.post(
                f"/unit/alerts/{make_alert(number).alert_id}/response",
                content='{"answer": "gezien"}',
                headers=headers,
            )
            assert answer.status_code == 404
        await store.units.set_sectors("bravo", ["noord"])
        own = f"/unit/alerts/{make_alert(1).alert_id}/response"
        more = ('{"answer": "gezien", "x": 1}', '{"answer": "gezien", "note": "\\u0000"}')
        for body in ("", "[]", '{"answer": "misschien"}', *more):
            assert (await client.post(own, content=body, headers=headers)).status_code == 400
        assert (await client.post(own, content='{"answer": "gezien"}', headers=headers)).status_code == 200
        # The desk's own addresses are not the unit's.
        assert (await client.get(f"/alerts/{make_alert(1).alert_id}")).status_code == 403


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"plate": "???"}, 400),
        ({"from": "gisteren"}, 400),
        ({"from": "0001-01-01T00:00"}, 400),
        ({"until": "9999-12-31T23:59"}, 400),
        ({"verdict": "misschien"}, 400),
        ({"plate": "x" * 500}, 400),
        ({"plate": "1ABC\x00"}, 400),
        ({"after": "x"}, 400),
        ({"from": "2001-01-01T00:00"}, 422),
        ({"from": "2001-01-01T00:00", "reason": "onderzoek"}, 422),
        ({"from": "2001-01-01T00:00", "reason": "onderzoek", "authorisation": "2026/1"}, 200),
        ({"plate": "1*", "category": "stolen"}, 200),
    ],
)
async def test_a_search_that_makes_no_sense_says_why(
    signed_in: SignIn, store: AlertStore, given: dict[str, str], status: int
) -> None:
    async with signed_in("operator") as client:
        answer = await client.post("/search", data={**given, "csrf": await csrf_of(client)})
    assert answer.status_code == status, answer.text
    if status == 422:
        assert "vraagt" in answer.text


async def test_an_old_alert_is_opened_only_after_saying_why(signed_in: SignIn, store: AlertStore) -> None:
    old = make_alert(1, age_s=40 * 86_400)
    await store.record(old)
    async with signed_in("operator") as client:
        assert (await client.get(f"/alerts/{old.alert_id}")).status_code == 403
        assert (await client.get("/alerts?before_ms=9000000000000")).json() == []
        form = {"from": "2001-01-01T00:00", "reason": "diefstal 12", "authorisation": "2026/7"}
        found = await client.post("/search", data={**form, "csrf": await csrf_of(client)})
        assert old.alert_id in found.text
        assert (await client.get(f"/alerts/{old.alert_id}")).status_code == 200
    line = next(line for line in await store.audit_lines() if line.what == "alert.view")
    assert line.why == "diefstal 12 [2026/7]"


@pytest.mark.parametrize(
    "back", ["//evil.test/", "https://evil.test/", "/\\evil.test", "/\r\nX: y", "", "javascript:0"]
)
async def test_a_choice_leads_back_to_this_site_alone(app: FastAPI, back: str) -> None:
    async with browse(app) as client:
        answer = await client.post("/preferences", data={"theme": "light", "back": back})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "theme=light" in answer.headers["set-cookie"]
        form = {"theme": "x", "language": "../x"}
        answer = await client.post("/preferences", data=form)
        assert "set-cookie" not in answer.headers
        foreign = await client.post("/preferences", data=form, headers={"Origin": "http://evil.test"})
        assert foreign.status_code == 403


async def test_two_who_edit_one_report_do_not_overwrite_each_other(signed_in: SignIn, store: AlertStore) -> None:
    alert = make_alert(1)
    await store.record(alert)
    report = await store.reports.create(alert.alert_id, SEES_ALL)
    path = f"/rir/{report.draft.rir_id}"
    codes = {"source_evaluation": "B", "information_evaluation": "2", "handling_code": "H0"}
    text = {"who": "w", "what": "x", "place": "y", "purpose": "z", "source": "s", **codes}
    async with signed_in("operator") as one, signed_in("chief") as other:
        form = {**text, "version": "1", "do": "save", "csrf": await csrf_of(one)}
        assert (await one.post(path, data=form)).status_code == 303
        form |= {"who": "v", "csrf": await csrf_of(other)}
        answer = await other.post(path, data=form)
        assert answer.status_code == 409
        assert "Iemand anders" in answer.text
        for wrong in ({"handling_code": "H9"}, {"version": "x"}, {"who": "\x00"}):
            answer = await other.post(path, data={**form, "version": "2", **wrong})
            assert answer.status_code == 422
    assert (await store.reports.get(report.draft.rir_id, SEES_ALL)).draft.who == "w"
