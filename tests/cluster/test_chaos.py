"""The serving bot while a real API server is killed, its etcd frozen, its token expired; each is said, and passes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from bot import packaged
from bot.config import ClusterConfig, Config, SlackConfig, StoreConfig
from bot.server import built
from bot.slack.serving import opened
from tests.cluster.processes import pause, resume
from tests.cluster.test_watching import SmallServer, in_thread, server
from tests.fakes.fixtures import running_slack
from tests.fakes.slack import FakeSlack, scene

__all__ = ["server"]
pytestmark = pytest.mark.cluster
DEAD = "The cluster does not answer"
WELL = "AWS does not answer"
"""What an answer says that has the cluster's side and not AWS's."""
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "trainer", "namespace": "default"},
    "spec": {
        "automountServiceAccountToken": False,
        "containers": [{"name": "c", "image": "example.com/trainer:1", "resources": {"requests": {"cpu": "1"}}}],
    },
}


@asynccontextmanager
async def bot(slack: FakeSlack, folder: Path, kubeconfig: Path) -> AsyncIterator[None]:
    config = Config(
        slack=SlackConfig(
            bot_token=slack.workspace.bot_token,
            app_token=slack.app.app_token,
            host="127.0.0.1",
            port=0,
            answer_seconds=40,
        ),
        store=StoreConfig(url=f"sqlite:///{folder / 'store.sqlite3'}"),
        clusters=(ClusterConfig(name="small", kubeconfig=str(kubeconfig), region="eu-west-1"),),
    )
    async with built(config, packaged.load_playbooks()) as behind, opened(config, behind, api_url=slack.api_url):
        await slack.wait_for(lambda s: s.sockets.connections)
        yield


async def told(slack: FakeSlack, *words: str) -> str:
    """Asks until the final message has one of the words; what it says."""
    async with asyncio.timeout(90):
        while True:
            before = _final(slack).keys()
            assert (await slack.slash_command("why default/trainer", user=scene.ANNA)).acked
            new = await slack.wait_for(lambda _: _final(slack).keys() - before, timeout=60)  # noqa: B023
            said = " ".join(_final(slack)[ts] for ts in new)
            if any(word in said for word in words):
                return said
            await asyncio.sleep(6.1)  # one person may ask so often


def _final(slack: FakeSlack) -> dict[str, str]:
    seen = (*slack.workspace.by_bot(scene.OPS), *slack.workspace.ephemerals())
    return {m.ts: m.text + str(m.blocks) for m in seen if "Looking at" not in m.text}


async def test_an_api_server_that_ends_hangs_or_forgets_us_is_named_and_found_again(
    server: SmallServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}
    await in_thread(lambda: server.admin.create(account))
    await in_thread(lambda: server.admin.create(POD))
    kubeconfig = tmp_path / "kubeconfig"
    right = server.layout.kubeconfig("admin").read_text("utf-8")
    kubeconfig.write_text(right, "utf-8")
    async with running_slack() as slack, bot(slack, tmp_path, kubeconfig):
        assert DEAD not in await told(slack, "default/trainer")

        # killed
        await in_thread(server.end)
        await told(slack, DEAD)
        await in_thread(server.begin)
        await told(slack, WELL)

        # its store stands still: it takes requests, and answers none
        pause([server.etcd])
        try:
            await told(slack, DEAD)
        finally:
            resume([server.etcd])
        await told(slack, WELL)

        # the token ran out; the file has another one before long
        config = yaml.safe_load(right)
        config["users"][0]["user"]["token"] = "of-yesterday"
        kubeconfig.write_text(yaml.safe_dump(config), "utf-8")
        await in_thread(server.end)
        await in_thread(server.begin)
        kubeconfig.write_text(right, "utf-8")
        await told(slack, WELL)
