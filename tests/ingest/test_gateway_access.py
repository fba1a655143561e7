"""The ingest gateway's door: the token, the addresses, health and metrics."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from pipeline.ingest.feeds import FEEDS
from tests.conftest import BrokerUnderTest, MakeSettings
from tests.ingest.gateway_client import FRAME, GOOD, application, problem

# Who may


def basic(password: bytes, user: bytes = b"camera") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(user + b":" + password).decode()}


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        ("gateway-token", {"Authorization": "Bearer gateway-token"}, 202),
        ("gateway-token", {"Authorization": "bearer  gateway-token"}, 202),
        ("gateway-token", {"X-Api-Token": "gateway-token"}, 202),
        ("gateway-token", {"Authorization": "Digest x=y", "X-Api-Token": "gateway-token"}, 202),
        ("gateway-token", basic(b"gateway-token"), 202),
        ("gateway-token", basic(b"gateway-token", b""), 202),
        ("a:b", basic(b"a:b"), 202),
        ("geheim-é€", {"X-Api-Token": "geheim-é€".encode()}, 202),
        ("geheim-é€", {"Authorization": b"Bearer " + "geheim-é€".encode()}, 202),
        ("geheim-é€", basic("geheim-é€".encode()), 202),
        ("geheim-é", {"X-Api-Token": "geheim-é".encode("latin-1")}, 401),
        ("gateway-token", {}, 401),
        ("gateway-token", {"Authorization": ""}, 401),
        ("gateway-token", {"Authorization": "Bearer"}, 401),
        ("gateway-token", {"Authorization": "Bearer gateway-toke"}, 401),
        ("gateway-token", {"Authorization": "Bearer gateway-token2"}, 401),
        ("gateway-token", {"Authorization": "gateway-token"}, 401),
        ("gateway-token", {"X-Api-Token": "\xff".encode("latin-1")}, 401),
        ("gateway-token", basic(b"wrong"), 401),
        ("gateway-token", basic(b"\xff\xfe"), 401),
        ("gateway-token", {"Authorization": "Basic ####"}, 401),
        ("gateway-token", {"Authorization": b"Basic \xe9"}, 401),
        ("gateway-token", {"Authorization": "Basic Z2F0ZXdheS10b2tlbg=="}, 401),
        ("", {}, 401),
        ("", {"Authorization": "Bearer "}, 401),
        ("", {"X-Api-Token": ""}, 401),
        ("", basic(b""), 401),
    ],
)
async def test_only_the_token_opens(
    embedded_broker: BrokerUnderTest,
    make_settings: MakeSettings,
    token: str,
    headers: dict[str, Any],
    status: int,
) -> None:
    async with application(make_settings(embedded_broker, gateway_token=token)) as (app, _):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
            for path in ("/ingest/rekor", FRAME):
                answer = await client.post(path, content=GOOD, headers=headers)
                assert answer.status_code == status, answer.text
                if status == 401:
                    problem(answer, 401)
                    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_without_the_token_nothing_is_learnt_and_no_place_is_taken(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker, gateway_max_in_flight=1)) as (_, client):
        client.headers["Authorization"] = "Bearer wrong"
        drawn = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal drawn
            for _ in range(100):
                drawn += 1
                yield b"x" * 1000

        problem(await client.post("/ingest/unheard-of", content=body()), 401)
    assert drawn == 0


# What is not there


async def test_an_unknown_format_names_those_that_there_are(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker)) as (_, client):
        found = problem(await client.post("/ingest/genetec", content=b"{}"), 404)
        problem(await client.post("/elsewhere", content=b"{}"), 404)
        problem(await client.get("/openapi.json"), 404)
    assert all(name in found["detail"] for name in FEEDS)


async def test_another_method_is_answered_405(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker)) as (_, client):
        for method in ("GET", "PUT", "DELETE"):
            answer = await client.request(method, "/ingest/rekor")
            problem(answer, 405)
            assert answer.headers["allow"] == "POST"


async def test_health_and_metrics(embedded_broker: BrokerUnderTest, make_settings: MakeSettings) -> None:
    async with application(make_settings(embedded_broker)) as (_, client):
        await client.post("/ingest/rekor", content=GOOD)
        await client.post("/ingest/rekor", content=b"{}")
        del client.headers["Authorization"]
        health, metrics = await client.get("/health"), await client.get("/metrics")
    assert (health.status_code, health.json()) == (200, {"kafka": True})
    assert metrics.status_code == 200
    assert 'lik_messages_total{outcome="read",stage="gateway"}' in metrics.text
    assert 'lik_messages_total{outcome="400",stage="gateway"}' in metrics.text
    assert 'lik_rejects_total{reason="unreadable",stage="gateway"}' in metrics.text


async def test_a_defect_is_a_problem_document_too(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker)) as (app, client):
        app.state.gateway.publisher = object()
        problem(await client.post("/ingest/rekor", content=GOOD), 500)
