"""The reader's network: a small convolutional trunk, and a head that looks at one character per slot.

A patch of 64x256 pixels becomes a grid of 4x32 features. Wide depthwise convolutions let every place of the grid
know what stands to its left and right, for a slot is found by counting. Each slot then weighs the places of the
grid (so that a second line is only another place to look at), learns what the other slots saw, looks again, and,
when it has asked each of them, once more; then it classifies what it sees there.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX
from plates import alphabet

CLASSES: Final = len(alphabet.CHARACTERS) + 1
HEADS: Final = 4
MEAN: Final = 114
SPREAD: Final = 64
_ACROSS: Final = 4
"""Pixels that stand beside each other in one place of the trunk's first grid."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a network is.

    Attributes
    ----------
    channels
        Of the trunk's three grids: 16x64, 8x32 and 4x32 places.
    units
        Of each grid, how many convolutions it has beside the one that makes it.
    wide
        How often the last grid is mixed along the plate.
    columns
        Whether the first convolution sees blocks of pixels that do not overlap across: a third of the work, and
        coarser.
    looks
        How often a slot looks, 2 or 3.
    """

    channels: tuple[int, int, int] = (32, 64, 128)
    units: tuple[int, int, int] = (1, 2, 1)
    wide: int = 2
    columns: bool = False
    looks: int = 3


USUAL: Final = Shape()
SMALL: Final = Shape(channels=(24, 48, 96), units=(0, 2, 1), wide=1, columns=True, looks=2)
"""Reads what is plainly legible, in less than half of the time."""
DEEP: Final = Shape(units=(1, 3, 2))
"""A usual one that has one convolution more on each of the finer grids (`deepened`)."""


class _Unit(nn.Module):
    """Convolution, batch norm, ReLU; added to its input where the shape allows it."""

    def __init__(self, inside: int, outside: int, stride: int | tuple[int, int] = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
        )
        self.adds = stride == 1 and inside == outside

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.body(features)
        return features + changed if self.adds else changed


class _Wide(nn.Module):
    """Mix along the plate: a depthwise convolution over half of its width, then a pointwise one; residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, (3, 17), padding=(1, 8), groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        mixed: Tensor = self.body(features)
        return features + mixed


class _Agreement(nn.Module):
    """Let the slots of a plate know of each other; residual, and at first nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.across = nn.Sequential(
            nn.Linear(alphabet.SLOTS, 32), nn.ReLU(inplace=True), nn.Linear(32, alphabet.SLOTS)
        )
        nn.init.zeros_(self.across[2].weight)
        nn.init.zeros_(self.across[2].bias)

    def forward(self, seen: Tensor) -> Tensor:
        mixed: Tensor = self.across(self.norm(seen).transpose(1, 2)).transpose(1, 2)
        return seen + mixed


class _Context(nn.Module):
    """Let each slot ask the others what it may be, and think it over; residual, and at first nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.ask = nn.Linear(channels, 3 * channels, bias=False)
        self.told = nn.Linear(channels, channels)
        self.own = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 2 * channels), nn.ReLU(inplace=True),
            nn.Linear(2 * channels, channels),
        )  # fmt: skip
        for last in (self.told, self.own[3]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, seen: Tensor) -> Tensor:
        heads = self.ask(self.norm(seen)).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        weights = (heads[0] @ heads[1].transpose(2, 3) / heads.shape[-1] ** 0.5).softmax(dim=3)
        informed = seen + self.told((weights @ heads[2]).transpose(1, 2).flatten(2))
        return informed + self.own(informed)


def _expected_places() -> Tensor:
    """Where each slot looks first, before it has learned: ``(1, SLOTS, 4, 32)``.

    On a plate of seven characters in one line a slot then sees about the right one, and learns what it is at once;
    without, the network takes long to find out that slots are places.
    """
    places = torch.arange(32.0)[None] - (5.0 + 3.7 * torch.arange(float(alphabet.SLOTS)))[:, None]
    return (-((places / 3.0) ** 2) / 2)[None, :, None, :].repeat(1, 1, 4, 1)


def _trunk(shape: Shape) -> nn.Sequential:
    a, b, c = shape.channels
    first, second, third = shape.units
    stem = (
        nn.Conv2d(3 * _ACROSS, a, (6, 1), (4, 1), (1, 0), bias=False)
        if shape.columns
        # Four pixels at once: what the first layers cost, they cost per place.
        else nn.Conv2d(3, a, 6, 4, 1, bias=False)
    )
    return nn.Sequential(
        stem,
        nn.BatchNorm2d(a),
        nn.ReLU(inplace=True),
        *(_Unit(a, a) for _ in range(first)),
        _Unit(a, b, 2),
        *(_Unit(b, b) for _ in range(second)),
        _Unit(b, c, (2, 1)),
        *(_Unit(c, c) for _ in range(third)),
        *(_Wide(c) for _ in range(shape.wide)),
    )


class Network(nn.Module):
    """Patches to characters and country.

    Parameters
    ----------
    regions
        How many countries are told apart.
    shape
        How large it is.
    """

    def __init__(self, regions: int, shape: Shape = USUAL) -> None:
        super().__init__()
        c = shape.channels[2]
        self.shape = shape
        self.trunk = _trunk(shape)
        self.place = nn.Parameter(torch.zeros(1, c, 4, 32))
        self.where = nn.Conv2d(c, alphabet.SLOTS, 1)
        self.expected = nn.Parameter(_expected_places())
        self.agreement = _Agreement(c)
        self.again = nn.Linear(c, c, bias=False)
        nn.init.zeros_(self.again.weight)
        self.keys = nn.Conv2d(c, c, 1, bias=False)
        self.second = _Agreement(c)
        self.context = _Context(c)
        if shape.looks > 2:
            self.once_more = nn.Linear(c, c, bias=False)
            self.last_keys = nn.Conv2d(c, c, 1, bias=False)
            self.fresh = nn.Linear(c, c, bias=False)
            nn.init.zeros_(self.fresh.weight)
            self.last_context = _Context(c)
        self.what = nn.Sequential(nn.Linear(c, c), nn.ReLU(inplace=True), nn.Linear(c, CLASSES))
        self.slot = nn.Parameter(torch.zeros(1, alphabet.SLOTS, c))
        self.region = nn.Sequential(nn.Linear(2 * c, c), nn.ReLU(inplace=True), nn.Linear(c, regions))

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of patches ``(N, 64, 256, 3)``, 0 to 255: ``(N, SLOTS, CLASSES)`` and ``(N, regions)``."""
        grid = self.trunk((self._arranged(patches).float() - MEAN) / SPREAD) + self.place
        places = grid.flatten(2).transpose(1, 2)
        first = (self.where(grid) + self.expected).flatten(2)
        glance = self.agreement(first.softmax(dim=2) @ places + self.slot)
        # Knowing what the others saw, each looks again: so none doubles a character, and none leaves one out.
        moved = self.again(glance) @ self.keys(grid).flatten(2)
        again = first + moved
        seen = self.context(self.second(again.softmax(dim=2) @ places + self.slot))
        if self.shape.looks > 2:
            # And once more, knowing what it and the others may be.
            last = again + self.once_more(seen) @ self.last_keys(grid).flatten(2)
            seen = self.last_context(seen + self.fresh(last.softmax(dim=2) @ places))
        pooled = torch.cat([grid.mean(dim=(2, 3)), grid.amax(dim=(2, 3))], dim=1)
        return self.what(seen), self.region(pooled)

    def _arranged(self, patches: Tensor) -> Tensor:
        """The patches with what the first convolution takes for channels before the rows."""
        if self.shape.columns:
            patches = patches.reshape(-1, PATCH_HEIGHT_PX, PATCH_WIDTH_PX // _ACROSS, 3 * _ACROSS)
        return patches.permute(0, 3, 1, 2)


def deepened(network: Network) -> Network:
    """Return a usual network as a `DEEP` one that answers the same: what is added begins as nothing."""
    usual, deep = USUAL, DEEP
    made = Network(network.region[2].out_features, deep)
    heads = {name: value for name, value in network.state_dict().items() if not name.startswith("trunk")}
    made.load_state_dict(heads, strict=False)
    layers = [copy.deepcopy(each) for each in network.trunk]
    at = 3
    for width, before, after in zip(deep.channels, usual.units, deep.units, strict=True):
        at += before
        for _ in range(after - before):
            added = _Unit(width, width)
            nn.init.zeros_(added.body[1].weight)
            layers.insert(at, added)
            at += 1
        at += 1
    made.trunk = nn.Sequential(*layers)
    return made
