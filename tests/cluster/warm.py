"""One process, one question asked again and again, as the serving bot does it: `python -m tests.cluster.warm NS/POD TIMES`.

Connection, AWS answers, API discovery and catalogues are kept between questions; everything else is read anew. Prints a
line of JSON for each question. Calls and bytes are those of the Kubernetes API, uncompressed as they are in a cluster.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bot.app import Place, Shared, diagnosis_of
from bot.catalogues import Catalogues
from bot.sources.cluster import Cluster
from bot.sources.ec2 import Ec2
from bot.sources.kube_api import JSON, KubeApi, Query, open_connection
from bot.sources.pod_search import PodQuestion


@dataclass(slots=True)
class CountedApi:
    """A KubeApi that counts what goes through it."""

    api: KubeApi
    sizes: dict[str, int] = field(default_factory=dict)
    calls: int = 0

    async def get(self, path: str, query: Query = (), accept: str = JSON) -> bytes:
        self.calls += 1
        body = await self.api.get(path, query, accept)
        self.sizes[path] = self.sizes.get(path, 0) + len(body)
        return body

    async def stream(self, path: str, query: Query = ()) -> AsyncIterator[bytes]:
        self.calls += 1
        async for chunk in self.api.stream(path, query):
            self.sizes[path] = self.sizes.get(path, 0) + len(chunk)
            yield chunk


async def ask(question: PodQuestion, times: int) -> None:
    place = Place(region=os.environ["AWS_REGION"])
    shared = Shared(ec2=Ec2(), catalogues=Catalogues())
    try:
        async with await open_connection(compressed=False) as connection:
            api = CountedApi(connection)
            cluster = Cluster(api)
            for number in range(times):
                api.calls, api.sizes = 0, {}
                started, spent = time.perf_counter(), time.process_time()
                diagnosis = await diagnosis_of(cluster, shared, place, question)
                row = {
                    "question": number + 1,
                    "causes": [cause.id for cause in diagnosis.causes],
                    "seconds": round(time.perf_counter() - started, 3),
                    "cpuSeconds": round(time.process_time() - spent, 3),
                    "apiCalls": api.calls,
                    "apiKiB": sum(api.sizes.values()) // 1024,
                    "largest": max(api.sizes, key=lambda path: api.sizes[path]),
                    "peakMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                }
                print(json.dumps(row), flush=True)
    finally:
        shared.ec2.close()


if __name__ == "__main__":
    asyncio.run(ask(PodQuestion.parse(sys.argv[1]), int(sys.argv[2])))
