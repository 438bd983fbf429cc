"""The bed itself: real validation, real authorisation, a real Karpenter that launches what EC2's data allows."""

from __future__ import annotations

import json

import pytest

from tests.cluster.api import Api, ApiError
from tests.cluster.bed import Bed
from tests.cluster.build import pinned_version
from tests.cluster.workbench import Workbench, node_pool, requirement

pytestmark = pytest.mark.cluster

P4D = "p4d.24xlarge"
ON_P4D = [requirement("node.kubernetes.io/instance-type", "In", P4D)]


def test_the_api_server_calls_itself_what_was_pinned(bed: Bed) -> None:
    assert bed.admin.read("/version")["gitVersion"] == pinned_version("cluster", "k8s.io/kubernetes")
    assert all(process.alive() for process in bed.processes)


def test_a_node_pool_is_validated_by_karpenters_own_rules(bench: Workbench) -> None:
    several = requirement("karpenter.k8s.aws/instance-cpu", "Gt", "1", "2")
    assert "must have a single positive integer" in bench.refused(node_pool("bad", [several]))
    unknown = requirement("karpenter.k8s.aws/instance-colour", "In", "red")
    assert 'label domain "karpenter.k8s.aws" is restricted' in bench.refused(node_pool("bad", [unknown]))
    # and what is left out is defaulted
    pool = bench.create_node_pool("gpu", ON_P4D)
    assert pool["spec"]["disruption"]["budgets"] == [{"nodes": "10%"}]


def test_authorisation_is_on(bed: Bed) -> None:
    account = "/api/v1/namespaces/default/serviceaccounts/default/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    token = bed.admin.request("POST", account, body=request)
    powerless = Api(server=bed.server, ca=bed.ca, token=str(json.loads(token)["status"]["token"]))
    try:
        with pytest.raises(ApiError, match=r'User "system:serviceaccount:default:default" cannot list resource "pods"'):
            powerless.list("v1", "Pod")
    finally:
        powerless.close()


def test_eight_gpus_get_a_p4d(bench: Workbench) -> None:
    bench.create_node_pool("gpu", ON_P4D)
    bench.create_pod("trainer", {"nvidia.com/gpu": "8", "vpc.amazonaws.com/efa": "4"})

    node = bench.bound_node("trainer")

    labels = node["metadata"]["labels"]
    assert labels["node.kubernetes.io/instance-type"] == P4D
    assert labels["karpenter.k8s.aws/instance-gpu-name"] == "a100"
    # EC2 offers it in two of the region's zones; spot is the cheaper of the two ways to buy it.
    assert labels["topology.kubernetes.io/zone"] in {"ap-northeast-2b", "ap-northeast-2d"}
    assert labels["karpenter.sh/capacity-type"] == "spot"
    assert (node["status"]["allocatable"]["nvidia.com/gpu"], node["status"]["allocatable"]["cpu"]) == ("8", "95690m")
    assert bench.initialized_claim()["status"]["nodeName"] == node["metadata"]["name"]


def test_sixteen_gpus_are_refused_in_karpenters_log(bench: Workbench) -> None:
    bench.create_node_pool("gpu", ON_P4D)
    bench.create_pod("trainer", {"nvidia.com/gpu": "16"})

    refusal = bench.refusal("trainer")

    assert "no instance type has enough resources" in refusal
    assert f"node.kubernetes.io/instance-type In [{P4D}]" in refusal
    assert '"nvidia.com/gpu":"16"' in refusal
    assert bench.api.list("karpenter.sh/v1", "NodeClaim") == []
    assert bench.api.get("v1", "Pod", "trainer", bench.namespace)["status"]["phase"] == "Pending"


def test_a_label_of_the_aws_provider_narrows_the_types(bench: Workbench) -> None:
    bench.create_node_pool(
        "small-gpu",
        [
            requirement("karpenter.k8s.aws/instance-category", "In", "g"),
            requirement("karpenter.k8s.aws/instance-gpu-name", "In", "l40s"),
            requirement("karpenter.sh/capacity-type", "In", "on-demand"),
        ],
    )
    in_2b = {"topology.kubernetes.io/zone": "ap-northeast-2b"}
    bench.create_pod("trainer", {"nvidia.com/gpu": "1"}, nodeSelector=in_2b)

    labels = bench.bound_node("trainer")["metadata"]["labels"]

    assert labels["node.kubernetes.io/instance-type"] == "g6e.xlarge"
    assert labels["topology.kubernetes.io/zone"] == "ap-northeast-2b"
    assert labels["karpenter.sh/capacity-type"] == "on-demand"
