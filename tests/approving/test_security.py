"""Nobody's cluster changes by accident, twice, unseen, or by someone who may not. The peers' known failures are among these.

Strangers who approve, deliveries that come twice, buttons pressed twice, directories that do not answer: each has happened
to other bots.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.model.proposals import State
from bot.store import Store, StoreUnavailable, ledger
from tests.approving.slack_stage import ANNA_MAY, GROUP_MAY, POOL, Stage, four_eyes, stage
from tests.fakes.kube import Fault as KubeFault
from tests.fakes.slack import Fault, Message, scene


async def only(it: Stage) -> Any:  # noqa: ANN401
    """The one proposal of the story."""
    entries = await ledger.audit(it.store, last=1)
    found = await ledger.find(it.store, entries[0].proposal)
    assert found is not None
    return found


async def unchanged(it: Stage, state: State = State.PROPOSED) -> None:
    """Nothing was applied, and the proposal is as it was."""
    await asyncio.sleep(0.3)
    assert it.kube.patched == []
    assert (await only(it)).state is state


async def audited(it: Stage, code: str, user: str) -> None:
    """The refused click is in the audit."""
    found = [entry for entry in await ledger.audit(it.store) if entry.event == "no"]
    assert (found[-1].detail["code"], found[-1].actor) == (code, user)


# -- who ---------------------------------------------------------------------------------------------------------------


async def test_a_stranger_s_click_is_a_polite_no_that_names_who_may(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted = await it.proposed()
        for action in ("approve", "reject"):
            if action == "reject":
                await it.slack.click("reject", posted, user=scene.MIN)
                await it.slack.submit(await it.modal("이유", scene.MIN), {"reason": "no"})
            else:
                await it.slack.click(action, posted, user=scene.MIN)
            await it.told("권한이 없다", scene.MIN)
        await unchanged(it)
        await audited(it, "approvals.not-you", scene.MIN)
        shown = it.slack.workspace.ephemerals(scene.MIN)[-1]
        assert f"<@{scene.ANNA}>" in str(shown.blocks)


async def test_an_approver_who_left_the_group_meanwhile_may_not(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, GROUP_MAY) as it:
        posted = await it.proposed()
        group = it.slack.workspace.groups[scene.ON_CALL]
        it.slack.workspace.groups[scene.ON_CALL] = replace(group, users=(scene.MIN,))
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.told("may not decide")
        await unchanged(it)
        await it.slack.click("approve", posted, user=scene.MIN)
        await it.message_with("Applied: ")


@pytest.mark.parametrize("kind", ["guest", "deactivated", "bot", "other team"])
async def test_only_full_members_of_the_workspace_decide(one_store: Store, tmp_path: Path, kind: str) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted = await it.proposed()
        anna = it.slack.workspace.users[scene.ANNA]
        changes: dict[str, dict[str, Any]] = {
            "guest": {"is_restricted": True},
            "deactivated": {"deleted": True},
            "bot": {"is_bot": True},
            "other team": {"team_id": "T0OTHER"},
        }
        it.slack.workspace.users[scene.ANNA] = replace(anna, **changes[kind])
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.told("your account is")
        await unchanged(it)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="usergroups.users.list", error="missing_scope"),
        Fault(method="usergroups.users.list", error="no_such_subteam"),
        Fault(method="usergroups.users.list", retry_after=30, times=5),
        Fault(method="usergroups.users.list", status=500, times=5),
        Fault(method="users.info", error="internal_error", times=5),
    ],
    ids=["no scope", "no group", "rate limit", "broken", "no directory"],
)
async def test_while_it_cannot_be_known_who_may_nobody_may(one_store: Store, tmp_path: Path, fault: Fault) -> None:
    async with stage(one_store, tmp_path, GROUP_MAY) as it:
        posted = await it.proposed()
        it.slack.faults.add(fault)
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.slack.wait_for(lambda s: s.workspace.ephemerals(scene.ANNA), 40)
        await unchanged(it)


async def test_a_free_plan_has_no_groups(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, GROUP_MAY) as it:
        posted = await it.proposed()
        it.slack.workspace.plan = "free"
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.told("cannot look up who may approve")
        await unchanged(it)


async def test_four_eyes_are_two_people_s(one_store: Store, tmp_path: Path) -> None:
    rule = four_eyes(replace(ANNA_MAY, users=(scene.ANNA, scene.MIN)))
    async with stage(one_store, tmp_path, rule) as it:
        posted = await it.proposed()
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.told("somebody else has to approve")
        await unchanged(it)
        await it.slack.click("approve", posted, user=scene.MIN)
        await it.message_with("Applied: ")


async def test_a_disruptive_change_takes_two_approvals_where_that_is_asked(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, replace(ANNA_MAY, confirm_twice=True)) as it:
        posted = await it.proposed()
        await it.slack.click("approve", posted, user=scene.ANNA)
        again = await it.message_with("Approve a second time")
        await unchanged(it, State.CONFIRMING)
        await it.slack.click("approve", again, user=scene.ANNA)
        await it.message_with("Applied: ")


# -- what --------------------------------------------------------------------------------------------------------------


async def test_forged_and_replayed_requests(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY, mode="http") as it:
        posted = await it.proposed()
        hooks = it.slack.webhooks
        assert hooks
        delivery = await it.slack.click("approve", posted, user=scene.MIN)
        assert await hooks.send_forged(delivery) == 401
        await unchanged(it)
        approved = await it.slack.click("approve", posted, user=scene.ANNA)
        await it.message_with("Applied: ")
        body, headers = hooks.sent[-1]
        assert (await hooks.send(body, headers))[0] == 200, "a replay within five minutes is rightly signed"
        assert await hooks.send_old(approved) == 401
        await asyncio.sleep(0.3)
        assert len(it.kube.patched) == 1


async def test_double_and_triple_clicks_apply_once(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, replace(ANNA_MAY, users=(scene.ANNA, scene.MIN))) as it:
        posted = await it.proposed()
        people = (scene.ANNA, scene.MIN) * 3
        await asyncio.gather(*(it.slack.click("approve", posted, user=user) for user in people))
        await it.message_with("Applied: ")
        await it.slack.wait_for(lambda s: len(s.workspace.ephemerals()) >= 5, 30)
        assert len(it.kube.patched) == 1
        moves = [entry.event for entry in await ledger.audit(it.store)]
        assert (moves.count("approve"), moves.count("apply")) == (1, 1)


@pytest.mark.parametrize("value", ["", "p1", "x" * 2000, "../../etc/passwd", "' OR 1=1 --", '{"patch": []}'])
async def test_tampered_ids_do_nothing(one_store: Store, tmp_path: Path, value: str) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted = await it.proposed()
        for action in ("approve", "reject"):
            _, element = it.slack.element(action, posted)
            element["value"] = value
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.told("do not know this button")
        await unchanged(it)


async def test_a_made_up_offer_proposes_nothing(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        message = await it.answer()
        _, element = it.slack.element("propose", message)
        element["value"] = "made-up"
        await it.slack.click("propose", message, user=scene.ANNA)
        await it.modal("do not know this button")
        assert await ledger.audit(it.store) == []


async def test_an_expired_proposal_is_over_whatever_is_clicked(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted = await it.proposed()
        it.clock.pass_(minutes=31)
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.told("time to decide on this is over")
        await it.service.engine.look_through()
        await it.message_with("Expired: ")
        await unchanged(it, State.EXPIRED)


async def test_a_button_carries_an_opaque_id_and_nothing_else(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        answer, posted = await it.answer(), await it.proposed()
        values = [it.slack.element(action, answer)[1]["value"] for action in ("propose",)]
        values += [it.slack.element(action, posted)[1]["value"] for action in ("approve", "reject")]
        _, menu = it.slack.element("propose_other", answer)
        values += [option["value"] for option in menu["options"]]
        assert all(len(value) == 22 and "/" not in value and "{" not in value for value in values), values


async def test_an_object_that_a_third_party_changed_is_proposed_anew(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted = await it.proposed()
        pool = it.kube.find("NodePool", POOL)
        requirements = [
            {**r, "values": [*r["values"], "t9"]} if len(r.get("values", [])) > 0 else r
            for r in pool["spec"]["template"]["spec"]["requirements"]
        ]
        template = {
            **pool["spec"]["template"],
            "spec": {**pool["spec"]["template"]["spec"], "requirements": requirements},
        }
        it.kube.touch("NodePool", POOL, {"template": template})
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.message_with("Out of date: ")
        assert it.kube.patched == []


async def test_words_from_the_cluster_are_never_markup(one_store: Store, tmp_path: Path) -> None:
    """Names, annotations and a server's message: no mention, no link, no button of somebody else's."""

    def hostile(objects: list[dict[str, Any]]) -> None:
        for one in objects:
            if one["kind"] == "NodePool" and one["metadata"]["name"] == POOL:
                one["metadata"]["annotations"] = {"note": "<!channel> <@U0MIN> <https://evil.example|approve> ```"}
                one["spec"]["template"]["metadata"] = {"annotations": {"x": "<!here> `*_~"}}

    async with stage(one_store, tmp_path, ANNA_MAY, change=hostile) as it:
        posted = await it.proposed()
        it.kube.refuse["nodepools"] = "<!everyone> <https://evil.example|click>"
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.message_with("Not applied: ")
        assert {ping.target for ping in it.slack.workspace.pings()} == {scene.ANNA}
        assert not [link for link in it.slack.workspace.links() if "evil" in link.url]
        assert it.slack.violations == []


# -- when things are down ------------------------------------------------------------------------------------------------


async def test_while_the_ledger_is_down_nothing_is_applied(
    one_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted = await it.proposed()

        def down(*_: object, **__: object) -> Any:  # noqa: ANN401
            raise StoreUnavailable("the disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(it.store, "write", down)
            await it.slack.click("approve", posted, user=scene.ANNA)
            await it.told("ledger does not answer")
        await unchanged(it)


async def test_while_the_cluster_is_down_an_approval_waits_and_lapses(one_store: Store, tmp_path: Path) -> None:
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted = await it.proposed()

        it.kube.faults[f"/nodepools/{POOL}"] = KubeFault(status=503, message="etcd is gone")
        await it.slack.click("approve", posted, user=scene.ANNA)
        await it.slack.wait_for(lambda _: "Being applied" in posted.text or "Approved" in posted.text, 30)
        assert it.kube.patched == []
        it.clock.pass_(minutes=11)
        it.kube.faults.clear()
        await it.service.engine.look_through()
        await it.message_with("Expired: ")
        assert it.kube.patched == []


async def test_a_restart_carries_out_what_was_approved(one_store: Store, tmp_path: Path) -> None:
    """Approved, and the process died before it began: the next one applies it and follows it in the same message."""
    async with stage(one_store, tmp_path, ANNA_MAY) as it:
        posted: Message = await it.proposed()
        one = await only(it)
        await it.service.desk.approve(one.id, scene.ANNA)  # no engine hears of it
        await it.service.engine.look_through()
        await it.message_with("Applied: ")
        assert "Applied" in posted.text
