"""Drawn plates: the text of their series, and what the drawing shows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigurationError
from training import plates
from training.plates import HEIGHT_PX, STYLES, WIDTH_PX, draw_glyph, draw_plate, draw_text

SERIES = {
    "BE": r"[12]-[A-Z]{3}-\d{3}",
    "NL": r"[A-Z]-\d{3}-[A-Z]{2}",
    "FR": r"[A-Z]{2}-\d{3}-[A-Z]{2}",
    "DE": r"(AC|K|DN|EU) [A-Z]{2} [1-9]\d{3}",
    "LU": r"[A-Z]{2} \d{4}",
}


def test_every_style_has_its_series() -> None:
    assert SERIES.keys() == STYLES.keys()


@pytest.mark.parametrize("country", STYLES)
def test_texts_are_of_the_series_and_of_its_letters(country: str) -> None:
    random = np.random.default_rng(3)
    texts = [draw_text(country, random) for _ in range(200)]
    assert all(re.fullmatch(SERIES[country], text) for text in texts)
    assert len(set(texts)) > 190
    district = "ACKDNEU" if country == "DE" else ""
    assert set("".join(re.findall("[A-Z]", "".join(texts)))) <= set(STYLES[country].letters + district)
    # What looks like a 1 or a 0 is in no series here.
    assert not set("IOQ") & set(STYLES[country].letters)


@pytest.mark.parametrize("country", STYLES)
@pytest.mark.parametrize("infrared", [False, True])
def test_a_plate_is_light_with_dark_ink(country: str, infrared: bool) -> None:
    image = draw_plate(draw_text(country, np.random.default_rng(1)), country, infrared=infrared)
    assert image.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert image.dtype == np.uint8
    green = image[20:90, 60:460, 1]
    assert np.median(green) > 170
    assert 0.1 < (green < 90).mean() < 0.6


def test_infra_red_knows_no_colour() -> None:
    image = draw_plate("1-ABC-123", "BE", infrared=True).astype(int)
    assert np.abs(image[:, 60:] - image[:, 60:, :1]).max() == 0


def test_the_drawing_is_of_its_text_alone() -> None:
    np.testing.assert_array_equal(draw_plate("1-ABC-123", "BE"), draw_plate("1-ABC-123", "BE"))
    assert (draw_plate("1-ABC-123", "BE") != draw_plate("1-ABC-128", "BE")).any()


def test_a_long_text_is_narrowed_into_the_plate() -> None:
    image = draw_plate("WWW-WWW-WWW", "BE")
    # Between the ink and the border stays a margin.
    assert (image[15:95, WIDTH_PX - 14 : WIDTH_PX - 8, 1] > 200).all()


def test_capitals_have_one_height() -> None:
    for face in (plates.DIN, plates.NARROW):
        heights = {int((draw_glyph(each, face) > 128).any(axis=1).sum()) for each in "EFHKLTXZ"}
        assert max(heights) - min(heights) <= 2


def test_a_missing_font_is_said_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(plates, "_FONT_FOLDER", tmp_path)
    with pytest.raises(ConfigurationError, match="apt-get install fonts-opendin fonts-liberation"):
        plates.font("OSP-DIN.ttf", 33)
