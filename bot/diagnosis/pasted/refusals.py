"""A refusal by one or more NodePools: which of them the pod was meant for, and what that one has against it.

Karpenter tries every NodePool and prints all their refusals; most are noise, for other pods' NodePools refuse with their
taint or label. It checks in the order limits, taints, labels, volumes, topology, instance types (scheduler.go
addToNewNodeClaim, nodeclaim.go CanAdd), so a NodePool that refused late had taken the pod up to there. Where the text does
not decide which NodePool was meant, none of their reasons is called the cause.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.diagnosis.pasted.findings import LEFT_OUT, joined, of_conflict, of_far, of_left_out, of_limits, of_taint
from bot.diagnosis.pasted.instance_types import Judged, Market, Verdict, mistyped
from bot.diagnosis.pasted.looking import looks
from bot.diagnosis.pasted.told import LONGEST_EVIDENCE, Need, Told, merged, need
from bot.karpenter import (
    AllFilteredOut,
    Clause,
    Finding,
    IncompatibleRequirements,
    InstanceTypeRefusal,
    KeyConflict,
    LabelUnknown,
    LimitsExceeded,
    NodeLimitsExhausted,
    Refusal,
    ResourceLimitExceeded,
    TaintNotTolerated,
    Unrecognised,
    Where,
)
from bot.model.diagnosis import Cause, PoolVerdict
from bot.model.labels import INSTANCE_TYPE, NODEPOOL, WELL_KNOWN

_WORD: Final = re.compile(r"[a-z0-9]+")
_SAYS_NOTHING: Final = frozenset(
    {"", "true", "false", "yes", "no", "kubernetes", "io", "com", "k8s", "aws", "karpenter"}
)


@dataclass(slots=True)
class _Sorted:
    """A refusal's findings by how far the NodePool had come with the pod; each with its clause."""

    left_out: list[tuple[Clause, Finding]] = field(default_factory=list)
    limits: list[tuple[Clause, LimitsExceeded | NodeLimitsExhausted | ResourceLimitExceeded]] = field(
        default_factory=list
    )
    taints: list[tuple[Clause, TaintNotTolerated]] = field(default_factory=list)
    labels: list[tuple[Clause, IncompatibleRequirements]] = field(default_factory=list)
    far: list[tuple[Clause, Finding]] = field(default_factory=list)

    def add(self, clause: Clause, finding: Finding) -> None:
        match finding:
            case LimitsExceeded() | NodeLimitsExhausted() | ResourceLimitExceeded():
                self.limits.append((clause, finding))
            case TaintNotTolerated():
                self.taints.append((clause, finding))
            case IncompatibleRequirements(where=Where.POD):
                self.labels.append((clause, finding))
            case _ if isinstance(finding, LEFT_OUT):
                self.left_out.append((clause, finding))
            case _:
                self.far.append((clause, finding))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A refusal and what it was said of: the pod (`namespace/name`, or ""), Karpenter's own text."""

    refusal: Refusal
    pod: str
    said: str
    market: Market | None


def of_refusal(asked: Asked) -> Told:
    """The causes that the refusal proves, and what to look at where it does not."""
    refusal = asked.refusal
    by_stage = _Sorted()
    for clause in refusal.clauses:
        for finding in clause.findings:
            by_stage.add(clause, finding)
    topic = "pod-ignored" if by_stage.left_out else topic_of(refusal)
    if by_stage.left_out:
        causes = tuple(of_left_out(finding, asked.pod, asked.said) for _, finding in by_stage.left_out)
        return Told(topic=topic, causes=merged(causes), needs=looks(asked.pod, refusal), decisive=True)
    judged = _chosen(by_stage, asked) if refusal.complete else Judged()
    causes = merged(judged.causes)
    needs = _needs(asked, by_stage, explained=bool(causes))
    return Told(topic=topic, causes=causes, needs=needs, decisive=judged.decisive)


def topic_of(refusal: Refusal) -> str:
    """The sentence that says what the refusal means: the reason about instance types, or that several were tried."""
    reasons = {f.reason.name.lower().replace("_", "-") for f in refusal.findings if isinstance(f, InstanceTypeRefusal)}
    if not refusal.complete:
        return "refusal-cut"
    if all(isinstance(finding, AllFilteredOut) for finding in refusal.findings):
        return "filtered-out"
    if len(refusal.clauses) > 1 or len(reasons) != 1:
        return "refused"
    return f"refused-{reasons.pop()}"


def pools_of(refusal: Refusal, causes: Sequence[Cause], message: str) -> tuple[PoolVerdict, ...]:
    """Each NodePool that the text names, and which of the causes are its own."""
    names = dict.fromkeys(
        clause.nodepool or getattr(finding, "nodepool", None) or ""
        for clause in refusal.clauses
        for finding in clause.findings
    )
    return tuple(
        PoolVerdict(
            name=name,
            blocked_by=tuple(c.id for c in causes if name in c.nodepools),
            karpenter_message=message[:LONGEST_EVIDENCE],
            offerings=0,
            intended=any(name in c.nodepools for c in causes),
        )
        for name in names
        if name
    )


def _chosen(found: _Sorted, asked: Asked) -> Judged:
    """The judgement about the NodePool that was meant; none where it cannot be told which one that was."""
    far = [_far(clause, finding, asked) for clause, finding in found.far]
    labels = [_labels(clause, finding, asked.pod) for clause, finding in found.labels]
    decisive = joined(part for part in (*far, *labels) if part.decisive)
    if decisive.causes:
        return decisive
    related = [(clause, one) for clause, one in found.taints if _concerns(one, found)]
    limits = [of_limits(finding, _pool(clause, finding), asked.said) for clause, finding in found.limits]
    alone = not (found.limits or found.taints or found.labels)
    meant = far if alone else [part for part in far if part.verdict is not Verdict.NOT_MEANT]
    if meant:
        return Judged() if limits or related else _agreed(meant)
    if limits:
        return Judged() if related else Judged(causes=tuple(limits))
    if related or (found.taints and not far and not labels):
        return Judged(causes=tuple(_taints(related or found.taints, asked.said)))
    return Judged() if found.taints or far else _nearest(found.labels, asked.pod)


def _far(clause: Clause, finding: Finding, asked: Asked) -> Judged:
    return of_far(clause, finding, asked.pod, asked.said, asked.market)


def _labels(clause: Clause, finding: IncompatibleRequirements, pod: str) -> Judged:
    return joined(of_conflict(finding.where, one, clause.nodepool or "", pod) for one in finding.conflicts)


def _taints(taints: Iterable[tuple[Clause, TaintNotTolerated]], said: str) -> Iterator[Cause]:
    for clause, taint in taints:
        yield of_taint(taint, clause.nodepool or "", said)


def _pool(clause: Clause, finding: Finding) -> str:
    return clause.nodepool or getattr(finding, "nodepool", None) or ""


def _agreed(judged: Sequence[Judged]) -> Judged:
    """Several NodePools took the pod equally far: they have to say the same, or it is open which one was meant."""
    ids = {tuple(sorted({cause.id for cause in one.causes})) for one in judged}
    return Judged(causes=tuple(c for one in judged for c in one.causes)) if len(ids) == 1 else Judged()


def _nearest(labels: Sequence[tuple[Clause, IncompatibleRequirements]], pod: str) -> Judged:
    """Only labels are in the way. A NodePool that has the pod's own labels and lacks, say, its zone is the one meant."""
    own = [(clause, finding) for clause, finding in labels if not any(map(_custom, finding.conflicts))]
    defined = [one for one in labels if not any(isinstance(c, LabelUnknown) for c in one[1].conflicts)]
    chosen = own or defined or list(labels)
    if all(isinstance(c, KeyConflict) and c.key == NODEPOOL for _, f in chosen for c in f.conflicts):
        return Judged()  # the pod names a NodePool that is not among those that refuse: whether it exists is not said
    return joined(_labels(clause, finding, pod) for clause, finding in chosen)


def _custom(conflict: LabelUnknown | KeyConflict) -> bool:
    return isinstance(conflict, LabelUnknown) or conflict.key not in WELL_KNOWN or conflict.key == NODEPOOL


def _concerns(taint: TaintNotTolerated, found: _Sorted) -> bool:
    """Whether a taint speaks of what the pod asks for (`arch=arm64`, `nvidia.com/gpu`): then its NodePool may be the one
    meant. A taint with another value than the pod's own is for others.
    """
    resources, values = _asked_words(found)
    telling = _words(taint.value)
    key = _words(taint.key)
    return bool(key and key <= resources) or (bool(telling or key) and (telling or key) <= values)


def _asked_words(found: _Sorted) -> tuple[set[str], set[str]]:
    """Words of the devices that the pod asks for, and of the values of its labels, as far as the refusals show them."""
    resources: set[str] = set()
    values: set[str] = set()
    for _, finding in found.far:
        if isinstance(finding, InstanceTypeRefusal):
            resources |= {word for name in finding.resources if "/" in name for word in _words(name)}
            own = [one for one in finding.requirements if one.key not in WELL_KNOWN]
            values |= {word for one in own for word in _words(" ".join(one.values))}
    for _, refused in found.labels:
        for conflict in refused.conflicts:
            if isinstance(conflict, LabelUnknown):
                values |= _words(conflict.key)
            elif conflict.key != INSTANCE_TYPE:
                values |= _words(" ".join(conflict.incoming.values))
    return resources, values


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower())) - _SAYS_NOTHING


def _needs(asked: Asked, found: _Sorted, *, explained: bool) -> tuple[Need, ...]:
    refusal = asked.refusal
    needs = [] if refusal.complete else [need("whole-line")]
    needs += [need("unread", text=f.text) for f in refusal.findings if isinstance(f, Unrecognised) and not f.cut]
    for _, finding in found.far:
        if isinstance(finding, InstanceTypeRefusal):
            needs += [need("typo", key=one.key, values=one.values) for one in mistyped(finding.requirements)]
    return (*needs, *looks(asked.pod, refusal, explained=explained, ec2=asked.market is not None))
