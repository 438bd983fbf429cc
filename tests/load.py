"""The serving bot as a process of its own under a flood of slash commands and an alert storm at once, seen from outside.

python -m tests.load [--rate 200] [--seconds 60] [--alerts 1000] [--postgres]
python -m tests.load --rate 1 --seconds 1800 --alerts 60        (does memory stay flat? `make soak`)

The memory curve is written to .cache/load/memory.csv. The fake Slack, the cluster's API and moto run on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.playground.slack.state import User
from tests.bench_serving import moto
from tests.bench_storm import alert
from tests.fakes.kube import serving
from tests.fakes.slack import FakeSlack, scene
from tests.postgres import running_postgres
from tests.serving import REPOSITORY, Deployment, Replica, deployed
from tests.test_server import POD, SEED, karpenter_log, manifests

USERS: Final = 3_000
CURVE: Final = REPOSITORY / ".cache" / "load" / "memory.csv"
AIM: Final = 0.2
LIMIT: Final = 3.0
_PATIENCE: Final = 180.0


@dataclass(slots=True)
class Seen:
    """What was seen from outside. `memory`: (second, MiB of the bot)."""

    memory: list[tuple[float, float]] = field(default_factory=list)
    sent: list[asyncio.Task[object]] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    @property
    def passed(self) -> float:
        return time.perf_counter() - self.began


async def warm(slack: FakeSlack) -> int:
    """Asks until EC2's facts are there and the answer is whole; how often that was."""
    for number in range(20):
        await slack.slash_command(f"why default/{POD}", user=f"ULOAD{number:04d}")
        with suppress(TimeoutError):
            await slack.wait_for(lambda s: told(s)["answer"], timeout=15)
            return number + 1
    raise SystemExit(f"no answer: {told(slack)}")


async def flood(slack: FakeSlack, rate: float, seconds: int, seen: Seen) -> None:
    """So many commands a second, evenly, each of another person than the ones before."""
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, number / rate - seen.passed))
        user = f"ULOAD{number % USERS:04d}"
        seen.sent.append(asyncio.create_task(slack.slash_command(f"why default/{POD}", user=user)))


async def storm(slack: FakeSlack, alerts: int, seconds: int, seen: Seen) -> None:
    """So many alert messages in that time."""
    for number in range(alerts):
        await asyncio.sleep(max(0.0, number * seconds / alerts - seen.passed))
        seen.sent.append(asyncio.create_task(slack.bot_message(alert(number), channel=scene.ALERTS)))


async def watch(bot: Replica, seen: Seen) -> None:
    """Memory, ten times in the shortest run's length and once in ten seconds of a long one."""
    while True:
        seen.memory.append((round(seen.passed, 1), round(bot.mib, 1)))
        await asyncio.sleep(1 if seen.passed < 120 else 10)


def told(slack: FakeSlack) -> Counter[str]:
    """What people see: answers, progress messages that nothing has followed, and reasons why there is no answer."""
    found: Counter[str] = Counter()
    for message in (*slack.workspace.by_bot(scene.OPS), *slack.workspace.ephemerals()):
        known = "answer" if "EFA" in message.text else "progress" if "Looking at" in message.text else ""
        found[known or message.text[:60]] += 1
    return found


async def settled(slack: FakeSlack, commands: int) -> Counter[str]:
    """Once every command has something final, or nothing comes any more."""
    due = time.perf_counter() + _PATIENCE
    while time.perf_counter() < due:
        found = told(slack)
        if not found["progress"] and sum(found.values()) >= commands:
            return found
        await asyncio.sleep(1)
    return told(slack)


async def load(rate: float, seconds: int, alerts: int, store: str, profile: str) -> bool:
    """Starts everything, floods, prints; whether all that must hold held."""
    objects = manifests(SEED)
    with moto() as aws, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        async with FakeSlack() as slack, serving(objects, logs=karpenter_log(objects, SEED)) as kube:
            for number in range(USERS):
                slack.workspace.add_user(User(id=f"ULOAD{number:04d}", name=f"load{number}"))
            plan = Deployment(
                folder=folder,
                slack=slack,
                settings={
                    "clusters": {"training-on-eks": {"kubeconfig": str(kube.kubeconfig(folder))}},
                    "store": {"url": store or f"sqlite:///{folder}/store.sqlite3"},
                },
                mode="http",
                environment={"AWS_ENDPOINT_URL": aws},
                overrides=(f"profile={profile}",) if profile else (),
            )
            async with deployed(plan):
                bot = await plan.start("bot")
                slack.post_to(f"http://127.0.0.1:{bot.port}/slack/events")
                commands = await warm(slack) + round(rate * seconds)
                print(f"warm: {bot.mib:.0f} MiB, load average {os.getloadavg()[0]:.1f}", flush=True)
                seen = Seen()
                watching = asyncio.create_task(watch(bot, seen))
                await asyncio.gather(flood(slack, rate, seconds, seen), storm(slack, alerts, seconds, seen))
                await asyncio.gather(*seen.sent, return_exceptions=True)
                sent = seen.passed
                found = await settled(slack, commands)
                print(f"sent within {sent:.0f} s, all quiet after {seen.passed:.0f} s")
                watching.cancel()
                return report(slack, seen, found, commands) and await bot.end() == 0


def report(slack: FakeSlack, seen: Seen, found: Counter[str], commands: int) -> bool:
    """The figures; False where a command was not acknowledged in time, or has no end."""
    deliveries = [d for d in slack.deliveries if d.kind == "slash_commands"]
    alerts = [d for d in slack.deliveries if d.kind == "events_api"]
    good = True
    for what, some in (("commands", deliveries), ("alert messages", alerts)):
        taken = sorted(d.attempts[-1].seconds for d in some if d.acked)
        if len(taken) < 2:
            continue
        cuts = statistics.quantiles(taken, n=100)
        figures = ", ".join(f"p{p} {cuts[p - 1] * 1000:.0f} ms" for p in (50, 95, 99))
        print(f"{what}: {len(taken)} of {len(some)} acknowledged, {figures}, slowest {taken[-1] * 1000:.0f} ms")
        print(f"  aim: p99 < {AIM * 1000:.0f} ms {'met' if cuts[98] < AIM else 'missed'}")
        good = good and len(taken) == len(some) and taken[-1] < LIMIT
    print(f"told: {dict(found.most_common())} for {commands} commands")
    incidents = {m.thread_ts for m in slack.workspace.by_bot(scene.ALERTS)}
    print(f"alert threads answered: {len(incidents)}; load average {os.getloadavg()[0]:.1f}")
    _curve(seen)
    ended = not found["progress"] and sum(found.values()) >= commands
    print("every command has its answer or its reason" if ended else "COMMANDS WITHOUT AN END")
    return good and ended


def _curve(seen: Seen) -> None:
    CURVE.parent.mkdir(parents=True, exist_ok=True)
    with CURVE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("second", "MiB"), *seen.memory])
    last = seen.memory[-1][0] or 1.0
    steps = [min(seen.memory, key=lambda one: abs(one[0] - last * k / 10)) for k in range(11)]
    print(f"memory (s, MiB): {steps}")
    third = [mib for second, mib in seen.memory if second >= last * 2 / 3]
    before = [mib for second, mib in seen.memory if last / 3 <= second < last * 2 / 3]
    if third and before:
        grown = statistics.median(third) - statistics.median(before)
        print(f"the last third's median is {grown:+.1f} MiB from the middle third's; curve in {CURVE}")


@contextmanager
def _store(*, postgres: bool) -> Iterator[str]:
    with ExitStack() as stack:
        yield stack.enter_context(running_postgres()).new_database() if postgres else ""


def main() -> None:
    """The command line: exit code 1 where something was not acknowledged in time or has no end."""
    parser = argparse.ArgumentParser(description="A flood of commands and an alert storm.")
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--alerts", type=int, default=1000)
    parser.add_argument("--postgres", action="store_true", help="instead of SQLite")
    parser.add_argument("--profile", metavar="FILE", default="", help="the bot under cProfile")
    arguments = parser.parse_args()
    with _store(postgres=arguments.postgres) as store:
        good = asyncio.run(load(arguments.rate, arguments.seconds, arguments.alerts, store, arguments.profile))
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
