"""The shortcut "Explain this" and the Home tab, over the whole bot: the fake Slack at one door, a recorded cluster behind."""

import ast
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot import packaged
from bot.playground import clusters
from bot.playground.alerts import sample
from bot.playground.slack import FakeSlack, Message, scene
from bot.playground.stage import Setting, Stage
from tests.recorded import CASES

SEED = CASES / "seed-efa-8-on-g6e-8xlarge"
POD = "llama-3-8b-node-0-1-z49j4"
HEADLINE = "g6e.8xlarge has 1 EFA interface, you asked for 8"
LOG = (SEED / "karpenter.log").read_text(encoding="utf-8").splitlines()[0]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with Stage(Setting(recordings=clusters.recordings(SEED), playbooks=packaged.load_playbooks())) as running:
        # alert threads would answer a paste too, some time later: that is another story
        await running.slack.slash_command("settings off", user=scene.MIN)
        await running.slack.wait_for(lambda s: s.workspace.ephemerals(scene.MIN), timeout=60)
        yield running
        await running.idle()
        assert not running.slack.violations


@pytest_asyncio.fixture(loop_scope="module")
async def slack(stage: Stage) -> FakeSlack:
    await stage.idle()  # no reply of the last story may come after its message is gone
    for message in stage.slack.workspace.messages:
        message.deleted = True
    return stage.slack


async def replies(slack: FakeSlack, message: Message, words: str) -> list[Message]:
    """The thread's replies, once one has the words."""

    def found(seen: FakeSlack) -> list[Message]:
        thread = seen.workspace.replies(message.channel, message.ts)
        return thread if any(words in one.text for one in thread) else []

    return await slack.wait_for(found, timeout=60)


async def test_a_pasted_log_line_is_explained_in_its_thread_and_its_pod_is_a_click_away(slack: FakeSlack) -> None:
    pasted = await slack.message(f"what is this?\n```\n{LOG}\n```", user=scene.MIN)
    assert (await slack.message_shortcut("explain_this", pasted, user=scene.ANNA)).acked
    (answer,) = await replies(slack, pasted, "g6e.8xlarge")
    assert "EFA" in answer.text
    await slack.click("ask_pod_0", answer, user=scene.ANNA)
    thread = await replies(slack, pasted, "What would open a node")
    assert len(thread) == 2, "the explanation stays"
    assert HEADLINE in thread[1].text


async def test_a_colleagues_question_is_answered_as_if_it_had_been_put_to_the_bot(slack: FakeSlack) -> None:
    asked = await slack.message(f"why is {POD} pending?", user=scene.MIN)
    await slack.message_shortcut("explain_this", asked, user=scene.ANNA)
    (answer,) = await replies(slack, asked, HEADLINE)
    assert answer.thread_ts == asked.ts


async def test_an_answer_is_in_the_language_of_whoever_picked_the_shortcut(slack: FakeSlack) -> None:
    asked = await slack.message(f"why is {POD} pending?", user=scene.ANNA)
    await slack.message_shortcut("explain_this", asked, user=scene.MIN)
    await replies(slack, asked, "EFA 인터페이스")


@pytest.mark.parametrize("sender", ["Alertmanager: firing", "Grafana: firing", "Alertmanager: resolved"])
async def test_an_alert_gets_the_answer_that_its_thread_would_get(slack: FakeSlack, sender: str) -> None:
    event = {**sample(sender, f"default/{POD}", ""), "ts": ""}
    posted = await slack.bot_message(event, channel=scene.ELSEWHERE)
    await slack.message_shortcut("explain_this", posted, user=scene.MIN)
    told = await slack.wait_for(lambda s: s.workspace.by_bot(scene.ELSEWHERE), timeout=60)
    assert "EFA 인터페이스" in told[-1].text


async def test_an_alert_that_asks_nothing_about_nodes_is_none_of_ours(slack: FakeSlack) -> None:
    event = sample("Alertmanager: firing", f"default/{POD}", "")
    about_disks = str(event).replace("KubePodNotReady", "NodeFilesystemAlmostOutOfSpace").replace("non-ready", "full")
    posted = await slack.bot_message(ast.literal_eval(about_disks), channel=scene.OPS)
    await slack.message_shortcut("explain_this", posted, user=scene.GUEST)
    (told,) = await slack.wait_for(lambda s: s.workspace.ephemerals(scene.GUEST), timeout=60)
    assert "Karpenter" in told.text
    assert not slack.workspace.replies(posted.channel, posted.ts)


async def test_where_there_is_nothing_of_karpenters_only_the_asker_is_told(slack: FakeSlack) -> None:
    lunch = await slack.message("lunch at twelve? " * 30, user=scene.MIN)
    await slack.message_shortcut("explain_this", lunch, user=scene.GUEST)
    told = (await slack.wait_for(lambda s: s.workspace.ephemerals(scene.GUEST), timeout=60))[-1]
    assert "nothing of Karpenter's" in told.text
    assert not slack.workspace.replies(lunch.channel, lunch.ts)


# -- the Home tab --------------------------------------------------------------------------------------------------


def home_text(slack: FakeSlack, user: str) -> str:
    home = slack.workspace.home(user)
    return str(home.content["blocks"]) if home else ""


async def test_home_shows_what_is_stuck_by_cause_and_namespace_and_the_nodepools(slack: FakeSlack) -> None:
    await slack.open_home(scene.ANNA)
    await slack.wait_for(lambda s: HEADLINE in home_text(s, scene.ANNA), timeout=60)
    shown = home_text(slack, scene.ANNA)
    for words in ("More EFA interfaces than the instance has", "`default`", "`gpu`", "ready", "4 pods"):
        assert words in shown


async def test_a_workload_in_home_is_asked_about_and_answered_in_the_direct_message(slack: FakeSlack) -> None:
    await slack.open_home(scene.ANNA)
    await slack.wait_for(lambda s: HEADLINE in home_text(s, scene.ANNA), timeout=60)
    home = slack.workspace.home(scene.ANNA)
    assert home is not None
    await slack.click("home_why", home, user=scene.ANNA)
    direct = slack.workspace.direct(scene.ANNA).id
    (answer,) = await slack.wait_for(lambda s: s.workspace.by_bot(direct), timeout=60)
    assert HEADLINE in answer.text


async def test_a_chosen_language_goes_before_slacks_and_can_be_taken_back(slack: FakeSlack) -> None:
    await slack.open_home(scene.ANNA)
    await slack.wait_for(lambda s: HEADLINE in home_text(s, scene.ANNA), timeout=60)
    for choice, words in (("ko", "지금 막혀 있는 것"), ("slack", "What is stuck now")):
        home = slack.workspace.home(scene.ANNA)
        assert home is not None
        await slack.click("home_language", home, user=scene.ANNA, choice=choice)
        await slack.wait_for(lambda s, words=words: words in home_text(s, scene.ANNA), timeout=60)  # type: ignore[misc]


async def test_home_shows_the_pods_of_one_team_where_a_person_wants_it_so(slack: FakeSlack) -> None:
    await slack.open_home(scene.GUEST)
    await slack.wait_for(lambda s: HEADLINE in home_text(s, scene.GUEST), timeout=60)
    assert "No change was proposed yet" in home_text(slack, scene.GUEST)
    home = slack.workspace.home(scene.GUEST)
    assert home is not None
    await slack.click("home_team", home, user=scene.GUEST, choice="default")
    await slack.wait_for(lambda s: "of team `default`" in home_text(s, scene.GUEST), timeout=60)


async def test_a_channels_language_goes_before_that_of_its_readers(slack: FakeSlack) -> None:
    await slack.slash_command("settings language ko", user=scene.ANNA)
    await slack.wait_for(lambda s: s.workspace.ephemerals(scene.ANNA), timeout=60)
    asked = await slack.message(f"why is {POD} pending?", user=scene.ANNA)
    await slack.message_shortcut("explain_this", asked, user=scene.ANNA)
    await replies(slack, asked, "EFA 인터페이스")
