"""Which programs make up the bed and with which command lines; decides, starts nothing."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tests.cluster.build import REPOSITORY, Assets
from tests.cluster.credentials import Credentials

REGION: Final = "ap-northeast-2"
LOOPBACK: Final = "127.0.0.1"
KARPENTER_NAMESPACE: Final = "kube-system"
FAKE_NODE: Final = ("kwok.x-k8s.io/node", "fake")
"""The annotation that Karpenter's kwok provider puts on its nodes; kwok plays the kubelet of nodes that carry it."""

PORT_NAMES: Final = ("etcd", "etcd-peer", "api", "kubelet", "moto", "karpenter-metrics", "karpenter-health")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where one bed lives: its folder, its ports, what it is made of."""

    folder: Path
    ports: dict[str, int]
    assets: Assets
    credentials: Credentials

    @property
    def server(self) -> str:
        return f"https://{LOOPBACK}:{self.ports['api']}"

    @property
    def moto_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['moto']}"

    @property
    def instance_types_file(self) -> Path:
        return self.folder / "instance-types.json"

    @property
    def karpenter_log(self) -> Path:
        """Karpenter's own output in the format container runtimes write."""
        return self.folder / "karpenter.cri.log"

    def kubeconfig(self, user: str) -> Path:
        return self.folder / f"{user.replace(':', '-')}.kubeconfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    name: str
    command: list[str]
    environment: dict[str, str]
    cri_log: Path | None = None


def moto(layout: Layout) -> Component:
    command = [sys.executable, "-m", "tests.cluster.ec2_server", "--port", str(layout.ports["moto"])]
    command += ["--instance-types", str(layout.instance_types_file)]
    return Component(name="moto", command=command, environment={"PYTHONPATH": str(REPOSITORY)})


def etcd(layout: Layout) -> Component:
    client, peer = (f"http://{LOOPBACK}:{layout.ports[name]}" for name in ("etcd", "etcd-peer"))
    flags = {
        "name": "bed",
        "data-dir": layout.folder / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"bed={peer}",
        "quota-backend-bytes": 8 << 30,
        "log-level": "warn",
    }
    # The data dies with the bed, so nothing is lost by not waiting for the disk.
    return _component(layout, "etcd", flags, "--unsafe-no-fsync")


def apiserver(layout: Layout) -> Component:
    given = layout.credentials
    flags = {
        "etcd-servers": f"http://{LOOPBACK}:{layout.ports['etcd']}",
        "bind-address": LOOPBACK,
        "advertise-address": LOOPBACK,
        "secure-port": layout.ports["api"],
        "tls-cert-file": given.certificate,
        "tls-private-key-file": given.key,
        "client-ca-file": given.ca,
        "kubelet-certificate-authority": given.ca,
        "token-auth-file": given.token_file,
        "authorization-mode": "RBAC",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": given.service_account_key,
        "service-account-signing-key-file": given.service_account_key,
        "service-cluster-ip-range": "10.96.0.0/16",
        # A loopback address may not stand in the `kubernetes` Service's endpoints; nothing here calls that Service.
        "endpoint-reconciler-type": "none",
        "audit-log-path": layout.folder / "audit.log",
        "audit-policy-file": _audit_policy(layout.folder / "audit-policy.yaml"),
        "profiling": "false",
    }
    return _component(layout, "kube-apiserver", flags)


def controller_manager(layout: Layout) -> Component:
    flags = {
        "kubeconfig": layout.kubeconfig("system:kube-controller-manager"),
        "service-account-private-key-file": layout.credentials.service_account_key,
        "root-ca-file": layout.credentials.ca,
        "use-service-account-credentials": "true",
        "leader-elect": "false",
        # A claim that was seen before its volume waits for the next round; the default is 15 s.
        "pvclaimbinder-sync-period": "1s",
        "secure-port": 0,
        "profiling": "false",
    }
    return _component(layout, "kube-controller-manager", flags)


def scheduler(layout: Layout) -> Component:
    flags = {
        "kubeconfig": layout.kubeconfig("system:kube-scheduler"),
        "leader-elect": "false",
        "secure-port": 0,
        "profiling": "false",
    }
    return _component(layout, "kube-scheduler", flags)


def kwok(layout: Layout) -> Component:
    flags = {
        "kubeconfig": layout.kubeconfig("kwok"),
        "config": _kwok_config(layout),
        "manage-all-nodes": "false",
        "manage-nodes-with-annotation-selector": "=".join(FAKE_NODE),
        "node-ip": LOOPBACK,
        "node-port": layout.ports["kubelet"],
        "server-address": f"{LOOPBACK}:{layout.ports['kubelet']}",
        "tls-cert-file": layout.credentials.certificate,
        "tls-private-key-file": layout.credentials.key,
        "node-lease-duration-seconds": 40,
        "cidr": "10.0.0.1/8",
    }
    return _component(layout, "kwok", flags)


def karpenter(layout: Layout) -> Component:
    environment = {
        "KUBECONFIG": str(layout.kubeconfig("karpenter")),
        "SYSTEM_NAMESPACE": KARPENTER_NAMESPACE,
        "INSTANCE_TYPES_FILE_PATH": str(layout.instance_types_file),
        "METRICS_PORT": str(layout.ports["karpenter-metrics"]),
        "HEALTH_PROBE_PORT": str(layout.ports["karpenter-health"]),
        "DISABLE_LEADER_ELECTION": "true",
        "LOG_LEVEL": "info",
        # Batches are cut short: nobody waits ten seconds for more pods to arrive.
        "BATCH_IDLE_DURATION": "200ms",
        "BATCH_MAX_DURATION": "2s",
    }
    command = [layout.assets.program("karpenter")]
    return Component(name="karpenter", command=command, environment=environment, cri_log=layout.karpenter_log)


def _component(layout: Layout, name: str, flags: dict[str, object], *switches: str) -> Component:
    arguments = [f"--{flag}={value}" for flag, value in flags.items()]
    return Component(name=name, command=[layout.assets.program(name), *arguments, *switches], environment={})


def _audit_policy(path: Path) -> Path:
    """Service accounts' requests are audited: so a test can tell which of the bot's permissions were used."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        # One event a request: a streamed answer (a log) has a stage more than others.
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [
            {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
            {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
            {"level": "None"},
        ],
    }
    path.write_text(yaml.safe_dump(policy), "utf-8")
    return path


def _kwok_config(layout: Layout) -> Path:
    """kwok's published stages, and Karpenter's output as the log of every kube-system container named `controller`."""
    logs = {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": "karpenter"},
        "spec": {
            "selector": {"matchNamespaces": [KARPENTER_NAMESPACE]},
            "logs": [{"containers": ["controller"], "logsFile": str(layout.karpenter_log)}],
        },
    }
    path = layout.folder / "kwok.yaml"
    path.write_text("\n---\n".join([*layout.assets.manifest_texts("stage-"), yaml.safe_dump(logs)]), "utf-8")
    return path
