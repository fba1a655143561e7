"""Writing a recording: whole or not at all, and the same by the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from training import recording
from training.recording import draw_shot, write_recording
from training.scenario import compose


def test_a_recording_is_written_whole(tmp_path: Path) -> None:
    write_recording(tmp_path / "new" / "r", seed=3)
    written = {str(file.relative_to(tmp_path / "new" / "r")) for file in (tmp_path / "new" / "r").rglob("*.*")}
    scenario = compose(3)
    tables = {"cameras.json", "hotlists.json", "hotlist.csv", "feed.ndjson", "truth.ndjson"}
    assert written == tables | {f"frames/{shot.name}" for shot in scenario.shots}
    shot = scenario.shots[7]
    assert (tmp_path / "new" / "r" / "frames" / shot.name).read_bytes() == draw_shot(shot, 3)


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="give a new folder, or remove it first"):
        write_recording(tmp_path)
    with pytest.raises(ConfigurationError, match="exists"):
        write_recording(tmp_path / "mine.txt")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_half_a_recording_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def draw(*_: object) -> bytes:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise ConfigurationError("a font is missing, says the test")
        return b"jpeg"

    monkeypatch.setattr(recording, "draw_shot", draw)
    with pytest.raises(ConfigurationError, match="a font is missing"):
        write_recording(tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_a_frame_depends_on_its_seed_and_its_name_alone() -> None:
    shots = compose(4).shots
    assert draw_shot(shots[5], 4) == draw_shot(shots[5], 4)
    assert draw_shot(shots[5], 4) != draw_shot(shots[5], 5)
