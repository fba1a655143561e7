"""What the networks are to answer: cells for the finder, pieces with corners for the refiner."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.localise import PIECE_HEIGHT_PX, PIECE_WIDTH_PX, STRIDE_PX, cut_pieces
from training.localiser.samples import HEIGHT_PX, IGNORED, PLATE, WIDTH_PX

# A plate's middle, in which cells answer for it: shares of its half width and half height, but at least one cell.
_MIDDLE: Final = 0.35

# A place that has less in common with every plate is none, one with more is a plate; between them nobody can say.
_TOO_MUCH: Final = 0.2
_ENOUGH: Final = 0.35

_ROWS, _COLUMNS = HEIGHT_PX // STRIDE_PX, WIDTH_PX // STRIDE_PX
_CENTRES: Final = (
    np.stack(np.meshgrid(np.arange(_COLUMNS), np.arange(_ROWS)), axis=2).astype(np.float32) + 0.5
) * STRIDE_PX


def cells_of(
    corners: NDArray[np.float32], states: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Say what the finder's cells are to answer for a batch.

    Parameters
    ----------
    corners, states
        As in a pool: ``(N, P, 4, 2)`` and ``(N, P)``.

    Returns
    -------
    heat
        float32 ``(N, R, C)``: 1 at the cell nearest to a plate's middle, falling off around it; -1 where nothing
        is asked, on plates that are `IGNORED`.
    offsets
        float32 ``(N, 8, R, C)``: corners from the cell's centre, in strides, where `weights` is positive.
    weights
        float32 ``(N, R, C)``: how much a cell's corners count, the more the smaller the plate is.
    """
    count = len(corners)
    heat = np.zeros((count, _ROWS, _COLUMNS), np.float32)
    offsets = np.zeros((count, 8, _ROWS, _COLUMNS), np.float32)
    weights = np.zeros((count, _ROWS, _COLUMNS), np.float32)
    for row, plate in zip(*np.nonzero(states), strict=True):
        quad = corners[row, plate]
        around = quad.reshape(1, 1, 4, 2) - _CENTRES[:, :, None]
        if states[row, plate] == IGNORED:
            heat[row][_inside(quad)] = -1
            continue
        across, down = _shares(quad)
        far = np.maximum(np.abs(across), np.abs(down))
        nearest = np.unravel_index(np.linalg.norm(around.mean(axis=2), axis=2).argmin(), far.shape)
        middle = far < _MIDDLE
        middle[nearest] = True
        soft = np.exp(-(across**2 + down**2) / (2 * (_MIDDLE / 1.5) ** 2)) * (far < 2 * _MIDDLE)
        soft[nearest] = 1.0
        heat[row] = np.where(heat[row] < 0, heat[row], np.maximum(heat[row], soft))
        offsets[row][:, middle] = around[middle].reshape(-1, 8).T / STRIDE_PX
        height = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
        weights[row][middle] = STRIDE_PX / max(height, 4.0) / np.sqrt(middle.sum())
    return heat, offsets, weights


def _shares(quad: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Every cell's place in the quad's own axes: -1 to 1 is inside."""
    right = (quad[1] + quad[2] - quad[0] - quad[3]) / 4
    below = (quad[2] + quad[3] - quad[0] - quad[1]) / 4
    axes = np.linalg.inv(np.stack([right, below], axis=1) + np.eye(2) * 1e-6)
    places = (_CENTRES - quad.mean(axis=0)) @ axes.T
    return places[:, :, 0].astype(np.float32), places[:, :, 1].astype(np.float32)


def _inside(quad: NDArray[np.float32]) -> NDArray[np.bool_]:
    across, down = _shares(quad)
    return np.asarray((np.abs(across) < 1.2) & (np.abs(down) < 1.2))


def draw_piece(
    image: NDArray[np.uint8],
    corners: NDArray[np.float32],
    states: NDArray[np.uint8],
    places: NDArray[np.float32],
    random: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:
    """Cut out a place that a finder named on a sample, or one made up, and say what the refiner is to answer.

    Parameters
    ----------
    places
        Those that a finder named, float32 ``(K, 4, 2)``; K may be 0.

    Returns
    -------
    The piece, and float32 ``(9,)``: 1 or 0, then the corners as shares of the piece. None if the place shows too
    little of a plate to be one and too much to be none.
    """
    plates = corners[states == PLATE]
    if len(places) and random.random() < 0.5:
        place = places[random.integers(len(places))]
    elif len(plates) and random.random() < 0.6:
        place = _near(plates[random.integers(len(plates))], random)
    else:
        place = _anywhere(corners[states > 0], random)
    shared = np.array([_overlap(place, quad) for quad in plates])
    ignored = np.array([_overlap(place, quad) for quad in corners[states == IGNORED]])
    if max(ignored, default=0) > _TOO_MUCH or _TOO_MUCH < max(shared, default=0) < _ENOUGH:
        return None
    (piece,), (matrix,) = cut_pieces(image, place[None])
    if max(shared, default=0) < _ENOUGH:
        return piece, np.zeros(9, np.float32)
    truth = plates[shared.argmax()]
    seen = cv2.perspectiveTransform(truth[None], np.linalg.inv(matrix))[0] / [PIECE_WIDTH_PX, PIECE_HEIGHT_PX]
    return piece, np.append(np.float32(1), seen.astype(np.float32).ravel())


def _near(truth: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """The plate's corners as the finder has them: moved, turned, stretched, each a little off."""
    middle = truth.mean(axis=0)
    right = (truth[1] + truth[2] - truth[0] - truth[3]) / 2
    below = (truth[2] + truth[3] - truth[0] - truth[1]) / 2
    moved = middle + right * np.clip(random.normal(0, 0.06), -0.15, 0.15)
    moved = moved + below * np.clip(random.normal(0, 0.12), -0.3, 0.3)
    scale = np.exp(np.clip(random.normal(0, [0.12, 0.16]), -0.35, 0.35))
    wide, high = right * scale[0], below * scale[1]
    wide = wide + below * np.clip(random.normal(0, 0.12), -0.3, 0.3)
    quad = np.array(
        [
            moved - wide / 2 - high / 2,
            moved + wide / 2 - high / 2,
            moved + wide / 2 + high / 2,
            moved - wide / 2 + high / 2,
        ]
    )
    loose = random.normal(0, 0.05, (4, 2)) * np.linalg.norm(below)
    return np.asarray(quad + loose, np.float32)


def _anywhere(quads: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """A place of a plate's shape anywhere, often beside or around a plate."""
    width = float(np.exp(random.uniform(np.log(20), np.log(280))))
    height = width / float(random.choice([4.7, 4.7, 3.5, 1.5]))
    middle = random.uniform(0, 1, 2) * [WIDTH_PX, HEIGHT_PX]
    if len(quads) and random.random() < 0.5:
        quad = quads[random.integers(len(quads))]
        span = np.ptp(quad, axis=0)
        middle = quad.mean(axis=0) + span * random.uniform(-1.5, 1.5, 2)
        width, height = (span * np.exp(random.uniform(-0.9, 0.9, 2))).tolist()
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    lean = random.normal(0, 0.08)
    return np.asarray(square @ np.array([[1, lean], [-lean, 1]]) + middle, np.float32)


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """What both have in common, as a share of what either has."""
    shared, _ = cv2.intersectConvexConvex(np.ascontiguousarray(one), np.ascontiguousarray(other))
    both = cv2.contourArea(one) + cv2.contourArea(other) - shared
    return float(shared / max(1e-6, both))
