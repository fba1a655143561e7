"""CSV as spreadsheets and AMS exports write it."""

from __future__ import annotations

import pytest

from pipeline.errors import FeedError
from pipeline.ingest.feeds.base import take
from pipeline.ingest.feeds.csv import FEED, parse
from tests.ingest.feeds.sample_files import sample

SEMICOLONS = sample("csv-semicolons.csv")
COMMAS = sample("csv-commas.csv")


def test_the_samples_are_read_exactly() -> None:
    reads = parse(SEMICOLONS)
    assert [(read.camera, read.text, read.plate, read.country, read.confidence) for read in reads] == [
        ("AMS-0412", "1-DFR-860", "1DFR860", "BE", 0.91),
        ("AMS-0412", "SW 47 810", "SW47810", "", None),
        ("AMS-0977", "9-XYA-031", "9XYA031", "BE", 1.0),
    ]
    assert [read.captured_at_ns for read in reads] == [
        1_773_522_258_000_000_000,
        1_773_522_259_500_000_000,
        1_773_522_260_000_000_000,
    ]
    (read,) = parse(COMMAS)
    assert read.read_id == reads[0].read_id


def test_a_tab_may_separate() -> None:
    assert parse(COMMAS.replace(b",", b"\t")) == parse(COMMAS)


def test_a_quoted_value_may_hold_the_delimiter_a_quote_and_a_line_end() -> None:
    body = b'camera,captured_at,plate,note\ncam-1,2026-03-14T22:04:18Z,1DFR860,"a,b\n""c"""\ncam-2,x,1DFR860,\n'
    taken = take(FEED, body)
    assert [read.camera for read in taken.reads] == ["cam-1"]
    # The second row begins on line 4 of the file.
    assert [error.field for error, _ in taken.refused] == ["row 4: captured_at"]


def test_the_row_in_an_error_is_the_line_in_the_file() -> None:
    body = SEMICOLONS.replace(b"2026-03-14T21:04:19.5Z", b"2026-03-14T21:04:19.5")
    with pytest.raises(FeedError, match="offset") as caught:
        parse(body)
    assert caught.value.field == "row 4: captured_at"
    taken = take(FEED, body)
    assert [read.plate for read in taken.reads] == ["1DFR860", "9XYA031"]
    assert [error.field for error, _ in taken.refused] == ["row 4: captured_at"]


HEADER = b"camera,captured_at,plate,country,confidence\n"
GOOD = [b"cam-1", b"2026-03-14T22:04:18Z", b"1DFR860", b"BE", b"0.9"]


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        (0, b"", "row 2: camera"),
        (0, b"c" * 129, "row 2: camera"),
        (0, b"a\x07", "row 2: camera"),
        (1, b"", "row 2: captured_at"),
        (1, b"14/03/2026 22:04", "row 2: captured_at"),
        (1, b"2026-03-14T22:04:18", "row 2: captured_at"),
        (1, b"1999-03-14T22:04:18Z", "row 2: captured_at"),
        (2, b"", "row 2: plate"),
        (2, b"1" * 65, "row 2: plate"),
        (2, b"1\x00", "row 2: plate"),
        (4, b"nan", "row 2: confidence"),
        (4, b"-inf", "row 2: confidence"),
        (4, b"1e999", "row 2: confidence"),
        (4, b"91", "row 2: confidence"),
        (4, b"high", "row 2: confidence"),
        (4, b"0_9", "row 2: confidence"),
        (4, b"0.9,1", "row 2"),
    ],
)
def test_a_wrong_value_is_named(column: int, value: bytes, field: str) -> None:
    row = [*GOOD[:column], value, *GOOD[column + 1 :]]
    with pytest.raises(FeedError) as caught:
        parse(HEADER + b",".join(row) + b"\n")
    assert caught.value.field == field


def test_an_unknown_country_does_not_cost_the_read() -> None:
    (read,) = parse(HEADER + b"cam-1,2026-03-14T22:04:18Z,1DFR860,Belgium,0.9\n")
    assert (read.plate, read.country) == ("1DFR860", "")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "camera"),
        (b"\n\n", "camera"),
        (b"camera,captured_at\nx,y\n", "plate"),
        (b"camera,captured_at,plate\n", ""),
        (b"camera,captured_at,plate,plate\na,b,c,d\n", "plate"),
        (b"camera,captured_at,plate\ncam-1,2026-03-14T22:04:18Z\n", "row 2"),
        (b'camera,captured_at,plate\ncam-1,2026-03-14T22:04:18Z,"1DF\n', "row 2"),
        (b'camera,captured_at,plate\ncam-1,2026-03-14T22:04:18Z,"1DF"R\n', "row 2"),
        (b"camera,captured_at,plate\ncam-1,2026-03-14T22:04:18Z," + b"1" * 200_000, "row 2"),
        (b"camera,captured_at,plate" + b",x" * 62 + b"\n", "row 1"),
        (b"camera,captured_at,plate\n\xff,x,y\n", ""),
        (SEMICOLONS.decode("utf-8-sig").encode("utf-16"), ""),
        (b"camera,captured_at,plate\n" + b"\n" * 30_000 + b"cam-1,2026-03-14T22:04:18Z,1DFR860\n", ""),
    ],
)
def test_a_broken_file_is_refused(body: bytes, field: str) -> None:
    with pytest.raises(FeedError) as caught:
        parse(body)
    assert caught.value.field == field


def test_a_part_keeps_the_line_of_its_row() -> None:
    assert [part.first for part in FEED.split(SEMICOLONS)] == [2, 4, 5]
