"""The recipe of the localiser: ``python -m training.localiser`` draws, trains, exports both networks.

The same seeds, fonts and photographs give the same samples; the weights agree as far as the sums of floating-point
numbers do on the machine. See the models' card for what it takes.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from pipeline.ingest.localise import FINDER, REFINER
from training.localiser.photographs import unpack_photographs
from training.localiser.pool import Pool, draw_pool, load_pool
from training.localiser.train import Recipe, export, train

POOLS: Final = ((34_000, 1), (12_000, 31))
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
    Stage(Recipe("refiner", epochs=2, batch=32, learning_rate=3e-3, seed=1), (0,)),
    Stage(Recipe("refiner", epochs=2, batch=32, learning_rate=1e-3, seed=2), (0, 1)),
    Stage(Recipe("finder", epochs=2, batch=32, learning_rate=1e-3, seed=2), (0, 1)),
)


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
    photographs = options.photographs or unpack_photographs(options.cache / "photographs")
    counts = [(int(count * options.share), seed) for count, seed in POOLS]
    pools = [_pool(options.cache / f"{seed}-{count}", count, seed, photographs) for count, seed in counts]
    weights: dict[str, Path] = {}
    for number, stage in enumerate(STAGES):
        name = stage.recipe.network
        print(f"{name}: {stage.recipe}", flush=True)
        network = train(stage.recipe, [pools[each] for each in stage.pools], weights.get(name))
        weights[name] = options.cache / f"{number}-{name}.pt"
        torch.save(network.state_dict(), weights[name])
        export(network, options.out / (FINDER if name == "finder" else REFINER).name)


def _pool(folder: Path, count: int, seed: int, photographs: Path) -> Pool:
    """The pool that was drawn there before, whole, or a new one."""
    if (folder / "states.npy").exists():
        return load_pool(folder)
    return draw_pool(folder, count, seed, photographs, torch.get_num_threads())


if __name__ == "__main__":
    main()
