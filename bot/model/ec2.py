"""What EC2 says: instance types, where they are offered, what they cost, which subnets have room.

The classes mirror the AWS CLI's own JSON (PascalCase on the wire), narrowed to what Karpenter and the answers use.
"""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from bot.model.objects import MalformedObjectError


class Row(msgspec.Struct, frozen=True, rename="pascal", kw_only=True, gc=False):
    """Base of everything read from AWS."""


class ProcessorInfo(Row, frozen=True):
    supported_architectures: tuple[str, ...] = ()
    sustained_clock_speed_in_ghz: float | None = None
    manufacturer: str = ""
    supported_features: tuple[str, ...] = ()


class VCpuInfo(Row, frozen=True):
    default_v_cpus: int = msgspec.field(name="DefaultVCpus", default=0)
    default_cores: int = 0


class MemoryInfo(Row, frozen=True):
    size_in_mi_b: int = msgspec.field(name="SizeInMiB", default=0)


class Disk(Row, frozen=True):
    size_in_gb: int = msgspec.field(name="SizeInGB", default=0)
    count: int = 0


class InstanceStorageInfo(Row, frozen=True):
    total_size_in_gb: int = msgspec.field(name="TotalSizeInGB", default=0)
    disks: tuple[Disk, ...] = ()
    nvme_support: str = ""


class EbsOptimizedInfo(Row, frozen=True):
    baseline_bandwidth_in_mbps: int = 0
    maximum_bandwidth_in_mbps: int = 0


class EbsInfo(Row, frozen=True):
    ebs_optimized_support: str = ""
    ebs_optimized_info: EbsOptimizedInfo | None = None


class NetworkCard(Row, frozen=True):
    network_card_index: int = 0
    maximum_network_interfaces: int = 0


class EfaInfo(Row, frozen=True):
    maximum_efa_interfaces: int = 0


class NetworkInfo(Row, frozen=True):
    maximum_network_interfaces: int = 0
    default_network_card_index: int = 0
    network_cards: tuple[NetworkCard, ...] = ()
    ipv4_addresses_per_interface: int = 0
    efa_supported: bool = False
    efa_info: EfaInfo | None = None
    encryption_in_transit_supported: bool = False
    ena_support: str = ""


class MemoryOfDevice(Row, frozen=True):
    size_in_mi_b: int = msgspec.field(name="SizeInMiB", default=0)


class GpuDevice(Row, frozen=True):
    name: str = ""
    manufacturer: str = ""
    count: int = 0
    memory_info: MemoryOfDevice = MemoryOfDevice()


class GpuInfo(Row, frozen=True):
    gpus: tuple[GpuDevice, ...] = ()
    total_gpu_memory_in_mi_b: int = msgspec.field(name="TotalGpuMemoryInMiB", default=0)


class NeuronCore(Row, frozen=True):
    count: int = 0


class NeuronDevice(Row, frozen=True):
    name: str = ""
    count: int = 0
    core_info: NeuronCore = NeuronCore()


class NeuronInfo(Row, frozen=True):
    neuron_devices: tuple[NeuronDevice, ...] = ()


class InferenceDevice(Row, frozen=True):
    name: str = ""
    manufacturer: str = ""
    count: int = 0


class InferenceAcceleratorInfo(Row, frozen=True):
    accelerators: tuple[InferenceDevice, ...] = ()


class InstanceTypeInfo(Row, frozen=True):
    """One row of DescribeInstanceTypes."""

    instance_type: str
    current_generation: bool = False
    bare_metal: bool = False
    hypervisor: str = ""
    supported_usage_classes: tuple[str, ...] = ()
    supported_virtualization_types: tuple[str, ...] = ()
    processor_info: ProcessorInfo = ProcessorInfo()
    v_cpu_info: VCpuInfo = msgspec.field(name="VCpuInfo", default=VCpuInfo())
    memory_info: MemoryInfo = MemoryInfo()
    instance_storage_supported: bool = False
    instance_storage_info: InstanceStorageInfo | None = None
    ebs_info: EbsInfo = EbsInfo()
    network_info: NetworkInfo = NetworkInfo()
    gpu_info: GpuInfo | None = None
    neuron_info: NeuronInfo | None = None
    inference_accelerator_info: InferenceAcceleratorInfo | None = None


class InstanceTypeOffering(Row, frozen=True):
    """One row of DescribeInstanceTypeOfferings; `location` is a zone name with LocationType `availability-zone`."""

    instance_type: str
    location: str
    location_type: str = "availability-zone"


class SpotPrice(Row, frozen=True):
    """One row of DescribeSpotPriceHistory; dollars an hour as text, as AWS prints it."""

    instance_type: str
    availability_zone: str
    spot_price: str
    product_description: str = "Linux/UNIX"
    timestamp: datetime | None = None


class Subnet(Row, frozen=True):
    subnet_id: str
    availability_zone: str = ""
    availability_zone_id: str = ""
    available_ip_address_count: int = 0
    cidr_block: str = ""
    tags: tuple[dict[str, str], ...] = ()
    outpost_arn: str = ""


class CapacityReservation(Row, frozen=True):
    capacity_reservation_id: str
    instance_type: str = ""
    availability_zone: str = ""
    total_instance_count: int = 0
    available_instance_count: int = 0
    state: str = ""
    instance_match_criteria: str = ""
    reservation_type: str = "default"
    start_date: datetime | None = None
    end_date: datetime | None = None


class UsageMetric(Row, frozen=True):
    """Which CloudWatch metric counts what a quota limits; `Class` of the dimensions is such as `G/OnDemand`."""

    metric_namespace: str = ""
    metric_name: str = ""
    metric_dimensions: dict[str, str] = {}


class ServiceQuota(Row, frozen=True):
    quota_code: str
    quota_name: str = ""
    value: float = 0.0
    usage_metric: UsageMetric | None = None


class QuotaUsage(Row, frozen=True):
    """One result of GetMetricData for AWS/Usage: what was counted of one class of vCPUs, account-wide, newest first.

    `label` is the metric's dimension Class, such as `G/OnDemand`.
    """

    label: str
    timestamps: tuple[datetime, ...] = ()
    values: tuple[float, ...] = ()


class AvailabilityZone(Row, frozen=True):
    """One row of DescribeAvailabilityZones. `zone_name` is the account's own name, `zone_id` everybody's."""

    zone_name: str
    zone_id: str = ""
    zone_type: str = "availability-zone"
    state: str = "available"
    opt_in_status: str = "opt-in-not-required"


class PlacementScore(Row, frozen=True):
    """How likely spot capacity is to be had, 1 to 10, by zone id.

    `instance_type` is what was asked about, a type or a whole family; "" for several. AWS says none.
    """

    score: int
    availability_zone_id: str = ""
    region: str = ""
    instance_type: str = ""


class CapacityBlockOffering(Row, frozen=True):
    """A Capacity Block that can be bought: so many instances, from when to when, for how much in all (paid at once)."""

    capacity_block_offering_id: str = ""
    instance_type: str = ""
    availability_zone: str = ""
    instance_count: int = 0
    start_date: datetime | None = None
    end_date: datetime | None = None
    capacity_block_duration_hours: int = 0
    upfront_fee: str = ""
    currency_code: str = "USD"


class CallerIdentity(Row, frozen=True):
    """Whose credentials were used (sts:GetCallerIdentity)."""

    account: str = ""
    arn: str = ""


class OnDemandPrice(msgspec.Struct, frozen=True, kw_only=True):
    """An on-demand Linux price from the Pricing API's GetProducts: dollars an hour, and from when it holds."""

    instance_type: str
    price_per_hour: float
    effective: str = ""


class Ec2Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that was read from AWS for one region. None: not read (World.missing says why); empty: none exist."""

    region: str = ""
    instance_types: tuple[InstanceTypeInfo, ...] | None = None
    offerings: tuple[InstanceTypeOffering, ...] | None = None
    spot_prices: tuple[SpotPrice, ...] | None = None
    on_demand_prices: tuple[OnDemandPrice, ...] | None = None
    subnets: tuple[Subnet, ...] | None = None
    capacity_reservations: tuple[CapacityReservation, ...] | None = None
    quotas: tuple[ServiceQuota, ...] | None = None
    quota_usage: tuple[QuotaUsage, ...] | None = None
    zones: tuple[AvailabilityZone, ...] | None = None
    spot_history: tuple[SpotPrice, ...] | None = None
    """The last 24 hours; `spot_prices` are those that hold now."""
    placement_scores: tuple[PlacementScore, ...] | None = None
    capacity_blocks: tuple[CapacityBlockOffering, ...] | None = None
    identity: tuple[CallerIdentity, ...] | None = None


AnyRow = TypeVar("AnyRow", bound=Row)


def decode_rows(rows: list[Any], kind: type[AnyRow]) -> tuple[AnyRow, ...]:
    """Turns an AWS answer's list into typed rows. Raises MalformedObjectError naming the field."""
    try:
        return msgspec.convert(rows, tuple[kind, ...], strict=False)  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise MalformedObjectError(str(error)) from error
