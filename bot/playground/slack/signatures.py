"""Slack's request signing (docs.slack.dev, authentication/verifying-requests-from-slack), right and forged."""

from __future__ import annotations

import hashlib
import hmac


def sign(secret: str, body: bytes, timestamp: int) -> dict[str, str]:
    """The headers that prove a request: ``v0=`` and the HMAC-SHA256 of ``v0:{timestamp}:{body}``."""
    digest = hmac.new(secret.encode(), b"v0:%d:%b" % (timestamp, body), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": f"v0={digest}"}


def forge(secret: str, body: bytes, timestamp: int) -> dict[str, str]:
    """Headers of someone who does not know the secret: a signature of the right form that is wrong."""
    headers = sign(secret, body, timestamp)
    digest = headers["X-Slack-Signature"].removeprefix("v0=")
    return {**headers, "X-Slack-Signature": f"v0={digest[::-1]}"}
