"""Texts of the families that nobody tuned a rule on: written down before the rules for them, in the shapes people paste.

Each is a sentence of Karpenter's, AWS's or Kubernetes' own, of any release, with made-up names. The right cause or none.
"""

from __future__ import annotations

import pytest

from bot.diagnosis.pasted import explain_text
from tests.pasted.cases import NOW

TEXTS = [
    (
        "spot-slr",
        "not-authorized",
        (
            "2022-11-04T10:00:00.000Z\tERROR\tcontroller.provisioning\tProvisioning failed, launching node, creating"
            " cloud provider instance, creating machine, with fleet error(s), AuthFailure.ServiceLinkedRoleCreati"
            "onNotPermitted: The provided credentials do not have permission to create the service-linked role fo"
            'r EC2 Spot Instances.\t{"commit": "abc1234"}'
        ),
    ),
    (
        "ice",
        "capacity-unavailable",
        (
            "2022-06-29T08:12:01.123Z\tERROR\tcontroller.provisioning\tCould not launch node, launching instances, w"
            "ith fleet error(s), InsufficientInstanceCapacity: We currently do not have sufficient p4d.24xlarge c"
            "apacity in the Availability Zone you requested (us-east-1a). Our system will be working on provision"
            'ing additional capacity.\t{"commit": "aaaaaaa", "provisioner": "gpu"}'
        ),
    ),
    (
        "iam",
        "not-authorized",
        (
            "2022-03-17T10:00:00Z\tERROR\tcontroller.provisioning\tCould not launch node, launching instances, Unaut"
            "horizedOperation: You are not authorized to perform this operation. Encoded authorization failure me"
            'ssage: abcdefghijklmnopqrstuvwxyz\n\tstatus code: 403, request id: 1234\t{"commit":"aaaa"}'
        ),
    ),
    (
        "iam",
        "not-authorized",
        (
            "creating fleet AccessDenied: User: arn:aws:sts::111122223333:assumed-role/karpenter/123 is not autho"
            "rized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/KarpenterNodeRole"
        ),
    ),
    (
        "iam",
        "not-authorized",
        (
            '{"level":"ERROR","time":"2025-01-01T00:00:00.000Z","logger":"controller","message":"Reconciler error'
            '","commit":"901a5dc","controller":"nodeclass.instanceprofile","error":"creating instance profile, op'
            "eration error IAM: CreateInstanceProfile, https response error StatusCode: 403, RequestID: x, api er"
            "ror AccessDenied: User: arn:aws:sts::1:assumed-role/k/1 is not authorized to perform: iam:CreateInst"
            "anceProfile on resource: instance profile x because no identity-based policy allows the iam:CreateIn"
            'stanceProfile action"}'
        ),
    ),
    (
        "nodeclass",
        "nodeclass-not-ready",
        (
            '{"level":"ERROR","time":"2025-01-01T00:00:00.000Z","logger":"controller","message":"failed launching'
            ' nodeclaim","commit":"901a5dc","controller":"nodeclaim.lifecycle","NodeClaim":{"name":"gpu-abcde"},"'
            'error":"NodeClassRef not ready, SubnetsReady=False"}'
        ),
    ),
    (
        "nodeclass",
        "",
        ("NAME      READY   AGE\ndefault   False   3d"),
    ),
    (
        "nodeclass",
        "nodeclass-not-ready",
        (
            "Status:\n  Conditions:\n    Last Transition Time:  2025-01-01T00:00:00Z\n    Message:               Sec"
            "urityGroupSelector did not match any SecurityGroups\n    Observed Generation:   1\n    Reason:        "
            "        SecurityGroupsNotFound\n    Status:                False\n    Type:                  SecurityG"
            "roupsReady\n"
        ),
    ),
    (
        "subnet",
        "subnet-out-of-ips",
        (
            '{"level":"ERROR","time":"2025-01-01T00:00:00.000Z","logger":"controller","message":"failed launching'
            ' nodeclaim","commit":"901a5dc","controller":"nodeclaim.lifecycle","NodeClaim":{"name":"gpu-abcde"},"'
            'error":"insufficient capacity, with fleet error(s), InsufficientFreeAddressesInSubnet: There are not'
            " enough free addresses in subnet 'subnet-0123456789abcdef0' to satisfy the requested number of insta"
            'nces."}'
        ),
    ),
    (
        "quota",
        "vcpu-quota-exceeded",
        (
            "launching machine, creating instance, with fleet error(s), MaxSpotInstanceCountExceeded: Max spot in"
            "stance count exceeded"
        ),
    ),
    (
        "quota",
        "vcpu-quota-exceeded",
        (
            "0s  Warning  InsufficientCapacityError  nodeclaim/gpu-x2j4k  NodeClaim gpu-x2j4k event: insufficient"
            " capacity, with fleet error(s), VcpuLimitExceeded: You have requested more vCPU capacity than your c"
            "urrent vCPU limit of 64 allows for the instance bucket that the specified instance type belongs to.."
            "."
        ),
    ),
    (
        "label",
        "unknown-label",
        (
            "Warning  FailedScheduling  30s (x5 over 2m)  karpenter  Failed to schedule pod, incompatible with no"
            'depool "default", daemonset overhead={"cpu":"150m","pods":"4"}, incompatible requirements, label "no'
            'de-group" does not have known values'
        ),
    ),
    (
        "taint",
        "taint-not-tolerated",
        (
            "Warning  FailedScheduling  30s  karpenter  Failed to schedule pod, did not tolerate taint (taint=ded"
            "icated=gpu:NoSchedule)"
        ),
    ),
    (
        "limits",
        "nodepool-limit-exceeded",
        ('Failed to schedule pod, all available instance types exceed limits for nodepool: "default"'),
    ),
    (
        "pvc",
        "volume-zone-conflict",
        (
            'incompatible with nodepool "default", daemonset overhead={"cpu":"150m","pods":"4"}, incompatible vol'
            "ume requirements, key topology.kubernetes.io/zone, topology.kubernetes.io/zone In [us-east-1c] not i"
            "n topology.kubernetes.io/zone In [us-east-1a us-east-1b]"
        ),
    ),
    (
        "topology",
        "topology-unsatisfiable",
        (
            "unsatisfiable topology constraint for topology spread, key=topology.kubernetes.io/zone (counts = us-"
            "east-1a: 2, us-east-1b: 2, podDomains = topology.kubernetes.io/zone Exists, nodeDomains = topology.k"
            "ubernetes.io/zone In [us-east-1a]"
        ),
    ),
    (
        "topology",
        "topology-unsatisfiable",
        (
            "Failed to schedule pod, unsatisfiable topology constraint for pod anti-affinity, key=kubernetes.io/h"
            "ostname (counts = ip-1: 1, podDomains = kubernetes.io/hostname Exists, nodeDomains = kubernetes.io/h"
            "ostname In [hostname-placeholder-0003]"
        ),
    ),
    (
        "reg",
        "not-registered",
        (
            '{"level":"DEBUG","time":"2025-01-01T00:00:00.000Z","logger":"controller","message":"terminating due '
            'to registration ttl","commit":"901a5dc","controller":"nodeclaim.lifecycle","NodeClaim":{"name":"gpu-'
            'abcde"},"ttl":"15m0s"}'
        ),
    ),
    (
        "reg",
        "not-registered",
        (
            "2023-06-01T00:00:00Z\tDEBUG\tcontroller.machine.lifecycle\tterminating machine since node hasn't regist"
            'ered within registration ttl\t{"commit":"abc","machine":"default-xyz","ttl":"15m0s"}'
        ),
    ),
    (
        "notinit",
        "device-plugin-missing",
        (
            'Conditions:\n    Last Transition Time:  2025-01-01T00:00:00Z\n    Message:               Resource "nvi'
            'dia.com/gpu" was requested but not registered\n    Reason:                ResourceNotRegistered\n    S'
            "tatus:                Unknown\n    Type:                  Initialized"
        ),
    ),
    (
        "notinit",
        "not-initialized",
        (
            'Reason: KnownEphemeralTaintsExist\nMessage: KnownEphemeralTaint "node.cloudprovider.kubernetes.io/uni'
            'nitialized=true:NoSchedule" still exists\nStatus: Unknown\nType: Initialized'
        ),
    ),
    (
        "drift",
        "node-disrupted",
        (
            '{"level":"INFO","time":"2025-01-01T00:00:00.000Z","logger":"controller","message":"disrupting nodecl'
            "aim(s) via replace, terminating 1 nodes (3 pods) ip-10-0-1-1.ec2.internal/m5.large/on-demand and rep"
            'lacing with on-demand node from types m5.large, m5a.large","commit":"abc","controller":"disruption",'
            '"command-id":"x","reason":"drifted"}'
        ),
    ),
    (
        "expiration",
        "node-disrupted",
        (
            "2023-01-01T00:00:00Z\tINFO\tcontroller.deprovisioning\tdeprovisioning via expiration replace, terminati"
            "ng 1 machines ip-10-0-1-1.ec2.internal/m5.large/spot and replacing with spot machine from types m5.l"
            'arge\t{"commit":"abc"}'
        ),
    ),
    (
        "interruption",
        "",
        (
            '{"level":"INFO","time":"2025-01-01T00:00:00.000Z","logger":"controller","message":"initiating delete'
            ' from interruption message","commit":"x","controller":"interruption","queue":"k","messageKind":"reba'
            'lance_recommendation","NodeClaim":{"name":"a-b"},"action":"CordonAndDrain"}'
        ),
    ),
    (
        "minvalues",
        "min-values-unmet",
        (
            '{"level":"ERROR","time":"2025-01-01T00:00:00.000Z","logger":"controller","message":"could not schedu'
            'le pod","commit":"x","controller":"provisioner","Pod":{"name":"a","namespace":"b"},"error":"minValue'
            "s requirement is not met for label(s) (label(s)=[karpenter.k8s.aws/instance-family]), requirements=k"
            'arpenter.sh/nodepool In [x], resources={\\"cpu\\":\\"1\\"}"}'
        ),
    ),
    (
        "exec",
        "image-architecture-mismatch",
        ("standard_init_linux.go:228: exec user process caused: exec format error"),
    ),
    (
        "gate",
        "scheduling-gated",
        ("Status: Pending\nReason: SchedulingGated\nMessage: Scheduling is blocked due to non-empty scheduling gates"),
    ),
    (
        "ice-generic",
        "capacity-unavailable",
        (
            '{"level":"ERROR","time":"2025-01-01T00:00:00.000Z","logger":"controller","message":"failed launching'
            ' nodeclaim","commit":"x","controller":"nodeclaim.lifecycle","NodeClaim":{"name":"gpu-abcde"},"error"'
            ':"insufficient capacity, all requested instance types were unavailable during launch"}'
        ),
    ),
    (
        "restricted",
        "restricted-label",
        (
            "ignoring pod, label karpenter.sh/provisioner-name is restricted; specify a well known label: [x], or"
            " a custom label that does not use a restricted domain: [karpenter.k8s.aws karpenter.sh]"
        ),
    ),
    (
        "type-typo",
        "unknown-instance-type",
        (
            "Failed to schedule pod, no instance type met all requirements, requirements=karpenter.sh/nodepool In"
            ' [gpu], node.kubernetes.io/instance-type In [p4d.24xlrge], resources={"cpu":"1","pods":"4"}'
        ),
    ),
    (
        "unsupported",
        "zone-not-offered",
        (
            "creating instance, with fleet error(s), Unsupported: Your requested instance type (g5.2xlarge) is no"
            "t supported in your requested Availability Zone (us-east-1e). Please retry your request by not speci"
            "fying an Availability Zone or choosing us-east-1a, us-east-1b."
        ),
    ),
    (
        "windows",
        "requirement-conflict",
        (
            "Failed to schedule pod, incompatible requirements, key kubernetes.io/os, kubernetes.io/os In [window"
            "s] not in kubernetes.io/os In [linux]"
        ),
    ),
    (
        "nominated-loop",
        "",
        (
            "Normal  Nominated  5m  karpenter  Pod should schedule on: nodeclaim/default-aaaaa\nNormal  Nominated "
            " 3m  karpenter  Pod should schedule on: nodeclaim/default-bbbbb\nNormal  Nominated  1m  karpenter  Po"
            "d should schedule on: nodeclaim/default-ccccc"
        ),
    ),
    (
        "ami",
        "launch-failed",
        (
            '{"level":"ERROR","time":"2025-01-01T00:00:00.000Z","logger":"controller","message":"Reconciler error'
            '","commit":"x","controller":"nodeclaim.lifecycle","NodeClaim":{"name":"a-b"},"error":"launching node'
            "claim, creating instance, getting launch template configs, getting launch templates, no amis exist g"
            'iven constraints"}'
        ),
    ),
    (
        "no-subnets",
        "",
        (
            "2023-01-01T00:00:00Z\tERROR\tcontroller.provisioner\tCould not launch node, creating cloud provider ins"
            'tance, getting launch template configs, getting subnets, no subnets matched selector {"karpenter.sh/'
            'discovery":"x"}\t{"commit":"x"}'
        ),
    ),
    (
        "kubelet-notready",
        "node-not-ready",
        (
            "Ready   False   Mon, 01 Jan 2025 00:00:00 +0000   KubeletNotReady   container runtime network not re"
            "ady: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugi"
            "n not initialized"
        ),
    ),
    (
        "kms",
        "",
        ("Client.InternalError: Client error on launch"),
    ),
    (
        "webhook",
        "unknown-field",
        (
            'Error from server (BadRequest): error when creating "np.yaml": NodePool in version "v1" cannot be ha'
            'ndled as a NodePool: strict decoding error: unknown field "spec.disruption.expireAfter"'
        ),
    ),
]
NORMAL = [
    "0/6 nodes are available: 6 node(s) had volume node affinity conflict.",  # Karpenter may be about to mend it
    "is it VcpuLimitExceeded or UnauthorizedOperation? we wondered",  # people's own words
    "no instance type has enough resources, requirements=karpenter.sh/nodepool In [x], "
    'resources={"cpu":"40","pods":"4"}',  # since v1.14 perhaps a matter of offerings
    "Failed to schedule pod, no instance type met all requirements, requirements=karpenter.sh/nodepool In [g], "
    'node.kubernetes.io/instance-type In [x9z.24xlarge], resources={"cpu":"1","pods":"4"}',  # may exist somewhere
    "Failed to schedule pod, no instance type met the scheduling requirements or had a required offering, requirements="
    'karpenter.sh/nodepool In [g], topology.kubernetes.io/zone In [us-east-1f], resources={"cpu":"1","pods":"4"}',
]


@pytest.mark.parametrize(("family", "right", "text"), TEXTS, ids=[f"{i}-{one[0]}" for i, one in enumerate(TEXTS)])
def test_a_text_of_the_family_gets_its_cause_or_none(family: str, right: str, text: str) -> None:
    found = [cause.id for cause in explain_text(text, None, NOW).causes]
    assert found[:1] == ([right] if right else []), family


@pytest.mark.parametrize("text", NORMAL)
def test_what_proves_nothing_gets_no_cause(text: str) -> None:
    assert not explain_text(text, None, NOW).causes
