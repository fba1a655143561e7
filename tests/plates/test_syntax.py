"""Which texts are plausible where."""

from __future__ import annotations

import re

import numpy as np
import pytest

from plates import alphabet, syntax
from plates.series import COUNTRY_SHARES, SERIES


@pytest.mark.parametrize(
    ("plate", "country"),
    [
        ("1ABC123", "BE"),
        ("2XYZ987", "BE"),
        ("ABC123", "BE"),
        ("123ABC", "BE"),
        ("TXA123", "BE"),
        ("TLA123", "BE"),
        ("MAB123", "BE"),
        ("QAB123", "BE"),
        ("QABC123", "BE"),
        ("UAB123", "BE"),
        ("ZAB123", "BE"),
        ("OAB123", "BE"),
        ("GAB123", "BE"),
        ("SABC123", "BE"),
        ("YAB123", "BE"),
        ("CDA123", "BE"),
        ("8ABC123", "BE"),
        ("9ABC123", "BE"),
        ("GB001B", "NL"),
        ("12BBB3", "NL"),
        ("AB123CD", "FR"),
        ("MAB1234", "DE"),
        ("KAB12E", "DE"),
        ("AB1234", "LU"),
        ("AB12CDE", "GB"),
        ("1234BCD", "ES"),
    ],
)
def test_plausible(plate: str, country: str) -> None:
    codes = alphabet.encode([plate])
    assert syntax.plausible(codes, country).tolist() == [True]
    assert syntax.plausible(codes).tolist() == [True]


@pytest.mark.parametrize("plate", ["1A8C123", "1ABC12O", "", "A", "0000000000", "1ABC1\u00c9"])
def test_implausible(plate: str) -> None:
    assert syntax.plausible(alphabet.encode([plate])).tolist() == [False]


def test_a_series_of_another_country_does_not_count() -> None:
    assert syntax.plausible(alphabet.encode(["1ABC123", "AB123CD"]), "FR").tolist() == [False, True]


def test_an_unknown_country_has_no_series() -> None:
    assert syntax.plausible(alphabet.encode(["1ABC123"]), "XX").tolist() == [False]


def test_the_country_is_the_likeliest_of_those_that_fit() -> None:
    plates = ["1ABC123", "ABC123", "AB123CD", "GBB01B", "AB12CDE", "1A8C123", ""]
    assert syntax.infer_country(alphabet.encode(plates)) == ["BE", "BE", "FR", "NL", "GB", "", ""]


def test_the_bits_say_what_a_regular_expression_says() -> None:
    random = np.random.default_rng(5)
    codes = random.integers(1, 37, (400, alphabet.SLOTS)).astype(np.uint8)
    for row, length in enumerate(random.integers(0, 11, len(codes))):
        codes[row, length:] = alphabet.PAD
    for row, series in enumerate(syntax.all_series()):
        codes[row, : len(series.slots)] = alphabet.encode(["".join(slot[-1] for slot in series.slots)])[
            0, : len(series.slots)
        ]
        codes[row, len(series.slots) :] = alphabet.PAD
    expected = [
        [bool(re.fullmatch("".join(f"[{slot}]" for slot in series.slots), text)) for series in syntax.all_series()]
        for text in alphabet.decode(codes)
    ]
    assert syntax.table().fits(codes).tolist() == expected
    assert np.diag(expected).all()


def test_shares_are_shares() -> None:
    assert sum(COUNTRY_SHARES.values()) <= 1.0
    for country in COUNTRY_SHARES:
        assert 0.4 < sum(share for each, _, _, share in SERIES if each == country) <= 1.0 + 1e-9, country


@pytest.mark.parametrize("template", ["", "lllllllllll"])
def test_a_template_that_is_no_plate_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="slots"):
        syntax.compile_template(template)


def test_a_template() -> None:
    assert syntax.compile_template("A[13-5]nx", "BC") == ("A", "1345", "123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
