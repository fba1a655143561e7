"""The mathematics: sums over all texts, what moves a posterior, and in which direction."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from hotlists.columns import pack_country
from hotlists.entry import Hotlist, HotlistEntry
from hotlists.snapshot import Snapshot
from pipeline.batch import ReadBatch, lay_out
from pipeline.match import posterior
from pipeline.match.background import Background, unlisted_of
from pipeline.match.matcher import Matcher
from plates import alphabet, confusion
from plates.syntax import Series
from tests.reference import Reading

ALL = Hotlist(name="all", threshold=0.0)


def posteriors(
    read: str,
    *plates: str,
    confidence: float = math.nan,
    characters: list[dict[str, float]] | None = None,
    country: str = "",
    fillers: int = 0,
) -> dict[str, float]:
    """Posterior of each listed plate, given one read; `fillers` lengthens the list."""
    entries = [HotlistEntry(plate=plate) for plate in plates]
    entries += [HotlistEntry(plate=f"ZZ{number:08d}") for number in range(fillers)]
    matcher = Matcher(Snapshot.build(1, [(ALL, entries)]))
    hits = matcher.match(
        ReadBatch.of(
            alphabet.encode([read]),
            np.zeros(1, np.int64),
            country=np.array([pack_country(country)], np.uint16),
            confidence=np.array([confidence], np.float32),
            probabilities=lay_out([characters]),
        )
    )
    pairs = zip(hits.entry_row.tolist(), hits.posterior.tolist(), strict=True)
    return {plates[row]: probability for row, probability in pairs if row < len(plates)}


def test_the_background_is_the_sum_over_every_text() -> None:
    """The product of means equals adding up every text of the series, one by one."""
    series = [Series("BE", "x", ("01O", "AB8"), 0.6), Series("NL", "y", ("AB8", "01O"), 0.3)]
    table = confusion.neutral()
    background = Background.of(series, table)
    scoring = posterior.Posterior(table)
    batch = ReadBatch.of(alphabet.encode(["0B"]), np.zeros(1, np.int64))
    scores = scoring.prepare(batch, posterior.bounds_of(1e-7, 0.5))
    inside, outside = unlisted_of(
        batch.keys[0],
        scores.emission_row[0],
        1.0,
        (scores.emission, background.off_sums(scores.emission)),
        background.tables,
    )
    reading = Reading(batch, 0, table)
    expected = 0.0
    for each in series:
        for text in itertools.product(*each.slots):
            codes = tuple(alphabet.encode(["".join(text)])[0, :2].tolist())
            expected += each.share / each.size * reading.likelihood(codes, "two")
    assert inside == pytest.approx(expected, rel=1e-6)
    assert outside > 0


def test_the_text_as_read_is_surer_than_a_look_alike_and_that_than_a_stranger() -> None:
    found = posteriors("1ABC128", "1ABC128", "1ABC126", "1ABC124")
    assert found["1ABC128"] > 0.9 > 0.05 > found["1ABC126"] > found["1ABC124"]


def test_a_text_that_no_country_gives_out_is_likelier_misread() -> None:
    assert posteriors("1A8C123", "1ABC123")["1ABC123"] > 0.7
    assert posteriors("1AEC123", "1ABC123")["1ABC123"] < 0.1


def test_a_stranger_is_no_explanation_even_of_a_text_that_no_country_gives_out() -> None:
    assert posteriors("1A8C123", "1AXC123")["1AXC123"] < 0.1


def test_the_readers_own_probabilities_count_for_more_than_the_table() -> None:
    sure = [{character: 1.0} for character in "1ABC123"]
    torn = [*sure[:2], {"B": 0.55, "E": 0.45}, *sure[3:]]
    other = [*sure[:2], {"B": 0.55, "X": 0.45}, *sure[3:]]
    listed = "1AEC123"
    by_table = posteriors("1ABC123", listed)[listed]
    assert posteriors("1ABC123", listed, characters=torn)[listed] > 0.5 > by_table
    assert posteriors("1ABC123", listed, characters=sure)[listed] < by_table + 0.05
    assert posteriors("1ABC123", listed, characters=other)[listed] < 0.05


def test_two_doubtful_characters_are_found_by_the_readers_own_probabilities() -> None:
    torn = [{"1": 1.0}, {"A": 0.55, "K": 0.45}, {"B": 0.55, "E": 0.45}, *({each: 1.0} for each in "C123")]
    assert posteriors("1ABC123", "1KEC123", characters=torn)["1KEC123"] > 0.3


@pytest.mark.parametrize("kind", ["exact", "near"])
def test_a_surer_read_speaks_for_what_was_read(kind: str) -> None:
    listed = "1ABC128" if kind == "exact" else "1ABC12B"
    unsure, table, sure = (
        posteriors("1ABC128", listed, confidence=each)[listed] for each in (0.3, math.nan, 0.999)
    )
    assert (unsure < table < sure) if kind == "exact" else (unsure > table > sure)


def test_entries_share_what_one_read_can_mean() -> None:
    alone = posteriors("1A8C123", "1ABC123")["1ABC123"]
    both = posteriors("1A8C123", "1ABC123", "1A6C123", "1ASC123")
    assert both["1ABC123"] < alone
    assert sum(both.values()) <= 1.0


def test_a_plate_on_two_lists_is_one_vehicle() -> None:
    entries = [HotlistEntry(plate="1ABC123")]
    snapshot = Snapshot.build(1, [(ALL, entries), (Hotlist(name="b", threshold=0.0), entries)])
    hits = Matcher(snapshot).match(ReadBatch.of(alphabet.encode(["1ABC123"]), np.zeros(1, np.int64)))
    assert hits.posterior[0] == hits.posterior[1] > 0.9


def test_entries_of_a_very_long_list_pass_less_often_each() -> None:
    priors = posterior.Priors(fleet=1e7, listed_share=0.2)
    short = Snapshot.build(1, [(ALL, [HotlistEntry(plate="1ABC123")])])
    assert priors.rates(short).tolist() == [1e-7]
    assert posterior.Priors(fleet=10.0, listed_share=0.2).rates(short).tolist() == [0.1]
    assert posterior.Priors(fleet=1.0, listed_share=0.2).rates(short).tolist() == [0.2]


def lists_of(*lists: tuple[str, float | None, float, list[str]]) -> Snapshot:
    """A snapshot of lists: name, prior, threshold, plates."""
    return Snapshot.build(
        1,
        [
            (Hotlist(name=name, prior=prior, threshold=threshold), [HotlistEntry(plate=plate) for plate in plates])
            for name, prior, threshold, plates in lists
        ],
    )


def test_a_lists_own_prior_is_shared_by_its_entries() -> None:
    snapshot = lists_of(
        ("derived", None, 0.6, ["1ABC123", "1ABC124"]),
        ("own", 0.001, 0.6, ["2ABC123", "2ABC124"]),
        ("half", 0.5, 0.6, ["3ABC123"]),
        ("empty", 0.01, 0.6, []),
    )
    rates = posterior.Priors(fleet=1e7).rates(snapshot)
    assert rates == pytest.approx([1e-7, 0.001 / 0.999 / 2, 1.0, 0.01 / 0.99])
    # What has a prior of its own does not count in how many there are of the others.
    assert posterior.Priors(fleet=1.0, listed_share=0.2).rates(snapshot)[0] == pytest.approx(0.1)
    assert posterior.Priors().rates(lists_of(("least", 5e-324, 0.6, ["1ABC123", "1ABC124"])))[0] > 0.0


@pytest.mark.parametrize("prior", [1e-9, 1e-7, 1e-5, 1e-3])
def test_a_prior_is_the_odds_that_a_read_is_held_against(prior: float) -> None:
    """By the definition: the odds of list against no list, times the likelihoods, summed over all texts."""

    def odds(prior: float | None) -> float:
        snapshot = lists_of(("a", prior, 0.0, ["1AEC123"]))
        hits = Matcher(snapshot).match(ReadBatch.of(alphabet.encode(["1ABC123"]), np.zeros(1, np.int64)))
        return float(hits.posterior[0]) / (1.0 - float(hits.posterior[0]))

    assert odds(prior) / odds(None) == pytest.approx(prior / (1.0 - prior) / 1e-7, rel=1e-3)


def test_each_list_hits_by_its_own_prior_and_threshold() -> None:
    read = ReadBatch.of(alphabet.encode(["1AEC123"]), np.zeros(1, np.int64))

    def hits(*lists: tuple[str, float | None, float, list[str]]) -> dict[str, float]:
        matcher = Matcher(lists_of(*lists))
        found = matcher.match(read)
        names = [matcher.snapshot.hotlist(row).name for row in found.entry_row]
        return dict(zip(names, found.posterior.tolist(), strict=True))

    alone = hits(("a", None, 0.6, ["1ABC123"]))
    assert alone == {}
    likely = hits(("a", None, 0.6, ["1ABC124"]), ("b", 1e-3, 0.6, ["1ABC123"]))
    assert list(likely) == ["b"]
    # The same plate on another list is the same vehicle: it is as likely there, and that list's threshold decides.
    for rest in (["1ABC123"], ["1ABC123", "2XYZ999"]):
        both = hits(("a", None, 0.6, rest), ("b", 1e-3, 0.6, ["1ABC123"]))
        assert both == {"a": pytest.approx(likely["b"]), "b": pytest.approx(likely["b"])}
    assert list(hits(("a", None, 1.0, ["1ABC123"]), ("b", 1e-3, 0.6, ["1ABC123"]))) == ["b"]
    assert list(hits(("a", None, 0.6, ["1ABC123"]), ("b", 1e-3, 1.0, ["1ABC123"]))) == ["a"]
    assert list(hits(("a", 1e-9, 0.6, ["1ABC123"]), ("b", 1e-3, 0.6, ["1ABC123"]))) == ["a", "b"]


def test_a_threshold_of_one_lets_no_near_hit_through() -> None:
    matcher = Matcher(lists_of(("a", 0.5, 1.0, ["1ABC128"])))
    assert len(matcher.match(ReadBatch.of(alphabet.encode(["1ABC12B"]), np.zeros(1, np.int64)))) == 0


def test_what_is_unlikely_on_its_own_list_takes_nothing_from_another() -> None:
    other = ("b", 1e-3, 0.0, ["1ABC123"])
    alone = Matcher(lists_of(other))
    beside = Matcher(lists_of(("a", None, 0.9, ["1AEC128"]), other))
    batch = ReadBatch.of(alphabet.encode(["1AEC123"]), np.zeros(1, np.int64))
    assert beside.match(batch).posterior.tolist() == pytest.approx(alone.match(batch).posterior.tolist(), rel=1e-4)


def test_a_pattern_is_as_sure_as_the_reading() -> None:
    found = posteriors("1ABC123", "1AB?*", "*")
    assert found["1AB?*"] == found["*"] > 0.9
    assert posteriors("1A8C123", "1A8*")["1A8*"] < 0.1


def test_a_missed_and_a_made_up_character() -> None:
    missed = posteriors("1AC123", "1ABC123")["1ABC123"]
    extra = posteriors("11ABC123", "1ABC123")["1ABC123"]
    assert 0.001 < missed < 0.5
    assert extra > 0.001
    assert posteriors("1AB123", "ABC123").get("ABC123", 0.0) < 1e-3


def test_what_is_no_character_says_nothing() -> None:
    batch = ReadBatch.of(alphabet.encode(["1A\u00e9C123"]), np.zeros(1, np.int64))
    snapshot = Snapshot.build(1, [(ALL, [HotlistEntry(plate=plate) for plate in ("1ABC123", "1AXC123")])])
    hits = Matcher(snapshot).match(batch)
    assert hits.posterior[0] == pytest.approx(hits.posterior[1], rel=1e-3)
    assert hits.posterior[0] > 0.1
