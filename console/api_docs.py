"""The API as a page: the OpenAPI document in plain HTML, without a script, from nowhere but here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.web import TEMPLATES

routes = APIRouter(include_in_schema=False)
_METHODS = ("get", "put", "post", "patch", "delete")


@routes.get("/api/docs")
async def api_page(request: Request) -> Response:
    """Show every operation and every shape."""
    described = request.app.openapi()
    return TEMPLATES.TemplateResponse(
        request,
        "api.html",
        {"operations": list(_operations(described)), "shapes": list(_shapes(described))},
    )


def _operations(described: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path, item in described["paths"].items():
        for method in _METHODS:
            if method in item:
                yield _operation(method, path, item[method])


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {})
    parameters = [
        {
            "name": each["name"],
            "where": each["in"],
            "required": each.get("required", False),
            "type": type_of(each.get("schema", {})),
            "text": each.get("description", ""),
        }
        for each in operation.get("parameters", ())
    ]
    answers = [
        {"status": status, "text": answer["description"], "type": _content(answer.get("content", {}))}
        for status, answer in sorted(operation["responses"].items())
    ]
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "text": operation.get("description", ""),
        "parameters": parameters,
        "body": _content(body),
        "answers": answers,
    }


def _content(content: Mapping[str, Any]) -> str:
    """Say what a body is: its shape, or where it has none of ours its media types."""
    shapes = {type_of(each.get("schema", {})) for kind, each in content.items() if kind == "application/json"}
    return ", ".join(sorted(shapes or content))


def _shapes(described: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, schema in sorted(described.get("components", {}).get("schemas", {}).items()):
        required = set(schema.get("required", ()))
        fields = [
            {
                "name": field,
                "type": type_of(each),
                "required": field in required,
                "text": each.get("description", ""),
            }
            for field, each in schema.get("properties", {}).items()
        ]
        yield {"name": name, "text": schema.get("description", ""), "type": type_of(schema), "fields": fields}


def type_of(schema: Mapping[str, Any]) -> str:
    """Say in one line what a schema takes: ``integer >= 1``, ``[Preview]``, ``"full" | "delta"``."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " | ".join(type_of(each) for each in schema[key])
    if "enum" in schema:
        return " | ".join(f'"{each}"' for each in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"[{type_of(schema.get('items', {}))}]"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"{{name: {type_of(schema['additionalProperties'])}}}"
    bounds = [
        f"{sign} {schema[key]}"
        for key, sign in (
            ("minimum", ">="),
            ("exclusiveMinimum", ">"),
            ("maximum", "<="),
            ("exclusiveMaximum", "<"),
            ("minLength", "of at least"),
            ("maxLength", "of at most"),
        )
        if key in schema
    ]
    return " ".join([kind, *bounds])
