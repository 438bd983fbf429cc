"""What AWS denied: the operation, what it was denied for, and which kind of policy says so.

Messages: IAM's "User: … is not authorized to perform: … because …", EC2's encoded authorization failures.
"""

import re
from typing import Final

from bot.karpenter import Because, Denial
from bot.model.diagnosis import Fact

CREATE_ROLE: Final = "iam:CreateServiceLinkedRole"
_DENIED_CHECK: Final = "AuthCheckFailed"
"""How the reasons of a denied dry run end: `CreateFleetAuthCheckFailed` (karpenter-provider-aws nodeclass/validation.go)."""
_OPERATION: Final = re.compile(r"operation error (EC2|IAM|SSM|STS|KMS|Pricing|EKS): (\w{1,64})")
_NAMED: Final = re.compile(r"\b((?:ec2|iam|ssm|sts|kms|eks|pricing):[A-Z]\w{2,80})")
_ON_RESOURCE: Final = re.compile(r"on resource:? (arn:\S{1,1024})")
_WHATS: Final = (  # the first row that fits: what the permission is for
    ("spot-role", re.compile(r"CreateServiceLinkedRole|ServiceLinkedRole|AWSServiceRoleForEC2Spot")),
    ("pass-role", re.compile(r"iam:PassRole")),
    ("kms-key", re.compile(r"\bkms:|KMS key", re.I)),
    ("image", re.compile(r"Not authorized for images?", re.I)),
    ("instance-profile", re.compile(r"InstanceProfile")),
    ("launch-template", re.compile(r"LaunchTemplate")),
    ("create-fleet", re.compile(r"CreateFleet")),
    ("run-instances", re.compile(r"RunInstances")),
    ("tags", re.compile(r"CreateTags")),
    ("assume-role", re.compile(r"AssumeRole")),
)
_POLICIES: Final = {
    Because.NO_POLICY: "no-policy",
    Because.PERMISSIONS_BOUNDARY: "permissions-boundary",
    Because.SERVICE_CONTROL_POLICY: "service-control-policy",
    Because.OTHER_DENY: "explicit-deny",
    Because.UNSAID: "",
}
_IN_WORDS: Final = (  # Karpenter's shortened messages (errors.go, ToReasonMessage) and AWS's own
    ("service control policy", "service-control-policy"),
    ("permissions boundary", "permissions-boundary"),
    ("permission boundary", "permissions-boundary"),
    ("no identity-based policy allows", "no-policy"),
    ("explicit deny", "explicit-deny"),
)


def denial_facts(operation: str, message: str, denial: Denial | None = None) -> dict[str, Fact]:
    """`operation`, `denied` (what for: `run-instances`, `spot-role`, `kms-key` ...), `policy` (which kind says no),
    `resource`, and `encoded`: whether a part has to be decoded to know more.
    """
    on = _ON_RESOURCE.search(message)
    resource = (denial.resource if denial else "") or (on[1].rstrip(".") if on else "")
    text = f"{operation} {message} {resource}"
    known = _POLICIES[denial.because] if denial else ""
    return {
        "operation": operation,
        "denied": next((what for what, pattern in _WHATS if pattern.search(text)), ""),
        "policy": known or next((policy for words, policy in _IN_WORDS if words in message), ""),
        "resource": resource,
        "encoded": bool(denial and denial.encoded),
    }


def operation_in(text: str) -> str:
    """The operation that a message names: `ec2:CreateFleet`; "" where it names none."""
    found = _OPERATION.search(text)
    if found:
        return f"{found[1].lower()}:{found[2]}"
    named = _NAMED.search(text)
    return named[1] if named else ""


def is_denied_check(reason: str) -> bool:
    """Whether an EC2NodeClass is not ready because AWS denied the dry run of a launch."""
    return reason.endswith(_DENIED_CHECK)


def denied_check(reason: str, message: str) -> dict[str, Fact]:
    """The facts of such a denial: the reason names the operation."""
    operation = f"ec2:{reason.removesuffix(_DENIED_CHECK)}"
    return {"nodeclaim": "", "message": message, **denial_facts(operation, message)}
