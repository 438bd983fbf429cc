"""What to look at next after a refusal: which facts the text lacks, by what its findings are about."""

from collections.abc import Iterator
from typing import Final

from bot.diagnosis.pasted.told import Need, distinct, need
from bot.karpenter import (
    AllFilteredOut,
    Finding,
    IncompatibleRequirements,
    InstanceTypeRefusal,
    LimitsExceeded,
    NodeLimitsExhausted,
    Operator,
    Reason,
    Refusal,
    ResourceLimitExceeded,
    TopologyUnsatisfiable,
    VolumeClaimUnusable,
    Where,
)
from bot.model.labels import INSTANCE_TYPE, ZONE

_ABOUT_OFFERINGS: Final = frozenset(
    {
        Reason.OFFERING,
        Reason.OFFERING_OF_PAIR,
        Reason.NOTHING,
        Reason.RESOURCES_NOR_OFFERING,
        Reason.REQUIREMENTS_NOR_OFFERING,
        Reason.NO_TRIPLE,
    }
)


def looks(pod: str, refusal: Refusal, *, explained: bool = True, ec2: bool = True) -> tuple[Need, ...]:
    """The commands that show more; fewer where the cause is known already."""
    found = [look for finding in refusal.findings for look in _of(finding, pod, explained=explained, ec2=ec2)]
    if not explained:
        pools = {clause.nodepool or getattr(f, "nodepool", None) for clause in refusal.clauses for f in clause.findings}
        named = sorted(pool for pool in pools if pool)
        found += [need("nodepool", nodepool=named[0] if len(named) == 1 else "")]
    return distinct((*found, need("why", pod=pod)))


def _of(finding: Finding, pod: str, *, explained: bool, ec2: bool) -> Iterator[Need]:
    match finding:
        case InstanceTypeRefusal() if not explained:
            yield from _of_types(finding, ec2=ec2)
        case AllFilteredOut():
            yield need("launch-log")
        case LimitsExceeded() | NodeLimitsExhausted():
            yield need("limits", nodepool=finding.nodepool)
        case ResourceLimitExceeded():
            yield need("limits", nodepool="")
        case TopologyUnsatisfiable():
            yield need("spread", pod=pod, key=finding.key)
        case VolumeClaimUnusable():
            yield need("volumes", pod=pod)
        case IncompatibleRequirements(where=Where.VOLUME):
            yield need("volumes", pod=pod)
        case _:
            return


def _of_types(finding: InstanceTypeRefusal, *, ec2: bool) -> Iterator[Need]:
    listed = {one.key: one.values for one in finding.requirements if one.operator is Operator.IN}
    types = listed.get(INSTANCE_TYPE, ())
    if not ec2:
        yield need("ec2-facts", zones=listed.get(ZONE, ()))
    if types:
        yield need("instance-types", instance_types=types)
    if finding.reason in _ABOUT_OFFERINGS:
        yield need("offerings", instance_types=types)
        yield need("launch-log")
