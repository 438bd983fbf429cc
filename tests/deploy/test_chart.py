"""The Helm chart as helm renders it: what it grants is what the manifests grant, and nothing nonsensical gets through."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config import load_config
from bot.telemetry.measures import MEASURES, PREFIX
from tests.deploy import manifests
from tests.deploy.tools import CHART, MANIFESTS, Manifest, rendered, run_helm

EVERYTHING = (
    "--set=metrics.serviceMonitor.enabled=true,metrics.prometheusRule.enabled=true,metrics.grafanaDashboard.enabled=true",
    "--set=replicas=3,store.existingSecret=karpenter-bot-store",
)


def one(objects: list[Manifest], kind: str, name: str = "") -> Manifest:
    """The one object of this kind (and name)."""
    (found,) = [o for o in objects if o["kind"] == kind and name in ("", o["metadata"]["name"])]
    return found


def container(objects: list[Manifest]) -> dict[str, Any]:
    """The bot's container."""
    found: dict[str, Any] = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return found


def test_helm_finds_nothing_to_complain_about() -> None:
    done = run_helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


def test_roles_are_those_of_the_manifests() -> None:
    values = "rbac.optional=true,rbac.metrics=true,rbac.write=true,rbac.recreate=true,store.existingSecret=s"
    objects = rendered("--set", values)
    files = ("read", "read-optional", "read-metrics", "write", "recreate", "lease")
    for file in (f"rbac-{name}.yaml" for name in files):
        for written in yaml.safe_load_all((MANIFESTS / file).read_text("utf-8")):
            if written["kind"] in ("Role", "ClusterRole"):
                assert one(objects, written["kind"], written["metadata"]["name"])["rules"] == written["rules"]
            elif written["kind"].endswith("Binding"):
                bound = one(objects, written["kind"], written["metadata"]["name"])
                assert bound["subjects"] == written["subjects"]
                assert bound["roleRef"] == written["roleRef"]


def test_the_bot_can_only_read_unless_told_otherwise() -> None:
    verbs = {
        verb for o in rendered(*EVERYTHING) if o["kind"] == "ClusterRole" for r in o["rules"] for verb in r["verbs"]
    }
    assert verbs == {"get", "list", "watch"}
    assert not [o for o in rendered("--set", "rbac.create=false") if "rbac.authorization" in o["apiVersion"]]


def test_names_follow_the_release_and_logs_are_read_where_karpenter_runs() -> None:
    objects = rendered("--set", "fullnameOverride=kb,karpenter.namespace=karpenter", namespace="ops")
    assert one(objects, "Role")["metadata"] | {"labels": {}} == {
        "name": "kb-karpenter-log",
        "namespace": "karpenter",
        "labels": {},
    }
    subject = {"kind": "ServiceAccount", "name": "kb", "namespace": "ops"}
    bindings = [o for o in objects if o["kind"].endswith("Binding")]
    assert bindings
    assert all(o["subjects"] == [subject] for o in bindings)
    names = {(o["kind"], o["metadata"]["name"]) for o in objects}
    assert all((o["roleRef"]["kind"], o["roleRef"]["name"]) in names for o in bindings)
    assert one(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "kb"


@pytest.mark.parametrize("arguments", [(), EVERYTHING, ("--set=slack.mode=http",)])
def test_the_pod_has_no_more_rights_than_it_needs(arguments: tuple[str, ...]) -> None:
    objects = rendered(*arguments)
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(objects)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    # a read-only root: whatever is written goes to a volume
    mounted = {mount["mountPath"] for mount in container(objects)["volumeMounts"] if not mount.get("readOnly")}
    volumes = {"/tmp"} if arguments == EVERYTHING else {"/tmp", "/var/lib/karpenter-bot"}  # noqa: S108 (a volume)
    assert mounted == volumes
    assert not any("value" in e and e["value"].startswith("xox") for e in container(objects)["env"])


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_the_bot_understands_its_settings(mode: str, tmp_path: Path) -> None:
    objects = rendered("--set", f"slack.mode={mode}")
    file = tmp_path / "config.yaml"
    file.write_text(one(objects, "ConfigMap")["data"]["config.yaml"], "utf-8")
    environment = {e["name"]: e.get("value", "") for e in container(objects)["env"]}
    given = {"bot-token": "xoxb-1", "app-token": "xapp-1", "signing-secret": "s3cret"}
    for name, path in environment.items():
        if name.endswith("_FILE"):
            secret = tmp_path / path.rpartition("/")[2]
            secret.write_text(given[secret.name], "utf-8")
            environment[name] = str(secret)
    config = load_config(environment, file=str(file), serving=True)
    assert (config.slack.mode, config.slack.port, config.log_format) == (mode, 8080, "json")
    folder = config.store.url.removeprefix("sqlite:///").rpartition("/")[0]
    assert folder in {mount["mountPath"] for mount in container(objects)["volumeMounts"]}
    drained = one(objects, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert drained > config.slack.drain_seconds + 10


def test_a_file_has_one_writer() -> None:
    done = run_helm("template", "x", str(CHART), "--set", "replicas=2")
    assert done.returncode != 0
    assert "more than one needs PostgreSQL" in done.stderr
    assert one(rendered(), "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_several_replicas_give_way_one_at_a_time() -> None:
    objects = rendered(*EVERYTHING)
    assert one(objects, "Deployment")["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert one(objects, "PodDisruptionBudget")["spec"]["minAvailable"] == 1
    assert not [o for o in objects if o["kind"] == "PersistentVolumeClaim"]
    assert not [o for o in rendered() if o["kind"] == "PodDisruptionBudget"], (
        "one replica must not keep nodes from draining"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "replicas=many",
        "slack.mode=smoke",
        "image.repository=",
        "karpenter.namespace=Kube_System",
        "metric.enabled=true",
    ],
)
def test_nonsense_is_refused_by_the_schema(wrong: str) -> None:
    done = run_helm("template", "x", str(CHART), "--set", wrong)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


def test_alerts_and_dashboard_use_metrics_that_there_are() -> None:
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
    known = {f"{PREFIX}{name}{end}" for name, measure in MEASURES.items() for end in suffixes[measure.kind]}
    objects = rendered(*EVERYTHING)
    rules = json.dumps(one(objects, "PrometheusRule")["spec"])
    board = one(objects, "ConfigMap", "karpenter-bot-dashboard")["data"]["karpenter-bot.json"]
    assert json.loads(board)["panels"]
    used = set(re.findall(rf"{PREFIX}\w+", rules + board))
    assert used <= known
    shown = {name for name in MEASURES if re.search(rf"\b{PREFIX}{name}(_|\b)", board)}
    assert shown == set(MEASURES), "every measure has its place on the dashboard"
    assert one(objects, "ServiceMonitor")["spec"]["endpoints"][0]["path"] == "/metrics"


def test_plain_manifests_are_the_charts() -> None:
    assert manifests.FILE.read_text("utf-8") == manifests.drawn(), "make manifests"
