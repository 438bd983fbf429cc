"""Launch errors: EC2's codes, what their messages name, and the reason that Karpenter files them under."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.karpenter import (
    Because,
    Denial,
    LaunchFailure,
    Obstacle,
    SchedulerVerdict,
    SignalKind,
    parse_launch_failure,
    parse_line,
    parse_scheduler_message,
    read_line,
)

_ICE_TEXT: Final = (
    "We currently do not have sufficient p5.48xlarge capacity in the Availability Zone you requested (us-east-1b). Our "
    "system will be working on provisioning additional capacity. You can currently get p5.48xlarge capacity by not "
    "specifying an Availability Zone in your request or choosing us-east-1c, us-east-1d."
)
_VCPU_TEXT: Final = (
    "You have requested more vCPU capacity than your current vCPU limit of 64 allows for the instance bucket that the "
    "specified instance type belongs to."
)
_AWS_FACTS: Final = (
    " (aws-error-code=UnfulfillableCapacity, aws-operation-name=CreateFleet, aws-request-id=1-2, "
    "aws-service-name=EC2, aws-status-code=200)"
)
_DENIED: Final = (
    "You are not authorized to perform this operation. User: arn:aws:sts::111122223333:assumed-role/karpenter/1 is not "
    "authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:us-east-1:111122223333:subnet/* {why}. Encoded "
    "authorization failure message: q7Zk1vT9xYb3q7Zk1vT9"
)


@pytest.mark.parametrize("facts", ["", _AWS_FACTS], ids=["before v1.5", "since v1.5"])
def test_all_errors_of_lacking_capacity(facts: str) -> None:
    text = (
        "creating instance, insufficient capacity, with fleet error(s), InsufficientInstanceCapacity: "
        f"{_ICE_TEXT}; VcpuLimitExceeded: {_VCPU_TEXT}{facts}"
    )
    failure = parse_launch_failure(text)
    assert failure is not None
    assert failure.insufficient_capacity
    assert [error.code for error in failure.errors] == ["InsufficientInstanceCapacity", "VcpuLimitExceeded"]
    ice, vcpu = failure.errors
    assert (ice.instance_type, ice.zone, ice.other_zones) == ("p5.48xlarge", "us-east-1b", ("us-east-1c", "us-east-1d"))
    assert (vcpu.vcpu_limit, vcpu.marks_offering, vcpu.message) == (64, True, _VCPU_TEXT)
    assert failure.reason == "VCPULimitExceeded"


def test_one_error_of_another_kind_makes_it_a_retry() -> None:
    text = f"creating instance, creating nodeclaim, UnauthorizedOperation: denied; InsufficientInstanceCapacity: {_ICE_TEXT}"
    failure = parse_launch_failure(text)
    assert failure is not None
    assert not failure.insufficient_capacity
    assert [error.marks_offering for error in failure.errors] == [False, True]
    assert failure.reason == "Unauthorized"


@pytest.mark.parametrize(
    ("why", "because"),
    [
        ("because no identity-based policy allows the ec2:RunInstances action", Because.NO_POLICY),
        ("with an explicit deny in a service control policy", Because.SERVICE_CONTROL_POLICY),
        ("with an explicit deny in a permissions boundary", Because.PERMISSIONS_BOUNDARY),
        ("with an explicit deny in an identity-based policy", Because.OTHER_DENY),
    ],
)
def test_a_denial_says_who_what_and_why(why: str, because: Because) -> None:
    failure = parse_launch_failure(
        "creating instance, creating fleet request, operation error EC2: CreateFleet, https response error StatusCode: "
        f"403, RequestID: 1-2, api error UnauthorizedOperation: {_DENIED.format(why=why)}"
    )
    assert failure is not None
    assert failure.reason == "Unauthorized"
    assert failure.denial == Denial(
        principal="arn:aws:sts::111122223333:assumed-role/karpenter/1",
        action="ec2:RunInstances",
        resource="arn:aws:ec2:us-east-1:111122223333:subnet/*",
        because=because,
        encoded="q7Zk1vT9xYb3q7Zk1vT9",
    )


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("insufficient capacity, all requested instance types were unavailable during launch",
         SignalKind.LAUNCH_FAILED_ICE, "InsufficientCapacity"),
        ('insufficient capacity, resolving node class, ec2nodeclasses.karpenter.k8s.aws "gpu" not found',
         SignalKind.NODECLASS_UNRESOLVED, "NodeClassNotFound"),
        ("NodeClassRef not ready, SubnetsReady=False", SignalKind.NODECLASS_NOT_READY, "NodeClassNotReady"),
        ("creating instance, insufficient capacity, with fleet error(s), "
         "AuthFailure.ServiceLinkedRoleCreationNotPermitted: The provided credentials do not have permission",
         SignalKind.LAUNCH_FAILED_ICE, "SpotSLRCreationFailed"),
        ("creating instance, insufficient capacity, with fleet error(s), InsufficientFreeAddressesInSubnet: There are "
         "not enough free addresses in subnet 'subnet-0c1d2e3f4a5b6c7d8' to satisfy the request",
         SignalKind.LAUNCH_FAILED_ICE, "InsufficientFreeAddressesInSubnet"),
        ("resolving instance types, no subnets found", SignalKind.LAUNCH_FAILED, "InstanceTypeResolutionFailed"),
        ("creating instance, getting launch template configs, getting launch templates, no instance types satisfy "
         "requirements of amis [ami-0123]", SignalKind.LAUNCH_FAILED, "LaunchFailed"),
    ],
)  # fmt: skip
def test_a_failed_launch_in_the_log(text: str, kind: SignalKind, reason: str) -> None:
    line = parse_line(
        f'{{"level":"ERROR","message":"failed launching nodeclaim","error":"{text.replace(chr(34), chr(92) + chr(34))}"}}'
    )
    assert line is not None
    signal = read_line(line)
    assert isinstance(signal.detail, LaunchFailure)
    assert (signal.kind, signal.detail.reason) == (kind, reason)
    if "subnet-" in text:
        assert signal.detail.errors[0].subnet == "subnet-0c1d2e3f4a5b6c7d8"


def test_an_error_that_ends_in_dots_was_cut() -> None:
    failure = parse_launch_failure(
        "creating instance, insufficient capacity, with fleet error(s), UnauthorizedOperation: this principal may not "
        "perform ec2:CreateFleet on resource arn:aws:ec2:eu-west-1:1:fleet/* because no identity-based policy allows it. "
        "Encoded authorization failure message: q7Zk1vT9xYb3q7Zk1vT9xYb3…"
    )
    assert failure is not None
    assert failure.truncated
    assert failure.denial == Denial(
        action="ec2:CreateFleet", resource="arn:aws:ec2:eu-west-1:1:fleet/*", because=Because.NO_POLICY
    )


def test_v0_32_logged_the_error_as_the_message() -> None:
    line = parse_line(
        '{"level":"ERROR","logger":"controller.nodeclaim.lifecycle","message":"creating instance, insufficient capacity, '
        'with fleet error(s), InsufficientInstanceCapacity: none left","commit":"1072d3b","nodeclaim":"gpu-1"}'
    )
    assert line is not None
    signal = read_line(line)
    assert signal.kind is SignalKind.LAUNCH_FAILED_ICE
    assert signal.objects == {"NodeClaim": "gpu-1"}


_WHOLE: Final = (
    "launching nodeclaim, creating instance, creating nodeclaim, AuthFailure.ServiceLinkedRoleCreationNotPermitted: no; "
    f"VcpuLimitExceeded: {_VCPU_TEXT}; InsufficientFreeAddressesInSubnet: There are not enough free addresses in subnet "
    f"'subnet-0c1d2e3f4a5b6c7d8'; InsufficientInstanceCapacity: {_ICE_TEXT}; UnauthorizedOperation: "
    + _DENIED.format(why="with an explicit deny in a service control policy")
)


def test_a_cut_error_never_names_another_code_limit_or_denial() -> None:
    whole = parse_launch_failure(_WHOLE)
    assert whole is not None
    assert whole.denial is not None
    codes = [error.code for error in whole.errors]
    for end in range(len(_WHOLE)):
        failure = parse_launch_failure(_WHOLE[:end], truncated=True)
        if failure is None:
            continue
        assert [error.code for error in failure.errors] == codes[: len(failure.errors)]
        assert failure.reason in {"LaunchFailed", whole.reason}
        for cut, full in zip(failure.errors, whole.errors, strict=False):
            assert cut.vcpu_limit in {None, full.vcpu_limit}
            assert cut.instance_type in {None, full.instance_type}
            assert cut.zone in {None, full.zone}
            assert cut.subnet in {None, full.subnet}
        if failure.denial:
            assert failure.denial.action in {"", whole.denial.action}
            assert failure.denial.because in {Because.UNSAID, whole.denial.because}


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_launch_failure(text)
    parse_launch_failure(f"creating instance, insufficient capacity, with fleet error(s), {text}")
    parse_scheduler_message(text)
    parse_scheduler_message(f"0/3 nodes are available: {text}")


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("0/5 nodes are available: 5 Insufficient nvidia.com/gpu.", [(5, Obstacle.RESOURCE, "nvidia.com/gpu")]),
        (
            "0/9 nodes are available: 1 Too many pods, 2 node(s) didn't match Pod's node affinity/selector, 3 node(s) had "
            "untolerated taint {nvidia.com/gpu: true}, 3 node(s) were unschedulable. preemption: 0/9 nodes are available: 9 "
            "Preemption is not helpful for scheduling.",
            [
                (1, Obstacle.PODS, ""),
                (2, Obstacle.NODE_AFFINITY, ""),
                (3, Obstacle.TAINT, "nvidia.com/gpu: true"),
                (3, Obstacle.CORDONED, ""),
            ],
        ),
        (
            "0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints (missing required label), 2 "
            "node(s) had volume node affinity conflict.",
            [(2, Obstacle.TOPOLOGY_SPREAD, ""), (2, Obstacle.VOLUME_ZONE, "")],
        ),
        ("0/3 nodes are available: 3 node(s) rested.", [(3, Obstacle.OTHER, "")]),
    ],
)
def test_kube_schedulers_own_words(text: str, counts: list[tuple[int, Obstacle, str]]) -> None:
    verdict = parse_scheduler_message(text)
    assert isinstance(verdict, SchedulerVerdict)
    assert [(one.nodes, one.obstacle, one.subject) for one in verdict.reasons] == counts


def test_kube_schedulers_reason_that_concerns_no_node() -> None:
    verdict = parse_scheduler_message(
        "0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/4 nodes are available."
    )
    assert verdict == SchedulerVerdict(
        nodes=4,
        prefilter="pod has unbound immediate PersistentVolumeClaims",
        preemption="0/4 nodes are available.",
    )
    assert parse_scheduler_message("no nodes available to schedule pods") == SchedulerVerdict(nodes=0)
    assert parse_scheduler_message("Failed to schedule pod, x") is None
