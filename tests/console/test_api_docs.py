"""The API as a page: all of it, and nothing from elsewhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi import FastAPI

from console.api_docs import type_of
from tests.console.conftest import browse


async def test_every_operation_and_every_shape_is_shown(app: FastAPI) -> None:
    async with browse(app) as client:
        answer = await client.get("/api/docs")
        described = (await client.get("/api/openapi.json")).json()
    assert answer.status_code == 200
    for path, methods in described["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in answer.text
    for name in described["components"]["schemas"]:
        assert f"<h3>{name}</h3>" in answer.text
    assert "Repeats `removed` of the preview" in answer.text


async def test_it_runs_no_script_and_fetches_nothing_from_elsewhere(app: FastAPI) -> None:
    async with browse(app) as client:
        answer = await client.get("/api/docs")
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert all(each.startswith(("/", "#")) for each in re.findall(r'(?:src|href)="([^"]*)"', answer.text))
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"$ref": "#/components/schemas/Preview"}, "Preview"),
        ({"type": "array", "items": {"type": "string"}}, "[string]"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer >= 1 <= 9"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "number > 0 < 1"),
        ({"type": "string", "minLength": 1, "maxLength": 5}, "string of at least 1 of at most 5"),
        ({"enum": ["full", "delta"]}, '"full" | "delta"'),
        ({"const": False}, "False"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer | null"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "{name: integer}"),
        ({}, "any"),
    ],
)
def test_a_type_is_one_line(schema: dict[str, Any], told: str) -> None:
    assert type_of(schema) == told
