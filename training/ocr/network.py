"""The reader's network: a small convolutional trunk, and a head that looks at one character per slot.

A patch of 64x256 pixels becomes a grid of 4x32 features. Wide depthwise convolutions let every place of the grid
know what stands to its left and right, for a slot is found by counting. Each slot then weighs the places of the
grid (so that a second line is only another place to look at), learns what the other slots saw, looks again, and,
when it has asked each of them, once more; then it classifies what it sees there.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from plates import alphabet

CLASSES: Final = len(alphabet.CHARACTERS) + 1
CHANNELS: Final = (32, 64, 128)
HEADS: Final = 4
MEAN: Final = 114
SPREAD: Final = 64


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


class Network(nn.Module):
    """Patches to characters and country.

    Parameters
    ----------
    regions
        How many countries are told apart.
    """

    def __init__(self, regions: int) -> None:
        super().__init__()
        a, b, c = CHANNELS
        self.trunk = nn.Sequential(
            # Four pixels at once: what the first layers cost, they cost per place.
            nn.Conv2d(3, a, 6, 4, 1, bias=False),
            nn.BatchNorm2d(a),
            nn.ReLU(inplace=True),
            _Unit(a, a),
            _Unit(a, b, 2),
            _Unit(b, b),
            _Unit(b, b),
            _Unit(b, c, (2, 1)),
            _Unit(c, c),
            _Wide(c),
            _Wide(c),
        )
        self.place = nn.Parameter(torch.zeros(1, c, 4, 32))
        self.where = nn.Conv2d(c, alphabet.SLOTS, 1)
        self.expected = nn.Parameter(_expected_places())
        self.agreement = _Agreement(c)
        self.again = nn.Linear(c, c, bias=False)
        nn.init.zeros_(self.again.weight)
        self.keys = nn.Conv2d(c, c, 1, bias=False)
        self.second = _Agreement(c)
        self.context = _Context(c)
        self.once_more = nn.Linear(c, c, bias=False)
        self.last_keys = nn.Conv2d(c, c, 1, bias=False)
        self.fresh = nn.Linear(c, c, bias=False)
        nn.init.zeros_(self.fresh.weight)
        self.last_context = _Context(c)
        self.what = nn.Sequential(nn.Linear(c, c), nn.ReLU(inplace=True), nn.Linear(c, CLASSES))
        self.slot = nn.Parameter(torch.zeros(1, alphabet.SLOTS, c))
        self.region = nn.Sequential(nn.Linear(2 * c, c), nn.ReLU(inplace=True), nn.Linear(c, regions))

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of float patches ``(N, 3, 64, 256)``, 0 to 255: ``(N, SLOTS, CLASSES)`` and ``(N, regions)``."""
        grid = self.trunk((patches - MEAN) / SPREAD) + self.place
        places = grid.flatten(2).transpose(1, 2)
        first = (self.where(grid) + self.expected).flatten(2)
        glance = self.agreement(first.softmax(dim=2) @ places + self.slot)
        # Knowing what the others saw, each looks again: so none doubles a character, and none leaves one out.
        moved = self.again(glance) @ self.keys(grid).flatten(2)
        again = first + moved
        seen = self.context(self.second(again.softmax(dim=2) @ places + self.slot))
        # And once more, knowing what it and the others may be.
        last = again + self.once_more(seen) @ self.last_keys(grid).flatten(2)
        seen = self.last_context(seen + self.fresh(last.softmax(dim=2) @ places))
        pooled = torch.cat([grid.mean(dim=(2, 3)), grid.amax(dim=(2, 3))], dim=1)
        return self.what(seen), self.region(pooled)
