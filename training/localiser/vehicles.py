"""Draw vehicles' fronts and rears: body, glass, lamps, grilles, bumpers, badges; at any size, over a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.localiser.lettering import faces, letter

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

_BADGES: Final = (
    "1.9 TDI",
    "GTI",
    "4x4",
    "HYBRID",
    "2.0",
    "TURBO",
    "1.6",
    "D5",
    "SK",
    "CZ",
    "D",
    "NL",
    "V6",
    "SPORT",
)
_TRADES: Final = (
    "BAKKERIJ",
    "Schilderwerken",
    "GARAGE",
    "Bloemen",
    "TUINEN",
    "www.example.eu",
    "TAXI",
    "POST",
    "+32 4 123 45",
)


@dataclass(frozen=True, slots=True)
class Box:
    """A vehicle's outline in pixels of the scene; it may reach outside."""

    left: float
    top: float
    width: float
    height: float

    def at(self, u: float, v: float) -> tuple[int, int]:
        """Return the pixel at shares of the width and height."""
        return int(self.left + u * self.width), int(self.top + v * self.height)


def draw_vehicle(image: Image, box: Box, texture: Image | None, random: np.random.Generator) -> Colour:
    """Draw a vehicle into `image`, in place; return its body's colour.

    Parameters
    ----------
    texture
        What its paint mirrors, of the image's size, or None for plain paint.
    """
    body = _paint(random)
    van = random.random() < 0.25
    cv2.ellipse(
        image, box.at(0.5, 0.98), (int(box.width * 0.55), int(box.height * 0.06) + 1), 0, 0, 360, (35, 36, 38), -1
    )
    for u in (0.08, 0.78):
        cv2.rectangle(image, box.at(u, 0.75), box.at(u + 0.14, 1.0), (22, 22, 24), -1)
    mask = _outline(image, box, van, random)
    _lay_paint(image, box, mask, body, texture, random)
    _glass(image, box, van, random)
    _lamps(image, box, random)
    _bumper(image, box, body, random)
    if random.random() < 0.5:
        _grille(image, box, random)
    for _ in range(int(random.integers(0, 4))):
        _badge(image, box, body, random)
    if van and random.random() < 0.5:
        write(image, str(random.choice(_TRADES)), box.at(0.12, 0.25), box.width * 0.7, _contrast(body), random)
    return body


def _paint(random: np.random.Generator) -> Colour:
    """White, grey and black mostly; other colours too."""
    if random.random() < 0.65:
        grey = float(random.choice([28, 45, 90, 140, 185, 225]))
        red, green, blue = np.clip(grey + random.normal(0, 6, 3), 5, 250)
    else:
        red, green, blue = random.integers(15, 200, 3)
    return int(red), int(green), int(blue)


def _contrast(colour: Colour) -> Colour:
    return (235, 235, 235) if sum(colour) < 380 else (25, 25, 30)


def _outline(image: Image, box: Box, van: bool, random: np.random.Generator) -> NDArray[np.uint8]:
    mask = np.zeros(image.shape[:2], np.uint8)
    shoulder = 0.0 if van else float(random.uniform(0.06, 0.2))
    waist = 0.15 if van else float(random.uniform(0.3, 0.45))
    shares = [
        (shoulder, 0.02),
        (1 - shoulder, 0.02),
        (0.98, waist),
        (1.0, 0.7),
        (0.96, 0.92),
        (0.04, 0.92),
        (0, 0.7),
        (0.02, waist),
    ]
    cv2.fillPoly(mask, [np.array([box.at(u, v) for u, v in shares], np.int32)], 255, cv2.LINE_AA)
    return mask


def _lay_paint(
    image: Image,
    box: Box,
    mask: NDArray[np.uint8],
    body: Colour,
    texture: Image | None,
    random: np.random.Generator,
) -> None:
    """Paint the body: lighter above, creased, with the surroundings mirrored in it."""
    height = image.shape[0]
    v = (np.arange(height, dtype=np.float32) - box.top) / max(1.0, box.height)
    shade = 1.15 - 0.45 * v + 0.12 * np.sin(v * float(random.uniform(6, 18)) + float(random.uniform(0, 6)))
    paint = np.array(body, np.float32) * np.clip(shade, 0.3, 1.4)[:, None]
    full = np.broadcast_to(paint[:, None, :], image.shape)
    if texture is not None:
        gloss = float(random.uniform(0.05, 0.3))
        full = full * (1 - gloss) + gloss * texture
    share = (mask / np.float32(255))[:, :, None]
    image[:] = np.clip(image * (1 - share) + full * share, 0, 255).astype(np.uint8)
    for _ in range(int(random.integers(1, 5))):
        v_line = float(random.uniform(0.4, 0.9))
        tone = tuple(int(each * random.uniform(0.4, 0.8)) for each in body)
        thick = max(1, int(box.width * random.uniform(0.002, 0.01)))
        cv2.line(image, box.at(0.03, v_line), box.at(0.97, v_line), tone, thick, cv2.LINE_AA)


def _glass(image: Image, box: Box, van: bool, random: np.random.Generator) -> None:
    bottom = float(random.uniform(0.3, 0.42))
    if van and random.random() < 0.4:
        cv2.line(image, box.at(0.5, 0.03), box.at(0.5, 0.9), (30, 30, 30), max(1, int(box.width * 0.006)))
        return
    quad = np.array([box.at(0.2, 0.06), box.at(0.8, 0.06), box.at(0.9, bottom), box.at(0.1, bottom)], np.int32)
    tone = int(random.integers(18, 95))
    cv2.fillPoly(image, [quad], (tone, tone + 4, tone + 8), cv2.LINE_AA)
    if random.random() < 0.5:
        cv2.fillPoly(
            image, [(quad * 0.5 + quad.mean(axis=0) * 0.5).astype(np.int32)], (tone // 2,) * 3, cv2.LINE_AA
        )
    if random.random() < 0.4:
        cv2.line(
            image,
            box.at(0.5, bottom),
            box.at(float(random.uniform(0.2, 0.8)), 0.2),
            (12,) * 3,
            max(1, int(box.width * 0.012)),
        )
    if random.random() < 0.2:
        sticker = int(random.integers(150, 245))
        u = float(random.uniform(0.15, 0.7))
        cv2.rectangle(image, box.at(u, 0.15), box.at(u + 0.12, 0.21), (sticker,) * 3, -1)


def _lamps(image: Image, box: Box, random: np.random.Generator) -> None:
    """Two lamps: red at the rear, clear at the front, lit or not, of any shape, each with its cells."""
    lit = random.random() < 0.3
    rear = random.random() < 0.65
    colour = (190, 25, 25) if rear else (190, 195, 200)
    if lit:
        colour = (255, 90, 80) if rear else (255, 255, 245)
    u, v = float(random.uniform(0.02, 0.1)), float(random.uniform(0.42, 0.6))
    wide, high = float(random.uniform(0.08, 0.2)), float(random.uniform(0.06, 0.2))
    round_ones = random.random() < 0.3
    for left in (u, 1 - u - wide):
        low, top = box.at(left, v), box.at(left + wide, v + high)
        if round_ones:
            axes = (max(1, (top[0] - low[0]) // 2), max(1, (top[1] - low[1]) // 2))
            cv2.ellipse(
                image, ((low[0] + top[0]) // 2, (low[1] + top[1]) // 2), axes, 0, 0, 360, colour, -1, cv2.LINE_AA
            )
        else:
            cv2.rectangle(image, low, top, colour, -1)
        for cell in range(int(random.integers(0, 3))):
            tint = [(250, 150, 40), (235, 235, 230), (120, 10, 10)][cell]
            begin = box.at(left + 0.02, v + high * (0.1 + 0.4 * cell))
            end = box.at(left + wide - 0.02, v + high * (0.35 + 0.4 * cell))
            cv2.rectangle(image, begin, end, tint, -1)
        if lit:
            centre = box.at(left + wide / 2, v + high / 2)
            cv2.circle(image, centre, max(1, int(box.width * 0.05)), (255, 250, 245), -1, cv2.LINE_AA)


def _bumper(image: Image, box: Box, body: Colour, random: np.random.Generator) -> None:
    tone = (28, 28, 30) if random.random() < 0.6 else tuple(int(each * 0.75) for each in body)
    top = float(random.uniform(0.7, 0.82))
    cv2.rectangle(image, box.at(0.0, top), box.at(1.0, 0.93), tone, -1)
    if random.random() < 0.3:
        cv2.rectangle(image, box.at(0.02, top), box.at(0.98, top + 0.03), (200, 202, 205), -1)
    if random.random() < 0.3:
        for u in (0.06, 0.84):
            cv2.rectangle(image, box.at(u, 0.84), box.at(u + 0.1, 0.87), (170, 30, 30), -1)
    if random.random() < 0.3:
        cv2.circle(image, box.at(0.2, 0.95), max(1, int(box.width * 0.025)), (120, 120, 122), -1, cv2.LINE_AA)


def _grille(image: Image, box: Box, random: np.random.Generator) -> None:
    """Slats or a mesh in a dark opening: rows of like marks, as a plate's characters are."""
    u, v = float(random.uniform(0.15, 0.35)), float(random.uniform(0.42, 0.8))
    high = float(random.uniform(0.04, 0.16))
    cv2.rectangle(image, box.at(u, v), box.at(1 - u, v + high), (18, 18, 20), -1)
    tone = (int(random.choice([50, 110, 200])),) * 3
    thick = max(1, int(box.width * 0.006))
    if random.random() < 0.5:
        for share in np.linspace(0.1, 0.9, int(random.integers(3, 8))):
            cv2.line(image, box.at(u, v + high * share), box.at(1 - u, v + high * share), tone, thick)
    else:
        for share in np.linspace(0.02, 0.98, int(random.integers(6, 22))):
            across = u + (1 - 2 * u) * share
            cv2.line(image, box.at(across, v), box.at(across, v + high), tone, thick)


def _badge(image: Image, box: Box, body: Colour, random: np.random.Generator) -> None:
    """An emblem, a model's name or an oval sticker."""
    centre = box.at(
        float(random.choice([0.5, 0.15, 0.8]) + random.normal(0, 0.05)), float(random.uniform(0.42, 0.85))
    )
    size = max(2, int(box.width * random.uniform(0.015, 0.04)))
    kind = random.random()
    if kind < 0.4:
        cv2.circle(image, centre, size, (190, 192, 195), max(1, size // 3), cv2.LINE_AA)
    elif kind < 0.6:
        cv2.ellipse(image, centre, (int(size * 1.4), size), 0, 0, 360, (235, 235, 235), -1, cv2.LINE_AA)
        write(
            image,
            str(random.choice(_BADGES)),
            (centre[0] - size, centre[1] - size // 2),
            size * 2.0,
            (20, 20, 20),
            random,
        )
    else:
        write(image, str(random.choice(_BADGES)), centre, size * 4.0, _contrast(body), random)


def write(
    image: Image,
    text: str,
    origin: Sequence[int],
    width_px: float,
    ink: Colour,
    random: np.random.Generator,
) -> None:
    """Write a line of text `width_px` wide from its top left corner, in place, in any face."""
    files = faces()
    mask = letter(text, files[int(random.integers(len(files)))])
    size = (max(2, int(width_px)), max(2, int(mask.shape[0] * width_px / mask.shape[1])))
    mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)
    low = np.maximum(np.array(origin), 0)
    high = np.minimum(np.array(origin) + size, image.shape[1::-1])
    if (high <= low).any():
        return
    begin = low - origin
    end = high - origin
    share = mask[begin[1] : end[1], begin[0] : end[0], None] / np.float32(255)
    under = image[low[1] : high[1], low[0] : high[0]]
    under[:] = (under * (1 - share) + np.array(ink, np.float32) * share).astype(np.uint8)
