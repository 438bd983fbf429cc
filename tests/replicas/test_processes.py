"""Real processes on a real PostgreSQL behind the fake Slack: killed, ended and replaced while people ask."""

from __future__ import annotations

import asyncio
import copy
from pathlib import Path

from tests.fakes.fixtures import running_slack
from tests.fakes.kube import serving
from tests.fakes.slack import FakeSlack, Fault, Message, Timing, scene
from tests.postgres import PostgresServer
from tests.serving import Deployment, deployed
from tests.test_server import POD, SEED, manifests

PODS = 8
SOON = ("lease=2", "look=0.3")


def crowd() -> list[dict[str, object]]:
    """The seed's cluster, with its pod several times under names that tell questions apart."""
    objects = manifests(SEED)
    one = next(o for o in objects if o["kind"] == "Pod" and o["metadata"]["name"] == POD)
    for number in range(PODS):
        twin = copy.deepcopy(one)
        twin["metadata"] |= {"name": f"asked-{number}", "uid": f"asked-{number}"}
        objects.append(twin)
    return objects


def answers_to(slack: FakeSlack, pod: str) -> list[Message]:
    """The bot's messages about a pod that say more than that somebody is at work."""
    said = slack.workspace.by_bot(scene.OPS)
    return [m for m in said if f"default/{pod}" in m.text and "Looking at" not in m.text]


def unfinished(slack: FakeSlack) -> list[str]:
    return [m.text for m in slack.workspace.by_bot(scene.OPS) if "Looking at" in m.text]


async def test_replicas_are_killed_ended_and_replaced_and_each_question_has_one_answer(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    timing = Timing(retries=(0.2, 1.0, 3.0))
    async with running_slack(timing=timing) as slack, serving(crowd()) as kube:
        settings = {
            "clusters": {"training": {"kubeconfig": str(kube.kubeconfig(tmp_path))}},
            "store": {"url": postgres_server.new_database()},
        }
        plan = Deployment(folder=tmp_path, slack=slack, settings=settings, overrides=SOON)
        async with deployed(plan):
            first, second = await asyncio.gather(plan.start("first"), plan.start("second"))
            assert len(slack.sockets.connections) == 2

            # one delivery at both: Slack repeats what it thinks was lost, to whichever socket has its turn
            command = await slack.slash_command("why default/asked-0")
            assert command.acked
            again = [await slack.deliver_again(command) for _ in range(2)]
            assert [attempt.failure for attempt in again] == [None, None]
            [answer] = await slack.wait_for(lambda s: answers_to(s, "asked-0"), timeout=60)
            click = await slack.click("show_evidence", answer)
            await slack.deliver_again(click)
            await slack.deliver_again(click)
            await slack.wait_for(lambda s: s.workspace.modals(scene.ANNA))
            assert (
                await first.measure("repeated_deliveries_total") + await second.measure("repeated_deliveries_total")
                == 4
            )
            assert len(slack.calls_of("views.open")) == 1

            # killed while Slack takes long over the answers: what it did not finish, the other does, in the same messages
            slack.faults.add(Fault(method="chat.update", delay=1.0, times=3))
            asked = [slack.slash_command(f"why default/asked-{n}", user=scene.MIN) for n in range(1, 5)]
            assert all(delivery.acked for delivery in await asyncio.gather(*asked))
            first.kill()
            await first.process.wait()
            await slack.wait_for(lambda s: all(answers_to(s, f"asked-{n}") for n in range(1, 5)), timeout=60)
            assert await second.measure("taken_over_total") >= 1

            # a rolling restart: the new one first, then the old one is told to end in the middle of its work
            third = await plan.start("third")
            slack.faults.add(Fault(method="chat.update", delay=1.0, times=2))
            asked = [slack.slash_command(f"why default/asked-{n}", user=scene.ANNA) for n in range(5, PODS)]
            assert all(delivery.acked for delivery in await asyncio.gather(*asked))
            assert await second.end() == 0
            await slack.wait_for(lambda s: all(answers_to(s, f"asked-{n}") for n in range(5, PODS)), timeout=60)

            await slack.wait_for(lambda s: not unfinished(s), timeout=30)
            assert [len(answers_to(slack, f"asked-{n}")) for n in range(PODS)] == [1] * PODS
            assert "Traceback" not in "".join(replica.said() for replica in plan.replicas)
            assert await third.end() == 0
