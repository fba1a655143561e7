"""From frames to plates: what is found, and what is not."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.images import decode_image
from pipeline.ingest.localise import Localiser, rectify
from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX, Reader
from plates import alphabet
from tests.ingest.pictures import DAY, INFRARED, YELLOW, Image, collage, empty_road, jpeg_of, plate_of


def texts_on(image: Image) -> list[str]:
    """Read every plate on an RGB frame, from top to bottom."""
    found = Localiser().find([image])[0]
    order = np.argsort(found.boxes[:, 1])
    batch = Reader().read(rectify(image, found.corners[order]), np.zeros(len(found), np.int64))
    return alphabet.decode(batch.codes)


# --- finding -------------------------------------------------------------------------------------------------


def test_every_plate_on_a_frame_is_found() -> None:
    names = [DAY, INFRARED, YELLOW]
    assert texts_on(collage(names)) == [plate_of(name) for name in names]


def test_frames_of_a_batch_keep_their_own_plates() -> None:
    frames = [collage([DAY]), np.full((720, 1280, 3), 128, np.uint8), collage([YELLOW, INFRARED])]
    assert [len(found) for found in Localiser().find(frames)] == [1, 0, 2]
    assert Localiser().find([]) == []


def test_boxes_are_around_the_corners_and_scores_fall() -> None:
    found = Localiser().find([collage([DAY, INFRARED, YELLOW])])[0]
    low, high = found.corners.min(axis=1), found.corners.max(axis=1)
    np.testing.assert_allclose(found.boxes, np.concatenate([low, high - low], axis=1), atol=1e-3)
    assert (np.diff(found.scores) <= 0).all()
    assert ((found.scores > 0) & (found.scores <= 1)).all()
    assert {array.dtype for array in (found.boxes, found.corners, found.scores)} == {np.dtype(np.float32)}


def test_nothing_is_found_where_there_is_no_plate() -> None:
    assert texts_on(decode_image(jpeg_of(empty_road()))) == []


def test_a_grey_frame_is_as_good() -> None:
    grey = cv2.cvtColor(decode_image(jpeg_of(DAY)), cv2.COLOR_RGB2GRAY)
    assert texts_on(np.repeat(grey[:, :, None], 3, axis=2)) == [plate_of(DAY)]


def test_a_frame_of_eight_megapixels_gives_boxes_in_its_own_pixels() -> None:
    frame = decode_image(jpeg_of(DAY))
    large = np.asarray(cv2.resize(frame, (3840, 2160), interpolation=cv2.INTER_CUBIC), np.uint8)
    small, found = Localiser().find([frame, large])
    np.testing.assert_allclose(found.boxes, 3 * small.boxes, atol=12)
    assert texts_on(large) == [plate_of(DAY)]


def test_a_frame_that_is_hardly_more_than_a_plate_is_enough() -> None:
    image = collage([DAY])
    x, y, w, h = Localiser().find([image])[0].boxes[0].astype(int)
    assert texts_on(image[y - 2 : y + h + 2, x - 2 : x + w + 2]) == [plate_of(DAY)]


@given(st.integers(1, 200), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_noise_of_any_size_is_survived(height: int, width: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    found = Localiser().find([noise])[0]
    assert found.boxes.shape == (len(found), 4)
    assert found.corners.shape == (len(found), 4, 2)
    assert np.isfinite(found.corners).all()


def test_patches_have_one_size() -> None:
    image = collage([DAY, YELLOW])
    found = Localiser().find([image])[0]
    patches = rectify(image, found.corners)
    assert patches.shape == (2, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3)
    assert patches.dtype == np.uint8
    assert rectify(image, found.corners[:0]).shape == (0, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3)


def test_a_plate_over_the_edge_of_the_frame_is_cut_out_with_what_is_there() -> None:
    image = np.full((50, 100, 3), 77, np.uint8)
    corners = np.array([[[-20, -10], [60, -10], [60, 20], [-20, 20]]], np.float32)
    assert (rectify(image, corners) == 77).all()
