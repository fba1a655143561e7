"""Who was told of an alert, in plain words: for the operator who must know whether to call."""

from __future__ import annotations

import re
from typing import Any, Final

from console.messages import text
from pipeline.alerts.deliveries import Attempt, Delivery

_MS: Final = 1_000_000
_HTTP: Final = re.compile(r"HTTP ([1-5][0-9]{2})")


def delivery_line(delivery: Delivery, language: str) -> dict[str, Any]:
    """Turn a notification to one receiver into what the details show; times in ms since the epoch, UTC."""
    last = delivery.attempts[-1] if delivery.attempts else None
    return {
        "receiver": delivery.receiver,
        "kind_word": text(f"delivery.kind.{delivery.kind.value}", language),
        "state": delivery.state.value,
        "state_word": text(f"delivery.state.{delivery.state.value}", language),
        "attempts": len(delivery.attempts),
        "at_ms": (delivery.created_at_ns if last is None else last.at_ns) // _MS,
        "next_ms": None if delivery.next_at_ns is None else delivery.next_at_ns // _MS,
        "problem": "" if last is None or last.delivered else problem(last, language),
    }


def problem(attempt: Attempt, language: str) -> str:
    """Say why an attempt failed.

    What the other side answered in words of its own may hold anything, an address with a key as well: it is not
    repeated.
    """
    status = _HTTP.fullmatch(attempt.detail)
    if status is not None:
        key = "delivery.broken" if status[1].startswith("5") else "delivery.refused"
        return f"{text(key, language)} (HTTP {status[1]})"
    if attempt.detail.endswith(": no answer"):
        return text("delivery.silent", language)
    return text(_SAID.get(attempt.detail, "delivery.other"), language)


_SAID: Final = {
    "no longer among the receivers": "delivery.gone",
    "url is no address that Apprise knows": "delivery.address",
    "not sent: not an alert for units": "delivery.not_for_units",
}
