"""Two replicas at one PostgreSQL: alerts are shared out, an incident has one reply, a dead replica's work is taken over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from bot.alerting import Alerting, AlertThreads, attending
from bot.app import wall_clock
from bot.slack.serving import Behind, Door, opened
from bot.store import Store, open_store
from bot.store.incidents import INBOX, INCIDENTS, take
from tests.alerting.scene import Clusters, Moving, explain, pod_alert, posted, quiet, replied, replies
from tests.alerts import firing, layouts
from tests.fakes.slack import FakeSlack
from tests.postgres import PostgresServer
from tests.slack.door import HEADLINE, Scripted, config_for


@asynccontextmanager
async def replica(slack: FakeSlack, store: Store, clusters: Clusters, clock: Any = wall_clock) -> AsyncIterator[Door]:  # noqa: ANN401
    part = AlertThreads(Alerting(store=store, clusters=clusters, explain=explain, clock=clock, look_seconds=0.3))
    behind = Behind(services=Scripted(), parts=(part,))
    async with opened(config_for(slack, drain_seconds=0), behind, api_url=slack.api_url) as door:
        await slack.wait_for(lambda s: s.sockets.connections)
        yield door


@asynccontextmanager
async def stores(server: PostgresServer, number: int) -> AsyncIterator[list[Store]]:
    """So many processes' connections to one database."""
    url = server.new_database()
    async with open_store(url) as one, open_store(url) as two:
        yield [one, two][:number]


def cause(pod: str) -> str:
    return f"cause-{pod.split('-', maxsplit=1)[0]}"


def workload(name: str, end: str) -> layouts.Event:
    return layouts.default_template([{**firing.POD, "pod": f"{name}-7c9f6b5d48-{end}"}])


async def test_two_replicas_answer_each_incident_once_and_count_every_alert(
    slack: FakeSlack, postgres_server: PostgresServer
) -> None:
    first, second = Clusters(cause=cause, delay=0.2), Clusters(cause=cause, delay=0.2)
    ends = [f"{a}{b}xx2" for a in "bcdfg" for b in "bcd"]
    async with (
        stores(postgres_server, 2) as (one, two),
        replica(slack, one, first),
        replica(slack, two, second),
    ):
        await slack.wait_for(lambda s: len(s.sockets.connections) == 2)
        for end in ends:
            await asyncio.gather(*(posted(slack, workload(name, end)) for name in ("cart", "shop", "mill")))
        await slack.wait_for(lambda s: sum(f"Now {len(ends)} pods" in m.text for m in replies(s)) == 3, timeout=60)
        await quiet()
        assert len(replies(slack)) == 3
        assert len({m.metadata["event_payload"]["incident"] for m in replies(slack) if m.metadata}) == 3
        assert first.asked, "both took part"
        assert second.asked


async def test_what_a_dead_replica_had_taken_is_answered_by_the_other(
    slack: FakeSlack, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attending, "TAKEN_FOR", 1.5)
    stuck, well = Clusters(delay=3600), Clusters()
    async with stores(postgres_server, 2) as (one, two):
        async with replica(slack, one, stuck):
            await posted(slack, pod_alert("xk2lp"))
            await slack.wait_for(lambda _: stuck.asked)
            await quiet(2.0)
            assert await take(two, wall_clock(), 1) == [], "what is worked at is not taken, however long that takes"
        # killed: it holds its alert for a little while yet
        async with replica(slack, two, well):
            [reply] = await replied(slack, HEADLINE)
            assert reply.thread_ts
        assert len(replies(slack)) == 1


async def test_a_replica_that_dies_while_it_posts_posts_once(slack: FakeSlack, postgres_server: PostgresServer) -> None:
    """It had posted and could not write that down: the other looks for the message before it posts."""
    clock = Moving()
    async with stores(postgres_server, 2) as (one, two):
        async with replica(slack, one, Clusters(), clock):
            await posted(slack, pod_alert("xk2lp"))
            [reply] = await replied(slack, HEADLINE)
        # as it was between the post and the note of it
        lost = {"shown": 0, "message_ts": "", "posting_since": wall_clock() - timedelta(seconds=5)}
        await one.write(lambda connection: connection.execute(INCIDENTS.update().values(**lost)))
        clock.ahead(60)
        async with replica(slack, two, Clusters(), clock):
            await slack.wait_for(lambda s: [c for c in s.calls if c.method == "chat.update"], timeout=20)
            await quiet()
        assert [m.ts for m in replies(slack)] == [reply.ts]


async def test_both_look_after_an_incident_and_it_ends_once(slack: FakeSlack, postgres_server: PostgresServer) -> None:
    clock = Moving()
    clusters = Clusters()
    async with (
        stores(postgres_server, 2) as (one, two),
        replica(slack, one, clusters, clock),
        replica(slack, two, clusters, clock),
    ):
        await posted(slack, pod_alert("xk2lp"))
        [reply] = await replied(slack, HEADLINE)
        clock.ahead(120)
        await replied(slack, "Over after")
        await quiet()
        assert len(reply.revisions) == 2
        left = await one.read(lambda c: c.execute(INBOX.select().where(INBOX.c.done.is_(False))).all())
    assert left == []
    assert len(replies(slack)) == 1
