"""The past of a week: kept once, however often and by whomever it is read; bounded; and of use to why-gone."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.diagnosis.departure import departure
from bot.model.world import World
from bot.remembering import Memory, happenings_of, with_past
from bot.store import Store, happenings
from bot.store.happenings import KEPT, LOG, Happening, forget, keep, recall
from tests.diagnosis.test_departure import ENDED, NODE, NOW, ON_NODE, disrupting, world

START = datetime(2025, 12, 28, 6, 0, tzinfo=UTC)


def evicted(minutes: float, pod: str = "train-0") -> Happening:
    at = START + timedelta(minutes=minutes)
    return Happening(at=at, kind="Pod", namespace="ml", name=pod, reason="Evicted", message="Evicted pod: Drifted")


async def test_what_is_read_again_is_kept_once_and_clusters_are_apart(store: Store) -> None:
    line = Happening(at=START, kind=LOG, message='{"message":"deleted node"}')
    assert await keep(store, "prod", [evicted(1), evicted(1), line]) == 2
    assert await keep(store, "prod", [evicted(1), evicted(2)]) == 1
    assert await keep(store, "dev", [evicted(1)]) == 1
    assert await recall(store, "prod", START - KEPT) == (line, evicted(1), evicted(2))
    assert await recall(store, "prod", START + timedelta(minutes=2)) == (evicted(2),)


async def test_the_old_goes_by_age_and_by_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    old = evicted(-KEPT.total_seconds() / 60 - 1)
    await keep(store, "prod", [old, *(evicted(i, f"train-{i}") for i in range(6))])
    await keep(store, "dev", [old])
    assert await forget(store, "prod", START) == 1
    monkeypatch.setattr(happenings, "MOST", 4)
    assert await forget(store, "prod", START) == 2
    assert [one.name for one in await recall(store, "prod", START - KEPT)] == [
        "train-2",
        "train-3",
        "train-4",
        "train-5",
    ]
    assert await recall(store, "dev", START - 2 * KEPT) == (old,)


async def test_a_node_that_went_yesterday_is_explained_from_what_was_kept(store: Store) -> None:
    then = world(disrupting("drifted"), *ENDED, events=(ON_NODE,))
    await keep(store, "prod", happenings_of(then))
    tomorrow = World(now=NOW + timedelta(days=1), node_pools=then.node_pools)
    assert departure(tomorrow, NODE).state == "unknown"
    found = departure(await Memory(store, lambda: tomorrow.now).remembered("prod", tomorrow), NODE)
    assert (found.state, found.reason, found.pods) == ("gone", "Drifted", ("ml/train-0-abcde",))
    assert departure(await Memory(store, lambda: tomorrow.now).remembered("dev", tomorrow), NODE).state == "unknown"


def test_what_the_cluster_still_tells_is_not_told_twice() -> None:
    now = world(disrupting("drifted"), *ENDED, events=(ON_NODE,))
    assert with_past(now, happenings_of(now)) == now
