"""The labels that an instance type has by itself, from EC2's description of it.

Mirrors karpenter-provider-aws pkg/providers/instancetype/types.go, computeRequirements (v1.14): every label stands in the
result, and one that does not apply has no values (Karpenter: DoesNotExist). What zones, subnets, reservations and the AMI
family decide is added by bot/diagnosis/instance_types.py.
"""

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from bot.diagnosis.instance_tables import FIGURES
from bot.model.ec2 import GpuDevice, InstanceTypeInfo
from bot.model.labels import ARCH, AWS_DOMAIN, INSTANCE_LABELS, INSTANCE_TYPE

Labels = Mapping[str, frozenset[str]]

NOTHING: Final[frozenset[str]] = frozenset()
ARCHITECTURES: Final = {"x86_64": "amd64", "arm64": "arm64"}
"""EC2's names to Kubernetes' (pkg/apis/v1/labels.go, AWSToKubeArchitectures)."""

_TENANCIES: Final = frozenset({"default", "dedicated"})
_SCHEME: Final = re.compile(r"([a-z]+)(?:-[0-9]+tb)?([0-9]+).*\.", re.ASCII)  # types.go, instanceTypeScheme
_ABSENT: Final = dict.fromkeys(INSTANCE_LABELS, NOTHING)
_GPU: Final = ("gpu-name", "gpu-manufacturer", "gpu-count", "gpu-memory")
_ACCELERATOR: Final = ("accelerator-name", "accelerator-manufacturer", "accelerator-count")


@cache
def one(value: str) -> frozenset[str]:
    """The set of that value alone; equal ones are shared, for a region has tens of thousands."""
    return frozenset({value})


def architecture(info: InstanceTypeInfo) -> str:
    """The first architecture that Karpenter knows (types.go, getArchitecture), or nothing."""
    return next((ARCHITECTURES[a] for a in info.processor_info.supported_architectures if a in ARCHITECTURES), "")


def own_labels(info: InstanceTypeInfo) -> dict[str, frozenset[str]]:
    """The labels that the type has in every zone and for every EC2NodeClass."""
    short = {
        **_names(info.instance_type),
        **_devices(info),
        **_machine(info),
    }
    return {
        **_ABSENT,
        INSTANCE_TYPE: one(info.instance_type),
        ARCH: one(architecture(info)),
        f"{AWS_DOMAIN}/instance-tenancy": _TENANCIES,
        **{f"{AWS_DOMAIN}/instance-{name}": one(value) for name, value in short.items()},
    }


def _names(instance_type: str) -> dict[str, str]:
    """What the name tells: `u-6tb1.metal` is of category u, generation 1, family u-6tb1, size metal."""
    family, *sizes = instance_type.split(".")
    found = {"capability-flex": "true" if "-flex" in family else "false"}
    if scheme := _SCHEME.match(instance_type):
        found |= {"category": scheme[1], "generation": scheme[2]}
    if len(sizes) == 1:
        found |= {"family": family, "size": sizes[0]}
    return found


def _machine(info: InstanceTypeInfo) -> dict[str, str]:
    processor, ebs, storage = info.processor_info, info.ebs_info, info.instance_storage_info
    found = {
        "cpu": str(info.v_cpu_info.default_v_cpus),
        "cpu-manufacturer": _kebab(processor.manufacturer),
        # Go's math.Round: halves go up
        "cpu-sustained-clock-speed-mhz": str(math.floor((processor.sustained_clock_speed_in_ghz or 0.0) * 1000 + 0.5)),
        "memory": str(info.memory_info.size_in_mi_b),
        "hypervisor": info.hypervisor,
        "encryption-in-transit-supported": str(info.network_info.encryption_in_transit_supported).lower(),
    }
    if storage is not None and storage.nvme_support != "unsupported" and storage.total_size_in_gb:
        found["local-nvme"] = str(storage.total_size_in_gb)
    if ebs.ebs_optimized_info is not None and ebs.ebs_optimized_support == "default":
        found["ebs-bandwidth"] = str(ebs.ebs_optimized_info.maximum_bandwidth_in_mbps)
    figures = FIGURES.get(info.instance_type)
    if figures is not None and figures.bandwidth is not None:
        found["network-bandwidth"] = str(figures.bandwidth)
    return found


def _devices(info: InstanceTypeInfo) -> dict[str, str]:
    """GPU and accelerator labels: only of types with one kind of device, so that the count is clear."""
    found: dict[str, str] = {}
    if info.gpu_info is not None and len(info.gpu_info.gpus) == 1:
        found |= dict(zip(_GPU, _gpu(info.gpu_info.gpus[0]), strict=True))
    if info.neuron_info is not None:
        if len(info.neuron_info.neuron_devices) == 1:
            device = info.neuron_info.neuron_devices[0]
            found |= dict(zip(_ACCELERATOR, (_kebab(device.name), "aws", str(device.count)), strict=True))
    elif info.inference_accelerator_info is not None and len(info.inference_accelerator_info.accelerators) == 1:
        other = info.inference_accelerator_info.accelerators[0]
        values = (_kebab(other.name), _kebab(other.manufacturer), str(other.count))
        found |= dict(zip(_ACCELERATOR, values, strict=True))
    return found


def _gpu(gpu: GpuDevice) -> tuple[str, str, str, str]:
    return _kebab(gpu.name), _kebab(gpu.manufacturer), str(gpu.count), str(gpu.memory_info.size_in_mi_b)


def _kebab(text: str) -> str:
    """types.go, lowerKabobCase: `Radeon Pro V520` becomes `radeon-pro-v520`."""
    return text.replace(" ", "-").lower()
