"""Draw number plates: layout, colours and lettering of a few countries, deterministic by their generator.

The fonts are Debian's (fonts-opendin, fonts-liberation) and Pillow draws them; both are needed to draw and
never to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError

try:
    from PIL import Image, ImageDraw, ImageFont
except ImportError as error:
    raise ConfigurationError("plates are drawn with Pillow; pip install 'kruispunt[render]'") from error

HEIGHT_PX: Final = 110
WIDTH_PX: Final = 520
DIN: Final = "OSP-DIN.ttf"
NARROW: Final = "LiberationSansNarrow-Bold.ttf"

_FONT_FOLDER: Final = Path("/usr/share/fonts")
# Plates are 110 mm high and their characters 75 to 80 mm; a pixel is a millimetre.
_CAPITAL_PX: Final = 77
_MARGIN_PX: Final = 14
_BAND_PX: Final = 44
_DASH_PX: Final = (16, 9)

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Style:
    """How a country's plate looks; colours are RGB."""

    country: str
    mark: str
    """The country's sign on the euro band."""
    field: Colour
    ink: Colour
    font: str
    letters: str
    """The letters of its standard series."""
    gap_px: int
    """Between two characters."""
    right_band: bool = False
    seals: bool = False
    """The first blank is where the seals are stuck."""


STYLES: Final = {
    style.country: style
    for style in (
        Style("BE", "B", (240, 240, 236), (150, 20, 35), DIN, "ABCDEFGHJKLNPRSTUVXYZ", 11),
        Style("NL", "NL", (245, 190, 30), (15, 15, 15), NARROW, "BDFGHJKLNPRSTVXZ", 10),
        Style("FR", "F", (240, 240, 238), (15, 15, 15), NARROW, "ABCDEFGHJKLMNPRSTVWXYZ", 11, right_band=True),
        Style("DE", "D", (240, 240, 238), (15, 15, 15), DIN, "ABCDEFGHJKLMNPRSTUVWXYZ", 8, seals=True),
        Style("LU", "L", (245, 195, 40), (15, 15, 15), NARROW, "ABCDEFGHJKLMNPRSTUVWXYZ", 12),
    )
}


def draw_text(country: str, random: np.random.Generator) -> str:
    """Make up a plate of the country's present standard series, written as on the plate."""
    style = STYLES[country]

    def letters(count: int) -> str:
        return "".join(random.choice(list(style.letters), count))

    def digits(count: int) -> str:
        return "".join(str(digit) for digit in random.integers(0, 10, count))

    match country:
        case "BE":
            return f"{random.integers(1, 3)}-{letters(3)}-{digits(3)}"
        case "NL":
            return f"{letters(1)}-{digits(3)}-{letters(2)}"
        case "DE":
            district = random.choice(["AC", "K", "DN", "EU"])
            return f"{district} {letters(2)} {random.integers(1, 10)}{digits(3)}"
        case "LU":
            return f"{letters(2)} {digits(4)}"
        case _:
            return f"{letters(2)}-{digits(3)}-{letters(2)}"


@cache
def font(name: str, capital_px: int = _CAPITAL_PX) -> ImageFont.FreeTypeFont:
    """Load a font by its file name, in the size at which its capitals are `capital_px` high.

    Raises
    ------
    ConfigurationError
        Debian's package with it is not installed.
    """
    found = next(_FONT_FOLDER.rglob(name), None)
    if found is None:
        raise ConfigurationError(f"font {name} is missing; apt-get install fonts-opendin fonts-liberation")
    trial = ImageFont.truetype(str(found), 1000)
    _, top, _, bottom = trial.getbbox("H")
    return ImageFont.truetype(str(found), round(1000 * capital_px / (bottom - top)))


def draw_plate(text: str, country: str, *, infrared: bool = False) -> NDArray[np.uint8]:
    """Draw a plate; RGB uint8 ``(HEIGHT_PX, WIDTH_PX, 3)``. In infra-red only what reflects is bright."""
    style = STYLES[country]
    image = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), (225, 225, 225) if infrared else style.field)
    pen = ImageDraw.Draw(image)
    ink = (40, 40, 40) if infrared else style.ink
    pen.rounded_rectangle((2, 2, WIDTH_PX - 3, HEIGHT_PX - 3), 12, outline=ink, width=4)
    band = (120, 120, 120) if infrared else (20, 50, 150)
    pen.rounded_rectangle((5, 5, 5 + _BAND_PX, HEIGHT_PX - 6), 8, fill=band)
    pen.text((26, 78), style.mark, font=font(NARROW, 19), fill=(235, 235, 235), anchor="mm")
    left, right = 5 + _BAND_PX + _MARGIN_PX, WIDTH_PX - _MARGIN_PX
    if style.right_band:
        pen.rounded_rectangle((WIDTH_PX - 6 - _BAND_PX, 5, WIDTH_PX - 6, HEIGHT_PX - 6), 8, fill=band)
        right = WIDTH_PX - 6 - _BAND_PX - _MARGIN_PX
    line = _letter(text, style, right - left)
    begin = (left + right - line.shape[1]) // 2
    share = line[:, :, None] / 255.0
    plate = np.array(image)
    under = plate[:, begin : begin + line.shape[1]]
    plate[:, begin : begin + line.shape[1]] = under * (1 - share) + np.array(ink) * share
    return plate


def _letter(text: str, style: Style, room_px: int) -> NDArray[np.uint8]:
    """Set the text glyph by glyph: ink 0 to 255, uint8 ``(HEIGHT_PX, W)``; narrowed where it is too long."""
    pieces = []
    for number, character in enumerate(text):
        match character:
            case "-":
                pieces.append(_dash())
            case " ":
                first = style.seals and " " not in text[:number]
                pieces.append(_seals() if first else np.zeros((HEIGHT_PX, 22), np.uint8))
            case _:
                pieces.append(draw_glyph(character, style.font))
        pieces.append(np.zeros((HEIGHT_PX, style.gap_px), np.uint8))
    line = np.concatenate(pieces[:-1], axis=1)
    if line.shape[1] <= room_px:
        return line
    return np.asarray(cv2.resize(line, (room_px, HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)


@cache
def draw_glyph(character: str, face: str) -> NDArray[np.uint8]:
    """Draw one character in the middle of a plate's height: ink 0 to 255, uint8 ``(HEIGHT_PX, W)``."""
    lettering = font(face)
    left, _, right, _ = lettering.getbbox(character, anchor="ls")
    canvas = Image.new("L", (int(right - left) + 2, HEIGHT_PX), 0)
    baseline = (HEIGHT_PX + _CAPITAL_PX) // 2
    ImageDraw.Draw(canvas).text((1 - left, baseline), character, font=lettering, fill=255, anchor="ls")
    return np.asarray(canvas)


def _dash() -> NDArray[np.uint8]:
    dash = np.zeros((HEIGHT_PX, _DASH_PX[0]), np.uint8)
    dash[(HEIGHT_PX - _DASH_PX[1]) // 2 : (HEIGHT_PX + _DASH_PX[1]) // 2] = 255
    return dash


def _seals() -> NDArray[np.uint8]:
    """The two round seals that a German plate has behind its district."""
    seals = np.zeros((HEIGHT_PX, 44), np.uint8)
    for y in (32, 78):
        cv2.circle(seals, (22, y), 17, 130, 3)
        cv2.circle(seals, (22, y), 8, 90, -1)
    return seals
