"""``lik bench``: the benchmarks, each beside a peer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

bench_app = typer.Typer(help="Measure, on this machine, beside what else there is.", no_args_is_help=True)


@bench_app.callback()
def _bench() -> None:
    """Measure, on this machine, beside what else there is."""


@bench_app.command("match")
def bench_match(
    entries: Annotated[int, typer.Option(min=1000, help="Entries on the hotlist.")] = 1_000_000,
    reads: Annotated[int, typer.Option(min=1024, help="Reads that are timed.")] = 200_000,
    patterns: Annotated[int, typer.Option(min=0, help="Entries that are patterns, beside the others.")] = 2000,
    peers: Annotated[bool, typer.Option(help="Measure symspellpy and rapidfuzz on the same data.")] = True,
    recall: Annotated[bool, typer.Option(help="Measure recall against false near-hits too.")] = False,
    figures: Annotated[
        Path | None, typer.Option(help="With --recall: draw the curve and the reliability diagram here.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same data.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Time a read, a build and a delta, and weigh the memory, at so many entries."""
    from bench import match, match_recall

    measured = match.measure(match.Plan(entries, reads, patterns, peers, seed))
    if recall:
        measured["recall"] = match_recall.measure(entries, reads, seed)
        measured["reliability"] = match_recall.reliabilities(entries, reads, seed)
        if figures is not None:
            from bench.figures import write

            write(figures, measured["recall"], measured["reliability"])
    if as_json:
        sys.stdout.write(json.dumps(measured, indent=1) + "\n")
        return
    for name, value in _flat("", measured):
        sys.stdout.write(f"{name:<48} {value}\n")


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [line for name, each in value.items() for line in _flat(f"{prefix}.{name}".lstrip("."), each)]
    if isinstance(value, list):
        return [(prefix, f"{len(value)} points")]
    return [(prefix, f"{value:.4g}" if isinstance(value, float) else str(value))]
