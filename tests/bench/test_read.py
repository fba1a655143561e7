"""The reading bench: its arithmetic against what is known, and a whole run on a few drawn frames."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from bench import read, read_peers
from bench.read_score import (
    Detected,
    Judged,
    accuracy,
    calibration_error,
    detection,
    distance,
    matched,
    overlaps,
    texts,
)
from pipeline.errors import ConfigurationError
from pipeline.ingest.images import decode_image
from pipeline.ingest.localise import Localiser
from plates import alphabet
from tests.ingest.pictures import DAY, INFRARED, YELLOW, encode, jpeg_of, plate_of

NAMES = [DAY, INFRARED, YELLOW]
words = st.text("ABC1", max_size=8)


# --- the arithmetic ------------------------------------------------------------------------------------------


@given(words, words)
def test_the_distance_is_levenshteins(one: str, other: str) -> None:
    assert distance(one, other) == Levenshtein.distance(one, other)


def test_texts_are_exact_or_some_characters_off() -> None:
    pairs = [("1ABC123", "1ABC123"), ("1ABC123", "1ABC12"), ("AB12", ""), ("AB12", "XXXXXXXXX")]
    assert texts(pairs) == {"exact": 0.25, "characters": 1 - (0 + 1 + 4 + 4) / 22}
    assert texts([]) == {"exact": 0.0, "characters": 1.0}


def test_lines_are_told_apart_where_they_are_known() -> None:
    judged = [Judged("a", "AB12", "AB12", 1), Judged("b", "AB12", "AB1", 2), Judged("c", "AB12", "AB12", 0)]
    found = accuracy(judged)
    assert found["exact"] == pytest.approx(2 / 3)
    assert {lines: each["exact"] for lines, each in found["by_lines"].items()} == {"1": 1.0, "2": 0.0}
    assert found["calibration_error"] is None


@pytest.mark.parametrize(("sure", "right", "error"), [(0.8, 4, 0.0), (0.99, 4, 0.19), (0.6, 5, 0.4)])
def test_the_calibration_error_is_the_gap_between_being_sure_and_being_right(
    sure: float, right: int, error: float
) -> None:
    truth = "ABCDE"
    shares = np.full((alphabet.SLOTS, 37), (1 - sure) / 36, np.float32)
    text = truth[:right] + "Z" * (5 - right)
    shares[np.arange(5), alphabet.encode([text])[0][:5]] = sure
    shares[5:] = np.eye(37)[alphabet.PAD]
    assert calibration_error([Judged("a", truth, text, shares=shares)]) == pytest.approx(error, abs=1e-6)


def test_overlaps_are_intersection_over_union() -> None:
    ones = np.array([[0, 0, 10, 10], [20, 20, 5, 5]], float)
    others = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [40, 40, 1, 1]], float)
    np.testing.assert_allclose(overlaps(ones, others), [[1, 1 / 3, 0], [0, 0, 0]])


def test_a_true_box_is_found_once() -> None:
    boxes = np.array([[1, 0, 10, 10], [0, 0, 10, 10], [50, 50, 4, 4]], float)
    assert matched(boxes, np.array([[0, 0, 10, 10]], float)).tolist() == [0, -1, -1]
    assert matched(boxes[:0], boxes).tolist() == []
    assert matched(boxes, boxes[:0]).tolist() == [-1, -1, -1]


def test_recall_and_precision_and_what_a_limit_on_the_scores_makes_of_them() -> None:
    truth = np.array([[0, 0, 10, 10], [30, 0, 10, 10]], float)
    boxes = np.array([[0, 0, 10, 10], [80, 0, 10, 10]], float)
    none = boxes[:0]
    images = [Detected(boxes, np.array([0.9, 0.2]), truth, none), Detected(none, np.zeros(0), truth[:1], none)]
    found = detection(images)
    assert found == {"recall": 1 / 3, "precision": 0.5, "recall_at_precision_95": 1 / 3}
    assert detection([]) == {"recall": 0.0, "precision": 0.0, "recall_at_precision_95": 0.0}


def test_a_plate_that_is_open_to_doubt_counts_neither_way() -> None:
    truth = np.array([[0, 0, 10, 10]], float)
    doubted = np.array([[30, 0, 10, 10], [0, 2, 10, 10]], float)
    boxes = np.array([[80, 0, 10, 10], [31, 0, 10, 14], [0, 0, 10, 10]], float)
    found = detection([Detected(boxes, np.array([0.3, 0.9, 0.5]), truth, doubted)])
    # The second box is left out; the third is right, though what is open to doubt lies over it.
    assert found == {"recall": 1.0, "precision": 0.5, "recall_at_precision_95": 1.0}
    missed = detection([Detected(boxes[:0], np.zeros(0), truth[:0], doubted)])
    assert missed == {"recall": 0.0, "precision": 0.0, "recall_at_precision_95": 0.0}


# --- a run ---------------------------------------------------------------------------------------------------


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Three frames and their labels, one text of them wrong."""
    folder = tmp_path / "frames"
    folder.mkdir()
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "text", "x", "y", "w", "h"])
        for name in NAMES:
            (folder / name).write_bytes(jpeg_of(name))
            box = Localiser().find([decode_image(jpeg_of(name))])[0].boxes[0]
            writer.writerow([name, "WRONG" if name == YELLOW else plate_of(name), *np.round(box).astype(int)])
    return folder


def test_frames_are_found_read_and_timed(frames: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_SINGLES", 3)
    sheet = frames.parent / "sheet.png"
    measured = read.measure(read.Plan(frames, tesseract=False, sheet=sheet))
    assert measured["images"] == 3
    assert measured["frames"]["read"]["recall"] == 1.0
    assert measured["frames"]["exact"] == pytest.approx(2 / 3)
    (wrong,) = measured["frames"]["misread"]
    assert (wrong["file"], wrong["truth"], wrong["read"]) == (YELLOW, "WRONG", plate_of(YELLOW))
    speed = measured["frames"]["speed"]
    assert speed["frames_per_s"] > 0
    assert speed["frame_p99_ms"] >= speed["frame_ms"] > 0
    assert measured["crops"]["plates"] == 3
    assert measured["crops"]["speed"]["plates_per_s"] > 0
    assert decode_image(sheet.read_bytes()).shape[1] == 4 * 256


def test_crops_are_found_by_their_stem_and_frames_without_texts_are_only_found(frames: Path) -> None:
    crops = frames.parent / "crops"
    crops.mkdir()
    for name in NAMES:
        x, y, w, h = Localiser().find([decode_image(jpeg_of(name))])[0].boxes[0].astype(int)
        cut = decode_image(jpeg_of(name))[y : y + h, x : x + w]
        (crops / f"{Path(name).stem}.png").write_bytes(encode(cut, ".png"))
    images = read.load(read.Plan(crops, patch=True))
    assert [image.texts for image in images] == [[plate_of(DAY)], [plate_of(INFRARED)], ["WRONG"]]
    boxes = frames.parent / "only.csv"
    boxes.write_text(f"file,x,y,w,h\n{DAY},1,2,30,40\n{DAY},100,2,30,40\n")
    (image,) = read.load(read.Plan(frames, boxes))
    assert image.truth.tolist() == [[1, 2, 30, 40], [100, 2, 30, 40]]
    assert image.texts == []


def test_what_is_open_to_doubt_is_told_from_what_is_to_be_found(frames: Path) -> None:
    labels = frames.parent / "doubted.csv"
    labels.write_text(f"file,text,x,y,w,h,doubt\n{DAY},,1,2,30,40,1\n{DAY},AB12,100,2,30,40,\n{DAY},,5,5,9,9,0\n")
    (image,) = read.load(read.Plan(frames, labels))
    assert image.truth.tolist() == [[100, 2, 30, 40], [5, 5, 9, 9]]
    assert image.doubted == [(1, 2, 30, 40)]
    assert image.texts == ["AB12"]
    labels.write_text(f"file,x,y,w,h,doubt\n{DAY},1,2,30,40,perhaps\n")
    with pytest.raises(ConfigurationError, match="line 2: invalid literal"):
        read.load(read.Plan(frames, labels))


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("file,text\n", "no label; give the columns"),
        ("file,text\nnowhere.jpg,AB12\n", "line 2: no 'nowhere.jpg' in"),
        (f"file,text,x,y,w,h\n{DAY},AB12,1,2,x,4\n", "line 2: could not convert"),
        (f"file,text,x,y,w,h\n{DAY},AB12,1,2\n", "line 2:"),
    ],
)
def test_labels_that_are_wrong_are_said_with_their_line(frames: Path, labels: str, says: str) -> None:
    path = frames.parent / "wrong.csv"
    path.write_text(labels)
    with pytest.raises(ConfigurationError, match=says):
        read.load(read.Plan(frames, path))


def test_a_folder_without_labels_is_said(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="name them with --labels"):
        read.load(read.Plan(tmp_path / "a" / "b"))
    with pytest.raises(ConfigurationError, match="no such folder"):
        read.load(read.Plan(tmp_path / "c"))
    with pytest.raises(ConfigurationError, match=r"nowhere\.csv: there is no such file"):
        read.load(read.Plan(tmp_path / "a", tmp_path / "nowhere.csv"))


def test_tesseract_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert read_peers.tesseract([], [], []) == "not installed: apt-get install tesseract-ocr"
