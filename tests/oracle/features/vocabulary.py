"""Keys and values that random requirements speak in: those of the catalogue, and some that nothing has."""

from __future__ import annotations

from functools import cache

from tests.oracle.catalogue import CAPACITY_TYPE, REGION, ZONE, ZONE_ID, catalogue
from tests.oracle.drafts import Draw, Json, expression
from tests.oracle.instance_type_drafts import REGION_NAME, ZONE_IDS, ZONES

AWS = "karpenter.k8s.aws/instance-"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
ARCH = "kubernetes.io/arch"
OS = "kubernetes.io/os"

NUMERIC = tuple(
    AWS + name for name in ("cpu", "memory", "generation", "gpu-count", "gpu-memory", "local-nvme", "network-bandwidth")
)
TEXTUAL = (
    *(AWS + name for name in ("category", "family", "size", "cpu-manufacturer", "hypervisor", "gpu-name", "tenancy")),
    *(AWS + name for name in ("accelerator-name", "gpu-manufacturer", "encryption-in-transit-supported")),
    *(INSTANCE_TYPE, ARCH, OS, ZONE, ZONE_ID, REGION, CAPACITY_TYPE, "node.kubernetes.io/windows-build"),
)

# Values that no instance type of the catalogue has. capacity-type has none: an unknown value is another feature's.
_NOWHERE = {
    AWS + "category": ["q"],
    AWS + "family": ["x9"],
    AWS + "size": ["5large"],
    AWS + "gpu-name": ["b200"],
    ARCH: ["riscv64"],
    OS: ["windows"],
    ZONE: ["us-east-1f", "eu-west-1a"],
    ZONE_ID: ["use1-az9"],
    REGION: ["eu-west-1"],
    INSTANCE_TYPE: ["p4d.24xlrge", "m9i.large"],
}


@cache
def values_of(key: str) -> tuple[str, ...]:
    """What the catalogue and the subnets know for a key, sorted."""
    fixed = {ZONE: ZONES, ZONE_ID: tuple(ZONE_IDS.values()), REGION: (REGION_NAME,)}
    if key == CAPACITY_TYPE:
        return ("on-demand", "spot")
    if key in fixed:
        return fixed[key]
    known = {entry.labels[key] for entry in catalogue().values() if key in entry.labels}
    known |= {value for entry in catalogue().values() for value in entry.multi.get(key, ())}
    return tuple(sorted(known))


def value(draw: Draw, key: str, *, nowhere: float = 0.2) -> str:
    """A value for a key, sometimes one that nothing has."""
    known = values_of(key)
    if not known or draw.chance(nowhere):
        return draw.one(_NOWHERE.get(key, ["none-such"] if key not in NUMERIC else ["3", "999999"]))
    return draw.one(known)


def random_expression(draw: Draw, *, bounds: tuple[str, ...] = ("Gt", "Lt")) -> Json:
    """A node selector requirement with any operator on any well-known key; `bounds` are the ordering operators."""
    if draw.chance(0.3):
        key = draw.one(NUMERIC)
        return expression(key, draw.one(bounds), _near(draw, value(draw, key, nowhere=0)))
    key = draw.one(TEXTUAL if draw.chance(0.75) else NUMERIC)
    operator = draw.one(("In", "In", "In", "NotIn", "NotIn", "Exists", "DoesNotExist"))
    if operator in {"Exists", "DoesNotExist"}:
        return expression(key, operator)
    if key == CAPACITY_TYPE:
        return expression(key, operator, *draw.some(("on-demand", "spot", "reserved"), 1, 2))
    some = {value(draw, key, nowhere=0.1) for _ in range(draw.number(1, 7 if draw.chance(0.3) else 2))}
    return expression(key, operator, *sorted(some))


def _near(draw: Draw, number: str) -> str:
    return str(max(0, int(number) + draw.number(-1, 1)))
