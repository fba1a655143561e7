"""Who passes which camera and when: the recording as a list of passages, before anything is drawn.

The listed vehicles pass by a script, so that a demo shows what matters; all other traffic is chance. The same
seed gives the same scenario.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from plates.normalise import normalise
from training.plates import draw_text
from training.zone import CARS, COLOURS, FILLERS, FRAME, PATTERN_REASON, POSTS, TOWNS, WANTED

DURATION_S: Final = 72.0
FRAMES: Final = 60
FEED_PASSAGES: Final = 70
COLUMNS: Final = ("plate", "country", "list", "reason", "priority", "handling", "valid_from", "valid_until")

_COUNTRIES: Final = {"BE": 0.70, "NL": 0.10, "FR": 0.08, "DE": 0.07, "LU": 0.05}
# The same camera needs this long between two frames.
_RECOVERY_S: Final = 0.7
_FEED_MISREADS: Final = 0.12
_PATTERN: Final = "1-?X?-4??"
_FITS_PATTERN: Final = re.compile("1.X.4..")

SCRIPT: Final = (
    (0.8, "cam-brugstraat", "golf"),
    (3.6, "cam-e17-afrit", "polo"),
    (5.9, "cam-molenstraat", "ladder"),
    (8.4, "cam-stationsplein", "golf"),
    (11.2, "cam-stadion", "spionkop"),
    (14.0, "cam-leiekaai", "kuga"),
    (16.5, "cam-brugstraat", "golf"),
    (19.8, "cam-n43-oost", "gevaar"),
    (22.7, "7101", "ring"),
    (25.3, "cam-stationsplein", "eik"),
    (28.9, "cam-brugstraat", "doorreis"),
    (31.5, "cam-markt", "corsa"),
    (34.2, "cam-molenstraat", "vito"),
    (37.0, "cam-n43-oost", "doorreis"),
    (39.4, "cam-stadion", "uitvak"),
    (42.1, "cam-leiekaai", "dubbel"),
    (44.8, "7102", "doorreis"),
    (47.5, "cam-e17-afrit", "eik"),
    (49.6, "cam-veer", "veer"),
    (50.2, "cam-stationsplein", "grens"),
    (53.0, "cam-brugstraat", "patroon"),
    (58.3, "cam-molenstraat", "luxemburg"),
    (61.0, "cam-n43-oost", "vermist"),
    (64.5, "cam-markt", "nacht"),
    (67.2, "cam-stadion", "spionkop"),
    (70.0, "cam-leiekaai", "berline"),
)
"""Seconds, camera, key of `zone.WANTED`: three passages of one car in one zone, one car through three zones, a
covert one in two, one that fits a pattern."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A vehicle that passes a camera."""

    at_s: float
    camera: str
    text: str
    """Its plate as written on it."""
    country: str
    read_as: str = ""
    """What a feed makes of it, where that is something else."""
    van: bool = False


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame to draw: nobody on it, or one or two vehicles."""

    at_s: float
    camera: str
    passages: tuple[Passage, ...]

    @property
    def name(self) -> str:
        """The frame's file name: milliseconds since the beginning, and the camera."""
        return f"{round(self.at_s * 1000):06d}_{self.camera}.jpg"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that happens, ordered by time; `entries` are the rows of ``hotlist.csv``."""

    seed: int
    shots: tuple[Shot, ...]
    feed: tuple[Passage, ...]
    entries: tuple[dict[str, str], ...]


class _Registry:
    """Makes up plates, none twice, and none of the others that fits the pattern."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._used: set[str] = set()

    def free(self, text: str) -> bool:
        """Tell whether no vehicle has this plate and the pattern does not fit it."""
        plain = normalise([text])[0]
        return plain not in self._used and not _FITS_PATTERN.match(plain)

    def plate(self, country: str) -> str:
        while not self.free(text := draw_text(country, self._random)):
            pass
        self._used.add(normalise([text])[0])
        return text

    def anybody(self) -> tuple[str, str]:
        country = str(self._random.choice(list(_COUNTRIES), p=list(_COUNTRIES.values())))
        return self.plate(country), country


def compose(seed: int) -> Scenario:
    """Make up a scenario."""
    random = np.random.default_rng(seed)
    registry = _Registry(random)
    cast = {each.key: (registry.plate(each.country), each.country) for each in WANTED}
    # What the witness of a hit-and-run saw, as a pattern, and the car.
    first, last = (str(letter) for letter in random.choice(list("BCDFGHJK"), 2))
    cast["patroon"] = (f"1-{first}X{last}-4{random.integers(10, 100)}", "BE")
    entries = [
        _entry(cast[each.key][0], each.country, each.hotlist, each.reason, each.priority, each.valid_until)
        for each in WANTED
    ]
    entries.append(_entry(_PATTERN, "BE", "bin-oudenhove", PATTERN_REASON))
    entries += _fillers(registry, random)
    script = [Passage(at_s, camera, *cast[key]) for at_s, camera, key in SCRIPT]
    shots = [Shot(each.at_s, each.camera, (each,)) for each in script if POSTS[each.camera].via == FRAME]
    feed = [each for each in script if POSTS[each.camera].via != FRAME]
    return Scenario(
        seed,
        tuple(sorted(_with_traffic(shots, registry, random), key=lambda shot: (shot.at_s, shot.camera))),
        tuple(sorted(_with_reads(feed, registry, random), key=lambda each: (each.at_s, each.camera))),
        tuple(entries),
    )


def _entry(
    plate: str, country: str, hotlist: str, reason: str, priority: str = "", valid_until: str = ""
) -> dict[str, str]:
    return dict(zip(COLUMNS, (plate, country, hotlist, reason, priority, "", "", valid_until), strict=True))


def _fillers(registry: _Registry, random: np.random.Generator) -> list[dict[str, str]]:
    """Entries of vehicles that do not pass."""
    rows = []
    for hotlist, (count, reasons) in FILLERS.items():
        for _ in range(count):
            plate, country = registry.anybody()
            reason = str(random.choice(reasons)).format(
                town=random.choice(TOWNS), colour=random.choice(COLOURS), car=random.choice(CARS)
            )
            # Now and then one that has run out: it is on file, and counts no longer.
            until = "2024-12-31" if random.random() < 0.05 else ""
            rows.append(_entry(plate, country, hotlist, reason, valid_until=until))
    return rows


def _with_traffic(shots: list[Shot], registry: _Registry, random: np.random.Generator) -> list[Shot]:
    """Add frames of unlisted vehicles, some with two of them, some with none, up to `FRAMES`."""
    cameras = [identity for identity, post in POSTS.items() if post.via == FRAME]
    shots = list(shots)
    while len(shots) < FRAMES:
        at_s, camera = round(float(random.uniform(0.3, DURATION_S)), 3), str(random.choice(cameras))
        if any(shot.camera == camera and abs(shot.at_s - at_s) < _RECOVERY_S for shot in shots):
            continue
        chance = random.random()
        vehicles = 0 if chance < 0.05 else 2 if chance < 0.12 else 1
        passages = tuple(
            Passage(at_s, camera, *registry.anybody(), van=bool(random.random() < 0.1)) for _ in range(vehicles)
        )
        shots.append(Shot(at_s, camera, passages))
    return shots


def _with_reads(feed: list[Passage], registry: _Registry, random: np.random.Generator) -> list[Passage]:
    """Add reads of unlisted vehicles, some of them misread, up to `FEED_PASSAGES`."""
    cameras = [identity for identity, post in POSTS.items() if post.via != FRAME]
    feed = list(feed)
    while len(feed) < FEED_PASSAGES:
        text, country = registry.anybody()
        at_s, camera = round(float(random.uniform(0.3, DURATION_S)), 3), str(random.choice(cameras))
        read_as = misread(text, random) if random.random() < _FEED_MISREADS else ""
        if registry.free(read_as):
            feed.append(Passage(at_s, camera, text, country, read_as))
    return feed


LOOK_ALIKES: Final = dict(
    zip("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", "D7Z8ASG1B848G0FE6NUX1NMR0P5YJYVKV2", strict=True)
)
"""What each character is taken for."""


def misread(text: str, random: np.random.Generator) -> str:
    """Take one character of a plate for another that looks like it."""
    places = [place for place, character in enumerate(text) if character in LOOK_ALIKES]
    place = int(random.choice(places))
    return text[:place] + LOOK_ALIKES[text[place]] + text[place + 1 :]
