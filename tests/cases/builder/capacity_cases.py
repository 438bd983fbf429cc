"""The cases where it is a matter of what EC2 has right now: refused spot, and near misses that a node can be had for."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from tests.cases.builder.blocked import CAPACITY, KEEP, NO_MATCH, STANDARD, TYPE, ZONE, devices
from tests.cases.builder.case import V1_8, Case, Cluster, expect, merged
from tests.cases.builder.objects import Manifest, later, metadata, moment, stamp, uid
from tests.cases.builder.pools import GPU_TAINT, default_pool, gpu_pool, neuron_pool
from tests.cases.builder.training import Training, chain
from tests.cases.builder.words import (
    DEFAULT,
    GPU,
    GPU_DAEMONS,
    NOT_MET_NOR_ENOUGH,
    RIGHT_BUT_NOT_OFFERED,
    about,
    could_not_schedule,
    log_line,
    no_type,
    provisioner,
    refusal,
    refused_pods,
    said,
    unschedulable,
)

NO_SPOT: Final = "InsufficientInstanceCapacity: There is no Spot capacity available that matches your request."
DEDICATED: Final = {"effect": "NoSchedule", "key": "dedicated", "value": "llm-training"}
REGION: Final = "ap-northeast-2"


def ghost(api_version: str, kind: str, name: str, created: datetime, namespace: str = "") -> Manifest:
    """An object that is gone, for the events that outlive it."""
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata(kind, name, created, namespace=namespace)}


def created_claim(
    at: datetime, claim: str, pods: Sequence[str], requests: Mapping[str, str], types: str, *, debug: bool = False
) -> list[str]:
    """The three lines of a round that decides on one new NodeClaim."""
    fields: tuple[tuple[str, str, dict[str, object]], ...] = (
        (
            "provisioning/provisioner.go:396",
            "found provisionable pod(s)",
            {"Pods": ", ".join(f"default/{pod}" for pod in pods), "duration": "31.204187ms"},
        ),
        (
            "scheduling/scheduler.go:272",
            "computed new nodeclaim(s) to fit pod(s)",
            {"nodeclaims": 1, "pods": len(pods)},
        ),
        (
            "provisioning/provisioner.go:432",
            "created nodeclaim",
            {
                "NodePool": {"name": "gpu"},
                "NodeClaim": {"name": claim},
                "requests": dict(requests),
                "instance-types": types,
            },
        ),
    )
    return [
        log_line(
            V1_8,
            later(at, index * 0.003),
            "INFO",
            message,
            provisioner(stamp(at), {**({"caller": caller} if debug else {}), **more}),
        )
        for index, (caller, message, more) in enumerate(fields)
    ]


def refused_launch(at: datetime, claim: str, instance_type: str, zones: Sequence[str]) -> tuple[list[str], str]:
    """The log lines of a launch that EC2 refused in those zones, at log level debug, and the error's text."""
    keys = {
        "aws-error-code": "UnfulfillableCapacity",
        "aws-operation-name": "CreateFleet",
        "aws-request-id": uid("request", claim),
        "aws-service-name": "EC2",
        "aws-status-code": 200,
    }
    shown = ", ".join(f"{key}={value}" for key, value in keys.items())
    error = f"creating instance, insufficient capacity, with fleet error(s), {NO_SPOT} ({shown})"
    marks = [
        log_line(
            V1_8,
            at,
            "DEBUG",
            "removing offering from offerings",
            {
                "caller": "cache/unavailableofferings.go:100",
                **about("nodeclaim.lifecycle", "NodeClaim", claim, {}),
                "reason": "InsufficientInstanceCapacity",
                "instance-type": instance_type,
                "zone": f"{REGION}{letter}",
                "capacity-type": "spot",
                "ttl": "3m0s",
            },
        )
        for letter in zones
    ]
    failed = about("nodeclaim.lifecycle", "NodeClaim", claim, {**keys, "error": error})
    gone = about("nodeclaim.lifecycle", "NodeClaim", claim, {})
    launch = {"caller": "lifecycle/launch.go:85", **failed}
    delete = {"caller": "lifecycle/controller.go:261", **gone}
    return [
        *marks,
        log_line(V1_8, later(at, 0.001), "ERROR", "failed launching nodeclaim", launch),
        log_line(V1_8, later(at, 0.064), "INFO", "deleted nodeclaim", delete),
    ], error


def _insufficient(claim: str, created: datetime, error: str) -> Manifest:
    involved = ghost("karpenter.sh/v1", "NodeClaim", claim, created)
    cut = error if len(error) < 300 else f"{error[:300]}..."
    return said(involved, later(created, 2), "InsufficientCapacityError", f"NodeClaim {claim} event: {cut}")


def _requests(training: Training) -> dict[str, str]:
    return {**GPU_DAEMONS, "pods": "10", **training.devices}


def _with_caller(lines: Sequence[str]) -> list[str]:
    """At log level debug every line says where it was written."""
    mark = '"logger":"controller",'
    return [line.replace(mark, f'{mark}"caller":"scheduling/scheduler.go:253",', 1) for line in lines]


def spot_refused() -> Case:
    training = Training(
        name="qwen3-32b",
        devices=devices(8, 4),
        created=moment("2025-12-28T11:20:02Z"),
        suffixes=("p2x7n",),
        selector={TYPE: "g6e.48xlarge", CAPACITY: "spot"},
    )
    mine = chain(training, NO_MATCH)
    why = refusal(
        no_type(RIGHT_BUT_NOT_OFFERED, GPU, training.selector, training.devices),
        no_type(NOT_MET_NOR_ENOUGH, DEFAULT, training.selector, training.devices),
    )
    tried, claim = later(training.created, 12), "gpu-7c4xn"
    launch, error = refused_launch(later(tried, 2), claim, "g6e.48xlarge", "ab")
    refused = later(tried, 12)
    now = later(training.created, 63)
    pod = mine["pods"][0]
    events = [
        *refused_pods(mine["pods"], later(training.created, 3), NO_MATCH, None),
        said(pod, tried, "Nominated", f"Pod should schedule on: nodeclaim/{claim}"),
        _insufficient(claim, tried, error),
        said(pod, refused, "FailedScheduling", f"Failed to schedule pod, {why.text}"),
    ]
    cluster = Cluster(now=now, release=V1_8, pools=STANDARD, log_level="debug")
    rounds = [
        line for at in (refused, later(refused, 10)) for line in could_not_schedule(V1_8, at, training.pod_names, why)
    ]
    return Case(
        name="spot-just-refused",
        about="Asks for g6e.48xlarge as spot; EC2 refused it a minute ago in both zones that offer the type.",
        question=training.pod_names[0],
        now=now,
        version="1.8.1",
        files=merged(cluster.files(), mine, {"events": events}),
        log=[
            *created_claim(tried, claim, training.pod_names, _requests(training), "g6e.48xlarge", debug=True),
            *launch,
            *_with_caller(rounds),
        ],
        expect=expect(
            "blocked",
            "gpu",
            ["capacity-unavailable"],
            remedies=["allow-capacity-type", "drop-node-selector"],
            not_causes=[
                "capacity-type-not-offered",
                "zone-not-offered",
                "requirement-conflict",
                "gpu-count-exceeds-instance",
            ],
            facts={
                "instance_type": "g6e.48xlarge",
                "capacity_type": "spot",
                "refused_in": [f"{REGION}a", f"{REGION}b"],
                "refused_at": stamp(later(tried, 2)),
            },
        ),
    )


def capacity_elsewhere() -> Case:
    first = Training(
        name="qwen3-32b",
        devices=devices(8, 4),
        created=moment("2025-12-28T12:05:00Z"),
        suffixes=("bq6wl",),
        selector={TYPE: "g6e.48xlarge", CAPACITY: "spot", ZONE: "ap-northeast-2a"},
    )
    again = Training(
        name="qwen3-32b",
        devices=devices(8, 4),
        created=moment("2025-12-28T12:06:10Z"),
        suffixes=("s4d9m",),
        selector={TYPE: "g6e.48xlarge", CAPACITY: "spot"},
    )
    gone = ghost("v1", "Pod", first.pod_names[0], later(first.created, 2), "default")
    why = refusal(
        no_type(RIGHT_BUT_NOT_OFFERED, GPU, first.selector, first.devices),
        no_type(NOT_MET_NOR_ENOUGH, DEFAULT, first.selector, first.devices),
    )
    tried, claim = later(first.created, 12), "gpu-m5kzq"
    launch, error = refused_launch(later(tried, 2), claim, "g6e.48xlarge", "a")
    mine = chain(again, NO_MATCH)
    now = later(again.created, 6)
    events = [
        unschedulable(gone, later(first.created, 3), NO_MATCH),
        said(gone, tried, "Nominated", f"Pod should schedule on: nodeclaim/{claim}"),
        _insufficient(claim, tried, error),
        said(gone, later(tried, 12), "FailedScheduling", f"Failed to schedule pod, {why.text}"),
        *refused_pods(mine["pods"], later(again.created, 3), NO_MATCH, None),
    ]
    cluster = Cluster(now=now, release=V1_8, pools=STANDARD, log_level="debug")
    return Case(
        name="capacity-elsewhere",
        about="Asks for g6e.48xlarge as spot, refused a minute ago in 2a only; 2b is open, so the next round launches.",
        question=again.pod_names[0],
        now=now,
        version="1.8.1",
        files=merged(cluster.files(), mine, {"events": events}),
        log=[
            *created_claim(tried, claim, first.pod_names, _requests(first), "g6e.48xlarge", debug=True),
            *launch,
            *_with_caller(could_not_schedule(V1_8, later(tried, 12), first.pod_names, why)),
        ],
        expect=expect(
            "launchable",
            "gpu",
            not_causes=["capacity-unavailable", "capacity-type-not-offered", "zone-not-offered"],
            facts={"open": [f"g6e.48xlarge/{REGION}b/spot"]},
        ),
    )


def _skipping(at: datetime) -> str:
    """What an earlier round says about NodePool neuron; nothing is said about pods that fit."""
    text = "skipping, nodepool requirements filtered out all instance types"
    return log_line(V1_8, at, "INFO", text, provisioner(stamp(at), {"NodePool": {"name": "neuron"}}))


def _launchable(
    name: str,
    about_it: str,
    training: Training,
    *,
    tainted: bool = False,
    not_causes: Sequence[str] = (),
    opens: Sequence[str],
) -> Case:
    """A near miss: nothing is in the way, Karpenter's batch has just not closed yet."""
    mine = chain(training, NO_MATCH)
    now = later(training.created, 6)
    gpu = gpu_pool(taints=(GPU_TAINT, DEDICATED)) if tainted else gpu_pool()
    cluster = Cluster(now=now, release=V1_8, pools=(default_pool(), gpu, neuron_pool()))
    events = refused_pods(mine["pods"], later(training.created, 3), NO_MATCH, None)
    return Case(
        name=name,
        about=about_it,
        question=training.pod_names[0],
        now=now,
        version="1.8.1",
        files=merged(cluster.files(), mine, {"events": events}),
        log=[_skipping(later(now, -44))],
        expect=expect("launchable", "gpu", not_causes=not_causes, facts={"open": list(opens)}),
    )


def near_misses() -> Iterator[Case]:
    efa = Training(
        name="llama-3-8b",
        devices=devices(1, 1),
        created=moment("2025-12-28T06:31:15Z"),
        suffixes=("d5gtk", "wz4jx", "6mnrq", "l9c2v"),
        selector={TYPE: "g6e.8xlarge", ZONE: "ap-northeast-2a"},
        annotations=KEEP,
    )
    yield _launchable(
        "efa-1-on-g6e-8xlarge",
        "The seed's job with 1 EFA interface instead of 8: g6e.8xlarge has just that.",
        efa,
        not_causes=["efa-count-exceeds-instance", "efa-unsupported", "gpu-count-exceeds-instance"],
        opens=[f"g6e.8xlarge/{REGION}a/on-demand", f"g6e.8xlarge/{REGION}a/spot"],
    )
    gpus = Training(
        name="llama-3-70b",
        devices=devices(8, 4),
        created=moment("2025-12-28T07:55:40Z"),
        suffixes=("k3vzh", "x8t5s"),
        selector={TYPE: "p4d.24xlarge", ZONE: "ap-northeast-2b"},
        annotations=KEEP,
    )
    yield _launchable(
        "gpu-8-on-p4d-in-2b",
        "8 GPUs on p4d.24xlarge in ap-northeast-2b, where EC2 offers it.",
        gpus,
        not_causes=["gpu-count-exceeds-instance", "zone-not-offered", "efa-count-exceeds-instance"],
        opens=[f"p4d.24xlarge/{REGION}b/on-demand", f"p4d.24xlarge/{REGION}b/spot"],
    )
    tolerant = Training(
        name="gemma-3-12b",
        devices=devices(4, 1),
        created=moment("2025-12-28T10:15:31Z"),
        suffixes=("r7b2q",),
        selector={TYPE: "g6e.12xlarge"},
        tolerations=({"effect": "NoSchedule", "key": "dedicated", "operator": "Equal", "value": "llm-training"},),
        annotations=KEEP,
    )
    yield _launchable(
        "tolerated-taint",
        "NodePool gpu is tainted dedicated=llm-training, and the pod tolerates it.",
        tolerant,
        tainted=True,
        not_causes=["taint-not-tolerated"],
        opens=[f"g6e.12xlarge/{REGION}{zone}/{way}" for zone in "ab" for way in ("on-demand", "spot")],
    )


def cases() -> Iterator[Case]:
    yield spot_refused()
    yield capacity_elsewhere()
    yield from near_misses()
