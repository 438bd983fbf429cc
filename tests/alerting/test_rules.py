"""The rules of alert threads: buttons, groups, quiet hours, what people hand the bot, and what is none of its business."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bot.alerting.answers import NodeGone, NodeStory, WaitingGroup
from bot.slack.services import Offered
from bot.sources.ownership import Owner
from tests.alerting.scene import Clusters, Moving, attended, pod_alert, posted, quiet, replied, replies
from tests.alerts import firing, layouts
from tests.fakes.slack import FakeSlack, scene
from tests.playbooks.samples import said, seed
from tests.slack.door import HEADLINE


async def test_remedies_are_offered_as_buttons_below_the_answer(slack: FakeSlack, tmp_path: Path) -> None:
    offers = (Offered(token="one", number=0, ready=True), Offered(token="two", number=1, ready=False))
    async with attended(slack, tmp_path, Clusters(offers=offers)):
        await posted(slack, pod_alert("xk2lp"))
        [reply] = await replied(slack, HEADLINE)
        [actions] = [block for block in reply.blocks if block["type"] == "actions"]
        best, other, *evidence = actions["elements"]
        assert (best["action_id"], best["value"], best["style"]) == ("propose", "one", "primary")
        assert other["options"][0]["value"] == "two"
        assert evidence[0]["action_id"] == "show_evidence"


async def test_an_alert_about_several_workloads_is_one_reply_by_cause(slack: FakeSlack, tmp_path: Path) -> None:
    names = {"cart": 3, "shop": 2, "mill": 1}
    pods = [
        {**firing.POD, "pod": f"{name}-7c9f6b5d48-{end}xx2x"} for name, count in names.items() for end in "bcd"[:count]
    ]
    alert = layouts.default_template(pods, ("namespace",), text=layouts.alert_list(pods))
    clusters = Clusters()
    async with attended(slack, tmp_path, clusters):
        await posted(slack, alert)
        [reply] = await replied(slack, "6 pods wait for a node")
        assert "6 of `checkout/cart`, `checkout/shop` and `checkout/mill`" in reply.text, "the same cause is told once"
        asked = len(clusters.asked)
        await posted(slack, alert)
        await replied(slack, "in 2 alerts")
        assert len(clusters.asked) == asked == 3
        assert len(replies(slack)) == 1


async def test_jobs_of_one_owner_are_one_incident_whatever_their_names_say(slack: FakeSlack, tmp_path: Path) -> None:
    clusters = Clusters(owner=lambda _pod: Owner("TrainJob", "llama"))
    async with attended(slack, tmp_path, clusters):
        for pod in ("alpha-0-bcdfg", "beta-0-bcdfg", "gamma-0-bcdfg"):
            await posted(slack, layouts.default_template([{**firing.POD, "pod": pod}]))
        [reply] = await replied(slack, "Now 3 pods, 3 jobs in 3 alerts")
        assert len(replies(slack)) == 1
        assert HEADLINE in reply.text


async def test_quiet_hours_hold_the_answer_until_they_are_over(slack: FakeSlack, tmp_path: Path) -> None:
    clock = Moving()
    now = clock()
    begin, end = now - timedelta(minutes=5), now + timedelta(minutes=30)
    async with attended(slack, tmp_path, Clusters(), clock=clock):
        hours = f"{begin:%H:%M}-{end:%H:%M}"
        await slack.slash_command(f"settings quiet {hours} UTC", user=scene.ANNA, channel=scene.ALERTS)
        await slack.wait_for(lambda s: [m for m in s.workspace.ephemerals() if hours in m.text])
        await posted(slack, pod_alert("xk2lp"))
        await posted(slack, pod_alert("9zr7d"))
        await quiet(1.0)
        assert not [m for m in replies(slack) if m.ephemeral_to is None]
        clock.ahead(31 * 60)
        [reply] = await replied(slack, "Now 2 pods")
        assert reply.thread_ts


async def test_slacks_http_retries_are_taken_once(slack: FakeSlack, tmp_path: Path) -> None:
    clusters = Clusters()
    async with attended(slack, tmp_path, clusters, mode="http"):
        await posted(slack, pod_alert("xk2lp"))
        await replied(slack, HEADLINE)
        delivery = next(d for d in slack.deliveries if "cart-7c9f6b5d48-xk2lp" in str(d.payload))
        for _ in range(2):
            await slack.deliver_again(delivery)  # with X-Slack-Retry-Num
        await quiet(1.5)
        [reply] = replies(slack)
        assert "alerts" not in reply.text, "counted once"


async def test_text_of_any_script_is_answered_and_hands_nobody_a_ping(slack: FakeSlack, tmp_path: Path) -> None:
    title = "\u202e🔥 [FIRING:1] KubePodNotReady <!channel> תנאי \u2066cart\u2069"
    text = (
        "\u200f*אשכול:* \u2066`osprey-prod`\u2069\n\u200f*מרחב שמות:* \u2066`checkout`\u2069\n"
        "\u200f*פוד:* \u2066`cart-7c9f6b5d48-xk2lp`\u2069 👩‍💻 <!here> @everyone"
    )
    async with attended(slack, tmp_path, Clusters()):
        await posted(slack, layouts.webhook("Alertmanager", {"color": "danger", "title": title, "text": text}))
        [reply] = await replied(slack, HEADLINE)
        assert reply.thread_ts
        assert "everyone" not in reply.text + str(reply.blocks)


async def test_a_mention_with_a_pasted_text_is_answered_in_its_thread(slack: FakeSlack, tmp_path: Path) -> None:
    me = f"<@{slack.workspace.bot_user}>"
    for given in (
        f"{me} what is this?\n{firing.DESCRIBE}",
        f"{me} ```{firing.LOG}```",
        f"{me} [FIRING:1] KubePodNotReady checkout (osprey-prod cart-7c9f6b5d48-xk2lp warning)",
    ):
        before = len(replies(slack, scene.OPS))
        async with attended(slack, tmp_path, Clusters()):
            asked = await slack.mention(given.removeprefix(me), user=scene.ANNA, channel=scene.OPS)
            await slack.wait_for(lambda s, before=before: len(replies(s, scene.OPS)) > before)  # type: ignore[misc]
            await quiet()
            [reply] = replies(slack, scene.OPS)[before:]
            assert reply.thread_ts == asked.ts
            assert HEADLINE in reply.text


async def test_a_mention_with_a_command_is_a_command_whatever_stands_below_it(slack: FakeSlack, tmp_path: Path) -> None:
    async with attended(slack, tmp_path, Clusters()):
        await slack.mention("help", user=scene.ANNA, channel=scene.OPS)
        await slack.wait_for(lambda s: [*replies(s, scene.OPS), *s.workspace.ephemerals()])
        await quiet()
        assert HEADLINE not in str(replies(slack, scene.OPS))


async def test_a_persons_paste_gets_its_own_answer_beside_the_incident(slack: FakeSlack, tmp_path: Path) -> None:
    pod = {**firing.POD, "namespace": "ml-train", "pod": "trainer-0"}
    async with attended(slack, tmp_path, Clusters(owner=lambda _: Owner("StatefulSet", "trainer"))):
        await posted(slack, layouts.default_template([pod]))
        await replied(slack, HEADLINE)
        paste = await slack.message(firing.DESCRIBE, channel=scene.ALERTS)
        await slack.wait_for(lambda s: len(replies(s)) == 2)
        assert replies(slack)[-1].thread_ts == paste.ts


async def test_a_node_alert_tells_the_rule_that_took_it_and_which_pods_wait(slack: FakeSlack, tmp_path: Path) -> None:
    rendered = replace(said(seed(), "en"), remedies=())
    waiting = (WaitingGroup(namespace="ml", owner="train", kind="TrainJob", pods=("ml/train-0",), count=4),)
    clusters = Clusters(
        story=NodeStory(name="", exists=False),
        gone=NodeGone(rendered=rendered, state="gone", waiting=waiting),
    )
    async with attended(slack, tmp_path, clusters):
        await posted(slack, layouts.default_template([firing.NODE]))
        [reply] = await replied(slack, HEADLINE)
        assert "4 pods wait for a node now: `ml/train`" in reply.text
        assert "`ml/train`" in str(reply.blocks)


async def test_a_node_that_answers_again_says_what_runs_on_it(slack: FakeSlack, tmp_path: Path) -> None:
    on_it = (WaitingGroup(namespace="ml", owner="train", kind="TrainJob", pods=("ml/train-0",), count=4),)
    clusters = Clusters(story=NodeStory(name="", exists=True, ready="True", pods=9, workloads=on_it))
    async with attended(slack, tmp_path, clusters):
        await posted(slack, layouts.default_template([firing.NODE]))
        [reply] = await replied(slack, "is ready")
        assert "On it: 4 pods of `ml/train`" in reply.text
