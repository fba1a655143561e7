"""The webhook's signature, as its receiver checks it."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from pipeline.alerts import signature

SECRET = "een geheim van de zone"
BODY = b'{"title": "KRITIEK"}'
AT_S = 1_700_000_000


def test_the_signature_is_the_hmac_that_the_documentation_describes() -> None:
    expected = hmac.new(SECRET.encode(), b"1700000000." + BODY, hashlib.sha256).hexdigest()
    assert signature.sign(SECRET, AT_S, BODY) == f"v1={expected}"


def test_what_was_sent_is_ours() -> None:
    headers = signature.headers(SECRET, AT_S, BODY, key="d1")
    given = headers["X-Kruispunt-Timestamp"], BODY, headers["X-Kruispunt-Signature"]
    assert signature.verify(SECRET, *given, now_s=AT_S + 10)
    assert headers["Idempotency-Key"] == "d1"


@pytest.mark.parametrize(
    ("secret", "timestamp", "body", "now_s"),
    [
        ("een ander geheim", str(AT_S), BODY, AT_S),
        (SECRET, str(AT_S + 1), BODY, AT_S),
        (SECRET, str(AT_S), BODY + b" ", AT_S),
        (SECRET, str(AT_S), BODY, AT_S + signature.TOLERANCE_S + 1),
        (SECRET, str(AT_S), BODY, AT_S - signature.TOLERANCE_S - 1),
        (SECRET, "", BODY, AT_S),
        (SECRET, "-1", BODY, AT_S),
        (SECRET, "1e9", BODY, AT_S),
        (SECRET, "²", BODY, AT_S),
        (SECRET, "9" * 400, BODY, AT_S),
    ],
)
def test_anything_else_is_not(secret: str, timestamp: str, body: bytes, now_s: float) -> None:
    given = signature.sign(SECRET, AT_S, BODY)
    assert not signature.verify(secret, timestamp, body, given, now_s=now_s)


@pytest.mark.parametrize("given", ["", "v1=", "v2=" + "0" * 64, "é", "v1=" + "0" * 64])
def test_a_signature_that_is_none_is_refused(given: str) -> None:
    assert not signature.verify(SECRET, str(AT_S), BODY, given, now_s=AT_S)
