"""Match files without a broker: a hotlist file against a file of reads. The engine of ``lik match``."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from hotlists.columns import pack_country
from hotlists.entry import Hotlist
from hotlists.parse import FileError, parse_lists
from hotlists.snapshot import Snapshot
from pipeline.batch import KINDS, ReadBatch, lay_out
from pipeline.errors import ConfigurationError
from pipeline.match import posterior
from pipeline.match.matcher import Matcher
from pipeline.match.posterior import Posterior
from plates import alphabet, confusion
from plates.confusion import ConfusionFileError
from plates.normalise import normalise

_BATCH: Final = 4096
_DEFAULT_LIST: Final = "hotlist"
_DECIMALS: Final = 6


class ReadLine(msgspec.Struct, frozen=True):
    """One line of a file of reads; names it does not know are passed over."""

    read_id: str
    plate: str
    captured_at: str
    """ISO 8601 with an offset: ``2026-03-14T21:00:00+01:00``."""
    camera: str = ""
    country: str = ""
    confidence: float | None = None
    characters: list[dict[str, float]] | None = None


class HitLine(msgspec.Struct, frozen=True):
    """One hit, as it is printed."""

    read_id: str
    plate: str
    """The read's plate, normalised."""
    entry: str
    """Plate or pattern of the entry."""
    list: str
    kind: str
    edits: int
    posterior: float


@dataclass(slots=True)
class Tally:
    """What became of a file's reads."""

    reads: int = 0
    hits: int = 0
    refused: int = 0


def load_hotlist(
    path: Path, warn: Callable[[str], None], *, threshold: float | None = None, prior: float | None = None
) -> Snapshot:
    """Read a hotlist file, CSV or NDJSON; rows that cannot be used are told to `warn`.

    Parameters
    ----------
    threshold, prior
        Of each list in the file; None is as without one.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or holds no entry; the prior is no chance.
    """
    if prior is not None and not 0.0 < prior < 1.0:
        raise ConfigurationError(
            f"a prior of {prior:g}: it is the chance that a vehicle is listed, above 0 and below 1"
        )
    try:
        lists = parse_lists(path.read_bytes(), _DEFAULT_LIST)
    except (OSError, FileError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    for parsed in lists.values():
        for refused in parsed.errors:
            warn(f"{path}: line {refused.row}: {refused.column or 'row'} {refused.value!r}: {refused.reason}")
    if not any(parsed.entries for parsed in lists.values()):
        raise ConfigurationError(f"{path}: no row holds an entry that can be used")
    given: dict[str, Any] = {"prior": prior} if threshold is None else {"prior": prior, "threshold": threshold}
    return Snapshot.build(1, [(Hotlist(name=name, **given), parsed.entries) for name, parsed in lists.items()])


def load_scoring(path: Path | None) -> Posterior:
    """Make the posterior of a confusion table; of the neutral one when there is no file.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or is no confusion table.
    """
    if path is None:
        return posterior.default()
    try:
        return Posterior(confusion.load(path))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    except ConfusionFileError as error:
        raise ConfigurationError(str(error)) from error


def match_file(
    snapshot: Snapshot, path: Path, scoring: Posterior, warn: Callable[[str], None], tally: Tally
) -> Iterator[HitLine]:
    """Match a file of reads, NDJSON or CSV, a few thousand at a time; count in `tally`.

    Raises
    ------
    ConfigurationError
        The file cannot be read.
    """
    matcher = Matcher(snapshot, scoring)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = _read_lines(file, path, warn, tally)
            while batch := list(islice(lines, _BATCH)):
                yield from _match(matcher, batch, tally)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _read_lines(
    file: io.TextIOBase, path: Path, warn: Callable[[str], None], tally: Tally
) -> Iterator[tuple[ReadLine, str, int]]:
    """Yield each usable read, its normalised plate and its time in ns; tell `warn` of the others."""
    for number, found in _records(file):
        try:
            read = _as_read(found)
            plate = normalise([read.plate])[0]
            if not 0 < len(plate) <= alphabet.SLOTS:
                raise ValueError(f"plate: {len(plate)} letters and digits; a plate has 1 to {alphabet.SLOTS}")
            at_ns = _nanoseconds(read.captured_at)
        except (ValueError, RecursionError) as error:
            tally.refused += 1
            warn(f"{path}: line {number}: {error}")
            continue
        tally.reads += 1
        yield read, plate, at_ns


def _as_read(found: str | dict[str, str]) -> ReadLine:
    if isinstance(found, str):
        return msgspec.json.decode(found, type=ReadLine)
    return msgspec.convert(found, ReadLine, strict=False)


def _records(file: Iterable[str]) -> Iterator[tuple[int, str | dict[str, str]]]:
    """Yield each line of NDJSON as it is, or each row of CSV by column, with the number of the line."""
    lines = enumerate(file, 1)
    for number, line in lines:
        if not line.strip():
            continue
        if line.lstrip()[0] != "{":
            yield from _csv_records(number, line, lines)
            return
        yield number, line


def _csv_records(
    number: int, header: str, lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, dict[str, str]]]:
    names = [name.strip().lower() for name in next(csv.reader([header]))]
    for values in csv.reader(line for _, line in lines):
        number += 1
        if any(value.strip() for value in values):
            yield number, {name: value for name, value in zip(names, values, strict=False) if value.strip()}


def _nanoseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"captured_at {text!r}: not a time with its offset, like 2026-03-14T21:00:00+01:00")
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def _match(matcher: Matcher, lines: list[tuple[ReadLine, str, int]], tally: Tally) -> Iterator[HitLine]:
    reads = [read for read, _, _ in lines]
    confidence = [np.nan if read.confidence is None else read.confidence for read in reads]
    hits = matcher.match(
        ReadBatch.of(
            alphabet.encode([plate for _, plate, _ in lines]),
            np.array([at_ns for _, _, at_ns in lines], np.int64),
            country=np.array([pack_country(read.country.upper()) for read in reads], np.uint16),
            confidence=np.array(confidence, np.float32),
            probabilities=lay_out([read.characters for read in reads]),
        )
    )
    tally.hits += len(hits)
    snapshot = matcher.snapshot
    for number in range(len(hits)):
        row, entry = int(hits.read_row[number]), int(hits.entry_row[number])
        yield HitLine(
            read_id=reads[row].read_id,
            plate=lines[row][1],
            entry=snapshot.plate(entry),
            list=snapshot.hotlist(entry).name,
            kind=KINDS[int(hits.kind[number])],
            edits=int(hits.edits[number]),
            posterior=round(float(hits.posterior[number]), _DECIMALS),
        )
