"""What Slack, other bots and hostile names do to the bot; and what is left after a hundred answers, and at the end."""

import asyncio

import pytest

from bot.slack.questions import Why
from bot.slack.services import Answered, Asker, Candidate, Choose, Failed, Reply
from tests.fakes.slack import FakeSlack, Fault, User, scene
from tests.playbooks.samples import said, seed
from tests.slack.door import ENGLISH, HEADLINE, Scene, Scripted, door, idle, progress_of
from tests.slack.hostile import ATTACKS

# -- what Slack and others do to the bot -------------------------------------------------------------------------------------


async def test_what_slack_delivers_twice_is_answered_once(at: Scene) -> None:
    command = await at.slack.slash_command("why train-0")
    await at.slack.mention("why train-1")
    await at.settled()
    for delivery in list(at.slack.deliveries):
        assert (await at.slack.deliver_again(delivery)).failure is None
    await at.settled()
    assert command.acked
    assert [question.pod for question in at.services.asked] == ["train-0", "train-1"]
    assert len(at.slack.workspace.by_bot()) == 2


async def test_one_message_under_two_event_ids_is_answered_once(at: Scene) -> None:
    message = await at.slack.direct_message("why train-0")
    event = at.slack.deliveries[-1].payload["event"]
    again = await at.slack.send_event(at.slack.workspace, event | {"type": "app_mention"})
    await at.settled()
    assert again
    assert again.acked
    assert event["ts"] == message.ts
    assert len(at.services.asked) == 1


async def test_where_the_bot_is_no_member_it_answers_through_the_response_url(at: Scene) -> None:
    await at.slack.slash_command("why train-0", channel=scene.ELSEWHERE)
    await at.settled()
    [hint] = at.slack.workspace.ephemerals(scene.ANNA)
    assert hint.text == progress_of("train-0")
    answer = await at.only_message(scene.ELSEWHERE)
    assert answer.text.startswith(HEADLINE)


async def test_a_pick_that_only_the_asker_sees_is_answered_in_its_place(socket: Scene) -> None:
    pods = (Candidate(namespace="ml", name="a-0"), Candidate(namespace="ml", name="a-1"))
    socket.services.reply = lambda question: Choose(candidates=pods, asked=question.asked, total=2)
    await socket.slack.slash_command("why a")
    message = await socket.only_message()
    message.ephemeral_to = scene.ANNA
    socket.services.reply = lambda question: Answered(answer_id="a", rendered=said(seed(), question.language))
    await socket.slack.click("why", message)
    await socket.settled()
    assert message.text.startswith(HEADLINE)
    assert not socket.slack.workspace.by_bot()


async def test_slack_is_asked_again_when_it_has_had_too_much(at: Scene) -> None:
    at.slack.faults.add(Fault(method="chat.update", retry_after=0))
    await at.slack.slash_command("why train-0")
    message = await at.only_message()
    assert message.text.startswith(HEADLINE)
    assert [call.status for call in at.slack.calls_of("chat.update")] == [429, 200]


async def test_an_answer_whose_place_is_gone_is_given_anew(at: Scene) -> None:
    at.slack.faults.add(Fault(method="chat.update", error="edit_window_closed"))
    asked = await at.slack.mention("why train-0")
    await at.settled()
    assert at.slack.workspace.replies(scene.OPS, asked.ts)[-1].text.startswith(HEADLINE)


@pytest.mark.parametrize(
    ("lacking", "kinds"), [({"context"}, {"section", "actions"}), ({"context", "section", "actions"}, set())]
)
async def test_blocks_that_a_workspace_refuses_are_made_simpler(
    socket: Scene, lacking: set[str], kinds: set[str]
) -> None:
    socket.slack.workspace.lacking_blocks = frozenset(lacking)
    await socket.slack.slash_command("why train-0")
    message = await socket.only_message()
    assert {block["type"] for block in message.blocks} == kinds
    assert message.text.startswith(HEADLINE)


async def test_nothing_that_a_cluster_or_a_person_says_pings_or_links(at: Scene) -> None:
    pods = tuple(Candidate(namespace=text, name=text) for text in ATTACKS)
    replies: list[Failed | Choose] = [
        Choose(candidates=pods, asked=ATTACKS[0], total=99),
        *(Failed(code="pod-not-found", facts={"asked": text, "near": ATTACKS}) for text in ATTACKS[:3]),
    ]
    for n, reply in enumerate(replies):
        at.services.reply = lambda _, reply=reply: reply  # type: ignore[misc]
        await at.slack.slash_command(f"why train-{n}", user=(scene.ANNA, scene.MIN)[n % 2])
        await at.settled()
    [choice] = at.slack.workspace.by_bot()
    assert len(choice.blocks) == 1 + len(ATTACKS[:20]) + 1
    assert all(block["text"]["text"].isprintable() for block in choice.blocks[1:-1])
    spoken = [text for text in ATTACKS if text.isprintable()]
    for text in spoken:
        await at.slack.slash_command(text, user=scene.MIN)
        await at.slack.mention(text)
    await at.settled()
    assert len(at.slack.workspace.by_bot()) == 1 + len(spoken)
    assert len(at.slack.workspace.ephemerals()) == 3 + len(spoken)
    assert not at.slack.workspace.links()
    # pings are looked at for every story, by the fixture


async def test_other_bots_and_everyday_talk_are_left_alone(at: Scene) -> None:
    await at.slack.message("why is the sky blue")
    mention = {"type": "app_mention", "bot_id": "B0OTHER", "user": "U0OTHER", "channel": scene.OPS, "ts": "1.1"}
    await at.slack.send_event(at.slack.workspace, mention | {"text": "why train-0"})
    await at.slack.open_home()
    await at.slack.edit(await at.slack.message("hello"), text="why train-0")
    await at.settled()
    assert all(delivery.acked for delivery in at.slack.deliveries)
    assert not at.services.asked


async def test_clicks_on_what_an_older_version_left_are_taken(at: Scene) -> None:
    await at.slack.slash_command("why train-0")
    message = await at.only_message()
    message.blocks[-1]["elements"][0]["action_id"] = "of_yesterday"
    assert (await at.slack.click("of_yesterday", message)).acked
    assert (await at.slack.message_shortcut("of_yesterday", message)).acked


# -- many, and the end -------------------------------------------------------------------------------------------------------


async def test_a_hundred_answers_leave_nothing_behind(slack: FakeSlack) -> None:
    people = [slack.workspace.add_user(User(id=f"U{n}", name=f"n{n}")) for n in range(25)]
    services = Scripted()
    async with door(slack, services) as bot:
        for n in range(100):
            slack.workspace.channels[scene.OPS].members.add(people[n % 25].id)
            await slack.slash_command(f"why train-{n}", user=people[n % 25].id)
        await idle(slack, bot)
        assert len(services.asked) == 100
        assert sum(m.text.startswith(HEADLINE) for m in slack.workspace.by_bot()) == 100
        known = bot.listeners.floor
        assert (len(known.work), len(known.seen), len(known.languages)) == (0, 100, 25)
        assert len(known.allowance) <= 25


async def test_what_is_in_work_is_finished_before_the_end(slack: FakeSlack) -> None:
    services = Scripted()
    services.gate.clear()
    async with door(slack, services):
        await slack.slash_command("why train-0")
        await slack.wait_for(lambda _: services.asked)
    [message] = slack.workspace.by_bot()
    assert message.text.startswith(HEADLINE)


async def test_what_cannot_be_finished_says_so(slack: FakeSlack) -> None:
    services = Endless()
    async with door(slack, services, drain_seconds=0.05):
        await slack.slash_command("why train-0")
        await slack.wait_for(lambda _: services.asked)
    assert not slack.workspace.by_bot()
    [told] = slack.workspace.ephemerals(scene.ANNA)
    assert told.text == ENGLISH.text("error.restarting")


class Endless(Scripted):
    """Never answers."""

    async def why(self, question: Why, asker: Asker) -> Reply:
        self.asked.append(question)
        self.askers.append(asker)
        return await asyncio.Future()
