"""The hotlist desk: the one way to do a thing with hotlists, for the admin endpoint and for the console."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import redis.asyncio as aioredis
from redis.exceptions import RedisError

from hotlists.deskstore import DeskStore
from hotlists.entries import Entries
from hotlists.ledger import Ledger
from hotlists.lookback import Lookbacks
from hotlists.notes import Notes
from hotlists.people import Recorder
from hotlists.register import Register
from hotlists.staging import Staging

READY_S: Final = 15.0
"""What is held for the next single entry is brought up to date this often."""


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

    async def keep_ready(self) -> None:
        """Hold what single entries and look-ups are checked against, until cancelled.

        Whoever adds the first one, in a hurry, must not wait until millions of rows are read.
        """
        await asyncio.to_thread(self.entries.warm)
        while True:
            # That Redis is away is said by `health`.
            with contextlib.suppress(RedisError, OSError):
                await self.store.know_live()
            await asyncio.sleep(READY_S)
