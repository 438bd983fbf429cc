"""The door, open for a test: services that answer by script, over Socket Mode or HTTP, against the fake Slack."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bot.config import Config, SlackConfig
from bot.playbooks import Phrases, Rendered
from bot.slack.questions import Why
from bot.slack.services import Answered, Asker, Reply
from bot.slack.serving import EVENTS_PATH, Behind, Door, opened
from tests.fakes.slack import FakeSlack, Message, scene
from tests.playbooks.samples import said, seed, shipped


class Scripted:
    """Answers with the seed's answer, or as the test says; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Why] = []
        self.askers: list[Asker] = []
        self.reply: Callable[[Why], Reply] = lambda question: Answered(
            answer_id=f"answer-{len(self.asked)}", rendered=said(seed(), question.language)
        )
        self.kept: Callable[[str, str], Rendered | None] = lambda _, language: said(seed(), language)
        self.gate = asyncio.Event()
        self.gate.set()

    async def why(self, question: Why, asker: Asker) -> Reply:
        """The scripted reply, once the gate is open."""
        self.asked.append(question)
        self.askers.append(asker)
        await self.gate.wait()
        return self.reply(question)

    async def evidence(self, answer_id: str, language: str) -> Rendered | None:
        """What is kept for an answer, once the gate is open."""
        await self.gate.wait()
        return self.kept(answer_id, language)

    def phrases(self, language: str) -> Phrases:
        """The shipped sentences."""
        return shipped().phrases(language)


def config_for(slack: FakeSlack, mode: str = "socket", **changes: object) -> Config:
    """A Config that fits the fake; health and requests on any free port."""
    settings = SlackConfig(
        mode=mode,
        bot_token=slack.workspace.bot_token,
        app_token=slack.app.app_token,
        signing_secret=slack.app.signing_secret,
        host="127.0.0.1",
        port=0,
        drain_seconds=5,
    )
    return Config(slack=replace(settings, **changes))  # type: ignore[arg-type]


@asynccontextmanager
async def door(slack: FakeSlack, services: Scripted, *, mode: str = "socket", **changes: object) -> AsyncIterator[Door]:
    """The bot at work: everything that it was asked is answered before the test looks at violations."""
    async with opened(config_for(slack, mode, **changes), Behind(services=services), api_url=slack.api_url) as bot:
        if mode == "http":
            slack.post_to(f"http://127.0.0.1:{bot.port}{EVENTS_PATH}")
        else:
            await slack.wait_for(lambda s: s.sockets.connections)
        yield bot
        services.gate.set()


async def idle(slack: FakeSlack, bot: Door) -> None:
    """Returns once nothing is in work."""
    await slack.wait_for(lambda _: not len(bot.listeners.work))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The people, the bot and what it knows."""

    slack: FakeSlack
    services: Scripted
    bot: Door

    async def settled(self) -> None:
        await idle(self.slack, self.bot)

    async def only_message(self, channel: str = scene.OPS) -> Message:
        """The bot's one visible message, once all work is done."""
        await self.settled()
        [message] = self.slack.workspace.by_bot(channel)
        return message


def texts(message: Message) -> list[str]:
    """Every version of a message, oldest first."""
    return [revision.text for revision in message.revisions]


ENGLISH, KOREAN = shipped().phrases("en"), shipped().phrases("ko")
HEADLINE = said(seed(), "en").summary
"""How the answer begins that `Scripted` gives."""


def progress_of(asked: str) -> str:
    """What is said at once to somebody who reads English."""
    return ENGLISH.text("slack.progress", asked=asked)
