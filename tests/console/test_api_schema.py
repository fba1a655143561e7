"""The desk's API against its own description: whatever fits it, or does not, is answered as it says."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from typing import Any

import httpx
import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from console.app import create_app, run
from console.tokens import SCOPES
from pipeline.alerts.store import AlertStore
from pipeline.embedded import free_port
from pipeline.settings import Settings
from tests.conftest import running
from tests.console.samples import make_alert

TOKEN = "alles"
EXAMPLES = 15
KNOWN = {"name": "a", "number": 2}


@pytest.mark.slow
async def test_the_api_keeps_to_its_description(console_settings: Settings, store: AlertStore) -> None:
    for number in range(5):
        await store.record(make_alert(number))
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    changes = {
        "api_tokens": {"zone": {"sha256": digest, "scopes": " ".join(SCOPES)}},
        "console_port": free_port(),
    }
    settings = console_settings.model_copy(update=changes)
    schema = schemathesis.openapi.from_dict(create_app(settings, store=store).openapi())
    async with running(run, settings):
        await _make_lists(settings)
        asked = await asyncio.to_thread(_try, schema, f"http://127.0.0.1:{settings.console_port}")
    assert len(asked) > 20
    assert sum(bool(statuses & {200, 201, 204}) for statuses in asked.values()) > 15
    assert sum(422 in statuses for statuses in asked.values()) > 15


async def _make_lists(settings: Settings) -> None:
    """Lists of names that a description can generate, each with a live version and a staged one."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    base_url = f"http://127.0.0.1:{settings.console_port}/api/hotlists"
    async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as client:
        for name in "0a":
            assert (await client.put(f"/{name}", json={})).status_code == 201
            assert (
                await client.post(f"/{name}/entries", json={"plate": "1ABC123", "why": "x"})
            ).status_code == 201
            staged = await client.post(f"/{name}/staged", params={"why": "x"}, content="plate\n2DEF456\n")
            assert staged.status_code == 201


def _try(schema: OpenApiSchema, url: str) -> dict[str, set[int]]:
    """Ask each operation for much that fits its description and much that does not; return how it was answered."""
    asked: defaultdict[str, set[int]] = defaultdict(set)
    with requests.Session() as session:
        session.trust_env = False
        for result in schema.get_all_operations():
            operation = result.ok()
            _ask(operation, operation.as_strategy(), url, session, asked)
            # Without anything to give, there is nothing that does not fit.
            if operation.path_parameters or operation.query or operation.body:
                unfit = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
                _ask(operation, unfit, url, session, asked)
    return asked


def _ask(
    operation: Any, cases: st.SearchStrategy[Any], url: str, session: requests.Session, asked: dict[str, set[int]]
) -> None:
    @hypothesis.given(case=cases, there=st.booleans())
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def ask(case: schemathesis.Case, there: bool) -> None:
        if there and case.meta.generation.mode == GenerationMode.POSITIVE:
            # A list and a version that are there, else hardly anything but 404 would be tried.
            case.path_parameters |= {key: KNOWN[key] for key in case.path_parameters}
        answer = case.call(base_url=url, session=session, headers={"Authorization": f"Bearer {TOKEN}"})
        asked[operation.label].add(answer.status_code)
        assert answer.status_code < 500
        # What a file holds, or a plate is, no schema says: 400 answers it.
        unsaid = [positive_data_acceptance] if answer.status_code == 400 else []
        case.validate_response(answer, excluded_checks=unsaid)

    ask()
