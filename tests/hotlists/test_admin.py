"""The admin endpoint on a small application and a real Redis: what it takes, what it answers, how it refuses."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Header, HTTPException

from hotlists import admin
from hotlists.desk import Desk
from hotlists.people import Actor
from tests.hotlists.desk import CHIEF, DETECTIVE, OPERATOR, OPS, Trail

META = {"title": "Gestolen", "owner": "PZ Veldeke", "legal_basis": "WPA art. 44/2", "category": "stolen"}
CSV = "plate,country\n1-ABC-123,BE\n2DEF456,BE\n"
PEOPLE = {each.name: each for each in (OPERATOR, OPS, CHIEF, DETECTIVE)}
UPLOAD_BYTES = 1_000_000


async def authorise(x_who: Annotated[str, Header()] = "") -> Actor:
    """Take whoever says a name."""
    if x_who not in PEOPLE:
        raise HTTPException(401, "who are you?")
    return PEOPLE[x_who]


@pytest.fixture
def app(desk: Desk) -> FastAPI:
    application = FastAPI()
    routes = admin.router(lambda: desk, authorise, upload_bytes=UPLOAD_BYTES)
    application.include_router(routes, prefix="/api/hotlists")
    return application


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://admin.test/api", headers={"X-Who": "chef"}
    ) as client:
        yield client


@pytest.fixture
async def made(api: httpx.AsyncClient) -> str:
    """A list without a version."""
    answer = await api.put("/hotlists/gestolen", json=META)
    assert answer.status_code == 201, answer.text
    return "/hotlists/gestolen"


async def upload(api: httpx.AsyncClient, file: str | bytes, *, kind: str = "full") -> httpx.Response:
    query = {"why": "test", "kind": kind}
    return await api.post("/hotlists/gestolen/staged", params=query, content=file, headers={"X-Who": "an"})


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem document (RFC 9457) of that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["type"]) == (status, "about:blank")
    assert body["title"]
    assert body["detail"]
    return body


async def test_from_nothing_to_a_live_version_and_back(api: httpx.AsyncClient, made: str) -> None:
    preview = await upload(api, CSV)
    assert preview.status_code == 201, preview.text
    number = preview.json()["number"]
    assert (await api.get(f"{made}/staged/{number}")).json() == preview.json()
    assert (await api.get(f"{made}/staged")).json() == [preview.json()]
    assert (await api.get(made)).json()["live"] is None
    published = await api.post(f"{made}/staged/{number}/publish", json={"why": "nagekeken", "expected_live": 0})
    assert published.status_code == 200, published.text
    assert published.json()["number"] == number
    shown = (await api.get("/hotlists")).json()
    assert [(each["name"], each["live"], each["rows"], each["published_by"]) for each in shown] == [
        ("gestolen", number, 2, "chef")
    ]
    added = await api.post(f"{made}/entries", json={"plate": "9ZZZ999", "why": "ontvoering"})
    assert (added.status_code, added.json()["plate"]) == (201, "9ZZZ999")
    found = await api.post("/hotlists/find", json={"plate": "9-zzz-999", "why": "controle"})
    assert [each["list"] for each in found.json()["found"]] == ["gestolen"]
    removed = await api.post(f"{made}/entries/remove", json={"plate": "9ZZZ999", "why": "gevonden"})
    assert removed.status_code == 200
    back = await api.post(f"{made}/rollback", json={"number": number, "why": "terug"})
    assert back.json()["number"] == number
    states = [(each["number"], each["state"]) for each in (await api.get(f"{made}/versions")).json()]
    assert states == [(number + 2, "kept"), (number + 1, "kept"), (number, "live")]


async def test_metadata_is_changed_by_what_is_sent(api: httpx.AsyncClient, made: str) -> None:
    changed = await api.patch(made, params={"why": "drempel"}, json={"threshold": 0.9})
    assert changed.status_code == 200, changed.text
    assert {**META, "threshold": 0.9}.items() <= changed.json().items()
    window = {"days": ["fri"], "starts": "20:00", "ends": "02:00"}
    changed = await api.patch(
        made, params={"why": "x"}, json={"applies_to": {"windows": [window]}, "prior": 0.001}
    )
    assert changed.json()["applies_to"]["windows"][0]["starts"] == "20:00"
    changed = await api.patch(made, params={"why": "x"}, json={"prior": None})
    assert (changed.json()["prior"], changed.json()["threshold"]) == (None, 0.9)
    assert (await api.put("/hotlists/gestolen", json={"title": "Anders"})).status_code == 409
    answer = await api.put("/hotlists/gestolen", json={"name": "sis"})
    assert "of another list" in problem(answer, 400)["detail"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "required"),
        (b"{", "JSON decode"),
        (b"[1]", "valid dict"),
        (b"null", "valid"),
        (b'{"title": 1}', "title"),
        (b'{"handling": "secret"}', "handling"),
        (b'{"handeling": "covert"}', "handeling"),
        (b'{"category": "auto"}', "category"),
        (b'{"threshold": 1.5}', "threshold"),
        (b'{"named_users": "an"}', "named_users"),
        (b'{"title": "' + b"x" * 201 + b'"}', "title"),
        (b'{"title": "a\\u0000"}', "title"),
        (b'{"archived": true}', "archived"),
        (b'{"applies_to": {"windows": [{"starts": "24:00"}]}}', "starts"),
    ],
)
async def test_bad_metadata_is_refused_with_the_field(api: httpx.AsyncClient, body: bytes, says: str) -> None:
    answer = await api.put("/hotlists/nieuw", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert says.lower() in answer.text.lower()
    assert (await api.get("/hotlists")).json() == []


@pytest.mark.parametrize("body", [b"\xff", b"[" * 60_000])
async def test_a_body_that_is_no_json_at_all(api: httpx.AsyncClient, body: bytes) -> None:
    answer = await api.put("/hotlists/nieuw", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


async def test_a_body_over_the_limit_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.put("/hotlists/nieuw", json={"purpose": "x" * admin.MAX_BODY_BYTES})
    assert answer.status_code == 413


@pytest.mark.parametrize("name", ["Gestolen", "a b", "%2e%2e", "..%5c..", "a%00", "a:v1", "%C3%A9", "a" * 65, "*"])
async def test_a_name_that_is_a_trick_is_refused(api: httpx.AsyncClient, desk: Desk, name: str) -> None:
    assert (await api.put(f"/hotlists/{name}", json=META)).status_code == 422
    answer = await api.post(f"/hotlists/{name}/staged", params={"why": "x"}, content=CSV)
    assert answer.status_code == 422
    assert await desk.store.lists() == []


@pytest.mark.parametrize("name", ["health", "workers", "find"])
async def test_a_name_that_is_a_route_is_refused(api: httpx.AsyncClient, name: str) -> None:
    assert (await api.put(f"/hotlists/{name}", json=META)).status_code in (400, 405)


async def test_nobody_does_anything_without_a_name(api: httpx.AsyncClient, app: FastAPI, made: str) -> None:
    described = app.openapi()["paths"]
    assert len(described) > 15
    for path, methods in described.items():
        for method in methods:
            filled = path.format(name="gestolen", number=1).removeprefix("/api")
            answer = await api.request(method.upper(), filled, params={"why": "x"}, headers={"X-Who": ""})
            assert answer.status_code == 401, f"{method} {path}"


async def test_a_refusal_of_the_desk_is_a_problem_with_a_code(api: httpx.AsyncClient, made: str) -> None:
    body = problem(await api.get(made, headers={"X-Who": "otto"}), 403)
    assert (body["code"], body["title"]) == ("no_right", "Niet toegestaan")
    assert problem(await api.get("/hotlists/geen"), 404)["code"] == "no_list"
    preview = (await upload(api, "plate\n1ABC123\n---\n")).json()
    body = problem(await api.post(f"{made}/staged/{preview['number']}/publish", json={"why": "x"}), 409)
    assert (body["code"], body["removed"]) == ("needs_confirmation", 0)
    assert body["guards"] == [{"code": "rejected", "count": 1, "of": 2, "limit": 0.05}]
    again = {"why": "x", "confirm_removed": 0}
    assert (await api.post(f"{made}/staged/{preview['number']}/publish", json=again)).status_code == 200


@pytest.mark.parametrize("query", [{}, {"why": ""}, {"why": "  \t"}, {"why": "x" * 501}, {"why": "a\x00"}])
async def test_an_upload_without_a_reason(api: httpx.AsyncClient, made: str, query: dict[str, str]) -> None:
    answer = await api.post(f"{made}/staged", params=query, content=CSV)
    assert answer.status_code == 422
    assert "why" in answer.text


async def test_rejected_rows_come_as_a_file_that_a_spreadsheet_opens_safely(
    api: httpx.AsyncClient, made: str
) -> None:
    preview = (await upload(api, "plate,country\n1ABC123,BE\n2DEF456,=1+1\n")).json()
    answer = await api.get(f"{made}/staged/{preview['number']}/errors.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="gestolen-v1-errors.csv"'
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["row", "column", "value", "reason"]
    assert rows[1][:3] == ["3", "country", "'=1+1"]
    assert problem(await api.get(f"{made}/staged/99/errors.csv"), 404)["code"] == "not_staged"


async def test_a_list_is_exported_as_a_file(api: httpx.AsyncClient, made: str) -> None:
    assert problem(await api.get(f"{made}/export", params={"why": "x"}), 404)["code"] == "no_version"
    preview = (await upload(api, CSV)).json()
    await api.post(f"{made}/staged/{preview['number']}/publish", json={"why": "x"})
    answer = await api.get(f"{made}/export", params={"why": "x"})
    assert answer.text.splitlines()[1:] == ["1ABC123,BE,,,,,", "2DEF456,BE,,,,,"]
    assert answer.headers["content-disposition"] == 'attachment; filename="gestolen.csv"'


async def test_what_is_staged_can_be_discarded(api: httpx.AsyncClient, made: str) -> None:
    number = (await upload(api, CSV)).json()["number"]
    refreshed = await api.post(f"{made}/staged/{number}/refresh", json={"why": "x"})
    assert refreshed.status_code == 201
    number = refreshed.json()["number"]
    gone = await api.delete(f"{made}/staged/{number}", params={"why": "verkeerd"})
    assert (gone.status_code, gone.content) == (204, b"")
    assert problem(await api.get(f"{made}/staged/{number}"), 404)["code"] == "not_staged"


async def test_the_health_is_there_for_who_does_least(api: httpx.AsyncClient) -> None:
    answer = await api.get("/hotlists/health", headers={"X-Who": "otto"})
    assert answer.json()["redis"] is True
    assert (await api.get("/hotlists/workers", headers={"X-Who": "otto"})).json() == {}


# --- uploads ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [CSV.encode(), gzip.compress(CSV.encode())])
async def test_a_form_of_a_browser_brings_a_file(api: httpx.AsyncClient, made: str, content: bytes) -> None:
    answer = await api.post(f"{made}/staged", params={"why": "x"}, files={"file": ("lijst.csv", content)})
    assert (answer.status_code, answer.json()["rows"]) == (201, 2), answer.text


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"--x\r\n", {"Content-Type": "multipart/form-data"}),
        (b"nothing", {"Content-Type": "multipart/form-data; boundary=x"}),
        (
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n1\r\n--x--\r\n',
            {"Content-Type": "multipart/form-data; boundary=x"},
        ),
    ],
)
async def test_a_form_without_a_file(
    api: httpx.AsyncClient, made: str, content: bytes, headers: dict[str, str]
) -> None:
    answer = await api.post(f"{made}/staged", params={"why": "x"}, content=content, headers=headers)
    assert problem(answer, 400)["code"] == "form"


class Sent:
    """An ASGI request whose body comes in parts, and that counts how many were taken."""

    def __init__(self, parts: int, part: bytes, *, kind: bytes = b"text/csv", cut_off: bool = False) -> None:
        self.taken, self._parts, self._part, self._cut_off, self._kind = 0, parts, part, cut_off, kind
        self.answers: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        self.taken += 1
        if self._cut_off and self.taken > self._parts:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._part, "more_body": self._cut_off or self.taken < self._parts}

    async def send(self, message: Any) -> None:
        self.answers.append(message)

    async def to(self, app: FastAPI) -> int:
        path = "/api/hotlists/gestolen/staged"
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"why=test",
            "headers": [(b"x-who", b"an"), (b"content-type", self._kind)],
            "http_version": "1.1",
            "scheme": "http",
            "server": ("admin.test", 80),
            "client": ("127.0.0.1", 1),
        }
        await app(scope, self.receive, self.send)  # type: ignore[arg-type]
        status: int = self.answers[0]["status"]
        return status


def open_files() -> set[str]:
    """The files that this process has open, by where they are."""
    found = set()
    for each in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{each}"))
        except FileNotFoundError:
            continue
    return {each for each in found if "/tmp" in each}  # noqa: S108


@pytest.mark.parametrize("kind", [b"text/csv", b"multipart/form-data; boundary=x"])
async def test_an_upload_over_the_limit_is_refused_without_reading_it_all(
    app: FastAPI, made: str, desk: Desk, kind: bytes
) -> None:
    begin = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' if b"form" in kind else b""
    sent = Sent(1_000, begin + b"3GHI789\n" * 12_500, kind=kind)
    assert await sent.to(app) == 413
    assert sent.taken < 20
    assert (b"content-type", b"application/problem+json") in sent.answers[0]["headers"]
    assert await desk.staging.previews(CHIEF, "gestolen") == []


@pytest.mark.parametrize("kind", [b"text/csv", b"multipart/form-data; boundary=x"])
async def test_an_upload_that_is_cut_off_leaves_nothing(
    app: FastAPI, made: str, desk: Desk, trail: Trail, kind: bytes
) -> None:
    before = open_files()
    sent = Sent(3, b"plate\n3GHI789\n", cut_off=True, kind=kind)
    assert await sent.to(app) == 400
    assert open_files() == before
    assert await desk.staging.previews(CHIEF, "gestolen") == []
    assert "hotlist.upload" not in trail.what


async def test_an_upload_that_will_be_refused_is_not_read(app: FastAPI) -> None:
    sent = Sent(1_000, b"3GHI789\n")
    assert await sent.to(app) == 404
    assert sent.taken == 0
