"""Draw number plates: layout, colours and lettering of a few countries, deterministic by their generator.

The fonts are Debian's (fonts-opendin, fonts-liberation), needed to draw and never to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pipeline.errors import ConfigurationError

_DIN: Final = "OSP-DIN.ttf"
_NARROW: Final = "LiberationSansNarrow-Bold.ttf"
_FONT_FOLDER: Final = Path("/usr/share/fonts")
HEIGHT_PX: Final = 110
WIDTH_PX: Final = 520
_LETTERS: Final = "ABCDEFGHJKLMNPRSTVXYZ"

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Style:
    """How a country's plate looks; colours are RGB, ``band`` says whether the euro band is drawn."""

    country: str
    field: Colour
    ink: Colour
    font: str
    band: bool = True
    right_band: bool = False


STYLES: Final = {
    style.country: style
    for style in (
        Style("BE", (240, 240, 236), (150, 20, 35), _DIN),
        Style("NL", (245, 190, 30), (15, 15, 15), _NARROW),
        Style("FR", (240, 240, 238), (15, 15, 15), _NARROW, right_band=True),
        Style("DE", (240, 240, 238), (15, 15, 15), _DIN),
        Style("LU", (245, 195, 40), (15, 15, 15), _NARROW),
    )
}


def draw_text(country: str, random: np.random.Generator) -> str:
    """Make up a plate of the country's present standard series, written as on the plate."""

    def letters(count: int) -> str:
        return "".join(random.choice(list(_LETTERS), count))

    def digits(count: int) -> str:
        return "".join(str(digit) for digit in random.integers(0, 10, count))

    match country:
        case "BE":
            return f"{random.integers(1, 3)}-{letters(3)}-{digits(3)}"
        case "NL":
            return f"{letters(1)}-{digits(3)}-{letters(2)}"
        case "FR":
            return f"{letters(2)}-{digits(3)}-{letters(2)}"
        case "DE":
            return f"{random.choice(['AC', 'K', 'DN', 'EU'])} {letters(2)} {digits(4).replace('0', '1')}"
        case "LU":
            return f"{letters(2)} {digits(4)}"
    raise ValueError(f"no style for {country!r}")


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Load a font by its file name.

    Raises
    ------
    ConfigurationError
        Debian's package with it is not installed.
    """
    found = next(_FONT_FOLDER.rglob(name), None)
    if found is None:
        raise ConfigurationError(f"font {name} is missing; apt-get install fonts-opendin fonts-liberation")
    return ImageFont.truetype(str(found), size)


def draw_plate(text: str, country: str, *, infrared: bool = False) -> NDArray[np.uint8]:
    """Draw a plate; RGB uint8 ``(HEIGHT_PX, WIDTH_PX, 3)``. In infra-red only what reflects is bright."""
    style = STYLES[country]
    image = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), (225, 225, 225) if infrared else style.field)
    pen = ImageDraw.Draw(image)
    ink = (40, 40, 40) if infrared else style.ink
    pen.rounded_rectangle((2, 2, WIDTH_PX - 3, HEIGHT_PX - 3), 12, outline=ink, width=4)
    left, right = 14, WIDTH_PX - 14
    if style.band:
        band = (120, 120, 120) if infrared else (20, 50, 150)
        pen.rounded_rectangle((5, 5, 46, HEIGHT_PX - 6), 8, fill=band)
        pen.text((25, 78), country[0], font=font(_NARROW, 26), fill=(235, 235, 235), anchor="mm")
        left = 58
        if style.right_band:
            pen.rounded_rectangle((WIDTH_PX - 47, 5, WIDTH_PX - 6, HEIGHT_PX - 6), 8, fill=band)
            right = WIDTH_PX - 58
    size = 108
    while font(style.font, size).getlength(text) > right - left:
        size -= 2
    pen.text(((left + right) // 2, HEIGHT_PX // 2), text, font=font(style.font, size), fill=ink, anchor="mm")
    return np.asarray(image)
