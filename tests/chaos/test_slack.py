"""Slack in trouble: too many calls, errors, silence, answers that are lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from bot.app import wall_clock
from bot.replicas import StoreBook
from bot.slack import handover
from bot.slack.handover import Handover
from bot.slack.serving import Behind, Door, opened
from bot.store import open_store, questions
from tests.chaos.test_store import left
from tests.fakes.fixtures import running_slack
from tests.fakes.slack import FakeSlack, Fault, scene
from tests.slack.door import Scripted, config_for, idle


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "EVERY", 0.2)
    monkeypatch.setattr(questions, "LEASE", timedelta(seconds=1))


@asynccontextmanager
async def bot(slack: FakeSlack, folder: Path) -> AsyncIterator[Door]:
    async with open_store(f"sqlite:///{folder / 'store.sqlite3'}") as store:
        behind = Behind(services=Scripted(), handover=Handover(StoreBook(store, wall_clock, "one")))
        async with opened(config_for(slack), behind, api_url=slack.api_url) as door:
            await slack.wait_for(lambda s: s.sockets.connections)
            yield door
            async with asyncio.timeout(30):
                while await left(store):  # noqa: ASYNC110 (the store tells nobody)
                    await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="chat.update", status=503, times=5),
        Fault(method="chat.update", error="internal_error", times=2),
        Fault(method="chat.update", reset=True, times=5),
        Fault(method="chat.update", lost=True, times=5),
        Fault(method="chat.update", retry_after=1, times=4),
        Fault(method="chat.postMessage", lost=True, times=1),
        Fault(method="chat.postMessage", reset=True, times=1),
        Fault(method="chat.postMessage", status=500, times=1),
    ],
    ids=lambda fault: f"{fault.method} {fault.status or fault.error or fault.retry_after or ''} {fault.lost=}",
)
async def test_when_slack_is_well_again_there_is_one_answer_in_one_message(fault: Fault, tmp_path: Path) -> None:
    async with running_slack() as slack, bot(slack, tmp_path) as door:
        slack.faults.add(fault)
        assert (await slack.mention("why train-0")).ts
        await slack.wait_for(lambda s: [m for m in s.workspace.by_bot(scene.OPS) if "EFA" in m.text], timeout=30)
        await idle(slack, door)
    [message] = slack.workspace.by_bot(scene.OPS)
    assert "EFA" in message.text


async def test_a_silent_slack_holds_up_nobody_else(tmp_path: Path) -> None:
    async with running_slack() as slack, bot(slack, tmp_path):
        slack.faults.add(Fault(method="chat.postMessage", delay=60, times=1))
        assert (await slack.slash_command("why train-0", user=scene.ANNA)).acked
        assert (await slack.slash_command("why train-1", user=scene.MIN)).acked
        await slack.wait_for(lambda s: [m for m in s.workspace.by_bot(scene.OPS) if "EFA" in m.text], timeout=10)
        slack.clock.advance(61)
        await slack.wait_for(lambda s: len([m for m in s.workspace.by_bot(scene.OPS) if "EFA" in m.text]) == 2, 10)
