"""Photographs without plates, as backgrounds: those of Debian's packages, used at training time alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError

Image = NDArray[np.uint8]

PACKAGES: Final = (
    "gnome-backgrounds",
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
    "mate-backgrounds",
    "opencv-doc",
    "plasma-workspace-wallpapers",
    "ukui-wallpapers",
)
"""Debian packages that have them: scenery, and signs, prints, screens and buildings as decoys."""

# These show vehicles, whose plates nobody has marked.
_WITH_PLATES: Final = ("licenseplate", "bus", "vehicle", "traffic", "car", "driving", "motion")
_KINDS: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_MIN_FILE_BYTES: Final = 30_000
_MIN_SIDE_PX: Final = 300
_MAX_WIDTH_PX: Final = 1280


def unpack_photographs(folder: Path) -> Path:
    """Fetch `PACKAGES` from Debian and unpack them into `folder`, unless that was done before; return it.

    Nothing is installed, so it takes no rights. It takes apt-get and dpkg-deb.

    Raises
    ------
    ConfigurationError
        A package cannot be fetched or unpacked.
    """
    for package in PACKAGES:
        if (folder / package).exists():
            continue
        with TemporaryDirectory() as fetched:
            try:
                subprocess.run(["apt-get", "download", "-q", package], cwd=fetched, check=True)
                (archive,) = Path(fetched).glob("*.deb")
                subprocess.run(["dpkg-deb", "-x", archive, Path(fetched) / "files"], check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise ConfigurationError(
                    f"{package} cannot be fetched from Debian ({error}); run apt-get update, or name a folder of "
                    "photographs without plates with --photographs"
                ) from error
            folder.mkdir(parents=True, exist_ok=True)
            shutil.move(Path(fetched) / "files", folder / package)
    return folder


def load_photographs(folder: Path | None) -> list[Image]:
    """Load every photograph under `folder`, RGB, at most 1280 px wide; none for None.

    Photographs whose name says that a vehicle is on them are passed over: their plates are not marked.
    """
    if folder is None:
        return []
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in _KINDS
        and file.is_file()
        and file.stat().st_size >= _MIN_FILE_BYTES
        and not any(word in file.name.lower() for word in _WITH_PLATES)
    )
    return [photograph for file in files if (photograph := _load(file)) is not None]


def _load(file: Path) -> Image | None:
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    # A plain area teaches nothing that a drawn one does not.
    if image is None or min(image.shape[:2]) < _MIN_SIDE_PX or image.std() < 12:
        return None
    scale = min(1.0, _MAX_WIDTH_PX / image.shape[1])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def cut(photographs: Sequence[Image], size: tuple[int, int], random: np.random.Generator) -> Image:
    """Cut a piece of `size` (width, height) out of any photograph, at any scale, mirrored half of the time."""
    width, height = size
    photograph = photographs[int(random.integers(len(photographs)))]
    largest = min(photograph.shape[1] / width, photograph.shape[0] / height)
    scale = float(np.exp(random.uniform(np.log(min(0.6, largest)), np.log(largest))))
    across, down = max(8, int(width * scale)), max(8, int(height * scale))
    left = int(random.integers(photograph.shape[1] - across + 1))
    top = int(random.integers(photograph.shape[0] - down + 1))
    piece = photograph[top : top + down, left : left + across]
    if random.random() < 0.5:
        piece = piece[:, ::-1]
    return np.asarray(cv2.resize(piece, size, interpolation=cv2.INTER_AREA), np.uint8)
