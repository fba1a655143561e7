"""Image files to plates, a batch at a time: what `lik read` prints, and the bench measures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hotlists.columns import unpack_country
from pipeline.errors import ConfigurationError
from pipeline.ingest.images import BROKEN_OFF, Decoded
from pipeline.ingest.recognise import Recognised, Recogniser, characters_of
from plates import alphabet

SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".avif"}
)
"""What is taken out of a folder. Some of it cannot be read, but whoever asks is told of it."""
BATCH_FILES: Final = 16
BATCH_BYTES: Final = 64 * 2**20
MAX_FILE_BYTES: Final = 64 * 2**20

_INK: Final = (255, 40, 40)
_QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate on an image."""

    text: str
    confidence: float
    country: str
    box: tuple[int, int, int, int]
    """x, y, w, h in pixels of the upright image."""
    characters: list[dict[str, float]]
    """Per character the likeliest ones and their probability; the empty text is no character."""


@dataclass(frozen=True, slots=True)
class FileRead:
    """What came of a file."""

    file: Path
    plates: list[Plate] = field(default_factory=list)
    """The best first."""
    error: str = ""
    """Why it cannot be read; empty where it can."""
    pixels: NDArray[np.uint8] | None = None
    """The image, RGB uint8 ``(H, W, 3)``; None where there is an error, and where it was not asked for."""

    def to_json(self) -> dict[str, Any]:
        """Return what `lik read --json` prints."""
        plates = [
            {
                "text": plate.text,
                "confidence": plate.confidence,
                "country": plate.country,
                "box": list(plate.box),
                "characters": plate.characters,
            }
            for plate in self.plates
        ]
        error = {"error": self.error} if self.error else {}
        return {"file": str(self.file), **error, "plates": plates}

    def to_lines(self) -> list[str]:
        """Return what `lik read` prints for a person: a line per plate."""
        if self.error:
            return [f"{self.file}  cannot be read: {self.error}"]
        if not self.plates:
            return [f"{self.file}  no plate"]
        return [
            f"{self.file}  {plate.text:<10}  {plate.country or '--':<2}  {plate.confidence:6.3f}  "
            f"{plate.box[2]}x{plate.box[3]} at {plate.box[0]},{plate.box[1]}"
            for plate in self.plates
        ]


def list_files(paths: Iterable[Path], *, leave_out: Path | None = None) -> list[Path]:
    """List files as given, and of each folder its images, those of its folders too, sorted.

    Parameters
    ----------
    leave_out
        A folder that is not gone into: where the pictures of an earlier run are.

    Raises
    ------
    ConfigurationError
        A folder holds no image.
    """
    found: list[Path] = []
    left_out = leave_out.resolve() if leave_out else None
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        images: list[Path] = []
        for folder, folders, names in os.walk(path):
            folders[:] = [each for each in folders if (Path(folder) / each).resolve() != left_out]
            images += [Path(folder) / name for name in names if Path(name).suffix.lower() in SUFFIXES]
        if not images:
            raise ConfigurationError(f"{path}: no image in it; give a folder of JPEG or PNG files")
        found += sorted(images)
    return found


def read_files(
    files: Iterable[Path], recogniser: Recogniser, *, patch: bool = False, keep_pixels: bool = False
) -> Iterator[FileRead]:
    """Read files, each in its turn; one that cannot be read costs no other.

    Parameters
    ----------
    patch
        The images are plates, each from edge to edge.
    keep_pixels
        Give the image with what is on it; only the last few are then in memory, if the caller keeps none.
    """
    for batch in _batches(files):
        encoded = [data for _, data in batch if isinstance(data, bytes)]
        answers = iter(_read_batch(encoded, recogniser, patch))
        for file, data in batch:
            if isinstance(data, str):
                yield FileRead(file, error=data)
                continue
            plates, error, image = next(answers)
            yield FileRead(file, plates, error, image.pixels if image and keep_pixels else None)


def _batches(files: Iterable[Path]) -> Iterator[list[tuple[Path, bytes | str]]]:
    """The bytes of each file, or why there are none; never more than `BATCH_BYTES` and one file at once."""
    batch: list[tuple[Path, bytes | str]] = []
    held = 0
    for file in files:
        data = _bytes_of(file)
        batch.append((file, data))
        held += len(data)
        if len(batch) == BATCH_FILES or held >= BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _bytes_of(file: Path) -> bytes | str:
    try:
        if not file.exists():
            return "there is no such file"
        # Anything else may never end.
        if not file.is_file():
            return "not a file; give an image, or a folder of images"
        size = file.stat().st_size
        if size > MAX_FILE_BYTES:
            return f"the file has {size} bytes; at most {MAX_FILE_BYTES}"
        return file.read_bytes()
    except OSError as error:
        return f"the file cannot be read ({error.strerror})"


Answer = tuple[list[Plate], str, Decoded | None]


def _read_batch(encoded: Sequence[bytes], recogniser: Recogniser, patch: bool) -> list[Answer]:
    answers: list[Answer] = [([], "", None)] * len(encoded)
    for part in recogniser.decode(encoded):
        for row, error in part.refused.items():
            answers[row] = [], str(error), None
        images = [image.pixels for image in part.images]
        found = recogniser.read(images) if patch else recogniser.recognise(images)
        bounds = np.searchsorted(found.image, np.arange(len(images) + 1)).tolist()
        for row, image, begin, end in zip(part.rows, part.images, bounds[:-1], bounds[1:], strict=True):
            plates = plates_of(found, range(begin, end))
            answers[row] = plates, "" if plates or image.whole else BROKEN_OFF, image
    return answers


def plates_of(found: Recognised, rows: Iterable[int]) -> list[Plate]:
    """Make plates of some rows, the best first: what is read most surely where a plate most surely is."""
    reads = found.reads
    best = sorted(rows, key=lambda row: -float(reads.confidence[row] * found.scores[row]))
    texts, shares = alphabet.decode(reads.codes[best]), reads.probabilities
    return [
        Plate(
            text=text,
            confidence=round(float(reads.confidence[row]), 4),
            country=unpack_country(int(reads.country[row])),
            box=(int(box[0]), int(box[1]), int(box[2]), int(box[3])),
            characters=[] if shares is None else characters_of(shares[row], len(text)),
        )
        for row, text, box in zip(best, texts, found.boxes[best].tolist(), strict=True)
    ]


class Drawings:
    """Pictures with boxes and texts, in a folder; made as they are asked for.

    Raises
    ------
    ConfigurationError
        The folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{folder}: cannot be made ({error.strerror}); give another folder"
            ) from error

    def draw(self, read: FileRead) -> Path:
        """Write the picture of a file that was read with its pixels; return where.

        Raises
        ------
        ConfigurationError
            It cannot be written.
        """
        if read.pixels is None:
            raise ValueError("the file was read without its pixels")
        target = self._folder / self._name(read.file)
        _, data = cv2.imencode(".jpg", _drawn(read.pixels, read.plates), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        try:
            target.write_bytes(data.tobytes())
        except OSError as error:
            raise ConfigurationError(f"{target}: cannot be written ({error.strerror})") from error
        return target

    def _name(self, file: Path) -> str:
        """A name that is no other's of this run: ``car.jpg`` is ``car.plates.jpg``."""
        number = 1
        while (name := f"{file.stem}{'' if number == 1 else f'-{number}'}.plates.jpg") in self._names:
            number += 1
        self._names.add(name)
        return name


def _drawn(pixels: NDArray[np.uint8], plates: Sequence[Plate]) -> NDArray[np.uint8]:
    """A BGR image with a box and a text for each plate."""
    image = np.ascontiguousarray(pixels[:, :, ::-1])
    thickness = max(1, round(image.shape[1] / 640))
    for plate in plates:
        x, y, w, h = plate.box
        cv2.rectangle(image, (x, y), (x + w, y + h), _INK, thickness)
        scale = max(0.5, w / 180)
        label = f"{plate.text} {plate.confidence:.2f}"
        (width, height), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
        left = max(0, min(x, image.shape[1] - width))
        # Above the plate, or below it where there is no room.
        bottom = y - thickness - 3 if y > height + 8 else y + h + height + 6
        for ink, stroke in (((255, 255, 255), 3 * thickness), (_INK, thickness)):
            cv2.putText(image, label, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, stroke, cv2.LINE_AA)
    return image
