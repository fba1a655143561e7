"""From patches to a batch of reads with probabilities."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from fast_plate_ocr import LicensePlateRecognizer
from fast_plate_ocr.inference import hub

from hotlists.columns import unpack_country
from pipeline.batch import ReadBatch
from pipeline.errors import ConfigurationError
from pipeline.ingest.localise import Localiser, rectify
from pipeline.ingest.ocr import (
    HOPELESS,
    HOPELESS_AT_A_GLANCE,
    LOOKS,
    MODEL,
    PATCH_HEIGHT_PX,
    PATCH_WIDTH_PX,
    QUICK,
    SECOND,
    SURE_OF_TEXT,
    Reader,
    _agreed,
    _logs,
    _shifted,
)
from plates import alphabet
from tests.ingest.pictures import DAY, INFRARED, YELLOW, Image, collage, plate_of

Read = Callable[[Image], ReadBatch]

NAMES = [DAY, INFRARED, YELLOW]


@pytest.fixture(scope="module")
def patches() -> Image:
    """The patches of three plates, in the order of `NAMES`."""
    image = collage(NAMES)
    found = Localiser().find([image])[0]
    return rectify(image, found.corners[np.argsort(found.boxes[:, 1])])


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def times(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.int64)


def blank(value: int) -> Image:
    return np.full((1, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3), value, np.uint8)


@pytest.fixture
def read(reader: Reader) -> Callable[[Image], ReadBatch]:
    return lambda patches: reader.read(patches, times(len(patches)))


def another(folder: Path, **changes: str) -> Path:
    """The bundled model beside a configuration with some lines changed."""
    path = folder / "another.onnx"
    shutil.copy(MODEL, path)
    lines = MODEL.with_suffix(".yaml").read_text("utf-8").splitlines()
    written = [
        f"{line.split(':')[0]}: {changes.get(line.split(':')[0], line.partition(': ')[2])}"
        if ": " in line
        else line
        for line in lines
    ]
    path.with_name("another_plate_config.yaml").write_text("\n".join(written), "utf-8")
    return path


def test_what_is_on_the_patch_comes_out(read: Read, patches: Image) -> None:
    batch = read(patches)
    assert alphabet.decode(batch.codes) == [plate_of(name) for name in NAMES]
    assert (batch.confidence > 0.5).all()


def test_columns_have_their_shapes_and_types(read: Read, patches: Image) -> None:
    batch = read(patches)
    assert batch.codes.shape == (3, alphabet.SLOTS)
    assert batch.codes.dtype == np.uint8
    assert batch.captured_at_ns.tolist() == [0, 1, 2]
    assert batch.confidence.dtype == np.float32
    assert batch.probabilities is not None
    assert batch.probabilities.shape == (3, alphabet.SLOTS, 37)
    assert batch.probabilities.dtype == np.float32
    np.testing.assert_array_equal(batch.keys, alphabet.pack(batch.codes))


def test_probabilities_are_a_distribution_per_slot_that_agrees_with_the_text(read: Read, patches: Image) -> None:
    batch = read(patches)
    assert batch.probabilities is not None
    np.testing.assert_allclose(batch.probabilities.sum(axis=2), 1.0, atol=1e-5)
    np.testing.assert_array_equal(batch.probabilities.argmax(axis=2), batch.codes)
    np.testing.assert_allclose(batch.probabilities.max(axis=2).prod(axis=1), batch.confidence, rtol=1e-5)
    assert (batch.probabilities >= 0).all()


def test_a_batch_reads_as_its_patches_do_one_by_one(read: Read, patches: Image) -> None:
    together = read(patches[::-1])
    for row, patch in enumerate(patches[::-1]):
        alone = read(patch[None])
        np.testing.assert_array_equal(together.codes[row], alone.codes[0])
        assert together.probabilities is not None
        assert alone.probabilities is not None
        np.testing.assert_allclose(together.probabilities[row], alone.probabilities[0], atol=1e-5)


def test_an_empty_batch_is_an_empty_batch(read: Read) -> None:
    batch = read(np.zeros((0, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3), np.uint8))
    assert len(batch) == 0
    assert batch.codes.shape == (0, alphabet.SLOTS)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_patch_says_nothing(read: Read, value: int) -> None:
    batch = read(blank(value))
    assert alphabet.decode(batch.codes) == [""]
    assert batch.confidence.tolist() == [0.0]
    assert batch.probabilities is not None
    assert not batch.probabilities.any()


def test_a_blank_patch_takes_nothing_from_its_neighbours(read: Read, patches: Image) -> None:
    batch = read(np.concatenate([blank(200), patches[:1], blank(30), patches[1:2]]))
    assert alphabet.decode(batch.codes) == ["", plate_of(NAMES[0]), "", plate_of(NAMES[1])]


def test_the_country_is_said_where_it_is_sure_and_else_left_open(reader: Reader, patches: Image) -> None:
    batch = reader.read(patches, times(3))
    said = [unpack_country(packed) for packed in batch.country.tolist()]
    assert set(said) <= {"BE", "NL", ""}
    assert unpack_country(int(reader.read(blank(90), times(1)).country[0])) == ""


def test_the_model_is_one_that_fast_plate_ocr_reads_with(tmp_path: Path, patches: Image) -> None:
    theirs = LicensePlateRecognizer(
        onnx_model_path=MODEL, plate_config_path=MODEL.with_suffix(".yaml"), device="cpu"
    ).run(patches, return_confidence=True)
    # By itself, without the quick one beside it.
    ours = Reader(another(tmp_path)).read(patches, times(3))
    assert [found.plate for found in theirs] == alphabet.decode(ours.codes)
    assert theirs[0].region is not None
    np.testing.assert_allclose(theirs[0].char_probs[:3], ours.probabilities[0].max(axis=1)[:3], atol=1e-4)


def test_another_model_is_given_its_own_size_and_its_characters_are_ours(tmp_path: Path, patches: Image) -> None:
    # The same file, whose classes are named otherwise: what it reads as 1 is now a 2, and so on.
    shifted = alphabet.CHARACTERS[1:] + alphabet.CHARACTERS[0]
    other = Reader(another(tmp_path, alphabet=f'"_{shifted}"')).read(patches, times(3))
    to = str.maketrans(alphabet.CHARACTERS, shifted)
    assert alphabet.decode(other.codes) == [plate_of(name).translate(to) for name in NAMES]


def test_patches_are_scaled_to_what_a_model_takes(tmp_path: Path, patches: Image) -> None:
    smaller = Reader(another(tmp_path, img_height="32", img_width="128", image_color_mode="grayscale"))
    fitted = smaller._fitted(patches)
    assert fitted.shape == (3, 32, 128, 1)
    assert fitted.dtype == np.uint8
    means = (patches @ np.array([0.299, 0.587, 0.114])).mean(axis=(1, 2))
    np.testing.assert_allclose(fitted.mean(axis=(1, 2, 3)), means, atol=1.5)
    np.testing.assert_array_equal(Reader(another(tmp_path))._fitted(patches), patches)


def confidence(shares: np.ndarray) -> np.ndarray:
    return shares.max(axis=2).prod(axis=1)


def looked_at(reader: Reader, patch: Image) -> tuple[np.ndarray, int]:
    """What one patch ``(1, ...)`` should be read as, and after how many looks."""
    quick = reader._run(reader._quick, patch)[0]
    if not HOPELESS_AT_A_GLANCE <= confidence(quick)[0] < SURE_OF_TEXT:
        return quick[0], 0
    models = {False: reader._first, True: reader._second}
    looks = np.stack([reader._run(models[second], _shifted(patch, by))[0] for second, by in LOOKS])
    means = [_agreed(_logs(looks[:count]).sum(axis=0), count) for count in range(1, len(looks) + 1)]
    sure = [float(confidence(mean)[0]) for mean in means]
    enough = next((number for number, each in enumerate(sure) if each >= SURE_OF_TEXT), len(looks) - 1)
    spent = 0 if sure[0] < HOPELESS else enough
    return means[spent][0], spent + 1


def test_what_is_read_unsurely_is_looked_at_until_it_is_sure_or_all_looks_are_spent(
    reader: Reader, patches: Image
) -> None:
    blurred = np.stack([cv2.GaussianBlur(patch, (0, 0), by) for patch in patches for by in (2, 3, 4, 5, 6, 8)])
    together = np.concatenate([patches[:1], blurred])
    shares, _ = reader._glance(together)
    spent = []
    for row, got in enumerate(shares):
        expected, looks = looked_at(reader, together[row : row + 1])
        np.testing.assert_allclose(got, expected, atol=1e-3)
        spent.append(looks)
    assert spent[0] == 0
    assert max(spent) == len(LOOKS)


def test_what_nobody_can_read_is_not_looked_at_again(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    # The confidence of four patches: unsure, hopeless, hopeless at a glance, and sure.
    chances = np.array([0.25, HOPELESS / 2, HOPELESS_AT_A_GLANCE / 2, 0.95])
    asked = []

    def run(one: LicensePlateRecognizer, some: Image) -> tuple[np.ndarray, np.ndarray]:
        rows = some[:, 0, 0, 0]
        asked.append((one, rows.tolist()))
        each = (chances[rows] ** (1 / alphabet.SLOTS))[:, None]
        shares = np.repeat(((1 - each) / 36)[:, :, None], 37, axis=2).repeat(alphabet.SLOTS, axis=1)
        shares[:, :, 5] = each
        return shares.astype(np.float32), np.full(
            (len(some), len(reader._countries)), 1 / len(reader._countries), np.float32
        )

    monkeypatch.setattr(reader, "_run", run)
    patches = (
        np.zeros((4, PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3), np.uint8)
        + np.arange(4, dtype=np.uint8)[:, None, None, None]
    )
    batch = reader.read(patches, times(4))
    assert asked == [
        (reader._quick, [0, 1, 2, 3]),
        (reader._first, [0, 1]),
        (reader._second, [0]),
        (reader._first, [0]),
    ]
    np.testing.assert_allclose(batch.confidence, chances, rtol=1e-3)


def test_other_models_are_those_beside_the_first(reader: Reader, tmp_path: Path) -> None:
    assert reader._second is not reader._first
    assert reader._quick is not None
    path = Path(another(tmp_path))
    alone = Reader(path)
    assert alone._second is alone._first
    assert alone._quick is None
    for ending in (SECOND, QUICK):
        shutil.copy(MODEL, path.with_stem(path.stem + ending))
    together = Reader(path)
    assert together._second is not together._first
    assert together._quick is not None
    for ending in (SECOND, QUICK):
        path.with_stem(path.stem + ending).write_bytes(b"no model")
        with pytest.raises(ConfigurationError, match=ending):
            Reader(path)
        shutil.copy(MODEL, path.with_stem(path.stem + ending))


def test_looks_that_differ_leave_it_open_and_looks_that_agree_settle_it() -> None:
    looks = np.array([[[[0.6, 0.4]], [[0.6, 0.4]]], [[[0.4, 0.6]], [[0.9, 0.1]]], [[[0.5, 0.5]], [[0.8, 0.2]]]])
    agreed = _agreed(_logs(looks.astype(np.float32)).sum(axis=0), 3)
    np.testing.assert_allclose(agreed.sum(axis=2), 1.0, atol=1e-6)
    assert agreed[0, 0, 0] == pytest.approx(0.5, abs=0.01)
    assert agreed[1, 0, 0] > 0.75


def test_a_shifted_patch_is_what_stands_beside_it() -> None:
    patch = np.arange(PATCH_WIDTH_PX, dtype=np.uint8).reshape(1, 1, -1, 1)
    assert _shifted(patch, 3)[0, 0, :, 0].tolist() == [*range(3, 256), 255, 255, 255]
    assert _shifted(patch, -3)[0, 0, :, 0].tolist() == [0, 0, 0, *range(253)]


def output(texts: list[str], slots: int) -> np.ndarray:
    """What a model gives that is sure of these texts; a blank is no character."""
    shares = np.zeros((len(texts), slots, 37), np.float32)
    for row, text in enumerate(texts):
        for slot, character in enumerate(text.ljust(slots)):
            shares[row, slot, alphabet.CHARACTERS.find(character) + 1] = 1.0
    return shares


def test_blanks_between_characters_close_up(reader: Reader) -> None:
    shares, fits = reader._slots(output(["1AB C23", " X"], alphabet.SLOTS))
    assert alphabet.decode(shares.argmax(axis=2).astype(np.uint8)) == ["1ABC23", "X"]
    assert fits.all()


def test_a_model_of_fewer_slots_leaves_the_rest_empty_and_one_of_more_may_say_too_much(reader: Reader) -> None:
    few, fits = reader._slots(output(["1ABC12"], 7))
    assert few.shape == (1, alphabet.SLOTS, 37)
    assert fits.all()
    many, fits = reader._slots(output(["1234567890", "12345678901"], 12))
    assert many.shape == (2, alphabet.SLOTS, 37)
    assert fits.tolist() == [True, False]


def test_what_is_no_model_is_said_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"LIK_OCR_MODEL: .*missing.onnx is no ONNX file"):
        Reader(tmp_path / "missing.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    shutil.copy(MODEL.with_suffix(".yaml"), broken.with_suffix(".yaml"))
    with pytest.raises(ConfigurationError, match=r"LIK_OCR_MODEL: .*broken.onnx cannot be loaded"):
        Reader(broken)


def test_a_published_model_without_a_network_is_said_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unreachable(*_: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(hub, "MODEL_CACHE_DIR", tmp_path)
    monkeypatch.setattr(hub.urllib.request, "urlopen", unreachable)
    with pytest.raises(
        ConfigurationError, match=r"cct-s-v2-global-model .* cannot be fetched .*leave the setting empty"
    ):
        Reader("cct-s-v2-global-model")
