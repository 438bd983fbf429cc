"""Approve in the playground, without a browser: the recorded cluster changes in memory, and the story ends."""

from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot import packaged
from bot.playground import clusters
from bot.playground.kube import listening
from bot.playground.kube_writes import JSON_PATCH, MERGE_PATCH, WritableKube, merged
from bot.playground.stage import Live, Setting, Stage
from tests.playground.approving import approved
from tests.recorded import CASES

PLAYBOOKS = packaged.load_playbooks()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("case", "changed"),
    [("taint-not-tolerated", ("Pod", "gemma-3-12b-node-0-0-m2vxk")), ("nodepool-limit", ("NodePool", "gpu"))],
)
async def test_what_is_approved_changes_the_copy_and_the_pod_gets_the_node_of_the_engine(
    case: str, changed: tuple[str, str]
) -> None:
    async with Stage(Setting(recordings=clusters.recordings(CASES / case), playbooks=PLAYBOOKS, step=0.1)) as stage:
        done = await approved(stage.slack, stage.recording.question)
        assert "simulated" in done.text
        assert "Node ready after" in done.text
        kind, name = changed
        assert done.text.count(name) or kind == "Pod"
        assert not stage.slack.violations


SAMPLE: dict[str, Any] = {
    "apiVersion": "karpenter.sh/v1",
    "kind": "NodePool",
    "metadata": {"name": "gpu", "resourceVersion": "7"},
    "spec": {"limits": {"cpu": "8"}},
}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "ml"},
    "spec": {"containers": [{"name": "a"}], "tolerations": [{"key": "x"}]},
}
POOL = "/apis/karpenter.sh/v1/nodepools/gpu"
RAISED = [{"op": "replace", "path": "/spec/limits/cpu", "value": "16"}]


async def patch(
    kube: WritableKube, path: str, body: object, kind: str = JSON_PATCH, query: str = ""
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {kube.token}", "Content-Type": kind}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.patch(f"{kube.url}{path}{query}", json=body) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_patch_is_taken_as_a_real_server_takes_it() -> None:
    kube = WritableKube(objects=deepcopy([SAMPLE, POD]))
    async with listening(kube):
        guard = [{"op": "test", "path": "/metadata/resourceVersion", "value": "7"}]
        code, rehearsed = await patch(kube, POOL, [*guard, *RAISED], query="?dryRun=All&fieldManager=me")
        assert (code, rehearsed["spec"]["limits"]["cpu"]) == (200, "16")
        found = kube.find("NodePool", "gpu")
        assert (found or {}).get("spec") == SAMPLE["spec"], "a rehearsal keeps nothing"
        assert (await patch(kube, POOL, RAISED, query="?dryRun=Some"))[0] == 400
        code, kept = await patch(kube, POOL, [*guard, *RAISED], query="?fieldManager=me")
        assert (code, kept["metadata"]["generation"], kept["metadata"]["managedFields"][0]["manager"]) == (200, 2, "me")
        assert (await patch(kube, POOL, [*guard, *RAISED]))[0] == 422, "the version that was guarded is gone"
        old = {"metadata": {"resourceVersion": "7"}, "spec": {"limits": {"cpu": "32"}}}
        assert (await patch(kube, POOL, old, MERGE_PATCH))[0] == 409
        code, kept = await patch(kube, POOL, {"spec": {"limits": {"cpu": None, "memory": "1Gi"}}}, MERGE_PATCH)
        assert (code, kept["spec"]) == (200, {"limits": {"memory": "1Gi"}})
        assert (await patch(kube, POOL, RAISED, "application/apply-patch+yaml"))[0] == 415
        assert (await patch(kube, f"{POOL}s", RAISED))[0] == 404
        assert (await patch(kube, POOL, {"op": "nonsense"}))[0] == 422
        assert len(kube.patched) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ([{"op": "add", "path": "/spec/tolerations/-", "value": {"key": "y"}}], 200),
        ([{"op": "remove", "path": "/spec/tolerations/0"}], 422),
        ([{"op": "add", "path": "/spec/nodeSelector", "value": {"a": "b"}}], 422),
        ([{"op": "replace", "path": "/metadata/name", "value": "b"}], 422),
    ],
)
async def test_what_may_not_be_changed_of_a_pod_is_refused(change: list[dict[str, Any]], code: int) -> None:
    async with listening(kube := WritableKube(objects=deepcopy([POD]))):
        assert (await patch(kube, "/api/v1/namespaces/ml/pods/a", change))[0] == code


def test_a_merge_patch_is_that_of_the_rfc() -> None:
    """RFC 7396, appendix A."""
    assert merged({"a": [{"b": "c"}]}, {"a": [1]}) == {"a": [1]}
    assert merged({"a": "b"}, {"a": {"bb": {"ccc": None}}}) == {"a": {"bb": {}}}
    assert merged(["a"], "x") == "x"


@pytest.mark.parametrize("changes", [False, True])
async def test_a_real_cluster_is_only_read_unless_changes_are_allowed(tmp_path: Path, *, changes: bool) -> None:
    recordings = clusters.recordings(CASES / "nodepool-limit")
    scratch = tmp_path / "snapshot"
    scratch.mkdir()
    here = clusters.alive(recordings[0], scratch, NOW)
    async with listening(kube := WritableKube(objects=list(here.objects), logs=dict(here.logs))):
        live = Live(name="bed", kubeconfig=str(kube.kubeconfig(tmp_path)), region="ap-northeast-2", changes=changes)
        setting = Setting(recordings=recordings, playbooks=PLAYBOOKS, live=live)
        async with Stage(setting) as stage:
            assert (stage.now_on, stage.kind) == ("bed", "changeable" if changes else "live")
            await stage.show("nodepool-limit")
            assert stage.kind == "recording"
