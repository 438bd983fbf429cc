"""The whole bot, end to end: Slack's protocol at one door, a Kubernetes API and AWS at the other, nothing scripted between.

A person types `/karpenter why` in the fake Slack; the bot reads the recorded seed cluster through an API server and EC2
through moto, and its answer is looked at in the channel.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from bot import packaged
from bot.config import ClusterConfig, Config, SlackConfig, StoreConfig
from bot.server import built
from bot.slack.serving import opened
from tests.fakes.fixtures import running_slack
from tests.fakes.kube import FakeKube, Fault, serving
from tests.fakes.slack import FakeSlack, scene
from tests.recorded import CASES

SEED = CASES / "seed-efa-8-on-g6e-8xlarge"
POD = "llama-3-8b-node-0-1-z49j4"


def manifests(folder: Path) -> list[dict[str, Any]]:
    """Every object of a recorded cluster, as an API server would hold it."""
    found: list[dict[str, Any]] = []
    for file in sorted(folder.glob("*.yaml")):
        if file.name in ("case.yaml", "meta.yaml"):
            continue
        for document in yaml.load_all(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader):
            found.extend(document["items"] if document["kind"] == "List" else [document])
    return found


def karpenter_log(objects: list[dict[str, Any]], folder: Path) -> dict[str, bytes]:
    """The recorded log as the log of the recorded controller pods."""
    label = "app.kubernetes.io/name"
    pods = [o for o in objects if o["kind"] == "Pod" and o["metadata"].get("labels", {}).get(label) == "karpenter"]
    text = (folder / "karpenter.log").read_bytes()
    return {f"{p['metadata']['namespace']}/{p['metadata']['name']}": text for p in pods}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """EC2 with its real instance types, offered as they are in ap-northeast-2."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    yield
    server.stop()


@asynccontextmanager
async def the_bot(tmp_path: Path, slack: FakeSlack, faults: dict[str, Fault] | None = None) -> AsyncIterator[FakeKube]:
    """The bot serving over Socket Mode, with the seed's cluster behind it."""
    objects = manifests(SEED)
    async with serving(objects, logs=karpenter_log(objects, SEED), faults=faults) as kube:
        kubeconfig = kube.kubeconfig(tmp_path)
        config = Config(
            slack=SlackConfig(
                bot_token=slack.workspace.bot_token,
                app_token=slack.app.app_token,
                host="127.0.0.1",
                port=0,
                answer_seconds=120,  # a busy machine is not what these stories are about
            ),
            store=StoreConfig(url=f"sqlite:///{tmp_path / 'store.sqlite3'}"),
            clusters=(ClusterConfig(name="training-on-eks", kubeconfig=str(kubeconfig)),),
        )
        async with (
            built(config, packaged.load_playbooks()) as behind,
            opened(config, behind, api_url=slack.api_url),
        ):
            yield kube


async def answered(slack: FakeSlack, words: str) -> list[Any]:
    """The bot's messages in the channel, once one has the words; the bot may take its time on a busy machine."""

    def found(seen: FakeSlack) -> list[Any]:
        return [m for m in seen.workspace.by_bot(scene.OPS) if words in m.text]

    return await slack.wait_for(found, timeout=60)


async def test_a_slash_command_is_answered_in_the_channel_with_its_evidence(tmp_path: Path, aws: None) -> None:
    async with running_slack() as slack, the_bot(tmp_path, slack):
        delivery = await slack.slash_command(f"why default/{POD}", user=scene.ANNA)
        assert delivery.acked
        (message,) = await answered(slack, "g6e.8xlarge has 1 EFA interface, you asked for 8")
        assert len(slack.workspace.by_bot(scene.OPS)) == 1, "the answer takes the place of the progress message"
        await slack.click("show_evidence", message, user=scene.ANNA)
        modals = await slack.wait_for(
            lambda s: [m for m in s.workspace.modals(scene.ANNA) if "MaximumEfaInterfaces" in str(m)]
        )
        assert "spec.nodeSelector" in str(modals[0])
        assert not slack.workspace.pings()


async def test_a_korean_asker_is_answered_in_korean(tmp_path: Path, aws: None) -> None:
    async with running_slack() as slack, the_bot(tmp_path, slack):
        await slack.slash_command(f"why {POD} -n default", user=scene.MIN)
        await answered(slack, "EFA 인터페이스")


async def test_tables_of_offerings_and_nodepools_are_answered_and_wrong_names_have_near_ones(
    tmp_path: Path, aws: None
) -> None:
    async with running_slack() as slack, the_bot(tmp_path, slack):
        await slack.slash_command("offerings g6e.8xlarge", user=scene.ANNA)
        (table,) = await answered(slack, "`g6e.8xlarge` in ap-northeast-2: offered in")
        assert "on-demand prices" in table.text  # moto has no Pricing API: named, the rest is there
        assert [b["type"] for b in table.blocks].count("table") == 1
        await slack.slash_command("nodepools gpu", user=scene.MIN)
        (pools,) = await answered(slack, "NodePool 1개, 1개 준비됨")
        assert "gpu" in pools.text
        for words, near in (("offerings g6e.8xlarg", "mean `g6e.8xlarge`"), ("nodepools gpus", "mean `gpu`")):
            await slack.slash_command(words, user=scene.ANNA)
            await slack.wait_for(lambda s: [m for m in s.workspace.ephemerals() if near in m.text], timeout=60)  # noqa: B023


async def test_what_may_not_be_read_is_named_and_the_answer_still_goes_out(tmp_path: Path, aws: None) -> None:
    forbidden = {"/nodeclaims": Fault(status=403, message="forbidden")}
    async with running_slack() as slack, the_bot(tmp_path, slack, forbidden):
        await slack.slash_command(f"why default/{POD}", user=scene.ANNA)
        (message,) = await answered(slack, "g6e.8xlarge has 1 EFA interface")
        assert "no permission to list nodeclaims" in message.text + str(message.blocks)


async def test_a_dead_cluster_is_an_answer_too(tmp_path: Path, aws: None) -> None:
    async with running_slack() as slack, the_bot(tmp_path, slack, {"": Fault(status=500, message="etcd is gone")}):
        await slack.slash_command(f"why default/{POD}", user=scene.ANNA)
        seen = await slack.wait_for(
            lambda s: [
                m for m in (*s.workspace.by_bot(scene.OPS), *s.workspace.ephemerals()) if "does not answer" in m.text
            ],
            timeout=60,
        )
        assert "500" in seen[0].text
