"""What Argo CD, Flux and Helm keep on a real API server is left alone: the change is given for where they take it from."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from bot.model.objects import ObjectRef
from bot.remediation.gitops import HELM_RELEASE, INSTANCE, MANAGED_BY, TRACKING_ID
from bot.slack.proposal_blocks import copy_modal
from bot.slack.services import Copy
from bot.store import ledger
from tests.cluster.api import Api, KubeObject, wait_for
from tests.cluster.cases import CASES
from tests.cluster.test_approving import PLAYBOOKS, Approving, accounts, approving, aws, waiting_pod
from tests.cluster.workbench import SECONDS, Workbench

__all__ = ["accounts", "aws"]  # fixtures

pytestmark = pytest.mark.cluster

OTHER: Final = "kubectl-client-side-apply"
FLUX: Final = "toolkit.fluxcd.io"
MARKS: Final[tuple[tuple[str, dict[str, dict[str, str]], str, str], ...]] = (
    (
        OTHER,
        {"annotations": {TRACKING_ID: "ml:{group}/{kind}:{namespace}/{name}"}},
        "Argo CD Application ml",
        "repository",
    ),
    ("argocd-controller", {"labels": {INSTANCE: "ml"}}, "Argo CD Application ml", "repository"),
    (
        OTHER,
        {"labels": {f"kustomize.{FLUX}/name": "apps", f"kustomize.{FLUX}/namespace": "flux-system"}},
        "Flux Kustomization flux-system/apps",
        "repository",
    ),
    ("kustomize-controller", {"labels": {"team": "ml"}}, "Flux Kustomization", "repository"),
    (
        "helm-controller",
        {
            "labels": {f"helm.{FLUX}/name": "apps", f"helm.{FLUX}/namespace": "ml"},
            "annotations": {HELM_RELEASE: "ml-apps"},
        },
        "Flux HelmRelease ml/apps",
        "repository-helm-release",
    ),
    (
        OTHER,
        {
            "labels": {MANAGED_BY: "Helm"},
            "annotations": {HELM_RELEASE: "trainer", "meta.helm.sh/release-namespace": "ml"},
        },
        "Helm release ml/trainer",
        "repository-helm",
    ),
)
"""Who writes (its field manager), which marks, who is named, and the form of the patch. Two are told by the manager alone
or with it: only a real API server keeps `managedFields`.
"""


class Writer:
    """Puts the tools' marks on one object, one tool's at a time."""

    def __init__(self, api: Api, ref: ObjectRef) -> None:
        self.api, self.ref = api, ref

    def mark(self, manager: str, metadata: dict[str, dict[str, str]]) -> KubeObject:
        """The object as this tool leaves it, once its controller has seen it."""
        ref = self.ref
        words = {
            "group": ref.api_version.partition("/")[0],
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
        }
        filled = {key: {k: v.format(**words) for k, v in value.items()} for key, value in metadata.items()}
        namespace = {"namespace": ref.namespace} if ref.namespace else {}
        own = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": {"name": ref.name, **namespace, **filled}}
        self.api.apply(own, manager=manager)
        wait_for(f"{ref} to be seen by its controller", self._seen, seconds=SECONDS)
        return self.now()

    def now(self) -> KubeObject:
        return self.api.get(self.ref.api_version, self.ref.kind, self.ref.name, self.ref.namespace)

    def _seen(self) -> bool:
        found = self.now()
        generation = found["metadata"]["generation"]
        return bool(found["status"].get("observedGeneration", generation) == generation)


@pytest.mark.parametrize(
    ("case", "remedy", "ref"),
    [
        pytest.param(
            "seed-efa-8-on-g6e-8xlarge",
            "",
            ObjectRef(api_version="apps/v1", kind="Deployment", name="trainer"),
            id="Deployment",
        ),
        pytest.param(
            "selector-excluded-by-the-pool",
            "add-requirement-value",
            ObjectRef(api_version="karpenter.sh/v1", kind="NodePool", name="gpu"),
            id="NodePool",
        ),
    ],
)
async def test_an_object_of_a_repository_is_left_alone(
    bench: Workbench, accounts: dict[str, Path], aws: None, tmp_path: Path, *, case: str, remedy: str, ref: ObjectRef
) -> None:
    """The writer may patch it and Anna may approve it; it is the marks alone that keep it from being proposed."""
    pod = await asyncio.to_thread(waiting_pod, bench, next(one for one in CASES if one.name == case))
    if ref.kind == "Deployment":
        ref = ObjectRef(api_version=ref.api_version, kind=ref.kind, namespace=bench.namespace, name=ref.name)
    writer = Writer(bench.api, ref)
    async with approving(accounts["writer"], tmp_path) as it:
        for manager, metadata, named, form in MARKS:
            before = await asyncio.to_thread(writer.mark, manager, metadata)
            found = await _refused(it, bench.namespace, pod, remedy, named)
            assert (found.target, found.managed, found.label) == (str(ref), True, form)
            for language in ("en", "ko"):
                assert named in str(copy_modal(found, PLAYBOOKS.phrases(language)))
            assert _patched_in(found.repository) == {"kind": ref.kind, "name": ref.name}
            after = writer.now()
            # not resourceVersion: Karpenter and the controllers write the status at any time
            assert after["metadata"]["generation"] == before["metadata"]["generation"], (manager, after)
            managers = {field["manager"] for field in after["metadata"].get("managedFields", ())}
            assert "karpenter-bot" not in managers
            assert after["spec"] == before["spec"]
            await asyncio.to_thread(writer.mark, manager, {})
        assert await ledger.audit(it.service.desk.store) == [], "nothing to approve"


async def _refused(it: Approving, namespace: str, pod: str, remedy: str, named: str) -> Copy:
    """The patch to copy, once the bot's own view of the cluster has the marks; never a proposal."""
    ends = time.monotonic() + SECONDS
    while True:
        found = await it.proposed(namespace, pod, remedy)
        assert isinstance(found, Copy), found
        if named in found.why:
            return found
        assert time.monotonic() < ends, (named, found)
        await asyncio.sleep(0.5)


def _patched_in(repository: str) -> dict[str, str]:
    """Which object the YAML for the repository changes."""
    document: Any = yaml.safe_load(repository)
    for step in document.get("spec", {}).get("postRenderers", [{"kustomize": document}]):
        (patch,) = step["kustomize"]["patches"]
        assert yaml.safe_load(patch["patch"]), "the change itself"
        return {key: patch["target"][key] for key in ("kind", "name")}
    raise AssertionError(repository)
