"""What the decision is fitted on, and how."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from pipeline.ingest.decision import FEWEST_CHARACTERS
from pipeline.ingest.localise import Localiser
from pipeline.ingest.ocr import Reader
from training.localiser.decide import DECOYS, Candidates, decoy_chances, draw_decoys, fit, judge, report
from training.localiser.mount import Pose, corners_of, paste
from training.localiser.samples import HEIGHT_PX, IGNORED, MAX_PLATES, PLATE, WIDTH_PX, Sample
from training.plates import HEIGHT_PX as PLATE_HEIGHT_PX
from training.plates import WIDTH_PX as PLATE_WIDTH_PX
from training.plates import draw_plate


@cache
def models() -> tuple[Localiser, Reader]:
    return Localiser(), Reader()


def sample_with(text: str, state: int, poses: list[Pose]) -> Sample:
    """A grey road with the same plate, 1-ABC-123, at each pose, and what is said of it."""
    image = np.full((HEIGHT_PX, WIDTH_PX, 3), 70, np.uint8)
    corners = np.zeros((MAX_PLATES, 4, 2), np.float32)
    states = np.zeros(MAX_PLATES, np.uint8)
    for row, pose in enumerate(poses):
        corners[row] = corners_of(pose, PLATE_WIDTH_PX / PLATE_HEIGHT_PX)
        states[row] = state
        paste(image, draw_plate("1-ABC-123", "BE"), corners[row])
    return Sample(image, corners, states, (*[text] * len(poses), *[""] * (MAX_PLATES - len(poses))))


POSES = [Pose((110, 70), 130, 0.02), Pose((190, 180), 150, -0.03)]


def test_a_plate_is_one_and_its_wrong_characters_are_counted() -> None:
    right = judge(sample_with("1ABC123", PLATE, POSES), *models())
    assert right.plate.tolist() == [True, True]
    assert right.wrong.tolist() == [0, 0]
    wrong = judge(sample_with("1ABD9234", PLATE, POSES), *models())
    assert wrong.wrong.tolist() == [3, 3]
    assert not wrong.near.any()
    assert right.near.all()


def test_a_plate_that_is_cut_off_is_left_out_and_one_that_nobody_knows_of_is_none() -> None:
    assert len(judge(sample_with("1ABC123", IGNORED, POSES), *models()).plate) == 0
    unknown = judge(sample_with("1ABC123", 0, POSES), *models())
    assert unknown.plate.tolist() == [False, False]
    assert not unknown.near.any()


def test_where_nothing_is_there_is_nothing_to_learn() -> None:
    nothing = judge(sample_with("", PLATE, []), *models())
    assert nothing.signs.shape == (0, 3)
    assert nothing.near.shape == (0,)


def test_a_short_text_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FEWEST_CHARACTERS <= 7
    monkeypatch.setattr("training.localiser.decide.FEWEST_CHARACTERS", 8)
    assert len(judge(sample_with("1ABC123", PLATE, POSES), *models()).plate) == 0


def test_the_weights_that_made_the_answers_are_found() -> None:
    random = np.random.default_rng(7)
    features = random.normal(0, 1.5, (40_000, 2))
    chance = 1 / (1 + np.exp(-(features @ [0.8, -1.7] + 0.5)))
    weights = fit(features, random.random(len(chance)) < chance)
    np.testing.assert_allclose(weights, [0.8, -1.7, 0.5], atol=0.08)


def test_signs_that_tell_all_apart_have_finite_weights() -> None:
    features = np.linspace(-1, 1, 40)[:, None]
    weights = fit(features, features[:, 0] > 0)
    assert np.isfinite(weights).all()
    assert weights[0] > 1


def test_the_report_says_what_each_limit_would_tell(capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(8)
    plate = random.random(400) < 0.5
    signs = np.column_stack([np.where(plate, 3, -3) + random.normal(0, 1, 400), random.random((400, 2))])
    wrong = np.where(plate, random.integers(0, 3, 400), 0)
    report([Candidates(signs[row : row + 1], plate[row : row + 1], wrong[row : row + 1]) for row in range(400)])
    told = capsys.readouterr().out
    assert f"400 places, {plate.sum()} of them plates, {plate.sum()} read to within 2" in told
    assert "chance >= 0.5: " in told


def test_frames_of_decoys_are_of_their_seed_and_what_is_named_on_them_has_a_chance() -> None:
    photograph = np.full((800, 1400, 3), 110, np.uint8)
    frames = [draw_decoys([photograph], np.random.default_rng([5, number])) for number in (*range(8), 0)]
    assert {each.shape for each in frames} == {(720, 1280, 3)}
    np.testing.assert_array_equal(frames[0], frames[8])
    assert (frames[0] != frames[1]).any()
    named = np.concatenate([decoy_chances(each, *models()) for each in frames[:8]])
    assert 0 < len(named) < 8 * DECOYS
    assert 0 <= named.min() < 0.5
