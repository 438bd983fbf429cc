"""The digest over a real store: opted in, due once a week, given to the outbox once by however many replicas."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import app
from bot.alerting.settings import ChannelSettings, SettingRefusedError, changed
from bot.config import ClusterConfig, Config
from bot.digest import Digest
from bot.model.diagnosis import Diagnosis, Verdict, Waiting
from bot.model.objects import ObjectRef
from bot.packaged import load_playbooks
from bot.playground.kube import FakeKube, serving
from bot.store import Store, incidents, open_store, outbox
from bot.store.waits import NODE, counting_since, open_waits, waits_in
from tests.playbooks.samples import seed

MONDAY = datetime(2026, 3, 9, 9, tzinfo=UTC)
CHANNEL = "C0OPS"
PLAYBOOKS = load_playbooks()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'store.sqlite3'}") as opened:
        yield opened


class Desk:
    """One connection to the fake API server."""

    def __init__(self, connection: app.Connected) -> None:
        self._connection = connection

    async def connected(self, config: ClusterConfig) -> app.Connected:  # noqa: ARG002 (there is one)
        return self._connection


@asynccontextmanager
async def desk_at(kube: FakeKube, folder: Path) -> AsyncIterator[Desk]:
    connection = await app.stay_connected(app.Place(kubeconfig=str(kube.kubeconfig(folder))), "prod")
    try:
        yield Desk(connection)
    finally:
        await connection.close()


def digest(store: Store, desk: Desk, now: datetime) -> Digest:
    config = replace(Config(), clusters=(ClusterConfig(name="prod"),))
    return Digest(store, desk, config, PLAYBOOKS, lambda: now)


def pod(name: str, *, node: str = "", created: str = "2026-03-03T00:00:00Z") -> dict[str, object]:
    asked = {"requests": {"nvidia.com/gpu": "8"}, "limits": {"nvidia.com/gpu": "8"}}
    bound = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-03-03T05:00:00Z"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "ml", "creationTimestamp": created, "uid": name},
        "spec": {"containers": [{"name": "a", "resources": asked}], **({"nodeName": node} if node else {})},
        "status": {"phase": "Running" if node else "Pending", "conditions": [bound] if node else []},
    }


def blocked(name: str) -> Diagnosis:
    ref = ObjectRef(api_version="v1", kind="Pod", namespace="ml", name=name)
    since = datetime(2026, 3, 3, tzinfo=UTC)
    return replace(seed(), pod=ref, verdict=Verdict.BLOCKED, waiting=Waiting(since=since, gpus=8))


async def opted_in(store: Store, when: datetime, words: str = "digest mon 09:00") -> None:
    settings = changed(ChannelSettings(), words.split(), when)
    await outbox.write_settings(store, CHANNEL, settings.as_json())


async def given(store: Store) -> list[incidents.Incident]:
    return [one for one in await incidents.still_open(store) if one.key.startswith("digest:")]


async def test_waits_are_followed_until_their_pods_have_nodes(store: Store, tmp_path: Path) -> None:
    first, second, other = (f"train-0-{end}" for end in ("bcdfg", "hjklm", "npqrs"))
    early = datetime(2026, 3, 3, 2, tzinfo=UTC)
    async with serving([pod(first), pod(second), pod("lunch")]) as kube, desk_at(kube, tmp_path) as desk:
        await digest(store, desk, early).waits.noted("prod", blocked(first), CHANNEL)
        await digest(store, desk, early).waits.round()
        assert {one.pod for one in await open_waits(store)} == {first, second}, "the workload's other pods, no others"
        kube.put(pod(first, node="ip-10-0-0-1"))
        kube.remove(pod(second))
        kube.put(pod(other, created="2026-03-03T06:00:00Z"))
        await digest(store, desk, early + timedelta(hours=8)).waits.round()
        ends = {one.pod: (one.ended, one.until) for one in await waits_in(store, MONDAY - timedelta(days=7), MONDAY)}
        assert ends[first] == (NODE, datetime(2026, 3, 3, 5, tzinfo=UTC)), "when it was bound, not when it was seen"
        assert ends[second] == ("gone", early), "when it was last known to wait"
        assert ends[other] == ("", None)


async def test_it_comes_once_a_week_by_however_many_replicas(store: Store, tmp_path: Path) -> None:
    async with serving([]) as kube, desk_at(kube, tmp_path) as desk:
        await counting_since(store, MONDAY - timedelta(days=3))
        await opted_in(store, MONDAY - timedelta(days=2))
        await digest(store, desk, MONDAY - timedelta(days=1)).waits.noted("prod", blocked("train-0-bcdfg"), CHANNEL)
        await digest(store, desk, MONDAY - timedelta(minutes=1)).send_due()
        assert not await given(store)
        late = MONDAY + timedelta(minutes=5)
        await asyncio.gather(*(digest(store, desk, late).send_due() for _ in range(4)))
        (one,) = await given(store)
        assert "5 d 9 h in all" in one.wanted["text"]
        assert "Counting began 2026-03-06 09:00 UTC" in one.wanted["text"]
        again = MONDAY + timedelta(days=7, minutes=1)
        await asyncio.gather(*(digest(store, desk, again).send_due() for _ in range(2)))
        (next_one,) = await given(store)
        assert next_one.id != one.id, "the last one's message stays, its incident is over"
        await opted_in(store, again, "digest off")
        await digest(store, desk, again + timedelta(days=7)).send_due()
        assert [x.id for x in await given(store)] == [next_one.id]


@pytest.mark.parametrize(
    ("words", "now", "due"),
    [
        ("digest on", "2026-03-09T09:00:00+00:00", "2026-03-09T09:00:00+00:00"),
        ("digest mon 09:00 Asia/Seoul", "2026-03-09T08:00:00+00:00", "2026-03-09T00:00:00+00:00"),
        ("요약 금 18:30", "2026-03-09T08:00:00+00:00", "2026-03-06T18:30:00+00:00"),
        ("digest sun 02:30 Europe/Berlin", "2026-03-31T00:00:00+00:00", "2026-03-29T01:30:00+00:00"),
        ("digest mon 09:00", "2026-03-02T08:59:00+00:00", None),
    ],
)
def test_when_it_is_due(words: str, now: str, due: str | None) -> None:
    asked_for = datetime(2026, 3, 1, tzinfo=UTC)
    settings = ChannelSettings.read(changed(ChannelSettings(), words.split(), asked_for).as_json())
    found = settings.digest_due(datetime.fromisoformat(now))
    assert found == (datetime.fromisoformat(due) if due else None)


@pytest.mark.parametrize("words", ["digest someday", "digest mon 25:00", "digest mon 09:00 Mars/North", "digest"])
def test_nonsense_is_refused(words: str) -> None:
    with pytest.raises(SettingRefusedError):
        changed(ChannelSettings(), words.split())
