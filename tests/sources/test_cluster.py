"""A pod's question against a Kubernetes API over HTTP: what is read, what is not, and what each refusal costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from bot.model.kubernetes import Node, Pod
from bot.model.objects import ObjectMeta
from bot.model.world import World
from bot.sources import kube_api
from bot.sources.cluster import Cluster
from bot.sources.errors import ClusterUnreachable, CredentialsExpired, NotPermitted, PodNotFound, SeveralPods
from bot.sources.karpenter_side import Installation
from bot.sources.kube_api import open_connection
from bot.sources.pod_search import PodQuestion, Search
from bot.sources.regions import region_of
from tests.fakes.kube import FakeKube, Fault, serving
from tests.sources.manifests import (
    CLUSTER,
    LOGS,
    NODE,
    NODE_CLASS,
    NODE_POOL,
    POD,
    Manifest,
    karpenter_pod,
    pod,
    thing,
)

NOW: Final = datetime(2025, 12, 28, 6, 5, tzinfo=UTC)
WHICH: Final = PodQuestion(name="llama-node-0-1-z49j4", namespace="train")


@asynccontextmanager
async def cluster_of(
    folder: Path,
    objects: Iterable[Manifest] = CLUSTER,
    faults: Mapping[str, Fault] | None = None,
    served: Iterable[str] = (),
) -> AsyncIterator[tuple[Cluster, FakeKube]]:
    async with (
        serving(objects, logs=LOGS, faults=faults, served=served) as fake,
        await open_connection(kubeconfig=str(fake.kubeconfig(folder))) as connection,
    ):
        yield Cluster(connection), fake


async def observed(cluster: Cluster, which: PodQuestion = WHICH) -> tuple[Pod, World]:
    found = await cluster.observe_pod(which)
    return found, await cluster.observe_world(found, NOW)


async def test_one_question_reads_the_pods_whole_surroundings(tmp_path: Path) -> None:
    async with cluster_of(tmp_path) as (cluster, fake):
        found, world = await observed(cluster)
    assert world.missing == ()
    assert [f"{w.kind} {w.metadata.name}" for w in world.workloads] == [
        "Job llama-node-0",
        "JobSet llama",
        "TrainJob llama",
    ]
    assert world.workloads[2].manifest["metadata"]["uid"] == "uid-TrainJob-llama"
    assert [p.metadata.name for p in world.node_pools] == ["gpu"]
    assert [c.metadata.name for c in world.node_classes] == ["gpu"]
    assert [c.metadata.name for c in world.node_claims] == ["gpu-x7k2p"]
    assert [n.metadata.name for n in world.nodes] == ["ip-10-0-1-2"]
    assert [c.metadata.name for c in world.claims] == ["data"]
    assert [v.metadata.name for v in world.volumes] == ["pv-1"]
    assert [s.metadata.name for s in world.storage_classes] == ["gp3"]
    assert {p.metadata.name for p in world.pods} == {found.metadata.name, "device-plugin-1"}
    assert {e.metadata.name for e in world.events} == {"refused", "evicted", "of-pool"}
    assert (world.now, world.cluster, world.karpenter_version) == (NOW, "training", "1.8.2")
    assert (world.settings.preference_policy, world.settings.reserved_enis) == ("Ignore", 1)
    assert not world.settings.reserved_capacity
    assert region_of(world) == "ap-northeast-2"
    assert not world.placements_known
    assert {request.headers["User-Agent"] for request in fake.requests} == {kube_api.USER_AGENT}
    assert not any("secrets" in path or "configmaps" in path for path in fake.paths)


async def test_the_log_keeps_lines_about_the_pod_and_drops_other_pods_refusals(tmp_path: Path) -> None:
    async with cluster_of(tmp_path) as (cluster, _):
        _, world = await observed(cluster)
    assert len(world.karpenter_log) == 2
    assert not any("somebody-else-x" in line for line in world.karpenter_log)


async def test_nothing_is_read_that_the_pod_does_not_need(tmp_path: Path) -> None:
    plain = pod("plain")
    async with cluster_of(tmp_path, [*CLUSTER, plain]) as (cluster, fake):
        await observed(cluster, PodQuestion(name="plain", namespace="train"))
    unneeded = ("/namespaces", "persistentvolume", "storageclasses", "/jobs", "jobsets")
    assert not [path for path in fake.paths if any(path.endswith(u) or f"{u}s/" in path for u in unneeded)]


async def test_affinity_asks_for_the_selected_pods_only(tmp_path: Path) -> None:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}}
    far = {**term, "namespaceSelector": {"matchLabels": {"team": "a"}}}
    spread = {
        "topologyKey": "topology.kubernetes.io/zone",
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x", "y"]}]},
    }
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    asking = pod(
        "asking",
        spec={
            "affinity": {"podAffinity": {required: [term]}, "podAntiAffinity": {required: [far]}},
            "topologySpreadConstraints": [spread],
        },
    )
    near_db = pod("near-db", phase="Running", labels={"app": "db", "tier": "x"}, spec={"nodeName": "ip-10-0-1-2"})
    far_db = pod("far-db", "other", "Running", labels={"app": "db"}, spec={"nodeName": "ip-10-0-1-2"})
    done = pod("done", phase="Succeeded", labels={"app": "db"}, spec={"nodeName": "ip-10-0-1-2"})
    web = pod("web", phase="Running", labels={"tier": "z"}, spec={"nodeName": "ip-10-0-1-2"})
    waiting = pod("waiting", labels={"app": "db"})
    other = thing("v1", "Namespace", "other", labels={"team": "a"})
    async with cluster_of(tmp_path, [NODE, asking, near_db, far_db, done, web, waiting, other]) as (cluster, _):
        _, world = await observed(cluster, PodQuestion(name="asking", namespace="train"))
    assert {p.metadata.name for p in world.pods} == {"asking", "near-db", "far-db", "web"}
    assert [n.metadata.name for n in world.namespaces] == ["other"]


async def test_pods_on_nodes_are_read_when_asked(tmp_path: Path) -> None:
    placed = pod("placed", phase="Running", spec={"nodeName": "ip-10-0-1-2"})
    gone = pod("gone", phase="Running", spec={"nodeName": "no-such-node"})
    async with cluster_of(tmp_path, [*CLUSTER, placed, gone]) as (cluster, _):
        _, world = await observed(cluster)
        world = await cluster.observe_placements(world)
        assert world.placements_known
        assert {"placed", POD["metadata"]["name"]} <= {p.metadata.name for p in world.pods}
        assert "gone" not in {p.metadata.name for p in world.pods}
        others = tuple(Node(metadata=ObjectMeta(name=f"n-{number}")) for number in range(30))
        again = await cluster.observe_placements(replace(world, pods=(), nodes=(*world.nodes, *others)))
    assert {p.metadata.name for p in again.pods} == {"placed"}


@pytest.mark.parametrize(
    ("end", "what", "why"),
    [
        ("/nodepools", "nodepools.karpenter.sh", "no permission to list nodepools.karpenter.sh"),
        ("/nodes", "nodes", "no permission to list nodes"),
        ("/namespaces/train/events", "events", "no permission to list events in namespace train"),
        ("/jobs/llama-node-0", "jobs.batch", "no permission to get jobs.batch"),
        ("/persistentvolumes/pv-1", "persistentvolumes", "no permission to get persistentvolumes"),
        ("/log", "Karpenter's log", "no permission to get pods/log in namespace kube-system"),
        ("/daemonsets", "daemonsets.apps", "no permission to list daemonsets.apps"),
    ],
)
async def test_a_forbidden_kind_is_named_and_costs_nothing_else(tmp_path: Path, end: str, what: str, why: str) -> None:
    async with cluster_of(tmp_path) as (cluster, _):
        _, whole = await observed(cluster)
    async with cluster_of(tmp_path, faults={end: Fault(status=403, message="forbidden: user bot")}) as (cluster, _):
        _, world = await observed(cluster)
    assert [(gap.what, gap.why) for gap in world.missing] == [(what, why)]
    lost = {f for f in World.__dataclass_fields__ if getattr(world, f) != getattr(whole, f)} - {"missing"}
    assert len(lost) <= 2, lost


async def test_a_failing_server_is_asked_again_and_a_slow_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_api, "CALL_SECONDS", 0.5)
    faults = {
        "/nodeclaims": Fault(status=429, message="slow down", headers={"Retry-After": "0"}, times=1),
        "/nodes": Fault(status=500, message="etcd has no leader"),
        "/ec2nodeclasses": Fault(hang=True),
        "/daemonsets": Fault(body=b"<html>please log in</html>"),
    }
    async with cluster_of(tmp_path, faults=faults) as (cluster, fake):
        _, world = await observed(cluster)
        assert len([r for r in fake.requests if r.path.endswith("/ec2nodeclasses")]) == 1
    assert len(world.node_claims) == 1
    assert {gap.what: gap.why for gap in world.missing} == {
        "nodes": "HTTP 500 when asked to list nodes: etcd has no leader",
        "ec2nodeclasses.karpenter.k8s.aws": "no answer within 0 s when asked to list ec2nodeclasses.karpenter.k8s.aws",
        "daemonsets.apps": "an answer that is not JSON when asked to list daemonsets.apps",
    }


async def test_a_malformed_object_is_left_out_and_named(tmp_path: Path) -> None:
    broken = thing("karpenter.sh/v1", "NodePool", "broken", spec={"limits": {"cpu": "many"}})
    nulls = thing("karpenter.sh/v1", "NodePool", "nulls", spec={"limits": None, "template": {"spec": {"taints": None}}})
    async with cluster_of(tmp_path, [*CLUSTER, broken, nulls]) as (cluster, _):
        _, world = await observed(cluster)
    assert [p.metadata.name for p in world.node_pools] == ["gpu", "nulls"]
    [gap] = world.missing
    assert gap.what == "nodepools.karpenter.sh broken"
    assert "`many` is not a quantity" in gap.why


async def test_karpenter_not_installed(tmp_path: Path) -> None:
    async with cluster_of(tmp_path, [POD, NODE]) as (cluster, _):
        _, world = await observed(cluster)
    gaps = {gap.what: gap.why for gap in world.missing}
    assert gaps["nodepools.karpenter.sh"] == "Karpenter is not installed: the cluster serves no karpenter.sh"
    assert world.node_pools == ()


async def test_an_owner_kind_that_is_gone_ends_the_chain_with_a_word(tmp_path: Path) -> None:
    async with cluster_of(tmp_path, [o for o in CLUSTER if o["kind"] not in ("JobSet", "TrainJob")]) as (cluster, _):
        _, world = await observed(cluster)
    assert [w.kind for w in world.workloads] == ["Job"]
    assert [(g.what, g.why) for g in world.missing] == [
        ("JobSet llama", "the cluster does not serve JobSet.jobset.x-k8s.io")
    ]


async def test_v1beta1_is_read_where_v1_is_not_served(tmp_path: Path) -> None:
    old = [{**o, "apiVersion": o["apiVersion"].replace("/v1", "/v1beta1")} for o in (NODE_POOL, NODE_CLASS)]
    async with cluster_of(tmp_path, [POD, *old]) as (cluster, _):
        _, world = await observed(cluster)
    assert [p.api_version for p in world.node_pools] == ["karpenter.sh/v1beta1"]
    assert [c.api_version for c in world.node_classes] == ["karpenter.k8s.aws/v1beta1"]


async def test_auto_mode_is_noticed(tmp_path: Path) -> None:
    reference = {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"}
    pool = thing("karpenter.sh/v1", "NodePool", "auto", spec={"template": {"spec": {"nodeClassRef": reference}}})
    node_class = thing("eks.amazonaws.com/v1", "NodeClass", "default")
    async with cluster_of(tmp_path, [POD, pool, node_class]) as (cluster, _):
        _, world = await observed(cluster)
    assert [c.api_version for c in world.node_classes] == ["eks.amazonaws.com/v1"]
    assert [g.why for g in world.missing if g.what == "Karpenter's log"] == [
        "EKS Auto Mode runs Karpenter outside of the cluster; its events are read instead"
    ]


async def test_a_pods_author_cannot_make_the_bot_read_a_secret(tmp_path: Path) -> None:
    secret = thing("v1", "Secret", "password", "train", data={"password": "aHVudGVyMg=="})
    sly = pod("sly", owner=secret)
    crafted = pod("crafted", owner={**secret, "apiVersion": "batch/v1", "kind": "Job"})
    crafted["metadata"]["ownerReferences"][0]["name"] = "../secrets/password"
    async with cluster_of(tmp_path, [secret, sly, crafted]) as (cluster, fake):
        for name in ("sly", "crafted"):
            _, world = await observed(cluster, PodQuestion(name=name, namespace="train"))
            assert world.workloads == ()
        with pytest.raises(PodNotFound):
            await cluster.observe_pod(PodQuestion(name="../secrets/other", namespace="train"))
        with pytest.raises(PodNotFound):
            await cluster.observe_pod(PodQuestion(name="x", namespace="../secrets"))
    assert not any("secrets" in path for path in fake.paths)


async def test_reads_are_bounded_and_run_together(tmp_path: Path) -> None:
    async with cluster_of(tmp_path) as (cluster, fake):
        await observed(cluster)
    assert 4 <= fake.most_at_once <= 16


async def test_karpenter_is_looked_for_where_it_was_said_to_be(tmp_path: Path) -> None:
    async with (
        serving([POD, NODE_POOL, karpenter_pod("karpenter-a")]) as fake,
        await open_connection(kubeconfig=str(fake.kubeconfig(tmp_path))) as connection,
    ):
        cluster = Cluster(connection, name="prod", installation=Installation(namespaces=("elsewhere",)))
        _, world = await observed(cluster)
    assert (world.cluster, world.karpenter_version) == ("prod", "")
    assert [g.why for g in world.missing if g.what == "Karpenter's log"] == [
        "no pod with the label app.kubernetes.io/name=karpenter in namespaces elsewhere"
    ]


async def test_once_found_karpenter_is_looked_for_there_and_elsewhere_when_it_is_gone(tmp_path: Path) -> None:
    everywhere, moved = "/api/v1/pods", dict(karpenter_pod("karpenter-c"))
    moved["metadata"] = {**moved["metadata"], "namespace": "karpenter"}
    async with cluster_of(tmp_path) as (cluster, fake):
        await cluster.observe_nodepools(NOW)
        assert fake.paths.count(everywhere) == 1
        world = await cluster.observe_nodepools(NOW)
        assert fake.paths.count(everywhere) == 1, "nobody's pods but Karpenter's are looked through again"
        assert world.cluster == "training"
        fake.remove(karpenter_pod("karpenter-a"))
        fake.remove(karpenter_pod("karpenter-b"))
        fake.put(moved)
        assert (await cluster.observe_nodepools(NOW)).cluster == "training"
    assert fake.paths.count(everywhere) == 2


async def test_pools_can_be_read_without_a_pod(tmp_path: Path) -> None:
    async with cluster_of(tmp_path) as (cluster, _):
        world = await cluster.observe_nodepools(NOW)
    assert [p.metadata.name for p in world.node_pools] == ["gpu"]
    assert len(world.karpenter_log) == 1  # without a pod, no pod's refusal matters


async def test_a_name_finds_its_pod(tmp_path: Path) -> None:
    other = pod("web-7f9c-abcde", "shop", owner=thing("apps/v1", "ReplicaSet", "web-7f9c", "shop"))
    async with cluster_of(tmp_path, [*CLUSTER, other]) as (cluster, _):
        for text in (
            "llama-node-0-1-z49j4",
            "train/llama-node-0-1-z49j4",
            "llama",
            "jobset/llama",
            "node-0-1",
            "train/llama-node-0",
        ):
            found = await cluster.observe_pod(PodQuestion.parse(text))
            assert found.metadata.name == "llama-node-0-1-z49j4", text
        assert (await cluster.observe_pod(PodQuestion.parse("deployment/web"))).metadata.name == "web-7f9c-abcde"


async def test_a_name_that_fits_several_pods_offers_them(tmp_path: Path) -> None:
    twin = pod("llama-node-0-1-z49j4", "other")
    async with cluster_of(tmp_path, [*CLUSTER, twin]) as (cluster, _):
        with pytest.raises(SeveralPods) as several:
            await cluster.observe_pod(PodQuestion(name="llama-node-0-1-z49j4"))
    assert several.value.candidates == ("other/llama-node-0-1-z49j4", "train/llama-node-0-1-z49j4")


async def test_an_unknown_pod_comes_with_the_nearest_names(tmp_path: Path) -> None:
    async with cluster_of(tmp_path) as (cluster, _):
        with pytest.raises(PodNotFound) as lost:
            await cluster.observe_pod(PodQuestion(name="llama-node-0-1-z49j5", namespace="train"))
        assert lost.value.nearest[0] == "train/llama-node-0-1-z49j4"
        with pytest.raises(PodNotFound) as owner:
            await cluster.observe_pod(PodQuestion.parse("jobset/llmaa"))
        assert "train/llama-node-0-1-z49j4" in owner.value.nearest
        with pytest.raises(PodNotFound) as running:
            await cluster.observe_pod(PodQuestion(name="device-plugin", namespace="kube-system"))
        assert running.value.fits == ("kube-system/device-plugin-1",)
        with pytest.raises(PodNotFound) as elsewhere:
            await cluster.observe_pod(PodQuestion(name="llama-node-0-1-z49j4", namespace="shop"))
        assert elsewhere.value.fits == ("train/llama-node-0-1-z49j4",)


async def test_ten_thousand_pending_pods_with_one_prefix_are_paged_and_counted(tmp_path: Path) -> None:
    crowd = [pod(f"train-worker-{number:05}") for number in range(10_000)]
    async with cluster_of(tmp_path, crowd) as (cluster, fake):
        with pytest.raises(SeveralPods) as several:
            await cluster.observe_pod(PodQuestion(name="train-worker", namespace="train"))
    assert several.value.total == 10_000
    assert len(several.value.candidates) == 25
    pages = [request for request in fake.requests if request.path.endswith("/pods")]
    assert [request.query["limit"] for request in pages] == ["500"] * 20
    assert all("PartialObjectMetadataList" in request.headers["Accept"] for request in pages)


def test_a_search_keeps_a_few_names_however_many_go_by() -> None:
    search = Search(PodQuestion(name="trian-worker-00001"))
    search.see(ObjectMeta(name=f"train-worker-{number:05}", namespace="train") for number in range(10_000))
    assert max(len(part) for part in (search._names, search._alike)) <= 200
    assert search.not_found().nearest[0] == "train/train-worker-00001"


@pytest.mark.parametrize("user", [{"token": "stale"}, {}])
async def test_expired_or_absent_credentials(tmp_path: Path, user: Manifest) -> None:
    async with (
        serving(CLUSTER) as fake,
        await open_connection(kubeconfig=str(fake.kubeconfig(tmp_path, user=user))) as connection,
    ):
        with pytest.raises(CredentialsExpired, match="Unauthorized"):
            await Cluster(connection).observe_pod(WHICH)


async def test_a_token_that_was_renewed_meanwhile_is_picked_up(tmp_path: Path) -> None:
    async with cluster_of(tmp_path) as (cluster, fake):
        await observed(cluster)
        fake.token = "renewed"
        fake.kubeconfig(tmp_path)
        _, world = await observed(cluster)
    assert world.missing == ()


async def test_credentials_that_expire_half_way_are_an_error_not_a_gap(tmp_path: Path) -> None:
    async with cluster_of(tmp_path) as (cluster, fake):
        found = await cluster.observe_pod(WHICH)
        fake.token = "changed"
        with pytest.raises(CredentialsExpired):
            await cluster.observe_world(found, NOW)


async def test_no_permission_to_read_the_pod(tmp_path: Path) -> None:
    forbidden = {"/pods/llama-node-0-1-z49j4": Fault(status=403, message="pods is forbidden")}
    async with cluster_of(tmp_path, faults=forbidden) as (cluster, _):
        with pytest.raises(NotPermitted, match="no permission to read pods: pods is forbidden"):
            await cluster.observe_pod(WHICH)


async def test_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(CLUSTER) as fake:
        kubeconfig = str(fake.kubeconfig(tmp_path))
    async with await open_connection(kubeconfig=kubeconfig) as connection:
        with pytest.raises(ClusterUnreachable, match=r"cannot reach the API server 127\.0\.0\.1:\d+"):
            await Cluster(connection).observe_pod(WHICH)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ClusterUnreachable, match=r"no kubeconfig at ~/\.kube/config"):
        await open_connection()
    with pytest.raises(ClusterUnreachable, match="no-such-context"):
        await open_connection(kubeconfig=kubeconfig, context="no-such-context")
    broken = tmp_path / "broken"
    broken.write_text("{not yaml")
    with pytest.raises(ClusterUnreachable, match="the kubeconfig cannot be used"):
        await open_connection(kubeconfig=str(broken))
