"""Nodes and the NodeClaims behind them: two of a managed node group, the others launched by Karpenter."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tests.cases.builder.objects import Manifest, condition, later, metadata, own_condition, owned_by, uid
from tests.cases.builder.pools import REGION, ZONES

Quantities = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the kubelet of an instance type reports: capacity and allocatable, extended resources in both."""

    cpu: str
    memory: str
    pods: str
    free_cpu: str
    free_memory: str
    devices: Quantities = field(default_factory=dict)

    @property
    def capacity(self) -> Manifest:
        return {
            "cpu": self.cpu,
            "ephemeral-storage": "314492908Ki",
            "memory": self.memory,
            "pods": self.pods,
            **self.devices,
        }

    @property
    def allocatable(self) -> Manifest:
        return {**self.capacity, "cpu": self.free_cpu, "ephemeral-storage": "288763262542", "memory": self.free_memory}


SHAPES: Final = {
    "m6i.xlarge": Shape("4", "15896988Ki", "58", "3920m", "14880156Ki"),
    "m7i.2xlarge": Shape("8", "31482224Ki", "58", "7910m", "30465392Ki"),
    "g6e.12xlarge": Shape(
        "48", "389918464Ki", "234", "47810m", "386917120Ki", {"nvidia.com/gpu": "4", "vpc.amazonaws.com/efa": "1"}
    ),
    "g6e.24xlarge": Shape(
        "96", "780091392Ki", "737", "95690m", "771424256Ki", {"nvidia.com/gpu": "4", "vpc.amazonaws.com/efa": "2"}
    ),
    "p4d.24xlarge": Shape(
        "96", "1176329216Ki", "737", "95690m", "1167662080Ki", {"nvidia.com/gpu": "8", "vpc.amazonaws.com/efa": "4"}
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """An instance in the cluster. `claim` is empty for the managed node group's."""

    name: str
    instance_type: str
    zone: str
    launched: datetime
    pool: str = ""
    claim: str = ""
    capacity_type: str = "on-demand"
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    requests: Quantities = field(default_factory=dict)
    registered: bool = True

    @property
    def provider_id(self) -> str:
        return f"aws:///{REGION}{self.zone}/i-{uid('instance', self.name).replace('-', '')[:17]}"


def _labels(machine: Machine) -> Manifest:
    family, size = machine.instance_type.split(".")
    common = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": machine.instance_type,
        "topology.k8s.aws/zone-id": ZONES[machine.zone],
        "topology.kubernetes.io/region": REGION,
        "topology.kubernetes.io/zone": f"{REGION}{machine.zone}",
    }
    if not machine.pool:
        return {**common, "eks.amazonaws.com/capacityType": "ON_DEMAND", "eks.amazonaws.com/nodegroup": "system"}
    return {
        **common,
        "karpenter.k8s.aws/ec2nodeclass": machine.pool,
        "karpenter.k8s.aws/instance-category": family[0],
        "karpenter.k8s.aws/instance-family": family,
        "karpenter.k8s.aws/instance-size": size,
        "karpenter.sh/capacity-type": machine.capacity_type,
        "karpenter.sh/nodepool": machine.pool,
        **machine.labels,
    }


def node(machine: Machine, claim: Manifest | None = None) -> Manifest:
    """The Node: registered, initialised and ready."""
    shape, ready = SHAPES[machine.instance_type], later(machine.launched, 78)
    kubelet = "v1.33.5-eks-ecaa3a6" if machine.launched.year > 2024 else "v1.30.4-eks-a737599"
    labels = {**_labels(machine), "kubernetes.io/hostname": machine.name}
    if machine.pool:
        labels |= {"karpenter.sh/initialized": "true", "karpenter.sh/registered": "true"}
    more: Manifest = {
        "labels": labels,
        **({"finalizers": ["karpenter.sh/termination"], "ownerReferences": owned_by(claim)} if claim else {}),
    }
    healthy = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata("Node", machine.name, later(machine.launched, 41), more=more),
        "spec": {
            "providerID": machine.provider_id,
            **({"taints": [dict(one) for one in machine.taints]} if machine.taints else {}),
        },
        "status": {
            "addresses": [
                {"address": machine.name.split(".")[0].removeprefix("ip-").replace("-", "."), "type": "InternalIP"},
                {"address": machine.name, "type": "Hostname"},
            ],
            "allocatable": shape.allocatable,
            "capacity": shape.capacity,
            "conditions": [
                condition(kind, status, ready, reason=reason, message=message)
                for kind, status, reason, message in healthy
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "containerRuntimeVersion": "containerd://2.1.5",
                "kernelVersion": "6.12.55-74.119.amzn2023.x86_64",
                "kubeProxyVersion": kubelet,
                "kubeletVersion": kubelet,
                "operatingSystem": "linux",
                "osImage": "Amazon Linux 2023.9.20251208",
            },
        },
    }


def _claim_conditions(machine: Machine) -> list[Manifest]:
    since = machine.launched
    if machine.registered:
        return [own_condition(kind, "True", later(since, seconds)) for kind, seconds in _MILESTONES]
    unknown = (
        ("Registered", "NodeNotFound", "Node not registered with cluster"),
        ("Initialized", "AwaitingReconciliation", "object is awaiting reconciliation"),
        ("Ready", "ReconcilingDependents", "Initialized=Unknown, Registered=Unknown"),
    )
    waiting = [own_condition(kind, "Unknown", since, reason=why, message=text) for kind, why, text in unknown]
    return [own_condition("Launched", "True", since), *waiting]


def node_claim(machine: Machine, pool: Manifest, *, beta: bool = False) -> Manifest:
    """The NodeClaim of a machine; unregistered ones are launched only."""
    shape, since = SHAPES[machine.instance_type], machine.launched
    group = "karpenter.sh/v1beta1" if beta else "karpenter.sh/v1"
    asked = {
        "karpenter.k8s.aws/ec2nodeclass": machine.pool,
        "karpenter.sh/capacity-type": machine.capacity_type,
        "karpenter.sh/nodepool": machine.pool,
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": machine.instance_type,
    }
    if beta:
        del asked["karpenter.k8s.aws/ec2nodeclass"]
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": machine.pool}
    if beta:
        reference = {"apiVersion": "karpenter.k8s.aws/v1beta1", "kind": "EC2NodeClass", "name": machine.pool}
    more: Manifest = {
        "finalizers": ["karpenter.sh/termination"],
        "generateName": f"{machine.pool}-",
        "generation": 1,
        "labels": _labels(machine),
        "ownerReferences": [{key: value for key, value in owned_by(pool)[0].items() if key != "controller"}],
    }
    return {
        "apiVersion": group,
        "kind": "NodeClaim",
        "metadata": metadata("NodeClaim", machine.claim, later(since, -4), more=more),
        "spec": {
            **({} if beta else {"expireAfter": "720h"}),
            "nodeClassRef": reference,
            "requirements": [{"key": k, "operator": "In", "values": [v]} for k, v in sorted(asked.items())],
            "resources": {"requests": dict(machine.requests)},
            **({"taints": [dict(one) for one in machine.taints]} if machine.taints else {}),
        },
        "status": {
            "allocatable": shape.allocatable,
            "capacity": shape.capacity,
            "conditions": _claim_conditions(machine),
            "imageID": "ami-0f2e9d6c3b5a41870" if shape.devices else "ami-0c1a7f89451184c8b",
            **({"nodeName": machine.name} if machine.registered else {}),
            "providerID": machine.provider_id,
        },
    }


_MILESTONES: Final = (("Launched", 0), ("Registered", 41), ("Initialized", 83), ("Ready", 83))


def system_machines(created: datetime) -> tuple[Machine, ...]:
    """The managed node group `system`: where Karpenter itself and the controllers run."""
    return (
        Machine(
            name="ip-10-0-107-41.ap-northeast-2.compute.internal",
            instance_type="m6i.xlarge",
            zone="a",
            launched=created,
        ),
        Machine(
            name="ip-10-0-171-203.ap-northeast-2.compute.internal",
            instance_type="m6i.xlarge",
            zone="c",
            launched=created,
        ),
    )


def default_machine(launched: datetime) -> Machine:
    """The one node of NodePool `default`."""
    return Machine(
        name="ip-10-0-146-88.ap-northeast-2.compute.internal",
        instance_type="m7i.2xlarge",
        zone="b",
        launched=launched,
        pool="default",
        claim="default-x8k2m",
        requests={"cpu": "715m", "memory": "776Mi", "pods": "9"},
    )
