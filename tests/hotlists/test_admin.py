"""The admin endpoint on a small application and a real Redis: what it takes, and how it refuses."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Header, HTTPException

from hotlists import admin
from hotlists.entry import Handling
from hotlists.store import HotlistStore

META = {"title": "Gestolen", "owner": "PZ Veldeke", "legal_basis": "WPA art. 44/2", "category": "stolen"}
CSV = "plate,country\n1-ABC-123,BE\n2DEF456,BE\n"


def authorise(x_who: Annotated[str, Header()] = "") -> str:
    """Take whoever says a name."""
    if not x_who:
        raise HTTPException(401, "who are you?")
    return x_who


@pytest.fixture
def app(store: HotlistStore) -> FastAPI:
    application = FastAPI()
    application.include_router(admin.router(lambda: store, authorise), prefix="/api/hotlists")
    return application


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://admin.test/api", headers={"X-Who": "an"}
    ) as client:
        yield client


async def publish(api: httpx.AsyncClient, file: str | bytes, name: str = "gestolen") -> httpx.Response:
    return await api.post(f"/hotlists/{name}/versions", params={"why": "test"}, content=file)


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem document (RFC 9457) of that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["detail"]
    return body


async def test_a_list_is_made_and_shown_with_what_is_live(api: httpx.AsyncClient) -> None:
    assert (await api.get("/hotlists")).json() == []
    made = await api.put("/hotlists/gestolen", json={**META, "named_users": ["an"], "threshold": 0.8})
    assert made.status_code == 200, made.text
    expected = {
        "name": "gestolen",
        **META,
        "purpose": "",
        "priority": "normal",
        "handling": "open",
        "named_users": ["an"],
        "threshold": 0.8,
        "notify_unconfirmed": False,
    }
    assert made.json() == expected
    await api.put("/hotlists/alle", json={})
    assert [each["live"] for each in (await api.get("/hotlists")).json()] == [None, None]
    await publish(api, CSV)
    shown = (await api.get("/hotlists")).json()
    assert [each["name"] for each in shown] == ["alle", "gestolen"]
    assert shown[1] == {**expected, "live": 1}


async def test_publishing_says_what_was_taken_and_what_was_not(
    api: httpx.AsyncClient, store: HotlistStore
) -> None:
    await api.put("/hotlists/gestolen", json=META)
    answer = await publish(api, "nummerplaat;merk;land\n1-ABC-123;Fiat;BE\n---;;\n2DEF456;;Belgie\n")
    assert answer.status_code == 201, answer.text
    assert answer.json() == {
        "accepted": 1,
        "duplicates": 0,
        "implausible": 0,
        "warnings": [],
        "detected": {
            "format": "csv",
            "compression": "",
            "encoding": "utf-8",
            "delimiter": ";",
            "sheet": "",
            "headers": {"nummerplaat": "plate", "land": "country"},
        },
        "rejected_count": 2,
        "rejected": [
            {"row": 3, "column": "plate", "value": "---", "reason": "no letter or digit in it"},
            {
                "row": 4,
                "column": "country",
                "value": "BELGIE",
                "reason": "not a two-letter country code (BE, NL, FR, ...)",
            },
        ],
        "ignored_columns": ["merk"],
        "version": await store.live_version(),
    }
    snapshot = await store.load_snapshot()
    assert [snapshot.plate(row) for row in range(len(snapshot))] == ["1ABC123"]


async def test_who_and_why_are_kept(api: httpx.AsyncClient, store: HotlistStore, client: Any) -> None:
    await api.put("/hotlists/gestolen", json=META)
    answer = await api.post(
        "/hotlists/gestolen/versions",
        params={"why": " lijst van de nacht "},
        content=CSV,
        headers={"X-Who": "jan"},
    )
    assert answer.status_code == 201
    ((_, change),) = await client.xrevrange("lik:hotlists:changes", count=1)
    assert (change[b"by"], change[b"why"]) == (b"jan", b"lijst van de nacht")


async def test_the_workers_and_what_they_hold_are_shown(api: httpx.AsyncClient, store: HotlistStore) -> None:
    assert (await api.get("/hotlists/workers")).json() == {}
    await store.report_worker("host-1", 17)
    assert (await api.get("/hotlists/workers")).json() == {"host-1": 17}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/hotlists"),
        ("GET", "/hotlists/workers"),
        ("PUT", "/hotlists/gestolen"),
        ("POST", "/hotlists/gestolen/versions?why=x"),
    ],
)
async def test_nobody_does_anything_without_a_name(api: httpx.AsyncClient, method: str, path: str) -> None:
    assert (await api.request(method, path, headers={"X-Who": ""})).status_code == 401
    assert (await api.get("/hotlists")).json() == []


# --- refused metadata --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"[1]", "JSON object"),
        (b"null", "JSON object"),
        (b"\xff", "JSON is malformed"),
        (b'{"title": "\xff"}', "utf-8"),
        (b"[" * 60_000, "recursion"),
        (b'{"title": 1}', "$.title"),
        (b'{"handling": "secret"}', "$.handling"),
        (b'{"handeling": "covert"}', "unknown: handeling; a list has name, title"),
        (b'{"category": "auto"}', "$.category"),
        (b'{"threshold": 1.5}', "$.threshold"),
        (b'{"threshold": 1e999}', "Number out of range"),
        (b'{"named_users": "an"}', "$.named_users"),
        (b'{"title": "' + b"x" * 201 + b'"}', "$.title"),
        (b'{"name": "sis"}', "of another list than 'gestolen'"),
    ],
)
async def test_bad_metadata_is_refused_with_the_field(api: httpx.AsyncClient, body: bytes, says: str) -> None:
    answer = await api.put("/hotlists/gestolen", content=body)
    assert says in problem(answer, 400)["detail"]
    assert (await api.get("/hotlists")).json() == []


async def test_bad_metadata_leaves_what_there_was(api: httpx.AsyncClient, store: HotlistStore) -> None:
    await api.put("/hotlists/gestolen", json={**META, "handling": "covert"})
    problem(await api.put("/hotlists/gestolen", json={**META, "handling": "none"}), 400)
    assert (await store.get("gestolen")).handling is Handling.COVERT


async def test_a_covert_list_is_not_opened_by_leaving_its_handling_out(
    api: httpx.AsyncClient, store: HotlistStore
) -> None:
    await api.put("/hotlists/gestolen", json={**META, "handling": "covert"})
    assert "state its handling" in problem(await api.put("/hotlists/gestolen", json=META), 400)["detail"]
    assert (await store.get("gestolen")).handling is Handling.COVERT
    assert (await api.put("/hotlists/gestolen", json={**META, "handling": "open"})).status_code == 200
    assert (await store.get("gestolen")).handling is Handling.OPEN


@pytest.mark.parametrize("name", ["Gestolen", "a b", "%2e%2e", "..%5c..", "a%00", "a:v1", "%C3%A9", "a" * 65, "*"])
async def test_a_name_that_is_a_trick_is_refused(api: httpx.AsyncClient, store: HotlistStore, name: str) -> None:
    problem(await api.put(f"/hotlists/{name}", json=META), 400)
    problem(await publish(api, CSV, name), 404)
    assert await store.lists() == []


@pytest.mark.parametrize("name", ["..%2f..", "a%2fb", "a%2fversions"])
async def test_a_name_with_a_slash_is_no_route(api: httpx.AsyncClient, store: HotlistStore, name: str) -> None:
    assert (await api.put(f"/hotlists/{name}", json=META)).status_code in {404, 405}
    assert await store.lists() == []


async def test_metadata_over_the_limit_is_refused(api: httpx.AsyncClient) -> None:
    body = b'{"purpose": "' + b"x" * admin.MAX_METADATA_BYTES + b'"}'
    assert "65536 bytes" in problem(await api.put("/hotlists/gestolen", content=body), 413)["detail"]


# --- refused files: the live version stays ---------------------------------------------------------------------


@pytest.fixture
async def live(api: httpx.AsyncClient, store: HotlistStore) -> AsyncIterator[None]:
    """A live list, that a test must leave as it was."""
    await api.put("/hotlists/gestolen", json=META)
    assert (await publish(api, CSV)).status_code == 201
    before = await store.live_version()
    yield
    assert await store.live_version() == before
    snapshot = await store.load_snapshot()
    assert [snapshot.plate(row) for row in range(len(snapshot))] == ["1ABC123", "2DEF456"]


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("file", "says"), [(b"", "empty"), (b"PK\0\0", "binary"), (b"merk\nFiat\n", "no column with plates")]
)
async def test_a_file_that_cannot_be_read(api: httpx.AsyncClient, file: bytes, says: str) -> None:
    assert says in problem(await publish(api, file), 400)["detail"]


@pytest.mark.usefixtures("live")
async def test_a_file_without_a_usable_row(api: httpx.AsyncClient) -> None:
    body = problem(await publish(api, "plate,list\n---,\n3GHI789,sis\n"), 400)
    assert "the live version stays" in body["detail"]
    assert body["rejected_count"] == 2
    assert [(error["row"], error["column"]) for error in body["rejected"]] == [(2, "plate"), (3, "list")]


@pytest.mark.usefixtures("live")
async def test_a_file_that_ends_in_the_middle_of_a_row(api: httpx.AsyncClient) -> None:
    body = problem(await publish(api, 'plate,reason\n3GHI789,zoek\n4JKL012,"half'), 400)
    assert "upload the whole file" in body["detail"]


@pytest.mark.usefixtures("live")
async def test_a_compressed_file_that_ends_too_soon(api: httpx.AsyncClient) -> None:
    problem(await publish(api, gzip.compress(CSV.encode())[:-6]), 400)


async def test_a_compressed_file_is_taken(api: httpx.AsyncClient, store: HotlistStore) -> None:
    await api.put("/hotlists/gestolen", json=META)
    answer = await publish(api, gzip.compress(CSV.encode()))
    assert (answer.status_code, answer.json()["accepted"]) == (201, 2), answer.text
    assert answer.json()["detected"]["compression"] == "gzip"
    snapshot = await store.load_snapshot()
    assert [snapshot.plate(row) for row in range(len(snapshot))] == ["1ABC123", "2DEF456"]


@pytest.mark.usefixtures("live")
async def test_an_unknown_list(api: httpx.AsyncClient) -> None:
    assert "make it first" in problem(await publish(api, CSV, "geen"), 404)["detail"]


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("query", [{}, {"why": ""}, {"why": "  \t"}, {"why": "x" * 501}])
async def test_a_publication_without_a_reason(api: httpx.AsyncClient, query: dict[str, str]) -> None:
    answer = await api.post("/hotlists/gestolen/versions", params=query, content=CSV)
    assert answer.status_code == 422
    assert "why" in answer.text


@pytest.mark.usefixtures("live")
async def test_a_publication_that_redis_lost_a_part_of(api: httpx.AsyncClient, store: HotlistStore) -> None:
    class Losing(HotlistStore):
        async def _switch(self, *arguments: Any, **options: Any) -> None:
            return None

    losing = FastAPI()
    losing.include_router(admin.router(lambda: Losing(store._redis), authorise), prefix="/api/hotlists")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(losing), base_url="http://admin.test/api", headers={"X-Who": "an"}
    ) as client:
        assert "upload it again" in problem(await publish(client, CSV), 409)["detail"]


class Upload:
    """An ASGI request whose body comes in parts, and that counts how many were taken."""

    def __init__(self, parts: int, part: bytes, *, cut_off: bool = False) -> None:
        self.taken, self._parts, self._part, self._cut_off = 0, parts, part, cut_off
        self.answers: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        self.taken += 1
        if self._cut_off and self.taken > self._parts:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._part, "more_body": self._cut_off or self.taken < self._parts}

    async def send(self, message: Any) -> None:
        self.answers.append(message)

    async def to(self, app: FastAPI) -> int:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/hotlists/gestolen/versions",
            "raw_path": b"/api/hotlists/gestolen/versions",
            "query_string": b"why=test",
            "headers": [(b"x-who", b"an")],
            "http_version": "1.1",
            "scheme": "http",
            "server": ("admin.test", 80),
            "client": ("127.0.0.1", 1),
        }
        await app(scope, self.receive, self.send)  # type: ignore[arg-type]
        status: int = self.answers[0]["status"]
        return status


@pytest.mark.usefixtures("live")
async def test_an_upload_over_the_limit_is_refused_without_reading_it_all(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "MAX_UPLOAD_BYTES", 10_000)
    upload = Upload(1_000, b"3GHI789\n" * 128)
    assert await upload.to(app) == 413
    assert upload.taken == 10
    assert (b"content-type", b"application/problem+json") in upload.answers[0]["headers"]


@pytest.mark.usefixtures("live")
async def test_an_upload_that_is_cut_off(app: FastAPI) -> None:
    upload = Upload(3, b"plate\n3GHI789\n", cut_off=True)
    assert await upload.to(app) == 400


async def test_an_upload_to_an_unknown_list_is_not_read(app: FastAPI, store: HotlistStore) -> None:
    upload = Upload(1_000, b"3GHI789\n")
    assert await upload.to(app) == 404
    assert upload.taken == 0
