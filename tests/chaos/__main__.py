"""Ten minutes of everything at once: replicas on PostgreSQL killed, frozen and replaced under load while all around breaks.

python -m tests.chaos [--minutes 10] [--replicas 2] [--rate 2] [--seed 1]

People ask by mention, each in a thread of their own, so that what is lost or doubled can be counted. Exit code 1 where a
thread has none or two answers, a progress message stays, or a replica does not come back.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bot.playground.slack.state import User
from tests.bench_serving import moto
from tests.bench_storm import alert
from tests.fakes.kube import FakeKube, serving
from tests.fakes.kube import Fault as KubeFault
from tests.fakes.slack import FakeSlack, Fault, Message, Timing, scene
from tests.postgres import PostgresServer, running_postgres
from tests.serving import REPOSITORY, Deployment, Replica, deployed
from tests.test_server import POD, SEED, karpenter_log, manifests

TIMING = Timing(retries=(1.0, 5.0, 15.0, 30.0, 60.0))
PEOPLE = 200
KEPT = REPOSITORY / ".cache" / "chaos"
QUIET = 90.0
"""Seconds without trouble at the end, in which all that was asked must get its answer."""


@dataclass(slots=True, kw_only=True)
class World:
    """What there is to break."""

    plan: Deployment
    slack: FakeSlack
    kube: FakeKube
    postgres: PostgresServer
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    numbers: int = 0

    @property
    def alive(self) -> list[Replica]:
        return [replica for replica in self.plan.replicas if replica.process.returncode is None]

    async def start(self) -> None:
        """One more replica; it may take its time while things are broken."""
        self.numbers += 1
        with suppress(AssertionError, TimeoutError):
            await self.plan.start(f"replica-{self.numbers}")

    async def kill(self) -> None:
        """kill -9, and what a Deployment does about it."""
        victim = self.chance.choice(self.alive)
        victim.kill()
        await victim.process.wait()
        await self.start()

    async def roll(self) -> None:
        """A new one first, then the old one is told to end."""
        victim = self.alive[0]
        await self.start()
        await victim.end()

    async def freeze(self) -> None:
        victim = self.chance.choice(self.alive)
        victim.freeze()
        await asyncio.sleep(self.chance.uniform(5, 25))
        victim.thaw()

    async def database(self) -> None:
        await asyncio.to_thread(self.postgres.stop)
        await asyncio.sleep(self.chance.uniform(0.5, 4))
        await asyncio.to_thread(self.postgres.start)

    async def cluster(self) -> None:
        """The API server throttles, fails or hangs for a while, and cuts what is watched."""
        fault = self.chance.choice(
            [KubeFault(status=429, message="slow down"), KubeFault(status=500, message="etcd"), KubeFault(hang=True)]
        )
        self.kube.faults[""] = fault
        self.kube.history.end()
        await asyncio.sleep(self.chance.uniform(3, 12))
        self.kube.faults.pop("", None)

    async def talk(self) -> None:
        """Slack throttles, fails, cuts lines before and after, and is slow."""
        times = self.chance.randint(3, 12)
        self.slack.faults.add(
            self.chance.choice(
                [
                    Fault(method="chat.update", status=503, times=times),
                    Fault(method="chat.update", lost=True, times=times),
                    Fault(method="chat.postMessage", retry_after=1, times=times),
                    Fault(method="chat.postMessage", lost=True, times=times),
                    Fault(method="chat.postMessage", reset=True, times=times),
                    Fault(method="*", delay=2.0, times=times),
                    Fault(method="chat.postMessage", error="internal_error", times=times),
                ]
            )
        )

    async def sockets(self) -> None:
        """Slack asks all to connect again."""
        await self.slack.sockets.disconnect("refresh_requested")


async def break_things(world: World, until: float) -> None:
    """One trouble after the other, at random."""
    troubles: list[Callable[[], Awaitable[None]]] = [
        *[world.kill] * 4,
        world.roll,
        world.freeze,
        world.database,
        world.cluster,
        *[world.talk] * 2,
        world.sockets,
    ]
    while time.monotonic() < until:
        trouble = world.chance.choice(troubles)
        world.done[trouble.__name__] += 1
        await trouble()
        await asyncio.sleep(world.chance.uniform(1, 8))


async def ask(world: World, rate: float, until: float) -> list[Message]:
    """Mentions, evenly; each of another person than the ones before."""
    asked: list[Message] = []
    sending: list[asyncio.Task[None]] = []

    async def one(number: int) -> None:
        asked.append(await world.slack.mention(f"why default/{POD}", user=f"UCHAOS{number % PEOPLE:03d}"))

    number = 0
    while time.monotonic() < until:
        sending.append(asyncio.create_task(one(number)))
        if number % 10 == 0:
            sending.append(asyncio.create_task(_alert(world.slack, number)))
        number += 1
        await asyncio.sleep(1 / rate)
    await asyncio.gather(*sending, return_exceptions=True)
    return asked


async def _alert(slack: FakeSlack, number: int) -> None:
    await slack.bot_message(alert(number), channel=scene.ALERTS)


def verdict(world: World, asked: list[Message]) -> list[str]:
    """What is wrong, a line each."""
    wrong: list[str] = []
    counts: Counter[int] = Counter()
    for question in asked:
        replies = [m for m in world.slack.workspace.replies(question.channel, question.ts) if m.bot_id]
        counts[len(replies)] += 1
        if len(replies) != 1:
            shown = [f"{m.text[:60]!r} ({m.user} {m.ts} {m.metadata})" for m in replies]
            wrong.append(f"{len(replies)} replies to {question.ts}: {shown}")
        elif "Looking at" in replies[0].text:
            wrong.append(f"no end to {question.ts}")
    print(f"replies to a question: {dict(counts)}")
    said = Counter(m.text[:50] for m in world.slack.workspace.by_bot(scene.OPS))
    print(f"told: {dict(said.most_common(12))}")
    incidents = Counter(
        (m.thread_ts, m.metadata and str(m.metadata)) for m in world.slack.workspace.by_bot(scene.ALERTS)
    )
    wrong += [f"an incident has {count} messages: {key}" for key, count in incidents.items() if count > 1]
    print(f"incidents shown: {len(incidents)}")
    return wrong


async def chaos(minutes: float, replicas: int, rate: float, seed: int) -> int:
    """Starts everything, breaks it, waits, counts."""
    objects = manifests(SEED)
    with moto() as aws, running_postgres() as postgres, tempfile.TemporaryDirectory() as place:
        async with FakeSlack(timing=TIMING) as slack, serving(objects, logs=karpenter_log(objects, SEED)) as kube:
            for number in range(PEOPLE):
                slack.workspace.add_user(User(id=f"UCHAOS{number:03d}", name=f"chaos{number}"))
            settings = {
                "clusters": {"training-on-eks": {"kubeconfig": str(kube.kubeconfig(Path(place)))}},
                "store": {"url": postgres.new_database()},
            }
            environment = {"AWS_ENDPOINT_URL": aws}
            plan = Deployment(
                folder=Path(place),
                slack=slack,
                settings=settings,
                environment=environment,
                overrides=("look=2",),
            )
            async with deployed(plan):
                world = World(plan=plan, slack=slack, kube=kube, postgres=postgres, chance=random.Random(seed))
                await asyncio.gather(*(world.start() for _ in range(replicas)))
                until = time.monotonic() + minutes * 60
                _, asked = await asyncio.gather(break_things(world, until), ask(world, rate, until))
                while len(world.alive) < replicas:
                    await world.start()
                slack.faults.waiting.clear()
                settled = time.monotonic() + QUIET
                while time.monotonic() < settled and verdict_quietly(world, asked):  # noqa: ASYNC110
                    await asyncio.sleep(2)
                print(
                    f"{len(asked)} questions in {minutes:g} min at {replicas} replicas, seed {seed}: {dict(world.done)}"
                )
                wrong = verdict(world, asked)
                tracebacks = sum(replica.said().count("Traceback") for replica in plan.replicas)
                print(f"replicas started: {world.numbers}, tracebacks in their logs: {tracebacks}")
                if wrong:
                    shutil.rmtree(KEPT, ignore_errors=True)
                    shutil.copytree(place, KEPT, ignore=shutil.ignore_patterns("*.yaml"))
                    print(f"the replicas' logs are in {KEPT} (a question's lines bear its id's first eight letters)")
    for line in wrong[:20]:
        print(" ", line)
    print(f"wrong: {len(wrong)}")
    return 1 if wrong else 0


def verdict_quietly(world: World, asked: list[Message]) -> bool:
    """Whether something still waits."""
    for question in asked:
        replies = [m for m in world.slack.workspace.replies(question.channel, question.ts) if m.bot_id]
        if not replies or "Looking at" in replies[0].text:
            return True
    return False


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Everything breaks.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2, help="questions a second")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    raise SystemExit(asyncio.run(chaos(arguments.minutes, arguments.replicas, arguments.rate, arguments.seed)))


if __name__ == "__main__":
    main()
