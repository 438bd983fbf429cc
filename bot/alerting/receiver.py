"""`POST /alerts/alertmanager`: Alertmanager's webhook (its version 4), for teams that want no round trip through Slack.

alertmanager: notify/webhook/webhook.go, Message; 2xx is taken, 5xx is tried again, anything else is lost.
"""

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from bot.alerting.intake import body_of
from bot.alerts import Status, Subject, of_labels
from bot.app import Clock
from bot.store import Store, StoreUnavailable, incidents

LOG: Final = logging.getLogger(__name__)
PATH: Final = "/alerts/alertmanager"
LARGEST: Final = 4 << 20
"""Bytes of a body that are read: a thousand alerts with long annotations have about 2 MiB."""
MOST: Final = 5_000
_VERSION: Final = "4"


class Refusal(Exception):  # noqa: N818
    """The request is not taken: HTTP status and one line."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Receiver:
    """Takes webhooks for one channel; a bearer token of the operator's says who may send them."""

    def __init__(self, store: Store, token: str, channel: str, clock: Clock) -> None:
        self._store, self._token, self._channel, self._clock = store, token, channel, clock
        self.taken: Callable[[], None] = lambda: None

    async def on_post(self, request: web.Request) -> web.Response:
        """Keeps the alerts, then says so. A replay keeps nothing: an alert's id is its start and status."""
        try:
            self._check(request)
            alerts = dict(self._items(_parsed(await _body(request))))
            new = await incidents.put_many(self._store, self._channel, alerts, self._clock())
        except Refusal as refusal:
            return web.json_response({"error": refusal.why}, status=refusal.status)
        except StoreUnavailable:
            LOG.exception("the webhook's alerts could not be kept")
            return web.json_response({"error": "the store does not answer"}, status=503)
        self.taken()
        return web.json_response({"alerts": len(alerts), "new": new})

    def _check(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._token.encode())
        if scheme.lower() != "bearer" or not right:
            raise Refusal(401, "the bearer token is missing or wrong")
        if (request.content_length or 0) > LARGEST:
            raise Refusal(413, f"more than {LARGEST >> 20} MiB; set max_alerts in Alertmanager's webhook_config")

    def _items(self, webhook: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for one in webhook["alerts"][:MOST]:
            labels = _texts(one.get("labels"))
            status = Status.RESOLVED if one.get("status") == "resolved" else Status.FIRING
            alert = of_labels(labels, _texts(one.get("annotations")), status)
            if alert.question is None:
                continue
            told = orjson.dumps([sorted(labels.items()), str(one.get("startsAt")), str(status)])
            digest = hashlib.sha256(told).hexdigest()[:40]
            heading = {"name": alert.alertname, "where": where_of(alert.subject), "count": 0}
            item = f"webhook:{self._channel}:{digest}"
            yield item, body_of(alert, digest) | {"thread_ts": "", "changed": False, "sent": 0.0, "heading": heading}


def where_of(subject: Subject) -> str:
    """What an alert is about, in a few names."""
    name = subject.pod or subject.job or subject.workload or subject.node or subject.nodeclaim or subject.nodepool
    return "/".join(part for part in (subject.namespace, name) if part) or subject.cluster


async def _body(request: web.Request) -> bytes:
    """The body, read up to the limit and no further, whatever its headers say."""
    body = bytearray()
    async for chunk in request.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > LARGEST:
            raise Refusal(413, f"more than {LARGEST >> 20} MiB; set max_alerts in Alertmanager's webhook_config")
    return bytes(body)


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        webhook: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"no JSON: {error}") from None
    alerts = webhook.get("alerts") if isinstance(webhook, dict) else None
    if not isinstance(alerts, list) or not all(isinstance(one, dict) for one in alerts):
        raise Refusal(400, "no Alertmanager webhook: it has no list of alerts")
    if webhook.get("version") != _VERSION:
        LOG.warning("Alertmanager's webhook has version %.20r; read as version 4", webhook.get("version"))
    return dict(webhook)


def _texts(value: Any) -> dict[str, str]:  # noqa: ANN401 (JSON)
    pairs = value.items() if isinstance(value, dict) else ()
    return {str(name)[:200]: text[:4_000] for name, text in pairs if isinstance(text, str)}
