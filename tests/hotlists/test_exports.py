"""Texts that a spreadsheet would calculate, on their way out."""

from __future__ import annotations

import pytest

from hotlists.exports import spreadsheet_safe


@pytest.mark.parametrize(
    "text",
    [
        "=HYPERLINK(1)",
        "+32 9 123",
        "-1",
        "@SUM(A1)",
        " =1+1",
        "\t=1",
        "\tx",
        "\rx",
        "\nx",
        "\u00a0=1",
        "＝1+1",
        "－1",
    ],
)
def test_what_a_spreadsheet_would_calculate_is_marked_as_text(text: str) -> None:
    assert spreadsheet_safe(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "1ABC123", "gestolen = weg", "'=1", "a\n=1", " x"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert spreadsheet_safe(text) == text
