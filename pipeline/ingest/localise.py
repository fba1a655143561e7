"""Frames to plate boxes, and rectified patches.

A plate is a line of dark characters on a light field: marks of a character's proportion, equally high, on one
straight line, close to each other. Marks come from a threshold against the neighbourhood's mean, at two sizes
of neighbourhood, so that near and far plates, in shadow or flash, stand out alike.

What it does not find: light characters on a dark field, plates of two lines as one, and plates whose characters
are lower than `MIN_CHARACTER_PX` when the frame is scaled to `_WORK_WIDTH_PX`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX

MAX_PLATES: Final = 8
MIN_CHARACTER_PX: Final = 9

_WORK_WIDTH_PX: Final = 1280
_MAX_CHARACTER_PX: Final = 120
# Size of a neighbourhood, and how much darker than its mean ink is there, in grey levels.
_THRESHOLDS: Final = ((25, 14), (61, 30))
# Width per height of one character; two that touch are still a mark.
_PROPORTION: Final = (0.10, 1.7)
_FILLED: Final = (0.18, 0.97)
_MAX_MARKS: Final = 800
# All as shares of a character's height: equally high, on one line, no farther apart than a dash or a seal.
_HEIGHT_RATIO: Final = 1.22
_MAX_RISE: Final = 0.30
_MAX_GAP: Final = 1.35
_MAX_OVERLAP: Final = 0.15
_MIN_MARKS: Final = 4
_MAX_MARKS_A_LINE: Final = 12
_MAX_UNEVEN: Final = 0.09
# Over a whole line: a row of windows is evener than any plate, but its marks are full and far apart.
_MAX_MEDIAN_FILLED: Final = 0.82
_MAX_MEDIAN_GAP: Final = 0.62
# What a character's height is of its plate's, and the margin beside the outer ones as a share of that height.
_CHARACTER_SHARE: Final = 0.70
_SIDE_MARGIN: Final = 0.8
_OVERLAP: Final = 0.5


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


class Localiser:
    """Finds plates on frames."""

    def find(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find the plates of each frame; frames are RGB uint8 ``(H, W, 3)`` of any size."""
        return [self._find(frame) for frame in frames]

    def _find(self, frame: NDArray[np.uint8]) -> Detections:
        scale = min(1.0, _WORK_WIDTH_PX / frame.shape[1])
        # Red ink on white (Belgium) is dark in green, black on yellow (Netherlands) too.
        green = np.ascontiguousarray(frame[:, :, 1])
        if scale < 1:
            smaller = cv2.resize(green, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            green = np.asarray(smaller, np.uint8)
        found = [line for size, depth in _THRESHOLDS for line in _lines(_marks(green, size, depth))]
        found.sort(key=lambda each: -each[1])
        kept: list[tuple[NDArray[np.float32], float]] = []
        for corners, score in found:
            if all(_overlap(corners, other) < _OVERLAP for other, _ in kept):
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
        patches[row] = cv2.warpPerspective(
            frame, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return patches


def _marks(green: NDArray[np.uint8], neighbourhood_px: int, depth: int) -> NDArray[np.float32]:
    """Dark marks of a character's proportion: float32 ``(M, 5)``, x, y, w, h, share filled, from left to right."""
    smooth = cv2.GaussianBlur(green, (3, 3), 0)
    ink = cv2.adaptiveThreshold(
        smooth, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, neighbourhood_px, depth
    )
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=4)
    boxes = stats[1:].astype(np.float32)
    width, height, area = boxes[:, 2], boxes[:, 3], boxes[:, 4]
    filled = area / (width * height)
    likely = (
        (height >= MIN_CHARACTER_PX)
        & (height <= _MAX_CHARACTER_PX)
        & (width >= _PROPORTION[0] * height)
        & (width <= _PROPORTION[1] * height)
        & (filled >= _FILLED[0])
        & ((filled <= _FILLED[1]) | (width < 0.4 * height))
    )
    found = np.column_stack([boxes[:, :4], filled])[likely]
    if len(found) > _MAX_MARKS:
        found = found[np.argsort(-found[:, 3])[:_MAX_MARKS]]
    ordered: NDArray[np.float32] = found[np.argsort(found[:, 0], kind="stable")]
    return ordered


def _lines(marks: NDArray[np.float32]) -> list[tuple[NDArray[np.float32], float]]:
    """Lines of marks: each line's corners ``(4, 2)`` and its score, 0 to 1."""
    if len(marks) < _MIN_MARKS:
        return []
    follower = _followers(marks)
    begins = np.setdiff1d(np.arange(len(marks)), follower)
    found = []
    for begin in begins:
        line = [int(begin)]
        while (following := int(follower[line[-1]])) >= 0:
            line.append(following)
        if _MIN_MARKS <= len(line) <= _MAX_MARKS_A_LINE:
            plate = _outline(marks[line])
            if plate is not None:
                found.append(plate)
    return found


def _followers(marks: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each mark the row of the next on its line, or -1; no mark follows two."""
    x, y, w, h, _ = marks.T
    height = np.minimum(h[:, None], h[None, :])
    gap = (x[None, :] - (x + w)[:, None]) / height
    rise = np.abs((y + h / 2)[None, :] - (y + h / 2)[:, None]) / height
    ratio = h[None, :] / h[:, None]
    fits = (
        (gap > -_MAX_OVERLAP)
        & (gap < _MAX_GAP)
        & (rise < _MAX_RISE)
        & (ratio < _HEIGHT_RATIO)
        & (ratio > 1 / _HEIGHT_RATIO)
        & (x[None, :] > x[:, None])
    )
    distance = np.where(fits, gap + rise, np.inf)
    follower = np.where(np.isfinite(distance.min(axis=1)), distance.argmin(axis=1), -1)
    for row in np.unique(follower[follower >= 0]):
        rivals = np.flatnonzero(follower == row)
        follower[rivals[distance[rivals, row] > distance[rivals, row].min()]] = -1
    return follower.astype(np.int64)


def _outline(line: NDArray[np.float32]) -> tuple[NDArray[np.float32], float] | None:
    """Corners of the plate around a line of marks, and how even the line is; None when it is no line."""
    x, y, w, h, filled = line.T
    height = float(np.median(h))
    gap = float(np.median(x[1:] - (x + w)[:-1])) / height
    if np.median(filled) > _MAX_MEDIAN_FILLED or gap > _MAX_MEDIAN_GAP:
        return None
    middle_x, middle_y = x + w / 2, y + h / 2
    slope, offset = np.polyfit(middle_x, middle_y, 1)
    uneven = float(np.abs(middle_y - (slope * middle_x + offset)).mean()) / height
    if uneven > _MAX_UNEVEN or abs(slope) > 0.35:
        return None
    margin = _SIDE_MARGIN * height
    along = np.array([1.0, slope]) / np.hypot(1.0, slope)
    down = np.array([-along[1], along[0]]) * height / _CHARACTER_SHARE / 2
    left, right = float(x.min()) - margin, float((x + w).max()) + margin
    begin, end = np.array([left, slope * left + offset]), np.array([right, slope * right + offset])
    corners = np.array([begin - down, end - down, end + down, begin + down], np.float32)
    spread = float(np.abs(h - height).mean()) / height
    score = min(1.0, len(line) / 8) * float(np.exp(-uneven / 0.12 - spread / 0.25))
    return corners, score


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Share of the smaller of the upright boxes around two quads that is also in the other."""
    low = np.maximum(one.min(axis=0), other.min(axis=0))
    high = np.minimum(one.max(axis=0), other.max(axis=0))
    shared = float(np.prod(np.maximum(0, high - low)))
    smaller = min(float(np.prod(quad.max(axis=0) - quad.min(axis=0))) for quad in (one, other))
    return shared / smaller if smaller > 0 else 1.0
