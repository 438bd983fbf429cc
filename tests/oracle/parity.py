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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bot.diagnosis.refusal import message_of, types_left
from bot.diagnosis.scheduling import Decision, decide
from bot.diagnosis.validation import not_provisionable
from bot.karpenter import TaintNotTolerated
from bot.model.kubernetes import Pod
from bot.model.objects import MalformedObjectError
from bot.model.world import World
from tests.oracle.client import Oracle, normalise_message
from tests.oracle.generate import generate
from tests.oracle.verdicts import Verdict
from tests.oracle.worlds import world_of

VERSION = (1, 15)


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
    decision = decide(world, pod, (), VERSION)
    if decision.ignored:
        texts = tuple(sorted(normalise_message(message_of((f,), VERSION)) for f in decision.ignored))
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
        return (("", tuple(normalise_message(message_of((f,), VERSION)) for f in decision.nothing_left)),)
    told = []
    for attempt in decision.refusals:
        taints = [f for f in attempt.findings if isinstance(f, TaintNotTolerated)]
        parts = [(t,) for t in taints] if taints else [attempt.findings]
        told.append((attempt.template.name, tuple(normalise_message(message_of(p, VERSION)) for p in parts)))
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
        parts = tuple((p.node_pool, p.causes) for p in error.node_pools) or (("", error.causes),)
        return Answer(verdict=word, messages=parts)
    return Answer(verdict=word)


@dataclass(slots=True)
class Report:
    """Counts over all cases, and the differences themselves."""

    cases: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    differing: list[tuple[Mapping[str, Any], Answer, Answer, str]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def lines(self) -> Iterator[str]:
        yield f"cases {self.cases}, skipped {dict(self.skipped)}"
        yield f"verdicts {dict(sorted(self.verdicts.items()))}"
        kinds = Counter(kind for *_, kind in self.differing)
        yield f"differences {len(self.differing)} {dict(kinds)}"


def difference(mine: Answer, outcomes: list[Answer]) -> str:
    """The first thing in which our answer differs from every one that Karpenter gives, or ""."""
    if not any(o.verdict == mine.verdict for o in outcomes):
        return "verdict"
    if not any((o.verdict, o.nodepool) == (mine.verdict, mine.nodepool) for o in outcomes):
        return "nodepool"
    if not any(
        (o.verdict, o.nodepool, o.instance_types) == (mine.verdict, mine.nodepool, mine.instance_types)
        for o in outcomes
    ):
        return "instance types"
    return "" if mine in outcomes else "message"


def compare(cases: Iterator[Mapping[str, Any]]) -> Report:
    """Both decide each case; cases with several pending pods are Karpenter's alone (they share a round)."""
    report = Report()
    with Oracle() as oracle:
        for case in cases:
            try:
                world, pods = world_of(case)
            except MalformedObjectError as error:
                report.skipped[f"malformed: {error}"] += 1
                continue
            if len(pods) != 1:
                report.skipped["several pods"] += 1
                continue
            verdict = oracle.decide(case)
            if verdict.failure or verdict.schedule_error:
                report.skipped["Karpenter cannot schedule at all"] += 1
                continue
            pod = f"{pods[0].metadata.namespace}/{pods[0].metadata.name}"
            if pod in verdict.volume_errors:
                report.skipped["volume error"] += 1
                continue
            report.cases += 1
            mine = ours(world, pods[0])
            report.verdicts[mine.verdict] += 1
            outcomes = [theirs(v, pod) for v in oracle.outcomes(case, samples=1)]
            kind = difference(mine, outcomes)
            if kind:
                outcomes = [theirs(v, pod) for v in oracle.outcomes(case, samples=24)]
                kind = difference(mine, outcomes)
            if kind:
                report.differing.append((case, mine, outcomes[0], kind))
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
    report = compare(generate(arguments.seed, arguments.count, feature=arguments.feature))
    print("\n".join(report.lines()))
    for case, mine, theirs_, kind in report.differing[: arguments.show]:
        print(f"--- {case['id']}: {kind}\n  ours   {mine}\n  theirs {theirs_}")
    if arguments.dump:
        with open(arguments.dump, "wb") as file:  # noqa: PTH123
            file.writelines(msgspec.json.encode(case) + b"\n" for case, *_ in report.differing)
    return 1 if report.differing else 0


if __name__ == "__main__":
    sys.exit(main())
