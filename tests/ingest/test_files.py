"""`lik read`: files and folders in, a line per image out, whatever the files are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from pipeline.errors import ConfigurationError
from pipeline.ingest import files, recognise
from pipeline.ingest.files import Drawings, list_files, read_files
from pipeline.ingest.images import decode_image
from pipeline.ingest.recognise import Recogniser
from tests.ingest.pictures import (
    DAY,
    INFRARED,
    YELLOW,
    collage,
    cut_out,
    empty_road,
    encode,
    jpeg_of,
    plate_of,
    truth,
)


def lik_read(*arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    """Run the command; its exit code and what it printed."""
    command = [sys.executable, "-m", "pipeline.cli", "read", "--json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


# --- which files ---------------------------------------------------------------------------------------------


def test_folders_are_taken_as_a_whole_and_sorted(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "b/1.jpg", "a.jpeg", "notes.txt", "b/c/x.heic", "out/a.plates.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    names = ["a.jpeg", "b/1.jpg", "b/2.PNG", "b/c/x.heic"]
    assert list_files([tmp_path], leave_out=tmp_path / "out") == [tmp_path / name for name in names]
    # A file that is named is taken, whatever its name.
    given = [tmp_path / "notes.txt", tmp_path / "gone.jpg"]
    assert list_files(given) == given


def test_a_folder_without_images_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no image in it; give a folder of JPEG or PNG"):
        list_files([tmp_path])


# --- what is read --------------------------------------------------------------------------------------------


def test_every_file_has_its_answer_in_its_place(tmp_path: Path, recogniser: Recogniser) -> None:
    contents = {
        "00 day.jpg": jpeg_of(DAY),
        "01 empty.jpg": b"",
        "02 night by a wrong name.png": jpeg_of(INFRARED),
        "03 text.jpg": b"no image",
        "04 road.jpg": jpeg_of(empty_road()),
        "05 cut.jpg": jpeg_of(DAY)[:400],
        "06 broken off.jpg": jpeg_of(DAY)[: len(jpeg_of(DAY)) // 4],
        "07 yellow.jpg": jpeg_of(YELLOW),
        "08 wide.png": encode(np.zeros((20, 16_500, 3), np.uint8), ".png"),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "09 nowhere.jpg").symlink_to("gone")
    os.mkfifo(tmp_path / "10 pipe.jpg")
    read = list(read_files(list_files([tmp_path]), recogniser))
    assert [answer.file.name[:2] for answer in read] == [f"{number:02d}" for number in range(11)]
    texts = {int(answer.file.name[:2]): [plate.text for plate in answer.plates] for answer in read}
    assert {number: found for number, found in texts.items() if found} == {
        0: [plate_of(DAY)],
        2: [plate_of(INFRARED)],
        7: [plate_of(YELLOW)],
    }
    errors = {int(answer.file.name[:2]): answer.error for answer in read if answer.error}
    assert set(errors) == {1, 3, 5, 6, 8, 9, 10}
    assert errors[1] == "the image is empty"
    assert "breaks off" in errors[6]
    assert "16500x20" in errors[8]
    assert errors[9] == "there is no such file"
    assert errors[10] == "not a file; give an image, or a folder of images"


def test_batches_and_parts_change_nothing(
    tmp_path: Path, recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = list(truth())[:7]
    for number, name in enumerate(names):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg_of(name))
    found = list_files([tmp_path])
    together = [answer.to_json() for answer in read_files(found, recogniser)]
    monkeypatch.setattr(files, "BATCH_FILES", 3)
    monkeypatch.setattr(recognise, "PIXELS_AT_ONCE", 2 * 1280 * 720)
    apart = [answer.to_json() for answer in read_files(iter(found), recogniser)]
    for one, other, name in zip(together, apart, names, strict=True):
        assert [plate["text"] for plate in one["plates"]] == [plate["text"] for plate in other["plates"]]
        assert {plate["text"] for plate in one["plates"]} == set(truth()[name])


def test_all_plates_of_a_picture_are_there_each_in_its_box(tmp_path: Path, recogniser: Recogniser) -> None:
    names = [DAY, INFRARED, YELLOW]
    (tmp_path / "three.png").write_bytes(encode(collage(names), ".png"))
    (answer,) = read_files([tmp_path / "three.png"], recogniser)
    assert {plate.text for plate in answer.plates} == {plate_of(name) for name in names}
    by_row = sorted(answer.plates, key=lambda plate: plate.box[1])
    assert [plate.text for plate in by_row] == [plate_of(name) for name in names]
    for plate in answer.plates:
        x, y, w, h = plate.box
        assert 0 <= x < x + w <= 1280
        assert 0 <= y < y + h <= 720
        assert "".join(max(slot, key=slot.__getitem__) for slot in plate.characters) == plate.text


def test_a_picture_that_is_turned_has_its_boxes_in_the_upright_one(tmp_path: Path, recogniser: Recogniser) -> None:
    upright = decode_image(jpeg_of(DAY))
    exif = Pillow.Exif()
    exif[0x0112] = 3
    Pillow.fromarray(upright[::-1, ::-1].copy()).save(tmp_path / "turned.jpg", quality=95, exif=exif)
    (tmp_path / "upright.jpg").write_bytes(jpeg_of(DAY))
    turned, straight = read_files(list_files([tmp_path]), recogniser)
    assert turned.plates[0].text == straight.plates[0].text == plate_of(DAY)
    assert turned.plates[0].box == pytest.approx(straight.plates[0].box, abs=8)


def test_a_patch_is_a_plate_from_edge_to_edge(tmp_path: Path, recogniser: Recogniser) -> None:
    crop = cut_out(DAY, margin_px=0)
    (tmp_path / "plate.png").write_bytes(encode(crop, ".png"))
    (tmp_path / "sky.png").write_bytes(encode(np.full((60, 200, 3), 200, np.uint8), ".png"))
    plate, sky = read_files(list_files([tmp_path]), recogniser, patch=True)
    assert [(each.text, each.box) for each in plate.plates] == [
        (plate_of(DAY), (0, 0, crop.shape[1], crop.shape[0]))
    ]
    assert (sky.plates, sky.error) == ([], "")


# --- the command ---------------------------------------------------------------------------------------------


def test_the_command_prints_a_line_per_image_and_fails_where_one_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg_of(DAY))
    (tmp_path / "b.jpg").write_bytes(b"")
    code, lines = lik_read(tmp_path)
    assert code == 1
    good, bad = lines
    assert good["file"] == str(tmp_path / "a.jpg")
    assert set(good) == {"file", "plates"}
    (plate,) = good["plates"]
    assert set(plate) == {"text", "confidence", "country", "box", "characters"}
    assert plate["text"] == plate_of(DAY)
    assert 0 < plate["confidence"] <= 1
    assert len(plate["box"]) == 4
    assert len(plate["characters"]) == len(plate["text"])
    assert bad == {"file": str(tmp_path / "b.jpg"), "error": "the image is empty", "plates": []}
    assert lik_read(tmp_path / "a.jpg") == (0, [good])


def test_a_table_is_for_people(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg_of(DAY))
    (tmp_path / "b.jpg").write_bytes(jpeg_of(empty_road()))
    (tmp_path / "c.jpg").write_bytes(b"")
    command = [sys.executable, "-m", "pipeline.cli", "read", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    first, second, third = done.stdout.splitlines()
    assert plate_of(DAY) in first
    assert second.endswith("b.jpg  no plate")
    assert third.endswith("c.jpg  cannot be read: the image is empty")
    assert done.returncode == 1


def test_pictures_are_drawn_and_no_input_is_touched(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "car.jpg").write_bytes(jpeg_of(DAY))
    (tmp_path / "broken.jpg").write_bytes(b"")
    for _ in range(2):
        code, lines = lik_read(tmp_path, "--draw", tmp_path / "drawn")
        # What was drawn is no input of the next run.
        assert (code, len(lines)) == (1, 3)
    drawn = sorted((tmp_path / "drawn").iterdir())
    assert [path.name for path in drawn] == ["car-2.plates.jpg", "car.plates.jpg"]
    before, after = decode_image(jpeg_of(DAY)), decode_image(drawn[0].read_bytes())
    assert after.shape == before.shape
    x, y, w, _ = lines[1]["plates"][0]["box"]
    assert np.abs(after[y, x : x + w].astype(int) - before[y, x : x + w]).mean() > 30
    assert (tmp_path / "one" / "car.jpg").read_bytes() == jpeg_of(DAY)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        Drawings(tmp_path / "file" / "drawn")


_WEIGH = """
import re, sys
from pathlib import Path
from pipeline.ingest.files import list_files, read_files
from pipeline.ingest.recognise import Recogniser
for answer in read_files(list_files([Path(sys.argv[1])]), Recogniser()):
    print(answer.file.name, len(answer.plates), answer.error[:60])
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024)
"""


@pytest.mark.slow
def test_the_largest_images_are_read_within_a_gibibyte(tmp_path: Path) -> None:
    scene = Pillow.fromarray(decode_image(jpeg_of(DAY))).resize((9_400, 5_288))
    for number in range(3):
        scene.save(tmp_path / f"{number}.jpg", progressive=True, quality=60)
    # A process of its own, and its own peak: getrusage would count what the one that started it held.
    command = [sys.executable, "-c", _WEIGH, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *lines, peak = done.stdout.splitlines()
    assert len(lines) == 3
    assert int(peak) < 2**30
