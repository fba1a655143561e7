"""Rendered plates: what is written, how it is drawn, and that a seed gives the same again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX
from plates import alphabet, syntax
from training.render import draw, faces, nothing, photograph
from training.render.faces import MANNERS, FontFace, font_files, pick_face
from training.render.layouts import BLACK, LOOKS, TEMPLATES, WHITE, Look
from training.render.plate import _compose, _widened, _with_mark
from training.render.strokes import CHARACTERS, HEIGHT_PX, StrokeFace, form_count
from training.render.texts import make_up


def face(forms: int = 0) -> StrokeFace:
    return StrokeFace(0.55, 0.55, 0.13, 0.9, tuple([forms] * len(CHARACTERS)))


def test_every_character_of_a_plate_has_strokes() -> None:
    assert sorted(CHARACTERS) == sorted(alphabet.CHARACTERS)


@pytest.mark.parametrize("character", CHARACTERS)
def test_every_form_of_a_character_fills_its_height_with_ink(character: str) -> None:
    for form in range(form_count(character)):
        ink = face(form).draw(character)
        assert ink.shape[0] == HEIGHT_PX
        assert ink.dtype == np.uint8
        rows = (ink > 128).any(axis=1)
        assert rows[:8].any()
        assert rows[-8:].any()
        assert (ink > 128).mean() > 0.1


def test_characters_differ_but_for_the_o_and_the_zero() -> None:
    seen: dict[bytes, str] = {}
    for character in CHARACTERS:
        ink = face().draw(character)
        twin = seen.setdefault(ink.tobytes() + bytes(ink.shape[1:]), character)
        assert {twin, character} in ({character}, {"0", "O"})


def test_a_heavier_face_has_more_ink() -> None:
    light, heavy = (StrokeFace(0.55, 0.55, weight, 0.9, (0,) * 36).draw("E") for weight in (0.08, 0.2))
    assert (heavy > 128).sum() > 1.5 * (light > 128).sum()


@pytest.mark.parametrize("kind", LOOKS)
def test_texts_of_a_kind_are_written_in_the_characters_of_its_templates(kind: str) -> None:
    random = np.random.default_rng(4)
    for _ in range(40):
        made, written = make_up(random, kind)
        assert made == kind
        text = "".join(each for each in written if each.isalnum())
        assert 1 <= len(text) <= alphabet.SLOTS
        assert set(text) <= set(alphabet.CHARACTERS)
    assert LOOKS[kind].manner in MANNERS


def test_every_kind_has_templates_and_most_of_its_texts_are_of_its_series() -> None:
    assert {kind for kind, _, _ in TEMPLATES} == LOOKS.keys()
    random = np.random.default_rng(5)
    written = [make_up(random, "BE")[1] for _ in range(400)]
    texts = ["".join(each for each in text if each.isalnum()) for text in written]
    fits = syntax.plausible(alphabet.encode(texts), "BE").mean()
    # The rest is any text, so that what is on the plate decides and not what is usual.
    assert 0.6 < fits < 0.95


def test_usual_texts_are_all_of_a_series() -> None:
    random = np.random.default_rng(5)
    written = [make_up(random, "NL", usual=True)[1] for _ in range(200)]
    texts = ["".join(each for each in text if each.isalnum()) for text in written]
    assert syntax.plausible(alphabet.encode(texts), "NL").all()


def test_lines_are_widened_together_within_reason() -> None:
    lines = [np.zeros((HEIGHT_PX, width, 4), np.uint8) for width in (100, 60)]
    widths = {by: [line.shape[1] for line in _widened(lines, by)] for by in (0.5, 1.5, 9.0)}
    assert widths == {0.5: [100, 60], 1.5: [150, 90], 9.0: [160, 96]}


def test_a_plate_is_drawn_from_its_generator_alone() -> None:
    one, again, other = (draw(np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert one.text == again.text
    np.testing.assert_array_equal(one.image, again.image)
    assert one.image.shape != other.image.shape or (one.image != other.image).any()


def test_what_is_to_be_written_is_on_the_plate_in_one_line_or_two() -> None:
    one = draw(np.random.default_rng(1), "BE", "1:ABC-123")
    two = draw(np.random.default_rng(1), "BE", "1:ABC/123")
    assert (one.text, one.lines, one.country) == ("1ABC123", 1, "BE")
    assert (two.text, two.lines) == ("1ABC123", 2)
    assert one.image.shape[1] > 3 * one.image.shape[0]
    assert two.image.shape[1] < 2 * two.image.shape[0]
    height, width = one.image.shape[:2]
    np.testing.assert_array_equal(one.corners, [[0, 0], [width, 0], [width, height], [0, height]])


def test_photographs_are_patches_and_each_is_another() -> None:
    random = np.random.default_rng(2)
    plate = draw(random)
    shots = [photograph(plate, random) for _ in range(2)] + [nothing(random)]
    for shot in shots:
        assert shot.shape == (PATCH_HEIGHT_PX, PATCH_WIDTH_PX, 3)
        assert shot.dtype == np.uint8
    assert (shots[0] != shots[1]).any()


def test_a_one_without_a_flag_is_an_i() -> None:
    for file in font_files()[:5]:
        usual, bare = FontFace(file, 1.0), FontFace(file, 1.0, bare=True)
        np.testing.assert_array_equal(bare.draw("1"), usual.draw("I"))
        np.testing.assert_array_equal(bare.draw("7"), usual.draw("7"))
    random = np.random.default_rng(5)
    for held_out in (False, True):
        faces = [pick_face("BE", random, held_out=held_out) for _ in range(400)]
        fonts = [each for each in faces if isinstance(each, FontFace)]
        assert any(each.bare for each in fonts) == (bool(fonts) and not held_out)


@pytest.mark.parametrize("dots", [True, False])
def test_a_mark_stands_above_a_letter_that_is_lower_for_it(dots: bool) -> None:
    ink = face().draw("U")
    marked = _with_mark(ink, dots=dots)
    assert marked.shape == ink.shape
    assert (marked[:11] > 128).any()
    assert not (marked[14:16] > 128).any()
    assert (marked[-40:] > 128).any()


def test_fonts_for_checking_are_none_of_those_for_training() -> None:
    kept = font_files(held_out=True)
    assert not set(kept) & set(font_files())
    if kept:
        chosen = pick_face("BE", np.random.default_rng(1), held_out=True)
        assert isinstance(chosen, FontFace)
        assert chosen.path in kept


def test_no_font_has_a_bare_stem_for_a_one() -> None:
    for path in (*font_files(), *font_files(held_out=True)):
        one, stem = (FontFace(path, 1.0).draw(each) for each in "1I")
        columns = np.flatnonzero((one > 128).any(axis=0))
        assert np.ptp(columns) + 1 > 1.4 * np.median((one > 128).sum(axis=1)), path.name
        bare = FontFace(path, 1.0, bare=True).draw("1")
        np.testing.assert_array_equal(bare, stem)


@pytest.mark.parametrize("seed", range(30))
def test_nothing_lies_over_a_character(seed: int) -> None:
    lines = [np.zeros((HEIGHT_PX, width, 4), np.uint8) for width in ((200, 120) if seed % 2 else (330,))]
    for line in lines:
        line[:, :, 0] = 255
    look = Look("BE", "B", ((WHITE, BLACK, 1.0),), border=0.0, right_band=0.5, band=1.0)
    plate = _compose(lines, look, ((250, 250, 250), (0, 0, 0)), np.random.default_rng(seed))
    inked = (plate.max(axis=2) < 5).sum()
    assert inked >= 0.995 * sum(line.shape[0] * line.shape[1] for line in lines)


def test_a_usual_text_has_no_letter_that_its_country_does_not_give_out() -> None:
    random = np.random.default_rng(4)
    for _ in range(200):
        kind, written = make_up(random, "BE-old", usual=True)
        # What a template spells out stands for itself: O of old-timers.
        assert not set("IQ") & set(written), (kind, written)


def test_fonts_that_are_not_installed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "FOLDER", tmp_path)
    lacking = faces.lacking_fonts()
    assert "Lato-[BRM]*.ttf" in lacking
    (tmp_path / "lato").mkdir()
    (tmp_path / "lato" / "Lato-Bold.ttf").touch()
    assert faces.lacking_fonts() == [each for each in lacking if each != "Lato-[BRM]*.ttf"]
