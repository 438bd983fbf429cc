"""The seed's workload in its real shape: TrainJob -> JobSet -> Job -> Pods.

TrainJob and JobSet are validated by their published definitions; the Job and its pods are made by Kubernetes' own
controller. Kubeflow's and JobSet's controllers do not run on the bed: the JobSet and the Job that they would make are
written here, with the names, labels and owner references that they would give them.
"""

from __future__ import annotations

from typing import Final

from tests.cluster.api import Api, KubeObject

_TRAIN_JOB: Final = "trainer.kubeflow.org/v1alpha1"
_JOB_SET: Final = "jobset.x-k8s.io/v1alpha2"
_STEP: Final = "node"


def create_train_job(
    api: Api, namespace: str, name: str, *, nodes: int, resources: dict[str, str], selector: dict[str, str]
) -> KubeObject:
    """Creates the chain and returns the TrainJob; the pods are called NAME-node-0-INDEX-SUFFIX."""
    wanted = {"requests": resources, "limits": resources}
    train_job = api.create(
        {
            "apiVersion": _TRAIN_JOB,
            "kind": "TrainJob",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "runtimeRef": {"name": "torch-distributed"},
                "trainer": {"numNodes": nodes, "resourcesPerNode": wanted},
                "podSpecOverrides": [{"targetJobs": [{"name": _STEP}], "nodeSelector": selector}],
            },
        }
    )
    labels = {
        "jobset.sigs.k8s.io/jobset-name": name,
        "jobset.sigs.k8s.io/replicatedjob-name": _STEP,
        "jobset.sigs.k8s.io/job-index": "0",
    }
    job_spec = _job_spec(nodes, wanted, selector, labels)
    job_set = api.create(
        {
            "apiVersion": _JOB_SET,
            "kind": "JobSet",
            "metadata": {"name": name, "namespace": namespace, "ownerReferences": [_owner(train_job)]},
            "spec": {"replicatedJobs": [{"name": _STEP, "replicas": 1, "template": {"spec": job_spec}}]},
        }
    )
    api.create(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": f"{name}-{_STEP}-0",
                "namespace": namespace,
                "labels": labels,
                "ownerReferences": [_owner(job_set)],
            },
            "spec": job_spec,
        }
    )
    return train_job


def _job_spec(nodes: int, resources: KubeObject, selector: dict[str, str], labels: dict[str, str]) -> KubeObject:
    container = {"name": _STEP, "image": "example.com/llama-trainer:1", "resources": resources}
    return {
        "parallelism": nodes,
        "completions": nodes,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        "template": {
            "metadata": {"labels": labels},
            "spec": {"restartPolicy": "Never", "nodeSelector": selector, "containers": [container]},
        },
    }


def _owner(owner: KubeObject) -> KubeObject:
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
