"""The API server and AWS in trouble, and one cluster of several dead, as people in Slack see it. No restart in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot import packaged
from bot.config import ClusterConfig, Config, SlackConfig, StoreConfig
from bot.server import built
from bot.slack.serving import opened
from tests.fakes.fixtures import running_slack
from tests.fakes.kube import FakeKube, Fault, serving
from tests.fakes.slack import FakeSlack, scene
from tests.test_server import POD, SEED, karpenter_log, manifests

NO_AWS = "http://127.0.0.1:9"


@asynccontextmanager
async def bot(slack: FakeSlack, folder: Path, *clusters: ClusterConfig) -> AsyncIterator[None]:
    """The whole bot. AWS is out of reach, which each answer says."""
    config = Config(
        slack=SlackConfig(
            bot_token=slack.workspace.bot_token,
            app_token=slack.app.app_token,
            host="127.0.0.1",
            port=0,
            answer_seconds=40,
        ),
        store=StoreConfig(url=f"sqlite:///{folder / 'store.sqlite3'}"),
        clusters=clusters,
    )
    async with built(config, packaged.load_playbooks()) as behind, opened(config, behind, api_url=slack.api_url):
        await slack.wait_for(lambda s: s.sockets.connections)
        yield


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ENDPOINT_URL", NO_AWS), ("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x")):
        monkeypatch.setenv(f"AWS_{name}", value)


async def told(slack: FakeSlack, user: str, question: str) -> str:
    """What comes of a question: the text of the first final message that was not there before."""

    def final() -> dict[str, str]:
        seen = (*slack.workspace.by_bot(scene.OPS), *slack.workspace.ephemerals(user))
        return {m.ts: m.text + str(m.blocks) for m in seen if "Looking at" not in m.text}

    before = final().keys()
    assert (await slack.slash_command(question, user=user)).acked
    new = await slack.wait_for(lambda _: [text for ts, text in final().items() if ts not in before], timeout=60)
    return new[0]


def kubeconfig(kube: FakeKube, folder: Path) -> str:
    folder.mkdir()
    return str(kube.kubeconfig(folder))


async def test_storms_of_429_and_500_and_cut_watches_pass_without_a_restart(tmp_path: Path) -> None:
    objects = manifests(SEED)
    async with running_slack() as slack, serving(objects, logs=karpenter_log(objects, SEED)) as kube:
        prod = ClusterConfig(name="prod", kubeconfig=kubeconfig(kube, tmp_path / "k"))
        async with bot(slack, tmp_path, prod):
            well = await told(slack, scene.ANNA, f"why default/{POD}")
            assert "AWS does not answer" in well, "what could not be read is named"

            kube.faults[""] = Fault(status=429, message="too many requests", headers={"Retry-After": "1"})
            kube.history.end()  # every watch is cut, and cannot come back for now
            assert "429" in await told(slack, scene.ANNA, f"why default/{POD}")
            kube.faults[""] = Fault(status=500, message="etcdserver: request timed out")
            assert "500" in await told(slack, scene.MIN, f"why default/{POD} --lang en")
            for end in (
                "/nodeclaims",
                "/nodeclaims?watch",
            ):  # else the watch goes on where it was, and nothing is missing
                kube.faults[end] = Fault(status=500, message="etcdserver: leader changed")
            del kube.faults[""]
            partly = await told(slack, scene.ANNA, f"why default/{POD}")
            assert "nodeclaims" in partly

            kube.faults.clear()
            async with asyncio.timeout(30):
                while "nodeclaims" in await told(slack, scene.MIN, f"why default/{POD} --lang en"):  # noqa: ASYNC110
                    await asyncio.sleep(1)


async def test_one_dead_cluster_slows_no_other(tmp_path: Path) -> None:
    objects = manifests(SEED)
    async with (
        running_slack() as slack,
        serving(objects, logs=karpenter_log(objects, SEED)) as kube,
        serving(objects, faults={"": Fault(hang=True)}) as dead,
    ):
        clusters = (
            ClusterConfig(name="prod", kubeconfig=kubeconfig(kube, tmp_path / "k")),
            ClusterConfig(name="dead", kubeconfig=kubeconfig(dead, tmp_path / "d")),
        )
        async with bot(slack, tmp_path, *clusters):
            await told(slack, scene.ANNA, f"why default/{POD} --cluster prod")
            for _ in range(4):
                assert (await slack.slash_command(f"why default/{POD} --cluster dead", user=scene.MIN)).acked
            await slack.wait_for(lambda _: [r for r in dead.requests if "/pods" in r.path], timeout=30)
            await told(slack, scene.ANNA, f"why default/{POD} --cluster prod")
            assert not slack.workspace.ephemerals(scene.MIN), "the dead one is still being waited for"
            await slack.wait_for(lambda s: s.workspace.ephemerals(scene.MIN), timeout=60)
