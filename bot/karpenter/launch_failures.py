"""Why a NodeClaim was not launched: Karpenter's error text -> the EC2 codes, and the reason Karpenter files it under.

Homes (aws/karpenter-provider-aws): pkg/providers/instance/instance.go `combineFleetErrors` and `launchInstance`,
pkg/errors/errors.go `ToReasonMessage` and `unfulfillableCapacityErrorCodes`, pkg/cloudprovider/cloudprovider.go `Create`;
karpenter pkg/cloudprovider/types.go (`insufficient capacity, `, `NodeClassRef not ready, `, `creating nodeclaim, `).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_ERROR: Final = 200_000

CAPACITY_CODES: Final = frozenset(
    {
        "InsufficientInstanceCapacity",
        "MaxSpotInstanceCountExceeded",
        "VcpuLimitExceeded",
        "UnfulfillableCapacity",
        "Unsupported",
        "InsufficientFreeAddressesInSubnet",
        "MaxFleetCountExceeded",
        "ReservationCapacityExceeded",
    }
)
"""Codes that mark an offering unavailable for three minutes, quotas and unsupported zones among them."""

_UNAUTHORIZED: Final = "Unauthorized"
_REASONS: Final = (  # ToReasonMessage tests these substrings in this order; `+`: both must be there
    ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", "SpotSLRCreationFailed"),
    ("UnauthorizedOperation", _UNAUTHORIZED),
    ("AccessDenied", _UNAUTHORIZED),
    ("AuthFailure", _UNAUTHORIZED),
    ("InvalidParameter+belong to different networks", "SecurityGroupSubnetVPCMismatch"),
    ("iamInstanceProfile.name is invalid", "InstanceProfileNameInvalid"),
    ("InvalidLaunchTemplateId.NotFound", "LaunchTemplateNotFound"),
    ("User data is limited to", "UserDataSizeLimitExceeded"),
    ("InvalidAMIID.Malformed", "InvalidAMIID"),
    ("InvalidAMIID.NotFound", "AMINotFound"),
    ("RequestLimitExceeded", "RequestLimitExceeded"),
    ("InternalError", "InternalError"),
    ("not eligible for Free Tier", "FreeTierIneligible"),
    ("MaxFleetCountExceeded", "FleetQuotaExceeded"),
    ("PendingVerification", "AccountPendingVerification"),
    ("MaxSpotInstanceCountExceeded", "SpotQuotaExceeded"),
    ("VcpuLimitExceeded", "VCPULimitExceeded"),
    ("InsufficientFreeAddressesInSubnet", "InsufficientFreeAddressesInSubnet"),
)
_STAGES: Final = (  # the wrapped steps of a launch, outermost first, as the errors print them
    "launching nodeclaim",
    "launching machine",
    "creating instance",
    "creating nodeclaim",
    "insufficient capacity",
    "NodeClassRef not ready",
    "resolving node class",
    "resolving nodeclass",
    "resolving node template",
    "resolving ec2nodeclass",
    "resolving NodeClass readiness",
    "resolving nodeclass readiness",
    "resolving instance types",
    "getting subnets",
    "getting launch template configs",
    "getting launch templates",
    "creating launch template",
    "creating fleet request",
    "creating fleet",
    "launch templates not found when creating fleet request",
    "truncating instance types based on the passed-in requirements",
    "truncating instance types",
    "with fleet error(s)",
)


class Because(StrEnum):
    """What IAM says a denial rests on."""

    NO_POLICY = "no identity-based policy allows it"
    PERMISSIONS_BOUNDARY = "an explicit deny in a permissions boundary"
    SERVICE_CONTROL_POLICY = "an explicit deny in a service control policy"
    OTHER_DENY = "an explicit deny"
    UNSAID = "not said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """What AWS says was denied. Fields are empty where its message does not say."""

    principal: str = ""
    action: str = ""
    resource: str = ""
    because: Because = Because.UNSAID
    encoded: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetError:
    """One of EC2's errors, with what its message names. `other_zones` are zones that EC2 says have capacity."""

    code: str
    message: str
    instance_type: str | None = None
    zone: str | None = None
    other_zones: tuple[str, ...] = ()
    subnet: str | None = None
    vcpu_limit: int | None = None

    @property
    def marks_offering(self) -> bool:
        """True for the codes after which Karpenter takes the offering out for three minutes."""
        return self.code in CAPACITY_CODES


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFailure:
    """A launch that failed. `insufficient_capacity`: Karpenter deletes the NodeClaim and tries elsewhere; otherwise it
    retries the same one. `reason` is the condition reason it files it under: the first that any of the errors calls for
    (LaunchFailed when it knows no better). Read `errors` for all of them. Where `truncated`, what was cut off may have
    said more: False and LaunchFailed then only mean that nothing else was seen.
    """

    insufficient_capacity: bool
    reason: str
    stages: tuple[str, ...] = ()
    errors: tuple[FleetError, ...] = ()
    denial: Denial | None = None
    detail: str = ""
    truncated: bool = False


_STAGE = re.compile("|".join(re.escape(f"{stage}, ") for stage in sorted(_STAGES, key=len, reverse=True)))
_AWS_FACTS = re.compile(r" \(aws-error-code=[^()]*\)$")
_CODE = r"[A-Z][A-Za-z]{2,80}(?:\.[A-Za-z]{1,80})?"
_NEXT_ERROR = re.compile(rf"; (?={_CODE}: )")
_ERROR = re.compile(rf"({_CODE}): (.*)", re.DOTALL)
_API_ERROR = re.compile(rf"api error ({_CODE}): (.*)", re.DOTALL)
_INSTANCE_TYPE = re.compile(
    r"\b([a-z][a-z0-9-]{0,20}\.(?:nano|micro|small|medium|\d{0,3}x?large|metal(?:-\w{1,6})?))\b"
)
_ZONE = re.compile(r"\b([a-z]{2}(?:-[a-z]{1,10}){1,3}-\d[a-z])\b")
_SUBNET = re.compile(r"\b(subnet-[0-9a-f]{8,17})(?=\W)")  # what follows shows that it did not break off
_VCPU_LIMIT = re.compile(r"vCPU limit of (\d{1,9})(?= )")
_ALTERNATIVES = re.compile(r"or choosing |You can currently get ")
_DENIED = re.compile(r"User: (\S{1,512}) is not authorized")
_DENIED_ACTION = re.compile(r"perform:? ([a-z][a-z0-9-]{0,63}:[A-Z]\w{0,127})(?: on resource:? (\S{1,1024}))?")
_ENCODED = re.compile(r"Encoded authorization failure message: ([\w-]{16,})")
_BECAUSE: Final = (
    ("with an explicit deny in a permissions boundary", Because.PERMISSIONS_BOUNDARY),
    ("with an explicit deny in a service control policy", Because.SERVICE_CONTROL_POLICY),
    ("with an explicit deny", Because.OTHER_DENY),
    ("because no identity-based policy allows", Because.NO_POLICY),
)


def parse_launch_failure(text: str, *, truncated: bool = False) -> LaunchFailure | None:
    """Reads a launch error; None when the text is not of a launch. A text that ends in dots counts as truncated: events
    carry 300 characters of it.
    """
    text = text[:LONGEST_ERROR]
    truncated = truncated or text.endswith(("...", "…"))
    rest, stages = _AWS_FACTS.sub("", text), []
    while step := _STAGE.match(rest):
        stages.append(step[0][:-2])
        rest = rest[step.end() :]
    errors = _parse_errors(rest, in_fleet="with fleet error(s)" in stages or "creating nodeclaim" in stages)
    certain = rest.rpartition(" ")[0] if truncated else rest  # the last word may have gone on
    if not stages and not errors:
        return None
    return LaunchFailure(
        insufficient_capacity="insufficient capacity" in stages,
        reason=_reason(certain, stages),
        stages=tuple(stages),
        errors=errors,
        denial=_parse_denial(certain, truncated=truncated),
        detail=rest,
        truncated=truncated,
    )


def _parse_errors(text: str, *, in_fleet: bool) -> tuple[FleetError, ...]:
    api = _API_ERROR.search(text)
    if api and not in_fleet:
        return (_fleet_error(api[1], api[2]),)
    found = [_ERROR.fullmatch(part) for part in _NEXT_ERROR.split(text)]
    return tuple(_fleet_error(one[1], one[2]) for one in found if one)


def _fleet_error(code: str, message: str) -> FleetError:
    message = message.split("\n\tstatus code:", maxsplit=1)[0]
    asked, *alternatives = _ALTERNATIVES.split(message)
    instance_type, zone = _INSTANCE_TYPE.search(asked), _ZONE.search(asked)
    subnet, limit = _SUBNET.search(message), _VCPU_LIMIT.search(message)
    return FleetError(
        code=code,
        message=message,
        instance_type=instance_type[1] if instance_type else None,
        zone=zone[1] if zone else None,
        other_zones=tuple(_ZONE.findall(" ".join(alternatives))),
        subnet=subnet[1] if subnet else None,
        vcpu_limit=int(limit[1]) if limit else None,
    )


def _reason(text: str, stages: list[str]) -> str:
    if "NodeClassRef not ready" in stages:
        return "NodeClassNotReady"
    if any(stage in stages for stage in ("resolving node class", "resolving nodeclass", "resolving node template")):
        return "NodeClassNotFound"
    for needle, reason in _REASONS:
        if all(part in text for part in needle.split("+")):
            return (
                "AMIAuthorizationFailure" if reason == _UNAUTHORIZED and "Not authorized for images" in text else reason
            )
    if "resolving instance types" in stages:
        return "InstanceTypeResolutionFailed"
    if "getting subnets" in stages:
        return "SubnetResolutionFailed"
    return "InsufficientCapacity" if "insufficient capacity" in stages else "LaunchFailed"


def _parse_denial(text: str, *, truncated: bool) -> Denial | None:
    if not any(word in text for word in ("UnauthorizedOperation", "AccessDenied", "AuthFailure", "not authorized")):
        return None
    who, what, encoded = _DENIED.search(text), _DENIED_ACTION.search(text), _ENCODED.search(text)
    because = next((one for needle, one in _BECAUSE if needle in text), Because.UNSAID)
    if truncated and because is Because.OTHER_DENY:
        because = Because.UNSAID
    return Denial(
        principal=who[1] if who else "",
        action=what[1] if what else "",
        resource=(what[2] or "").rstrip(".") if what else "",
        because=because,
        encoded=encoded[1] if encoded else "",
    )
