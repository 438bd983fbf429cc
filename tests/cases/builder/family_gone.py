"""The family of `why-gone`: each rule that takes a node away, and nodes that go without any rule.

What Karpenter 1.8 logs and tells in events of each (pkg/controllers/disruption, nodeclaim/{disruption,expiration},
node/{termination,health}; karpenter-provider-aws pkg/controllers/interruption), what Kubernetes tells itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.cases.builder.case import V1_8
from tests.cases.builder.moments import (
    CLAIM,
    HOST,
    Moment,
    ago,
    claim_of,
    deleting,
    gpu_node_pool,
    job,
    line,
    machine,
    node_of,
    unwell,
    with_conditions,
    worker,
)
from tests.cases.builder.objects import Manifest, metadata, uid
from tests.cases.builder.pools import GPU_TAINT
from tests.cases.builder.words import about, log_line, said

WORKER: Final = "train-0-h6v8k"
TAINT: Final = {"taint.Key": "karpenter.sh/disrupted", "taint.Value": "", "taint.Effect": "NoSchedule"}
BORN: Final = 300.0
"""Minutes ago: when the node was launched."""
DECIDED: Final = 12.0
DRIFTS: Final = ("AMIDrift", "NodePoolDrifted", "NodeClassDrift", "RequirementsDrifted", "SubnetDrift", "SecurityGroupDrift",
                 "InstanceTypeNotFound", "CapacityReservationDrift")  # fmt: skip
"""Reasons of a NodeClaim's condition Drifted (karpenter pkg/controllers/nodeclaim/disruption/drift.go; aws drift.go)."""


def gone(state: str, reason: str, /, *causes: str, pods: Sequence[str] = (f"default/{WORKER}",), remedies: Sequence[str] = (),
         told: Sequence[str] = (), shields: Mapping[str, str] | None = None, **facts: object) -> dict[str, object]:  # fmt: skip
    """What a right answer to `why-gone` says. `told`: moments that the timeline must have."""
    found: dict[str, object] = {"state": state, "reason": reason, "causes": list(causes), "pods": list(pods)}
    found |= {"remedies": list(remedies), "timeline": list(told)}
    return {**found, **({"shields": dict(shields)} if shields else {}), **({"facts": facts} if facts else {})}


def begun(minutes: float = BORN) -> list[str]:
    """The first four lines of the node's life."""
    made = about("provisioner", "NodeClaim", CLAIM, {"NodePool": {"name": "gpu"}})
    bought = {"instance-type": "g6e.12xlarge", "zone": "ap-northeast-2a", "capacity-type": "on-demand"}
    return [
        log_line(V1_8, ago(minutes), "INFO", "created nodeclaim", made),
        line(minutes - 0.05, "launched nodeclaim", host="", **bought),
        line(minutes - 0.7, "registered nodeclaim"),
        line(minutes - 1.4, "initialized nodeclaim"),
    ]


def ended(minutes: float = DECIDED - 0.1) -> list[str]:
    """Its last three."""
    return [
        line(minutes, "tainted node", "node.termination", **TAINT),
        line(minutes - 2.6, "deleted node", "node.termination"),
        line(minutes - 2.61, "deleted nodeclaim"),
    ]


def disrupting(reason: str, decision: str, *, pods: int = 1, minutes: float = DECIDED) -> str:
    """Karpenter's own command."""
    node = {
        "Node": {"name": HOST},
        "NodeClaim": {"name": CLAIM},
        "capacity-type": "on-demand",
        "instance-type": "g6e.12xlarge",
    }
    instead = [{"capacity-type": "on-demand", "instance-types": "g6e.12xlarge"}] if decision == "replace" else []
    fields = {
        "controller": "disruption", "namespace": "", "name": "", "reconcileID": uid("reconcile", reason),
        "command-id": uid("command", reason), "reason": reason, "decision": decision, "disrupted-node-count": 1,
        "replacement-node-count": len(instead), "pod-count": pods, "disrupted-nodes": [node], "replacement-nodes": instead,
    }  # fmt: skip
    return log_line(V1_8, ago(minutes), "INFO", "disrupting node(s)", fields)


def ghost(kind: str, name: str, minutes: float) -> Manifest:
    """An object that is gone, for the events that outlive it."""
    space = "default" if kind == "Pod" else ""
    group = "karpenter.sh/v1" if kind == "NodeClaim" else "v1"
    return {"apiVersion": group, "kind": kind, "metadata": metadata(kind, name, ago(minutes), namespace=space)}


def scheduled(minutes: float = 58) -> Manifest:
    """The worker came to the node."""
    text = f"Successfully assigned default/{WORKER} to {HOST}"
    return said(ghost("Pod", WORKER, minutes), ago(minutes), "Scheduled", text, by="default-scheduler")


def evicted(reason: str, minutes: float = DECIDED - 0.2) -> list[Manifest]:
    """The worker came to the node, and was driven off it."""
    return [scheduled(), said(ghost("Pod", WORKER, 58), ago(minutes), "Evicted", f"Evicted pod: {reason}")]


def on_node(reason: str, message: str, minutes: float = DECIDED, *, by: str = "karpenter") -> Manifest:
    """An event about the node."""
    return said(ghost("Node", HOST, BORN), ago(minutes), reason, message, by=by)


def _went(name: str, about_it: str, log: Sequence[str], objects: Sequence[Manifest], expect: Mapping[str, object], *,
          ask: str = HOST.partition(".")[0], pool: Manifest | None = None, kin: Manifest | None = None) -> Moment:  # fmt: skip
    """A node that went (or goes): the job's next worker waits meanwhile, and shows how its pods are protected."""
    newer = kin or worker("train-0-q8w3n", since=9)
    own = [pool or gpu_node_pool(policy="WhenEmptyOrUnderutilized", after="1m"), job(), newer]
    return Moment(
        name=name, about=about_it, ask=f"why-gone {ask}", objects=[*own, *objects], log=[*begun(), *log], expect=expect
    )


def voluntary() -> Iterator[Moment]:
    """Karpenter's own choice: what a budget, an annotation or a PodDisruptionBudget could have held."""
    open_to = ["add-do-not-disrupt", "set-consolidation", "add-disruption-budget", "add-training-nodepool"]
    yield _went("empty", "The node stood empty.", [disrupting("empty", "delete", pods=0), *ended()], [scheduled(200)],
                gone("gone", "Empty", "node-disrupted", pods=[],
                     remedies=["set-consolidation", "add-disruption-budget", "add-training-nodepool"],
                     told=["created", "disrupting", "tainted", "node-deleted"]))  # fmt: skip
    yield _went("underutilized", "A cheaper node would do for the pods on it.",
                [line(13, "marking consolidatable", "nodeclaim.disruption", level="DEBUG"),
                 disrupting("underutilized", "replace"), *ended()],
                [*evicted("Underutilized"), on_node("DisruptionTerminating", "Disrupting Node: Underutilized")],
                gone("gone", "Underutilized", "node-disrupted", remedies=open_to, told=["disrupting", "evicted", "tainted"],
                     shields={"do-not-disrupt": "absent", "budget": "counted", "grace-period": "absent"}))  # fmt: skip
    for field in DRIFTS:
        yield _went(f"drift-{field.lower()}", f"The node had drifted: {field}.",
                    [line(14, "marking drifted", "nodeclaim.disruption", level="DEBUG", reason=field),
                     disrupting("drifted", "replace"), *ended()],
                    evicted("Drifted"),
                    gone("gone", "Drifted", "node-disrupted", remedies=open_to, told=["drifted", "disrupting", "evicted"],
                         field=field))  # fmt: skip
    box = machine(since=BORN)
    marked = with_conditions(claim_of(box), ("Drifted", "True", "AMIDrift", "AMIDrift"))
    held = 'Pod has "karpenter.sh/do-not-disrupt" annotation (Pod=default/train-0-x4c8v)'
    yield _went("drifted-and-held", "The near miss: drifted, and a pod's annotation holds it.",
                [line(14, "marking drifted", "nodeclaim.disruption", level="DEBUG", reason="AMIDrift")],
                [marked, node_of(box), on_node("DisruptionBlocked", held, 2)],
                gone("here", "", pods=[], told=["drifted", "blocked"]))  # fmt: skip


def forced() -> Iterator[Moment]:
    """What no annotation, PodDisruptionBudget or budget holds."""
    none = {"do-not-disrupt": "absent", "budget": "does-not-count"}
    yield _went("expired", "The node reached `expireAfter`, and Karpenter's log is at debug.",
                [line(DECIDED, "deleting expired nodeclaim", "nodeclaim.expiration", level="DEBUG"), *ended()],
                evicted("Forceful Termination"),
                gone("gone", "Expired", "node-disrupted", told=["expired", "evicted"], shields=none))  # fmt: skip
    day = gpu_node_pool(policy="WhenEmptyOrUnderutilized", after="1m")
    day = {**day, "spec": {**day["spec"], "template": {**day["spec"]["template"],  # type: ignore[index,dict-item]
           "spec": {**day["spec"]["template"]["spec"], "expireAfter": "4h48m"}}}}  # type: ignore[index] # fmt: skip
    yield _went("expired-unsaid", "The same at log level info, where expiry is not logged: the age tells it.", ended(),
                evicted("Forceful Termination"), gone("gone", "Expired", "node-disrupted", told=["evicted"]),
                pool=day)  # fmt: skip
    message = "initiating delete from interruption message"
    for name, kind, reason, text, event in (
        ("spot-interruption", "spot_interrupted", "Interruption", "Spot interruption warning was triggered", "SpotInterrupted"),
        ("maintenance", "scheduled_change", "ScheduledChange", "An unhealthy warning was triggered for the instance",
         "InstanceUnhealthy"),
        ("reservation-taken-back", "capacity_reservation_interrupted", "CapacityReservationInterruption",
         "Capacity Reservation interruption warning was triggered", "CapacityReservationInstanceInterrupted"),
    ):  # fmt: skip
        yield _went(name, f"EC2 announced the end: {kind}.",
                    [line(DECIDED, message, "interruption", messageKind=kind, action="CordonAndDrain", queue="training-on-eks"),
                     *ended()],
                    [*evicted("Forceful Termination"), on_node(event, text)],
                    gone("gone", reason, "node-disrupted", told=["interrupted", "evicted"], shields=none))  # fmt: skip
    box = machine(since=BORN)
    yield _went("rebalance", "The near miss: a rebalance recommendation alone takes no node away.", [],
                [claim_of(box), node_of(box), on_node("SpotRebalanceRecommendation",
                 "Spot rebalance recommendation was triggered", 3)],
                gone("here", "", pods=[], told=["rebalance"]))  # fmt: skip
    yield _went("node-repair", "Node repair deleted a node that was NotReady for half an hour.",
                [line(DECIDED, "deleting unhealthy node", "node.health"), *ended()],
                [scheduled(), on_node("NodeNotReady", f"Node {HOST} status is now: NodeNotReady", 43, by="node-controller")],
                gone("gone", "Unhealthy", "node-disrupted", told=["not-ready", "repair"], shields=none))  # fmt: skip


def outside() -> Iterator[Moment]:
    """Ends that are no rule of Karpenter's."""
    yield _went("deleted-by-hand", "Somebody deleted the NodeClaim.", ended(), evicted("Forceful Termination"),
                gone("gone", "DeletedByHand", "node-removed", told=["evicted", "node-deleted"]))  # fmt: skip
    yield _went("asked-by-pod", "The same, asked for the pod that was on it.", ended(), evicted("Forceful Termination"),
                gone("gone", "DeletedByHand", "node-removed"), ask=f"default/{WORKER}")  # fmt: skip
    yield _went("instance-gone", "Something ended the instance in EC2; Karpenter cleaned up after it.",
                [line(DECIDED, "garbage collecting nodeclaim with no cloudprovider representation",
                      "nodeclaim.garbagecollection", level="DEBUG"), *ended()],
                [scheduled(), on_node("DeletingNode", f"Deleting node {HOST} because it does not exist in the cloud provider",
                                      13, by="cloud-node-lifecycle-controller")],
                gone("gone", "InstanceGone", "node-removed", told=["collected", "removed"]))  # fmt: skip
    box = machine(since=BORN)
    taint = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
    marked = node_of(machine(since=BORN, taints=(GPU_TAINT, taint)))
    yield _went("out-of-service", "An operator marked the node out of service, so that its pods move.", [],
                [scheduled(), said(ghost("Pod", WORKER, 58), ago(6), "TaintManagerEviction",
                                   f"Marking for deletion Pod default/{WORKER}", by="taint-eviction-controller"),
                 deleting(claim_of(box), 5), deleting(marked, 5)],
                gone("going", "OutOfService", "node-removed", told=["lost"]))  # fmt: skip
    silent = unwell(node_of(box), "Ready", "Unknown", 9, "NodeStatusUnknown", "Kubelet stopped posting node status.")
    falls = [
        on_node("NodeNotReady", f"Node {HOST} status is now: NodeNotReady", at, by="node-controller")
        for at in (47, 28, 9)
    ]
    yield _went("kubelet-silent", "The kubelet stopped posting its status, and not for the first time.", [],
                [*falls, scheduled(), claim_of(box), silent,
                 said(ghost("Pod", WORKER, 58), ago(4), "TaintManagerEviction", f"Marking for deletion Pod default/{WORKER}",
                      by="taint-eviction-controller")],
                gone("here", "NotReady", "node-not-ready", told=["not-ready", "lost"], times=3))  # fmt: skip


def moments() -> list[Moment]:
    """All of them."""
    return [*voluntary(), *forced(), *outside()]
