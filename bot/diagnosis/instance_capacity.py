"""What a node of an instance type has, and what of it is left for pods.

Mirrors karpenter-provider-aws pkg/providers/instancetype/types.go (v1.14): computeCapacity, kubeReservedResources,
systemReservedResources, evictionThreshold; and karpenter pkg/cloudprovider/types.go, Allocatable. Amounts keep the format
in which Karpenter makes them, since it prints them.
"""

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from bot.diagnosis.ami_families import CUSTOM, DEFAULT_VOLUME, AmiFamily, family_of
from bot.diagnosis.instance_labels import architecture
from bot.diagnosis.instance_tables import FIGURES
from bot.model.ec2 import InstanceTypeInfo, NetworkInfo
from bot.model.karpenter import BlockDeviceMapping, EC2NodeClass, Kubelet, NetworkInterface
from bot.model.labels import EFA
from bot.model.quantities import Format, Quantity, QuantityError, Resources, total
from bot.model.world import Settings

CPU: Final = "cpu"
MEMORY: Final = "memory"
STORAGE: Final = "ephemeral-storage"
PODS: Final = "pods"
POD_ENI: Final = "vpc.amazonaws.com/pod-eni"
PRIVATE_IPV4: Final = "vpc.amazonaws.com/PrivateIPv4Address"
EFA_ONLY: Final = "efa-only"
RAID0: Final = "RAID0"

_MIB: Final = 1024 * 1024
_GPU_MAKERS: Final = {"NVIDIA": "nvidia.com/gpu", "AMD": "amd.com/gpu", "Habana": "habana.ai/gaudi"}
_PODS_WITHOUT_ENI_LIMIT: Final = 110
_GRAVITON_CMA_MIB: Final = 64  # reserved by Graviton's kernel, so no pod can have it
# Shares of CPU that are kept for the kubelet: from this milli-core on, to that one, this part.
_CPU_SHARES: Final = ((0, 1000, 0.06), (1000, 2000, 0.01), (2000, 4000, 0.005), (4000, 1 << 31, 0.0025))
_EVICTION_MEMORY: Final = Quantity.parse("100Mi")
_KUBE_STORAGE: Final = Quantity.parse("1Gi")
_PERCENTAGE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)%", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machine:
    """What of an instance type's capacity no EC2NodeClass changes; worked out once.

    `memory_mib` is before the hypervisor takes its share; `interfaces` are the default network card's, the only one that
    the VPC CNI uses; `instance_store` is in GB.
    """

    vcpus: int
    memory_mib: int
    interfaces: int
    addresses: int
    instance_store: int
    devices: Resources
    reserved_cpu: Quantity
    private_addresses: Quantity | None

    @classmethod
    def of(cls, info: InstanceTypeInfo) -> "Machine":
        """Reads EC2's description."""
        store = info.instance_storage_info
        arm = info.processor_info.supported_architectures[:1] == ("arm64",)
        return cls(
            vcpus=info.v_cpu_info.default_v_cpus,
            memory_mib=info.memory_info.size_in_mi_b - (_GRAVITON_CMA_MIB if arm else 0),
            interfaces=_interfaces(info.network_info),
            addresses=info.network_info.ipv4_addresses_per_interface,
            instance_store=store.total_size_in_gb if store else 0,
            devices=_devices(info),
            reserved_cpu=_reserved_cpu(info.v_cpu_info.default_v_cpus),
            private_addresses=_private_addresses(info),
        )

    def eni_limited_pods(self, taken: int) -> int:
        """Pods that have an address when `taken` interfaces serve other purposes (ENILimitedPods)."""
        usable = self.interfaces - taken
        return usable * (self.addresses - 1) + 2 if usable > 0 else 0


def _devices(info: InstanceTypeInfo) -> dict[str, Quantity]:
    """CPU, devices and branch interfaces."""
    figures = FIGURES.get(info.instance_type)
    neuron = info.neuron_info.neuron_devices if info.neuron_info else ()
    efa = info.network_info.efa_info
    counts = {
        CPU: info.v_cpu_info.default_v_cpus,
        POD_ENI: figures.branch_interfaces if figures else 0,
        **dict.fromkeys(_GPU_MAKERS.values(), 0),
        "aws.amazon.com/neuron": sum(device.count for device in neuron),
        # Karpenter counts the cores of the first kind of device alone
        "aws.amazon.com/neuroncore": neuron[0].count * neuron[0].core_info.count if neuron else 0,
        EFA: efa.maximum_efa_interfaces if efa else 0,
    }
    for gpu in info.gpu_info.gpus if info.gpu_info else ():
        if gpu.manufacturer in _GPU_MAKERS:
            counts[_GPU_MAKERS[gpu.manufacturer]] += gpu.count
    return {name: Quantity.of(count) for name, count in counts.items()}


def _reserved_cpu(vcpus: int) -> Quantity:
    """CPU that is kept for the kubelet (kubeReservedResources); each share is cut to whole milli-cores."""
    milli = vcpus * 1000
    shares = (int((min(milli, end) - start) * part) for start, end, part in _CPU_SHARES if milli >= start)
    return Quantity(sum(shares) * 10**6)


def _interfaces(network: NetworkInfo) -> int:
    cards = network.network_cards
    if network.default_network_card_index < len(cards):
        return cards[network.default_network_card_index].maximum_network_interfaces
    return network.maximum_network_interfaces


def _private_addresses(info: InstanceTypeInfo) -> Quantity | None:
    """Addresses for Windows pods (privateIPv4Address); None where Windows does not run (getOS)."""
    if architecture(info) != "amd64":
        return None
    figures = FIGURES.get(info.instance_type)
    return Quantity.of(figures.addresses - 1 if figures and figures.addresses is not None else 0)


@dataclass(frozen=True, eq=False)
class Sizing:
    """How an EC2NodeClass and Karpenter's settings change capacity: read once, used for every type."""

    family: AmiFamily
    kubelet: Kubelet
    mappings: tuple[BlockDeviceMapping, ...]
    raid0: bool
    interfaces: tuple[NetworkInterface, ...]
    settings: Settings

    @classmethod
    def of(cls, node_class: EC2NodeClass | None, settings: Settings) -> "Sizing":
        """Reads what matters of the EC2NodeClass; None: one that says nothing."""
        spec = (node_class or EC2NodeClass()).spec
        return cls(
            family=family_of(node_class),
            kubelet=spec.kubelet or Kubelet(),
            mappings=spec.block_device_mappings,
            raid0=spec.instance_store_policy == RAID0,
            interfaces=spec.network_interfaces,
            settings=settings,
        )

    @cached_property
    def efa_only(self) -> int:
        """EFA-only interfaces of the first card: each takes one that could have had addresses."""
        return sum(i.network_card_index == 0 and i.interface_type == EFA_ONLY for i in self.interfaces)

    @cached_property
    def volume(self) -> Quantity:
        """The volume that pods' ephemeral storage lies on, when instance store disks do not serve (ephemeralStorage)."""
        root = next((m for m in self.mappings if m.root_volume), None)
        if root and root.ebs and root.ebs.volume_size is not None:
            return root.ebs.volume_size
        if self.family is CUSTOM:
            last = self.mappings[-1].ebs if self.mappings else None
            return last.volume_size if last and last.volume_size is not None else DEFAULT_VOLUME
        named = next((m for m in self.mappings if m.device_name == self.family.ephemeral_device), None)
        if named and named.ebs and named.ebs.volume_size is not None:
            return named.ebs.volume_size
        return self.family.volume

    def storage(self, machine: Machine) -> Quantity:
        """Ephemeral storage before overhead (ephemeralStorage)."""
        if self.raid0 and machine.instance_store:
            return Quantity.of(machine.instance_store * 10**9)
        return self.volume

    def memory(self, machine: Machine) -> Quantity:
        """Memory before overhead, less what the hypervisor is thought to take (memory)."""
        size = machine.memory_mib
        # The order of the divisions is Karpenter's: floats differ otherwise
        share = math.ceil(float(size * _MIB) * self.settings.vm_memory_overhead_percent / 1024 / 1024)
        return Quantity.of((size - share) * _MIB, Format.BINARY_SI)

    def pods(self, machine: Machine) -> int:
        """Pods that the kubelet allows (pods)."""
        if self.kubelet.max_pods is not None:
            count = self.kubelet.max_pods
        elif self.family.eni_limited_pods:
            count = machine.eni_limited_pods(self.settings.reserved_enis + self.efa_only)
        else:
            count = _PODS_WITHOUT_ENI_LIMIT
        if self.family.pods_per_core and (self.kubelet.pods_per_core or 0) > 0:
            count = min((self.kubelet.pods_per_core or 0) * machine.vcpus, count)
        return count

    def capacity(self, machine: Machine) -> dict[str, Quantity]:
        """Everything that a node of the type has (computeCapacity); a resource that it has none of is 0."""
        found = {
            **machine.devices,
            MEMORY: self.memory(machine),
            STORAGE: self.storage(machine),
            PODS: Quantity.of(self.pods(machine)),
        }
        if self.interfaces:
            found[EFA] = Quantity.of(sum(i.interface_type == EFA_ONLY for i in self.interfaces))
        if self.family.windows_build and machine.private_addresses is not None:
            found[PRIVATE_IPV4] = machine.private_addresses
        return found

    def overhead(self, machine: Machine, capacity: Resources) -> dict[str, Quantity]:
        """What pods cannot have: kube-reserved, system-reserved, eviction thresholds. `capacity` is capacity()'s."""
        pods = machine.eni_limited_pods(self.efa_only) if self.family.eni_limited_memory else capacity[PODS].whole
        kube = {
            CPU: machine.reserved_cpu,
            MEMORY: Quantity.of((11 * pods + 255) * _MIB, Format.BINARY_SI),
            STORAGE: _KUBE_STORAGE,
            **self.kubelet.kube_reserved,
        }
        return total((kube, self.kubelet.system_reserved, self._eviction(capacity)))

    def _eviction(self, capacity: Resources) -> dict[str, Quantity]:
        """Only evictionHard counts; since v1.9 evictionSoft is a warning and no overhead (evictionThreshold)."""
        hard = self.kubelet.eviction_hard
        tenth = Quantity.of(math.ceil(float(capacity[STORAGE].whole) / 100 * 10))
        return {
            MEMORY: _threshold(capacity[MEMORY], hard.get("memory.available"), _EVICTION_MEMORY),
            STORAGE: _threshold(capacity[STORAGE], hard.get("nodefs.available"), tenth),
        }


def _threshold(capacity: Quantity, signal: str | None, default: Quantity) -> Quantity:
    """The amount that an eviction signal holds back; 100% switches it off (computeEvictionSignal).

    What the API server would not have let in (Karpenter stops on it) counts as not set.
    """
    if signal is None:
        return default
    if percentage := _PERCENTAGE.fullmatch(signal):
        percent = float(percentage[1])
        return Quantity.of(math.ceil(float(capacity.whole) / 100 * (0 if percent == 100 else percent)))
    try:
        return Quantity.parse(signal)
    except QuantityError:
        return default


def allocatable(capacity: Resources, overhead: Resources) -> dict[str, Quantity]:
    """What is left for pods, for every resource that the type has (types.go, computeAllocatable)."""
    return {**capacity, **{name: capacity[name] - amount for name, amount in overhead.items() if name in capacity}}
