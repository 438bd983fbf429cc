"""Whatever the manifests say, `diagnose` answers: no exception leaves it, and a blocked pod has a cause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.diagnosis import diagnose
from bot.model.diagnosis import Diagnosis, Verdict
from bot.model.karpenter import NodeClaim, NodePool
from bot.model.kubernetes import DaemonSet, Event, Node, PersistentVolumeClaim, Pod
from bot.model.objects import AnyObject, MalformedObjectError, decode
from bot.model.world import Catalogue, World
from tests.diagnosis.explained import KEYS, VALUES, small_worlds
from tests.oracle.generate import generate
from tests.oracle.worlds import world_of

ODD_QUANTITIES = (
    *("0", "-1", "1.5Gi", "1e3", "100M", "1n", "9E", "0.1m", "1e-9", "1000000000000"),
    *("1E100", "9" * 65, "-" + "9" * 65 + "e-9", "1e-999", "100000Ei", "1000E", "1.96e2", "."),
)
ODD_TEXTS = ("", " ", "a" * 64, "é", "karpenter.sh/", "/", "-1", "1.5", "0x1", "NaN", "default", "*")
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte", "", "like")
RESOURCES = ("cpu", "memory", "nvidia.com/gpu", "vpc.amazonaws.com/efa", "hugepages-2Mi", "none/such", "pods", "")
_texts = st.sampled_from(ODD_TEXTS)
_keys = st.one_of(st.sampled_from((*KEYS, "kubernetes.io/hostname", "karpenter.sh/nodepool")), _texts)
_labels = st.dictionaries(_keys, st.one_of(_texts, st.just("ml")), max_size=3)
_amounts = st.dictionaries(st.sampled_from(RESOURCES), st.sampled_from(ODD_QUANTITIES), max_size=4)


@st.composite
def _expressions(draw: st.DrawFn) -> dict[str, Any]:
    key = draw(_keys)
    values = st.sampled_from((*VALUES.get(key, ("x",)), *ODD_TEXTS))
    made: dict[str, Any] = {"key": key, "operator": draw(st.sampled_from(OPERATORS))}
    made["values"] = draw(st.lists(values, max_size=3))
    if draw(st.booleans()):
        made["minValues"] = draw(st.integers(-1, 60))
    return made


_terms = st.lists(st.fixed_dictionaries({"matchExpressions": st.lists(_expressions(), max_size=2)}), max_size=3)
_selectors: st.SearchStrategy[dict[str, Any] | None] = st.one_of(
    st.none(), st.just({}), st.fixed_dictionaries({"matchLabels": _labels})
)
_pod_terms = st.lists(st.fixed_dictionaries({"topologyKey": _keys, "labelSelector": _selectors}), max_size=2)
_spreads = st.lists(
    st.fixed_dictionaries(
        {
            "topologyKey": _keys,
            "maxSkew": st.integers(-1, 3),
            "whenUnsatisfiable": st.sampled_from(("DoNotSchedule", "ScheduleAnyway", "")),
            "labelSelector": _selectors,
            "minDomains": st.one_of(st.none(), st.integers(-1, 9)),
        }
    ),
    max_size=2,
)
_taints = st.fixed_dictionaries({"key": _texts, "value": _texts, "effect": st.sampled_from(("NoSchedule", "", "odd"))})
_tolerations = st.lists(
    st.fixed_dictionaries({"key": _texts, "operator": st.sampled_from(("Exists", "Equal", "", "Gt")), "value": _texts}),
    max_size=2,
)
_containers = st.lists(
    st.fixed_dictionaries(
        {
            "name": _texts,
            "resources": st.fixed_dictionaries({"requests": _amounts, "limits": _amounts}),
            "ports": st.lists(st.fixed_dictionaries({"hostPort": st.integers(-1, 70000)}), max_size=2),
            "restartPolicy": st.sampled_from(("", "Always")),
        }
    ),
    max_size=3,
)
_required, _preferred = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_preferences = st.fixed_dictionaries({"matchExpressions": st.lists(_expressions(), max_size=2)})
_weighted = st.lists(st.fixed_dictionaries({"weight": st.integers(-5, 200), "preference": _preferences}), max_size=2)
_pod_specs = st.fixed_dictionaries(
    {
        "containers": _containers,
        "initContainers": _containers,
        "nodeSelector": _labels,
        "tolerations": _tolerations,
        "topologySpreadConstraints": _spreads,
        "overhead": _amounts,
        "hostNetwork": st.booleans(),
        "volumes": st.sampled_from(([], [], [], [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}])),
        "affinity": st.fixed_dictionaries(
            {
                "nodeAffinity": st.fixed_dictionaries(
                    {_required: st.fixed_dictionaries({"nodeSelectorTerms": _terms}), _preferred: _weighted}
                ),
                "podAffinity": st.fixed_dictionaries({_required: _pod_terms}),
                "podAntiAffinity": st.fixed_dictionaries({_required: _pod_terms}),
            }
        ),
    }
)
_pool_specs = st.fixed_dictionaries(
    {
        "template": st.fixed_dictionaries(
            {
                "metadata": st.fixed_dictionaries({"labels": _labels}),
                "spec": st.fixed_dictionaries(
                    {
                        "requirements": st.lists(_expressions(), max_size=3),
                        "taints": st.lists(_taints, max_size=2),
                        "nodeClassRef": st.sampled_from(
                            (
                                {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
                                {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
                                {},
                            )
                        ),
                    }
                ),
            }
        ),
        "limits": _amounts,
        "weight": st.integers(-1, 101),
        "replicas": st.sampled_from((None, None, 0)),
    }
)


def read(data: dict[str, Any], kind: type[AnyObject], otherwise: AnyObject) -> AnyObject:
    """The object, or another one where the adapters would have refused the manifest."""
    try:
        return decode(data, kind)
    except MalformedObjectError:
        return otherwise


def answered(world: World, pod: Pod) -> Diagnosis:
    found = diagnose(world, pod)
    if found.verdict is Verdict.BLOCKED:
        assert found.causes
        assert all(cause.id for cause in found.causes)
    return found


_settings = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
PENDING = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}


@_settings
@given(made=small_worlds(), spec=_pod_specs)
def test_odd_pods(made: tuple[World, Pod], spec: dict[str, Any]) -> None:
    world, plain = made
    data = {
        "metadata": {"name": "p", "namespace": "d", "uid": "p", "labels": {"app": "x"}},
        "spec": spec,
        "status": PENDING,
    }
    pod = read(data, Pod, plain)
    answered(replace(world, pods=(pod,)), pod)


@_settings
@given(made=small_worlds(), specs=st.lists(_pool_specs, max_size=3), labels=_labels, amounts=_amounts)
def test_odd_clusters(
    made: tuple[World, Pod], specs: list[dict[str, Any]], labels: dict[str, str], amounts: dict[str, str]
) -> None:
    world, pod = made
    types = next(iter(world.catalogues.values()))
    pools = tuple(read({"metadata": {"name": f"p{i}"}, "spec": s}, NodePool, NodePool()) for i, s in enumerate(specs))
    daemon = {"metadata": {"name": "d", "uid": "d"}, "spec": {"template": {"spec": {"nodeSelector": labels}}}}
    node = {
        "metadata": {"name": "n", "labels": labels},
        "spec": {"providerID": "i-1"},
        "status": {"allocatable": amounts},
    }
    claim = {"metadata": {"name": "c", "labels": labels}, "status": {"providerID": "i-1", "capacity": amounts}}
    answered(
        replace(
            world,
            node_pools=pools,
            catalogues={pool.metadata.name: types for pool in pools},
            daemon_sets=(read(daemon, DaemonSet, DaemonSet()),),
            nodes=(read(node, Node, Node()),),
            node_claims=(read(claim, NodeClaim, NodeClaim()),),
            claims=(PersistentVolumeClaim(),),
            events=(Event(), Event(reason="FailedScheduling", message="Failed to schedule pod, ")),
            karpenter_log=("", "{", '{"level":"ERROR","message":"could not schedule pod","error":"{"}', "\x00"),
            karpenter_version="v1.x",
        ),
        pod,
    )


@_settings
@given(made=small_worlds())
def test_nothing_to_choose_from(made: tuple[World, Pod]) -> None:
    world, pod = made
    answered(replace(world, catalogues={}), pod)
    answered(replace(world, catalogues={name: Catalogue(types=()) for name in world.catalogues}), pod)
    answered(replace(world, node_pools=(), catalogues={}), pod)


@pytest.mark.parametrize(
    "feature", ["many-terms", "many-nodepools", "contradictions", "nothing-offered", "odd-quantities"]
)
def test_the_oracles_hostile_cases(feature: str) -> None:
    for case in generate(3, 12, feature=feature):
        world, pods = world_of(case)
        for pod in pods:
            answered(world, pod)


def test_two_hundred_nodepools_and_fifty_terms() -> None:
    case: dict[str, Any] = dict(next(iter(generate(3, 1, feature="many-nodepools"))))
    pools = case["nodePools"]
    names = (f"pool-{index}" for index in range(200))
    case["nodePools"] = [
        {**pools[index % len(pools)], "metadata": {"name": name, "uid": name}} for index, name in enumerate(names)
    ]
    terms = [{"matchExpressions": [{"key": "team", "operator": "In", "values": [str(n)]}]} for n in range(50)]
    case["pods"][0]["spec"]["affinity"] = {"nodeAffinity": {_required: {"nodeSelectorTerms": terms}}}
    world, (pod, *_) = world_of(case)
    found = answered(world, pod)
    assert found.verdict is Verdict.BLOCKED
    assert len(found.nodepools) == 200
