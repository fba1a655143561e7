"""From alert to draft information report (RIR), and the codes that a report is evaluated with.

What the codes mean, and what is public about them: `docs/rir.md`.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final

from hotlists.entry import Handling
from pipeline.alerts.routing import Recipient
from pipeline.alerts.wording import Wording
from pipeline.model import Alert, Attachment, RirDraft, derive_id

DUTCH: Final = Wording()
PATCH: Final = "plaat.jpg"
PICTURE: Final = "voertuig.jpg"


class SourceEvaluation(StrEnum):
    """How reliable the source is."""

    A = "A"
    """No doubt: proved reliable in all instances."""
    B = "B"
    """Reliable in most instances."""
    C = "C"
    """Unreliable in most instances."""
    D = "D"
    """Unreliable, or not tried."""
    X = "X"
    """Cannot be assessed."""


class InformationEvaluation(StrEnum):
    """How accurate the information is."""

    ONE = "1"
    """Its accuracy is not in doubt."""
    TWO = "2"
    """Known personally to the source, not to who passes it on."""
    THREE = "3"
    """Not known personally to the source, but corroborated by what is recorded already."""
    FOUR = "4"
    """Not known personally to the source, and not corroborated."""
    X = "X"
    """Cannot be assessed."""


class HandlingCode(StrEnum):
    """What the receiver may do with a report."""

    H0 = "H0"
    """Used within the law, without further restriction."""
    H1 = "H1"
    """Not disclosed in judicial proceedings without the provider's permission."""
    H2 = "H2"
    """Not passed on without the provider's permission."""
    H3 = "H3"
    """Other restrictions, named in the report."""


def draft(alert: Alert, wording: Wording = DUTCH) -> RirDraft | None:
    """Draft the report that an alert calls for, or None where `Recipient.RIR` does not receive it."""
    return report(alert, wording) if Recipient.RIR.value in alert.recipients else None


def report(alert: Alert, wording: Wording = DUTCH) -> RirDraft:
    """Draft the report of an alert. One alert is one report however often it is drafted: the id is derived.

    The evaluation codes say that nobody has evaluated yet: that is for a person to do.
    """
    hit, read, entry = alert.hit, alert.hit.read, alert.hit.entry
    covert = entry.handling is Handling.COVERT
    return RirDraft(
        rir_id=derive_id("rir", alert.alert_id),
        alert_id=alert.alert_id,
        created_at_ns=alert.created_at_ns,
        handling=entry.handling,
        hotlist=entry.hotlist,
        reason=entry.reason,
        plate_listed=entry.plate,
        plate_read=read.plate,
        camera=read.camera,
        captured_at_ns=read.captured_at_ns,
        zone=alert.zone,
        legal_basis=entry.legal_basis,
        posterior=hit.posterior,
        patch_sha256=hashlib.sha256(read.patch).hexdigest() if read.patch else "",
        who=wording.text("who").format(plate=entry.plate),
        what=wording.text("what").format(hotlist=entry.title or entry.hotlist),
        place=wording.place(read.camera),
        source=wording.text("source").format(camera=wording.camera(read.camera)),
        source_evaluation=SourceEvaluation.X,
        information_evaluation=InformationEvaluation.X,
        handling_code=HandlingCode.H2 if covert else HandlingCode.H0,
        attachments=attachments({PATCH: read.patch, PICTURE: read.picture}),
    )


def attachments(pictures: dict[str, bytes | None]) -> list[Attachment]:
    """Make the attachments of the pictures that are there, with their content."""
    return [
        Attachment(
            name=name,
            media_type="image/jpeg",
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            content=content,
        )
        for name, content in pictures.items()
        if content
    ]
