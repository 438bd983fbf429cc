"""The database restarted, the disk full, clocks that jump."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from bot.app import wall_clock
from bot.replicas import StoreBook
from bot.slack import handover
from bot.slack.handover import Handover
from bot.slack.serving import Behind, Door, opened
from bot.store import Store, StoreUnavailable, open_store, questions
from bot.store.clock import SharedClock
from bot.store.deliveries import first_time
from tests.fakes.fixtures import running_slack
from tests.fakes.slack import FakeSlack, scene
from tests.postgres import PostgresServer
from tests.slack.door import Scripted, config_for, idle


@asynccontextmanager
async def bot(slack: FakeSlack, store: Store, services: Scripted) -> AsyncIterator[Door]:
    behind = Behind(services=services, handover=Handover(StoreBook(store, wall_clock, "one")))
    async with opened(config_for(slack), behind, api_url=slack.api_url) as door:
        await slack.wait_for(lambda s: s.sockets.connections)
        yield door


def answered(slack: FakeSlack) -> int:
    return len([m for m in slack.workspace.by_bot(scene.OPS) if "EFA" in m.text])


async def left(store: Store) -> int:
    """Questions that are in the book."""
    query = sa.select(sa.func.count()).select_from(questions.QUESTIONS)
    return int(await store.read(lambda connection: connection.execute(query).scalar_one()))


async def test_questions_go_on_while_the_database_is_restarted(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "EVERY", 0.2)
    services = Scripted()
    async with open_store(postgres_server.new_database()) as store, running_slack() as slack:
        async with bot(slack, store, services) as door:
            await slack.slash_command("why train-0")
            await idle(slack, door)
            services.gate.clear()
            assert (await slack.slash_command("why train-1")).acked
            await asyncio.to_thread(postgres_server.stop)
            try:
                assert (await slack.slash_command("why train-2")).acked, "within Slack's three seconds"
                services.gate.set()
                await idle(slack, door)
            finally:
                await asyncio.to_thread(postgres_server.start)
            await slack.slash_command("why train-3")
            await idle(slack, door)
            async with asyncio.timeout(20):
                while await left(store):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        assert answered(slack) == len(services.asked) == 4, "none is lost, none is asked twice"


@contextmanager
def full(store: Store) -> Iterator[None]:
    """No page more for the file, over any connection: SQLite says what it says when the disk is full."""

    def no_more(connection: Any, *_: object) -> None:  # noqa: ANN401
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count = 1")  # never less than there are
        cursor.close()

    def enough(connection: Any, *_: object) -> None:  # noqa: ANN401
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count = 1073741823")
        cursor.close()

    event.listen(store._engine.pool, "checkout", no_more)
    try:
        yield
    finally:
        event.remove(store._engine.pool, "checkout", no_more)
        event.listen(store._engine.pool, "checkout", enough)


async def _until_it_is_full(store: Store) -> None:
    """The pages that are there hold some rows more."""
    for number in range(10_000):
        await first_time(store, f"filler {number}", wall_clock())


async def test_a_full_disk_costs_memory_and_no_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    async with open_store(url) as store, running_slack() as slack, bot(slack, store, Scripted()) as door:
        assert await first_time(store, "there is room yet", wall_clock())
        with full(store):
            with pytest.raises(StoreUnavailable, match="disk is full"):
                await _until_it_is_full(store)
            for number in range(8):
                assert (
                    await slack.slash_command(f"why train-{number}", user=(scene.ANNA, scene.MIN)[number % 2])
                ).acked
            await idle(slack, door)
            assert caplog.text.count("is not written down") == 8
        assert answered(slack) == 8, "only the safety is gone"
        assert await first_time(store, "there is room again", wall_clock())


async def test_a_clock_that_jumps_takes_nothing_from_those_at_work(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "LEASE", timedelta(seconds=1.5))
    jumped = datetime(2031, 1, 1, tzinfo=UTC)
    async with open_store(postgres_server.new_database()) as store:
        right, wrong = StoreBook(store, wall_clock, "right"), StoreBook(store, lambda: jumped, "wrong")
        await right.lost(9)
        assert await right.keep("q-1", b"why?")
        assert await wrong.lost(9) == [], "a year ahead, and still it waits until the lease is over"
        assert await wrong.keep("q-2", b"why?")
        assert await right.lost(9) == [], "what is written under a wrong clock has the same lease"
        await asyncio.sleep(1.6)
        assert [one[0] for one in await wrong.lost(1)] == ["q-1"], "and is taken over when it ran out"


async def test_time_goes_on_between_two_looks_at_the_database(store_url: str) -> None:
    steady = [5.0]
    async with open_store(store_url) as store:
        clock = SharedClock(store, lambda: datetime(2031, 1, 1, tzinfo=UTC), lambda: steady[0])
        await clock.agree()
        began = clock()
        steady[0] += 90
        if store.kind == "postgresql":
            assert clock() - began == timedelta(seconds=90)
            assert abs(began - wall_clock()) < timedelta(minutes=1)
        else:
            assert clock() == began == datetime(2031, 1, 1, tzinfo=UTC)
