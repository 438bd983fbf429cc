"""The funnel: Slack's chart within Slack's limits, the same in words, and the words alone where charts are refused."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot import packaged
from bot.playbooks import render
from bot.playground import clusters
from bot.playground.slack import FakeSlack, check_message, scene
from bot.playground.stage import Setting, Stage
from bot.slack.dialogs import simpler
from bot.slack.funnels import funnel_message
from tests.recorded import CASES, RECORDED, RecordedCase

PLAYBOOKS = packaged.load_playbooks()
GPU_16 = "gpu-16-on-p4d"


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case.name)
def test_every_funnel_narrows_and_fits_slack(case: RecordedCase, language: str) -> None:
    diagnosis = case.answered.diagnosis
    funnel = render(diagnosis, PLAYBOOKS, language).funnel
    if funnel is None:
        assert not diagnosis.causes or all(len(pool.funnel) < 2 for pool in diagnosis.nodepools)
        return
    left = [count for _, count in funnel.steps]
    assert left == sorted(left, reverse=True)
    message = funnel_message(funnel, PLAYBOOKS.phrases(language))
    assert check_message(list(message.blocks)) is None
    assert all(f"{count:,}" in message.text for count in left)
    assert check_message(list(simpler(message).blocks)) is None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    recordings = clusters.recordings(CASES / GPU_16)
    async with Stage(Setting(recordings=recordings, playbooks=PLAYBOOKS)) as running:
        yield running


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("lacking", [frozenset(), frozenset({"data_visualization"})], ids=["charts", "no charts yet"])
async def test_the_funnel_comes_into_the_thread_once(stage: Stage, lacking: frozenset[str]) -> None:
    slack = stage.slack
    slack.workspace.lacking_blocks = lacking
    await slack.slash_command(f"why {stage.recording.question}", user=scene.ANNA)

    def answers(seen: FakeSlack) -> list[object]:
        return [m for m in seen.workspace.by_bot(scene.OPS) if "you asked for 16" in m.text and not m.thread_ts]

    await slack.wait_for(answers, timeout=60)
    answer = [m for m in slack.workspace.by_bot(scene.OPS) if not m.thread_ts][-1]
    for _ in range(2):
        await slack.click("show_funnel", answer, user=scene.ANNA)
    (shown,) = await slack.wait_for(lambda s: s.workspace.replies(answer.channel, answer.ts), timeout=60)
    assert "6,032 in all → arch 4,360 → instance-category 360 → instance-type 8 → gpu 0" in shown.text
    kinds = {block["type"] for block in shown.blocks}
    if lacking:  # then it is drawn, below the words
        pictures = await slack.wait_for(lambda s: [f for f in s.workspace.files.values() if f.shared], timeout=60)
        assert pictures[-1].content.startswith(b"\x89PNG")
    assert ("data_visualization" in kinds) is (not lacking)
    answer.deleted = True
    assert not slack.violations
