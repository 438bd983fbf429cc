"""The cases of the seed's page: a pod that asks for what its instance type, zone, capacity type or NodePool has not."""

from collections.abc import Iterator
from typing import Final

from tests.cases.builder.case import V1_3, V1_6, V1_8, Case, Cluster, expect, merged
from tests.cases.builder.objects import later, moment
from tests.cases.builder.pools import (
    ARCH,
    BOTH,
    Pool,
    default_pool,
    gpu_pool,
    neuron_pool,
    reserved_pool,
    wants,
)
from tests.cases.builder.training import Training, chain
from tests.cases.builder.words import (
    ALL_MET,
    BIG_BUT_FORBIDDEN,
    DEFAULT,
    DEFAULT_DAEMONS,
    ENOUGH,
    GPU,
    GPU_DAEMONS,
    NOT_MET_NOR_ENOUGH,
    could_not_schedule,
    no_type,
    printed,
    refusal,
    refused_pods,
    requirements,
    scheduler_message,
)

TYPE: Final = "node.kubernetes.io/instance-type"
ZONE: Final = "topology.kubernetes.io/zone"
CAPACITY: Final = "karpenter.sh/capacity-type"
KEEP: Final = {"karpenter.sh/do-not-disrupt": "true"}
STANDARD: Final = (default_pool(), gpu_pool(), neuron_pool())
NO_MATCH: Final = scheduler_message(3, "3 node(s) didn't match Pod's node affinity/selector")


def devices(gpus: int, efa: int = 0) -> dict[str, str]:
    return {"nvidia.com/gpu": str(gpus), **({"vpc.amazonaws.com/efa": str(efa)} if efa else {})}


def seed() -> Case:
    training = Training(
        name="llama-3-8b",
        devices=devices(1, 8),
        created=moment("2025-12-28T05:58:41Z"),
        suffixes=("k7wpt", "z49j4", "dxnht", "c5mzw"),
        selector={TYPE: "g6e.8xlarge", ZONE: "ap-northeast-2a"},
        annotations=KEEP,
    )
    now = moment("2025-12-28T06:03:20Z")
    scheduler = scheduler_message(2, "2 node(s) didn't match Pod's node affinity/selector")
    mine = chain(training, scheduler)
    why = refusal(no_type(BIG_BUT_FORBIDDEN, GPU, training.selector, training.devices))
    pools = (gpu_pool(), neuron_pool(), reserved_pool())
    cluster = Cluster(now=now, release=V1_8, pools=pools, default_node=False)
    return Case(
        name="seed-efa-8-on-g6e-8xlarge",
        about="Asks for 8 EFA interfaces on g6e.8xlarge, which has 1; the log lines are real ones.",
        question=training.pod_names[1],
        now=now,
        version="1.8.1",
        files=merged(
            cluster.files(), mine, {"events": refused_pods(mine["pods"], later(training.created, 3), scheduler, why)}
        ),
        log=None,
        expect=expect(
            "blocked",
            "gpu",
            ["efa-count-exceeds-instance"],
            remedies=["reduce-resource", "drop-node-selector"],
            not_causes=[
                "efa-unsupported",
                "gpu-count-exceeds-instance",
                "zone-not-offered",
                "requirement-conflict",
                "capacity-unavailable",
                "unknown-label",
            ],
            facts={
                "instance_type": "g6e.8xlarge",
                "requested": 8,
                "offered": 1,
                "types_with_8_in_zone": ["p5.48xlarge", "p5en.48xlarge"],
                "types_with_8_in_region": ["p5.48xlarge", "p5en.48xlarge", "p6-b300.48xlarge"],
            },
        ),
    )


def _standard(training: Training, about: str, name: str, gpu_reason: str, wanted: dict[str, object]) -> Case:
    """A case on the standard NodePools whose pods differ only in what they ask for (Karpenter v1.8)."""
    mine = chain(training, NO_MATCH)
    why = refusal(
        no_type(gpu_reason, GPU, training.selector, training.devices),
        no_type(NOT_MET_NOR_ENOUGH, DEFAULT, training.selector, training.devices),
    )
    first = later(training.created, 6)
    now = later(training.created, 95)
    rounds = [
        line for at in (first, later(first, 80)) for line in could_not_schedule(V1_8, at, training.pod_names, why)
    ]
    events = refused_pods(mine["pods"], later(training.created, 3), NO_MATCH, why)
    return Case(
        name=name,
        about=about,
        question=training.pod_names[0],
        now=now,
        version="1.8.1",
        files=merged(Cluster(now=now, release=V1_8, pools=STANDARD).files(), mine, {"events": events}),
        log=rounds,
        expect=wanted,
    )


def gpu_count() -> Case:
    training = Training(
        name="llama-3-70b",
        devices=devices(16, 4),
        created=moment("2025-12-28T07:12:30Z"),
        suffixes=("8fq2x", "m4zlc"),
        selector={TYPE: "p4d.24xlarge"},
        annotations=KEEP,
    )
    about = "Asks for 16 GPUs on one p4d.24xlarge, which has 8; no type of the region has 16."
    wanted = expect(
        "blocked",
        "gpu",
        ["gpu-count-exceeds-instance"],
        remedies=["reduce-resource"],
        not_causes=["efa-count-exceeds-instance", "zone-not-offered", "requirement-conflict", "capacity-unavailable"],
        facts={"instance_type": "p4d.24xlarge", "requested": 16, "offered": 8},
    )
    return _standard(training, about, "gpu-16-on-p4d", ENOUGH, wanted)


def zone() -> Case:
    training = Training(
        name="llama-3-70b",
        devices=devices(8, 4),
        created=moment("2025-12-28T07:41:05Z"),
        suffixes=("tq5vb", "j2xsw"),
        selector={TYPE: "p4d.24xlarge", ZONE: "ap-northeast-2a"},
        annotations=KEEP,
    )
    about = "Pins p4d.24xlarge to zone ap-northeast-2a; EC2 offers it in 2b and 2d only."
    wanted = expect(
        "blocked",
        "gpu",
        ["zone-not-offered"],
        remedies=["drop-node-selector"],
        not_causes=[
            "capacity-unavailable",
            "gpu-count-exceeds-instance",
            "efa-count-exceeds-instance",
            "unknown-instance-type",
        ],
        facts={
            "instance_type": "p4d.24xlarge",
            "zone": "ap-northeast-2a",
            "offered_in": ["ap-northeast-2b", "ap-northeast-2d"],
        },
    )
    return _standard(training, about, "zone-without-type", ALL_MET, wanted)


def zone_id() -> Case:
    training = Training(
        name="llama-3-70b",
        devices=devices(8, 4),
        created=moment("2025-12-28T07:44:19Z"),
        suffixes=("c8r2m", "x7vwd"),
        selector={TYPE: "p4d.24xlarge", ZONE: "apne2-az2"},
        annotations=KEEP,
    )
    about = "Pins the zone by its id, apne2-az2, under the label of zone names; it is ap-northeast-2b here."
    wanted = expect(
        "blocked",
        "gpu",
        ["zone-id-as-name"],
        remedies=["change-node-selector", "drop-node-selector"],
        not_causes=["zone-not-offered", "requirement-conflict", "no-instance-type", "capacity-unavailable"],
        facts={"wanted": ["apne2-az2"], "meant": ["ap-northeast-2b"]},
    )
    return _standard(training, about, "zone-id-for-name", ALL_MET, wanted)


def unknown_type() -> Case:
    training = Training(
        name="llama-3-70b",
        devices=devices(8, 4),
        created=moment("2025-12-28T08:20:44Z"),
        suffixes=("w6dkr", "n9hzf"),
        selector={TYPE: "p4d.24xlrge"},
        annotations=KEEP,
    )
    about = "Pins an instance type that does not exist: p4d.24xlrge for p4d.24xlarge."
    wanted = expect(
        "blocked",
        "gpu",
        ["unknown-instance-type"],
        remedies=["change-node-selector", "drop-node-selector"],
        not_causes=["zone-not-offered", "requirement-conflict", "gpu-count-exceeds-instance", "capacity-unavailable"],
        facts={"instance_type": "p4d.24xlrge", "did_you_mean": "p4d.24xlarge"},
    )
    return _standard(training, about, "unknown-instance-type", ALL_MET, wanted)


def spot_not_offered() -> Case:
    training = Training(
        name="corpus-dedup",
        devices={"cpu": "192", "memory": "4500Gi"},
        created=moment("2025-12-28T09:03:12Z"),
        suffixes=("h5c8d",),
        selector={TYPE: "u7i-6tb.112xlarge", CAPACITY: "spot"},
        tolerations=({"effect": "NoSchedule", "key": "workload", "operator": "Equal", "value": "memory"},),
        annotations=KEEP,
    )
    memory = Pool(
        name="memory",
        requirements=(ARCH, BOTH, wants("karpenter.k8s.aws/instance-category", "In", "u", "x")),
        node_class="default",
        taints=({"effect": "NoSchedule", "key": "workload", "value": "memory"},),
    )
    printed_memory = {
        "karpenter.k8s.aws/ec2nodeclass": "In [default]",
        "karpenter.k8s.aws/instance-category": "In [u x]",
        "karpenter.sh/nodepool": "In [memory]",
        "kubernetes.io/arch": "In [amd64]",
    }
    # 192 CPUs and 4500Gi for the pod, 215m and 264Mi for the seven daemons
    resources = printed({"cpu": "192215m", "memory": "4608264Mi", "pods": "8"})
    why = refusal(
        f"{ALL_MET}, requirements={requirements(printed_memory, training.selector)}, resources={resources}",
        "did not tolerate taint (taint=nvidia.com/gpu=present:NoSchedule)",
        f"{NOT_MET_NOR_ENOUGH}, requirements={requirements(DEFAULT, training.selector)}, resources={resources}",
        taint="nvidia.com/gpu=present:NoSchedule",
    )
    mine = chain(training, NO_MATCH)
    now = later(training.created, 48)
    events = refused_pods(mine["pods"], later(training.created, 3), NO_MATCH, why)
    return Case(
        name="spot-not-offered",
        about="Asks for u7i-6tb.112xlarge as spot; EC2 sells that type on-demand only.",
        question=training.pod_names[0],
        now=now,
        version="1.8.1",
        files=merged(Cluster(now=now, release=V1_8, pools=(*STANDARD, memory)).files(), mine, {"events": events}),
        log=could_not_schedule(V1_8, later(training.created, 6), training.pod_names, why),
        expect=expect(
            "blocked",
            "memory",
            ["capacity-type-not-offered"],
            remedies=["allow-capacity-type", "drop-node-selector"],
            not_causes=["capacity-unavailable", "resource-exceeds-instance", "taint-not-tolerated", "zone-not-offered"],
            facts={"instance_type": "u7i-6tb.112xlarge", "capacity_type": "spot", "offered_as": ["on-demand"]},
        ),
    )


def efa_unsupported() -> Case:
    training = Training(
        name="sdxl-lora",
        devices=devices(1, 1),
        created=moment("2025-04-09T04:30:11Z"),
        suffixes=("v7n2g", "c8rqp"),
        selector={TYPE: "g5.2xlarge"},
    )
    mine = chain(training, NO_MATCH)
    gpu, default = (f"daemonset overhead={printed(one)}" for one in (GPU_DAEMONS, DEFAULT_DAEMONS))
    gpu_text = no_type(BIG_BUT_FORBIDDEN, GPU, training.selector, training.devices)
    default_text = no_type(NOT_MET_NOR_ENOUGH, DEFAULT, training.selector, training.devices)
    why = refusal(
        f'incompatible with nodepool "gpu", {gpu}, {gpu_text}',
        f'incompatible with nodepool "default", {default}, {default_text}',
    )
    now = later(training.created, 62)
    events = refused_pods(mine["pods"], later(training.created, 3), NO_MATCH, why)
    return Case(
        name="efa-on-g5-2xlarge",
        about="Asks for one EFA interface on g5.2xlarge, which supports none (Karpenter v1.3's wording).",
        question=training.pod_names[0],
        now=now,
        version="1.3.3",
        files=merged(Cluster(now=now, release=V1_3, pools=STANDARD).files(), mine, {"events": events}),
        log=could_not_schedule(V1_3, later(training.created, 6), training.pod_names, why),
        expect=expect(
            "blocked",
            "gpu",
            ["efa-unsupported"],
            remedies=["drop-resource", "drop-node-selector"],
            not_causes=["efa-count-exceeds-instance", "gpu-count-exceeds-instance", "requirement-conflict"],
            facts={"instance_type": "g5.2xlarge", "requested": 1, "offered": 0},
        ),
    )


def excluded() -> Case:
    allowed = ("g5.12xlarge", "g5.48xlarge", "g6.12xlarge", "g6.48xlarge", "g6e.12xlarge", "g6e.48xlarge")
    training = Training(
        name="mixtral-8x7b",
        devices=devices(8, 1),
        created=moment("2025-09-16T01:15:20Z"),
        suffixes=("4lxgt", "zq7pm"),
        selector={TYPE: "p4d.24xlarge"},
        annotations=KEEP,
    )
    mine = chain(training, NO_MATCH)
    shown = f"{' '.join(allowed[:5])} and {len(allowed) - 5} others"
    conflict = f"{TYPE} In [p4d.24xlarge] not in {TYPE} In [{shown}]"
    why = refusal(
        f"incompatible requirements, key {TYPE}, {conflict}",
        no_type(NOT_MET_NOR_ENOUGH, DEFAULT, training.selector, training.devices),
    )
    now = later(training.created, 71)
    pools = (default_pool(), gpu_pool(requirements=(ARCH, BOTH, wants(TYPE, "In", *allowed))), neuron_pool())
    events = refused_pods(mine["pods"], later(training.created, 3), NO_MATCH, why)
    return Case(
        name="selector-excluded-by-nodepool",
        about="Pins p4d.24xlarge; the requirements of NodePool gpu list six other instance types.",
        question=training.pod_names[0],
        now=now,
        version="1.6.3",
        files=merged(Cluster(now=now, release=V1_6, pools=pools).files(), mine, {"events": events}),
        log=could_not_schedule(V1_6, later(training.created, 6), training.pod_names, why),
        expect=expect(
            "blocked",
            "gpu",
            ["requirement-conflict"],
            remedies=["drop-node-selector", "add-requirement-value"],
            not_causes=[
                "gpu-count-exceeds-instance",
                "zone-not-offered",
                "unknown-instance-type",
                "capacity-unavailable",
            ],
            facts={"instance_type": "p4d.24xlarge", "nodepool_allows": list(allowed)},
        ),
    )


def cases() -> Iterator[Case]:
    yield from (
        seed(),
        gpu_count(),
        zone(),
        zone_id(),
        unknown_type(),
        spot_not_offered(),
        efa_unsupported(),
        excluded(),
    )
