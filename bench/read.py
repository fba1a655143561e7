"""Accuracy and speed of reading a labelled folder, beside Tesseract and another model on the same plates.

Labels are a CSV with ``file`` and, of each plate on it, ``text``, its box ``x,y,w,h`` in pixels, or both, and
``lines`` (1 or 2) where it is known. A plate with 1 under ``doubt`` may be found or not: it counts neither way.
Times are medians, and p99 where it says so.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bench import read_peers
from bench.read_peers import BATCH, Image, per_call_ms, tiled
from bench.read_score import Boxes, Detected, Judged, accuracy, detection, distance, matched
from pipeline.errors import ConfigurationError
from pipeline.ingest.files import BATCH_FILES, SUFFIXES
from pipeline.ingest.localise import Localiser
from pipeline.ingest.recognise import Recognised, Recogniser
from plates import alphabet
from plates.normalise import normalise

_SINGLES: Final = 200
_ROUNDS: Final = 3
_TILE: Final = (256, 64)
_CAPTION_PX: Final = 44
_COLUMNS: Final = 4
_WORST: Final = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: a folder, its labels (default: beside or in it), and the peers."""

    folder: Path
    labels: Path | None = None
    patch: bool = False
    peer: tuple[Path, Path] | None = None
    """A fast-plate-ocr model and its plate configuration."""
    tesseract: bool = True
    sheet: Path | None = None
    """Where the worst misreads are drawn, a PNG."""


@dataclass(slots=True)
class Labelled:
    """An image and what is really on it."""

    file: Path
    data: bytes
    texts: list[str] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    doubted: list[tuple[float, float, float, float]] = field(default_factory=list)
    """Plates that may be found or not."""

    @property
    def truth(self) -> Boxes:
        """The true boxes, ``(M, 4)``."""
        return np.array(self.boxes, np.float64).reshape(-1, 4)

    def against(self, boxes: NDArray[Any], scores: NDArray[Any]) -> Detected:
        """Put what is found on it beside what is there."""
        doubted = np.array(self.doubted, np.float64).reshape(-1, 4)
        return Detected(boxes.astype(np.float64), scores.astype(np.float64), self.truth, doubted)


def load(plan: Plan) -> list[Labelled]:
    """Read the labels and the files that they name.

    Raises
    ------
    ConfigurationError
        There are no labels, a line is not as it should be (names it), or a file is missing.
    """
    if not plan.folder.is_dir():
        raise ConfigurationError(f"{plan.folder}: no such folder")
    path = plan.labels or _labels_of(plan.folder)
    if not path.is_file():
        raise ConfigurationError(f"{path}: there is no such file; name the labels with --labels")
    files = {file.name: file for file in plan.folder.iterdir() if file.suffix.lower() in SUFFIXES}
    # A crop may be stored otherwise than the frame that it is of.
    by_stem = {file.stem: file for file in files.values()}
    found: dict[Path, Labelled] = {}
    with path.open(newline="", encoding="utf-8-sig") as lines:
        for row in (reader := csv.DictReader(lines)):
            name = row.get("file") or ""
            file = files.get(name) or by_stem.get(Path(name).stem)
            if file is None:
                raise ConfigurationError(f"{path}: line {reader.line_num}: no {name!r} in {plan.folder}")
            image = found.setdefault(file, Labelled(file, b""))
            try:
                doubted = bool(int(row.get("doubt") or 0))
                if row.get("x"):
                    box = (float(row["x"]), float(row["y"]), float(row["w"]), float(row["h"]))
                    (image.doubted if doubted else image.boxes).append(box)
                if doubted:
                    continue
                image.lines.append(int(row.get("lines") or 0))
            except (TypeError, ValueError) as error:
                raise ConfigurationError(f"{path}: line {reader.line_num}: {error}") from error
            if row.get("text"):
                image.texts += normalise([row["text"]])
    if not found:
        raise ConfigurationError(f"{path}: no label; give the columns file and text, or file,x,y,w,h")
    for image in found.values():
        image.data = image.file.read_bytes()
    return list(found.values())


def _labels_of(folder: Path) -> Path:
    for path in (folder / "labels.csv", folder.parent / "labels.csv", folder.parent / "boxes.csv"):
        if path.exists():
            return path
    raise ConfigurationError(f"{folder}: no labels.csv in it or beside it; name them with --labels")


def measure(plan: Plan) -> dict[str, Any]:
    """Measure everything of a plan."""
    images = load(plan)
    recogniser = Recogniser()
    pixels = [image.pixels for part in recogniser.decode([each.data for each in images]) for image in part.images]
    if len(pixels) != len(images):
        raise ConfigurationError(f"{plan.folder}: {len(images) - len(pixels)} images cannot be decoded")
    answers: dict[str, Any] = {"images": len(images), "cores": len(os.sched_getaffinity(0))}
    crops, owners = _crops(plan, images, pixels)
    if not plan.patch:
        answers |= _measure_frames(recogniser, images, pixels)
    judged: list[Judged] = []
    if crops:
        judged = _judge_crops(recogniser, crops, owners)
        answers["crops"] = accuracy(judged) | {"misread": _misread(judged)}
        answers["crops"]["speed"] = _crop_speed(recogniser, crops)
        answers["crops"]["peers"] = _peers(plan, crops, owners, answers["crops"])
    if plan.sheet is not None:
        draw_sheet(plan.sheet, judged, crops)
    return answers


Owner = tuple[str, str, int]
"""File, truth and lines of a crop."""


def _crops(plan: Plan, images: Sequence[Labelled], pixels: Sequence[Image]) -> tuple[list[Image], list[Owner]]:
    """The plates whose text is known, cut out as they are labelled, or as they come."""
    crops: list[Image] = []
    owners: list[Owner] = []
    for image, whole in zip(images, pixels, strict=True):
        for number, text in enumerate(image.texts):
            if plan.patch:
                crops.append(whole)
            elif number < len(image.boxes):
                x, y, w, h = (round(side) for side in image.boxes[number])
                crops.append(np.ascontiguousarray(whole[max(0, y) : y + h, max(0, x) : x + w]))
            else:
                continue
            owners.append((image.file.name, text, image.lines[number]))
    return crops, owners


def _judge_crops(recogniser: Recogniser, crops: Sequence[Image], owners: Sequence[Owner]) -> list[Judged]:
    found = recogniser.read(crops)
    by_crop = {int(image): row for row, image in enumerate(found.image.tolist())}
    return [_judged(owner, found, by_crop.get(number)) for number, owner in enumerate(owners)]


def _judged(owner: Owner, found: Recognised, row: int | None) -> Judged:
    file, truth, lines = owner
    if row is None:
        return Judged(file, truth, lines=lines)
    reads = found.reads
    shares = None if reads.probabilities is None else reads.probabilities[row]
    text = alphabet.decode(reads.codes[row : row + 1])[0]
    return Judged(file, truth, text, lines, float(reads.confidence[row]), shares)


def _measure_frames(recogniser: Recogniser, images: Sequence[Labelled], pixels: Sequence[Image]) -> dict[str, Any]:
    answers: dict[str, Any] = {"frames": {}}
    found = [recogniser.recognise([image]) for image in pixels]
    if all(each.boxes or each.doubted for each in images):
        seen = zip(images, Localiser().find(pixels), strict=True)
        read = zip(images, found, strict=True)
        answers["frames"]["found"] = detection([image.against(each.boxes, each.scores) for image, each in seen])
        answers["frames"]["read"] = detection([image.against(each.boxes, each.scores) for image, each in read])
    if any(each.texts for each in images):
        judged = [
            each for image, plates in zip(images, found, strict=True) for each in _judge_frame(image, plates)
        ]
        answers["frames"] |= accuracy(judged) | {"misread": _misread(judged)}
    answers["frames"]["speed"] = _frame_speed(recogniser, [each.data for each in images])
    return answers


def _judge_frame(image: Labelled, found: Recognised) -> list[Judged]:
    """What is read at each labelled plate's place; where no place is given, wherever it is on the frame."""
    texts = alphabet.decode(found.reads.codes)
    judged = []
    at_place = matched(found.boxes.astype(float), image.truth).tolist() if image.boxes else []
    for number, truth in enumerate(image.texts):
        owner = (image.file.name, truth, image.lines[number])
        if image.boxes:
            rows = [row for row, place in enumerate(at_place) if place == number]
        else:
            rows = [row for row, text in enumerate(texts) if text == truth] or list(range(len(texts)))
        judged.append(_judged(owner, found, rows[0] if rows else None))
    return judged


def _misread(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    return [
        {"file": each.file, "truth": each.truth, "read": each.text, "confidence": round(each.confidence, 3)}
        for each in judged
        if each.text != each.truth
    ]


def _crop_speed(recogniser: Recogniser, crops: Sequence[Image]) -> dict[str, float]:
    batch = tiled(crops, BATCH)
    singles = [_timed_ms(recogniser, [crop]) for crop in tiled(crops, _SINGLES)]
    return {
        "plates_per_s": BATCH / per_call_ms(lambda: recogniser.read(batch)) * 1e3,
        "plate_ms": float(np.median(singles)),
        "plate_p99_ms": float(np.quantile(singles, 0.99)),
    }


def _timed_ms(recogniser: Recogniser, crops: Sequence[Image]) -> float:
    begin_s = time.perf_counter()
    recogniser.read(crops)
    return (time.perf_counter() - begin_s) * 1e3


def _frame_speed(recogniser: Recogniser, encoded: Sequence[bytes]) -> dict[str, float]:
    """From the encoded bytes to the reads."""
    rates: list[float] = []
    for _ in range(_ROUNDS):
        begin_s = time.perf_counter()
        for begin in range(0, len(encoded), BATCH_FILES):
            _read(recogniser, encoded[begin : begin + BATCH_FILES])
        rates.append(len(encoded) / (time.perf_counter() - begin_s))
    singles: list[float] = []
    for number in range(_SINGLES):
        begin_s = time.perf_counter()
        _read(recogniser, [encoded[number % len(encoded)]])
        singles.append((time.perf_counter() - begin_s) * 1e3)
    return {
        "frames_per_s": float(np.median(rates)),
        "frame_ms": float(np.median(singles)),
        "frame_p99_ms": float(np.quantile(singles, 0.99)),
    }


def _read(recogniser: Recogniser, encoded: Sequence[bytes]) -> None:
    for part in recogniser.decode(encoded):
        recogniser.recognise([image.pixels for image in part.images])


def _peers(plan: Plan, crops: Sequence[Image], owners: Sequence[Owner], own: dict[str, Any]) -> dict[str, Any]:
    truth = [text for _, text, _ in owners]
    found: dict[str, Any] = {}
    if plan.tesseract:
        found["tesseract"] = read_peers.tesseract(crops, truth, [lines for *_, lines in owners])
    if plan.peer is not None:
        found["fast-plate-ocr"] = read_peers.plate_ocr(crops, truth, *plan.peer)
    for peer in found.values():
        if isinstance(peer, dict):
            peer["times_slower"] = peer["plate_ms"] / own["speed"]["plate_ms"]
            peer["exact_lead"] = own["exact"] - peer["exact"]
    return found


def draw_sheet(path: Path, judged: Sequence[Judged], crops: Sequence[Image]) -> None:
    """Draw the worst misreads, those with the most wrong characters and then the surest first, as a PNG."""
    wrong = [(each, crop) for each, crop in zip(judged, crops, strict=True) if each.text != each.truth]
    wrong.sort(key=lambda pair: (-distance(pair[0].truth, pair[0].text), -pair[0].confidence))
    tiles = [_tile(each, crop) for each, crop in wrong[:_WORST]]
    blank = np.full((_TILE[1] + _CAPTION_PX, _TILE[0], 3), 255, np.uint8)
    rows = [
        np.hstack((tiles[begin : begin + _COLUMNS] + [blank] * _COLUMNS)[:_COLUMNS])
        for begin in range(0, max(1, len(tiles)), _COLUMNS)
    ]
    path.write_bytes(cv2.imencode(".png", np.vstack(rows)[:, :, ::-1])[1].tobytes())


def _tile(each: Judged, crop: Image) -> NDArray[np.uint8]:
    tile = np.full((_TILE[1] + _CAPTION_PX, _TILE[0], 3), 255, np.uint8)
    scale = min(_TILE[0] / crop.shape[1], _TILE[1] / crop.shape[0])
    size = (max(1, int(crop.shape[1] * scale)), max(1, int(crop.shape[0] * scale)))
    tile[: size[1], : size[0]] = cv2.resize(
        crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    captions = (f"{each.truth}  {each.file[:18]}", f"{each.text or 'nothing'}  {each.confidence:.2f}")
    for row, (caption, ink) in enumerate(zip(captions, ((0, 110, 0), (200, 0, 0)), strict=True)):
        place = (2, _TILE[1] + 16 + 20 * row)
        cv2.putText(tile, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1, cv2.LINE_AA)
    return tile
