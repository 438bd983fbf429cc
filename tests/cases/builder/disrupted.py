"""A NodePool that consolidates under training: the node goes, the job starts over, and its other node went meanwhile.

The hour: two pods of llama-3-8b train on two g6e.24xlarge. At 03:41 Karpenter finds g6e.12xlarge cheaper for one of them and
replaces its node. The evicted pod saves a checkpoint for two minutes; its peer has crashed at once, so the peer's node stands
empty for more than a minute and goes too. When the job starts over at 03:44:53, one of the new pods finds the replacement,
the other one waits for a third node.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from tests.cases.builder.blocked import devices
from tests.cases.builder.capacity import SHAPES, Machine
from tests.cases.builder.capacity_cases import created_claim, ghost
from tests.cases.builder.case import V1_8, Case, Cluster, expect, merged
from tests.cases.builder.objects import Manifest, later, moment, uid
from tests.cases.builder.pools import GPU_TAINT, REGION, default_pool, gpu_pool, neuron_pool
from tests.cases.builder.training import Training, chain
from tests.cases.builder.words import GPU_DAEMONS, about, log_line, said, unschedulable

_LABELS: Final = {"karpenter.k8s.aws/instance-gpu-name": "l40s", "nodeType": "nvidia"}
_REQUESTS: Final = {**GPU_DAEMONS, "pods": "10", **devices(4, 1)}
_OLD: Final = {"gpu-7wq4m": "ip-10-0-152-19", "gpu-8vd2x": "ip-10-0-99-230"}
_FULL: Final = (
    "0/4 nodes are available: 1 Insufficient nvidia.com/gpu, 1 Insufficient vpc.amazonaws.com/efa, "
    "3 node(s) didn't match Pod's node affinity/selector. preemption: 0/4 nodes are available: "
    "1 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling."
)


def _host(name: str) -> str:
    return f"{name}.{REGION}.compute.internal"


def _machine(claim: str, host: str, launched: datetime, *, registered: bool) -> Machine:
    return Machine(
        name=_host(host),
        instance_type="g6e.12xlarge",
        zone="a",
        launched=launched,
        pool="gpu",
        claim=claim,
        labels=_LABELS,
        taints=(GPU_TAINT,),
        requests=_REQUESTS,
        registered=registered,
    )


def _disrupting(at: datetime, reason: str, claim: str, pods: int, replacement: Mapping[str, str] | None) -> str:
    fields = {
        "controller": "disruption",
        "namespace": "",
        "name": "",
        "reconcileID": uid("reconcile", "disruption", claim),
        "command-id": uid("command", claim),
        "reason": reason,
        "decision": "replace" if replacement else "delete",
        "disrupted-node-count": 1,
        "replacement-node-count": 1 if replacement else 0,
        "pod-count": pods,
        "disrupted-nodes": [
            {
                "Node": {"name": _host(_OLD[claim])},
                "NodeClaim": {"name": claim},
                "capacity-type": "on-demand",
                "instance-type": "g6e.24xlarge",
            }
        ],
        "replacement-nodes": [dict(replacement)] if replacement else [],
    }
    return log_line(V1_8, at, "INFO", "disrupting node(s)", fields)


def _gone(tainted: datetime, claim: str, drained: float) -> list[str]:
    """A node's last lines: tainted, drained, deleted."""
    host, owner = _host(_OLD[claim]), {"NodeClaim": {"name": claim}}
    taint = {"taint.Key": "karpenter.sh/disrupted", "taint.Value": "", "taint.Effect": "NoSchedule"}
    on_node = about("node.termination", "Node", host, owner, group="")
    on_claim = about(
        "nodeclaim.lifecycle",
        "NodeClaim",
        claim,
        {"provider-id": f"aws:///{REGION}b/i-0{uid(claim)[:8]}", "Node": {"name": host}},
    )
    return [
        log_line(V1_8, tainted, "INFO", "tainted node", {**on_node, **taint}),
        log_line(V1_8, later(tainted, drained), "INFO", "deleted node", on_node),
        log_line(V1_8, later(tainted, drained + 0.4), "INFO", "deleted nodeclaim", on_claim),
    ]


def _launched(machine: Machine, *, through: int) -> list[str]:
    """launched, registered, initialized: the first `through` of the three."""
    allocatable = SHAPES[machine.instance_type].allocatable
    bought: dict[str, object] = {
        "provider-id": machine.provider_id,
        "instance-type": machine.instance_type,
        "zone": f"{REGION}{machine.zone}",
        "capacity-type": "on-demand",
        "allocatable": allocatable,
    }
    joined: dict[str, object] = {"provider-id": machine.provider_id, "Node": {"name": machine.name}}
    steps: tuple[tuple[str, float, dict[str, object]], ...] = (
        ("launched nodeclaim", 0, bought),
        ("registered nodeclaim", 41, joined),
        ("initialized nodeclaim", 83, {**joined, "allocatable": allocatable}),
    )
    return [
        log_line(
            V1_8,
            later(machine.launched, seconds),
            "INFO",
            text,
            about("nodeclaim.lifecycle", "NodeClaim", machine.claim, more),
        )
        for text, seconds, more in steps[:through]
    ]


def _log(replacement: Machine, third: Machine, pod: str) -> list[str]:
    first, second = moment("2025-12-28T03:41:12.386Z"), moment("2025-12-28T03:44:17.120Z")
    instead = {"capacity-type": "on-demand", "instance-types": "g6e.12xlarge"}
    made = log_line(
        V1_8,
        later(first, 0.05),
        "INFO",
        "created nodeclaim",
        {
            "controller": "disruption",
            "namespace": "",
            "name": "",
            "reconcileID": uid("reconcile", "disruption", "gpu-7wq4m"),
            "NodePool": {"name": "gpu"},
            "NodeClaim": {"name": replacement.claim},
            "requests": _REQUESTS,
            "instance-types": "g6e.12xlarge",
        },
    )
    types = "g6e.12xlarge, g6e.24xlarge"
    lines = [
        _disrupting(first, "underutilized", "gpu-7wq4m", 1, instead),
        made,
        *_launched(replacement, through=3),
        *_gone(moment("2025-12-28T03:42:48.002Z"), "gpu-7wq4m", 153.1),
        _disrupting(second, "empty", "gpu-8vd2x", 0, None),
        *_gone(later(second, 1.1), "gpu-8vd2x", 44.9),
        *created_claim(moment("2025-12-28T03:45:03.515Z"), third.claim, [pod], _REQUESTS, types),
        *_launched(third, through=1),
    ]
    return sorted(lines, key=lambda line: line.split('"time":"', 1)[1][:24])


def _events(mine: Mapping[str, list[Manifest]], third: Machine) -> Iterator[Manifest]:
    begun = moment("2025-12-28T02:08:20Z")
    old = {claim: (_node(claim, begun), ghost("karpenter.sh/v1", "NodeClaim", claim, begun)) for claim in _OLD}
    went = {"gpu-7wq4m": ("2025-12-28T03:42:47Z", "Underutilized"), "gpu-8vd2x": ("2025-12-28T03:44:18Z", "Empty")}
    for claim, (at, reason) in went.items():
        node, owner = old[claim]
        yield said(node, moment(at), "DisruptionTerminating", f"Disrupting Node: {reason}")
        yield said(owner, moment(at), "DisruptionTerminating", f"Disrupting NodeClaim: {reason}")
    evicted = ghost("v1", "Pod", "llama-3-8b-node-0-1-h6v8k", begun, "default")
    yield said(evicted, moment("2025-12-28T03:42:50Z"), "Evicted", "Evicted pod: Underutilized")
    yield said(evicted, moment("2025-12-28T03:42:50Z"), "Killing", "Stopping container node", by="kubelet")
    failed = ghost("batch/v1", "Job", "llama-3-8b-node-0", begun, "default")
    limit = "Job has reached the specified backoff limit"
    yield said(failed, moment("2025-12-28T03:42:56Z"), "BackoffLimitExceeded", limit, by="job-controller")
    waiting = mine["pods"][0]
    yield unschedulable(waiting, moment("2025-12-28T03:44:54Z"), _FULL)
    yield said(waiting, moment("2025-12-28T03:45:03Z"), "Nominated", f"Pod should schedule on: nodeclaim/{third.claim}")


def _node(claim: str, created: datetime) -> Manifest:
    return ghost("v1", "Node", _host(_OLD[claim]), created)


def consolidation() -> Case:
    now = moment("2025-12-28T03:45:25Z")
    replacement = _machine("gpu-h9s2t", "ip-10-0-118-64", moment("2025-12-28T03:41:15.802Z"), registered=True)
    third = _machine("gpu-x5tkf", "ip-10-0-121-7", moment("2025-12-28T03:45:06.470Z"), registered=False)
    training = Training(
        name="llama-3-8b",
        devices=devices(4, 1),
        created=moment("2025-12-28T02:08:14Z"),
        suffixes=("2rjfd", "9xkwb"),
        selector={"karpenter.k8s.aws/instance-gpu-name": "l40s"},
        restarts=1,
        running_on=("", replacement.name),
        pods_created=moment("2025-12-28T03:44:53Z"),
    )
    mine = chain(training, _FULL)
    used = {
        "cpu": "96",
        "memory": "779836928Ki",
        "nodes": "2",
        "nvidia.com/gpu": "8",
        "pods": "468",
        "vpc.amazonaws.com/efa": "2",
    }
    gpu = gpu_pool(policy="WhenEmptyOrUnderutilized", after="1m", budget="100%", used=used)
    cluster = Cluster(now=now, release=V1_8, pools=(default_pool(), gpu, neuron_pool()), machines=(replacement, third))
    return Case(
        name="consolidation-under-training",
        about="NodePool gpu consolidates after 1m; both of the job's nodes went mid-training, and its pod waits for a new one.",
        question=training.pod_names[0],
        now=now,
        version="1.8.1",
        files=merged(cluster.files(), mine, {"events": list(_events(mine, third))}),
        log=_log(replacement, third, training.pod_names[0]),
        expect=expect(
            "launching",
            "gpu",
            ["node-disrupted"],
            remedies=["add-do-not-disrupt", "set-consolidation"],
            not_causes=["capacity-unavailable", "gpu-count-exceeds-instance", "node-not-ready", "not-registered"],
            facts={
                "node": _host(_OLD["gpu-7wq4m"]),
                "reason": "Underutilized",
                "consolidation_policy": "WhenEmptyOrUnderutilized",
                "consolidate_after": "1m",
                "nodeclaim": "gpu-x5tkf",
            },
        ),
    )


def cases() -> Iterator[Case]:
    yield consolidation()
