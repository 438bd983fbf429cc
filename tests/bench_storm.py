"""A storm: 1,000 alerts in a minute about 10,000 pending pods of 20 workloads with 20 causes, at Slack's limits.

python -m tests.bench_storm [--alerts 1000] [--seconds 60] [--kills 0]

Three processes: the serving bot as `serve` builds it (desk, store, alert threads), a Kubernetes API server with the storm's
cluster, and here the fake Slack with its rate limits and redeliveries at Slack's own intervals. EC2's facts are recorded.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.app import wall_clock
from bot.slack.serving import EVENTS_PATH
from tests.alerts import firing, layouts
from tests.bench_serving import peak_mib
from tests.cluster.processes import free_ports
from tests.fakes.kube import serving
from tests.fakes.slack import FakeSlack, Message, scene
from tests.storm_cluster import NAMESPACE, SEED, WORKLOADS, Workload, storm_cluster

CLUSTER = "osprey-prod"
PODS_AN_ALERT = 10
SERVES = ("trainer.kubeflow.org/v1alpha1", "jobset.x-k8s.io/v1alpha2", "batch/v1", "policy/v1")


def alert(number: int) -> layouts.Event:
    """Alert `number`: ten more pods of one of the workloads."""
    workload, first = WORKLOADS[number % len(WORKLOADS)], number // len(WORKLOADS) * PODS_AN_ALERT
    labels = {**firing.POD, "cluster": CLUSTER, "namespace": NAMESPACE}
    pods = [{**labels, "pod": workload.pod_name(first + index)} for index in range(PODS_AN_ALERT)]
    event = layouts.default_template(pods, text=layouts.alert_list(pods))
    return {name: value for name, value in event.items() if name != "ts"}


# -- the other two processes ---------------------------------------------------------------------------------------


async def kube(folder: Path) -> None:
    """The API server; its kubeconfig in the folder says that it is there."""
    with tempfile.TemporaryDirectory() as scratch:
        cluster = storm_cluster(Path(scratch), wall_clock())
    async with serving(cluster.objects, logs=cluster.logs, served=SERVES) as server:
        server.kubeconfig(folder)
        await asyncio.Event().wait()


async def _started(module: str, *arguments: str) -> asyncio.subprocess.Process:
    log = Path(os.environ.get("STORM_LOG", os.devnull))
    with log.open("ab") as errors:  # noqa: ASYNC230 (once)
        return await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments, stderr=errors)


async def _listens(port: int) -> None:
    for _ in range(1200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError(f"nothing listens on port {port}")


def bot_settings(folder: Path, slack: FakeSlack, port: int) -> str:
    """What tests.storm_bot serves with; the file's path."""
    told = {
        "kubeconfig": str(folder / "kubeconfig"),
        "snapshot": str(SEED),
        "cluster": CLUSTER,
        "store": str(folder / "store.sqlite3"),
        "port": port,
        "api_url": slack.api_url,
        "bot_token": slack.workspace.bot_token,
        "app_token": slack.app.app_token,
        "signing_secret": slack.app.signing_secret,
    }
    file = folder / "settings.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    return str(file)


@asynccontextmanager
async def api_server(folder: Path) -> AsyncIterator[None]:
    """The API server until the block ends."""
    process = await _started("tests.bench_storm", "--kube", str(folder))
    while not (folder / "kubeconfig").exists():  # noqa: ASYNC110 (another process makes it)
        await asyncio.sleep(0.1)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


# -- the storm -----------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What was measured. `answered`: workload -> seconds from its first alert to its answer."""

    sent: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    peak: float = 0.0

    def look(self, slack: FakeSlack) -> None:
        """Takes the time of answers that are new."""
        now = time.perf_counter()
        for message in slack.workspace.by_bot(scene.ALERTS):
            found = about(message)
            if found is not None and found.name not in self.answered and found.name in self.sent:
                self.answered[found.name] = now - self.sent[found.name]


def about(message: Message) -> Workload | None:
    """The workload of an answer, by the pod that it names."""
    said = message.text + json.dumps(message.blocks)
    return next((one for one in WORKLOADS if f"{NAMESPACE}/{one.name}-" in said), None)


def counted(message: Message, alerts: int) -> bool:
    """Whether the message counts all alerts of its workload."""
    return f"in {alerts // len(WORKLOADS)} alerts" in message.text


@contextmanager
def _watching(seen: Seen, slack: FakeSlack) -> Iterator[None]:
    async def look() -> None:
        while True:
            seen.look(slack)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(look())
    try:
        yield
    finally:
        task.cancel()


async def storm(alerts: int, seconds: float, kills: int) -> None:
    """Starts everything, posts, kills, waits until all is counted, prints."""
    (port,) = free_ports(1)
    seen = Seen()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with api_server(folder), FakeSlack() as slack:
            slack.rate_limits.enforced = True
            slack.post_to(f"http://127.0.0.1:{port}{EVENTS_PATH}")
            settings = bot_settings(folder, slack, port)
            process = await _started("tests.storm_bot", settings)
            await _listens(port)
            await _warm(slack)
            print(f"before the storm: peak memory {peak_mib(process.pid):.0f} MiB")
            started = time.perf_counter()
            kill_at = [alerts * (k + 1) // (kills + 1) for k in range(kills)]
            sending: list[asyncio.Task[object]] = []
            with _watching(seen, slack):
                for number in range(alerts):
                    await asyncio.sleep(max(0.0, started + number * seconds / alerts - time.perf_counter()))
                    seen.sent.setdefault(WORKLOADS[number % len(WORKLOADS)].name, time.perf_counter())
                    sending.append(asyncio.create_task(slack.bot_message(alert(number), channel=scene.ALERTS)))
                    if number in kill_at:
                        seen.peak = max(seen.peak, peak_mib(process.pid))
                        process.send_signal(signal.SIGKILL)
                        await process.wait()
                        process = await _started("tests.storm_bot", settings)
                done = await _settled(slack, alerts, started)
                await asyncio.gather(*sending, return_exceptions=True)
            seen.peak = max(seen.peak, peak_mib(process.pid))
            process.send_signal(signal.SIGTERM)
            await process.wait()
            report(slack, seen, folder, done, (alerts, seconds, kills))


async def _warm(slack: FakeSlack) -> None:
    """A bot that has been up for a while, as most are: it has read NodePools and instance types once."""
    await slack.slash_command("nodepools", user=scene.ANNA, channel=scene.OPS)
    await slack.wait_for(lambda s: [m for m in s.workspace.by_bot(scene.OPS) if "ready" in m.text], timeout=120)


async def _settled(slack: FakeSlack, alerts: int, started: float) -> float:
    """Seconds until every answer counts all its alerts."""

    def all_counted(one: FakeSlack) -> bool:
        said = one.workspace.by_bot(scene.ALERTS)
        return sum(counted(message, alerts) for message in said) >= len(WORKLOADS)

    try:
        await slack.wait_for(all_counted, timeout=240)
    except TimeoutError:
        return float("nan")
    return time.perf_counter() - started


def report(slack: FakeSlack, seen: Seen, folder: Path, done: float, how: tuple[int, float, int]) -> None:
    """Prints what happened, beside what must have."""
    alerts, seconds, kills = how
    said = slack.workspace.by_bot(scene.ALERTS)
    incidents = [(message.metadata or {}).get("event_payload", {}).get("incident") for message in said]
    database = sqlite3.connect(folder / "store.sqlite3")
    kept, dealt_with = database.execute("SELECT count(*), sum(done) FROM alert_inbox").fetchone()
    bodies = [json.loads(body) for (body,) in database.execute("SELECT body FROM incidents")]
    causes = [key.rpartition(":")[2] for (key,) in database.execute("SELECT key FROM incidents")]
    right = {one.cause for one in WORKLOADS} & set(causes)
    times = sorted(seen.answered.values())
    first = min(times, default=float("nan"))
    print(f"{alerts} alerts in {seconds:.0f} s about 10,000 pods, kill -9 {kills} times; load {os.getloadavg()[0]:.1f}")
    print(f"causes answered {len(right)} of {len(WORKLOADS)}; others named: {sorted(set(causes) - right) or 'none'}")
    print(f"messages {len(said)}, incidents {len(bodies)}, posted twice {len(incidents) - len(set(incidents))}")
    print(f"alerts kept {kept}, dealt with {dealt_with}, counted {sum(body['alerts'] for body in bodies)}")
    print(f"pods named {sum(len(body['pods']) for body in bodies)}; all counted after {done:.0f} s")
    middle = statistics.median(times) if times else float("nan")
    print(f"first answer {first:.2f} s after its alert; median {middle:.1f} s, slowest {max(times, default=0):.1f} s")
    posts = sum(call.method == "chat.postMessage" for call in slack.calls)
    limits = slack.rate_limits
    print(f"posts {posts}, refused by limits {limits.refused}, sent again too early {limits.impatient}")
    print(f"peak memory of the bot {seen.peak:.0f} MiB")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A storm of alerts.")
    parser.add_argument("--alerts", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--kube", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.kube:
        asyncio.run(kube(Path(arguments.kube)))
    else:
        asyncio.run(storm(arguments.alerts, arguments.seconds, arguments.kills))


if __name__ == "__main__":
    main()
