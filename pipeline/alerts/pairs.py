"""Labelled pairs: what was read, and what is on the plate by the word of an operator who looked.

They say how the readers of a zone err: `plates.confusion.estimate` makes its table of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from sqlalchemy import and_, or_, select
from sqlalchemy import func as sql

from hotlists.entry import SHORTEST_PLATE
from pipeline.alerts.database import Database
from pipeline.alerts.rows import Verdict
from pipeline.alerts.tables import ACKNOWLEDGEMENTS, ALERTS, TRUE_PLATES
from pipeline.alerts.trail import Deed, Trail
from pipeline.model import Alert, Hit, ReadKind, decode
from plates import alphabet
from plates.normalise import normalise

COLUMNS: Final = ("seen", "true")
"""What `plates.confusion.read_pairs` looks for."""
_ROWS: Final = 1000
"""Alerts that are looked at together."""
_WILD: Final = re.compile(r"[?*？＊]")
_SEPARATES: Final = re.compile(r"[,;|\t\r\n]")
_ANY: Final = {"?": ".", "*": ".*"}

Pair = tuple[str, str]
WrongPlate = Literal["wild", "several", "letters", "few", "long", "listed", "verdict"]


class TruePlateError(ValueError):
    """What was given as the text on the plate cannot be it, or cannot go with this verdict.

    Parameters
    ----------
    code
        ``wild``: it has ``?`` or ``*``; ``several``: it is more than one; ``letters``: it has others than A to Z;
        ``few``, ``long``: it has fewer characters than a plate, or more; ``listed``: it is what is looked for, so
        that the hit was right; ``verdict``: the verdict is not that the plate was misread.
    """

    def __init__(self, code: WrongPlate) -> None:
        super().__init__(f"no true plate: {code}")
        self.code: WrongPlate = code


def true_plate(given: str) -> str:
    """Normalise the text that somebody saw on a plate; empty where they gave none.

    Raises
    ------
    TruePlateError
        It is no whole plate. Nothing is left out of it in silence: what remained would be another vehicle's.
    """
    if not given.strip():
        return ""
    if _WILD.search(given):
        raise TruePlateError("wild")
    if _SEPARATES.search(given.strip()):
        raise TruePlateError("several")
    if not given.isascii() and any(each.isalnum() and not normalise([each])[0] for each in given):
        raise TruePlateError("letters")
    plate = normalise([given])[0]
    if len(plate) < SHORTEST_PLATE:
        raise TruePlateError("few")
    if len(plate) > alphabet.SLOTS:
        raise TruePlateError("long")
    return plate


def check_not_listed(plate: str, hit: Hit) -> None:
    """Refuse a true plate that is what the hit's entry looks for.

    Whoever says "misread" then has the vehicle that is looked for before them, and would let it pass.

    Raises
    ------
    TruePlateError
        It is the entry's plate, or fits its pattern.
    """
    wanted = "".join(_ANY.get(each, each) for each in hit.entry.plate)
    if plate and re.fullmatch(wanted, plate):
        raise TruePlateError("listed")


class Pairs:
    """The labelled pairs that the verdicts are."""

    def __init__(self, database: Database, trail: Trail) -> None:
        self._database, self._trail = database, trail

    async def take(self, *, who: str, why: str) -> list[Pair]:
        """Return what is known of ``(seen, true)``, and leave a line in the audit trail of who took it and why.

        One pair for each open alert whose latest verdict tells what is on the plate: the true plate of one that
        was misread, and of a confirmed one what is listed, for that is what the operator saw. A confirmed pattern
        tells it of some characters alone, and gives none. Nothing of a covert alert is in it.

        Returns
        -------
        list of tuple of str
            Normalised texts, in the order of the texts: when and where a vehicle passed cannot be told from them.
        """
        async with self._database.read() as connection:
            pairs = [
                pair
                async for rows in (await connection.stream(_TOLD)).partitions(_ROWS)
                for row in rows
                if (pair := _pair(decode(row.payload, Alert).hit, Verdict(row.verdict), row.plate)) is not None
            ]
        await self._trail.add(Deed(who, "confusion.export", f"{len(pairs)} pairs", why))
        return sorted(pairs)


def _pair(hit: Hit, verdict: Verdict, plate: str | None) -> Pair | None:
    if verdict is Verdict.MISREAD:
        return None if plate is None else (hit.read.plate, plate)
    return None if hit.kind is ReadKind.PATTERN else (hit.read.plate, hit.entry.plate)


def as_csv(pairs: Sequence[Pair]) -> str:
    """Write pairs as `plates.confusion.read_pairs` reads them; texts of digits and capitals need no quotes."""
    return "".join(f"{seen},{true}\n" for seen, true in (COLUMNS, *pairs))


_LATEST: Final = (
    select(sql.max(ACKNOWLEDGEMENTS.c.number))
    .where(ACKNOWLEDGEMENTS.c.alert_id == ALERTS.c.alert_id)
    .scalar_subquery()
)
_TOLD: Final = (
    select(ALERTS.c.payload, ALERTS.c.verdict, TRUE_PLATES.c.plate)
    .select_from(ALERTS)
    .outerjoin(TRUE_PLATES, and_(TRUE_PLATES.c.alert_id == ALERTS.c.alert_id, TRUE_PLATES.c.number == _LATEST))
    .where(ALERTS.c.covert.is_(False))
    .where(
        or_(
            ALERTS.c.verdict == Verdict.CONFIRMED.value,
            and_(ALERTS.c.verdict == Verdict.MISREAD.value, TRUE_PLATES.c.plate.is_not(None)),
        )
    )
)
