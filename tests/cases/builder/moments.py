"""One cluster at one noon, and the pieces of which families of cases are made: a worker, its node, conditions, log lines.

The worker is `default/train-0-x4c8v`: it asks for four GPUs and one EFA interface on g6e.12xlarge. Its node, where it has one,
is `ip-10-0-96-31`, NodeClaim `gpu-h5r7m` of NodePool `gpu`. Wordings are those of karpenter v1.8.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from tests.cases.builder.blocked import NO_MATCH, TYPE, devices
from tests.cases.builder.capacity import Machine, node, node_claim
from tests.cases.builder.case import CASES, V1_8, Cluster, Files
from tests.cases.builder.claims import REQUESTS, SHAPE
from tests.cases.builder.objects import (
    Manifest,
    condition,
    dump,
    dump_list,
    later,
    metadata,
    moment,
    name_of,
    own_condition,
    owned_by,
    stamp,
    uid,
)
from tests.cases.builder.pools import GPU_TAINT, REGION, default_pool, ec2_node_class, gpu_pool, node_pool
from tests.cases.builder.training import IMAGE, pending
from tests.cases.builder.words import (
    DEFAULT,
    NOT_MET_NOR_ENOUGH,
    about,
    could_not_schedule,
    log_line,
    no_type,
    refusal,
    said,
    unschedulable,
)

FAMILIES: Final = CASES / "families"
NOW: Final = moment("2025-12-28T12:00:00Z")
POD: Final = "train-0-x4c8v"
ASKED: Final = f"why default/{POD}"
CLAIM: Final = "gpu-h5r7m"
HOST: Final = f"ip-10-0-96-31.{REGION}.compute.internal"
_CLUSTER: Final = Cluster(now=NOW, release=V1_8, pools=(default_pool(), gpu_pool()), default_node=False)
CREATED: Final = _CLUSTER.created
BEGUN: Final = log_line(V1_8, later(NOW, -86_400), "INFO", "discovered karpenter version", {"version": "1.8.1"})
"""The one line that the cluster's log has without any case: Karpenter's own start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One case of a family; see tests/families.py for what the fields mean."""

    name: str
    about: str
    expect: Mapping[str, object]
    ask: str = ASKED
    objects: Sequence[Manifest] = ()
    gone: Sequence[str] = ()
    log: Sequence[str] = ()
    quotas: Mapping[str, float] = field(default_factory=dict)
    free: Mapping[str, int] = field(default_factory=dict)


def ago(minutes: float) -> datetime:
    """So long before noon."""
    return later(NOW, -60 * minutes)


def base_files() -> Files:
    """The cluster without any worker: NodePools `default` and `gpu`, no node of theirs, Karpenter, nine DaemonSets."""
    files = _CLUSTER.files()
    del files["clustertrainingruntimes"]
    return files


def right(verdict: str, /, *causes: str, not_causes: Sequence[str] = (), **facts: object) -> dict[str, object]:
    """What a right answer to `why` says: exactly these causes, the first one the main one."""
    told = {"verdict": verdict, "causes": list(causes), "not_causes": list(not_causes)}
    return {**told, **({"facts": facts} if facts else {})}


# -- the worker ----------------------------------------------------------------------------------------------------


def job(name: str = "train", created: datetime | None = None) -> Manifest:
    """The Job that owns the workers."""
    more = {"generation": 1, "labels": {"app": name}}
    made = metadata("Job", name, created or ago(30), namespace="default", more=more)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": made, "spec": {"template": {}}, "status": {}}


def worker(
    name: str = POD, *, since: float = 10, on: str = "", owner: Manifest | None = None, **spec: object
) -> Manifest:
    """A worker that has waited (or run on a node) for so many minutes. `spec` goes over the pod's own."""
    created = ago(since)
    asked = devices(4, 1)
    container = {"image": IMAGE, "name": "node", "resources": {"limits": asked, "requests": dict(asked)}}
    owner = owner or job()
    more = {
        "labels": {"app": "train", "batch.kubernetes.io/job-name": name_of(owner)},
        "ownerReferences": owned_by(owner),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata("Pod", name, created, namespace="default", more=more),
        "spec": {
            "containers": [container],
            "nodeSelector": {TYPE: SHAPE},
            "priority": 0,
            "restartPolicy": "Never",
            "schedulerName": "default-scheduler",
            "serviceAccountName": "default",
            "tolerations": [{"key": key, "operator": "Exists"} for key in sorted(asked)],
            **({"nodeName": on} if on else {}),
            **spec,
        },
        "status": bound_status(created) if on else pending(created, NO_MATCH),
    }


def bound_status(at: datetime, waiting: str = "ContainerCreating", message: str = "") -> Manifest:
    """A pod that has a node and does not run yet."""
    state = {"reason": waiting, **({"message": message} if message else {})}
    status = {"name": "node", "ready": False, "restartCount": 0, "state": {"waiting": state}}
    return {
        "conditions": [condition("PodScheduled", "True", at)],
        "containerStatuses": [status],
        "phase": "Pending",
        "startTime": stamp(later(at, 1)),
    }


def running(pod: Manifest, at: datetime) -> Manifest:
    """The same pod, running."""
    kinds = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    status = {"conditions": [condition(kind, "True", at) for kind in kinds], "phase": "Running", "startTime": stamp(at)}
    return {**pod, "status": status}


def waiting(**spec: object) -> list[Manifest]:
    """Job and worker, with kube-scheduler's word on it."""
    pod = worker(**spec)  # type: ignore[arg-type]
    return [job(), pod, unschedulable(pod, ago(10), NO_MATCH)]


def refused_elsewhere() -> tuple[list[Manifest], list[str]]:
    """Job and worker, which NodePool `default` refused a moment ago; of `gpu` Karpenter says nothing."""
    found = waiting()
    why = refusal(no_type(NOT_MET_NOR_ENOUGH, DEFAULT, {TYPE: SHAPE}, devices(4, 1)))
    event = said(found[1], ago(0.4), "FailedScheduling", f"Failed to schedule pod, {why.text}")
    return [*found, event], could_not_schedule(V1_8, ago(0.4), [POD], why)


def nominated(pod: Manifest, minutes: float, claim: str = CLAIM) -> Manifest:
    """Karpenter promises the pod a NodeClaim."""
    return said(pod, ago(minutes), "Nominated", f"Pod should schedule on: nodeclaim/{claim}")


# -- NodePools and classes -----------------------------------------------------------------------------------------


def gpu_node_pool(**changes: object) -> Manifest:
    """NodePool `gpu`."""
    return node_pool(gpu_pool(**changes), CREATED)


def with_conditions(one: Manifest, *told: tuple[str, str, str, str], minutes: float = 20) -> Manifest:
    """The object with these conditions (type, status, reason, message) in the place of its own of those types."""
    status: dict[str, object] = one["status"]  # type: ignore[assignment]
    replaced = {kind for kind, *_ in told}
    kept = [c for c in status["conditions"] if c["type"] not in replaced]  # type: ignore[attr-defined]
    made = [own_condition(kind, state, ago(minutes), reason=why, message=text) for kind, state, why, text in told]
    return {**one, "status": {**status, "conditions": [*kept, *made]}}


def unready_class(*told: tuple[str, str, str, str]) -> list[Manifest]:
    """EC2NodeClass `gpu` with these conditions, not ready, and its NodePool, which is not ready for it."""
    failing = sorted({kind: state for kind, state, *_ in told}.items())
    shown = ", ".join(f"{kind}={state}" for kind, state in failing)
    known = "Unknown" if all(state == "Unknown" for _, state in failing) else "False"
    why = "ReconcilingDependents" if known == "Unknown" else "UnhealthyDependents"
    found = with_conditions(ec2_node_class("gpu", CREATED), *told, ("Ready", known, why, shown))
    pool = with_conditions(
        gpu_node_pool(),
        ("NodeClassReady", known, why if known == "False" else "NodeClassReadinessUnknown",
         shown if known == "False" else "Node Class Readiness Unknown"),
        ("Ready", known, why, f"NodeClassReady={known}"),
    )  # fmt: skip
    return [found, pool]


def class_line(minutes: float, message: str, error: str, controller: str = "nodeclass") -> str:
    """An error line about EC2NodeClass `gpu`."""
    fields = {"controller": controller, "controllerGroup": "karpenter.k8s.aws", "controllerKind": "EC2NodeClass"}
    named = {"EC2NodeClass": {"name": "gpu"}, "namespace": "", "name": "gpu", "reconcileID": uid("reconcile", error)}
    return log_line(V1_8, ago(minutes), "ERROR", message, {**fields, **named, "error": error})


# -- nodes ---------------------------------------------------------------------------------------------------------


def machine(*, since: float = 60, registered: bool = True, **more: object) -> Machine:
    """The instance behind NodeClaim `gpu-h5r7m`, launched so many minutes ago."""
    known: dict[str, object] = {
        "name": HOST,
        "instance_type": SHAPE,
        "zone": "a",
        "launched": ago(since),
        "pool": "gpu",
        "claim": CLAIM,
        "labels": {"karpenter.k8s.aws/instance-gpu-name": "l40s", "nodeType": "nvidia"},
        "taints": (GPU_TAINT,),
        "requests": REQUESTS,
        "registered": registered,
    }
    return Machine(**{**known, **more})  # type: ignore[arg-type]


def claim_of(box: Machine) -> Manifest:
    """Its NodeClaim."""
    return node_claim(box, gpu_node_pool())


def node_of(box: Machine) -> Manifest:
    """Its Node."""
    return node(box, claim_of(box))


def deleting(one: Manifest, minutes: float) -> Manifest:
    """The object while it is being deleted."""
    return {**one, "metadata": {**one["metadata"], "deletionTimestamp": stamp(ago(minutes))}}  # type: ignore[dict-item]


def unwell(one: Manifest, kind: str, status: str, minutes: float, reason: str, message: str) -> Manifest:
    """The Node with one condition changed, as its kubelet or the node controller writes it."""
    state: dict[str, object] = one["status"]  # type: ignore[assignment]
    kept = [c for c in state["conditions"] if c["type"] != kind]  # type: ignore[attr-defined]
    bad = condition(kind, status, ago(minutes), reason=reason, message=message)
    return {**one, "status": {**state, "conditions": [*kept, bad]}}


def line(minutes: float, message: str, controller: str = "nodeclaim.lifecycle", *, level: str = "INFO",
         claim: str = CLAIM, host: str = HOST, **more: object) -> str:  # fmt: skip
    """A line of Karpenter's about the NodeClaim (and its node)."""
    fields = about(controller, "NodeClaim", claim, {**({"Node": {"name": host}} if host else {}), **more})
    return log_line(V1_8, ago(minutes), level, message, fields)


# -- writing -------------------------------------------------------------------------------------------------------


def write_base() -> None:
    """The recorded cluster, as a snapshot folder."""
    folder = FAMILIES / "base"
    folder.mkdir(parents=True, exist_ok=True)
    for name, manifests in base_files().items():
        (folder / f"{name}.yaml").write_text(dump_list(sorted(manifests, key=name_of)))
    known: dict[str, object] = {"region": REGION, "clusterName": "training-on-eks", "now": stamp(NOW)}
    known |= {"karpenterVersion": "1.8.1", "placementsKnown": True}
    (folder / "meta.yaml").write_text("".join(dump({key: value}) for key, value in known.items()))
    (folder / "karpenter.log").write_text(f"{BEGUN}\n")
    ec2 = folder / "ec2"
    ec2.unlink(missing_ok=True)
    ec2.symlink_to(Path("../../../data/ec2/ap-northeast-2"))


def write_family(name: str, about_it: str, moments: Sequence[Moment]) -> None:
    """One family's file."""
    listed = []
    for one in moments:
        kept: dict[str, object] = {"name": one.name, "about": one.about, "ask": one.ask, "expect": dict(one.expect)}
        more = {"objects": list(one.objects), "gone": list(one.gone), "log": list(one.log)}
        more |= {"quotas": dict(one.quotas), "free": dict(one.free)}
        listed.append({**kept, **{key: value for key, value in more.items() if value}})
    (FAMILIES / f"{name}.yaml").write_text("".join(map(dump, ({"about": about_it}, {"cases": listed}))))
