"""From bytes to frames to plates: what is found, and what is refused and why."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FrameError
from pipeline.ingest.localise import MAX_PIXELS, Localiser, decode_image, image_size, rectify
from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX, Reader
from pipeline.model import RejectReason
from plates import alphabet
from tests.ingest.pictures import DAY, INFRARED, YELLOW, Image, collage, empty_road, encode, jpeg_of, plate_of


def texts_on(image: Image) -> list[str]:
    """Read every plate on an RGB frame, from top to bottom."""
    found = Localiser().find([image])[0]
    order = np.argsort(found.boxes[:, 1])
    batch = Reader().read(rectify(image, found.corners[order]), np.zeros(len(found), np.int64))
    return alphabet.decode(batch.codes)


# --- decoding ------------------------------------------------------------------------------------------------


def refusal(data: bytes) -> str:
    with pytest.raises(FrameError) as caught:
        decode_image(data)
    assert caught.value.reason in set(RejectReason)
    return caught.value.reason


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def jpeg_header(width: int, height: int) -> bytes:
    return b"\xff\xd8\xff\xfe\x00\x04hi\xff\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03" * 12


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no image",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0",
        b"\xff\xd8\xff\xc0\x00",
        b"\xff\xd8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00",
        b"GIF89a\x40\x00\x40\x00\x00\x00\x00;",
        png_header(640, 480),
        jpeg_header(640, 480),
        jpeg_of(DAY)[:300],
    ],
)
def test_what_is_no_image_is_refused(data: bytes) -> None:
    assert refusal(data) == "not_an_image"


@pytest.mark.parametrize("size", [(1, 1), (15, 1000), (1000, 15), (0, 0)])
@pytest.mark.parametrize("header", [png_header, jpeg_header])
def test_an_image_on_which_no_plate_fits_is_refused(header: object, size: tuple[int, int]) -> None:
    assert refusal(header(*size)) == "image_size"  # type: ignore[operator]


def test_the_smallest_image_is_taken() -> None:
    assert decode_image(encode(np.zeros((16, 16, 3), np.uint8))).shape == (16, 16, 3)
    assert refusal(encode(np.zeros((1, 1, 3), np.uint8))) == "image_size"


@pytest.mark.parametrize(
    "data", [png_header(60_000, 60_000), jpeg_header(65_535, 65_535), png_header(2**31, 2**31)]
)
def test_a_claim_of_gigabytes_is_refused_by_its_header_alone(data: bytes) -> None:
    # The data ends with the header: had anything been decoded, it would be no image.
    assert refusal(data) == "image_size"


def test_the_largest_image_is_allowed() -> None:
    assert refusal(png_header(MAX_PIXELS // 5000, 5000)) == "not_an_image"
    assert refusal(png_header(MAX_PIXELS // 5000 + 1, 5000)) == "image_size"


def test_the_size_is_that_of_the_header() -> None:
    assert image_size(jpeg_of(DAY)) == (1280, 720)
    assert image_size(encode(np.zeros((20, 30, 3), np.uint8), ".png")) == (30, 20)
    assert image_size(b"BM" + bytes(60)) is None


def test_colours_come_as_rgb() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[:] = (250, 0, 0)
    assert decode_image(encode(red, ".png"))[0, 0].tolist() == [250, 0, 0]


def test_transparency_is_dropped() -> None:
    image = np.full((32, 48, 4), 200, np.uint8)
    image[:, :, 3] = 0
    decoded = decode_image(cv2.imencode(".png", image)[1].tobytes())
    assert decoded.shape == (32, 48, 3)
    assert decoded[5, 5].tolist() == [200, 200, 200]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_one_channel_becomes_three(kind: type) -> None:
    grey = np.full((32, 48), np.iinfo(kind).max, kind)
    decoded = decode_image(cv2.imencode(".png", grey)[1].tobytes())
    assert decoded.shape == (32, 48, 3)
    assert decoded.dtype == np.uint8
    assert (decoded == 255).all()


def test_a_frame_is_turned_as_its_exif_says() -> None:
    jpeg = encode(np.zeros((32, 48, 3), np.uint8))
    # Orientation 6: the camera hung on its side.
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0" + tiff
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    assert decode_image(turned).shape == (48, 32, 3)


def test_a_jpeg_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    jpeg = encode(collage([DAY, INFRARED, YELLOW]))
    decoded = decode_image(jpeg[: len(jpeg) // 2])
    assert decoded.shape == (720, 1280, 3)
    assert texts_on(decoded)[0] == plate_of(DAY)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]))
def test_no_bytes_do_more_than_be_refused(data: bytes, start: bytes) -> None:
    assert refusal(start + data) in ("not_an_image", "image_size")


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
