"""Plates of no country in particular: any colours, faces, bands and proportions, in one line or two.

The localiser must find plates whose layout nobody has drawn for it; these keep it from learning a few by heart.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.localiser.lettering import faces, letter

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

HEIGHT_PX: Final = 110
# Field, ink, and how often in twenty.
_COLOURS: Final[tuple[tuple[Colour, Colour, int], ...]] = (
    ((240, 240, 238), (18, 18, 20), 9),
    ((240, 240, 236), (150, 20, 35), 3),
    ((240, 190, 35), (18, 18, 20), 3),
    ((25, 26, 28), (225, 225, 225), 1),
    ((20, 60, 140), (235, 235, 235), 1),
    ((170, 25, 30), (235, 235, 235), 1),
    ((35, 120, 60), (235, 235, 235), 1),
    ((240, 240, 238), (20, 60, 150), 1),
)
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS: Final = "0123456789"
_SEPARATORS: Final = ("", "", " ", " ", "-", "·", "*")


def draw_imitation(random: np.random.Generator) -> tuple[Image, str]:
    """Draw a plate, and say what is on it: RGB uint8 ``(HEIGHT_PX, W, 3)`` in one line, twice that high in two."""
    chances = np.array([weight for *_, weight in _COLOURS], float)
    field, ink, _ = _COLOURS[int(random.choice(len(_COLOURS), p=chances / chances.sum()))]
    plain = [file for file in faces() if "Italic" not in file and "Oblique" not in file]
    face = plain[int(random.integers(len(plain)))]
    groups = _groups(random)
    if random.random() < 0.14:
        plate = _two_lines(groups, face, field, ink, random)
    else:
        separator = str(random.choice(_SEPARATORS))
        plate = _one_line(separator.join(groups), face, field, ink, random)
    _band(plate, ink, random)
    if random.random() < 0.75:
        border = int(random.integers(2, 7))
        inset = int(random.integers(0, 5))
        end = (plate.shape[1] - 1 - inset, plate.shape[0] - 1 - inset)
        cv2.rectangle(plate, (inset, inset), end, ink, border)
    return plate, "".join(groups)


def _groups(random: np.random.Generator) -> list[str]:
    """Two or three groups of letters or digits, four to eight characters in all."""
    groups: list[str] = []
    for _ in range(int(random.integers(2, 4))):
        kind = _LETTERS if random.random() < 0.5 else _DIGITS
        groups.append("".join(random.choice(list(kind), int(random.integers(1, 4)))))
    while sum(map(len, groups)) < 4:
        groups[-1] += str(random.integers(10))
    return groups


def _one_line(text: str, face: str, field: Colour, ink: Colour, random: np.random.Generator) -> Image:
    width = int(HEIGHT_PX * random.choice([4.7, 4.7, 4.7, 4.3, 3.6, 3.1, 5.0, 2.4], p=[0.2] * 3 + [0.08] * 5))
    plate = np.empty((HEIGHT_PX, width, 3), np.uint8)
    plate[:] = field
    _write(plate, text, face, ink, (0.12, 0.94, 0.5), float(random.uniform(0.55, 0.8)))
    return plate


def _two_lines(groups: list[str], face: str, field: Colour, ink: Colour, random: np.random.Generator) -> Image:
    width = int(HEIGHT_PX * random.uniform(2.2, 3.2))
    plate = np.empty((2 * HEIGHT_PX, width, 3), np.uint8)
    plate[:] = field
    share = float(random.uniform(0.3, 0.4))
    _write(plate, " ".join(groups[:1]), face, ink, (0.16, 0.92, 0.28), share)
    _write(plate, " ".join(groups[1:]) or str(random.integers(100, 9999)), face, ink, (0.08, 0.92, 0.73), share)
    return plate


def _write(
    plate: Image, text: str, face: str, ink: Colour, room: tuple[float, float, float], height_share: float
) -> None:
    """Write the text between left and right, around a middle height, all as shares of the plate."""
    left, right, middle = room
    spaced = "".join(character + " " for character in text) if len(text) < 7 and hash_of(text) % 2 else text
    mask = letter(spaced, face)
    height = int(plate.shape[0] * height_share)
    widest = int((right - left) * plate.shape[1])
    width = min(widest, max(8, int(mask.shape[1] * height / mask.shape[0] * 1.05)))
    share = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)[:, :, None] / 255.0
    x = int(left * plate.shape[1]) + (widest - width) // 2
    y = int(middle * plate.shape[0] - height / 2)
    under = plate[y : y + height, x : x + width]
    under[:] = (under * (1 - share) + np.array(ink) * share).astype(np.uint8)


def hash_of(text: str) -> int:
    """Return a number for the text that is the same in every process."""
    return sum((place + 1) * ord(character) for place, character in enumerate(text))


def _band(plate: Image, ink: Colour, random: np.random.Generator) -> None:
    """A coloured band at the left, sometimes at the right too, with a light blot for its sign."""
    if random.random() < 0.3:
        return
    width = int(0.4 * HEIGHT_PX * random.uniform(0.8, 1.1))
    colour = (20, 50, 150) if random.random() < 0.85 else ink
    cv2.rectangle(plate, (0, 0), (width, plate.shape[0] - 1), colour, -1)
    cv2.circle(plate, (width // 2, plate.shape[0] // 3), width // 4, (210, 190, 60), 3)
    cv2.rectangle(
        plate,
        (width // 3, int(plate.shape[0] * 0.65)),
        (width * 2 // 3, int(plate.shape[0] * 0.82)),
        (230, 230, 230),
        -1,
    )
    if random.random() < 0.25:
        cv2.rectangle(plate, (plate.shape[1] - width, 0), (plate.shape[1] - 1, plate.shape[0] - 1), colour, -1)
