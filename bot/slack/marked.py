"""Messages that carry a mark in their metadata: who cannot know whether one was posted (the process died, the line was cut)
looks for it before posting again."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from slack_sdk.web.async_client import AsyncWebClient

QUESTION: Final = "karpenter_bot_question"
_PAGE: Final = 200


def mark_of(question_id: str) -> dict[str, Any]:
    """The metadata of a question's message."""
    return {"event_type": QUESTION, "event_payload": {"question": question_id}}


async def find_marked(
    client: AsyncWebClient,
    channel: str,
    thread_ts: str,
    marked: Callable[[Mapping[str, Any]], bool],
    *,
    oldest: str = "",
    pages: int = 100,
) -> str:
    """The ts of the first message of a channel, or of a thread in it, that is marked (by its metadata); "" for none.

    Raises slack_sdk's errors. Needs channels:history or groups:history.
    """
    asked: dict[str, Any] = {"channel": channel, "include_all_metadata": True, "limit": _PAGE}
    method = "conversations.history"
    if oldest:
        asked["oldest"] = oldest
    if thread_ts:
        method, asked["ts"] = "conversations.replies", thread_ts
    for _ in range(pages):
        answer = await client.api_call(method, http_verb="GET", params=asked)
        for message in answer.get("messages") or ():
            if marked(message):
                return str(message["ts"])
        asked["cursor"] = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
        if not asked["cursor"]:
            break
    return ""
