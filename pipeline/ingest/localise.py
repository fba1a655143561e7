"""Frames to plate boxes, and rectified patches.

A plate is a patch of close upright strokes: gradients across, joined by a closing wider than the gaps between
characters, bounded by a rectangle of a plate's proportion. Several scales find near and far plates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import FrameError
from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX

MIN_SIDE_PX: Final = 16
MAX_PIXELS: Final = 50_000_000
MAX_PLATES: Final = 8

_WORK_WIDTH_PX: Final = 1280
_MIN_PROPORTION: Final = 2.2
_MAX_PROPORTION: Final = 8.0
_MIN_STROKES: Final = 0.10
_CLOSINGS_PX: Final = (13, 25, 41)
_OVERLAP: Final = 0.3


@dataclass(frozen=True, slots=True)
class Detections:
    """K plates of one frame, the likeliest first.

    Attributes
    ----------
    boxes
        float32 ``(K, 4)``: x, y, w, h in pixels of the frame.
    corners
        float32 ``(K, 4, 2)``: from the top left clockwise.
    scores
        float32 ``(K,)``, 0 to 1.
    """

    boxes: NDArray[np.float32]
    corners: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """Decode JPEG, PNG or whatever OpenCV reads into RGB uint8 ``(H, W, 3)``, turned as its EXIF says.

    Raises
    ------
    FrameError
        It is no image (``not_an_image``), or too small or too large for one (``image_size``).
    """
    if not data:
        raise FrameError("the image is empty", reason="not_an_image")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise FrameError(f"the image cannot be decoded: {error.err}", reason="not_an_image") from error
    if image is None:
        raise FrameError("the bytes are no image; send JPEG or PNG", reason="not_an_image")
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE_PX:
        raise FrameError(f"the image is {width}x{height} pixels; a plate needs more", reason="image_size")
    if height * width > MAX_PIXELS:
        raise FrameError(f"the image is {width}x{height} pixels; at most {MAX_PIXELS}", reason="image_size")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


class Localiser:
    """Finds plates on frames."""

    def find(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the plates of each frame; frames are RGB uint8 ``(H, W, 3)`` of any size."""
        return [self._find(frame) for frame in frames]

    def _find(self, frame: NDArray[np.uint8]) -> Detections:
        scale = min(1.0, _WORK_WIDTH_PX / frame.shape[1])
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        across = np.abs(cv2.Sobel(cv2.GaussianBlur(grey, (3, 3), 0), cv2.CV_32F, 1, 0))
        strokes = (across > max(60.0, float(np.percentile(across, 97)))).astype(np.uint8) * 255
        found = [each for width in _CLOSINGS_PX for each in _candidates(strokes, width)]
        found.sort(key=lambda each: -each[1])
        kept: list[tuple[NDArray[np.float32], float]] = []
        for corners, score in found:
            if all(_iou(corners, other) < _OVERLAP for other, _ in kept):
                kept.append((corners, score))
            if len(kept) == MAX_PLATES:
                break
        corners = np.array([each / scale for each, _ in kept], np.float32).reshape(-1, 4, 2)
        low, high = corners.min(axis=1), corners.max(axis=1)
        return Detections(
            boxes=np.concatenate([low, high - low], axis=1).astype(np.float32),
            corners=corners,
            scores=np.array([score for _, score in kept], np.float32),
        )


def rectify(frame: NDArray[np.uint8], corners: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Warp the plates with `corners` ``(K, 4, 2)`` upright: uint8 ``(K, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3)``."""
    size = (PATCH_WIDTH_PX, PATCH_HEIGHT_PX)
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    patches = np.empty((len(corners), size[1], size[0], 3), np.uint8)
    for row, quad in enumerate(corners):
        matrix = cv2.getPerspectiveTransform(np.ascontiguousarray(quad), target)
        patches[row] = cv2.warpPerspective(frame, matrix, size, flags=cv2.INTER_LINEAR)
    return patches


def _candidates(strokes: NDArray[np.uint8], width_px: int) -> list[tuple[NDArray[np.float32], float]]:
    """Rectangles of a plate's proportion that are full of strokes: corners ``(4, 2)`` and score."""
    kernel = np.ones((max(3, width_px // 4), width_px), np.uint8)
    closed = cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, kernel)
    closed = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((5, 9), np.uint8))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        area = cv2.contourArea(contour)
        if area < 300:
            continue
        rectangle = cv2.minAreaRect(contour)
        corners = _ordered(cv2.boxPoints(rectangle))
        width = float(np.linalg.norm(corners[1] - corners[0]))
        height = float(np.linalg.norm(corners[3] - corners[0]))
        if height < 8 or not _MIN_PROPORTION <= width / height <= _MAX_PROPORTION:
            continue
        full = area / (width * height)
        x, y, w, h = cv2.boundingRect(contour)
        density = float(strokes[y : y + h, x : x + w].mean()) / 255
        if density < _MIN_STROKES:
            continue
        # A plate is about 4.7 times as wide as high, full of ink, and its outline is a rectangle.
        proportion = np.exp(-((np.log(width / height / 4.4)) ** 2) / 0.4)
        found.append((corners, float(np.clip(full * proportion * min(1.0, density / 0.3), 0, 1))))
    return found


def _ordered(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Corners from the top left clockwise, for a rectangle that lies rather than stands."""
    by_height = points[np.argsort(points[:, 1])]
    top = by_height[:2][np.argsort(by_height[:2, 0])]
    low = by_height[2:][np.argsort(-by_height[2:, 0])]
    return np.concatenate([top, low]).astype(np.float32)


def _iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Overlap of the upright boxes around two quads."""
    low = np.maximum(one.min(axis=0), other.min(axis=0))
    high = np.minimum(one.max(axis=0), other.max(axis=0))
    shared = float(np.prod(np.maximum(0, high - low)))
    areas = sum(float(np.prod(quad.max(axis=0) - quad.min(axis=0))) for quad in (one, other))
    return shared / (areas - shared) if areas > shared else 1.0
