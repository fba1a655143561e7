"""From frames to plates: what is found, where exactly, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.images import decode_image
from pipeline.ingest.localise import Detections, Localiser, rectify
from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX
from pipeline.ingest.recognise import Recogniser
from plates import alphabet
from tests.ingest.pictures import DAY, FRAMES, INFRARED, YELLOW, Image, collage, empty_road, jpeg_of, plate_of
from tests.ingest.pictures import truth as recorded
from training.localiser.mount import Corners, Pose, corners_of, paste
from training.plates import HEIGHT_PX, STYLES, WIDTH_PX, draw_plate, draw_text


@cache
def shared() -> Localiser:
    return Localiser()


@pytest.fixture(scope="module")
def localiser() -> Localiser:
    return shared()


@cache
def recogniser() -> Recogniser:
    return Recogniser()


def texts_on(image: Image) -> list[str]:
    """Read every plate on an RGB frame, from top to bottom."""
    found = recogniser().recognise([image])
    texts = alphabet.decode(found.reads.codes)
    return [texts[row] for row in np.argsort(found.boxes[:, 1])]


def street(width: int, height: int) -> Image:
    """A road with nothing on it: asphalt, lighter towards the top, in grains."""
    grain = np.random.default_rng(1).normal(0, 6, (height, width, 1))
    tone = np.linspace(150, 70, height)[:, None, None]
    return np.clip(tone + grain + [0, 2, 5], 0, 255).astype(np.uint8)


def park(image: Image, poses: Sequence[Pose], seed: int = 1) -> Corners:
    """Paste a plate of any country at each pose, in place, on a dark bumper; their corners ``(K, 4, 2)``."""
    random = np.random.default_rng(seed)
    placed = []
    for pose in poses:
        country = str(random.choice(list(STYLES)))
        bumper = np.full((HEIGHT_PX, WIDTH_PX, 3), random.integers(20, 60), np.uint8)
        around = Pose(pose.centre, pose.width_px * 1.3, pose.roll, pose.yaw, pose.pitch)
        paste(image, bumper, corners_of(around, 2.5))
        corners = corners_of(pose, WIDTH_PX / HEIGHT_PX)
        paste(image, draw_plate(draw_text(country, random), country), corners)
        placed.append(corners)
    return np.array(placed, np.float32)


def off_px(found: Detections, truth: Corners) -> np.ndarray:
    """How far the corners of the nearest plate found are from each true one's, the farthest of the four."""
    away = np.linalg.norm(found.corners[:, None] - truth[None], axis=3).max(axis=2)
    return away.min(axis=0) if len(found) else np.full(len(truth), np.inf)


# --- finding -------------------------------------------------------------------------------------------------


def test_every_plate_on_a_frame_is_found() -> None:
    names = [DAY, INFRARED, YELLOW]
    assert texts_on(collage(names)) == [plate_of(name) for name in names]


def test_frames_of_a_batch_keep_their_own_plates(localiser: Localiser) -> None:
    frames = [collage([DAY]), np.full((720, 1280, 3), 128, np.uint8), collage([YELLOW, INFRARED])]
    assert [len(found) for found in localiser.find(frames)] == [1, 0, 2]
    assert localiser.find([]) == []


def test_boxes_are_around_the_corners_and_scores_fall(localiser: Localiser) -> None:
    found = localiser.find([collage([DAY, INFRARED, YELLOW])])[0]
    low, high = found.corners.min(axis=1), found.corners.max(axis=1)
    np.testing.assert_allclose(found.boxes, np.concatenate([low, high - low], axis=1), atol=1e-3)
    assert (np.diff(found.scores) <= 0).all()
    assert ((found.scores > 0) & (found.scores <= 1)).all()
    assert {array.dtype for array in (found.boxes, found.corners, found.scores)} == {np.dtype(np.float32)}


def test_a_higher_score_is_asked_of_fewer(localiser: Localiser) -> None:
    image = collage([DAY, INFRARED, YELLOW])
    (all_of_them,) = localiser.find([image], 0.05)
    (sure,) = localiser.find([image], float(all_of_them.scores[1]))
    assert len(sure) == 2
    assert len(all_of_them) >= 3


def test_forty_plates_on_one_picture_are_all_found(localiser: Localiser) -> None:
    image = street(1280, 720)
    random = np.random.default_rng(40)
    poses = [
        Pose((90 + 157 * column, 80 + 140 * row), random.uniform(70, 110), *random.normal(0, [0.06, 0.25, 0.1]))
        for row in range(5)
        for column in range(8)
    ]
    truth = park(image, poses)
    (found,) = localiser.find([image])
    assert len(found) == 40
    assert off_px(found, truth).max() < 6


@pytest.mark.parametrize("degrees", [-30, -15, 15, 30])
def test_plates_that_are_tilted_are_found_side_by_side(degrees: float, localiser: Localiser) -> None:
    image = street(640, 480)
    step = 90 * np.array([-np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))])
    poses = [Pose(tuple(np.array([320, 240]) + number * step), 150, np.deg2rad(degrees)) for number in (-1, 0, 1)]
    truth = park(image, poses)
    (found,) = localiser.find([image])
    assert len(found) == 3
    assert off_px(found, truth).max() < 6


@pytest.mark.parametrize(
    ("size", "width_px"),
    [((1280, 720), 26), ((1280, 720), 900), ((720, 1280), 120), ((400, 120), 330), ((3840, 2160), 200)],
    ids=["tiny", "fills the frame", "portrait", "a close-up", "eight megapixels"],
)
def test_plates_are_found_on_frames_of_any_shape(
    size: tuple[int, int], width_px: float, localiser: Localiser
) -> None:
    image = street(*size)
    truth = park(image, [Pose((size[0] * 0.52, size[1] * 0.5), width_px, 0.02, 0.2)])
    (found,) = localiser.find([image])
    assert len(found) == 1
    assert off_px(found, truth)[0] < max(3, 0.06 * width_px)


def test_a_plate_in_the_dark_is_found(localiser: Localiser) -> None:
    image = street(1280, 720)
    truth = park(image, [Pose((700, 400), 110, 0.03)])
    noise = np.random.default_rng(2).normal(0, 4, image.shape)
    dark = np.clip(image * np.array([0.3, 0.16, 0.2]) + noise, 0, 255).astype(np.uint8)
    (found,) = localiser.find([dark])
    assert len(found) == 1
    assert off_px(found, truth)[0] < 6


def test_nothing_is_found_where_there_is_no_plate(localiser: Localiser) -> None:
    grey = np.full((720, 1280, 3), 90, np.uint8)
    noise = np.random.default_rng(3).integers(0, 256, grey.shape).astype(np.uint8)
    frames = [decode_image(jpeg_of(empty_road())), street(1280, 720), grey, noise]
    assert [len(found) for found in localiser.find(frames)] == [0, 0, 0, 0]


def test_recorded_frames_have_their_plates_and_hardly_anything_else(localiser: Localiser) -> None:
    names = [file.name for file in sorted(FRAMES.iterdir())]
    counts = np.array([len(found) for found in localiser.find([decode_image(jpeg_of(name)) for name in names])])
    plates = np.array([len(recorded()[name]) for name in names])
    assert (counts >= plates).all()
    # The surest of what is no plate are rows of windows; nothing that is a plate's text is read on them.
    assert (counts - plates).sum() < 0.5 * len(names)


def test_a_grey_frame_is_as_good() -> None:
    grey = cv2.cvtColor(decode_image(jpeg_of(DAY)), cv2.COLOR_RGB2GRAY)
    assert texts_on(np.repeat(grey[:, :, None], 3, axis=2)) == [plate_of(DAY)]


def test_a_frame_that_is_hardly_more_than_a_plate_is_enough(localiser: Localiser) -> None:
    image = collage([DAY])
    x, y, w, h = localiser.find([image])[0].boxes[0].astype(int)
    assert texts_on(image[y - 2 : y + h + 2, x - 2 : x + w + 2]) == [plate_of(DAY)]


@given(st.integers(1, 200), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_noise_of_any_size_is_survived(height: int, width: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    found = shared().find([noise], 0.0)[0]
    assert found.boxes.shape == (len(found), 4)
    assert found.corners.shape == (len(found), 4, 2)
    assert np.isfinite(found.corners).all()


# --- cutting out ---------------------------------------------------------------------------------------------


def test_patches_have_one_size(localiser: Localiser) -> None:
    image = collage([DAY, YELLOW])
    found = localiser.find([image])[0]
    patches = rectify(image, found.corners)
    assert patches.shape == (2, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3)
    assert patches.dtype == np.uint8
    assert rectify(image, found.corners[:0]).shape == (0, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3)


def test_a_plate_over_the_edge_of_the_frame_is_cut_out_with_what_is_there() -> None:
    image = np.full((50, 100, 3), 77, np.uint8)
    corners = np.array([[[-20, -10], [60, -10], [60, 20], [-20, 20]]], np.float32)
    assert (rectify(image, corners) == 77).all()


def test_a_plate_that_is_larger_than_the_patch_is_averaged_not_sampled() -> None:
    stripes = np.zeros((800, 2560, 3), np.uint8)
    stripes[:, ::2] = 200
    corners = np.array([[[0, 0], [2560, 0], [2560, 800], [0, 800]]], np.float32)
    (patch,) = rectify(stripes, corners)
    assert np.abs(patch[4:-4, 4:-4].astype(int) - 100).max() < 10
