"""A training pod and its owners, as the API prints them, each owner built around one and the same pod template."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

Manifest = dict[str, Any]

ZONE: Final = "topology.kubernetes.io/zone"
INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
CAPACITY_TYPE: Final = "karpenter.sh/capacity-type"
GPU: Final = "nvidia.com/gpu"
EFA: Final = "vpc.amazonaws.com/efa"
_UIDS: Final = "8d1f6c52-3e0a-4f57-9a1b-"


def template() -> Manifest:
    """What the author wrote: 16 GPUs on a p4d.24xlarge (which has 8), in one zone, on spot."""
    term = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["us-west-2b"]}]}
    near = {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"job": "llama"}}}
    return {
        "metadata": {"labels": {"job": "llama"}},
        "spec": {
            "containers": [
                {
                    "name": "node",
                    "image": "pytorch:2.7",
                    "resources": {
                        "limits": {GPU: "16", EFA: "4", "memory": "900Gi"},
                        "requests": {GPU: "16", EFA: "4"},
                    },
                }
            ],
            "nodeSelector": {INSTANCE_TYPE: "p4d.24xlarge", CAPACITY_TYPE: "spot"},
            "affinity": {
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}},
                "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [near]},
            },
            "tolerations": [{"key": "team", "operator": "Equal", "value": "ml", "effect": "NoSchedule"}],
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "minDomains": 2,
                    "topologyKey": ZONE,
                    "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": {},
                }
            ],
        },
    }


def pod_of(made_from: Manifest, owner: Manifest | None, labels: dict[str, str]) -> Manifest:
    """The pod that the API server keeps: a sidecar injected in front, default tolerations, requests filled in."""
    spec = deepcopy(made_from["spec"])
    for container in spec["containers"]:
        asked = container.get("resources", {})
        asked["requests"] = {**asked.get("limits", {}), **asked.get("requests", {})}
    proxy = {"name": "istio-proxy", "image": "proxyv2", "resources": {"requests": {"cpu": "100m"}}}
    spec["containers"] = [proxy, *spec["containers"]]
    for taint in ("not-ready", "unreachable"):
        tolerated = {"key": f"node.kubernetes.io/{taint}", "operator": "Exists", "effect": "NoExecute"}
        spec.setdefault("tolerations", []).append({**tolerated, "tolerationSeconds": 300})
    meta = {**deepcopy(made_from.get("metadata", {})), "name": "llama-node-0-x2k9p", "namespace": "train"}
    meta["labels"] = {**meta.get("labels", {}), **labels}
    meta["uid"] = f"{_UIDS}000000000000"
    if owner is not None:
        meta["ownerReferences"] = [reference(owner)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Pending"}}


def reference(owner: Manifest) -> Manifest:
    """The ownerReference to an object."""
    meta = owner["metadata"]
    named = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    return {**named, "controller": True}


def owner(api_version: str, kind: str, spec: Manifest, above: Manifest | None = None) -> Manifest:
    """An object of a kind, with the metadata that the API server gives."""
    meta: Manifest = {
        "name": f"llama-{kind.lower()}",
        "namespace": "train",
        "generation": 3,
        "resourceVersion": "21190",
    }
    meta["uid"] = f"{_UIDS}{sum(map(ord, kind)):012d}"
    if above is not None:
        meta["ownerReferences"] = [reference(above)]
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec}


def job(pods: Manifest, above: Manifest | None = None) -> Manifest:
    """A Job that runs."""
    spec = {"template": pods, "suspend": False, "parallelism": 2}
    return {**owner("batch/v1", "Job", spec, above), "status": {"startTime": "2025-12-02T02:20:10Z", "active": 1}}


Chain = list[Manifest]
"""A pod's owners, nearest first."""


def _controlled(kind: str, below: str, **spec: object) -> Callable[[Manifest], Chain]:
    def build(pods: Manifest) -> Chain:
        group = "argoproj.io/v1alpha1" if kind == "Rollout" else "apps/v1"
        top = owner(group, kind, {"template": pods, "replicas": 2, **spec})
        return [owner("apps/v1", below, {"template": pods}, top), top] if below else [top]

    return build


def cron_job(pods: Manifest) -> Chain:
    top = owner("batch/v1", "CronJob", {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": pods}}})
    return [job(pods, top), top]


def job_set_spec(pods: Manifest, *, suspend: bool = False) -> Manifest:
    launcher = {"spec": {"containers": [{"name": "launcher", "image": "mpi"}], "nodeSelector": {"role": "cpu"}}}
    replicated = [
        {"name": name, "replicas": 1, "template": {"spec": {"template": one}}}
        for name, one in (("launcher", launcher), ("node", pods))
    ]
    return {"replicatedJobs": replicated, "suspend": suspend}


def job_set(pods: Manifest) -> Chain:
    top = owner("jobset.x-k8s.io/v1alpha2", "JobSet", job_set_spec(pods))
    return [job(pods, top), top]


def replica_job(kind: str, field: str, version: str = "v1") -> Callable[[Manifest], Chain]:
    def build(pods: Manifest) -> Chain:
        roles = {"Master": {"replicas": 1, "template": pods}, "Worker": {"replicas": 3, "template": deepcopy(pods)}}
        roles["Master"] = {"replicas": 1, "template": {"spec": {"containers": [{"name": "other", "image": "cpu"}]}}}
        return [owner(f"kubeflow.org/{version}", kind, {field: roles, "runPolicy": {"suspend": False}})]

    return build


def ray_spec(pods: Manifest) -> Manifest:
    head = {"spec": {"containers": [{"name": "ray-head", "image": "ray"}]}}
    other = {"groupName": "cpu", "template": {"spec": {"containers": [{"name": "node", "image": "ray"}]}}}
    return {
        "headGroupSpec": {"rayStartParams": {}, "template": head},
        "workerGroupSpecs": [other, {"groupName": "gpu", "replicas": 2, "template": pods}],
    }


def ray_cluster(pods: Manifest) -> Chain:
    return [owner("ray.io/v1", "RayCluster", ray_spec(pods))]


def ray_job(pods: Manifest) -> Chain:
    top = owner("ray.io/v1", "RayJob", {"rayClusterSpec": ray_spec(pods), "entrypoint": "python train.py"})
    return [owner("ray.io/v1", "RayCluster", ray_spec(pods), top), top]


def ray_service(pods: Manifest) -> Chain:
    top = owner("ray.io/v1", "RayService", {"rayClusterConfig": ray_spec(pods)})
    return [owner("ray.io/v1", "RayCluster", ray_spec(pods), top), top]


def leader_worker_set(pods: Manifest) -> Chain:
    leader = {"spec": {"containers": [{"name": "node", "image": "vllm"}]}}
    spec = {"replicas": 1, "leaderWorkerTemplate": {"leaderTemplate": leader, "workerTemplate": pods, "size": 4}}
    top = owner("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", spec)
    return [owner("apps/v1", "StatefulSet", {"template": pods}, top), top]


def unknown(pods: Manifest) -> Chain:
    return [owner("ai.example.com/v1", "TrainingRun", {"stages": [{"pods": pods, "title": "pretrain"}], "retries": 3})]


WORKER: Final = {"training.kubeflow.org/replica-type": "worker"}
RAY_WORKER: Final = {"ray.io/node-type": "worker", "ray.io/group": "gpu"}
NODE_JOB: Final = {"jobset.sigs.k8s.io/replicatedjob-name": "node"}

CHAINS: Final[dict[str, tuple[Callable[[Manifest], Chain], dict[str, str]]]] = {
    "Deployment": (_controlled("Deployment", "ReplicaSet"), {}),
    "Rollout": (_controlled("Rollout", "ReplicaSet"), {}),
    "StatefulSet": (
        _controlled("StatefulSet", "", podManagementPolicy="OrderedReady", updateStrategy={"type": "RollingUpdate"}),
        {},
    ),
    "DaemonSet": (_controlled("DaemonSet", "", updateStrategy={"type": "RollingUpdate"}), {}),
    "ReplicaSet": (_controlled("ReplicaSet", ""), {}),
    "Job": (lambda pods: [job(pods)], {}),
    "CronJob": (cron_job, {}),
    "JobSet": (job_set, NODE_JOB),
    "PyTorchJob": (replica_job("PyTorchJob", "pytorchReplicaSpecs"), WORKER),
    "TFJob": (replica_job("TFJob", "tfReplicaSpecs"), WORKER),
    "MPIJob": (replica_job("MPIJob", "mpiReplicaSpecs", "v2beta1"), WORKER),
    "RayCluster": (ray_cluster, RAY_WORKER),
    "RayJob": (ray_job, RAY_WORKER),
    "RayService": (ray_service, RAY_WORKER),
    "LeaderWorkerSet": (leader_worker_set, {"leaderworkerset.sigs.k8s.io/worker-index": "2"}),
    "TrainingRun": (unknown, {}),
}
"""The topmost owner's kind: how its chain is built around a template, and the labels that its pods get."""
