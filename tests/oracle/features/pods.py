"""Features of the pod alone."""

from __future__ import annotations

from copy import deepcopy

from tests.oracle.catalogue import CAPACITY_TYPE, ZONE
from tests.oracle.drafts import NODEPOOL, CaseDraft, Draw, Json, PodDraft, expression
from tests.oracle.features.vocabulary import (
    ARCH,
    AWS,
    INSTANCE_TYPE,
    NUMERIC,
    TEXTUAL,
    random_expression,
    value,
)

EXTENDED = (
    *("nvidia.com/gpu",) * 4,
    *("aws.amazon.com/neuron", "aws.amazon.com/neuroncore", "vpc.amazonaws.com/efa", "vpc.amazonaws.com/pod-eni"),
    *("amd.com/gpu", "habana.ai/gaudi", "nvidia.com/mig-1g.5gb", "example.com/fpga", "hugepages-2Mi"),
)


def resources(draw: Draw, case: CaseDraft) -> None:
    """Requests from tiny to larger than any instance."""
    case.pod.requests["cpu"] = draw.one(("10m", "1", "1900m", "3", "15", "60", "95", "200"))
    case.pod.requests["memory"] = draw.one(("64Mi", "1Gi", "6Gi", "30Gi", "120Gi", "1000Gi", "5000Gi"))
    if draw.chance(0.3):
        case.pod.requests["ephemeral-storage"] = draw.one(("1Gi", "16Gi", "17Gi", "18Gi", "200Gi"))


def extended_resources(draw: Draw, case: CaseDraft) -> None:
    """Accelerators, network interfaces, and resources that no instance type has."""
    for name in draw.some(sorted(set(EXTENDED)) if draw.chance(0.3) else EXTENDED, 1, 2):
        count = draw.one(("0", "1", "1", "2", "4", "8", "9", "16", "64"))
        case.pod.requests[name] = f"{int(count) * 2}Mi" if name.startswith("hugepages") else count
    if draw.chance(0.3):
        key = AWS + draw.one(("gpu-name", "gpu-count", "accelerator-name"))
        case.pod.node_selector[key] = value(draw, key)


def odd_quantities(draw: Draw, case: CaseDraft) -> None:
    """Quantities that Kubernetes accepts and people mistype, on DaemonSets too: the first of a sum gives it its format."""
    cpus = (
        "1.5",
        "0.1",
        "1e3",
        "100M",
        "1500m",
        "2e0",
        "0.5e1",
        "12e-1",
        "1500000u",
        "1Ki",
        "0",
        "3.999",
        "1E",
        "1.96e2",
    )
    memories = ("1.5Gi", "1e3", "100M", "1e9", "0.5Gi", "123456789", "1Ti", "1500m", "2e9", "1.1Gi", "0", "128974848")
    case.pod.requests = {"cpu": draw.one(cpus), "memory": draw.one(memories)}
    if draw.chance(0.5):
        small = {"cpu": draw.one(("2e0", "350m", "0.5e1", "3e-1", "0e3", "1e-3")), "memory": draw.one(memories)}
        case.daemons.append(PodDraft(name="odd", namespace="kube-system", requests=small))


def containers(draw: Draw, case: CaseDraft) -> None:
    """More containers, init containers, sidecars, and a runtime class's overhead."""
    sizes = ("100m", "1", "4", "30", "100")
    for index in range(draw.number(0, 2)):
        case.pod.more_containers.append(_container(f"more-{index}", draw.one(sizes)))
    for index in range(draw.number(0, 3)):
        container = _container(f"init-{index}", draw.one(sizes))
        if draw.chance(0.4):
            container["restartPolicy"] = "Always"
        case.pod.init_containers.append(container)
    if draw.chance(0.3):
        case.pod.overhead = {"cpu": draw.one(("250m", "2")), "memory": "120Mi"}


def _container(name: str, cpu: str) -> Json:
    return {"name": name, "image": "app", "resources": {"requests": {"cpu": cpu, "memory": "100Mi"}}}


def pod_level_resources(draw: Draw, case: CaseDraft) -> None:
    """Requests of the pod as a whole, which go over those of its containers."""
    containers(draw, case)
    case.pod.pod_requests = {
        name: draw.one(amounts)
        for name, amounts in (("cpu", ("500m", "3", "60")), ("memory", ("1Gi", "100Gi", "5000Gi")))
        if draw.chance(0.6)
    }


def dynamic_resources(draw: Draw, case: CaseDraft) -> None:
    """A pod that claims devices: Karpenter leaves such pods alone unless it is told otherwise."""
    case.pod.resource_claims = [{"name": "gpu", "resourceClaimName": "gpus"}]
    if draw.chance(0.3):
        case.pod.require(random_expression(draw))
    if draw.chance(0.3):
        case.pod.preferred.append((10, [random_expression(draw)]))


def node_selector(draw: Draw, case: CaseDraft) -> None:
    """A nodeSelector of well-known labels."""
    for key in draw.some([*TEXTUAL, *NUMERIC], 1, 3):
        case.pod.node_selector[key] = value(draw, key)


def operators(draw: Draw, case: CaseDraft) -> None:
    """One required term with every operator, sometimes two expressions on one key."""
    case.pod.require(*(random_expression(draw) for _ in range(draw.number(1, 3))))
    if draw.chance(0.3):
        key = draw.one(NUMERIC)
        low, high = sorted((int(value(draw, key, nowhere=0)), int(value(draw, key, nowhere=0))))
        case.pod.require(expression(key, "Gt", str(low)), expression(key, "Lt", str(high)))


ALIASES = {
    "beta.kubernetes.io/arch": ARCH,
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/instance-type": INSTANCE_TYPE,
    "failure-domain.beta.kubernetes.io/zone": ZONE,
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "topology.ebs.csi.aws.com/zone": ZONE,
}


def alias_labels(draw: Draw, case: CaseDraft) -> None:
    """Old names of well-known labels, on the pod and on the NodePool."""
    for alias in draw.some(sorted(ALIASES), 1, 2):
        wanted = value(draw, ALIASES[alias])
        if draw.chance(0.5):
            case.pod.node_selector[alias] = wanted
        else:
            case.pod.require(expression(alias, draw.one(("In", "NotIn")), wanted))
        if draw.chance(0.3):
            case.pod.node_selector[ALIASES[alias]] = value(draw, ALIASES[alias])
    if draw.chance(0.4):
        alias = draw.one(sorted(ALIASES))
        case.pool.requirements.append(expression(alias, "In", value(draw, ALIASES[alias]), value(draw, ALIASES[alias])))


RESTRICTED = (
    *(
        "karpenter.sh/foo",
        "karpenter.k8s.aws/ec2nodeclass",
        "karpenter.k8s.aws/instance-pods",
        "karpenter.sh/registered",
    ),
    *("kubernetes.io/hostname", "sub.karpenter.sh/x", "karpenter.k8s.aws/instance-gpu", "karpenter.sh/initialized"),
)
# Labels that sound restricted and are not.
ALLOWED = (
    *("node.kubernetes.io/role", "kubernetes.io/cluster-service", "eks.amazonaws.com/compute-type", "k8s.io/x"),
    *("node-restriction.kubernetes.io/team", "kops.k8s.io/instancegroup", "notkarpenter.sh/x"),
)


def restricted_labels(draw: Draw, case: CaseDraft) -> None:
    """What makes Karpenter ignore a pod: restricted labels, bad values, matchFields, a DoesNotExist on NodePool."""
    way = draw.number(0, 6)
    if way <= 2:
        expressions = [expression(draw.one(RESTRICTED if draw.chance(0.8) else ALLOWED), "In", "x") for _ in range(1)]
        if way == 0:
            case.pod.require(*expressions)
        elif way == 1:
            case.pod.node_selector[draw.one(RESTRICTED)] = "true"
        else:
            case.pod.required = [
                {"matchExpressions": [expression(ARCH, "In", "amd64")]},
                {"matchExpressions": expressions},
            ]
    elif way == 3:
        case.pod.require(expression(CAPACITY_TYPE, "In", *draw.some(("ondemand", "OnDemand", "spot"), 1, 2)))
    elif way == 4:
        fields = [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]
        case.pod.required = [{"matchExpressions": [expression(ARCH, "Exists")], "matchFields": fields}]
    elif way == 5:
        case.pod.preferred.append((50, [expression(draw.one(RESTRICTED), "In", "x")]))
    else:
        _nodepool_label(draw, case.pod, case.pool.name)


def _nodepool_label(draw: Draw, pod: PodDraft, name: str) -> None:
    wanted = draw.one(
        (
            [expression(NODEPOOL, "DoesNotExist")],
            [expression(NODEPOOL, "In", name)],
            [expression(NODEPOOL, "In", "other")],
            [expression(NODEPOOL, "NotIn", name)],
            [expression(NODEPOOL, "In", name), expression(NODEPOOL, "In", "other")],
            [expression(NODEPOOL, "Exists")],
        )
    )
    if draw.chance(0.2):
        pod.preferred.append((10, wanted))
    else:
        pod.require(*wanted)


def unknown_labels(draw: Draw, case: CaseDraft) -> None:
    """Labels that no NodePool gives, among them near misses of known ones. One at a time: only one is reported."""
    keys = ("team", "instance-gpu-name", "zone", "node.kubernetes.io/instancetype", "example.com/arch", "gpu", "os")
    operator = draw.one(("In", "In", "NotIn", "Exists", "DoesNotExist", "Gt"))
    case.pod.require(expression(draw.one(keys), operator, *(["7"] if operator in {"In", "NotIn", "Gt"} else [])))


def or_terms(draw: Draw, case: CaseDraft) -> None:
    """Several required terms, of which the last is what an error tells about; an empty one matches everything here."""
    for _ in range(draw.number(2, 4)):
        case.pod.required.append({"matchExpressions": [random_expression(draw) for _ in range(draw.number(1, 2))]})
    if draw.chance(0.1):
        case.pod.required.append({})


def preferences(draw: Draw, case: CaseDraft) -> None:
    """Preferred node affinity: hard until it is relaxed, heaviest first."""
    for weight in draw.some(range(1, 100), 1, 4):
        case.pod.preferred.append((weight, [random_expression(draw) for _ in range(draw.number(1, 2))]))
    if draw.chance(0.5):
        operators(draw, case)
    elif draw.chance(0.4):
        or_terms(draw, case)


def not_provisionable(draw: Draw, case: CaseDraft) -> None:
    """Pods that Karpenter leaves alone."""
    way = draw.number(0, 3)
    if way == 0:
        case.pod.unschedulable = False
    elif way == 1:
        case.pod.nominated_node = "node-1"
    else:
        kind, version = ("DaemonSet", "apps/v1") if way == 2 else ("ReplicaSet", "apps/v1")
        case.pod.owner = {"apiVersion": version, "kind": kind, "name": "owner", "uid": "owner", "controller": True}


def several_pods(draw: Draw, case: CaseDraft) -> None:
    """A batch: pods share new nodes, largest first."""
    for index in range(draw.number(1, 4)):
        pod = deepcopy(case.pod)
        pod.name = f"pod-{index + 2}"
        if draw.chance(0.5):
            resources(draw, CaseDraft(id="", pods=[pod], pools=case.pools, types=case.types))
        case.pods.append(pod)
