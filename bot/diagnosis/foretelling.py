"""What EC2 will refuse though Karpenter finds nothing against the pod: launches for which the account has no vCPU quota.

Karpenter does not know quotas. It launches, EC2 says `VcpuLimitExceeded` or `MaxSpotInstanceCountExceeded`, and afterwards the
pod is refused for want of an offering (karpenter-provider-aws pkg/errors/errors.go, v1.15).
"""

from typing import Final

from bot.diagnosis.indexes import bits
from bot.diagnosis.proven import cause
from bot.diagnosis.quotas import Quota, quotas_of
from bot.diagnosis.scheduling import Attempt
from bot.model.diagnosis import Cause, Fact
from bot.model.labels import ON_DEMAND, SPOT
from bot.model.world import World

FORETOLD: Final = "quota-foretold"
_LISTED: Final = 5


def no_quota(world: World, attempt: Attempt) -> Cause | None:
    """`vcpu-quota-exceeded`, where none of the offerings that the NodePool would launch has room in its quota.

    None as soon as one has, or its quota is not known: that is not foretold then.
    """
    quotas, space = quotas_of(world), attempt.template.space
    short: dict[str, Quota] = {}
    names: set[str] = set()
    for slot in space.slots_meeting(attempt.requirements):
        capacity_type = space.slots[slot].capacity_type
        for index in bits(space.available[slot] & attempt.types):
            name = space.types[index].name
            quota = quotas.short(name, capacity_type) if capacity_type in (ON_DEMAND, SPOT) else None
            if quota is None:
                return None
            short[quota.code] = quota
            names.add(name)
    if not short:
        return None
    told = sorted(short.values(), key=lambda one: one.name)
    said = "; ".join(f"{one.name}: {one.limit:g}{_in_use(one)}" for one in told)
    limits = {f"{one.limit:g}" for one in told}
    facts: dict[str, Fact] = {
        "nodeclaim": "",
        "message": "",
        "instance_types": tuple(sorted(names)[:_LISTED]),
        "bought": tuple(sorted({one.capacity_type for one in told})),
        "limit": limits.pop() if len(limits) == 1 else "",
    }
    return cause("vcpu-quota-exceeded", f"Service Quotas: {said}", (attempt.template.name,), quotas=said, **facts)


def _in_use(quota: Quota) -> str:
    if not quota.used:
        return ""
    return f", {quota.used:g} in use" if quota.whole_account else f", at least {quota.used:g} in use"
