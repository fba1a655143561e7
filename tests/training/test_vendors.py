"""What vendors would send is what our adapters read."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.ingest.feeds import FEEDS
from pipeline.model import PlateRead
from pipeline.replay import RECORDING_START_NS
from training import vendors
from training.scenario import Passage

RIGHT = Passage(12.345, "7101", "1-ABC-123", "BE")
WRONG = Passage(12.345, "7101", "1-ABC-123", "BE", read_as="1-A8C-123")


def parsed(name: str, passage: Passage) -> PlateRead:
    sight = vendors.see(passage, np.random.default_rng(2))
    body = vendors.csv([sight]) if name == "csv" else vendors.BODY[name](sight)
    (read,) = FEEDS[name].parse(body.encode())
    return read


@pytest.mark.parametrize("name", FEEDS)
def test_an_adapter_reads_what_the_vendor_says(name: str) -> None:
    read = parsed(name, RIGHT)
    assert (read.plate, read.camera) == ("1ABC123", "7101")
    assert read.captured_at_ns == RECORDING_START_NS + 12_345_000_000
    assert read.confidence is not None
    assert 0.85 < read.confidence < 1
    # Hikvision's cameras number their countries in a way of their own.
    assert read.country == ("" if name == "hikvision" else "BE")
    assert parsed(name, WRONG).plate == "1A8C123"


@pytest.mark.parametrize("name", ["platerecognizer", "rekor", "kruispunt"])
def test_a_misread_is_less_sure_and_has_the_truth_among_its_candidates(name: str) -> None:
    read = parsed(name, WRONG)
    assert read.confidence is not None
    assert read.confidence < 0.81
    assert read.characters is not None
    assert set(read.characters[2]) == {"8", "B"}
    assert read.characters[2]["8"] > read.characters[2]["B"] > 0


def test_a_file_has_a_row_for_each_passage() -> None:
    passages = [RIGHT, WRONG, Passage(13.0, "cam-veer", "AB 1234", "LU")]
    random = np.random.default_rng(2)
    body = vendors.csv([vendors.see(each, random) for each in passages])
    reads = FEEDS["csv"].parse(body.encode())
    assert [read.plate for read in reads] == ["1ABC123", "1A8C123", "AB1234"]
    assert reads[2].captured_at_ns == RECORDING_START_NS + 13_000_000_000
