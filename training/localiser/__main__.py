"""The recipe of the localiser: ``python -m training.localiser`` draws, trains, exports both networks.

The same seeds, fonts and photographs give the same samples; the weights agree as far as the sums of floating-point
numbers do on the machine. See the models' card for what it takes.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from pipeline.ingest.localise import FINDER, REFINER, Localiser
from training.localiser.export import export
from training.localiser.photographs import unpack_photographs
from training.localiser.pool import Pool, draw_pool, load_pool, mark_places
from training.localiser.train import Recipe, examples, train

POOLS: Final = ((34_000, 1), (12_000, 31), (3_000, 41), (4_000, 9102))
"""How many samples, and their seed."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One run of training; it goes on from what the network's run before has learned.

    Attributes
    ----------
    pools
        From which of `POOLS` it learns, by number.
    """

    recipe: Recipe
    pools: tuple[int, ...]


STAGES: Final = (
    Stage(Recipe("finder", epochs=3, batch=32, learning_rate=3e-3, seed=1), (0,)),
    Stage(Recipe("refiner", epochs=2, batch=32, learning_rate=3e-3, seed=3), (0,)),
    Stage(Recipe("finder", epochs=2, batch=32, learning_rate=1.5e-3, seed=4), (0, 1)),
    Stage(Recipe("refiner", epochs=2, batch=32, learning_rate=2e-3, seed=5), (0, 1, 2)),
    Stage(Recipe("refiner", epochs=1, batch=32, learning_rate=1e-3, seed=7), (0, 1, 2)),
    Stage(Recipe("refiner", epochs=1, batch=32, learning_rate=7e-4, seed=11), (2, 3)),
)
"""Each refiner learns from the places that the finder before it names."""


def main() -> None:
    """Train and write both models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FINDER.parent, help="folder that the ONNX files go to")
    parser.add_argument("--cache", type=Path, default=Path("build/scenes"), help="where samples are drawn to")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that draw")
    parser.add_argument("--share", type=float, default=1.0, help="share of the samples, for a trial")
    parser.add_argument(
        "--photographs", type=Path, help="folder of backgrounds without plates; default: Debian's, by apt-get"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.workers)
    options.out.mkdir(parents=True, exist_ok=True)
    photographs = options.photographs or unpack_photographs(options.cache / "photographs")
    folders = [options.cache / f"{seed}-{int(count * options.share)}" for count, seed in POOLS]
    for folder, (count, seed) in zip(folders, POOLS, strict=True):
        if not (folder / "states.npy").exists():
            draw_pool(folder, int(count * options.share), seed, photographs, options.workers)
    weights: dict[str, Path] = {}
    for number, stage in enumerate(STAGES):
        name = stage.recipe.network
        print(f"{name}: {stage.recipe}", flush=True)
        pools = _pools(stage, folders, options)
        network = train(stage.recipe, pools, weights.get(name))
        weights[name] = options.cache / f"{number}-{name}.pt"
        torch.save(network.state_dict(), weights[name])
        file = options.out / (FINDER if name == "finder" else REFINER).name
        export(network, file, examples(name, pools, np.random.default_rng(number)))


def _pools(stage: Stage, folders: Sequence[Path], options: argparse.Namespace) -> list[Pool]:
    """The pools of a stage, those of a refiner with what the finder that was trained last names on them."""
    mine = [folders[number] for number in stage.pools]
    if stage.recipe.network == "finder":
        return [load_pool(folder) for folder in mine]
    # The refiner that comes with the package is loaded too, and not asked.
    localiser = Localiser(options.workers, options.out / FINDER.name)
    return [mark_places(folder, localiser) for folder in mine]


if __name__ == "__main__":
    main()
