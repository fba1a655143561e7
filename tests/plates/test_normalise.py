"""Any text to a plate: what becomes of what, and that a whole column gives what each text gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plates.normalise import normalise, normalise_pattern


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("1-ABC-123", "1ABC123"),
        (" 1·abc.123 ", "1ABC123"),
        ("１ＡＢＣ１２３", "1ABC123"),
        ("MÜ-ÉÅ 12", "MUEA12"),
        ("E\u0301A12", "EA12"),
        ("ØĐŁ 12", "ODL12"),
        ("straße1", "STRASSE1"),
        ("АВ 1234 ЕК", "AB1234EK"),
        ("ав1234ек", "AB1234EK"),
        ("ΙΚΜ-1234", "IKM1234"),
        ("Д123ЖБ", "123"),
        ("١٢٣ABC", "123ABC"),
        ("1AB\0C123", "1ABC123"),
        ("", ""),
        ("-- --", ""),
        ("日本", ""),
    ],
)
def test_what_becomes_of_what(text: str, plate: str) -> None:
    assert normalise([text]) == [plate]


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("B 1-ABC-123", "1ABC123"),
        ("EU 1-ABC-123", "1ABC123"),
        ("EUB1ABC123", "1ABC123"),
        ("NL-GB-001-B", "GB001B"),
        ("F AB-123-CD", "AB123CD"),
    ],
)
def test_a_band_is_taken_off_where_only_the_rest_is_a_plate(text: str, plate: str) -> None:
    assert normalise([text]) == [plate]


@pytest.mark.parametrize("plate", ["DMAB1234", "NL12ABC", "1ABC123", "EUAB123", "B1234", "BXYZQ", "NL", "EU"])
def test_what_may_be_a_plate_itself_or_leaves_none_stays(plate: str) -> None:
    assert normalise([plate]) == [plate]


def test_a_band_of_one_country_is_not_taken_off_anothers_plate() -> None:
    # 1ABC123 is no Dutch plate.
    assert normalise(["NL1ABC123"]) == ["NL1ABC123"]


def test_more_than_ten_characters_stay() -> None:
    assert normalise(["ABCDEFGHIJKLM", "x" * 1000]) == ["ABCDEFGHIJKLM", "X" * 1000]


def test_a_pattern_keeps_its_wildcards_and_its_first_letters() -> None:
    assert normalise_pattern(["1-ab?-*", "B1ABC123", "é*"]) == ["1AB?*", "B1ABC123", "E*"]


@given(st.lists(st.text(max_size=12)))
def test_a_column_gives_what_each_text_gives(texts: list[str]) -> None:
    together = normalise(texts)
    assert together == [normalise([text])[0] for text in texts]
    assert all(character in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" for plate in together for character in plate)
