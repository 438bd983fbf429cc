"""Launches that failed: EC2's codes -> causes. One table decides which code means what.

Codes: aws/karpenter-provider-aws pkg/errors/errors.go (v1.15). A code that several offerings got is one cause.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from bot.diagnosis.history import MARK
from bot.diagnosis.pasted.told import Need, Told, at, cause, need, pool_of_claim
from bot.karpenter import FleetError, LaunchFailure, Signal, SignalKind
from bot.model.diagnosis import Cause, Fact
from bot.model.labels import SPOT

SPOT_ROLE: Final = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
CREATE_ROLE: Final = "iam:CreateServiceLinkedRole"
UNSUPPORTED: Final = "Unsupported"
_CAUSES: Final = {
    "VcpuLimitExceeded": "vcpu-quota-exceeded",
    "MaxSpotInstanceCountExceeded": "vcpu-quota-exceeded",
    "InsufficientFreeAddressesInSubnet": "subnet-out-of-ips",
    SPOT_ROLE: "not-authorized",
    "UnauthorizedOperation": "not-authorized",
    "Client.UnauthorizedOperation": "not-authorized",
    "AccessDenied": "not-authorized",
    "AccessDeniedException": "not-authorized",
    "AuthFailure": "not-authorized",
    "InsufficientInstanceCapacity": "capacity-unavailable",
    "InsufficientHostCapacity": "capacity-unavailable",
    "InsufficientReservedInstanceCapacity": "capacity-unavailable",
    "UnfulfillableCapacity": "capacity-unavailable",
    "ReservationCapacityExceeded": "capacity-unavailable",
}
_REASONS: Final = {  # condition reasons of NodeClaims and EC2NodeClasses (ToReasonMessage; nodeclass/validation.go)
    "SpotSLRCreationFailed": "not-authorized",
    "Unauthorized": "not-authorized",
    "AMIAuthorizationFailure": "not-authorized",
    "SpotQuotaExceeded": "vcpu-quota-exceeded",
    "VCPULimitExceeded": "vcpu-quota-exceeded",
    "InsufficientFreeAddressesInSubnet": "subnet-out-of-ips",
    "NodeClassNotReady": "nodeclass-not-ready",
}
ORDER: Final = (
    "not-authorized",
    "vcpu-quota-exceeded",
    "subnet-out-of-ips",
    "nodeclass-not-ready",
    "zone-not-offered",
    "launch-failed",
    "capacity-unavailable",
)
"""What a person can mend comes before what only waiting mends."""
_OPERATION: Final = re.compile(r"operation error (EC2|IAM|SSM|STS|KMS|Pricing|EKS): (\w{1,64})")
_WRONG_ZONE: Final = "is not supported in your requested Availability Zone"
_NODE_CLASS: Final = re.compile(
    r'(?:nodeclass|EC2NodeClass)(?:\.karpenter\.k8s\.aws)?[ =]"?([a-z0-9][a-z0-9.-]{0,252})', re.I
)


def of_launch(signal: Signal) -> Told:
    """Every cause that a failed launch's error proves, what can be mended first."""
    failure = signal.detail
    if not isinstance(failure, LaunchFailure):
        return Told(topic="launch-failed", needs=_look(signal))
    if failure.reason == "NodeClassNotReady":
        return Told(topic="nodeclass-not-ready", causes=(_node_class(signal, failure),), needs=_look(signal))
    causes = sorted(_of_failure(signal, failure), key=lambda one: ORDER.index(one.id))
    sold_out = failure.insufficient_capacity and not failure.errors
    topic = "nothing-available" if sold_out else "launch-failed"
    return Told(topic=topic, causes=tuple(causes), needs=_needs(signal, failure, causes))


def of_mark(signal: Signal) -> Told:
    """`removing offering from offerings`: what EC2 said of one offering."""
    reason = signal.facts.get("reason", "")
    cause_id = _CAUSES.get(reason)
    if cause_id is None:
        return Told(topic="offering-unavailable", needs=(need("launch-log"),))
    error = FleetError(
        code=reason,
        message=signal.message,
        instance_type=signal.facts.get("instance-type") or None,
        zone=signal.facts.get("zone") or None,
    )
    facts = _facts(cause_id, signal, None, [error])
    return Told(topic="offering-unavailable", causes=(cause(cause_id, _words_of(signal), (), **facts),))


def of_reason(signal: Signal, reason: str, message: str) -> Cause:
    """The cause behind a NodeClaim's condition Launched=False; the reason is one of Karpenter's own words."""
    cause_id = _REASONS.get(reason, "launch-failed")
    nodeclaim = signal.objects.get("NodeClaim", "")
    facts: dict[str, Fact] = {"nodeclaim": nodeclaim, "message": message}
    if cause_id == "not-authorized":
        facts["operation"] = CREATE_ROLE if reason == "SpotSLRCreationFailed" else _operation(message)
    elif cause_id == "vcpu-quota-exceeded":
        facts["instance_types"] = ()
    elif cause_id == "nodeclass-not-ready":
        facts |= {"nodepool": pool_of_claim(nodeclaim), "nodeclass": "", "condition": "Ready", "reason": ""}
    elif cause_id == "launch-failed":
        facts["code"] = reason
    return cause(cause_id, _words_of(signal), (pool_of_claim(nodeclaim),), **facts)


def of_spot_role(signal: Signal) -> Told:
    """Karpenter's event that the service-linked role for spot instances is missing (since v1.5 spot then looks sold out)."""
    facts: dict[str, Fact] = {"nodeclaim": "", "operation": CREATE_ROLE, "message": signal.message}
    return Told(topic="launch-failed", causes=(cause("not-authorized", signal.message, (), **facts),))


def of_refused_check(signal: Signal) -> Told:
    """`unauthorized to call ec2:CreateFleet`: the EC2NodeClass's dry run was denied."""
    operation = signal.message.partition("unauthorized to call ")[2].split(":")[:2]
    facts: dict[str, Fact] = {"nodeclaim": "", "operation": ":".join(operation), "message": signal.message}
    needs = (need("nodeclass", nodeclass=signal.objects.get("EC2NodeClass", "")),)
    return Told(topic="launch-failed", causes=(cause("not-authorized", _words_of(signal), (), **facts),), needs=needs)


def _of_failure(signal: Signal, failure: LaunchFailure) -> Iterator[Cause]:
    grouped: dict[tuple[str, str], list[FleetError]] = {}
    for error in failure.errors:
        cause_id = _cause_of(error)
        grouped.setdefault((cause_id, error.code if cause_id == "launch-failed" else ""), []).append(error)
    pool = (pool_of_claim(signal.objects.get("NodeClaim", "")),)
    for (cause_id, code), errors in grouped.items():
        if failure.truncated and code == UNSUPPORTED:
            continue  # the zone that would make it a matter of zones may have been cut off
        yield cause(cause_id, _words_of(signal), pool, **_facts(cause_id, signal, failure, errors))
    if not failure.errors and not failure.insufficient_capacity and not failure.truncated:
        yield _without_code(signal, failure)


def _without_code(signal: Signal, failure: LaunchFailure) -> Cause:
    """Karpenter's own errors before EC2 was asked, and denials that carry no code in the usual place."""
    cause_id = "not-authorized" if failure.denial is not None else "launch-failed"
    facts = _facts(cause_id, signal, failure, [FleetError(code=failure.reason, message=failure.detail)])
    return cause(cause_id, _words_of(signal), (pool_of_claim(signal.objects.get("NodeClaim", "")),), **facts)


def _cause_of(error: FleetError) -> str:
    if error.code == UNSUPPORTED and error.instance_type and error.zone and _WRONG_ZONE in error.message:
        return "zone-not-offered"
    return _CAUSES.get(error.code, "launch-failed")


def _facts(cause_id: str, signal: Signal, failure: LaunchFailure | None, errors: list[FleetError]) -> dict[str, Fact]:
    types, zones = _each(e.instance_type for e in errors), _each(e.zone for e in errors)
    message = errors[0].message
    common: dict[str, Fact] = {"nodeclaim": signal.objects.get("NodeClaim", ""), "message": message}
    match cause_id:
        case "vcpu-quota-exceeded":
            return {**common, "instance_types": types}
        case "not-authorized":
            return {**common, "operation": _denied(errors[0], failure)}
        case "launch-failed":
            return {**common, "code": errors[0].code}
        case "zone-not-offered":
            offered = _each(zone for error in errors for zone in error.other_zones)
            asked: dict[str, Fact] = {"zones": zones, "offered_zones": offered, "wanted_by": "CreateFleet"}
            return {"instance_type": types[0], "instance_types": types, **asked}
        case "capacity-unavailable":
            until = (signal.time + MARK).isoformat() if signal.time else ""
            return {
                "instance_types": types,
                "zones": zones,
                "capacity_types": _each([signal.facts.get("capacity-type"), *map(_spot, errors)]),
                "reason": errors[0].code,
                "since": at(signal),
                "until": until,
                "tried": len(errors),
            }
        case _:
            return common


def _each(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value}))


def _spot(error: FleetError) -> str | None:
    return SPOT if "spot" in error.message.lower() else None


def _denied(error: FleetError, failure: LaunchFailure | None) -> str:
    """The operation that was denied, where the message says it."""
    if error.code == SPOT_ROLE:
        return CREATE_ROLE
    if failure is not None and failure.denial is not None and failure.denial.action:
        return failure.denial.action
    return _operation(f"{error.message} {failure.detail if failure else ''}")


def _operation(text: str) -> str:
    found = _OPERATION.search(text)
    return f"{found[1].lower()}:{found[2]}" if found else ""


def _node_class(signal: Signal, failure: LaunchFailure) -> Cause:
    named = _NODE_CLASS.search(failure.detail)
    pool = pool_of_claim(signal.objects.get("NodeClaim", ""))
    return cause(
        "nodeclass-not-ready",
        _words_of(signal),
        (pool,),
        nodepool=pool,
        nodeclass=signal.objects.get("EC2NodeClass", "") or (named[1] if named else ""),
        condition="Ready",
        reason="",
        message=failure.detail,
    )


def _words_of(signal: Signal) -> str:
    offering = (signal.facts.get(name, "") for name in ("reason", "instance-type", "zone", "capacity-type"))
    return " ".join(word for word in (signal.message, *offering) if word)


def _look(signal: Signal) -> tuple[Need, ...]:
    return (need("nodeclaim", nodeclaim=signal.objects.get("NodeClaim", "")), need("launch-log"))


def _needs(signal: Signal, failure: LaunchFailure, causes: list[Cause]) -> tuple[Need, ...]:
    found = {one.id for one in causes}
    needs = [*([need("whole-line")] if failure.truncated else [])]
    if failure.denial is not None and failure.denial.encoded:
        needs.append(need("decode"))
    if "vcpu-quota-exceeded" in found:
        needs.append(need("quotas"))
    if "subnet-out-of-ips" in found:
        needs.append(need("subnets"))
    if not found or signal.kind is SignalKind.LAUNCH_FAILED:
        needs.extend(_look(signal))
    return tuple(needs)
