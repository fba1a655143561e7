"""Draw what looks like a plate and is none: signs, lettering, time stamps, windows, marks on the road."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.localiser.mount import corners_of, draw_pose, paste
from training.localiser.vehicles import Colour, write

Image = NDArray[np.uint8]

_WORDS: Final = (
    "Exit", "HOTEL", "Parking", "Apotheek", "café", "Sale", "Open", "Station", "zone 30", "Centrum",
    "Brussel", "A12", "frituur", "SUPERMARKT", "Auto's", "te huur", "Rue de la Gare", "Kerkstraat",
    "uitgezonderd", "P", "STOP", "226", "Bank", "info@example.eu", "2024", "50", "Museum", "Bus",
    "Ziekenhuis", "Market", "100%", "Garage", "SCHOOL",
)  # fmt: skip
_FIELDS: Final[tuple[tuple[Colour, Colour], ...]] = (
    ((30, 70, 160), (240, 240, 240)),
    ((240, 240, 240), (30, 30, 30)),
    ((200, 30, 30), (245, 245, 245)),
    ((20, 120, 60), (240, 240, 240)),
    ((245, 200, 30), (20, 20, 20)),
    ((20, 20, 22), (250, 190, 60)),
    ((235, 235, 235), (190, 30, 40)),
)
_LAMPS: Final[tuple[Colour, ...]] = ((255, 245, 220), (255, 60, 50), (255, 190, 90), (80, 255, 170))


def draw_decoy(image: Image, random: np.random.Generator) -> None:
    """Draw one decoy anywhere into `image`, in place."""
    kinds = (_sign, _sign, _words, _stamp, _windows, _windows, _blank, _bars, _lights, _pictogram, _chevrons)
    kinds[int(random.integers(len(kinds)))](image, random)


def draw_lit_decoy(image: Image, random: np.random.Generator) -> None:
    """Draw into a dark `image`, in place, what shines in it: lamps, tubes, lit signs."""
    kinds = (_sign, _lights, _pictogram, _chevrons, _tube, _tube, _queue, _queue)
    kinds[int(random.integers(len(kinds)))](image, random)


def glow(image: Image, centre: tuple[int, int], reach_px: float, colour: Colour) -> None:
    """Let a lamp shine into what is around it, in place, as a lens with dust on it does."""
    reach = int(3 * reach_px) + 1
    low = np.maximum(np.array(centre) - reach, 0)
    high = np.minimum(np.array(centre) + reach, image.shape[1::-1])
    if (high <= low).any():
        return
    x, y = np.arange(low[0], high[0]) - centre[0], np.arange(low[1], high[1]) - centre[1]
    falling = np.maximum(np.exp(-np.hypot(x[None], y[:, None]) / reach_px) - np.exp(-3), 0)
    shine = falling[:, :, None] * np.array(colour)
    under = image[low[1] : high[1], low[0] : high[0]]
    under[:] = np.minimum(under + shine, 255).astype(np.uint8)


def _sign(image: Image, random: np.random.Generator) -> None:
    """A board with one to five lines of text, or with a picture."""
    field, ink = _FIELDS[int(random.integers(len(_FIELDS)))]
    width, height = 240, int(random.choice([60, 90, 140, 240]))
    board = np.empty((height, width, 3), np.uint8)
    board[:] = field
    lines = int(random.integers(1, 2 + height // 50))
    for line in range(lines):
        room = height / lines
        text = str(random.choice(_WORDS))
        if room > 50 or random.random() < 0.5:
            text += " " + str(random.choice(_WORDS))
        span = min(float(random.uniform(0.3, 0.85)) * width, room * 0.5 * len(text))
        write(board, text, (int(random.integers(5, 40)), int(room * (line + 0.2))), span, ink, random)
    if random.random() < 0.4:
        cv2.rectangle(board, (2, 2), (width - 3, height - 3), ink, 3)
    if random.random() < 0.3:
        cv2.circle(
            board, (int(random.integers(30, 200)), height // 2), height // 3, ink, int(random.choice([-1, 6]))
        )
    _place(image, board, random)


def _place(image: Image, board: Image, random: np.random.Generator) -> None:
    height, width = image.shape[:2]
    centre = (float(random.uniform(0, width)), float(random.uniform(0, height)))
    size = float(np.exp(random.uniform(np.log(18), np.log(220))))
    pose = draw_pose(centre, size, random, wild=random.random() < 0.3)
    light = random.uniform(0.4, 1.1)
    paste(
        image, np.clip(board * light, 0, 255).astype(np.uint8), corners_of(pose, board.shape[1] / board.shape[0])
    )


def _words(image: Image, random: np.random.Generator) -> None:
    """Lettering without a board."""
    text = " ".join(str(random.choice(_WORDS)) for _ in range(int(random.integers(1, 4))))
    origin = (int(random.integers(-40, image.shape[1])), int(random.integers(-10, image.shape[0])))
    tone = int(random.choice([20, 60, 200, 245]))
    write(image, text, origin, float(random.uniform(30, 250)), (tone, tone, int(tone * 0.9)), random)


def _stamp(image: Image, random: np.random.Generator) -> None:
    """A time, a speed or a name burnt into the frame."""
    hour, minute, second = random.integers(0, 60, 3)
    text = str(
        random.choice(
            [
                f"2024-05-17 {hour % 24:02d}:{minute:02d}:{second:02d}",
                f"{minute} KM/H N50.{second}",
                f"CAM {second:02d}",
                "REC 1080P",
            ]
        )
    )
    top = 4 if random.random() < 0.4 else image.shape[0] - 22
    if random.random() < 0.4:
        cv2.rectangle(image, (0, top - 4), (image.shape[1], top + 20), (12, 12, 12), -1)
    write(
        image, text, (int(random.integers(-30, 150)), top), float(random.uniform(70, 240)), (245, 245, 235), random
    )


def _windows(image: Image, random: np.random.Generator) -> None:
    """A house front, or a bus's side: like rectangles in rows."""
    height, width = image.shape[:2]
    left, top = int(random.integers(-20, width)), int(random.integers(-20, height))
    across, down = int(random.integers(3, 30)), int(random.integers(3, 34))
    wall, glass = random.integers(20, 235, 3).tolist(), random.integers(10, 250, 3).tolist()
    columns, rows = int(random.integers(2, 9)), int(random.integers(1, 5))
    step = (int(across * random.uniform(1.15, 2)), int(down * random.uniform(1.2, 2)))
    right, bottom = left + columns * step[0], top + rows * step[1]
    cv2.rectangle(image, (left, top), (right, bottom), wall, -1)
    if random.random() < 0.4:
        ridge = [(left - 4, top), (right + 4, top), ((left + right) // 2, top - int(random.integers(5, 40)))]
        cv2.fillPoly(image, [np.array(ridge, np.int32)], random.integers(20, 200, 3).tolist(), cv2.LINE_AA)
    for column in range(columns):
        for row in range(rows):
            x, y = left + column * step[0] + 3, top + row * step[1] + 3
            cv2.rectangle(image, (x, y), (x + across, y + down), glass, -1)


def _blank(image: Image, random: np.random.Generator) -> None:
    """A plain bright plaque of a plate's proportion, or of a lamp's: nothing is written on it."""
    field = int(random.choice([70, 150, 215, 245]))
    board = np.full((60, int(random.choice([70, 120, 200, 280])), 3), field, np.uint8)
    board[:, :, int(random.integers(3))] = int(field * random.uniform(0.6, 1))
    if random.random() < 0.4:
        cv2.rectangle(board, (2, 2), (board.shape[1] - 3, 57), (30, 30, 30), 3)
    if random.random() < 0.4:
        cv2.line(
            board,
            (10, 30),
            (board.shape[1] - 10, int(random.integers(10, 50))),
            (60, 60, 60),
            int(random.integers(2, 14)),
        )
    _place(image, board, random)


def _bars(image: Image, random: np.random.Generator) -> None:
    """Stripes: a zebra crossing, a fence, a barcode, chevrons."""
    count = int(random.integers(4, 16))
    board = np.full((60, count * 16, 3), int(random.integers(10, 130)), np.uint8)
    lean = int(random.integers(-12, 13))
    tone = int(random.integers(120, 250))
    for bar in range(count):
        x = bar * 16 + 4
        wide = int(random.integers(3, 12))
        points = np.array([[x, 6], [x + wide, 6], [x + wide + lean, 54], [x + lean, 54]], np.int32)
        cv2.fillPoly(board, [points], (tone,) * 3, cv2.LINE_AA)
    _place(image, board, random)


def _lights(image: Image, random: np.random.Generator) -> None:
    """A row of lamps, or lamps anywhere, as streets have at night."""
    height, width = image.shape[:2]
    at = np.array([random.uniform(0, width), random.uniform(0, height)])
    step = random.uniform(-30, 30, 2) * [1, 0.3]
    colour = _LAMPS[int(random.integers(len(_LAMPS)))]
    radius = int(random.integers(1, 9))
    for _ in range(int(random.integers(1, 7))):
        cv2.circle(image, at.astype(int).tolist(), radius, colour, -1, cv2.LINE_AA)
        at = at + step


def _pictogram(image: Image, random: np.random.Generator) -> None:
    """A square sign with a triangle, a disc or an arrow on it, often in a bright frame."""
    field, ink = _FIELDS[int(random.integers(len(_FIELDS)))]
    side = 120
    board = np.empty((side, int(side * random.uniform(0.8, 1.5)), 3), np.uint8)
    board[:] = field
    middle, reach = board.shape[1] // 2, int(random.integers(25, 48))
    shape = int(random.integers(3))
    if shape == 0:
        points = [(middle, 60 - reach), (middle + reach, 60 + reach), (middle - reach, 60 + reach)]
        cv2.fillPoly(board, [np.array(points, np.int32)], ink, cv2.LINE_AA)
    elif shape == 1:
        cv2.circle(board, (middle, 60), reach, ink, int(random.choice([-1, 8])), cv2.LINE_AA)
    else:
        tip = (middle + int(random.integers(-40, 41)), 60 - reach)
        cv2.arrowedLine(board, (middle, 60 + reach), tip, ink, 10, cv2.LINE_AA, tipLength=0.4)
    cv2.circle(board, (middle, 64), reach // 3, field, -1, cv2.LINE_AA)
    if random.random() < 0.7:
        end = (board.shape[1] - 1, side - 1)
        cv2.rectangle(board, (0, 0), end, (240, 238, 225), int(random.integers(6, 26)))
    _place(image, board, random)


def _chevrons(image: Image, random: np.random.Generator) -> None:
    """The board of a bend or of road works, with a border: in a plate's proportions, and as bright."""
    field, ink = ((235, 235, 235), (190, 30, 40)) if random.random() < 0.6 else _FIELDS[int(random.choice([4, 5]))]
    count = int(random.integers(1, 7))
    board = np.empty((80, count * 60 + 20, 3), np.uint8)
    board[:] = field
    step = 1 if random.random() < 0.5 else -1
    for number in range(count):
        x = number * 60 + (10 if step > 0 else 70)
        points = [(0, 8), (26, 8), (56, 40), (26, 72), (0, 72), (30, 40)]
        chevron = np.array([(x + step * across, down) for across, down in points], np.int32)
        cv2.fillPoly(board, [chevron], ink, cv2.LINE_AA)
    if random.random() < 0.7:
        edge = (245, 235, 190) if random.random() < 0.5 else ink
        cv2.rectangle(board, (0, 0), (board.shape[1] - 1, 79), edge, int(random.integers(3, 10)))
    _place(image, board, random)


def _tube(image: Image, random: np.random.Generator) -> None:
    """A long lamp, a lit slot, or a lamp's image in a bumper: as bright as a plate that outshines its text."""
    height, width = image.shape[:2]
    centre = (int(random.uniform(0, width)), int(random.uniform(0, height)))
    long = float(np.exp(random.uniform(np.log(9), np.log(70))))
    axes = (int(long), max(1, int(long * random.uniform(0.05, 0.3))))
    tone = np.array(_LAMPS[int(random.integers(len(_LAMPS)))], float) * random.uniform(0.6, 1.0)
    colour = (int(tone[0]), int(tone[1]), int(tone[2]))
    angle = float(random.normal(0, 10))
    if random.random() < 0.5:
        glow(image, centre, long * float(random.uniform(0.3, 0.9)), colour)
    if random.random() < 0.5:
        cv2.ellipse(image, centre, axes, angle, 0, 360, colour, -1, cv2.LINE_AA)
    else:
        corners = cv2.boxPoints((centre, (2.0 * axes[0], 2.0 * axes[1]), angle))
        cv2.fillConvexPoly(image, corners.astype(np.int32), colour, cv2.LINE_AA)


def _queue(image: Image, random: np.random.Generator) -> None:
    """The lamps of vehicles in a queue: a band of lights of many sizes, each shining into the next."""
    height, width = image.shape[:2]
    at = np.array([random.uniform(-20, width), random.uniform(0, height)])
    step, lean = float(random.uniform(5, 26)), float(random.normal(0, 0.1))
    colour = _LAMPS[int(random.integers(len(_LAMPS)))]
    for _ in range(int(random.integers(3, 14))):
        centre = (int(at[0]), int(at[1] + random.normal(0, step / 6)))
        radius = max(1, int(step * random.uniform(0.1, 0.4)))
        glow(image, centre, radius * float(random.uniform(1, 3)), colour)
        cv2.circle(image, centre, radius, (255, 250, 245), -1, cv2.LINE_AA)
        at += np.array([step * random.uniform(0.6, 1.6), step * lean])
