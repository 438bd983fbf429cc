"""What Karpenter itself says to each case, and that the stated change is enough for it to launch a node."""

from __future__ import annotations

import re

import pytest

from tests.cluster.cases import CASES, Case, PodShape
from tests.cluster.train_job import create_train_job
from tests.cluster.workbench import Workbench

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_karpenter_refuses_and_after_the_relief_launches(bench: Workbench, case: Case) -> None:
    for pool in case.pools:
        bench.api.create(pool)
    _create(bench, "trainer", case.pod)

    refusal = bench.refusal("trainer")

    assert case.says in refusal
    assert bench.api.list("karpenter.sh/v1", "NodeClaim") == []

    pod = "trainer"
    if case.relief_pod:
        pod = "trainer-again"
        _create(bench, pod, case.relief_pod)
    if case.relief_pool:
        bench.api.patch("karpenter.sh/v1", "NodePool", case.pools[0]["metadata"]["name"], case.relief_pool)
    node = bench.bound_node(pod)
    assert node["metadata"]["labels"]["karpenter.sh/nodepool"] == case.pools[0]["metadata"]["name"]


def test_the_seed_as_a_train_job(bench: Workbench) -> None:
    """The seed's pool and workload: the pods carry the seed's names, and Karpenter says of each what its log says."""
    seed = CASES[0]
    bench.api.create(seed.pools[0])
    create_train_job(
        bench.api,
        bench.namespace,
        "llama-3-8b",
        nodes=3,
        resources=dict(seed.pod.resources),
        selector=dict(seed.pod.selector),
    )

    pods = bench.pending_pods(3)

    for name in pods:
        assert re.fullmatch(r"llama-3-8b-node-0-[012]-\w{5}", name)
        refusal = bench.refusal(name)
        assert seed.says in refusal
        assert "node.kubernetes.io/instance-type In [g6e.8xlarge]" in refusal
        assert '"vpc.amazonaws.com/efa":"8"' in refusal


def _create(bench: Workbench, name: str, shape: PodShape) -> None:
    bench.create_pod(name, shape.resources, nodeSelector=dict(shape.selector), **shape.spec)
