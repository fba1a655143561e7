"""Outlines of A to Z and 0 to 9 as strokes, from which a face of any width, weight and roundness is drawn.

A stroke is a list of points in the character's box, 0 to 1 to the right and down. A point that ends in ``r`` is a
round corner, any other a sharp one; a stroke that ends in ``z`` is closed. Strokes go along the middle of the
ink: the box of the ink is half a stroke's width larger, and what reaches out of it is cut off flat, as the ends of
stems are. Where countries differ, a character has several forms; the first is the usual one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_FORMS: Final[dict[str, tuple[str, ...]]] = {
    "0": ("0,0r 1,0r 1,1r 0,1r z",),
    "1": (
        "0.1,.28 .75,0 .75,1.2", "0,.3 .95,-.05 .95,1.2", ".0,.25 .55,0 .55,1 | 0,1 1.1,1", ".3,.2 .9,0 .9,1.2",
        ".5,-.2 .5,1.2",
    ),
    "2": (
        "0,.27 0,0r 1,0r 1,.42r 0,.98 | 0,1 1.2,1",
        "0,.3 0,0r 1,0r 1,.5r .3,.62r 0,1 1.2,1",
        "0,.25 0,0r 1,0r 1,.45r .5,.58r 0,.75r 0,1 1.2,1",
    ),
    "3": (
        "0,.22 0,0r 1,0r 1,.47r .35,.47 | .35,.47 1,.47r 1,1r 0,1r 0,.76",
        "-.2,0 1,0 .42,.42 | .42,.42 1,.42r 1,1r 0,1r 0,.76",
    ),
    "4": (
        ".62,-.2 0,.74 1.2,.74 | .74,.45 .74,1.2",
        ".78,1.2 .78,0 0,.72 1.2,.72", ".35,-.2 0,.7 1.2,.7 | .7,.4 .7,1.2",
    ),
    "5": (
        "1.2,0 .08,0 .02,.47 | .02,.5 .2,.4r 1,.4r 1,1r 0,1r 0,.76",
        "1.2,0 0,0 0,.43 .99,.43r 1,1r 0,1r 0,.76",
    ),
    "6": (
        ".95,.2 .95,0r 0,0r 0,1r 1,1r 1,.45r 0,.45r 0,.7",
        ".75,-.2 .05,.6 | 0,.44r 1,.44r 1,1r 0,1r z",
        ".8,-.1 0,.35r 0,1r 1,1r 1,.45r 0,.45r 0,.75",
    ),
    "7": ("-.2,0 1,0 .3,1.2", "-.2,0 1,0 1,.15 .45,.7r .35,1.2", "-.2,0 1,0 .5,1.2", "-.2,0 1,0 .15,1.2"),
    "8": (
        ".06,0r .94,0r .94,.46r .06,.46r z | 0,.46r 1,.46r 1,1r 0,1r z",
        "0,0r 1,0r 1,.48r 0,.48r z | 0,.48r 1,.48r 1,1r 0,1r z",
    ),
    "9": (
        ".05,.8 .05,1r 1,1r 1,0r 0,0r 0,.55r 1,.55r 1,.3",
        ".25,1.2 .95,.4 | 1,.56r 0,.56r 0,0r 1,0r z",
        ".2,1.1 1,.65r 1,0r 0,0r 0,.55r 1,.55r 1,.25",
    ),
    "A": ("-.08,1.2 .5,-.12 1.08,1.2 | .2,.7 .8,.7", "-.05,1.1 .42,0 .58,0 1.05,1.1 | .15,.72 .85,.72"),
    "B": (
        "0,0 .93,0r .93,.47r 0,.47 | 0,.47 1,.47r 1,1r 0,1 | 0,0 0,1",
        "0,0 1,0r 1,.49r 0,.49 | 0,.49 1,.49r 1,1r 0,1 | 0,0 0,1",
    ),
    "C": ("1,.3 1,0r 0,0r 0,1r 1,1r 1,.7", "1,.22 1,0r 0,0r 0,1r 1,1r 1,.78"),
    "D": ("0,0 1,0r 1,1r 0,1 z", "0,0 .75,0r 1,.3r 1,.7r .75,1r 0,1 z"),
    "E": ("1.2,0 0,0 0,1 1.2,1 | 0,.48 .9,.48", "1.2,0 0,0 0,1 1.2,1 | 0,.5 1.2,.5"),
    "F": ("1.2,0 0,0 0,1.2 | 0,.48 .88,.48", "1.2,0 0,0 0,1.2 | 0,.52 1,.52"),
    "G": (
        "1,.26 1,0r 0,0r 0,1r 1,1r 1,.55 .5,.55",
        "1,.26 1,0r 0,0r 0,1r 1,1r 1,.52 .45,.52 | 1,.52 1,1.2",
        "1,.3 1,0r 0,0r 0,1r 1,1r 1,.6 | 1,.6 .6,.6",
    ),
    "H": ("0,-.2 0,1.2 | 1,-.2 1,1.2 | 0,.48 1,.48",),
    "I": (".5,-.2 .5,1.2", "0,0 1,0 | 0,1 1,1 | .5,0 .5,1"),
    "J": ("1,-.2 1,1r 0,1r 0,.72", ".35,0 1,0 1,1r 0,1r 0,.75", "1,-.2 1,1r .1,1r -.1,.85"),
    "K": ("0,-.2 0,1.2 | 1.02,-.1 0,.62 | .36,.4 1.05,1.1", "0,-.2 0,1.2 | 1,-.1 .05,.5 1.04,1.1"),
    "L": ("0,-.2 0,1 1.2,1",),
    "M": ("0,1.2 0,0 .5,.62 1,0 1,1.2", "0,1.2 0,0 .5,.98 1,0 1,1.2", "0,1.2 .1,0 .5,.75 .9,0 1,1.2"),
    "N": ("0,1.2 0,0 1,1 1,-.2",),
    "O": ("0,0r 1,0r 1,1r 0,1r z",),
    "P": ("0,1.2 0,0 1,0r 1,.54r 0,.54", "0,1.2 0,0 1,0r 1,.47r 0,.47"),
    "Q": ("0,0r 1,0r 1,1r 0,1r z | .55,.72 1.08,1.12", "0,0r 1,0r 1,1r 0,1r z | .6,.7 .95,1.25"),
    "R": ("0,1.2 0,0 1,0r 1,.52r 0,.52 | .45,.52 1.02,1.1", "0,1.2 0,0 1,0r 1,.5r 0,.5 | .5,.5 1,.6r 1,1.2"),
    "S": (
        "1,.24 1,0r 0,0r 0,.47r 1,.5r 1,1r 0,1r 0,.76",
        ".95,.22 .95,0r .04,0r .04,.4r .96,.6r 1,1r 0,1r 0,.76",
    ),
    "T": ("-.2,0 1.2,0 | .5,0 .5,1.2",),
    "U": ("0,-.2 0,1r 1,1r 1,-.2",),
    "V": ("-.06,-.15 .5,1.1 1.06,-.15", "-.04,-.1 .42,1 .58,1 1.04,-.1"),
    "W": (
        "-.04,-.15 .25,1.05 .5,.15 .75,1.05 1.04,-.15",
        "0,-.2 .06,1 .5,.3 .94,1 1,-.2",
        "0,-.15 .24,1.05 .5,.4 .76,1.05 1,-.15",
    ),
    "X": ("-.04,-.12 1.04,1.12 | 1.04,-.12 -.04,1.12",),
    "Y": ("-.04,-.12 .5,.55 1.04,-.12 | .5,.5 .5,1.2", "-.02,-.1 .5,.45 1.02,-.1 | .5,.4 .5,1.2"),
    "Z": ("-.2,0 1,0 0,1 1.2,1",),
}  # fmt: skip
_RELATIVE_WIDTH: Final[dict[str, float]] = {
    "1": 0.5, "I": 0.12, "J": 0.85, "L": 0.88, "E": 0.9, "F": 0.88, "M": 1.25, "W": 1.35, "T": 0.97, "A": 1.12,
    "V": 1.1, "X": 1.08, "Y": 1.05, "K": 1.06, "N": 1.08, "Q": 1.04, "G": 1.04, "O": 1.04,
}  # fmt: skip
HEIGHT_PX: Final = 80
"""A character's height in the drawings: its millimetres on most plates."""
_FINE: Final = 3
"""Strokes are drawn so many times larger, and averaged."""

Ink = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class StrokeFace:
    """A face drawn from strokes; lengths are shares of a character's height.

    Attributes
    ----------
    width
        Of most characters; letters and digits apart.
    weight
        Of a stroke.
    roundness
        How much of a round corner is round, 0 to 1.
    forms
        Which form of each of `CHARACTERS` it has, by any number.
    equal
        How nearly M, W, E, ... have the width of the others, 0 to 1 (FE-Schrift and the like: 1).
    """

    letter_width: float
    digit_width: float
    weight: float
    roundness: float
    forms: tuple[int, ...]
    equal: float = 0.0
    slant: float = 0.0

    def draw(self, character: str) -> Ink:
        """Ink 0 to 255 of one character, uint8 ``(HEIGHT_PX, W)``."""
        return _draw(self, character)


CHARACTERS: Final = "".join(_FORMS)


def form_count(character: str) -> int:
    """How many forms a character has."""
    return len(_FORMS[character])


@lru_cache(maxsize=4096)
def _draw(face: StrokeFace, character: str) -> Ink:
    forms = _FORMS[character]
    form = forms[face.forms[CHARACTERS.index(character)] % len(forms)]
    base = face.digit_width if character.isdigit() else face.letter_width
    relative = _RELATIVE_WIDTH.get(character, 1.0)
    if character == "I" and "|" in form:
        relative = 0.6
    if character not in "I1":
        relative += (1.0 - relative) * face.equal
    height = HEIGHT_PX * _FINE
    stroke = max(2.0, face.weight * height)
    width = max(stroke, base * relative * height)
    scale = np.array([width - stroke, height - stroke])
    canvas = np.zeros((round(height), round(width)), np.uint8)
    for part in form.split("|"):
        line = _polyline(part.split(), scale, face.roundness) + stroke / 2
        points = np.round(line * 16).astype(np.int32)
        cv2.polylines(canvas, [points], False, 255, max(1, round(stroke)), cv2.LINE_AA, 4)
    if face.slant:
        shift = abs(face.slant) * height
        matrix = np.array([[1, -face.slant, shift if face.slant > 0 else 0], [0, 1, 0]])
        canvas = np.asarray(cv2.warpAffine(canvas, matrix, (round(width + shift), round(height))), np.uint8)
    size = (max(2, round(canvas.shape[1] / _FINE)), HEIGHT_PX)
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)


def _polyline(points: list[str], scale: NDArray[np.float64], roundness: float) -> NDArray[np.float64]:
    """The points of one stroke in pixels, round corners as curves: float64 ``(P, 2)``."""
    closed = points[-1] == "z"
    named = points[:-1] if closed else points
    at = np.array([[float(each) for each in name.rstrip("r").split(",")] for name in named]) * scale
    is_round = [name.endswith("r") for name in named]
    line: list[NDArray[np.float64]] = []
    count = len(at)
    for place in range(count):
        inside = closed or 0 < place < count - 1
        if not (is_round[place] and inside):
            line.append(at[place][None])
            continue
        before, after = at[place - 1], at[(place + 1) % count]
        line.append(_corner(before, at[place], after, roundness, float(scale[0])))
    if closed:
        line.append(line[0][:1])
    return np.concatenate(line)


def _corner(
    before: NDArray[np.float64],
    corner: NDArray[np.float64],
    after: NDArray[np.float64],
    roundness: float,
    width: float,
) -> NDArray[np.float64]:
    """A quarter of an ellipse, or less of one, in place of a corner: float64 ``(9, 2)``."""
    ends = []
    for other in (before, after):
        length = float(np.linalg.norm(other - corner))
        reach = min(length / 2, width / 2 * roundness * 1.08)
        ends.append(corner + (other - corner) * (reach / max(length, 1e-6)))
    t = np.linspace(0, 1, 9)[:, None]
    # Cubic with the handles that come nearest to a circle.
    near, far = ends[0] + 0.552 * (corner - ends[0]), ends[1] + 0.552 * (corner - ends[1])
    curve: NDArray[np.float64] = (
        (1 - t) ** 3 * ends[0] + 3 * (1 - t) ** 2 * t * near + 3 * (1 - t) * t**2 * far + t**3 * ends[1]
    )
    return curve
