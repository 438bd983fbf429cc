"""What runs in the cluster besides training: Karpenter, CoreDNS, the Kubeflow and JobSet controllers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tests.cases.builder.objects import Manifest, condition, env, metadata, name_of, owned_by, stamp

NAMESPACES: Final = ("default", "jobset-system", "karpenter", "kube-system", "kubeflow-system", "monitoring", "nvidia")


@dataclass(frozen=True, slots=True)
class Release:
    """A Karpenter release: its image tag, and the commit that its log lines carry."""

    tag: str
    commit: str


@dataclass(frozen=True, slots=True)
class Service:
    """A Deployment with one container and its pods' requests."""

    name: str
    namespace: str
    image: str
    replicas: int
    cpu: str
    memory: str


SERVICES: Final = (
    Service(
        "coredns",
        "kube-system",
        "602401143452.dkr.ecr.ap-northeast-2.amazonaws.com/eks/coredns:v1.12.4",
        2,
        "100m",
        "70Mi",
    ),
    Service("jobset-controller-manager", "jobset-system", "registry.k8s.io/jobset/jobset:v0.10.1", 1, "500m", "128Mi"),
    Service(
        "kubeflow-trainer-controller-manager",
        "kubeflow-system",
        "ghcr.io/kubeflow/trainer/trainer-controller-manager:v2.1.0",
        1,
        "50m",
        "64Mi",
    ),
)


def namespaces(created: datetime) -> Iterator[Manifest]:
    for name in NAMESPACES:
        more = {"labels": {"kubernetes.io/metadata.name": name}}
        yield {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": metadata("Namespace", name, created, more=more),
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }


def karpenter_service(release: Release) -> Service:
    return Service("karpenter", "karpenter", f"public.ecr.aws/karpenter/controller:{release.tag}", 2, "1", "1Gi")


def _karpenter_environment(log_level: str, tag: str) -> list[Manifest]:
    minor = int(tag.split(".")[1]) if tag.startswith("1.") else 0
    reserved = str(minor >= 6).lower()
    policies = (("PREFERENCE_POLICY", "Respect", 4), ("MIN_VALUES_POLICY", "Strict", 6))
    fields: list[Manifest] = [
        {
            "name": "SYSTEM_NAMESPACE",
            "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
        },
        {
            "name": "MEMORY_LIMIT",
            "valueFrom": {
                "resourceFieldRef": {"containerName": "controller", "divisor": "0", "resource": "limits.memory"}
            },
        },
    ]
    return [
        *env(KUBERNETES_MIN_VERSION="1.19.0-0", KARPENTER_SERVICE="karpenter", LOG_LEVEL=log_level),
        *env(LOG_OUTPUT_PATHS="stdout", LOG_ERROR_OUTPUT_PATHS="stderr", METRICS_PORT="8080", HEALTH_PROBE_PORT="8081"),
        *fields,
        *env(
            FEATURE_GATES=f"ReservedCapacity={reserved},SpotToSpotConsolidation=false,NodeRepair=false",
            BATCH_MAX_DURATION="10s",
            BATCH_IDLE_DURATION="1s",
            CLUSTER_NAME="training-on-eks",
            VM_MEMORY_OVERHEAD_PERCENT="0.075",
            INTERRUPTION_QUEUE="training-on-eks",
            RESERVED_ENIS="0",
            **{name: value for name, value, since in policies if minor >= since},
        ),
    ]


def _pod_spec(service: Service, log_level: str) -> Manifest:
    asked = {"cpu": service.cpu, "memory": service.memory}
    container: Manifest = {
        "image": service.image,
        "imagePullPolicy": "IfNotPresent",
        "name": service.name,
        "resources": {"limits": {"memory": service.memory}, "requests": asked},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    critical: Manifest = {}
    if service.name == "karpenter":
        container |= {"env": _karpenter_environment(log_level, service.image.rsplit(":", 1)[1]), "name": "controller"}
        container["resources"] = {"limits": asked, "requests": asked}
        unmanaged = {"key": "karpenter.sh/nodepool", "operator": "DoesNotExist"}
        required = {"nodeSelectorTerms": [{"matchExpressions": [unmanaged]}]}
        critical["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    if service.name in ("karpenter", "coredns"):
        critical["priorityClassName"] = "system-cluster-critical"
        critical["tolerations"] = [{"key": "CriticalAddonsOnly", "operator": "Exists"}]
    return {
        "containers": [container],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "serviceAccount": service.name,
        "serviceAccountName": service.name,
        "terminationGracePeriodSeconds": 30,
        **critical,
    }


def _labels(service: Service) -> Mapping[str, str]:
    version = service.image.rsplit(":", 1)[1]
    return {"app.kubernetes.io/name": service.name, "app.kubernetes.io/version": version}


def deployment(service: Service, created: datetime, log_level: str = "info") -> Manifest:
    selector = {"app.kubernetes.io/name": service.name}
    count = dict.fromkeys(("availableReplicas", "readyReplicas", "replicas", "updatedReplicas"), service.replicas)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(
            "Deployment",
            service.name,
            created,
            namespace=service.namespace,
            more={"generation": 1, "labels": _labels(service)},
        ),
        "spec": {
            "replicas": service.replicas,
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": selector},
            "strategy": {"rollingUpdate": {"maxUnavailable": 1}, "type": "RollingUpdate"},
            "template": {"metadata": {"labels": selector}, "spec": _pod_spec(service, log_level)},
        },
        "status": {**count, "observedGeneration": 1},
    }


def replica_set(owner: Manifest, created: datetime) -> Manifest:
    spec = owner["spec"]
    assert isinstance(spec, dict)
    name = f"{name_of(owner)}-7c9d5b8f64"
    namespace = str(owner["metadata"]["namespace"])  # type: ignore[index]
    template = {
        **spec["template"],
        "metadata": {"labels": {**spec["selector"]["matchLabels"], "pod-template-hash": "7c9d5b8f64"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": metadata(
            "ReplicaSet", name, created, namespace=namespace, more={"ownerReferences": owned_by(owner)}
        ),
        "spec": {"replicas": spec["replicas"], "selector": spec["selector"], "template": template},
        "status": {
            "availableReplicas": spec["replicas"],
            "readyReplicas": spec["replicas"],
            "replicas": spec["replicas"],
        },
    }


def service_pods(
    owner: Manifest, service: Service, nodes: Sequence[str], created: datetime, log_level: str = "info"
) -> Iterator[Manifest]:
    """The running pods of a ReplicaSet, on the nodes in turn."""
    for index in range(service.replicas):
        more = {
            "generateName": f"{name_of(owner)}-",
            "labels": {**_labels(service), "pod-template-hash": "7c9d5b8f64"},
            "ownerReferences": owned_by(owner),
        }
        name = f"{name_of(owner)}-{('x2v7k', 'q9m4t')[index]}"
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata("Pod", name, created, namespace=service.namespace, more=more),
            "spec": {**_pod_spec(service, log_level), "nodeName": nodes[index % len(nodes)]},
            "status": {
                "conditions": [condition("Ready", "True", created), condition("PodScheduled", "True", created)],
                "phase": "Running",
                "qosClass": "Burstable",
                "startTime": stamp(created),
            },
        }
