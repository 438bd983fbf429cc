"""The test bed: a real API server, scheduler, controller manager and Karpenter; fake kubelets (kwok); EC2 from moto.

`start_bed` brings it up in one folder on free loopback ports and returns when a pod could be scheduled on it.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import boto3
import urllib3
import yaml

from tests.cluster import components
from tests.cluster.api import Api, KubeObject, wait_for
from tests.cluster.build import CACHE, Assets, pinned_version
from tests.cluster.components import FAKE_NODE, KARPENTER_NAMESPACE, LOOPBACK, PORT_NAMES, REGION, Component, Layout
from tests.cluster.credentials import make_credentials, write_kubeconfig
from tests.cluster.instance_types_file import observe_region, write_instance_types_file
from tests.cluster.processes import Running, free_ports, start, stop

KARPENTER_VERSION: Final = pinned_version("cluster", "sigs.k8s.io/karpenter").removeprefix("v")
_SYSTEM_NODE: Final = "system"
_WEEK: Final = 7 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Bed:
    folder: Path
    server: str
    ca: Path
    kubeconfig: Path
    admin: Api
    moto_url: str
    metrics_port: int
    """Of Karpenter's metrics page, on every address of this machine."""
    processes: tuple[Running, ...]

    @property
    def aws_environment(self) -> dict[str, str]:
        """What makes an AWS client talk to moto."""
        return {
            "AWS_ENDPOINT_URL": self.moto_url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }

    def karpenter_pod(self) -> str:
        """Name of the running pod whose log is Karpenter's."""
        pods = self.admin.list("v1", "Pod", KARPENTER_NAMESPACE, labelSelector="app.kubernetes.io/name=karpenter")
        return next((str(pod["metadata"]["name"]) for pod in pods if pod["status"].get("phase") == "Running"), "")

    def karpenter_log(self, **query: str) -> str:
        """Karpenter's log, read the way anyone reads a pod's log."""
        return self.admin.log(KARPENTER_NAMESPACE, self.karpenter_pod(), **query)

    def stop(self) -> None:
        self.admin.close()
        stop(self.processes)


class BedFailedError(Exception):
    """A component ended or did not become ready; the message has its last lines."""


def new_folder() -> Path:
    """A fresh folder for one bed under the ignored cache; those that killed runs left a week ago are removed."""
    runs = CACHE / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for old in runs.iterdir():
        if time.time() - old.stat().st_mtime > _WEEK:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="bed-", dir=runs))


def start_bed(assets: Assets, folder: Path, *, detached: bool = False) -> Bed:
    """Starts everything and waits until ready; on failure ends what was started and raises BedFailedError."""
    layout = Layout(
        folder=folder,
        ports=dict(zip(PORT_NAMES, free_ports(len(PORT_NAMES)), strict=True)),
        assets=assets,
        credentials=make_credentials(folder / "credentials"),
    )
    for user, token in layout.credentials.tokens.items():
        write_kubeconfig(layout.kubeconfig(user), server=layout.server, ca=layout.credentials.ca, token=token)
    admin = Api(server=layout.server, ca=layout.credentials.ca, token=layout.credentials.tokens["admin"])
    with ExitStack() as undo:
        starter = _Starter(layout=layout, detached=detached, started=[])
        undo.callback(starter.stop)
        undo.callback(admin.close)
        try:
            _bring_up(starter, admin)
        except TimeoutError as error:
            raise BedFailedError(f"{error}\n{starter.last_words()}") from error
        undo.pop_all()
    return Bed(
        folder=folder,
        server=layout.server,
        ca=layout.credentials.ca,
        kubeconfig=layout.kubeconfig("admin"),
        admin=admin,
        moto_url=layout.moto_url,
        metrics_port=layout.ports["karpenter-metrics"],
        processes=tuple(starter.started),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Starter:
    layout: Layout
    detached: bool
    started: list[Running]

    def __call__(self, component: Component) -> None:
        self.started.append(start(component, self.layout.folder, detached=self.detached))

    def ready(self, what: str, probe: Callable[[], object], seconds: float = 60) -> None:
        """Waits, but not for the dead: a component that ended fails the bed at once."""

        def probe_living() -> object:
            for process in self.started:
                if not process.alive():
                    raise TimeoutError(f"{what}: {process.name} has ended")
            return probe()

        wait_for(what, probe_living, seconds=seconds)

    def stop(self) -> None:
        stop(self.started)

    def last_words(self) -> str:
        return "\n".join(f"--- {process.output}\n{process.last_lines()}" for process in self.started)


def _bring_up(starter: _Starter, admin: Api) -> None:
    layout = starter.layout
    for make in (components.moto, components.etcd, components.apiserver):
        starter(make(layout))
    starter.ready("kube-apiserver", lambda: admin.request("GET", "/readyz"))
    for make in (components.controller_manager, components.scheduler, components.kwok):
        starter(make(layout))
    _install_definitions(admin, layout.assets)
    starter.ready("moto", lambda: _http_ok(f"{layout.moto_url}/moto-api/"))
    write_instance_types_file(layout.instance_types_file, observe_region(ec2_client(layout.moto_url)))
    starter.ready("custom resource definitions", lambda: _served(admin))
    starter(components.karpenter(layout))
    admin.apply(_system_node())
    starter.ready("default service account", lambda: admin.find("v1", "ServiceAccount", "default", "kube-system"))
    for manifest in (_node_class(), _karpenter_deployment()):
        admin.apply(manifest)
    starter.ready("karpenter", lambda: _http_ok(f"http://{LOOPBACK}:{layout.ports['karpenter-health']}/readyz"))
    selector = {"labelSelector": "app.kubernetes.io/name=karpenter"}
    starter.ready(
        "karpenter's log through the API server",
        lambda: [
            pod
            for pod in admin.list("v1", "Pod", KARPENTER_NAMESPACE, **selector)
            if pod["status"].get("phase") == "Running"
            and admin.log(KARPENTER_NAMESPACE, pod["metadata"]["name"], tailLines="1")
        ],
    )


def ec2_client(moto_url: str) -> object:
    return boto3.client(
        "ec2",
        endpoint_url=moto_url,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def _http_ok(url: str) -> bool:
    with urllib3.PoolManager(retries=False, timeout=5) as pool:
        return pool.request("GET", url).status == 200


def _install_definitions(admin: Api, assets: Assets) -> None:
    for text in assets.manifest_texts("crd-"):
        for manifest in yaml.safe_load_all(text):
            if manifest:
                admin.apply(manifest)


def _served(admin: Api) -> bool:
    """Whether every definition can be used: it is Established a moment before discovery tells of it."""
    definitions = admin.list("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    for definition in definitions:
        spec = definition["spec"]
        for version in spec["versions"]:
            if version["served"]:
                admin.list(f"{spec['group']}/{version['name']}", spec["names"]["kind"])
    return bool(definitions)


def _system_node() -> KubeObject:
    """A node that Karpenter does not own, for Karpenter's own pod; tainted so that no test's pod lands there."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": _SYSTEM_NODE,
            "annotations": dict([FAKE_NODE]),
            "labels": {"kubernetes.io/hostname": _SYSTEM_NODE, "eks.amazonaws.com/nodegroup": "system"},
        },
        "spec": {"taints": [{"key": "CriticalAddonsOnly", "effect": "NoSchedule"}]},
    }


def _node_class() -> KubeObject:
    return {"apiVersion": "karpenter.kwok.sh/v1alpha1", "kind": "KWOKNodeClass", "metadata": {"name": "default"}}


def _karpenter_deployment() -> KubeObject:
    """Stands for Karpenter inside the cluster: its pod's log is the output of the real process beside it."""
    labels = {"app.kubernetes.io/name": "karpenter", "app.kubernetes.io/instance": "karpenter"}
    container = {
        "name": "controller",
        "image": f"public.ecr.aws/karpenter/controller:{KARPENTER_VERSION}",
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
    }
    version = {"app.kubernetes.io/version": KARPENTER_VERSION}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "karpenter", "namespace": KARPENTER_NAMESPACE, "labels": {**labels, **version}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [container],
                    "nodeSelector": {"eks.amazonaws.com/nodegroup": "system"},
                    "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
                },
            },
        },
    }
