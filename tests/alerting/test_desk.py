"""Alerts and the real desk: a Kubernetes API at one door, Slack at the other, nothing scripted between."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot import app, packaged
from bot.alerting.answers import LookupFailed
from bot.alerting.clusters import DeskClusters
from bot.alerts import Subject
from bot.app import Connected, Place, stay_connected, wall_clock
from bot.catalogues import Catalogues
from bot.config import ClusterConfig, Config, StoreConfig
from bot.model.world import World
from bot.playground.clusters import RecordedEc2, Recording, alive
from bot.server import built
from bot.slack.serving import opened
from bot.sources.ownership import MOST_READ, Owner
from tests.alerting.scene import posted, quiet, replied, replies
from tests.alerts import firing, layouts
from tests.fakes.kube import FakeKube, Fault, serving
from tests.fakes.slack import FakeSlack, scene
from tests.recorded import CASES
from tests.slack.door import config_for
from tests.sources.manifests import JOB, JOB_SET, LOGS, TRAIN_JOB, Manifest, event, pod, thing

CLUSTER = "osprey-prod"


@asynccontextmanager
async def the_bot(slack: FakeSlack, folder: Path, case: str) -> AsyncIterator[FakeKube]:
    """The serving bot as `serve` builds it, before a recorded cluster of the present."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        here = alive(Recording(name=case, folder=CASES / case), Path(scratch), wall_clock())
    async with serving(here.objects, logs=here.logs) as kube:
        config = replace(
            config_for(slack),
            clusters=(ClusterConfig(name=CLUSTER, kubeconfig=str(kube.kubeconfig(folder))),),
            store=StoreConfig(url=f"sqlite:///{folder / 'store.sqlite3'}"),
        )
        async with (
            built(config, packaged.load_playbooks(), ec2=RecordedEc2(here)) as behind,
            opened(config, behind, api_url=slack.api_url),
        ):
            await slack.wait_for(lambda s: s.sockets.connections)
            yield kube


def about(**labels: str) -> layouts.Event:
    return layouts.default_template([{"alertname": "KubePodNotReady", "cluster": CLUSTER, **labels}])


async def test_an_alert_is_answered_with_the_remedies_as_buttons_and_counted_by_its_real_owner(
    slack: FakeSlack, tmp_path: Path
) -> None:
    async with the_bot(slack, tmp_path, "seed-efa-8-on-g6e-8xlarge"):
        for end in ("0-k7wpt", "1-z49j4"):
            await posted(slack, about(namespace="default", pod=f"llama-3-8b-node-0-{end}"))
        [reply] = await replied(slack, "Now 2 pods")
        assert "g6e.8xlarge has 1 EFA interface, you asked for 8" in reply.text
        assert reply.thread_ts
        assert "propose" in str(reply.blocks)
        await slack.click("propose", reply, user=scene.ANNA)
        await slack.wait_for(
            lambda s: [m for m in s.workspace.modals(scene.ANNA) if "efa" in str(m.content)], timeout=30
        )


async def test_a_nodepool_alert_is_answered_with_its_limits_and_their_use(slack: FakeSlack, tmp_path: Path) -> None:
    async with the_bot(slack, tmp_path, "nodepool-limit"):
        await posted(slack, layouts.default_template([{**firing.POOL, "nodepool": "gpu"}]))
        [reply] = await replied(slack, "NodePool `gpu` uses 100 % of its limit")
        assert "192 of 192 used, 0 left" in reply.text + str(reply.blocks)
        assert "1 pod waits for a node now" in reply.text


async def test_a_node_alert_is_answered_with_what_took_the_node_and_its_pods(slack: FakeSlack, tmp_path: Path) -> None:
    async with the_bot(slack, tmp_path, "consolidation-under-training"):
        node = "ip-10-0-152-19.ap-northeast-2.compute.internal"
        await posted(slack, layouts.default_template([{**firing.NODE, "node": node}]))
        await slack.wait_for(replies, timeout=60)
        await quiet()
        [reply] = replies(slack)
        said = reply.text + str(reply.blocks)
        assert "consolidat" in said.lower() or "Underutilized" in said
        assert node in said


# -- what is read ----------------------------------------------------------------------------------------------------


class Desk:
    """The connections alone."""

    def __init__(self, connected: Connected) -> None:
        self._connected = connected
        self.shared = app.Shared(ec2=RecordedEc2(None), catalogues=Catalogues())  # type: ignore[arg-type]

    async def why(self, *_: object) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def connected(self, _config: ClusterConfig) -> Connected:
        return self._connected

    def place(self, _config: ClusterConfig) -> Place:
        return Place()


class Forgetful:
    """A memory without a past."""

    async def remembered(self, cluster: str, world: World) -> World:
        return world


@asynccontextmanager
async def clusters_over(
    folder: Path, objects: Iterable[Manifest], faults: Mapping[str, Fault] | None = None
) -> AsyncIterator[tuple[DeskClusters, FakeKube]]:
    async with serving(objects, logs=LOGS, faults=faults) as kube:
        connected = await stay_connected(Place(kubeconfig=str(kube.kubeconfig(folder))))
        config = Config(clusters=(ClusterConfig(name="prod"),))
        try:
            yield DeskClusters(config, Desk(connected), packaged.load_playbooks(), Forgetful()), kube
        finally:
            await connected.close()


DEPLOYMENT = thing("apps/v1", "Deployment", "cart", "train")
REPLICA_SET = thing("apps/v1", "ReplicaSet", "cart-7c9f6b5d48", "train", owner=DEPLOYMENT)
OTHER_JOB = thing("batch/v1", "Job", "llama-node-1", "train", owner=JOB_SET)
OWNERS = [TRAIN_JOB, JOB_SET, JOB, OTHER_JOB, DEPLOYMENT, REPLICA_SET]
WAITING = [
    *(pod(f"llama-node-0-{n}-bbbb{end}", owner=JOB) for n, end in enumerate("xwv")),
    *(pod(f"llama-node-1-{n}-cccc{end}", owner=OTHER_JOB) for n, end in enumerate("xw")),
    *(pod(f"cart-7c9f6b5d48-dddd{end}", owner=REPLICA_SET) for end in "xw"),
    pod("by-hand"),
    pod("llama-node-0-9-running", phase="Running", owner=JOB),
]


async def test_pods_that_wait_are_counted_by_their_topmost_owner(tmp_path: Path) -> None:
    async with clusters_over(tmp_path, [*OWNERS, *WAITING]) as (clusters, kube):
        groups = await clusters.pending("prod", "train")
        assert [(g.kind, g.owner, g.count, g.jobs) for g in groups] == [
            ("TrainJob", "llama", 5, 2),
            ("Deployment", "cart", 2, 0),
            ("Pod", "by-hand", 1, 0),
        ]
        before = len(kube.requests)
        assert await clusters.pending("prod", "train") == groups
        assert len(kube.requests) == before + 1, "the owners are known, only the pods are listed again"


async def test_owners_of_pods_are_their_references_and_a_pod_that_is_gone_has_none(tmp_path: Path) -> None:
    asked = ["llama-node-1-0-ccccx", "cart-7c9f6b5d48-ddddx", "by-hand", "gone-0", "No/Name"]
    async with clusters_over(tmp_path, [*OWNERS, *WAITING]) as (clusters, _):
        found = await clusters.owners("prod", "train", asked)
    assert {name: str(one.top) for name, one in found.items()} == {
        "llama-node-1-0-ccccx": "TrainJob/llama",
        "cart-7c9f6b5d48-ddddx": "Deployment/cart",
        "by-hand": "Pod/by-hand",
    }
    assert found["llama-node-1-0-ccccx"].job == "llama-node-1"


async def test_an_owner_that_may_not_be_read_is_known_by_its_reference(tmp_path: Path) -> None:
    forbidden = {
        "/trainjobs/llama": Fault(status=403, message="no"),
        "/deployments/cart": Fault(status=403, message="no"),
    }
    async with clusters_over(tmp_path, [*OWNERS, *WAITING], forbidden) as (clusters, _):
        found = await clusters.owners("prod", "train", ["llama-node-0-0-bbbbx", "cart-7c9f6b5d48-ddddx"])
    assert [one.top for one in found.values()] == [Owner("TrainJob", "llama"), Owner("Deployment", "cart")]


async def test_hundreds_of_owners_cost_one_read_a_family(tmp_path: Path) -> None:
    jobs = [thing("batch/v1", "Job", f"llama-node-{n}", "train", owner=JOB_SET) for n in range(MOST_READ + 50)]
    pods = [pod(f"llama-node-{n}-0-aaaaa", owner=job) for n, job in enumerate(jobs)]
    async with clusters_over(tmp_path, [TRAIN_JOB, JOB_SET, *jobs, *pods]) as (clusters, kube):
        [group] = await clusters.pending("prod", "train")
        assert (group.owner, group.count, group.jobs) == ("llama", MOST_READ + 50, MOST_READ + 50)
        assert len([path for path in kube.paths if "/jobs/" in path]) == 1
        found = await clusters.owners("prod", "train", [one["metadata"]["name"] for one in pods])
        assert {str(one.top) for one in found.values()} == {"TrainJob/llama"}
        assert len([path for path in kube.paths if "/pods/" in path]) == 0, "many pods are listed, not read one by one"


def ended(job: Manifest, kind: str, reason: str = "") -> Manifest:
    return {**job, "status": {"conditions": [{"type": kind, "status": "True", "reason": reason}]}}


async def test_a_name_that_is_left_tells_of_its_events_its_owner_and_who_waits(tmp_path: Path) -> None:
    gone = pod("llama-node-0-7-zzzzz", owner=JOB)
    objects = [
        *(ended(one, "Failed", "BackoffLimitExceeded") if one is JOB else one for one in OWNERS),
        *WAITING,
        event("e1", gone, "Evicted", "The node was low on memory", "kubelet"),
        thing("apps/v1", "StatefulSet", "db", "train", spec={"replicas": 3}, status={"readyReplicas": 2}),
        ended(thing("batch/v1", "Job", "once", "train"), "Complete"),
    ]
    async with clusters_over(tmp_path, objects) as (clusters, _):
        trace = await clusters.trace("prod", "train", "llama-node-0-7-zzzzz")
        assert trace.owner is not None
        assert (trace.owner.kind, trace.owner.state, trace.owner.why) == ("Job", "failed", "BackoffLimitExceeded")
        assert trace.said == ("06:03 UTC Evicted: The node was low on memory",)
        assert "train/llama-node-1-0-ccccx" in trace.successors, "another Job of the same TrainJob"
        assert len(trace.successors) == 5
        states = {}
        for name in ("db-2", "once-bcdfg", "cart-7c9f6b5d48-zzzzz", "nobody-0"):
            owner = (await clusters.trace("prod", "train", name)).owner
            states[name] = (owner.kind, owner.state, owner.has, owner.wanted) if owner else None
    assert states == {
        "db-2": ("StatefulSet", "active", 2, 3),
        "once-bcdfg": ("Job", "complete", 0, 1),
        "cart-7c9f6b5d48-zzzzz": ("ReplicaSet", "active", 0, 1),
        "nobody-0": None,
    }


async def test_a_node_is_found_by_what_senders_call_it_with_what_runs_on_it(tmp_path: Path) -> None:
    daemons = thing("apps/v1", "DaemonSet", "fluent-bit", "train")
    name = "ip-10-0-0-1.ec2.internal"
    on_it: dict[str, Any] = {"spec": {"nodeName": name}, "phase": "Running"}
    objects = [
        *OWNERS,
        daemons,
        thing(
            "v1",
            "Node",
            name,
            labels={"karpenter.sh/nodepool": "gpu"},
            spec={"providerID": "aws:///us-east-1a/i-0abc123def4567890"},
            status={"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]},
        ),
        pod("llama-node-0-0-bbbbx", owner=JOB, **on_it),
        pod("fluent-bit-x", owner=daemons, **on_it),
        pod("done", owner=JOB, spec={"nodeName": name}, phase="Succeeded"),
    ]
    async with clusters_over(tmp_path, objects) as (clusters, _):
        for called in (name, "ip-10-0-0-1", "i-0abc123def4567890"):
            story = await clusters.node("prod", Subject(node=called))
            assert (story.name, story.ready, story.reason, story.nodepool) == (
                name,
                "Unknown",
                "NodeStatusUnknown",
                "gpu",
            )
            assert story.pods == 2
            assert [(g.owner, g.count) for g in story.workloads] == [("llama", 1)]
        assert not (await clusters.node("prod", Subject(node="ip-10-9-9-9"))).exists


async def test_trouble_has_the_code_of_its_sentence(tmp_path: Path) -> None:
    faults = {"/pods": Fault(status=403, message="no")}
    async with clusters_over(tmp_path, [], faults) as (clusters, kube):
        codes = []
        for cluster in ("prod", "nowhere"):
            try:
                await clusters.pending(cluster, "train")
            except LookupFailed as failed:
                codes.append((failed.code, failed.again))
        kube.faults["/pods"] = Fault(status=500, message="etcd is gone")
        try:
            await clusters.pending("prod", "train")
        except LookupFailed as failed:
            codes.append((failed.code, failed.again))
    assert codes == [("not-permitted", False), ("unknown-cluster", False), ("cluster-unreachable", True)]


def test_a_cluster_is_known_by_every_name_that_alerts_give_it() -> None:
    arn = "arn:aws:eks:us-east-1:111122223333:cluster/prod-eks"
    config = Config(
        clusters=(ClusterConfig(name="prod", eks="prod-eks"), ClusterConfig(context=arn.replace("prod", "dev")))
    )
    clusters = DeskClusters(config, Desk(None), packaged.load_playbooks(), Forgetful())  # type: ignore[arg-type]
    assert [clusters.resolve(name) for name in ("prod", "prod-eks", arn, "dev-eks", "other", "")] == [
        *("prod", "prod", "prod", arn.replace("prod", "dev"), None, "prod"),
    ]
