"""The body of an upload, streamed to a file that never has a name: an upload that is cut off leaves nothing."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import BinaryIO, Final, cast

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from hotlists.problems import AwayError, BadRequestError, TooLargeError

_BLOCK_BYTES: Final = 1_048_576
_FIELD: Final = "file"


@asynccontextmanager
async def received(request: Request, limit_bytes: int) -> AsyncIterator[BinaryIO]:
    """Give the file that a request brings: its body, or the field ``file`` of a browser's form.

    Raises
    ------
    TooLargeError
        It is more than `limit_bytes`; the rest is not read.
    BadRequestError
        It was cut off, or is a form without that field.
    AwayError
        There is no room on the disk for it.
    """
    try:
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            async with _field(request, limit_bytes) as file:
                yield file
        else:
            with tempfile.TemporaryFile() as file:
                await _spool(_bounded(request, limit_bytes), cast(BinaryIO, file))
                yield cast(BinaryIO, file)
    except ClientDisconnect as error:
        raise BadRequestError("cut_off", "the upload was cut off; nothing was kept of it") from error


@asynccontextmanager
async def _field(request: Request, limit_bytes: int) -> AsyncIterator[BinaryIO]:
    parser = MultiPartParser(request.headers, _bounded(request, limit_bytes), max_files=1, max_fields=20)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise BadRequestError("form", f"the form cannot be read: {error}") from error
    try:
        given = form.get(_FIELD)
        if not isinstance(given, UploadFile):
            raise BadRequestError("form", f"the form has no file in its field {_FIELD!r}")
        # Begun in memory: a descriptor puts it on disk, where another process can read it too.
        given.file.fileno()
        yield given.file
    finally:
        await form.close()


async def _bounded(request: Request, limit_bytes: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit_bytes:
            raise TooLargeError(
                "too_large", f"an upload is at most {limit_bytes} bytes; compress it, or split it up"
            )
        yield part


async def _spool(parts: AsyncIterator[bytes], file: BinaryIO) -> None:
    waiting = bytearray()
    try:
        async for part in parts:
            waiting += part
            if len(waiting) >= _BLOCK_BYTES:
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(file.write, bytes(waiting))
        await asyncio.to_thread(file.flush)
    except OSError as error:
        raise AwayError(
            "no_room", f"there is no room for the upload on this machine ({error.strerror})"
        ) from error
