"""The localiser's two networks: the finder looks over a whole frame, the refiner at each place that it names.

Finder: a fully convolutional network. Each cell of `STRIDE_PX` gives the score that a plate's middle is there, and
where its four corners are from the cell's centre. Refiner: the place, turned upright with a margin, gives a score
and the four corners more exactly than the coarse cells can.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.ingest.localise import PIECE_HEIGHT_PX, PIECE_WIDTH_PX

MEAN: Final = 128
SPREAD: Final = 128
_OUTSIDE: Final = (2, 4)
"""How many cells of the corners' maps lie outside of the piece, above and below it, and beside it."""


def _convolve(inputs: int, outputs: int, stride: int = 1, padding: tuple[int, int] = (1, 1)) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolve(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.relu(inputs + self.second(self.first(inputs)))


class Finder(nn.Module):
    """Frames to scores and corners.

    Takes float32 ``(N, 3, H, W)``, RGB 0 to 255, H and W multiples of 32; gives float32 ``(N, 9, H/8, W/8)``: the
    score's logit, then x and y of the four corners from the cell's centre in strides.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 6, 4, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
        self.fourth = _convolve(16, 24)
        self.eighth = nn.Sequential(_convolve(24, 32, 2), _Residual(32))
        self.sixteenth = nn.Sequential(_convolve(32, 64, 2), _Residual(64))
        self.last = nn.Sequential(_convolve(64, 96, 2), _Residual(96), _Residual(96))
        self.lateral = nn.ModuleList([nn.Conv2d(width, 48, 1) for width in (32, 64, 96)])
        self.blend = _convolve(48, 48)
        self.head = nn.Sequential(_convolve(48, 48), nn.Conv2d(48, 9, 1))

    def forward(self, frames: Tensor) -> Tensor:
        """Return the cells of `frames`."""
        fine = self.eighth(self.fourth(self.stem((frames - MEAN) / SPREAD)))
        middle = self.sixteenth(fine)
        coarse = self.last(middle)
        blended = self.lateral[1](middle) + functional.interpolate(self.lateral[2](coarse), scale_factor=2.0)
        blended = self.blend(functional.relu(blended))
        blended = self.lateral[0](fine) + functional.interpolate(blended, scale_factor=2.0)
        cells: Tensor = self.head(functional.relu(blended))
        return cells


class Refiner(nn.Module):
    """Pieces of frames to scores and corners.

    Takes float32 ``(N, 3, PIECE_HEIGHT_PX, PIECE_WIDTH_PX)``, RGB 0 to 255; gives float32 ``(N, 9)``: the
    score's logit, then x and y of the four corners as shares of the piece. A corner is the mean of where a map of
    the piece says that it may be (Sun and others, Integral Human Pose Regression, 2018), finer than the map's
    cells.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fourth = nn.Sequential(_convolve(3, 16, 2), _convolve(16, 24, 2), _Residual(24))
        self.eighth = nn.Sequential(_convolve(24, 48, 2), _Residual(48))
        self.sixteenth = nn.Sequential(_convolve(48, 96, 2), _Residual(96))
        self.lateral = nn.ModuleList([nn.Conv2d(width, 32, 1) for width in (24, 48, 96)])
        self.blend = _convolve(32, 32)
        down, across = _OUTSIDE
        self.maps = nn.Sequential(_convolve(32, 32, padding=(1 + down, 1 + across)), nn.Conv2d(32, 4, 1))
        y, x = (
            (torch.arange(-outside, side // 4 + outside) + 0.5) / (side // 4)
            for side, outside in zip((PIECE_HEIGHT_PX, PIECE_WIDTH_PX), _OUTSIDE, strict=True)
        )
        places = torch.stack([x.repeat(len(y)), y.repeat_interleave(len(x))], dim=1)
        self.register_buffer("places", places, persistent=False)
        self.squeeze = _convolve(96, 16)
        cells = (PIECE_HEIGHT_PX // 16) * (PIECE_WIDTH_PX // 16)
        self.score = nn.Sequential(nn.Linear(16 * cells, 64), nn.ReLU(inplace=True), nn.Linear(64, 1))

    def forward(self, pieces: Tensor) -> Tensor:
        """Return score and corners of `pieces`."""
        fine = self.fourth((pieces - MEAN) / SPREAD)
        middle = self.eighth(fine)
        coarse = self.sixteenth(middle)
        blended = self.lateral[1](middle) + functional.interpolate(self.lateral[2](coarse), scale_factor=2.0)
        blended = self.blend(functional.relu(blended))
        blended = self.lateral[0](fine) + functional.interpolate(blended, scale_factor=2.0)
        chances = self.maps(functional.relu(blended)).flatten(2).softmax(dim=2)
        corners = (chances @ self.places).flatten(1)
        return torch.cat([self.score(self.squeeze(coarse).flatten(1)), corners], dim=1)
