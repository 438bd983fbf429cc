"""What is asked about an alert, and what came of it: facts and words of one answer, before it is folded into an incident."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bot.alerts import Subject
from bot.slack.blocks import Message
from bot.slack.questions import Why
from bot.slack.services import Asker, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An answer. `key` makes it the same incident as another; `pods` are those it is about (`namespace/name`)."""

    key: str
    message: Message
    pods: tuple[str, ...] = ()
    count: int = 0
    watch: Mapping[str, Any] = field(default_factory=dict)
    """What to look at to see how it ends: cluster, namespace, owner or node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingGroup:
    """Pending pods of one workload: how many, and one of them."""

    namespace: str
    owner: str
    pods: tuple[str, ...]
    count: int
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStory:
    """What is known of a node: there or gone, ready or not, and what was said about it, newest last."""

    name: str
    exists: bool
    ready: str = ""
    reason: str = ""
    message: str = ""
    since: str = ""
    nodeclaim: str = ""
    nodepool: str = ""
    deleting: bool = False
    pods: int = -1
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTrace:
    """What a pod's name still tells: where it is, or what its last events said."""

    phase: str = ""
    node: str = ""
    said: tuple[str, ...] = ()
    successors: tuple[str, ...] = ()


class Clusters(Protocol):
    """What alerts ask of clusters. Every method raises LookupFailed with the code of a sentence where there is no answer."""

    def resolve(self, cluster: str, channel: str = "") -> str | None:
        """The configured name of the cluster that an alert calls so, or that its channel means; None where none fits."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all clusters."""
        ...

    async def why(self, question: Why, asker: Asker) -> Reply:
        """bot.slack.services.Services.why."""
        ...

    async def pending(self, cluster: str, namespace: str) -> tuple[WaitingGroup, ...]:
        """The pending pods of a namespace (of all, for ""), by workload, the largest first."""
        ...

    async def node(self, cluster: str, subject: Subject) -> NodeStory:
        """What became of a node or NodeClaim."""
        ...

    async def trace(self, cluster: str, namespace: str, pod: str) -> PodTrace:
        """What became of a pod."""
        ...


class LookupFailed(Exception):  # noqa: N818 (reads as what is the case)
    """No answer: the sentence `error.<code>`, told with these facts. `again`: trying later may help."""

    def __init__(self, code: str, facts: Mapping[str, object], *, again: bool = True) -> None:
        super().__init__(code)
        self.code, self.facts, self.again = code, facts, again
