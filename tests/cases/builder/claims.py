"""A pod that Karpenter promised a NodeClaim, at any stage: what the cases of launches.py, joining.py and starting.py share.

The pod asks for four GPUs on g6e.12xlarge. Condition reasons and messages are those of karpenter v1.8.1
(pkg/controllers/nodeclaim/lifecycle), EC2's errors those of CreateFleet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tests.cases.builder.blocked import KEEP, NO_MATCH, STANDARD, TYPE, devices
from tests.cases.builder.capacity import Machine
from tests.cases.builder.capacity_cases import created_claim, ghost
from tests.cases.builder.case import V1_8, Case, Cluster, Files, merged
from tests.cases.builder.objects import Manifest, later, moment, name_of, own_condition, uid
from tests.cases.builder.pools import GPU_TAINT, REGION, Pool
from tests.cases.builder.training import Training, chain
from tests.cases.builder.words import GPU_DAEMONS, about, log_line, said, unschedulable

SHAPE: Final = "g6e.12xlarge"
REQUESTS: Final = {**GPU_DAEMONS, "pods": "10", **devices(4, 1)}
WAITS: Final = "object is awaiting reconciliation"
STAGES: Final = ("Launched", "Registered", "Initialized")


def job(name: str, at: str, suffixes: Sequence[str], *, gpus: int = 4, **more: object) -> Training:
    """A training job whose pods want g6e.12xlarge each."""
    return Training(
        name=name,
        devices=devices(gpus, 1),
        created=moment(at),
        suffixes=suffixes,
        selector={TYPE: SHAPE},
        annotations=KEEP,
        **more,  # type: ignore[arg-type]
    )


def machine(claim: str, host: str, launched: datetime, *, registered: bool = True) -> Machine:
    """The instance of a NodeClaim."""
    return Machine(
        name=f"{host}.{REGION}.compute.internal",
        instance_type=SHAPE,
        zone="a",
        launched=launched,
        pool="gpu",
        claim=claim,
        labels={"karpenter.k8s.aws/instance-gpu-name": "l40s", "nodeType": "nvidia"},
        taints=(GPU_TAINT,),
        requests=REQUESTS,
        registered=registered,
    )


def conditions(reached: Mapping[str, datetime], stuck: str, at: datetime, reason: str, message: str) -> list[Manifest]:
    """A NodeClaim's conditions: those reached, the one it is stuck at, the rest awaiting reconciliation."""
    made: list[Manifest] = []
    for stage in STAGES:
        if stage in reached:
            made.append(own_condition(stage, "True", reached[stage]))
        elif stage == stuck:
            made.append(own_condition(stage, "Unknown", at, reason=reason, message=message))
        else:
            made.append(own_condition(stage, "Unknown", at, reason="AwaitingReconciliation", message=WAITS))
    left = ", ".join(f"{stage}=Unknown" for stage in sorted(STAGES) if stage not in reached)
    return [*made, own_condition("Ready", "Unknown", at, reason="ReconcilingDependents", message=left)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One NodeClaim that the pod was promised, at `at`."""

    claim: str
    at: datetime

    def nominated(self, pod: Manifest) -> Manifest:
        return said(pod, self.at, "Nominated", f"Pod should schedule on: nodeclaim/{self.claim}")

    def created(self, pods: Sequence[str]) -> list[str]:
        return created_claim(self.at, self.claim, pods, REQUESTS, SHAPE)

    def ghost(self) -> Manifest:
        return ghost("karpenter.sh/v1", "NodeClaim", self.claim, self.at)

    def line(self, seconds: float, level: str, message: str, **more: object) -> str:
        """A line of the NodeClaim's lifecycle controller."""
        return log_line(
            V1_8, later(self.at, seconds), level, message, about("nodeclaim.lifecycle", "NodeClaim", self.claim, more)
        )

    def refused(self, errors: str) -> tuple[list[str], Manifest]:
        """A launch that failed for want of capacity in Karpenter's eyes: log lines and the event on the NodeClaim."""
        keys: dict[str, object] = {
            "aws-error-code": "UnfulfillableCapacity",
            "aws-operation-name": "CreateFleet",
            "aws-request-id": uid("request", self.claim),
            "aws-service-name": "EC2",
            "aws-status-code": 200,
        }
        shown = ", ".join(f"{key}={value}" for key, value in keys.items())
        error = f"creating instance, insufficient capacity, with fleet error(s), {errors} ({shown})"
        lines = [
            self.line(1.9, "ERROR", "failed launching nodeclaim", **keys, error=error),
            self.line(2.0, "INFO", "deleted nodeclaim"),
        ]
        cut = error if len(error) < 300 else f"{error[:300]}..."
        text = f"NodeClaim {self.claim} event: {cut}"
        return lines, said(self.ghost(), later(self.at, 2), "InsufficientCapacityError", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A case in the making: the job, what else is there, what was said."""

    name: str
    about: str
    training: Training
    now: datetime
    expect: Mapping[str, object]
    pools: Sequence[Pool] = STANDARD
    machines: Sequence[Machine] = ()
    promises: Sequence[Promise] = ()
    events: Sequence[Manifest] = ()
    log: Sequence[str] = ()
    extra: Mapping[str, Sequence[Manifest]] = field(default_factory=dict)
    question: str = ""
    claim_conditions: Mapping[str, Sequence[Manifest]] = field(default_factory=dict)
    unlaunched: Sequence[str] = ()

    def files(self) -> Files:
        cluster = Cluster(now=self.now, release=V1_8, pools=self.pools, machines=self.machines, default_node=False)
        mine = chain(self.training, NO_MATCH)
        waiting = [p for p in mine["pods"] if "nodeName" not in p["spec"]]  # type: ignore[operator]
        told = [unschedulable(pod, later(self.training.created, 3), NO_MATCH) for pod in waiting]
        told += [promise.nominated(waiting[0]) for promise in self.promises if waiting]
        files = merged(cluster.files(), mine, {"events": [*told, *self.events]}, self.extra)
        for claim in files.get("nodeclaims", []):
            if name_of(claim) in self.claim_conditions:
                status = claim["status"]
                assert isinstance(status, dict)
                status["conditions"] = list(self.claim_conditions[name_of(claim)])
            if name_of(claim) in self.unlaunched:
                claim["status"] = {"conditions": claim["status"]["conditions"]}  # type: ignore[index]
        return files

    def case(self) -> Case:
        files = self.files()
        made = [line for promise in self.promises for line in promise.created(self.training.pod_names[:1])]
        lines = sorted([*made, *self.log], key=lambda line: line.split('"time":"', 1)[1][:24])
        return Case(
            name=self.name,
            about=self.about,
            question=self.question or self.training.pod_names[0],
            now=self.now,
            version="1.8.1",
            files=files,
            log=lines,
            expect=self.expect,
        )


def launched_lines(promise: Promise, box: Machine, *, through: int) -> list[str]:
    """launched, registered, initialized: the first `through` of the three lines."""
    bought: dict[str, object] = {
        "provider-id": box.provider_id,
        "instance-type": box.instance_type,
        "zone": f"{REGION}{box.zone}",
        "capacity-type": box.capacity_type,
    }
    joined: dict[str, object] = {"provider-id": box.provider_id, "Node": {"name": box.name}}
    steps: tuple[tuple[str, float, dict[str, object]], ...] = (
        ("launched nodeclaim", 2.4, bought),
        ("registered nodeclaim", 43, joined),
        ("initialized nodeclaim", 85, joined),
    )
    return [promise.line(seconds, "INFO", text, **more) for text, seconds, more in steps[:through]]
