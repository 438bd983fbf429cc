"""A small, realistic pool of EC2 instance types for generated cases, resolved by the AWS provider itself.

`catalogue.json` holds what the provider's resolver made of EC2's own descriptions (AL2023, no block devices). Refresh it
after a change of version or of NAMES with `python -m tests.oracle.catalogue` (needs Go, and the descriptions that the
`moto` package carries).
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from tests.oracle.client import resolve_instance_types

FILE = Path(__file__).with_name("catalogue.json")

NAMES = (
    *("t3.nano", "t3.medium", "t4g.small", "m5.large", "m5.xlarge", "m5.4xlarge", "m5.metal", "m5d.2xlarge"),
    *("m6i.large", "m7g.large", "m7g.2xlarge", "m7i-flex.large", "c5.large", "c6a.xlarge", "c6gn.16xlarge"),
    *("c7g.4xlarge", "r5.large", "r6g.2xlarge", "i4i.large", "x2idn.16xlarge", "hpc7a.96xlarge", "g4dn.xlarge"),
    *("g5.xlarge", "g5.12xlarge", "g5g.xlarge", "g6.4xlarge", "p4d.24xlarge"),
    *("p5.48xlarge", "inf2.xlarge", "inf2.24xlarge", "trn1.32xlarge"),
)

CAPACITY_TYPE = "karpenter.sh/capacity-type"
ZONE = "topology.kubernetes.io/zone"
ZONE_ID = "topology.k8s.aws/zone-id"
REGION = "topology.kubernetes.io/region"
RESERVATION_ID = "karpenter.k8s.aws/capacity-reservation-id"
RESERVATION_TYPE = "karpenter.k8s.aws/capacity-reservation-type"
RESERVATION_INTERRUPTIBLE = "karpenter.k8s.aws/capacity-reservation-interruptible"

# What a NodeClass, a subnet or a reservation decides, and so differs between cases.
_PER_CASE = {CAPACITY_TYPE, ZONE, ZONE_ID, REGION, RESERVATION_ID, RESERVATION_TYPE, RESERVATION_INTERRUPTIBLE}


class Overhead(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What kubelet keeps, as Kubernetes quantities."""

    kube_reserved: dict[str, str]
    system_reserved: dict[str, str]
    eviction_threshold: dict[str, str]


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One instance type, without zones and capacity types. `multi` are labels of several values, `absent` of none."""

    name: str
    labels: dict[str, str]
    multi: dict[str, tuple[str, ...]]
    absent: tuple[str, ...]
    capacity: dict[str, str]
    overhead: Overhead
    capacity_types: tuple[str, ...]


@cache
def catalogue() -> dict[str, CatalogueEntry]:
    """All entries by name."""
    entries = msgspec.json.decode(FILE.read_bytes(), type=list[CatalogueEntry])
    return {entry.name: entry for entry in entries}


def write_catalogue() -> None:
    """Resolve NAMES again and rewrite catalogue.json. Raises OracleUnavailable."""
    packed = (files("moto") / "ec2" / "resources" / "instance_types.json.gz").read_bytes()
    descriptions = msgspec.json.decode(gzip.decompress(packed), type=dict[str, msgspec.Raw])
    resolved = resolve_instance_types(
        {"InstanceTypes": [descriptions[name] for name in NAMES]},
        {"region": "us-east-1", "nodeClass": {"spec": {"amiSelectorTerms": [{"alias": "al2023@latest"}]}}},
    )
    entries = []
    for it in resolved:
        own = [r for r in it.requirements if r.key not in _PER_CASE]
        capacity_types = next(r.values for r in it.requirements if r.key == CAPACITY_TYPE)
        if it.overhead is None:
            raise ValueError(f"{it.name}: {it.failure}")
        entries.append(
            {
                "name": it.name,
                "labels": {r.key: r.values[0] for r in own if len(r.values) == 1},
                "multi": {r.key: r.values for r in own if len(r.values) > 1},
                "absent": [r.key for r in own if not r.values],
                "capacity": it.capacity,
                "overhead": it.overhead,
                "capacityTypes": capacity_types,
            }
        )
    lines = ",\n".join(msgspec.json.encode(entry, order="sorted").decode() for entry in entries)
    FILE.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    write_catalogue()
