"""Slack's HTTP side: signed requests to the bot's request URL."""

from __future__ import annotations

import json
import time
from urllib.parse import urlencode

import aiohttp

from .clock import Clock, Timing
from .deliveries import Attempt, Delivery, timed
from .signatures import forge, sign
from .wire import JsonObject


def encode(delivery: Delivery) -> tuple[bytes, str]:
    """The request's body and content type: events are JSON, commands a form, interactions a form around JSON."""
    if delivery.kind == "events_api":
        return json.dumps(delivery.payload).encode(), "application/json"
    form = delivery.payload if delivery.kind == "slash_commands" else {"payload": json.dumps(delivery.payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


class Webhooks:
    """Delivers to one request URL."""

    def __init__(self, url: str, *, secret: str, clock: Clock, timing: Timing) -> None:
        self.url = url
        self.sent: list[tuple[bytes, dict[str, str]]] = []
        self._secret, self._clock, self._timing = secret, clock, timing

    async def attempt(self, delivery: Delivery, number: int, reason: str | None) -> Attempt:
        """One signed POST; 2xx within 3 s takes the payload."""
        body, content_type = encode(delivery)
        headers = {"Content-Type": content_type, "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)"}
        if reason:
            headers |= {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
        # Signed with the wall clock, not Slack's: the bot compares with its own, which a test cannot advance.
        headers |= sign(self._secret, body, int(time.time()))
        self.sent.append((body, headers))
        return await timed(self._clock, self._timing.ack, number, lambda: self._post(body, headers, number))

    async def _post(self, body: bytes, headers: dict[str, str], number: int) -> Attempt:
        began = self._clock.now()
        try:
            status, received, text = await self.send(body, headers)
        except aiohttp.ClientError:
            return Attempt(number=number, seconds=self._clock.now() - began, failure="connection_failed")
        taken = 200 <= status < 300
        return Attempt(
            number=number,
            seconds=self._clock.now() - began,
            failure=None if taken else "http_error",
            status=status,
            answer=_answer(text) if taken else None,
            final=not taken and received.get("X-Slack-No-Retry") == "1",
        )

    async def send(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
        """POST these very bytes and headers (to replay one of ``sent``). Status, headers and text."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            return response.status, dict(response.headers), await response.text()

    async def verify_url(self) -> bool:
        """Slack's handshake when a request URL is set: the challenge must come back."""
        body = json.dumps({"type": "url_verification", "token": "t", "challenge": "say-this"}).encode()
        headers = {"Content-Type": "application/json", **sign(self._secret, body, int(time.time()))}
        status, _, text = await self.send(body, headers)
        return status == 200 and "say-this" in text

    async def send_forged(self, delivery: Delivery) -> int:
        """The payload from someone who does not know the signing secret. The bot's HTTP status."""
        body, content_type = encode(delivery)
        headers = {"Content-Type": content_type, **forge(self._secret, body, int(time.time()))}
        return (await self.send(body, headers))[0]

    async def send_old(self, delivery: Delivery, *, age: int = 301) -> int:
        """The payload, rightly signed ``age`` seconds ago. The bot's HTTP status."""
        body, content_type = encode(delivery)
        headers = {"Content-Type": content_type, **sign(self._secret, body, int(time.time()) - age)}
        return (await self.send(body, headers))[0]


def _answer(text: str) -> JsonObject | None:
    if not text:
        return None
    try:
        decoded = json.loads(text)
    except ValueError:
        return {"text": text}
    return decoded if isinstance(decoded, dict) else None
