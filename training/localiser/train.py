"""Train the localiser's networks on pools of samples."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pipeline.ingest.localise import PIECE_HEIGHT_PX, PIECE_WIDTH_PX
from training.localiser.export import export
from training.localiser.networks import Finder, Refiner
from training.localiser.pool import PLACES, Pool, load_pool
from training.localiser.samples import HEIGHT_PX, PADDING, PLATE, WIDTH_PX, state_of
from training.localiser.targets import cells_of, draw_piece

_PIECES_A_SAMPLE: Final = 2
_EXAMPLES: Final = 64
_TURNED: Final = 0.33
_MAX_ANGLE: Final = 35.0
_FLIPPED: Final = (1, 0, 3, 2)
_CORNERS_WEIGHT: Final = {"finder": 0.25, "refiner": 6.0}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train."""

    network: str
    """`finder` or `refiner`."""
    epochs: int
    batch: int
    learning_rate: float
    seed: int


def train(recipe: Recipe, pools: Sequence[Pool], begin: Path | None = None) -> nn.Module:
    """Train a network; `begin` are weights to go on from. Progress is printed."""
    torch.manual_seed(recipe.seed)
    random = np.random.default_rng(recipe.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network: nn.Module = Finder() if recipe.network == "finder" else Refiner()
    if begin is not None:
        network.load_state_dict(torch.load(begin, weights_only=True))
    network = network.to(device, memory_format=torch.channels_last)
    rows = _rows(pools)
    steps = recipe.epochs * (len(rows) // recipe.batch)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=steps, pct_start=0.1
    )
    batches = _BATCHES[recipe.network]
    begun, shown = time.monotonic(), np.zeros(2)
    for step in range(steps):
        if step % (len(rows) // recipe.batch) == 0:
            stream = batches(pools, random.permutation(rows), recipe.batch, random)
        parts = _losses(network, [each.to(device) for each in next(stream)], recipe.network)
        loss = parts[0] + _CORNERS_WEIGHT[recipe.network] * parts[1]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        shown = 0.98 * shown + 0.02 * np.array([float(part.detach()) for part in parts])
        if step % 100 == 99:
            bias = 1 - 0.98 ** (step + 1)
            each_s = recipe.batch * (step + 1) / (time.monotonic() - begun)
            print(
                f"{step + 1}/{steps} score {shown[0] / bias:.4f} corners {shown[1] / bias:.4f} {each_s:.0f}/s",
                flush=True,
            )
    return network.cpu().eval()


def _rows(pools: Sequence[Pool]) -> NDArray[np.int64]:
    """Every sample as (pool, row): int64 ``(N, 2)``."""
    return np.concatenate(
        [np.column_stack([np.full(len(pool), number), np.arange(len(pool))]) for number, pool in enumerate(pools)]
    )


def batch_of(
    pools: Sequence[Pool], rows: NDArray[np.int64], random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]:
    """Images, corners, states and places at `rows`, a third of them mirrored, and a third turned."""
    images = np.stack([pools[pool].images[row] for pool, row in rows])
    corners = np.stack([pools[pool].corners[row] for pool, row in rows])
    states = np.stack([pools[pool].states[row] for pool, row in rows])
    none = np.full((PLACES, 4, 2), np.nan, np.float32)
    named = [pools[pool].places for pool, _ in rows]
    places = np.stack([none if some is None else some[row] for some, row in zip(named, rows[:, 1], strict=True)])
    mirrored = random.random(len(rows)) < 0.33
    images[mirrored] = images[mirrored, :, ::-1]
    for quads in (corners, places):
        turned = quads[mirrored][:, :, _FLIPPED]
        turned[..., 0] = WIDTH_PX - turned[..., 0]
        quads[mirrored] = turned
    for row in np.flatnonzero(random.random(len(rows)) < _TURNED):
        matrix = _turn(random)
        images[row] = cv2.warpAffine(images[row], matrix, (WIDTH_PX, HEIGHT_PX), borderValue=(PADDING,) * 3)
        for quads in (corners, places):
            quads[row] = quads[row] @ matrix[:, :2].T + matrix[:, 2]
        for plate in np.flatnonzero(states[row] == PLATE):
            states[row, plate] = state_of(corners[row, plate])
    return images, corners, states, places


def _turn(random: np.random.Generator) -> NDArray[np.float64]:
    """A turn around the middle, nearer or farther: float64 ``(2, 3)``."""
    angle, scale = float(random.uniform(-_MAX_ANGLE, _MAX_ANGLE)), float(np.exp(random.uniform(-0.4, 0.3)))
    return np.asarray(cv2.getRotationMatrix2D((WIDTH_PX / 2, HEIGHT_PX / 2), angle, scale), np.float64)


def _cells(
    pools: Sequence[Pool], rows: NDArray[np.int64], size: int, random: np.random.Generator
) -> Iterator[tuple[Tensor, ...]]:
    for begin in range(0, len(rows) - size + 1, size):
        images, corners, states, _ = batch_of(pools, rows[begin : begin + size], random)
        yield (_tensor(images), *(torch.from_numpy(each) for each in cells_of(corners, states)))


def _pieces(
    pools: Sequence[Pool], rows: NDArray[np.int64], size: int, random: np.random.Generator
) -> Iterator[tuple[Tensor, ...]]:
    for begin in range(0, len(rows) - size + 1, size):
        drawn = []
        for image, corners, states, places in zip(
            *batch_of(pools, rows[begin : begin + size], random), strict=True
        ):
            named = places[np.isfinite(places[:, 0, 0])]
            some = (draw_piece(image, corners, states, named, random) for _ in range(_PIECES_A_SAMPLE))
            drawn += [each for each in some if each is not None]
        yield (
            _tensor(np.stack([piece for piece, _ in drawn])),
            torch.from_numpy(np.stack([truth for _, truth in drawn])),
        )


_BATCHES: Final = {"finder": _cells, "refiner": _pieces}


def _tensor(images: NDArray[np.uint8]) -> Tensor:
    # A view with the channels last in memory, as convolutions on a CPU like them best.
    return torch.from_numpy(images).permute(0, 3, 1, 2).float()


def _losses(network: nn.Module, batch: Sequence[Tensor], name: str) -> tuple[Tensor, Tensor]:
    """The score's loss and the corners'."""
    outputs = network(batch[0])
    if name == "refiner":
        truth = batch[1]
        score = functional.binary_cross_entropy_with_logits(outputs[:, 0], truth[:, 0])
        # In heights of the piece, across as well as down.
        sides = outputs.new_tensor([PIECE_WIDTH_PX / PIECE_HEIGHT_PX, 1.0]).repeat(4)
        apart = (outputs[:, 1:] - truth[:, 1:]) * sides
        away = functional.smooth_l1_loss(apart, torch.zeros_like(apart), reduction="none", beta=0.02).mean(dim=1)
        return score, (away * truth[:, 0]).sum() / truth[:, 0].sum().clamp(min=1)
    _, heat, offsets, weights = batch
    plates = (heat == 1).sum().clamp(min=1)
    chance = torch.sigmoid(outputs[:, 0]).clamp(1e-5, 1 - 1e-5)
    # Law and Deng, CornerNet (2018), equation 1: near a middle a wrong score costs less.
    right = -torch.log(chance) * (1 - chance) ** 2 * (heat == 1)
    wrong = -torch.log(1 - chance) * chance**2 * (1 - heat).clamp(0, 1) ** 4 * (heat >= 0) * (heat < 1)
    away = functional.smooth_l1_loss(outputs[:, 1:], offsets, reduction="none", beta=0.2).sum(dim=1)
    return (right + wrong).sum() / plates, (away * weights).sum() / plates


def examples(name: str, pools: Sequence[Pool], random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw what network `name` takes in a batch, as its exported file takes it: uint8 ``(N, H, W, 3)``."""
    rows = random.permutation(_rows(pools))[:_EXAMPLES]
    inputs, *_ = next(_BATCHES[name](pools, rows, len(rows), random))
    return np.ascontiguousarray(inputs.permute(0, 2, 3, 1).round().clamp(0, 255).to(torch.uint8).numpy())


def main() -> None:
    """Train a network from the command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("network", choices=("finder", "refiner"))
    parser.add_argument("pools", type=Path, nargs="+", help="folders that training.localiser.pool drew")
    parser.add_argument("--out", type=Path, required=True, help="NAME.onnx; the weights go beside it as NAME.pt")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--begin", type=Path, help="weights to go on from")
    options = parser.parse_args()
    recipe = Recipe(options.network, options.epochs, options.batch, options.learning_rate, options.seed)
    pools = [load_pool(folder) for folder in options.pools]
    network = train(recipe, pools, options.begin)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), options.out.with_suffix(".pt"))
    export(network, options.out, examples(recipe.network, pools, np.random.default_rng(options.seed)))


if __name__ == "__main__":
    main()
