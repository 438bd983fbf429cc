"""The chart and the doctor on the bed: what Helm renders is what a real API server takes, and under it the doctor is content."""

from __future__ import annotations

import json

import pytest

from tests.cluster.api import ApiError
from tests.cluster.bot_access import BotAccess, service_account_token
from tests.cluster.credentials import write_kubeconfig
from tests.cluster.helm import installed

pytestmark = pytest.mark.cluster


def doctor(bot: BotAccess, namespace: str, *arguments: str) -> dict[str, str]:
    """Subject -> state, of the cluster's findings, as the chart's service account."""
    token = service_account_token(bot.bed.admin, namespace, "karpenter-bot")
    kubeconfig = bot.bed.folder / f"{namespace}.kubeconfig"
    write_kubeconfig(kubeconfig, server=bot.bed.server, ca=bot.bed.ca, token=token)
    done = bot.run("doctor", "--no-slack", "-o", "json", *arguments, kubeconfig=kubeconfig)
    told = json.loads(done.output)
    return {f["subject"]: f["state"] for f in told["findings"] if f["area"].startswith("cluster")}


def test_the_chart_is_taken_and_grants_what_the_doctor_asks_for(bot: BotAccess) -> None:
    everything = ("--set", "replicas=2,store.existingSecret=s,fullnameOverride=karpenter-bot")
    with installed(bot, *everything, namespace="chart-test"):
        found = doctor(bot, "chart-test")
    assert found["API server"] == "ok"
    assert {s for s, state in found.items() if state == "problem"} == set()


def test_the_chart_is_taken_with_nothing_set(bot: BotAccess) -> None:
    with installed(bot, namespace="chart-alone"):
        pass
    with pytest.raises(ApiError, match="field not declared in schema"):  # so a misspelt field would have been refused
        bot.bed.admin.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "x", "namespace": "chart-alone"},
                "spec": {"replica": 1},
            },
            fieldValidation="Strict",
        )


def test_without_its_role_the_doctor_names_what_is_missing(bot: BotAccess) -> None:
    api = bot.bed.admin
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "no-role"}})
    account = {"name": "karpenter-bot", "namespace": "no-role"}
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    found = doctor(bot, "no-role")
    assert found["list nodepools.karpenter.sh in all namespaces"] == "problem"
    assert found["get pods/log in kube-system"] == "problem"
