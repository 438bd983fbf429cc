"""The cases that are not Karpenter's to solve, or not Karpenter's of today: none installed, Auto Mode, v1beta1, Kueue."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from tests.cases.builder.blocked import NO_MATCH, STANDARD, TYPE, devices
from tests.cases.builder.case import V0_37, V1_8, Case, Cluster, Files, expect, merged
from tests.cases.builder.objects import Manifest, condition, later, metadata, moment, name_of, own_condition, owned_by
from tests.cases.builder.pools import GPU_TAINT, default_pool, gpu_pool
from tests.cases.builder.training import IMAGE, Training, chain, pending
from tests.cases.builder.words import (
    BIG_BUT_FORBIDDEN,
    DEFAULT,
    DEFAULT_DAEMONS,
    GPU,
    GPU_DAEMONS,
    NOT_MET_NOR_ENOUGH,
    could_not_schedule,
    printed,
    refusal,
    refused_pods,
    requirements,
    said,
    scheduler_message,
    unschedulable,
)

_AUTO: Final = "eks.amazonaws.com"


def no_karpenter() -> Case:
    training = Training(
        name="llama-3-8b", devices=devices(1), created=moment("2025-12-28T15:01:50Z"), suffixes=("g2m8z", "p7k4d")
    )
    scheduler = scheduler_message(2, "2 Insufficient nvidia.com/gpu")
    mine = chain(training, scheduler)
    now = later(training.created, 300)
    cluster = Cluster(now=now, release=None, default_node=False)
    return Case(
        name="no-karpenter",
        about="A cluster of managed node groups only: no Karpenter, none of its kinds.",
        question=training.pod_names[0],
        now=now,
        files=merged(
            cluster.files(),
            mine,
            {"events": [unschedulable(one, later(training.created, 3), scheduler) for one in mine["pods"]]},
            {"nodepools": []},
        ),
        expect=expect("blocked", "", ["no-nodepool"], not_causes=["gpu-count-exceeds-instance", "nodepool-not-ready"]),
    )


def _auto_pool(name: str, created: datetime, wanted: Mapping[str, list[str]], taints: list[Manifest]) -> Manifest:
    """A NodePool of EKS Auto Mode: Karpenter's kind, EKS' NodeClass."""
    more = {"generation": 1, "labels": {"app.kubernetes.io/managed-by": "eks"} if name != "gpu" else {}}
    spec = {
        "expireAfter": "336h",
        "nodeClassRef": {"group": _AUTO, "kind": "NodeClass", "name": "default"},
        "requirements": [{"key": key, "operator": "In", "values": values} for key, values in wanted.items()],
        "terminationGracePeriod": "24h0m0s",
        **({"taints": taints} if taints else {}),
    }
    ready = [own_condition(kind, "True", created) for kind in ("ValidationSucceeded", "NodeClassReady", "Ready")]
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": metadata("NodePool", name, created, more=more),
        "spec": {
            "disruption": {
                "budgets": [{"nodes": "10%"}],
                "consolidateAfter": "30s",
                "consolidationPolicy": "WhenEmptyOrUnderutilized",
            },
            "template": {"metadata": {}, "spec": spec},
        },
        "status": {"conditions": ready, "resources": {"nodes": "0"}},
    }


def _auto_cluster(created: datetime) -> Files:
    common = {"karpenter.sh/capacity-type": ["on-demand"], "kubernetes.io/os": ["linux"]}
    general = {**common, f"{_AUTO}/instance-category": ["c", "m", "r"], "kubernetes.io/arch": ["amd64"]}
    system = {**common, f"{_AUTO}/instance-category": ["c", "m", "r"], "kubernetes.io/arch": ["amd64", "arm64"]}
    gpu = {**common, f"{_AUTO}/instance-category": ["g", "p"], "kubernetes.io/arch": ["amd64"]}
    node_class: Manifest = {
        "apiVersion": f"{_AUTO}/v1",
        "kind": "NodeClass",
        "metadata": metadata(
            "NodeClass", "default", created, more={"finalizers": [f"{_AUTO}/termination"], "generation": 1}
        ),
        "spec": {
            "ephemeralStorage": {"iops": 3000, "size": "80Gi", "throughput": 125},
            "networkPolicy": "DefaultAllow",
            "networkPolicyEventLogs": "Disabled",
            "role": "AmazonEKSAutoNodeRole",
            "securityGroupSelectorTerms": [{"id": "sg-0d3b5a7c9e1f20468"}],
            "snatPolicy": "Random",
            "subnetSelectorTerms": [{"id": f"subnet-0a1b2c3d4e5f6a7{i}{letter}"} for i, letter in enumerate("abcd")],
        },
        "status": {
            "conditions": [own_condition(k, "True", created) for k in ("SubnetsReady", "SecurityGroupsReady", "Ready")],
            "subnets": [
                {
                    "id": f"subnet-0a1b2c3d4e5f6a7{i}{letter}",
                    "zone": f"ap-northeast-2{letter}",
                    "zoneID": f"apne2-az{i + 1}",
                }
                for i, letter in enumerate("abcd")
            ],
        },
    }
    critical: list[Manifest] = [{"effect": "NoSchedule", "key": "CriticalAddonsOnly"}]
    return {
        "nodeclasses": [node_class],
        "nodepools": [
            _auto_pool("general-purpose", created, general, []),
            _auto_pool("gpu", created, gpu, [dict(GPU_TAINT)]),
            _auto_pool("system", created, system, critical),
        ],
    }


def auto_mode() -> Case:
    label = "karpenter.k8s.aws/instance-gpu-name"
    training = Training(
        name="llama-3-8b",
        devices=devices(1),
        created=moment("2025-12-28T16:20:14Z"),
        suffixes=("j5r9w",),
        selector={label: "l40s"},
    )
    scheduler = scheduler_message(2, "2 node(s) didn't match Pod's node affinity/selector")
    mine = chain(training, scheduler)
    unknown = (
        f'incompatible requirements, label "{label}" does not have known values (typo of "{_AUTO}/instance-gpu-name"?)'
    )
    why = refusal("did not tolerate taint (taint=CriticalAddonsOnly:NoSchedule)", unknown, unknown)
    now = later(training.created, 50)
    cluster = Cluster(now=now, release=None, default_node=False)
    base = cluster.files()
    base["daemonsets"] = [one for one in base["daemonsets"] if one["metadata"]["namespace"] == "monitoring"]  # type: ignore[index]
    kept = ("kps-prometheus", "coredns", "jobset", "kubeflow")
    base["pods"] = [one for one in base["pods"] if str(one["metadata"]["name"]).startswith(kept)]  # type: ignore[index]
    events = [
        *refused_pods(mine["pods"], later(training.created, 3), scheduler, None),
        *(
            said(
                pod,
                later(training.created, 6),
                "FailedScheduling",
                f"Failed to schedule pod, {why.text}",
                by="eks-auto-mode/compute",
            )
            for pod in mine["pods"]
        ),
    ]
    return Case(
        name="auto-mode",
        about="EKS Auto Mode (no Karpenter pods or logs): selects a karpenter.k8s.aws label, which Auto Mode does not know.",
        question=training.pod_names[0],
        now=now,
        files=merged(base, _auto_cluster(cluster.created), mine, {"events": events}),
        expect=expect(
            "blocked",
            "gpu",
            ["unknown-label"],
            remedies=["drop-node-selector"],
            not_causes=["nodeclass-not-ready", "nodepool-not-ready", "no-nodepool", "gpu-count-exceeds-instance"],
            facts={"label": label, "did_you_mean": f"{_AUTO}/instance-gpu-name"},
        ),
    )


def _pytorch_job(name: str, asked: Mapping[str, str], selector: Mapping[str, str], created: datetime) -> Files:
    """Training Operator v1: a PyTorchJob owns its pods directly."""
    container = {
        "command": ["torchrun", "--nproc_per_node=8", "train.py"],
        "image": IMAGE,
        "name": "pytorch",
        "resources": {"limits": dict(asked)},
    }
    spec = {"containers": [container], "nodeSelector": dict(selector), "restartPolicy": "OnFailure"}
    top: Manifest = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": metadata("PyTorchJob", name, created, namespace="default", more={"generation": 1}),
        "spec": {
            "pytorchReplicaSpecs": {
                "Worker": {"replicas": 1, "restartPolicy": "OnFailure", "template": {"spec": spec}}
            },
            "runPolicy": {"suspend": False},
        },
        "status": {
            "conditions": [
                {
                    **condition(
                        "Created", "True", created, reason="PyTorchJobCreated", message=f"PyTorchJob {name} is created."
                    ),
                    "lastUpdateTime": condition("", "", created)["lastTransitionTime"],
                }
            ],
            "replicaStatuses": {"Worker": {}},
        },
    }
    made = later(created, 1)
    more = {
        "labels": {
            "training.kubeflow.org/job-name": name,
            "training.kubeflow.org/replica-index": "0",
            "training.kubeflow.org/replica-type": "worker",
        },
        "ownerReferences": owned_by(top),
    }
    tolerations = [{"key": key, "operator": "Exists"} for key in sorted(asked)]
    full = {**container, "resources": {"limits": dict(asked), "requests": dict(asked)}}
    pod: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata("Pod", f"{name}-worker-0", made, namespace="default", more=more),
        "spec": {
            **spec,
            "containers": [full],
            "priority": 0,
            "schedulerName": "default-scheduler",
            "serviceAccountName": "default",
            "tolerations": tolerations,
        },
        "status": {**pending(made, NO_MATCH), "qosClass": "BestEffort"},
    }
    return {"pytorchjobs": [top], "pods": [pod]}


def beta() -> Case:
    created = moment("2024-11-20T03:14:25Z")
    asked, selector = devices(8), {TYPE: "g5.12xlarge"}
    mine = _pytorch_job("llama-2-13b", asked, selector, created)
    texts = []
    for name, base, daemons, reason in (
        ("gpu", GPU, GPU_DAEMONS, BIG_BUT_FORBIDDEN),
        ("default", DEFAULT, DEFAULT_DAEMONS, NOT_MET_NOR_ENOUGH),
    ):
        known = {key: value for key, value in base.items() if key != "karpenter.k8s.aws/ec2nodeclass"}
        total = printed({**daemons, "pods": str(int(daemons["pods"]) + 1), **asked})
        texts.append(
            f'incompatible with nodepool "{name}", daemonset overhead={printed(daemons)}, no instance type satisfied resources '
            f"{total} and requirements {requirements(known, selector)} ({reason})"
        )
    why = refusal(*texts)
    now = later(created, 44)
    cluster = Cluster(now=now, release=V0_37, pools=(default_pool(), gpu_pool()), beta=True)
    files = cluster.files()
    files.pop("clustertrainingruntimes")
    events = refused_pods(mine["pods"], later(created, 3), NO_MATCH, why)
    return Case(
        name="v1beta1-nodepool",
        about="Karpenter v0.37 with v1beta1 NodePools: a PyTorchJob asks for 8 GPUs on g5.12xlarge, which has 4.",
        question="llama-2-13b-worker-0",
        now=now,
        version="0.37.6",
        files=merged(files, mine, {"events": events}),
        log=could_not_schedule(V0_37, later(created, 6), ["llama-2-13b-worker-0"], why),
        expect=expect(
            "blocked",
            "gpu",
            ["gpu-count-exceeds-instance"],
            remedies=["reduce-resource", "drop-node-selector"],
            not_causes=["requirement-conflict", "nodepool-not-ready", "no-nodepool", "efa-count-exceeds-instance"],
            facts={"instance_type": "g5.12xlarge", "requested": 8, "offered": 4},
        ),
    )


def _workload(pod: Manifest, made: datetime) -> Manifest:
    """What Kueue queues for the pod, not admitted."""
    full = "couldn't assign flavors to pod set main: insufficient unused quota for nvidia.com/gpu in flavor p4d, 8 more needed"
    owner = name_of(pod).removesuffix("-0")
    spec = pod["spec"]
    assert isinstance(spec, dict)
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta1",
        "kind": "Workload",
        "metadata": metadata(
            "Workload", f"statefulset-{owner}-41c7e", made, namespace="default", more={"ownerReferences": owned_by(pod)}
        ),
        "spec": {
            "active": True,
            "podSets": [{"count": 1, "name": "main", "template": {"spec": {"containers": spec["containers"]}}}],
            "queueName": "training",
        },
        "status": {"conditions": [condition("QuotaReserved", "False", made, reason="Pending", message=full)]},
    }


def _stateful_set(name: str, asked: Mapping[str, str], created: datetime) -> Files:
    """A StatefulSet under Kueue: its pods carry a gate until their Workload is admitted."""
    labels = {"app": name, "kueue.x-k8s.io/queue-name": "training"}
    container = {"image": IMAGE, "name": "worker", "resources": {"limits": dict(asked), "requests": dict(asked)}}
    top: Manifest = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(
            "StatefulSet", name, created, namespace="default", more={"generation": 1, "labels": labels}
        ),
        "spec": {
            "podManagementPolicy": "Parallel",
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "serviceName": name,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
        "status": {"replicas": 1},
    }
    made = later(created, 1)
    gated = condition(
        "PodScheduled",
        "False",
        made,
        reason="SchedulingGated",
        message="Scheduling is blocked due to non-empty scheduling gates",
    )
    more = {
        "labels": {**labels, "kueue.x-k8s.io/managed": "true", "statefulset.kubernetes.io/pod-name": f"{name}-0"},
        "finalizers": ["kueue.x-k8s.io/managed"],
        "ownerReferences": owned_by(top),
    }
    pod: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata("Pod", f"{name}-0", made, namespace="default", more=more),
        "spec": {
            "containers": [container],
            "priority": 0,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "schedulingGates": [{"name": "kueue.x-k8s.io/admission"}],
            "serviceAccountName": "default",
            "tolerations": [{"key": key, "operator": "Exists"} for key in sorted(asked)],
        },
        "status": {"conditions": [gated], "phase": "Pending", "qosClass": "BestEffort"},
    }
    return {"statefulsets": [top], "pods": [pod], "workloads": [_workload(pod, made)]}


def gated() -> Case:
    created = moment("2025-12-28T17:05:40Z")
    mine = _stateful_set("megatron-eval", devices(8, 4), created)
    now = later(created, 900)
    return Case(
        name="scheduling-gated",
        about="Kueue holds the pod with a scheduling gate; neither scheduler looks at it.",
        question="megatron-eval-0",
        now=now,
        version="1.8.1",
        files=merged(Cluster(now=now, release=V1_8, pools=STANDARD).files(), mine),
        expect=expect(
            "not-karpenters-job",
            "",
            ["scheduling-gated"],
            not_causes=["gpu-count-exceeds-instance", "nodepool-limit-exceeded", "taint-not-tolerated"],
            facts={"gate": "kueue.x-k8s.io/admission"},
        ),
    )


def cases() -> Iterator[Case]:
    yield from (no_karpenter(), auto_mode(), beta(), gated())
