"""What a person sees of a read: the plate and its vehicle, always small enough to travel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.images import decode_image, image_size
from pipeline.ingest.pictures import PATCH_WIDTH_PX, PICTURE_WIDTH_PX, fitting_jpeg, patch_jpeg, vehicle_jpeg
from pipeline.model import MAX_PATCH_BYTES, MAX_PICTURE_BYTES, Box, PlateRead, encode
from pipeline.settings import Settings
from tests.factories import JPEG
from tests.ingest.pictures import DAY, Image, jpeg_of
from tests.ingest.pictures import encode as picture

NOISE: Image = np.random.default_rng(1).integers(0, 256, (720, 1280, 3)).astype(np.uint8)


def test_the_patch_is_the_plate_with_a_margin_and_its_colours() -> None:
    road = np.full((400, 600, 3), 60, np.uint8)
    road[200:230, 300:440] = (250, 200, 10)
    patch = decode_image(patch_jpeg(road, Box(x=300, y=200, w=140, h=30)))
    assert patch.shape == (30 + 2 * 4, 140 + 2 * 21, 3)
    assert np.abs(patch[19, 90].astype(int) - (250, 200, 10)).max() < 12
    assert np.abs(patch[1, 1].astype(int) - 60).max() < 12


def test_the_vehicle_is_around_the_plate_as_far_as_the_frame_goes() -> None:
    frame = np.full((720, 1280, 3), 90, np.uint8)
    width, height = image_size(vehicle_jpeg(frame, Box(x=600, y=500, w=80, h=18))) or (0, 0)
    assert (width, height) == pytest.approx((80 * 5.4, 18 + 80 * 4.4), abs=4)
    # Half of it would lie beyond the corner.
    cut = image_size(vehicle_jpeg(frame, Box(x=0, y=0, w=80, h=18))) or (0, 0)
    assert cut == pytest.approx((80 * 3.2, 18 + 80 * 1.2), abs=4)
    # A plate of two lines is on a vehicle as large.
    square = image_size(vehicle_jpeg(frame, Box(x=600, y=500, w=50, h=36))) or (0, 0)
    assert square[0] > width * 0.9


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1279), st.integers(0, 719), st.integers(1, 1280), st.integers(1, 720))
def test_every_cut_of_the_noisiest_frame_keeps_to_its_size(x: int, y: int, w: int, h: int) -> None:
    box = Box(x=x, y=y, w=min(w, 1280 - x), h=min(h, 720 - y))
    patch, vehicle = patch_jpeg(NOISE, box), vehicle_jpeg(NOISE, box)
    assert len(patch) <= MAX_PATCH_BYTES
    assert len(vehicle) <= MAX_PICTURE_BYTES
    for jpeg, most in ((patch, PATCH_WIDTH_PX), (vehicle, PICTURE_WIDTH_PX)):
        assert 1 <= (image_size(jpeg) or (0, 0))[0] <= most


def test_a_vendors_picture_is_made_to_fit() -> None:
    large = picture(NOISE)
    assert len(large) > MAX_PICTURE_BYTES
    fitting = fitting_jpeg(large)
    assert fitting is not None
    assert len(fitting) <= MAX_PICTURE_BYTES
    assert image_size(fitting) == (480, 270)
    assert fitting_jpeg(JPEG) == JPEG


@pytest.mark.parametrize(
    "data", [None, b"", b"GIF89a", picture(NOISE, ".png"), b"\xff\xd8\xff" + bytes(MAX_PICTURE_BYTES)]
)
def test_what_is_no_jpeg_is_no_picture(data: bytes | None) -> None:
    assert fitting_jpeg(data) is None


def test_a_read_with_both_pictures_fits_into_the_smallest_message_that_may_be_set() -> None:
    smallest = next(each.ge for each in Settings.model_fields["kafka_max_message_bytes"].metadata)
    slot = dict.fromkeys("ABCDE", 0.1234)
    read = PlateRead(
        read_id="f" * 32,
        capture_id="f" * 32,
        camera="c" * 128,
        captured_at_ns=2**62,
        text="W" * 10,
        plate="W" * 10,
        characters=[slot] * 10,
        patch=bytes(MAX_PATCH_BYTES),
        picture=bytes(MAX_PICTURE_BYTES),
        trail=dict.fromkeys(["received", "frame_sent", "frame_taken", "read_sent"], 2**62),
    )
    assert len(encode(read)) + 1024 < smallest


def test_a_frame_of_the_recording_shows_its_vehicle() -> None:
    image = decode_image(jpeg_of(DAY))
    vehicle = decode_image(vehicle_jpeg(image, Box(x=673, y=543, w=202, h=44)))
    assert vehicle.shape[1] == PICTURE_WIDTH_PX
    again = cv2.resize(image[max(0, 543 - 646) : 720, 673 - 444 : 673 + 202 + 444], vehicle.shape[1::-1])
    assert np.abs(vehicle.astype(int) - again).mean() < 8
