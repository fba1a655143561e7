"""The text that a read's characters and the series of plates make out together."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotlists.columns import pack_country
from pipeline.ingest.decoding import SERIES_WEIGHT, likeliest
from plates import alphabet
from plates.syntax import all_series


def _read(*slots: dict[str, float]) -> NDArray[np.float32]:
    """Probabilities ``(1, SLOTS, 37)`` of slots; the empty text is no character."""
    shares = np.zeros((1, alphabet.SLOTS, 37), np.float32)
    shares[0, :, alphabet.PAD] = 1.0
    for number, slot in enumerate(slots):
        shares[0, number, alphabet.PAD] = 0.0
        for character, chance in slot.items():
            code = alphabet.encode([character])[0, 0] if character else alphabet.PAD
            shares[0, number, code] = chance
    return shares


def _spelt(text: str, **unsure: dict[str, float]) -> NDArray[np.float32]:
    return _read(*(unsure.get(f"at{number}", {each: 1.0}) for number, each in enumerate(text)))


def _text(shares: NDArray[np.float32], country: str = "") -> str:
    return alphabet.decode(likeliest(shares, np.array([pack_country(country)], np.uint16)))[0]


@pytest.mark.parametrize(
    ("read", "is_read_as"),
    [
        (_spelt("IABC123", at0={"I": 0.6, "1": 0.4}), "1ABC123"),
        (_spelt("0ABC123", at0={"0": 0.6, "O": 0.4}), "OABC123"),
        (_spelt("1A8C1Z3", at2={"8": 0.6, "B": 0.4}, at5={"Z": 0.5, "2": 0.4}), "1ABC123"),
        # A character too many, as where a bolt is read.
        (_spelt("1ABC1231", at7={"1": 0.6, "": 0.4}), "1ABC123"),
    ],
)
def test_a_text_of_a_series_is_taken_where_it_is_nearly_as_likely(
    read: NDArray[np.float32], is_read_as: str
) -> None:
    assert _text(read, "BE") == is_read_as


@pytest.mark.parametrize(
    "read",
    [
        # Personalised, and surely so.
        _spelt("MARK1", at4={"1": 0.9, "I": 0.1}),
        _spelt("IABC123", at0={"I": 0.9, "1": 0.1}),
        _spelt("FIAT500"),
    ],
)
def test_what_is_surely_of_no_series_stays(read: NDArray[np.float32]) -> None:
    assert _text(read, "BE") == alphabet.decode(read.argmax(axis=2).astype(np.uint8))[0]


def test_only_the_series_of_the_country_are_weighed_where_it_is_known() -> None:
    read = _spelt("8B123CD", at0={"8": 0.55, "B": 0.45})
    assert _text(read, "FR") == "BB123CD"
    assert _text(read, "BE") == "8B123CD"
    assert _text(read) == "BB123CD"
    assert _text(read, "XX") == "8B123CD"


def test_nothing_stays_nothing_and_rows_do_not_touch_each_other() -> None:
    rows = [_read(), _spelt("IABC123", at0={"I": 0.6, "1": 0.4}), _spelt("FIAT500")]
    together = likeliest(np.concatenate(rows), np.full(3, pack_country("BE"), np.uint16))
    assert alphabet.decode(together) == ["", "1ABC123", "FIAT500"]
    assert likeliest(np.zeros((0, alphabet.SLOTS, 37), np.float32), np.zeros(0, np.uint16)).shape == (
        0,
        alphabet.SLOTS,
    )


@given(st.integers(0, 2**32 - 1))
def test_it_is_the_likeliest_of_all_texts_by_the_weight(seed: int) -> None:
    """Against every text that three likely characters a slot can make, one by one."""
    random = np.random.default_rng(seed)
    series = all_series()[int(random.integers(len(all_series())))]
    true = "".join(str(random.choice(list(slot))) for slot in series.slots)
    pairs = ["O0", "OQ", "0D", "1I", "1L", "IT", "B8", "B3", "83", "S5", "Z2"]
    likes = {each: "".join(sorted({*"".join(p for p in pairs if each in p)} - {each})) for each in "O01IB8S5Z2"}
    slots = []
    for each in true:
        others = likes.get(each, str(random.choice(list("AHKMNX47"))))
        odds = random.dirichlet(np.ones(1 + len(others)))
        together: dict[str, float] = {}
        for character, share in zip(each + others, odds.tolist(), strict=True):
            together[character] = together.get(character, 0.0) + share
        slots.append(together)
    shares = _read(*slots)
    country = str(random.choice(["", series.country]))

    def is_of_a_series(text: str) -> bool:
        return any(
            len(text) == len(each.slots)
            and all(character in slot for character, slot in zip(text, each.slots, strict=True))
            for each in all_series()
            if country in ("", each.country)
        )

    chances = {
        "".join(text): float(np.prod([slot[one] for slot, one in zip(slots, text, strict=True)]))
        for text in itertools.product(*slots)
    }
    weighed = {text: chance * (SERIES_WEIGHT if is_of_a_series(text) else 1.0) for text, chance in chances.items()}
    got = _text(shares, country)
    assert weighed[got] == pytest.approx(max(weighed.values()), rel=1e-3)
