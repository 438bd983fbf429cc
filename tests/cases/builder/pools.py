"""NodePools and EC2NodeClasses: how the training cluster lets Karpenter buy nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tests.cases.builder.objects import Manifest, metadata, own_condition, uid

ZONES: Final = {"a": "apne2-az1", "b": "apne2-az2", "c": "apne2-az3", "d": "apne2-az4"}
REGION: Final = "ap-northeast-2"
GPU_TAINT: Final = {"effect": "NoSchedule", "key": "nvidia.com/gpu", "value": "present"}

Requirement = Mapping[str, object]


def wants(key: str, operator: str, *values: str) -> Requirement:
    """One requirement of a NodePool."""
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


ARCH: Final = wants("kubernetes.io/arch", "In", "amd64")
LINUX: Final = wants("kubernetes.io/os", "In", "linux")
BOTH: Final = wants("karpenter.sh/capacity-type", "In", "spot", "on-demand")
GPU_REQUIREMENTS: Final = (ARCH, BOTH, wants("karpenter.k8s.aws/instance-category", "In", "g", "p"))
DEFAULT_REQUIREMENTS: Final = (
    ARCH,
    LINUX,
    BOTH,
    wants("karpenter.k8s.aws/instance-category", "In", "c", "m", "r"),
    wants("karpenter.k8s.aws/instance-generation", "Gt", "4"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A NodePool's own choices; the rest of the manifest is Karpenter's."""

    name: str
    requirements: Sequence[Requirement]
    node_class: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()
    limits: Mapping[str, str] = field(default_factory=lambda: {"cpu": "1000"})
    policy: str = "WhenEmpty"
    after: str = "20m"
    budget: str = "10%"
    used: Mapping[str, str] = field(default_factory=dict)
    not_ready: str = ""
    """The reason why its EC2NodeClass is not ready, where it is not."""


def gpu_pool(**changes: object) -> Pool:
    """NodePool `gpu` of the training cluster, with changes."""
    choices: dict[str, object] = {
        "name": "gpu",
        "requirements": GPU_REQUIREMENTS,
        "node_class": "gpu",
        "labels": {"nodeType": "nvidia"},
        "taints": (GPU_TAINT,),
    }
    return Pool(**{**choices, **changes})  # type: ignore[arg-type]


def default_pool() -> Pool:
    """NodePool `default`: for everything that needs no accelerator. One m7i.2xlarge is in use."""
    used = {"cpu": "8", "memory": "31482224Ki", "pods": "58", "nodes": "1"}
    return Pool(
        name="default",
        requirements=DEFAULT_REQUIREMENTS,
        node_class="default",
        policy="WhenEmptyOrUnderutilized",
        after="1m",
        used=used,
    )


def neuron_pool() -> Pool:
    """NodePool `neuron`: for Trainium, which the region does not have. Karpenter leaves it out before it looks at pods."""
    return Pool(
        name="neuron",
        requirements=(BOTH, wants("karpenter.k8s.aws/instance-family", "In", "trn1", "trn1n", "trn2")),
        node_class="gpu",
        labels={"nodeType": "neuron"},
        taints=({"effect": "NoSchedule", "key": "aws.amazon.com/neuron", "value": "present"},),
    )


def reserved_pool() -> Pool:
    """NodePool `gpu-reserved`: for capacity reservations, of which there are none just now."""
    return Pool(
        name="gpu-reserved",
        requirements=(
            ARCH,
            wants("karpenter.sh/capacity-type", "In", "reserved"),
            wants("karpenter.k8s.aws/instance-family", "In", "p4d", "p5", "p5en"),
        ),
        node_class="gpu",
        labels={"nodeType": "nvidia"},
        taints=(GPU_TAINT,),
    )


def node_pool(pool: Pool, created: datetime, *, beta: bool = False) -> Manifest:
    """The NodePool as the API server returns it; with `beta` in v1beta1's shape, as v0.32 to v0.37 had it."""
    spec: Manifest = {
        "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": pool.node_class},
        "requirements": [dict(one) for one in pool.requirements],
        **({"taints": [dict(one) for one in pool.taints]} if pool.taints else {}),
    }
    disruption: Manifest = {
        "budgets": [{"nodes": pool.budget}],
        "consolidateAfter": pool.after,
        "consolidationPolicy": pool.policy,
    }
    if beta:
        spec["nodeClassRef"] = {
            "apiVersion": "karpenter.k8s.aws/v1beta1",
            "kind": "EC2NodeClass",
            "name": pool.node_class,
        }
        spec["kubelet"] = {"maxPods": 110}
        disruption["expireAfter"] = "720h"
        if pool.policy != "WhenEmpty":
            disruption = {
                "budgets": [{"nodes": "10%"}],
                "consolidationPolicy": "WhenUnderutilized",
                "expireAfter": "720h",
            }
    else:
        spec["expireAfter"] = "720h"
    template: Manifest = {"spec": spec, **({"metadata": {"labels": dict(pool.labels)}} if pool.labels else {})}
    hashes = {
        "karpenter.sh/nodepool-hash": _hash(pool.name),
        "karpenter.sh/nodepool-hash-version": "v2" if beta else "v3",
    }
    return {
        "apiVersion": "karpenter.sh/v1beta1" if beta else "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": metadata("NodePool", pool.name, created, more={"annotations": hashes, "generation": 1}),
        "spec": {"disruption": disruption, "limits": dict(pool.limits), "template": template},
        "status": {"resources": dict(pool.used or {"nodes": "0"})} if beta else _pool_status(pool, created),
    }


def _hash(name: str) -> str:
    return str(int(uid("hash", name).replace("-", ""), 16) % 10**19)


def _pool_status(pool: Pool, created: datetime) -> Manifest:
    ready = "False" if pool.not_ready else "True"
    message = "NodeClassReady=False" if pool.not_ready else ""
    return {
        "conditions": [
            own_condition("ValidationSucceeded", "True", created),
            own_condition(
                "NodeClassReady",
                ready,
                created,
                reason="UnhealthyDependents" if pool.not_ready else "",
                message=pool.not_ready,
            ),
            own_condition(
                "Ready", ready, created, reason="UnhealthyDependents" if pool.not_ready else "", message=message
            ),
        ],
        "resources": dict(pool.used or {"nodes": "0"}),
    }


def _subnet(letter: str) -> Manifest:
    index = "abcd".index(letter)
    return {"id": f"subnet-0a1b2c3d4e5f6a7{index}{letter}", "zone": f"{REGION}{letter}", "zoneID": ZONES[letter]}


def ec2_node_class(name: str, created: datetime, *, discovery: str = "training-on-eks", beta: bool = False) -> Manifest:
    """EC2NodeClass, ready with a subnet in each zone; another `discovery` tag finds no subnet, and it is not ready."""
    found = discovery == "training-on-eks"
    selector = [{"tags": {"karpenter.sh/discovery": discovery}}]
    spec: Manifest = {
        "amiSelectorTerms": [{"alias": "al2023@v20251209"}],
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": "300Gi", "volumeType": "gp3"}}],
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpProtocolIPv6": "disabled",
            "httpPutResponseHopLimit": 1,
            "httpTokens": "required",
        },
        "role": "eksctl-KarpenterNodeRole-training-on-eks",
        "securityGroupSelectorTerms": [{"tags": {"karpenter.sh/discovery": "training-on-eks"}}],
        "subnetSelectorTerms": selector,
    }
    if beta:
        spec = {**spec, "amiFamily": "AL2023", "amiSelectorTerms": []}
        del spec["amiSelectorTerms"]
    group = "karpenter.k8s.aws/ec2nodeclass"
    more = {
        "annotations": {f"{group}-hash": _hash(f"class {name}"), f"{group}-hash-version": "v2" if beta else "v4"},
        "finalizers": ["karpenter.k8s.aws/termination"],
        "generation": 1,
    }
    return {
        "apiVersion": "karpenter.k8s.aws/v1beta1" if beta else "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": metadata("EC2NodeClass", name, created, more=more),
        "spec": spec,
        "status": {
            "amis": [
                _ami("ami-0c1a7f89451184c8b", "amazon-eks-node-al2023-x86_64-standard-1.33-v20251209", "DoesNotExist"),
                _ami("ami-0f2e9d6c3b5a41870", "amazon-eks-node-al2023-x86_64-nvidia-1.33-v20251209", "Exists"),
            ],
            "conditions": [own_condition("Ready", "True", created)]
            if beta
            else _class_conditions(created, found=found),
            "instanceProfile": "training-on-eks_4067990795380418201",
            "securityGroups": [{"id": "sg-0d3b5a7c9e1f20468", "name": "eks-cluster-sg-training-on-eks-1680427953"}],
            **({"subnets": [_subnet(letter) for letter in "abcd"]} if found else {}),
        },
    }


def _ami(image: str, name: str, gpu: str) -> Manifest:
    requirements = [dict(ARCH), dict(wants("karpenter.k8s.aws/instance-gpu-count", gpu))]
    return {"id": image, "name": name, "requirements": requirements}


def _class_conditions(at: datetime, *, found: bool) -> list[Manifest]:
    good = ("AMIsReady", "CapacityReservationsReady", "InstanceProfileReady", "SecurityGroupsReady")
    conditions = [own_condition(kind, "True", at) for kind in good]
    if found:
        return [
            *conditions,
            *(own_condition(kind, "True", at) for kind in ("SubnetsReady", "ValidationSucceeded", "Ready")),
        ]
    missing = "SubnetSelector did not match any Subnets"
    waiting = "Awaiting AMI, Instance Profile, Security Group, and Subnet resolution"
    return [
        *conditions,
        own_condition("SubnetsReady", "False", at, reason="SubnetsNotFound", message=missing),
        own_condition("ValidationSucceeded", "False", at, reason="DependenciesNotReady", message=waiting),
        own_condition("Ready", "False", at, reason="UnhealthyDependents", message=NO_SUBNETS),
    ]


NO_SUBNETS: Final = "SubnetsReady=False, ValidationSucceeded=False"
"""The Ready condition's message of an EC2NodeClass whose subnet selector matches nothing."""
