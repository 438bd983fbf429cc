"""`make bench`: EC2's part of an answer. AWS is moto, in a process of its own, so its figures count moto's own time too.

python -m tests.bench_ec2
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from bot import markets
from bot.app import Place, Shared
from bot.catalogues import Catalogues
from bot.sources.ec2 import Ec2, Ec2Question
from tests.bench import SEED, milliseconds, report

REGION = "ap-northeast-2"
RUNS = 5


def _serve(told: Connection) -> None:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    told.send(server.get_host_and_port())
    told.recv()


@contextmanager
def moto() -> Iterator[None]:
    """moto's server in another process, named by the environment."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    host, port = ours.recv()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
    }
    try:
        yield
    finally:
        ours.send("stop")
        process.join(5)


async def load(label: str, ec2: Ec2, types: frozenset[str] | None = None) -> None:
    """One whole region, as every `why` needs it, or what it takes to answer about a few types."""
    began = time.perf_counter()
    seen = await ec2.observe_ec2(Ec2Question(region=REGION, instance_types=types))
    took = (time.perf_counter() - began) * 1000
    known, offers = len(seen.facts.instance_types or ()), len(seen.facts.offerings or ())
    print(f"{label:<58} {took:8.1f} ms   ({known} types, {offers} offerings; {len(seen.missing)} facts moto lacks)")


async def bench_live() -> None:
    """moto itself is asked once before, for it reads its files at the first question."""
    first = Ec2()
    await load("a region of EC2, moto's first answer", first)
    first.close()
    narrow = Ec2()
    await load("one type, cold; what moto lacks answers HTTP 500", narrow, frozenset({"p5.48xlarge"}))
    narrow.close()
    ec2 = Ec2()
    await load("a whole region of EC2, cold", ec2)
    await load("a whole region of EC2, from the cache", ec2)
    ec2.close()
    shared = Shared(ec2=Ec2(), catalogues=Catalogues())
    for label in (
        "`offerings p5.48xlarge`, cold",
        "`offerings p5.48xlarge`, from the cache",
        "`offerings p5`, a family",
    ):
        await answer(label, shared)
    shared.ec2.close()


async def answer(label: str, shared: Shared) -> None:
    """A whole answer of `offerings` from EC2 alone, with everything that only it asks for."""
    name = label.split()[1].strip("`,")
    found = await markets.offerings_of(None, shared, Place(), name, REGION)
    print(f"{label:<58} {found.elapsed_ms:8.1f} ms   ({len(found.table.rows)} rows)")


def main() -> None:
    print(f"load average {os.getloadavg()[0]:.1f}")
    with moto():
        asyncio.run(bench_live())
    report(
        "offerings of one type, recorded cluster, in process",
        milliseconds(lambda: markets.offerings_from_snapshot(SEED, "p5.48xlarge"), RUNS),
    )
    report(
        "all NodePools, recorded cluster, in process",
        milliseconds(lambda: markets.nodepools_from_snapshot(SEED), RUNS),
    )


if __name__ == "__main__":
    main()
