"""Launches that failed: EC2's codes and Karpenter's condition reasons -> causes. One table decides which means what.

Codes: aws/karpenter-provider-aws pkg/errors/errors.go (v1.15). A code that several offerings got is one cause.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from bot.diagnosis.denials import CREATE_ROLE, denial_facts, operation_in
from bot.diagnosis.proven import at, cause, pool_of_claim
from bot.karpenter import FleetError, LaunchFailure, Signal
from bot.model.diagnosis import Cause, Fact
from bot.model.labels import SPOT

MARK: Final = timedelta(minutes=3)
"""How long Karpenter leaves out an offering that EC2 refused (pkg/cache, UnavailableOfferingsTTL)."""
SPOT_ROLE: Final = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
UNSUPPORTED: Final = "Unsupported"
CAUSE_OF_CODE: Final = {
    "VcpuLimitExceeded": "vcpu-quota-exceeded",
    "MaxSpotInstanceCountExceeded": "vcpu-quota-exceeded",
    "InstanceLimitExceeded": "vcpu-quota-exceeded",
    "SpotMaxPriceTooLow": "capacity-unavailable",
    "MaxFleetCountExceeded": "fleet-quota-exceeded",
    "InsufficientFreeAddressesInSubnet": "subnet-out-of-ips",
    "InsufficientCidrBlocks": "subnet-out-of-ips",
    "SubnetIsFull": "subnet-out-of-ips",
    SPOT_ROLE: "not-authorized",
    "UnauthorizedOperation": "not-authorized",
    "Client.UnauthorizedOperation": "not-authorized",
    "AccessDenied": "not-authorized",
    "AccessDeniedException": "not-authorized",
    "AuthFailure": "not-authorized",
    "InsufficientInstanceCapacity": "capacity-unavailable",
    "InsufficientHostCapacity": "capacity-unavailable",
    "InsufficientCapacityOnOutpost": "capacity-unavailable",
    "UnfulfillableCapacity": "capacity-unavailable",
    "InsufficientReservedInstanceCapacity": "reservation-exhausted",
    "ReservationCapacityExceeded": "reservation-exhausted",
    "RequestLimitExceeded": "api-throttled",
    "Throttling": "api-throttled",
    "ThrottlingException": "api-throttled",
}
_REASONS: Final = {  # condition reasons of NodeClaims and EC2NodeClasses (ToReasonMessage; nodeclass/validation.go)
    "SpotSLRCreationFailed": "not-authorized",
    "Unauthorized": "not-authorized",
    "AMIAuthorizationFailure": "not-authorized",
    "SpotQuotaExceeded": "vcpu-quota-exceeded",
    "VCPULimitExceeded": "vcpu-quota-exceeded",
    "FleetQuotaExceeded": "fleet-quota-exceeded",
    "InsufficientFreeAddressesInSubnet": "subnet-out-of-ips",
    "InsufficientCapacity": "capacity-unavailable",
    "RequestLimitExceeded": "api-throttled",
    "NodeClassNotReady": "nodeclass-not-ready",
    "NodeClassReadinessUnknown": "nodeclass-not-ready",
    "NodeClassNotFound": "nodeclass-not-ready",
}
ORDER: Final = (
    "not-authorized",
    "vcpu-quota-exceeded",
    "fleet-quota-exceeded",
    "subnet-out-of-ips",
    "reservation-exhausted",
    "nodeclass-not-ready",
    "zone-not-offered",
    "launch-failed",
    "api-throttled",
    "capacity-unavailable",
)
"""What a person can mend comes before what only waiting mends."""
_ABOUT: Final = (  # what in the EC2NodeClass (or the account) EC2 objects to: the first row whose words occur
    ("kms", re.compile(r"KMS|InvalidKms|CMK|encrypt", re.I)),
    ("user-data", re.compile(r"user data", re.I)),
    ("ami", re.compile(r"InvalidAMI|\bami-|\bAMIs?\b|image id|image architecture|architecture", re.I)),
    ("instance-profile", re.compile(r"iamInstanceProfile|instance profile", re.I)),
    ("security-group", re.compile(r"security ?group|belong to different networks|\bsg-", re.I)),
    ("block-device", re.compile(r"block ?device|snapshot|volume ?size|iops", re.I)),
    ("launch-template", re.compile(r"launch ?template|\blt-", re.I)),
    ("account", re.compile(r"PendingVerification|Free Tier|OptInRequired|Blocked", re.I)),
    ("tags", re.compile(r"\btags?\b", re.I)),
)
_WRONG_ZONE: Final = "is not supported in your requested Availability Zone"
_NODE_CLASS: Final = re.compile(
    r'(?:nodeclass|EC2NodeClass)(?:\.karpenter\.k8s\.aws)?[ =]"?([a-z0-9][a-z0-9.-]{0,252})', re.I
)


def launch_causes(signal: Signal, failure: LaunchFailure) -> tuple[Cause, ...]:
    """Every cause that a failed launch's error proves, what can be mended first."""
    if failure.reason == "NodeClassNotReady":
        return (_node_class(signal, failure),)
    return tuple(sorted(_of_failure(signal, failure), key=lambda one: ORDER.index(one.id)))


def unnamed_capacity(signal: Signal) -> Cause:
    """`all requested instance types were unavailable during launch`: every offering is marked; EC2's codes were said before."""
    code = FleetError(code="InsufficientCapacityError", message=signal.message)
    pool = pool_of_claim(signal.objects.get("NodeClaim", ""))
    return cause("capacity-unavailable", words_of(signal), (pool,), **{**_capacity(signal, [code]), "tried": 0})


def mark_cause(signal: Signal) -> Cause | None:
    """`removing offering from offerings`: what EC2 said of one offering; None where the code says too little."""
    reason = signal.facts.get("reason", "")
    cause_id = CAUSE_OF_CODE.get(reason)
    if cause_id is None:
        return None
    error = FleetError(
        code=reason,
        message=signal.message,
        instance_type=signal.facts.get("instance-type") or None,
        zone=signal.facts.get("zone") or None,
    )
    return cause(cause_id, words_of(signal), (), **_facts(cause_id, signal, None, [error]))


def reason_cause(signal: Signal, reason: str, message: str) -> Cause:
    """The cause behind a NodeClaim's condition Launched; the reason is one of Karpenter's own words."""
    cause_id = _REASONS.get(reason, "launch-failed")
    nodeclaim = signal.objects.get("NodeClaim", "")
    facts: dict[str, Fact] = {"nodeclaim": nodeclaim, "message": message}
    match cause_id:
        case "not-authorized":
            slr = reason == "SpotSLRCreationFailed"
            facts |= denial_facts(CREATE_ROLE if slr else operation_in(message), message)
        case "vcpu-quota-exceeded":
            facts |= {
                "instance_types": (),
                "bought": (SPOT if reason.startswith("Spot") else "on-demand",),
                "limit": "",
                "quotas": "",
            }
        case "nodeclass-not-ready":
            facts |= {"nodepool": pool_of_claim(nodeclaim), "nodeclass": "", "condition": "Ready", "reason": ""}
        case "launch-failed":
            facts |= {"code": reason, "about": about_of(f"{reason} {message}")}
        case "capacity-unavailable":
            facts = _capacity(signal, [FleetError(code=reason, message=message)])
    return cause(cause_id, words_of(signal), (pool_of_claim(nodeclaim),), **facts)


def about_of(text: str) -> str:
    """What EC2 objects to: `ami`, `launch-template`, `user-data` ...; "" where its words do not say."""
    return next((about for about, pattern in _ABOUT if pattern.search(text)), "")


def _of_failure(signal: Signal, failure: LaunchFailure) -> Iterator[Cause]:
    grouped: dict[tuple[str, str], list[FleetError]] = {}
    for error in failure.errors:
        cause_id = cause_of(error)
        grouped.setdefault((cause_id, error.code if cause_id == "launch-failed" else ""), []).append(error)
    pool = (pool_of_claim(signal.objects.get("NodeClaim", "")),)
    for (cause_id, code), errors in grouped.items():
        if failure.truncated and code == UNSUPPORTED:
            continue  # the zone that would make it a matter of zones may have been cut off
        yield cause(cause_id, words_of(signal), pool, **_facts(cause_id, signal, failure, errors))
    if not failure.errors and not failure.insufficient_capacity and not failure.truncated:
        yield _without_code(signal, failure)


def _without_code(signal: Signal, failure: LaunchFailure) -> Cause:
    """Karpenter's own errors before EC2 was asked, and denials that carry no code in the usual place."""
    cause_id = "not-authorized" if failure.denial is not None else "launch-failed"
    facts = _facts(cause_id, signal, failure, [FleetError(code=failure.reason, message=failure.detail)])
    return cause(cause_id, words_of(signal), (pool_of_claim(signal.objects.get("NodeClaim", "")),), **facts)


def cause_of(error: FleetError) -> str:
    """The cause id of one of EC2's errors."""
    if error.code == UNSUPPORTED and error.instance_type and error.zone and _WRONG_ZONE in error.message:
        return "zone-not-offered"
    return CAUSE_OF_CODE.get(error.code, "launch-failed")


def _facts(cause_id: str, signal: Signal, failure: LaunchFailure | None, errors: list[FleetError]) -> dict[str, Fact]:  # noqa: PLR0911 (a table)
    types, zones = each(e.instance_type for e in errors), each(e.zone for e in errors)
    message = errors[0].message
    common: dict[str, Fact] = {"nodeclaim": signal.objects.get("NodeClaim", ""), "message": message}
    match cause_id:
        case "vcpu-quota-exceeded":
            return {**common, "instance_types": types, **_quota(signal, errors)}
        case "not-authorized":
            return {**common, **denial_facts(_denied(errors[0], failure), message, failure.denial if failure else None)}
        case "launch-failed":
            return {**common, "code": errors[0].code, "about": about_of(f"{errors[0].code} {message}")}
        case "reservation-exhausted":
            reservation = signal.facts.get("capacity-reservation-id", "")
            return {**common, "instance_types": types, "zones": zones, "reservation": reservation}
        case "zone-not-offered":
            offered = each(zone for error in errors for zone in error.other_zones)
            asked: dict[str, Fact] = {"zones": zones, "offered_zones": offered, "wanted_by": "CreateFleet"}
            return {"instance_type": types[0], "instance_types": types, **asked}
        case "capacity-unavailable":
            return _capacity(signal, errors)
        case _:
            return common


def _quota(signal: Signal, errors: list[FleetError]) -> dict[str, Fact]:
    """Which quotas are used up: spot and on-demand instances have their own."""
    marked = signal.facts.get("capacity-type")
    bought = each([marked] if marked else [SPOT if e.code.startswith("MaxSpot") else "on-demand" for e in errors])
    limit = next((str(e.vcpu_limit) for e in errors if e.vcpu_limit is not None), "")
    said = next((e.message for e in errors if e.vcpu_limit is not None), errors[0].message)
    return {"bought": bought, "limit": limit, "message": said, "quotas": ""}


def _capacity(signal: Signal, errors: list[FleetError]) -> dict[str, Fact]:
    return {
        "instance_types": each(e.instance_type for e in errors),
        "zones": each(e.zone for e in errors),
        "capacity_types": each([signal.facts.get("capacity-type"), *map(_spot, errors)]),
        "reason": errors[0].code,
        "since": at(signal),
        "until": (signal.time + MARK).isoformat() if signal.time else "",
        "tried": len(errors),
    }


def each(values: Iterable[str | None]) -> tuple[str, ...]:
    """Each of the values once, sorted; what is not known is left out."""
    return tuple(sorted({value for value in values if value}))


def _spot(error: FleetError) -> str | None:
    return SPOT if "spot" in error.message.lower() else None


def _denied(error: FleetError, failure: LaunchFailure | None) -> str:
    """The operation that was denied, where the message says it."""
    if error.code == SPOT_ROLE:
        return CREATE_ROLE
    if failure is not None and failure.denial is not None and failure.denial.action:
        return failure.denial.action
    return operation_in(f"{error.message} {failure.detail if failure else ''}")


def _node_class(signal: Signal, failure: LaunchFailure) -> Cause:
    named = _NODE_CLASS.search(failure.detail)
    pool = pool_of_claim(signal.objects.get("NodeClaim", ""))
    return cause(
        "nodeclass-not-ready",
        words_of(signal),
        (pool,),
        nodepool=pool,
        nodeclass=signal.objects.get("EC2NodeClass", "") or (named[1] if named else ""),
        condition="Ready",
        reason="",
        message=failure.detail,
    )


def words_of(signal: Signal) -> str:
    """The signal's sentence with the offering that it is about."""
    offering = (signal.facts.get(name, "") for name in ("reason", "instance-type", "zone", "capacity-type"))
    return " ".join(word for word in (signal.message, *offering) if word)
