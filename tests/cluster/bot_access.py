"""The bot on the bed: under the deployed role and no other, as a process of its own, with its requests on record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.api import Api, KubeObject
from tests.cluster.bed import Bed
from tests.cluster.build import REPOSITORY
from tests.cluster.credentials import write_kubeconfig

READ_ROLE: Final = REPOSITORY / "deploy" / "manifests" / "rbac-read.yaml"
OPTIONAL_ROLE: Final = READ_ROLE.with_name("rbac-read-optional.yaml")
SERVICE_ACCOUNT: Final = ("karpenter-bot", "karpenter-bot")
USER: Final = "system:serviceaccount:{}:{}".format(*SERVICE_ACCOUNT)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Permission:
    group: str
    resource: str
    """With its subresource after a slash, as in a role."""
    verb: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One finished run of the bot's command line."""

    exit_code: int
    output: str
    errors: str
    seconds: float
    peak_mib: float

    def answer(self) -> dict[str, Any]:
        assert self.exit_code == 0, f"exit {self.exit_code}: {self.errors}"
        parsed = json.loads(self.output)
        assert isinstance(parsed, dict)
        return parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class BotAccess:
    bed: Bed
    kubeconfig: Path
    token: str

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """Ours, with the bed's cluster (as the bot's service account) and the bed's AWS."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KUBE"))},
            **self.bed.aws_environment,
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
        }

    def run(self, *arguments: str, kubeconfig: Path | None = None, timeout: float = 120) -> Outcome:
        """Runs `karpenter-bot ARGUMENT...` against the bed and moto."""
        command = [str(Path(sys.executable).with_name("karpenter-bot")), *arguments]
        # GNU time is not everywhere; a Python between us and the bot can ask the kernel for its one child's peak.
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, *command],
            env=self.environment(kubeconfig),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        errors, _, figures = done.stderr.rpartition("\n#")
        seconds, peak_kib = figures.split()
        return Outcome(
            exit_code=done.returncode,
            output=done.stdout,
            errors=errors,
            seconds=float(seconds),
            peak_mib=int(peak_kib) / 1024,
        )

    def used(self) -> set[Permission]:
        """What the bot has asked the API server for so far and was allowed, from the server's audit log."""
        return {_permission(entry) for entry in self.requests() if entry["responseStatus"]["code"] != 403}

    def requests(self) -> list[dict[str, Any]]:
        """Every request of the bot's, oldest first, as audit events."""
        lines = (self.bed.folder / "audit.log").read_text("utf-8").splitlines()
        entries = [json.loads(line) for line in lines if f'"{USER}"' in line]
        return [entry for entry in entries if "objectRef" in entry]


_MEASURED: Final = """
import resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.call(sys.argv[1:])
elapsed = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(f"\\n#{elapsed} {peak}", file=sys.stderr, end="")
sys.exit(code)
"""


def grant_access(bed: Bed) -> BotAccess:
    """Applies the deployed read role and writes a kubeconfig with a token of its service account."""
    for manifest in manifests_of(READ_ROLE):
        bed.admin.apply(manifest)
    token = service_account_token(bed.admin, *SERVICE_ACCOUNT)
    path = bed.folder / "bot.kubeconfig"
    write_kubeconfig(path, server=bed.server, ca=bed.ca, token=token)
    return BotAccess(bed=bed, kubeconfig=path, token=token)


def service_account_token(api: Api, namespace: str, name: str) -> str:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
    return str(json.loads(api.request("POST", path, body=body))["status"]["token"])


def granted(file: Path = READ_ROLE) -> set[Permission]:
    """Every permission that the roles of a deployed file hold."""
    roles = [manifest for manifest in manifests_of(file) if manifest["kind"] in {"ClusterRole", "Role"}]
    return {
        Permission(group=group, resource=resource, verb=verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def wait_for_audit() -> None:
    """The API server writes its audit log in batches of at most a few milliseconds' age; a moment is enough."""
    time.sleep(1)


def _permission(entry: dict[str, Any]) -> Permission:
    target = entry["objectRef"]
    resource = "/".join(part for part in (target["resource"], target.get("subresource")) if part)
    return Permission(group=target.get("apiGroup", ""), resource=resource, verb=entry["verb"])


def manifests_of(path: Path) -> Iterator[KubeObject]:
    for manifest in yaml.safe_load_all(path.read_text("utf-8")):
        if manifest:
            yield manifest
