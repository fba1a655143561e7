"""Bodies and forms: small, and read no further than they may go."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BODY_BYTES: Final = 16_384
"""Largest body of a form or a fetch; the admin endpoint has its own limit."""
MAX_FIELDS: Final = 64


async def small_body(request: Request, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Read a body of at most `most_bytes`.

    Raises
    ------
    HTTPException
        413: it is larger; the rest is not read.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise HTTPException(413, f"a body is at most {most_bytes} bytes here")
        parts.append(part)
    return b"".join(parts)


async def form(request: Request, most_bytes: int = MAX_BODY_BYTES, *, strip: bool = True) -> dict[str, str]:
    """Read an URL-encoded form: the first value of each field, without spaces around it unless `strip` is false.

    Raises
    ------
    HTTPException
        400: it is not UTF-8, or has more than `MAX_FIELDS` fields; 413: it is too large.
    """
    body = await small_body(request, most_bytes)
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "the form is not UTF-8, or has too many fields") from error
    return {name: values[0].strip() if strip else values[0] for name, values in fields.items()}
