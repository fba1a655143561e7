"""Measure the localiser on a folder of frames with boxes: recall, precision, and time a frame."""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError
from pipeline.ingest.localise import FINDER, MIN_SCORE, REFINER, Detections, Localiser

HIT_IOU: Final = 0.5
_LOWEST_SCORE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Figures:
    """How well plates are found at one least score.

    Attributes
    ----------
    recall, precision
        At an intersection over union of at least `HIT_IOU`, each marked plate found once.
    iou
        The mean of those found.
    """

    min_score: float
    recall: float
    precision: float
    iou: float


def read_boxes(file: Path) -> dict[str, NDArray[np.float32]]:
    """Read a CSV with columns file, x, y, w, h: for each file its boxes, float32 ``(K, 4)``.

    Raises
    ------
    ConfigurationError
        A row has no such number.
    """
    boxes: dict[str, list[list[float]]] = {}
    with file.open(newline="") as rows:
        for number, row in enumerate(csv.DictReader(rows), start=2):
            try:
                boxes.setdefault(row["file"], []).append([float(row[side]) for side in "xywh"])
            except (KeyError, TypeError, ValueError) as error:
                raise ConfigurationError(f"{file}:{number}: wants file, x, y, w, h, in numbers") from error
    return {name: np.array(each, np.float32) for name, each in boxes.items()}


def overlaps(found: NDArray[np.float32], marked: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes x, y, w, h: float32 ``(F, M)``."""
    low = np.maximum(found[:, None, :2], marked[None, :, :2])
    high = np.minimum(found[:, None, :2] + found[:, None, 2:], marked[None, :, :2] + marked[None, :, 2:])
    shared = np.maximum(0, high - low).prod(axis=2)
    areas = found[:, 2:].prod(axis=1)[:, None] + marked[:, 2:].prod(axis=1)[None]
    return np.asarray(shared / np.maximum(areas - shared, 1e-6), np.float32)


def score(found: Detections, marked: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each plate found, the likeliest first, its overlap with a marked one that none before it took, or 0."""
    table = overlaps(found.boxes, marked)
    best = np.zeros(len(found), np.float32)
    for row in range(len(found)):
        if table.shape[1] and (at := int(table[row].argmax())) >= 0 and table[row, at] >= HIT_IOU:
            best[row] = table[row, at]
            table[:, at] = 0
    return best


def measure(found: dict[str, Detections], marked: dict[str, NDArray[np.float32]], min_score: float) -> Figures:
    """Sum up over all frames, with what scores at least `min_score`."""
    best = []
    for name, boxes in marked.items():
        kept = found[name].scores >= min_score
        some = Detections(found[name].boxes[kept], found[name].corners[kept], found[name].scores[kept])
        best.append(score(some, boxes))
    everything = np.concatenate(best)
    hits = everything[everything > 0]
    plates = sum(map(len, marked.values()))
    mean = float(hits.mean()) if len(hits) else 0.0
    return Figures(min_score, len(hits) / max(1, plates), len(hits) / max(1, len(everything)), mean)


def main() -> None:
    """Print figures at several least scores, and the time a frame takes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("frames", type=Path)
    parser.add_argument("boxes", type=Path, help="CSV: file, x, y, w, h")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--finder", type=Path, default=FINDER)
    parser.add_argument("--refiner", type=Path, default=REFINER)
    options = parser.parse_args()
    localiser = Localiser(options.threads, options.finder, options.refiner)
    marked = read_boxes(options.boxes)
    found = {}
    took_ms = []
    for name in marked:
        image = cv2.imread(str(options.frames / name), cv2.IMREAD_COLOR)
        if image is None:
            raise ConfigurationError(f"{options.frames / name} is no image")
        frame = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        begin = time.perf_counter()
        (found[name],) = localiser.find([frame], _LOWEST_SCORE)
        took_ms.append(1000 * (time.perf_counter() - begin))
    for least in (0.1, 0.2, 0.3, 0.4, MIN_SCORE, 0.6, 0.7, 0.8, 0.9):
        each = measure(found, marked, least)
        print(f"score >= {least:.2f}: recall {each.recall:.3f} precision {each.precision:.3f} iou {each.iou:.3f}")
    median, late = np.percentile(took_ms, [50, 99])
    print(f"{len(marked)} frames, {median:.1f} ms each, 99th percentile {late:.1f} ms, {options.threads} threads")


if __name__ == "__main__":
    main()
