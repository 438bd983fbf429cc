"""Texts of cases about nodes that go, or do not go, by case id."""

from __future__ import annotations

from tests.pasted.shapes import console, disrupting, line, listed_event, old_line
from tests.pasted.texts_launches import transition

_SPOT = "ip-10-0-3-4.eu-central-1.compute.internal"


def _replacing(*instance_types: str) -> dict[str, object]:
    shown = {"capacity-type": "spot", "instance-types": ", ".join(instance_types)}
    return {"replacement-node-count": 1, "replacement-nodes": [shown], "pod-count": 4}


TEXTS = {
    "kpa-4516": old_line(
        "deprovisioning via consolidation delete, terminating 1 machines ip-10-0-1-2.ap-1.internal/m6i.8xlarge/on-demand",
        logger="controller.deprovisioning",
    ),
    "bp-batch-consolidation-replace": disrupting(
        "Underutilized", "replace", "ip-10-0-9-8.internal", "c5a.xlarge", **_replacing("c6a.large", "c7a.large")
    ),
    "ix-disrupt-replace-v1": disrupting(
        "Underutilized", "replace", "ip-10-0-9-9.internal", "c6a.2xlarge", **_replacing("c6a.large")
    ),
    "kpa-8536": disrupting(
        "Underutilized",
        "replace",
        "ip-10-0-9-7.internal",
        "c6a.4xlarge",
        **_replacing("c6a.2xlarge", "c5a.2xlarge", "c7i-flex.2xlarge and 35 other(s)"),
    ),
    "ix-disrupt-empty": disrupting("Empty", "delete", "ip-10-0-9-6.internal", "m5.large", **{"pod-count": 0}),
    "kc-1167": "\n".join(
        [
            listed_event(
                "DisruptionBlocked",
                "node/ip-10-0-2-2.internal",
                'Cannot disrupt Node: Pod "ci/runner-abc" has "karpenter.sh/do-not-disrupt" annotation',
                age="4s",
            ),
            listed_event("Evicted", "pod/runner-abc", "Evicted pod", age="4s"),
        ]
    ),
    "kpa-4758": old_line(
        "deprovisioning via consolidation delete, terminating 5 machines "
        + ", ".join(f"ip-10-0-5-{number}.internal/t3.xlarge/spot" for number in range(5)),
        logger="controller.deprovisioning",
    ),
    "kpa-3979": console(
        "deprovisioning via drift replace, terminating 1 nodes ip-10-0-6-1.internal/c4.xlarge/spot and replacing with spot "
        "node from types c4.xlarge, c5.xlarge and 12 other(s)",
        logger="controller.deprovisioning",
    ),
    "kpa-6472": "\n".join(
        [
            transition("nodeclaim/default-1q2w3", "Drifted", "Unknown", "True", "AMIDrift"),
            listed_event(
                "DisruptionBlocked", "nodepool/default", "No allowed disruptions due to blocking budget", kind="Normal"
            ),
        ]
    ),
    "kc-1510": line(
        "disrupting nodeclaim(s) via delete, terminating 1 nodes (1 pods) ip-10-0-7-1.internal/m7a.large/spot",
        controller="disruption",
        reason="drifted",
    ),
    "kpa-6562": line(
        "marking drifted", controller="nodeclaim.disruption", NodeClaim={"name": "mem-3e4r5"}, reason="AMIDrift"
    ),
    "kpa-5373": old_line(
        "disrupting via drift replace, terminating 1 nodes (12 pods) ip-10-0-8-1.internal/m7i-flex.xlarge/spot and replacing "
        "with spot node from types m7i-flex.xlarge",
        logger="controller.disruption",
    ),
    "kpa-6394": "\n".join(
        [
            listed_event(
                "DisruptionBlocked",
                "node/ip-10-0-4-4.internal",
                "Cannot disrupt Node: state node is marked for deletion",
            ),
            listed_event(
                "FailedDraining",
                "node/ip-10-0-4-4.internal",
                "Failed to drain node, 5 pods are waiting to be evicted",
                kind="Warning",
            ),
        ]
    ),
    "kc-1789": "\n".join(
        [
            listed_event(
                "FailedDraining",
                "node/ip-10-0-4-5.internal",
                "Failed to drain node, 8 pods are waiting to be evicted",
                kind="Warning",
                age="2m (x1561 over 2d)",
            ),
            listed_event(
                "DisruptionBlocked",
                "node/ip-10-0-4-5.internal",
                "Cannot disrupt Node: state node is marked for deletion",
                age="2m (x1510 over 2d)",
            ),
        ]
    ),
    "kpa-4028": old_line(
        "initiating delete from interruption message",
        logger="controller.interruption",
        messageKind="SpotInterruptionKind",
        action="CordonAndDrain",
        node=_SPOT,
        queue="karpenter",
    ),
    "ix-spot-interrupt-v0": old_line(
        "initiating delete from interruption message",
        logger="controller.interruption",
        messageKind="SpotInterruptionKind",
        action="CordonAndDrain",
        node="ip-10-0-3-5.internal",
        nodeclaim="default-2w3e4",
    ),
    "ix-spot-interrupt-v1": line(
        "initiating delete from interruption message",
        controller="interruption",
        messageKind="spot_interrupted",
        action="CordonAndDrain",
        NodeClaim={"name": "default-5t6y7"},
        Node={"name": "ip-10-0-3-6.internal"},
    ),
    "kc-678": listed_event(
        "Unconsolidatable",
        "node/ip-10-0-1-17.ec2.internal",
        "not all pods would schedule, big/solver-0 => "
        + 'incompatible with provisioner "kops", daemonset overhead={"cpu":"490m","memory":"938304768","pods":"9"}, '
        + "incompatible requirements, key node.kubernetes.io/instancegroup, node.kubernetes.io/instancegroup In [solver] not "
        + "in node.kubernetes.io/instancegroup In [web]; "
        + 'incompatible with provisioner "default", daemonset overhead={"cpu":"490m","memory":"938304768","pods":"9"}, '
        + 'no instance type satisfied resources {"cpu":"30490m","memory":"11675723008","pods":"10"} and requirements '
        + "karpenter.k8s.aws/instance-category In [c m r], karpenter.k8s.aws/instance-generation Exists >5, "
        + "karpenter.sh/capacity-type In [on-demand] (no instance type has enough resources)",
    ),
    "kpa-5903": listed_event("Unconsolidatable", "node/ip-10-0-11-1.internal", "Can't replace with a cheaper node"),
    "kc-2254": line(
        "marking consolidatable", controller="nodeclaim.disruption", level="DEBUG", NodeClaim={"name": "default-6y7u8"}
    ),
    "kpa-7658": line("waiting on cluster sync", level="DEBUG", controller="provisioner"),
}
