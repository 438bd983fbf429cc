"""`/karpenter why-gone` end to end: typed in the fake Slack, read from an API server, told from the store a day later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot import packaged
from bot.config import ClusterConfig, Config, SlackConfig, StoreConfig
from bot.server import built
from bot.slack.serving import opened
from tests.fakes.aws import NoAws
from tests.fakes.fixtures import running_slack
from tests.fakes.kube import FakeKube, Fault, serving
from tests.fakes.slack import FakeSlack, Message, scene
from tests.recorded import CASES
from tests.test_server import karpenter_log, manifests

LOST = CASES / "consolidation-under-training"


@asynccontextmanager
async def the_bot(tmp_path: Path, slack: FakeSlack) -> AsyncIterator[FakeKube]:
    """The serving bot before the cluster that lost two nodes."""
    objects = manifests(LOST)
    async with serving(objects, logs=karpenter_log(objects, LOST), served=["policy/v1"]) as kube:
        config = Config(
            slack=SlackConfig(
                bot_token=slack.workspace.bot_token,
                app_token=slack.app.app_token,
                host="127.0.0.1",
                port=0,
                answer_seconds=120,
            ),
            store=StoreConfig(url=f"sqlite:///{tmp_path / 'store.sqlite3'}"),
            clusters=(ClusterConfig(name="prod", kubeconfig=str(kube.kubeconfig(tmp_path))),),
        )
        async with (
            built(config, packaged.load_playbooks(), ec2=NoAws()) as behind,
            opened(config, behind, api_url=slack.api_url),
        ):
            yield kube


async def said(slack: FakeSlack, words: str) -> Message:
    """The bot's message with these words, to the channel or to the asker alone."""
    (found, *_) = await slack.wait_for(
        lambda s: [m for m in (*s.workspace.by_bot(scene.OPS), *s.workspace.ephemerals()) if words in m.text],
        timeout=60,
    )
    return found


async def test_a_lost_node_is_told_in_both_languages_and_an_unknown_one_is_not_made_up(tmp_path: Path) -> None:
    async with running_slack() as slack, the_bot(tmp_path, slack) as kube:
        await slack.slash_command("why-gone ip-10-0-152-19", user=scene.ANNA)
        told = await said(slack, "counted as underutilized")
        assert "llama-3-8b-node-0-1-h6v8k" in told.text + str(told.blocks)
        assert "do-not-disrupt" in str(told.blocks)
        assert [block["type"] for block in told.blocks][-2:] == ["data_visualization", "table"]
        assert "ip-10-0-152-19 · " in told.text
        assert not slack.workspace.files
        slack.workspace.lacking_blocks = frozenset({"data_visualization", "table"})

        await slack.slash_command("why-gone default/llama-3-8b-node-0-1-h6v8k", user=scene.MIN)
        await said(slack, "사용률이 낮다고 판단")
        (picture, *_) = await slack.wait_for(lambda s: [f for f in s.workspace.files.values() if f.shared], timeout=60)
        assert picture.content.startswith(b"\x89PNG")

        await slack.slash_command("why-gone ip-10-9-9-9", user=scene.ANNA)
        await said(slack, "know nothing of a node, NodeClaim or pod `ip-10-9-9-9`")

        await slack.slash_command("why-gone", user=scene.ANNA)
        await said(slack, "Which pod?")

        kube.faults[""] = Fault(status=500, message="etcd is gone")
        await slack.slash_command("why-gone ip-10-0-99-230", user=scene.ANNA)
        await said(slack, "The cluster does not answer: ")
        kube.faults[""] = Fault(status=403, message="no")
        await slack.slash_command("why-gone ip-10-0-99-231", user=scene.ANNA)
        await said(slack, "I may not read that: ")
