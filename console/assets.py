"""The scripts, styles and pictures of the pages: read once, compressed once, and kept by browsers for good.

All of them are under one path that names their content, ``/static/VERSION/``: the scripts' own imports, which are
relative, stay within it, and a browser never mixes two versions. Under any other path the same files are given
with the order to ask again, for a page that was open while the console was renewed.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FOR_GOOD: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"
_WORTH_BYTES: Final = 512
"""What is smaller fits in one packet as it is."""
_VERSIONED: Final = re.compile(r"([0-9a-f]{16})/(.+)")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is and compressed (None where that gains nothing)."""

    content: bytes
    compressed: bytes | None
    media_type: str


class Assets:
    """The files of a folder, without those of its subfolders.

    Parameters
    ----------
    folder
        Read now; what changes there later is seen by the next process.
    """

    def __init__(self, folder: Path) -> None:
        self._files = {path.name: _asset(path) for path in sorted(folder.iterdir()) if path.is_file()}
        digest = hashlib.blake2b(digest_size=8)
        for name, asset in self._files.items():
            digest.update(b"%s\0%d\0" % (name.encode(), len(asset.content)))
            digest.update(asset.content)
        self.version = digest.hexdigest()

    def address(self, name: str) -> str:
        """Return where the file is.

        Raises
        ------
        LookupError
            There is no such file.
        """
        if name not in self._files:
            raise LookupError(f"no static file {name}")
        return f"/static/{self.version}/{name}"

    async def serve(self, request: Request) -> Response:
        """Answer a request for ``/static/{path:path}``.

        Raises
        ------
        HTTPException
            404: there is no such file.
        """
        path: str = request.path_params["path"]
        versioned = _VERSIONED.fullmatch(path)
        asset = self._files.get(versioned[2] if versioned else path)
        if asset is None:
            raise HTTPException(404, "there is no such file")
        current = versioned is not None and versioned[1] == self.version
        headers = {
            "Cache-Control": FOR_GOOD if current else ASK_AGAIN,
            "ETag": f'"{self.version}"',
            "Vary": "Accept-Encoding",
        }
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        if asset.compressed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            return Response(
                asset.compressed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"}
            )
        return Response(asset.content, media_type=asset.media_type, headers=headers)


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    compressed = gzip.compress(content, 9, mtime=0) if len(content) >= _WORTH_BYTES else None
    # What the machine's own tables say of a script may be anything; browsers run no module of another type.
    known = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    guessed = known.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(content, compressed, guessed)


ASSETS: Final = Assets(Path(__file__).parent / "static")
