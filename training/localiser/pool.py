"""Draw a pool of samples into a folder, with several processes, the same ones for the same seed."""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.localise import Localiser
from training.localiser.photographs import Image, load_photographs
from training.localiser.samples import HEIGHT_PX, MAX_PLATES, WIDTH_PX, draw_sample

PLACES: Final = 8
"""So many of a sample are kept at most, the likeliest."""

_CHUNK: Final = 250

_photographs: list[Image] = []


@dataclass(frozen=True, slots=True)
class Pool:
    """Samples.

    Attributes
    ----------
    images
        RGB uint8 ``(N, HEIGHT_PX, WIDTH_PX, 3)``, mapped from the disk.
    corners
        float32 ``(N, MAX_PLATES, 4, 2)``.
    states
        uint8 ``(N, MAX_PLATES)``.
    places
        float32 ``(N, PLACES, 4, 2)``: what a finder named on each sample, NaN where it named less; None before
        `mark_places`.
    """

    images: NDArray[np.uint8]
    corners: NDArray[np.float32]
    states: NDArray[np.uint8]
    places: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.states)


def load_pool(folder: Path) -> Pool:
    """Open the pool that `draw_pool` left in `folder`, with its places if `mark_places` was there."""
    places = folder / "places.npy"
    return Pool(
        np.load(folder / "images.npy", mmap_mode="r"),
        np.load(folder / "corners.npy"),
        np.load(folder / "states.npy"),
        np.load(places) if places.exists() else None,
    )


def draw_pool(folder: Path, count: int, seed: int, photographs: Path | None, processes: int) -> Pool:
    """Draw `count` samples into `folder`; sample `i` depends on `seed`, `i` and the photographs alone."""
    folder.mkdir(parents=True, exist_ok=True)
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (count, HEIGHT_PX, WIDTH_PX, 3))
    corners = np.zeros((count, MAX_PLATES, 4, 2), np.float32)
    states = np.zeros((count, MAX_PLATES), np.uint8)
    begins = range(0, count, _CHUNK)
    draw = partial(_draw_chunk, folder / "images.npy", count, seed)
    with ProcessPoolExecutor(processes, initializer=_open_photographs, initargs=(photographs,)) as workers:
        for begin, (some_corners, some_states) in zip(begins, workers.map(draw, begins), strict=True):
            corners[begin : begin + _CHUNK] = some_corners
            states[begin : begin + _CHUNK] = some_states
    del images
    np.save(folder / "corners.npy", corners)
    np.save(folder / "states.npy", states)
    return load_pool(folder)


def mark_places(folder: Path, localiser: Localiser) -> Pool:
    """Let a finder look at the pool in `folder`, and keep what it names: what its refiner will be asked about."""
    pool = load_pool(folder)
    places = np.full((len(pool), PLACES, 4, 2), np.nan, np.float32)
    for row, image in enumerate(pool.images):
        named, _ = localiser.places(image)
        places[row, : len(named)] = named[:PLACES]
    np.save(folder / "places.npy", places)
    return load_pool(folder)


def _open_photographs(folder: Path | None) -> None:
    _photographs[:] = load_photographs(folder)


def _draw_chunk(file: Path, count: int, seed: int, begin: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    images = np.load(file, mmap_mode="r+")
    rows = range(begin, min(begin + _CHUNK, count))
    samples = []
    for row in rows:
        sample = draw_sample(_photographs, np.random.default_rng([seed, row]))
        images[row] = sample.image
        samples.append(sample)
    images.flush()
    return np.array([each.corners for each in samples]), np.array([each.states for each in samples])


def main() -> None:
    """Draw a pool from the command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    draw_pool(options.folder, options.count, options.seed, options.photographs, options.processes)


if __name__ == "__main__":
    main()
