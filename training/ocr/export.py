"""Write a network as fast-plate-ocr takes it: ONNX of uint8 NHWC patches, and its plate configuration."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX
from plates import alphabet
from training import integers
from training.ocr.dataset import NOWHERE, REGIONS, Set
from training.ocr.network import CLASSES, MEAN, SPREAD, Network

PAD: Final = "_"
_OPSET: Final = 17
_LARGEST_BATCH: Final = 256
_FOR_RANGES_AT_ONCE: Final = 32


class _Deployed(nn.Module):
    """The network behind its pre- and postprocessing; temperatures are divided out of the logits."""

    def __init__(self, network: Network, temperatures: tuple[float, float]) -> None:
        super().__init__()
        self.network = network
        self.of_characters, self.of_regions = temperatures

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        characters, regions = self.network(patches)
        return (characters / self.of_characters).softmax(dim=2), (regions / self.of_regions).softmax(dim=1)


def export(network: Network, path: Path, temperatures: tuple[float, float]) -> None:
    """Write the ONNX file; the plate configuration that belongs beside it is `configuration`."""
    example = torch.zeros(2, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Deployed(network.to(memory_format=torch.contiguous_format), temperatures).eval(),
            (example,),
            str(path),
            input_names=["input"],
            output_names=["plate", "region"],
            dynamic_axes={"input": {0: "batch"}, "plate": {0: "batch"}, "region": {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )


def quantise(path: Path, patches: NDArray[np.uint8]) -> None:
    """Make an exported file's trunk one of integers, in place; a few hundred patches show what ranges it needs."""
    batches = np.array_split(patches, max(1, len(patches) // _FOR_RANGES_AT_ONCE))
    integers.quantise(path, batches, _stays_exact, MEAN, SPREAD)


def _stays_exact(node: onnx.NodeProto) -> bool:
    # How the slots look is left alone: it is a hundredth of the work, and decides what is read.
    return node.op_type in ("Add", "Relu") and "trunk" not in node.name


def configuration() -> str:
    """The plate configuration, as YAML."""
    regions = "\n".join(f'  - "{each}"' for each in REGIONS)
    return (
        f"max_plate_slots: {alphabet.SLOTS}\n"
        # The padding comes first, so that a class is a code of plates.alphabet.
        f'alphabet: "{PAD}{alphabet.CHARACTERS}"\n'
        f'pad_char: "{PAD}"\n'
        f"img_height: {PATCH_HEIGHT_PX}\n"
        f"img_width: {PATCH_WIDTH_PX}\n"
        "keep_aspect_ratio: false\n"
        "interpolation: linear\n"
        "image_color_mode: rgb\n"
        f"plate_regions:\n{regions}\n"
    )


@torch.no_grad()
def logits(network: Network, patches: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """Logits of patches ``(N, H, W, 3)``: characters ``(N, SLOTS, CLASSES)``, regions ``(N, R)``."""
    network = network.eval()
    parts = [
        network(torch.from_numpy(patches[begin : begin + _LARGEST_BATCH]))
        for begin in range(0, len(patches), _LARGEST_BATCH)
    ]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def fit_temperatures(network: Network, held_out: Set) -> tuple[float, float]:
    """The temperatures at which characters in use, and regions, are the likeliest (Guo et al. 2017)."""
    characters, regions = logits(network, held_out.patches)
    codes = torch.from_numpy(held_out.codes.astype(np.int64))
    used = (codes > 0) | (characters.argmax(dim=2) > 0)
    of_regions = torch.from_numpy(held_out.regions.astype(np.int64))
    return _coolest(characters[used].reshape(-1, CLASSES), codes[used]), _coolest(regions, of_regions)


def _coolest(values: Tensor, truth: Tensor) -> float:
    tried = np.exp(np.linspace(np.log(0.4), np.log(3.0), 81))
    losses = [float(functional.cross_entropy(values / float(each), truth, ignore_index=NOWHERE)) for each in tried]
    return round(float(tried[int(np.argmin(losses))]), 4)
