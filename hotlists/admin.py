"""The admin endpoint: make a list, publish a version of it, see what is live and what the workers hold.

The console mounts it under ``/api/hotlists`` and brings `authorise`, which names who acts.
"""

# Annotations are not postponed here: FastAPI looks them up among a module's names, and `actor` is a function's.

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from hotlists.entry import Hotlist
from hotlists.parse import FileError, parse
from hotlists.store import HotlistError, HotlistStore

MAX_UPLOAD_BYTES: Final = 64 * 1_048_576
MAX_METADATA_BYTES: Final = 65_536


def problem(status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """Answer with a problem document (RFC 9457); `more` are members of its own."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
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
        body = await _body(request, MAX_METADATA_BYTES)
        if body is None:
            return problem(413, "Te groot", f"the metadata of a list is at most {MAX_METADATA_BYTES} bytes")
        try:
            hotlist = _metadata(body, name)
            await store().create(hotlist)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, HotlistError) as error:
            return problem(400, "Ongeldige lijst", str(error))
        return JSONResponse(msgspec.to_builtins(hotlist))

    @routes.post("/{name}/versions")
    async def publish(
        name: str, request: Request, who: actor, why: Annotated[str, Query(pattern=r"\S", max_length=500)]
    ) -> JSONResponse:
        try:
            await store().get(name)
        except HotlistError as error:
            return problem(404, "Onbekende lijst", str(error))
        body = await _body(request, MAX_UPLOAD_BYTES)
        if body is None:
            return problem(413, "Te groot", f"an upload is at most {MAX_UPLOAD_BYTES} bytes")
        try:
            # In a thread: a large file takes seconds, in which alerts must go on reaching the screens.
            parsed = await asyncio.to_thread(parse, body, name)
        except FileError as error:
            return problem(400, "Onleesbaar bestand", str(error))
        told = {
            "rejected_count": parsed.rejected,
            "rejected": [asdict(error) for error in parsed.errors],
            "ignored_columns": parsed.ignored_columns,
        }
        if not parsed.entries:
            return problem(
                400, "Geen enkele bruikbare rij", "no row could be used; the live version stays", **told
            )
        try:
            version = await store().publish(name, parsed.entries, by=who, why=why.strip())
        except HotlistError as error:
            return problem(409, "Niet gepubliceerd", str(error))
        return JSONResponse({"accepted": len(parsed.entries), **told, "version": version}, 201)

    return routes


def _metadata(body: bytes, name: str) -> Hotlist:
    """Read the metadata of list `name`.

    Raises
    ------
    HotlistError
        It is no object, is of another list, or has a field that is none: a handling that is misspelt must not
        leave a list open that was meant to be covert.
    msgspec.MsgspecError, UnicodeDecodeError, RecursionError
        It is no JSON, or a value is not of its field.
    """
    given = msgspec.json.decode(body)
    if not isinstance(given, dict):
        raise HotlistError("the body is a JSON object with the list's metadata")
    if given.get("name", name) != name:
        raise HotlistError(f"the body is of another list than {name!r}")
    unknown = sorted(set(given) - set(Hotlist.__struct_fields__))
    if unknown:
        raise HotlistError(f"unknown: {', '.join(unknown)}; a list has {', '.join(Hotlist.__struct_fields__)}")
    return msgspec.convert({**given, "name": name}, Hotlist, strict=True)


async def _body(request: Request, limit_bytes: int) -> bytes | None:
    """Read a body of at most `limit_bytes`; None when it is larger, without reading the rest.

    Raises
    ------
    HTTPException
        400: it was cut off half-way.
    """
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit_bytes:
                return None
            parts.append(part)
    except ClientDisconnect as error:
        raise HTTPException(400, "the upload was cut off; nothing was published") from error
    return b"".join(parts)
