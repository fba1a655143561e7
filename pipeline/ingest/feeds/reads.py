"""Reads out of checked fields, and what only describes a read.

Where and when a vehicle was captured, its plate and the vendor's confidence decide about a hit: when one of
them is wrong, the read is refused (`fields`). Country, candidates, box and picture only describe it: when one
of them is odd, the read goes on without it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.ingest.feeds.fields import MAX_TEXT, PLACEHOLDERS
from pipeline.model import MAX_PATCH_BYTES, Box, PlateRead, derive_id
from plates.normalise import normalise

_MAX_CANDIDATES: Final = 20
# A candidate list is a tail cut short; what it leaves out is worth about one unlisted candidate.
_LEFT_OUT: Final = 0.05
# A wrong country loses the hit, an unknown one does not: a country that the vendor guesses is unknown.
_SURE_OF_COUNTRY: Final = 0.8
_MAX_PIXEL: Final = 65_535
_JPEG: Final = b"\xff\xd8\xff"


def make_read(source: str, camera: str, captured_at_ns: int, text: str, **more: Any) -> PlateRead:
    """Make a read whose id is its content: the same plate at the same camera and time is the same read."""
    plate = normalise([text])[0]
    return PlateRead(
        read_id=derive_id("read", source, camera, captured_at_ns, plate),
        capture_id=derive_id("capture", source, camera, captured_at_ns),
        camera=camera,
        captured_at_ns=captured_at_ns,
        text=text,
        plate=plate,
        source=source,
        **more,
    )


def country_of(code: Any, sure: Any = None) -> str:
    """Country of a vendor's region code (``be``, ``us-ca``, ``eu-be``); the empty string where it is unknown.

    Parameters
    ----------
    sure
        How sure the vendor is, 0 to 1; None where it does not say.
    """
    if not isinstance(code, str) or not (sure is None or (_is_number(sure) and sure >= _SURE_OF_COUNTRY)):
        return ""
    first, _, rest = code.strip().upper().partition("-")
    country = rest if first == "EU" else first
    return country if len(country) == 2 and country.isascii() and country.isalpha() else ""


def box_of(left: Any, top: Any, right: Any, bottom: Any) -> Box | None:
    """A box from its corners; None unless all four are whole pixels of a picture, in order."""
    corners = (left, top, right, bottom)
    if not all(type(each) is int and 0 <= each <= _MAX_PIXEL for each in corners):
        return None
    if right <= left or bottom <= top:
        return None
    return Box(x=left, y=top, w=right - left, h=bottom - top)


def patch_of(picture: bytes | None) -> bytes | None:
    """The picture where it can be a read's patch: a JPEG of at most `MAX_PATCH_BYTES`; else None."""
    if picture is None or len(picture) > MAX_PATCH_BYTES or not picture.startswith(_JPEG):
        return None
    return picture


def patch_from_base64(text: Any) -> bytes | None:
    """As `patch_of`, from base64 in a message."""
    if not isinstance(text, str) or len(text) > MAX_PATCH_BYTES * 4 // 3 + 4:
        return None
    return patch_of(picture_from_base64(text))


def picture_from_base64(text: Any) -> bytes | None:
    """A JPEG of any size from base64 in a message; None when it is none. The gateway makes it smaller."""
    if not isinstance(text, str):
        return None
    try:
        picture = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return picture if picture.startswith(_JPEG) else None


def candidates_of(value: Any, score: str, full: float = 1.0) -> list[tuple[str, float | None]]:
    """Texts that the vendor also thought of, with their scores (0 to 1) where it gives them.

    Parameters
    ----------
    value
        The list of a message: objects with ``plate`` and, named `score`, a number from 0 to `full`.
    """
    found: list[tuple[str, float | None]] = []
    for each in value[:_MAX_CANDIDATES] if isinstance(value, list) else []:
        text = each.get("plate") if isinstance(each, Mapping) else None
        if not isinstance(text, str) or len(text) > MAX_TEXT or not PLACEHOLDERS.isdisjoint(text):
            continue
        given = each.get(score)
        sane = _is_number(given) and 0.0 <= given <= full
        found.append((text, given / full if sane else None))
    return found


def characters_of(
    text: str, confidence: float | None, candidates: Sequence[tuple[str, float | None]]
) -> list[dict[str, float]] | None:
    """Per-slot character probabilities of a read, from the texts that the vendor also thought of.

    Vendors' scores are no distribution: each is how good that text looks by itself, and they add up to far more
    than one. So the read's own text has its confidence (and, being ranked first, never less than an equal
    share), and the other texts of its length share the rest by their scores. `_LEFT_OUT` of the whole, spread
    over the slots, stays unassigned, so that no character is certain because the list was short.

    None where nothing is said of where the text is unsure.
    """
    best, *others = normalise([text, *(each for each, _ in candidates)])
    scored = all(score is not None for _, score in candidates)
    weights: dict[str, float] = {}
    for other, (_, score) in zip(others, candidates, strict=True):
        if other != best and len(other) == len(best):
            weights[other] = max(weights.get(other, 0.0), score if scored and score is not None else 1.0)
    total = sum(weights.values())
    if not best or confidence is None or total <= 0:
        return None
    own = min(max(confidence, 1 / (len(weights) + 1)), 1 - _LEFT_OUT)
    shares = {best: own, **{other: (1 - own) * weight / total for other, weight in weights.items()}}
    kept = 1 - _LEFT_OUT / len(best)
    slots: list[dict[str, float]] = [{} for _ in best]
    for each, part in shares.items():
        for slot, character in zip(slots, each, strict=True):
            slot[character] = slot.get(character, 0.0) + part * kept
    return [{character: round(part, 4) for character, part in slot.items()} for slot in slots]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
