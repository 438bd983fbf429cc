"""Delete and create anew on a real API server: a Job and a bare pod, until the new pod runs; and what admission says first."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from bot.model.proposals import Proposal, State
from bot.remediation.outcomes import MARK
from bot.slack.proposal_blocks import copy_modal
from bot.slack.services import Copy, Failed
from tests.cluster.api import KubeObject
from tests.cluster.bed import Bed
from tests.cluster.build import ensure_assets
from tests.cluster.cases import CASES, EFA
from tests.cluster.test_approving import ANNA, PLAYBOOKS, Approving, accounts, approving, aws
from tests.cluster.workbench import SECONDS, Workbench, pod

__all__ = ["accounts", "aws"]  # fixtures

pytestmark = pytest.mark.cluster

SEED: Final = CASES[0]
ENOUGH: Final = {**SEED.pod.resources, EFA: "1"}


def _job(bench: Workbench) -> KubeObject:
    made = pod("", bench.namespace, SEED.pod.resources, nodeSelector=dict(SEED.pod.selector))
    template = {"metadata": {"labels": {"app": "trainer"}}, "spec": made["spec"]}
    metadata = {"name": "trainer", "namespace": ""}
    spec = {"backoffLimit": 0, "template": template}
    return bench.create_object({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})


def _waiting_job(bench: Workbench) -> str:
    bench.api.create(SEED.pools[0])
    _job(bench)
    waiting = bench.pending_pod_of("trainer")
    bench.refusal(waiting)
    return waiting


def _waiting_pod(bench: Workbench) -> str:
    bench.api.create(SEED.pools[0])
    bench.create_pod("trainer", SEED.pod.resources, nodeSelector=dict(SEED.pod.selector))
    bench.refusal("trainer")
    return "trainer"


async def _twice(it: Approving, one: Proposal) -> Proposal:
    """Both approvals, and what comes of them."""
    first = await it.service.approve(one.id, ANNA)
    assert isinstance(first, Proposal), first
    assert first.state is State.CONFIRMING
    return await it.approved(one)


async def test_a_job_is_made_anew_and_runs_and_the_old_one_is_put_back(
    bench: Workbench, accounts: dict[str, Path], aws: None, tmp_path: Path
) -> None:
    waiting = await asyncio.to_thread(_waiting_job, bench)
    before = bench.api.get("batch/v1", "Job", "trainer", bench.namespace)
    async with approving(accounts["maker"], tmp_path) as it:
        one = await it.proposed(bench.namespace, waiting)
        assert isinstance(one, Proposal), one
        assert one.recreates
        assert bench.api.get("batch/v1", "Job", "trainer", bench.namespace) == before, "rehearsed, and nothing changed"
        done = await _twice(it, one)
        assert done.state is State.VERIFIED, (done.state, done.facts)
        after = bench.api.get("batch/v1", "Job", "trainer", bench.namespace)
        assert after["metadata"]["uid"] == done.facts["uid"] != before["metadata"]["uid"]
        assert after["metadata"]["annotations"][MARK] == one.id
        assert after["spec"]["template"]["spec"]["containers"][0]["resources"] == {"limits": ENOUGH, "requests": ENOUGH}
        assert bench.node_of("trainer")["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "g6e.8xlarge"
        undone = await it.service.undo(one.id, ANNA)
        assert isinstance(undone, Proposal), undone
        assert undone.state is State.CONFIRMING
        assert "stops" in undone.facts  # how many are ready, the Job's controller counts a second late
        await it.approved(undone)
        await it.in_state(one.id, State.UNDONE)
        back = bench.api.get("batch/v1", "Job", "trainer", bench.namespace)
        assert _own(back) == _own(before)


def kubectl() -> Path:
    """Of the cluster's own version."""
    return ensure_assets(build=False).programs["kubectl"]


def _own(job: KubeObject) -> Any:  # noqa: ANN401
    """The Job's spec without what names the very object."""
    spec = {key: value for key, value in job["spec"].items() if key != "selector"}
    return {**spec, "template": spec["template"]["spec"]}


async def test_a_bare_pod_is_made_anew_and_runs_and_stays(
    bench: Workbench, accounts: dict[str, Path], aws: None, tmp_path: Path
) -> None:
    waiting = await asyncio.to_thread(_waiting_pod, bench)
    before = bench.api.get("v1", "Pod", "trainer", bench.namespace)
    async with approving(accounts["maker"], tmp_path) as it:
        one = await it.proposed(bench.namespace, waiting)
        assert isinstance(one, Proposal), one
        done = await _twice(it, one)
        assert done.state is State.VERIFIED, (done.state, done.facts)
        after = bench.api.get("v1", "Pod", "trainer", bench.namespace)
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        assert after["spec"]["containers"][0]["resources"]["limits"] == ENOUGH
        refused = await it.service.undo(one.id, ANNA)
        assert isinstance(refused, Failed)
        assert refused.code == "approvals.kept-bound", "what runs is not taken away to put back what did not"


async def test_without_the_recreate_role_the_command_is_given_and_does_it(
    bed: Bed, bench: Workbench, accounts: dict[str, Path], aws: None, tmp_path: Path
) -> None:
    waiting = await asyncio.to_thread(_waiting_job, bench)
    async with approving(accounts["writer"], tmp_path) as it:
        found = await it.proposed(bench.namespace, waiting)
    assert isinstance(found, Copy)
    assert found.code == "approvals.no-recreate-role"
    path = f"{kubectl().parent}:{os.environ['PATH']}"
    done = await asyncio.to_thread(
        subprocess.run,
        ["/bin/sh", "-c", found.command],
        env={**os.environ, "PATH": path, "KUBECONFIG": str(bed.kubeconfig)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert bench.node_of("trainer")["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "g6e.8xlarge"


@contextmanager
def _policy(bench: Workbench, group: str, resource: str, operation: str) -> Iterator[None]:
    """A CEL rule of the cluster's: nothing of this kind may be changed in the bench's namespace."""
    api, name = "admissionregistration.k8s.io/v1", f"frozen-{bench.namespace}"
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": [operation], "resources": [resource]}
    labels = {"matchLabels": {"kubernetes.io/metadata.name": bench.namespace}}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "object.metadata.name != 'trainer'", "message": "frozen for the release"}],
    }
    bench.api.create({"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec})
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": labels}}
    kind = "ValidatingAdmissionPolicyBinding"
    bench.api.create({"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": binding})
    try:
        yield
    finally:
        bench.api.delete(api, kind, name)
        bench.api.delete(api, "ValidatingAdmissionPolicy", name)


async def _refused(it: Approving, bench: Workbench, waiting: str) -> Copy:
    """The proposal, once the policy has come into force."""
    for _ in range(int(SECONDS)):
        found = await it.proposed(bench.namespace, waiting)
        if isinstance(found, Copy):
            return found
        await asyncio.sleep(1)
    raise AssertionError("the policy never came into force")


async def test_what_cel_refuses_is_shown_before_anything_is_deleted(
    bench: Workbench, accounts: dict[str, Path], aws: None, tmp_path: Path
) -> None:
    """The name is still taken while it is rehearsed: admission is asked all the same."""
    waiting = await asyncio.to_thread(_waiting_job, bench)
    before = bench.api.get("batch/v1", "Job", "trainer", bench.namespace)
    async with approving(accounts["maker"], tmp_path) as it:
        with _policy(bench, "batch", "jobs", "CREATE"):
            found = await _refused(it, bench, waiting)
    assert found.code == "approvals.dry-run-refused"
    for language in ("en", "ko"):
        assert "frozen for the release" in str(copy_modal(found, PLAYBOOKS.phrases(language)))
    assert bench.api.get("batch/v1", "Job", "trainer", bench.namespace)["metadata"]["uid"] == before["metadata"]["uid"]


async def test_what_cel_refuses_after_the_approval_is_shown_and_nothing_is_changed(
    bench: Workbench, accounts: dict[str, Path], aws: None, tmp_path: Path
) -> None:
    def waiting() -> str:
        bench.api.create(SEED.pools[0])
        bench.create_deployment("trainer", SEED.pod.resources, nodeSelector=dict(SEED.pod.selector))
        found = bench.pending_pod_of("trainer")
        bench.refusal(found)
        return found

    name = await asyncio.to_thread(waiting)
    async with approving(accounts["writer"], tmp_path) as it:
        one = await it.proposed(bench.namespace, name)
        assert isinstance(one, Proposal), one
        before = bench.api.get("apps/v1", "Deployment", "trainer", bench.namespace)["spec"]
        with _policy(bench, "apps", "deployments", "UPDATE"):
            assert "frozen" in (await _refused(it, bench, name)).why
            done = await it.approved(one)
        assert done.state is State.FAILED
        assert "frozen for the release" in str(done.facts["failure"])
        assert bench.api.get("apps/v1", "Deployment", "trainer", bench.namespace)["spec"] == before
