"""What a person sees of a read: the plate cut out of its frame, and the vehicle around it, as small JPEGs."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import FrameError
from pipeline.ingest.images import decode_image
from pipeline.model import MAX_PATCH_BYTES, MAX_PICTURE_BYTES, Box

PATCH_WIDTH_PX: Final = 240
"""An operator sees the plate at most this wide: 3 to 5 kB."""
PICTURE_WIDTH_PX: Final = 480
"""And the vehicle: 15 to 24 kB."""

_QUALITIES: Final = (80, 65, 50, 35, 20)
_PATCH_MARGIN: Final = 0.15
# How much of a car there is around its plate, which is half a metre wide, in widths of the plate.
_BESIDE: Final = 2.2
_ABOVE: Final = 3.2
_BELOW: Final = 1.2
# A plate of two lines is less wide than one of one line: this many of its heights are half a metre.
_HEIGHTS: Final = 2.2
_JPEG: Final = b"\xff\xd8\xff"


def patch_jpeg(image: NDArray[np.uint8], box: Box) -> bytes:
    """Cut the plate with a margin out of an RGB frame, as it is on it: somebody judges the read by it."""
    x, y = int(box.w * _PATCH_MARGIN), int(box.h * _PATCH_MARGIN)
    cut = _cut(image, box, (x, y, x, y))
    return _bounded(cut, PATCH_WIDTH_PX, MAX_PATCH_BYTES)


def vehicle_jpeg(image: NDArray[np.uint8], box: Box) -> bytes:
    """Cut what is about a vehicle's size around its plate out of an RGB frame: at most `MAX_PICTURE_BYTES`."""
    width = max(box.w, _HEIGHTS * box.h)
    beside = int(_BESIDE * width)
    cut = _cut(image, box, (beside, int(_ABOVE * width), beside, int(_BELOW * width)))
    return _bounded(cut, PICTURE_WIDTH_PX, MAX_PICTURE_BYTES)


def fitting_jpeg(data: bytes | None) -> bytes | None:
    """A vendor's picture of a vehicle or a scene, made smaller where it is larger than `MAX_PICTURE_BYTES`.

    None where there is none, or it is no JPEG that can be decoded: it only describes the read, which goes on.
    """
    if data is None or not data.startswith(_JPEG):
        return None
    if len(data) <= MAX_PICTURE_BYTES:
        return data
    try:
        return _bounded(decode_image(data), PICTURE_WIDTH_PX, MAX_PICTURE_BYTES)
    except FrameError:
        return None


def _cut(image: NDArray[np.uint8], box: Box, margins: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The box with margins to the left, above, to the right and below it, as far as the frame goes."""
    left, above, right, below = margins
    rows = slice(max(0, box.y - above), box.y + box.h + below)
    return image[rows, max(0, box.x - left) : box.x + box.w + right]


def _narrowed(image: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    scale = width_px / image.shape[1]
    if scale >= 1:
        return image
    size = (width_px, max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _bounded(image: NDArray[np.uint8], width_px: int, max_bytes: int) -> bytes:
    """Encode at the first quality, then at the first width, that keeps to `max_bytes`."""
    while True:
        smaller = _narrowed(image, width_px)
        for quality in _QUALITIES:
            data = _jpeg(smaller, quality)
            if len(data) <= max_bytes:
                return data
        width_px //= 2


def _jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
