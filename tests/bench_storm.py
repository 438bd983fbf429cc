"""A storm: 1,000 alert messages in a minute about 10,000 pods, 20 workloads, 20 causes, at a fake Slack with its limits.

python -m tests.bench_storm [--alerts 1000] [--seconds 60] [--kills 0]

The bot is a process of its own; the cluster's answers are scripted (what `why` costs is measured by `make bench`).
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

from tests.alerting.scene import Clusters, attended
from tests.alerts import firing, layouts
from tests.bench_serving import peak_mib
from tests.fakes.slack import App, FakeSlack, Timing, scene

CAUSES = 20
SAFE = "bcdfghjklmnpqrstvwxz2456789"


def alert(number: int) -> layouts.Event:
    """Alert `number` about ten pods of one of the workloads."""
    owner = f"job{chr(97 + number % CAUSES)}"
    pods = []
    for index in range(10):
        n = number * 10 + index
        end = "".join(SAFE[(n // len(SAFE) ** k) % len(SAFE)] for k in range(5))
        pods.append({**firing.POD, "pod": f"{owner}-7c9f6b5d48-{end}"})
    event = layouts.default_template(pods, text=layouts.alert_list(pods))
    return {name: value for name, value in event.items() if name != "ts"}


async def bot(folder: Path, api_url: str, port: int) -> None:
    """The serving side: the real door, store, incidents and outbox over scripted clusters."""
    clusters = Clusters(cause=lambda pod: f"cause-{pod[3]}", delay=0.2)
    slack = FakeSlack()
    slack_like = type("At", (), {"workspace": slack.workspace, "app": slack.app, "api_url": api_url})()
    slack_like.post_to = lambda _url: None
    async with attended(slack_like, folder, clusters, mode="http", port=port):
        await asyncio.Event().wait()


async def storm(alerts: int, seconds: float, kills: int) -> None:  # noqa: PLR0915 (a script)
    """Starts both, posts, prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        async with FakeSlack(app=App(), timing=Timing(retries=(1.0, 5.0, 20.0))) as slack:
            slack.rate_limits.enforced = True
            slack.post_to(f"http://127.0.0.1:{port}/slack/events")
            process, peak = await _start(folder, slack.api_url, port), 0.0
            firsts: list[float] = []
            started = time.perf_counter()
            sending: list[asyncio.Task[object]] = []
            kill_at = [alerts * (k + 1) // (kills + 1) for k in range(kills)]
            for number in range(alerts):
                await asyncio.sleep(max(0.0, started + number * seconds / alerts - time.perf_counter()))
                sending.append(asyncio.create_task(slack.bot_message(alert(number), channel=scene.ALERTS)))
                if not firsts and slack.workspace.by_bot(scene.ALERTS):
                    firsts.append(time.perf_counter() - started)
                if number in kill_at:
                    peak = max(peak, peak_mib(process.pid))
                    process.send_signal(signal.SIGKILL)
                    await process.wait()
                    process = await _start(folder, slack.api_url, port)
            await asyncio.gather(*sending, return_exceptions=True)

            def settled(seen: FakeSlack) -> bool:
                said = [m.text for m in seen.workspace.by_bot(scene.ALERTS)]
                wanted = f"in {alerts // CAUSES} alerts"
                return len(said) >= CAUSES and sum(wanted in text for text in said) >= CAUSES

            try:
                await slack.wait_for(settled, timeout=120)
                done = time.perf_counter() - started
            except TimeoutError:
                done = float("nan")
            said = slack.workspace.by_bot(scene.ALERTS)
            peak = max(peak, peak_mib(process.pid))
            process.send_signal(signal.SIGTERM)
            await process.wait()
            posts = [c for c in slack.calls if c.method == "chat.postMessage"]
            print(f"alerts {alerts} in {seconds:.0f} s, kill -9 {kills} times")
            print(f"messages {len(said)} (incidents {CAUSES}), threads {len({m.thread_ts for m in said})}")
            print(f"first answer after {firsts[0] if firsts else float('nan'):.2f} s, all counted after {done:.0f} s")
            print(
                f"posts {len(posts)}, refused by limits {slack.rate_limits.refused}, impatient {slack.rate_limits.impatient}"
            )
            print(f"peak memory of the bot {peak:.0f} MiB")


async def _start(folder: str, api_url: str, port: int) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench_storm",
        "--bot",
        folder,
        api_url,
        str(port),
        stderr=asyncio.subprocess.DEVNULL,
    )
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            break
    return process


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A storm of alerts.")
    parser.add_argument("--alerts", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--bot", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bot:
        folder, api_url, port = arguments.bot
        asyncio.run(bot(Path(folder), api_url, int(port)))
    else:
        asyncio.run(storm(arguments.alerts, arguments.seconds, arguments.kills))


if __name__ == "__main__":
    main()
