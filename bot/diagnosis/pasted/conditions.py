"""Status conditions, pasted from `kubectl describe`, `-o yaml` or as Karpenter's transition events -> what they prove.

Homes: karpenter pkg/controllers/nodeclaim/lifecycle (launch.go, registration.go, initialization.go) and
karpenter-provider-aws pkg/controllers/nodeclass (v1.15). `Unknown` is a normal state on the way: only `False`, or a reason
that names what is missing, is held against anybody.
"""

import re
from collections.abc import Iterator
from typing import Final

from bot.diagnosis.denials import denied_check, is_denied_check
from bot.diagnosis.launches import reason_cause
from bot.diagnosis.pasted.told import Told, cause, need, pool_of_claim
from bot.karpenter import Signal, SignalKind
from bot.model.diagnosis import Cause, Fact

LONGEST_TEXT: Final = 400_000
LONGEST_LINE: Final = 10_000
MOST_CONDITIONS: Final = 200
_OF_CLASS: Final = frozenset(
    {
        "AMIsReady",
        "CapacityReservationsReady",
        "InstanceProfileReady",
        "NodeClassReady",  # the NodePool's own condition about its class
        "PlacementGroupReady",
        "SecurityGroupsReady",
        "SubnetsReady",
    }
)
_OF_CLAIM: Final = frozenset({"Launched", "Registered", "Initialized"})
_KNOWN: Final = _OF_CLASS | _OF_CLAIM | {"Ready", "NodeClassReady", "ValidationSucceeded"}
_LINE: Final = re.compile(
    r'^[\s-]*"?(?P<key>[Kk]ind|[Nn]ame|[Mm]essage|[Rr]eason|[Ss]tatus|[Tt]ype)"?:\s+(?P<value>\S.*)'
)
_KINDS: Final = ("NodeClaim", "NodePool", "EC2NodeClass")
_QUOTED: Final = re.compile(r'"([^"]{1,253})"')


def read_conditions(text: str) -> tuple[Signal, ...]:
    """Every condition block of a pasted status, as the signal that its transition event would be. Never raises."""
    found: list[Signal] = []
    about: dict[str, str] = {}
    open_block: dict[str, str] = {}
    for line in text[:LONGEST_TEXT].split("\n"):
        read = _LINE.match(line) if len(line) < LONGEST_LINE else None
        if read is None:
            continue
        key, value = read["key"].lower(), read["value"].rstrip(", \t\r").strip("\"'")
        if key in ("kind", "name"):
            about.setdefault(key, value)
            continue
        open_block[key] = value
        if key == "type":
            if value in _KNOWN and open_block.get("status") in ("True", "False", "Unknown"):
                found.append(_signal(about, open_block))
            open_block = {}
    return tuple(found[:MOST_CONDITIONS])


def _signal(about: dict[str, str], block: dict[str, str]) -> Signal:
    facts = {"condition": block["type"], "status": block["status"]}
    facts |= {"reason": block.get("reason", ""), "why": block.get("message", "")}
    kind = about.get("kind", "")
    message = f"{block['type']}={block['status']} {facts['reason']}: {facts['why']}".rstrip(" :")
    return Signal(
        kind=SignalKind.CONDITION_CHANGED,
        message=message,
        objects={kind: about["name"]} if kind in _KINDS and about.get("name") else {},
        facts=facts,
    )


def of_condition(signal: Signal) -> Told:
    """What one condition proves; a condition that is true, or still unknown, proves nothing."""
    causes = tuple(_causes(signal, signal.facts.get("condition", ""), signal.facts.get("status", "")))
    claim, node_class = signal.objects.get("NodeClaim", ""), signal.objects.get("EC2NodeClass", "")
    look = need("nodeclass", nodeclass=node_class) if node_class else need("nodeclaim", nodeclaim=claim)
    met = signal.facts.get("status") == "True"
    return Told(topic="condition", causes=causes, needs=() if met else (look,))


def _causes(signal: Signal, condition: str, status: str) -> Iterator[Cause]:
    reason, why = signal.facts.get("reason", ""), signal.facts.get("why", "")
    claim = signal.objects.get("NodeClaim", "")
    if status == "True":
        return
    if condition == "Initialized":
        yield from _not_initialized(signal, reason, why)
    elif status != "False":
        return
    elif condition == "Launched":
        yield reason_cause(signal, reason, why)
    elif condition == "Registered":
        facts: dict[str, Fact] = {"nodeclaim": claim, "age": "", "reason": reason, "message": why, "loops": 0}
        yield cause("not-registered", signal.message, (pool_of_claim(claim),), **facts)
    elif is_denied_check(reason):
        yield cause("not-authorized", signal.message, (), **denied_check(reason, why))
    elif condition in _OF_CLASS or (condition in ("Ready", "ValidationSucceeded") and "EC2NodeClass" in signal.objects):
        yield _of_class(signal, condition, reason, why)


def class_cause(signal: Signal) -> Cause:
    """The cause for which a condition of an EC2NodeClass stands, whatever its status."""
    return _of_class(
        signal, signal.facts.get("condition", ""), signal.facts.get("reason", ""), signal.facts.get("why", "")
    )


def _of_class(signal: Signal, condition: str, reason: str, why: str) -> Cause:
    pool = signal.objects.get("NodePool", "")
    facts: dict[str, Fact] = {"nodepool": pool, "nodeclass": signal.objects.get("EC2NodeClass", "")}
    return cause(
        "nodeclass-not-ready", signal.message, (pool,), condition=condition, reason=reason, message=why, **facts
    )


def _not_initialized(signal: Signal, reason: str, why: str) -> Iterator[Cause]:
    """Initialized stays Unknown while it waits; its reason says for what (initialization.go)."""
    claim = signal.objects.get("NodeClaim", "")
    quoted = _QUOTED.search(why)
    if reason == "ResourceNotRegistered" and quoted:
        where: dict[str, Fact] = {"nodeclaim": claim, "node": signal.objects.get("Node", "")}
        facts: dict[str, Fact] = {**where, "resource": quoted[1], "state": "unknown", "plugin": ""}
        yield cause("device-plugin-missing", signal.message, (pool_of_claim(claim),), **facts)
    elif reason in ("StartupTaintsExist", "KnownEphemeralTaintsExist", "NodeNotReady"):
        taint = quoted[1] if quoted else ""
        told: dict[str, Fact] = {"nodeclaim": claim, "reason": reason, "message": why, "taint": taint, "owner": ""}
        yield cause("not-initialized", signal.message, (pool_of_claim(claim),), **told)
