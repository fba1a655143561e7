"""The admin endpoint: make a list, publish a version of it, see what is live and what the workers hold.

The console mounts it under ``/api/hotlists`` and brings `authorise`, which names who acts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from hotlists.entry import Hotlist
from hotlists.parse import FileError, parse
from hotlists.store import HotlistError, HotlistStore

MAX_UPLOAD_BYTES: Final = 64 * 1_048_576
SHOWN_ERRORS: Final = 1000


def problem(status: int, title: str, detail: str) -> JSONResponse:
    """Answer with a problem document (RFC 9457)."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")


def router(store: Callable[[], HotlistStore], authorise: Callable[..., Any]) -> APIRouter:
    """Make the endpoint's routes.

    Parameters
    ----------
    store
        Gives the store at the time of a request.
    authorise
        FastAPI dependency that returns who acts, or refuses.
    """
    routes = APIRouter(tags=["hotlists"])
    actor = Annotated[str, Depends(authorise)]

    @routes.get("")
    async def show_lists(who: actor) -> JSONResponse:
        found = [{**msgspec.to_builtins(each), "live": number} for each, number in await store().lists()]
        return JSONResponse(found)

    @routes.get("/workers")
    async def show_workers(who: actor) -> JSONResponse:
        return JSONResponse(await store().workers())

    @routes.put("/{name}")
    async def put_list(name: str, request: Request, who: actor) -> JSONResponse:
        body = await _body(request, 65_536)
        if body is None:
            return problem(413, "Te groot", "the metadata of a list is at most 64 KiB")
        try:
            given = msgspec.json.decode(body)
            if not isinstance(given, dict):
                raise HotlistError("the body is a JSON object with the list's metadata")
            hotlist = msgspec.convert({**given, "name": name}, Hotlist, strict=True)
            await store().create(hotlist)
        except (msgspec.MsgspecError, HotlistError) as error:
            return problem(400, "Ongeldige lijst", str(error))
        return JSONResponse(msgspec.to_builtins(hotlist))

    @routes.post("/{name}/versions")
    async def publish(
        name: str, request: Request, who: actor, why: Annotated[str, Query(min_length=1, max_length=500)]
    ) -> JSONResponse:
        body = await _body(request, MAX_UPLOAD_BYTES)
        if body is None:
            return problem(413, "Te groot", f"an upload is at most {MAX_UPLOAD_BYTES} bytes")
        try:
            await store().get(name)
        except HotlistError as error:
            return problem(404, "Onbekende lijst", str(error))
        try:
            parsed = parse(body)
        except FileError as error:
            return problem(400, "Onleesbaar bestand", str(error))
        errors = [asdict(error) for error in parsed.errors[:SHOWN_ERRORS]]
        if not parsed.entries:
            answer = problem(400, "Geen enkele bruikbare rij", "no row could be used; the live version stays")
            return JSONResponse({**msgspec.json.decode(answer.body), "rejected": errors}, 400)
        version = await store().publish(name, parsed.entries, by=who, why=why)
        return JSONResponse(
            {
                "accepted": len(parsed.entries),
                "rejected_count": len(parsed.errors),
                "rejected": errors,
                "version": version,
            },
            201,
        )

    return routes


async def _body(request: Request, limit_bytes: int) -> bytes | None:
    """Read a body of at most `limit_bytes`; None when it is larger, without reading the rest."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit_bytes:
            return None
        parts.append(part)
    return b"".join(parts)
