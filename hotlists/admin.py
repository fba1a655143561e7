"""The admin endpoint: make a list, publish a version of it, see what is live and what the workers hold.

The console mounts it under ``/api/hotlists`` and brings `authorise`, which names who acts.
"""

# Annotations are not postponed here: FastAPI looks them up among a module's names, and `actor` is a function's.

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Annotated, Any, BinaryIO, Final, cast

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from hotlists.entry import Handling, Hotlist
from hotlists.parse import FileError, ParsedFile, parse_file
from hotlists.store import HotlistError, HotlistStore

MAX_UPLOAD_BYTES: Final = 2 * 1_073_741_824
"""Of an upload as it comes in, compressed or not; it waits on disk, in a file that has no name."""
MAX_METADATA_BYTES: Final = 65_536
_IN_MEMORY_BYTES: Final = 4 * 1_048_576


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
            hotlist = _metadata(body, name, await _kept_handling(store(), name))
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
        async with _spooled(request, MAX_UPLOAD_BYTES) as file:
            if file is None:
                return problem(413, "Te groot", f"an upload is at most {MAX_UPLOAD_BYTES} bytes")
            try:
                # In a thread: a large file takes seconds, in which alerts must go on reaching the screens.
                parsed = await asyncio.to_thread(parse_file, file, name)
            except FileError as error:
                return problem(400, "Onleesbaar bestand", str(error))
        told = _told(parsed)
        if parsed.cut_off:
            return problem(
                400,
                "Afgebroken bestand",
                "the file ends in the middle of a row, so that rows may be missing; the live version stays, "
                "upload the whole file",
                **told,
            )
        if not len(parsed.columns):
            return problem(
                400, "Geen enkele bruikbare rij", "no row could be used; the live version stays", **told
            )
        try:
            version = await store().publish(name, parsed.columns, by=who, why=why.strip())
        except HotlistError as error:
            return problem(409, "Niet gepubliceerd", str(error))
        return JSONResponse({"accepted": parsed.accepted, **told, "version": version}, 201)

    return routes


def _told(parsed: ParsedFile) -> dict[str, Any]:
    """What whoever brought a file is told of it, whether it was published or not."""
    return {
        "duplicates": parsed.duplicates,
        "implausible": parsed.implausible,
        "rejected_count": parsed.rejected,
        "rejected": [asdict(error) for error in parsed.errors],
        "warnings": [asdict(warning) for warning in parsed.warnings],
        "ignored_columns": parsed.ignored_columns,
        "detected": asdict(parsed.detected),
    }


async def _kept_handling(store: HotlistStore, name: str) -> Handling | None:
    """Return the handling that a list has now; None where there is no such list yet."""
    try:
        return (await store.get(name)).handling
    except HotlistError:
        return None


def _metadata(body: bytes, name: str, kept: Handling | None) -> Hotlist:
    """Read the metadata of list `name`, whose handling is `kept` until now.

    Raises
    ------
    HotlistError
        It is no object, is of another list, or has a field that is none: a handling that is misspelt must not
        leave a list open that was meant to be covert. Or it leaves out the handling of a list that is covert.
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
    if kept is Handling.COVERT and "handling" not in given:
        raise HotlistError("this list is covert: state its handling, so that it is not opened by leaving it out")
    return msgspec.convert({**given, "name": name}, Hotlist, strict=True)


async def _body(request: Request, limit_bytes: int) -> bytes | None:
    """Read a body of at most `limit_bytes` into memory; None when it is larger, without reading the rest.

    Raises
    ------
    HTTPException
        400: it was cut off half-way.
    """
    async with _spooled(request, limit_bytes) as file:
        return None if file is None else file.read()


@contextlib.asynccontextmanager
async def _spooled(request: Request, limit_bytes: int) -> AsyncIterator[BinaryIO | None]:
    """Take a body of at most `limit_bytes` into a file; None when it is larger, without reading the rest.

    Raises
    ------
    HTTPException
        400: it was cut off half-way.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
        try:
            async for part in request.stream():
                if file.tell() + len(part) > limit_bytes:
                    yield None
                    return
                file.write(part)
        except ClientDisconnect as error:
            raise HTTPException(400, "the upload was cut off; nothing was published") from error
        file.seek(0)
        yield cast(BinaryIO, file)
