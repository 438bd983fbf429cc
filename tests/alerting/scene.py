"""The bot's alert threads at the fake Slack, over a store on disk and clusters that answer by script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from bot.alerting import Alerting, AlertThreads
from bot.alerting.answers import LookupFailed, NodeGone, NodeStory, PodTrace, WaitingGroup
from bot.alerts import Subject
from bot.alerts.owners import job_of, owner_of
from bot.app import wall_clock
from bot.config import Config
from bot.diagnosis.pasted import explain_text
from bot.markets import Pooled
from bot.playbooks import Rendered, render_explanation
from bot.slack.questions import Why
from bot.slack.services import Answered, Asker, Failed, Offered, Reply
from bot.slack.serving import Behind, Door, opened
from bot.sources.ownership import Owned, Owner
from bot.store import open_store
from tests.alerts import firing, layouts
from tests.fakes.slack import FakeSlack, Message, scene
from tests.playbooks.samples import said, seed, shipped
from tests.slack.door import Scripted, config_for

TOKEN = "a-token-of-the-operators"


@dataclass
class Clusters:
    """Every pod is blocked by the seed's cause unless the test says otherwise."""

    names: tuple[str, ...] = ("osprey-prod",)
    asked: list[str] = field(default_factory=list)
    groups: tuple[WaitingGroup, ...] = ()
    story: NodeStory = field(default_factory=lambda: NodeStory(name="n", exists=False))
    gone: NodeGone | None = None
    pooled: Pooled | None = None
    owner: Callable[[str], Owner] = lambda pod: Owner("Deployment", owner_of(pod))
    offers: tuple[Offered, ...] = ()
    traced: PodTrace = field(default_factory=PodTrace)
    fails: LookupFailed | None = None
    missing: bool = False
    delay: float = 0.0
    cause: Callable[[str], str] = lambda _pod: "efa-count-exceeds-instance"

    def resolve(self, cluster: str, channel: str = "") -> str | None:
        return cluster if cluster in self.names else None if cluster else self.names[0]

    async def why(self, question: Why, asker: Asker) -> Reply:
        self.asked.append(question.asked)
        await asyncio.sleep(self.delay)
        if self.missing:
            return Failed(code="pod-not-found", facts={"asked": question.asked, "near": ()})
        rendered = said(seed(), question.language)
        first = replace(rendered.causes[0], id=self.cause(question.pod))
        rendered = replace(rendered, pod=f"{question.namespace or 'default'}/{question.pod}", causes=(first,))
        return Answered(answer_id="answer", rendered=rendered, offers=self.offers)

    async def pending(self, cluster: str, namespace: str) -> tuple[WaitingGroup, ...]:
        if self.fails:
            raise self.fails
        return tuple(group for group in self.groups if namespace in ("", group.namespace))

    async def owners(self, cluster: str, namespace: str, pods: Sequence[str]) -> Mapping[str, Owned]:
        return {} if self.missing else {pod: Owned(self.owner(pod), job_of(pod)) for pod in pods}

    async def node(self, cluster: str, subject: Subject) -> NodeStory:
        return replace(self.story, name=subject.node or subject.nodeclaim)

    async def departed(self, cluster: str, subject: Subject, language: str) -> NodeGone | None:
        return self.gone

    async def nodepools(self, cluster: str, name: str) -> Pooled:
        if self.pooled is None:
            raise LookupFailed("unknown-nodepool", {"asked": name, "near": ()}, again=False)
        return self.pooled

    async def trace(self, cluster: str, namespace: str, pod: str) -> PodTrace:
        return self.traced


def explain(text: str, language: str) -> Rendered | None:
    """What the serving bot says of a pasted text."""
    found = explain_text(text, None, wall_clock())
    return render_explanation(found, shipped(), language) if found.recognised else None


@asynccontextmanager
async def attended(
    slack: FakeSlack,
    folder: Path,
    clusters: Clusters,
    *,
    look_seconds: float = 3600,
    watch_minutes: float = 0.0,
    clock: Callable[[], datetime] = wall_clock,
    mode: str = "socket",
    port: int = 0,
) -> AsyncIterator[Door]:
    """The bot until the block ends; what it keeps stays in the folder for the next."""
    async with open_store(f"sqlite:///{folder / 'alerts.sqlite3'}") as store:
        part = AlertThreads(
            Alerting(
                store=store,
                clusters=clusters,
                explain=explain,
                clock=clock,
                token=TOKEN,
                channel=scene.ALERTS,
                look_seconds=look_seconds,
                watch_minutes=watch_minutes,
            )
        )
        behind = Behind(services=Scripted(), verbs={"settings": part.settings}, parts=(part,))
        config: Config = config_for(slack, mode, port=port)
        async with opened(config, behind, api_url=slack.api_url) as door:
            if mode == "http":
                slack.post_to(f"http://127.0.0.1:{door.port}/slack/events")
            else:
                await slack.wait_for(lambda s: s.sockets.connections)
            yield door


def replies(slack: FakeSlack, channel: str = scene.ALERTS) -> list[Message]:
    """What the bot said in a channel."""
    return list(slack.workspace.by_bot(channel))


async def replied(slack: FakeSlack, words: str) -> list[Message]:
    """The bot's messages once one of them has these words."""
    return await slack.wait_for(lambda _: [m for m in replies(slack) if words in m.text], timeout=30)


class Moving:
    """A clock that a test pushes forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> datetime:
        return wall_clock() + timedelta(seconds=self._ahead)

    def ahead(self, seconds: float) -> None:
        """Lets so many seconds pass."""
        self._ahead += seconds


async def posted(slack: FakeSlack, event: layouts.Event, channel: str = scene.ALERTS) -> Message:
    return await slack.bot_message({name: value for name, value in event.items() if name != "ts"}, channel=channel)


def pod_alert(end: str, status: str = "firing", **more: str) -> layouts.Event:
    return layouts.default_template([{**firing.POD, "pod": f"cart-7c9f6b5d48-{end}", **more}], status=status)


async def quiet(seconds: float = 0.6) -> None:
    """Time in which a wrong second message would come."""
    await asyncio.sleep(seconds)
