"""Train the network on rendered patches; on a GPU where there is one."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.ocr.dataset import NOWHERE, Set
from training.ocr.network import Network

BATCH: Final = 64
_REGION_WEIGHT: Final = 0.1
_EMA: Final = 0.998
_WARM_UP: Final = 0.05
_UNSURE: Final = 0.95
_ILLEGIBLE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to learn.

    Attributes
    ----------
    passes
        Over all patches.
    rate
        The highest learning rate; it rises over the first twentieth and falls along a cosine to 0.
    smoothing
        Share of the truth that is spread over all characters.
    from_lesson
        From which share of the run on a lesson, where there is one, counts half.
    """

    passes: float
    rate: float = 3e-3
    smoothing: float = 0.01
    from_lesson: float = 0.15
    weight_decay: float = 0.02
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Lesson:
    """What another network says of each patch, to learn from beside the truth.

    Attributes
    ----------
    shares
        float16 ``(N, SLOTS, CLASSES)``, summing to 1.
    """

    shares: NDArray[np.float16]

    def weights(self, data: Set, belgian: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How often each patch should be drawn by one who learns what that network is unsure of, ``(N,)``.

        Three times as often where it is unsure, four times where it is wrong, half as often where nobody could
        read; and Belgian ones oftener again.
        """
        wrong = (self.shares.argmax(axis=2) != data.codes).any(axis=1)
        weights = np.where(wrong, 4.0, np.where(self._sure < _UNSURE, 3.0, 1.0)) * np.where(belgian, 1.6, 1.0)
        return np.where(self.illegible, 0.5, weights)

    @property
    def illegible(self) -> NDArray[np.bool_]:
        """Which patches nobody could read, ``(N,)``, as far as that network goes."""
        return self._sure < _ILLEGIBLE

    @property
    def _sure(self) -> NDArray[np.float32]:
        sure: NDArray[np.float32] = self.shares.max(axis=2).astype(np.float32).prod(axis=1)
        return sure


def train(
    data: Set,
    schedule: Schedule,
    start: Network,
    report: Callable[[str], None] = print,
    *,
    weights: NDArray[np.float64] | None = None,
    lesson: Lesson | None = None,
) -> Network:
    """Train a copy of `start` on a set.

    Parameters
    ----------
    weights
        How often each patch is drawn, ``(N,)``, relative to others; None: each once in a pass.
    lesson
        What another network says of them.

    Returns
    -------
    The network whose weights are the averages over the last steps, on the CPU, in evaluation mode.
    """
    torch.manual_seed(schedule.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = copy.deepcopy(start).to(device, memory_format=torch.channels_last).train()
    averaged = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=schedule.weight_decay)
    steps = int(schedule.passes * len(data) / BATCH)
    drawn = _drawn(len(data), weights, np.random.default_rng(schedule.seed))
    began, recent = time.monotonic(), 0.0
    for step in range(steps):
        rows = next(drawn)
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate * _share(step / steps)
        shares = lesson.shares if lesson is not None and step >= schedule.from_lesson * steps else None
        loss = _loss(network, data, rows, schedule.smoothing, device, shares)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        _average(averaged, network, min(_EMA, (step + 1) / (step + 10)))
        recent = 0.98 * recent + 0.02 * float(loss.detach()) if step else float(loss.detach())
        if step % 100 == 99:
            speed = (step + 1) * BATCH / (time.monotonic() - began)
            report(f"step {step + 1}/{steps}: loss {recent:.4f}, {speed:.0f} patches/s")
    return averaged.cpu()


def _drawn(
    count: int, weights: NDArray[np.float64] | None, random: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Rows of batches without end, sorted: each row once in a pass, or as often as its weight says."""
    if weights is not None:
        shares = np.cumsum(weights) / weights.sum()
        while True:
            yield np.sort(np.minimum(np.searchsorted(shares, random.random(BATCH)), count - 1))
    while True:
        order = random.permutation(count)
        # Of a set smaller than a batch, all of it.
        for at in range(0, max(1, count - BATCH + 1), BATCH):
            yield np.sort(order[at : at + BATCH])


@torch.no_grad()
def between(network: Network, other: Network, share: float) -> Network:
    """Return the network whose weights are `share` of the way from those of one to those of the other."""
    made = copy.deepcopy(network)
    _average(made, other, 1 - share)
    return made


def _share(done: float) -> float:
    if done < _WARM_UP:
        return done / _WARM_UP + 0.01
    return float(0.5 + 0.5 * np.cos(np.pi * (done - _WARM_UP) / (1 - _WARM_UP))) + 0.002


def _loss(
    network: Network,
    data: Set,
    rows: NDArray[np.int64],
    smoothing: float,
    device: torch.device,
    shares: NDArray[np.float16] | None,
) -> Tensor:
    patches = torch.from_numpy(data.patches[rows]).to(device)
    codes = torch.from_numpy(data.codes[rows].astype(np.int64)).to(device)
    regions = torch.from_numpy(data.regions[rows].astype(np.int64)).to(device)
    characters, region = network(vary(patches))
    wrong = functional.cross_entropy(characters.flatten(0, 1), codes.flatten(), label_smoothing=smoothing)
    if shares is not None:
        said = torch.from_numpy(shares[rows].astype(np.float32)).to(device)
        wrong = (wrong - (said * characters.log_softmax(dim=2)).sum(dim=2).mean()) / 2
    return wrong + _REGION_WEIGHT * functional.cross_entropy(region, regions, ignore_index=NOWHERE)


def vary(patches: Tensor) -> Tensor:
    """Make every pass over the patches another one: uint8 ``(N, H, W, 3)`` to float, 0 to 255."""
    count = len(patches)
    device = patches.device
    seen = patches.permute(0, 3, 1, 2).float()
    # A little of everything that moves: scale, shift, shear.
    matrix = torch.zeros(count, 2, 3, device=device)
    matrix[:, 0, 0] = 1 + 0.025 * torch.randn(count, device=device)
    matrix[:, 1, 1] = 1 + 0.035 * torch.randn(count, device=device)
    matrix[:, 0, 1] = 0.012 * torch.randn(count, device=device)
    matrix[:, 1, 0] = 0.03 * torch.randn(count, device=device)
    matrix[:, 0, 2] = 0.012 * torch.randn(count, device=device)
    matrix[:, 1, 2] = 0.035 * torch.randn(count, device=device)
    grid = functional.affine_grid(matrix, list(seen.shape), align_corners=False)
    seen = functional.grid_sample(seen, grid, padding_mode="border", align_corners=False)
    contrast = torch.exp(0.18 * torch.randn(count, 1, 1, 1, device=device))
    tint = torch.exp(0.06 * torch.randn(count, 3, 1, 1, device=device))
    shift = 14 * torch.randn(count, 1, 1, 1, device=device)
    seen = (seen - 120) * contrast * tint + 120 + shift
    grey = torch.rand(count, 1, 1, 1, device=device) < 0.15
    seen = torch.where(grey, seen.mean(dim=1, keepdim=True), seen)
    noise = (torch.rand(count, 1, 1, 1, device=device) < 0.3) * torch.rand(count, 1, 1, 1, device=device) * 14
    seen = seen + noise * torch.randn(count, 1, *seen.shape[2:], device=device)
    return seen.clamp(0, 255).permute(0, 2, 3, 1).contiguous()


@torch.no_grad()
def _average(averaged: Network, network: Network, keep: float) -> None:
    for mean, value in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - keep)
        else:
            mean.copy_(value)
