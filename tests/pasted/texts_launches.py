"""Texts of cases in which a launch fails, an EC2NodeClass is not ready or a node does not join, by case id."""

from __future__ import annotations

from bot.karpenter import Reason
from tests.pasted.shapes import (
    CAPACITY,
    NODEPOOL,
    TYPE,
    console,
    described,
    event,
    launch_failed,
    line,
    listed,
    listed_event,
    old_line,
    old_refused,
    pool,
    refusal,
    types,
)

QUOTA = (
    "VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of {} allows for the instance "
    "bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to "
    "request an adjustment to this limit."
)
SPOT_QUOTA = "MaxSpotInstanceCountExceeded: Max spot instance count exceeded"
SPOT_ROLE = (
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted: The provided credentials do not have permission to create the "
    "service-linked role for EC2 Spot Instances."
)
UNFULFILLABLE = (
    "UnfulfillableCapacity: Unable to fulfill capacity due to your request configuration. Please adjust your request and "
    "try again."
)


def no_capacity(instance_type: str, zone: str, *others: str) -> str:
    """EC2's sentence about a type and zone without capacity."""
    also = f" or choosing {', '.join(others)}" if others else ""
    return (
        f"InsufficientInstanceCapacity: We currently do not have sufficient {instance_type} capacity in the Availability "
        f"Zone you requested ({zone}). Our system will be working on provisioning additional capacity. You can currently get "
        f"{instance_type} capacity by not specifying an Availability Zone in your request{also}."
    )


def denied(action: str, resource: str, because: str = "because no identity-based policy allows the {} action") -> str:
    """IAM's sentence about a denial."""
    return (
        "You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/karpenter/1700000000 "
        f"is not authorized to perform: {action} on resource: {resource} {because.format(action)}"
    )


def conditions(kind: str, name: str, *rows: tuple[str, str, str, str]) -> str:
    """A status as `kubectl get -o yaml` prints it: type, status, reason, message."""
    head = [f"kind: {kind}", "metadata:", f"  name: {name}", "status:", "  conditions:"]
    for type_, status, reason, message in rows:
        head += [
            '  - lastTransitionTime: "2025-03-01T10:00:00Z"',
            f"    message: {message}",
            "    observedGeneration: 1",
            f"    reason: {reason}",
            f'    status: "{status}"',
            f"    type: {type_}",
        ]
    return "\n".join(head)


def transition(about: str, type_: str, before: str, status: str, reason: str, message: str = "") -> str:
    """operatorpkg's event for a condition that changed."""
    said = f"Status condition transitioned, Type: {type_}, Status: {before} -> {status}, Reason: {reason}"
    return listed_event(type_, about, said + (f", Message: {message}" if message else ""))


_CLAIM = {"name": "default-7bqkz"}
_OLD_FLEET = "launching node, creating cloud provider instance, with fleet error(s), "

TEXTS = {
    "kpa-3217": console(
        "Provisioning failed, "
        + _OLD_FLEET
        + "InvalidParameterValue: The architecture 'arm64' of the specified instance "
        "type does not match the architecture 'x86_64' of the specified AMI. Specify an instance type and an AMI that have "
        "matching architectures, and try again.",
        logger="controller.provisioner",
        level="ERROR",
    ),
    "kc-2813": transition(
        "ec2nodeclass/default",
        "ValidationSucceeded",
        "Unknown",
        "False",
        "CreateFleetAuthCheckFailed",
        "Controller isn't authorized to call ec2:CreateFleet",
    ),
    "eksbp-139": console(
        "launching machine, creating instance, with fleet error(s), UnauthorizedOperation: "
        + denied("iam:PassRole", "arn:aws:iam::123456789012:role/fargate-pods"),
        logger="controller.machine.lifecycle",
        level="ERROR",
    ),
    "kpa-1488": console(
        "Provisioning failed, "
        + _OLD_FLEET
        + "UnauthorizedOperation: You are not authorized to perform this operation. "
        "Encoded authorization failure message: Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFy",
        logger="controller.provisioning",
        level="ERROR",
    ),
    "kpa-1536": console(
        "Could not launch node, creating cloud provider instance, with fleet error(s), UnauthorizedOperation: "
        + denied("ec2:CreateFleet", "arn:aws:ec2:us-east-1:123456789012:fleet/*"),
        logger="controller.provisioning",
        level="ERROR",
    ),
    "kpa-4165": console(
        "launching machine, creating instance, insufficient capacity, with fleet error(s), "
        + no_capacity("m7g.8xlarge", "eu-west-1c", "eu-west-1a", "eu-west-1b"),
        logger="controller.machine.lifecycle",
        level="ERROR",
        machine="db-8sk2l",
    ),
    "kpa-5578": described(
        "web/api-0",
        event("Nominated", "Pod should schedule on: nodeclaim/default-uswest2aprod-a1b2c", kind="Normal", age="9m"),
        event("Nominated", "Pod should schedule on: nodeclaim/default-uswest2aprod-d3e4f", kind="Normal", age="6m"),
        event("Nominated", "Pod should schedule on: nodeclaim/default-uswest2aprod-g5h6j", kind="Normal", age="3m"),
        event(
            "InsufficientCapacityError",
            "NodeClaim default-uswest2aprod-g5h6j event: creating instance, insufficient capacity, all requested instance "
            "types were unavailable during launch",
        ),
    ),
    "kpa-1219": console(
        "Could not launch node, creating cloud provider instance, with fleet error(s), "
        + "; ".join(no_capacity("c5a.4xlarge", f"eu-central-1{letter}") for letter in "abc"),
        logger="controller.provisioning",
        level="ERROR",
    ),
    "kpa-7736": line(
        "ignoring nodepool, not ready", level="ERROR", controller="provisioner", NodePool={"name": "default"}
    ),
    "kpa-7719": transition("ec2nodeclass/default", "Ready", "True", "False", "UnhealthyDependents", "AMIsReady=False"),
    "kpa-7436": "\n".join(
        [
            transition(
                "ec2nodeclass/default", "AMIsReady", "True", "Unknown", "AwaitingReconciliation", "object is awaiting"
            ),
            transition("ec2nodeclass/default", "SecurityGroupsReady", "False", "Unknown", "AwaitingReconciliation"),
            transition("ec2nodeclass/default", "SubnetsReady", "True", "Unknown", "AwaitingReconciliation"),
            transition("ec2nodeclass/default", "Ready", "False", "Unknown", "ReconcilingDependents"),
            line("no nodepools found", controller="provisioner"),
        ]
    ),
    "kpa-7872": conditions(
        "EC2NodeClass",
        "default",
        ("AMIsReady", "True", "AMIsReady", '""'),
        ("SubnetsReady", "True", "SubnetsReady", '""'),
        ("InstanceProfileReady", "False", "InstanceProfileNotReady", "instance profile is not there yet"),
        ("Ready", "False", "UnhealthyDependents", "InstanceProfileReady=False"),
    ),
    "kpa-7424": "\n".join(
        [
            line("registered nodeclaim", controller="nodeclaim.lifecycle", NodeClaim={"name": "general-purpose-cb9b7"}),
            listed_event("Nominated", "pod/worker-1", "Pod should schedule on: nodeclaim/general-purpose-cb9b7"),
        ]
    ),
    "kc-1635": conditions(
        "NodeClaim",
        "custom-q8w7e",
        ("Initialized", "True", "Initialized", '""'),
        ("Launched", "True", "Launched", '""'),
        (
            "Registered",
            "False",
            "UnregisteredTaintNotFound",
            "Invariant violated, karpenter.sh/unregistered must be present",
        ),
        ("Ready", "False", "UnhealthyDependents", "Registered=False"),
    ),
    "kpa-3794": "\n".join(
        console(
            'Inflight check failed for node, Expected resource "nvidia.com/gpu" didn\'t register on the node',
            logger="controller.inflightchecks",
            level="ERROR",
            node=f"ip-10-0-{number}-5.ec2.internal",
        )
        for number in range(5)
    ),
    "doc-sts-timeout": console(
        "Checking EC2 API connectivity, WebIdentityErr: failed to retrieve credentials caused by: Post "
        '"https://sts.us-east-1.amazonaws.com/": dial tcp: lookup sts.us-east-1.amazonaws.com: i/o timeout',
        logger="controller.aws",
        level="FATAL",
    ),
    "kpa-6387": line(
        "Reconciler error",
        level="ERROR",
        controller="provisioner",
        error='creating node claim, NodeClaim.karpenter.sh "labels-x2x9c" is invalid: spec.requirements: Too many: 53: must '
        "have at most 30 items",
    ),
    "doc-unknown-field": 'Error from server (BadRequest): error when creating "pool.yaml": NodePool in version "v1" cannot be '
    'handled as a NodePool: strict decoding error: unknown field "spec.template.spec.expireAfter"',
    "seed-c6-normal-provision": "\n".join(
        [
            line("found provisionable pod(s)", controller="provisioner", Pods="ml/train-0", duration="12ms"),
            line("computed new nodeclaim(s) to fit pod(s)", controller="provisioner", nodeclaims=1, pods=1),
            line(
                "created nodeclaim", controller="provisioner", NodePool={"name": "gpu"}, NodeClaim={"name": "gpu-l5m6n"}
            ),
            line(
                "launched nodeclaim",
                controller="nodeclaim.lifecycle",
                NodeClaim={"name": "gpu-l5m6n"},
                zone="us-west-2a",
            ),
            line("registered nodeclaim", controller="nodeclaim.lifecycle", NodeClaim={"name": "gpu-l5m6n"}),
            line("initialized nodeclaim", controller="nodeclaim.lifecycle", NodeClaim={"name": "gpu-l5m6n"}),
        ]
    ),
    "kpa-5165": "\n".join(
        old_line(message, nodepool="default", nodeclaim=f"default-{name}")
        for name in ("aaaaa", "bbbbb", "ccccc")
        for message in ("created nodeclaim", "deleted nodeclaim")
    ),
    "kpa-7251": line(
        "terminating due to registration ttl",
        controller="nodeclaim.lifecycle",
        NodeClaim={"name": "spot-m3-8v7c6"},
        ttl="15m0s",
    ),
    "kpa-7738": conditions(
        "NodeClaim",
        "default-5tgb6",
        ("Launched", "True", "Launched", '""'),
        ("Registered", "Unknown", "NodeNotFound", "Node not registered with cluster"),
        ("Initialized", "Unknown", "AwaitingReconciliation", "object is awaiting reconciliation"),
        ("Ready", "Unknown", "ReconcilingDependents", "object is awaiting reconciliation"),
    ),
    "kpa-7917": line(
        "terminating due to registration ttl", controller="nodeclaim.lifecycle", NodeClaim=_CLAIM, ttl="15m0s"
    ),
    "kpa-5176": old_line("created nodeclaim", nodepool="arm", **{"instance-types": "t4g.large, t4g.xlarge"}),
    "kpa-8539": launch_failed("spot-9k8j7", "insufficient capacity, with fleet error(s), " + UNFULFILLABLE),
    "kpa-2243": console(
        "Could not launch node, creating cloud provider instance, with fleet error(s), InsufficientInstanceCapacity: We "
        "currently do not have sufficient r6i.32xlarge capacity in the Availability Zone you requested (eu-central-1a) for "
        "Spot requests.",
        logger="controller.provisioning",
        level="ERROR",
    ),
    "ix-slr-ice": launch_failed("spot-1a2b3", "insufficient capacity, with fleet error(s), " + SPOT_ROLE),
    "doc-spot-slr": launch_failed(
        "spot-4c5d6", "creating nodeclaim, creating instance, with fleet error(s), " + SPOT_ROLE
    ),
    "kpa-pr7998": "\n".join(
        [
            launch_failed("mixed-7e8f9", "insufficient capacity, with fleet error(s), " + SPOT_ROLE),
            listed_event(
                "SpotServiceLinkedRoleCreationFailure",
                "nodeclaim/mixed-7e8f9",
                'Attempted to launch a spot instance but failed due to "AuthFailure.ServiceLinkedRoleCreationNotPermitted"',
                kind="Warning",
            ),
        ]
    ),
    "kops-16475": old_line(
        "Reconciler error",
        logger="controller",
        level="ERROR",
        error="launching machine, creating instance, with fleet error(s), " + SPOT_ROLE,
    ),
    "doc-cni-ip": described(
        "web/api-5",
        event(
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: plugin "
            'type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container',
            source="kubelet",
        ),
    ),
    "azure-734": line(
        "Reconciler error",
        level="ERROR",
        controller="nodeclaim.lifecycle",
        error="creating instance failed: PUT 400 Bad Request, ERROR CODE: SubnetIsFull: Subnet with address prefix 10.0.0.0/20 "
        "does not have enough capacity for 1 IP addresses.",
    ),
    "kpa-1297": console(
        "Could not launch node, creating cloud provider instance, with fleet error(s), InsufficientFreeAddressesInSubnet: "
        "There are not enough free addresses in subnet 'subnet-0a1b2c3d4e5f60718' to satisfy the requested number of "
        "instances.",
        logger="controller.provisioning",
        level="ERROR",
    ),
    "batteries-1636": launch_failed(
        "gpu-2w3e4", "creating nodeclaim, creating instance, with fleet error(s), " + QUOTA.format(0)
    ),
    "ix-vcpu0-gpupool": "\n".join(
        [
            old_line(
                "creating instance, insufficient capacity, with fleet error(s), " + QUOTA.format(0) + "; " + SPOT_QUOTA,
                logger="controller.nodeclaim.lifecycle",
                level="ERROR",
                nodeclaim="gpu-5r6t7",
            ),
            old_refused(
                "ml/train-0",
                refusal(
                    (0, 32),
                    pool(
                        "gpu",
                        types(
                            Reason.OFFERING_OF_PAIR,
                            {"cpu": "4", "nvidia.com/gpu": "1", "pods": "5"},
                            listed(NODEPOOL, "gpu"),
                            listed(TYPE, "g5.xlarge", "g5.2xlarge"),
                            listed(CAPACITY, "on-demand", "spot"),
                        ),
                    ),
                ),
            ),
        ]
    ),
    "kpa-3372": console(
        "Provisioning failed, " + _OLD_FLEET + QUOTA.format(64), logger="controller.provisioner", level="ERROR"
    ),
    "kpa-476": console(
        "Could not launch node, creating cloud provider instance, with fleet error(s), InvalidFleetConfiguration: Your "
        "requested instance type (null) is not supported in your requested Availability Zone (us-east-1e).",
        logger="controller.provisioning",
        level="ERROR",
    ),
}
