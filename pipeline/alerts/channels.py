"""How a receiver is told: through Apprise, or by our own signed webhook. One attempt each; `notify` retries."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

import httpx
import msgspec

from pipeline.alerts import signature
from pipeline.alerts.receivers import Receiver

TIMEOUT_S: Final = 10.0
LONGEST_DETAIL: Final = 500


@dataclass(frozen=True, slots=True)
class Telling:
    """What a receiver is told."""

    delivery_id: str
    title: str
    body: str
    urgent: bool
    data: dict[str, Any]
    """What the webhook carries beside title and body."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether it arrived, and what the other side said."""

    delivered: bool
    detail: str


async def tell(receiver: Receiver, telling: Telling, client: httpx.AsyncClient) -> Outcome:
    """Make one attempt; what goes wrong is an outcome, not an error."""
    webhook = receiver.webhook
    if webhook is None:
        return await asyncio.to_thread(_by_apprise, receiver, telling)
    return await _by_webhook(webhook, receiver, telling, client)


async def _by_webhook(url: str, receiver: Receiver, telling: Telling, client: httpx.AsyncClient) -> Outcome:
    body = msgspec.json.encode({"title": telling.title, "body": telling.body, **telling.data})
    headers = signature.headers(receiver.secret, int(time.time()), body, key=telling.delivery_id)
    try:
        # A redirect is not followed: the secret signs for this receiver alone.
        answer = await client.post(
            url,
            content=body,
            headers={**headers, "Content-Type": "application/json"},
            timeout=TIMEOUT_S,
            follow_redirects=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Outcome(False, f"{type(error).__name__}: no answer")
    return Outcome(answer.is_success, f"HTTP {answer.status_code}")


def _by_apprise(receiver: Receiver, telling: Telling) -> Outcome:
    import apprise

    channel = apprise.Apprise.instantiate(receiver.url, suppress_exceptions=True)
    if channel is None:
        return Outcome(False, "url is no address that Apprise knows")
    kind = apprise.NotifyType.FAILURE if telling.urgent else apprise.NotifyType.INFO
    said = _Said()
    logger = logging.getLogger("apprise")
    logger.addHandler(said)
    try:
        delivered = bool(channel.notify(body=telling.body, title=telling.title, notify_type=kind))
    except Exception as error:
        # More than a hundred services, each with its own ways to fail: none of them may stop the others.
        return Outcome(False, type(error).__name__)
    finally:
        logger.removeHandler(said)
    return Outcome(delivered, "" if delivered else said.text() or "not accepted by the service")


class _Said(logging.Handler):
    """What Apprise logs while one notification is sent from this thread: its only word on why it failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._lines.append(record.getMessage())

    def text(self) -> str:
        return " ".join(self._lines)[:LONGEST_DETAIL]
