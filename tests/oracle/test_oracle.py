"""The oracle says what Karpenter is known to do: each case is one whose outcome Karpenter's documentation or code fixes."""

from __future__ import annotations

import gzip
from collections import Counter
from importlib.resources import files

import msgspec
import pytest

from tests.oracle.available import compared_with_karpenter
from tests.oracle.catalogue import NAMES, ZONE
from tests.oracle.client import (
    Oracle,
    measure,
    normalise,
    normalise_message,
    resolve_instance_types,
)
from tests.oracle.drafts import CaseDraft, Json, NodeDraft, NodePoolDraft, PodDraft, expression
from tests.oracle.features import FEATURES
from tests.oracle.generate import generate
from tests.oracle.instance_type_drafts import InstanceTypeDraft
from tests.oracle.verdicts import Verdict

pytestmark = pytest.mark.oracle

POD = "default/pod-1"
# What every new node of the NodePool "general" has, as an error prints it.
NODE = (
    "karpenter.k8s.aws/ec2nodeclass In [default], karpenter.sh/initialized In [true], "
    "karpenter.sh/nodepool In [general], karpenter.sh/registered In [true]"
)
DEDICATED: Json = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
GPU_TAINT: Json = {"key": "nvidia.com/gpu", "effect": "NoExecute"}


def draft(*types: str) -> CaseDraft:
    """A pod of 500m and 512Mi, the NodePool "general", and these instance types."""
    return CaseDraft(
        id="case",
        pods=[PodDraft(name="pod-1")],
        pools=[NodePoolDraft(name="general")],
        types=[InstanceTypeDraft(name=name) for name in types or ("m5.large", "p4d.24xlarge")],
    )


def parts(verdict: Verdict) -> list[tuple[str, str]]:
    """The pod's error by NodePool, normalised."""
    return [(part.node_pool, part.error) for part in normalise(verdict).pod_errors[POD].node_pools]


@pytest.mark.parametrize(("gpus", "said"), [("8", "launchable"), ("16", "blocked")])
def test_gpus(oracle: Oracle, gpus: str, said: str) -> None:
    case = draft()
    case.pod.requests = {"nvidia.com/gpu": gpus}
    verdict = oracle.decide(case.json())
    assert verdict.of(POD) == said
    if said == "launchable":
        assert [claim.instance_types for claim in verdict.new_node_claims] == [("p4d.24xlarge",)]
    else:
        resources = '{"nvidia.com/gpu":"16","pods":"1"}'
        message = f"no instance type has enough resources, requirements={NODE}, resources={resources}"
        assert parts(verdict) == [("general", message)]
        assert verdict.events[-1].message == f"Failed to schedule pod, {message}"


def test_unknown_label_and_the_label_that_aws_adds(oracle: Oracle) -> None:
    case = draft()
    case.pod.node_selector = {"karpenter.k8s.aws/instance-family": "m5", "team": "ml"}
    message = 'incompatible requirements, label "team" does not have known values'
    assert parts(oracle.decide(case.json())) == [("general", message)]

    case.pool.labels["team"] = "ml"
    assert oracle.decide(case.json()).new_node_claims[0].instance_types == ("m5.large",)


def test_taints_of_two_nodepools_are_told_apart(oracle: Oracle) -> None:
    case = draft()
    case.pool.taints = [DEDICATED, GPU_TAINT]
    case.add_pool(NodePoolDraft(name="other", weight=10, taints=[DEDICATED]))
    verdict = oracle.decide(case.json())
    dedicated = "did not tolerate taint (taint=dedicated=ml:NoSchedule)"
    assert parts(verdict) == [
        ("other", dedicated),
        ("general", f"{dedicated}; did not tolerate taint (taint=nvidia.com/gpu:NoExecute)"),
    ]

    case.pod.tolerations = [{"key": "dedicated", "operator": "Exists"}]
    assert oracle.decide(case.json()).new_node_claims[0].node_pool == "other"


def test_volume_in_another_zone(oracle: Oracle) -> None:
    case = draft()
    case.pod.node_selector[ZONE] = "us-east-1a"
    case.pod.volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    # The CSI driver's own label; AWS makes it an alias.
    term = {"matchExpressions": [expression("topology.ebs.csi.aws.com/zone", "In", "us-east-1b")]}
    csi = {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}
    spec = {"csi": csi, "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}
    case.volumes = [{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": spec}]
    case.claims = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": "data",
                "namespace": "default",
                "annotations": {"pv.kubernetes.io/bind-completed": "yes"},
            },
            "spec": {"volumeName": "pv"},
        }
    ]
    message = f"incompatible volume requirements, key {ZONE}, {ZONE} In [us-east-1b] not in {ZONE} In [us-east-1a]"
    assert parts(oracle.decide(case.json())) == [("general", message)]


def test_spread_counts_a_zone_that_the_pod_may_not_use(oracle: Oracle) -> None:
    case = draft()
    case.pod.labels = {"app": "web"}
    case.pod.spread = [
        {
            "topologyKey": ZONE,
            "maxSkew": 1,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}},
        }
    ]
    node = case.add_node(NodeDraft(name="full", zone="us-east-1a"))
    case.bind(PodDraft(name="web", labels={"app": "web"}), node)
    assert oracle.decide(case.json()).new_node_claims[0].zones != ("us-east-1a",)

    case.pool.requirements = [expression(ZONE, "In", "us-east-1a")]
    case.add_node(NodeDraft(name="empty", zone="us-east-1b"))
    message = (
        f"unsatisfiable topology constraint for topology spread, key={ZONE} "
        f"(counts = us-east-1a: 1, us-east-1b: 0, podDomains = {ZONE} Exists, nodeDomains = {ZONE} In [us-east-1a]"
    )
    assert parts(oracle.decide(case.json())) == [("general", message)]


def test_insufficient_capacity_takes_the_nodepool_out_of_the_message(oracle: Oracle) -> None:
    case = draft("p4d.24xlarge")
    case.pool.requirements = [expression("karpenter.sh/capacity-type", "In", "spot")]
    case.types[0].unavailable = {(zone, "spot") for zone in case.types[0].zones}
    alone = oracle.decide(case.json())
    assert alone.pod_errors[POD].error == "nodepool requirements filtered out all available instance types"
    assert [event.reason for event in alone.events] == ["NoCompatibleInstanceTypes", "FailedScheduling"]

    case.add_pool(NodePoolDraft(name="blamed", taints=[DEDICATED]))
    verdict = oracle.decide(case.json())
    assert parts(verdict) == [("blamed", "did not tolerate taint (taint=dedicated=ml:NoSchedule)")]
    assert [skipped.node_pool for skipped in verdict.node_pools_skipped] == ["general"]


def test_limits_count_the_nodes_that_are_there(oracle: Oracle) -> None:
    case = draft("m5.4xlarge")
    case.pool.limits = {"cpu": "20"}
    assert oracle.decide(case.json()).of(POD) == "launchable"

    node = case.add_node(NodeDraft(name="full", pool="general"))
    message = "all available instance types exceed limits for nodepool (NodePool=general)"
    assert parts(oracle.decide(case.json())) == [("general", message)]

    node.room["cpu"] = "2"
    node.room["memory"] = "4Gi"
    assert oracle.decide(case.json()).of(POD) == "fits-existing-node"


def test_pods_that_karpenter_does_not_schedule(oracle: Oracle) -> None:
    case = draft()
    case.pod.require(expression("karpenter.k8s.aws/ec2nodeclass", "In", "default"))
    ignored = oracle.decide(case.json())
    assert ignored.of(POD) == "ignored"
    assert ignored.ignored[POD].startswith("using label karpenter.k8s.aws/ec2nodeclass is not allowed as it might")

    case.pod.unschedulable = False
    assert oracle.decide(case.json()).of(POD) == "not-provisionable"


def test_nodepools_that_nobody_is_tried_on(oracle: Oracle) -> None:
    case = draft()
    case.pool.ready = False
    case.add_pool(NodePoolDraft(name="static", static=True))
    case.add_pool(NodePoolDraft(name="leaving", deleting=True))
    case.add_pool(NodePoolDraft(name="foreign", node_class_kind="KWOKNodeClass"))
    verdict = oracle.decide(case.json())
    assert verdict.pod_errors[POD].error == "no dynamic nodepools found"
    assert {skipped.node_pool: skipped.reason for skipped in verdict.node_pools_skipped} == {
        "static": "static",
        "leaving": "being deleted",
        "general": "ignoring nodepool, not ready",
        "foreign": "not managed by this cloud provider",
    }


def test_malformed_cases_fail_alone(oracle: Oracle) -> None:
    good, unknown_field, duplicate = draft(), draft().json(), draft()
    unknown_field["nodepools"] = []
    duplicate.pods.append(duplicate.pod)
    verdicts = list(oracle.decide_all([good.json(), unknown_field, duplicate.json(), good.json()]))
    assert [verdict.failure for verdict in verdicts] == [
        "",
        'reading case, unknown field "nodepools"',
        "loading objects, Pod default/pod-1 is there twice",
        "",
    ]


def test_every_feature_gives_verdicts_and_cases_are_reproducible(oracle: Oracle) -> None:
    for feature in FEATURES:
        for verdict in oracle.decide_all(generate(3, 8, feature=feature)):
            assert (verdict.failure, verdict.schedule_error) == ("", ""), (feature, verdict)
    mixed = list(generate(3, 300))
    assert mixed[:50] == list(generate(3, 50))
    words = Counter(verdict.of(POD) for verdict in oracle.decide_all(mixed))
    assert words["unknown"] == 0
    assert min(words["blocked"], words["launchable"]) > 75
    assert min(words["ignored"], words["fits-existing-node"]) > 0


def test_timing_reports_every_run() -> None:
    with compared_with_karpenter():
        (timing,) = measure([draft().json()], runs=5)
    assert (timing.failure, timing.runs) == ("", 5)
    assert timing.solve_ns is not None
    assert 0 < timing.solve_ns.min <= timing.solve_ns.median <= timing.solve_ns.max


def test_aws_resolver_gives_what_karpenter_publishes() -> None:
    """Against the table of instance types in Karpenter's documentation (AL2023)."""
    packed = (files("moto") / "ec2" / "resources" / "instance_types.json.gz").read_bytes()
    described = msgspec.json.decode(gzip.decompress(packed), type=dict[str, msgspec.Raw])
    nodeclass: Json = {"spec": {"amiSelectorTerms": [{"alias": "al2023@latest"}]}}
    with compared_with_karpenter():
        resolved = resolve_instance_types(
            {"InstanceTypes": [described[name] for name in NAMES]}, {"region": "us-east-1", "nodeClass": nodeclass}
        )
    by_name = {it.name: it for it in resolved}
    assert [it.name for it in resolved if it.failure] == []
    large, p4d = by_name["m5.large"].allocatable, by_name["p4d.24xlarge"].allocatable
    assert (large["cpu"], large["memory"], large["pods"]) == ("1930m", "6903Mi", "29")
    assert (p4d["cpu"], p4d["memory"], p4d["pods"]) == ("95690m", "1082712Mi", "737")
    assert (p4d["nvidia.com/gpu"], p4d["vpc.amazonaws.com/efa"]) == ("8", "4")
    assert by_name["inf2.xlarge"].labels["karpenter.k8s.aws/instance-accelerator-name"] == "inferentia2"

    # Bottlerocket reserves 11 MiB for each pod that may run, AL2023 for each that the network interfaces allow.
    for alias, memory in (("bottlerocket@latest", "7002Mi"), ("al2023@latest", "6903Mi")):
        few_pods: Json = {"spec": {"amiSelectorTerms": [{"alias": alias}], "kubelet": {"maxPods": 20}}}
        (few,) = resolve_instance_types({"InstanceTypes": [described["m5.large"]]}, {"nodeClass": few_pods})
        assert (few.allocatable["pods"], few.allocatable["memory"]) == ("20", memory)


@pytest.mark.parametrize(
    ("message", "normal"),
    [
        (
            "incompatible requirements, key b, b In [x] not in b In [y]; key a, a Exists not in a DoesNotExist",
            "incompatible requirements, key a, a Exists not in a DoesNotExist; key b, b In [x] not in b In [y]",
        ),
        (
            'incompatible requirements, label "zone" does not have known values (typo of "topology.kubernetes.io/zone"?)',
            'incompatible requirements, label "zone" does not have known values (typo of "..."?)',
        ),
        (
            "minValues requirement is not met for label(s) (label(s)=[b a]), requirements=x In [b a], resources={}",
            "minValues requirement is not met for label(s) (label(s)=[a b]), requirements=x In [b a], resources={}",
        ),
        (
            "key h, h In [node-1] not in h In [hostname-placeholder-0012]",
            "key h, h In [node-1] not in h In [hostname-placeholder]",
        ),
        (
            "key a has an unsupported operator Near not in [NotIn In Exists]",
            "key a has an unsupported operator Near not in [Exists In NotIn]",
        ),
        ("did not tolerate taint (taint=b:NoSchedule)", "did not tolerate taint (taint=b:NoSchedule)"),
    ],
)
def test_normalise_message(message: str, normal: str) -> None:
    assert normalise_message(message) == normal
    assert normalise_message(normal) == normal
