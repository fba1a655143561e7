"""Draw road scenes: vehicles from behind, their plates in perspective, by day or in an infra-red flash."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.plates import HEIGHT_PX, WIDTH_PX, draw_plate

SCENE_WIDTH_PX: Final = 1280
SCENE_HEIGHT_PX: Final = 720
CAR_WIDTH_PX: Final = (360, 600)
"""How wide a vehicle appears, far and near; its plate is about a third of that."""

_BODIES: Final = ((70, 75, 85), (150, 155, 160), (30, 35, 60), (110, 30, 30), (60, 90, 70), (200, 200, 205))
_LETTERING: Final = ("BAKKERIJ", "SCHILDERWERKEN", "GARAGE", "BLOEMEN", "TUINEN")

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle to draw; `text` is its plate as written on it."""

    text: str
    country: str
    van: bool = False
    """A van carries its owner's trade in large letters: text that is no plate."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene.

    Attributes
    ----------
    image
        RGB uint8 ``(720, 1280, 3)``.
    corners
        float32 ``(V, 4, 2)``: each vehicle's plate, from the top left clockwise, in pixels.
    """

    image: Image
    corners: NDArray[np.float32]


def draw_scene(
    vehicles: Sequence[Vehicle], random: np.random.Generator, *, camera: str = "", infrared: bool = False
) -> Scene:
    """Draw at most two vehicles, side by side, as roadside camera `camera` sees them."""
    road = np.random.default_rng(zlib.crc32(camera.encode())) if camera else random
    horizon = int(road.integers(180, 240))
    image = _road(road, horizon)
    lanes = [1.0] if len(vehicles) == 1 else [-1.0, 1.0]
    plates = []
    for vehicle, lane in zip(vehicles, lanes, strict=False):
        width = int(random.integers(*CAR_WIDTH_PX) * (1.0 if len(vehicles) == 1 else 0.85))
        bottom = horizon + int((SCENE_HEIGHT_PX - 40 - horizon) * width / CAR_WIDTH_PX[1])
        if len(vehicles) == 1:
            left = int(random.integers(60, SCENE_WIDTH_PX - width - 60))
        else:
            left = int(SCENE_WIDTH_PX / 2 + lane * 320 - width / 2 + random.integers(-30, 31))
        _car(image, random, left, bottom, width, van=vehicle.van)
        plate_width = width * float(random.uniform(0.33, 0.40))
        corners = _corners(np.array([left + width / 2, bottom - width * 0.17]), plate_width, random)
        plates.append((draw_plate(vehicle.text, vehicle.country, infrared=infrared), corners))
    if infrared:
        image = _night(image)
    for plate, corners in plates:
        image = _paste(image, plate, corners)
    found = np.array([corners for _, corners in plates], np.float32).reshape(-1, 4, 2)
    return Scene(_spoil(image, random, infrared=infrared), found)


def draw_close_up(vehicle: Vehicle, random: np.random.Generator, *, infrared: bool = False) -> Scene:
    """Draw the plate and what little of the vehicle is around it, as large as in a scene: for training."""
    plate_width = float(random.uniform(0.33, 0.40)) * int(random.integers(*CAR_WIDTH_PX))
    width, height = int(plate_width * 1.6), int(plate_width * 0.7)
    image = np.empty((height, width, 3), np.uint8)
    image[:] = _BODIES[int(random.integers(len(_BODIES)))]
    image[int(height * random.uniform(0.6, 0.9)) :] //= 3
    corners = _corners(np.array([width / 2, height / 2]), plate_width, random)
    if infrared:
        image = _night(image)
    image = _paste(image, draw_plate(vehicle.text, vehicle.country, infrared=infrared), corners)
    return Scene(_spoil(image, random, infrared=infrared), corners[None].astype(np.float32))


def encode_jpeg(image: Image, quality: int = 82) -> bytes:
    """Encode an RGB image as JPEG."""
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise ValueError("the image cannot be encoded")
    return bytes(data.tobytes())


def _road(random: np.random.Generator, horizon: int) -> Image:
    """Sky, houses along the horizon, verge, asphalt with lane marks."""
    image = np.empty((SCENE_HEIGHT_PX, SCENE_WIDTH_PX, 3), np.uint8)
    sky = np.linspace(235, 190, horizon)[:, None]
    image[:horizon] = (np.stack([sky * 0.85, sky * 0.93, sky], axis=2)).astype(np.uint8)
    image[horizon:] = (96, 98, 100)
    left = -20
    while left < SCENE_WIDTH_PX:
        width, height = int(random.integers(70, 190)), int(random.integers(25, 110))
        if random.random() < 0.7:
            _house(image, random, left, horizon - height, width, horizon)
        left += width + int(random.integers(0, 60))
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


def _house(image: Image, random: np.random.Generator, left: int, top: int, width: int, horizon: int) -> None:
    shade = int(random.integers(90, 170))
    cv2.rectangle(image, (left, top), (left + width, horizon), (shade, shade - 25, shade - 35), -1)
    roof = np.array([[left - 6, top], [left + width // 2, top - 30], [left + width + 6, top]], np.int32)
    cv2.fillPoly(image, [roof], (88, 60, 52))
    for x in range(left + 10, left + width - 18, 30):
        for y in range(top + 10, horizon - 18, 34):
            cv2.rectangle(image, (x, y), (x + 13, y + 18), (60, 68, 76), -1)


def _car(image: Image, random: np.random.Generator, left: int, bottom: int, width: int, *, van: bool) -> None:
    """The rear of a car: shadow, wheels, body, window, lamps, bumper; a van has doors with lettering instead."""
    body = tuple(int(each) for each in _BODIES[int(random.integers(len(_BODIES)))])
    dark = tuple(each // 3 for each in body)
    height = int(width * 0.72)
    top = bottom - height
    cv2.ellipse(image, (left + width // 2, bottom + 12), (width // 2 + 20, 22), 0, 0, 360, (50, 50, 52), -1)
    for wheel in (left + 30, left + width - 80):
        cv2.rectangle(image, (wheel, bottom - 60), (wheel + 50, bottom + 14), (22, 22, 24), -1)
    if van:
        _doors(image, random, left, top - width // 5, width, top + height * 2 // 5, body)
    else:
        _window(image, left, top, width, top + height * 2 // 5, body)
    cv2.rectangle(image, (left, top + height * 2 // 5), (left + width, bottom - 20), body, -1)
    cv2.rectangle(image, (left, bottom - 56), (left + width, bottom - 12), dark, -1)
    for lamp in (left + 8, left + width - 8 - width // 7):
        lamp_top = top + height * 2 // 5 + 16
        cv2.rectangle(image, (lamp, lamp_top), (lamp + width // 7, lamp_top + 44), (150, 24, 24), -1)
    cv2.line(image, (left, top + height // 2 + 60), (left + width, top + height // 2 + 60), dark, 2)


def _window(image: Image, left: int, top: int, width: int, sill: int, body: tuple[int, ...]) -> None:
    roof = np.array(
        [[left + width // 6, top], [left + width * 5 // 6, top], [left + width, sill], [left, sill]], np.int32
    )
    cv2.fillPoly(image, [roof], body)
    glass = (roof * 0.86 + roof.mean(axis=0) * 0.14 + np.array([0, 6])).astype(np.int32)
    cv2.fillPoly(image, [glass], (48, 56, 62))


def _doors(
    image: Image,
    random: np.random.Generator,
    left: int,
    top: int,
    width: int,
    sill: int,
    body: tuple[int, ...],
) -> None:
    cv2.rectangle(image, (left, top), (left + width, sill), body, -1)
    cv2.line(image, (left + width // 2, top), (left + width // 2, sill), tuple(each // 2 for each in body), 2)
    ink = (235, 235, 235) if sum(body) < 400 else (25, 25, 30)
    lettering = str(random.choice(_LETTERING))
    scale = width * 0.75 / cv2.getTextSize(lettering, cv2.FONT_HERSHEY_DUPLEX, 1.0, 2)[0][0]
    cv2.putText(
        image,
        lettering,
        (left + width // 8, (top + sill) // 2),
        cv2.FONT_HERSHEY_DUPLEX,
        scale,
        ink,
        3,
        cv2.LINE_AA,
    )


def _corners(centre: NDArray[np.float64], width: float, random: np.random.Generator) -> NDArray[np.float64]:
    """The plate's four corners under a small turn, tilt and perspective."""
    height = width * HEIGHT_PX / WIDTH_PX
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    angle = np.deg2rad(random.uniform(-4, 4))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1, random.uniform(-0.12, 0.12)], [0, 1]])
    turned: NDArray[np.float64] = square @ shear.T @ turn.T + random.uniform(-1.5, 1.5, (4, 2)) + centre
    return turned


def _paste(image: Image, plate: Image, corners: NDArray[np.float64]) -> Image:
    # Warping down takes one pixel of several; shrinking first averages them, as a lens does.
    shrink = float(np.linalg.norm(corners[1] - corners[0])) / WIDTH_PX
    small = cv2.resize(plate, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
    size = (image.shape[1], image.shape[0])
    warped = cv2.warpPerspective(small, matrix, size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.full((height, width), 255, np.uint8), matrix, size)[:, :, None] / 255.0
    # What is warped has faded to black at its edges already, as the mask has.
    pasted: Image = np.clip(image * (1 - mask) + warped, 0, 255).astype(np.uint8)
    return pasted


def _night(image: Image) -> Image:
    """What an infra-red flash shows of everything but the plate: little, and grey."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    dimmed: Image = np.repeat((grey * 0.22)[:, :, None], 3, axis=2).astype(np.uint8)
    return dimmed


def _spoil(image: Image, random: np.random.Generator, *, infrared: bool) -> Image:
    """Blur, exposure and sensor noise."""
    blurred = cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.4, 0.9)))
    noise = random.normal(0, 5.0 if infrared else 3.0, blurred.shape[:2])[:, :, None]
    gain = random.uniform(0.85, 1.1)
    spoilt: Image = np.clip(blurred * gain + noise, 0, 255).astype(np.uint8)
    return spoilt
