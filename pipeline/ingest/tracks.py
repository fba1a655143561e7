"""Several frames of one vehicle become one read.

A *track* is one plate before one camera, over the frames that show it. Its read is told with the first frame, so
that no alert waits for a better look, and told again, under the same id, when more frames say something else, or
twice as many say the same. What a track rests on is the product of its frames' posteriors, slot by slot.

Which frames are of one vehicle is decided by what is read, with place and time beside it:

- the texts are the same, and surely so: it is the same vehicle, wherever on the frame, some seconds later;
- one of them is unsure, and no character that both are sure of differs: it is the same vehicle if it is, a moment
  later, where the last frame and the plate's motion make it out to be;
- anything else is another vehicle. A vehicle that becomes two tracks costs a second read; two that become one
  cost a read, and may cost the hit. So in doubt there are two.

Nothing here looks at a clock: the same frames in the same order make the same reads with the same ids, however
they are batched. `Tracker.mark` and `Tracker.restore` let a batch that Kafka did not acknowledge be taken again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.evidence import Evidence, Look, looks_of
from pipeline.model import derive_id
from plates import alphabet

if TYPE_CHECKING:
    from pipeline.ingest.recognise import Recognised

GAP_S: Final = 0.5
"""How long a plate that is read unsurely may be out of sight. A vehicle that follows another one is not where that
was within this time: at 30 km/h it is four metres, less than a car."""
REVISIT_S: Final = 5.0
"""How long a plate that is surely the same may be out of sight; a track ends after that."""
MAX_AGE_S: Final = 10.0
"""A vehicle that stays is a new read after this time: for who looks at the alert, and for a list that is new."""
MAX_TRACKS: Final = 1000
"""Tracks that are held, of all cameras, each with its pictures of some tens of kB; the camera that was longest
without a frame loses its own first."""
MAX_OF_CAMERA: Final = 100

CERTAINTY: Final = 0.9
"""Chance that two looks at a plate are of the same text, from which it is the same vehicle."""
CONTRADICTION: Final = 0.05
"""Chance that two looks at a character are of the same one, below which the vehicles are two."""
UNSURE: Final = 0.5
"""Confidence from which a text says how long the plate is: one of another length is then another vehicle."""

# In widths of the plate: what a prediction may be off, and what a plate moves in a second.
_REACH: Final = 1.0
_SPEED: Final = 10.0
_STRAY: Final = 4.0
_GROWTH: Final = 1.7
_BETTER: Final = 1.25
"""How much better than the best a look must be before its picture takes that one's place."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is known of the frame that plates are on."""

    capture_id: str
    camera: str
    captured_at_ns: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plate was seen last, and how it moves.

    Attributes
    ----------
    at_ns
        When.
    x, y
        Its centre, pixels.
    width
        Its width, pixels.
    speed
        Pixels a second, in x and y; None while it was seen once.
    """

    at_ns: int
    x: float
    y: float
    width: float
    speed: tuple[float, float] | None = None

    @classmethod
    def of(cls, box: tuple[int, int, int, int], at_ns: int) -> Place:
        x, y, w, h = box
        return cls(at_ns, x + w / 2, y + h / 2, float(w))

    def then(self, other: Place) -> Place:
        """The later of both, with the speed that lies between them."""
        gap_s = (other.at_ns - self.at_ns) / 1e9
        if gap_s <= 0:
            return self
        return replace(other, speed=((other.x - self.x) / gap_s, (other.y - self.y) / gap_s))

    def may_be(self, other: Place) -> bool:
        """Whether a plate that was here can be there, at that time."""
        gap_s = (other.at_ns - self.at_ns) / 1e9
        if abs(gap_s) > GAP_S or not 1 / _GROWTH <= other.width / self.width <= _GROWTH:
            return False
        along, down = self.speed or (0.0, 0.0)
        off = np.hypot(other.x - self.x - along * gap_s, other.y - self.y - down * gap_s)
        reach = _REACH + (_SPEED if self.speed is None else _STRAY) * abs(gap_s)
        return bool(off <= reach * max(self.width, other.width))


@dataclass(frozen=True, slots=True)
class Track:
    """One vehicle before one camera.

    Attributes
    ----------
    read_id
        Of its read: of the frame and the place on which it was seen first.
    first_ns
        When that was.
    captures
        The frames that it was seen on.
    place
        Where it was seen last.
    rivals
        What the frames say, a text of each length by itself.
    countries
        Those that a frame was sure of.
    best, best_frame
        The look that shows it best, and the frame of it.
    patch, picture
        JPEGs of the plate and of the vehicle there.
    told
        The text as it was told last, and how many frames it rested on.
    """

    read_id: str
    first_ns: int
    captures: tuple[str, ...]
    place: Place
    rivals: tuple[Evidence, ...]
    countries: frozenset[str]
    best: Look
    best_frame: Frame
    patch: bytes = b""
    picture: bytes = b""
    told: tuple[str, int] = ("", 0)

    @property
    def leading(self) -> Evidence:
        """The evidence of the length that most speaks for."""
        return max(self.rivals, key=lambda each: each.weight)

    @property
    def country(self) -> str:
        """The country, where no frame says another: a wrong one would lose the hit."""
        return next(iter(self.countries)) if len(self.countries) == 1 else ""

    @property
    def text(self) -> tuple[str, float]:
        """What is read on it, and how surely."""
        return self.leading.text(self.country)

    def is_open(self, at_ns: int) -> bool:
        """Whether a frame of that time can be of it."""
        age_ns = max(at_ns, self.place.at_ns) - min(at_ns, self.first_ns)
        return abs(at_ns - self.place.at_ns) <= REVISIT_S * 1e9 and age_ns <= MAX_AGE_S * 1e9

    def with_look(self, frame: Frame, look: Look) -> Track:
        """Add one more frame."""
        length = len(look.text)
        rivals = [each for each in self.rivals if each.length != length]
        known = next((each for each in self.rivals if each.length == length), None)
        evidence = Evidence.of(look) if known is None else known.with_look(look)
        return replace(
            self,
            first_ns=min(self.first_ns, frame.captured_at_ns),
            captures=(*self.captures, frame.capture_id),
            place=self.place.then(Place.of(look.box, frame.captured_at_ns)),
            rivals=(*rivals, evidence),
            countries=self.countries | ({look.country} if look.country else frozenset()),
        )


Shoot = Callable[[int], tuple[bytes, bytes]]
"""Makes the JPEGs of plate and vehicle of a row."""
State = dict[str, tuple[Track, ...]]


class Tracker:
    """The tracks of all cameras; not to be used by two threads at once."""

    def __init__(self) -> None:
        self._tracks: State = {}

    def __len__(self) -> int:
        return sum(map(len, self._tracks.values()))

    def mark(self) -> State:
        """Note where we are, for `restore`."""
        return dict(self._tracks)

    def restore(self, state: State) -> None:
        """Forget all that came after a `mark`."""
        self._tracks = dict(state)

    def follow(self, frames: Sequence[Frame], found: Recognised, shoot: Shoot) -> list[tuple[Track, int]]:
        """Take in the plates of some frames.

        Parameters
        ----------
        frames
            In the order in which they came; frames of a camera may be out of their order in time.
        found
            Their plates; `Recognised.image` is the row in `frames`.
        shoot
            Called for a row whose pictures are to be kept, before the next frame.

        Returns
        -------
        The tracks whose read is to be sent, each once and as it stands after the last frame, and the row that
        called for it. A frame that is delivered again adds nothing, and has the reads of its plates sent again.
        """
        told: dict[str, tuple[Track, int]] = {}
        looks = looks_of(found)
        bounds = np.searchsorted(found.image, np.arange(len(frames) + 1)).tolist()
        for frame, begin, end in zip(frames, bounds[:-1], bounds[1:], strict=True):
            rows = range(begin, end)
            for track, row in self._follow(frame, [looks[row] for row in rows], rows, shoot):
                told[track.read_id] = track, row
        return list(told.values())

    def _follow(
        self, frame: Frame, looks: Sequence[Look], rows: Sequence[int], shoot: Shoot
    ) -> Iterator[tuple[Track, int]]:
        at_ns = frame.captured_at_ns
        tracks = [track for track in self._tracks.pop(frame.camera, ()) if track.is_open(at_ns)]
        fresh: list[Track] = []
        for look, row, number in zip(looks, rows, _assigned(tracks, looks, at_ns), strict=True):
            if number is not None and frame.capture_id in tracks[number].captures:
                yield tracks[number], row
                continue
            track = _begun(frame, look) if number is None else tracks[number].with_look(frame, look)
            if number is None or look.quality > _BETTER * track.best.quality:
                patch, picture = shoot(row)
                track = replace(track, best=look, best_frame=frame, patch=patch, picture=picture)
            text, frames = track.text[0], track.leading.frames
            said, rested_on = track.told
            # So a vehicle that is in view for long is told of a few times, not with every frame.
            calls = text != said or frames >= 2 * rested_on
            if calls:
                track = replace(track, told=(text, frames))
            if number is None:
                fresh.append(track)
            else:
                tracks[number] = track
            if calls:
                yield track, row
        if kept := (*tracks, *fresh)[-MAX_OF_CAMERA:]:
            self._tracks[frame.camera] = kept
        while len(self) > MAX_TRACKS:
            del self._tracks[next(iter(self._tracks))]


def _begun(frame: Frame, look: Look) -> Track:
    return Track(
        read_id=derive_id("read", frame.capture_id, *look.box),
        first_ns=frame.captured_at_ns,
        captures=(frame.capture_id,),
        place=Place.of(look.box, frame.captured_at_ns),
        rivals=(Evidence.of(look),),
        countries=frozenset({look.country} if look.country else ()),
        best=look,
        best_frame=frame,
    )


def _assigned(tracks: Sequence[Track], looks: Sequence[Look], at_ns: int) -> list[int | None]:
    """For each plate of a frame the number of the track that it continues, or None; no track has two."""
    scores = _scores(tracks, looks, at_ns)
    assigned: list[int | None] = [None] * len(looks)
    # The likeliest pair first.
    for pair in np.argsort(-scores, axis=None, kind="stable").tolist():
        number, look = divmod(pair, len(looks))
        if scores[number, look] <= 0:
            break
        if assigned[look] is None and number not in assigned:
            assigned[look] = number
    return assigned


def _scores(tracks: Sequence[Track], looks: Sequence[Look], at_ns: int) -> NDArray[np.float64]:
    """How likely each plate continues each track, ``(T, K)``; 0 where it is another vehicle."""
    scores = np.zeros((len(tracks), len(looks)))
    if not scores.size:
        return scores
    owners = [number for number, track in enumerate(tracks) for _ in track.rivals]
    known = [each for track in tracks for each in track.rivals]
    # Chance that both are looks at the same character, for each slot.
    agree = np.einsum("rsc,ksc->rks", [each.shares for each in known], [look.shares for look in looks])
    same_length = np.equal.outer([each.length for each in known], [len(look.text) for look in looks])
    same, least = agree.prod(axis=2), agree.min(axis=2)
    for number, track in enumerate(tracks):
        own = np.equal(owners, number)
        for column, look in enumerate(looks):
            alike = own & same_length[:, column]
            if (least[alike, column] < CONTRADICTION).any():
                continue
            if (same[alike, column] >= CERTAINTY).any():
                scores[number, column] = 1 + same[alike, column].max()
            elif track.place.may_be(Place.of(look.box, at_ns)):
                if alike.any():
                    scores[number, column] = same[alike, column].max()
                elif _may_be_cut(track, look):
                    scores[number, column] = CONTRADICTION**alphabet.SLOTS
    return scores


def _may_be_cut(track: Track, look: Look) -> bool:
    """Whether two texts of different lengths may be of one plate: one is unsure, and lacks a piece."""
    if min(track.leading.weight / track.leading.frames, look.confidence) >= UNSURE:
        return False
    one, other = sorted((track.text[0], look.text), key=len)
    before = _common(one, other)
    return before + _common(one[::-1], other[::-1]) >= len(one) - 1


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    differs = (number for number, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differs, min(len(one), len(other)))
