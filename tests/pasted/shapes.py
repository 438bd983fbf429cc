"""Karpenter's lines and events as its releases write them: what the texts of tests/pasted are made of."""

from __future__ import annotations

import json

from bot.karpenter import (
    Clause,
    DomainCounts,
    Finding,
    IncompatibleRequirements,
    InstanceTypeRefusal,
    KeyConflict,
    LabelUnknown,
    Operator,
    PrintedRequirement,
    Reason,
    Refusal,
    TaintNotTolerated,
    TopologyRule,
    TopologyUnsatisfiable,
    Version,
    Where,
    format_refusal,
)

ZONE = "topology.kubernetes.io/zone"
TYPE = "node.kubernetes.io/instance-type"
CAPACITY = "karpenter.sh/capacity-type"
CATEGORY = "karpenter.k8s.aws/instance-category"
FAMILY = "karpenter.k8s.aws/instance-family"
GENERATION = "karpenter.k8s.aws/instance-generation"
ARCH = "kubernetes.io/arch"
NODEPOOL = "karpenter.sh/nodepool"
COMMIT = "a1b2c3d"


def listed(key: str, *values: str) -> PrintedRequirement:
    """`key In [values]`."""
    return PrintedRequirement(key=key, operator=Operator.IN, values=values)


def above(key: str, number: int) -> PrintedRequirement:
    """`key Exists >number`."""
    return PrintedRequirement(key=key, operator=Operator.EXISTS, at_least=number + 1)


def absent(key: str) -> PrintedRequirement:
    """`key DoesNotExist`."""
    return PrintedRequirement(key=key, operator=Operator.DOES_NOT_EXIST)


def anything(key: str) -> PrintedRequirement:
    """`key Exists`."""
    return PrintedRequirement(key=key, operator=Operator.EXISTS)


def types(reason: Reason, resources: dict[str, str], *requirements: PrintedRequirement) -> InstanceTypeRefusal:
    """No instance type is left."""
    return InstanceTypeRefusal(reason=reason, resources=resources, requirements=requirements)


def unknown_label(key: str, hint: str | None = None) -> IncompatibleRequirements:
    """A label that the NodePool does not define."""
    return IncompatibleRequirements(where=Where.POD, conflicts=(LabelUnknown(key=key, hint=hint),))


def mismatch(asked: PrintedRequirement, has: PrintedRequirement) -> IncompatibleRequirements:
    """A label whose values do not meet."""
    return IncompatibleRequirements(
        where=Where.POD, conflicts=(KeyConflict(key=asked.key, incoming=asked, existing=has),)
    )


def taint(key: str, value: str = "", effect: str = "NoSchedule") -> TaintNotTolerated:
    """An untolerated taint."""
    return TaintNotTolerated(key=key, value=value, effect=effect)


def spread(
    counts: dict[str, int],
    pod: PrintedRequirement,
    node: PrintedRequirement,
    rule: TopologyRule = TopologyRule.SPREAD,
    key: str = ZONE,
) -> TopologyUnsatisfiable:
    """A topology rule that nothing satisfies."""
    named = DomainCounts(named=tuple(sorted(counts.items())))
    return TopologyUnsatisfiable(rule=rule, key=key, counts=named, pod_domains=pod, node_domains=node)


def pool(name: str, *findings: Finding, overhead: dict[str, str] | None = None) -> Clause:
    """One NodePool's part of a refusal."""
    return Clause(findings=findings, nodepool=name, daemon_overhead=overhead or {"cpu": "150m", "pods": "4"})


def refusal(version: Version, *clauses: Clause) -> str:
    """The error's text."""
    return format_refusal(Refusal(clauses=clauses), version)


def line(message: str, *, level: str = "INFO", at: str = "2025-06-02T10:00:00.000Z", **fields: object) -> str:
    """A JSON log line as releases from v0.37 on write it."""
    head = {"level": level, "time": at, "logger": "controller", "message": message, "commit": COMMIT}
    return json.dumps({**head, **fields}, separators=(",", ":"))


def refused(pod: str, error: str, *, at: str = "2025-06-02T10:00:00.000Z") -> str:
    """`could not schedule pod` of v0.37 and later; its errorCauses as serrors logs them."""
    namespace, _, name = pod.partition("/")
    about = {"name": name, "namespace": namespace}
    return line("could not schedule pod", level="ERROR", at=at, controller="provisioner", Pod=about, error=error)


def old_line(message: str, *, logger: str = "controller.provisioner", level: str = "INFO", **fields: object) -> str:
    """A JSON log line as v0.28 to v0.36 write it."""
    head = {"level": level, "time": "2024-01-15T10:00:00.000Z", "logger": logger, "message": message}
    return json.dumps({**head, "commit": COMMIT, **fields}, separators=(",", ":"))


def old_refused(pod: str, error: str) -> str:
    """`Could not schedule pod, …` of v0.28 to v0.36."""
    return old_line(f"Could not schedule pod, {error}", level="ERROR", pod=pod)


def console(message: str, *, logger: str, level: str = "INFO", **fields: object) -> str:
    """A console line as releases before v0.28 write it, and later ones when told to."""
    shown = json.dumps({"commit": COMMIT, **fields}, separators=(",", ": "))
    return f"2023-03-09T10:00:00.000Z\t{level}\t{logger}\t{message}\t{shown}"


def event(reason: str, message: str, *, source: str = "karpenter", kind: str = "Warning", age: str = "2m") -> str:
    """An event as `kubectl describe` prints it."""
    return f"  {kind:<8} {reason:<18} {age:<6} {source:<18} {message}"


def described(pod: str, *events: str) -> str:
    """`kubectl describe pod`, cut to head and events."""
    namespace, _, name = pod.partition("/")
    head = [f"Name:             {name}", f"Namespace:        {namespace}", "Status:           Pending", "Events:"]
    table = ["  Type     Reason             Age    From               Message"]
    return "\n".join([*head, *table, *events])


def listed_event(reason: str, about: str, message: str, *, kind: str = "Normal", age: str = "3m") -> str:
    """An event as `kubectl get events` prints it."""
    return f"{age}   {kind}   {reason}   {about}   {message}"


def launch_failed(nodeclaim: str, error: str) -> str:
    """`failed launching nodeclaim` of v0.37 and later."""
    about = {"name": nodeclaim}
    return line(
        "failed launching nodeclaim", level="ERROR", controller="nodeclaim.lifecycle", NodeClaim=about, error=error
    )


def disrupting(reason: str, decision: str, node: str, instance_type: str, **fields: object) -> str:
    """`disrupting node(s)` of v1.3 and later."""
    gone = {
        "Node": {"name": node},
        "NodeClaim": {"name": "default-x7k2p"},
        "capacity-type": "spot",
        "instance-type": instance_type,
    }
    command = {"command": f"{reason}/{decision}", "reason": reason.lower(), "decision": decision}
    nodes = {"disrupted-node-count": 1, "disrupted-nodes": [gone], **fields}
    told: dict[str, object] = {**command, **nodes}
    return line("disrupting node(s)", at="2025-06-02T10:00:00.000Z", level="INFO", **told)
