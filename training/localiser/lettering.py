"""Lettering in many faces: masks of ink for plates, signs, stickers and time stamps."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from pipeline.errors import ConfigurationError

_FONT_FOLDER: Final = Path("/usr/share/fonts")
# Fonts whose capitals are drawn at one size and scaled after, so that each is loaded once.
_CAPITAL_PX: Final = 60
# Fonts of other scripts have no Latin capitals, or a speck for them.
_MIN_CAPITAL: Final = 0.3
_SYMBOLS: Final = ("math", "emoji", "symbol", "icon", "mathjax", "dingbat")


@cache
def faces() -> tuple[str, ...]:
    """Return the files of every font that Debian's packages have installed, in a stable order.

    Raises
    ------
    ConfigurationError
        There is none.
    """
    found = sorted(
        str(file)
        for file in _FONT_FOLDER.rglob("*")
        if file.suffix.lower() in {".ttf", ".otf"}
        and not any(word in file.name.lower() for word in _SYMBOLS)
        and _capital_height(str(file)) > _MIN_CAPITAL
    )
    if not found:
        raise ConfigurationError("no font is installed; apt-get install fonts-opendin fonts-liberation")
    return tuple(found)


@cache
def _font(file: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, round(_CAPITAL_PX / _capital_height(file)))


def _capital_height(file: str) -> float:
    """How high a font's capitals are, as a share of its size; next to nothing where it has none."""
    _, top, _, bottom = ImageFont.truetype(file, 1000).getbbox("H")
    return (bottom - top) / 1000


def letter(text: str, face: str) -> NDArray[np.uint8]:
    """Draw a line of text in font file `face`: ink 0 to 255, uint8 ``(H, W)``, cut to the ink's box."""
    font = _font(face)
    left, top, right, bottom = font.getbbox(text)
    canvas = Picture.new("L", (max(1, int(right - left)), max(1, int(bottom - top))), 0)
    ImageDraw.Draw(canvas).text((-left, -top), text, font=font, fill=255)
    return np.asarray(canvas)
