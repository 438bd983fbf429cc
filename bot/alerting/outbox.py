"""Sends what incidents want shown: about one message a second and channel, Slack's Retry-After honoured, none twice.

A message carries its incident's id in its metadata. Who cannot know whether a post went through (the process died, the
line was cut) looks for that id in the thread before it posts again.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.alerting.settings import ChannelSettings
from bot.app import Clock
from bot.slack.exchange import BLOCKS_REFUSED
from bot.slack.marked import find_marked
from bot.store import Store, outbox
from bot.store.incidents import Incident

LOG: Final = logging.getLogger(__name__)
EVENT_TYPE: Final = "karpenter_bot_incident"
PACE: Final = timedelta(seconds=1.05)
"""docs.slack.dev, rate limits: chat.postMessage, about one a second and channel."""
UPDATE_PACE: Final = timedelta(seconds=1.3)
"""chat.update is Tier 3: fifty a minute and workspace."""
_SOON: Final = timedelta(seconds=10)
_HOPELESS: Final = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
    }
    | {"restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_locked", "is_inactive"}
    | {
        "restricted_action_non_threadable_channel",
        "cannot_reply_to_message",
        "missing_scope",
        "no_permission",
        "ekm_access_denied",
    }
)
"""Refusals that no second try changes."""


class Outbox:
    """One a process; several processes share the store's turns."""

    def __init__(self, store: Store, client: AsyncWebClient, clock: Clock) -> None:
        self._store, self._clock = store, clock
        # a 429 is waited out by the queue, not inside a call: the turn must not sleep with the message in its hand
        self._client = AsyncWebClient(
            token=client.token,
            base_url=client.base_url,
            session=client.session,
            logger=client.logger,
            retry_handlers=[],
        )
        self._updates_from = clock()
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Sends until it is cancelled."""
        while True:
            self.wake.clear()
            try:
                channels = await outbox.due_channels(self._store, self._clock())
                sent = await asyncio.gather(*(self.send_next(channel) for channel in channels))
            except Exception:
                LOG.exception("the outbox stumbled; it goes on")
                sent = []
            if not any(sent):
                try:
                    async with asyncio.timeout(0.25):
                        await self.wake.wait()
                except TimeoutError:
                    continue

    async def send_next(self, channel: str) -> bool:
        """Sends the channel's next message, if it is its turn."""
        now = self._clock()
        settings = ChannelSettings.read(await outbox.read_settings(self._store, channel))
        if settings.quiet_until(now) is not None:
            return False
        incident = await outbox.take_turn(self._store, channel, now)
        if incident is None:
            return False
        if incident.message_ts and now < self._updates_from:
            await outbox.not_sent(self._store, incident, now, self._updates_from, certain=True)
            return False
        try:
            async with asyncio.timeout(outbox.LEASE.total_seconds() - 3):
                ts = await self._send(incident)
        except SlackApiError as error:
            await self._refused(incident, error)
            return False
        except (aiohttp.ClientError, TimeoutError, OSError, SlackClientError) as error:
            LOG.warning("incident %s: %s; looked for before it is sent again", incident.id, type(error).__name__)
            await outbox.not_sent(self._store, incident, now + PACE, now + timedelta(seconds=2), certain=False)
            return False
        await outbox.sent(self._store, incident, ts, self._clock() + PACE)
        return True

    async def _send(self, incident: Incident) -> str:
        """The message's ts. `posting_since` was set before this try began: then an earlier one may have gone through."""
        if not incident.message_ts and incident.posting_since is not None:
            already = await self._look_for(incident)
            if already:
                return await self._put("chat.update", incident, ts=already)
        if incident.message_ts:
            self._updates_from = self._clock() + UPDATE_PACE
            await self._put("chat.update", incident, ts=incident.message_ts)
            return incident.message_ts
        where = {"thread_ts": incident.thread_ts} if incident.thread_ts else {}
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"incident": incident.id}}
        return await self._put("chat.postMessage", incident, **where, metadata=metadata)

    async def _put(self, method: str, incident: Incident, **more: Any) -> str:  # noqa: ANN401 (Slack's JSON)
        """In blocks; as bare text where Slack refuses those."""
        message: dict[str, Any] = {**incident.wanted, "channel": incident.channel, "parse": "none"}
        message |= {"unfurl_links": False, "unfurl_media": False, **more}
        try:
            answer = await self._client.api_call(method, json=message)
        except SlackApiError as error:
            if _code(error) not in BLOCKS_REFUSED:
                raise
            LOG.warning("blocks were refused (%s); sending the text alone", _code(error))
            answer = await self._client.api_call(method, json={**message, "blocks": []})
        return str(answer.get("ts", ""))

    async def _look_for(self, incident: Incident) -> str:
        """The ts of the message with this incident's id, if there is one."""
        since = incident.posting_since or incident.opened_at
        oldest = f"{(since - timedelta(seconds=90)).timestamp():.6f}"
        return await find_marked(
            self._client,
            incident.channel,
            incident.thread_ts,
            lambda message: _incident_of(message.get("metadata") or {}) == incident.id,
            oldest=oldest,
        )

    async def _refused(self, incident: Incident, error: SlackApiError) -> None:
        """429: after the time that Slack names, for the whole channel. What never works is given up, said in the log."""
        now, code = self._clock(), _code(error)
        status = getattr(error.response, "status_code", 0)
        if status == 429:
            wait = timedelta(seconds=_retry_after(error))
            await outbox.not_sent(self._store, incident, now + wait, now + wait, certain=True)
        elif code in _HOPELESS:
            LOG.warning("incident %s cannot be shown in %s: %s", incident.id, incident.channel, code)
            await outbox.not_sent(self._store, incident, now, now, certain=True, give_up=True)
        else:
            LOG.warning("incident %s: %s; tried again", incident.id, code)
            await outbox.not_sent(self._store, incident, now + PACE, now + _SOON, certain=status < 500)


def _incident_of(metadata: Mapping[str, Any]) -> str:
    if metadata.get("event_type") != EVENT_TYPE:
        return ""
    return str((metadata.get("event_payload") or {}).get("incident") or "")


def _code(error: SlackApiError) -> str:
    response = error.response
    try:
        return str(response.get("error") or "unknown_error") if response is not None else "unknown_error"
    except (TypeError, ValueError, AttributeError):
        return "unknown_error"


def _retry_after(error: SlackApiError) -> float:
    headers = {name.lower(): value for name, value in (getattr(error.response, "headers", None) or {}).items()}
    try:
        return max(1.0, float(headers.get("retry-after", 1)))
    except (TypeError, ValueError):
        return 30.0
