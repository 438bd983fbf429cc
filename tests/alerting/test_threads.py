"""Stories of alert threads: an alert is posted, and what the channel reads afterwards."""

from __future__ import annotations

from pathlib import Path

from bot.alerting.answers import LookupFailed, NodeStory, PodTrace, WaitingGroup
from tests.alerting.scene import Clusters, Moving, attended, pod_alert, posted, quiet, replied, replies
from tests.alerts import firing, layouts
from tests.alerts.chat import messages
from tests.fakes.slack import FakeSlack, Fault, scene
from tests.slack.door import HEADLINE


async def test_an_alert_is_answered_in_its_thread_with_the_evidence_button(slack: FakeSlack, tmp_path: Path) -> None:
    async with attended(slack, tmp_path, Clusters()):
        alert = await posted(slack, pod_alert("xk2lp"))
        [reply] = await replied(slack, HEADLINE)
        assert reply.thread_ts == alert.ts
        assert "show_evidence" in str(reply.blocks)


async def test_repeats_grow_the_first_reply_and_another_cause_gets_its_own(slack: FakeSlack, tmp_path: Path) -> None:
    clusters = Clusters(cause=lambda pod: "taint-not-tolerated" if pod.startswith("other") else "efa-unsupported")
    async with attended(slack, tmp_path, clusters):
        for end in ("xk2lp", "9zr7d", "2hqpl"):
            await posted(slack, pod_alert(end))
        [reply] = await replied(slack, "Now 3 pods")
        await posted(slack, layouts.default_template([{**firing.POD, "pod": "other-7c9f6b5d48-xk2lp"}]))
        await slack.wait_for(lambda s: len(replies(s)) == 2)
        assert HEADLINE in reply.text
        assert len(clusters.asked) <= 4


async def test_resolved_alerts_end_the_incident_once_all_are(slack: FakeSlack, tmp_path: Path) -> None:
    async with attended(slack, tmp_path, Clusters()):
        for end in ("xk2lp", "9zr7d"):
            await posted(slack, pod_alert(end))
        await replied(slack, "Now 2 pods")
        await posted(slack, pod_alert("xk2lp", "resolved"))
        await quiet()
        assert not [m for m in replies(slack) if "Over after" in m.text]
        await posted(slack, pod_alert("9zr7d", "resolved"))
        await replied(slack, "every alert of this incident is resolved")
        assert len(replies(slack)) == 1


async def test_an_edit_counts_only_where_it_says_something_new(slack: FakeSlack, tmp_path: Path) -> None:
    async with attended(slack, tmp_path, Clusters()):
        alert = await posted(slack, pod_alert("xk2lp"))
        [reply] = await replied(slack, HEADLINE)
        await slack.edit(alert)
        await quiet()
        assert len(reply.revisions) == 1
        await slack.edit(alert, attachments=pod_alert("xk2lp", "resolved")["attachments"])
        await replied(slack, "Over after")
        assert len(replies(slack)) == 1


async def test_redelivery_and_a_restart_post_nothing_twice(slack: FakeSlack, tmp_path: Path) -> None:
    async with attended(slack, tmp_path, Clusters()):
        await posted(slack, pod_alert("xk2lp"))
        await replied(slack, HEADLINE)
        delivery = next(d for d in slack.deliveries if "cart-7c9f6b5d48-xk2lp" in str(d.payload))
        await slack.deliver_again(delivery)
    async with attended(slack, tmp_path, Clusters()):
        await slack.deliver_again(delivery)
        await quiet(1.5)
        assert len(replies(slack)) == 1


async def test_a_post_whose_answer_was_lost_is_found_and_not_made_again(slack: FakeSlack, tmp_path: Path) -> None:
    slack.faults.add(Fault(method="chat.postMessage", lost=True))
    async with attended(slack, tmp_path, Clusters()):
        await posted(slack, pod_alert("xk2lp"))
        await slack.wait_for(lambda s: [c for c in s.calls if c.method == "conversations.replies"], timeout=20)
        await quiet(1.5)
        assert len(replies(slack)) == 1


async def test_slacks_retry_after_is_waited_out(slack: FakeSlack, tmp_path: Path) -> None:
    slack.faults.add(Fault(method="chat.postMessage", retry_after=2))
    async with attended(slack, tmp_path, Clusters()):
        await posted(slack, pod_alert("xk2lp"))
        await replied(slack, HEADLINE)
        first, second = (c for c in slack.calls if c.method == "chat.postMessage")
        assert (first.status, second.status) == (429, 200)
        assert len(replies(slack)) == 1


async def test_chat_own_words_and_bots_in_threads_get_no_reply(slack: FakeSlack, tmp_path: Path) -> None:
    clusters = Clusters()
    async with attended(slack, tmp_path, clusters):
        parent = await slack.message("what is this?", channel=scene.ALERTS)
        for _, event in messages()[-20:]:
            if event.get("bot_id") and isinstance(event.get("text"), str) and isinstance(event.get("blocks", []), list):
                await posted(slack, event)
        await posted(slack, pod_alert("xk2lp") | {"thread_ts": parent.ts})
        await posted(slack, layouts.default_template([{**firing.POD, "alertname": "KubePodCrashLooping"}]))
        await posted(slack, pod_alert("xk2lp") | {"bot_id": slack.workspace.bot_id})
        await quiet()
        assert not clusters.asked
        assert not [call for call in slack.calls if call.method == "chat.postMessage"]


async def test_an_alert_without_a_pod_is_answered_by_groups(slack: FakeSlack, tmp_path: Path) -> None:
    groups = tuple(
        WaitingGroup(
            namespace="team-a", owner=owner, pods=tuple(f"team-a/{owner}-{n}" for n in range(count)), count=count
        )
        for owner, count in (("train", 8), ("eval", 4))
    )
    alert = layouts.webhook(
        "Prometheus", {"title": "[FIRING:1] UnschedulablePods", "text": "12 pods pending in team-a"}
    )
    async with attended(slack, tmp_path, Clusters(groups=groups)):
        await posted(slack, alert)
        [reply] = await replied(slack, "12 pods wait for a node")
        assert "12 of `team-a/train` and `team-a/eval`" in str(reply.blocks), "the same cause is told once"


async def test_a_node_that_is_not_ready_is_told_and_followed_to_its_end(slack: FakeSlack, tmp_path: Path) -> None:
    story = NodeStory(
        name="", exists=True, ready="Unknown", reason="NodeStatusUnknown", pods=3, said=("06:03 UTC NodeNotReady: x",)
    )
    clusters = Clusters(story=story)
    clock = Moving()
    async with attended(slack, tmp_path, clusters, look_seconds=0.2, clock=clock):
        await posted(slack, layouts.default_template([firing.NODE]))
        [reply] = await replied(slack, "is not ready")
        assert "NodeStatusUnknown" in reply.text
        assert "3 pods on it" in reply.text
        clusters.story = NodeStory(name="", exists=False)
        clock.ahead(120)
        await replied(slack, "was removed")


async def test_pods_that_run_end_the_incident(slack: FakeSlack, tmp_path: Path) -> None:
    clusters = Clusters(traced=PodTrace(phase="Running", node="ip-10-0-0-1.ec2.internal"))
    clusters.groups = (
        WaitingGroup(
            namespace="checkout", owner="cart", kind="Deployment", pods=("checkout/cart-7c9f6b5d48-xk2lp",), count=1
        ),
    )
    clock = Moving()
    async with attended(slack, tmp_path, clusters, look_seconds=0.2, clock=clock):
        await posted(slack, pod_alert("xk2lp"))
        await replied(slack, HEADLINE)
        clock.ahead(120)
        await quiet()
        assert not [m for m in replies(slack) if "Over after" in m.text]
        clusters.groups = ()
        await replied(slack, "the pods run")
        assert len(replies(slack)) == 1


async def test_a_pod_that_is_gone_is_told_with_what_its_events_say(slack: FakeSlack, tmp_path: Path) -> None:
    trace = PodTrace(said=("06:03 UTC Killing: Stopping container",), successors=("checkout/cart-7c9f6b5d48-9zr7d",))
    async with attended(slack, tmp_path, Clusters(missing=True, traced=trace)):
        await posted(slack, pod_alert("xk2lp"))
        [reply] = await replied(slack, "no longer exists")
        assert "Stopping container" in reply.text
        assert "cart-7c9f6b5d48-9zr7d" in reply.text


async def test_an_unknown_cluster_is_said_once_with_those_that_are_known(slack: FakeSlack, tmp_path: Path) -> None:
    async with attended(slack, tmp_path, Clusters()):
        for end in ("xk2lp", "9zr7d"):
            await posted(slack, pod_alert(end, cluster="somewhere-else"))
        [reply] = await replied(slack, "I know no cluster")
        assert "osprey-prod" in reply.text
        await quiet()
        assert len(replies(slack)) == 1


async def test_a_cluster_that_does_not_answer_is_asked_again(slack: FakeSlack, tmp_path: Path) -> None:
    clusters = Clusters(fails=LookupFailed("cluster-unreachable", {"why": "connection refused"}))
    clock = Moving()
    alert = layouts.webhook(
        "Prometheus", {"title": "[FIRING:1] UnschedulablePods", "text": "12 pods pending in team-a"}
    )
    async with attended(slack, tmp_path, clusters, clock=clock):
        await posted(slack, alert)
        await quiet()
        assert not replies(slack)
        clusters.fails = None
        clock.ahead(60)
        await replied(slack, "No pod waits for a node")


async def test_a_paste_is_answered_and_explained_where_the_pod_is_unknown(slack: FakeSlack, tmp_path: Path) -> None:
    async with attended(slack, tmp_path, Clusters(missing=True)):
        paste = await slack.message(firing.DESCRIBE, channel=scene.ALERTS)
        await slack.wait_for(replies)
        [reply] = replies(slack)
        assert reply.thread_ts == paste.ts
        assert "no longer exists" not in reply.text


async def test_watch_mode_reports_what_waits_without_an_alert_once(slack: FakeSlack, tmp_path: Path) -> None:
    clock = Moving()
    old = clock()
    clusters = Clusters(
        groups=(WaitingGroup(namespace="ml", owner="train", pods=("ml/train-0",), count=3, oldest=old),)
    )
    async with attended(slack, tmp_path, clusters, look_seconds=0.2, watch_minutes=10, clock=clock):
        await quiet()
        assert not replies(slack)
        clock.ahead(900)
        [reply] = await replied(slack, "Waiting without an alert")
        assert reply.thread_ts is None
        await quiet(1.0)
        assert len(replies(slack)) == 1
