"""Write a recording: a folder that is input as cameras and vendors give it; see `recordings/README.md`."""

from __future__ import annotations

import csv
import io
import shutil
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from pipeline.demo import TruthLine
from pipeline.errors import ConfigurationError
from pipeline.replay import FeedLine
from training import vendors
from training.scenario import COLUMNS, Passage, Scenario, Shot, compose
from training.scenes import Vehicle, draw_scene, encode_jpeg
from training.zone import FRAME, HOTLISTS, POSTS

JPEG_QUALITY: Final = 80
FEED_DELAY_S: Final = (0.05, 0.35)
"""How long after a passage a vendor's body comes."""
UPLOAD_EVERY_S: Final = 12.0
"""How often the camera that writes files uploads one."""

CAMERA_FIELDS: Final = ("id", "name", "latitude", "longitude", "heading", "municipality", "zone")
HOTLIST_FIELDS: Final = (
    "name",
    "title",
    "owner",
    "legal_basis",
    "purpose",
    "category",
    "priority",
    "handling",
    "named_users",
)
"""What a recording states of its lists; thresholds and the like are the pipeline's own."""

_JSON: Final = msgspec.json.Encoder()


def write_recording(out: Path, *, seed: int = 1) -> None:
    """Render the recording of `seed` into the new folder `out`.

    Raises
    ------
    ConfigurationError
        The folder exists and is not empty, or what draws plates (Pillow, Debian's fonts) is not installed.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigurationError(f"{out} exists; give a new folder, or remove it first")
    frames = out / "frames"
    frames.mkdir(parents=True)
    try:
        scenario = compose(seed)
        for shot in scenario.shots:
            (frames / shot.name).write_bytes(draw_shot(shot, seed))
        for name, content in tables(scenario).items():
            (out / name).write_bytes(content)
    except BaseException:
        # Half a recording would pass for one.
        shutil.rmtree(out)
        raise


def draw_shot(shot: Shot, seed: int) -> bytes:
    """Draw one frame of the recording of `seed`, as a JPEG; it depends on no other frame."""
    random = np.random.default_rng([seed, zlib.crc32(shot.name.encode())])
    vehicles = [Vehicle(each.text, each.country, each.van) for each in shot.passages]
    scene = draw_scene(vehicles, random, camera=shot.camera, infrared=POSTS[shot.camera].infrared)
    return encode_jpeg(scene.image, JPEG_QUALITY)


def tables(scenario: Scenario) -> dict[str, bytes]:
    """The files of a recording beside its frames, by name."""
    random = np.random.default_rng([scenario.seed, zlib.crc32(b"feed")])
    rows = io.StringIO()
    writer = csv.DictWriter(rows, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(scenario.entries)
    return {
        "cameras.json": _readable([post.camera for post in POSTS.values()], CAMERA_FIELDS),
        "hotlists.json": _readable(HOTLISTS, HOTLIST_FIELDS),
        "hotlist.csv": rows.getvalue().encode(),
        "feed.ndjson": _lines(_feed(scenario.feed, random)),
        "truth.ndjson": _lines(_truth(scenario)),
    }


def _readable(content: Sequence[msgspec.Struct], fields: Sequence[str]) -> bytes:
    stated = [{name: getattr(each, name) for name in fields} for each in content]
    return msgspec.json.format(_JSON.encode(stated), indent=2) + b"\n"


def _lines(lines: Sequence[msgspec.Struct]) -> bytes:
    return b"".join(_JSON.encode(line) + b"\n" for line in lines)


def _truth(scenario: Scenario) -> list[TruthLine]:
    framed = [(passage, FRAME) for shot in scenario.shots for passage in shot.passages]
    fed = [(passage, POSTS[passage.camera].via) for passage in scenario.feed]
    lines = [TruthLine(each.at_s, each.camera, each.text, each.country, via) for each, via in framed + fed]
    return sorted(lines, key=lambda line: (line.at_s, line.camera, line.plate))


def _feed(passages: Sequence[Passage], random: np.random.Generator) -> list[FeedLine]:
    lines = []
    for passage in passages:
        via = POSTS[passage.camera].via
        if via != "csv":
            at_s = passage.at_s + float(random.uniform(*FEED_DELAY_S))
            lines.append(FeedLine(round(at_s, 3), via, vendors.BODY[via](vendors.see(passage, random))))
    for at_s, batch in _uploads([each for each in passages if POSTS[each.camera].via == "csv"]):
        lines.append(FeedLine(at_s, "csv", vendors.csv([vendors.see(each, random) for each in batch])))
    return sorted(lines, key=lambda line: line.at_s)


def _uploads(passages: Sequence[Passage]) -> Iterator[tuple[float, list[Passage]]]:
    """Passages in the file that they are uploaded with, and when that is."""
    due = sorted({int(each.at_s // UPLOAD_EVERY_S) for each in passages})
    for number in due:
        yield (
            (number + 1) * UPLOAD_EVERY_S,
            [each for each in passages if int(each.at_s // UPLOAD_EVERY_S) == number],
        )
