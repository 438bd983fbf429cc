"""The past of a cluster, from its API server into the store and out again: why-gone a day later, flaps over days."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot import app, remembering
from bot.catalogues import Catalogues
from bot.config import ClusterConfig, Config
from bot.departing import departed, departure_from_snapshot
from bot.diagnosis import diagnose
from bot.model.diagnosis import Diagnosis
from bot.model.world import World
from bot.remembering import Keeper, Memory
from bot.sources.cluster import Cluster
from bot.sources.errors import ClusterUnreachable, PodNotFound
from bot.sources.kube_api import open_connection
from bot.sources.pod_search import PodQuestion
from bot.store import Store
from bot.store.happenings import KEPT, Happening, keep, recall
from tests.fakes.aws import NoAws
from tests.fakes.kube import FakeKube, Fault, serving
from tests.families import ALL
from tests.recorded import CASES
from tests.test_server import karpenter_log, manifests

LOST = CASES / "consolidation-under-training"
FLAPPING = CASES / "nodes-flapping"
THEN = datetime(2025, 12, 28, 3, 45, 25, tzinfo=UTC)
NODE = "ip-10-0-152-19"
PROD = ClusterConfig(name="prod")


@dataclass(frozen=True)
class Seen:
    """One cluster behind a fake API server, as the serving bot is connected to it."""

    kube: FakeKube
    cluster: Cluster

    async def connected(self, _: ClusterConfig) -> app.Connected:
        return cast("app.Connected", self)  # who keeps the past wants the cluster alone


@asynccontextmanager
async def served(folder: Path, tmp_path: Path) -> AsyncIterator[Seen]:
    objects = manifests(folder)
    log = karpenter_log(objects, folder) if (folder / "karpenter.log").exists() else {}
    async with (
        serving(objects, logs=log, served=["policy/v1"]) as kube,
        await open_connection(kubeconfig=str(kube.kubeconfig(tmp_path))) as api,
    ):
        yield Seen(kube=kube, cluster=Cluster(api, name="prod"))


async def test_a_live_cluster_tells_of_its_past_what_a_recorded_one_does(tmp_path: Path) -> None:
    recorded = departure_from_snapshot(LOST, NODE)
    async with served(LOST, tmp_path) as seen:
        for name in (NODE, "gpu-7wq4m", "default/llama-3-8b-node-0-1-h6v8k"):
            live = departed(await seen.cluster.observe_past(name, THEN), name, "")
            assert (live.state, live.reason, live.pods) == ("gone", "Underutilized", recorded.pods)
            assert [one.what for one in live.timeline] == [one.what for one in recorded.timeline]
            assert [r.patch and r.patch.target.name for r in live.diagnosis.remedies] == [
                r.patch and r.patch.target.name for r in recorded.diagnosis.remedies
            ]
        assert "/api/v1/secrets" not in seen.kube.paths


async def test_what_may_not_be_read_of_the_past_is_named(tmp_path: Path) -> None:
    async with served(LOST, tmp_path) as seen:
        seen.kube.faults["/poddisruptionbudgets"] = Fault(status=403, message="forbidden")
        found = departed(await seen.cluster.observe_past(NODE, THEN), NODE, "")
        assert found.reason == "Underutilized"
        assert any("poddisruptionbudgets" in gap.what for gap in found.diagnosis.missing)
        assert {one.id: one.state for one in found.shields}["pdb"] == "unknown"


async def test_a_node_is_explained_long_after_its_events_are_gone(store: Store, tmp_path: Path) -> None:
    """Events last an hour, the log as long as its pods: two looks of the keeper, and a week later all is forgotten."""
    async with served(LOST, tmp_path) as seen:
        keeper = Keeper(seen, Config(clusters=(PROD,)), store, lambda: THEN)
        first = await keeper.look(PROD, THEN)
        assert first > 0
        assert await keeper.look(PROD, THEN + timedelta(minutes=5)) == 0, "what is known already is not kept again"

        seen.kube.objects = [o for o in seen.kube.objects if o["kind"] not in ("Event", "NodeClaim")]
        seen.kube.logs.clear()
        tomorrow = THEN + timedelta(days=1)
        bare = await seen.cluster.observe_past(NODE, tomorrow)
        with pytest.raises(PodNotFound):
            departed(bare, NODE, "")
        found = departed(await Memory(store, lambda: tomorrow).remembered("prod", bare), NODE, "")
        assert (found.state, found.reason) == ("gone", "Underutilized")
        assert found.pods == ("default/llama-3-8b-node-0-1-h6v8k",)

        await keeper.look(PROD, THEN + KEPT + timedelta(minutes=1))
        left = await recall(store, "prod", THEN - timedelta(days=400))
        assert all(one.at >= THEN + timedelta(minutes=1) for one in left), "a week, and no more"


async def test_what_is_kept_is_bounded(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.happenings.MOST", 5)
    async with served(LOST, tmp_path) as seen:
        keeper = Keeper(seen, Config(clusters=(PROD,)), store, lambda: THEN)
        await keeper.look(PROD, THEN)
        kept = await recall(store, "prod", THEN - KEPT)
        newest = sorted((one.at for one in kept), reverse=True)
        assert 0 < len({*newest}) <= 5
        assert newest[0] >= THEN - timedelta(minutes=1), "the oldest go first"


async def test_a_cluster_that_does_not_answer_costs_a_look_and_no_more(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task goes on: the look after the trouble keeps what is there."""
    monkeypatch.setattr(remembering, "EVERY", 0.01)
    async with served(LOST, tmp_path) as seen:
        looks = 0
        twice = asyncio.Event()

        class Shaky:
            async def connected(self, config: ClusterConfig) -> app.Connected:
                nonlocal looks
                looks += 1
                if looks == 1:
                    raise ClusterUnreachable("no route")
                if looks > 2:  # the second look is over
                    twice.set()
                return await seen.connected(config)

        keeper = Keeper(Shaky(), Config(clusters=(PROD,)), store, lambda: THEN)
        await keeper.start()
        try:
            async with asyncio.timeout(20):
                await twice.wait()
        finally:
            await keeper.close()
        assert await recall(store, "prod", THEN - KEPT)


def flap_facts(found: Diagnosis) -> tuple[object, object, object]:
    facts = found.causes[0].facts
    return found.causes[0].id, facts["times"], facts["days"]


async def test_flaps_of_days_are_told_as_one_story(store: Store) -> None:
    """No event is left of them: four were kept over three days. Another cluster's are not its, nor what is older than a week."""
    case = next(one for one in ALL if one.name == "kubelet-silent" and one.family == "node-conditions")
    node = next(n.metadata.name for n in case.world.nodes if n.metadata.name.startswith("ip-10-0-96-31"))
    now = case.world.now
    await keep(store, "prod", [*_at(now, node, 2.9, 2.2, 1.1, 0.4), *_at(now, node, 8.0)])
    await keep(store, "dev", _at(now, node, 1.5))
    pod = next(p for p in case.world.pods if p.metadata.name == "train-0-x4c8v")
    assert flap_facts(diagnose(case.world, pod)) == ("node-not-ready", 0, 1)
    whole = await Memory(store, lambda: now).with_falls("prod", case.world)
    assert flap_facts(diagnose(whole, pod)) == ("node-not-ready", 4, 3)


def _at(now: datetime, node: str, *days: float) -> list[Happening]:
    message = f"Node {node} status is now: NodeNotReady"
    return [
        Happening(at=now - timedelta(days=d), kind="Node", name=node, reason="NodeNotReady", message=message)
        for d in days
    ]


async def test_a_live_question_has_the_flaps_of_the_week(store: Store, tmp_path: Path) -> None:
    now = datetime(2025, 12, 28, 13, 50, tzinfo=UTC)
    async with served(FLAPPING, tmp_path) as seen:
        events = [o for o in seen.kube.objects if o["kind"] == "Event" and o["reason"] == "NodeNotReady"]
        node = next(
            o for o in seen.kube.objects if o["kind"] == "Pod" and "mixtral-8x7b-node-0-0" in o["metadata"]["name"]
        )
        name: Any = node["spec"]["nodeName"]
        await keep(store, "prod", _at(now, name, 2.5, 1.5))
        shared = app.Shared(ec2=NoAws(), catalogues=Catalogues())
        memory = Memory(store, lambda: now)

        async def past(world: World) -> World:
            return await memory.with_falls("prod", world)

        asked = PodQuestion.parse("default/mixtral-8x7b-node-0-0-k5d2m")
        found = await app.diagnosis_of(seen.cluster, shared, app.Place(), asked, lambda: now, past)
        today = sum(o["involvedObject"]["name"] == name for o in events)
        assert flap_facts(found) == ("node-not-ready", today + 2, 3)
