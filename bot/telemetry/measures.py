"""Every measure that the bot takes, in one table, and the three verbs that take them.

Names and labels are a contract with dashboards and alerts. Labels take few values: causes, verdicts, codes and the
configured clusters' names, never a pod, person or channel. Nothing is kept until `watched_by` names who keeps it: the
command line takes no notes, and need not import what would.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from bot.telemetry.tracing import span

PREFIX: Final = "karpenter_bot_"
SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 25.0, 60.0)


@dataclass(frozen=True, slots=True)
class Measure:
    """`counter`: only ever more. `gauge`: a state. `histogram`: seconds."""

    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str


MEASURES: Final[Mapping[str, Measure]] = {
    "answers": Measure("counter", ("cluster", "verdict", "cause"), "Answers given."),
    "failures": Measure("counter", ("code",), "Questions that got a reason instead of an answer."),
    "answer_seconds": Measure("histogram", (), "From a question's arrival until its answer was shown."),
    "stage_seconds": Measure("histogram", ("stage",), "What an answer's time went into."),
    "ack_seconds": Measure("histogram", (), "From a delivery's arrival until Slack was acknowledged."),
    "calls": Measure("counter", ("source", "operation", "outcome"), "Calls to others: ok, an HTTP status, or error."),
    "call_seconds": Measure("histogram", ("source",), "How long calls to others took."),
    "working": Measure("gauge", (), "Questions in work or waiting for their turn."),
    "taken_over": Measure("counter", (), "Questions finished for a replica that ended."),
    "repeated_deliveries": Measure("counter", (), "Deliveries that had been taken before."),
    "approvals": Measure("counter", ("outcome",), "Proposals, by what became of them."),
    "alerts": Measure("counter", ("sender",), "Alerts that were recognised."),
    "cluster_up": Measure("gauge", ("cluster",), "1 while a cluster answers, 0 while it is left alone."),
    "store_up": Measure("gauge", (), "1 when the store answered at last sight."),
    "slack_connected": Measure("gauge", (), "1 while Slack can reach the bot."),
    "leader": Measure("gauge", (), "1 on the replica that watches."),
    "playbook_problems": Measure("gauge", (), "What is wrong with the operator's own playbooks."),
}


class Keeper(Protocol):
    """Who keeps the figures."""

    def keep(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """A counter grows by the value, a gauge takes it, a histogram has seen it."""
        ...


_keepers: Final[list[Keeper]] = []


def watched_by(keeper: Keeper | None) -> None:
    """From now on this one keeps what is measured; None: nobody."""
    _keepers[:] = [keeper] if keeper else []


def count(name: str, /, **labels: str) -> None:
    """One more. Raises KeyError, ValueError for what is not in the table."""
    _take(name, "counter", 1.0, labels)


def state(name: str, value: float, /, **labels: str) -> None:
    """How it stands now. Raises KeyError, ValueError for what is not in the table."""
    _take(name, "gauge", value, labels)


def took(name: str, seconds: float, /, **labels: str) -> None:
    """How long it took. Raises KeyError, ValueError for what is not in the table."""
    _take(name, "histogram", seconds, labels)


def called(source: str, operation: str, outcome: str, seconds: float) -> None:
    """One call to `kubernetes`, `aws` or `slack`. `operation` is of few: a verb or an API's name, no path and no id."""
    count("calls", source=source, operation=operation, outcome=outcome)
    took("call_seconds", seconds, source=source)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """One stage of an answer, as a figure and as a span: observe, ec2, decide, render, show."""
    began = time.perf_counter()
    with span(name):
        try:
            yield
        finally:
            took("stage_seconds", time.perf_counter() - began, stage=name)


def _take(name: str, kind: str, value: float, labels: Mapping[str, str]) -> None:
    measure = MEASURES[name]
    if measure.kind != kind or set(labels) != set(measure.labels):
        raise ValueError(f"{name} is a {measure.kind} with the labels {measure.labels}")
    for keeper in _keepers:
        keeper.keep(name, value, labels)
