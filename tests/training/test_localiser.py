"""The localiser's samples, what its networks are to answer, and how it is measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import ConfigurationError
from pipeline.ingest.localise import (
    PIECE_HEIGHT_PX,
    PIECE_MARGIN,
    PIECE_WIDTH_PX,
    STRIDE_PX,
    Detections,
    Localiser,
)
from plates import alphabet
from training.localiser.decoys import draw_decoy, draw_lit_decoy, glow
from training.localiser.evaluate import measure, read_boxes
from training.localiser.imitations import HEIGHT_PX as IMITATION_HEIGHT_PX
from training.localiser.imitations import draw_imitation
from training.localiser.mount import Pose, corners_of, grow, paste
from training.localiser.photographs import PACKAGES, cut, load_photographs, unpack_photographs
from training.localiser.pool import PLACES, draw_pool, mark_places
from training.localiser.samples import HEIGHT_PX, IGNORED, MAX_PLATES, NONE, PLATE, WIDTH_PX, draw_sample
from training.localiser.targets import cells_of, draw_piece

SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


def plate_at(left: float, top: float, width: float, height: float) -> np.ndarray:
    return (SQUARE * [width, height] + [left, top]).astype(np.float32)


def states_with(*states: int) -> np.ndarray:
    return np.array([[*states, *[NONE] * (MAX_PLATES - len(states))]], np.uint8)


def corners_with(*quads: np.ndarray) -> np.ndarray:
    corners = np.zeros((1, MAX_PLATES, 4, 2), np.float32)
    corners[0, : len(quads)] = quads
    return corners


# --- samples -------------------------------------------------------------------------------------------------


def test_a_sample_depends_on_its_seed_alone() -> None:
    one, same, other = (draw_sample([], np.random.default_rng([4, seed])) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.image, same.image)
    np.testing.assert_array_equal(one.corners, same.corners)
    assert (one.image != other.image).any()


def test_samples_have_plates_of_every_size_and_also_none() -> None:
    samples = [draw_sample([], np.random.default_rng([5, number])) for number in range(120)]
    assert {sample.image.shape for sample in samples} == {(HEIGHT_PX, WIDTH_PX, 3)}
    assert {sample.image.dtype for sample in samples} == {np.dtype(np.uint8)}
    plates = np.concatenate([sample.corners[sample.states == PLATE] for sample in samples])
    widths = np.linalg.norm(plates[:, 1] - plates[:, 0], axis=1)
    assert widths.min() < 40
    assert widths.max() > 180
    assert any(not sample.states.any() for sample in samples)
    assert any((sample.states == IGNORED).any() for sample in samples)


def test_a_sample_says_what_is_on_each_plate_in_the_characters_that_are_read() -> None:
    samples = [draw_sample([], np.random.default_rng([8, number])) for number in range(60)]
    on_plates = [text for sample in samples for text in sample.texts if text]
    assert all(set(text) <= set(alphabet.CHARACTERS) for text in on_plates)
    assert len(set(on_plates)) > 30
    for sample in samples:
        assert len(sample.texts) == MAX_PLATES
        assert all(sample.texts[row] for row in np.flatnonzero(sample.states))


@pytest.mark.parametrize("draw", [draw_decoy, draw_lit_decoy])
def test_decoys_are_of_many_kinds_the_same_for_the_same_seed(draw: Callable[..., None]) -> None:
    dark = np.full((HEIGHT_PX, WIDTH_PX, 3), 30, np.uint8)
    drawn = []
    for seed in [*range(80), 0]:
        drawn.append(dark.copy())
        draw(drawn[-1], np.random.default_rng([9, seed]))
    np.testing.assert_array_equal(drawn[0], drawn[-1])
    # Some are drawn beside the frame.
    assert sum((image != dark).any() for image in drawn) > 60


def test_a_lamp_shines_less_the_farther_away_and_ends_without_an_edge() -> None:
    image = np.full((61, 61, 3), 20, np.uint8)
    glow(image, (30, 30), 8, (255, 200, 100))
    row = image[30, 30:, 0].astype(int)
    assert row[0] > 200
    assert (np.diff(row) <= 0).all()
    assert row[24] - 20 <= 2
    beside = image.copy()
    glow(beside, (-200, 30), 8, (255, 255, 255))
    np.testing.assert_array_equal(beside, image)


def test_corners_go_clockwise_from_the_top_left() -> None:
    samples = [draw_sample([], np.random.default_rng([6, number])) for number in range(60)]
    quads = np.concatenate([sample.corners[sample.states == PLATE] for sample in samples])
    areas = [cv2.contourArea(quad, oriented=True) for quad in quads]
    assert min(areas) > 0
    assert (quads[:, 0].sum(axis=1) < quads[:, 2].sum(axis=1)).all()


def test_a_pasted_plate_covers_its_quad_and_nothing_else() -> None:
    image = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    corners = corners_of(Pose((160, 128), 120, roll=0.3, yaw=0.5), 4.0)
    paste(image, np.full((110, 440, 3), 200, np.uint8), corners)
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, grow(corners, -0.03, -0.1).astype(np.int32), 1)
    assert (image[mask == 1] >= 195).all()
    mask[:] = 0
    cv2.fillConvexPoly(mask, grow(corners, 0.03, 0.1).astype(np.int32), 1)
    assert (image[mask == 0] == 0).all()


def test_imitations_are_of_one_line_or_two() -> None:
    shapes = [draw_imitation(np.random.default_rng(seed))[0].shape for seed in range(80)]
    assert {shape[0] for shape in shapes} == {IMITATION_HEIGHT_PX, 2 * IMITATION_HEIGHT_PX}


def test_a_pool_is_the_same_whatever_the_number_of_processes(tmp_path: Path) -> None:
    one = draw_pool(tmp_path / "one", 6, 3, None, 1)
    two = draw_pool(tmp_path / "two", 6, 3, None, 2)
    assert len(one) == 6
    for name in ("images", "corners", "states"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_photographs_that_show_vehicles_or_nothing_are_passed_over(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (400, 1600, 3)).astype(np.uint8)
    for name, image in (("alley.png", noise), ("bus_stop.png", noise), ("plain.png", noise // 255)):
        cv2.imwrite(str(tmp_path / name), image)
    (photograph,) = load_photographs(tmp_path)
    assert photograph.shape == (320, 1280, 3)
    assert cut([photograph], (64, 48), np.random.default_rng(1)).shape == (48, 64, 3)
    assert load_photographs(None) == []


def test_photographs_that_nobody_can_fetch_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"gnome-backgrounds.*apt-get update"):
        unpack_photographs(tmp_path / "photographs")
    for package in PACKAGES:
        (tmp_path / "photographs" / package).mkdir(parents=True)
    assert unpack_photographs(tmp_path / "photographs") == tmp_path / "photographs"


def test_a_pool_keeps_what_a_finder_names_on_it(tmp_path: Path) -> None:
    pool = draw_pool(tmp_path, 8, 3, None, 1)
    assert pool.places is None
    marked = mark_places(tmp_path, Localiser(1))
    assert marked.places is not None
    assert marked.places.shape == (8, PLACES, 4, 2)
    named = [places[np.isfinite(places[:, 0, 0])] for places in marked.places]
    near = [
        np.linalg.norm(places.mean(axis=1) - quad.mean(axis=0), axis=1).min(initial=np.inf) < 12
        for places, corners, states in zip(named, marked.corners, marked.states, strict=True)
        for quad in corners[states == PLATE]
    ]
    assert sum(near) > len(near) / 2


# --- what the networks are to answer -------------------------------------------------------------------------


def test_the_cell_at_a_plates_middle_answers_with_its_corners() -> None:
    quad = plate_at(100, 60, 90, 20)
    heat, offsets, weights = cells_of(corners_with(quad), states_with(PLATE))
    row, column = np.unravel_index(heat[0].argmax(), heat[0].shape)
    assert (row, column) == (70 // STRIDE_PX, 145 // STRIDE_PX)
    assert heat[0, row, column] == 1
    centre = (np.array([column, row]) + 0.5) * STRIDE_PX
    answered = offsets[0, :, row, column].reshape(4, 2) * STRIDE_PX + centre
    np.testing.assert_allclose(answered, quad, atol=1e-3)
    assert (heat[0, :4] == 0).all()
    assert (weights[0] > 0).sum() >= 1


def test_nothing_is_asked_about_a_plate_that_is_cut_off() -> None:
    heat, _, weights = cells_of(corners_with(plate_at(-40, 60, 90, 20)), states_with(IGNORED))
    assert (heat[0] == -1).any()
    assert not weights.any()


NOWHERE = np.zeros((0, 4, 2), np.float32)


def drawn_pieces(quad: np.ndarray, places: np.ndarray, state: int = PLATE) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sixty times a piece of a black sample with one white plate; those that are neither are left out."""
    image = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    cv2.fillConvexPoly(image, quad.astype(np.int32), (255, 255, 255))
    random = np.random.default_rng(7)
    states = np.array([state], np.uint8)
    return list(filter(None, (draw_piece(image, quad[None], states, places, random) for _ in range(60))))


def test_a_piece_shows_the_plate_where_it_says() -> None:
    drawn = drawn_pieces(plate_at(100, 60, 90, 20), NOWHERE)
    with_plate = [(piece, truth) for piece, truth in drawn if truth[0] == 1]
    assert len(with_plate) > 10
    assert len(drawn) - len(with_plate) > 5
    for piece, truth in with_plate:
        inside = truth[1:].reshape(4, 2) * [PIECE_WIDTH_PX, PIECE_HEIGHT_PX]
        mask = np.zeros(piece.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, inside.round().astype(np.int32), 255)
        assert np.abs(piece[:, :, 0].astype(int) - mask).mean() < 12


def test_half_of_the_pieces_are_of_places_that_a_finder_named() -> None:
    quad = plate_at(100, 60, 90, 20)
    on_it, beside_it = plate_at(104, 62, 90, 20), plate_at(10, 200, 90, 20)
    named = drawn_pieces(quad, np.stack([on_it, beside_it]))
    seen = plate_at(0, 0, 90, 20) - [4, 2]
    corners = ((seen / [90, 20] - 0.5) / PIECE_MARGIN + 0.5).astype(np.float32)
    assert sum(np.allclose(truth[1:].reshape(4, 2), corners, atol=1e-3) for _, truth in named) > 5


def test_a_place_on_half_a_plate_is_neither_a_plate_nor_none() -> None:
    quad = plate_at(100, 60, 90, 20)
    half = plate_at(100, 60, 30, 20)
    answers = [truth[0] for _, truth in drawn_pieces(quad, half[None])]
    always = [truth[0] for _, truth in drawn_pieces(quad, quad[None])]
    assert len(answers) < len(always)
    assert not any(truth[0] for _, truth in drawn_pieces(quad, quad[None], IGNORED))


# --- measuring -----------------------------------------------------------------------------------------------


def detections(*boxes: tuple[float, float, float, float]) -> Detections:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    scores = np.linspace(0.9, 0.6, len(rows), dtype=np.float32)
    return Detections(rows, np.zeros((len(rows), 4, 2), np.float32), scores)


def test_a_marked_plate_counts_once() -> None:
    marked = {"a": np.array([[10, 10, 40, 10], [100, 10, 40, 10]], np.float32)}
    found = {"a": detections((10, 10, 40, 10), (11, 10, 40, 10), (200, 90, 40, 10))}
    figures = measure(found, marked, 0.5)
    assert (figures.recall, figures.precision) == pytest.approx((1 / 2, 1 / 3))
    assert figures.iou == pytest.approx(1.0)
    assert measure(found, marked, 0.8).precision == pytest.approx(1.0)


def test_frames_without_a_find_count_as_missed() -> None:
    marked = {"a": np.array([[10, 10, 40, 10]], np.float32)}
    figures = measure({"a": detections()}, marked, 0.5)
    assert (figures.recall, figures.precision, figures.iou) == (0.0, 0.0, 0.0)


def test_boxes_are_read_by_file(tmp_path: Path) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text("file,x,y,w,h\na.jpg,1,2,3,4\nb.jpg,5,6,7,8\na.jpg,9,9,9,9\n")
    assert {name: len(boxes) for name, boxes in read_boxes(file).items()} == {"a.jpg": 2, "b.jpg": 1}
    file.write_text("file,x,y,w,h\na.jpg,1,2,wide,4\n")
    with pytest.raises(ConfigurationError, match=r"boxes\.csv:2"):
        read_boxes(file)
