"""The message shortcut "Explain this": whatever Slack message it is picked on is answered in that message's thread.

An alert gets the answer that its thread would get unasked; a question is asked as if it had been put to the bot; a pasted text
of Karpenter's is explained by itself, and the pods that it names can be asked about at a click.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.model.diagnosis import Json
from bot.playbooks import Phrases, Rendered, clean
from bot.slack.blocks import Message, answer, button, error, note, progress
from bot.slack.budget import BUTTON, VALUE
from bot.slack.exchange import Exchange, Place
from bot.slack.floor import Floor, Part, Payload, clicked, failure
from bot.slack.questions import NotUnderstood, Why, parse_command, question_text
from bot.slack.replies import worded
from bot.slack.said import message_text
from bot.slack.services import Asker, Failed, Reply

SHORTCUT: Final = "explain_this"
ASK_POD: Final = "ask_pod"
_MOST_PODS: Final = 3
_QUESTION: Final = 300
"""Characters of a message that may be a question; a longer one is a paste."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What a text proves, in words, and the pods (`namespace/name`) that it names."""

    rendered: Rendered
    pods: tuple[str, ...] = ()


class Explaining(Protocol):
    """Who answers."""

    async def why(self, question: Why, asker: Asker) -> Reply:
        """As bot.slack.services.Services."""
        ...


Explain = Callable[[str, str], Awaitable[Explained | None]]
"""A text and a language in, what it proves out; None where nothing in it is Karpenter's."""
AskAlert = Callable[[Payload, Asker, Floor], Awaitable[Message | None]]
"""A message event in, the answer to its alert out; None where it is no alert, or none that asks about nodes."""


class ExplainThis(Part):
    """The shortcut."""

    def __init__(self, services: Explaining, explain: Explain, ask_alert: AskAlert) -> None:
        self._services, self._explain, self._ask_alert = services, explain, ask_alert
        self._floor: Floor

    def register(self, app: AsyncApp, floor: Floor) -> None:
        """One message shortcut, and the buttons below its answers."""
        self._floor = floor
        app.message_shortcut(SHORTCUT)(self.on_shortcut)
        app.action(re.compile(rf"{ASK_POD}_\d"))(self.on_ask)

    async def on_shortcut(self, ack: AsyncAck, body: Payload) -> None:
        """Somebody picked it in a message's menu."""
        await ack()
        floor, message, user = self._floor, body["message"], body["user"]["id"]
        place = Place(
            channel=body["channel"]["id"],
            user=user,
            thread_ts=message.get("thread_ts") or body.get("message_ts") or message["ts"],
            response_url=body.get("response_url", ""),
        )
        event = {"type": "message", **message, "channel": place.channel}
        await floor.begin(place, lambda exchange: self._answer(exchange, place, event, floor))

    async def on_ask(self, ack: AsyncAck, body: Payload) -> None:
        """ "Why ...?" below an explanation: one more answer in the thread."""
        await ack()
        asked, place = (
            parse_command(str(body["actions"][0].get("value", "")), self._floor.custom.languages),
            clicked(body),
        )
        if isinstance(asked, Why):
            anew = replace(place, ts="", response_url="", replaces=False)
            await self._floor.begin(anew, lambda exchange: self._ask(exchange, anew, asked, self._floor))

    async def _answer(self, exchange: Exchange, place: Place, event: Payload, floor: Floor) -> None:
        language = await floor.language_of(exchange.user, place.channel)
        phrases = floor.phrases(language)
        if not await floor.may_ask(exchange, phrases):
            return
        asker = Asker(user=place.user, channel=place.channel, thread_ts=place.thread_ts)
        alert = await self._ask_alert(event, asker, floor)
        if alert is not None:
            await exchange.answer(alert)
            return
        text = message_text(event)
        asked = parse_command(text, floor.custom.languages) if len(text) <= _QUESTION else None
        if isinstance(asked, Why):
            await self._ask(exchange, place, replace(asked, language=language), floor)
            return
        explained = await floor.in_time(self._explain(text, language))
        if isinstance(explained, Failed):
            await exchange.tell(failure(explained, phrases))
        elif explained is None and isinstance(asked, NotUnderstood) and asked.did_you_mean:
            facts = {"asked": asked.text, "command": "/karpenter", "suggestion": asked.did_you_mean}
            await exchange.tell(error(asked.code, phrases, **facts))
        elif explained is None:
            await exchange.tell(note(phrases.lines("explain-this.nothing"), phrases))
        else:
            shown = answer(explained.rendered, phrases)
            await exchange.answer(_with_pods(shown, explained.pods, phrases))

    async def _ask(self, exchange: Exchange, place: Place, question: Why, floor: Floor) -> None:
        phrases = floor.phrases(question.language)
        await exchange.progress(progress(question.asked, phrases))
        asker = Asker(user=place.user, channel=place.channel, thread_ts=place.thread_ts)
        reply = await floor.in_time(self._services.why(question, asker))
        await exchange.answer(worded(reply, question, phrases))


def _with_pods(message: Message, pods: Sequence[str], phrases: Phrases) -> Message:
    """The message with a "Why?" for each of the first pods that it is about."""
    buttons: list[Json] = []
    for pod in dict.fromkeys(pods):
        namespace, _, name = pod.rpartition("/")
        value = question_text(Why(pod=name, namespace=namespace, language=phrases.language))
        if len(buttons) < _MOST_PODS and name and len(value) <= VALUE:
            label = phrases.text("explain-this.ask", pod=clean(name, BUTTON - 20))
            buttons.append(button(label, action=f"{ASK_POD}_{len(buttons)}", value=value))
    if not buttons:
        return message
    return Message(text=message.text, blocks=(*message.blocks, {"type": "actions", "elements": buttons}))
