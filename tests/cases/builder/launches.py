"""Launches that fail: quotas, permissions, subnets, images. What Karpenter does with each is v1.8.1's.

An error among EC2's "capacity" codes costs the NodeClaim (it is deleted at once, the pod is promised another one); any other
leaves it, to be tried again for five minutes (karpenter-provider-aws pkg/errors/errors.go, pkg/cloudprovider).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from tests.cases.builder.blocked import CAPACITY, KEEP, NO_MATCH, TYPE, devices
from tests.cases.builder.case import V1_8, Case, expect
from tests.cases.builder.claims import SHAPE, Promise, Scene, conditions, job, machine
from tests.cases.builder.objects import Manifest, later, moment, own_condition, stamp, uid
from tests.cases.builder.pools import default_pool, gpu_pool
from tests.cases.builder.training import Training, chain
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
    said,
)

QUOTA: Final = (
    "VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance "
    "bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to "
    "request an adjustment to this limit."
)
SPOT_QUOTA: Final = "MaxSpotInstanceCountExceeded: Max spot instance count exceeded"
NO_ROLE: Final = (
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted: The provided credentials do not have permission to create the "
    "service-linked role for EC2 Spot Instances."
)
FULL_SUBNET: Final = (
    "InsufficientFreeAddressesInSubnet: There are not enough free addresses in subnet 'subnet-0a1b2c3d4e5f6a70a' to satisfy "
    "the requested number of instances."
)
FLEETS: Final = "MaxFleetCountExceeded: You have exceeded your active and deleted fleet quota of 1000 for this region."
RESERVATION: Final = (
    "ReservationCapacityExceeded: The requested reservation does not have sufficient compatible and available capacity for "
    "this request."
)
ROLE: Final = "arn:aws:sts::111122223333:assumed-role/KarpenterControllerRole-training-on-eks/1766900000000000000"
SCP: Final = (
    f"User: {ROLE} is not authorized to perform: ec2:RunInstances on resource: "
    "arn:aws:ec2:ap-northeast-2:111122223333:instance/* with an explicit deny in a service control policy"
)
DRY_RUN: Final = "operation error EC2: RunInstances, api error"
ENCODED: Final = (
    "UnauthorizedOperation: You are not authorized to perform this operation. "
    f"User: {ROLE} is not authorized to perform: iam:PassRole on resource: "
    "arn:aws:iam::111122223333:role/eksctl-KarpenterNodeRole-training-on-eks because no identity-based policy allows the "
    "iam:PassRole action. Encoded authorization failure message: "
    "Hk3vQ0mT9-cLr8bXz2uYwPj5sGd7nEaF1oKiV4qMhB6tRxCyUeZpLgWfJsN"
)
WRONG_IMAGE: Final = (
    "InvalidParameterValue: The architecture 'arm64' of the specified instance type does not match the architecture "
    "'x86_64' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again."
)


def _again(scene: Scene, errors: str, promises: Sequence[Promise], *, events: Sequence[Manifest] = ()) -> Case:
    """The same refusal for each NodeClaim that the pod was promised."""
    told = [promise.refused(errors) for promise in promises]
    lines = [line for each, _ in told for line in each]
    return Scene(
        **{
            **{name: getattr(scene, name) for name in scene.__slots__},
            "promises": promises,
            "events": [*(event for _, event in told), *events],
            "log": [*scene.log, *lines],
        }
    ).case()


def _promises(first: datetime, *names: str, apart: float = 195) -> list[Promise]:
    return [Promise(claim=name, at=later(first, apart * index)) for index, name in enumerate(names)]


def quota_zero() -> Case:
    """On demand and spot quotas of 0: at log level info no line names the offerings that were taken out."""
    training = job("llama-3-8b", "2025-12-28T08:00:10Z", ("x4c8v",))
    why = refusal(
        no_type(RIGHT_BUT_NOT_OFFERED, GPU, training.selector, training.devices),
        no_type(NOT_MET_NOR_ENOUGH, DEFAULT, training.selector, training.devices),
    )
    promises = _promises(later(training.created, 6), "gpu-2nq8w", "gpu-t7fzk")
    last = later(promises[-1].at, 12)
    now = later(last, 5)
    scene = Scene(
        name="vcpu-quota-of-0",
        about="EC2 refused both launches for a quota of 0 vCPUs; afterwards Karpenter says that no offering is left.",
        training=training,
        now=now,
        log=could_not_schedule(V1_8, last, training.pod_names, why),
        expect=expect(
            "blocked",
            "",
            ["vcpu-quota-exceeded"],
            not_causes=[
                "capacity-unavailable",
                "requirement-conflict",
                "zone-not-offered",
                "capacity-type-not-offered",
            ],
            facts={"quota": "0"},
        ),
    )
    return _again(scene, f"{SPOT_QUOTA}; {QUOTA}", promises)


def spot_role() -> Case:
    training = Training(
        name="qwen3-8b",
        devices=devices(4, 1),
        created=moment("2025-12-28T08:20:40Z"),
        suffixes=("m2j5t",),
        selector={TYPE: SHAPE, CAPACITY: "spot"},
        annotations=KEEP,
    )
    promises = _promises(later(training.created, 6), "gpu-6kd9s", "gpu-lw3xq")
    text = 'Attempted to launch a spot instance but failed due to "AuthFailure.ServiceLinkedRoleCreationNotPermitted"'
    events = [said(promise.ghost(), later(promise.at, 2), "", text) for promise in promises]
    scene = Scene(
        name="spot-role-missing",
        about="The account has no service-linked role for spot; Karpenter 1.8 reports it as lack of capacity.",
        training=training,
        now=later(promises[-1].at, 15),
        expect=expect(
            "blocked", "", ["not-authorized"], not_causes=["capacity-unavailable", "capacity-type-not-offered"],
            facts={"denied": "spot-role"},
        ),
    )  # fmt: skip
    return _again(scene, NO_ROLE, promises, events=events)


def capacity_code(name: str, about_it: str, errors: str, cause: str, at: str, suffix: str, **facts: object) -> Case:
    """A launch that fails for a code that Karpenter takes for want of capacity."""
    training = job("gemma-3-12b", at, (suffix,))
    promises = _promises(later(training.created, 6), f"gpu-{suffix[::-1]}")
    scene = Scene(
        name=name,
        about=about_it,
        training=training,
        now=later(promises[-1].at, 11),
        expect=expect("blocked", "", [cause], not_causes=["capacity-unavailable"], facts=facts),
    )
    return _again(scene, errors, promises)


def capacity_gone() -> Case:
    """The near miss of a quota: EC2 really has none, on demand, and says where it would."""
    training = job("gemma-3-4b", "2025-12-28T09:10:05Z", ("b9w4h",))
    text = (
        "InsufficientInstanceCapacity: We currently do not have sufficient g6e.12xlarge capacity in the Availability Zone "
        "you requested (ap-northeast-2a). Our system will be working on provisioning additional capacity. You can currently "
        "get g6e.12xlarge capacity by not specifying an Availability Zone in your request or choosing ap-northeast-2b."
    )
    promises = _promises(later(training.created, 6), "gpu-9s2hd")
    scene = Scene(
        name="capacity-refused-once",
        about="EC2 refused one zone a moment ago; the other one is open, and the launch before is not held against it.",
        training=training,
        now=later(promises[-1].at, 11),
        expect=expect(
            "launchable",
            "gpu",
            not_causes=["vcpu-quota-exceeded", "not-authorized", "zone-not-offered", "capacity-unavailable"],
        ),
    )
    return _again(scene, text, promises)


def kept_claim(
    name: str, about_it: str, reason: str, errors: str, causes: Sequence[str], at: str, **facts: object
) -> Case:
    """A launch that fails for another reason: the NodeClaim stays and is tried again."""
    training = job("llama-3-8b", at, ("d6v2p",))
    promise = Promise(claim="gpu-h5r7m", at=later(training.created, 6))
    box = machine(promise.claim, "ip-10-0-96-31", later(promise.at, 4), registered=False)
    now = later(promise.at, 49)
    message = f"Error creating fleet request: {errors}"[:300]
    stuck = conditions({}, "Launched", later(promise.at, 2), reason, message)
    error = f"launching nodeclaim, creating instance, creating nodeclaim, with fleet error(s), {errors}"
    line = promise.line(2, "ERROR", "Reconciler error", **{"aws-error-code": "UnfulfillableCapacity"}, error=error)
    return Scene(
        name=name,
        about=about_it,
        training=training,
        now=now,
        machines=(box,),
        promises=(promise,),
        log=(line,),
        claim_conditions={promise.claim: stuck},
        unlaunched=(promise.claim,),
        expect=expect("launching", "", causes, not_causes=["capacity-unavailable", "not-registered"], facts=facts),
    ).case()


def denied_by_scp() -> Case:
    """Four hops: the organisation denies RunInstances, the NodeClass's dry run fails, its NodePool is left out, the pod waits."""
    training = job("llama-3-70b", "2025-12-28T09:40:33Z", ("p5w8n",))
    at = later(training.created, 6)
    why = refusal(no_type(NOT_MET_NOR_ENOUGH, DEFAULT, training.selector, training.devices))
    message = f"Controller isn't authorized to call ec2:RunInstances: {SCP}"
    unready = "ValidationSucceeded=False"
    ignored = log_line(V1_8, later(at, -0.012), "ERROR", "ignoring nodepool, not ready",
                       provisioner(stamp(at), {"NodePool": {"name": "gpu"}}))  # fmt: skip
    fields = {"controller": "nodeclass", "controllerGroup": "karpenter.k8s.aws", "controllerKind": "EC2NodeClass"}
    fields |= {"EC2NodeClass": {"name": "gpu"}, "namespace": "", "name": "gpu", "reconcileID": uid("reconcile", "gpu")}  # type: ignore[dict-item]
    denied = log_line(V1_8, later(at, -40), "ERROR", "unauthorized to call ec2:RunInstances",
                      {**fields, "error": f"{DRY_RUN} UnauthorizedOperation: {SCP}"})  # fmt: skip
    scene = Scene(
        name="denied-by-scp",
        about="A service control policy denies ec2:RunInstances: EC2NodeClass not ready, NodePool left out, pod Pending.",
        training=training,
        now=later(training.created, 52),
        pools=(default_pool(), gpu_pool(not_ready=unready)),
        events=[said({**_pod(training)}, later(at, 1), "FailedScheduling", f"Failed to schedule pod, {why.text}")],
        log=[denied, ignored, *could_not_schedule(V1_8, at, training.pod_names, why)],
        expect=expect(
            "blocked",
            "gpu",
            ["not-authorized", "nodeclass-not-ready"],
            not_causes=["capacity-unavailable", "requirement-conflict", "no-nodepool"],
            facts={"policy": "service-control-policy", "operation": "ec2:RunInstances"},
        ),
    )
    case = scene.case()
    for one in case.files["ec2nodeclasses"]:
        if one["metadata"]["name"] == "gpu":  # type: ignore[index]
            one["status"]["conditions"] = [  # type: ignore[index]
                *(c for c in one["status"]["conditions"] if c["type"] not in ("Ready", "ValidationSucceeded")),  # type: ignore[index]
                own_condition("ValidationSucceeded", "False", later(at, -40), reason="RunInstancesAuthCheckFailed",
                              message=message),
                own_condition("Ready", "False", later(at, -40), reason="UnhealthyDependents", message=unready),
            ]  # fmt: skip
    return case


def _pod(training: Training) -> Manifest:
    return chain(training, NO_MATCH)["pods"][0]


def cases() -> Iterator[Case]:
    yield quota_zero()
    yield spot_role()
    yield capacity_code("subnet-full", "The only subnet with the type has no free address.", FULL_SUBNET,
                        "subnet-out-of-ips", "2025-12-28T08:40:00Z", "k3f7d")  # fmt: skip
    yield capacity_code("fleet-quota", "The account has too many fleets.", FLEETS, "fleet-quota-exceeded",
                        "2025-12-28T08:50:00Z", "t8n2c")  # fmt: skip
    yield capacity_code("reservation-full", "The capacity reservation is used up.", RESERVATION,
                        "reservation-exhausted", "2025-12-28T08:55:00Z", "z5g9q")  # fmt: skip
    yield capacity_gone()
    yield denied_by_scp()
    yield kept_claim("pass-role-denied", "Karpenter may not pass the node role to the instance.", "Unauthorized", ENCODED,
                     ["not-authorized"], "2025-12-28T10:05:00Z", denied="pass-role")  # fmt: skip
    yield kept_claim("ami-of-other-architecture", "The AMI is x86_64, the instance type arm64.", "LaunchFailed",
                     WRONG_IMAGE, ["launch-failed"], "2025-12-28T10:15:00Z", about="ami")  # fmt: skip
    yield kept_claim("api-throttled", "EC2 throttles CreateFleet.", "RequestLimitExceeded",
                     "RequestLimitExceeded: Request limit exceeded.", ["api-throttled"],
                     "2025-12-28T10:25:00Z")  # fmt: skip
