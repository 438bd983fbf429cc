"""Objects of Karpenter's optional features: read where its gates are on or unknown, named, and never in the way."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from bot.model.kubernetes import Pod
from bot.model.objects import decode
from bot.model.world import World
from bot.sources.cluster import Cluster
from bot.sources.kube_api import open_connection
from tests.fakes.kube import Fault, serving
from tests.sources.manifests import NODE_POOL, POD, Manifest, karpenter_pod, thing

NOW: Final = datetime(2025, 12, 28, 6, 5, tzinfo=UTC)
OVERLAY: Final = thing("karpenter.sh/v1alpha1", "NodeOverlay", "cheaper")
BUFFER: Final = thing("autoscaling.x-k8s.io/v1beta1", "CapacityBuffer", "spare", "train")
ON: Final = "NodeOverlay=true,CapacityBuffer=true"


def karpenter(gates: str) -> Manifest:
    found = karpenter_pod("karpenter-a")
    env = [{"name": "FEATURE_GATES", "value": gates}]
    return {**found, "spec": {"containers": [{**found["spec"]["containers"][0], "env": env}]}}


async def observed(folder: Path, *objects: Manifest, faults: dict[str, Fault] | None = None) -> tuple[World, list[str]]:
    """The World, and the calls that were about features."""
    async with (
        serving((POD, NODE_POOL, *objects), faults=faults) as fake,
        await open_connection(kubeconfig=str(fake.kubeconfig(folder))) as connection,
    ):
        world = await Cluster(connection).observe_world(decode(POD, Pod), NOW)
        return world, [path for path in fake.paths if path.endswith(("/nodeoverlays", "/capacitybuffers"))]


def told(world: World) -> list[str]:
    return [gap.what for gap in world.missing if "overlay" in gap.what or "buffer" in gap.what]


@pytest.mark.parametrize("known", [True, False], ids=["gates on", "gates unknown"])
async def test_what_is_there_is_named(tmp_path: Path, *, known: bool) -> None:
    controllers = (karpenter(ON),) if known else ()
    world, asked = await observed(tmp_path, OVERLAY, BUFFER, *controllers)
    assert [str(one) for one in world.others] == ["NodeOverlay cheaper", "CapacityBuffer train/spare"]
    assert world.others_listed == {"NodeOverlay", "CapacityBuffer"}
    assert len(asked) == 2
    assert told(world) == []


async def test_nothing_is_asked_where_karpenter_does_not_look(tmp_path: Path) -> None:
    world, asked = await observed(tmp_path, OVERLAY, karpenter("NodeOverlay=false,NodeRepair=true"))
    assert (world.others, asked) == ((), [])


async def test_a_kind_that_is_not_served_costs_one_call_and_no_word(tmp_path: Path) -> None:
    world, asked = await observed(tmp_path, karpenter("NodeOverlay=true"))
    assert (world.others, world.others_listed, told(world)) == ((), frozenset(), [])
    assert asked == ["/apis/karpenter.sh/v1alpha1/nodeoverlays"]


async def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    faults = {"/nodeoverlays": Fault(status=403, message="forbidden: user bot")}
    world, _ = await observed(tmp_path, OVERLAY, karpenter("NodeOverlay=true"), faults=faults)
    assert told(world) == ["nodeoverlays.karpenter.sh"]
    assert world.others_listed == frozenset()
    unknown, _ = await observed(tmp_path, OVERLAY, faults=faults)
    assert told(unknown) == []  # that nothing is known of Karpenter is said already
