"""A training job as Kubeflow Trainer v2 lays it out: TrainJob -> JobSet -> Job -> Pods, and the runtime it refers to.

JobSet names what it makes `<jobset>-<replicated job>-<index>`, the Job controller adds the completion index and a random
suffix: `llama-3-8b-node-0-1-z49j4` is node 1 of job `llama-3-8b-node-0`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tests.cases.builder.objects import (
    Manifest,
    condition,
    env,
    later,
    meta_of,
    metadata,
    name_of,
    owned_by,
    stamp,
    uid,
)

IMAGE: Final = "public.ecr.aws/deep-learning-containers/pytorch-training:2.8.0-gpu-py312-cu129-ubuntu22.04-ec2-v1.0"
SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 (a path inside the container)
SCRIPT: Final = """cd /workspace/code/samples/deepspeed
pip install -r requirements.txt
torchrun --nproc_per_node=gpu --rdzv_backend=c10d --rdzv_endpoint=${PET_MASTER_ADDR}:${PET_MASTER_PORT} train.py
"""
_DEFAULTED: Final = (
    {"effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300},
    {"effect": "NoExecute", "key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 300},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What the author of the TrainJob chose. `suffixes` name the pods, one for each node of the job."""

    name: str
    devices: Mapping[str, str]
    created: datetime
    suffixes: Sequence[str]
    selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    restarts: int = 0
    running_on: Sequence[str] = ()
    pods_created: datetime | None = None

    @property
    def pod_names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}-node-0-{index}-{suffix}" for index, suffix in enumerate(self.suffixes))


def training_runtime(created: datetime) -> Manifest:
    """ClusterTrainingRuntime `torch-distributed`, which every TrainJob here refers to."""
    container = {"image": "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime", "name": "node", "resources": {}}
    template = {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}}}
    job = {**template, "spec": {"template": {"metadata": {}, "spec": {"containers": [container]}}}}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "ClusterTrainingRuntime",
        "metadata": metadata(
            "ClusterTrainingRuntime",
            "torch-distributed",
            created,
            more={"generation": 1, "labels": {"trainer.kubeflow.org/framework": "torch"}},
        ),
        "spec": {
            "mlPolicy": {"numNodes": 1, "torch": {"numProcPerNode": "auto"}},
            "template": {"spec": {"replicatedJobs": [{"name": "node", "replicas": 1, "template": job}]}},
        },
    }


def _mounts(training: Training) -> tuple[list[Manifest], list[Manifest]]:
    mounts: list[Manifest] = [{"mountPath": SHARED_MEMORY, "name": "dshm"}]
    volumes: list[Manifest] = [{"emptyDir": {"medium": "Memory", "sizeLimit": "64Gi"}, "name": "dshm"}]
    for name, claim in training.claims.items():
        mounts.append({"mountPath": f"/data/{name}", "name": name})
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": claim}})
    return mounts, volumes


def train_job(training: Training) -> Manifest:
    """The object that a person wrote; everything below it follows from it."""
    mounts, volumes = _mounts(training)
    override: Manifest = {
        "spec": {
            "containers": [{"name": "node", "volumeMounts": mounts}],
            **({"nodeSelector": dict(training.selector)} if training.selector else {}),
            **({"tolerations": [dict(one) for one in training.tolerations]} if training.tolerations else {}),
            "volumes": volumes,
        },
        "targetJobs": [{"name": "node"}],
    }
    if training.annotations:
        override["metadata"] = {"annotations": dict(training.annotations)}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": metadata("TrainJob", training.name, training.created, namespace="default", more={"generation": 1}),
        "spec": {
            "managedBy": "trainer.kubeflow.org/trainjob-controller",
            "podTemplateOverrides": [override],
            "runtimeRef": {
                "apiGroup": "trainer.kubeflow.org",
                "kind": "ClusterTrainingRuntime",
                "name": "torch-distributed",
            },
            "suspend": False,
            "trainer": {
                "command": ["/bin/bash", "-c", SCRIPT],
                "image": IMAGE,
                "numNodes": len(training.suffixes),
                "numProcPerNode": "auto",
                "resourcesPerNode": {"limits": dict(training.devices)},
            },
        },
        "status": {
            "jobsStatus": [{"active": 1, "failed": 0, "name": "node", "ready": 0, "succeeded": 0, "suspended": 0}]
        },
    }


def _container(training: Training) -> Manifest:
    mounts, _ = _mounts(training)
    index = {
        "fieldRef": {
            "apiVersion": "v1",
            "fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']",
        }
    }
    return {
        "command": ["/bin/bash", "-c", SCRIPT],
        "env": [
            *env(PET_NNODES=str(len(training.suffixes)), PET_NPROC_PER_NODE="auto"),
            {"name": "PET_NODE_RANK", "valueFrom": index},
            *env(PET_MASTER_ADDR=f"{training.name}-node-0-0.{training.name}", PET_MASTER_PORT="29500"),
        ],
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "name": "node",
        "ports": [{"containerPort": 29500, "protocol": "TCP"}],
        "resources": {"limits": dict(training.devices)},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    }


def _template_spec(training: Training) -> Manifest:
    _, volumes = _mounts(training)
    return {
        "containers": [_container(training)],
        "dnsPolicy": "ClusterFirst",
        **({"nodeSelector": dict(training.selector)} if training.selector else {}),
        "restartPolicy": "Never",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "subdomain": training.name,
        "terminationGracePeriodSeconds": 120,
        **({"tolerations": [dict(one) for one in training.tolerations]} if training.tolerations else {}),
        "volumes": volumes,
    }


def _labels(training: Training, jobset: Manifest) -> dict[str, str]:
    return {
        "jobset.sigs.k8s.io/global-replicas": "1",
        "jobset.sigs.k8s.io/job-global-index": "0",
        "jobset.sigs.k8s.io/job-index": "0",
        "jobset.sigs.k8s.io/job-key": uid("job key", training.name).replace("-", ""),
        "jobset.sigs.k8s.io/jobset-name": training.name,
        "jobset.sigs.k8s.io/jobset-uid": str(meta_of(jobset)["uid"]),
        "jobset.sigs.k8s.io/replicatedjob-name": "node",
        "jobset.sigs.k8s.io/replicatedjob-replicas": "1",
        "jobset.sigs.k8s.io/restart-attempt": str(training.restarts),
        "trainer.kubeflow.org/trainjob-ancestor-step": "trainer",
    }


def job_set(training: Training, owner: Manifest) -> Manifest:
    size = len(training.suffixes)
    pod_template = {"metadata": {"annotations": dict(training.annotations)}, "spec": _template_spec(training)}
    job_template = {
        "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
        "spec": {
            "backoffLimit": 0,
            "completionMode": "Indexed",
            "completions": size,
            "parallelism": size,
            "template": pod_template,
        },
    }
    more = {"generation": 1, "ownerReferences": owned_by(owner)}
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": metadata("JobSet", training.name, later(training.created, 1), namespace="default", more=more),
        "spec": {
            "failurePolicy": {"maxRestarts": 3},
            "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
            "replicatedJobs": [{"groupName": "default", "name": "node", "replicas": 1, "template": job_template}],
            "startupPolicy": {"startupPolicyOrder": "AnyOrder"},
            "successPolicy": {"operator": "All"},
            "suspend": False,
        },
        "status": {
            "replicatedJobsStatus": [
                {"active": 1, "failed": 0, "name": "node", "ready": 0, "succeeded": 0, "suspended": 0}
            ],
            "restarts": training.restarts,
        },
    }


def _pods_created(training: Training) -> datetime:
    return training.pods_created or later(training.created, 2)


def job(training: Training, owner: Manifest) -> Manifest:
    created, size = _pods_created(training), len(training.suffixes)
    name, labels = f"{training.name}-node-0", _labels(training, owner)
    more = {"generation": 1, "labels": labels, "ownerReferences": owned_by(owner)}
    made: Manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata("Job", name, created, namespace="default", more=more),
        "spec": {
            "backoffLimit": 0,
            "completionMode": "Indexed",
            "completions": size,
            "manualSelector": False,
            "parallelism": size,
            "podReplacementPolicy": "TerminatingOrFailed",
            "selector": {"matchLabels": {"batch.kubernetes.io/job-name": name}},
            "suspend": False,
            "template": {
                "metadata": {"annotations": dict(training.annotations), "labels": labels},
                "spec": _template_spec(training),
            },
        },
        "status": {
            "active": size,
            "ready": len([one for one in training.running_on if one]),
            "startTime": stamp(created),
            "terminating": 0,
            "uncountedTerminatedPods": {},
        },
    }
    return made


def pods(training: Training, owner: Manifest, unschedulable: str) -> list[Manifest]:
    """The job's pods: on the nodes of `running_on`, or pending with kube-scheduler's message where that is empty.

    EKS runs the ExtendedResourceToleration admission plugin: a pod that asks for `nvidia.com/gpu` tolerates that taint.
    """
    created, jobset_labels = _pods_created(training), meta_of(owner)["labels"]
    assert isinstance(jobset_labels, dict)
    devices: list[Manifest] = [{"key": name, "operator": "Exists"} for name in sorted(training.devices) if "/" in name]
    made: list[Manifest] = []
    for index, name in enumerate(training.pod_names):
        running = training.running_on[index] if training.running_on else ""
        container = _container(training)
        container["resources"] = {"limits": dict(training.devices), "requests": dict(training.devices)}
        spec = {
            **_template_spec(training),
            "containers": [container],
            "enableServiceLinks": True,
            "hostname": f"{training.name}-node-0-{index}",
            "preemptionPolicy": "PreemptLowerPriority",
            "priority": 0,
            "serviceAccount": "default",
            "serviceAccountName": "default",
            "tolerations": [*(dict(one) for one in training.tolerations), *devices, *_DEFAULTED],
            **({"nodeName": running} if running else {}),
        }
        index_key = "batch.kubernetes.io/job-completion-index"
        labels = {**jobset_labels, index_key: str(index), "batch.kubernetes.io/job-name": name_of(owner)}
        more = {
            "annotations": {
                **training.annotations,
                index_key: str(index),
                "jobset.sigs.k8s.io/jobset-name": training.name,
            },
            "finalizers": ["batch.kubernetes.io/job-tracking"],
            "generateName": f"{name_of(owner)}-{index}-",
            "labels": labels,
            "ownerReferences": owned_by(owner),
        }
        made.append(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata("Pod", name, created, namespace="default", more=more),
                "spec": spec,
                "status": {
                    **(_running(created) if running else pending(created, unschedulable)),
                    "qosClass": "Guaranteed" if "cpu" in training.devices else "BestEffort",
                },
            }
        )
    return made


def _running(created: datetime) -> Manifest:
    since = later(created, 9)
    kinds = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "conditions": [condition(kind, "True", since) for kind in kinds],
        "phase": "Running",
        "startTime": stamp(since),
    }


def pending(created: datetime, message: str) -> Manifest:
    """The status of a pod that kube-scheduler found no node for."""
    unscheduled = condition("PodScheduled", "False", created, reason="Unschedulable", message=message)
    return {"conditions": [unscheduled], "phase": "Pending"}


def chain(training: Training, unschedulable: str) -> dict[str, list[Manifest]]:
    """All of it, by the file it goes into."""
    top = train_job(training)
    middle = job_set(training, top)
    low = job(training, middle)
    return {"trainjobs": [top], "jobsets": [middle], "jobs": [low], "pods": pods(training, low, unschedulable)}
