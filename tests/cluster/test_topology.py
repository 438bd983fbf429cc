"""Topology spread end to end: what Karpenter counts, the bot counts; and what it advises brings the last pod up."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.cluster.api import KubeObject, wait_for
from tests.cluster.bot_access import BotAccess
from tests.cluster.cases import CAPACITY_TYPE, GPU, INSTANCE_TYPE, ZONE
from tests.cluster.workbench import SECONDS, Workbench, requirement

pytestmark = pytest.mark.cluster

P4D: Final = requirement(INSTANCE_TYPE, "In", "p4d.24xlarge")  # offered in two of the region's zones
_MANY_TRIES: Final = 5 * SECONDS
"""Of the zones with equally few pods Karpenter tries one by chance, again every ten seconds, whether it has the type or not."""
ON_DEMAND: Final = requirement(CAPACITY_TYPE, "In", "on-demand")


def spread(**more: object) -> list[KubeObject]:
    selector = {"matchLabels": {"app": "trainer"}}
    rule = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
    return [{**rule, **more}]


def running(bench: Workbench, count: int, seconds: float = SECONDS) -> list[KubeObject]:
    def enough() -> list[KubeObject]:
        found = bench.pods_of("trainer", "Running")
        return found if len(found) == count else []

    found = wait_for(f"{count} trainers to run", enough, seconds=seconds)
    assert isinstance(found, list)
    return found


def refused(bench: Workbench, pod: str, words: str) -> str:
    """Karpenter's refusal once it has these words: the first may come before all pools are ready."""

    def said() -> str:
        refusal = bench.refusal(pod)
        return refusal if words in refusal else ""

    return str(wait_for(f"Karpenter to say {words!r}", said, seconds=SECONDS))


def zones_of(bench: Workbench, pods: list[KubeObject]) -> set[str]:
    nodes = (bench.api.get("v1", "Node", pod["spec"]["nodeName"]) for pod in pods)
    return {str(node["metadata"]["labels"][ZONE]) for node in nodes}


def test_a_spread_over_more_zones_than_there_are(bench: Workbench, bot: BotAccess) -> None:
    bench.create_node_pool("gpu", [P4D, ON_DEMAND, requirement(ZONE, "In", "ap-northeast-2b", "ap-northeast-2d")])
    bench.create_deployment("trainer", {GPU: "8"}, 3, topologySpreadConstraints=spread(minDomains=3))
    assert len(zones_of(bench, running(bench, 2))) == 2
    pod = bench.pending_pod_of("trainer")
    refusal = refused(bench, pod, "unsatisfiable topology constraint for topology spread")

    answer = bot.run("why", f"{bench.namespace}/{pod}", "-o", "json").answer()

    assert answer["verdict"] == "blocked"
    assert [cause["id"] for cause in answer["causes"]] == ["topology-unsatisfiable"]
    assert answer["missing"] == []
    assert refusal in {said["message"].removeprefix("could not schedule pod: ") for said in answer["karpenterSays"]}
    assert answer["nodepools"][0]["karpenterMessage"] == refusal

    assert answer["remedies"][0]["applicable"], answer["remedies"][0]["whyNot"]
    bench.apply_remedy(answer["remedies"][0])
    running(bench, 3)


def test_a_spread_into_a_zone_without_the_type(bench: Workbench, bot: BotAccess) -> None:
    """Karpenter counts the zones of all types, whether the pool may launch them or not."""
    bench.create_node_pool("gpu", [P4D, ON_DEMAND])
    bench.create_deployment("trainer", {GPU: "8"}, 3, topologySpreadConstraints=spread())
    assert zones_of(bench, running(bench, 2, _MANY_TRIES)) == {"ap-northeast-2b", "ap-northeast-2d"}
    pod = bench.pending_pod_of("trainer")
    refusal = refused(bench, pod, "no instance type met")

    answer = bot.run("why", f"{bench.namespace}/{pod}", "-o", "json").answer()

    assert [cause["id"] for cause in answer["causes"]] == ["topology-unsatisfiable"]
    # which of the two zones that have none yet Karpenter tries is chance
    assert re.sub("ap-northeast-2[ac]", "?", answer["nodepools"][0]["karpenterMessage"]) == re.sub(
        "ap-northeast-2[ac]", "?", refusal
    )
    bench.apply_remedy(answer["remedies"][0])
    running(bench, 3)


def test_a_spread_into_a_zone_that_a_taint_closes(bench: Workbench, bot: BotAccess) -> None:
    """Karpenter counts the zones of every NodePool, also of those that the pod does not tolerate."""
    taint = {"key": "example.com/reserved", "effect": "NoSchedule"}
    bench.create_node_pool("gpu", [P4D, ON_DEMAND, requirement(ZONE, "In", "ap-northeast-2b")])
    bench.create_node_pool("reserved", [P4D, ON_DEMAND, requirement(ZONE, "In", "ap-northeast-2d")], taints=[taint])
    bench.create_deployment("trainer", {GPU: "8"}, 2, topologySpreadConstraints=spread())
    assert zones_of(bench, running(bench, 1)) == {"ap-northeast-2b"}
    pod = bench.pending_pod_of("trainer")
    refusal = refused(bench, pod, "unsatisfiable topology constraint for topology spread")

    answer = bot.run("why", f"{bench.namespace}/{pod}", "-o", "json").answer()

    assert answer["verdict"] == "blocked"
    assert {pool["name"] for pool in answer["nodepools"]} == {"gpu", "reserved"}
    messages = {pool["karpenterMessage"] for pool in answer["nodepools"]}
    assert all(message in refusal for message in messages)
    assert {cause["id"] for cause in answer["causes"]} == {"topology-unsatisfiable", "taint-not-tolerated"}

    bench.apply_remedy(next(remedy for remedy in answer["remedies"] if remedy["applicable"]))
    running(bench, 2)
