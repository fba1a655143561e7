"""Frames to vehicles: one read each, never one read for two, whatever comes in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.batch import ReadBatch
from pipeline.ingest import tracks
from pipeline.ingest.evidence import ALIKE, Evidence, looks_of
from pipeline.ingest.recognise import Recognised
from pipeline.ingest.tracks import Frame, Track, Tracker
from plates import alphabet

MS = 10**6
SECOND = 10**9
PLACE = (600, 400, 120, 26)


@dataclass(frozen=True)
class Seen:
    """A plate on a frame: its text, how sure each character is, what the rest of the share is for, and where."""

    text: str
    sure: float = 0.99
    other: str = ""
    box: tuple[int, int, int, int] = PLACE
    country: int = 0

    def shares(self) -> NDArray[np.float32]:
        found = np.full((alphabet.SLOTS, 37), (1 - self.sure) / 36, np.float32)
        own, other = alphabet.encode([self.text])[0], alphabet.encode([self.other or self.text])[0]
        slots = np.arange(alphabet.SLOTS)
        differs = own != other
        found[slots, own] = self.sure
        found[differs] = 0.0
        found[slots[differs], own[differs]] = self.sure
        found[slots[differs], other[differs]] = 1 - self.sure
        found[len(self.text) :] = np.eye(37)[0]
        return found


def found_on(frames: Sequence[Sequence[Seen]]) -> Recognised:
    """What the recogniser would say of these plates."""
    plates = [seen for frame in frames for seen in frame]
    shares = np.array([seen.shares() for seen in plates], np.float32).reshape(-1, alphabet.SLOTS, 37)
    reads = ReadBatch.of(
        alphabet.encode([seen.text for seen in plates]),
        np.zeros(len(plates), np.int64),
        country=np.array([seen.country for seen in plates], np.uint16),
        confidence=shares.max(axis=2).prod(axis=1).astype(np.float32),
        probabilities=shares,
    )
    return Recognised(
        image=np.repeat(np.arange(len(frames)), [len(frame) for frame in frames]),
        boxes=np.array([seen.box for seen in plates], np.int32).reshape(-1, 4),
        scores=np.ones(len(plates), np.float32),
        reads=reads,
    )


class Road:
    """A tracker, and cameras before it: what passes, and what is told of it."""

    def __init__(self) -> None:
        self.tracker = Tracker()
        self.told: list[Track] = []
        self.shots = 0
        self._number = 0

    def pass_by(self, *seen: Seen, at_ms: float, camera: str = "cam-1", capture: str = "") -> list[Track]:
        """One frame with these plates on it; the tracks whose reads are sent."""
        self._number += 1
        frame = Frame(capture or f"capture {self._number}", camera, int(at_ms * MS))
        told = [track for track, _ in self.tracker.follow([frame], found_on([seen]), self._shoot)]
        self.told += told
        return told

    def _shoot(self, row: int) -> tuple[bytes, bytes]:
        self.shots += 1
        return b"patch %d" % self.shots, b"picture %d" % self.shots

    def latest(self) -> dict[str, str]:
        """The text of each read as it was sent last, by its id."""
        return {track.read_id: track.text[0] for track in self.told}


# --- one vehicle ---------------------------------------------------------------------------------------------


def test_a_vehicle_is_told_with_its_first_frame_and_not_again_with_each() -> None:
    road = Road()
    (first,) = road.pass_by(Seen("1ABC123"), at_ms=0)
    assert first.text == ("1ABC123", pytest.approx(0.99**7, rel=1e-3))
    assert (first.leading.frames, first.patch, first.picture) == (1, b"patch 1", b"picture 1")
    for number in range(1, 12):
        road.pass_by(Seen("1ABC123"), at_ms=200 * number)
    # Of many more frames, but not of each.
    assert [track.leading.frames for track in road.told] == [1, 2, 4, 8]
    assert len(road.latest()) == len(road.tracker) == 1


def test_what_unsure_frames_say_together_is_sure() -> None:
    road = Road()
    for number in range(8):
        road.pass_by(Seen("1ABC123", sure=0.7), at_ms=200 * number)
    confidences = [track.text[1] for track in road.told]
    assert len(road.latest()) == 1
    assert (np.diff(confidences) > 0).all()
    assert confidences[0] < 0.1
    assert confidences[-1] > 0.9


def test_frames_of_one_vehicle_count_as_fewer_for_they_are_alike() -> None:
    (look,) = looks_of(found_on([[Seen("1ABC123", sure=0.7)]]))
    evidence = Evidence.of(look)
    for _ in range(99):
        evidence = evidence.with_look(look)
    # As many looks as there can ever be are worth 1 / ALIKE of them.
    odds = (0.7 / (0.3 / 36)) ** (1 / ALIKE)
    assert evidence.shares[0].max() == pytest.approx(odds / (odds + 36), rel=0.01)


def test_the_product_of_posteriors_of_two_looks() -> None:
    one, other = looks_of(found_on([[Seen("1ABC123", sure=0.6, other="1A8C123"), Seen("1A8C123", sure=0.55)]]))
    both = Evidence.of(one).with_look(other)
    product = one.shares.astype(float) ** (2 / 3) * other.shares.astype(float) ** (2 / 3)
    np.testing.assert_allclose(both.shares[:7], (product / product.sum(axis=1, keepdims=True))[:7], atol=3e-3)
    assert Evidence.of(one).shares == pytest.approx(one.shares, abs=2e-4)


def test_a_character_that_was_misread_is_put_right_under_the_same_id() -> None:
    road = Road()
    road.pass_by(Seen("1AEC123", sure=0.6, other="1ABC123"), at_ms=0)
    for number in (1, 2, 3):
        road.pass_by(Seen("1ABC123", sure=0.8), at_ms=200 * number)
    assert list(road.latest().values()) == ["1ABC123"]
    assert road.told[0].text[0] == "1AEC123"


def test_a_far_look_that_lacks_a_character_is_no_vehicle_of_its_own() -> None:
    road = Road()
    road.pass_by(Seen("1ABC12", sure=0.6), at_ms=0)
    road.pass_by(Seen("1ABC123", sure=0.9), at_ms=200)
    assert list(road.latest().values()) == ["1ABC123"]
    assert road.told[-1].leading.frames == 1


def test_a_vehicle_that_moves_is_followed() -> None:
    road = Road()
    for number in range(8):
        x, w = 100 + 150 * number, 90 + 8 * number
        road.pass_by(Seen("1ABC123", sure=0.75, box=(x, 300, w, w // 5)), at_ms=200 * number)
    assert len(road.latest()) == 1


def test_the_picture_is_of_the_best_look() -> None:
    road = Road()
    road.pass_by(Seen("1ABC123", sure=0.7, box=(600, 400, 60, 13)), at_ms=0)
    road.pass_by(Seen("1ABC123", sure=0.97, box=(600, 400, 80, 18)), at_ms=200)
    assert road.told[-1].best_frame.captured_at_ns == 200 * MS
    assert (road.told[-1].patch, road.told[-1].best.box) == (b"patch 2", (600, 400, 80, 18))
    road.pass_by(Seen("1ABC123", sure=0.8), at_ms=400)
    assert road.shots == 2


def test_a_country_that_frames_do_not_agree_on_is_unknown() -> None:
    belgium, france = ord("B") << 8 | ord("E"), ord("F") << 8 | ord("R")
    road = Road()
    road.pass_by(Seen("1ABC123", sure=0.7, country=belgium), at_ms=0)
    road.pass_by(Seen("1ABC123", sure=0.7), at_ms=200)
    assert [track.country for track in road.told] == ["BE", "BE"]
    for number in (2, 3):
        road.pass_by(Seen("1ABC123", sure=0.9, country=france), at_ms=200 * number)
    assert road.told[-1].country == ""


# --- the end of a track --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gap_s", "vehicles"), [(tracks.REVISIT_S - 1, 1), (tracks.REVISIT_S + 1, 2)])
def test_a_vehicle_that_comes_back_later_is_a_read_of_its_own(gap_s: float, vehicles: int) -> None:
    road = Road()
    road.pass_by(Seen("1ABC123", sure=0.999), at_ms=0)
    road.pass_by(Seen("1ABC123", sure=0.999, box=(100, 100, 60, 13)), at_ms=gap_s * 1000)
    assert len(road.latest()) == vehicles


def test_a_vehicle_that_stays_is_told_again_and_again() -> None:
    road = Road()
    for number in range(300):
        road.pass_by(Seen("1ABC123", sure=0.999), at_ms=200 * number)
    assert len(road.latest()) == pytest.approx(60 / tracks.MAX_AGE_S, abs=1)
    assert len(road.tracker) == 1


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "MAX_TRACKS", 20)
    monkeypatch.setattr(tracks, "MAX_OF_CAMERA", 5)
    road = Road()
    for number in range(40):
        crowd = [Seen(f"{number:02d}{each}AB", box=(100 * each, 10, 90, 20)) for each in range(8)]
        assert len(road.pass_by(*crowd, at_ms=10 * number, camera=f"cam-{number % 7}")) == 8
        assert len(road.tracker) <= 20
    assert len(road.latest()) == 40 * 8


# --- two vehicles --------------------------------------------------------------------------------------------


def test_a_plate_that_follows_another_at_its_place_is_another_vehicle() -> None:
    road = Road()
    for number in range(3):
        road.pass_by(Seen("1ABC123", sure=0.98), at_ms=200 * number)
    for number in range(3, 6):
        road.pass_by(Seen("1ABC124", sure=0.98), at_ms=200 * number)
    assert sorted(road.latest().values()) == ["1ABC123", "1ABC124"]


def test_an_unsure_plate_at_the_place_of_one_that_is_gone_is_another_vehicle() -> None:
    road = Road()
    road.pass_by(Seen("1ABC123", sure=0.98), at_ms=0)
    road.pass_by(Seen("1ABC124", sure=0.6, other="1ABC123"), at_ms=1000 * tracks.GAP_S + 100)
    assert sorted(road.latest().values()) == ["1ABC123", "1ABC124"]


def test_plates_side_by_side_stay_apart() -> None:
    road = Road()
    for number in range(4):
        road.pass_by(
            Seen("1ABC123", sure=0.7, box=(200 + 20 * number, 400, 100, 22)),
            Seen("1ABC123", sure=0.7, box=(900 + 20 * number, 400, 100, 22)),
            at_ms=200 * number,
        )
    assert len(road.latest()) == 2


def test_cameras_know_nothing_of_each_other() -> None:
    road = Road()
    for number in range(3):
        for camera in ("cam-1", "cam-2"):
            road.pass_by(Seen("1ABC123"), at_ms=200 * number, camera=camera)
    assert len(road.latest()) == 2


plates = st.text(alphabet.CHARACTERS, min_size=4, max_size=8)
boxes = st.tuples(st.integers(0, 1200), st.integers(0, 700), st.integers(20, 300), st.integers(8, 80))


@st.composite
def similar(draw: st.DrawFn) -> list[str]:
    """Plates that are hard to keep apart: a fleet's numbers, one with a character more, others."""
    first = draw(plates)
    at = draw(st.integers(0, len(first) - 1))
    changed = first[:at] + draw(st.sampled_from(alphabet.CHARACTERS)) + first[at + 1 :]
    return [first, changed, first + draw(st.sampled_from(alphabet.CHARACTERS)), first[1:] or "X", draw(plates)]


@settings(deadline=None)
@given(
    fleet=similar(),
    order=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 3000), st.floats(0.98, 0.9999), boxes), min_size=1, max_size=30
    ),
)
def test_sure_reads_of_different_plates_are_never_one(
    fleet: list[str], order: list[tuple[int, int, float, tuple[int, int, int, int]]]
) -> None:
    road = Road()
    at_ms, owner = 0, {}
    for which, gap_ms, sure, box in order:
        at_ms += gap_ms
        text = fleet[which]
        road.pass_by(Seen(text, sure=sure, box=box), at_ms=at_ms)
        for track in road.told:
            assert owner.setdefault(track.read_id, track.text[0]) == track.text[0]
    # Each plate that passed has a read, and each read is of a plate that passed.
    assert set(owner.values()) == {fleet[which] for which, *_ in order}


@settings(deadline=None)
@given(
    frames=st.lists(
        st.tuples(
            st.integers(0, 6_000),
            st.lists(
                st.tuples(
                    st.sampled_from(["1ABC123", "1A8C123", "1ABC12", "XY12ZZ"]), st.floats(0.3, 0.999), boxes
                ),
                max_size=3,
            ),
        ),
        max_size=20,
    ),
    size=st.integers(1, 20),
)
def test_however_frames_are_batched_and_ordered_the_same_tracks_come_out(
    frames: list[tuple[int, list[tuple[str, float, tuple[int, int, int, int]]]]], size: int
) -> None:
    given_frames = [Frame(f"capture {number}", "cam-1", at_ms * MS) for number, (at_ms, _) in enumerate(frames)]
    plates_on = [[Seen(text, sure, box=box) for text, sure, box in seen] for _, seen in frames]
    whole, parts = Tracker(), Tracker()
    told_whole = whole.follow(given_frames, found_on(plates_on), lambda row: (b"", b""))
    told_parts: list[Track] = []
    for begin in range(0, len(frames), size):
        part = slice(begin, begin + size)
        told = parts.follow(given_frames[part], found_on(plates_on[part]), lambda row: (b"", b""))
        told_parts += [track for track, _ in told]
    assert {track.read_id: track.text for track, _ in told_whole} == {
        track.read_id: track.text for track in told_parts
    }
    assert len(whole) == len(parts)
    # One read for each plate at most, and none where nothing is seen.
    assert bool(told_whole) == any(plates_on)


# --- what comes late, or twice -------------------------------------------------------------------------------


def test_a_frame_that_comes_late_is_of_its_vehicle() -> None:
    road = Road()
    for at_ms in (0, 400, 200, 600):
        road.pass_by(Seen("1ABC123", sure=0.7, box=(600 + at_ms // 4, 400, 100, 22)), at_ms=at_ms)
    assert len(road.latest()) == 1
    assert road.told[-1].place.at_ns >= 400 * MS


def test_a_clock_that_is_set_back_costs_no_read() -> None:
    road = Road()
    road.pass_by(Seen("1ABC123"), at_ms=3_600_000)
    road.pass_by(Seen("2DEF456"), at_ms=0)
    road.pass_by(Seen("2DEF456"), at_ms=200)
    assert sorted(road.latest().values()) == ["1ABC123", "2DEF456"]
    assert len(road.tracker) == 1


def test_a_frame_that_comes_twice_adds_nothing_and_is_told_twice() -> None:
    road = Road()
    (first,) = road.pass_by(Seen("1ABC123", sure=0.7), at_ms=0, capture="same")
    (again,) = road.pass_by(Seen("1ABC123", sure=0.7), at_ms=0, capture="same")
    assert (again.read_id, again.leading.frames) == (first.read_id, 1)
    (more,) = road.pass_by(Seen("1ABC123", sure=0.7), at_ms=200)
    assert more.leading.frames == 2


def test_restore_forgets_what_came_after_the_mark() -> None:
    road = Road()
    road.pass_by(Seen("1ABC123", sure=0.7), at_ms=0)
    mark = road.tracker.mark()
    (lost,) = road.pass_by(Seen("1ABC123", sure=0.7), at_ms=200, capture="second")
    road.pass_by(Seen("2DEF456"), at_ms=200, camera="cam-2")
    road.tracker.restore(mark)
    assert len(road.tracker) == 1
    (again,) = road.pass_by(Seen("1ABC123", sure=0.7), at_ms=200, capture="second")
    assert (again.read_id, again.leading.frames) == (lost.read_id, 2)


def test_a_frame_without_plates_ends_what_is_over() -> None:
    road = Road()
    road.pass_by(Seen("1ABC123"), at_ms=0)
    assert road.pass_by(at_ms=1000) == []
    assert len(road.tracker) == 1
    road.pass_by(at_ms=1000 * tracks.REVISIT_S + 1)
    assert len(road.tracker) == 0
