"""A person asks in Slack: every story end to end, over Socket Mode and over HTTP, against a Slack that keeps its rules."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bot.slack.questions import Why
from bot.slack.services import Answered, Candidate, Choose, Failed, Reply
from bot.slack.serving import Door
from tests.fakes.fixtures import running_slack
from tests.fakes.slack import FakeSlack, Fault, Message, User, scene
from tests.playbooks.samples import said, seed, shipped
from tests.slack.door import Scripted, door, idle
from tests.slack.hostile import ATTACKS
from tests.slack.test_manifest import manifest

ENGLISH, KOREAN = shipped().phrases("en"), shipped().phrases("ko")
HEADLINE = said(seed(), "en").summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The people, the bot and what it knows."""

    slack: FakeSlack
    services: Scripted
    bot: Door

    async def settled(self) -> None:
        await idle(self.slack, self.bot)

    async def only_message(self, channel: str = scene.OPS) -> Message:
        """The bot's one visible message, once all work is done."""
        await self.settled()
        [message] = self.slack.workspace.by_bot(channel)
        return message


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with running_slack() as running:
        running.workspace.scopes = frozenset(manifest()["oauth_config"]["scopes"]["bot"])
        yield running
        assert not running.warnings
        assert not running.workspace.pings()


@pytest.fixture(params=["socket", "http"])
async def at(request: pytest.FixtureRequest, slack: FakeSlack) -> AsyncIterator[Scene]:
    services = Scripted()
    async with door(slack, services, mode=request.param) as bot:
        yield Scene(slack=slack, services=services, bot=bot)


@pytest.fixture
async def socket(slack: FakeSlack) -> AsyncIterator[Scene]:
    """For stories in which the way does not matter."""
    services = Scripted()
    async with door(slack, services) as bot:
        yield Scene(slack=slack, services=services, bot=bot)


def texts(message: Message) -> list[str]:
    """Every version of a message, oldest first."""
    return [revision.text for revision in message.revisions]


def progress(asked: str) -> str:
    return ENGLISH.text("slack.progress", asked=asked)


# -- asked and answered ---------------------------------------------------------------------------------------------------


async def test_progress_then_the_answer_in_its_place_then_the_evidence(at: Scene) -> None:
    delivery = await at.slack.slash_command("why default/llama-3-8b-node-0-1-z49j4")
    assert (delivery.acked, delivery.answer, delivery.shown_error) == (True, None, None)
    message = await at.only_message()
    assert texts(message)[0] == progress("default/llama-3-8b-node-0-1-z49j4")
    assert texts(message)[-1].startswith(HEADLINE)
    assert len(texts(message)) == 2
    assert at.services.asked == [Why(pod="llama-3-8b-node-0-1-z49j4", namespace="default", language="en")]
    await at.slack.click("show_evidence", message, user=scene.MIN)
    [modal] = await at.slack.wait_for(lambda s: s.workspace.modals(scene.MIN))
    await at.settled()
    assert modal.content["title"]["text"] == KOREAN.text("slack.evidence-title")  # Min reads Korean, Anna asked
    assert len(modal.content["blocks"]) > 2
    assert len(texts(message)) == 2


async def test_a_mention_is_answered_once_and_in_its_thread(at: Scene) -> None:
    asked = await at.slack.mention("why train-0 -n ml")
    await at.settled()
    [reply] = at.slack.workspace.replies(scene.OPS, asked.ts)
    assert texts(reply)[-1].startswith(HEADLINE)
    assert at.services.asked == [Why(pod="train-0", namespace="ml", language="en")]
    # a mention inside a thread is answered there
    again = await at.slack.mention("why train-1", thread_ts=asked.ts)
    await at.settled()
    assert len(at.slack.workspace.replies(scene.OPS, asked.ts)) == 3
    assert again.ts != asked.ts


async def test_a_direct_message_needs_no_mention(at: Scene) -> None:
    await at.slack.direct_message("왜 train-0", user=scene.MIN)
    message = await at.only_message(at.slack.workspace.direct(scene.MIN).id)
    assert texts(message)[0] == KOREAN.text("slack.progress", asked="train-0")
    assert at.services.asked == [Why(pod="train-0", language="ko")]
    await at.slack.direct_message("hm?")
    answer = await at.only_message(at.slack.workspace.direct(scene.ANNA).id)
    assert "hm?" in answer.text


async def test_everyone_is_answered_in_their_own_language_unless_they_name_one(socket: Scene) -> None:
    for text, user, language in (
        ("why a-1", scene.MIN, "ko"),
        ("why a-1 --lang en", scene.MIN, "en"),
        ("why a-1", scene.ANNA, "en"),
        ("why a-1 --lang ko", scene.ANNA, "ko"),
    ):
        await socket.slack.slash_command(text, user=user)
        await socket.settled()
        assert socket.services.asked[-1].language == language
    assert len(socket.slack.calls_of("users.info")) == 2


async def test_a_person_who_cannot_be_looked_up_is_answered_in_the_usual_language(socket: Scene) -> None:
    socket.slack.faults.add(Fault(method="users.info", error="missing_scope"))
    await socket.slack.slash_command("why a-1", user=scene.MIN)
    await socket.only_message()
    assert socket.services.asked[-1].language == "en"


async def test_one_of_several_pods_is_picked(at: Scene) -> None:
    pods = tuple(Candidate(namespace="ml", name=f"train-{n}") for n in range(25))

    def reply(question: Why) -> Choose | Answered:
        if question.pod == "train":
            return Choose(candidates=pods, asked=question.asked, total=10_000)
        return Answered(answer_id="a", rendered=said(seed(), question.language))

    at.services.reply = reply
    await at.slack.slash_command("why train --cluster prod --lang ko")
    message = await at.only_message()
    assert KOREAN.text("more.candidates", count=9_980) in message.text
    assert sum("accessory" in block for block in message.blocks) == 20
    await at.slack.click("why", message, user=scene.MIN)
    await at.settled()
    assert at.services.asked[-1] == Why(pod="train-0", namespace="ml", cluster="prod", language="ko")
    assert [m.ts for m in at.slack.workspace.by_bot()] == [message.ts]
    assert message.text.startswith(said(seed(), "ko").summary)


async def test_of_two_quick_picks_the_first_counts(socket: Scene) -> None:
    pods = (Candidate(namespace="ml", name="a-0"), Candidate(namespace="ml", name="a-1"))
    socket.services.reply = lambda question: Choose(candidates=pods, asked=question.asked, total=2)
    await socket.slack.slash_command("why a")
    message = await socket.only_message()
    socket.services.gate.clear()
    payload = (await socket.slack.click("why", message)).payload
    second = payload | {"trigger_id": socket.slack.issue_trigger(scene.MIN)}
    assert (await socket.slack.deliver("interactive", second)).acked
    socket.services.gate.set()
    await socket.settled()
    assert len(socket.services.asked) == 2


# -- what is no question, and what has no answer -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "`/karpenter why my-job`"),
        ("HELP", "my-namespace/my-pod"),
        ("whay train-0", "/karpenter why train-0"),
        ("why Train_0", "train_0"),
        ("why", "Which pod"),
        ("why a-1 --nmespace x", "--namespace"),
    ],
)
async def test_help_and_misunderstandings_are_for_the_asker_alone(socket: Scene, typed: str, told: str) -> None:
    await socket.slack.slash_command(typed)
    await socket.settled()
    [hint] = socket.slack.workspace.ephemerals(scene.ANNA)
    assert told in hint.text
    assert not socket.slack.workspace.by_bot()
    assert not socket.services.asked


FAILURES = [
    Failed(code="pod-not-found", facts={"asked": "train-9", "near": ("ml/train-0",)}),
    Failed(code="no-pending-pods", facts={"asked": "train", "others": ("ml/train-0",)}),
    Failed(code="unknown-cluster", facts={"asked": "prdo", "known": ("prod",)}),
    Failed(code="cluster-unreachable", facts={"why": "connection refused"}),
    Failed(code="credentials-expired", facts={"why": "the token ran out"}),
    Failed(code="not-permitted", facts={"why": "no permission to get pods"}),
    Failed(code="aws-unreachable", facts={"why": "no route"}),
    Failed(code="internal", facts={"reference": "4f1c"}),
]


@pytest.mark.parametrize("failed", FAILURES, ids=lambda failed: failed.code)
async def test_a_failure_is_an_answer(socket: Scene, failed: Failed) -> None:
    socket.services.reply = lambda _: failed
    await socket.slack.slash_command("why train-9")
    await socket.settled()
    [told] = socket.slack.workspace.ephemerals(scene.ANNA)
    assert told.text == ENGLISH.text(f"error.{failed.code}", **failed.facts)
    assert not socket.slack.workspace.by_bot()  # the progress message is gone
    asked = await socket.slack.mention("why train-9")
    await socket.settled()
    [reply] = socket.slack.workspace.replies(scene.OPS, asked.ts)
    assert reply.text == told.text


async def test_a_failure_that_has_no_sentence_is_told_as_internal(socket: Scene) -> None:
    socket.services.reply = lambda _: Failed(code="of-tomorrow")
    await socket.slack.slash_command("why train-9")
    await socket.settled()
    [told] = socket.slack.workspace.ephemerals(scene.ANNA)
    assert told.text == ENGLISH.text("error.internal", reference="of-tomorrow")


async def test_an_exception_becomes_an_answer_with_a_reference(socket: Scene, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Why) -> Answered:
        raise RuntimeError("the secret of the pod")

    socket.services.reply = broken
    await socket.slack.slash_command("why train-0")
    await socket.settled()
    [told] = socket.slack.workspace.ephemerals(scene.ANNA)
    [record] = [r for r in caplog.records if r.exc_info]
    reference = record.getMessage().split()[1]
    assert told.text == ENGLISH.text("error.internal", reference=reference)
    assert "RuntimeError" not in str(socket.slack.calls)


async def test_a_service_that_hangs_holds_nobody_up(slack: FakeSlack) -> None:
    services = Scripted()
    services.gate.clear()
    async with door(slack, services, answer_seconds=0.05) as bot:
        delivery = await slack.slash_command("why train-0")
        assert delivery.acked
        await idle(slack, bot)
        [told] = slack.workspace.ephemerals(scene.ANNA)
        assert told.text == ENGLISH.text("error.timeout", seconds=1)


async def test_one_who_asks_without_end_is_asked_to_wait(socket: Scene) -> None:
    for n in range(7):
        await socket.slack.slash_command(f"why train-{n}")
    await socket.settled()
    assert len(socket.services.asked) == 5
    assert len(socket.slack.workspace.by_bot()) == 5
    assert all("at once" in told.text for told in socket.slack.workspace.ephemerals(scene.ANNA))
    await socket.slack.slash_command("why train-0", user=scene.MIN)
    await socket.settled()
    assert len(socket.services.asked) == 6


# -- the evidence ------------------------------------------------------------------------------------------------------------


async def test_the_modal_is_open_before_the_evidence_is_there(at: Scene) -> None:
    await at.slack.slash_command("why train-0")
    message = await at.only_message()
    at.services.gate.clear()
    await at.slack.click("show_evidence", message)
    [modal] = await at.slack.wait_for(lambda s: s.workspace.modals())
    assert ENGLISH.text("slack.loading") in str(modal.content)
    at.services.gate.set()
    await at.settled()
    assert "vpc.amazonaws.com/efa" in str(modal.content)


async def test_evidence_that_is_no_longer_kept_or_breaks(socket: Scene) -> None:
    await socket.slack.slash_command("why train-0")
    message = await socket.only_message()

    def broken(_answer: str, _language: str) -> None:
        raise RuntimeError

    for kept, code in ((lambda *_: None, "evidence-gone"), (broken, "internal")):
        socket.services.kept = kept
        await socket.slack.click("show_evidence", message)
        await socket.settled()
        [modal] = socket.slack.workspace.modals()
        assert ENGLISH.text(f"error.{code}", reference="").strip("`.") in str(modal.content)
        modal.open = False


async def test_a_workspace_without_new_blocks_gets_plain_evidence(socket: Scene) -> None:
    await socket.slack.slash_command("why train-0")
    message = await socket.only_message()
    socket.slack.workspace.lacking_blocks = frozenset({"rich_text"})
    await socket.slack.click("show_evidence", message)
    await socket.settled()
    [modal] = socket.slack.workspace.modals()
    assert {block["type"] for block in modal.content["blocks"]} == {"section"}
    assert HEADLINE in str(modal.content)


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


async def test_where_the_bot_is_no_member_it_answers_through_the_response_url(at: Scene) -> None:
    await at.slack.slash_command("why train-0", channel=scene.ELSEWHERE)
    await at.settled()
    [hint] = at.slack.workspace.ephemerals(scene.ANNA)
    assert hint.text == progress("train-0")
    answer = await at.only_message(scene.ELSEWHERE)
    assert answer.text.startswith(HEADLINE)


async def test_a_pick_that_only_the_asker_sees_is_answered_in_its_place(socket: Scene) -> None:
    socket.slack.workspace.channels[scene.ELSEWHERE].members.discard(scene.MIN)
    pods = (Candidate(namespace="ml", name="a-0"), Candidate(namespace="ml", name="a-1"))
    socket.services.reply = lambda question: Choose(candidates=pods, asked=question.asked, total=2)
    await socket.slack.slash_command("why a", channel=scene.ELSEWHERE)
    message = await socket.only_message(scene.ELSEWHERE)
    message.ephemeral_to = scene.ANNA
    socket.services.reply = lambda question: Answered(answer_id="a", rendered=said(seed(), question.language))
    await socket.slack.click("why", message)
    await socket.settled()
    assert message.text.startswith(HEADLINE)


async def test_slack_is_asked_again_when_it_has_had_too_much(at: Scene) -> None:
    at.slack.faults.add(Fault(method="chat.update", retry_after=0))
    await at.slack.slash_command("why train-0")
    message = await at.only_message()
    assert message.text.startswith(HEADLINE)
    assert [call.status for call in at.slack.calls_of("chat.update")] == [429, 200]


async def test_an_answer_whose_place_is_gone_is_given_anew(at: Scene) -> None:
    at.slack.faults.add(Fault(method="chat.update", error="edit_window_closed"))
    await at.slack.slash_command("why train-0")
    await at.settled()
    assert at.slack.workspace.last(scene.OPS).text.startswith(HEADLINE)


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
    await at.slack.bot_message(
        {"type": "app_mention", "bot_id": "B0OTHER", "user": "U0OTHER", "channel": scene.OPS, "ts": "1.1",
         "text": f"<@{at.slack.workspace.bot_user}> why train-0"}
    )  # fmt: skip
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
        known = bot.listeners
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

    async def why(self, question: Why) -> Reply:
        self.asked.append(question)
        return await asyncio.Future()
