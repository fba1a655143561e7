"""The command `lik`."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import importlib
import os
import signal
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import bench_app
from pipeline import hotlist
from pipeline.errors import ConfigurationError, KruispuntError
from pipeline.settings import load_settings

app = typer.Typer(
    help="Kruispunt: from number-plate read to alert, within seconds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
user_app = typer.Typer(help="People who may sign in.", no_args_is_help=True)
app.add_typer(user_app, name="user")
confusion_app = typer.Typer(help="How characters are misread.", no_args_is_help=True)
app.add_typer(confusion_app, name="confusion")
app.add_typer(bench_app, name="bench")
audit_app = typer.Typer(help="The audit trail.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")
app.add_typer(hotlist.app, name="hotlist")


class WorkerName(StrEnum):
    """The workers, and the module that each is."""

    GATEWAY = "gateway"
    OCR = "ocr"
    MATCH = "match"
    ALERTS = "alerts"
    DESK = "desk"
    CONSOLE = "console"


_MODULES = {
    WorkerName.GATEWAY: "pipeline.ingest.gateway",
    WorkerName.OCR: "pipeline.ingest.worker",
    WorkerName.MATCH: "pipeline.match.worker",
    WorkerName.ALERTS: "pipeline.alerts.stream",
    WorkerName.DESK: "pipeline.alerts.desk",
    WorkerName.CONSOLE: "console.app",
}


_UP_WITHOUT_KAFKA = frozenset({WorkerName.GATEWAY, WorkerName.CONSOLE})
"""These serve people and cameras while Kafka is away, and say so."""


class Broker(StrEnum):
    """Which broker `lik up` starts."""

    EMBEDDED = "embedded"
    APACHE = "apache"


@app.command()
def worker(
    name: WorkerName,
    ready_fd: Annotated[int, typer.Option(help="Write a line to this file descriptor when ready.")] = -1,
) -> None:
    """Run one worker until SIGTERM or Ctrl-C."""
    if ready_fd >= 0:
        from pipeline.embedded import die_with_parent

        die_with_parent()
    asyncio.run(_worker(name, ready_fd))


async def _worker(name: WorkerName, ready_fd: int) -> None:
    from pipeline import telemetry, topics

    settings = load_settings()
    telemetry.start(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def ready() -> None:
        if ready_fd >= 0:
            with contextlib.suppress(BrokenPipeError):
                os.write(ready_fd, b"ready\n")

    if name not in _UP_WITHOUT_KAFKA:
        await topics.ensure_topics(settings)
    await importlib.import_module(_MODULES[name]).run(settings, stop=stop, ready=ready)


@app.command()
def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Publish the demo hotlists and replay the recording.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="At full speed, then check every alert and end.")] = False,
    recording: Annotated[Path | None, typer.Option(help="A recording folder; default: the bundled one.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="With --once: write counts and latencies here (JSON).")
    ] = None,
    broker: Annotated[Broker, typer.Option(help="embedded keeps nothing; apache needs Java 17 and Maven.")] = (
        Broker.EMBEDDED
    ),
    port: Annotated[int | None, typer.Option(help="Port of the console.")] = None,
) -> None:
    """Run everything on this machine: broker, Redis, every worker, the console."""
    from pipeline.up import Options, run
    from recordings import CROSSROADS

    folder = recording or (CROSSROADS if demo else None)
    options = Options(broker.value, demo, once, folder, report, port)
    raise typer.Exit(asyncio.run(run(options, _say)))


@app.command()
def replay(
    source: Annotated[
        str, typer.Argument(help="A recording, a folder of images, a video file or an RTSP address.")
    ],
    speed: Annotated[float, typer.Option(help="1 is as recorded; 0 is as fast as it is taken.")] = 1.0,
    camera: Annotated[str, typer.Option(help="Camera id of frames that name none.")] = "replay",
) -> None:
    """Publish frames (and a recording's vendor feed) to the pipeline that the settings name."""
    asyncio.run(_replay(source, speed or None, camera))


async def _replay(source: str, speed: float | None, camera: str) -> None:
    from pipeline import demo
    from pipeline.ingest import frames
    from pipeline.topics import Publisher

    settings = load_settings()
    folder = Path(source)
    if (folder / "feed.ndjson").exists():
        gateway = f"http://{settings.gateway_host}:{settings.gateway_port}"
        sent = await demo.replay(demo.Recording(folder), settings, gateway, speed=speed)
        _say(f"{sent[0]} frames and {sent[1]} feed messages sent")
        return
    # Opened first: a path that is wrong needs no broker to say so.
    opened = frames.open_source(source, camera=camera)
    async with Publisher(settings) as publisher:
        count = await frames.replay(publisher, opened, speed=speed, start_ns=time.time_ns())
        await publisher.flush()
    _say(f"{count} frames sent")


@app.command()
def record(
    out: Annotated[Path, typer.Argument(help="Folder to write the recording into.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same recording.")] = 1,
) -> None:
    """Render a recording: scenes with plates, vendor feeds, cameras and the truth."""
    from training.recording import write_recording

    write_recording(out, seed=seed)
    _say(f"recording written to {out}")


@app.command()
def read(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE|FOLDER...", help="JPEG or PNG; folders as a whole.")
    ],
    patch: Annotated[bool, typer.Option("--patch", help="The images are plates, cut out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per image.")] = False,
    draw: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each image there, with what is read on it.")
    ] = None,
) -> None:
    """Read the plates on images, without a broker. Exit code 1 where one cannot be read; the others are."""
    import msgspec

    from pipeline.ingest import files
    from pipeline.ingest.recognise import Recogniser

    settings = load_settings()
    recogniser = Recogniser(settings.ocr_model, settings.ocr_threads)
    found = files.list_files(paths, leave_out=draw)
    drawings = files.Drawings(draw) if draw else None
    refused = False
    for answer in files.read_files(found, recogniser, patch=patch, keep_pixels=draw is not None):
        refused |= bool(answer.error)
        if drawings and answer.pixels is not None:
            drawings.draw(answer)
        if as_json:
            _say(msgspec.json.encode(answer.to_json()).decode())
        else:
            for line in answer.to_lines():
                _say(line)
    raise typer.Exit(int(refused))


@app.command()
def match(
    hotlist: Annotated[Path, typer.Option(help="CSV or NDJSON; only the column plate is required.")],
    reads: Annotated[Path, typer.Option(help="NDJSON or CSV: read_id, plate, camera, captured_at, ...")],
    threshold: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Posterior from which a near match is a hit.")
    ] = None,
    prior: Annotated[
        float | None, typer.Option(help="Chance that a passing vehicle is on a list; default: derived.")
    ] = None,
    confusion: Annotated[
        Path | None, typer.Option(help="A table that `lik confusion estimate` made; default: the neutral one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per hit.")] = False,
) -> None:
    """Match a file of reads against a hotlist file, without a broker. What is not taken is told on stderr."""
    import msgspec

    from pipeline.match import offline

    tally = offline.Tally()
    snapshot = offline.load_hotlist(hotlist, _warn, threshold=threshold, prior=prior)
    for hit in offline.match_file(snapshot, reads, offline.load_scoring(confusion), _warn, tally):
        if as_json:
            _say(msgspec.json.encode(hit).decode())
        else:
            _say(
                f"{hit.posterior:6.3f}  {hit.kind:<7}  {hit.plate:<10}  {hit.entry:<10}  {hit.list}  {hit.read_id}"
            )
    _warn(f"{tally.reads} reads, {tally.hits} hits, {tally.refused} lines not taken")


@confusion_app.command("estimate")
def confusion_estimate(
    pairs: Annotated[Path, typer.Argument(help="CSV of labelled pairs, with the columns seen and true.")],
    out: Annotated[Path, typer.Option(help="Where the table is written.")] = Path("confusion.json"),
) -> None:
    """Estimate how characters are misread from pairs of what was seen and what was there."""
    from plates import confusion

    try:
        labelled = confusion.read_pairs(pairs)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{pairs}: {error}") from error
    table = confusion.estimate(labelled)
    table.save(out)
    _say(f"{len(labelled)} pairs: {table.error:.2%} of characters misread, {table.missed:.2%} missed; {out}")


@confusion_app.command("export")
def confusion_export(
    why: Annotated[str, typer.Option(help="For the audit trail: why these plates leave the desk.")],
    out: Annotated[Path, typer.Option(help="Where the pairs are written: a CSV with seen and true.")] = Path(
        "pairs.csv"
    ),
) -> None:
    """Write what the operators' verdicts tell of `estimate`'s pairs; nothing covert, no time and no place."""
    if not why.strip():
        raise ConfigurationError("--why: say why; it goes on the audit trail")
    count = asyncio.run(_confusion_export(out, why.strip()))
    _say(f"{count} pairs: {out}")


async def _confusion_export(out: Path, why: str) -> int:
    from pipeline.alerts.pairs import as_csv
    from pipeline.alerts.store import AlertStore

    store = AlertStore(load_settings().database_url)
    await store.open()
    try:
        # Opened first: what cannot be written does not leave the desk, nor says the trail that it did.
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            pairs = await store.pairs.take(who=f"shell:{_account()}", why=why)
            file.write(as_csv(pairs))
    except OSError as error:
        raise ConfigurationError(f"{out}: {error.strerror}") from error
    finally:
        await store.close()
    return len(pairs)


def _account() -> str:
    """Name of whoever runs this; its number where it has none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _warn(text: str) -> None:
    sys.stderr.write(text + "\n")


@user_app.command("add")
def user_add(
    name: str,
    role: Annotated[list[str], typer.Option(help="operator, ops, chief, unit, auditor, engineer, covert.")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
) -> None:
    """Add somebody who may sign in, or give them a new password and roles."""
    asyncio.run(_user_add(name, role, password))


async def _user_add(name: str, roles: list[str], password: str) -> None:
    from console.auth import ensure_user
    from pipeline.alerts.store import AlertStore

    store = AlertStore(load_settings().database_url)
    await store.open()
    try:
        await ensure_user(store, name, password, roles)
    finally:
        await store.close()
    _say(f"{name} may sign in")


@audit_app.command("verify")
def audit_verify(
    head: Annotated[
        str, typer.Option(help="A head that an earlier run gave (NUMBER:HASH): the trail must still hold it.")
    ] = "",
) -> None:
    """Compute every hash of the trail again; exit code 1 where it does not hold."""
    raise typer.Exit(asyncio.run(_audit_verify(head)))


async def _audit_verify(head: str) -> int:
    from pipeline.alerts.store import AlertStore
    from pipeline.alerts.trail import parse_head

    expected = parse_head(head) if head else None
    store = AlertStore(load_settings().database_url)
    await store.open()
    try:
        found = await store.trail.verify(expected)
    finally:
        await store.close()
    if found.problem:
        _say(f"the audit trail does not hold: {found.problem} ({found.lines} lines before it are sound)")
        return 1
    _say(f"{found.lines} lines, unbroken; head {found.head_id}:{found.head_hash}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run `lik`; a known error is one plain line and exit code 1."""
    try:
        app()
    except KruispuntError as error:
        sys.stderr.write(f"lik: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
