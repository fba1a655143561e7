"""Take a network up again from the file that comes with the package, so that training can go on from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.ocr.dataset import REGIONS
from training.ocr.network import Network, Shape

_ROOT: Final = "network"
_OF_INTEGERS: Final = ("_scale", "_zero_point", "_quantized")
_FEWEST_PATCHES: Final = 32

Floats = NDArray[np.float32]


def resumed(path: Path, shape: Shape, patches: NDArray[np.uint8]) -> Network:
    """Read a network back from the file that `training.ocr.export` wrote, of integers or not.

    Of its weights integers of 7 bits are left. Batch norms, which the file has no more, are made anew, so that
    each answers as the convolution of the file does, and training can move it on.

    Parameters
    ----------
    path
        The ONNX file.
    shape
        Which the network has.
    patches
        Rendered ones, uint8 ``(N, H, W, 3)``, N some hundreds: what passes through the batch norms.

    Returns
    -------
    The network, in evaluation mode. Its logits are those before the temperatures.

    Raises
    ------
    ValueError
        The file is of another shape, or there are too few patches.
    """
    if len(patches) < _FEWEST_PATCHES:
        raise ValueError(f"{len(patches)} patches say too little of what passes through: take {_FEWEST_PATCHES}")
    weights = _weights(onnx.load(str(path)).graph)
    network = Network(len(REGIONS), shape).eval()
    state = network.state_dict()
    biases = {name: weights.pop(name) for name in list(weights) if name.endswith(".bias") and name not in state}
    norms = [name for name, each in network.named_modules() if isinstance(each, nn.BatchNorm2d)]
    expected = {name for name in state if name.rpartition(".")[0] not in norms}
    different = expected ^ weights.keys() | {
        name for name in expected & weights.keys() if state[name].shape != weights[name].shape
    }
    if different or len(biases) != len(norms):
        names = ", ".join(sorted(different))
        raise ValueError(f"{path.name} is of another shape than {shape}; they differ in {names}")
    network.load_state_dict(weights, strict=False)
    modules = dict(network.named_modules())
    for name in norms:
        modules[name].register_forward_pre_hook(_answering(biases[_before(name)]))
    with torch.no_grad():
        network(torch.from_numpy(patches))
    for name in norms:
        modules[name]._forward_pre_hooks.clear()
    return network


def _before(norm: str) -> str:
    """The name that the bias of the convolution before a batch norm would have."""
    sequence, _, place = norm.rpartition(".")
    return f"{sequence}.{int(place) - 1}.bias"


def _answering(bias: Tensor) -> Callable[[nn.BatchNorm2d, tuple[Tensor]], None]:
    """Make a batch norm add the bias, and nothing else, to what it is given first."""

    def hook(norm: nn.BatchNorm2d, given: tuple[Tensor]) -> None:
        variance, mean = torch.var_mean(given[0], dim=(0, 2, 3))
        for kept, value in (
            (norm.running_mean, mean),
            (norm.running_var, variance),
            (norm.weight, (variance + norm.eps).sqrt()),
            (norm.bias, bias + mean),
        ):
            kept.copy_(value)

    return hook


def _weights(graph: onnx.GraphProto) -> dict[str, Tensor]:
    """Every weight of the file by its name in the network, and the biases that batch norms have become."""
    arrays = {each.name: np.array(onnx.numpy_helper.to_array(each)) for each in graph.initializer}
    found = {
        name.removeprefix(f"{_ROOT}."): array
        for name, array in arrays.items()
        if name.startswith(f"{_ROOT}.") and not name.endswith(_OF_INTEGERS)
    }
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and all(name in arrays for name in node.input):
            arrays[node.output[0]] = _dequantised(*(arrays[name] for name in node.input))
    for node in graph.node:
        module = _module(node.name)
        if module is None or node.op_type not in ("Conv", "MatMul", "Gemm"):
            continue
        for name, kind in zip(node.input[1:], ("weight", "bias"), strict=False):
            if name in arrays:
                found[f"{module}.{kind}"] = arrays[name].T if node.op_type == "MatMul" else arrays[name]
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in found.items()}


def _dequantised(integers: NDArray[np.generic], scale: Floats, zero: NDArray[np.generic]) -> Floats:
    # Each output channel has a scale of its own.
    shape = (-1, *(1 for _ in integers.shape[1:])) if scale.ndim else ()
    steps: Floats = integers.astype(np.float32) - zero.astype(np.float32).reshape(shape)
    return steps * scale.reshape(shape)


def _module(node: str) -> str | None:
    """The module that a node was made of: ``/network/what/what.0/MatMul`` is ``what.0``."""
    root, *path = node.strip("/").split("/")[:-1] or [""]
    if root != _ROOT or not path:
        return None
    # A sequence's child repeats the sequence's name.
    following = [*path[1:], ""]
    return ".".join(part for part, after in zip(path, following, strict=True) if not after.startswith(f"{part}."))
