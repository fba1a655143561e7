"""Characters to codes to keys, and back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plates import alphabet

PLATES = st.lists(st.text(alphabet.CHARACTERS + "?*", max_size=alphabet.SLOTS))


@given(PLATES)
def test_there_and_back(plates: list[str]) -> None:
    codes = alphabet.encode(plates)
    assert codes.shape == (len(plates), alphabet.SLOTS)
    assert alphabet.decode(codes) == plates
    assert alphabet.lengths(codes).tolist() == [len(plate) for plate in plates]
    assert (alphabet.unpack(alphabet.pack(codes)) == codes).all()


@given(st.lists(st.text(alphabet.CHARACTERS, max_size=alphabet.SLOTS)))
def test_the_order_of_keys_is_that_of_plates(plates: list[str]) -> None:
    keys = alphabet.pack(alphabet.encode(plates))
    assert [plates[row] for row in np.argsort(keys, kind="stable")] == sorted(plates)


def test_what_is_outside_is_unknown() -> None:
    assert alphabet.encode(["1É"])[0, :3].tolist() == [2, alphabet.UNKNOWN, alphabet.PAD]
    assert alphabet.decode(alphabet.encode(["1É"])) == ["1\ufffd"]


def test_nothing_is_nothing() -> None:
    assert alphabet.encode([]).shape == (0, alphabet.SLOTS)
    assert alphabet.pack(alphabet.encode([])).shape == (0,)
