"""How characters are misread: the prior, what is learnt, and the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plates import alphabet, confusion
from plates.confusion import ConfusionFileError


def at(table: confusion.Confusion, true: str, seen: str) -> float:
    """P(seen | true)."""
    codes = alphabet.encode([true, seen])[:, 0]
    return float(table.matrix[codes[0], codes[1]])


def test_the_prior_knows_who_looks_like_whom() -> None:
    table = confusion.neutral()
    assert np.allclose(table.matrix[1:].sum(axis=1), 1.0)
    assert (table.matrix[1:, 1:] > 0).all()
    assert at(table, "8", "B") > 10 * at(table, "8", "L")
    assert at(table, "O", "0") > 10 * at(table, "O", "X")
    assert table.error == pytest.approx(confusion.NEUTRAL_ERROR)


def test_many_pairs_outweigh_the_prior_and_few_do_not() -> None:
    pairs = [("1XBC123", "1ABC123")] * 20_000 + [("1ABC123", "1ABC123")] * 80_000
    learnt = confusion.estimate(pairs)
    assert at(learnt, "A", "X") == pytest.approx(0.2, rel=0.02)
    assert at(learnt, "8", "B") == pytest.approx(at(confusion.neutral(), "8", "B"), rel=0.01)
    few = confusion.estimate(pairs[:1])
    assert at(few, "A", "X") < 0.02


def test_no_pairs_is_the_prior() -> None:
    learnt, prior = confusion.estimate([]), confusion.neutral()
    assert np.allclose(learnt.matrix, prior.matrix)
    assert (learnt.missed, learnt.extra, learnt.swap) == pytest.approx((prior.missed, prior.extra, prior.swap))


@pytest.mark.parametrize(
    ("seen", "true", "rate"),
    [("1BC123", "1ABC123", "missed"), ("11ABC123", "1ABC123", "extra"), ("1BAC123", "1ABC123", "swap")],
)
def test_other_slips_are_counted_as_what_they_are(seen: str, true: str, rate: str) -> None:
    learnt, same = confusion.estimate([(seen, true)] * 5000), confusion.estimate([(true, true)] * 5000)
    assert getattr(learnt, rate) > 10 * getattr(same, rate)
    assert np.allclose(learnt.matrix[11:13], confusion.neutral().matrix[11:13])


def test_two_different_plates_are_no_misreading() -> None:
    learnt = confusion.estimate([("2XYZ987", "1ABC123"), ("", "1ABC123"), ("1ABC123", "")] * 1000)
    assert np.allclose(learnt.matrix, confusion.neutral().matrix)


def test_saved_and_loaded(tmp_path: Path) -> None:
    table = confusion.estimate([("1A8C123", "1ABC123")] * 100)
    table.save(tmp_path / "table.json")
    loaded = confusion.load(tmp_path / "table.json")
    assert np.allclose(loaded.matrix, table.matrix, atol=1e-6)
    assert (loaded.missed, loaded.extra, loaded.swap) == (table.missed, table.extra, table.swap)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "kruispunt-confusion-1", "characters": "AB", "matrix": []}']
)
def test_another_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(ConfusionFileError, match=r"table\.json"):
        confusion.load(path)


def test_pairs_are_read_and_normalised(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("seen,true,camera\n1-a8c-123,1ABC123,cam-1\n2def456,\n", encoding="utf-8")
    assert confusion.read_pairs(path) == [("1A8C123", "1ABC123"), ("2DEF456", "")]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("seen,real\n1,2\n")
    with pytest.raises(ConfusionFileError, match="no column true"):
        confusion.read_pairs(path)
