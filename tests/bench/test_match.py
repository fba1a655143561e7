"""The benchmark runs, measures what it says, and draws what it measured. Times are never asserted."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench import match_recall, traffic
from pipeline.cli import app
from plates import alphabet, syntax
from plates.series import COUNTRY_SHARES

MORE_READS = ("read_two_substitutions_us", "read_with_a_list_of_its_own_prior_us", "read_with_probabilities_us")


def test_the_command_prints_one_object(tmp_path: Path) -> None:
    options = ["--entries", "2000", "--reads", "2048", "--patterns", "50", "--recall", "--figures", str(tmp_path)]
    result = CliRunner().invoke(app, ["bench", "match", *options, "--json"])
    assert result.exit_code == 0, result.output
    measured = json.loads(result.stdout)
    assert measured["entries"] == 2000
    for name in ("read_us", *MORE_READS):
        assert 0 < measured[name]["fastest"] <= measured[name]["median"] <= measured[name]["p99"]
    assert {"rapidfuzz", "symspellpy"} <= set(measured["peers"])
    assert measured["peers"]["rapidfuzz"]["times_slower"] > 0
    assert measured["delta"]["until_it_matches_ms"] > 0
    recall = measured["recall"]
    assert recall["rules"]["edit distance 1"]["recall"] == 1.0
    assert 0 <= recall["text"]["at_1_in_10000"]["recall"] <= 1
    for figure in ("matching-recall.svg", "matching-reliability.svg"):
        assert ElementTree.parse(tmp_path / figure).getroot().tag.endswith("svg")  # noqa: S314 (our own file)


def test_a_text_for_people() -> None:
    result = CliRunner().invoke(app, ["bench", "match", "--entries", "1000", "--reads", "1024", "--no-peers"])
    assert result.exit_code == 0, result.output
    assert "read_us.median" in result.stdout


def test_traffic_is_of_the_series_and_a_list_has_each_plate_once() -> None:
    random = np.random.default_rng(1)
    keys = traffic.draw_listed(random, 3000)
    assert len(np.unique(keys)) == 3000
    assert syntax.plausible(alphabet.unpack(keys)).all()
    passing = alphabet.unpack(traffic.draw_keys(random, 3000, COUNTRY_SHARES))
    assert 0.7 < np.mean([country == "BE" for country in syntax.infer_country(passing)]) < 0.9


def test_a_misread_plate_has_one_character_wrong() -> None:
    random = np.random.default_rng(1)
    true = alphabet.unpack(traffic.draw_keys(random, 2000, COUNTRY_SHARES))
    reader = traffic.held_out_confusion(3)
    assert ((traffic.misread_one(random, true, reader) != true).sum(axis=1) == 1).all()
    seen, probabilities = match_recall.with_probabilities(random, true, reader, True)
    assert ((seen != true).sum(axis=1) == 1).all()
    assert probabilities.sum(axis=2)[true > 0] == pytest.approx(1.0, abs=1e-5)


def test_a_reader_with_probabilities_is_right_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    true = alphabet.unpack(traffic.draw_keys(random, 20_000, COUNTRY_SHARES))
    seen, probabilities = match_recall.with_probabilities(random, true, traffic.held_out_confusion(3), False)
    top = np.take_along_axis(probabilities, seen[:, :, None].astype(np.intp), axis=2)[:, :, 0]
    doubtful = (true > 0) & (top < 0.99)
    assert (seen == true)[doubtful].mean() == pytest.approx(top[doubtful].mean(), abs=0.02)


def test_reading_errs_as_often_as_the_reader_does() -> None:
    random = np.random.default_rng(1)
    true = alphabet.unpack(traffic.draw_keys(random, 50_000, COUNTRY_SHARES))
    reader = traffic.held_out_confusion(3)
    seen = traffic.read_plates(random, true, reader)
    expected = (1 - np.diag(reader.matrix))[true[true > 0]].mean()
    assert (seen != true)[true > 0].mean() == pytest.approx(expected, rel=0.1)
    assert ((seen > 0) == (true > 0)).all()
