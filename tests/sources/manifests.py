"""A small training cluster as plain manifests: TrainJob -> JobSet -> Job -> Pod, two NodePools, Karpenter with two pods."""

from __future__ import annotations

from typing import Any, Final

Manifest = dict[str, Any]
KARPENTER_LOG: Final = (
    b'{"level":"INFO","time":"2025-12-28T06:00:00.000Z","logger":"controller","message":"computed new nodeclaim(s)"}\n'
    b'{"level":"ERROR","time":"2025-12-28T06:03:04.194Z","logger":"controller","message":"could not schedule pod",'
    b'"Pod":{"name":"llama-node-0-1-z49j4","namespace":"train"},"error":"no instance type has enough resources"}\n'
    b'{"level":"ERROR","time":"2025-12-28T06:03:04.195Z","logger":"controller","message":"could not schedule pod",'
    b'"Pod":{"name":"somebody-else-x","namespace":"train"},"error":"no instance type has enough resources"}\n'
)


def thing(api_version: str, kind: str, name: str, namespace: str = "", **more: Any) -> Manifest:  # noqa: ANN401
    """Any object; `owner` makes its ownerReferences, `labels` its labels, the rest is its body."""
    metadata: Manifest = {"name": name, "uid": f"uid-{kind}-{name}", "creationTimestamp": "2025-12-28T05:00:00Z"}
    if namespace:
        metadata["namespace"] = namespace
    if owner := more.pop("owner", None):
        keys = ("apiVersion", "kind")
        head = {**{k: owner[k] for k in keys}, **{k: owner["metadata"][k] for k in ("name", "uid")}}
        metadata["ownerReferences"] = [{**head, "controller": True}]
    if labels := more.pop("labels", None):
        metadata["labels"] = labels
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


def pod(name: str, namespace: str = "train", phase: str = "Pending", **more: Any) -> Manifest:  # noqa: ANN401
    spec = {"containers": [{"name": "main", "resources": {"requests": {"nvidia.com/gpu": 8}}}], **more.pop("spec", {})}
    return thing("v1", "Pod", name, namespace, spec=spec, status={"phase": phase}, **more)


def event(name: str, about: Manifest, reason: str, message: str, source: str = "karpenter") -> Manifest:
    metadata = about["metadata"]
    involved = {"kind": about["kind"], **{k: metadata[k] for k in ("name", "uid", "namespace") if k in metadata}}
    body = {"reason": reason, "message": message, "type": "Warning", "source": {"component": source}}
    times = {"lastTimestamp": "2025-12-28T06:03:10Z", "eventTime": None}
    return thing("v1", "Event", name, metadata.get("namespace", "default"), involvedObject=involved, **body, **times)


TRAIN_JOB: Final = thing("trainer.kubeflow.org/v1alpha1", "TrainJob", "llama", "train")
JOB_SET: Final = thing("jobset.x-k8s.io/v1alpha2", "JobSet", "llama", "train", owner=TRAIN_JOB)
JOB: Final = thing("batch/v1", "Job", "llama-node-0", "train", owner=JOB_SET)
POD: Final = pod(
    "llama-node-0-1-z49j4",
    owner=JOB,
    labels={"jobset.sigs.k8s.io/jobset-name": "llama"},
    spec={
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "gp3"}}}},
        ]
    },
)
SIBLING: Final = pod("llama-node-0-0-aaaaa", phase="Failed", owner=JOB)
CLAIM: Final = thing(
    "v1", "PersistentVolumeClaim", "data", "train", spec={"volumeName": "pv-1", "storageClassName": "gp3"}
)
VOLUME: Final = thing("v1", "PersistentVolume", "pv-1", spec={"csi": {"driver": "ebs.csi.aws.com"}})
STORAGE_CLASS: Final = thing("storage.k8s.io/v1", "StorageClass", "gp3", provisioner="ebs.csi.aws.com")
NODE_CLASS: Final = thing(
    "karpenter.k8s.aws/v1",
    "EC2NodeClass",
    "gpu",
    spec={"amiFamily": "AL2023"},
    status={"subnets": [{"id": "subnet-1", "zone": "ap-northeast-2a", "zoneID": "apne2-az1"}]},
)
_REF: Final = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"}
NODE_POOL: Final = thing(
    "karpenter.sh/v1",
    "NodePool",
    "gpu",
    spec={"template": {"spec": {"nodeClassRef": _REF, "requirements": []}}, "limits": {"cpu": 1000}},
)
NODE_CLAIM: Final = thing("karpenter.sh/v1", "NodeClaim", "gpu-x7k2p", labels={"karpenter.sh/nodepool": "gpu"})
NODE: Final = thing("v1", "Node", "ip-10-0-1-2", labels={"topology.kubernetes.io/region": "ap-northeast-2"})
DAEMON_SET: Final = thing(
    "apps/v1",
    "DaemonSet",
    "device-plugin",
    "kube-system",
    spec={"selector": {"matchLabels": {"app": "plugin"}}, "template": {"spec": {"containers": []}}},
)
DAEMON_POD: Final = pod("device-plugin-1", "kube-system", "Running", owner=DAEMON_SET, labels={"app": "plugin"})


def karpenter_pod(name: str, image: str = "public.ecr.aws/karpenter/controller:1.8.2@sha256:0a") -> Manifest:
    env = [
        {"name": "CLUSTER_NAME", "value": "training"},
        {"name": "AWS_REGION", "value": "ap-northeast-2"},
        {"name": "PREFERENCE_POLICY", "value": "Ignore"},
        {"name": "RESERVED_ENIS", "value": "1"},
        {"name": "FEATURE_GATES", "value": "NodeRepair=true,ReservedCapacity=false"},
        {"name": "AWS_SECRET_ACCESS_KEY", "value": "hunter2"},
    ]
    spec = {"containers": [{"name": "controller", "image": image, "env": env}]}
    labels = {"app.kubernetes.io/name": "karpenter", "app.kubernetes.io/version": "1.8.2"}
    return pod(name, "kube-system", "Running", labels=labels, spec=spec)


CLUSTER: Final = (
    TRAIN_JOB,
    JOB_SET,
    JOB,
    POD,
    SIBLING,
    CLAIM,
    VOLUME,
    STORAGE_CLASS,
    NODE_CLASS,
    NODE_POOL,
    NODE_CLAIM,
    NODE,
    DAEMON_SET,
    DAEMON_POD,
    karpenter_pod("karpenter-a"),
    karpenter_pod("karpenter-b"),
    event("refused", POD, "FailedScheduling", "Failed to schedule pod, no instance type has enough resources"),
    event("of-an-older-pod", {**POD, "metadata": {**POD["metadata"], "uid": "another"}}, "FailedScheduling", "old"),
    event("evicted", SIBLING, "Evicted", "Evicted pod: Underutilized"),
    event("of-pool", NODE_POOL, "NoCompatibleInstanceTypes", "nothing left"),
    event("of-kubelet", NODE, "NodeHasSufficientMemory", "noise", source="kubelet"),
    thing("v1", "Secret", "password", "train", data={"password": "aHVudGVyMg=="}),
)
LOGS: Final = {"kube-system/karpenter-a": KARPENTER_LOG, "kube-system/karpenter-b": b""}
