"""The serving bot as a process of its own under a flood of slash commands, measured from outside.

python -m tests.load [--rate 200] [--seconds 60]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import yaml

from bot.playground.slack.state import User
from tests.bench_serving import BIN, moto
from tests.fakes.fixtures import running_slack
from tests.fakes.kube import serving
from tests.fakes.slack import FakeSlack, scene
from tests.test_server import POD, SEED, karpenter_log, manifests

USERS = 3_000


def resident_mib(pid: int) -> float:
    """Memory now (Linux)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else 0.0


def free_port() -> int:
    """One that was free a moment ago."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


async def flood(slack: FakeSlack, rate: int, seconds: int, pid: int) -> None:
    """Sends, waits for the last answer, prints."""
    sending: list[asyncio.Task[None]] = []
    began, curve = time.perf_counter(), []
    for number in range(rate * seconds):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        user = f"ULOAD{number % USERS:04d}"
        sending.append(asyncio.create_task(_ask(slack, user)))
        if number % (rate * max(1, seconds // 6)) == 0:
            curve.append((round(time.perf_counter() - began), round(resident_mib(pid))))
    await asyncio.gather(*sending)
    sent = time.perf_counter() - began
    deliveries = [d for d in slack.deliveries if d.kind == "slash_commands"]
    taken = sorted(d.attempts[-1].seconds for d in deliveries if d.acked)
    with suppress(TimeoutError):
        await slack.wait_for(lambda s: not _pending(s), timeout=120)
    curve.append((round(time.perf_counter() - began), round(resident_mib(pid))))
    p50, p99 = (statistics.quantiles(taken, n=100)[at] for at in (49, 98))
    print(f"{len(deliveries)} commands in {sent:.0f} s, load average {os.getloadavg()[0]:.1f}")
    print(
        f"acknowledged {len(taken)}: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, slowest {taken[-1] * 1000:.0f} ms"
    )
    print(f"told: {dict(_told(slack))}; still in work after 120 s: {_pending(slack)}")
    print(f"memory (s, MiB): {curve}")


async def _ask(slack: FakeSlack, user: str) -> None:
    await slack.slash_command(f"why default/{POD}", user=user)


def _told(slack: FakeSlack) -> Counter[str]:
    told: Counter[str] = Counter()
    for message in (*slack.workspace.by_bot(scene.OPS), *slack.workspace.ephemerals()):
        kind = "answer" if "EFA" in message.text else "progress" if "Looking at" in message.text else message.text[:50]
        told[kind] += 1
    return told


def _pending(slack: FakeSlack) -> int:
    return _told(slack)["progress"]


async def load(rate: int, seconds: int) -> None:
    """Starts everything, floods, ends."""
    objects, port = manifests(SEED), free_port()
    with moto() as aws, tempfile.TemporaryDirectory() as folder:
        async with running_slack() as slack, serving(objects, logs=karpenter_log(objects, SEED)) as kube:
            for number in range(USERS):
                slack.workspace.add_user(User(id=f"ULOAD{number:04d}", name=f"load{number}"))
            settings = {
                "clusters": {"training-on-eks": {"kubeconfig": str(kube.kubeconfig(Path(folder)))}},
                "slack": {"listen": f"127.0.0.1:{port}", "mode": "http"},
                "store": {"url": f"sqlite:///{folder}/store.sqlite3"},
            }
            (Path(folder) / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
            environment = {
                **os.environ,
                "SLACK_API_URL": slack.api_url,
                "SLACK_BOT_TOKEN": slack.workspace.bot_token,
                "SLACK_SIGNING_SECRET": slack.app.signing_secret,
                "AWS_ENDPOINT_URL": aws,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            }
            command = [str(BIN / "karpenter-bot"), "serve", "--config", f"{folder}/config.yaml"]
            bot = await asyncio.create_subprocess_exec(*command, env=environment, stderr=sys.stderr)
            slack.post_to(f"http://127.0.0.1:{port}/slack/events")
            await asyncio.sleep(8)
            await _ask(slack, scene.ANNA)
            await slack.wait_for(lambda s: _told(s)["answer"], timeout=120)
            await flood(slack, rate, seconds, bot.pid)
            bot.terminate()
            await bot.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    asyncio.run(load(arguments.rate, arguments.seconds))


if __name__ == "__main__":
    main()
