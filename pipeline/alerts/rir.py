"""From alert to draft information report (RIR)."""

from __future__ import annotations

import hashlib

from pipeline.alerts.routing import Recipient
from pipeline.model import Alert, RirDraft, derive_id


def draft(alert: Alert) -> RirDraft | None:
    """Draft the report that an alert calls for, or None where `Recipient.RIR` does not receive it.

    One alert is one report however often it is drafted: the id is derived.
    """
    if Recipient.RIR.value not in alert.recipients:
        return None
    hit, read = alert.hit, alert.hit.read
    return RirDraft(
        rir_id=derive_id("rir", alert.alert_id),
        alert_id=alert.alert_id,
        created_at_ns=alert.created_at_ns,
        handling=hit.entry.handling,
        hotlist=hit.entry.hotlist,
        reason=hit.entry.reason,
        plate_listed=hit.entry.plate,
        plate_read=read.plate,
        camera=read.camera,
        captured_at_ns=read.captured_at_ns,
        zone=alert.zone,
        legal_basis=hit.entry.legal_basis,
        posterior=hit.posterior,
        patch_sha256=hashlib.sha256(read.patch).hexdigest() if read.patch else "",
    )
