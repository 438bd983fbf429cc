"""What a platform team installs, as far as it can be installed without a container engine: the chart as rendered, on a real API
server under its own RBAC, and the image's content: the built wheel alone, on a read-only root without capabilities, with the
chart's own arguments, environment, settings and mounted secrets."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.cluster.bot_access import BotAccess, service_account_token, wait_for_audit
from tests.cluster.cases import GPU, INSTANCE_TYPE
from tests.cluster.components import REGION
from tests.cluster.helm import installed
from tests.cluster.processes import free_ports
from tests.cluster.workbench import Workbench, requirement
from tests.deploy.test_chart import container, one
from tests.deploy.test_image import environment, wheel
from tests.fakes.fixtures import running_slack
from tests.fakes.slack import FakeSlack, Message, scene

__all__ = ["environment", "wheel"]
pytestmark = pytest.mark.cluster
NAMESPACE = "installed"
# /run is the pod's own: the service account's token and the mounted Secret lie where the chart says
_POD = """
mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io /run/secrets/karpenter-bot \
 && cp -r {given}/account /run/secrets/kubernetes.io/serviceaccount && cp -r {given}/slack /run/secrets/karpenter-bot/slack \
 && mount -o remount,ro,bind / && mount -t tmpfs -o mode=1777 tmpfs {volume} || exit 77
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs env -i {variables} {program} {arguments}
"""


@asynccontextmanager
async def running_pod(script: str, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("wb") as sink:
        command = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script)
        pod = await asyncio.create_subprocess_exec(*command, stdout=sink, stderr=sink)
    try:
        yield pod
    finally:
        if pod.returncode is None:
            pod.terminate()
        await pod.wait()


def write_secrets(given: Path, bot: BotAccess, slack: FakeSlack) -> None:
    """What kubelet would mount."""
    account = given / "account"
    account.mkdir(parents=True)
    token = service_account_token(bot.bed.admin, NAMESPACE, "karpenter-bot")
    (account / "token").write_text(token, "utf-8")
    (account / "ca.crt").write_bytes(bot.bed.ca.read_bytes())
    (account / "namespace").write_text(NAMESPACE, "utf-8")
    (given / "slack").mkdir()
    (given / "slack" / "bot-token").write_text(slack.workspace.bot_token, "utf-8")
    (given / "slack" / "app-token").write_text(slack.app.app_token, "utf-8")


def variables(
    objects: list[dict[str, Any]], bot: BotAccess, slack: FakeSlack, port: int, volume: Path
) -> dict[str, str]:
    """The Deployment's own, with what kubelet fills in, and where Slack, AWS and the volume are on this machine."""
    fields = {"metadata.name": "karpenter-bot-0", "metadata.namespace": NAMESPACE}
    own = {
        entry["name"]: entry.get("value") or fields[entry["valueFrom"]["fieldRef"]["fieldPath"]]
        for entry in container(objects)["env"]
    }
    server, _, api_port = bot.bed.server.rpartition(":")
    return {
        **own,
        **bot.bed.aws_environment,
        "KUBERNETES_SERVICE_HOST": server.removeprefix("https://"),
        "KUBERNETES_SERVICE_PORT": api_port,
        "SLACK_API_URL": slack.api_url,
        "KARPENTER_BOT_SLACK_LISTEN": f"127.0.0.1:{port}",
        "KARPENTER_BOT_STORE_URL": f"sqlite:///{volume}/store.sqlite3",
        "HOME": str(volume),
        "PATH": "/usr/bin:/bin",
    }


async def ready(pod: asyncio.subprocess.Process, port: int, log: Path) -> None:
    """Waits for `/readyz`, as kubelet does."""
    async with asyncio.timeout(90), aiohttp.ClientSession() as session:
        while True:
            if pod.returncode == 77:
                pytest.skip("NOT RUN: this machine lets nobody make a read-only root")
            assert pod.returncode is None, log.read_text("utf-8")  # noqa: ASYNC240
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


async def answered(slack: FakeSlack, question: str, words: str) -> Message:
    """Asks until the answer is whole: EC2's facts may take longer than the first answer waits for them."""
    for user in (scene.ANNA, scene.GUEST) * 3:
        assert (await slack.slash_command(f"{question} --lang en", user=user)).acked
        with suppress(TimeoutError):
            found = await slack.wait_for(
                lambda s: [m for m in s.workspace.by_bot(scene.OPS) if words in m.text], timeout=20
            )
            return found[0]
    raise AssertionError([m.text for m in slack.workspace.by_bot(scene.OPS)])


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"),
    reason="NOT RUN: needs root, unshare and setpriv to make a pod's file system",
)
async def test_what_the_chart_installs_answers_in_slack_with_no_more_rights_than_it_grants(
    bench: Workbench, bot: BotAccess, environment: Path, tmp_path: Path
) -> None:
    where = f"config.clusters.bed.region={REGION}"  # the bed's nodes do not tell it
    with installed(bot, "--set", where, namespace=NAMESPACE) as objects:
        given, volume, log = tmp_path / "given", tmp_path / "volume", tmp_path / "log"
        volume.mkdir()
        (port,) = free_ports(1)
        config = tmp_path / "config.yaml"
        config.write_text(one(objects, "ConfigMap", "karpenter-bot")["data"]["config.yaml"], "utf-8")
        bench.create_node_pool("gpu", [requirement(INSTANCE_TYPE, "In", "p4d.24xlarge")])
        bench.create_deployment("trainer", {GPU: "16"})
        pending = bench.pending_pod_of("trainer")
        bench.refusal(pending)
        async with running_slack() as slack:
            await asyncio.to_thread(write_secrets, given, bot, slack)
            script = _POD.format(
                given=given,
                volume=volume,
                variables=shlex.join(
                    f"{name}={value}" for name, value in variables(objects, bot, slack, port, volume).items()
                ),
                program=environment / "bin" / "karpenter-bot",
                arguments=shlex.join(
                    str(config) if word.endswith("config.yaml") else word for word in container(objects)["args"]
                ),
            )
            async with running_pod(script, log) as pod:
                await ready(pod, port, log)
                answer = await answered(slack, f"why {bench.namespace}/{pending}", "has 16 GPUs")
                assert "no permission" not in answer.text + str(answer.blocks)
                pod.terminate()
                assert await pod.wait() == 0
        assert slack.workspace.bot_token not in log.read_text("utf-8")
        await asyncio.to_thread(wait_for_audit)
        refused = [e for e in requests_of(bot) if e["responseStatus"]["code"] == 403]
        assert [f"{e['verb']} {e['objectRef']['resource']}" for e in refused] == []
        assert len(requests_of(bot)) > 10, "it was this account that asked"


def requests_of(bot: BotAccess) -> list[dict[str, Any]]:
    """What the installed account asked the API server for."""
    user = f"system:serviceaccount:{NAMESPACE}:karpenter-bot"
    lines = (bot.bed.folder / "audit.log").read_text("utf-8").splitlines()
    entries = [json.loads(line) for line in lines if f'"{user}"' in line]
    return [entry for entry in entries if "objectRef" in entry]
