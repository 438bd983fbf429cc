"""Cases under construction. Features change a `CaseDraft` field by field; `json()` writes it as the oracle reads it.

Drafts are mutable on purpose: a random case is the sum of what several features did to it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.oracle.catalogue import catalogue
from tests.oracle.instance_type_drafts import REGION_NAME, ZONE_IDS, ZONES, InstanceTypeDraft

T = TypeVar("T")
Json = dict[str, object]
Expressions = list[Json]

NOW = "2026-01-01T00:00:00Z"
NODEPOOL = "karpenter.sh/nodepool"


class Draw:
    """Random choices; one seed, one case."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random.random() < probability

    def one(self, options: Sequence[T]) -> T:
        """Any of the options."""
        return self._random.choice(options)

    def some(self, options: Sequence[T], least: int, most: int) -> list[T]:
        """Between least and most different options, in random order."""
        count = min(self._random.randint(least, most), len(options))
        return self._random.sample(options, count)

    def number(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return self._random.randint(least, most)


def expression(key: str, operator: str, *values: str) -> Json:
    """A node selector requirement."""
    return {"key": key, "operator": operator, **({"values": list(values)} if values or operator == "In" else {})}


def condition(kind: str, *, true: bool = True) -> Json:
    """A status condition."""
    status = "True" if true else "False"
    return {"type": kind, "status": status, "reason": kind, "message": "", "lastTransitionTime": NOW}


@dataclass(slots=True, kw_only=True)
class PodDraft:
    """A pod; without node_name it waits for a node as kube-scheduler leaves it."""

    name: str
    namespace: str = "default"
    labels: dict[str, str] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=lambda: {"cpu": "500m", "memory": "512Mi"})
    more_containers: list[Json] = field(default_factory=list)
    init_containers: list[Json] = field(default_factory=list)
    overhead: dict[str, str] = field(default_factory=dict)
    pod_requests: dict[str, str] = field(default_factory=dict)
    resource_claims: list[Json] = field(default_factory=list)
    node_selector: dict[str, str] = field(default_factory=dict)
    required: list[Json] = field(default_factory=list)
    preferred: list[tuple[int, Expressions]] = field(default_factory=list)
    pod_affinity: list[Json] = field(default_factory=list)
    preferred_pod_affinity: list[tuple[int, Json]] = field(default_factory=list)
    anti_affinity: list[Json] = field(default_factory=list)
    preferred_anti_affinity: list[tuple[int, Json]] = field(default_factory=list)
    tolerations: list[Json] = field(default_factory=list)
    spread: list[Json] = field(default_factory=list)
    host_ports: list[Json] = field(default_factory=list)
    volumes: list[Json] = field(default_factory=list)
    node_name: str = ""
    owner: Json | None = None
    unschedulable: bool = True
    nominated_node: str = ""
    created: str = ""

    def require(self, *expressions: Json) -> None:
        """Add expressions to the only required term."""
        if not self.required:
            self.required.append({"matchExpressions": []})
        for term in self.required:
            have = term.get("matchExpressions")
            term["matchExpressions"] = [*(have if isinstance(have, list) else []), *expressions]

    def spec(self) -> Json:
        """The pod spec; a DaemonSet's template uses it too."""
        first: Json = {"name": "main", "image": "app", "resources": {"requests": dict(self.requests)}}
        if self.host_ports:
            first["ports"] = self.host_ports
        spec: Json = {"containers": [first, *self.more_containers]}
        for key, value in (
            ("initContainers", self.init_containers),
            ("overhead", self.overhead),
            ("resources", {"requests": self.pod_requests} if self.pod_requests else {}),
            ("resourceClaims", self.resource_claims),
            ("nodeSelector", self.node_selector),
            ("affinity", self._affinity()),
            ("tolerations", self.tolerations),
            ("topologySpreadConstraints", self.spread),
            ("volumes", self.volumes),
            ("nodeName", self.node_name),
        ):
            if value:
                spec[key] = value
        return spec

    def _affinity(self) -> Json:
        node: Json = {}
        if self.required:
            node["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": self.required}
        if self.preferred:
            node["preferredDuringSchedulingIgnoredDuringExecution"] = [
                {"weight": weight, "preference": {"matchExpressions": expressions}}
                for weight, expressions in self.preferred
            ]
        pods = _pod_affinity(self.pod_affinity, self.preferred_pod_affinity)
        anti = _pod_affinity(self.anti_affinity, self.preferred_anti_affinity)
        parts = {"nodeAffinity": node, "podAffinity": pods, "podAntiAffinity": anti}
        return {key: part for key, part in parts.items() if part}

    def json(self) -> Json:
        """The Pod object."""
        metadata: Json = {"name": self.name, "namespace": self.namespace, "uid": f"{self.namespace}-{self.name}"}
        if self.labels:
            metadata["labels"] = self.labels
        if self.created:
            metadata["creationTimestamp"] = self.created
        if self.owner:
            metadata["ownerReferences"] = [self.owner]
        status: Json = {"phase": "Running" if self.node_name else "Pending"}
        if not self.node_name:
            reason = "Unschedulable" if self.unschedulable else "SchedulingGated"
            status["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": reason}]
        if self.nominated_node:
            status["nominatedNodeName"] = self.nominated_node
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": self.spec(), "status": status}


def _pod_affinity(required: list[Json], preferred: list[tuple[int, Json]]) -> Json:
    out: Json = {}
    if required:
        out["requiredDuringSchedulingIgnoredDuringExecution"] = required
    if preferred:
        out["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": weight, "podAffinityTerm": term} for weight, term in preferred
        ]
    return out


@dataclass(slots=True, kw_only=True)
class NodePoolDraft:
    """A NodePool; `static` gives it replicas."""

    name: str
    weight: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    requirements: list[Json] = field(default_factory=list)
    taints: list[Json] = field(default_factory=list)
    startup_taints: list[Json] = field(default_factory=list)
    limits: dict[str, str] = field(default_factory=dict)
    ready: bool = True
    deleting: bool = False
    static: bool = False
    node_class_kind: str = "EC2NodeClass"

    def json(self) -> Json:
        """The NodePool object."""
        reference = {"group": "karpenter.k8s.aws", "kind": self.node_class_kind, "name": "default"}
        template: Json = {"nodeClassRef": reference, "requirements": self.requirements, "expireAfter": "Never"}
        if self.taints:
            template["taints"] = self.taints
        if self.startup_taints:
            template["startupTaints"] = self.startup_taints
        spec: Json = {"template": {"metadata": {"labels": self.labels}, "spec": template}}
        spec["disruption"] = {"consolidateAfter": "0s"}
        if self.weight is not None:
            spec["weight"] = self.weight
        if self.limits:
            spec["limits"] = self.limits
        if self.static:
            spec["replicas"] = 1
        metadata: Json = {"name": self.name}
        if self.deleting:
            metadata |= {"deletionTimestamp": NOW, "finalizers": ["karpenter.sh/termination"]}
        conditions = [
            condition("ValidationSucceeded"),
            condition("NodeClassReady", true=self.ready),
            condition("Ready", true=self.ready),
        ]
        status = {"conditions": conditions}
        return {
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodePool",
            "metadata": metadata,
            "spec": spec,
            "status": status,
        }


@dataclass(slots=True, kw_only=True)
class NodeDraft:
    """A node with so much room; with a pool it is Karpenter's own and has a NodeClaim."""

    name: str
    instance_type: str = "m5.4xlarge"
    zone: str = ZONES[0]
    capacity_type: str = "on-demand"
    pool: str = ""
    room: dict[str, str] = field(default_factory=lambda: {"cpu": "100m", "memory": "128Mi", "pods": "58"})
    labels: dict[str, str] = field(default_factory=dict)
    taints: list[Json] = field(default_factory=list)
    startup_taints: list[Json] = field(default_factory=list)
    initialized: bool = True
    registered: bool = True
    launched: bool = True
    deleting: bool = False

    @property
    def _all_labels(self) -> dict[str, str]:
        entry = catalogue()[self.instance_type]
        labels = entry.labels | {
            "topology.kubernetes.io/zone": self.zone,
            "topology.kubernetes.io/region": REGION_NAME,
            "topology.k8s.aws/zone-id": ZONE_IDS[self.zone],
            "karpenter.sh/capacity-type": self.capacity_type,
        }
        if self.pool:
            labels |= {NODEPOOL: self.pool, "karpenter.k8s.aws/ec2nodeclass": "default"}
        return labels | self.labels

    @property
    def _provider_id(self) -> str:
        return f"aws:///{self.zone}/i-{self.name}"

    def json(self) -> Json:
        """The Node object."""
        labels = self._all_labels | {"kubernetes.io/hostname": self.name}
        if self.pool:
            labels["karpenter.sh/registered"] = "true"
            if self.initialized:
                labels["karpenter.sh/initialized"] = "true"
        spec: Json = {"providerID": self._provider_id, "taints": self.taints}
        status: Json = {
            "capacity": catalogue()[self.instance_type].capacity,
            "allocatable": self.room,
            "conditions": [condition("Ready", true=self.initialized)],
        }
        metadata: Json = {"name": self.name, "labels": labels}
        return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec, "status": status}

    def claim_json(self) -> Json:
        """The NodeClaim object of a node of Karpenter's own."""
        metadata: Json = {"name": f"claim-{self.name}", "labels": self._all_labels}
        if self.deleting:
            metadata |= {"deletionTimestamp": NOW, "finalizers": ["karpenter.sh/termination"]}
        reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
        spec: Json = {"nodeClassRef": reference, "requirements": [], "startupTaints": self.startup_taints}
        status: Json = {
            "nodeName": self.name if self.registered else "",
            "providerID": self._provider_id if self.launched else "",
            "capacity": catalogue()[self.instance_type].capacity,
            "allocatable": self.room,
            "conditions": [
                condition("Launched", true=self.launched),
                condition("Registered", true=self.registered),
                condition("Initialized", true=self.initialized),
            ],
        }
        return {
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodeClaim",
            "metadata": metadata,
            "spec": spec,
            "status": status,
        }


@dataclass(slots=True, kw_only=True)
class CaseDraft:
    """The whole cluster of a case."""

    id: str
    pods: list[PodDraft]
    pools: list[NodePoolDraft]
    types: list[InstanceTypeDraft]
    types_of: dict[str, list[InstanceTypeDraft]] = field(default_factory=dict)
    type_errors: dict[str, str] = field(default_factory=dict)
    nodes: list[NodeDraft] = field(default_factory=list)
    bound: list[PodDraft] = field(default_factory=list)
    daemons: list[PodDraft] = field(default_factory=list)
    namespaces: dict[str, dict[str, str]] = field(default_factory=lambda: {"default": {}})
    claims: list[Json] = field(default_factory=list)
    volumes: list[Json] = field(default_factory=list)
    storage_classes: list[Json] = field(default_factory=list)
    csi_nodes: list[Json] = field(default_factory=list)
    options: Json = field(default_factory=dict)

    @property
    def pod(self) -> PodDraft:
        """The pod that most features are about."""
        return self.pods[0]

    @property
    def pool(self) -> NodePoolDraft:
        """The NodePool that most features are about."""
        return self.pools[0]

    def add_pool(self, pool: NodePoolDraft) -> NodePoolDraft:
        """One more NodePool, renamed if there is one of its name."""
        pool.name = _free_name(pool.name, [other.name for other in self.pools])
        self.pools.append(pool)
        return pool

    def add_node(self, node: NodeDraft) -> NodeDraft:
        """One more node, renamed if there is one of its name."""
        node.name = _free_name(node.name, [other.name for other in self.nodes])
        self.nodes.append(node)
        return node

    def bind(self, pod: PodDraft, node: NodeDraft) -> PodDraft:
        """One more running pod, renamed if there is one of its name."""
        pod.name = _free_name(pod.name, [other.name for other in self.bound])
        pod.node_name = node.name
        self.bound.append(pod)
        return pod

    def json(self) -> Json:
        """The case as README.md describes it, without empty lists."""
        objects: Json = {
            "pods": [pod.json() for pod in self.pods],
            "nodePools": [pool.json() for pool in self.pools],
            "nodes": [node.json() for node in self.nodes if node.registered],
            "nodeClaims": [node.claim_json() for node in self.nodes if node.pool],
            "boundPods": [pod.json() for pod in self.bound],
            "daemonSets": [_daemon_set(pod) for pod in self.daemons],
            "namespaces": [
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
                for name, labels in self.namespaces.items()
            ],
            "persistentVolumeClaims": _first_of_name(self.claims),
            "persistentVolumes": _first_of_name(self.volumes),
            "storageClasses": _first_of_name(self.storage_classes),
            "csiNodes": self.csi_nodes,
            "instanceTypeErrors": self.type_errors,
            "options": self.options,
        }
        types = {"*": self.types, **self.types_of}
        instance_types = {pool: [it.json() for it in its] for pool, its in types.items()}
        kept = {key: value for key, value in objects.items() if value}
        return {"id": self.id, "now": NOW, **kept, "instanceTypes": instance_types}


def _free_name(name: str, taken: list[str]) -> str:
    free = name
    while free in taken:
        free += "x"
    return free


def _first_of_name(objects: list[Json]) -> list[Json]:
    """Two features may want an object of the same name; the first stays."""
    kept: dict[str, Json] = {}
    for one in objects:
        metadata = one["metadata"]
        if isinstance(metadata, dict):
            kept.setdefault(str(metadata["name"]), one)
    return list(kept.values())


def _daemon_set(pod: PodDraft) -> Json:
    labels = {"daemon": pod.name}
    template: Json = {"metadata": {"labels": labels}, "spec": pod.spec()}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": pod.name, "namespace": "kube-system", "uid": f"ds-{pod.name}"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
