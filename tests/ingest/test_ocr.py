"""From patches to a batch of reads with probabilities."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.batch import ReadBatch
from pipeline.ingest.localise import Localiser, rectify
from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX, Reader, glyph_features, segment
from plates import alphabet
from tests.ingest.pictures import DAY, INFRARED, YELLOW, Image, collage, plate_of

NAMES = [DAY, INFRARED, YELLOW]


@pytest.fixture(scope="module")
def patches() -> Image:
    """The patches of three plates, in the order of `NAMES`."""
    image = collage(NAMES)
    found = Localiser().find([image])[0]
    return rectify(image, found.corners[np.argsort(found.boxes[:, 1])])


def read(patches: Image) -> ReadBatch:
    return Reader().read(patches, np.arange(len(patches), dtype=np.int64))


def blank(value: int) -> Image:
    return np.full((1, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3), value, np.uint8)


def lettered(text: str) -> Image:
    """A patch with that many dark bars in a row, each of a character's size."""
    patch = blank(230)
    step = PATCH_WIDTH_PX // (len(text) + 1)
    for number in range(len(text)):
        left = 8 + number * step
        cv2.rectangle(patch[0], (left, 10), (left + 6, 52), (20, 20, 20), -1)
    return patch


def test_what_is_on_the_patch_comes_out(patches: Image) -> None:
    batch = read(patches)
    assert alphabet.decode(batch.codes) == [plate_of(name) for name in NAMES]
    assert (batch.confidence > 0.5).all()


def test_columns_have_their_shapes_and_types(patches: Image) -> None:
    batch = read(patches)
    assert batch.codes.shape == (3, alphabet.SLOTS)
    assert batch.codes.dtype == np.uint8
    assert batch.captured_at_ns.tolist() == [0, 1, 2]
    assert batch.confidence.dtype == np.float32
    assert batch.probabilities is not None
    assert batch.probabilities.shape == (3, alphabet.SLOTS, 37)
    assert batch.probabilities.dtype == np.float32
    np.testing.assert_array_equal(batch.keys, alphabet.pack(batch.codes))


def test_probabilities_are_a_distribution_per_slot_that_agrees_with_the_text(patches: Image) -> None:
    batch = read(patches)
    assert batch.probabilities is not None
    np.testing.assert_allclose(batch.probabilities.sum(axis=2), 1.0, atol=1e-5)
    np.testing.assert_array_equal(batch.probabilities.argmax(axis=2), batch.codes)
    np.testing.assert_allclose(batch.probabilities.max(axis=2).prod(axis=1), batch.confidence, rtol=1e-5)
    assert (batch.probabilities >= 0).all()


def test_a_batch_reads_as_its_patches_do_one_by_one(patches: Image) -> None:
    together = read(patches[::-1])
    for row, patch in enumerate(patches[::-1]):
        alone = read(patch[None])
        np.testing.assert_array_equal(together.codes[row], alone.codes[0])
        assert together.probabilities is not None
        assert alone.probabilities is not None
        np.testing.assert_allclose(together.probabilities[row], alone.probabilities[0], atol=1e-5)


def test_an_empty_batch_is_an_empty_batch() -> None:
    batch = read(np.zeros((0, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3), np.uint8))
    assert len(batch) == 0
    assert batch.codes.shape == (0, alphabet.SLOTS)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_patch_says_nothing(value: int) -> None:
    batch = read(blank(value))
    assert alphabet.decode(batch.codes) == [""]
    assert batch.confidence.tolist() == [0.0]
    assert batch.probabilities is not None
    assert not batch.probabilities.any()


def test_a_blank_patch_takes_nothing_from_its_neighbours(patches: Image) -> None:
    batch = read(np.concatenate([blank(200), patches[:1], blank(30), patches[1:2]]))
    assert alphabet.decode(batch.codes) == ["", plate_of(NAMES[0]), "", plate_of(NAMES[1])]


def test_as_many_characters_as_a_plate_can_have_are_read_and_one_more_are_no_plate() -> None:
    ten, eleven = lettered("x" * alphabet.SLOTS), lettered("x" * (alphabet.SLOTS + 1))
    assert [len(segment(patch[0])) for patch in (ten, eleven)] == [10, 11]
    assert alphabet.lengths(read(np.concatenate([ten, eleven])).codes).tolist() == [10, 0]


def test_glyphs_come_from_left_to_right_with_their_relative_width(patches: Image) -> None:
    glyphs = segment(patches[0])
    assert len(glyphs) == len(plate_of(DAY))
    # The plate begins with a 1, by far its narrowest character.
    assert plate_of(DAY)[0] == "1"
    assert glyphs[0][1] == min(width for _, width in glyphs)
    assert np.median([width for _, width in glyphs]) == pytest.approx(1.0, abs=0.1)


def test_a_flat_glyph_has_finite_features() -> None:
    features = glyph_features(np.full((40, 6), 200, np.uint8), 0.4)
    assert features.shape == (281,)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
