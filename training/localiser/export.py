"""Write the networks as ONNX, their convolutions in 8-bit integers: smaller files, and twice as fast.

Weights have 7 of the 8 bits, because processors without VNNI let sums of larger ones overflow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from training.localiser.networks import Finder

_NAMES: Final = {True: ("frames", "cells"), False: ("pieces", "answers")}
# The first layer sees the picture's full range, the last give corners in fractions of a pixel.
_EXACT: Final = ("stem", "head.1", "fourth.0.0", "maps.1")


def export(network: nn.Module, file: Path, examples: NDArray[np.float32] | None = None) -> None:
    """Write a network as ONNX; sizes of batch and frames stay free.

    Parameters
    ----------
    examples
        Float32 ``(N, 3, H, W)``, as the network takes them: they show what range each layer's values have, so that
        integers can stand for them. None: the network stays as exact as it is.
    """
    finder = isinstance(network, Finder)
    taken, given = _NAMES[finder]
    sizes = ({0: "n", 2: "h", 3: "w"}, {0: "n", 2: "r", 3: "c"}) if finder else ({0: "n"}, {0: "n"})
    with tempfile.TemporaryDirectory() as folder:
        exact, prepared = Path(folder) / "exact.onnx", Path(folder) / "prepared.onnx"
        torch.onnx.export(
            network.eval(),
            (torch.zeros(1, 3, 64, 160),),
            str(exact if examples is not None else file),
            input_names=[taken],
            output_names=[given],
            dynamic_axes={taken: sizes[0], given: sizes[1]},
            opset_version=17,
            dynamo=False,
        )
        if examples is None:
            return
        quant_pre_process(str(exact), str(prepared), skip_symbolic_shape=True)
        nodes = onnx.load(str(prepared)).graph.node
        quantize_static(
            str(prepared),
            str(file),
            _Ranges(taken, examples),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Add"],
            nodes_to_exclude=[node.name for node in nodes if any(part in node.name for part in _EXACT)],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


class _Ranges(CalibrationDataReader):
    """Examples, one by one: they may be large."""

    def __init__(self, name: str, examples: NDArray[np.float32]) -> None:
        self._name = name
        self._rest: Iterator[NDArray[np.float32]] = iter(examples)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        example = next(self._rest, None)
        return None if example is None else {self._name: example[None]}
