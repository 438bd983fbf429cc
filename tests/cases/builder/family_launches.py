"""Families about launches: an EC2NodeClass that is not ready, for each of its conditions; EC2's and AWS's refusals; quotas.

Condition reasons and messages: karpenter-provider-aws pkg/controllers/nodeclass (v1.8.1); codes: EC2's error codes for
CreateFleet and RunInstances; what Karpenter makes of them: pkg/errors/errors.go.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from tests.cases.builder.blocked import CAPACITY, TYPE, devices
from tests.cases.builder.case import V1_8
from tests.cases.builder.claims import SHAPE, Promise, conditions
from tests.cases.builder.launches import QUOTA, ROLE, SPOT_QUOTA
from tests.cases.builder.moments import (
    CLAIM,
    POD,
    Moment,
    ago,
    claim_of,
    class_line,
    job,
    line,
    machine,
    nominated,
    refused_elsewhere,
    right,
    unready_class,
    waiting,
    with_conditions,
    worker,
)
from tests.cases.builder.objects import stamp
from tests.cases.builder.words import (
    DEFAULT,
    GPU,
    NOT_MET_NOR_ENOUGH,
    RIGHT_BUT_NOT_OFFERED,
    could_not_schedule,
    log_line,
    no_type,
    provisioner,
    refusal,
    unschedulable,
)

_AWAITS: Final = "object is awaiting reconciliation"
_WAITS_FOR: Final = ("ValidationSucceeded", "False", "DependenciesNotReady",
                     "Awaiting AMI, Instance Profile, Security Group, and Subnet resolution")  # fmt: skip
_DENIED: Final = "because no identity-based policy allows the {} action"
_IGNORED: Final = log_line(V1_8, ago(0.41), "ERROR", "ignoring nodepool, not ready",
                           provisioner(stamp(ago(0.41)), {"NodePool": {"name": "gpu"}}))  # fmt: skip
_NOT_CAPACITY: Final = ("capacity-unavailable", "requirement-conflict", "no-nodepool")


def _unready(name: str, about: str, /, *told: tuple[str, str, str, str], causes: Sequence[str] = (), log: Sequence[str] = (),
             **facts: object) -> Moment:  # fmt: skip
    objects, said = refused_elsewhere()
    found = causes or ("nodeclass-not-ready",)
    return Moment(
        name=name,
        about=about,
        objects=[*objects, *unready_class(*told)],
        log=[*log, _IGNORED, *said],
        expect=right("blocked", *found, not_causes=_NOT_CAPACITY, **facts),
    )


def _denial(action: str, resource: str) -> str:
    return (
        f"https response error StatusCode: 403, RequestID: 6b0d517c-7a8e-4b0e-9a8a-1f7f53d2c9c4, api error AccessDenied: User: "
        f"{ROLE} is not authorized to perform: {action} on resource: {resource} {_DENIED.format(action)}"
    )


def node_classes() -> Iterator[Moment]:
    """Each condition of an EC2NodeClass that can keep it from being ready."""
    yield _unready("subnets", "The subnet selector matches nothing.",
                   ("SubnetsReady", "False", "SubnetsNotFound", "SubnetSelector did not match any Subnets"), _WAITS_FOR,
                   condition="SubnetsReady", reason="SubnetsNotFound")  # fmt: skip
    yield _unready("security-groups", "The security group selector matches nothing.",
                   ("SecurityGroupsReady", "False", "SecurityGroupsNotFound",
                    "SecurityGroupSelector did not match any SecurityGroups"), _WAITS_FOR,
                   condition="SecurityGroupsReady", reason="SecurityGroupsNotFound")  # fmt: skip
    yield _unready("amis", "The AMI selector matches nothing.",
                   ("AMIsReady", "False", "AMINotFound", "AMISelector did not match any AMIs"), _WAITS_FOR,
                   condition="AMIsReady", reason="AMINotFound")  # fmt: skip
    role = (
        "arn:aws:iam::111122223333:instance-profile/karpenter/ap-northeast-2/training-on-eks/5d1c/training-on-eks_4067"
    )
    yield _unready(
        "instance-profile-denied",
        "Karpenter may not make the instance profile: the condition stays unknown, only the log says why.",
        ("InstanceProfileReady", "Unknown", "AwaitingReconciliation", _AWAITS),
        causes=("not-authorized", "nodeclass-not-ready"),
        log=[class_line(3, "Reconciler error",
                        "creating instance profile, operation error IAM: CreateInstanceProfile, "
                        + _denial("iam:CreateInstanceProfile", role))],
        operation="iam:CreateInstanceProfile", denied="instance-profile",
    )  # fmt: skip
    yield _unready("instance-profile", "The instance profile is not there yet, and nothing is logged about it.",
                   ("InstanceProfileReady", "Unknown", "AwaitingReconciliation", _AWAITS),
                   condition="InstanceProfileReady")  # fmt: skip
    yield _unready(
        "capacity-reservations",
        "Karpenter may not look at capacity reservations.",
        ("CapacityReservationsReady", "Unknown", "AwaitingReconciliation", _AWAITS),
        causes=("not-authorized", "nodeclass-not-ready"),
        log=[class_line(3, "Reconciler error",
                        "getting capacity reservations, listing capacity reservations, operation error EC2: "
                        "DescribeCapacityReservations, " + _denial("ec2:DescribeCapacityReservations", "*"))],
        operation="ec2:DescribeCapacityReservations",
    )  # fmt: skip
    yield _unready("tags", "The EC2NodeClass has a tag that Karpenter keeps for itself.",
                   ("ValidationSucceeded", "False", "TagValidationFailed",
                    '"karpenter.sh/nodeclaim" tag does not pass tag validation requirements'),
                   condition="ValidationSucceeded", reason="TagValidationFailed")  # fmt: skip
    for operation, denied in (("CreateLaunchTemplate", "launch-template"), ("CreateFleet", "create-fleet")):
        yield _unready(
            f"validation-{denied}",
            f"The dry run of {operation} was denied.",
            ("ValidationSucceeded", "False", f"{operation}AuthCheckFailed",
             f"Controller isn't authorized to call ec2:{operation}: User is not authorized to perform this operation because "
             "no identity-based policy allows it"),
            causes=("not-authorized", "nodeclass-not-ready"),
            operation=f"ec2:{operation}", denied=denied, policy="no-policy",
        )  # fmt: skip
    objects, said = refused_elsewhere()
    pool = unready_class(("Ready", "False", "", ""))[1]
    gone = ("NodeClassReady", "False", "NodeClassNotFound", "NodeClass not found on cluster")
    yield Moment(
        name="class-gone",
        about="The EC2NodeClass that the NodePool names does not exist.",
        objects=[*objects, with_conditions(pool, gone)],
        gone=["EC2NodeClass gpu"],
        log=said,
        expect=right("blocked", "nodeclass-not-ready", not_causes=_NOT_CAPACITY, condition="NodeClassReady",
                     reason="NodeClassNotFound", nodeclass="gpu"),
    )  # fmt: skip


# -- launches that Karpenter tries again on the same NodeClaim -------------------------------------------------------


def _kept(name: str, about: str, reason: str, errors: str, cause: str, /, *, stage: str = "with fleet error(s)",
          **facts: object) -> Moment:  # fmt: skip
    """The NodeClaim stays, not launched; its condition has Karpenter's reason, the log EC2's words."""
    pod = worker(since=2)
    claim = claim_of(machine(since=1.5, registered=False))
    message = f"Error creating fleet request: {errors}"[:300]
    stuck = conditions({}, "Launched", ago(1.4), reason, message)
    error = f"launching nodeclaim, creating instance, creating nodeclaim, {stage}, {errors}"
    promise = Promise(claim=CLAIM, at=ago(1.6))
    return Moment(
        name=name,
        about=about,
        objects=[job(), pod, unschedulable(pod, ago(1.9), "0/2 nodes are available: 2 node(s) didn't match Pod's node "
                                           "affinity/selector."),
                 nominated(pod, 1.6), {**claim, "status": {"conditions": stuck}}],
        log=[*promise.created([POD]), line(1.4, "Reconciler error", level="ERROR", host="", error=error)],
        expect=right("launching", cause, not_causes=["capacity-unavailable", "not-registered"], **facts),
    )  # fmt: skip


def _param(text: str) -> str:
    return f"InvalidParameterValue: {text}"


def launches() -> Iterator[Moment]:
    """EC2's and AWS's refusals of one launch."""
    key = "arn:aws:kms:ap-northeast-2:111122223333:key/5f0e7c1a-9b4d-4f0e-8f6a-3f1a2b5c7d90"
    yield _kept(
        "kms-key-denied",
        "The key of the encrypted volumes does not let Karpenter's role use it.",
        "Unauthorized",
        f"UnauthorizedOperation: You are not authorized to perform this operation. User: {ROLE} is not authorized to perform: "
        f"kms:CreateGrant on resource: {key} because no resource-based policy allows the kms:CreateGrant action",
        "not-authorized", denied="kms-key", operation="kms:CreateGrant",
    )  # fmt: skip
    yield _kept("kms-key-disabled", "The key of the encrypted volumes is disabled.", "LaunchFailed",
                f"Client.InvalidKMSKey.InvalidState: The KMS key {key} is in an incorrect state: Disabled.",
                "launch-failed", about="kms")  # fmt: skip
    yield _kept("launch-template-gone", "Another tool deletes Karpenter's launch templates.", "LaunchTemplateNotFound",
                "InvalidLaunchTemplateId.NotFound: The specified launch template, with template ID lt-0a1b2c3d4e5f60718, does "
                "not exist.", "launch-failed", about="launch-template")  # fmt: skip
    yield _kept("ami-gone", "The AMI was deregistered.", "AMINotFound",
                "InvalidAMIID.NotFound: The image id '[ami-0c1a7f89451184c8b]' does not exist", "launch-failed",
                about="ami")  # fmt: skip
    yield _kept("ami-not-shared", "The AMI is another account's and not shared with this one.", "AMIAuthorizationFailure",
                "AuthFailure: Not authorized for images: [ami-0c1a7f89451184c8b]", "not-authorized", denied="image")  # fmt: skip
    yield _kept("no-ami-for-types", "No AMI of the class fits the instance types.", "LaunchFailed",
                "no amis exist given constraints", "launch-failed",
                stage="getting launch template configs, getting launch templates", about="ami")  # fmt: skip
    yield _kept("volume-too-small", "The volume is smaller than the AMI's snapshot.", "LaunchFailed",
                "InvalidBlockDeviceMapping: Volume of size 20GB is smaller than snapshot 'snap-0a1b2c3d4e5f60718', expect size "
                ">= 30GB", "launch-failed", about="block-device")  # fmt: skip
    yield _kept("two-vpcs", "Security groups and subnets lie in two VPCs.", "LaunchFailed",
                "InvalidParameter: Security group sg-0d3b5a7c9e1f20468 and subnet subnet-0a1b2c3d4e5f6a70a belong to different "
                "networks.", "launch-failed", about="security-group")  # fmt: skip
    yield _kept("profile-deleted", "The instance profile was deleted under the EC2NodeClass.", "InstanceProfileNameInvalid",
                _param("Value (training-on-eks_4067990795380418201) for parameter iamInstanceProfile.name is invalid. Invalid "
                       "IAM Instance Profile name"), "launch-failed", about="instance-profile")  # fmt: skip
    yield _kept("user-data-too-long", "The user data is longer than EC2 takes.", "LaunchFailed",
                _param("User data is limited to 16384 bytes"), "launch-failed", about="user-data")  # fmt: skip
    yield _kept("account-pending", "The account is still being verified.", "AccountPendingVerification",
                "PendingVerification: Your request for accessing resources in this region is being validated, and you will not "
                "be able to launch additional resources in this region until the validation is complete.",
                "launch-failed", about="account")  # fmt: skip


# -- quotas ----------------------------------------------------------------------------------------------------------

_G_ON_DEMAND, _G_SPOT = "L-DB2E81BA", "L-3819A6DF"


def _after(name: str, about: str, errors: str, selector: dict[str, str], /, **facts: object) -> Moment:
    """EC2 refused the launch for a quota; Karpenter has taken the offerings out and refuses the pod for it."""
    pod = worker(since=4, nodeSelector=selector)
    promise = Promise(claim="gpu-2nq8w", at=ago(1))
    lines, event = promise.refused(errors)
    why = refusal(no_type(RIGHT_BUT_NOT_OFFERED, GPU, selector, devices(4, 1)),
                  no_type(NOT_MET_NOR_ENOUGH, DEFAULT, selector, devices(4, 1)))  # fmt: skip
    return Moment(
        name=name,
        about=about,
        objects=[job(), pod, nominated(pod, 1, "gpu-2nq8w"), event],
        log=[*promise.created([POD]), *lines, *could_not_schedule(V1_8, ago(0.5), [POD], why)],
        expect=right(
            "blocked", "vcpu-quota-exceeded", not_causes=["capacity-unavailable", "requirement-conflict"], **facts
        ),
    )


def quotas() -> Iterator[Moment]:
    """vCPU quotas: told by EC2, told by Service Quotas before anything was tried, and where there is room after all."""
    pinned = {TYPE: SHAPE}
    yield _after("spot-quota", "The quota of spot vCPUs is used up.", SPOT_QUOTA, {**pinned, CAPACITY: "spot"},
                 bought=["spot"])  # fmt: skip
    yield _after("on-demand-quota", "The quota of on-demand vCPUs is used up.", QUOTA.replace("of 0", "of 64"),
                 {**pinned, CAPACITY: "on-demand"}, bought=["on-demand"], limit="64")  # fmt: skip
    yield Moment(
        name="foretold-zero",
        about="Nothing was tried yet, and Service Quotas says 0 for G instances on demand and as spot: EC2 will refuse.",
        objects=waiting(),
        quotas={_G_ON_DEMAND: 0, _G_SPOT: 0},
        expect=right("blocked", "vcpu-quota-exceeded", not_causes=["capacity-unavailable"], limit="0",
                     bought=["on-demand", "spot"]),
    )  # fmt: skip
    yield Moment(
        name="foretold-half",
        about="The near miss: there is no quota for spot, and enough on demand. Karpenter comes to that.",
        objects=waiting(),
        quotas={_G_SPOT: 0},
        expect=right("launchable", not_causes=["vcpu-quota-exceeded"]),
    )
