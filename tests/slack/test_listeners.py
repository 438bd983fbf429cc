"""A person asks in Slack: every story end to end, over Socket Mode and over HTTP, against a Slack that keeps its rules."""

import pytest

from bot.slack.questions import Why
from bot.slack.services import Answered, Asker, Candidate, Choose, Failed
from tests.fakes.slack import FakeSlack, Fault, scene
from tests.playbooks.samples import said, seed
from tests.slack.door import ENGLISH, HEADLINE, KOREAN, Scene, Scripted, door, idle, progress_of, texts

# -- asked and answered ---------------------------------------------------------------------------------------------------


async def test_progress_then_the_answer_in_its_place_then_the_evidence(at: Scene) -> None:
    delivery = await at.slack.slash_command("why default/llama-3-8b-node-0-1-z49j4")
    assert (delivery.acked, delivery.answer, delivery.shown_error) == (True, None, None)
    message = await at.only_message()
    assert texts(message)[0] == progress_of("default/llama-3-8b-node-0-1-z49j4")
    assert texts(message)[-1].startswith(HEADLINE)
    assert len(texts(message)) == 2
    assert at.services.asked == [Why(pod="llama-3-8b-node-0-1-z49j4", namespace="default", language="en")]
    assert at.services.askers == [Asker(user=scene.ANNA, channel=scene.OPS)]
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
