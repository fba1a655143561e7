"""Frames to plate boxes with four corners, and rectified patches.

Two small networks (`models/localiser.md` is their card). The finder looks over the whole frame, at most
`WORK_PX` on its longer side, and once more over the frame at a quarter of that, where large plates are: each cell
says whether a plate's middle is there and where its corners are. The refiner looks at each place that was found,
cut out of the frame upright: it says whether it is a plate indeed, and where exactly its corners are.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX, THREADS

if TYPE_CHECKING:
    import onnxruntime

MAX_PLATES: Final = 48
MIN_SCORE: Final = 0.7
"""A place of which the networks are less sure is no plate."""
WORK_PX: Final = 1280

FINDER: Final = Path(__file__).parent / "models" / "localiser_finder.onnx"
REFINER: Final = Path(__file__).parent / "models" / "localiser_refiner.onnx"

STRIDE_PX: Final = 8
"""The finder's cells are this wide and high."""
PIECE_HEIGHT_PX: Final = 64
PIECE_WIDTH_PX: Final = 160
PIECE_MARGIN: Final = 1.4
"""How much wider and higher than the place the refiner's piece is."""
GREY: Final = 114
"""The grey level around a frame, as in training."""

_MULTIPLE_PX: Final = 32
# Around a frame, so that a plate at its edge is whole to the network. With 16, a frame of 720 rows would have one
# multiple more, and nothing more would be found.
_PADDING_PX: Final = 8
_LEVELS: Final = (1.0, 0.25)
_MIN_SIDE_PX: Final = 8
_MIN_FINDER_SCORE: Final = 0.3
_MAX_PLACES: Final = 96
# How much the refiner's word weighs in a score; the rest is the finder's.
_REFINER_SHARE: Final = 0.75
_PIECES_AT_ONCE: Final = 64
# A piece is cut out of a frame that was made smaller first where it would skip pixels.
_MAX_SHRINK: Final = 1.5
_MIN_EDGE_PX: Final = 3.0
# Of what two quads cover together, and of the smaller one: with more in common they are one plate.
_OVERLAP: Final = 0.3
_PIECE: Final = 0.7

Floats = NDArray[np.float32]
Frame = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Detections:
    """K plates of one frame, the likeliest first.

    Attributes
    ----------
    boxes
        float32 ``(K, 4)``: x, y, w, h in pixels of the frame.
    corners
        float32 ``(K, 4, 2)``: from the top left clockwise.
    scores
        float32 ``(K,)``, 0 to 1.
    """

    boxes: Floats
    corners: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.scores)


class _Look(NamedTuple):
    """What the finder names on one frame, and what the refiner is asked of it."""

    corners: Floats
    scores: Floats
    pieces: list[Frame]
    matrices: NDArray[np.float64]


class Localiser:
    """Finds plates on frames. The models come with the package; nothing is downloaded.

    Parameters
    ----------
    threads
        How many cores one call may use.
    finder, refiner
        The models' files.
    """

    def __init__(self, threads: int = THREADS, finder: Path = FINDER, refiner: Path = REFINER) -> None:
        self._finder = _session(finder, threads)
        self._refiner = _session(refiner, threads)
        # ONNX Runtime and OpenCV let go of the interpreter: frames of a batch are looked at beside each other.
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="localise")

    def find(self, frames: Sequence[Frame], min_score: float = MIN_SCORE) -> list[Detections]:
        """Find the plates of each frame; frames are RGB uint8 ``(H, W, 3)`` of any size."""
        looks = self._pool.map(self._look, frames) if len(frames) > 1 else map(self._look, frames)
        looked = list(looks)
        answers = self._refine([piece for look in looked for piece in look.pieces])
        found = []
        begin = 0
        for look in looked:
            mine = answers[begin : begin + len(look.pieces)]
            begin += len(look.pieces)
            found.append(_detections(look.corners, look.scores, look.matrices, mine, min_score))
        return found

    def _look(self, frame: Frame) -> _Look:
        corners, scores = self.places(frame)
        return _Look(corners, scores, *cut_pieces(frame, corners))

    def places(self, frame: Frame) -> tuple[Floats, Floats]:
        """Say what the finder alone names on a frame: corners ``(K, 4, 2)`` in its pixels, and scores ``(K,)``."""
        whole = min(1.0, WORK_PX / max(frame.shape[:2]))
        found = []
        for level in _LEVELS:
            small = _shrunk(frame, whole * level)
            if min(small.shape[:2]) < _MIN_SIDE_PX and level < 1:
                continue
            corners, scores = _peaks(self._finder.run(None, {"frames": _padded(small)})[0][0])
            # Of the frame's own proportions, which rounding to whole pixels has changed a little.
            scale = np.array(frame.shape[1::-1], np.float32) / np.array(small.shape[1::-1], np.float32)
            found.append(((corners - _PADDING_PX) * scale, scores))
        corners = np.concatenate([each for each, _ in found])
        scores = np.concatenate([each for _, each in found])
        sound = _sound(corners)
        corners, scores = corners[sound], scores[sound]
        kept = _apart(corners, scores, _MAX_PLACES)
        return corners[kept], scores[kept]

    def _refine(self, pieces: Sequence[Frame]) -> Floats:
        """Ask the refiner: float32 ``(K, 9)``, the score's logit and the corners as shares of the piece."""
        answers = [np.zeros((0, 9), np.float32)]
        for begin in range(0, len(pieces), _PIECES_AT_ONCE):
            some = np.stack(pieces[begin : begin + _PIECES_AT_ONCE])
            answers.append(self._refiner.run(None, {"pieces": some})[0])
        return np.concatenate(answers)


def rectify(frame: Frame, corners: Floats) -> Frame:
    """Warp the plates with `corners` ``(K, 4, 2)`` upright: uint8 ``(K, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3)``."""
    size = (PATCH_WIDTH_PX, PATCH_HEIGHT_PX)
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    patches = np.empty((len(corners), size[1], size[0], 3), np.uint8)
    pyramid = {1: frame}
    for row, quad in enumerate(corners):
        source, scale = _level(pyramid, quad, PATCH_WIDTH_PX)
        matrix = cv2.getPerspectiveTransform(np.ascontiguousarray(quad * scale, np.float32), target)
        patches[row] = _warp(source, np.asarray(matrix, np.float64), size)
    return patches


def cut_pieces(frame: Frame, places: Floats) -> tuple[list[Frame], NDArray[np.float64]]:
    """Cut each place ``(K, 4, 2)`` out, upright and with its margin.

    Returns
    -------
    The pieces, RGB uint8 ``(PIECE_HEIGHT_PX, PIECE_WIDTH_PX, 3)``, and the matrices from their pixels to the
    frame's, float64 ``(K, 3, 3)``.
    """
    size = (PIECE_WIDTH_PX, PIECE_HEIGHT_PX)
    pyramid = {1: frame}
    pieces = []
    matrices = np.zeros((len(places), 3, 3))
    scales = np.ones((len(places), 3, 1))
    for row, place in enumerate(places):
        source, scale = _level(pyramid, place, PIECE_WIDTH_PX / PIECE_MARGIN)
        matrices[row] = _piece_matrix(place * scale)
        scales[row, :2, 0] = scale
        pieces.append(_warp(source, matrices[row], size))
    return pieces, np.linalg.inv(matrices) / scales


def _session(model: Path, threads: int) -> onnxruntime.InferenceSession:
    # It takes a tenth of a second to import; nobody who does not look for plates should wait for it.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait for the next call by spinning take a core from the other stages.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _shrunk(frame: Frame, scale: float) -> Frame:
    if scale >= 1:
        return frame
    size = [max(1, round(side * scale)) for side in frame.shape[1::-1]]
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _padded(frame: Frame) -> Frame:
    """The frame with its padding, as the finder takes it: uint8 ``(1, H, W, 3)``."""
    right, below = (
        -(side + 2 * _PADDING_PX) % _MULTIPLE_PX + _PADDING_PX for side in (frame.shape[1], frame.shape[0])
    )
    framed = cv2.copyMakeBorder(
        frame, _PADDING_PX, below, _PADDING_PX, right, cv2.BORDER_CONSTANT, value=(GREY,) * 3
    )
    return np.asarray(framed[None], np.uint8)


def _peaks(cells: Floats) -> tuple[Floats, Floats]:
    """Cells ``(9, R, C)`` to corners ``(K, 4, 2)`` in pixels of what the finder saw, and scores ``(K,)``."""
    logits = cells[0]
    highest = cv2.dilate(logits, np.ones((3, 3), np.uint8))
    threshold = np.log(_MIN_FINDER_SCORE / (1 - _MIN_FINDER_SCORE))
    rows, columns = np.nonzero((logits >= threshold) & (logits >= highest))
    scores = 1 / (1 + np.exp(-logits[rows, columns]))
    best = np.argsort(-scores, kind="stable")[:_MAX_PLACES]
    rows, columns, scores = rows[best], columns[best], scores[best]
    centres = np.stack([columns, rows], axis=1)[:, None] + 0.5
    corners = (cells[1:, rows, columns].T.reshape(-1, 4, 2) + centres) * STRIDE_PX
    return corners.astype(np.float32), scores.astype(np.float32)


def _sound(corners: Floats) -> NDArray[np.bool_]:
    """Which quads are convex, the right way round, and have edges to speak of."""
    edges = np.roll(corners, -1, axis=1) - corners
    following = np.roll(edges, -1, axis=1)
    turns = edges[..., 0] * following[..., 1] - edges[..., 1] * following[..., 0]
    long = (np.linalg.norm(edges, axis=2) >= _MIN_EDGE_PX).all(axis=1)
    return np.asarray((turns > 0).all(axis=1) & long)


def _apart(corners: Floats, scores: Floats, most: int) -> NDArray[np.int64]:
    """Rows of the likeliest quads, the likeliest first, without those that lie over a likelier one."""
    order = np.argsort(-scores, kind="stable")
    quads = corners[order]
    low, high = quads.min(axis=1), quads.max(axis=1)
    # Tilted plates side by side share their upright boxes and nothing else, so where boxes meet, quads decide.
    meet = (np.minimum(high[:, None], high[None]) > np.maximum(low[:, None], low[None])).all(axis=2)
    alive = np.ones(len(order), bool)
    kept: list[int] = []
    for row in range(len(order)):
        if not alive[row]:
            continue
        kept.append(row)
        for other in np.flatnonzero(meet[row] & alive):
            alive[other] = other <= row or not _clash(quads[row], quads[other])
    return np.asarray(order[kept[:most]], np.int64)


def _clash(one: Floats, other: Floats) -> bool:
    """Whether two quads are of one plate: they are much the same, or one is a piece of the other."""
    shared, _ = cv2.intersectConvexConvex(one, other)
    areas = cv2.contourArea(one), cv2.contourArea(other)
    return bool(shared > _OVERLAP * (sum(areas) - shared) or shared > _PIECE * min(areas))


def _piece_matrix(place: Floats) -> NDArray[np.float64]:
    """Return the matrix that turns a place ``(4, 2)`` upright, in the middle of a piece: float64 ``(3, 3)``."""
    unit = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) / PIECE_MARGIN
    target = (unit + 1) / 2 * (PIECE_WIDTH_PX, PIECE_HEIGHT_PX)
    matrix = cv2.getPerspectiveTransform(np.ascontiguousarray(place, np.float32), target.astype(np.float32))
    return np.asarray(matrix, np.float64)


def _level(pyramid: dict[int, Frame], quad: Floats, width_px: float) -> tuple[Frame, Floats]:
    """The frame at the size at which the quad is about `width_px` wide or less, and its scale in x and y."""
    longest = max(float(np.linalg.norm(quad[1] - quad[0])), float(np.linalg.norm(quad[2] - quad[3])))
    shrink = 1
    while longest / shrink > _MAX_SHRINK * width_px and shrink < 64:
        shrink *= 2
    frame = pyramid[1]
    if shrink not in pyramid:
        pyramid[shrink] = _shrunk(frame, 1 / shrink)
    level = pyramid[shrink]
    return level, np.divide(level.shape[1::-1], frame.shape[1::-1], dtype=np.float32)


def _warp(frame: Frame, matrix: NDArray[np.float64], size: tuple[int, int]) -> Frame:
    warped = cv2.warpPerspective(frame, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def _detections(
    places: Floats, scores: Floats, matrices: NDArray[np.float64], answers: Floats, min_score: float
) -> Detections:
    """What both networks say of one frame's places, together."""
    sure = 1 / (1 + np.exp(-answers[:, 0]))
    corners = np.zeros((len(places), 4, 2), np.float32)
    for row, matrix in enumerate(matrices):
        inside = answers[row, 1:].reshape(1, 4, 2) * np.array([PIECE_WIDTH_PX, PIECE_HEIGHT_PX], np.float32)
        corners[row] = cv2.perspectiveTransform(inside, matrix)[0]
    together = (scores ** (1 - _REFINER_SHARE) * sure**_REFINER_SHARE).astype(np.float32)
    likely = np.flatnonzero(_sound(corners) & (together >= min_score) & np.isfinite(corners).all(axis=(1, 2)))
    kept = likely[_apart(corners[likely], together[likely], MAX_PLATES)]
    corners = corners[kept]
    low, high = corners.min(axis=1), corners.max(axis=1)
    boxes = np.concatenate([low, high - low], axis=1).astype(np.float32)
    return Detections(boxes, corners, together[kept])
