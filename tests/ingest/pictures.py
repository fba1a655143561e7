"""Frames for the ingest tests, from the bundled recording: what is on them is known, and no font is needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.demo import TruthLine
from pipeline.ingest.images import decode_image
from pipeline.ingest.localise import Localiser
from plates.normalise import normalise
from recordings import CROSSROADS

Image = NDArray[np.uint8]

FRAMES = CROSSROADS / "frames"
DAY = "000800_cam-brugstraat.jpg"
INFRARED = "005900_cam-molenstraat.jpg"
YELLOW = "014000_cam-leiekaai.jpg"


def jpeg_of(name: str) -> bytes:
    """The bytes of a recorded frame."""
    return (FRAMES / name).read_bytes()


@cache
def truth() -> dict[str, list[str]]:
    """The normalised plates on each recorded frame, by its file name; none where nobody passes."""
    found: dict[str, list[str]] = {file.name: [] for file in sorted(FRAMES.iterdir())}
    for raw in (CROSSROADS / "truth.ndjson").read_bytes().splitlines():
        line = msgspec.json.decode(raw, type=TruthLine)
        if line.via == "frame":
            found[f"{round(line.at_s * 1000):06d}_{line.camera}.jpg"] += normalise([line.plate])
    return found


def plate_of(name: str) -> str:
    """The one plate on a recorded frame."""
    (plate,) = truth()[name]
    return plate


def empty_road() -> str:
    """Name of a recorded frame on which nobody passes."""
    return next(name for name, plates in truth().items() if not plates)


def cut_out(name: str, margin_px: int = 40) -> Image:
    """The plate on a recorded frame and what is around it, RGB."""
    image = decode_image(jpeg_of(name))
    x, y, w, h = Localiser().find([image])[0].boxes[0].astype(int)
    return image[y - margin_px : y + h + margin_px, x - margin_px : x + w + margin_px]


def collage(names: Sequence[str]) -> Image:
    """A grey 1280x720 frame with the plates of several recorded frames, one below the other."""
    canvas = np.full((720, 1280, 3), 90, np.uint8)
    for row, name in enumerate(names):
        cut = cut_out(name)
        top = 20 + row * (690 // len(names))
        canvas[top : top + cut.shape[0], 200 : 200 + cut.shape[1]] = cut
    return canvas


def encode(image: Image, suffix: str = ".jpg") -> bytes:
    """Encode an RGB image as a file of that suffix."""
    return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
