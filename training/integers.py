"""Make an exported network one of 8-bit integers that takes a picture's bytes as they are: smaller, and faster.

Weights have 7 of the 8 bits, because processors without VNNI let sums of larger ones overflow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class _Ranges(CalibrationDataReader):
    """Batches by which the range of each layer's values is found."""

    def __init__(self, name: str, batches: Iterable[NDArray[np.uint8]]) -> None:
        self._name = name
        self._rest: Iterator[NDArray[np.uint8]] = iter(batches)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self._rest, None)
        return None if batch is None else {self._name: batch}


def quantise(
    path: Path,
    batches: Iterable[NDArray[np.uint8]],
    stays_exact: Callable[[onnx.NodeProto], bool],
    mean: float,
    spread: float,
) -> None:
    """Quantise the convolutions of an exported file, and the sums and ReLUs between them, in place.

    Parameters
    ----------
    batches
        What the network takes, uint8 ``(N, H, W, 3)``: a few hundred pictures show what ranges its layers need.
    stays_exact
        Says of a convolution, a sum or a ReLU that it stays one of float32.
    mean, spread
        What the network makes of a byte x before its first convolution: (x - mean) / spread.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / path.name
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(str(prepared)).graph
        quantize_static(
            str(prepared),
            str(path),
            _Ranges(graph.input[0].name, batches),
            quant_format=QuantFormat.QDQ,
            # A ReLU between integers costs nothing: it is the zero of the layer before it.
            op_types_to_quantize=["Conv", "Add", "Relu"],
            nodes_to_exclude=[node.name for node in graph.node if stays_exact(node)],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    _take_bytes(path, mean, spread)


def _take_bytes(path: Path, mean: float, spread: float) -> None:
    """Let the first convolution take the picture's bytes as they are, for they are its integers already.

    A byte x means (x - mean) / spread, which is what a scale and a zero point say: nothing need be computed, and
    nothing is rounded.
    """
    model = onnx.load(str(path))
    graph = model.graph
    by_input = {name: node for node in graph.node for name in node.input}
    cast = next(node for node in graph.node if node.op_type == "Cast")
    spent, last = [cast], cast
    while last.op_type != "DequantizeLinear":
        last = by_input[last.output[0]]
        spent.append(last)
    scale = onnx.numpy_helper.from_array(np.array(1 / spread, np.float32), "byte_scale")
    zero = onnx.numpy_helper.from_array(np.array(mean, np.uint8), "byte_zero")
    graph.initializer.extend([scale, zero])
    at = list(graph.node).index(cast)
    graph.node.insert(
        at,
        onnx.helper.make_node(
            "DequantizeLinear", [cast.input[0], scale.name, zero.name], list(last.output), "bytes"
        ),
    )
    for node in spent:
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for spare in [each for each in graph.initializer if each.name not in used]:
        graph.initializer.remove(spare)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def take_blocks(path: Path) -> None:
    """Let the first convolution take the pixels that it steps over for one pixel of so many more channels.

    The file is one of integers, and answers the same to the last bit: with few channels, sums are faster made of
    rows of bytes than of three here and three there, though half of the weights are 0 then. The width of what the
    network takes has to be a multiple of the step.
    """
    model = onnx.load(str(path))
    graph = model.graph
    first = next(node for node in graph.node if node.op_type == "Conv")
    made_by = {name: node for node in graph.node for name in node.output}
    weights = next(each for each in graph.initializer if each.name == made_by[first.input[1]].input[0])
    before = onnx.numpy_helper.to_array(weights)
    given = {each.name: onnx.helper.get_attribute_value(each) for each in first.attribute}
    outside, colours, high, wide = before.shape
    down, across = given["strides"]
    top, left, bottom, _ = given["pads"]
    lowest, highest = -left // across, (wide - 1 - left) // across
    after = np.zeros((outside, across * colours, high, highest - lowest + 1), before.dtype)
    for pixel in range(wide):
        block, within = divmod(pixel - left, across)
        after[:, within * colours : (within + 1) * colours, :, block - lowest] = before[..., pixel]
    weights.CopyFrom(onnx.numpy_helper.from_array(after, weights.name))
    del first.attribute[:]
    given |= {"kernel_shape": after.shape[2:], "strides": (down, 1), "pads": (top, -lowest, bottom, highest)}
    first.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in given.items())
    taken = graph.input[0].name
    for node in graph.node:
        node.input[:] = ["blocks" if name == taken else name for name in node.input]
    shape = onnx.numpy_helper.from_array(np.array([0, 0, -1, after.shape[1]], np.int64), "shape_of_blocks")
    graph.initializer.append(shape)
    graph.node.insert(0, onnx.helper.make_node("Reshape", [taken, shape.name], ["blocks"], "blocks"))
    # What was said of sizes in between holds no longer.
    del graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
