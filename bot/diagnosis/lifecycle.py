"""What lies after Karpenter's decision: the pod's NodeClaim on its way to a node, and where it got stuck.

Conditions and their reasons: karpenter pkg/controllers/nodeclaim/lifecycle/{launch,registration,initialization}.go (v1.15).
A wait that is still normal has no cause.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.diagnosis.devices import Plugin, plugin_of
from bot.diagnosis.health import ailing, named, not_ready_cause
from bot.diagnosis.history import History, qualified
from bot.diagnosis.launch_history import failures_of, nominated, reason_signal, same_end
from bot.diagnosis.launches import reason_cause
from bot.diagnosis.outside import diagnosis_of
from bot.diagnosis.pods import requests_of
from bot.diagnosis.proven import cause
from bot.karpenter import SignalKind
from bot.model.diagnosis import Cause, Diagnosis, Fact, Verdict
from bot.model.karpenter import NodeClaim
from bot.model.kubernetes import Pod
from bot.model.labels import INSTANCE_TYPE, NODEPOOL
from bot.model.objects import Condition, ref_of
from bot.model.quantities import ZERO
from bot.model.world import World

REGISTRATION_NORMAL: Final = timedelta(minutes=5)
"""A node that joins at all has joined by then; Karpenter itself waits 15 minutes."""
INITIALIZATION_NORMAL: Final = timedelta(minutes=5)
"""Network plugin, startup agents and device plugins are up by then; Karpenter itself waits for ever."""
_QUOTED: Final = re.compile(r'"([^"]{1,253})"')
_WAITING: Final = frozenset({"", "AwaitingReconciliation", "ReconcilingDependents", "Unknown", "Launched"})
_NEVER_WELL: Final = frozenset({"MultipleNodesFound", "UnregisteredTaintNotFound"})
"""Reasons of Registered that no waiting mends."""
OWNERS: Final = (  # startup taints -> the agent that takes them off
    ("node.cilium.io/", "Cilium"),
    ("ebs.csi.aws.com/", "aws-ebs-csi-driver"),
    ("efs.csi.aws.com/", "aws-efs-csi-driver"),
    ("fsx.csi.aws.com/", "aws-fsx-csi-driver"),
    ("node.istio.io/", "istio-cni"),
    ("nvidia.com/gpu-driver", "NVIDIA GPU Operator"),
    ("node.cloudprovider.kubernetes.io/", "AWS cloud-controller-manager"),
    ("readiness.k8s.io/", "node-readiness-controller"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """The NodeClaim that a pod waits for, with all that is known."""

    world: World
    pod: Pod
    claim: NodeClaim
    history: History


def after_decision(world: World, pod: Pod, history: History) -> Diagnosis | None:
    """A NodeClaim was made for the pod and still exists: how far it is. None when the decision is still open."""
    about = [
        s for s in history.about("Pod", qualified(pod)) if s.kind in (SignalKind.NOMINATED, SignalKind.POD_REFUSED)
    ]
    if not about or about[-1].kind is not SignalKind.NOMINATED:
        return None
    name = about[-1].objects.get("NodeClaim", "")
    claim = next((c for c in world.node_claims if c.metadata.name == name), None)
    if claim is None or claim.metadata.deletion_timestamp is not None:
        return None
    return on_its_way(_Way(world=world, pod=pod, claim=claim, history=history))


def untold(world: World, pod: Pod, history: History, found: Diagnosis) -> Diagnosis | None:
    """The NodeClaim that the pod waits for where no event says so (events last an hour): the node that it fits and that is
    not ready, else a NodeClaim made for such a pod since the pod is there. None where there is none that is stuck.
    """
    if found.verdict is Verdict.FITS_EXISTING_NODE:
        name = found.facts.get("node", "")
        claims = [c for c in world.node_claims if name in (c.metadata.name, c.status.node_name)]
    elif found.verdict is Verdict.LAUNCHABLE and not nominated(history, pod):
        claims = [c for c in world.node_claims if _made_for(c, pod, str(found.facts.get("nodepool", "")))]
    else:
        return None
    ways = (_Way(world=world, pod=pod, claim=c, history=history) for c in claims if not c.metadata.deletion_timestamp)
    stuck = (one for one in map(on_its_way, ways) if one.causes)
    return next(stuck, None)


def _made_for(claim: NodeClaim, pod: Pod, pool: str) -> bool:
    """Whether a NodeClaim of the pool came after the pod, is not ready, and was sized for at least what the pod asks."""
    made, asked = claim.metadata.creation_timestamp, pod.metadata.creation_timestamp
    ready = any(c.type == "Initialized" and c.status == "True" for c in claim.status.conditions)
    if claim.metadata.labels.get(NODEPOOL) != pool or ready or (made and asked and made < asked):
        return False
    sized = claim.spec.resources.requests
    return all(not sized.get(name, ZERO) < amount for name, amount in requests_of(pod.spec).items())


def on_its_way(way: _Way) -> Diagnosis:
    """How far the NodeClaim is, and what keeps it from getting further."""
    claim = way.claim
    conditions = {c.type: c for c in claim.status.conditions}
    facts: dict[str, Fact] = {
        "nodeclaim": claim.metadata.name,
        "node": claim.status.node_name,
        "age": minutes(_age(way.world, claim)),
    }
    for stage in ("Launched", "Registered", "Initialized"):
        condition = conditions.get(stage, Condition(type=stage, status="Unknown"))
        if condition.status != "True":
            return diagnosis_of(way.pod, Verdict.LAUNCHING, stage, _STUCK[stage](way, condition), **facts)
    return diagnosis_of(way.pod, Verdict.LAUNCHING, "Ready", _unwell(way.world, claim, way.history), **facts)


def _age(world: World, claim: NodeClaim) -> timedelta:
    created = claim.metadata.creation_timestamp
    return world.now - created if created else timedelta()


def minutes(age: timedelta) -> str:
    """`12m`, `3h5m`."""
    whole = int(age.total_seconds() // 60)
    return f"{whole // 60}h{whole % 60}m" if whole >= 120 else f"{whole}m"


def _where(claim: NodeClaim, condition: Condition) -> str:
    return f"{ref_of(claim)} status.conditions[{condition.type}]: {condition.reason} {condition.message}".rstrip()


def _pools(claim: NodeClaim) -> tuple[str, ...]:
    return (claim.metadata.labels.get(NODEPOOL, ""),)


def _not_launched(way: _Way, condition: Condition) -> Iterator[Cause]:
    """EC2's own words where they were logged, else what the condition keeps of them."""
    said = failures_of(way.history, (way.claim.metadata.name,))
    if said:
        yield from said
    elif condition.reason not in _WAITING:
        yield reason_cause(reason_signal(way.claim, condition), condition.reason, condition.message)


def _not_registered(way: _Way, condition: Condition) -> Iterator[Cause]:
    age = _age(way.world, way.claim)
    if age <= REGISTRATION_NORMAL and condition.reason not in _NEVER_WELL and condition.status != "False":
        return
    facts: dict[str, Fact] = {
        "nodeclaim": way.claim.metadata.name,
        "age": minutes(age),
        "reason": condition.reason,
        "message": condition.message,
        "loops": same_end(way.history, nominated(way.history, way.pod), SignalKind.REGISTRATION_TIMEOUT),
        "instance_type": way.claim.metadata.labels.get(INSTANCE_TYPE, ""),
        "joined": _joined(way.world, way.claim),
    }
    yield cause("not-registered", _where(way.claim, condition), _pools(way.claim), **facts)


def _joined(world: World, claim: NodeClaim) -> int:
    """How many other NodeClaims of the same EC2NodeClass have joined: whether it is the class's trouble or this instance's."""
    alike = (c for c in world.node_claims if c.spec.node_class_ref == claim.spec.node_class_ref and c is not claim)
    return sum(any(c.type == "Registered" and c.status == "True" for c in one.status.conditions) for one in alike)


def _not_initialized(way: _Way, condition: Condition) -> Iterator[Cause]:
    late = _since_joined(way.world, way.claim) > INITIALIZATION_NORMAL
    quoted = _QUOTED.search(condition.message)
    subject = quoted[1] if quoted else ""
    node = named(way.world, way.claim.status.node_name)
    if condition.reason == "ResourceNotRegistered":
        plugin = plugin_of(way.world, subject, node, way.claim)
        if late or plugin.at_fault:
            yield _no_device(way.claim, condition, subject, plugin)
        return
    unwell = ailing(node)
    if late and condition.reason == "NodeNotReady" and node is not None and unwell is not None:
        yield not_ready_cause(way.world, way.history, node, unwell)
    elif late:
        taint = subject if "Taint" in condition.reason else ""
        owner = next((who for prefix, who in OWNERS if taint.startswith(prefix)), "") if taint else ""
        facts: dict[str, Fact] = {"nodeclaim": way.claim.metadata.name, "reason": condition.reason, "taint": taint}
        where = _where(way.claim, condition)
        yield cause("not-initialized", where, _pools(way.claim), message=condition.message, owner=owner, **facts)


def _since_joined(world: World, claim: NodeClaim) -> timedelta:
    joined = next((c.last_transition_time for c in claim.status.conditions if c.type == "Registered"), None)
    return world.now - joined if joined else _age(world, claim)


def _no_device(claim: NodeClaim, condition: Condition, resource: str, plugin: Plugin) -> Cause:
    facts: dict[str, Fact] = {
        "nodeclaim": claim.metadata.name,
        "node": claim.status.node_name,
        "resource": resource,
        "state": plugin.state,
        "plugin": plugin.name,
        "detail": plugin.detail,
    }
    return cause("device-plugin-missing", _where(claim, condition), _pools(claim), **facts)


def _unwell(world: World, claim: NodeClaim, history: History) -> Iterator[Cause]:
    node = named(world, claim.status.node_name)
    condition = ailing(node)
    if node is not None and condition is not None:
        yield not_ready_cause(world, history, node, condition)


_STUCK: Final = {"Launched": _not_launched, "Registered": _not_registered, "Initialized": _not_initialized}
"""Stage that is not reached -> what keeps the NodeClaim from it."""
