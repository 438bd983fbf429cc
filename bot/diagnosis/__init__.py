"""The decision: `diagnose(world, pod)` says why a pod has no node. Pure: everything it needs is in the World.

Read `diagnose` as the table of contents. Order matters: a pod that runs is not blocked, a pod that Karpenter does not look
at is not refused, a pod with a NodeClaim waits, and only what is left is explained NodePool by NodePool.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.diagnosis.disruption import loss
from bot.diagnosis.foretelling import no_quota
from bot.diagnosis.gangs import partly_placed
from bot.diagnosis.history import History, read_history, refused_offerings, statements, unexplained
from bot.diagnosis.launch_history import WOULD_LAUNCH, with_history
from bot.diagnosis.lifecycle import after_decision, untold
from bot.diagnosis.outside import never_created, outside_karpenter
from bot.diagnosis.refusal import explain, message_of, offerings_left, types_left
from bot.diagnosis.releases import NEWEST
from bot.diagnosis.scheduling import Decision, Round, begin, solve
from bot.diagnosis.unevaluated import unevaluated
from bot.diagnosis.validation import ignored
from bot.diagnosis.verdicts import TERMS_CUT, agreement, ignored_causes, nothing_to_try, parse_version
from bot.model.diagnosis import Diagnosis, PoolVerdict, Verdict
from bot.model.kubernetes import Pod
from bot.model.objects import ref_of
from bot.model.world import Refused, World

__all__ = ["WOULD_LAUNCH", "diagnose", "never_created"]

_DECIDED: Final = frozenset({Verdict.BLOCKED, Verdict.LAUNCHABLE, Verdict.FITS_EXISTING_NODE})
"""Verdicts that rest on Karpenter's decision, replayed."""


def diagnose(world: World, pod: Pod) -> Diagnosis:
    """Why the pod has no node (or that it has, or will have), with causes, remedies and what could not be read."""
    history = read_history(world)
    found = (
        outside_karpenter(world, pod, history)
        or after_decision(world, pod, history)
        or nothing_to_try(world, pod, history)
        or _in_time(world, pod, history)
    )
    lost = loss(world, pod, history)
    gang = partly_placed(world, pod) if found.verdict is Verdict.BLOCKED else None
    return replace(
        found,
        cluster=world.cluster,
        karpenter_version=world.karpenter_version,
        karpenter_says=statements(history, pod),
        causes=(*found.causes, *((gang,) if gang else ()), *((lost.cause,) if lost else ())),
        remedies=(*found.remedies, *(lost.remedies if lost else ())),
        missing=world.missing,
        ec2_ages=world.ec2_ages,
        unevaluated=unevaluated(world, pod, history) if found.verdict in _DECIDED else (),
    )


def _in_time(world: World, pod: Pod, history: History) -> Diagnosis:
    """Karpenter's decision, in the light of the launches that failed and of a NodeClaim that is stuck."""
    found = _decided(world, pod, history)
    return untold(world, pod, history, found) or with_history(world, pod, found, history)


def _decided(world: World, pod: Pod, history: History) -> Diagnosis:
    """Karpenter's own decision, replayed, and if it is a refusal, its causes and remedies."""
    left_out = ignored(world, pod)
    version = parse_version(world.karpenter_version) or NEWEST
    blank = Diagnosis(pod=ref_of(pod), uid=pod.metadata.uid, verdict=Verdict.BLOCKED)
    if left_out:
        return replace(blank, reason="ignored", causes=ignored_causes(pod, left_out, version))
    refused = refused_offerings(world, history)
    refused += unexplained(world, refused)
    this = begin(world, pod, refused, version)
    decision = solve(this)
    if decision.node:
        return replace(blank, verdict=Verdict.FITS_EXISTING_NODE, facts={"node": decision.node})
    if decision.left_alone:
        return replace(blank, causes=ignored_causes(pod, decision.nothing_left, version))
    if decision.launch is not None:
        return _launchable(blank, this, decision, history)
    return _blocked(blank, this, decision, refused, history)


def _launchable(blank: Diagnosis, this: Round, decision: Decision, history: History) -> Diagnosis:
    attempt = decision.launch
    assert attempt is not None  # noqa: S101 (the caller looked)
    types = types_left(attempt)
    pool = PoolVerdict(
        name=attempt.template.name,
        blocked_by=(),
        karpenter_message="",
        offerings=offerings_left(attempt),
        intended=True,
    )
    refusing = tuple(
        PoolVerdict(
            name=a.template.name, blocked_by=(), karpenter_message=message_of(a.findings, this.version), offerings=0
        )
        for a in decision.refusals
    )
    return replace(
        blank,
        verdict=Verdict.LAUNCHABLE,
        nodepools=(pool, *refusing),
        causes=(foretold,) if (foretold := no_quota(this.world, attempt)) else (),
        facts={"nodepool": attempt.template.name, "instance_types": types[:5], "types_count": len(types)},
        notes=agreement(this, decision, history),
    )


def _blocked(
    blank: Diagnosis, this: Round, decision: Decision, refused: Sequence[Refused], history: History
) -> Diagnosis:
    told = explain(this, decision, refused)
    notes = agreement(this, decision, history)
    return replace(
        blank,
        causes=told.causes,
        remedies=told.remedies,
        nodepools=told.nodepools,
        notes=(*notes, TERMS_CUT) if told.cut else notes,
    )
