"""What is asked about an alert, and what came of it: facts and words of one answer, before it is folded into an incident."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from bot.alerts import Subject
from bot.markets import Pooled
from bot.playbooks import Rendered
from bot.slack.blocks import Message
from bot.slack.questions import Why
from bot.slack.services import Asker, Reply
from bot.sources.gone_pods import OwnerState
from bot.sources.ownership import Owned


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An answer. `key` makes it the same incident as another; `pods` are those it is about (`namespace/name`), `jobs` the
    Jobs that made them.
    """

    key: str
    message: Message
    pods: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    watch: Mapping[str, Any] = field(default_factory=dict)
    """What to look at to see how it ends: cluster, namespace, owner or node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingGroup:
    """Pods of one workload, which is their topmost owner: how many, and the first of them."""

    namespace: str
    owner: str
    pods: tuple[str, ...]
    count: int
    kind: str = ""
    oldest: datetime | None = None
    jobs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStory:
    """What is known of a node: there or gone, ready or not, what runs on it, and what was said about it, newest last."""

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
    workloads: tuple[WaitingGroup, ...] = ()
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGone:
    """Why a node went away or is going: the answer of `why-gone`, and the workloads of its pods that wait now."""

    rendered: Rendered
    state: str
    waiting: tuple[WaitingGroup, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTrace:
    """What a pod's name still tells: where it is, or what its last events said and what its owner is doing."""

    phase: str = ""
    node: str = ""
    said: tuple[str, ...] = ()
    successors: tuple[str, ...] = ()
    owner: OwnerState | None = None


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

    async def owners(self, cluster: str, namespace: str, pods: Sequence[str]) -> Mapping[str, Owned]:
        """The owners of pods by their names; pods that are gone are left out."""
        ...

    async def node(self, cluster: str, subject: Subject) -> NodeStory:
        """How a node or NodeClaim is now."""
        ...

    async def departed(self, cluster: str, subject: Subject, language: str) -> NodeGone | None:
        """What became of a node or NodeClaim, as `why-gone` tells it; None where nothing is known of it."""
        ...

    async def nodepools(self, cluster: str, name: str) -> Pooled:
        """The NodePool of that name with its limits and their use; all of them for ""."""
        ...

    async def trace(self, cluster: str, namespace: str, pod: str) -> PodTrace:
        """What became of a pod."""
        ...


class LookupFailed(Exception):  # noqa: N818 (reads as what is the case)
    """No answer: the sentence `error.<code>`, told with these facts. `again`: trying later may help."""

    def __init__(self, code: str, facts: Mapping[str, object], *, again: bool = True) -> None:
        super().__init__(code)
        self.code, self.facts, self.again = code, facts, again
