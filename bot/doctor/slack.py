"""Whether Slack takes the tokens, and whether the app has its scopes."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.doctor.clocks import skew
from bot.doctor.findings import Finding, State
from bot.slack.keys import Entrance

AREA: Final = "Slack"


async def examine_slack(
    client: AsyncWebClient, keys: Entrance, scopes: Mapping[str, bool], now: Callable[[], datetime]
) -> list[Finding]:
    """The bot token, its scopes (by name: whether the bot cannot do without), the way in, and the clock."""
    way = await _socket(client, keys.app_token) if keys.mode == "socket" else _signed(keys.signing_secret)
    if not keys.bot_token:
        return [_wrong("bot token", "there is none", "bot-token"), way]
    try:
        me = await client.auth_test(token=keys.bot_token)
    except (SlackApiError, SlackClientError, aiohttp.ClientError, TimeoutError) as error:
        return [_wrong("bot token", _word(error), "bot-token"), way]
    headers = {name.lower(): value for name, value in me.headers.items()}
    who = Finding(area=AREA, subject="bot token", state=State.OK, found=f"{me.get('user')} in {me.get('team')}")
    granted = headers.get("x-oauth-scopes", "")
    return [who, way, *_scopes(granted, scopes), *skew(headers.get("date", ""), now(), "Slack", AREA)]


def _scopes(granted: str, wanted: Mapping[str, bool]) -> Iterable[Finding]:
    if not granted:
        return
    have = {scope.strip() for scope in granted.split(",")}
    for scope, needed in sorted(wanted.items()):
        if scope in have:
            yield Finding(area=AREA, subject=f"scope {scope}", state=State.OK)
        else:
            state = State.PROBLEM if needed else State.OPTIONAL
            yield Finding(
                area=AREA,
                subject=f"scope {scope}",
                state=state,
                found="not granted",
                fix="scopes",
                facts={"scope": scope},
            )


async def _socket(client: AsyncWebClient, token: str) -> Finding:
    if not token:
        return _wrong("app token", "there is none", "app-token")
    try:
        await client.apps_connections_open(app_token=token)
    except (SlackApiError, SlackClientError, aiohttp.ClientError, TimeoutError) as error:
        return _wrong("app token", _word(error), "app-token")
    return Finding(area=AREA, subject="app token", state=State.OK, found="a socket can be opened")


def _signed(secret: str) -> Finding:
    if not secret:
        return _wrong("signing secret", "there is none", "signing-secret")
    # only a request of Slack's can tell whether it is the right one
    return Finding(area=AREA, subject="signing secret", state=State.OK, found="there is one")


def _wrong(subject: str, found: str, fix: str) -> Finding:
    return Finding(area=AREA, subject=subject, state=State.PROBLEM, found=found, fix=fix)


def _word(error: Exception) -> str:
    if isinstance(error, SlackApiError):
        return str(error.response.get("error") if hasattr(error.response, "get") else "no answer")
    return f"Slack does not answer ({type(error).__name__})"
