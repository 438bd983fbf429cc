"""An answer in words, in one language and for no medium yet: the parts that a terminal and Slack arrange."""

from dataclasses import dataclass

from bot.playbooks.funnel import RenderedFunnel
from bot.playbooks.markup import Line, plain
from bot.playbooks.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a condition is written, word for word: object, field, value. From the cluster, never markup."""

    object: str
    field: str
    value: str

    def __str__(self) -> str:
        return f"{self.object} {self.field}: {self.value}".lstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedCause:
    """A cause as its page words it. `remedies` is empty unless the page words them itself."""

    id: str
    title: str
    severity: str
    headline: Line
    because: tuple[Line, ...] = ()
    check: tuple[Line, ...] = ()
    remedies: tuple[Line, ...] = ()
    constraints: tuple[Provenance, ...] = ()
    evidence: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedRemedy:
    """A remedy in three sentences: what to change, what that opens, where it is changed (None when unknown)."""

    id: str
    summary: Line
    opens: Line
    where: Line | None = None
    why_not: Line | None = None
    cautions: tuple[Line, ...] = ()
    applicable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPool:
    """One NodePool's answer, and what Karpenter logs for it, word for word."""

    name: str
    line: Line
    karpenter_message: str = ""
    intended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedStatement:
    """What Karpenter said: a label (log or event, when) and its words."""

    label: Line
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The whole answer. Causes, remedies and statements keep the diagnosis's order: the first is the most telling.

    `problems` names the playbooks that failed and were replaced by another page or a plain summary.
    """

    language: str
    verdict: str
    pod: str
    headline: Line
    about: Line
    remedies_heading: Line
    causes: tuple[RenderedCause, ...] = ()
    remedies: tuple[RenderedRemedy, ...] = ()
    pools: tuple[RenderedPool, ...] = ()
    karpenter_says: tuple[RenderedStatement, ...] = ()
    missing: tuple[Line, ...] = ()
    notes: tuple[Line, ...] = ()
    ages: Line | None = None
    """How old EC2's facts are; None where all of them are fresh, or recorded ones."""
    timeline: tuple[Line, ...] = ()
    shields: tuple[Line, ...] = ()
    nodes: tuple[Line, ...] = ()
    """The nodes of a job over time, in words."""
    funnel: RenderedFunnel | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def because(self) -> tuple[Line, ...]:
        """Why, as the page of the first cause argues it."""
        return self.causes[0].because if self.causes else ()

    @property
    def other_causes(self) -> tuple[RenderedCause, ...]:
        """The causes after the first, each sentence once: several NodePools may be blocked by the same."""
        told = {(cause.headline, cause.because): cause for cause in reversed(self.causes)}  # the earliest of equals
        return tuple(cause for cause in self.causes[1:] if told[cause.headline, cause.because] is cause)

    @property
    def summary(self) -> str:
        """The answer in one plain sentence."""
        return plain(self.headline)
