"""Proposals, modals and rows that somebody has tampered with, and undoing by whom and when: nothing is changed by any."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from bot.model.proposals import State
from bot.slack.proposal_blocks import proposal_message, proposal_modal
from bot.store import Store, StoreUnavailable, ledger
from bot.store.ledger import PROPOSALS
from tests.approving import test_recreating
from tests.approving.slack_stage import ANNA_MAY, PLAYBOOKS, POOL, Stage, stage
from tests.approving.stage import Clock, approved, hands_on, worker
from tests.fakes.slack import Fault, scene
from tests.fakes.writable_kube import WritableKube
from tests.remediation.proposals import PROPOSAL, proposal
from tests.remediation.test_recreation import job


async def rewritten(store: Store, change: Callable[[dict[str, Any]], None]) -> None:
    """Somebody with access to the database changes what was approved."""

    def rewrite(connection: sa.Connection) -> None:
        body = json.loads(connection.execute(sa.select(PROPOSALS.c.body)).scalar_one())
        change(body["alteration"])
        connection.execute(sa.update(PROPOSALS).values(body=json.dumps(body)))

    await store.write(rewrite)


async def test_a_patch_that_was_changed_after_it_was_approved_is_not_applied(
    one_store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    """What the server would make of it is not what was shown: the digest of that says so."""

    def change(alteration: dict[str, Any]) -> None:
        alteration["patch"][1]["value"] = 1_000

    async with hands_on(kube, tmp_path) as hands:
        await approved(one_store, hands)
        await rewritten(one_store, change)
        done = await worker(one_store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is State.SUPERSEDED
    assert kube.patched == []


async def test_a_manifest_that_was_changed_after_it_was_approved_is_not_created(
    one_store: Store, kube: WritableKube, tmp_path: Path
) -> None:
    def change(alteration: dict[str, Any]) -> None:
        alteration["creates"]["spec"]["template"]["spec"]["containers"][0]["image"] = "evil.example/miner"

    kube.objects.append(job())
    async with hands_on(kube, tmp_path) as hands:
        await test_recreating.approved(one_store, hands)
        await rewritten(one_store, change)
        done = await worker(one_store, hands, Clock()).carry_out("p1")
    assert done is not None
    assert done.state is State.SUPERSEDED
    assert (kube.deleted, kube.created) == ([], [])


async def newest(it: Stage) -> str:
    entries = await ledger.audit(it.store, last=1)
    return str(entries[0].proposal)


async def test_nobody_posts_somebody_else_s_proposal(one_store: Store, tmp_path: Path) -> None:
    """A modal's metadata is only as good as who submits it."""
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        message = await it.answer()
        await it.slack.click("propose", message, user=scene.ANNA)
        anna = await it.modal("dry-run")
        await it.slack.click("propose", message, user=scene.MIN)
        mine = await it.modal("미리 실행", scene.MIN)
        own, hers = mine.content["private_metadata"], anna.content["private_metadata"]
        before = len(it.messages())
        for value in (hers, "made-up", ""):
            mine.content["private_metadata"] = value
            await it.slack.submit(mine)
        mine.content["private_metadata"] = own
        await it.slack.submit(mine)
        posted = await it.message_with("제안: ")
        assert len(it.messages()) == before + 1
        assert own in str(posted.blocks)
        assert hers not in str(posted.blocks)


@pytest.mark.parametrize("what", ["cluster", "ledger"])
async def test_nothing_is_proposed_while_it_cannot_be_rehearsed_or_written_down(
    one_store: Store, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        message = await it.answer()

        def down(*_: object, **__: object) -> Any:  # noqa: ANN401
            raise StoreUnavailable("the disk is full")

        with monkeypatch.context() as broken:
            if what == "ledger":
                broken.setattr(it.store, "write", down)
            else:
                it.down.append("the API server")
            await it.slack.click("propose", message, user=scene.ANNA)
            view = await it.modal("ledger does not answer" if what == "ledger" else "no route to the API server")
        assert view.content.get("callback_id") != "proposal"
        assert await ledger.audit(it.store) == []
        assert it.kube.patched == []


async def test_a_proposal_that_slack_is_slow_to_take_is_posted_once(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        message = await it.answer()
        await it.slack.click("propose", message, user=scene.ANNA)
        view = await it.modal("dry-run")
        it.slack.faults.add(Fault(method="chat.postMessage", retry_after=1))
        await it.slack.submit(view)
        await it.slack.submit(view)
        await it.message_with("approve")
        assert len([m for m in it.messages() if "Proposed: " in m.text]) == 1


async def test_a_stranger_undoes_nothing_and_nobody_what_was_changed_since(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted = await it.proposed()
        await it.slack.click("approve", posted, user=scene.ANNA)
        applied = await it.message_with("Applied: ")
        await it.slack.click("undo", applied, user=scene.MIN)
        await it.told("권한이 없다", scene.MIN)
        it.kube.touch("NodePool", POOL, {"weight": 7})
        await it.slack.click("undo", applied, user=scene.ANNA)
        await it.told("has changed since")
        assert len(it.kube.patched) == 1


async def test_an_answer_of_long_ago_proposes_nothing(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        old = await it.answer()
        it.clock.pass_(days=31)
        await it.answer()
        await it.slack.click("propose", old, user=scene.ANNA)
        await it.modal("do not know this button")


async def test_a_change_of_any_size_and_any_words_fits_into_slack_s_limits(one_store: Store, tmp_path: Path) -> None:
    """2,000 lines, one of them very long, and names that would be markup; in each state that a proposal can have."""
    nasty = "<!channel> <https://evil.example|approve> ```\n"
    diff = "+" + "x" * 5_000 + "\n" + "".join(f"-  line {n} {nasty}" for n in range(2_000))
    alteration = replace(PROPOSAL.alteration, diff=diff, undo=({"op": "test"},))
    facts: dict[str, Any] = {
        "summary": nasty * 20,
        "opens": nasty * 20,
        "risks": [nasty * 20] * 20,
        "now": nasty * 50,
        "reason": nasty * 20,
    }
    facts["next"] = [
        {"token": f"t{n}", "number": n, "ready": True, "recreates": False, "summary": nasty} for n in range(5)
    ]
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        client: Any = it.slack
        for language in ("en", "ko"):
            phrases = PLAYBOOKS.phrases(language)
            for state in State:
                one = proposal(alteration=alteration, facts=facts, state=state)
                shown = proposal_message(one, phrases)
                accepted(client, {"text": shown.text, "blocks": list(shown.blocks)})
            view = proposal_modal(proposal(alteration=alteration, facts=facts), phrases)
            assert len(json.dumps(view).encode()) < 250_000
            assert len(view["blocks"]) <= 100  # type: ignore[arg-type]
        assert it.slack.violations == []


def accepted(slack: Any, arguments: dict[str, Any]) -> None:  # noqa: ANN401
    """Slack takes the message, and nobody is called and nothing linked by it."""
    from bot.playground.slack.content import accept_content  # noqa: PLC0415

    plain = msgspec.json.decode(msgspec.json.encode(arguments))
    content = accept_content(slack, slack.workspace, "chat.postMessage", plain)
    assert {ping.kind for ping in content.markup.pings} <= {"user"}
    assert not [link for link in content.markup.links if "evil" in link.url]
