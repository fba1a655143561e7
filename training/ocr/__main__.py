"""The recipe of the reader: ``python -m training.ocr`` renders, trains, calibrates, exports and measures.

The same seed, fonts and versions give the same patches; the weights agree as far as the sums of floating-point
numbers do on the machine. See the model's card for what it takes.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfile
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from hotlists.columns import pack_country
from pipeline.ingest.ocr import MODEL, QUICK, SECOND, Reader
from training.ocr.dataset import REGIONS, Recipe, Set, render
from training.ocr.export import configuration, export, fit_temperatures, logits, quantise
from training.ocr.measure import score
from training.ocr.network import DEEP, SMALL, Network, deepened
from training.ocr.resume import resumed
from training.ocr.train import Lesson, Schedule, between, train
from training.render.faces import lacking_fonts
from training.render.layouts import LOOKS

SEED: Final = 1
HELD_OUT_SEED: Final = 90_000
MODERATE_SEED: Final = 91_000
OLD_SEED: Final = 91_001
ABROAD_SEED: Final = 93_000
BELGIAN_SEED: Final = 92_000
_OFTENER: Final = {
    "SK": 4, "CZ": 3, "DE": 3, "FR": 3, "NL": 3, "PL": 3,
    "LU": 2, "GB": 2, "RO": 2, "ES": 2, "IT": 2, "AT": 2, "HU": 2,
}  # fmt: skip
ABROAD: Final = tuple(kind for kind in LOOKS if not kind.startswith("BE") for _ in range(_OFTENER.get(kind, 1)))
"""Kinds of plates other than Belgian ones, those oftener that pass oftener or are harder."""
_FOR_RANGES: Final = 512
"""Patches that the integers' ranges are found by."""
_AT_ONCE: Final = 250


@dataclass(frozen=True, slots=True)
class Stage:
    """So many more patches, and how they and those of the stages before are learned from.

    Attributes
    ----------
    kept
        Share that the weights it begins with have in those it ends with, for what it would forget otherwise.
    abroad
        So many more again, of other countries than Belgium (`ABROAD`).
    alone
        Whether those of the stages before are left aside.
    """

    more: int
    schedule: Schedule
    kept: float = 0.0
    abroad: int = 0
    alone: bool = False


STAGES: Final = (
    Stage(60_000, Schedule(passes=2.5, rate=3e-3)),
    Stage(66_000, Schedule(passes=2.5, rate=2.5e-3, seed=2)),
    Stage(60_000, Schedule(passes=2.75, rate=1.6e-3, seed=3)),
    Stage(60_000, Schedule(passes=3, rate=8e-4, seed=4), kept=0.3),
    Stage(81_000, Schedule(passes=3, rate=1e-3, seed=5), abroad=81_000, alone=True),
)
"""Each begins with what the one before has learned."""
BELGIAN: Final = ("BE", "BE", "BE", "BE-old")
MORE_BELGIAN: Final = Recipe(6, 120_000, BELGIAN, hardness=0.7, empty=True)
"""What the last two networks learn from beside what the last stage did."""
DEEPENED: Final = Schedule(passes=0.95, rate=8e-4, smoothing=0.005, seed=12)
TAUGHT: Final = Schedule(passes=2.05, rate=3e-3, seed=11)
FURTHER: Final = (
    Recipe(7, 60_000, empty=True),
    Recipe(8, 45_000, BELGIAN, hardness=0.7, empty=True),
    Recipe(107, 75_000, ABROAD, empty=True),
)
"""What the two that are asked first go on with, if they are resumed: nothing that they have seen, and much from
abroad."""
FURTHER_DEEP: Final = Schedule(passes=1.2, rate=7e-4, smoothing=0.005, seed=13)
FURTHER_QUICK: Final = Schedule(passes=2.6, rate=2e-3, from_lesson=0.0, seed=14)

Trained = tuple[dict[str, Network], NDArray[np.uint8]]
"""Networks by what their files' names end with, and some of the patches that they learned from."""


def _say(line: str) -> None:
    print(line, flush=True)


def describe(reader: Reader, name: str, data: Set) -> str:
    """Read a set in which every patch has a plate, as the product does, and say how well."""
    batches = np.array_split(np.arange(len(data)), max(1, len(data) // _AT_ONCE))
    reads = [reader.read(data.patches[rows], np.zeros(len(rows), np.int64)) for rows in batches]
    codes = np.concatenate([each.codes for each in reads])
    got = score(codes, np.concatenate([each.probabilities for each in reads]), data.codes)
    said = np.concatenate([each.country for each in reads])
    right = said == np.array([pack_country(each) for each in REGIONS], np.uint16)[data.regions]
    return (
        f"{name}: exact {got.exact:.4f}, characters {got.characters:.4f}, "
        f"calibration error {got.calibration:.4f}, country said {(said > 0).mean():.3f}, "
        f"wrongly {((said > 0) & ~right).mean():.4f}"
    )


def belgian(seed: int, count: int, kind: str = "BE", *, held_out: bool) -> Recipe:
    """Belgian plates, 14 pixels a character and more, with little dirt, blur and noise.

    `kind` is ``BE`` for the series since 2010, in one line and two, and ``BE-old`` for those before.
    """
    return Recipe(seed, count, (kind,), hardness=0.4, held_out=held_out, usual=True)


def from_nothing(folder: Path, workers: int, share: float) -> Trained:
    """Train the second network, the one that is asked before it, and the quick one."""
    network = Network(len(REGIONS))
    recipes: list[Recipe] = []
    for number, stage in enumerate(STAGES):
        if stage.alone:
            recipes.clear()
        recipes.append(Recipe(SEED + number, int(stage.more * share), empty=True))
        if stage.abroad:
            count = int(stage.abroad * share)
            recipes.append(Recipe(SEED + 100 + number, count, ABROAD, empty=True))
        data = render(recipes, folder, workers)
        before = network
        network = between(train(data, stage.schedule, network, _say), network, stage.kept)
        # Before the next set is loaded: both together may not fit.
        del data
    recipes.append(_part(MORE_BELGIAN, share))
    data = render(recipes, folder, workers)
    added = np.arange(len(data)) >= len(data) - recipes[-1].count
    lesson = lesson_by(network, data)
    deep = train(data, DEEPENED, deepened(network), _say, weights=lesson.weights(data, added))
    quick = Network(len(REGIONS), SMALL)
    quick = train(data, TAUGHT, quick, _say, weights=np.where(added, 1.3, 1.0), lesson=lesson)
    # The second is what the last stage began with: it was trained on other patches, and errs elsewhere.
    return {QUICK: quick, "": deep, SECOND: before}, _some(data)


def resume(folder: Path, workers: int, share: float) -> Trained:
    """Train the bundled networks that are asked first on patches that they have not seen."""
    recipes = [_part(each, share) for each in FURTHER]
    data = render(recipes, folder, workers)
    some = _some(data)
    deep = resumed(MODEL, DEEP, some)
    quick = resumed(MODEL.with_stem(MODEL.stem + QUICK), SMALL, some)
    lesson = lesson_by(deep, data)
    abroad = np.arange(len(data)) >= len(data) - recipes[-1].count
    weights = np.where(lesson.illegible, 0.4, 1.0) * np.where(abroad, 1.3, 1.0)
    quick = train(data, FURTHER_QUICK, quick, _say, weights=weights, lesson=lesson)
    nowhere = np.zeros(len(data), bool)
    return {QUICK: quick, "": train(data, FURTHER_DEEP, deep, _say, weights=lesson.weights(data, nowhere))}, some


def lesson_by(network: Network, data: Set) -> Lesson:
    """What a network says of a set."""
    return Lesson(logits(network, data.patches)[0].softmax(dim=2).numpy().astype(np.float16))


def _some(data: Set) -> NDArray[np.uint8]:
    return data.patches[np.linspace(0, len(data) - 1, _FOR_RANGES).astype(np.int64)].copy()


def _part(recipe: Recipe, share: float) -> Recipe:
    return replace(recipe, count=int(recipe.count * share))


def main() -> None:
    """Train and write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=MODEL, help="where the ONNX file goes; its YAML goes beside it"
    )
    parser.add_argument("--cache", type=Path, default=Path("build/plates"), help="where patches are rendered to")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that render")
    parser.add_argument("--share", type=float, default=1.0, help="share of the patches, for a trial")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the bundled files; the second one stays as it is"
    )
    arguments = parser.parse_args()
    if lacking := lacking_fonts():
        told = f"without {', '.join(lacking)} plates are lettered less variously than the model needs"
        if arguments.share >= 1:
            parser.error(f"{told}: make font-packages, as root; or try a part with --share")
        _say(f"{told}: a trial")
    torch.set_num_threads(arguments.workers)
    torch.manual_seed(SEED)
    run = resume if arguments.resume else from_nothing
    trained, some = run(arguments.cache, arguments.workers, arguments.share)
    _ship(trained, arguments.out, some, arguments.cache, arguments.workers, max(300, int(3_000 * arguments.share)))


def _ship(
    trained: dict[str, Network], out: Path, some: NDArray[np.uint8], folder: Path, workers: int, count: int
) -> None:
    """Write what was trained, and say how well the files read what is rendered, so many patches of each kind."""
    hard = render([Recipe(HELD_OUT_SEED, count, held_out=True)], folder, workers)
    for ending, each in trained.items():
        path = out.with_stem(out.stem + ending)
        temperatures = fit_temperatures(each, hard)
        export(each, path, temperatures)
        quantise(path, some)
        _say(f"{path.name}: temperatures {temperatures}")
    if SECOND not in trained and out != MODEL:
        copyfile(MODEL.with_stem(MODEL.stem + SECOND), out.with_stem(out.stem + SECOND))
    out.with_suffix(".yaml").write_text(configuration(), encoding="utf-8")
    reader = Reader(out, workers)
    for name, recipe in (
        ("any country, hard, held-out fonts", Recipe(HELD_OUT_SEED, count, held_out=True)),
        ("Belgian since 2010, moderate, held-out fonts", belgian(MODERATE_SEED, count, held_out=True)),
        ("Belgian before, moderate, held-out fonts", belgian(OLD_SEED, count, "BE-old", held_out=True)),
        ("Belgian since 2010, moderate, training's fonts", belgian(BELGIAN_SEED, count, held_out=False)),
        ("abroad, held-out fonts", Recipe(ABROAD_SEED, count, ABROAD, hardness=0.7, held_out=True)),
        (
            "abroad, of the series alone, held-out fonts",
            Recipe(ABROAD_SEED + 1, count, ABROAD, hardness=0.7, held_out=True, usual=True),
        ),
    ):
        _say(describe(reader, name, render([recipe], folder, workers)))


if __name__ == "__main__":
    main()
