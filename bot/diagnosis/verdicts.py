"""Verdicts that need no offering: pods that Karpenter leaves out, clusters with nothing to try, and whether we agree."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from bot.diagnosis.history import History, last_refusal
from bot.diagnosis.refusal import message_of
from bot.diagnosis.scheduling import Decision, Round
from bot.diagnosis.volumes import unread
from bot.karpenter import (
    DynamicResourcesUnsupported,
    Finding,
    InstanceTypeRefusal,
    RestrictedLabel,
)
from bot.model.diagnosis import Cause, Constraint, Diagnosis, Editor, Fact, Kind, Verdict
from bot.model.kubernetes import Pod
from bot.model.objects import ref_of
from bot.model.world import World

_VERSION: Final = re.compile(r"v?(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)

# Notes: the phrases that word them have the same names.
KARPENTER_REFUSES: Final = "karpenter-refuses"
KARPENTER_SAYS_OTHERWISE: Final = "karpenter-says-otherwise"
BY_CHANCE: Final = "by-chance"
TERMS_CUT: Final = "terms-cut"
NO_CATALOGUE: Final = "no-instance-types"

_IGNORED: Final[Mapping[type[Finding], str]] = {
    RestrictedLabel: "restricted-label",
    DynamicResourcesUnsupported: "dynamic-resources-unsupported",
}


def parse_version(text: str) -> tuple[int, ...] | None:
    """`v1.8.2` as (1, 8, 2); None where the text is no version."""
    found = _VERSION.match(text)
    return tuple(int(part) for part in found.groups() if part is not None) if found else None


def ignored_causes(pod: Pod, findings: Sequence[Finding], version: tuple[int, ...]) -> tuple[Cause, ...]:
    """One cause for each finding for which Karpenter leaves the pod out of scheduling altogether."""
    return tuple(_ignored_cause(pod, finding, version) for finding in findings)


def _ignored_cause(pod: Pod, finding: Finding, version: tuple[int, ...]) -> Cause:
    message = message_of((finding,), version)
    key = finding.key if isinstance(finding, RestrictedLabel) else ""
    constraint = Constraint(
        id=f"pod/ignored/{type(finding).__name__}/{key}",
        kind=Kind.POD_INVALID,
        object=ref_of(pod),
        field="spec.resourceClaims" if isinstance(finding, DynamicResourcesUnsupported) else _field_of(pod, key),
        value=message,
        editor=Editor.POD_OWNER,
        subject=key,
    )
    facts: dict[str, Fact] = {"message": message, "nodepools": ()}
    if key:
        facts |= {"key": key, "wanted_by": f"{constraint.object} {constraint.field}"}
    if isinstance(finding, DynamicResourcesUnsupported):
        facts["claims"] = tuple(str(claim.get("name", "")) for claim in pod.spec.resource_claims)
    return Cause(
        id=_IGNORED.get(type(finding), "pod-ignored"),
        constraints=(constraint,),
        facts=facts,
        evidence=(f"{constraint.object} {constraint.field}: {message}",),
    )


def _field_of(pod: Pod, key: str) -> str:
    if key in pod.spec.node_selector:
        return f"spec.nodeSelector[{key}]"
    return "spec.affinity.nodeAffinity" if key else "spec"


def nothing_to_try(world: World, pod: Pod, _history: History) -> Diagnosis | None:
    """No NodePool at all, or none whose instance types could be worked out; None when there is something to try."""
    blank = Diagnosis(pod=ref_of(pod), uid=pod.metadata.uid, verdict=Verdict.UNKNOWN)
    if not world.node_pools:
        if unread(world, "nodepools"):
            return blank
        cause = Cause(id="no-nodepool", constraints=(), facts={"total": 0, "nodepools": ()})
        return Diagnosis(pod=ref_of(pod), uid=pod.metadata.uid, verdict=Verdict.BLOCKED, causes=(cause,))
    if not any(p.metadata.name in world.catalogues for p in world.node_pools):
        return Diagnosis(pod=ref_of(pod), uid=pod.metadata.uid, verdict=Verdict.UNKNOWN, notes=(NO_CATALOGUE,))
    return None


def agreement(this: Round, decision: Decision, history: History) -> tuple[str, ...]:
    """Notes on where our verdict and Karpenter's own last words differ, and where chance decides."""
    notes: list[str] = []
    said = last_refusal(history, this.pod)
    if said is not None and said.complete:
        if decision.launch is not None:
            notes.append(KARPENTER_REFUSES)
        else:
            theirs = {f.reason for f in said.findings if isinstance(f, InstanceTypeRefusal)}
            ours = {f.reason for a in decision.refusals for f in a.findings if isinstance(f, InstanceTypeRefusal)}
            if theirs and not theirs & ours:
                notes.append(KARPENTER_SAYS_OTHERWISE)
    if decision.random:
        notes.append(BY_CHANCE)
    return tuple(notes)
