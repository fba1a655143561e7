"""Write the networks as ONNX of uint8 NHWC pictures, of integers where examples are given."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training import integers
from training.localiser.networks import MEAN, SPREAD, Finder

_NAMES: Final = {True: ("frames", "cells"), False: ("pieces", "answers")}
# The last layers give corners in fractions of a pixel.
_EXACT: Final = ("head.1", "maps.1")


class _Deployed(nn.Module):
    """The network as the localiser asks it: of bytes, with the colours last."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        answers: Tensor = self.network(pictures.permute(0, 3, 1, 2).float())
        return answers


def export(network: nn.Module, file: Path, examples: NDArray[np.uint8] | None = None) -> None:
    """Write a network as ONNX; sizes of batch and frames stay free.

    Parameters
    ----------
    examples
        RGB uint8 ``(N, H, W, 3)``, frames or pieces: they show what range each layer's values have, so that
        integers can stand for them. None: the network stays as exact as it is.
    """
    finder = isinstance(network, Finder)
    taken, given = _NAMES[finder]
    sizes = ({0: "n", 1: "h", 2: "w"}, {0: "n", 2: "r", 3: "c"}) if finder else ({0: "n"}, {0: "n"})
    torch.onnx.export(
        _Deployed(network).eval(),
        (torch.zeros(1, 64, 160, 3, dtype=torch.uint8),),
        str(file),
        input_names=[taken],
        output_names=[given],
        dynamic_axes={taken: sizes[0], given: sizes[1]},
        opset_version=17,
        dynamo=False,
    )
    if examples is not None:
        # One by one: they may be large.
        integers.quantise(file, (each[None] for each in examples), _stays_exact, MEAN, SPREAD)
        if finder:
            # The refiner's first convolution is too small a share of its work to gain by it.
            integers.take_blocks(file)


def _stays_exact(node: onnx.NodeProto) -> bool:
    return any(part in node.name for part in _EXACT)
