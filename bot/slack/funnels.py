"""Pictures of an answer in its thread, at a click: Slack's own chart, and the same figures in words beside it."""

from typing import Final, Protocol

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.playbooks import Phrases, Rendered
from bot.playbooks.funnel import RenderedFunnel
from bot.playbooks.sheet import Chart, Series
from bot.slack.blocks import SHOW_FUNNEL, Message, error, notice
from bot.slack.budget import Block, text_object
from bot.slack.exchange import Exchange, Place
from bot.slack.floor import Floor, Part, Payload, clicked

_TITLE: Final = 50  # blocks/data-visualization-block: characters of a chart's title
_CATEGORIES: Final = 20


class Kept(Protocol):
    """Who keeps answers."""

    async def evidence(self, answer_id: str, language: str) -> Rendered | None:
        """As bot.slack.services.Services."""
        ...


class Funnels(Part):
    """The button "Show the funnel"."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._floor: Floor

    def register(self, app: AsyncApp, floor: Floor) -> None:
        """One button."""
        self._floor = floor
        app.action(SHOW_FUNNEL)(self.on_funnel)

    async def on_funnel(self, ack: AsyncAck, body: Payload) -> None:
        """Somebody wants to see where the offerings went."""
        await ack()
        answer_id, at = str(body["actions"][0].get("value", "")), clicked(body)
        message = body.get("message") or {}
        thread = message.get("thread_ts") or message.get("ts") or ""
        place = Place(channel=at.channel, user=at.user, thread_ts=thread if at.ts else "", response_url=at.response_url)
        if not self._floor.seen.again("funnel", answer_id, thread):
            await self._floor.begin(place, lambda exchange: self._show(exchange, answer_id, place.channel))

    async def _show(self, exchange: Exchange, answer_id: str, channel: str) -> None:
        language = await self._floor.language_of(exchange.user, channel)
        phrases = self._floor.phrases(language)
        rendered = await self._kept.evidence(answer_id, language)
        if rendered is None or rendered.funnel is None:
            await exchange.tell(error("evidence-gone", phrases))
            return
        # a picture's words are Latin letters (`pictures`); in English the names of its bars are
        english = await self._kept.evidence(answer_id, "en")
        drawn = english.funnel if english and english.funnel else rendered.funnel
        picture = _picture(drawn, self._floor.phrases("en"))
        await exchange.answer(funnel_message(rendered.funnel, phrases, picture))


def _picture(funnel: RenderedFunnel, phrases: Phrases) -> Chart:
    """What is drawn where the workspace takes no chart."""
    steps = funnel.steps[:_CATEGORIES]
    return Chart(
        title=f"{phrases.text('funnel.title')} · {funnel.nodepool}",
        y_label="",
        x_label="",
        categories=tuple(name for name, _ in steps),
        series=(Series(name=phrases.text("funnel.title"), values=tuple(float(left) for _, left in steps)),),
        bars=True,
    )


def funnel_message(funnel: RenderedFunnel, phrases: Phrases, picture: Chart | None = None) -> Message:
    """The chart and its sentence; where a workspace takes no charts, the sentence and `picture` as a PNG below it."""
    steps = funnel.steps[:_CATEGORIES]
    title = f"{phrases.text('funnel.title')} · {funnel.nodepool}"
    chart: Block = {
        "type": "data_visualization",
        "title": title[:_TITLE],
        "chart": {
            "type": "bar",
            "series": [
                {
                    "name": phrases.text("funnel.title")[:_CATEGORIES],
                    "data": [{"label": name, "value": left} for name, left in steps],
                }
            ],
            "axis_config": {"categories": [name for name, _ in steps]},
        },
    }
    words: Block = {"type": "context", "elements": [text_object(funnel.said)]}
    return Message(text=notice([funnel.said], phrases), blocks=(chart, words), chart=picture)
