"""Bytes to pixels: what is an image, how large it is, and what is refused before anything is decoded.

JPEG and PNG alone: every camera and every vendor sends one of them, and each further decoder is one more that
strangers' bytes get into. What else is known by its first bytes is named in the refusal.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import FrameError

MIN_SIDE_PX: Final = 16
MAX_SIDE_PX: Final = 16_384
"""No camera's frame is wider; a scan or a panorama is, and its plates are specks on it."""
MAX_PIXELS: Final = 50_000_000
"""Three bytes each, and a progressive JPEG needs nine while it is decoded: under half a gigabyte."""
BROKEN_OFF: Final = "the image breaks off, and no plate is on what came of it; send it again"
"""Said of a JPEG that is not `Decoded.whole` and shows no plate: it must not pass for an empty road."""

_END_OF_IMAGE: Final = b"\xff\xd9"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
# Of files that somebody may take for a frame: where their mark begins, the mark, and what they are.
_OTHERS: Final = (
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"BM", "BMP"),
    (4, b"ftyp", "HEIC, AVIF or video"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\3\4", "ZIP"),
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image as it was decoded.

    Attributes
    ----------
    pixels
        RGB uint8 ``(H, W, 3)``, upright.
    whole
        False for a JPEG that broke off: what did not come is grey.
    """

    pixels: NDArray[np.uint8]
    whole: bool


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """Decode JPEG or PNG into RGB uint8 ``(H, W, 3)``; see `decode`."""
    return decode(data).pixels


def decode(data: bytes) -> Decoded:
    """Decode JPEG or PNG, turned as its EXIF says; transparency is dropped, 16 bits become 8.

    The size is read from the header first: an image of a few kB can claim gigabytes of pixels. A JPEG that
    breaks off is decoded as far as it goes, because a plate may be on what came; a PNG is all or nothing.

    Raises
    ------
    FrameError
        It is no image (``not_an_image``), or too small or too large for one (``image_size``).
    """
    _check_size(data)
    encoded = np.frombuffer(data, np.uint8)
    try:
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
        whole = image is not None
        if not whole and data[:2] == b"\xff\xd8":
            # OpenCV waits in vain for the rest of a JPEG; told that this is the end, it leaves the rest grey.
            encoded = np.frombuffer(data + _END_OF_IMAGE, np.uint8)
            image = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise FrameError(f"the image cannot be decoded: {error.err}", reason="not_an_image") from error
    if image is None:
        raise FrameError("the image is damaged and cannot be decoded; send it again", reason="not_an_image")
    return Decoded(np.asarray(image, np.uint8), whole)


def _check_size(data: bytes) -> None:
    """Refuse what is no image, or of a size that no frame has, by its header alone."""
    if not data:
        raise FrameError("the image is empty", reason="not_an_image")
    size = image_size(data)
    if size is None:
        raise FrameError(f"the bytes are {_kind_of(data)}; send JPEG or PNG", reason="not_an_image")
    width, height = size
    if min(height, width) < MIN_SIDE_PX:
        raise FrameError(f"the image is {width}x{height} pixels; a plate needs more", reason="image_size")
    if max(height, width) > MAX_SIDE_PX or height * width > MAX_PIXELS:
        raise FrameError(
            f"the image is {width}x{height} pixels; at most {MAX_SIDE_PX} a side and {MAX_PIXELS} together",
            reason="image_size",
        )


def _kind_of(data: bytes) -> str:
    found = (kind for at, mark, kind in _OTHERS if data[at : at + len(mark)] == mark)
    return next((f"a file of another kind ({kind})" for kind in found), "no image")


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as a JPEG's or PNG's header states them; None when it is neither, or has no header."""
    if data[:8] == _PNG:
        return struct.unpack(">II", data[16:24]) if data[12:16] == b"IHDR" and len(data) >= 24 else None
    return _jpeg_size(data) if data[:2] == b"\xff\xd8" else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk the segments to the frame header (SOF, ISO/IEC 10918-1 B.2.2)."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        # SOF0 to SOF15, without the markers between them that are no frame header.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None
