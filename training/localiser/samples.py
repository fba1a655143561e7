"""Compose samples for the localiser: a piece of a scene, and the corners of every plate on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from plates import alphabet
from training.localiser.camera import spoil
from training.localiser.decoys import draw_decoy, draw_lit_decoy, glow
from training.localiser.imitations import draw_imitation
from training.localiser.mount import Corners, corners_of, draw_pose, mount
from training.localiser.photographs import cut
from training.localiser.vehicles import Box, draw_vehicle
from training.plates import STYLES, draw_plate, draw_text
from training.render import draw
from training.scenes import Vehicle, draw_scene

Image = NDArray[np.uint8]

WIDTH_PX: Final = 320
HEIGHT_PX: Final = 256
MAX_PLATES: Final = 6
PLATE_WIDTH_PX: Final = (20.0, 290.0)
PADDING: Final = 114
"""The grey level around a frame that is smaller than what the network takes."""

NONE, PLATE, IGNORED = 0, 1, 2

# Less of a plate than this is neither a plate nor none; less than the second is none.
_VISIBLE: Final = (0.8, 0.15)
_MIN_WIDTH_PX: Final = 19.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample.

    Attributes
    ----------
    image
        RGB uint8 ``(HEIGHT_PX, WIDTH_PX, 3)``.
    corners
        float32 ``(MAX_PLATES, 4, 2)``, from the top left clockwise, in pixels.
    states
        uint8 ``(MAX_PLATES,)``: `NONE` in rows without a plate, `PLATE`, or `IGNORED` where one is cut off or
        too small to tell.
    texts
        What is on each plate, in the characters of `plates.alphabet`; of rows without one empty.
    """

    image: Image
    corners: Corners
    states: NDArray[np.uint8]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Mounted:
    """A plate in a scene."""

    corners: Corners
    text: str


def draw_sample(photographs: Sequence[Image], random: np.random.Generator) -> Sample:
    """Draw a sample: a street, a plate that fills the frame, or a piece of the demonstration's scenes."""
    kind = random.random()
    if kind < 0.1:
        return _demonstration(random)
    if kind < 0.16:
        return _filling(photographs, random)
    return _street(photographs, random)


def _street(photographs: Sequence[Image], random: np.random.Generator) -> Sample:
    image = _background(photographs, random)
    night = random.random() < 0.3
    for _ in range(int(random.choice([0, 0, 1, 2, 3]))):
        draw_decoy(image, random)
    boxes, bodies = _vehicles(image, photographs, random)
    for _ in range(int(random.choice([0, 0, 0, 1, 2]))):
        draw_decoy(image, random)
    if night:
        image = (image * float(random.uniform(0.2, 0.6))).astype(np.uint8)
        for _ in range(int(random.choice([0, 0, 1, 2, 3]))):
            draw_lit_decoy(image, random)
    mounted: list[_Mounted] = []
    for box, body in zip(boxes, bodies, strict=True):
        if random.random() < 0.88:
            _mount_on(image, box, body, night, mounted, random)
    if not mounted and random.random() < 0.6:
        size = float(np.exp(random.uniform(*np.log(PLATE_WIDTH_PX))))
        centre = (float(random.uniform(0, WIDTH_PX)), float(random.uniform(0, HEIGHT_PX)))
        _mount_at(image, centre, size, float(random.uniform(0.45, 1.05)), mounted, random)
    if night:
        _lit_lamps(image, boxes, random)
    return _sample(spoil(image, random), mounted)


def _background(photographs: Sequence[Image], random: np.random.Generator) -> Image:
    if photographs and random.random() < 0.6:
        return cut(photographs, (WIDTH_PX, HEIGHT_PX), random)
    sky = random.integers(120, 250, 3) if random.random() < 0.7 else random.integers(0, 256, 3)
    ground = np.clip(random.integers(40, 150) + random.normal(0, 8, 3), 0, 255)
    horizon = int(random.uniform(-0.3, 1.2) * HEIGHT_PX)
    share = 1 / (1 + np.exp(-(np.arange(HEIGHT_PX) - horizon) / random.uniform(0.5, 40)))[:, None]
    image = np.repeat((sky * (1 - share) + ground * share)[:, None, :], WIDTH_PX, axis=1).astype(np.float32)
    for size in (4, 24):
        rough = random.standard_normal((HEIGHT_PX // size, WIDTH_PX // size, 1), np.float32)
        image += cv2.resize(rough, (WIDTH_PX, HEIGHT_PX))[:, :, None] * float(random.uniform(0, 14))
    image = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(int(random.integers(0, 14))):
        points = random.uniform(-40, WIDTH_PX + 40, (int(random.integers(3, 6)), 2)).astype(np.int32)
        if random.random() < 0.5:
            cv2.fillPoly(image, [points], random.integers(0, 256, 3).tolist(), cv2.LINE_AA)
        else:
            thick = int(random.integers(1, 7))
            cv2.polylines(image, [points], False, random.integers(0, 256, 3).tolist(), thick, cv2.LINE_AA)
    return np.asarray(image, np.uint8)


def _vehicles(
    image: Image, photographs: Sequence[Image], random: np.random.Generator
) -> tuple[list[Box], list[tuple[int, int, int]]]:
    """Draw none to three vehicles, the far ones first."""
    widths = np.sort(np.exp(random.uniform(np.log(70), np.log(950), int(random.choice([0, 1, 1, 2, 3])))))
    boxes: list[Box] = []
    bodies = []
    for width in widths.tolist():
        height = width * float(random.uniform(0.62, 1.1))
        # The lower middle, where plates are, is to lie in the sample.
        x, y = float(random.uniform(-20, WIDTH_PX + 20)), float(random.uniform(0, HEIGHT_PX + 10))
        box = Box(x - width / 2, y - height * 0.7, width, height)
        texture = (
            cut(photographs, (WIDTH_PX, HEIGHT_PX), random) if photographs and random.random() < 0.6 else None
        )
        bodies.append(draw_vehicle(image, box, texture, random))
        boxes.append(box)
    return boxes, bodies


def _mount_on(
    image: Image,
    box: Box,
    body: tuple[int, int, int],
    night: bool,
    mounted: list[_Mounted],
    random: np.random.Generator,
) -> None:
    """Mount a plate on a vehicle, often in a darker or lighter recess."""
    size = float(np.clip(box.width * random.uniform(0.2, 0.36), *PLATE_WIDTH_PX))
    centre = box.at(0.5 + float(random.normal(0, 0.05)), float(random.uniform(0.5, 0.88)))
    if random.random() < 0.4:
        tone = tuple(int(np.clip(each * random.uniform(0.3, 1.2), 0, 255)) for each in body)
        half = (int(size * random.uniform(0.55, 0.75)), int(size * random.uniform(0.14, 0.3)))
        cv2.rectangle(
            image, (centre[0] - half[0], centre[1] - half[1]), (centre[0] + half[0], centre[1] + half[1]), tone, -1
        )
    # A plate sends a headlight's or a flash's light back: it is brighter than its vehicle at night.
    light = float(random.uniform(0.3, 1.6) if night else random.uniform(0.5, 1.1))
    _mount_at(image, (float(centre[0]), float(centre[1])), size, light, mounted, random)


def _mount_at(
    image: Image,
    centre: tuple[float, float],
    size: float,
    light: float,
    mounted: list[_Mounted],
    random: np.random.Generator,
) -> None:
    plate, text = draw_any_plate(random)
    aspect = plate.shape[1] / plate.shape[0]
    size *= 1.0 if aspect > 2.5 else 0.6
    corners = corners_of(draw_pose(centre, size, random, wild=random.random() < 0.2), aspect)
    if all(_apart(corners, other.corners) for other in mounted) and len(mounted) < MAX_PLATES:
        mount(image, plate, corners, light, random)
        mounted.append(_Mounted(corners, text))


def _apart(one: Corners, other: Corners) -> bool:
    low = np.maximum(one.min(axis=0), other.min(axis=0))
    high = np.minimum(one.max(axis=0), other.max(axis=0))
    return bool((high <= low).any())


def draw_any_plate(random: np.random.Generator) -> tuple[Image, str]:
    """Draw a plate of a country, one as the recording has them, or an imitation; and say what is on it."""
    kind = random.random()
    if kind < 0.5:
        plate = draw(random)
        return plate.image, plate.text
    if kind < 0.65:
        country = str(random.choice(list(STYLES)))
        written = draw_text(country, random)
        return draw_plate(written, country, infrared=bool(random.random() < 0.15)), _letters(written)
    return draw_imitation(random)


def _letters(written: str) -> str:
    return "".join(each for each in written if each in alphabet.CHARACTERS)


def _lit_lamps(image: Image, boxes: Sequence[Box], random: np.random.Generator) -> None:
    for box in boxes:
        if random.random() < 0.7:
            u, v = float(random.uniform(0.04, 0.14)), float(random.uniform(0.45, 0.65))
            colour = (255, 80, 70) if random.random() < 0.6 else (255, 250, 235)
            radius = max(1, int(box.width * random.uniform(0.015, 0.07)))
            shines = random.random() < 0.5
            for centre in (box.at(u, v), box.at(1 - u, v)):
                if shines:
                    glow(image, centre, radius * float(random.uniform(2, 7)), colour)
                cv2.circle(image, centre, radius, colour, -1, cv2.LINE_AA)
                cv2.circle(image, centre, max(1, radius // 2), (255, 250, 245), -1, cv2.LINE_AA)


def _filling(photographs: Sequence[Image], random: np.random.Generator) -> Sample:
    """A frame that is hardly more than a plate, with the padding around it."""
    image = np.full((HEIGHT_PX, WIDTH_PX, 3), PADDING, np.uint8)
    plate, text = draw_any_plate(random)
    aspect = plate.shape[1] / plate.shape[0]
    size = float(random.uniform(60, 250)) * (1.0 if aspect > 2.5 else 0.6)
    margin = random.uniform(0.0, 0.35, 2) * size * [1.0, 0.5]
    wide, high = int(size + 2 * margin[0]), int(size / aspect + 2 * margin[1])
    wide, high = min(wide, WIDTH_PX), min(high, HEIGHT_PX)
    frame = np.asarray(cv2.resize(_background(photographs, random), (wide, high)), np.uint8)
    wobble = random.normal(0, 0.02, 2) * size
    pose = draw_pose((float(wide / 2 + wobble[0]), float(high / 2 + wobble[1])), size, random)
    corners = corners_of(pose, aspect)
    mount(frame, plate, corners, float(random.uniform(0.5, 1.05)), random)
    left = int(random.integers(0, WIDTH_PX - wide + 1))
    top = int(random.integers(0, HEIGHT_PX - high + 1))
    image[top : top + high, left : left + wide] = spoil(frame, random)
    return _sample(image, [_Mounted(corners + np.array([left, top], np.float32), text)])


def _demonstration(random: np.random.Generator) -> Sample:
    """A piece of a scene as the demonstration's recording has them, at any scale that a frame may be seen at."""
    names = [str(random.choice(list(STYLES))) for _ in range(int(random.integers(1, 3)))]
    vehicles = [Vehicle(draw_text(name, random), name, van=bool(random.random() < 0.3)) for name in names]
    scene = draw_scene(vehicles, random, infrared=bool(random.random() < 0.4))
    scale = float(random.uniform(0.36, 1.0))
    image = cv2.resize(scene.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    aim = scene.corners[0].mean(axis=0) * scale - random.uniform(0.1, 0.9, 2) * [WIDTH_PX, HEIGHT_PX]
    room = np.array(image.shape[1::-1]) - [WIDTH_PX, HEIGHT_PX]
    if random.random() < 0.5:
        # Houses, sky and road: what has no plate.
        aim = random.uniform(0, 1, 2) * room
    left, top = np.clip(aim, 0, room).astype(int).tolist()
    piece = np.asarray(image[top : top + HEIGHT_PX, left : left + WIDTH_PX], np.uint8)
    quads = [corners * scale - np.array([left, top], np.float32) for corners in scene.corners]
    mounted = [
        _Mounted(quad.astype(np.float32), _letters(vehicle.text))
        for quad, vehicle in zip(quads, vehicles, strict=True)
    ]
    return _sample(piece, mounted)


def _sample(image: Image, mounted: Sequence[_Mounted]) -> Sample:
    corners = np.zeros((MAX_PLATES, 4, 2), np.float32)
    states = np.zeros(MAX_PLATES, np.uint8)
    for row, plate in enumerate(mounted):
        corners[row] = plate.corners
        states[row] = state_of(plate.corners)
    texts = [plate.text for plate in mounted]
    return Sample(image, corners, states, (*texts, *[""] * (MAX_PLATES - len(texts))))


def state_of(quad: Corners) -> int:
    """Say whether a plate with these corners is seen well enough: `NONE`, `PLATE` or `IGNORED`."""
    inside = np.array([[0, 0], [WIDTH_PX, 0], [WIDTH_PX, HEIGHT_PX], [0, HEIGHT_PX]], np.float32)
    shared, _ = cv2.intersectConvexConvex(quad, inside)
    visible = shared / max(1e-6, float(cv2.contourArea(quad)))
    if visible < _VISIBLE[1]:
        return NONE
    width = float(np.linalg.norm(quad[1] - quad[0]))
    small = width < _MIN_WIDTH_PX * (1.0 if width > 2.5 * np.linalg.norm(quad[3] - quad[0]) else 0.6)
    return IGNORED if visible < _VISIBLE[0] or small else PLATE
