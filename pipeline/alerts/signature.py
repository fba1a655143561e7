"""The signature on our webhooks: HMAC-SHA256 over the time and the body; how a receiver checks it.

Three headers come with each request:

| header | value |
| --- | --- |
| ``X-Kruispunt-Timestamp`` | seconds since the epoch, UTC, in decimal |
| ``X-Kruispunt-Signature`` | ``v1=`` and the HMAC in lower-case hexadecimal |
| ``Idempotency-Key`` | the same for every attempt of one delivery |

The HMAC is over the timestamp, a full stop, and the body as it was sent, under the receiver's secret.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

TIMESTAMP_HEADER: Final = "X-Kruispunt-Timestamp"
SIGNATURE_HEADER: Final = "X-Kruispunt-Signature"
KEY_HEADER: Final = "Idempotency-Key"
TOLERANCE_S: Final = 300
_VERSION: Final = "v1="


def sign(secret: str, timestamp_s: int, body: bytes) -> str:
    """Return the signature header's value."""
    message = str(timestamp_s).encode() + b"." + body
    return _VERSION + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def headers(secret: str, timestamp_s: int, body: bytes, *, key: str) -> dict[str, str]:
    """Return the three headers of one request."""
    return {
        TIMESTAMP_HEADER: str(timestamp_s),
        SIGNATURE_HEADER: sign(secret, timestamp_s, body),
        KEY_HEADER: key,
    }


def verify(secret: str, timestamp: str, body: bytes, signature: str, *, now_s: float) -> bool:
    """Tell whether a request is ours and of now; the comparison takes the same time whatever is wrong.

    Parameters
    ----------
    timestamp, signature
        The headers' values, as they came.
    now_s
        Seconds since the epoch; a request more than `TOLERANCE_S` away from it is refused, so that one that was
        overheard cannot be sent again later.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    fresh = abs(now_s - int(timestamp)) <= TOLERANCE_S
    return hmac.compare_digest(sign(secret, int(timestamp), body).encode(), signature.encode()) and fresh
