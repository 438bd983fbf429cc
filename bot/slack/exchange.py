"""Slack's Web API as this bot uses it: one question and what is shown for it, whatever Slack refuses on the way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.model.diagnosis import Json
from bot.playbooks.sheet import Chart
from bot.slack.blocks import Message
from bot.slack.client import ONCE
from bot.slack.dialogs import simpler
from bot.slack.marked import find_marked, mark_of
from bot.slack.sheets import has_chart, without_chart

LOG: Final = logging.getLogger(__name__)

# Slack's words for blocks that it, or this workspace, does not take (docs.slack.dev, chat.postMessage and views.update)
BLOCKS_REFUSED: Final = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_attachments", "invalid_arguments"}
)
# no parsing of names or URLs, no previews: what the answer quotes belongs to others
AS_WRITTEN: Final[Mapping[str, Any]] = {"parse": "none", "unfurl_links": False, "unfurl_media": False}


_PASSING: Final = frozenset({"fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"})


class Refused(Exception):  # noqa: N818 (Slack's answer, not this program's failure)
    """Slack did not do what it was asked. `code` is Slack's word for why; no message content is in it.

    `passing`: Slack or the way to it is in trouble, so that the same may go through later. `unknown`: it may have gone
    through already.
    """

    def __init__(self, method: str, code: str, *, passing: bool = False, unknown: bool = False) -> None:
        super().__init__(f"{method}: {code}")
        self.code, self.unknown = code, unknown
        self.passing = passing or unknown or code in _PASSING


class TakenOver(Exception):  # noqa: N818 (reads as what is the case)
    """Another replica has the question now, and shows its own message for it; ours is gone again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a question came from, and its answer goes.

    `ts` is the message that the answer replaces, if there is one already; `response_url` answers once and once more
    where the bot is no member (at most 5 times in 30 minutes), `replaces` when it came with a click on that message.
    `discreet`: errors and help are for the asker's eyes only.
    """

    channel: str
    user: str
    thread_ts: str = ""
    ts: str = ""
    response_url: str = ""
    replaces: bool = False
    discreet: bool = False

    def __post_init__(self) -> None:
        """Raises TypeError for a place out of a delivery that is none of Slack's: its ids are texts."""
        if not all(
            isinstance(one, str) for one in (self.channel, self.user, self.thread_ts, self.ts, self.response_url)
        ):
            raise TypeError("a place is made of texts")


class Exchange:
    """One question's messages: progress first, then something in its place. Every method raises Refused at worst, or
    TakenOver where it posts.

    `mark`: the question's id, for its message to be found by whoever takes it over. `on_posted` is told a new message's
    ts, and tells whether it may stay.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        place: Place,
        on_posted: Callable[[str], Awaitable[bool]] | None = None,
        mark: str = "",
    ) -> None:
        self._client, self._place, self._on_posted, self._mark = client, place, on_posted, mark
        self._ts = place.ts
        self._charted = False

    @property
    def user(self) -> str:
        """Who asks."""
        return self._place.user

    async def progress(self, message: Message) -> None:
        """Says at once that somebody is at work. Where the bot may not post, only the asker sees it."""
        try:
            await self._put(message)
        except Refused as refused:
            if self._comes_again(refused):
                return  # the answer will say it all
            if not self._place.response_url:
                raise
            LOG.info("answering through the response_url: %s", refused)
            await self._respond(message, in_channel=False)

    async def answer(self, message: Message) -> None:
        """Shows the answer in place of the progress message; anew, or by the response_url, where that cannot be."""
        ways = [lambda: self._put(message)]
        if self._ts and not self._place.replaces:
            ways.append(lambda: self._post(message))
        if self._place.response_url:
            ways.append(lambda: self._respond(message, in_channel=True))
        await self._first_of(ways)
        if message.chart is not None and not self._charted:
            await self._upload(message.chart)

    def _comes_again(self, refused: Refused) -> bool:
        """Whether it is left to a later try, in the same message: for a question that is written down, in passing trouble."""
        return refused.passing and bool(self._mark)

    async def _first_of(self, ways: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """Goes the ways in order until Slack takes one. Raises the last one's Refused, or what is to be tried again."""
        *others, last = ways
        for way in others:
            try:
                await way()
            except Refused as refused:
                if self._comes_again(refused):
                    raise
                LOG.info("trying another way to answer: %s", refused)
            else:
                return
        await last()

    async def _upload(self, chart: Chart) -> None:
        """The picture of a chart that this workspace refused, below the answer; the words have said it all already."""
        from bot.slack.pictures import drawn  # noqa: PLC0415 (drawing costs memory that most workspaces never need)

        picture = await asyncio.to_thread(drawn, chart)
        with suppress(Refused):
            await called(
                "files.upload",
                self._client.files_upload_v2(
                    content=picture,
                    filename="chart.png",
                    title=chart.title,
                    alt_txt=_alternative(chart),
                    channel=self._place.channel,
                    thread_ts=self._place.thread_ts or self._ts or None,
                ),
            )

    async def refuse(self, message: Message) -> None:
        """Shows an error or help: to the asker alone where that is the custom of the place, else like an answer."""
        if not self._place.discreet:
            await self.answer(message)
            return
        try:
            await self.tell(message)
        except Refused:
            await self.answer(message)
        else:
            await self.withdraw()

    async def tell(self, message: Message) -> None:
        """Shows it to the asker alone, and changes nothing else. In a direct message there is nobody else."""
        if self._place.response_url:
            await self._respond(message, in_channel=False, anew=True)
        elif self._place.channel.startswith("D"):
            await self._post(message)
        else:
            await in_some_form(
                message, lambda version: self._send("chat.postEphemeral", version, user=self._place.user)
            )

    async def _put(self, message: Message) -> None:
        """Replaces the message that is there, or posts the first."""
        if self._ts:
            shown = await in_some_form(message, lambda version: self._send("chat.update", version, ts=self._ts))
            self._charted = has_chart(shown)
        elif self._place.replaces:  # a click on what only one person sees
            await self._respond(message, in_channel=False)
        else:
            await self._post(message)

    async def _post(self, message: Message) -> None:
        self._ts = ""

        async def send(version: Message) -> None:
            self._ts = await (self._send_marked(version) if self._mark else self._send("chat.postMessage", version))
            if self._on_posted and not await self._on_posted(self._ts):
                await self.withdraw()
                raise TakenOver

        self._charted = has_chart(await in_some_form(message, send))

    async def _send_marked(self, message: Message) -> str:
        """Posts a message that can be found by its mark: where it is not known whether it was posted, it is looked for."""
        marked = {"metadata": mark_of(self._mark)}
        try:
            return await self._send("chat.postMessage", message, **marked)
        except Refused as refused:
            if not refused.unknown:
                raise
            LOG.info("looking for a message of which Slack's answer was lost: %s", refused)
        return await self.posted() or await self._send("chat.postMessage", message, **marked)

    async def posted(self, *, but_not: str = "") -> str:
        """The ts of a message with this question's mark, whoever posted it; "" for none. Raises Refused."""
        place, mine = self._place, mark_of(self._mark)

        def wanted(message: Mapping[str, Any]) -> bool:
            return message.get("metadata") == mine and message["ts"] != but_not

        looked = find_marked(self._client, place.channel, place.thread_ts, wanted, pages=5)
        return str(await called("conversations.history", looked))

    async def give_way(self) -> None:
        """Takes the message back if there is another for the same question. Where nobody can tell, two are better than none."""
        with suppress(Refused):
            if self._ts and await self.posted(but_not=self._ts):
                await self.withdraw()

    async def withdraw(self) -> None:
        """Takes the message back, if there is one."""
        if self._ts:
            with suppress(Refused):
                await self._send("chat.delete", None, ts=self._ts)

    async def _send(self, method: str, message: Message | None, **more: object) -> str:
        """Calls a method on this place. chat.update parses names unless told not to, so that all are told."""
        arguments: dict[str, object] = {"channel": self._place.channel, **more}
        if message:
            arguments |= {**message.as_json(), **AS_WRITTEN}
        if self._place.thread_ts and "ts" not in more:
            arguments["thread_ts"] = self._place.thread_ts
        once: dict[str, Any] = {"headers": {ONCE: "1"}} if "metadata" in more else {}
        return str((await called(method, self._client.api_call(method, json=arguments, **once))).get("ts", ""))

    async def _respond(self, message: Message, *, in_channel: bool, anew: bool = False) -> None:
        place = self._place
        replaces = place.replaces and not anew
        where: dict[str, Json] = {
            "response_type": "in_channel" if in_channel else "ephemeral",
            "replace_original": replaces,
        }
        if place.thread_ts and not replaces:
            where["thread_ts"] = place.thread_ts
        web = self._client
        webhook = AsyncWebhookClient(
            place.response_url,
            session=web.session,
            logger=web.logger,
            proxy=web.proxy,
            ssl=web.ssl,
            retry_handlers=web.retry_handlers,
        )

        async def send(version: Message) -> None:
            body = {**version.as_json(), **where, **AS_WRITTEN}
            try:
                response = await webhook.send_dict(body)
            except (aiohttp.ClientError, TimeoutError, SlackClientError) as error:
                raise Refused("response_url", type(error).__name__, passing=True) from None
            if response.status_code != 200:
                words = (word for word in BLOCKS_REFUSED if word in response.body)
                passing = response.status_code == 429 or response.status_code >= 500
                raise Refused("response_url", next(words, f"HTTP {response.status_code}"), passing=passing)

        self._charted = has_chart(await in_some_form(message, send))


def _alternative(chart: Chart) -> str:
    """A picture in words, for who cannot see it: the bars one by one, of lines what they are about (1,000 characters)."""
    if not chart.bars:
        return f"{chart.title}; {chart.y_label}"
    (series,) = chart.series
    notes = chart.notes or ("",) * len(series.values)
    each = zip(chart.categories, series.values, notes, strict=True)
    told = (f"{name} {value:,.0f} {note}".strip() for name, value, note in each)
    return f"{chart.title}: {', '.join(told)}"[:1_000]


async def in_some_form(message: Message, send: Callable[[Message], Awaitable[object]]) -> Message:
    """Sends the message; when its blocks are refused, without the chart, in simpler ones, as bare text at last.

    The version that was taken. Raises Refused.
    """
    for version in (message, *([without_chart(message)] if message.chart else []), simpler(message)):
        try:
            await send(version)
        except Refused as refused:
            if refused.code not in BLOCKS_REFUSED:
                raise
            LOG.warning("blocks were refused (%s); sending a simpler form", refused)
        else:
            return version
    bare = Message(text=message.text)
    await send(bare)
    return bare


async def open_modal(client: AsyncWebClient, trigger_id: str, view: Mapping[str, Json]) -> str:
    """Opens a modal within the three seconds that a trigger_id lives; its view id. Raises Refused."""
    opened = await called("views.open", client.views_open(trigger_id=trigger_id, view=dict(view)))
    return str(opened["view"]["id"])


async def change_modal(client: AsyncWebClient, view_id: str, view: Mapping[str, Json]) -> None:
    """Replaces what a modal shows. Raises Refused."""
    await called("views.update", client.views_update(view_id=view_id, view=dict(view)))


async def publish_home(client: AsyncWebClient, user: str, view: Mapping[str, Json]) -> None:
    """Shows a person's Home tab. Raises Refused."""
    await called("views.publish", client.views_publish(user_id=user, view=dict(view)))


async def locale_of(client: AsyncWebClient, user: str) -> str:
    """A person's locale (`ko-KR`). Raises Refused."""
    info = await called("users.info", client.users_info(user=user, include_locale=True))
    return str((info.get("user") or {}).get("locale") or "")


async def called(method: str, call: Awaitable[Any]) -> Any:  # noqa: ANN401 (Slack's JSON)
    """The answer of a call. Slack's refusals and a dead line become Refused, without what was sent."""
    try:
        return await call
    except SlackApiError as error:
        said = getattr(error.response, "data", None)  # text where a proxy, and not Slack, has answered
        code = said.get("error") if isinstance(said, dict) else None
        status = getattr(error.response, "status_code", 0)
        unknown = isinstance(status, int) and status >= 500
        raise Refused(method, str(code or "unknown_error"), passing=status == 429, unknown=unknown) from None
    except (aiohttp.ClientError, TimeoutError, OSError, SlackClientError) as error:
        unknown = not isinstance(error, aiohttp.ClientConnectorError)
        raise Refused(method, type(error).__name__, passing=True, unknown=unknown) from None
