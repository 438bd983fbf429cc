"""What the Slack room is given: functions that answer. It knows no cluster, no AWS and no storage itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bot.playbooks import Phrases, Rendered
from bot.slack.blocks import Message
from bot.slack.questions import Ask, Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, and where: Slack's ids. `thread_ts` is empty outside threads."""

    user: str
    channel: str
    thread_ts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A remedy that a button is for: an opaque token, its number among the rendered remedies (from 0).

    `ready`: it can be proposed; else its patch can be copied. `recreates`: its object is deleted and created anew for it.
    """

    token: str
    number: int
    ready: bool
    recreates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A change that cannot be applied from here, and the words to make it by hand.

    `why` is a sentence; with `code` it is the fact `why` of the sentence `error.<code>`. `managed`: a repository has the
    object, so its patch comes first. `label` of the patch for the repository: the sentence `approvals.<label>`.
    """

    target: str
    summary: str
    why: str
    code: str
    command: str
    repository: str
    managed: bool = False
    label: str = "repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer, and the reference under which its evidence is kept: opaque, at most 2,000 characters."""

    answer_id: str
    rendered: Rendered
    offers: tuple[Offered, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pod that may have been meant."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """Several pods fit. `candidates` are the best of them, `total` is how many there are, `asked` the words given."""

    candidates: tuple[Candidate, ...]
    asked: str
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """No answer: the sentence `error.<code>` of the catalogue, told with these facts.

    Among the codes: `pod-not-found` (asked, near), `no-pending-pods` (asked, others), `unknown-cluster` (asked, known),
    `cluster-unreachable` (why), `credentials-expired` (why), `not-permitted` (why), `aws-unreachable` (why), `timeout`
    (seconds), `internal` (reference). A code without a sentence is told as `internal`.
    """

    code: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer that is a message already. `discreet`: for the asker's eyes only."""

    message: Message
    discreet: bool = False


Reply = Answered | Choose | Failed


Verb = Callable[[Ask, Asker], Awaitable[Shown | Failed]]
"""Answers one verb of `/karpenter`; its question's `language` is set. Cancelled when its time is up."""


class Services(Protocol):
    """What the listeners call. An exception from any of these becomes an answer with a reference to the log."""

    async def why(self, question: Why, asker: Asker) -> Reply:
        """Answers a question whose `language` is set. Cancelled when its time is up."""
        ...

    async def evidence(self, answer_id: str, language: str) -> Rendered | None:
        """The answer again, in this language; None when it is no longer kept."""
        ...

    def phrases(self, language: str) -> Phrases:
        """The sentences of a language, English where it lacks one."""
        ...
