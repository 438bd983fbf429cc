"""End to end, nothing recorded: Karpenter refuses, the bot (live, under its deployed role) names the cause, its remedy
is applied through the API, and Karpenter launches the node that the pod then runs on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.bot_access import BotAccess
from tests.cluster.cases import CAPACITY_TYPE, CASES, GPU, INSTANCE_TYPE, ZONE, Case
from tests.cluster.workbench import Workbench, now, requirement

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_bot_names_the_cause_and_its_remedy_brings_a_node(bench: Workbench, bot: BotAccess, case: Case) -> None:
    began = now()
    for manifest in (*case.pools, *case.objects):
        bench.create_object(manifest)
    bench.create_deployment("trainer", case.pod.resources, nodeSelector=dict(case.pod.selector), **case.pod.spec)
    pod = bench.pending_pod_of("trainer")
    refusal = _await_karpenter(bench, pod, case, began)

    answer = bot.run("why", f"{bench.namespace}/{pod}", "-o", "json").answer()

    assert answer["verdict"] == "blocked"
    assert {cause["id"] for cause in answer["causes"]} == {case.cause, *case.also}
    assert answer["missing"] == []
    if case.says:
        assert refusal in {said["message"].removeprefix("could not schedule pod: ") for said in answer["karpenterSays"]}
        assert {pool["name"]: pool["karpenterMessage"] for pool in answer["nodepools"]} == {
            case.pools[0]["metadata"]["name"]: refusal
        }

    _relieve(bench, case, answer)
    labels = bench.node_of("trainer")["metadata"]["labels"]

    if not case.relief:
        _assert_bought_as_foretold(labels, answer["remedies"][0]["opens"])


def _assert_bought_as_foretold(labels: dict[str, str], opens: dict[str, Any]) -> None:
    """Karpenter bought just what the bot called the cheapest; on-demand costs the same in every zone."""
    cheapest = opens["cheapest"]
    zones = opens["zones"] if cheapest["capacityType"] == "on-demand" else [cheapest["zone"]]
    assert labels[INSTANCE_TYPE] == cheapest["instanceType"]
    assert labels[CAPACITY_TYPE] == cheapest["capacityType"]
    assert labels[ZONE] in zones


def _await_karpenter(bench: Workbench, pod: str, case: Case, began: str) -> str:
    if case.logged:
        return bench.logged(case.logged, began)
    refusal = bench.refusal(pod)
    assert case.says in refusal
    return refusal


def _relieve(bench: Workbench, case: Case, answer: dict[str, Any]) -> None:
    if case.relief:
        assert not any(remedy["applicable"] for remedy in answer["remedies"])
        bench.api.apply(case.relief)
    else:
        assert answer["remedies"][0]["applicable"], answer["remedies"][0]["whyNot"]
        bench.apply_remedy(answer["remedies"][0])


def test_a_node_that_has_not_joined_yet_is_waited_for(bench: Workbench, bot: BotAccess) -> None:
    slow = {"apiVersion": "karpenter.kwok.sh/v1alpha1", "kind": "KWOKNodeClass", "metadata": {"name": "slow"}}
    bench.api.create({**slow, "spec": {"nodeRegistrationDelay": "1h"}})
    bench.create_node_pool("gpu", [requirement(INSTANCE_TYPE, "In", "g5.xlarge")], node_class="slow")
    bench.create_pod("trainer", {GPU: "1"})
    claim = bench.launched_claim()

    answer = bot.run("why", f"{bench.namespace}/trainer", "-o", "json").answer()

    assert (answer["verdict"], answer["reason"], answer["causes"]) == ("launching", "Registered", [])
    assert answer["facts"]["nodeclaim"] == claim["metadata"]["name"]
