"""Images to plates: decode, find, read. The OCR worker, `lik read` and the bench all do it this way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.batch import ReadBatch
from pipeline.errors import FrameError
from pipeline.ingest import decision
from pipeline.ingest.images import Decoded, decode, image_size
from pipeline.ingest.localise import MIN_SCORE, Localiser, rectify
from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX, THREADS, Reader
from plates import alphabet

KEPT_CHARACTERS: Final = 5
"""How many characters a slot keeps, the likeliest first: what is beyond them has no share that matters."""
LEAST_SHARE: Final = 0.001
PIXELS_AT_ONCE: Final = 34_000_000
"""Decoded frames that are held at once, about: sixteen of 1920x1080, a tenth of a gigabyte."""

_SCALED_AT_ONCE: Final = 16
_CHARACTERS: Final = ("", *alphabet.CHARACTERS)


@dataclass(frozen=True, slots=True)
class Part:
    """As many images of a batch as are held at once.

    Attributes
    ----------
    rows
        Of each image, its row in the batch.
    images
        The images, decoded.
    refused
        By row, why an image cannot be used.
    """

    rows: list[int]
    images: list[Decoded]
    refused: dict[int, FrameError]


@dataclass(frozen=True, slots=True)
class Recognised:
    """K plates of a batch of images, in the images' order, on each the likeliest first.

    Attributes
    ----------
    image
        int64 ``(K,)``, row of the image that it is on.
    boxes
        int32 ``(K, 4)``: x, y, w, h in whole pixels, within the image; at least one pixel.
    scores
        float32 ``(K,)``, 0 to 1: how likely it is a plate that is read to within two characters.
    reads
        What is read on each.
    passed_over
        How many more surely looked like a plate (`MIN_SCORE` of the localiser), but not by what is read on them.
    """

    image: NDArray[np.int64]
    boxes: NDArray[np.int32]
    scores: NDArray[np.float32]
    reads: ReadBatch
    passed_over: int = 0

    def __len__(self) -> int:
        return len(self.image)


class Recogniser:
    """Both models, loaded once.

    Parameters
    ----------
    model, threads
        Of the OCR: `Settings.ocr_model`; and how many cores a call may use: `Settings.ocr_threads`.
    """

    def __init__(self, model: str = "", threads: int = THREADS) -> None:
        self._localiser = Localiser(threads)
        self._reader = Reader(model, threads)
        # OpenCV lets go of the interpreter while it decodes, and while it scales.
        self._pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="decode")

    def decode(self, encoded: Sequence[bytes]) -> Iterator[Part]:
        """Decode a batch, a part at a time: never more than about `PIXELS_AT_ONCE`, or one image, are held."""
        return _decode(encoded, self._pool)

    def recognise(self, images: Sequence[NDArray[np.uint8]]) -> Recognised:
        """Read every plate on RGB uint8 images ``(H, W, 3)``; what is none by `LEAST_CHANCE` is left out."""
        found = self._localiser.find(images, decision.LEAST_SCORE)
        patches = [rectify(image, each.corners) for image, each in zip(images, found, strict=True) if len(each)]
        counts = [len(each) for each in found]
        boxes = [_whole(each.corners, image) for image, each in zip(images, found, strict=True)]
        reads = self._read(patches)
        scores = np.concatenate([np.zeros(0, np.float32), *(each.scores for each in found)])
        chances = decision.chances(scores, reads)
        everything = Recognised(
            np.repeat(np.arange(len(images), dtype=np.int64), counts),
            np.concatenate([np.zeros((0, 4), np.int32), *boxes]),
            chances,
            reads,
        )
        told = chances >= decision.LEAST_CHANCE
        best_first = np.lexsort((-chances, everything.image))
        passed_over = int(np.count_nonzero(~told & (scores >= MIN_SCORE)))
        return _only(everything, best_first[told[best_first]], passed_over)

    def read(self, crops: Sequence[NDArray[np.uint8]]) -> Recognised:
        """Read images that are a plate each, from edge to edge; one on which nothing is read is left out."""
        reads = self._reader.read(self._scaled(crops), np.zeros(len(crops), np.int64))
        sides = np.array([[0, 0, crop.shape[1], crop.shape[0]] for crop in crops], np.int32).reshape(-1, 4)
        rows = np.arange(len(crops), dtype=np.int64)
        everything = Recognised(rows, sides, np.ones(len(crops), np.float32), reads)
        legible = np.flatnonzero(alphabet.lengths(reads.codes))
        return _only(everything, legible, len(crops) - len(legible))

    def _scaled(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """The crops as the patches that are read: uint8 ``(N, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3)``."""
        patches = np.empty((len(crops), PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3), np.uint8)

        def scale(begin: int) -> None:
            some = slice(begin, begin + _SCALED_AT_ONCE)
            for crop, patch in zip(crops[some], patches[some], strict=True):
                _scale(crop, patch)

        begins = range(0, len(crops), _SCALED_AT_ONCE)
        for _ in self._pool.map(scale, begins) if len(begins) > 1 else map(scale, begins):
            pass
        return patches

    def _read(self, patches: Sequence[NDArray[np.uint8]]) -> ReadBatch:
        none = np.zeros((0, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3), np.uint8)
        together = np.concatenate([none, *patches])
        return self._reader.read(together, np.zeros(len(together), np.int64))


def characters_of(probabilities: NDArray[np.float32], length: int) -> list[dict[str, float]]:
    """Per slot in use the likeliest characters and their probability; the empty text is no character.

    Parameters
    ----------
    probabilities
        float32 ``(SLOTS, 37)`` of one read.
    length
        How many slots are in use.
    """
    shares = probabilities[:length]
    order = np.argsort(-shares, axis=1)[:, :KEPT_CHARACTERS]
    return [
        {_CHARACTERS[code]: round(float(slot[code]), 4) for code in codes if slot[code] >= LEAST_SHARE}
        for slot, codes in zip(shares, order.tolist(), strict=True)
    ]


def _decode(encoded: Sequence[bytes], pool: Executor) -> Iterator[Part]:
    rows: list[int] = []
    pixels = 0
    for row, data in enumerate(encoded):
        width, height = image_size(data) or (0, 0)
        if rows and pixels + width * height > PIXELS_AT_ONCE:
            yield _decode_part(encoded, rows, pool)
            rows, pixels = [], 0
        rows.append(row)
        pixels += width * height
    if rows:
        yield _decode_part(encoded, rows, pool)


def _decode_part(encoded: Sequence[bytes], rows: Sequence[int], pool: Executor) -> Part:
    part = Part([], [], {})
    for row, result in zip(rows, pool.map(_decode_or_refuse, [encoded[row] for row in rows]), strict=True):
        if isinstance(result, FrameError):
            part.refused[row] = result
        else:
            part.rows.append(row)
            part.images.append(result)
    return part


def _decode_or_refuse(data: bytes) -> Decoded | FrameError:
    try:
        return decode(data)
    except FrameError as error:
        return error


def _only(found: Recognised, kept: NDArray[np.int64], passed_over: int) -> Recognised:
    """Keep rows, in that order."""
    reads = found.reads
    some = ReadBatch(
        codes=reads.codes[kept],
        keys=reads.keys[kept],
        captured_at_ns=reads.captured_at_ns[kept],
        country=reads.country[kept],
        confidence=reads.confidence[kept],
        probabilities=None if reads.probabilities is None else reads.probabilities[kept],
    )
    return Recognised(found.image[kept], found.boxes[kept], found.scores[kept], some, passed_over)


def _scale(crop: NDArray[np.uint8], patch: NDArray[np.uint8]) -> None:
    """Scale a crop into the patch that is read."""
    shrinks = crop.shape[0] > PATCH_HEIGHT_PX or crop.shape[1] > PATCH_WIDTH_PX
    # Averaged where it shrinks: strokes between the sampled pixels would be lost.
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    cv2.resize(crop, (PATCH_WIDTH_PX, PATCH_HEIGHT_PX), dst=patch, interpolation=method)


def _whole(corners: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The upright boxes ``(K, 4)`` around corners ``(K, 4, 2)``, in whole pixels, cut to the image."""
    size = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(corners.min(axis=1)), 0, size - 1)
    high = np.clip(np.ceil(corners.max(axis=1)), low + 1, size)
    return np.concatenate([low, high - low], axis=1).astype(np.int32)
