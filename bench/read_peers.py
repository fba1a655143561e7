"""What else reads plates: Tesseract, and a fast-plate-ocr model; each crop by crop, as they are called."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.read_score import texts
from plates.normalise import normalise

Image = NDArray[np.uint8]

BATCH: Final = 32
_TESSERACT: Final = ("tesseract", "-", "-", "-l", "eng", "--psm")
_CHARACTERS: Final = ("-c", "tessedit_char_whitelist=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
_HEIGHT_PX: Final = 64
"""Tesseract wants capitals of about 30 pixels; smaller crops are enlarged to this."""


def tesseract(crops: Sequence[Image], truth: Sequence[str], lines: Sequence[int]) -> dict[str, Any] | str:
    """Read each crop with Debian's Tesseract: a line of text, or, of plates of two lines, a block of it."""
    if shutil.which("tesseract") is None:
        return "not installed: apt-get install tesseract-ocr"
    read: list[str] = []
    times: list[float] = []
    for crop, count in zip(crops, lines, strict=True):
        png = cv2.imencode(".png", cv2.cvtColor(_enlarged(crop), cv2.COLOR_RGB2BGR))[1].tobytes()
        begin_s = time.perf_counter()
        done = subprocess.run(
            [*_TESSERACT, "6" if count == 2 else "7", *_CHARACTERS],
            input=png,
            capture_output=True,
            check=True,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
        times.append(time.perf_counter() - begin_s)
        read.append(normalise([done.stdout.decode("utf-8", "replace")])[0])
    return {**texts(list(zip(truth, read, strict=True))), "plate_ms": float(np.median(times)) * 1e3}


def _enlarged(crop: Image) -> Image:
    scale = _HEIGHT_PX / crop.shape[0]
    if scale <= 1:
        return crop
    return np.asarray(cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)


def plate_ocr(crops: Sequence[Image], truth: Sequence[str], model: Path, config: Path) -> dict[str, Any] | str:
    """Read the crops with a fast-plate-ocr model."""
    try:
        from fast_plate_ocr import LicensePlateRecognizer
    except ImportError:
        return "not installed: pip install fast-plate-ocr[onnx]"
    peer = LicensePlateRecognizer(onnx_model_path=model, plate_config_path=config, device="cpu")
    read = normalise([found.plate for found in peer.run(list(crops))])
    batch = tiled(crops, BATCH)
    return {
        **texts(list(zip(truth, read, strict=True))),
        "plate_ms": per_call_ms(lambda: peer.run(batch[:1])),
        "plates_per_s": BATCH / per_call_ms(lambda: peer.run(batch)) * 1e3,
    }


def tiled(crops: Sequence[Image], count: int) -> list[Image]:
    """So many of the crops, over again where there are fewer."""
    return [crops[number % len(crops)] for number in range(count)]


def per_call_ms(call: Callable[[], object], rounds: int = 30) -> float:
    """Median of a call's time, after a few that nobody counts."""
    times = []
    for number in range(rounds + 3):
        begin_s = time.perf_counter()
        call()
        if number >= 3:
            times.append(time.perf_counter() - begin_s)
    return float(np.median(times)) * 1e3
