"""Karpenter's own kinds: NodePool, NodeClaim and the AWS provider's EC2NodeClass.

v1 is the shape; v1beta1's fields that moved (expireAfter, kubelet) are read where they were; `api_version` tells.
"""

from typing import Any

import msgspec

from bot.model.kubernetes import NodeSelectorRequirement, Taint
from bot.model.objects import Condition, Object, ObjectMeta
from bot.model.quantities import Quantity


class NodeClassRef(Object, frozen=True):
    group: str = ""
    kind: str = ""
    name: str = ""


class TemplateMeta(Object, frozen=True):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class NodeClaimTemplateSpec(Object, frozen=True):
    requirements: tuple[NodeSelectorRequirement, ...] = ()
    taints: tuple[Taint, ...] = ()
    startup_taints: tuple[Taint, ...] = ()
    node_class_ref: NodeClassRef = NodeClassRef()
    expire_after: str = ""
    termination_grace_period: str = ""
    kubelet: dict[str, Any] | None = None  # v1beta1; EC2NodeClass.spec.kubelet since v1


class NodeClaimTemplate(Object, frozen=True):
    metadata: TemplateMeta = TemplateMeta()
    spec: NodeClaimTemplateSpec = NodeClaimTemplateSpec()


class Budget(Object, frozen=True):
    nodes: str | int = "10%"
    reasons: tuple[str, ...] = ()
    schedule: str = ""
    duration: str = ""


class Disruption(Object, frozen=True):
    consolidation_policy: str = ""
    consolidate_after: str = ""
    expire_after: str = ""  # v1beta1; spec.template.spec.expireAfter since v1
    budgets: tuple[Budget, ...] | None = None


class NodePoolSpec(Object, frozen=True):
    template: NodeClaimTemplate = NodeClaimTemplate()
    disruption: Disruption = Disruption()
    limits: dict[str, Quantity] = {}
    weight: int = 0
    replicas: int | None = None


class NodePoolStatus(Object, frozen=True):
    conditions: tuple[Condition, ...] = ()
    resources: dict[str, Quantity] = {}


class NodePool(Object, frozen=True):
    api_version: str = "karpenter.sh/v1"
    kind: str = "NodePool"
    metadata: ObjectMeta = ObjectMeta()
    spec: NodePoolSpec = NodePoolSpec()
    status: NodePoolStatus = NodePoolStatus()


class NodeClaimResources(Object, frozen=True):
    requests: dict[str, Quantity] = {}


class NodeClaimSpec(Object, frozen=True):
    requirements: tuple[NodeSelectorRequirement, ...] = ()
    taints: tuple[Taint, ...] = ()
    startup_taints: tuple[Taint, ...] = ()
    resources: NodeClaimResources = NodeClaimResources()
    node_class_ref: NodeClassRef = NodeClassRef()
    expire_after: str = ""
    termination_grace_period: str = ""


class NodeClaimStatus(Object, frozen=True):
    node_name: str = ""
    provider_id: str = msgspec.field(name="providerID", default="")
    image_id: str = msgspec.field(name="imageID", default="")
    capacity: dict[str, Quantity] = {}
    allocatable: dict[str, Quantity] = {}
    conditions: tuple[Condition, ...] = ()


class NodeClaim(Object, frozen=True):
    api_version: str = "karpenter.sh/v1"
    kind: str = "NodeClaim"
    metadata: ObjectMeta = ObjectMeta()
    spec: NodeClaimSpec = NodeClaimSpec()
    status: NodeClaimStatus = NodeClaimStatus()


class AmiSelectorTerm(Object, frozen=True):
    alias: str = ""


class BlockDevice(Object, frozen=True):
    volume_size: Quantity | None = None


class BlockDeviceMapping(Object, frozen=True):
    device_name: str = ""
    ebs: BlockDevice | None = None
    root_volume: bool = False


class Kubelet(Object, frozen=True):
    max_pods: int | None = None
    pods_per_core: int | None = None
    kube_reserved: dict[str, Quantity] = {}
    system_reserved: dict[str, Quantity] = {}
    eviction_hard: dict[str, str] = {}
    eviction_soft: dict[str, str] = {}


class NetworkInterface(Object, frozen=True):
    network_card_index: int = 0
    device_index: int = 0
    interface_type: str = "interface"


class CpuOptions(Object, frozen=True):
    nested_virtualization: str = ""


class PlacementGroupSelector(Object, frozen=True):
    name: str = ""
    id: str = ""


class EC2NodeClassSpec(Object, frozen=True):
    ami_family: str = msgspec.field(name="amiFamily", default="")
    ami_selector_terms: tuple[AmiSelectorTerm, ...] = ()
    kubelet: Kubelet | None = None
    block_device_mappings: tuple[BlockDeviceMapping, ...] = ()
    instance_store_policy: str = ""
    network_interfaces: tuple[NetworkInterface, ...] = ()
    connection_tracking: dict[str, int] | None = None
    cpu_options: CpuOptions = CpuOptions()
    placement_group_selector: PlacementGroupSelector | None = None
    role: str = ""
    instance_profile: str = ""


class SubnetStatus(Object, frozen=True):
    id: str = ""
    zone: str = ""
    zone_id: str = msgspec.field(name="zoneID", default="")


class AmiStatus(Object, frozen=True):
    id: str = ""
    requirements: tuple[NodeSelectorRequirement, ...] = ()


class CapacityReservationStatus(Object, frozen=True):
    availability_zone: str = ""
    id: str = ""
    instance_type: str = ""
    reservation_type: str = "default"
    interruptible: bool = False
    state: str = "active"


class EC2NodeClassStatus(Object, frozen=True):
    subnets: tuple[SubnetStatus, ...] = ()
    amis: tuple[AmiStatus, ...] = ()
    capacity_reservations: tuple[CapacityReservationStatus, ...] = ()
    conditions: tuple[Condition, ...] = ()


class EC2NodeClass(Object, frozen=True):
    api_version: str = "karpenter.k8s.aws/v1"
    kind: str = "EC2NodeClass"
    metadata: ObjectMeta = ObjectMeta()
    spec: EC2NodeClassSpec = EC2NodeClassSpec()
    status: EC2NodeClassStatus = EC2NodeClassStatus()
