"""The desk's API against its own description: whatever fits it, or does not, is answered as it says."""

from __future__ import annotations

import asyncio
import hashlib

import hypothesis
import requests
import schemathesis
from fastapi.openapi.utils import get_openapi
from schemathesis.specs.openapi.schemas import OpenApiSchema

from console import api
from console.app import run
from pipeline.alerts.store import AlertStore
from pipeline.embedded import free_port
from pipeline.settings import Settings
from tests.conftest import running
from tests.console.samples import make_alert

TOKEN = "alles"


async def test_the_api_keeps_to_its_description(console_settings: Settings, store: AlertStore) -> None:
    for number in range(5):
        await store.record(make_alert(number))
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    changes = {
        "api_tokens": {"zone": {"sha256": digest, "scopes": "alerts:read figures:read"}},
        "console_port": free_port(),
    }
    settings = console_settings.model_copy(update=changes)
    described = get_openapi(title="Kruispunt", version="1", routes=api.routes.routes)
    schema = schemathesis.openapi.from_dict(described)
    async with running(run, settings):
        asked = await asyncio.to_thread(_try, schema, f"http://127.0.0.1:{settings.console_port}")
    assert asked > 40


def _try(schema: OpenApiSchema, url: str) -> int:
    """Ask each operation for much that fits its description and much that does not; return how often."""
    asked = 0
    with requests.Session() as session:
        session.trust_env = False
        for operation in schema.get_all_operations():

            @hypothesis.given(case=operation.ok().as_strategy())
            @hypothesis.settings(max_examples=40, deadline=None, database=None, derandomize=True)
            def ask(case: schemathesis.Case) -> None:
                nonlocal asked
                asked += 1
                answer = case.call(base_url=url, session=session, headers={"Authorization": f"Bearer {TOKEN}"})
                assert answer.status_code < 500
                case.validate_response(answer)

            ask()
    return asked
