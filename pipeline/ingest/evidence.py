"""What several looks at one plate say together: the product of their posteriors, slot by slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hotlists.columns import pack_country, unpack_country
from pipeline.ingest.decoding import likeliest
from plates import alphabet

if TYPE_CHECKING:
    from pipeline.ingest.recognise import Recognised

ALIKE: Final = 0.5
"""How alike the frames of one vehicle are: they share its dirt, its typeface and its light, so n of them count as
n / (1 + (n - 1) * ALIKE) that know nothing of each other."""
_FLOOR: Final = 1e-4
"""No frame is surer than this of what a character is not: one alone must not outvote all that follow."""


@dataclass(frozen=True, slots=True)
class Look:
    """One plate on one frame.

    Attributes
    ----------
    shares
        float32 ``(SLOTS, 37)``: P(code) per slot.
    text, confidence, country
        What is read; the country is empty where it is unknown.
    box
        Where: x, y, w, h in pixels of the frame.
    """

    shares: NDArray[np.float32]
    text: str
    confidence: float
    country: str
    box: tuple[int, int, int, int]

    @property
    def logs(self) -> NDArray[np.float64]:
        """Logarithms of the shares, none below that of `_FLOOR`."""
        logs: NDArray[np.float64] = np.log(
            (1 - _FLOOR) * self.shares.astype(np.float64) + _FLOOR / self.shares.shape[1]
        )
        return logs

    @property
    def quality(self) -> float:
        """How well a person will see it: read surely, and large."""
        return self.confidence * min(self.box[2], 240)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the frames on which the text has one length say together.

    Attributes
    ----------
    length
        Characters of the text.
    logs
        float64 ``(SLOTS, 37)``: sum of the logarithms of the frames' shares.
    frames
        How many frames.
    weight
        Sum of their confidences.
    """

    length: int
    logs: NDArray[np.float64]
    frames: int
    weight: float

    @property
    def shares(self) -> NDArray[np.float32]:
        """P(code) per slot, float32 ``(SLOTS, 37)``: the product of the frames' posteriors (see `ALIKE`)."""
        logs = self.logs / (1 + (self.frames - 1) * ALIKE)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        normalised: NDArray[np.float32] = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
        return normalised

    def text(self, country: str) -> tuple[str, float]:
        """Say which text of this length it is, of a plate of that country (empty: of any), and how surely."""
        shares = self.shares
        of_length = np.zeros_like(shares)
        of_length[: self.length, 1:] = shares[: self.length, 1:]
        of_length[self.length :, alphabet.PAD] = 1.0
        codes = likeliest(of_length[None], np.array([pack_country(country)], np.uint16))
        chosen = shares[np.arange(len(shares)), codes[0]]
        return alphabet.decode(codes)[0], self.weight if self.frames == 1 else float(chosen.prod())

    @classmethod
    def of(cls, look: Look) -> Evidence:
        """Begin with one frame."""
        return cls(len(look.text), look.logs, 1, look.confidence)

    def with_look(self, look: Look) -> Evidence:
        """Add what one more frame says."""
        return Evidence(self.length, self.logs + look.logs, self.frames + 1, self.weight + look.confidence)


def looks_of(found: Recognised) -> list[Look]:
    """Make the looks of some plates, one each."""
    reads = found.reads
    shares = reads.probabilities
    if shares is None:
        shares = np.eye(len(alphabet.CHARACTERS) + 1, dtype=np.float32)[reads.codes]
    countries = [unpack_country(packed) for packed in reads.country.tolist()]
    columns = (alphabet.decode(reads.codes), reads.confidence.tolist(), countries, found.boxes.tolist())
    return [
        Look(own, text, confidence, country, (x, y, w, h))
        for own, text, confidence, country, (x, y, w, h) in zip(shares, *columns, strict=True)
    ]
