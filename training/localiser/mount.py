"""Mount a plate in a scene: perspective, holder, light, dirt, what stands before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Corners = NDArray[np.float32]

_FOCAL_WIDTHS: Final = 4.0
"""How far the camera is, in plate widths: near enough that the far end is a little smaller."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a plate is and how it is turned; angles in radians, the rest in pixels."""

    centre: tuple[float, float]
    width_px: float
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0


def draw_pose(
    centre: tuple[float, float], width_px: float, random: np.random.Generator, *, wild: bool = False
) -> Pose:
    """Turn a plate a little, as on most vehicles; `wild` to 30 degrees of roll and 50 of yaw."""
    roll, yaw, pitch = np.deg2rad((30.0, 50.0, 30.0) if wild else (4.0, 28.0, 12.0))
    return Pose(
        centre,
        width_px,
        float(np.clip(random.normal(0, roll / 2), -roll, roll)),
        float(np.clip(random.normal(0, yaw / 2), -yaw, yaw)),
        float(np.clip(random.normal(0, pitch / 2), -pitch, pitch)),
    )


def corners_of(pose: Pose, aspect: float) -> Corners:
    """Project the corners of a plate that is `aspect` times as wide as high; float32 ``(4, 2)``, clockwise."""
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [0.5, 0.5 / aspect]
    x = half[:, 0] * np.cos(pose.yaw)
    depth = half[:, 0] * np.sin(pose.yaw)
    y = half[:, 1] * np.cos(pose.pitch)
    depth = _FOCAL_WIDTHS + depth + half[:, 1] * np.sin(pose.pitch)
    flat = np.stack([x, y], axis=1) / depth[:, None] * _FOCAL_WIDTHS
    turn = np.array([[np.cos(pose.roll), -np.sin(pose.roll)], [np.sin(pose.roll), np.cos(pose.roll)]])
    return np.asarray(flat @ turn.T * pose.width_px + pose.centre, np.float32)


def grow(corners: Corners, across: float, down: float) -> Corners:
    """Move the corners outwards by shares of the quad's width and height."""
    right = (corners[1] + corners[2] - corners[0] - corners[3]) / 2 * across
    below = (corners[3] + corners[2] - corners[0] - corners[1]) / 2 * down
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    return np.asarray(corners + signs[:, :1] * right + signs[:, 1:] * below, np.float32)


def mount(image: Image, plate: Image, corners: Corners, light: float, random: np.random.Generator) -> None:
    """Draw the plate with its holder and what spoils it into `image`, in place; `light` scales its brightness."""
    if random.random() < 0.45:
        _holder(image, corners, random)
    paste(image, _wear(plate, light, random), corners)
    if random.random() < 0.12:
        _stand_before(image, corners, random)


def paste(image: Image, plate: Image, corners: Corners) -> None:
    """Warp `plate` onto the quad, in place; the parts outside the image are lost."""
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 2, 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 3, image.shape[1::-1])
    if (high <= low).any():
        return
    # Warping down takes one pixel of several; shrinking first averages them, as a lens does.
    longest = max(float(np.linalg.norm(corners[1] - corners[0])), float(np.linalg.norm(corners[2] - corners[3])))
    shrink = min(1.0, (longest + 1) / plate.shape[1])
    small = cv2.resize(plate, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, (corners - low).astype(np.float32))
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    warped = cv2.warpPerspective(small, matrix, size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.full((height, width), 255, np.uint8), matrix, size)[:, :, None] / np.float32(255)
    under = image[low[1] : high[1], low[0] : high[0]]
    # What is warped has faded to black at its edges already, as the mask has.
    under[:] = np.clip(under * (1 - mask) + warped, 0, 255).astype(np.uint8)


def _wear(plate: Image, light: float, random: np.random.Generator) -> Image:
    """Light, lamp, shadow, dirt and bent glare on the plate itself."""
    height, width = plate.shape[:2]
    shade = np.full((height // 4, width // 4), light, np.float32)
    rows = np.linspace(0, 1, shade.shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, shade.shape[1], dtype=np.float32)[None, :]
    if random.random() < 0.3:
        shade *= 1 + random.uniform(-0.5, 0.5) * (rows - 0.5) + random.uniform(-0.4, 0.4) * (columns - 0.5)
    if random.random() < 0.2:
        edge = columns - random.uniform(0.1, 0.9) + random.uniform(-0.6, 0.6) * (rows - 0.5)
        shade *= np.where(edge > 0, np.float32(random.uniform(0.35, 0.75)), np.float32(1))
    if random.random() < 0.12:
        shade *= np.where(rows < random.uniform(0.1, 0.45), np.float32(random.uniform(0.3, 0.7)), np.float32(1))
    if random.random() < 0.25:
        coarse = random.random((3, 9), dtype=np.float32)
        shade *= 1 - random.uniform(0.1, 0.6) * cv2.resize(coarse, shade.shape[::-1])
    worn = plate.astype(np.float32)
    if random.random() < 0.25:
        # Faded ink, or letters that a headlight's return outshines.
        worn += random.uniform(0.1, 0.7) * np.maximum(worn.max(axis=(0, 1)) - worn, 0)
    worn *= cv2.resize(shade, (width, height))[:, :, None]
    if random.random() < 0.1:
        at = random.uniform(0, 1)
        worn += random.uniform(60, 220) * np.exp(-(((np.linspace(0, 1, width) - at) / 0.12) ** 2))[None, :, None]
    return np.clip(worn, 0, 255).astype(np.uint8)


def _holder(image: Image, corners: Corners, random: np.random.Generator) -> None:
    """A frame around the plate, dark or chrome, with room for a dealer's name below."""
    colour = int(random.choice([15, 20, 30, 60, 170, 220]))
    wide = float(random.uniform(0.01, 0.03))
    quad = grow(corners, wide, wide * 4)
    below = (corners[3] - corners[0] + corners[2] - corners[1]) / 2
    quad[2:] += below * float(random.choice([0.0, 0.08, 0.15]))
    cv2.fillConvexPoly(image, np.round(quad * 8).astype(np.int32), (colour,) * 3, cv2.LINE_AA, 3)
    if random.random() < 0.5:
        begin, end = (quad[3] * 0.8 + quad[2] * 0.2), (quad[3] * 0.25 + quad[2] * 0.75)
        lift = below * 0.05
        ends = [np.round((point - lift) * 8).astype(int).tolist() for point in (begin, end)]
        cv2.line(image, ends[0], ends[1], (255 - colour,) * 3, 1, cv2.LINE_AA, 3)


def _stand_before(image: Image, corners: Corners, random: np.random.Generator) -> None:
    """A tow bar, a bolt, or a bicycle rack's tube before the plate."""
    width = float(np.linalg.norm(corners[1] - corners[0]))
    at = corners[3] + (corners[2] - corners[3]) * float(random.uniform(0.15, 0.85))
    radius = max(1, int(width * random.uniform(0.015, 0.05)))
    shade = int(random.integers(10, 90))
    foot = (at + np.array([0, width * 0.3])).astype(int).tolist()
    if random.random() < 0.6:
        top = at - (corners[3] - corners[0]) * float(random.uniform(0.0, 0.35))
        cv2.line(
            image,
            top.astype(int).tolist(),
            foot,
            (shade,) * 3,
            radius,
        )
        cv2.circle(image, top.astype(int).tolist(), radius, (shade + 20,) * 3, -1, cv2.LINE_AA)
    else:
        begin = corners[0] + (corners[1] - corners[0]) * float(random.uniform(0, 1)) - [0, width * 0.3]
        cv2.line(
            image,
            begin.astype(int).tolist(),
            foot,
            (shade,) * 3,
            radius,
        )
