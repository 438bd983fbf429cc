"""The chart and the doctor on the bed: what Helm renders is what a real API server takes, and under it the doctor is content."""

from __future__ import annotations

import json

import pytest

from tests.cluster.api import Api, ApiError
from tests.cluster.bot_access import BotAccess, grant_access, service_account_token
from tests.cluster.credentials import write_kubeconfig
from tests.deploy.tools import Manifest, rendered

pytestmark = pytest.mark.cluster
_NEEDS_OPERATOR = {"ServiceMonitor", "PrometheusRule"}


def install(api: Api, *arguments: str, namespace: str) -> list[Manifest]:
    """What `helm install` sends, checked as strictly as the API server can: unknown and doubled fields are refused."""
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    objects = [o for o in rendered(*arguments, namespace=namespace) if o["kind"] not in _NEEDS_OPERATOR]
    for manifest in objects:
        path = f"{api._path_of(manifest)}/{manifest['metadata']['name']}"
        query = {"fieldManager": "helm", "force": "true", "fieldValidation": "Strict"}
        api.request("PATCH", path, query=query, body=manifest, content_type="application/apply-patch+yaml")
    return objects


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
    objects = install(bot.bed.admin, *everything, namespace="chart-test")
    try:
        found = doctor(bot, "chart-test")
        assert found["API server"] == "ok"
        assert {s for s, state in found.items() if state == "problem"} == set()
        install(bot.bed.admin, namespace="chart-alone")
        with pytest.raises(ApiError, match="field not declared in schema"):
            bot.bed.admin.request(
                "PATCH",
                "/apis/apps/v1/namespaces/chart-test/deployments/x",
                query={"fieldManager": "helm", "fieldValidation": "Strict"},
                body={"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {"replica": 1}},
                content_type="application/apply-patch+yaml",
            )
    finally:
        for manifest in objects:
            if "Cluster" in manifest["kind"] or manifest["kind"] in ("Role", "RoleBinding"):
                where = manifest["metadata"]
                bot.bed.admin.delete(
                    manifest["apiVersion"], manifest["kind"], where["name"], where.get("namespace", "")
                )
        grant_access(bot.bed)  # the chart's ClusterRole bore the name of the one that the other stories run under


def test_without_its_role_the_doctor_names_what_is_missing(bot: BotAccess) -> None:
    api = bot.bed.admin
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "no-role"}})
    account = {"name": "karpenter-bot", "namespace": "no-role"}
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    found = doctor(bot, "no-role")
    assert found["list nodepools.karpenter.sh in all namespaces"] == "problem"
    assert found["get pods/log in kube-system"] == "problem"
