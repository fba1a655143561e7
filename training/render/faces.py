"""Faces to letter plates with: own strokes in the manner of each country, and the free fonts of Debian."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np

from pipeline.errors import ConfigurationError
from training.render.strokes import CHARACTERS, HEIGHT_PX, Ink, StrokeFace, form_count

try:
    from PIL import Image, ImageDraw, ImageFont
except ImportError as error:
    raise ConfigurationError("plates are drawn with Pillow; pip install 'kruispunt[render]'") from error

FOLDER: Final = Path("/usr/share/fonts")
_WANTED: Final = (
    "OSP-DIN.ttf", "LiberationSansNarrow-*.ttf", "LiberationSans-*.ttf", "DejaVuSansCondensed*.ttf",
    "RobotoCondensed-[RBML]*.ttf", "Roboto-[MBR]*.ttf", "NimbusSansNarrow-*.t1", "NimbusSans-*.t1",
    "FreeSans*.ttf",
    "BebasNeue*", "GemunuLibre-*", "Play-*.ttf", "NationalPark-*", "Yanone*", "Cabin*", "B612-*",
    "osifont*", "routed-gothic*", "GilliusADF*", "UniversalisADF*", "IkariusADF*", "SwitzeraADF*", "Carlito-*.ttf",
    "PTN*.ttf", "PTC*.ttf", "Tuffy*", "Lato-[BRM]*.ttf", "Dosis-*", "ClearSans-*", "OpenSans-Cond*", "Cantarell-*",
    "Karla-*", "Quicksand-*", "Comfortaa-*", "Manrope*",
)  # fmt: skip
HELD_OUT: Final = ("RobotoCondensed", "UniversalisADF", "Play", "NimbusSansNarrow", "routed-gothic", "ClearSans")
"""Beginnings of the names of fonts that training never sees: what they show is how it reads a face that is new."""
_DULL: Final = (
    "Italic",
    "Oblique",
    "Light",
    "Thin",
    "Symbol",
    "italic",
    "oblique",
    "light",
    "thin",
    "Outline",
    "Mono",
)


_BARE: Final = 0.1
"""How often a font's 1 has no flag, in training."""
_BARE_WIDTH: Final = 1.5
"""A 1 that is less wide than so many of its stem has no flag."""


class Face(Protocol):
    """What draws characters."""

    def draw(self, character: str) -> Ink:
        """Ink 0 to 255 of one character, uint8 ``(HEIGHT_PX, W)``."""


@dataclass(frozen=True, slots=True)
class FontFace:
    """A font, wider or narrower than it was cut.

    Attributes
    ----------
    bare
        Whether its 1 is an I: only the series tells them apart.
    """

    path: Path
    stretch: float
    bolder: int = 0
    bare: bool = False

    def draw(self, character: str) -> Ink:
        """Ink 0 to 255 of one character, uint8 ``(HEIGHT_PX, W)``."""
        ink = _font_glyph(self.path, "I" if self.bare and character == "1" else character)
        if self.bolder:
            kernel = np.ones((abs(self.bolder), abs(self.bolder)), np.uint8)
            ink = np.asarray(cv2.dilate(ink, kernel) if self.bolder > 0 else cv2.erode(ink, kernel), np.uint8)
        width = max(3, round(ink.shape[1] * self.stretch))
        return np.asarray(cv2.resize(ink, (width, HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)


@cache
def font_files(*, held_out: bool = False) -> tuple[Path, ...]:
    """The fonts that are installed, sorted by name; those of `HELD_OUT` alone, or all but them."""
    found = {path.name: path for pattern in _WANTED for path in FOLDER.rglob(pattern)}
    return tuple(
        path
        for name, path in sorted(found.items())
        if path.suffix in (".ttf", ".otf", ".t1", ".pfb")
        and not any(word in name for word in _DULL)
        and name.startswith(HELD_OUT) == held_out
    )


def lacking_fonts() -> list[str]:
    """Return the files' names, as patterns, of fonts that plates are lettered with and that are not installed."""
    return [pattern for pattern in _WANTED if next(FOLDER.rglob(pattern), None) is None]


@lru_cache(maxsize=8192)
def _font_glyph(path: Path, character: str) -> Ink:
    lettering = _font(path)
    left, top, right, bottom = lettering.getbbox(character, anchor="ls")
    canvas = Image.new("L", (max(2, int(right - left)), max(2, int(bottom - top))), 0)
    ImageDraw.Draw(canvas).text((-left, -top), character, font=lettering, fill=255, anchor="ls")
    ink = np.asarray(canvas)
    # Round letters overshoot, and old-style digits hang: on plates all have one height.
    level = np.asarray(cv2.resize(ink, (ink.shape[1], HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)
    return _flagged(level) if character == "1" else level


def _flagged(ink: Ink) -> Ink:
    """Give a 1 that is a bare stem its flag: no plate has one without."""
    columns = np.flatnonzero((ink > 128).any(axis=0))
    left, stem = int(columns[0]), float(np.median((ink > 128).sum(axis=1)))
    if columns[-1] + 1 - left > _BARE_WIDTH * stem:
        return ink
    reach = round(1.5 * stem)
    flagged = np.pad(ink[:, left:], ((0, 0), (reach, 0)))
    outline = [(reach, 0), (reach + 0.6 * stem, 0), (reach, 1.4 * stem), (0, 2.6 * stem), (0, 1.5 * stem)]
    cv2.fillPoly(flagged, [np.round(outline).astype(np.int32)], 255, cv2.LINE_AA)
    return flagged


@cache
def _font(path: Path) -> ImageFont.FreeTypeFont:
    trial = ImageFont.truetype(str(path), 1000)
    _, top, _, bottom = trial.getbbox("H")
    return ImageFont.truetype(str(path), round(1000 * HEIGHT_PX / max(1, bottom - top)))


@dataclass(frozen=True, slots=True)
class Manner:
    """How a country's strokes are, as ranges (`StrokeFace`), and the forms that it always has, by character."""

    letter_width: tuple[float, float]
    digit_width: tuple[float, float]
    weight: tuple[float, float]
    roundness: tuple[float, float]
    equal: tuple[float, float] = (0.0, 0.3)
    forms: tuple[tuple[str, int], ...] = ()


MANNERS: Final[dict[str, Manner]] = {
    "BE": Manner(
        (0.48, 0.60), (0.46, 0.58), (0.105, 0.15), (0.8, 1.0),
        forms=tuple(zip("123456789IJKMQR", (1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0), strict=True)),
    ),
    "BE-old": Manner((0.54, 0.70), (0.52, 0.68), (0.10, 0.15), (0.75, 1.0)),
    "FE": Manner(
        (0.60, 0.70), (0.55, 0.62), (0.13, 0.16), (0.7, 1.0), (0.6, 1.0),
        forms=(("I", 1), ("J", 1), ("4", 0), ("M", 1), ("W", 0)),
    ),
    "CZ": Manner((0.54, 0.68), (0.50, 0.62), (0.095, 0.135), (0.8, 1.0), (0.2, 0.7)),
    "DIN": Manner((0.50, 0.64), (0.48, 0.58), (0.12, 0.155), (0.7, 1.0)),
    "FR": Manner((0.50, 0.62), (0.48, 0.58), (0.11, 0.15), (0.75, 1.0)),
    "NL": Manner((0.55, 0.72), (0.50, 0.66), (0.12, 0.17), (0.5, 1.0), (0.3, 0.8)),
    "GB": Manner((0.58, 0.68), (0.58, 0.68), (0.16, 0.19), (0.7, 1.0), (0.8, 1.0)),
    "PL": Manner((0.50, 0.62), (0.48, 0.60), (0.11, 0.14), (0.7, 1.0)),
    "wild": Manner((0.40, 0.80), (0.38, 0.75), (0.08, 0.21), (0.3, 1.0), (0.0, 1.0)),
}  # fmt: skip


def pick_face(manner: str, random: np.random.Generator, *, held_out: bool = False) -> Face:
    """Make up a face: mostly in the country's manner, else any, or a font."""
    chance = random.random()
    fonts = font_files(held_out=held_out)
    if fonts and (held_out or chance < 0.38):
        narrow = random.uniform(0.78, 1.15)
        font = fonts[int(random.integers(len(fonts)))]
        bolder = int(random.choice([-3, 0, 0, 0, 3, 5]))
        return FontFace(font, float(narrow), bolder, not held_out and random.random() < _BARE)
    if chance > 0.88:
        manner = "wild"
    ranges = MANNERS[manner]
    fixed = dict(ranges.forms)
    loose = random.random() < 0.3
    forms = tuple(
        fixed[each] if each in fixed and not loose else int(random.integers(form_count(each)))
        for each in CHARACTERS
    )
    slant = float(random.normal(0, 0.03)) if random.random() < 0.15 else 0.0
    letter = float(random.uniform(*ranges.letter_width))
    digit = (
        letter * float(random.uniform(0.92, 1.02))
        if random.random() < 0.5
        else float(random.uniform(*ranges.digit_width))
    )
    return StrokeFace(
        letter, digit, float(random.uniform(*ranges.weight)), float(random.uniform(*ranges.roundness)), forms,
        float(random.uniform(*ranges.equal)), slant,
    )  # fmt: skip
