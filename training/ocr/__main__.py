"""The recipe of the reader: ``python -m training.ocr`` renders, trains, calibrates, exports and measures.

The same seed, fonts and versions give the same patches; the weights agree as far as the sums of floating-point
numbers do on the machine. See the model's card for what it takes.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from pipeline.ingest.ocr import MODEL
from training.ocr.dataset import NOWHERE, REGIONS, Recipe, Set, render
from training.ocr.export import export, fit_temperatures, logits
from training.ocr.measure import score
from training.ocr.network import Network
from training.ocr.train import Schedule, train

SEED: Final = 1
HELD_OUT_SEED: Final = 90_000
MODERATE_SEED: Final = 91_000


@dataclass(frozen=True, slots=True)
class Stage:
    """So many more patches, and how they and those of the stages before are learned from."""

    more: int
    schedule: Schedule


STAGES: Final = (
    Stage(60_000, Schedule(passes=2.5, rate=3e-3)),
    Stage(66_000, Schedule(passes=4, rate=2e-3, seed=2)),
    Stage(60_000, Schedule(passes=1, rate=1e-3, seed=3)),
)
"""Each begins with what the one before has learned."""


def _say(line: str) -> None:
    print(line, flush=True)


def _describe(network: Network, name: str, data: Set, temperatures: tuple[float, float]) -> str:
    characters, regions = logits(network, data.patches)
    got = score((characters / temperatures[0]).softmax(dim=2).numpy(), data.codes)
    known = data.regions != NOWHERE
    countries = (regions.argmax(dim=1).numpy() == data.regions)[known].mean()
    return (
        f"{name}: exact {got.exact:.4f}, characters {got.characters:.4f}, "
        f"calibration error {got.calibration:.4f}, country {countries:.4f}"
    )


def belgian(count: int) -> Recipe:
    """Belgian plates of every series, 14 pixels a character and more, with little dirt, blur and noise."""
    return Recipe(MODERATE_SEED, count, ("BE", "BE-old"), hardness=0.4, held_out=True, usual=True)


def main() -> None:
    """Train and write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=MODEL, help="where the ONNX file goes; its YAML goes beside it"
    )
    parser.add_argument("--cache", type=Path, default=Path("build/plates"), help="where patches are rendered to")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that render")
    parser.add_argument("--share", type=float, default=1.0, help="share of the patches, for a trial")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.workers)
    torch.manual_seed(SEED)
    network = Network(len(REGIONS))
    recipes: list[Recipe] = []
    for number, stage in enumerate(STAGES):
        recipes.append(Recipe(SEED + number, int(stage.more * arguments.share), empty=True))
        data = render(recipes, arguments.cache, arguments.workers)
        network = train(data, stage.schedule, network, _say)
        # Before the next set is loaded: both together may not fit.
        del data
    count = max(300, int(3_000 * arguments.share))
    hard = render([Recipe(HELD_OUT_SEED, count, held_out=True)], arguments.cache, arguments.workers)
    moderate = render([belgian(count)], arguments.cache, arguments.workers)
    temperatures = fit_temperatures(network, hard)
    export(network, arguments.out.parent, arguments.out.stem, temperatures)
    _say(f"temperatures {temperatures}")
    _say(_describe(network, "any country, hard, held-out fonts", hard, temperatures))
    _say(_describe(network, "Belgian, moderate, held-out fonts", moderate, temperatures))


if __name__ == "__main__":
    main()
