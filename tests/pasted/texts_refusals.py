"""Texts of cases in which Karpenter refuses or ignores a pod, by case id."""

from __future__ import annotations

from bot.karpenter import AllFilteredOut, Clause, LimitsExceeded, MinValuesUnmet, OptedOut, Reason
from tests.pasted.shapes import (
    ARCH,
    CAPACITY,
    CATEGORY,
    FAMILY,
    NODEPOOL,
    TYPE,
    ZONE,
    anything,
    console,
    described,
    event,
    line,
    listed,
    mismatch,
    old_line,
    old_refused,
    pool,
    refusal,
    refused,
    spread,
    taint,
    types,
    unknown_label,
)

EFA = "vpc.amazonaws.com/efa"
GPU = "nvidia.com/gpu"
POD_ENI = "vpc.amazonaws.com/pod-eni"

_LIMITS_IN_2A = described(
    "batch/report-7",
    event(
        "FailedScheduling",
        "0/9 nodes are available: 5 node(s) had volume node affinity conflict, 4 node(s) had untolerated taint "
        "{dedicated: system}. preemption: 0/9 nodes are available: 9 Preemption is not helpful for scheduling.",
        source="default-scheduler",
    ),
    event(
        "FailedScheduling",
        "Failed to schedule pod, "
        + refusal((1, 4), Clause(findings=(LimitsExceeded(nodepool="spot"),), nodepool="spot")),
    ),
)

TEXTS = {
    "kpa-5862": refused(
        "shop/cart-5d9c7b",
        refusal(
            (0, 37),
            pool(
                "default",
                types(
                    Reason.RESOURCES,
                    {"cpu": "4100m", "memory": "9Gi", "pods": "8"},
                    listed(NODEPOOL, "default"),
                    listed(TYPE, "m5.xlarge"),
                    listed(CAPACITY, "on-demand"),
                ),
                overhead={"cpu": "900m", "memory": "1Gi", "pods": "7"},
            ),
        ),
    ),
    "ix-porter-maxnodes": described(
        "apps/web-6f7d8",
        event(
            "FailedScheduling",
            "0/7 nodes are available: 2 Insufficient cpu, 5 node(s) had untolerated taint {team: data}. preemption: 0/7 "
            "nodes are available: 2 No preemption victims found for incoming pod.",
            source="default-scheduler",
        ),
        event(
            "FailedScheduling",
            "Failed to schedule pod, "
            + refusal(
                (1, 2),
                pool(
                    "default",
                    types(Reason.RESOURCES, {"cpu": "2350m", "memory": "3Gi", "pods": "9"}, listed(CATEGORY, "t")),
                ),
            ),
        ),
    ),
    "kpa-3127": console(
        "Could not schedule pod, "
        + 'incompatible with provisioner "default", daemonset overhead={}, '
        + 'no instance type satisfied resources {"pods":"1","vpc.amazonaws.com/efa":"1"} and requirements '
        + "karpenter.sh/capacity-type In [on-demand], kubernetes.io/arch In [amd64] (no instance type has enough resources)",
        logger="controller.provisioner",
        level="ERROR",
        pod="hpc/mpi-0",
    ),
    "kpa-6296": refused(
        "train/worker-0",
        refusal(
            (0, 37),
            pool(
                "gpu",
                types(
                    Reason.RESOURCES,
                    {"cpu": "100", "hugepages-2Mi": "5Gi", GPU: "8", "pods": "7", EFA: "32"},
                    listed(TYPE, "p5.48xlarge"),
                    listed(NODEPOOL, "gpu"),
                ),
            ),
        ),
    ),
    "kpa-8064": old_refused(
        "ci/code-analyzer-0",
        refusal(
            (0, 32),
            pool(
                "nodepool-code-analyzer",
                types(
                    Reason.RESOURCES,
                    {"cpu": "17185m", "ephemeral-storage": "32Gi", "memory": "33008Mi", GPU: "2", "pods": "5"},
                    listed("codeanalyzer/taint", "code"),
                    listed(CAPACITY, "on-demand"),
                    listed(NODEPOOL, "nodepool-code-analyzer"),
                    listed("node.kubernetes.io/instance-family", "g4dn"),
                    listed(TYPE, "g4dn.2xlarge", "g4dn.4xlarge"),
                ),
                overhead={"cpu": "185m", "memory": "240Mi", "pods": "4"},
            ),
        ),
    ),
    "doc-g6f": refused(
        "ml/notebook-0",
        refusal(
            (1, 8),
            pool(
                "gpu",
                types(
                    Reason.REQUIREMENTS_OF_PAIR,
                    {"cpu": "1", GPU: "1", "pods": "8"},
                    listed(FAMILY, "g6f"),
                    listed(TYPE, "g6f.xlarge"),
                    listed(NODEPOOL, "gpu"),
                ),
            ),
        ),
    ),
    "kpa-5527": refused(
        "ml/infer-0",
        refusal(
            (0, 37),
            pool(
                "gpu",
                types(
                    Reason.OFFERING_OF_PAIR,
                    {"cpu": "185m", "memory": "240Mi", GPU: "1", "pods": "7"},
                    listed("gpu-type", "nvidia"),
                    listed(NODEPOOL, "gpu"),
                    listed(TYPE, "g5.12xlarge", "g5.16xlarge", "g5.24xlarge", "g5.4xlarge", "g5.8xlarge"),
                ),
                overhead={"cpu": "185m", "memory": "240Mi", "pods": "6"},
            ),
            pool(
                "general-purpose",
                unknown_label("gpu-type"),
                overhead={"cpu": "185m", "memory": "240Mi", "pods": "6"},
            ),
        ),
    ),
    "ix-all-filtered": refused("spot/test-0", refusal((1, 8), Clause(findings=(AllFilteredOut(),)))),
    "kc-661": console(
        "Could not schedule pod, "
        + 'incompatible with provisioner "mixed", daemonset overhead={"cpu":"300m","pods":"5"}, '
        + 'no instance type satisfied resources {"cpu":"4300m","pods":"6"} and requirements karpenter.sh/capacity-type In '
        + "[on_demand spot], kubernetes.io/arch In [amd64] (no instance type which met the scheduling requirements and had "
        + "enough resources, had a required offering); "
        + 'incompatible with provisioner "batch", daemonset overhead={"cpu":"300m","pods":"5"}, '
        + "did not tolerate workload=batch:NoSchedule",
        logger="controller.provisioner",
        level="ERROR",
        pod="web/api-0",
    ),
    "kc-2164": refused(
        "web/api-1",
        refusal(
            (1, 4),
            pool(
                "default",
                types(
                    Reason.OFFERING_OF_PAIR, {"cpu": "1", "pods": "5"}, listed(CAPACITY, "xspot"), listed(ARCH, "amd64")
                ),
            ),
        ),
    ),
    "kc-1162": old_refused(
        "etl/job-0",
        refusal(
            (0, 34),
            pool("default", unknown_label("nodegroup"), overhead={"cpu": "675m", "memory": "390Mi", "pods": "6"}),
        ),
    ),
    "kpa-5073": old_refused(
        "etl/job-1",
        refusal((0, 32), pool("default", unknown_label("name", "karpenter.k8s.aws/instance-accelerator-name"))),
    ),
    "kpa-7535": refused("etl/job-2", refusal((1, 1), pool("workload-a", unknown_label("workload")))),
    "kc-2078": refused(
        "web/api-2",
        refusal((1, 3), pool("diverse", MinValuesUnmet(nodepool="diverse", keys=(TYPE,)))),
    ),
    "kpa-4698": "\n".join(
        [
            console(
                "skipping, no resolved instance types found",
                logger="controller.provisioner",
                level="ERROR",
                provisioner="default",
            ),
            console(
                "Could not schedule pod, " + 'all available instance types exceed limits for provisioner: "default"',
                logger="controller.provisioner",
                level="ERROR",
                pod="web/api-3",
            ),
        ]
    ),
    "kpa-6328": refused(
        "db/replica-0",
        refusal((0, 37), Clause(findings=(LimitsExceeded(nodepool="memory"),), nodepool="memory")),
    ),
    "ix-limits-aks": described(
        "workshop/inflate-4",
        event(
            "FailedScheduling",
            "Failed to schedule pod, "
            + refusal((1, 6), Clause(findings=(LimitsExceeded(nodepool="default"),), nodepool="default")),
        ),
    ),
    "kpa-2217": console(
        "Could not schedule pod, "
        + 'incompatible with provisioner "default", daemonset overhead={"pods":"4"}, '
        + f'no instance type satisfied resources {{"pods":"5","{POD_ENI}":"1"}} and requirements '
        + "karpenter.sh/capacity-type In [on-demand] (no instance type has enough resources)",
        logger="controller.provisioner",
        level="ERROR",
        pod="pay/ledger-0",
    ),
    "ix-sgp-pod-eni": refused(
        "pay/ledger-1",
        refusal(
            (1, 6),
            pool(
                "c7i",
                types(
                    Reason.RESOURCES,
                    {"cpu": "600m", "pods": "7", POD_ENI: "1"},
                    listed(FAMILY, "c7i"),
                    listed(NODEPOOL, "c7i"),
                ),
            ),
        ),
    ),
    "doc-intree-volume": line(
        "failed tracking CSI volume limits for volume", level="ERROR", volume="legacy-data", error="in-tree driver"
    ),
    "doc-two-replicas": old_line(
        "ignoring pod, " + refusal((0, 33), Clause(findings=(OptedOut(),))),
        level="DEBUG",
        pod="kube-system/karpenter-2",
    ),
    "kai-1615": described(
        "ml/queued-0",
        event("FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", source="kai-scheduler"),
        event("Nominated", "Pod should schedule on: nodeclaim/gpu-4kq7z", kind="Normal"),
    ),
    "ix-pv-az-2a": _LIMITS_IN_2A,
    "kpa-4192": console(
        "Could not schedule pod, "
        + 'incompatible with provisioner "default", daemonset overhead={}, '
        + 'no instance type satisfied resources {"cpu":"2","memory":"6Gi","pods":"1"} and requirements '
        + "karpenter.k8s.aws/instance-category In [c m r], karpenter.k8s.aws/instance-generation Exists >2, "
        + "topology.kubernetes.io/zone DoesNotExist "
        + "(no instance type met the scheduling requirements or had a required offering)",
        logger="controller.provisioner",
        level="ERROR",
        pod="db/three-disks-0",
    ),
    "kpa-3262": described(
        "db/kafka-1",
        event(
            "FailedScheduling",
            "0/6 nodes are available: 2 Insufficient memory, 4 node(s) had volume node affinity conflict.",
            source="default-scheduler",
        ),
    ),
    "ix-arch-taint": refused(
        "web/arm-0",
        refusal(
            (1, 5),
            pool("x86", mismatch(listed(ARCH, "arm64"), listed(ARCH, "amd64"))),
            pool("arm", taint("arch", "arm64")),
        ),
    ),
    "kpa-2479": console(
        'Could not schedule pod, incompatible with provisioner "default", daemonset overhead={}, '
        "did not tolerate some-taint=:NoSchedule",
        logger="controller.provisioner",
        level="ERROR",
        pod="web/api-4",
    ),
    "kc-3272": refused(
        "web/spread-2",
        refusal(
            (1, 14),
            pool(
                "non-existent-zone",
                types(
                    Reason.REQUIREMENTS_NOR_OFFERING,
                    {"cpu": "750m", "memory": "256Mi", "pods": "3"},
                    listed(NODEPOOL, "non-existent-zone"),
                    listed(ARCH, "arm64"),
                    listed(TYPE, "c7g.medium"),
                    listed(ZONE, "eu-west-2z"),
                    listed(CAPACITY, "on-demand"),
                ),
            ),
        ),
    ),
    "doc-topology-domains": refused(
        "web/spread-3",
        refusal(
            (1, 6),
            pool(
                "two-zones",
                spread(
                    {"us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 0},
                    anything(ZONE),
                    listed(ZONE, "us-east-1a", "us-east-1b"),
                ),
            ),
        ),
    ),
    "kc-2785": refused("ci/runner-0", refusal((1, 8), pool("gha-runners", spread({}, anything(ZONE), anything(ZONE))))),
    "ix-zone-spread-2a": console(
        "Could not schedule pod, "
        + 'incompatible with provisioner "default", daemonset overhead={"cpu":"155m","pods":"4"}, '
        + 'no instance type satisfied resources {"cpu":"1155m","pods":"5"} and requirements '
        + "karpenter.sh/capacity-type In [spot], node.kubernetes.io/instance-type In [c5.large], "
        + "topology.kubernetes.io/zone In [ap-northeast-2a] (no instance type which met the scheduling requirements and "
        + "had enough resources, had a required offering)",
        logger="controller.provisioner",
        level="ERROR",
        pod="web/inflate-9",
    ),
    "kc-2257": refused(
        "db/gel-2",
        refusal(
            (1, 4),
            pool("ingress", taint("gel.to/workload", "ingress")),
            pool("apps", mismatch(listed("gel.to/workload", "db"), listed("gel.to/workload", "app"))),
            pool(
                "db",
                spread({"eu-west-1a": 1, "eu-west-1b": 0}, listed(ZONE, "eu-west-1a"), listed(ZONE, "eu-west-1a")),
            ),
        ),
    ),
    "kpa-5455": refused(
        "ml/train-0",
        refusal(
            (0, 37),
            pool(
                "gpu",
                types(
                    Reason.REQUIREMENTS, {GPU: "8", "pods": "8"}, listed(TYPE, "p4de.24xlarge"), listed(NODEPOOL, "gpu")
                ),
            ),
        ),
    ),
    "kpa-7272": refused(
        "coder/train-0",
        refusal(
            (1, 0),
            pool("mepy", taint("coder-mepy-dev", "true")),
            pool(
                "algo",
                types(
                    Reason.REQUIREMENTS,
                    {"cpu": "3331m", "memory": "11539Mi", GPU: "1", "pods": "7"},
                    listed(FAMILY, "g5"),
                    listed("karpenter.k8s.aws/instance-gpu-count", "1"),
                    listed(CAPACITY, "on-demand", "spot"),
                    listed(ZONE, "cn-north-1a"),
                    listed("noderole", "coder-algo-train"),
                    listed(ARCH, "amd64"),
                ),
            ),
        ),
    ),
}
