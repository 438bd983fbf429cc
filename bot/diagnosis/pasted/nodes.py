"""Everything but refusals: nodes that are launched, join, live and go; what is normal is said to be normal.

One table gives each kind of signal its reading. A signal that proves nothing still has a topic, which says what it means.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from bot.diagnosis.pasted.conditions import of_condition
from bot.diagnosis.pasted.foreign import node_not_ready
from bot.diagnosis.pasted.launches import of_launch, of_mark, of_refused_check, of_spot_role
from bot.diagnosis.pasted.told import Need, Told, at, cause, need, pool_of_claim
from bot.diagnosis.shields import stuck_drain
from bot.diagnosis.starting import FAILING, NO_ADDRESS, rejected_resource
from bot.karpenter import (
    DisruptedNode,
    DisruptionCommand,
    LaunchFailure,
    Obstacle,
    SchedulerVerdict,
    Signal,
    SignalKind,
)
from bot.model.diagnosis import Cause, Fact

K = SignalKind
MOST_NODES: Final = 3
_NONE_FOUND: Final = re.compile(r"expected \S+ of resource (\S{1,253}), but found 0\b")
_INTERRUPTIONS: Final = {
    "spot": "Interruption",
    "scheduled": "ScheduledChange",
    "capacityreservation": "Interruption",
}


def of_signal(signal: Signal) -> Told:
    """What a signal proves and means. Refusals of pods are read elsewhere (refusals.py)."""
    read = _READ.get(signal.kind)
    return read(signal) if read else Told(topic="other")


def _normal(topic: str, *needs: str) -> Callable[[Signal], Told]:
    def read(signal: Signal) -> Told:
        return Told(topic=topic, needs=tuple(_need(one, signal) for one in needs))

    return read


def _need(need_id: str, signal: Signal) -> Need:
    """A need that is about one of the signal's own objects."""
    for kind, name, ids in _ABOUT:
        if need_id in ids:
            return need(need_id, **{name: signal.objects.get(kind, "")})
    return need(need_id)


_ABOUT: Final = (
    ("NodeClaim", "nodeclaim", ("nodeclaim", "wait")),
    ("NodePool", "nodepool", ("budgets", "limits", "nodepool", "nodepool-status")),
    ("EC2NodeClass", "nodeclass", ("nodeclass",)),
    ("Node", "node", ("node",)),
    ("Pod", "pod", ("scheduler", "volumes", "why")),
)
"""Kind of object, the fact that names it, and the needs that are about one."""


# -- joining -------------------------------------------------------------------------------------------------------


def _registration_timeout(signal: Signal) -> Told:
    claim = signal.objects.get("NodeClaim", "")
    age = signal.facts.get("ttl") or signal.facts.get("timeout") or ""
    facts: dict[str, Fact] = {"nodeclaim": claim, "age": age, "reason": "", "message": "", "loops": 0}
    found = cause("not-registered", signal.message, (pool_of_claim(claim),), **facts)
    return Told(topic="not-registered", causes=(found,), needs=(need("console"), need("nodeclaim", nodeclaim=claim)))


def _taint_missing(signal: Signal) -> Told:
    claim = signal.objects.get("NodeClaim", "")
    facts: dict[str, Fact] = {"nodeclaim": claim, "age": "", "reason": "UnregisteredTaintNotFound", "loops": 0}
    message = signal.message
    found = cause("not-registered", message, (pool_of_claim(claim),), message=message, **facts)
    return Told(topic="not-registered", causes=(found,))


def _inconsistent(signal: Signal) -> Told:
    found = _NONE_FOUND.search(signal.message)
    if found is None:
        return Told(topic="inconsistent", needs=(_need("node", signal), _need("nodeclaim", signal)))
    claim, node = signal.objects.get("NodeClaim", ""), signal.objects.get("Node", "")
    facts: dict[str, Fact] = {"nodeclaim": claim, "node": node, "resource": found[1], "state": "unknown", "plugin": ""}
    look = need("device-plugin", node=node, resource=found[1])
    told = cause("device-plugin-missing", signal.message, (pool_of_claim(claim),), **facts)
    return Told(topic="device-plugin-missing", causes=(told,), needs=(look,))


def _not_ready(signal: Signal) -> Told:
    """Karpenter leaves a NodePool out; whether it or its EC2NodeClass is to blame, only their conditions say."""
    pool = signal.objects.get("NodePool", "") or signal.facts.get("nodePools", "")
    needs = (need("nodepool-status", nodepool=pool), need("nodeclass", nodeclass=""))
    if not pool or "," in pool:
        return Told(topic="nodepool-not-ready", needs=needs)
    facts: dict[str, Fact] = {
        "nodepool": pool,
        "condition": "Ready",
        "reason": "",
        "message": signal.facts.get("error", ""),
    }
    return Told(
        topic="nodepool-not-ready", causes=(cause("nodepool-not-ready", signal.message, (pool,), **facts),), needs=needs
    )


def _filtered_out(signal: Signal) -> Told:
    pool = signal.objects.get("NodePool", "")
    because = signal.facts.get("because", "") or signal.facts.get("minValuesIncompatibleErr", "")
    if "minValues" not in because:
        return Told(topic="filtered-out", needs=(need("nodepool", nodepool=pool), need("launch-log")))
    facts: dict[str, Fact] = {"nodepool": pool, "key": "", "needed": 0, "have": None}
    return Told(topic="filtered-out", causes=(cause("min-values-unmet", signal.message, (pool,), **facts),))


def _invalid_values(signal: Signal) -> Told:
    values = tuple(signal.facts.get("invalid-values", "").strip("[]").replace(",", " ").split())
    return Told(topic="invalid-values", needs=(need("typo", key=signal.facts.get("key", ""), values=values),))


# -- going ---------------------------------------------------------------------------------------------------------


def _disrupting(signal: Signal) -> Told:
    command = signal.detail
    if isinstance(command, DisruptionCommand) and command.reason and command.decision != "no-op":
        nodes = command.nodes[:MOST_NODES] or (_node_of(signal),)
        causes = tuple(_gone(signal, command.reason, node) for node in nodes)
        return Told(topic="disrupting", causes=causes, needs=(need("protect"),))
    reason = signal.facts.get("reason", "").partition("/")[0]
    if not reason:
        return Told(topic="disrupting", needs=(need("karpenter-log"),))
    return Told(topic="disrupting", causes=(_gone(signal, reason, _node_of(signal)),), needs=(need("protect"),))


def _node_of(signal: Signal) -> DisruptedNode:
    return DisruptedNode(name=signal.objects.get("Node", ""), nodeclaim=signal.objects.get("NodeClaim", ""))


def _gone(signal: Signal, reason: str, node: DisruptedNode) -> Cause:
    pool = signal.objects.get("NodePool", "") or pool_of_claim(node.nodeclaim)
    pods = (signal.objects["Pod"],) if "Pod" in signal.objects else ()
    unknown: dict[str, Fact] = {"policy": "", "consolidate_after": "", "do_not_disrupt": False, "field": ""}
    where: dict[str, Fact] = {"node": node.name or node.nodeclaim, "nodepool": pool}
    said = f"{signal.message}: {node.name}" if node.name and node.name not in signal.message else signal.message
    reason = reason[:1].upper() + reason[1:]
    return cause("node-disrupted", said, (pool,), **where, reason=reason, pods=pods, time=at(signal), **unknown)


def _ended(reason: str) -> Callable[[Signal], Told]:
    def read(signal: Signal) -> Told:
        return Told(topic="disrupting", causes=(_gone(signal, reason, _node_of(signal)),))

    return read


def _expired(signal: Signal) -> Told:
    """Up to v0.37 a node was marked first, and went when a budget let it."""
    return Told(topic="drifted") if signal.message.startswith("marking") else _ended("Expired")(signal)


def _repaired(signal: Signal) -> Told:
    """Node repair deletes or reboots; only a node that is deleted is gone."""
    deleted = signal.message.startswith(("deleting unhealthy node", "reboot failed, replacing node"))
    return _ended("Unhealthy")(signal) if deleted else Told(topic="node-repair", needs=(_need("node", signal),))


def _interrupted(signal: Signal) -> Told:
    kind = signal.facts.get("messageKind", "").lower().replace("_", "")
    reason = next((one for start, one in _INTERRUPTIONS.items() if kind.startswith(start)), "")
    if kind.startswith("rebalance"):
        return Told(topic="rebalance")
    if kind and not reason:  # instance state changes: somebody stopped or terminated it
        return Told(topic="interrupted", needs=(need("cloudtrail"),))
    if not kind and signal.message.startswith("Instance is "):
        return Told(topic="interrupted", needs=(need("cloudtrail"),))
    return Told(topic="disrupting", causes=(_gone(signal, reason or "Interruption", _node_of(signal)),))


def _evicted(signal: Signal) -> Told:
    reason = signal.facts.get("reason", "")
    if not reason:
        return Told(topic="evicted", needs=(need("karpenter-log"),))
    return Told(topic="evicted", causes=(_gone(signal, reason, _node_of(signal)),), needs=(need("protect"),))


def _drain_failed(signal: Signal) -> Told:
    """A drain takes a while; one that fails for an hour is stuck."""
    found = stuck_drain([signal])
    needs = (_need("node", signal), need("budgets", nodepool=""))
    return Told(topic="drain-failed", causes=(found,) if found else (), needs=needs)


def _blocked(signal: Signal) -> Told:
    pool = signal.facts.get("nodepool", "") or signal.objects.get("NodePool", "")
    return Told(topic="disruption-blocked", needs=(need("budgets", nodepool=pool),))


def _scheduler(signal: Signal) -> Told:
    verdict = signal.detail
    needs = [_need("scheduler", signal)]
    if isinstance(verdict, SchedulerVerdict) and ("olume" in signal.message or verdict.prefilter):
        needs.append(_need("volumes", signal))
    causes: tuple[Cause, ...] = ()
    if isinstance(verdict, SchedulerVerdict) and _stranded(verdict):
        nowhere: dict[str, Fact] = {"claims": (), "zones": (), "allowed": ()}
        causes = (cause("volume-zone-conflict", signal.message, (), **nowhere),)
    return Told(topic="scheduler", causes=causes, needs=(*needs, _need("why", signal)))


def _stranded(verdict: SchedulerVerdict) -> bool:
    """Every node that the pod could go to lies in another zone than its volume."""
    own = [r for r in verdict.reasons if r.obstacle not in (Obstacle.TAINT, Obstacle.CORDONED)]
    return bool(own) and all(r.obstacle is Obstacle.VOLUME_ZONE for r in own)


def _node_went(signal: Signal) -> Told:
    node = signal.objects.get("Node", "")
    return (
        node_not_ready(node, signal.message) if node else Told(topic="node-not-ready", needs=(need("node", node=""),))
    )


def _image(signal: Signal) -> Told:
    facts: dict[str, Fact] = {"image": signal.facts.get("image", ""), "container": "", "reason": "ErrImagePull"}
    told = cause("image-not-pulled", signal.message, (), message=signal.facts.get("why", ""), node="", **facts)
    return Told(topic="kubelet", causes=(told,) if facts["image"] else ())


def _sandbox(signal: Signal) -> Told:
    """The pod's sandbox is not made; that the address is what is missing is read elsewhere (foreign.py)."""
    failing = signal.count >= FAILING and not NO_ADDRESS.search(signal.message)
    causes = (cause("sandbox-failed", signal.message, (), message=signal.message, node=""),) if failing else ()
    return Told(topic="kubelet", causes=causes, needs=(need("cni"), _need("why", signal)))


def _volume_failed(signal: Signal) -> Told:
    shared = signal.message.startswith("Multi-Attach")
    facts: dict[str, Fact] = {"volume": signal.facts.get("volume", ""), "shared": shared, "node": ""}
    return Told(
        topic="kubelet",
        causes=(cause("volume-not-attached", signal.message, (), message=signal.message, **facts),),
        needs=(_need("volumes", signal),),
    )


def _rejected(signal: Signal) -> Told:
    facts: dict[str, Fact] = {"reason": "UnexpectedAdmissionError", "message": signal.message, "node": ""}
    found = rejected_resource(signal.message)
    return Told(topic="kubelet", causes=(cause("admission-rejected", signal.message, (), resource=found, **facts),))


def _not_created(signal: Signal) -> Told:
    """A workload's pods that the API server refused: nothing that Karpenter ever sees."""
    owner, message = next(iter(signal.objects.items()), ("", "")), signal.message
    named = " ".join(owner).strip()
    if "exceeded quota" not in message:
        return Told(
            topic="pods-not-created", causes=(cause("pods-not-created", message, (), message=message, owner=named),)
        )
    quota = message.partition("exceeded quota: ")[2].partition(",")[0]
    facts: dict[str, Fact] = {
        "quota": quota,
        "message": message,
        "owner": named,
        "namespace": owner[1].rpartition("/")[0],
    }
    return Told(topic="pods-not-created", causes=(cause("namespace-quota-exceeded", message, (), **facts),))


def _launch(signal: Signal) -> Told:
    if isinstance(signal.detail, LaunchFailure):
        return of_launch(signal)
    return Told(topic="launch-failed", needs=(_need("nodeclaim", signal), need("launch-log")))


_READ: Final[Mapping[SignalKind, Callable[[Signal], Told]]] = {
    K.NOMINATED: _normal("nominated", "wait"),
    K.SCHEDULED: _normal("scheduled"),
    K.POD_DEFERRED: _normal("deferred"),
    K.PREFERENCE_RELAXED: _normal("provisioning"),
    K.PODS_FOUND: _normal("provisioning"),
    K.NODECLAIMS_COMPUTED: _normal("provisioning", "wait"),
    K.FITS_INFLIGHT_NODE: _normal("provisioning", "wait"),
    K.NODECLAIM_CREATED: _normal("provisioning", "wait"),
    K.LAUNCHED: _normal("provisioning", "wait"),
    K.REGISTERED: _normal("provisioning", "wait"),
    K.REGISTRATION_PENDING: _normal("provisioning", "wait"),
    K.INITIALIZED: _normal("initialized"),
    K.NODECLAIM_NOT_CREATED: _normal("claim-not-created", "nodepool"),
    K.SIMULATION_TIMED_OUT: _normal("slow", "controller"),
    K.CLUSTER_STATE_UNSYNCED: _normal("unsynced", "karpenter-log"),
    K.NO_NODEPOOLS: _normal("no-nodepools", "nodepool-status", "nodeclass"),
    K.NODEPOOL_NOT_READY: _not_ready,
    K.NODEPOOL_FILTERED_OUT: _filtered_out,
    K.INSTANCE_TYPES_UNRESOLVED: _normal("types-unresolved", "nodepool-status", "nodeclass"),
    K.LIMITS_EXCLUDE_TYPES: _normal("limits-narrow", "limits"),
    K.STATIC_NODEPOOL: _normal("static-nodepool"),
    K.INVALID_VALUES: _invalid_values,
    K.VOLUMES_UNREADABLE: _normal("volumes", "volumes"),
    K.SCHEDULER_REFUSED: _scheduler,
    K.LAUNCH_FAILED_ICE: _launch,
    K.LAUNCH_FAILED: _launch,
    K.LAUNCH_TIMEOUT: _normal("launch-timeout", "nodeclaim", "launch-log"),
    K.NODECLASS_NOT_READY: _launch,
    K.NODECLASS_UNRESOLVED: _launch,
    K.NODECLASS_UNAUTHORIZED: of_refused_check,
    K.NODECLASS_DELETING: _normal("nodeclass-deleting", "nodeclass"),
    K.OFFERING_UNAVAILABLE: of_mark,
    K.RESERVATION_UNAVAILABLE: of_mark,
    K.TYPES_FILTERED_AT_LAUNCH: _normal("provisioning"),
    K.FALLBACK_INFLEXIBLE: _normal("provisioning"),
    K.SPOT_ROLE_MISSING: of_spot_role,
    K.ZONAL_SHIFT: _normal("zonal-shift"),
    K.ZONAL_SHIFT_CLEARED: _normal("provisioning"),
    K.REGISTRATION_TAINT_MISSING: _taint_missing,
    K.REGISTRATION_TIMEOUT: _registration_timeout,
    K.INCONSISTENT: _inconsistent,
    K.CONDITION_CHANGED: of_condition,
    K.CONSOLIDATABLE: _normal("consolidation"),
    K.UNCONSOLIDATABLE: _normal("unconsolidatable"),
    K.CONSOLIDATION_CANDIDATE: _normal("consolidation"),
    K.CONSOLIDATION_JUDGED: _normal("consolidation"),
    K.CONSOLIDATION_ABANDONED: _normal("consolidation"),
    K.DRIFTED: _normal("drifted", "nodeclaim", "budgets"),
    K.EXPIRED: _expired,
    K.DISRUPTION_BLOCKED: _blocked,
    K.DISRUPTING: _disrupting,
    K.DISRUPTION_WAITING: _normal("disruption-waiting"),
    K.DO_NOT_DISRUPT: _normal("do-not-disrupt"),
    K.INTERRUPTED: _interrupted,
    K.INTERRUPTION_WARNED: _normal("rebalance"),
    K.INSTANCE_UNHEALTHY: _ended("ScheduledChange"),
    K.CAPACITY_BLOCK_EXPIRING: _ended("CapacityBlockExpiring"),
    K.NODE_REPAIR: _repaired,
    K.NODE_REPAIR_BLOCKED: _normal("node-repair-blocked", "node"),
    K.TERMINATION_DEADLINE: _normal("draining"),
    K.NODE_TAINTED: _normal("draining", "karpenter-log"),
    K.DRAIN_FAILED: _drain_failed,
    K.POD_EVICTED: _evicted,
    K.POD_FORCE_DELETED: _normal("draining", "karpenter-log"),
    K.VOLUMES_DETACHING: _normal("draining"),
    K.NODE_DELETED: _normal("deleted", "karpenter-log", "cloudtrail"),
    K.NODECLAIM_DELETED: _normal("deleted", "karpenter-log", "cloudtrail"),
    K.GARBAGE_COLLECTED: _normal("garbage-collected", "cloudtrail"),
    K.NODE_NOT_READY: _node_went,
    K.NODE_READY: _normal("initialized"),
    K.NODE_PRESSURE: _normal("node-not-ready", "node"),
    K.NODE_REBOOTED: _normal("node-not-ready", "node"),
    K.NODE_REMOVED: _normal("garbage-collected", "cloudtrail"),
    K.POD_LOST: _normal("node-not-ready", "node"),
    K.POD_PREEMPTED: _normal("kubelet"),
    K.POD_EVICTED_BY_KUBELET: _normal("kubelet", "node"),
    K.SANDBOX_FAILED: _sandbox,
    K.IMAGE_PULLING: _normal("scheduled"),
    K.IMAGE_FAILED: _image,
    K.VOLUME_FAILED: _volume_failed,
    K.ADMISSION_REJECTED: _rejected,
    K.PODS_NOT_CREATED: _not_created,
    K.KARPENTER_VERSION: _normal("provisioning"),
    K.RECONCILE_FAILED: _normal("reconcile-failed", "karpenter-log"),
}
