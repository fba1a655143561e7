"""The fast matcher agrees with the slow one, on arbitrary hotlists and reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotlists.columns import pack_country
from hotlists.entry import Hotlist, HotlistEntry
from hotlists.snapshot import Delta, Snapshot, pack_entries
from pipeline.batch import KINDS, HitBatch, ReadBatch
from pipeline.match import posterior
from pipeline.match.matcher import Matcher
from plates import alphabet
from tests import reference

# Few characters, so that plates collide; look-alikes, so that they are taken for each other; two strangers.
CHARACTERS = st.sampled_from("01AB8DOé1A")
PLATES = st.one_of(
    st.text(CHARACTERS, max_size=10),
    st.sampled_from(
        ["1ABC123", "1A8C123", "1ABC1234", "ABC123", "AB123CD", "1ABC12", "0ABC123", "AAAAAAAAAA", "1AABB11"]
    ),
)
PATTERNS = st.text(st.sampled_from("01AB?**"), min_size=1, max_size=7)
COUNTRIES = st.sampled_from(["", "", "BE", "NL"])
MOMENTS = st.one_of(st.none(), st.integers(0, 20))


@st.composite
def altered(draw: st.DrawFn, plate: str) -> str:
    """A plate with up to two slips of a reader."""
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(plate)))
        slip = draw(st.sampled_from(["other", "missed", "extra", "swap"]))
        if slip == "other":
            plate = plate[:at] + draw(CHARACTERS) + plate[at + 1 :]
        elif slip == "missed":
            plate = plate[:at] + plate[at + 1 :]
        elif slip == "extra":
            plate = plate[:at] + draw(CHARACTERS) + plate[at:]
        else:
            plate = plate[:at] + plate[at : at + 2][::-1] + plate[at + 2 :]
    return plate[: alphabet.SLOTS]


@st.composite
def hotlists(draw: st.DrawFn) -> list[tuple[Hotlist, list[HotlistEntry]]]:
    """Up to two lists of up to a few entries each."""
    entries = st.builds(
        HotlistEntry,
        plate=st.one_of(PLATES, PATTERNS),
        country=COUNTRIES,
        valid_from_ns=MOMENTS,
        valid_until_ns=MOMENTS,
    )
    return [
        (
            Hotlist(
                name=name,
                threshold=draw(st.sampled_from([0.0, 0.01, 0.3, 0.5, 0.9, 1.0])),
                prior=draw(st.sampled_from([None, None, 1e-6, 1e-3, 0.5])),
            ),
            draw(st.lists(entries, max_size=12)),
        )
        for name in draw(st.sampled_from([["a"], ["a", "b"]]))
    ]


@st.composite
def batches(draw: st.DrawFn, listed: list[str]) -> ReadBatch:
    """Up to a few reads, some of them of listed plates, some with probabilities or a confidence of their own."""
    source = st.one_of(PLATES, st.sampled_from(listed) if listed else PLATES)
    texts = [draw(altered(plate)) for plate in draw(st.lists(source, max_size=6))]
    codes = alphabet.encode(texts)
    confidence = [draw(st.sampled_from([np.nan, np.nan, 0.0, 0.6, 0.93, 1.0])) for _ in texts]
    probabilities = None
    if texts and draw(st.booleans()):
        random = np.random.default_rng(draw(st.integers(0, 1000)))
        probabilities = np.zeros((len(texts), alphabet.SLOTS, 37), np.float32)
        for row in range(len(texts)):
            if draw(st.booleans()):
                probabilities[row, :, 1:] = random.dirichlet(np.full(36, 0.05), alphabet.SLOTS)
                probabilities[row][random.random((alphabet.SLOTS, 37)) < 0.5] = 0.0
    return ReadBatch.of(
        codes,
        np.array([draw(st.integers(0, 20)) for _ in texts], np.int64),
        country=np.array([pack_country(draw(COUNTRIES)) for _ in texts], np.uint16),
        confidence=np.array(confidence, np.float32),
        probabilities=probabilities,
    )


def as_expected(hits: HitBatch) -> dict[tuple[int, int], tuple[str, int, float]]:
    """Hits by read and entry."""
    return {
        (int(hits.read_row[number]), int(hits.entry_row[number])): (
            KINDS[int(hits.kind[number])],
            int(hits.edits[number]),
            float(hits.posterior[number]),
        )
        for number in range(len(hits))
    }


def assert_agree(matcher: Matcher, batch: ReadBatch, substitutions: int) -> None:
    """Compare with the reference, hit by hit."""
    fast = as_expected(matcher.match(batch))
    slow = {
        (hit.read_row, hit.entry_row): (hit.kind, hit.edits, hit.posterior)
        for hit in reference.match(matcher.snapshot, batch, posterior.default(), substitutions)
    }
    assert {pair: each[:2] for pair, each in fast.items()} == {pair: each[:2] for pair, each in slow.items()}
    for pair, (_, _, probability) in slow.items():
        assert fast[pair][2] == pytest.approx(probability, rel=1e-3, abs=1e-7), pair


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(lists=hotlists(), substitutions=st.sampled_from([1, 2]), data=st.data())
def test_agrees_with_the_reference(
    lists: list[tuple[Hotlist, list[HotlistEntry]]], substitutions: int, data: Any
) -> None:
    snapshot = Snapshot.build(3, lists)
    batch = data.draw(batches([entry.plate for _, entries in lists for entry in entries]))
    assert_agree(Matcher(snapshot, substitutions=substitutions), batch, substitutions)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(lists=hotlists(), more=hotlists(), data=st.data())
def test_a_delta_is_as_good_as_a_new_snapshot(
    lists: list[tuple[Hotlist, list[HotlistEntry]]], more: list[tuple[Hotlist, list[HotlistEntry]]], data: Any
) -> None:
    """After a delta, and again after merging, the matcher finds what one built afresh finds."""
    before = Matcher(Snapshot.build(1, lists))
    gone = []
    for hotlist, entries in lists:
        columns = pack_entries(hotlist, entries)
        which = np.array([data.draw(st.booleans()) for _ in entries], np.bool_)
        gone.append((hotlist.name, columns.keys[which], columns.country[which]))
    delta = Delta(2, [(hotlist, pack_entries(hotlist, entries)) for hotlist, entries in more], gone)
    after = before.apply(delta)
    batch = data.draw(batches([entry.plate for _, entries in (*lists, *more) for entry in entries]))
    assert_agree(after, batch, 2)
    names = sorted(snapshot_texts(after.snapshot))
    laid = before
    for number, (hotlist, entries) in enumerate(more):
        one = Delta(2, [(hotlist, pack_entries(hotlist, entries))], [] if number else gone)
        # Its table may be made by a matcher of which the base is merged before the delta is applied.
        prepared = laid.prepare(one)
        laid = (laid.merged() if data.draw(st.booleans()) else laid).apply(one, prepared)
        assert laid.side_rows == 0
    assert_agree(laid, batch, 2)
    assert names == sorted(snapshot_texts(laid.snapshot)) or not more
    assert names == sorted(snapshot_texts(after.merged().snapshot))
    assert len(after.merged().match(batch)) == len(after.match(batch))
    # The old one is as it was.
    assert_agree(before, batch, 2)


def snapshot_texts(snapshot: Snapshot) -> list[tuple[str, str]]:
    """List and plate of everything that a snapshot holds."""
    alive = set(range(len(snapshot.keys))) - set(snapshot.removed.tolist())
    return [(snapshot.hotlist(row).name, snapshot.plate(row)) for row in alive]


@pytest.mark.parametrize("reads", [0, 1, 1023, 1024, 1025])
def test_the_size_of_a_batch_changes_nothing(reads: int) -> None:
    plates = ["1ABC123", "2XYZ987", "1A8C123", "AB123CD", "1A?C*"]
    snapshot = Snapshot.build(
        1, [(Hotlist(name="a", threshold=0.0), [HotlistEntry(plate=each) for each in plates])]
    )
    texts = [("1ABC123", "1A8C123", "2XYZ98", "ZZ999ZZ")[number % 4] for number in range(reads)]
    matcher = Matcher(snapshot)
    whole = as_expected(matcher.match(ReadBatch.of(alphabet.encode(texts), np.zeros(reads, np.int64))))
    single = {}
    for row, text in enumerate(texts[:4]):
        alone = as_expected(matcher.match(ReadBatch.of(alphabet.encode([text]), np.zeros(1, np.int64))))
        single[row] = {entry: each for (_, entry), each in alone.items()}
    assert whole == {(row, entry): each for row in range(reads) for entry, each in single[row % 4].items()}
