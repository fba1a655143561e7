"""The hotlist desk: the one way to do a thing with hotlists, for the admin endpoint and for the console."""

from __future__ import annotations

import redis.asyncio as aioredis

from hotlists.deskstore import DeskStore
from hotlists.entries import Entries
from hotlists.ledger import Ledger
from hotlists.lookback import Lookbacks
from hotlists.notes import Notes
from hotlists.people import Recorder
from hotlists.register import Register
from hotlists.staging import Staging


class Desk:
    """Everything that is done with hotlists, each by who may, each with a line in the audit trail.

    Parameters
    ----------
    client
        The Redis of the lists.
    recorder
        The audit trail.

    Attributes
    ----------
    register
        The lists themselves: make, describe, archive; how they stand.
    staging
        Upload, preview, publish, roll back.
    entries
        Single entries: add, remove, find; export.
    """

    def __init__(self, client: aioredis.Redis, recorder: Recorder) -> None:
        self.store = DeskStore(client)
        ledger, notes = Ledger(self.store, recorder), Notes(client)
        self.register = Register(ledger, notes)
        self.staging = Staging(ledger, notes, Lookbacks(client))
        self.entries = Entries(ledger, notes)
