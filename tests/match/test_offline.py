"""`lik match` and `lik confusion estimate`, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.errors import ConfigurationError
from plates import confusion

AT = "2026-03-14T21:00:00+01:00"


def run(tmp_path: Path, hotlist: str, reads: list[dict[str, object]] | str, *options: str) -> Result:
    """Run `lik match` on two files."""
    (tmp_path / "hotlist.csv").write_text(hotlist, encoding="utf-8")
    text = reads if isinstance(reads, str) else "".join(json.dumps(read) + "\n" for read in reads)
    (tmp_path / "reads.ndjson").write_text(text, encoding="utf-8")
    files = ["--hotlist", str(tmp_path / "hotlist.csv"), "--reads", str(tmp_path / "reads.ndjson")]
    return CliRunner().invoke(app, ["match", *files, *options])


def hits_of(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def read(plate: str, **more: object) -> dict[str, object]:
    return {"read_id": plate, "plate": plate, "camera": "cam-1", "captured_at": AT, **more}


def test_only_plates(tmp_path: Path) -> None:
    result = run(
        tmp_path, "plate\n1-ABC-123\n2DE?4*\n", [read("1abc123"), read("2DEF456"), read("9ZZZ999")], "--json"
    )
    hits = hits_of(result)
    assert [(hit["read_id"], hit["plate"], hit["entry"], hit["kind"], hit["edits"]) for hit in hits] == [
        ("1abc123", "1ABC123", "1ABC123", "exact", 0),
        ("2DEF456", "2DEF456", "2DE?4*", "pattern", 0),
    ]
    assert list(hits[0]) == ["read_id", "plate", "entry", "list", "kind", "edits", "posterior"]
    assert 0.9 < float(str(hits[0]["posterior"])) <= 1.0
    assert "3 reads, 2 hits, 0 lines not taken" in result.stderr


def test_every_column_and_lists(tmp_path: Path) -> None:
    hotlist = (
        "plate,country,list,reason,priority,handling,valid_from,valid_until\n"
        "1ABC123,BE,gestolen,Diefstal,high,open,2026-03-14,2026-03-14\n"
        "1ABC123,NL,gestolen,,,,,\n"
        "1ABC123,,event,,low,covert,2026-03-15,\n"
        "1ABC123,,,,,,,\n"
    )
    hits = hits_of(run(tmp_path, hotlist, [read("1ABC123", country="BE")], "--json"))
    assert sorted(str(hit["list"]) for hit in hits) == ["gestolen", "hotlist"]


def test_the_threshold_decides_about_near_hits_alone(tmp_path: Path) -> None:
    reads = [read("1A8C123"), read("1ABC123")]
    assert len(hits_of(run(tmp_path, "plate\n1ABC123\n", reads, "--json"))) == 2
    assert len(hits_of(run(tmp_path, "plate\n1ABC123\n", reads, "--json", "--threshold", "0.9999"))) == 1


def test_a_prior_makes_a_near_hit_likelier(tmp_path: Path) -> None:
    reads = [read("1AEC123")]
    assert hits_of(run(tmp_path, "plate\n1ABC123\n", reads, "--json")) == []
    (hit,) = hits_of(run(tmp_path, "plate\n1ABC123\n", reads, "--json", "--prior", "0.001"))
    assert float(str(hit["posterior"])) > 0.6
    for wrong in ("0", "1", "-1", "nan"):
        result = run(tmp_path, "plate\n1ABC123\n", reads, "--json", "--prior", wrong)
        assert isinstance(result.exception, ConfigurationError)
        assert "above 0 and below 1" in str(result.exception)


def test_characters_are_the_readers_own_probabilities(tmp_path: Path) -> None:
    torn = [{each: 1.0} for each in "1AB"] + [{"C": 0.55, "K": 0.45}] + [{each: 1.0} for each in "123"]
    (hit,) = hits_of(
        run(tmp_path, "plate\n1ABK123\n", [read("1ABC123", characters=torn)], "--json", "--threshold", "0.5")
    )
    assert (hit["kind"], hit["edits"]) == ("near", 1)


def test_reads_may_be_csv(tmp_path: Path) -> None:
    reads = f"read_id,plate,camera,captured_at,confidence\n7,1-ABC-123,cam-1,{AT},0.9\n\n8,9ZZZ999,cam-1,{AT},\n"
    (hit,) = hits_of(run(tmp_path, "plate\n1ABC123\n", reads, "--json"))
    assert hit["read_id"] == "7"


def test_bad_lines_are_named_and_cost_nothing_that_is_good(tmp_path: Path) -> None:
    reads = "\n".join(
        [
            json.dumps(read("1ABC123")),
            "{",
            json.dumps({"read_id": "x", "plate": "1ABC123"}),
            json.dumps(read("1ABC123", captured_at="yesterday")),
            json.dumps(read("1ABC123", captured_at="2026-03-14T21:00:00")),
            json.dumps(read("ABCDEFGHIJK")),
            json.dumps(read("---")),
            json.dumps(read("1ABC123", read_id="last")),
        ]
    )
    result = run(tmp_path, "plate,country\n1ABC123,BE\n1ABC124,Belgium\n", reads, "--json")
    assert [hit["read_id"] for hit in hits_of(result)] == ["1ABC123", "last"]
    for place in (
        "line 2: ",
        "line 3: ",
        "line 4: captured_at",
        "line 5: captured_at",
        "line 6: plate: 11",
        "line 7: plate: 0",
    ):
        assert f"reads.ndjson: {place}" in result.stderr
    assert "hotlist.csv: line 3: country 'BELGIUM'" in result.stderr
    assert "2 reads, 2 hits, 6 lines not taken" in result.stderr


def test_a_text_for_people(tmp_path: Path) -> None:
    result = run(tmp_path, "plate\n1ABC123\n", [read("1ABC123")])
    assert result.exit_code == 0
    assert "exact" in result.stdout
    assert "1ABC123" in result.stdout


@pytest.mark.parametrize("hotlist", ["", "reason\nx\n", "plate\n---\n"])
def test_a_hotlist_without_entries_is_an_error(tmp_path: Path, hotlist: str) -> None:
    result = run(tmp_path, hotlist, [])
    assert isinstance(result.exception, ConfigurationError)
    assert "hotlist.csv" in str(result.exception)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["match", "--hotlist", str(tmp_path / "no.csv"), "--reads", str(tmp_path / "no")]
    )
    assert isinstance(result.exception, ConfigurationError)


def test_confusion_is_estimated_from_pairs(tmp_path: Path) -> None:
    pairs, out = tmp_path / "pairs.csv", tmp_path / "table.json"
    pairs.write_text("seen,true\n" + "1A8C123,1ABC123\n" * 3000, encoding="utf-8")
    result = CliRunner().invoke(app, ["confusion", "estimate", str(pairs), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "3000 pairs" in result.stdout
    learnt = confusion.load(out)
    assert learnt.matrix[12, 9] > 0.9
    # With a reader that always takes B for 8, an 8 where no digit stands is a B.
    options = ["--json", "--threshold", "0.95", "--confusion", str(out)]
    assert len(hits_of(run(tmp_path, "plate\n1ABC123\n", [read("1A8C123")], *options))) == 1


def test_pairs_without_their_columns_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("a,b\n1,2\n")
    result = CliRunner().invoke(app, ["confusion", "estimate", str(tmp_path / "pairs.csv")])
    assert isinstance(result.exception, ConfigurationError)
