"""Tell units of the alerts that were released to them: at once, again where it fails, and further up in the end.

At least once: a notifier that falls between sending and noting sends again, under the same ``Idempotency-Key``.
Never a covert alert: the queries leave it out, and `assert_open` stands once more before every message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import httpx

from hotlists.entry import Handling, Priority
from pipeline import telemetry
from pipeline.alerts.channels import Outcome, Telling, tell
from pipeline.alerts.deliveries import Due, Kind
from pipeline.alerts.receivers import Receiver
from pipeline.alerts.routing import Recipient
from pipeline.alerts.store import AlertStore
from pipeline.alerts.wording import Wording
from pipeline.cameras import Camera
from pipeline.model import Alert
from pipeline.settings import Settings

log = logging.getLogger(__name__)

BACKOFF_S: Final = (5.0, 15.0, 60.0, 300.0, 900.0)
"""How long to wait after each failed attempt; the last one holds for all that follow."""
_URGENT: Final = frozenset({Priority.CRITICAL, Priority.HIGH})
_ZONE: Final = ZoneInfo("Europe/Brussels")


class CovertAlertError(RuntimeError):
    """Units were about to be told of an alert that is not for them: a defect of ours; nothing was sent."""


class Notifier:
    """Opens rounds, escalates them, and makes the deliveries that are due.

    Parameters
    ----------
    settings
        How often to try, when to escalate, and the address in the link.
    store
        An open store.
    receivers
        By name; see `load_receivers`.
    client
        What webhooks are sent with.
    cameras
        By id, for their names.
    """

    def __init__(
        self,
        settings: Settings,
        store: AlertStore,
        receivers: Mapping[str, Receiver],
        client: httpx.AsyncClient,
        cameras: Mapping[str, Camera],
    ) -> None:
        self._settings = settings
        self._store = store.deliveries
        self._receivers = receivers
        self._client = client
        self._wording = Wording(settings.zone_language, cameras)

    async def step(self) -> int:
        """Do what is due now; return how many deliveries were tried."""
        wait_ns = int(self._settings.escalate_after_s * 1e9)
        await self._store.withdraw()
        for opened in await self._store.unopened():
            names = self._at_level(opened.alert, 0)
            await self._store.open_round(opened, names, escalate_at_ns=telemetry.now_ns() + wait_ns)
        now_ns = telemetry.now_ns()
        for late in await self._store.unanswered(now_ns):
            level = late.level + 1
            more = any(each.level > level for each in self._receivers.values())
            names = self._at_level(late.alert, level)
            await self._store.escalate(late, names, again_at_ns=now_ns + wait_ns if more else None)
            telemetry.MESSAGES.labels("notify", "escalated").inc()
        due = await self._store.take_due(telemetry.now_ns())
        await asyncio.gather(*(self._deliver(each) for each in due))
        return len(due)

    def _at_level(self, alert: Alert, level: int) -> list[str]:
        return [each.name for each in self._receivers.values() if each.level == level and each.wants(alert)]

    async def _deliver(self, due: Due) -> None:
        receiver = self._receivers.get(due.receiver)
        if receiver is None:
            outcome, last = Outcome(False, "no longer among the receivers"), True
        else:
            outcome = await self._tell(receiver, due)
            last = due.attempts + 1 >= self._settings.notify_attempts
        wait_s = BACKOFF_S[min(due.attempts, len(BACKOFF_S) - 1)]
        retry_at_ns = None if outcome.delivered or last else telemetry.now_ns() + int(wait_s * 1e9)
        await self._store.note(due, delivered=outcome.delivered, detail=outcome.detail, retry_at_ns=retry_at_ns)
        if outcome.delivered:
            telemetry.MESSAGES.labels("notify", "delivered").inc()
        elif not last:
            telemetry.MESSAGES.labels("notify", "retry").inc()
        else:
            telemetry.MESSAGES.labels("notify", "failed").inc()
            log.error("%s was not told, and will not be: %s", due.receiver, outcome.detail)

    async def _tell(self, receiver: Receiver, due: Due) -> Outcome:
        try:
            assert_open(due.alert)
        except CovertAlertError as error:
            log.critical("%s", error)
            return Outcome(False, "not sent: not an alert for units")
        return await tell(receiver, self._telling(receiver, due), self._client)

    def _telling(self, receiver: Receiver, due: Due) -> Telling:
        alert, entry = due.alert, due.alert.hit.entry
        last = alert.sightings[-1]
        words = self._wording
        seen = datetime.fromtimestamp(last.captured_at_ns // 1_000_000_000, UTC).astimezone(_ZONE)
        link = f"{self._settings.public_url.rstrip('/')}/unit" if self._settings.public_url else ""
        data: dict[str, object] = {
            "kind": due.kind.value,
            "alert_id": alert.alert_id,
            "priority": entry.priority.value,
            "zone": alert.zone,
            "camera": last.camera,
            "captured_at_ns": last.captured_at_ns,
            "link": link,
        }
        lines = [words.text(f"told.{due.kind}"), f"{words.camera(last.camera)}, {seen:%H:%M:%S %Z}"]
        if receiver.full:
            lines += [f"{entry.plate}: {entry.title or entry.hotlist}", entry.reason]
            data |= {"plate": entry.plate, "hotlist": entry.hotlist, "reason": entry.reason}
        title = words.text("told.title").format(priority=words.text(f"told.priority.{entry.priority}"))
        if due.kind is Kind.WITHDRAWN:
            title = words.text("told.title.withdrawn")
        body = "\n".join(line for line in (*lines, link) if line)
        return Telling(due.delivery_id, title, body, entry.priority in _URGENT, data)


def assert_open(alert: Alert) -> None:
    """Stop what must never leave.

    Raises
    ------
    CovertAlertError
        The alert is covert, or is not for interventie.
    """
    if alert.hit.entry.handling is not Handling.OPEN or Recipient.INTERVENTIE.value not in alert.recipients:
        raise CovertAlertError(f"alert {alert.alert_id} is not for units; nothing was sent")
