"""Slack's Web API client: every call in the metrics, and tried again only where that cannot show anything twice."""

import time
from typing import Any, Final

from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.telemetry.measures import called

ONCE: Final = "X-Karpenter-Bot-Once"
"""A header of calls whose caller finds out by itself whether one went through of which it did not hear."""
_POSTS: Final = ("chat.postMessage", "chat.postEphemeral", "views.open", "views.push")


class ConnectionRetry(AsyncConnectionErrorRetryHandler):
    """Tries again on a broken connection, as slack_sdk's own, but for calls that are marked ONCE."""

    async def _can_retry_async(self, *, request: HttpRequest, **told: Any) -> bool:  # noqa: ANN401 (slack_sdk's own)
        return ONCE not in request.headers and await super()._can_retry_async(request=request, **told)


class ServerRetry(AsyncServerErrorRetryHandler):
    """Tries again when Slack says 500 or 503, but for calls that show something new each time."""

    async def _can_retry_async(self, *, request: HttpRequest, **told: Any) -> bool:  # noqa: ANN401
        return not request.url.endswith(_POSTS) and await super()._can_retry_async(request=request, **told)


def retries() -> list[AsyncRetryHandler]:
    """What is tried again by itself: two more times for each trouble, 429 after the time that Slack names."""
    return [ConnectionRetry(), ServerRetry(max_retry_count=2), AsyncRateLimitErrorRetryHandler(max_retry_count=2)]


class CountedClient(AsyncWebClient):
    """Counts each method by how it ended: `ok`, Slack's own word for why not, or `error` where there was no answer."""

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:  # noqa: ANN401 (slack_sdk's own)
        """As slack_sdk's own."""
        began, outcome = time.perf_counter(), "error"
        try:
            response = await super().api_call(api_method, **arguments)
            outcome = "ok"
        except SlackApiError as error:
            said = getattr(error.response, "data", None)  # text where a proxy, and not Slack, has answered
            outcome = str(said.get("error") or "error") if isinstance(said, dict) else "error"
            raise
        finally:
            called("slack", api_method, outcome, time.perf_counter() - began)
        return response
