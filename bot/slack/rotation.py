"""Tokens that change while the bot runs: read again every so often, tried, and taken up without a restart."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.keys import Keys

LOG: Final = logging.getLogger(__name__)
EVERY: Final = 30.0
"""Seconds between two looks; kubelet itself takes up to a minute to change a mounted Secret."""


class Rotating(Protocol):
    """The door as far as its keys go."""

    def take_keys(self, keys: Keys) -> None:
        """Signatures are checked with, and the next socket is opened with, these."""
        ...


async def keep_current(
    read: Callable[[], Keys], client: AsyncWebClient, door: Rotating, *, every: float = EVERY
) -> None:
    """Looks for ever. A token that Slack does not take, or that cannot be read, changes nothing but the log."""
    known = read()
    while True:
        await asyncio.sleep(every)
        try:
            # a file may be half written, or gone for the moment in which it is replaced
            current = await asyncio.to_thread(read)
        except Exception as error:
            LOG.warning("Slack's tokens cannot be read again, the old ones stay: %s", error)
            continue
        if (current.bot_token, current.app_token, current.signing_secret) == (
            known.bot_token,
            known.app_token,
            known.signing_secret,
        ):
            continue
        if current.bot_token != known.bot_token and not await _accepted(client, current.bot_token):
            continue
        client.token = current.bot_token
        door.take_keys(current)
        known = current
        LOG.info("took up new Slack tokens")


async def _accepted(client: AsyncWebClient, token: str) -> bool:
    try:
        await client.auth_test(token=token)
    except (SlackApiError, SlackClientError, aiohttp.ClientError, TimeoutError) as error:
        code = error.response.get("error") if isinstance(error, SlackApiError) else type(error).__name__
        LOG.warning("Slack does not take the new SLACK_BOT_TOKEN, the old one stays: %s", code)
        return False
    return True
