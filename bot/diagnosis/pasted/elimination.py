"""What is left when a refusal's reason rules everything else out: the words decide, EC2's facts at most help.

Only where the reasons mean what they say: up to v1.4 (the text then carries the DaemonSets' overhead) "has enough resources" is
about resources alone; from v1.14 on it is about offerings too (karpenter scheduling/nodeclaim.go, filterInstanceTypes).
"""

import re
from typing import Final

from bot.diagnosis.causes import COUNTED
from bot.diagnosis.pasted.instance_types import Judged, Market, mistyped, of_market, too_big
from bot.diagnosis.pasted.told import cause
from bot.karpenter import Clause, InstanceTypeRefusal, Operator, Reason
from bot.model.diagnosis import Cause
from bot.model.labels import CAPACITY_TYPE, CAPACITY_TYPES, EFA, INSTANCE_TYPE, ZONE

_PLAIN: Final = frozenset({"cpu", "memory", "pods", "ephemeral-storage"})
_SIZE: Final = re.compile(r"nano|micro|small|medium|\d{0,3}x?large|metal(?:-\w{1,8})?|\d{1,2}tb\d?\.\w+")
"""How EC2 writes an instance size; `24xlrge` is none, whatever types there may be."""
_ZONE: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d[g-z]")
"""Availability zones end in a to f (the newest regions have a to c); a letter after that is a typo."""
_OFFERING: Final = frozenset({Reason.OFFERING, Reason.OFFERING_OF_PAIR, Reason.REQUIREMENTS_NOR_OFFERING})


def by_elimination(clause: Clause, finding: InstanceTypeRefusal, market: Market | None) -> Judged:
    """The one cause that the refusal's words leave; none where they leave several."""
    pool = (clause.nodepool or finding.nodepool or "",)
    for found in (_no_such_size(finding, pool), _no_such_zone(finding, pool), _half_mistyped(finding, pool)):
        if found is not None:
            return Judged(causes=(found,))
    if finding.reason is Reason.RESOURCES and clause.daemon_overhead is not None:
        return _too_small(clause, finding, pool, market)
    return Judged()


def _no_such_size(finding: InstanceTypeRefusal, pool: tuple[str, ...]) -> Cause | None:
    pinned = next((r for r in finding.requirements if r.key == INSTANCE_TYPE and r.operator is Operator.IN), None)
    if pinned is None or pinned.others or not pinned.values:
        return None
    wrong = [v for v in pinned.values if "." not in v or not _SIZE.fullmatch(v.partition(".")[2])]
    if len(wrong) < len(pinned.values):
        return None
    evidence = f"requirements[{INSTANCE_TYPE}]: {' '.join(wrong)}"
    where = f"requirements[{INSTANCE_TYPE}]"
    return cause("unknown-instance-type", evidence, pool, instance_type=wrong[0], wanted_by=where, did_you_mean="")


def _no_such_zone(finding: InstanceTypeRefusal, pool: tuple[str, ...]) -> Cause | None:
    asked = next((r for r in finding.requirements if r.key == ZONE and r.operator is Operator.IN), None)
    if asked is None or asked.others or finding.reason is Reason.RESOURCES:
        return None
    if not asked.values or not all(_ZONE.fullmatch(zone) for zone in asked.values):
        return None
    evidence = f"requirements[{ZONE}]: {' '.join(asked.values)}"
    return cause(
        "zone-not-offered",
        evidence,
        pool,
        instance_type="",
        instance_types=(),
        zones=asked.values,
        offered_zones=(),
        wanted_by=f"requirements[{ZONE}]",
    )


def _half_mistyped(finding: InstanceTypeRefusal, pool: tuple[str, ...]) -> Cause | None:
    """`capacity-type In [on_demand spot]` with no offering left: one of the two can never be had."""
    wrong = next((r for r in mistyped(finding.requirements) if r.key == CAPACITY_TYPE), None)
    if wrong is None or finding.reason not in _OFFERING:
        return None
    evidence = f"requirements[{CAPACITY_TYPE}]: {' '.join(wrong.values)}"
    return cause(
        "capacity-type-not-offered",
        evidence,
        pool,
        instance_type="",
        instance_types=(),
        zones=(),
        capacity_types=wrong.values,
        offered_capacity_types=CAPACITY_TYPES,
    )


def _too_small(clause: Clause, finding: InstanceTypeRefusal, pool: tuple[str, ...], market: Market | None) -> Judged:
    """No type is big enough: of what is asked, the one resource that can be short, or plain CPU and memory together."""
    odd = [name for name in finding.resources if name not in _PLAIN]
    if not odd:
        wanted = "cpu" if "cpu" in finding.resources else next(iter(finding.resources), "cpu")
        return Judged(causes=(too_big(wanted, finding.resources.get(wanted, ""), pool, str(finding.reason)),))
    if len(odd) > 1 or market is None or odd[0] in COUNTED:
        return Judged()
    without = {name: amount for name, amount in finding.resources.items() if name not in odd}
    plain = InstanceTypeRefusal(reason=finding.reason, requirements=finding.requirements, resources=without)
    if of_market(clause, plain, market).causes:
        return Judged()  # CPU or memory may be what is short
    resource, asked = odd[0], finding.resources[odd[0]]
    if resource == EFA:
        facts = {"resource": EFA, "requested": int(asked) if asked.isdigit() else 0, "instance_type": ""}
        return Judged(
            causes=(
                cause(
                    "efa-unsupported",
                    str(finding.reason),
                    pool,
                    instance_types=(),
                    types_count=0,
                    pinned=False,
                    **facts,  # type: ignore[arg-type]
                ),
            )
        )
    return Judged(causes=(too_big(resource, asked, pool, f"{finding.reason}: {resource}"),))
