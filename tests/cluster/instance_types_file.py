"""EC2's own description of its instance types -> the file that Karpenter's kwok provider reads its types from.

The file's shape is `InstanceTypeOptions` of karpenter: kwok/cloudprovider/helpers.go (v1.14). Three things there are
worked around, each without touching Karpenter:
- It subtracts a fixed overhead (100m CPU, 10Mi memory) from `resources`, so `resources` is written as the allocatable
  that AWS nodes have plus that overhead: what Karpenter schedules against is then what it would be on AWS.
- A type has no place for labels, but every key of an offering's requirements becomes well known and is matched. The
  karpenter.k8s.aws labels therefore stand in each offering; a label that a type lacks is said to be absent
  (DoesNotExist), otherwise Karpenter would take it for "could be anything". One visible difference to AWS remains:
  a pool that excludes a type by such a label is refused with "required offering" where AWS says "met all requirements".
- It marks every offering as available, so a failed launch (insufficient capacity) cannot be shown with this file.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

_SCHEME: Final = re.compile(r"^([a-z]+)(?:-[0-9]+tb)?([0-9]+)[^.]*\.(.+)$")
_OPTIONAL_LABELS: Final = (
    "instance-accelerator-count",
    "instance-accelerator-manufacturer",
    "instance-accelerator-name",
    "instance-gpu-count",
    "instance-gpu-manufacturer",
    "instance-gpu-memory",
    "instance-gpu-name",
    "instance-local-nvme",
)
_GPU_RESOURCES: Final = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}
_ARCHITECTURES: Final = {"x86_64": "amd64", "arm64": "arm64"}


class _Vcpu(msgspec.Struct, frozen=True, rename="pascal"):
    default_v_cpus: int = msgspec.field(name="DefaultVCpus")


class _Memory(msgspec.Struct, frozen=True):
    mib: int = msgspec.field(name="SizeInMiB", default=0)


class _Device(msgspec.Struct, frozen=True, rename="pascal"):
    name: str
    manufacturer: str = ""
    count: int = 0
    memory_info: _Memory = _Memory()


class _Gpus(msgspec.Struct, frozen=True, rename="pascal"):
    gpus: tuple[_Device, ...] = ()


class _Neurons(msgspec.Struct, frozen=True, rename="pascal"):
    neuron_devices: tuple[_Device, ...] = ()


class _Efa(msgspec.Struct, frozen=True, rename="pascal"):
    maximum_efa_interfaces: int = 0


class _Card(msgspec.Struct, frozen=True, rename="pascal"):
    maximum_network_interfaces: int


class _Network(msgspec.Struct, frozen=True, rename="pascal"):
    ipv4_addresses_per_interface: int
    network_cards: tuple[_Card, ...]
    default_network_card_index: int = 0
    efa_info: _Efa = _Efa()


class _Storage(msgspec.Struct, frozen=True):
    gigabytes: int = msgspec.field(name="TotalSizeInGB", default=0)
    nvme: str = msgspec.field(name="NvmeSupport", default="unsupported")


class _Processor(msgspec.Struct, frozen=True, rename="pascal"):
    supported_architectures: tuple[str, ...]


class Ec2Type(msgspec.Struct, frozen=True, rename="pascal"):
    """The fields of DescribeInstanceTypes that the file needs."""

    instance_type: str
    memory_info: _Memory
    network_info: _Network
    processor_info: _Processor
    vcpu: _Vcpu = msgspec.field(name="VCpuInfo")
    supported_usage_classes: tuple[str, ...] = ()
    hypervisor: str = ""
    gpu_info: _Gpus = _Gpus()
    neuron_info: _Neurons = _Neurons()
    instance_storage_info: _Storage = _Storage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    types: tuple[Ec2Type, ...]
    zones: Mapping[str, tuple[str, ...]]
    """Instance type -> names of the zones that offer it."""
    zone_ids: Mapping[str, str]


def observe_region(ec2: Any) -> Region:  # noqa: ANN401 - boto3 has no types
    """Reads types, offerings and zones with a boto3 EC2 client."""
    pages = ec2.get_paginator("describe_instance_types").paginate()
    types = [msgspec.convert(row, Ec2Type) for page in pages for row in page["InstanceTypes"]]
    zones: dict[str, list[str]] = {}
    for page in ec2.get_paginator("describe_instance_type_offerings").paginate(LocationType="availability-zone"):
        for row in page["InstanceTypeOfferings"]:
            zones.setdefault(row["InstanceType"], []).append(row["Location"])
    described = ec2.describe_availability_zones()["AvailabilityZones"]
    return Region(
        types=tuple(types),
        zones={name: tuple(sorted(found)) for name, found in zones.items()},
        zone_ids={zone["ZoneName"]: zone["ZoneId"] for zone in described},
    )


def write_instance_types_file(path: Path, region: Region) -> int:
    """Writes the types that the region offers; returns how many."""
    rows = list(_rows(region))
    path.write_text(json.dumps(rows), "utf-8")
    return len(rows)


def _rows(region: Region) -> Iterator[dict[str, object]]:
    for described in sorted(region.types, key=lambda row: row.instance_type):
        zones = region.zones.get(described.instance_type, ())
        architecture = _architecture(described)
        if zones and architecture and _SCHEME.match(described.instance_type):
            yield {
                "name": described.instance_type,
                "architecture": architecture,
                "operatingSystems": ["linux"],
                "resources": _resources(described),
                "offerings": list(_offerings(described, zones, region.zone_ids)),
            }


def _architecture(described: Ec2Type) -> str | None:
    supported = described.processor_info.supported_architectures
    return next((_ARCHITECTURES[name] for name in supported if name in _ARCHITECTURES), None)


def _resources(described: Ec2Type) -> dict[str, str]:
    """Allocatable as on AWS plus the kwok provider's overhead (aws: pkg/providers/instancetype/types.go, v1.14)."""
    cpus, pods = described.vcpu.default_v_cpus, _pods(described)
    # 64 MiB: the kernel's contiguous memory on arm64. 7.5 %: VM_MEMORY_OVERHEAD_PERCENT.
    # kube-reserved: 11 MiB a pod + 255 MiB; eviction threshold: 100 MiB.
    usable_mib = described.memory_info.mib - (64 if _architecture(described) == "arm64" else 0)
    memory_mib = int(usable_mib * 0.925) - (11 * pods + 255) - 100
    found = {
        "cpu": f"{cpus * 1000 - _cpu_reserved_milli(cpus) + 100}m",
        "memory": f"{memory_mib + 10}Mi",
        "ephemeral-storage": "17Gi",
        "pods": str(pods),
    }
    for device in described.gpu_info.gpus:
        if (resource := _GPU_RESOURCES.get(device.manufacturer.lower())) and device.count:
            found[resource] = str(int(found.get(resource, "0")) + device.count)
    if neurons := sum(device.count for device in described.neuron_info.neuron_devices):
        found["aws.amazon.com/neuron"] = str(neurons)
    if efa := described.network_info.efa_info.maximum_efa_interfaces:
        found["vpc.amazonaws.com/efa"] = str(efa)
    return found


def _pods(described: Ec2Type) -> int:
    network = described.network_info
    interfaces = network.network_cards[network.default_network_card_index].maximum_network_interfaces
    return interfaces * (network.ipv4_addresses_per_interface - 1) + 2


def _cpu_reserved_milli(cpus: int) -> int:
    """6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the rest."""
    rates = [60.0] + [10.0] + [5.0] * 2 + [2.5] * max(cpus - 4, 0)
    return int(sum(rates[:cpus]))


def _labels(described: Ec2Type) -> dict[str, str]:
    name = described.instance_type
    matched = _SCHEME.match(name)
    assert matched
    labels = {
        "instance-category": matched[1],
        "instance-family": name.split(".")[0],
        "instance-generation": matched[2],
        "instance-size": matched[3],
        "instance-cpu": str(described.vcpu.default_v_cpus),
        "instance-memory": str(described.memory_info.mib),
        "instance-hypervisor": described.hypervisor,
    }
    if described.instance_storage_info.nvme != "unsupported":
        labels["instance-local-nvme"] = str(described.instance_storage_info.gigabytes)
    for prefix, devices in (
        ("instance-gpu", described.gpu_info.gpus),
        ("instance-accelerator", described.neuron_info.neuron_devices),
    ):
        for device in devices[:1]:
            labels[f"{prefix}-name"] = device.name.lower().replace(" ", "-")
            labels[f"{prefix}-manufacturer"] = device.manufacturer.lower() or "aws"
            labels[f"{prefix}-count"] = str(device.count)
            if prefix == "instance-gpu":
                labels["instance-gpu-memory"] = str(device.memory_info.mib)
    return labels


def _offerings(described: Ec2Type, zones: Iterable[str], zone_ids: Mapping[str, str]) -> Iterator[dict[str, object]]:
    labels = _labels(described)
    shared = [_in(f"karpenter.k8s.aws/{key}", value) for key, value in sorted(labels.items())]
    shared += [_absent(f"karpenter.k8s.aws/{key}") for key in _OPTIONAL_LABELS if key not in labels]
    for zone in zones:
        for capacity_type in ("spot", "on-demand"):
            if capacity_type in described.supported_usage_classes:
                yield {
                    "Price": synthetic_price(described, capacity_type, zone),
                    "Available": True,
                    "Requirements": [
                        _in("karpenter.sh/capacity-type", capacity_type),
                        _in("topology.kubernetes.io/zone", zone),
                        _in("topology.k8s.aws/zone-id", zone_ids[zone]),
                        *shared,
                    ],
                }


def synthetic_price(described: Ec2Type, capacity_type: str, zone: str) -> float:
    """SYNTHETIC dollars an hour (moto has no prices): bigger is dearer; spot is cheaper, and differs between zones."""
    gpus = sum(device.count * (1 + device.memory_info.mib / 16384) for device in described.gpu_info.gpus)
    on_demand = 0.02 * described.vcpu.default_v_cpus + 0.005 * described.memory_info.mib / 1024 + 0.6 * gpus
    if capacity_type == "on-demand":
        return round(on_demand, 5)
    share = 0.3 + zlib.crc32(f"{described.instance_type} {zone}".encode()) % 1000 / 10_000
    return round(on_demand * share, 5)


def _in(key: str, value: str) -> dict[str, object]:
    return {"key": key, "operator": "In", "values": [value]}


def _absent(key: str) -> dict[str, object]:
    return {"key": key, "operator": "DoesNotExist"}
