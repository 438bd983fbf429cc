"""The optional role is exact too: with operators' published definitions served, the bot names the owner of their pods, and
uses each permission that the file grants.

EKS does not publish the definition of Auto Mode's NodeClass; one without a schema stands for it here. It shows that the
permission is the right one, and nothing about the kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from bot import app
from bot.app import wall_clock
from bot.sources.pod_search import PodQuestion
from tests.cluster.api import ApiError, KubeObject, wait_for
from tests.cluster.bot_access import OPTIONAL_ROLE, BotAccess, granted, manifests_of, wait_for_audit
from tests.cluster.build import ensure_assets
from tests.cluster.components import REGION
from tests.cluster.workbench import SECONDS, Workbench, node_pool, pod

pytestmark = pytest.mark.cluster

TEMPLATE: Final[KubeObject] = {"spec": {"containers": [{"name": "main", "image": "example.com/trainer:1"}]}}
REPLICAS: Final = {"Worker": {"replicas": 1, "template": TEMPLATE}}
RAY_CLUSTER: Final = {"headGroupSpec": {"rayStartParams": {}, "template": TEMPLATE}}
WORKFLOW: Final = {"entrypoint": "main", "templates": [{"name": "main"}]}
OWNERS: Final[tuple[tuple[str, str, KubeObject], ...]] = (
    ("kubeflow.org/v1", "PyTorchJob", {"pytorchReplicaSpecs": REPLICAS}),
    ("kubeflow.org/v1", "TFJob", {"tfReplicaSpecs": REPLICAS}),
    ("kubeflow.org/v1", "MPIJob", {"mpiReplicaSpecs": REPLICAS}),
    ("kubeflow.org/v1", "XGBoostJob", {"xgbReplicaSpecs": REPLICAS}),
    ("kubeflow.org/v1", "PaddleJob", {"paddleReplicaSpecs": REPLICAS}),
    ("kubeflow.org/v1", "JAXJob", {"jaxReplicaSpecs": REPLICAS}),
    ("ray.io/v1", "RayCluster", RAY_CLUSTER),
    ("ray.io/v1", "RayJob", {"entrypoint": "python train.py", "rayClusterSpec": RAY_CLUSTER}),
    ("ray.io/v1", "RayService", {"rayClusterConfig": RAY_CLUSTER}),
    (
        "leaderworkerset.x-k8s.io/v1",
        "LeaderWorkerSet",
        {"leaderWorkerTemplate": {"size": 2, "workerTemplate": TEMPLATE}},
    ),
    ("argoproj.io/v1alpha1", "Rollout", {"selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE}),
    ("argoproj.io/v1alpha1", "Workflow", WORKFLOW),
    ("argoproj.io/v1alpha1", "CronWorkflow", {"schedule": "0 * * * *", "workflowSpec": WORKFLOW}),
)
_CRD: Final = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
_ANY: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
FEATURES: Final[tuple[KubeObject, ...]] = (
    {
        "apiVersion": "karpenter.sh/v1alpha1",
        "kind": "NodeOverlay",
        "metadata": {"name": "cheaper"},
        "spec": {"price": "1.5", "requirements": [{"key": "team", "operator": "In", "values": ["ml"]}]},
    },
)
AUTO_MODE: Final[KubeObject] = {
    "apiVersion": _CRD[0],
    "kind": _CRD[1],
    "metadata": {"name": "nodeclasses.eks.amazonaws.com"},
    "spec": {
        "group": "eks.amazonaws.com",
        "scope": "Cluster",
        "names": {"kind": "NodeClass", "plural": "nodeclasses"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _ANY}}],
    },
}


@pytest.fixture
def operators(bench: Workbench) -> Iterator[Workbench]:
    """The bench with all these kinds served, and the optional role granted."""
    texts = ensure_assets(build=False).manifest_texts("operator-")
    definitions = [d for text in texts for d in yaml.load_all(text, Loader=yaml.CSafeLoader) if d] + [AUTO_MODE]
    for manifest in (*definitions, *manifests_of(OPTIONAL_ROLE)):
        bench.api.apply(manifest)
    kinds = [(api_version, kind) for api_version, kind, _ in OWNERS] + [("eks.amazonaws.com/v1", "NodeClass")]
    for api_version, kind in kinds:
        wait_for(f"{kind} to be served", lambda a=api_version, k=kind: _served(bench, a, k), seconds=SECONDS)  # type: ignore[misc]
    try:
        yield bench
    finally:
        bench.api.request("DELETE", f"/api/v1/namespaces/{bench.namespace}/pods", query={"gracePeriodSeconds": "0"})
        for one in FEATURES:
            bench.api.delete(one["apiVersion"], one["kind"], one["metadata"]["name"])
        for definition in definitions:
            bench.api.delete(*_CRD, definition["metadata"]["name"])


def _served(bench: Workbench, api_version: str, kind: str) -> bool:
    try:
        bench.api.list(api_version, kind)
    except (ApiError, KeyError):
        return False
    return True


async def test_owners_of_every_operator_are_read_with_just_the_optional_role(
    operators: Workbench, bot: BotAccess
) -> None:
    bench = operators
    auto = node_pool("auto", [])
    auto["spec"]["template"]["spec"]["nodeClassRef"] = {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "d"}
    bench.api.create(auto)
    bench.api.create({"apiVersion": "eks.amazonaws.com/v1", "kind": "NodeClass", "metadata": {"name": "d"}})
    for api_version, kind, spec in OWNERS:
        _create_owned_pod(bench, api_version, kind, spec)
    _say_that_features_are_on(bench)
    connected = await app.stay_connected(app.Place(kubeconfig=str(bot.kubeconfig), region=REGION))
    try:
        for _, kind, _ in OWNERS:
            found = await connected.cluster.observe_pod(PodQuestion(name=kind.lower(), namespace=bench.namespace))
            world = await connected.cluster.observe_world(found, wall_clock())
            assert [(w.kind, w.metadata.name) for w in world.workloads] == [(kind, f"the-{kind.lower()}")]
            assert world.missing == (), kind
            assert [c.kind for c in world.node_classes] == ["NodeClass"]
        assert [str(one) for one in world.others] == ["NodeOverlay cheaper"]
        assert world.others_listed == {"NodeOverlay", "CapacityBuffer"}
    finally:
        await connected.close()
    bot.run("why-gone", f"{bench.namespace}/pytorchjob", "-o", "json")  # the one that asks for PodDisruptionBudgets
    wait_for_audit()
    assert granted(OPTIONAL_ROLE) - bot.used() == set()


def _create_owned_pod(bench: Workbench, api_version: str, kind: str, spec: dict[str, Any]) -> None:
    metadata = {"name": f"the-{kind.lower()}", "namespace": bench.namespace}
    owner = bench.api.create({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
    owned = pod(kind.lower(), bench.namespace, {"cpu": "1"}, schedulingGates=[{"name": "example.com/not-yet"}])
    reference = {"apiVersion": api_version, "kind": kind, "controller": True}
    reference |= {key: owner["metadata"][key] for key in ("name", "uid")}
    owned["metadata"]["ownerReferences"] = [reference]
    bench.api.create(owned)


def _say_that_features_are_on(bench: Workbench) -> None:
    """A pod of Karpenter's that does not run yet, newer than the bed's, with other feature gates: the bot goes by it."""
    for one in FEATURES:
        bench.api.create(one)
    controller = pod("karpenter-next", bench.namespace, {}, schedulingGates=[{"name": "example.com/not-yet"}])
    controller["metadata"]["labels"] = {"app.kubernetes.io/name": "karpenter"}
    env = [{"name": "FEATURE_GATES", "value": "NodeOverlay=true,CapacityBuffer=true"}]
    controller["spec"]["containers"] = [{"name": "controller", "image": "example.com/karpenter:1.14.1", "env": env}]
    bench.api.create(controller)
