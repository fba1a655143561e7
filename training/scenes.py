"""Draw road scenes: the rear of a vehicle on a road, its plate in perspective, by day or in infra-red."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.plates import HEIGHT_PX, WIDTH_PX, draw_plate

SCENE_WIDTH_PX: Final = 1280
SCENE_HEIGHT_PX: Final = 720
_BODIES: Final = ((70, 75, 85), (150, 155, 160), (30, 35, 60), (110, 30, 30), (60, 90, 70), (200, 200, 205))

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene: RGB uint8 ``(720, 1280, 3)``, and the plate's corners, float32 ``(4, 2)``, from the top left on."""

    image: Image
    corners: NDArray[np.float32]


def draw_scene(text: str, country: str, random: np.random.Generator, *, infrared: bool = False) -> Scene:
    """Draw a vehicle with that plate somewhere on the road, seen by a roadside camera."""
    image = _road(random)
    width = int(random.integers(420, 620))
    left = int(random.integers(60, SCENE_WIDTH_PX - width - 60))
    bottom = int(random.integers(560, 680))
    _car(image, random, left, bottom, width)
    plate_width = width * float(random.uniform(0.33, 0.40))
    centre = np.array([left + width / 2, bottom - width * 0.17])
    corners = _corners(centre, plate_width, random)
    plate = draw_plate(text, country, infrared=infrared)
    if infrared:
        image = _night(image)
    image = _paste(image, plate, corners)
    return Scene(_spoil(image, random, infrared=infrared), corners.astype(np.float32))


def encode_jpeg(image: Image, quality: int = 82) -> bytes:
    """Encode an RGB image as JPEG."""
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise ValueError("the image cannot be encoded")
    return data.tobytes()


def _road(random: np.random.Generator) -> Image:
    """Sky, verge, asphalt with lane marks."""
    image = np.empty((SCENE_HEIGHT_PX, SCENE_WIDTH_PX, 3), np.uint8)
    horizon = int(random.integers(180, 240))
    sky = np.linspace(235, 190, horizon)[:, None]
    image[:horizon] = (np.stack([sky * 0.85, sky * 0.93, sky], axis=2)).astype(np.uint8)
    image[horizon:] = (96, 98, 100)
    points = np.array([[0, horizon], [430, horizon], [-300, SCENE_HEIGHT_PX], [0, SCENE_HEIGHT_PX]], np.int32)
    cv2.fillPoly(image, [points], (84, 110, 72))
    for offset in (-260, 0, 260):
        for step in range(6):
            top = horizon + 20 + step * 90
            shift = offset * (top - horizon) / 300
            cv2.line(
                image,
                (int(640 + shift), top),
                (int(640 + shift * 1.12), top + 38),
                (205, 205, 200),
                2 + step,
            )
    return image


def _car(image: Image, random: np.random.Generator, left: int, bottom: int, width: int) -> None:
    """The rear of a car: shadow, wheels, body, window, lamps, bumper."""
    body = tuple(int(each) for each in _BODIES[int(random.integers(len(_BODIES)))])
    dark = tuple(each // 3 for each in body)
    height = int(width * 0.72)
    top = bottom - height
    cv2.ellipse(image, (left + width // 2, bottom + 12), (width // 2 + 20, 22), 0, 0, 360, (50, 50, 52), -1)
    for wheel in (left + 30, left + width - 80):
        cv2.rectangle(image, (wheel, bottom - 60), (wheel + 50, bottom + 14), (22, 22, 24), -1)
    roof = np.array(
        [
            [left + width // 6, top],
            [left + width * 5 // 6, top],
            [left + width, top + height * 2 // 5],
            [left, top + height * 2 // 5],
        ],
        np.int32,
    )
    cv2.fillPoly(image, [roof], body)
    glass = (roof * 0.86 + roof.mean(axis=0) * 0.14 + np.array([0, 6])).astype(np.int32)
    cv2.fillPoly(image, [glass], (48, 56, 62))
    cv2.rectangle(image, (left, top + height * 2 // 5), (left + width, bottom - 20), body, -1)
    cv2.rectangle(image, (left, bottom - 56), (left + width, bottom - 12), dark, -1)
    for lamp in (left + 8, left + width - 8 - width // 7):
        lamp_top = top + height * 2 // 5 + 16
        cv2.rectangle(image, (lamp, lamp_top), (lamp + width // 7, lamp_top + 44), (150, 24, 24), -1)
    cv2.line(image, (left, top + height // 2 + 60), (left + width, top + height // 2 + 60), dark, 2)


def _corners(centre: NDArray[np.float64], width: float, random: np.random.Generator) -> NDArray[np.float64]:
    """The plate's four corners under a small turn, tilt and perspective."""
    height = width * HEIGHT_PX / WIDTH_PX
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    angle = np.deg2rad(random.uniform(-4, 4))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1, random.uniform(-0.12, 0.12)], [0, 1]])
    return square @ shear.T @ turn.T + random.uniform(-1.5, 1.5, (4, 2)) + centre


def _paste(image: Image, plate: Image, corners: NDArray[np.float64]) -> Image:
    source = np.array([[0, 0], [WIDTH_PX, 0], [WIDTH_PX, HEIGHT_PX], [0, HEIGHT_PX]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
    size = (SCENE_WIDTH_PX, SCENE_HEIGHT_PX)
    warped = cv2.warpPerspective(plate, matrix, size, flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(np.full(plate.shape[:2], 255, np.uint8), matrix, size)[:, :, None] / 255.0
    return (image * (1 - mask) + warped * mask).astype(np.uint8)


def _night(image: Image) -> Image:
    """What an infra-red flash shows of everything but the plate: little, and grey."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.repeat((grey * 0.22)[:, :, None], 3, axis=2).astype(np.uint8)


def _spoil(image: Image, random: np.random.Generator, *, infrared: bool) -> Image:
    """Blur, exposure and sensor noise."""
    blurred = cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.4, 0.9)))
    noise = random.normal(0, 5.0 if infrared else 3.0, blurred.shape[:2])[:, :, None]
    gain = random.uniform(0.85, 1.1)
    return np.clip(blurred * gain + noise, 0, 255).astype(np.uint8)
