"""Launches of the past: what became of the NodeClaims that the pod was promised, and what that says of its refusal now.

Karpenter deletes a NodeClaim that EC2 had no capacity for within seconds and leaves the offerings out for three minutes; a
quota of 0, a missing spot role or a full subnet take the same way, and read as "no instance type ..." afterwards
(karpenter-provider-aws pkg/errors/errors.go, pkg/cache/unavailableofferings.go, v1.15).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from bot.diagnosis.denials import CREATE_ROLE, denial_facts, denied_check, is_denied_check
from bot.diagnosis.evidence import attempt
from bot.diagnosis.foretelling import FORETOLD
from bot.diagnosis.history import History, last_marks, qualified
from bot.diagnosis.launches import CAUSE_OF_CODE, ORDER, launch_causes, mark_cause, unnamed_capacity
from bot.diagnosis.pasted.told import merged
from bot.diagnosis.proven import cause, pool_of_claim
from bot.diagnosis.still_open import wider_facts
from bot.karpenter import LaunchFailure, Signal, SignalKind
from bot.model.diagnosis import Cause, Diagnosis, Fact, Verdict
from bot.model.karpenter import NodeClaim
from bot.model.kubernetes import Pod
from bot.model.labels import SPOT
from bot.model.objects import Condition
from bot.model.world import World

K = SignalKind
FRESH: Final = timedelta(minutes=15)
"""A launch that failed longer ago says nothing of the pod's wait now."""
_FAILED: Final = (K.LAUNCH_FAILED, K.LAUNCH_FAILED_ICE, K.NODECLASS_NOT_READY, K.NODECLASS_UNRESOLVED)
_CAPACITY: Final = "capacity-unavailable"
LISTED: Final = 5
"""How many of EC2's refusals an answer lists."""
MANY: Final = 3
"""So many NodeClaims that came to nothing are no bad luck any more."""
REFUSED_BEFORE: Final = "refused-before"
LAUNCHES_FAIL: Final = "launches-fail"
NEVER_JOIN: Final = "nodes-never-join"
WOULD_LAUNCH: Final = frozenset({LAUNCHES_FAIL, NEVER_JOIN, FORETOLD})
"""Reasons of a pod that is blocked though Karpenter finds a node to launch for it."""
_WORKED_OUT_BY: Final = {
    "AMIsReady": ("DescribeImages", "GetParameter"),
    "CapacityReservationsReady": ("CapacityReservation",),
    "InstanceProfileReady": ("InstanceProfile", "GetRole", "PassRole"),
    "SecurityGroupsReady": ("DescribeSecurityGroups",),
    "SubnetsReady": ("DescribeSubnets",),
}
"""A condition of an EC2NodeClass -> the AWS calls that its controller makes (karpenter-provider-aws controllers/nodeclass)."""
_BEFORE_JOINING: Final = (K.REGISTRATION_TIMEOUT, K.GARBAGE_COLLECTED)
GONE_AT_ONCE: Final = "InstanceGone"


def nominated(history: History, pod: Pod) -> tuple[str, ...]:
    """The NodeClaims that the pod was promised, oldest first."""
    promised = (s for s in history.about("Pod", qualified(pod)) if s.kind is K.NOMINATED)
    return tuple(dict.fromkeys(s.objects["NodeClaim"] for s in promised if s.objects.get("NodeClaim")))


def failures_of(history: History, claims: Iterable[str], world: World | None = None) -> tuple[Cause, ...]:
    """The causes for which the launches of these NodeClaims failed, what can be mended first; fresh ones where a World tells
    the time.
    """
    names = set(claims)
    found: list[Cause] = []
    for signal in history.of(*_FAILED):
        old = world is not None and signal.time is not None and world.now - signal.time > FRESH
        if signal.objects.get("NodeClaim") in names and isinstance(signal.detail, LaunchFailure) and not old:
            found.extend(launch_causes(signal, signal.detail))
    # the newest words about each cause; a log line and an event of one failure are one
    newest = {one.id: one for one in merged(found)}
    return tuple(sorted(newest.values(), key=lambda one: ORDER.index(one.id)))


def same_end(history: History, claims: Sequence[str], *kinds: SignalKind) -> int:
    """How many of these NodeClaims met such an end already."""
    ended = {s.objects.get("NodeClaim", "") for s in history.of(*kinds)}
    return len(ended & set(claims))


def reason_signal(claim: NodeClaim, condition: Condition) -> Signal:
    """A NodeClaim's condition as the signal that its transition would be."""
    message = f"{condition.type}={condition.status} {condition.reason}: {condition.message}".rstrip(" :")
    return Signal(
        kind=K.CONDITION_CHANGED,
        message=message,
        time=condition.last_transition_time,
        objects={"NodeClaim": claim.metadata.name},
    )


def with_history(world: World, pod: Pod, found: Diagnosis, history: History) -> Diagnosis:
    """The diagnosis in the light of launches that failed: a node that could be had, but that EC2 keeps refusing; offerings
    that are left out not for lack of capacity, but for a quota, a permission, a full subnet; a denied NodeClass.
    """
    claims = nominated(history, pod)
    if found.verdict is Verdict.BLOCKED:
        return replace(found, causes=tuple(_rooted(world, found.causes, history, claims)))
    if found.verdict is not Verdict.LAUNCHABLE:
        return found
    looping = _never_joined(world, history, claims)
    if looping is not None:
        return replace(found, verdict=Verdict.BLOCKED, reason=NEVER_JOIN, causes=(looping,))
    if _launched_since(history, claims):
        return replace(found, causes=())
    tried = same_end(history, claims, *_FAILED)
    failed = failures_of(history, claims, world)
    if all(one.id == _CAPACITY for one in failed) and tried < MANY:
        # what EC2 had not is marked, and something else is open: the next round tries that
        noted = replace(found, notes=(*found.notes, REFUSED_BEFORE)) if tried else found
        return replace(noted, verdict=Verdict.BLOCKED, reason=FORETOLD) if noted.causes else noted
    told = failed or (_sold_out(history, claims),)
    if any(one.id == _CAPACITY for one in told):
        stock = _stock(world, pod, found, history, tried)
        told = tuple(replace(c, facts={**c.facts, **stock}) if c.id == _CAPACITY else c for c in told)
    return replace(found, verdict=Verdict.BLOCKED, reason=LAUNCHES_FAIL, causes=told, facts={"tried": tried})


def _stock(world: World, pod: Pod, found: Diagnosis, history: History, launches: int) -> Mapping[str, Fact]:
    """What was tried and when, how much Karpenter still finds open, and what could be tried beside."""
    fresh = [m for m in last_marks(world, history) if m.since is None or world.now - m.since <= FRESH]
    facts: dict[str, Fact] = {
        "attempts": tuple(attempt(mark) for mark in fresh[-LISTED:]),
        "launches": launches,
        "open": sum(pool.offerings for pool in found.nodepools),
    }
    return {**facts, **wider_facts(world, pod, str(found.facts.get("nodepool", "")), fresh)}


def _sold_out(history: History, claims: Sequence[str]) -> Cause:
    """Karpenter found nothing left to try at the launch itself, and names no code of EC2's."""
    last = [s for s in history.of(K.LAUNCH_FAILED_ICE) if s.objects.get("NodeClaim") in claims]
    return unnamed_capacity(last[-1])


def _launched_since(history: History, claims: Sequence[str]) -> bool:
    """Whether the newest NodeClaim that the pod was promised was launched."""
    last = claims[-1] if claims else ""
    return any(s.objects.get("NodeClaim") == last for s in history.of(K.LAUNCHED, K.REGISTERED, K.INITIALIZED))


def _never_joined(world: World, history: History, claims: Sequence[str]) -> Cause | None:
    """`not-registered`: the pod's NodeClaims were launched and ended before a node joined, the last of them a moment ago.

    One that Karpenter gave up after 15 minutes is enough; an instance that ended by itself may do so once.
    """
    ends = {s.objects.get("NodeClaim", ""): s for s in history.of(*_BEFORE_JOINING)}
    joined = {s.objects.get("NodeClaim", "") for s in history.of(K.REGISTERED)}
    loops = [name for name in claims if name in ends and name not in joined]
    last = ends.get(claims[-1]) if claims else None
    if last is None or claims[-1] not in loops or (last.time and world.now - last.time > FRESH):
        return None
    gone = last.kind is K.GARBAGE_COLLECTED
    if gone and len(loops) < MANY - 1:
        return None
    facts: dict[str, Fact] = {"age": "" if gone else "15m", "reason": GONE_AT_ONCE if gone else "", "message": ""}
    name = claims[-1]
    return cause("not-registered", last.message, (pool_of_claim(name),), nodeclaim=name, loops=len(loops), **facts)


def _rooted(world: World, causes: Sequence[Cause], history: History, claims: Sequence[str]) -> Iterator[Cause]:
    for one in causes:
        if one.id == _CAPACITY:
            yield from _behind_marks(one, history, failures_of(history, claims, world))
        elif one.id == "nodeclass-not-ready" and is_denied_check(str(one.facts.get("reason", ""))):
            yield _denied(one, history)
            yield one
        elif one.id == "nodeclass-not-ready":
            yield from _logged_denial(one, history)
            yield one
        else:
            yield one


def _behind_marks(capacity: Cause, history: History, failed: Sequence[Cause]) -> Iterator[Cause]:
    """What stands behind offerings that EC2 refused a moment ago, with the conflict's own constraints."""
    code = str(capacity.facts.get("reason", ""))
    root = CAUSE_OF_CODE.get(code, _CAPACITY)
    if SPOT in _names(capacity, "capacity_types") and _spot_role_missing(history):
        yield _kept(capacity, _no_spot_role(history))
        return
    marks = (mark_cause(s) for s in history.of(K.OFFERING_UNAVAILABLE, K.RESERVATION_UNAVAILABLE))
    roots = [c for c in (*failed, *(m for m in marks if m)) if c.id == root]
    if root == _CAPACITY or not roots:
        yield capacity
        return
    found = _kept(capacity, roots[0])
    yield replace(found, facts={**found.facts, **_of_conflict(capacity, found)})


def _names(one: Cause, fact: str) -> tuple[str, ...]:
    value = one.facts.get(fact, ())
    return tuple(map(str, value)) if isinstance(value, tuple) else ()


def _of_conflict(capacity: Cause, found: Cause) -> dict[str, Fact]:
    """The offerings that the conflict is about, where the root's page names them too."""
    return {name: capacity.facts[name] for name in ("instance_types", "zones") if name in found.facts}


def _kept(conflict: Cause, root: Cause) -> Cause:
    """The root cause in the place of the conflict that it explains: same constraints, both evidences."""
    evidence = (*root.evidence, *conflict.evidence)
    return replace(
        root,
        constraints=conflict.constraints,
        nodepools=conflict.nodepools,
        evidence=evidence,
        facts={**root.facts, "nodepools": conflict.nodepools},
    )


def _spot_role_missing(history: History) -> bool:
    return bool(history.of(K.SPOT_ROLE_MISSING)) or any(
        "ServiceLinkedRoleCreationNotPermitted" in s.message for s in history.of(*_FAILED)
    )


def _no_spot_role(history: History) -> Cause:
    said = [s for s in (*history.of(K.SPOT_ROLE_MISSING), *history.of(*_FAILED)) if "ServiceLinkedRole" in s.message]
    message = said[-1].message
    facts: dict[str, Fact] = {"nodeclaim": "", "message": message, **denial_facts(CREATE_ROLE, message)}
    return cause("not-authorized", message, (), **facts)


def _denied(unready: Cause, history: History) -> Cause:
    """The denial that makes an EC2NodeClass not ready: Karpenter's log has AWS's own words, the condition fewer."""
    reason, message = str(unready.facts.get("reason", "")), str(unready.facts.get("message", ""))
    said = [s for s in history.of(K.NODECLASS_UNAUTHORIZED) if reason.removesuffix("AuthCheckFailed") in s.message]
    words = said[-1].message if said else message
    found = cause("not-authorized", words, unready.nodepools, **denied_check(reason, words))
    return replace(found, constraints=unready.constraints, evidence=(*found.evidence, *unready.evidence))


def _logged_denial(unready: Cause, history: History) -> Iterator[Cause]:
    """What AWS denied while the condition was worked out: conditions that an error keeps unknown say nothing of it."""
    words = _WORKED_OUT_BY.get(str(unready.facts.get("condition", "")), ())
    name = unready.facts.get("nodeclass", "")
    for signal in reversed(history.of(K.LAUNCH_FAILED)):
        failure = signal.detail
        ours = signal.objects.get("EC2NodeClass") == name and any(word in signal.message for word in words)
        if ours and isinstance(failure, LaunchFailure) and failure.denial is not None:
            found = launch_causes(signal, failure)[0]
            evidence = (*found.evidence, *unready.evidence)
            yield replace(found, constraints=unready.constraints, nodepools=unready.nodepools, evidence=evidence)
            return
