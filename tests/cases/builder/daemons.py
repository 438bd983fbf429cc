"""The nine DaemonSets of the training cluster, and what they take from a node.

Their requests add up to the daemon overhead of the seed's log line. That line's resources are the pod and its daemons:
cpu 345m, memory 664Mi, pods 10; the pod itself asks for neither cpu nor memory, so the nine daemons take
345m, 664Mi and 9 pods on a node of NodePool `gpu`. The two with `nodeType: nvidia` stay off other NodePools,
where seven daemons take 215m and 264Mi.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tests.cases.builder.objects import Manifest, condition, meta_of, metadata, name_of, owned_by, stamp

_EFA_SIZES: Final = {
    "c5n": ("18xlarge", "9xlarge"),
    "c6i": ("32xlarge",),
    "c6in": ("32xlarge",),
    "c7i": ("48xlarge",),
    "g4dn": ("12xlarge", "16xlarge", "8xlarge", "metal"),
    "g5": ("12xlarge", "16xlarge", "24xlarge", "48xlarge", "8xlarge"),
    "g6": ("12xlarge", "16xlarge", "24xlarge", "48xlarge", "8xlarge"),
    "g6e": ("12xlarge", "16xlarge", "24xlarge", "48xlarge", "8xlarge"),
    "gr6": ("8xlarge",),
    "m5n": ("24xlarge",),
    "m6i": ("32xlarge",),
    "m7i": ("48xlarge",),
    "p4d": ("24xlarge",),
    "p4de": ("24xlarge",),
    "p5": ("48xlarge",),
    "p5e": ("48xlarge",),
    "p5en": ("48xlarge",),
    "p6-b200": ("48xlarge",),
    "p6-b300": ("48xlarge",),
    "r6i": ("32xlarge",),
    "r7i": ("48xlarge",),
    "trn1": ("32xlarge",),
    "trn1n": ("32xlarge",),
    "trn2": ("48xlarge",),
}
EFA_TYPES: Final = [f"{family}.{size}" for family, sizes in _EFA_SIZES.items() for size in sizes]
_NVIDIA: Final = {"nodeSelector": {"nodeType": "nvidia"}}
_EFA: Final = {
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [
                            {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": EFA_TYPES}
                        ]
                    }
                ]
            }
        }
    }
}
_REGISTRY: Final = "602401143452.dkr.ecr.ap-northeast-2.amazonaws.com/eks"


@dataclass(frozen=True, slots=True)
class Daemon:
    """One DaemonSet: `containers` are (name, image, cpu request, memory request); an empty request is none."""

    name: str
    namespace: str
    containers: tuple[tuple[str, str, str, str], ...]
    where: Mapping[str, object] = field(default_factory=dict)
    priority: str = "system-node-critical"
    host_network: bool = True


DAEMONS: Final = (
    Daemon(
        "aws-node",
        "kube-system",
        (
            ("aws-node", f"{_REGISTRY}/amazon-k8s-cni:v1.20.4-eksbuild.2", "25m", ""),
            ("aws-eks-nodeagent", f"{_REGISTRY}/amazon/aws-network-policy-agent:v1.2.7-eksbuild.1", "25m", ""),
        ),
    ),
    Daemon(
        "kube-proxy",
        "kube-system",
        (("kube-proxy", f"{_REGISTRY}/kube-proxy:v1.33.5-eksbuild.2", "100m", ""),),
    ),
    Daemon(
        "ebs-csi-node",
        "kube-system",
        (
            ("ebs-plugin", f"{_REGISTRY}/aws-ebs-csi-driver:v1.53.0", "10m", "40Mi"),
            ("node-driver-registrar", f"{_REGISTRY}/csi-node-driver-registrar:v2.15.0-eksbuild.4", "10m", "40Mi"),
            ("liveness-probe", f"{_REGISTRY}/livenessprobe:v2.17.0-eksbuild.4", "10m", "40Mi"),
        ),
        host_network=False,
    ),
    Daemon(
        "eks-pod-identity-agent",
        "kube-system",
        (("eks-pod-identity-agent", f"{_REGISTRY}/eks-pod-identity-agent:v0.1.34", "", ""),),
    ),
    Daemon(
        "aws-efa-k8s-device-plugin",
        "kube-system",
        (("aws-efa-k8s-device-plugin", f"{_REGISTRY}/aws-efa-k8s-device-plugin:v0.5.13", "10m", "20Mi"),),
        _EFA,
    ),
    Daemon(
        "kps-prometheus-node-exporter",
        "monitoring",
        (("node-exporter", "quay.io/prometheus/node-exporter:v1.10.2", "20m", "60Mi"),),
        priority="",
    ),
    Daemon(
        "nvdp-node-feature-discovery-worker",
        "nvidia",
        (("worker", "registry.k8s.io/nfd/node-feature-discovery:v0.17.3", "5m", "64Mi"),),
        priority="",
        host_network=False,
    ),
    Daemon(
        "nvdp-nvidia-device-plugin",
        "nvidia",
        (("nvidia-device-plugin-ctr", "nvcr.io/nvidia/k8s-device-plugin:v0.18.0", "30m", "100Mi"),),
        _NVIDIA,
        host_network=False,
    ),
    Daemon(
        "dcgm-exporter",
        "monitoring",
        (("exporter", "nvcr.io/nvidia/k8s/dcgm-exporter:4.4.2-4.7.0-distroless", "100m", "300Mi"),),
        _NVIDIA,
        priority="",
        host_network=False,
    ),
)


def _requests(cpu: str, memory: str) -> Manifest:
    asked = {**({"cpu": cpu} if cpu else {}), **({"memory": memory} if memory else {})}
    return {"requests": asked} if asked else {}


def _pod_spec(daemon: Daemon) -> Manifest:
    return {
        "containers": [
            {
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "name": name,
                "resources": _requests(cpu, memory),
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
            for name, image, cpu, memory in daemon.containers
        ],
        "dnsPolicy": "ClusterFirst",
        **({"hostNetwork": True} if daemon.host_network else {}),
        **({"priorityClassName": daemon.priority} if daemon.priority else {}),
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "serviceAccount": daemon.name,
        "serviceAccountName": daemon.name,
        "terminationGracePeriodSeconds": 30,
        "tolerations": [{"operator": "Exists"}],
        **daemon.where,
    }


def daemon_sets(created: datetime, counts: Mapping[str, int]) -> Iterator[Manifest]:
    """All nine; `counts` says how many pods of each run, by name."""
    for daemon in DAEMONS:
        label = {"app.kubernetes.io/name": daemon.name}
        count = counts.get(daemon.name, 0)
        more = {"annotations": {"deprecated.daemonset.template.generation": "1"}, "generation": 1, "labels": label}
        yield {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": metadata("DaemonSet", daemon.name, created, namespace=daemon.namespace, more=more),
            "spec": {
                "revisionHistoryLimit": 10,
                "selector": {"matchLabels": label},
                "template": {"metadata": {"labels": label}, "spec": _pod_spec(daemon)},
                "updateStrategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}, "type": "RollingUpdate"},
            },
            "status": {
                "currentNumberScheduled": count,
                "desiredNumberScheduled": count,
                "numberAvailable": count,
                "numberMisscheduled": 0,
                "numberReady": count,
                "observedGeneration": 1,
                "updatedNumberScheduled": count,
            },
        }


def _belongs(daemon: Daemon, labels: Mapping[str, object]) -> bool:
    if daemon.where is _NVIDIA:
        return labels.get("nodeType") == "nvidia"
    return daemon.where is not _EFA or labels.get("node.kubernetes.io/instance-type") in EFA_TYPES


def _on_node(daemon: Daemon, owner: Manifest, node: Manifest, suffix: str, started: datetime) -> Manifest:
    spec = _pod_spec(daemon)
    spec["nodeName"] = name_of(node)
    spec["priority"] = 2000001000 if daemon.priority else 0
    spec.pop("nodeSelector", None)
    pinned = {"key": "metadata.name", "operator": "In", "values": [name_of(node)]}
    required = {"nodeSelectorTerms": [{"matchFields": [pinned]}]}
    spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    more = {
        "generateName": f"{daemon.name}-",
        "labels": {"app.kubernetes.io/name": daemon.name, "controller-revision-hash": "6d5f7c8b9d"},
        "ownerReferences": owned_by(owner),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata("Pod", f"{daemon.name}-{suffix}", started, namespace=daemon.namespace, more=more),
        "spec": spec,
        "status": {
            "conditions": [condition("Ready", "True", started), condition("PodScheduled", "True", started)],
            "phase": "Running",
            "qosClass": "BestEffort" if not any(cpu for _, _, cpu, _ in daemon.containers) else "Burstable",
            "startTime": stamp(started),
        },
    }


def daemon_pods(owners: Sequence[Manifest], nodes: Sequence[Manifest], started: datetime) -> Iterator[Manifest]:
    """The daemons' pods on those nodes."""
    for daemon, owner in zip(DAEMONS, owners, strict=True):
        for node in nodes:
            labels = meta_of(node)["labels"]
            assert isinstance(labels, dict)
            if _belongs(daemon, labels):
                suffix = str(meta_of(node)["uid"])[:5]
                yield _on_node(daemon, owner, node, suffix, started)
