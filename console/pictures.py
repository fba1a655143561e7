"""Pictures as the console serves them: of a type that is theirs, or not at all.

What a feed or a camera delivered as a picture is anybody's bytes. Only what begins as an image does is given,
under that type; with ``nosniff`` (on every answer) a browser makes nothing else of it.
"""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

_SIGNATURES: Final = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


def picture_answer(content: bytes) -> Response:
    """Answer with a picture.

    Raises
    ------
    HTTPException
        404: it is no picture; the page says so in its place.
    """
    for signature, media_type in _SIGNATURES:
        if content.startswith(signature):
            return Response(content, media_type=media_type)
    raise HTTPException(404, "what is stored here is no picture")
