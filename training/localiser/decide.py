"""Fit what `pipeline.ingest.decision` decides by, on drawn scenes: ``python -m training.localiser.decide``.

The scenes are of a seed that no network was trained on. What is fitted is a logistic regression on a few signs, so
some thousand scenes are plenty; it is to be fitted again whenever the localiser or the OCR model is another one.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.read_score import distance
from pipeline.ingest.decision import FEWEST_CHARACTERS, LEAST_SCORE, chances, signs
from pipeline.ingest.localise import Localiser, rectify
from pipeline.ingest.ocr import Reader
from plates import alphabet
from training.localiser.camera import spoil
from training.localiser.decoys import draw_decoy, draw_lit_decoy
from training.localiser.evaluate import HIT_IOU
from training.localiser.photographs import cut, load_photographs, unpack_photographs
from training.localiser.samples import IGNORED, PLATE, Sample, draw_sample

NEAR: Final = 2
"""A text with so many characters wrong is still worth telling: the chances of its characters say where."""
SEED: Final = 9103
DECOY_SEED: Final = 9200
DECOYS: Final = 12
"""On each frame that has no plate."""

# With more in common with a plate that is cut off, nobody can say whether it is right.
_CUT_OFF: Final = 0.2
_FRAME_PX: Final = (1280, 720)
_DARK: Final = 0.4
_STEPS: Final = 30
_RIDGE: Final = 1e-3
_LIMITS: Final = (0.03, 0.05, 0.07, 0.1, 0.2, 0.3, 0.5)

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the localiser names on scenes, K places.

    Attributes
    ----------
    signs
        float64 ``(K, S)``: see `pipeline.ingest.decision.signs`.
    plate
        bool ``(K,)``: it is one.
    wrong
        int64 ``(K,)``: how many characters of its text are wrong, if it is one.
    """

    signs: Floats
    plate: NDArray[np.bool_]
    wrong: NDArray[np.int64]

    @property
    def near(self) -> NDArray[np.bool_]:
        """Which are plates that are read well enough."""
        return self.plate & (self.wrong <= NEAR)


def judge(sample: Sample, localiser: Localiser, reader: Reader) -> Candidates:
    """Find and read what is on a sample, and say what it is; places on plates that are cut off are left out."""
    (found,) = localiser.find([sample.image], LEAST_SCORE)
    reads = reader.read(rectify(sample.image, found.corners), np.zeros(len(found), np.int64))
    texts = alphabet.decode(reads.codes)
    rows: list[int] = []
    plates: list[bool] = []
    wrong: list[int] = []
    taken: set[int] = set()
    for row, quad in enumerate(found.corners):
        shared = np.array([_overlap(quad, other) for other in sample.corners]) * (sample.states > 0)
        at = int(shared.argmax())
        plate = bool(shared[at] >= HIT_IOU and sample.states[at] == PLATE and at not in taken)
        doubtful = not plate and (shared[sample.states == IGNORED] > _CUT_OFF).any()
        if len(texts[row]) < FEWEST_CHARACTERS or doubtful:
            continue
        if plate:
            taken.add(at)
        rows.append(row)
        plates.append(plate)
        wrong.append(distance(sample.texts[at], texts[row]) if plate else 0)
    return Candidates(signs(found.scores, reads)[rows], np.array(plates, bool), np.array(wrong, np.int64))


def draw_decoys(photographs: Sequence[Image], random: np.random.Generator) -> Image:
    """Draw a frame with `DECOYS` decoys and no plate, by day or lit in the dark, as a camera sees it."""
    frame = cut(photographs, _FRAME_PX, random).copy()
    dark = random.random() < _DARK
    if dark:
        frame = (frame * random.uniform(0.05, 0.35)).astype(np.uint8)
    for _ in range(DECOYS):
        (draw_lit_decoy if dark else draw_decoy)(frame, random)
    return np.ascontiguousarray(spoil(frame, random))


def decoy_chances(frame: Image, localiser: Localiser, reader: Reader) -> NDArray[np.float32]:
    """Say what the bundled numbers think of each place that the localiser names on such a frame."""
    (found,) = localiser.find([frame], LEAST_SCORE)
    reads = reader.read(rectify(frame, found.corners), np.zeros(len(found), np.int64))
    return chances(found.scores, reads)


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """What both have in common, as a share of what either has."""
    shared, _ = cv2.intersectConvexConvex(one, other)
    return float(shared / max(1e-6, cv2.contourArea(one) + cv2.contourArea(other) - shared))


def fit(features: Floats, answers: NDArray[np.bool_]) -> Floats:
    """Fit a logistic regression by Newton's method: the weights of the features, then the offset."""
    ones = np.column_stack([features, np.ones(len(features))])
    weights = np.zeros(ones.shape[1])
    # It hardly moves the weights; without it, features that tell all apart have no finite ones.
    ridge = _RIDGE * np.diag([*np.ones(features.shape[1]), 0.0])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-(ones @ weights)))
        slope = ones.T @ (chance - answers) / len(ones) + ridge @ weights
        bend = (ones * (chance * (1 - chance))[:, None]).T @ ones / len(ones) + ridge
        weights -= np.linalg.solve(bend, slope)
    return np.asarray(weights, np.float64)


def main() -> None:
    """Print the numbers, and what each limit would tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=4000, help="scenes")
    parser.add_argument("--decoys", type=int, default=240, help="frames of decoys alone")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--cache", type=Path, default=Path("build/scenes"), help="where photographs are fetched to"
    )
    parser.add_argument(
        "--photographs", type=Path, help="folder of backgrounds without plates; default: Debian's, by apt-get"
    )
    options = parser.parse_args()
    photographs = load_photographs(options.photographs or unpack_photographs(options.cache / "photographs"))
    localiser, reader = Localiser(), Reader()
    judged = []
    for number in range(options.count):
        sample = draw_sample(photographs, np.random.default_rng([options.seed, number]))
        judged.append(judge(sample, localiser, reader))
    report(judged)
    told = [
        decoy_chances(draw_decoys(photographs, np.random.default_rng([DECOY_SEED, number])), localiser, reader)
        for number in range(options.decoys)
    ]
    decoys = np.concatenate([np.zeros(0, np.float32), *told])
    for limit in _LIMITS:
        print(f"chance >= {limit}: {(decoys >= limit).sum()} of {DECOYS * options.decoys} decoys told")


def report(judged: list[Candidates]) -> None:
    """Print the weights, and what each limit tells of each half of the scenes by weights of the other half."""
    whole = _together(judged)
    print("weights and offset:", np.round(fit(whole.signs, whole.near), 2).tolist())
    halves = [_together(judged[::2]), _together(judged[1::2])]
    by_other = []
    for own, other in (halves, halves[::-1]):
        weights = fit(other.signs, other.near)
        by_other.append(1 / (1 + np.exp(-(own.signs @ weights[:-1] + weights[-1]))))
    chance = np.concatenate(by_other)
    both = _together(halves)
    print(f"{len(chance)} places, {both.plate.sum()} of them plates, {both.near.sum()} read to within {NEAR}")
    for limit in _LIMITS:
        told = chance >= limit
        count, plates, near = (int((each & told).sum()) for each in (told, both.plate, both.near))
        print(
            f"chance >= {limit}: {count} told, {plates / max(1, count):.3f} plates, {near / max(1, count):.3f} "
            f"read to within {NEAR}, which are {near / max(1, int(both.near.sum())):.3f} of all such"
        )


def _together(judged: list[Candidates]) -> Candidates:
    return Candidates(
        np.concatenate([each.signs for each in judged]),
        np.concatenate([each.plate for each in judged]),
        np.concatenate([each.wrong for each in judged]),
    )


if __name__ == "__main__":
    main()
