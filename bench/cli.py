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
    _show(measured, as_json)


@bench_app.command("read")
def bench_read(
    folder: Annotated[Path, typer.Argument(help="Labelled images: whole frames, or with --patch plates.")],
    labels: Annotated[
        Path | None, typer.Option(help="CSV: file,text[,x,y,w,h][,lines], or file,x,y,w,h; default: labels.csv.")
    ] = None,
    patch: Annotated[bool, typer.Option("--patch", help="The images are plates, cut out.")] = False,
    peer_model: Annotated[Path | None, typer.Option(help="A fast-plate-ocr model (ONNX) to read beside.")] = None,
    peer_config: Annotated[Path | None, typer.Option(help="Its plate configuration (YAML).")] = None,
    tesseract: Annotated[bool, typer.Option(help="Read with Tesseract too.")] = True,
    sheet: Annotated[Path | None, typer.Option(help="Draw the worst misreads here, a PNG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Read a labelled folder: how right, how sure, how fast, beside Tesseract and another model."""
    from bench import read

    if (peer_model is None) != (peer_config is None):
        raise typer.BadParameter("--peer-model and --peer-config go together")
    peer = (peer_model, peer_config) if peer_model and peer_config else None
    _show(read.measure(read.Plan(folder, labels, patch, peer, tesseract, sheet)), as_json)


def _show(measured: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(measured, indent=1) + "\n")
        return
    for name, value in _flat("", measured):
        sys.stdout.write(f"{name:<48} {value}\n")


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [line for name, each in value.items() for line in _flat(f"{prefix}.{name}".lstrip("."), each)]
    if isinstance(value, list):
        return [(prefix, f"{len(value)} of them")]
    return [(prefix, f"{value:.4g}" if isinstance(value, float) else str(value))]
