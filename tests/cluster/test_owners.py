"""Whoever makes the pods: the bot names the object that a change must go to, and what becomes of it there."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from tests.cluster.bot_access import BotAccess
from tests.cluster.cases import CASES, EFA
from tests.cluster.train_job import create_train_job
from tests.cluster.workbench import Workbench, pod

pytestmark = pytest.mark.cluster

SEED: Final = CASES[0]
ENOUGH: Final = {**SEED.pod.resources, EFA: "1"}


def test_the_seed_as_a_train_job(bench: Workbench, bot: BotAccess) -> None:
    """The seed's pool and workload: three pods, refused as in the seed's log; what must change is the TrainJob."""
    bench.api.create(SEED.pools[0])
    _create_train_job(bench, dict(SEED.pod.resources))
    pods = bench.pending_pods(3)
    for name in pods:
        assert re.fullmatch(r"llama-3-8b-node-0-[012]-\w{5}", name)
        refusal = bench.refusal(name)
        assert SEED.says in refusal
        assert "node.kubernetes.io/instance-type In [g6e.8xlarge]" in refusal
        assert '"vpc.amazonaws.com/efa":"8"' in refusal

    remedy = _first_remedy(bot, bench, pods[1])

    assert (remedy["target"]["kind"], remedy["target"]["name"]) == ("TrainJob", "llama-3-8b")
    assert not remedy["applicable"]
    assert "delete it and create it with the change" in remedy["whyNot"]
    # so it is done: the TrainJob goes and comes again, changed as the patch says
    changed = bench.apply_remedy(remedy, dry_run="All")
    assert changed["spec"]["trainer"]["resourcesPerNode"] == {"requests": ENOUGH, "limits": ENOUGH}
    bench.delete_owners()
    _create_train_job(bench, changed["spec"]["trainer"]["resourcesPerNode"]["requests"])
    for name in bench.pending_pods(3):
        assert bench.bound_node(name)["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "g6e.8xlarge"


def test_a_stateful_set_is_changed_and_its_waiting_pod_deleted(bench: Workbench, bot: BotAccess) -> None:
    """Its controller waits for the pod that waits; only without that pod the change takes effect."""
    bench.api.create(SEED.pools[0])
    stateful_set = {"serviceName": "trainer", **_selected_template(bench, "Always")}
    bench.create_object(_manifest("apps/v1", "StatefulSet", stateful_set))
    bench.refusal("trainer-0")

    remedy = _first_remedy(bot, bench, "trainer-0")

    assert (remedy["target"]["kind"], remedy["applicable"]) == ("StatefulSet", True)
    assert "delete-pod-after" in remedy["cautions"]
    bench.apply_remedy(remedy)
    bench.api.delete("v1", "Pod", "trainer-0", bench.namespace)
    assert bench.node_of("trainer")["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "g6e.8xlarge"


def test_a_cron_job_is_changed_for_its_next_run(bench: Workbench, bot: BotAccess) -> None:
    """A run that has begun keeps what it was made with."""
    bench.api.create(SEED.pools[0])
    template = _selected_template(bench, "Never")["template"]
    schedule = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}
    cron_job = bench.create_object(_manifest("batch/v1", "CronJob", schedule))
    bench.run_now(cron_job, "trainer-1")
    waiting = bench.pending_pod_of("trainer")
    bench.refusal(waiting)

    remedy = _first_remedy(bot, bench, waiting)

    assert (remedy["target"]["kind"], remedy["applicable"]) == ("CronJob", True)
    assert "next-run-only" in remedy["cautions"]
    bench.run_now(bench.apply_remedy(remedy), "trainer-2")
    assert bench.node_of("trainer")["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "g6e.8xlarge"


def _first_remedy(bot: BotAccess, bench: Workbench, name: str) -> dict[str, Any]:
    answer = bot.run("why", f"{bench.namespace}/{name}", "-o", "json").answer()
    assert [cause["id"] for cause in answer["causes"]] == [SEED.cause]
    assert answer["missing"] == []
    remedy = answer["remedies"][0]
    assert isinstance(remedy, dict)
    return remedy


def _create_train_job(bench: Workbench, resources: dict[str, str]) -> None:
    selector = dict(SEED.pod.selector)
    create_train_job(bench.api, bench.namespace, "llama-3-8b", nodes=3, resources=resources, selector=selector)


def _selected_template(bench: Workbench, restart_policy: str) -> dict[str, Any]:
    made = pod(
        "", bench.namespace, SEED.pod.resources, nodeSelector=dict(SEED.pod.selector), restartPolicy=restart_policy
    )
    labels = {"app": "trainer"}
    return {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": made["spec"]},
    }


def _manifest(api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "trainer", "namespace": ""}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
