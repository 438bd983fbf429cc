"""DaemonSets as Karpenter goes through them: type after type, NodePool after NodePool, then the nodes that exist."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.diagnosis.daemons import daemon_pods
from bot.diagnosis.releases import NEWEST, Version
from bot.diagnosis.scheduling import begin
from bot.model.karpenter import NodePool
from bot.model.kubernetes import DaemonSet, Pod
from bot.model.labels import ARCH
from bot.model.objects import decode
from bot.model.quantities import Quantity
from bot.model.world import Catalogue, InstanceType, Offering, World

AMOUNTS = {"cpu": Quantity.of(8), "pods": Quantity.of(50)}


def one_type(name: str, arch: str) -> InstanceType:
    """A type of that architecture, offered once."""
    labels = {ARCH: frozenset({arch}), "node.kubernetes.io/instance-type": frozenset({name})}
    offerings = (Offering(capacity_type="spot", zone="z"),)
    return InstanceType(name=name, labels=labels, capacity=AMOUNTS, allocatable=AMOUNTS, offerings=offerings)


def spec(*archs: str, cpu: str = "1") -> dict[str, Any]:
    """A pod spec with one required term for each architecture."""
    terms = [{"matchExpressions": [{"key": ARCH, "operator": "In", "values": [arch]}]} for arch in archs]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    containers = [{"name": "a", "resources": {"requests": {"cpu": cpu}}}]
    return {"containers": containers, **({"affinity": affinity} if archs else {})}


def world(*archs: str, pools: tuple[str, ...] = ("a",), running: dict[str, Any] | None = None) -> World:
    """Three types, amd64 between two of arm64, and one DaemonSet."""
    types = Catalogue(types=(one_type("first", "arm64"), one_type("second", "amd64"), one_type("third", "arm64")))
    daemon = decode({"metadata": {"name": "d", "uid": "d"}, "spec": {"template": {"spec": spec(*archs)}}}, DaemonSet)
    ref = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
    made = tuple(
        decode({"metadata": {"name": name}, "spec": {"template": {"spec": {"nodeClassRef": ref}}}}, NodePool)
        for name in pools
    )
    owner = {"kind": "DaemonSet", "name": "d", "uid": "d", "controller": True}
    pod = decode({"metadata": {"name": "d-1", "ownerReferences": [owner]}, "spec": running or {}}, Pod)
    return World(
        now=datetime(2026, 1, 1, tzinfo=UTC),
        node_pools=made,
        daemon_sets=(daemon,),
        pods=(pod,) if running else (),
        catalogues=dict.fromkeys(pools, types),
    )


def running_on(seen: World, version: Version = NEWEST) -> list[list[str]]:
    """For each NodePool in Karpenter's order, the types on which the DaemonSet counts."""
    found = []
    for template in begin(seen, Pod(), (), version).templates:
        types = sum(group.types for group in template.daemons if group.names)
        found.append([t.name for i, t in enumerate(template.space.types) if types >> i & 1])
    return found


def test_a_term_that_one_type_does_not_meet_is_given_up_for_the_types_after_it() -> None:
    assert running_on(world("arm64")) == [["first", "third"]]
    assert running_on(world("arm64", "amd64")) == [["first", "second"]]
    assert running_on(world("amd64", "arm64")) == [["first", "third"]]


def test_before_instance_types_were_looked_at_it_counted_on_all_of_a_nodepool_or_none() -> None:
    assert running_on(world("arm64"), (1, 13)) == [["first", "second", "third"]]
    assert running_on(world("arm64", "amd64"), (1, 13)) == [["first", "second", "third"]]
    assert running_on(world("arm64"), (1, 14)) == [["first", "third"]]


def test_and_for_the_nodepools_and_nodes_after_it() -> None:
    seen = world("arm64", "amd64", pools=("b", "a"))
    assert running_on(seen) == [["first", "second"], ["second"]]
    (daemon,) = begin(seen, Pod(), (), NEWEST).templates[-1].daemons_after
    assert [index for index, _ in daemon.variant.terms] == [1]
    (untouched,) = daemon_pods(seen)
    assert [index for index, _ in untouched.variant.terms] == [0, 1]


def test_the_running_pod_counts_but_for_its_node_affinity() -> None:
    (daemon,) = daemon_pods(world("arm64", running=spec("amd64", cpu="3")))
    assert daemon.requests["cpu"] == Quantity.of(3)
    assert daemon.variant.required_asks()[0].requirement.values == {"arm64"}
