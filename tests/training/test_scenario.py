"""Who passes: the script, chance traffic, and the hotlists."""

from __future__ import annotations

import numpy as np
import pytest

from hotlists.entry import Category, Handling, Priority
from plates.normalise import normalise
from training.scenario import DURATION_S, FEED_PASSAGES, FRAMES, SCRIPT, Scenario, compose, misread
from training.zone import FRAME, HOTLISTS, POSTS, WANTED


@pytest.fixture(scope="module", params=[1, 2, 77])
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return compose(request.param)


def test_it_has_the_size_that_it_says(scenario: Scenario) -> None:
    assert len(scenario.shots) == FRAMES
    assert len(scenario.feed) == FEED_PASSAGES
    times = [shot.at_s for shot in scenario.shots] + [each.at_s for each in scenario.feed]
    assert min(times) > 0
    assert max(times) <= DURATION_S
    assert len({shot.name for shot in scenario.shots}) == FRAMES


def test_each_passes_where_the_camera_delivers_so(scenario: Scenario) -> None:
    assert all(POSTS[shot.camera].via == FRAME for shot in scenario.shots)
    assert all(POSTS[each.camera].via != FRAME for each in scenario.feed)
    assert {POSTS[each.camera].via for each in scenario.feed} == {
        "platerecognizer",
        "rekor",
        "hikvision",
        "kruispunt",
        "csv",
    }


def test_whom_the_script_names_is_listed_and_nobody_else_is(scenario: Scenario) -> None:
    listed = set(normalise([row["plate"] for row in scenario.entries if "?" not in row["plate"]]))
    scripted = {(at_s, camera) for at_s, camera, key in SCRIPT if key != "patroon"}
    passages = [each for shot in scenario.shots for each in shot.passages] + list(scenario.feed)
    for each in passages:
        on_list = normalise([each.text])[0] in listed
        assert on_list == ((each.at_s, each.camera) in scripted)
        # What a feed makes of an unlisted vehicle is no listed one either.
        assert not each.read_as or normalise([each.read_as])[0] not in listed


def test_a_listed_vehicle_is_never_misread_in_the_script(scenario: Scenario) -> None:
    scripted = {(at_s, camera) for at_s, camera, _ in SCRIPT}
    assert [each.read_as for each in scenario.feed if (each.at_s, each.camera) in scripted] == [""] * sum(
        POSTS[camera].via != FRAME for _, camera, _ in SCRIPT
    )
    assert sum(bool(each.read_as) for each in scenario.feed) >= 2


def test_one_passage_fits_the_pattern(scenario: Scenario) -> None:
    (pattern,) = [row["plate"] for row in scenario.entries if "?" in row["plate"]]
    fits = [
        each
        for shot in scenario.shots
        for each in shot.passages
        if all(wanted in ("?", found) for wanted, found in zip(pattern, each.text, strict=False))
        and len(each.text) == len(pattern)
    ]
    assert [(each.at_s, each.camera) for each in fits] == [
        (at_s, camera) for at_s, camera, key in SCRIPT if key == "patroon"
    ]


def test_the_script_shows_what_matters() -> None:
    zones: dict[str, list[str]] = {}
    for _, camera, key in SCRIPT:
        zones.setdefault(key, []).append(POSTS[camera].camera.area)
    hotlists = {hotlist.name: hotlist for hotlist in HOTLISTS}
    lists: dict[str, list[str]] = {}
    for each in WANTED:
        lists.setdefault(each.key, []).append(each.hotlist)
    # Suppression: one zone, several passages. Pursuit: several zones.
    assert any(len(where) >= 3 and len(set(where)) == 1 for where in zones.values())
    assert any(len(set(where)) >= 3 for where in zones.values())
    assert {hotlists[name].category for names in lists.values() for name in names} == {
        Category.STOLEN,
        Category.UNINSURED,
        Category.WANTED,
        Category.BIN,
        Category.FOOTBALL,
        Category.RECHERCHE,
    }
    assert any(hotlists[name].priority is Priority.CRITICAL for names in lists.values() for name in names)
    # A vehicle on an open and a covert list: the one must not show the other.
    handlings = [{hotlists[name].handling for name in names} for names in lists.values()]
    assert {Handling.OPEN, Handling.COVERT} in handlings
    assert {Handling.COVERT} in handlings
    # The first within five seconds; everybody who is wanted passes.
    assert min(at_s for at_s, _, _ in SCRIPT) < 2.0
    assert set(lists) <= set(zones)


def test_a_camera_recovers_between_frames(scenario: Scenario) -> None:
    by_camera: dict[str, list[float]] = {}
    for shot in scenario.shots:
        by_camera.setdefault(shot.camera, []).append(shot.at_s)
    assert all(np.diff(sorted(times)).min() >= 0.699 for times in by_camera.values() if len(times) > 1)


def test_seeds_differ_and_repeat() -> None:
    assert compose(5) == compose(5)
    assert compose(5).entries != compose(6).entries


def test_a_misread_differs_in_one_character() -> None:
    random = np.random.default_rng(1)
    for text in ("1-ABC-123", "K AB 1234", "XX-999-YY"):
        wrong = misread(text, random)
        assert sum(one != other for one, other in zip(text, wrong, strict=True)) == 1
        assert wrong.count("-") == text.count("-")
