"""End to end, nothing recorded: Karpenter refuses, the bot (live, under its deployed role) names the cause, its remedy
is applied through the API, and Karpenter launches the node that the pod then runs on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.bot_access import BotAccess
from tests.cluster.cases import CAPACITY_TYPE, CASES, INSTANCE_TYPE, ZONE, Case
from tests.cluster.workbench import Workbench, now

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
    import json, pathlib
    pathlib.Path(f"/tmp/answers/{case.name}.json").write_text(json.dumps({"refusal": refusal, **answer}, indent=1))

    assert answer["verdict"] == "blocked"
    assert {cause["id"] for cause in answer["causes"]} == {case.cause}
    assert answer["missing"] == []
    if case.says:
        assert refusal in {said["message"].removeprefix("could not schedule pod: ") for said in answer["karpenterSays"]}
        assert {pool["name"]: pool["karpenterMessage"] for pool in answer["nodepools"]} == {
            case.pools[0]["metadata"]["name"]: refusal
        }

    _relieve(bench, case, answer)
    labels = bench.node_of("trainer")["metadata"]["labels"]

    if not case.relief:
        # Karpenter bought just what the bot called the cheapest; on-demand costs the same in every zone.
        opened = answer["remedies"][0]["opens"]
        bought = labels[INSTANCE_TYPE], labels[CAPACITY_TYPE]
        assert bought == (opened["cheapest"]["instanceType"], opened["cheapest"]["capacityType"])
        assert labels[ZONE] in (opened["zones"] if labels[CAPACITY_TYPE] == "on-demand" else [opened["cheapest"]["zone"]])


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
