"""The serving bot as a process of its own, measured from outside: memory after 100 answers, time from command to answer.

python -m tests.bench_serving [--answers 100]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from bot.playground.slack.state import User
from tests.cluster.processes import free_ports
from tests.fakes.fixtures import running_slack
from tests.fakes.kube import serving
from tests.fakes.slack import FakeSlack, scene
from tests.test_server import POD, SEED, karpenter_log, manifests

BIN = Path(sys.executable).parent


def peak_mib(pid: int) -> float:
    """The most resident memory that a process has had (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


@contextmanager
def moto() -> Iterator[str]:
    """moto's server in a process of its own, so that its memory is not the bot's."""
    (port,) = free_ports(1)
    server = subprocess.Popen(
        [str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(4)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


async def ask(slack: FakeSlack, user: str) -> float:
    """One question, from the command to its answer, in seconds."""
    before = len([m for m in slack.workspace.by_bot(scene.OPS) if "EFA" in m.text])
    started = time.perf_counter()
    await slack.slash_command(f"why default/{POD}", user=user)
    await slack.wait_for(
        lambda s: len([m for m in s.workspace.by_bot(scene.OPS) if "EFA" in m.text]) > before, timeout=120
    )
    return time.perf_counter() - started


async def bench(answers: int) -> None:
    """Starts everything, asks, prints."""
    objects = manifests(SEED)
    with moto() as aws, tempfile.TemporaryDirectory() as folder:
        async with running_slack() as slack, serving(objects, logs=karpenter_log(objects, SEED)) as kube:
            config = Path(folder) / "config.yaml"
            cluster = {"training-on-eks": {"kubeconfig": str(kube.kubeconfig(Path(folder)))}}
            config.write_text(
                yaml.safe_dump(
                    {
                        "clusters": cluster,
                        "slack": {"listen": "127.0.0.1:0"},
                        "store": {"url": f"sqlite:///{folder}/store.sqlite3"},
                    }
                ),
                encoding="utf-8",
            )
            environment = {
                **os.environ,
                "SLACK_API_URL": slack.api_url,
                "SLACK_BOT_TOKEN": slack.workspace.bot_token,
                "SLACK_APP_TOKEN": slack.app.app_token,
                "AWS_ENDPOINT_URL": aws,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            }
            bot = await asyncio.create_subprocess_exec(
                str(BIN / "karpenter-bot"), "serve", "--config", str(config), env=environment
            )
            await slack.wait_for(lambda s: s.sockets.connections, timeout=60)
            print(f"idle, connected: peak {peak_mib(bot.pid):.1f} MiB")
            first = await ask(slack, scene.ANNA)
            print(f"first answer (EC2 and instance types cold): {first:.2f} s, peak {peak_mib(bot.pid):.1f} MiB")
            taken = []
            for number in range(2, answers + 1):
                user = f"U{number // 4:04d}"  # the bot answers one person only so many times a minute
                if user not in slack.workspace.users:
                    slack.workspace.add_user(User(id=user, name=user.lower()))
                taken.append(await ask(slack, user))
                if number in (10, 50, answers):
                    print(f"after {number} answers: peak {peak_mib(bot.pid):.1f} MiB")
            print(f"warm answers: median {statistics.median(taken):.2f} s, slowest {max(taken):.2f} s")
            bot.terminate()
            await bot.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", type=int, default=100)
    asyncio.run(bench(parser.parse_args().answers))


if __name__ == "__main__":
    main()
