"""Several processes as one bot: a question outlives the one that took it, no delivery is answered twice, evidence stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import wall_clock
from bot.replicas import StoreBook, as_evidence, evidence_in
from bot.slack import handover
from bot.slack.handover import Handover
from bot.slack.marked import mark_of
from bot.slack.serving import Behind, Door, opened
from bot.store import Store, StoreUnavailable, open_store, questions
from tests.fakes.fixtures import running_slack
from tests.fakes.slack import FakeSlack, Fault, scene
from tests.playbooks.samples import said, seed
from tests.postgres import PostgresServer
from tests.slack.door import Scripted, config_for
from tests.store import noting


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@asynccontextmanager
async def replica(slack: FakeSlack, store: Store, services: Scripted, name: str) -> AsyncIterator[Door]:
    behind = Behind(services=services, handover=Handover(StoreBook(store, wall_clock, name)))
    async with opened(config_for(slack, drain_seconds=0), behind, api_url=slack.api_url) as bot:
        await slack.wait_for(lambda s: s.sockets.connections)
        yield bot
        services.gate.set()


def answers(slack: FakeSlack) -> list[Any]:
    return [m for m in slack.workspace.by_bot(scene.OPS) if "EFA interface" in m.text]


async def test_a_question_is_finished_by_another_when_its_process_is_killed(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(handover, "EVERY", 0.2)
    stuck, well = Scripted(), Scripted()
    stuck.gate.clear()
    async with running_slack() as slack, open_store(url) as store:
        async with replica(slack, store, stuck, "first") as first:
            assert (await slack.slash_command("why train-0")).acked
            await slack.wait_for(lambda _: stuck.asked)
            # killed: nothing is let go, nothing is renewed
            assert first.listeners.floor.handover
            first.listeners.floor.handover._looking.cancel()  # type: ignore[union-attr]
            first.listeners.floor.handover.let_go = _nothing  # type: ignore[method-assign]
            async with replica(slack, store, well, "second") as second:
                await slack.wait_for(answers, timeout=30)
                await slack.wait_for(lambda _: not len(second.listeners.work))
                assert len(slack.workspace.by_bot(scene.OPS)) == 1, "the answer takes the progress message's place"
                for task in list(first.listeners.work._tasks):
                    task.cancel()
        assert len(well.asked) == 1
        assert await questions.claim(store, "x", wall_clock() + timedelta(minutes=1), most=9) == ()


async def _nothing() -> None:
    """What a killed process does."""


async def left_in_work(slack: FakeSlack, store: Store) -> None:
    """A question that was being worked on when its process was told to end."""
    stuck = Scripted()
    stuck.gate.clear()
    async with opened(
        config_for(slack, drain_seconds=0),
        Behind(services=stuck, handover=Handover(StoreBook(store, wall_clock, "old"))),
        api_url=slack.api_url,
    ):
        await slack.wait_for(lambda s: s.sockets.connections)
        await slack.slash_command("why train-0")
        await slack.wait_for(lambda _: stuck.asked)


async def test_a_restart_under_way_hands_over_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "EVERY", 0.2)
    well = Scripted()
    async with running_slack() as slack, open_store(url) as store:
        await left_in_work(slack, store)
        assert not answers(slack)
        assert "restart" not in str(slack.workspace.ephemerals())
        async with replica(slack, store, well, "new"):
            await slack.wait_for(answers, timeout=30)
        assert len(slack.workspace.by_bot(scene.OPS)) == 1


class Silent(StoreBook):
    """Of a process that was frozen while another answered, and that the store does not answer in time when it wakes up."""

    slack: FakeSlack
    in_the_same_message = False
    mute = False
    """The first end is not taken, either."""

    async def shown(self, question_id: str, message_ts: str) -> bool:
        taken = await questions.claim(self._store, "other", wall_clock() + 2 * questions.LEASE, most=9)
        assert [one.id for one in taken] == [question_id]
        await noting.finish(self._store, question_id, "other", wall_clock())
        if not self.in_the_same_message:
            client = AsyncWebClient(token=self.slack.workspace.bot_token, base_url=self.slack.api_url)
            await client.chat_postMessage(channel=scene.OPS, text="the other's", metadata=mark_of(question_id))
        raise StoreUnavailable(f"no word of {message_ts}")

    async def finish(self, question_id: str) -> bool:
        if self.mute:
            self.mute = False
            raise StoreUnavailable("no word of its end")
        return await super().finish(question_id)


@pytest.mark.parametrize("further", ["", "mute", "in_the_same_message"])
async def test_where_it_was_not_sure_what_another_has_answered_is_not_said_twice_and_never_lost(
    url: str, further: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "EVERY", 0.1)
    services = Scripted()
    async with running_slack() as slack, open_store(url) as store:
        book = Silent(store, wall_clock, "frozen")
        book.slack = slack
        if further:
            setattr(book, further, True)
        behind = Behind(services=services, handover=Handover(book))
        async with opened(config_for(slack), behind, api_url=slack.api_url) as bot:
            await slack.wait_for(lambda s: s.sockets.connections)
            await slack.slash_command("why train-0")
            await slack.wait_for(lambda _: services.asked and not len(bot.listeners.work))
            await slack.wait_for(lambda s: len(s.workspace.by_bot(scene.OPS)) == 1)
        (message,) = slack.workspace.by_bot(scene.OPS)
        assert ("EFA interface" if further == "in_the_same_message" else "the other's") in message.text


async def test_who_takes_over_does_not_answer_while_slack_does_not_say_what_is_shown_already(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old process ended between its message and the note of it."""
    monkeypatch.setattr(questions, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(questions, "ON_ITS_WAY", timedelta())
    monkeypatch.setattr(handover, "EVERY", 0.2)
    monkeypatch.setattr(StoreBook, "shown", _not_noted)
    well = Scripted()
    async with running_slack() as slack, open_store(url) as store:
        await left_in_work(slack, store)
        slack.faults.add(Fault(method="conversations.history", status=503, times=4))
        async with replica(slack, store, well, "new"):
            await slack.wait_for(answers, timeout=30)
        assert len(slack.workspace.by_bot(scene.OPS)) == 1
        assert len(slack.calls_of("conversations.history")) > 4


async def _not_noted(_book: StoreBook, _question_id: str, _message_ts: str) -> bool:
    return True


async def test_a_question_that_is_given_up_does_not_look_as_if_somebody_were_at_work(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "EVERY", 0.2)
    monkeypatch.setattr(questions, "ATTEMPTS", 1)
    well = Scripted()
    async with running_slack() as slack, open_store(url) as store:
        await left_in_work(slack, store)
        async with replica(slack, store, well, "new"):
            (message,) = slack.workspace.by_bot(scene.OPS)
            await slack.wait_for(lambda _: "Please ask again" in message.text, timeout=30)
        assert len(slack.workspace.by_bot(scene.OPS)) == 1
        assert well.asked == []


class Robbed(StoreBook):
    """Of a process that was frozen before it could note its message down: another has taken everything over meanwhile."""

    async def shown(self, question_id: str, message_ts: str) -> bool:
        self.taken = await questions.claim(self._store, "other", wall_clock() + 2 * questions.LEASE, most=9)
        return await super().shown(question_id, message_ts)


async def test_a_frozen_process_takes_back_what_it_posts_for_a_question_that_another_has(url: str) -> None:
    services = Scripted()
    async with running_slack() as slack, open_store(url) as store:
        book = Robbed(store, wall_clock, "frozen")
        async with opened(
            config_for(slack), Behind(services=services, handover=Handover(book)), api_url=slack.api_url
        ) as bot:
            await slack.wait_for(lambda s: s.sockets.connections)
            await slack.slash_command("why train-0")
            await slack.wait_for(lambda _: hasattr(book, "taken") and not len(bot.listeners.work))
            assert slack.workspace.by_bot(scene.OPS) == []
            assert services.asked == []
        (taken,) = book.taken
        assert await noting.shown(store, taken.id, "other", "17.1", wall_clock()), "the other one's question stays"


async def test_the_same_delivery_at_two_replicas_is_answered_by_one(url: str) -> None:
    async with open_store(url) as store:
        one, two = StoreBook(store, wall_clock, "one"), StoreBook(store, wall_clock, "two")
        taken = await asyncio.gather(*(book.keep("d-1", b"{}") for book in (one, two) * 5))
        assert sum(taken) == 1
        await one.finish("d-1")
        assert not await two.keep("d-1", b"{}"), "nor when it comes again after it was answered"


async def test_a_store_that_is_down_costs_no_answer() -> None:
    class Down:
        async def keep(self, *_: object) -> bool:
            raise StoreUnavailable("no database")

        first = shown = finish = again = release = lost = keep

    services = Scripted()
    async with running_slack() as slack:
        behind = Behind(services=services, handover=Handover(Down()))  # type: ignore[arg-type]
        async with opened(config_for(slack), behind, api_url=slack.api_url):
            await slack.wait_for(lambda s: s.sockets.connections)
            assert (await slack.slash_command("why train-0")).acked
            await slack.wait_for(answers, timeout=30)


def test_evidence_is_the_same_after_a_restart_in_every_language() -> None:
    kept = as_evidence({language: said(seed(), language) for language in ("en", "ko")})
    assert evidence_in(kept, "ko") == said(seed(), "ko")
    assert evidence_in(kept, "en") == said(seed(), "en")
    assert evidence_in(b"of another version", "en") is None
