"""API tokens: what each scope opens, and what is no token."""

from __future__ import annotations

import hashlib

import pytest

from console.app import create_app
from console.tokens import Tokens
from pipeline.alerts.store import AlertStore
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings
from tests.console.conftest import browse
from tests.console.samples import make_alert


def token(text: str, scopes: str) -> dict[str, str]:
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "scopes": scopes}


@pytest.mark.parametrize(
    ("given", "status"),
    [("alles", 200), ("cijfers", 403), ("fout", 401), ("", 401), (None, 401), ("é", 401)],
)
async def test_a_scope_opens_what_it_names(
    console_settings: Settings, store: AlertStore, given: str | None, status: int
) -> None:
    await store.record(make_alert(1))
    tokens = {"a": token("alles", "alerts:read figures:read"), "b": token("cijfers", "figures:read")}
    app = create_app(console_settings.model_copy(update={"api_tokens": tokens}), store=store)
    headers = {} if given is None else {"Authorization": f"Bearer {given}".encode()}
    async with browse(app) as client:
        answer = await client.get("/api/alerts", headers=headers)
        assert answer.status_code == status
        if status == 200:
            assert [each["id"] for each in answer.json()] == [make_alert(1).alert_id]
        else:
            assert answer.headers["content-type"] == "application/problem+json"
        # No token is a session: the pages stay shut.
        assert (await client.get("/search", headers=headers)).status_code == 303
    lines = [line.who for line in await store.audit_lines() if line.what == "api.alerts"]
    assert lines == (["api:a"] if status == 200 else [])


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"sha256": "x" * 64, "scopes": "alerts:read"},
        token("x", ""),
        token("x", "alerts:write"),
        {"sha256": ""},
    ],
)
def test_a_token_that_makes_no_sense_is_refused_at_the_start(given: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="LIK_API_TOKENS: zone"):
        Tokens({"zone": given})
