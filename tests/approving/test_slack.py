"""A change's whole way in Slack: from the button under an answer to the pod that runs, and back."""

import json
from pathlib import Path

import pytest

from bot.model.proposals import Proposal
from bot.remediation.outcomes import MARK
from bot.slack.services import Asker
from bot.store import Store, ledger
from tests.approving.slack_stage import ANNA_MAY, POOL, diagnosis_of, stage
from tests.fakes.slack import scene
from tests.fakes.writable_kube import WritableKube


def values(kube: WritableKube) -> list[str]:
    """The NodePool's values that the remedy widens."""
    pool = kube.find("NodePool", POOL)
    return [v for r in pool["spec"]["template"]["spec"]["requirements"] for v in r.get("values", [])]


async def test_propose_approve_verify_undo(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        before = values(it.kube)
        message = await it.answer()
        await it.slack.click("propose", message, user=scene.ANNA)
        view = await it.modal("dry-run")
        shown = str(view.content)
        assert "NodePool gpu" in shown
        assert "+" in shown
        assert "Risk: " in shown
        assert view.content["private_metadata"] not in ("", None)
        await it.slack.submit(view)

        posted = await it.message_with("approve")
        assert "Proposed: " in posted.text
        assert "Would open" in posted.text
        assert values(it.kube) == before, "nothing is changed by asking"
        await it.slack.click("approve", posted, user=scene.ANNA)
        applied = await it.message_with("Applied: ")
        assert applied.ts == posted.ts, "the same message follows the change"
        assert values(it.kube) != before
        it.pod_runs()
        done = await it.message_with("Done, the pod runs")
        for words in (
            "gpu-x7k2p",
            "p5.48xlarge",
            "ap-northeast-2a",
            "$55.04",
            "after 2 seconds",
            "after 40",
            "after 44",
        ):
            assert words in done.text, words
        event = await it.event()
        assert it.kube.events == [event]
        assert event["involvedObject"]["name"] == POOL
        assert scene.ANNA in event["message"]

        await it.slack.click("undo", done, user=scene.ANNA)
        await it.message_with("Undone: ")
        assert values(it.kube) == before
        await it.slack.wait_for(lambda _: "Undone" in done.text, 30)
        assert len(it.kube.patched) == 2
        assert {ping.target for ping in it.slack.workspace.pings()} == {scene.ANNA}, "who decided is named, nobody else"
        assert it.slack.violations == []
        entries = await ledger.history(one_store, str(it.kube.patched[0][1]["metadata"]["annotations"][MARK]))
    assert [entry.event for entry in entries] == ["propose", "approve", "claim", "attempt", "apply", "verify", "apply"]
    assert entries[0].detail["diff"]
    assert [entry.actor for entry in entries[:3]] == [scene.ANNA, scene.ANNA, ""]
    assert entries[-1].state == "undone"
    assert ledger.chained(entries)


async def test_a_remedy_that_cannot_be_applied_is_copied(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        message = await it.answer()
        block, menu = it.slack.element("propose_other", message)
        assert "Copy the patch" in menu["options"][0]["text"]["text"]
        await it.slack.click("propose_other", message, user=scene.ANNA, choice=menu["options"][0]["value"])
        view = await it.modal("kubectl patch")
        assert "suspended" in str(view.content)
        assert "kustomization.yaml" in str(view.content)
        assert it.slack.violations == []
        assert block["type"] == "actions"


async def test_without_the_write_role_every_button_copies(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        it.kube.forbidden = frozenset({"nodepools"})
        message = await it.answer()
        _, first = it.slack.element("propose", message)
        assert first["text"]["text"].startswith("Copy the patch")
        assert "style" not in first
        await it.slack.click("propose", message, user=scene.ANNA)
        assert "write role" in str((await it.modal("kubectl patch")).content)
        assert it.kube.patched == []


async def test_without_rules_nobody_may(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path) as it:
        message = await it.answer()
        await it.slack.click("propose", message, user=scene.ANNA)
        assert "No approval rule" in str((await it.modal("kubectl patch")).content)


async def test_what_the_api_server_refuses_is_shown(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        it.kube.refuse["nodepools"] = "spec.template.spec.requirements: no such family here"
        message = await it.answer()
        await it.slack.click("propose", message, user=scene.ANNA)
        assert "no such family here" in str((await it.modal("kubectl patch")).content)


async def test_reject_with_a_reason(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted = await it.proposed()
        await it.slack.click("reject", posted, user=scene.ANNA)
        view = await it.modal("Why not?")
        await it.slack.submit(view, {"reason": "too <!channel> expensive"})
        rejected = await it.message_with("Rejected: ")
        assert "expensive" in rejected.text
        assert "approve" not in str(rejected.blocks)
        assert {ping.kind for ping in it.slack.workspace.pings()} == {"user"}
        assert it.kube.patched == []


async def test_a_korean_asker_reads_korean(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        message = await it.answer(scene.MIN)
        await it.slack.click("propose", message, user=scene.MIN)
        view = await it.modal("미리 실행", scene.MIN)
        await it.slack.submit(view)
        await it.message_with("제안: ")


async def test_the_audit_is_shown_to_the_asker_alone(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        await it.proposed()
        await it.slack.slash_command("audit", user=scene.MIN)
        await it.told("propose", scene.MIN)


async def test_after_a_change_the_mark_names_the_proposal(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted = await it.proposed()
        _, approve = it.slack.element("approve", posted)
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.message_with("Applied: ")
        assert it.kube.find("NodePool", POOL)["metadata"]["annotations"][MARK] == approve["value"]


@pytest.mark.parametrize(
    ("case", "number", "kind", "written"),
    [
        ("consolidation-under-training", 0, "Pod", "'karpenter.sh/do-not-disrupt': 'true'"),
        (
            "consolidation-under-training",
            1,
            "NodePool",
            "'consolidateAfter': '10m', 'consolidationPolicy': 'WhenEmpty'",
        ),
        ("taint-not-tolerated", 0, "Pod", "'tolerations'"),
        ("nodepool-limit", 0, "NodePool", "'limits'"),
        ("nodeclass-not-ready", 0, "NodePool", "'requirements'"),
        ("unknown-label-typo", 1, "NodePool", "'labels'"),
        ("v1beta1-nodepool", 0, "PyTorchJob", "'limits'"),
        ("v1beta1-nodepool", 1, "PyTorchJob", "'spec'"),
    ],
)
async def test_each_kind_of_remedy_is_applied(
    one_store: Store, tmp_path: Path, case: str, number: int, kind: str, written: str
) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY, case=case) as it:
        diagnosis = diagnosis_of(case)
        offers = {offer.number: offer for offer in await it.service.offers("prod", diagnosis)}
        assert offers[number].ready
        one = await it.service.propose(offers[number].token, Asker(user=scene.ANNA, channel=scene.OPS), "en")
        assert isinstance(one, Proposal), one
        before = it.kube.find(kind, one.alteration.target.name)["spec"]
        assert isinstance(await it.service.approve(one.id, scene.ANNA), Proposal)
        it.service.go_on(one.id)
        await it.slack.wait_for(lambda _: it.kube.patched, 30)
        [(_, after)] = it.kube.patched
        assert after["kind"] == kind
        assert written in json.dumps(after, sort_keys=True).replace('"', "'")
        assert after["spec"] != before or kind == "Pod"
        assert after["metadata"]["annotations"][MARK] == one.id
