"""Features of what runs in the cluster already: DaemonSets, nodes, NodeClaims."""

from __future__ import annotations

from tests.oracle.drafts import CaseDraft, Draw, Json, NodeDraft, NodePoolDraft, PodDraft, expression
from tests.oracle.features.vocabulary import ARCH, AWS, random_expression
from tests.oracle.instance_type_drafts import ZONES

ROOMS = (
    {"cpu": "100m", "memory": "128Mi", "pods": "58"},
    {"cpu": "2", "memory": "4Gi", "pods": "58"},
    {"cpu": "15", "memory": "50Gi", "pods": "58"},
    {"cpu": "15", "memory": "50Gi", "pods": "0"},
    {"cpu": "90", "memory": "900Gi", "nvidia.com/gpu": "8", "pods": "100"},
)
NODE_TAINTS: tuple[Json, ...] = (
    {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
    {"key": "dedicated", "value": "team-a", "effect": "NoSchedule"},
    {"key": "soft", "effect": "PreferNoSchedule"},
    {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
    {"key": "karpenter.sh/unregistered", "effect": "NoExecute"},
    {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"},
    {"key": "readiness.k8s.io/gpu-driver", "effect": "NoSchedule"},
    {"key": "starting", "effect": "NoSchedule"},
)


def daemonsets(draw: Draw, case: CaseDraft) -> None:
    """Overhead that depends on the type: DaemonSets with selectors, OR-terms and tolerations."""
    if draw.chance(0.4):
        case.pool.taints = [{"key": "dedicated", "value": "team-a", "effect": "NoSchedule"}]
        case.pod.tolerations.append({"key": "dedicated", "operator": "Exists"})
    for index in range(draw.number(1, 3)):
        daemon = PodDraft(name=f"daemon-{index}", namespace="kube-system")
        daemon.requests = {"cpu": draw.one(("50m", "500m", "2", "20")), "memory": draw.one(("64Mi", "1Gi", "20Gi"))}
        if draw.chance(0.3):
            daemon.node_selector[ARCH] = draw.one(("amd64", "arm64"))
        if draw.chance(0.4):
            daemon.require(random_expression(draw))
        elif draw.chance(0.2):
            key = draw.one(("karpenter.sh/initialized", "karpenter.sh/registered", "example.com/never"))
            daemon.require(expression(key, "In", "true"))
        if draw.chance(0.5):
            daemon.tolerations.append({"operator": "Exists"})
        case.daemons.append(daemon)
    # Requests that fit a type or just do not, with the overhead.
    case.pod.requests["cpu"] = draw.one(("500m", "1500m", "1900m", "3500m", "15", "90"))


def daemonset_or_terms(draw: Draw, case: CaseDraft) -> None:
    """DaemonSets with OR-terms, which Karpenter gives up for good, type after type and NodePool after NodePool."""
    for index in range(draw.number(1, 2)):
        daemon = PodDraft(name=f"either-{index}", namespace="kube-system")
        daemon.requests = {"cpu": draw.one(("500m", "2", "20")), "memory": draw.one(("64Mi", "20Gi"))}
        for _ in range(draw.number(2, 3)):
            daemon.required.append({"matchExpressions": [random_expression(draw) for _ in range(draw.number(1, 2))]})
        if draw.chance(0.5):
            daemon.tolerations.append({"operator": "Exists"})
        if draw.chance(0.3):
            daemon.host_ports = [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}]
        case.daemons.append(daemon)
    for index in range(draw.number(0, 2)):
        pool = NodePoolDraft(name=f"next-{index}", weight=draw.one((None, 10)))
        pool.requirements = [random_expression(draw) for _ in range(draw.number(0, 1))]
        if draw.chance(0.3):
            pool.taints = [
                {"key": "dedicated", "value": "team-a", "effect": draw.one(("NoSchedule", "PreferNoSchedule"))}
            ]
        case.add_pool(pool)
    if draw.chance(0.5):
        node = NodeDraft(name="judged", pool=case.pool.name, instance_type=draw.one(("m5.4xlarge", "m7g.2xlarge")))
        node.room = dict(ROOMS[draw.number(1, 2)])
        case.add_node(node)
    case.pod.requests["cpu"] = draw.one(("500m", "1500m", "1900m", "3500m", "15", "90"))
    if draw.chance(0.2):
        case.pod.host_ports = [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}]


def daemonset_pods(draw: Draw, case: CaseDraft) -> None:
    """DaemonSets whose running pods admission has changed: Karpenter counts the newest pod, not the template."""
    node = case.add_node(NodeDraft(name="host", pool=draw.one((case.pool.name, ""))))
    for index in range(draw.number(1, 2)):
        daemon = PodDraft(name=f"agent-{index}", namespace="kube-system")
        daemon.requests = {"cpu": draw.one(("100m", "1"))}
        if draw.chance(0.3):
            daemon.require(random_expression(draw))
        case.daemons.append(daemon)
        for copy in range(draw.number(1, 2)):
            pod = PodDraft(name=f"agent-{index}-{copy}", namespace="kube-system", requests=dict(daemon.requests))
            pod.requests["cpu"] = draw.one(("100m", "1", "3", "20"))
            pod.created = f"2025-12-{31 - copy:02}T00:00:00Z"
            pod.owner = {
                "apiVersion": "apps/v1",
                "kind": "DaemonSet",
                "name": daemon.name,
                "uid": f"ds-{daemon.name}",
                "controller": True,
            }
            if draw.chance(0.4):
                pod.tolerations.append({"operator": "Exists"})
            if draw.chance(0.3):
                pod.node_selector[ARCH] = draw.one(("amd64", "arm64"))
            if draw.chance(0.3):
                pod.require(random_expression(draw))
            case.bind(pod, node)
    if draw.chance(0.5):
        case.add_node(NodeDraft(name="roomy", pool=case.pool.name, room=dict(ROOMS[draw.number(1, 2)])))
    if draw.chance(0.3):
        case.pool.taints = [{"key": "dedicated", "value": "team-a", "effect": "NoSchedule"}]
        case.pod.tolerations.append({"key": "dedicated", "operator": "Exists"})
    case.pod.requests["cpu"] = draw.one(("500m", "1500m", "1900m", "3500m", "15", "90"))


def host_ports(draw: Draw, case: CaseDraft) -> None:
    """Host ports of the pod against those of DaemonSets, and of pods on a node that has room."""

    def port() -> Json:
        out: Json = {"containerPort": 80, "hostPort": draw.one((80, 8080)), "protocol": draw.one(("TCP", "TCP", "UDP"))}
        if draw.chance(0.3):
            out["hostIP"] = draw.one(("10.0.0.1", "0.0.0.0", "10.0.0.2"))
        return out

    case.pod.host_ports = [port()]
    if draw.chance(0.7):
        daemon = PodDraft(name="exporter", namespace="kube-system", requests={"cpu": "100m"}, host_ports=[port()])
        daemon.tolerations = [{"operator": "Exists"}]
        if draw.chance(0.4):
            daemon.require(expression(AWS + "category", "In", "m"))
        case.daemons.append(daemon)
    if draw.chance(0.5):
        node = case.add_node(NodeDraft(name="node-0", pool=case.pool.name, room=dict(ROOMS[2])))
        case.bind(PodDraft(name="bound", requests={"cpu": "1", "memory": "1Gi"}, host_ports=[port()]), node)


def existing_nodes(draw: Draw, case: CaseDraft) -> None:
    """Nodes with and without room, of Karpenter's and others', tainted, missing labels; pods bound to them."""
    for index in range(draw.number(1, 4)):
        node = case.add_node(
            NodeDraft(
                name=f"node-{index}",
                pool=draw.one((case.pool.name, case.pool.name, "", "gone")),
                zone=draw.one(ZONES),
                capacity_type=draw.one(("on-demand", "spot")),
                instance_type=draw.one(("m5.4xlarge", "m7g.2xlarge", "p4d.24xlarge")),
                room=dict(draw.one(ROOMS)),
            )
        )
        if draw.chance(0.4):
            node.taints = draw.some(NODE_TAINTS, 1, 2)
        if draw.chance(0.2):
            node.labels["team"] = "blue"
        for bound in range(draw.number(0, 2)):
            requests = {"cpu": draw.one(("100m", "1", "14")), "memory": "256Mi"}
            case.bind(PodDraft(name=f"bound-{index}-{bound}", requests=requests), node)
    if draw.chance(0.5):
        case.pod.require(random_expression(draw))
    if draw.chance(0.2):
        case.pod.node_selector["team"] = "blue"
    if draw.chance(0.3):
        case.pod.tolerations.append({"key": "dedicated", "operator": "Exists"})
    if draw.chance(0.4):
        case.pod.requests["cpu"] = draw.one(("2", "14", "80"))


def in_flight_nodes(draw: Draw, case: CaseDraft) -> None:
    """NodeClaims launched without a node yet, nodes not initialized, nodes on their way out."""
    if draw.chance(0.3):
        case.add_pool(NodePoolDraft(name="second"))
    for index in range(draw.number(1, 3)):
        pool = draw.one(case.pools).name
        node = case.add_node(NodeDraft(name=f"claim-{index}", pool=pool, room=dict(draw.one(ROOMS))))
        node.zone = draw.one(ZONES)
        node.initialized = draw.chance(0.3)
        node.registered = node.initialized or draw.chance(0.5)
        node.launched = node.registered or draw.chance(0.8)
        node.deleting = draw.chance(0.2)
        node.startup_taints = [{"key": "starting", "effect": "NoSchedule"}]
        if draw.chance(0.6):
            node.taints = draw.some(NODE_TAINTS, 1, 3)
    if draw.chance(0.4):
        case.pod.requests["cpu"] = draw.one(("2", "14", "80"))
    if draw.chance(0.3):
        case.pod.require(random_expression(draw))
    if draw.chance(0.3):
        case.pool.limits = {draw.one(("cpu", "nodes")): draw.one(("1", "3", "20"))}
