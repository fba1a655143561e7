"""Draw one plate: its text, its lettering, its band, seals and border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from plates import alphabet
from training.plates import STYLES, draw_plate, draw_text
from training.render.faces import Face, FontFace, font_files, pick_face
from training.render.layouts import BLUE, LOOKS, Colour, Look
from training.render.strokes import HEIGHT_PX
from training.render.texts import BETWEEN, anything, make_up

Image = NDArray[np.uint8]

_OF_RECORDING: Final = 0.04
"""How often a plate is drawn as in the demo's recording."""
_BAND_PX: Final = (36, 50)
_MARKS: Final = {"DE": "AOU", "HR": "CSZ"}
"""Letters that may bear a mark, which no text of ours has: two dots in Germany, a caron in Croatia."""
_MARKED: Final = 0.12


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate, drawn.

    Attributes
    ----------
    image
        RGB uint8 ``(H, W, 3)``, tight to the plate's edges; a character is 80 pixels high.
    text
        As `plates.alphabet` writes it, without what stands between the characters.
    country
        ISO alpha-2.
    lines
        1 or 2.
    """

    image: Image
    text: str
    country: str
    lines: int

    @property
    def corners(self) -> NDArray[np.float32]:
        """The corners from the top left clockwise, in pixels of the image: float32 ``(4, 2)``."""
        height, width = self.image.shape[:2]
        return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def draw(
    random: np.random.Generator,
    kind: str | None = None,
    written: str | None = None,
    *,
    held_out: bool = False,
    usual: bool = False,
) -> Plate:
    """Draw a plate of Europe.

    Parameters
    ----------
    random
        What the plate is and how it looks are of this generator alone (and of the fonts that are installed).
    kind
        A key of `layouts.LOOKS`; any by default, about half of them Belgian.
    written
        What is on it, in the characters of a template of `layouts`; a plate of a series of the kind by default.
    held_out
        Letter with the fonts that training never sees.
    usual
        Write texts of the kind's series alone: none with other characters in their places, none personalised.

    Examples
    --------
    >>> plate = draw(np.random.default_rng(1))  # doctest: +SKIP
    >>> matrix = cv2.getPerspectiveTransform(plate.corners, where_in_the_scene)  # doctest: +SKIP
    """
    if written is None:
        if kind is None and random.random() < _OF_RECORDING:
            return _of_recording(random)
        kind, written = make_up(random, kind, usual=usual)
    kind = kind or "BE"
    look = LOOKS[kind]
    field, ink = _colours(look, random)
    face = pick_face(look.manner, random, held_out=held_out)
    spacing = _spacing(kind, random)
    marks = _MARKS.get(kind, "")
    lines = [_letter(line, face, spacing, random, marks) for line in written.split("/")]
    image = _compose(lines, look, (field, ink), random)
    text = "".join(each for each in written if each in alphabet.CHARACTERS)
    return Plate(image, text, kind[:2], len(lines))


def _of_recording(random: np.random.Generator) -> Plate:
    country = str(random.choice(list(STYLES)))
    written = draw_text(country, random)
    if random.random() < 0.3:
        written = "".join(
            str(random.choice(list(anything(each.isdigit(), random)))) if each.isalnum() else each
            for each in written
        )
    text = "".join(each for each in written if each in alphabet.CHARACTERS)
    return Plate(draw_plate(written, country, infrared=bool(random.random() < 0.3)), text, country, 1)


def _colours(look: Look, random: np.random.Generator) -> tuple[Colour, Colour]:
    number = random.choice(len(look.fields), p=[share for _, _, share in look.fields])
    field, ink, _ = look.fields[number]
    if random.random() < 0.02:
        field, ink = ink, field

    def near(colour: Colour, by: float) -> Colour:
        red, green, blue = np.clip(np.array(colour) + random.normal(0, by, 3) + random.normal(0, by), 0, 255)
        return int(red), int(green), int(blue)

    ink = near(ink, 14)
    if ink[0] > 120 and ink[1] < 90:
        # Red ink is anything from nearly black to orange, as it ages.
        share = random.uniform(-0.35, 0.5)
        target = np.array([60, 10, 20]) if share < 0 else np.array([235, 70, 60])
        ink = near(tuple((np.array(ink) * (1 - abs(share)) + target * abs(share)).tolist()), 5)
    return near(field, 9), ink


def _spacing(kind: str, random: np.random.Generator) -> tuple[int, int]:
    """Room between characters, and around what stands between them."""
    loose = (6, 22) if kind.startswith("BE") or random.random() < 0.3 else (5, 15)
    return int(random.integers(*loose)), int(random.integers(2, 40 if loose[1] == 22 else 24))


def _letter(
    line: str, face: Face, spacing: tuple[int, int], random: np.random.Generator, marks: str = ""
) -> Image:
    """Set a line: uint8 ``(HEIGHT_PX, W, 4)``.

    Channel 0 is how much ink of the plate's own colour is there, channels 1 to 3 are the colour of the seals,
    black where none is.
    """
    gap, wide = spacing
    pieces: list[Image] = []
    jitter = random.random() < 0.25
    # Where all characters have one width of room, narrow ones stand far from their neighbours.
    cell = face.draw("0").shape[1] if random.random() < 0.4 else 0
    for number, character in enumerate(line):
        if character in BETWEEN:
            between = _between(character, random)
            if pieces:
                pieces.append(np.zeros((HEIGHT_PX, wide, 4), np.uint8))
            pieces.append(between)
            if number < len(line) - 1:
                pieces.append(np.zeros((HEIGHT_PX, wide, 4), np.uint8))
            continue
        if pieces and line[number - 1] not in BETWEEN:
            pieces.append(np.zeros((HEIGHT_PX, max(1, gap), 4), np.uint8))
        ink = face.draw(character)
        if character in marks and random.random() < _MARKED:
            ink = _with_mark(ink, dots=character in "AOU")
        if jitter:
            width = max(3, round(ink.shape[1] * random.normal(1, 0.05)))
            ink = np.asarray(cv2.resize(ink, (width, HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)
        if cell and character in "I1J":
            room = max(0, cell - ink.shape[1]) // 2
            ink = np.pad(ink, ((0, 0), (room, room)))
        glyph = np.zeros((*ink.shape, 4), np.uint8)
        glyph[:, :, 0] = ink
        pieces.append(glyph)
    return np.concatenate(pieces, axis=1)


def _with_mark(ink: Image, *, dots: bool) -> Image:
    """A letter made lower, and above it two dots or a caron: uint8 ``(HEIGHT_PX, W)``."""
    width = ink.shape[1]
    low = round(HEIGHT_PX * 0.78)
    marked = np.zeros_like(ink)
    marked[-low:] = cv2.resize(ink, (width, low), interpolation=cv2.INTER_AREA)
    middle, reach = width // 2, width // 5
    if dots:
        for x in (middle - reach, middle + reach):
            cv2.circle(marked, (x, 6), 5, 255, -1, cv2.LINE_AA)
    else:
        caron = np.array([[middle - reach, 1], [middle, 10], [middle + reach, 1]], np.int32)
        cv2.polylines(marked, [caron], False, 255, 5, cv2.LINE_AA)
    return marked


def _between(character: str, random: np.random.Generator) -> Image:
    """What stands between characters: uint8 ``(HEIGHT_PX, W, 4)`` as of `_letter`."""
    if character == " ":
        return np.zeros((HEIGHT_PX, int(random.integers(8, 36)), 4), np.uint8)
    width = {".": 14, "-": int(random.integers(16, 36)), ":": int(random.integers(18, 30))}.get(character, 34)
    piece = np.zeros((HEIGHT_PX, width, 4), np.uint8)
    middle = HEIGHT_PX // 2 + int(random.integers(-4, 8))
    if character == ".":
        y = int(random.choice([middle, HEIGHT_PX - 9]))
        cv2.circle(piece, (7, y), int(random.integers(4, 8)), (255, 0, 0, 0), -1, cv2.LINE_AA)
    if character in "-:;":
        half = int(random.integers(4, 8))
        cv2.rectangle(piece, (0, middle - half), (width, middle + half), (255, 0, 0, 0), -1)
    if character == ":" and random.random() < 0.85:
        _seal(piece, (width // 2, int(random.integers(8, 20))), int(random.integers(6, 11)), random, pale=True)
    if character == "*" or character == ";":
        radius = int(random.integers(8, 17)) if character == "*" else int(random.integers(7, 11))
        apart = int(random.integers(19, 24)) if character == "*" else 26
        for side in (-1, 1):
            if random.random() < 0.9:
                _seal(piece, (width // 2, 40 + side * apart), radius, random)
    if character == "^":
        if random.random() < 0.8:
            _arms(piece, random)
        else:
            _seal(piece, (width // 2, 40), int(random.integers(10, 18)), random)
    return piece


def _seal(
    piece: Image, at: tuple[int, int], radius: int, random: np.random.Generator, *, pale: bool = False
) -> None:
    colours = [
        (200, 40, 40),
        (30, 130, 60),
        (40, 70, 180),
        (230, 140, 30),
        (150, 150, 155),
        (190, 190, 190),
        (90, 90, 90),
    ]
    colour = np.clip(
        np.array(colours[int(random.integers(4 if pale else 0, 7))]) + random.integers(-25, 26, 3), 1, 255
    )
    red, green, blue = (int(each) for each in colour)
    cv2.circle(piece, at, radius, (0, red, green, blue), -1, cv2.LINE_AA)
    inner = (0, 225, 225, 220) if random.random() < 0.7 else (0, red // 2 + 1, green // 2 + 1, blue // 2 + 1)
    cv2.circle(piece, at, max(1, int(radius * random.uniform(0.3, 0.75))), inner, -1, cv2.LINE_AA)
    if random.random() < 0.5:
        cv2.circle(piece, at, max(1, radius // 4), (0, red, green, blue), -1, cv2.LINE_AA)


def _arms(piece: Image, random: np.random.Generator) -> None:
    width = piece.shape[1]
    half, top, low = int(random.integers(11, 16)), int(random.integers(14, 26)), int(random.integers(58, 70))
    low_side = (top + 2 * low) // 3
    shield = np.array([[-half, top], [half, top], [half, low_side], [0, low], [-half, low_side]])
    shield += np.array([width // 2, 0])
    edge = (0, 60, 60, 160) if random.random() < 0.5 else (0, 90, 90, 90)
    inside = np.clip(np.array([190, 60, 60]) + random.integers(-60, 61, 3), 1, 255).tolist()
    cv2.fillPoly(piece, [shield.astype(np.int32)], edge, cv2.LINE_AA)
    centre = shield.mean(axis=0)
    cv2.fillPoly(piece, [((shield - centre) * 0.75 + centre).astype(np.int32)], (0, *inside), cv2.LINE_AA)
    cv2.line(piece, (width // 2, top + 6), (width // 2, low - 8), (0, 230, 230, 230), 3)
    cv2.line(piece, (width // 2 - 7, top + 14), (width // 2 + 7, top + 14), (0, 230, 230, 230), 3)


def _compose(lines: list[Image], look: Look, colours: tuple[Colour, Colour], random: np.random.Generator) -> Image:
    field, ink = colours
    has_band = bool(look.mark) and random.random() < look.band
    band = int(random.integers(*_BAND_PX)) if has_band else 0
    right = int(random.integers(*_BAND_PX)) if random.random() < look.right_band else 0
    side, above = int(random.integers(6, 26)), int(random.integers(9, 22))
    two = len(lines) == 2
    # On a plate of two lines the band is as high as the plate, or stands beside the second line alone.
    low = two and random.random() < 0.6
    beside = [0 if low and number == 0 else band for number in range(len(lines))]
    if two:
        needed = [line.shape[1] + room + right + 2 * side for line, room in zip(lines, beside, strict=True)]
        width = max(int(random.integers(280, 345)), *needed)
        height = 2 * HEIGHT_PX + 2 * above + int(random.integers(10, 26))
        if random.random() < 0.5:
            free = width - right - 2 * side
            rooms = [(free - band_px) / line.shape[1] for line, band_px in zip(lines, beside, strict=True)]
            lines = _widened(lines, min(rooms))
    else:
        standard = int(random.choice([520, 520, 520, 440, 0])) if random.random() < 0.8 else 0
        lines = [_squeeze(lines[0], max(standard, 300) - band - right - 2 * side, random)] if standard else lines
        width = max(standard, lines[0].shape[1] + band + right + 2 * side)
        height = HEIGHT_PX + 2 * above
    plate = np.empty((height, width, 3), np.uint8)
    plate[:] = field
    edge = int(random.integers(2, 7)) if random.random() < look.border else 0
    if edge:
        inset = int(random.integers(0, 5))
        cv2.rectangle(plate, (inset, inset), (width - 1 - inset, height - 1 - inset), ink, edge)
    if has_band:
        _draw_band(plate, 0, band, height // 2 if low else 0, look.mark, random)
    if right:
        _draw_band(plate, width - right, right, 0, "", random)
    for number, line in enumerate(lines):
        begin = beside[number] + (width - beside[number] - right - line.shape[1]) // 2
        if two and number == 1 and random.random() < 0.45:
            begin = width - right - side - line.shape[1]
        # Never over a band: a character that is covered is none.
        most = max(beside[number], width - right - line.shape[1])
        begin = int(np.clip(begin + random.integers(-5, 6), beside[number], most))
        y = above if not two else above + number * (height - 2 * above - HEIGHT_PX)
        _stamp(plate, line, (begin, y), ink)
    return plate


def _squeeze(line: Image, room: int, random: np.random.Generator) -> Image:
    """Narrow a line that is too long for a standard plate, as the narrow variants of the faces are."""
    if line.shape[1] <= room or random.random() < 0.2:
        return line
    return np.asarray(cv2.resize(line, (max(room, 60), HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)


def _widened(lines: list[Image], by: float) -> list[Image]:
    """Characters as wide as a plate of two lines has room for, within reason."""
    by = float(np.clip(by, 1.0, 1.6))
    return [
        np.asarray(
            cv2.resize(line, (int(line.shape[1] * by), HEIGHT_PX), interpolation=cv2.INTER_LINEAR), np.uint8
        )
        for line in lines
    ]


def _stamp(plate: Image, line: Image, at: tuple[int, int], ink: Colour) -> None:
    x, y = at
    line = line[:, : plate.shape[1] - x]
    under = plate[y : y + HEIGHT_PX, x : x + line.shape[1]]
    share = line[: under.shape[0], :, :1] * np.float32(1 / 255)
    inked = under + (np.array(ink, np.float32) - under) * share
    seal = line[: under.shape[0], :, 1:]
    under[:] = np.where(seal.max(axis=2, keepdims=True) > 0, seal, inked)


def _draw_band(plate: Image, left: int, width: int, top: int, mark: str, random: np.random.Generator) -> None:
    height = plate.shape[0]
    blue = np.clip(np.array(BLUE) + random.integers(-25, 40, 3), 0, 255).tolist()
    cv2.rectangle(plate, (left, top), (left + width, height), blue, -1)
    room = height - top
    centre = np.array([left + width / 2, top + room * 0.33])
    radius = width * random.uniform(0.24, 0.34)
    yellow = (235, 205, 60) if random.random() < 0.7 else (225, 225, 225)
    if random.random() < 0.9:
        for number in range(12):
            angle = number * np.pi / 6
            star = centre + radius * np.array([np.cos(angle), np.sin(angle)])
            cv2.circle(plate, (int(star[0]), int(star[1])), 2, yellow, -1, cv2.LINE_AA)
    # Some marks are nearly as large as a character: they must be told from one.
    tall = int(random.uniform(0.18, 0.36) * HEIGHT_PX)
    fonts = font_files()
    if not mark or not fonts:
        return
    face = FontFace(fonts[int(random.integers(len(fonts)))], 1.0)
    glyphs = np.concatenate([np.pad(face.draw(each), ((0, 0), (4, 4))) for each in mark], axis=1)
    wide = min(width - 6, max(6, round(glyphs.shape[1] * tall / HEIGHT_PX)))
    small = cv2.resize(glyphs, (wide, tall), interpolation=cv2.INTER_AREA)[:, :, None] / 255.0
    y = int(min(height - tall - 3, top + room * random.uniform(0.6, 0.72)))
    x = left + (width - wide) // 2
    under = plate[y : y + tall, x : x + wide]
    under[:] = under * (1 - small) + np.array([232, 232, 232]) * small
