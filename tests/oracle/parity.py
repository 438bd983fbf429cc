"""Our decisions against Karpenter's own, over random cases: verdict, NodePool, instance types, messages.

    python -m tests.oracle.parity --seed 7 --count 10000
    python -m tests.oracle.parity --seed 7 --count 200 --feature taints --show 3

A case counts as agreeing when our decision is one that Karpenter itself gives in some run: where it walks a map, several
are right, and it is asked again before a difference is called one.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import tee
from typing import Any, Final

import msgspec

from bot.diagnosis.pods import requests_of
from bot.diagnosis.refusal import message_of, types_left
from bot.diagnosis.releases import NEWEST
from bot.diagnosis.scheduling import Decision, decide
from bot.diagnosis.validation import not_provisionable
from bot.karpenter import DynamicResourcesUnsupported, TaintNotTolerated
from bot.model.kubernetes import Pod
from bot.model.objects import MalformedObjectError
from bot.model.quantities import ZERO
from bot.model.world import World
from tests.oracle.client import Oracle, normalise, normalise_message
from tests.oracle.generate import generate
from tests.oracle.verdicts import Verdict
from tests.oracle.worlds import world_of

_OF_THE_POD: Final = message_of((DynamicResourcesUnsupported(),), NEWEST)
"""Said before any NodePool is tried; the oracle gives it to the NodePool where there is only one."""
SAMPLES: Final = 24
"""How often Karpenter is asked again before a difference is called one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is compared. `messages`: NodePool name to its messages, normalised, in Karpenter's order."""

    verdict: str
    nodepool: str = ""
    instance_types: tuple[str, ...] = ()
    messages: tuple[tuple[str, tuple[str, ...]], ...] = ()


def ours(world: World, pod: Pod) -> Answer:
    """The bot's decision."""
    if not_provisionable(pod):
        return Answer(verdict="not-provisionable")
    decision = decide(world, pod, (), NEWEST)
    if decision.ignored:
        texts = tuple(sorted(normalise_message(message_of((f,), NEWEST)) for f in decision.ignored))
        return Answer(verdict="ignored", messages=(("", texts),))
    if decision.node:
        return Answer(verdict="fits-existing-node", nodepool=decision.node)
    if decision.launch is not None:
        types = types_left(decision.launch)
        return Answer(verdict="launchable", nodepool=decision.launch.template.name, instance_types=types)
    if any(a.deferred for a in decision.refusals):
        return Answer(verdict="deferred")
    return Answer(verdict="blocked", messages=_messages(decision))


def _messages(decision: Decision) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if decision.no_nodepools:
        return (("", ("no dynamic nodepools found",)),)  # what Karpenter logs; the pod itself gets no message
    if decision.nothing_left:
        return (("", tuple(normalise_message(message_of((f,), NEWEST)) for f in decision.nothing_left)),)
    told = []
    for attempt in decision.refusals:
        taints = [f for f in attempt.findings if isinstance(f, TaintNotTolerated)]
        parts = [(t,) for t in taints] if taints else [attempt.findings]
        told.append((attempt.template.name, tuple(normalise_message(message_of(p, NEWEST)) for p in parts)))
    return tuple(told)


def theirs(verdict: Verdict, pod: str) -> Answer:
    """Karpenter's decision."""
    word = verdict.of(pod)
    if word == "ignored":
        return Answer(verdict=word, messages=(("", tuple(sorted(verdict.ignored_causes[pod]))),))
    if word == "fits-existing-node":
        return Answer(verdict=word, nodepool=next(n.name for n in verdict.existing_nodes if pod in n.pods))
    if word == "launchable":
        claim = next(c for c in verdict.new_node_claims if pod in c.pods)
        return Answer(verdict=word, nodepool=claim.node_pool, instance_types=tuple(sorted(claim.instance_types)))
    if word == "blocked":
        error = verdict.pod_errors[pod]
        of_pools = () if error.causes == (_OF_THE_POD,) else error.node_pools
        parts = tuple((p.node_pool, p.causes) for p in of_pools) or (("", error.causes),)
        return Answer(verdict=word, messages=parts)
    return Answer(verdict=word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One pod of a case. `loose`: pods that came later have narrowed its node, so only the node's NodePool can be compared."""

    case: Mapping[str, Any]
    pod: str
    mine: Answer
    loose: bool

    def difference(self, verdicts: Iterable[Verdict]) -> tuple[str, Answer]:
        """The first thing in which our answer differs from every one that Karpenter gives, or "", and one of Karpenter's.

        A message may be of any run, NodePool by NodePool: where Karpenter picks a domain at random, it does for each.
        """
        outcomes = [theirs(v, self.pod) for v in verdicts]
        mine = self.mine
        steps: dict[str, Callable[[Answer], object]] = {
            "verdict": lambda a: a.verdict,
            "nodepool": lambda a: (a.verdict, a.nodepool),
            "instance types": lambda a: (a.verdict, a.nodepool, a.instance_types),
            "message": lambda a: (a.verdict, [name for name, _ in a.messages]),
        }
        for step in list(steps)[: 2 if self.loose else None]:
            if not any(steps[step](o) == steps[step](mine) for o in outcomes):
                return step, outcomes[0]
        said = {part for o in outcomes if o.verdict == mine.verdict for part in o.messages}
        return ("" if self.loose or said.issuperset(mine.messages) else "message"), outcomes[0]


@dataclass(slots=True)
class Report:
    """Counts over all cases, and the differences themselves: question, Karpenter's answer, what differs."""

    cases: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    differing: list[tuple[Question, Answer, str]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    features: Counter[str] = field(default_factory=Counter)

    def lines(self) -> Iterator[str]:
        yield f"cases {self.cases}, pods compared {self.verdicts.total()}, skipped {dict(self.skipped)}"
        yield f"verdicts {dict(sorted(self.verdicts.items()))}"
        kinds = Counter(kind for *_, kind in self.differing)
        yield f"differences {len(self.differing)} {dict(kinds)}"


def qualified(pod: Pod) -> str:
    """`namespace/name`, as the oracle names pods."""
    return f"{pod.metadata.namespace}/{pod.metadata.name}"


def _queued(pod: Pod) -> tuple[object, ...]:
    """Where Karpenter tries the pod in its round (provisioning/scheduling/queue.go, byCPUAndMemoryDescending)."""
    asked = requests_of(pod.spec)
    return (-asked.get("cpu", ZERO).nano, -asked.get("memory", ZERO).nano, pod.metadata.uid)


def questions(case: Mapping[str, Any], world: World, pods: Sequence[Pod], verdict: Verdict) -> Iterator[Question]:
    """The pods of a case on which the two can be compared: we decide for a pod that is alone in its round.

    Of several pods those compare that Karpenter leaves out, all where it places none, else the first in its queue.
    """
    words = {qualified(pod): verdict.of(qualified(pod)) for pod in pods}
    placed = [name for name, word in words.items() if word in ("launchable", "fits-existing-node", "deferred")]
    tried = sorted((pod for pod in pods if words[qualified(pod)] not in ("ignored", "not-provisionable")), key=_queued)
    for pod in pods:
        name = qualified(pod)
        if len(pods) == 1 or not placed or pod not in tried:
            yield Question(case=case, pod=name, mine=ours(world, pod), loose=False)
        elif pod is tried[0] and name in placed:
            yield Question(case=case, pod=name, mine=ours(world, pod), loose=True)


def compare(oracle: Oracle, cases: Iterable[Mapping[str, Any]]) -> Report:
    """Both decide each case; where they differ, Karpenter is asked again, for it walks maps."""
    report = Report()
    doubtful: list[Question] = []
    sent, kept = tee(cases)
    for case, verdict in zip(kept, oracle.decide_all(sent), strict=True):
        try:
            world, pods = world_of(case)
        except MalformedObjectError as error:
            report.skipped[f"malformed: {error}"] += 1
            continue
        if verdict.failure or verdict.schedule_error:
            report.skipped["Karpenter cannot schedule at all"] += 1
            continue
        if any(qualified(pod) in verdict.volume_errors for pod in pods):
            report.skipped["volume error"] += 1
            continue
        report.cases += 1
        report.features.update(str(case.get("feature", "")).split("+"))
        for question in questions(case, world, pods, normalise(verdict)):
            report.verdicts[question.mine.verdict] += 1
            if question.difference([normalise(verdict)])[0]:
                doubtful.append(question)
    for question in doubtful:
        kind, answer = question.difference(oracle.outcomes(question.case, samples=SAMPLES))
        if kind:
            report.differing.append((question, answer, kind))
    return report


def main() -> int:
    """Prints the counts and some of the differences; exit code 1 when there are any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--feature")
    parser.add_argument("--show", type=int, default=2)
    parser.add_argument("--dump", help="write the differing cases to this file, JSON lines")
    arguments = parser.parse_args()
    with Oracle() as oracle:
        report = compare(oracle, generate(arguments.seed, arguments.count, feature=arguments.feature))
    print("\n".join(report.lines()))
    for question, answer, kind in report.differing[: arguments.show]:
        print(f"--- {question.case['id']} {question.pod}: {kind}\n  ours   {question.mine}\n  theirs {answer}")
    if arguments.dump:
        with open(arguments.dump, "wb") as file:  # noqa: PTH123
            file.writelines(msgspec.json.encode(case) + b"\n" for case in (q.case for q, *_ in report.differing))
    return 1 if report.differing else 0


if __name__ == "__main__":
    sys.exit(main())
