"""From bytes to pixels: what is decoded and how, and what is refused and why."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from pipeline.errors import FrameError
from pipeline.ingest.images import MAX_PIXELS, MAX_SIDE_PX, decode, decode_image, image_size
from pipeline.model import RejectReason
from tests.ingest.pictures import DAY, Image, encode, jpeg_of

# Smooth, so that JPEG changes little of it, and nowhere the same, so that a turn or a swap of channels shows.
_Y, _X = np.mgrid[0:120, 0:160]
SCENE: Image = np.stack([_X * 1.5, _Y * 2, (_X + _Y) * 0.8 + 20], axis=2).astype(np.uint8)
GREY: Image = SCENE[:, :, 1]


def saved(image: Pillow.Image, kind: str, **options: object) -> bytes:
    """A file's bytes, as Pillow writes it."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def assert_shows(data: bytes, image: Image, within: float) -> None:
    """It decodes to about that image, whole."""
    decoded = decode(data)
    assert decoded.whole
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.shape == image.shape
    assert np.abs(decoded.pixels.astype(int) - image).mean() <= within


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


def in_colour() -> Pillow.Image:
    return Pillow.fromarray(SCENE)


def in_grey() -> Pillow.Image:
    return Pillow.fromarray(GREY)


def with_alpha(image: Pillow.Image, mode: str) -> Pillow.Image:
    image = image.convert(mode)
    # What is see-through has its colour all the same: a screenshot's plate must not turn black.
    image.putalpha(Pillow.fromarray((_X > 80).astype(np.uint8) * 255))
    return image


EVERY_KIND = {
    "JPEG": (saved(in_colour(), "JPEG", quality=95), SCENE),
    "progressive JPEG": (saved(in_colour(), "JPEG", quality=95, progressive=True), SCENE),
    "CMYK JPEG": (saved(in_colour().convert("CMYK"), "JPEG", quality=95), SCENE),
    "grey JPEG": (saved(in_grey(), "JPEG", quality=95), np.dstack([GREY] * 3)),
    "PNG": (saved(in_colour(), "PNG"), SCENE),
    "grey PNG": (saved(in_grey(), "PNG"), np.dstack([GREY] * 3)),
    "PNG with alpha": (saved(with_alpha(in_colour(), "RGBA"), "PNG"), SCENE),
    "grey PNG with alpha": (saved(with_alpha(in_grey(), "LA"), "PNG"), np.dstack([GREY] * 3)),
    "PNG with a palette": (saved(in_colour().quantize(256), "PNG"), SCENE),
    "PNG with a palette and alpha": (saved(in_colour().quantize(256), "PNG", transparency=3), SCENE),
    "grey PNG of 16 bits": (
        cv2.imencode(".png", GREY.astype(np.uint16) * 257)[1].tobytes(),
        np.dstack([GREY] * 3),
    ),
    "PNG of 16 bits": (cv2.imencode(".png", SCENE[:, :, ::-1].astype(np.uint16) * 257)[1].tobytes(), SCENE),
    "PNG of several frames": (
        saved(in_colour(), "PNG", save_all=True, append_images=[Pillow.new("RGB", (160, 120))]),
        SCENE,
    ),
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_of_jpeg_and_png_shows_what_is_on_it(kind: str) -> None:
    data, image = EVERY_KIND[kind]
    assert_shows(data, image, within=6 if "palette" in kind else 2)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_frame_is_turned_as_its_exif_says(kind: str, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    # How a camera that hangs so stores what stands upright: the inverse of what the tag asks for.
    stored = [
        SCENE,
        SCENE[:, ::-1],
        SCENE[::-1, ::-1],
        SCENE[::-1],
        SCENE.transpose(1, 0, 2),
        np.rot90(SCENE),
        SCENE.transpose(1, 0, 2)[::-1, ::-1],
        np.rot90(SCENE, -1),
    ][orientation - 1]
    options = {"quality": 95} if kind == "JPEG" else {}
    data = saved(Pillow.fromarray(np.ascontiguousarray(stored)), kind, exif=exif, **options)
    assert_shows(data, SCENE, within=2)


OTHERS = {
    "GIF": saved(in_colour(), "GIF", save_all=True, append_images=[in_colour()]),
    "WebP": saved(in_colour(), "WEBP"),
    "TIFF": saved(in_colour(), "TIFF", save_all=True, append_images=[in_colour()]),
    "BMP": saved(in_colour(), "BMP"),
    "HEIC, AVIF or video": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "PDF": b"%PDF-1.7",
    "ZIP": b"PK\3\4",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_file_of_another_kind_is_refused_by_its_name(kind: str) -> None:
    with pytest.raises(FrameError, match=rf"^the bytes are a file of another kind \({kind}\); send JPEG or PNG$"):
        decode(OTHERS[kind])


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_breaks_off_is_decoded_as_far_as_it_goes(progressive: bool) -> None:
    jpeg = saved(in_colour(), "JPEG", quality=95, progressive=progressive)
    decoded = decode(jpeg[: len(jpeg) // 2])
    assert not decoded.whole
    assert decoded.pixels.shape == SCENE.shape
    if not progressive:
        assert np.abs(decoded.pixels[:48].astype(int) - SCENE[:48]).mean() < 2
        assert (decoded.pixels[-8:] == 128).all()


def test_a_png_that_breaks_off_is_refused() -> None:
    png = saved(in_colour(), "PNG")
    assert refusal(png[: len(png) // 2]) == "not_an_image"


def test_a_frame_that_is_far_too_wide_is_refused_by_its_header() -> None:
    assert decode_image(encode(np.zeros((16, MAX_SIDE_PX, 3), np.uint8))).shape == (16, MAX_SIDE_PX, 3)
    with pytest.raises(FrameError, match="the image is 20000x400 pixels; at most 16384 a side"):
        decode(jpeg_header(20_000, 400))


_WEIGH: str = """
import re, sys
from pathlib import Path
from pipeline.errors import FrameError
from pipeline.ingest.images import decode
for name in sys.argv[1:]:
    try:
        decode(Path(name).read_bytes())
    except FrameError:
        pass
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024)
"""


def test_no_image_takes_more_than_a_gibibyte(tmp_path: Path) -> None:
    """The largest that are taken, each of the costliest kind, and claims of what would fill the machine."""
    side = int(MAX_PIXELS**0.5)
    largest = np.zeros((side, side, 3), np.uint8)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    files = {
        "progressive.jpg": saved(Pillow.fromarray(largest), "JPEG", progressive=True, exif=exif),
        "palette.png": saved(Pillow.fromarray(largest[:, :, 0]).convert("P"), "PNG"),
        "deep.png": cv2.imencode(".png", largest.astype(np.uint16))[1].tobytes(),
        "bomb.png": png_header(60_000, 60_000),
        "bomb.jpg": jpeg_header(65_535, 65_535),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    # A process of its own, and its own peak: getrusage would count what the one that started it held.
    command = [sys.executable, "-c", _WEIGH, *(str(tmp_path / name) for name in files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2**30


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]))
def test_no_bytes_do_more_than_be_refused(data: bytes, start: bytes) -> None:
    assert refusal(start + data) in ("not_an_image", "image_size")
