"""Slack's Web API client with every call in the metrics."""

import time
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.telemetry.measures import called


class CountedClient(AsyncWebClient):
    """Counts each method by how it ended: `ok`, Slack's own word for why not, or `error` where there was no answer."""

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:  # noqa: ANN401 (slack_sdk's own)
        """As slack_sdk's own."""
        began, outcome = time.perf_counter(), "error"
        try:
            response = await super().api_call(api_method, **arguments)
            outcome = "ok"
        except SlackApiError as error:
            outcome = str(error.response.get("error") or "error") if hasattr(error.response, "get") else "error"
            raise
        finally:
            called("slack", api_method, outcome, time.perf_counter() - began)
        return response
