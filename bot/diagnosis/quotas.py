"""vCPU quotas: which one an instance type counts against, how much of it is used, and what is left.

A quota says in its own name which types it covers ("Running On-Demand G and VT instances", "All P5 Spot Instance
Requests"), so that one that AWS adds tomorrow is understood today. What is used is CloudWatch's count of the whole account
where it was read; else the cluster's own nodes, which is the least that can be used.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.diagnosis.state_nodes import StateNode, state_nodes
from bot.model.ec2 import Ec2Facts, InstanceTypeInfo, QuotaUsage, ServiceQuota
from bot.model.labels import CAPACITY_TYPE, INSTANCE_TYPE, ON_DEMAND, RESERVATION_TYPE, SPOT
from bot.model.quantities import NANO
from bot.model.world import World

_ON_DEMAND_NAME: Final = re.compile(r"Running On-Demand (.+) instances", re.IGNORECASE)
_SPOT_NAME: Final = re.compile(r"All (.+) Spot Instance Requests", re.IGNORECASE)
_LISTED: Final = re.compile(r"\(([^)]*)\)")
_WORD: Final = re.compile(r"[A-Za-z]+[0-9]*")
_LETTERS: Final = re.compile(r"[a-z]+")
_SEVERAL_LETTERS: Final = ("inf", "trn", "hpc", "mac", "vt", "dl")
"""Families whose class has more than one letter; of all others the first letter is the class (`im4gn` is an I)."""
_HIGH_MEMORY: Final = "high memory"
_EKS_CAPACITY_TYPE: Final = "eks.amazonaws.com/capacityType"
CAPACITY_BLOCK: Final = "capacity-block"
_OF_EKS: Final = {"ON_DEMAND": ON_DEMAND, "SPOT": SPOT}

CODES: Final[Mapping[str, tuple[str, str]]] = {
    "L-1216C47A": (ON_DEMAND, "A C D H I M R T Z"),
    "L-74FC7D96": (ON_DEMAND, "F"),
    "L-DB2E81BA": (ON_DEMAND, "G VT"),
    "L-417A185B": (ON_DEMAND, "P"),
    "L-7295265B": (ON_DEMAND, "X"),
    "L-1945791B": (ON_DEMAND, "INF"),
    "L-2C3B7624": (ON_DEMAND, "TRN"),
    "L-6E869C2A": (ON_DEMAND, "DL"),
    "L-43DA4232": (ON_DEMAND, "U"),
    "L-F7808C92": (ON_DEMAND, "HPC"),
    "L-34B43A08": (SPOT, "A C D H I M R T Z"),
    "L-88CF9481": (SPOT, "F"),
    "L-3819A6DF": (SPOT, "G VT"),
    "L-7212CCBC": (SPOT, "P4 P3 P2"),
    "L-C4BD4855": (SPOT, "P5"),
    "L-E3A00192": (SPOT, "X"),
    "L-B5D1601B": (SPOT, "INF"),
    "L-6B0D517C": (SPOT, "TRN"),
    "L-85EED4F7": (SPOT, "DL"),
}
"""EC2's quotas of vCPUs, for answers that have the code alone (Service Quotas, service code `ec2`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """One vCPU quota. `used` None: not known. `whole_account`: counted by AWS, else the cluster's own nodes: at least so much.

    `as_of`: the moment of AWS's count.
    """

    code: str
    name: str
    capacity_type: str
    limit: float
    used: float | None = None
    whole_account: bool = False
    as_of: datetime | None = None

    @property
    def left(self) -> float | None:
        """What is left of it, never below nothing; at most so much where not the whole account was counted."""
        return None if self.used is None else max(self.limit - self.used, 0.0)

    def short_of(self, vcpus: int) -> bool:
        """Whether so many more vCPUs are known not to fit."""
        return vcpus > (self.limit if self.left is None else self.left)


@dataclass(frozen=True, slots=True)
class Quotas:
    """The quotas of one account and region, looked up by instance type. Empty when they were not read."""

    known: tuple[tuple[str, frozenset[str], Quota], ...]
    vcpus: Mapping[str, int]

    def of(self, instance_type: str, capacity_type: str) -> Quota | None:
        """The quota that launching the type counts against; None when there is none, or none is known.

        A reservation or Capacity Block has been counted when it was made, so that filling it needs no quota.
        """
        family = instance_type.partition(".")[0]
        names = _prefixes(family)
        for name in names:
            for kind, covered, quota in self.known:
                if kind == capacity_type and name in covered:
                    return quota
        return None

    def short(self, instance_type: str, capacity_type: str) -> Quota | None:
        """The quota that has no room for one more instance of the type, if that is known."""
        quota = self.of(instance_type, capacity_type)
        vcpus = self.vcpus.get(instance_type, 0)
        return quota if quota is not None and vcpus and quota.short_of(vcpus) else None


def covered_by(quota: ServiceQuota) -> tuple[str, frozenset[str]] | None:
    """Capacity type and classes (`P`, `P5`, `VT`, `U`) of a quota; None for one that does not count vCPUs of instances."""
    for pattern, capacity_type in ((_ON_DEMAND_NAME, ON_DEMAND), (_SPOT_NAME, SPOT)):
        match = pattern.fullmatch(quota.quota_name.strip())
        if match:
            return capacity_type, frozenset(_classes(match[1]))
    if quota.quota_code in CODES:
        capacity_type, classes = CODES[quota.quota_code]
        return capacity_type, frozenset(classes.split())
    return None


def _classes(words: str) -> Iterable[str]:
    """`Standard (A, C, D)` -> A, C, D; `P4, P3 and P2` -> P4, P3, P2; `High Memory` -> U."""
    if words.lower() == _HIGH_MEMORY:
        return ("U",)
    listed = _LISTED.search(words)
    return (word.upper() for word in _WORD.findall(listed[1] if listed else words) if word.lower() != "and")


def _prefixes(family: str) -> tuple[str, ...]:
    """The classes that a family may be named by, the narrowest first: `p5en` -> P5, P; `vt1` -> VT1, VT; `u7i-6tb` -> U7, U."""
    letters = _LETTERS.match(family)
    if letters is None:
        return ()
    kind = next((one for one in _SEVERAL_LETTERS if family.startswith(one)), letters[0][0])
    generation = "".join(c for c in family[len(letters[0]) :].partition("-")[0] if c.isdigit())[:2]
    return (f"{kind}{generation}".upper(), kind.upper())


_last: list[tuple[World, Quotas]] = []
"""The World last asked about, by identity: one answer asks for every NodePool, and thousands of nodes are counted once."""


def quotas_of(world: World) -> Quotas:
    """All vCPU quotas of the World's region with what is used of each."""
    known = next((quotas for asked, quotas in tuple(_last) if asked is world), None)
    if known is None:
        known = _counted(world)
        _last[:] = [(world, known)]
    return known


def _counted(world: World) -> Quotas:
    ec2 = world.ec2
    if not ec2.quotas:
        return Quotas(known=(), vcpus=vcpus_of(ec2))
    vcpus = vcpus_of(ec2)
    counted = {usage.label: usage for usage in ec2.quota_usage or () if usage.values}
    rows = [(quota, covered) for quota in ec2.quotas or () if (covered := covered_by(quota)) is not None]
    blank = Quotas(
        known=tuple((kind, classes, _quota(quota, kind, counted)) for quota, (kind, classes) in rows), vcpus=vcpus
    )
    own = _own_usage(world, blank, vcpus)
    return Quotas(known=tuple((kind, classes, _with_own(q, own)) for kind, classes, q in blank.known), vcpus=vcpus)


def vcpus_of(ec2: Ec2Facts) -> dict[str, int]:
    """vCPUs by type. Quotas count a type's default, whatever CPU options say."""
    return {info.instance_type: _vcpus(info) for info in ec2.instance_types or ()}


def _vcpus(info: InstanceTypeInfo) -> int:
    return info.v_cpu_info.default_v_cpus


def _quota(quota: ServiceQuota, capacity_type: str, counted: Mapping[str, QuotaUsage]) -> Quota:
    """With AWS's own count, found by the metric that the quota names for itself."""
    metric = quota.usage_metric
    usage = counted.get(metric.metric_dimensions.get("Class", "")) if metric else None
    return Quota(
        code=quota.quota_code,
        name=quota.quota_name,
        capacity_type=capacity_type,
        limit=quota.value,
        used=usage.values[0] if usage else None,
        whole_account=usage is not None,
        as_of=usage.timestamps[0] if usage and usage.timestamps else None,
    )


def _with_own(quota: Quota, own: Mapping[str, float] | None) -> Quota:
    if quota.whole_account or own is None:
        return quota
    return Quota(
        code=quota.code,
        name=quota.name,
        capacity_type=quota.capacity_type,
        limit=quota.limit,
        used=own.get(quota.code, 0.0),
    )


def _own_usage(world: World, quotas: Quotas, vcpus: Mapping[str, int]) -> dict[str, float] | None:
    """vCPUs of the cluster's nodes and free reserved capacity by quota code; None where nodes could not be read."""
    if any(gap.what.startswith("nodes") for gap in world.missing):
        return None
    used: dict[str, float] = {}

    def count(instance_type: str, capacity_type: str, amount: float) -> None:
        quota = quotas.of(instance_type, capacity_type)
        if quota is not None:
            used[quota.code] = used.get(quota.code, 0.0) + amount

    for one in state_nodes(world):
        if one.labels.get(RESERVATION_TYPE) == CAPACITY_BLOCK:
            continue  # Capacity Blocks count against no quota
        name = one.labels.get(INSTANCE_TYPE, "")
        count(name, capacity_type_of(one.labels), vcpus.get(name) or _cpus(one))
    for held in world.ec2.capacity_reservations or ():
        if held.reservation_type == "default" and held.state == "active":
            count(held.instance_type, ON_DEMAND, held.available_instance_count * vcpus.get(held.instance_type, 0))
    return used


def capacity_type_of(labels: Mapping[str, str]) -> str:
    """A node's capacity type: Karpenter's label, a managed node group's, else on-demand. A used reservation counts as such."""
    said = labels.get(CAPACITY_TYPE) or _OF_EKS.get(labels.get(_EKS_CAPACITY_TYPE, ""), ON_DEMAND)
    return said if said == SPOT else ON_DEMAND


def _cpus(node: StateNode) -> float:
    cpu = node.capacity.get("cpu")
    return cpu.nano / NANO if cpu else 0.0
