"""Ways in Slack beside the straight one: a Job made anew, the next fix, objects of a repository, a channel without the bot."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from bot.model.proposals import State
from bot.remediation.outcomes import MARK
from bot.store import Store, ledger
from tests.approving.slack_stage import ANNA_MAY, CASE, POOL, Stage, stage
from tests.fakes.slack import Message, scene
from tests.recorded import CASES

JOB_CASE: Final = "gpu-16-on-p4d"
JOB: Final = "llama-3-70b-node-0"


def rewritten(folder: Path, case: str, change: Callable[[dict[str, Any]], bool]) -> str:
    """A copy of the case with its objects changed; those for which `change` says False are left out."""
    copy = folder / "case"
    shutil.copytree(CASES / case, copy)
    for file in copy.glob("*.yaml"):
        if file.name in ("case.yaml", "meta.yaml"):
            continue
        documents = [d for d in yaml.safe_load_all(file.read_text("utf-8")) if d]
        for document in documents:
            if "items" in document:
                document["items"] = [one for one in document["items"] if change(one)]
        file.write_text(yaml.safe_dump_all(documents), "utf-8")
    return str(copy)


def job_alone(folder: Path) -> str:
    """The case with a Job that nothing owns."""

    def change(one: dict[str, Any]) -> bool:
        if one["kind"] == "Job":
            one["metadata"].pop("ownerReferences", None)
        return one["kind"] not in ("JobSet", "TrainJob")

    return rewritten(folder, JOB_CASE, change)


async def the_proposal(it: Stage) -> Any:  # noqa: ANN401
    """The newest proposal."""
    entries = await ledger.audit(it.store, last=1)
    return await ledger.find(it.store, entries[0].proposal)


async def test_a_job_is_deleted_and_made_anew_after_two_approvals_and_put_back(
    one_store: Store, tmp_path: Path
) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY, case=job_alone(tmp_path)) as it:
        it.kube.served = frozenset({"batch/v1"})
        before = it.kube.find("Job", JOB)
        before["status"] = {"active": 2, "ready": 1}
        message = await it.answer()
        _, first = it.slack.element("propose", message)
        assert (first["text"]["text"], first["style"]) == ("Delete and recreate (fix 1) …", "danger")
        await it.slack.click("propose", message, user=scene.ANNA)
        view = await it.modal("This deletes")
        assert "1 running pod ends" in str(view.content)
        assert "two approvals" in str(view.content)
        assert (it.kube.deleted, it.kube.created) == ([], [])
        await it.slack.submit(view)
        posted = await it.message_with("approve")
        _, approve = it.slack.element("approve", posted)
        assert approve["confirm"]["title"]["text"].startswith(f"Delete and recreate Job default/{JOB}")
        await it.slack.click("approve", posted, user=scene.ANNA)
        again = await it.message_with("Approve a second time")
        assert (it.kube.deleted, it.kube.created) == ([], []), "one approval is not enough"
        await it.slack.click("approve", again, user=scene.ANNA)
        applied = await it.message_with("Applied: ")
        [(_, made)] = it.kube.created
        assert len(it.kube.deleted) == 1
        one = await the_proposal(it)
        assert made["metadata"]["annotations"][MARK] == one.id
        assert (await it.event())["involvedObject"]["uid"] == made["metadata"]["uid"]
        it.kube.find("Job", JOB)["status"] = {"active": 2}
        await it.slack.click("undo", applied, user=scene.ANNA)
        await it.slack.click("approve", await it.message_with("Approve a second time"), user=scene.ANNA)
        await it.message_with("Undone: ")
        back = it.kube.created[1][1]
        assert back["spec"]["template"] == {
            **before["spec"]["template"],
            "metadata": {**before["spec"]["template"]["metadata"]},
        }
        assert len(it.kube.deleted) == 2
        assert it.slack.violations == []


async def test_what_was_deleted_and_refused_anew_is_told_and_put_back_by_a_click(
    one_store: Store, tmp_path: Path
) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY, case=job_alone(tmp_path)) as it:
        it.kube.served, it.kube.linger = frozenset({"batch/v1"}), True
        posted = await it.proposed()
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.slack.click("approve", await it.message_with("Approve a second time"), user=scene.ANNA)
        await it.message_with("the new one follows")
        it.kube.refuse["jobs"] = "exceeded quota: gpu"
        it.kube.let_go()
        await it.slack.wait_for(lambda _: not it.service.engine.busy, 30)
        await it.service.engine.look_through()
        failed = await it.message_with("exceeded quota: gpu")
        assert "The old object is deleted" in failed.text
        it.kube.refuse.clear()
        await it.slack.click("undo", failed, user=scene.ANNA)
        await it.slack.click("approve", await it.message_with("Approve a second time"), user=scene.ANNA)
        await it.message_with("Undone: ")
        [(_, back)] = it.kube.created
        assert back["spec"] == {k: v for k, v in it.kube.deleted[0][1]["spec"].items() if k != "selector"}


async def test_a_change_that_does_not_suffice_offers_the_next(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted = await it.proposed()
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.message_with("Applied: ")
        it.clock.pass_(minutes=16)
        stalled = await it.message_with("still does not run")
        assert "What blocks now: " in stalled.text
        assert "What would help next" in stalled.text
        one = await the_proposal(it)
        applied, offered = one.facts["summary"], [fix["summary"] for fix in one.facts["next"]]
        assert offered
        assert applied not in offered, "what was tried is not offered again"
        _, following = it.slack.element("propose", stalled)
        await it.slack.click("propose", stalled, user=scene.ANNA)
        view = await it.modal("kubectl patch")
        assert offered[0].partition(" ")[0] in str(view.content)
        assert following["value"] not in ("", one.id)
        assert it.slack.element("undo", stalled)
        assert it.slack.violations == []


FLUX: Final = "toolkit.fluxcd.io"
MANAGED: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "Argo CD annotation": (
        {"annotations": {"argocd.argoproj.io/tracking-id": f"ml:karpenter.sh/NodePool:/{POOL}"}},
        "Argo CD Application ml",
        "kustomization.yaml",
    ),
    "Flux Kustomization": (
        {"labels": {f"kustomize.{FLUX}/name": "nodes", f"kustomize.{FLUX}/namespace": "flux-system"}},
        "Flux Kustomization flux-system/nodes",
        "kustomization.yaml",
    ),
    "Flux Kustomization, by its manager alone": (
        {"managedFields": [{"manager": "kustomize-controller", "operation": "Apply"}]},
        "Flux Kustomization",
        "kustomization.yaml",
    ),
    "Flux HelmRelease": (
        {
            "labels": {f"helm.{FLUX}/name": "pools", f"helm.{FLUX}/namespace": "ml", "app.kubernetes.io/instance": "x"},
            "annotations": {"meta.helm.sh/release-name": "ml-pools"},
        },
        "Flux HelmRelease ml/pools",
        "postRenderers",
    ),
    "Helm": (
        {"annotations": {"meta.helm.sh/release-name": "pools", "meta.helm.sh/release-namespace": "kube-system"}},
        "Helm release kube-system/pools",
        "chart",
    ),
    "Helm, by its manager alone": (
        {"managedFields": [{"manager": "helm", "operation": "Update"}]},
        "Helm release",
        "chart",
    ),
}


@pytest.mark.parametrize("how", MANAGED)
async def test_an_object_of_a_repository_is_left_alone_and_told_where_it_comes_from(
    one_store: Store, tmp_path: Path, how: str
) -> None:
    """Argo CD, Flux and Helm would put back what is changed in place: the change is for where they take it from."""
    metadata, named, where = MANAGED[how]

    def change(one: dict[str, Any]) -> bool:
        if one["kind"] == "NodePool":
            for key, value in metadata.items():
                known = one["metadata"].get(key)
                one["metadata"][key] = {**known, **value} if isinstance(known, dict) else value
        return True

    async with stage(one_store, tmp_path, ANNA_MAY, case=rewritten(tmp_path, CASE, change)) as it:
        before = it.kube.find("NodePool", POOL)["spec"]
        message = await it.answer()
        if "managedFields" not in metadata:  # which the World does not have: they are looked at when it is proposed
            assert named in message.text + str(message.blocks)
            _, first = it.slack.element("propose", message)
            assert first["text"]["text"].startswith("Copy the patch")
        await it.slack.click("propose", message, user=scene.ANNA)
        shown = str((await it.modal("kubectl patch")).content)
        assert named in shown
        assert where in shown
        assert shown.index(where) < shown.index("kubectl patch")
        assert it.kube.find("NodePool", POOL)["spec"] == before
        assert (it.kube.patched, it.kube.rehearsed) == ([], 0)
        assert it.slack.violations == []


# -- a channel that the bot is not in ------------------------------------------------------------------------------------


async def asked_elsewhere(it: Stage) -> Message:
    """Asked in a channel without the bot: the answer comes by the response_url, the proposal to the requester alone."""
    it.slack.workspace.scopes -= {"chat:write.public"}
    await it.slack.slash_command("why x", channel=scene.ELSEWHERE, user=scene.ANNA)
    found = await it.slack.wait_for(lambda s: [m for m in s.workspace.in_channel(scene.ELSEWHERE) if m.blocks], 30)
    await it.slack.click("propose", found[-1], user=scene.ANNA)
    await it.slack.submit(await it.modal("dry-run"))
    direct = it.slack.workspace.direct(scene.ANNA).id
    messages = await it.slack.wait_for(lambda s: s.workspace.by_bot(direct), 30)
    assert "Proposed: " in messages[-1].text
    return messages[-1]


async def test_where_the_bot_is_not_the_proposal_goes_to_its_requester_and_moves_once_it_is_invited(
    one_store: Store, tmp_path: Path
) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        apart = await asked_elsewhere(it)
        assert "no member of the channel" in str(apart.blocks)
        await it.slack.click("post_there", apart, user=scene.ANNA)
        await it.slack.wait_for(lambda s: [m for m in s.workspace.messages if "still cannot post" in m.text], 30)
        it.slack.workspace.channels[scene.ELSEWHERE].members.add(it.slack.workspace.bot_user)
        await asyncio.gather(*(it.slack.click("post_there", apart, user=scene.ANNA) for _ in range(2)))
        found = await it.slack.wait_for(
            lambda s: [m for m in s.workspace.by_bot(scene.ELSEWHERE) if "Proposed: " in m.text], 30
        )
        await it.slack.wait_for(lambda _: "in the channel now" in apart.text, 30)
        assert len(found) == 1
        await it.slack.click("approve", found[0], user=scene.ANNA)
        await it.slack.wait_for(lambda _: "Applied: " in found[0].text, 30)
        assert len(it.kube.patched) == 1
        assert it.slack.violations == []


async def test_a_requester_who_may_approves_where_the_bot_is_not(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        apart = await asked_elsewhere(it)
        await it.slack.click("approve", apart, user=scene.ANNA)
        await it.slack.wait_for(lambda _: "Applied: " in apart.text, 30)
        assert (await the_proposal(it)).state in (State.APPLIED, State.VERIFIED)
        assert it.slack.violations == []
