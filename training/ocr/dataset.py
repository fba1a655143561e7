"""Patches to train and to check on: rendered once, in shards, each of its own seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX
from plates import alphabet
from training.render import Plate, draw, nothing, photograph
from training.render.layouts import LOOKS

REGIONS: Final = tuple(sorted({kind[:2] for kind in LOOKS}))
SHARD: Final = 3_000
"""Patches in a shard."""
NOWHERE: Final = 255
_EMPTY: Final = 50
"""One patch of so many has no plate on it."""
_PHOTOGRAPHS: Final = 3
"""Of each plate that is drawn."""


@dataclass(frozen=True, slots=True)
class Set:
    """Patches with their truth.

    Attributes
    ----------
    patches
        RGB uint8 ``(N, 64, 256, 3)``.
    codes
        uint8 ``(N, SLOTS)``.
    regions
        uint8 ``(N,)``, places in `REGIONS`; `NOWHERE` where no plate is.
    """

    patches: NDArray[np.uint8]
    codes: NDArray[np.uint8]
    regions: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a set is of.

    Attributes
    ----------
    seed
        Of the first shard; the next have those that follow.
    count
        How many patches.
    kinds
        Kinds of plates, of `layouts.LOOKS`; empty: as `training.render.draw` mixes them.
    hardness
        Of the conditions (`training.render.photograph`).
    held_out
        Whether the lettering is of fonts that training never sees.
    usual
        Whether all texts are of their country's series.
    empty
        Whether some patches have no plate on them.
    """

    seed: int
    count: int
    kinds: tuple[str, ...] = ()
    hardness: float = 1.0
    held_out: bool = False
    usual: bool = False
    empty: bool = False


def render(recipes: Sequence[Recipe], folder: Path, workers: int) -> Set:
    """Render sets into a folder, or take them from there, and load them one after the other.

    A shard there is taken for what its seed and its number say: clear the folder where a recipe, the fonts or the
    renderer have changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = [
        (recipe, number, _shard(recipe, number, folder)) for recipe in recipes for number in _numbers(recipe)
    ]
    lacking = [each for each in shards if not each[2].with_suffix(".truth.npy").exists()]
    if lacking:
        with get_context("spawn").Pool(workers) as pool:
            for _ in pool.imap_unordered(_render_shard, lacking):
                pass
    return _load(recipes, folder)


def _numbers(recipe: Recipe) -> range:
    return range(-(-recipe.count // SHARD))


def _shard(recipe: Recipe, number: int, folder: Path) -> Path:
    return folder / f"{recipe.seed}-{number:04}"


def _load(recipes: Sequence[Recipe], folder: Path) -> Set:
    # Into one array at once: a set may fill half of a machine's memory.
    count = sum(recipe.count for recipe in recipes)
    patches = np.empty((count, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3), np.uint8)
    truth = np.empty((count, alphabet.SLOTS + 1), np.uint8)
    at = 0
    for recipe in recipes:
        for number in _numbers(recipe):
            rows = min(SHARD, recipe.count - number * SHARD)
            path = _shard(recipe, number, folder)
            patches[at : at + rows] = np.load(path.with_suffix(".patches.npy"), mmap_mode="r")[:rows]
            truth[at : at + rows] = np.load(path.with_suffix(".truth.npy"))[:rows]
            at += rows
    return Set(patches, truth[:, : alphabet.SLOTS], truth[:, alphabet.SLOTS])


def _render_shard(work: tuple[Recipe, int, Path]) -> None:
    recipe, number, path = work
    cv2.setNumThreads(1)
    random = np.random.default_rng([recipe.seed, number])
    patches = np.empty((SHARD, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3), np.uint8)
    truth = np.empty((SHARD, alphabet.SLOTS + 1), np.uint8)
    plate: Plate | None = None
    for row in range(SHARD):
        if recipe.empty and row % _EMPTY == 0:
            patches[row] = nothing(random)
            truth[row] = [alphabet.PAD] * alphabet.SLOTS + [NOWHERE]
            continue
        if plate is None or row % _PHOTOGRAPHS == 0:
            kind = str(random.choice(recipe.kinds)) if recipe.kinds else None
            plate = draw(random, kind, held_out=recipe.held_out, usual=recipe.usual)
        patches[row] = photograph(plate, random, hardness=recipe.hardness)
        truth[row, : alphabet.SLOTS] = alphabet.encode([plate.text])[0]
        truth[row, alphabet.SLOTS] = REGIONS.index(plate.country)
    np.save(path.with_suffix(".patches.npy"), patches)
    # Last: a shard is whole once its truth is there.
    np.save(path.with_suffix(".truth.npy"), truth)
