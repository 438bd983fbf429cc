"""One process, one question asked again and again, as the serving bot does it: `python -m tests.cluster.warm NS/POD TIMES`.

Connection, AWS answers, API discovery, catalogues and the mirror's watches are kept between questions; everything else is
read anew. Prints a line of JSON for the start, and one for each question. Calls and bytes are those of the Kubernetes API,
uncompressed as they are in a cluster.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from bot.app import Place, Shared, diagnosis_of, prepare
from bot.catalogues import Catalogues
from bot.sources.cluster import Cluster
from bot.sources.ec2 import Ec2
from bot.sources.kube_api import JSON, Query, WatchApi, open_connection
from bot.sources.mirror import Mirror
from bot.sources.pod_search import PodQuestion


@dataclass(slots=True)
class CountedApi:
    """A WatchApi that counts what goes through it."""

    api: WatchApi
    sizes: dict[str, int] = field(default_factory=dict)
    slowest: tuple[float, str] = (0.0, "")
    calls: int = 0

    async def get(self, path: str, query: Query = (), accept: str = JSON) -> bytes:
        self.calls += 1
        began = time.perf_counter()
        body = await self.api.get(path, query, accept)
        self.slowest = max(self.slowest, (round(time.perf_counter() - began, 3), f"{path}?{urlencode(list(query))}"))
        self.sizes[path] = self.sizes.get(path, 0) + len(body)
        return body

    async def stream(self, path: str, query: Query = ()) -> AsyncIterator[bytes]:
        self.calls += 1
        async for chunk in self.api.stream(path, query):
            self.sizes[path] = self.sizes.get(path, 0) + len(chunk)
            yield chunk

    @asynccontextmanager
    async def watch(self, path: str, query: Query, silence: float) -> AsyncIterator[AsyncIterator[bytes]]:
        self.calls += 1
        async with self.api.watch(path, query, silence) as lines:
            yield self._counted(path, lines)

    async def _counted(self, path: str, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for line in lines:
            self.sizes[path] = self.sizes.get(path, 0) + len(line)
            yield line


@dataclass(slots=True)
class Meter:
    """Time, calls and bytes of one step."""

    api: CountedApi
    started: float = field(default_factory=time.perf_counter)
    spent: float = field(default_factory=time.process_time)

    def __post_init__(self) -> None:
        self.api.calls, self.api.sizes, self.api.slowest = 0, {}, (0.0, "")

    def row(self, **more: object) -> dict[str, object]:
        sizes = self.api.sizes
        return {
            **more,
            "seconds": round(time.perf_counter() - self.started, 3),
            "cpuSeconds": round(time.process_time() - self.spent, 3),
            "apiCalls": self.api.calls,
            "apiKiB": sum(sizes.values()) // 1024,
            "slowest": self.api.slowest,
            "largest": max(sizes, key=lambda path: sizes[path], default=""),
            "residentMiB": _resident_mib(),
            "peakMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }


def _resident_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


async def ask(question: PodQuestion, times: int) -> None:
    place = Place(region=os.environ["AWS_REGION"])
    shared = Shared(ec2=Ec2(), catalogues=Catalogues())
    connection = await open_connection(compressed=False)
    api = CountedApi(connection)
    mirror = Mirror(api)
    cluster = Cluster(api, standing=mirror)
    try:
        meter = Meter(api)
        await prepare(cluster, shared, place)
        print(json.dumps(meter.row(question="(start)")), flush=True)
        for number in range(times):
            meter = Meter(api)
            diagnosis = await diagnosis_of(cluster, shared, place, question)
            causes = [cause.id for cause in diagnosis.causes]
            row = meter.row(question=number + 1, causes=causes, missing=[str(gap) for gap in diagnosis.missing])
            print(json.dumps(row), flush=True)
    finally:
        shared.ec2.close()
        await mirror.close()
        await connection.close()


if __name__ == "__main__":
    asyncio.run(ask(PodQuestion.parse(sys.argv[1]), int(sys.argv[2])))
