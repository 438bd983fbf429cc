"""End to end, nothing recorded: Karpenter refuses, the bot (live, under its deployed role) names the cause, its remedy
is applied through the API, and Karpenter launches the node that the pod then runs on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.bot_access import BotAccess, granted, wait_for_audit
from tests.cluster.build import REPOSITORY
from tests.cluster.cases import CASES, Case
from tests.cluster.workbench import Workbench

pytestmark = [
    pytest.mark.cluster,
    # TODO: goes away as soon as the command line exists.
    pytest.mark.skipif(not (REPOSITORY / "bot" / "cli.py").exists(), reason="NOT RUN: there is no bot/cli.py yet"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_bot_names_the_cause_and_its_remedy_brings_a_node(bench: Workbench, bot: BotAccess, case: Case) -> None:
    for pool in case.pools:
        bench.api.create(pool)
    bench.create_deployment("trainer", case.pod.resources, nodeSelector=dict(case.pod.selector), **case.pod.spec)
    pod = bench.pending_pod_of("trainer")
    refusal = bench.refusal(pod)

    answer = bot.run("why", f"{bench.namespace}/{pod}", "-o", "json").answer()

    assert answer["verdict"] == "blocked"
    assert case.cause in {cause["id"] for cause in answer["causes"]}
    assert [said["message"] for said in answer["karpenterSays"] if refusal in said["message"]]
    messages = {pool["name"]: pool["karpenterMessage"] for pool in answer["nodepools"]}
    assert messages[case.pools[0]["metadata"]["name"]] == refusal

    _apply(bench, answer["remedies"][0])
    node = bench.node_of_deployment("trainer")

    opened = answer["remedies"][0]["opens"]
    labels = node["metadata"]["labels"]
    assert labels["node.kubernetes.io/instance-type"] in opened["instanceTypes"]
    assert labels["topology.kubernetes.io/zone"] in opened["zones"]


def test_every_granted_permission_is_used_and_none_is_missing(bot: BotAccess) -> None:
    """Runs after the cases above: over them all, what the role grants is what the bot asked for."""
    wait_for_audit()
    denied = {entry["requestURI"] for entry in bot.requests() if entry["responseStatus"]["code"] == 403}
    assert denied == set()
    assert granted() - bot.used() == set()


def _apply(bench: Workbench, remedy: dict[str, Any]) -> None:
    """As `kubectl patch` would do it, on the object that the remedy names: here the Deployment or the NodePool."""
    target = remedy["target"]
    where = {"namespace": target.get("namespace") or "", "patch_type": remedy["patchType"]}
    bench.api.patch(target["apiVersion"], target["kind"], target["name"], remedy["patch"], **where)
