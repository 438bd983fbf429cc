"""EC2, prices and quotas of one region -> Ec2Facts. Every call is optional: what failed is a `Missing`.

boto3 runs in a few threads beside the event loop. How long answers are kept follows Karpenter, so that the bot judges by
what Karpenter can know.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from bot.model.ec2 import Ec2Facts
from bot.model.gaps import gap_in, gap_of
from bot.model.world import Missing
from bot.sources.aws import Account, Boto, Clients, reason, rest_after
from bot.sources.cache import Held, TtlCache
from bot.sources.ec2_calls import CALLS, EXTRAS, Call, Fetch, Names, Rows
from bot.sources.regions import partition_of

_WORKERS: Final = 12
PATIENCE: Final = 60.0
"""Seconds that one question waits for one fact; a slower answer is there for the next question. In Slack it is less."""
UNPRICED: Final = {
    "aws-us-gov": ({"on_demand_prices"}, "unpriced"),
    "aws-iso": ({"on_demand_prices"}, "unpriced"),
    "aws-iso-e": ({"on_demand_prices"}, "unpriced"),
    "aws-cn": ({"on_demand_prices", "spot_prices", "spot_history"}, "in-yuan"),
}
"""Partition -> facts that cannot be told there, and why: a code of bot/model/gaps.py (pricing.go: China's prices are in CNY)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec2Question:
    """What to read about a region. `instance_types` narrows types, offerings and prices; None: all of them."""

    region: str
    account: Account = field(default_factory=Account)
    instance_types: Names = None
    subnet_ids: frozenset[str] = frozenset()
    leave_out: frozenset[str] = frozenset()
    """Facts that are not needed, by the name of their field in Ec2Facts."""
    also: frozenset[str] = frozenset()
    """Facts beyond those that every answer needs (ec2_calls.EXTRAS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec2Observation:
    """The facts, their gaps, and how old each fact is in seconds, by its name in Ec2Facts."""

    facts: Ec2Facts
    missing: tuple[Missing, ...] = ()
    ages: Mapping[str, float] = field(default_factory=dict)


class Ec2:
    """The door to AWS. Keeps clients, threads and answers; `close` ends the threads and the connections."""

    def __init__(
        self, clients: Clients | None = None, cache: "TtlCache[Rows] | None" = None, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
        self._clients = clients or Boto()
        self._cache = cache or TtlCache[Rows]()
        self._threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="aws")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._clients.close()

    async def observe_ec2(self, question: Ec2Question) -> Ec2Observation:
        """Reads what is asked for, all at once. Never raises over AWS: an unreachable AWS is a list of gaps."""
        if not question.region:
            return Ec2Observation(facts=Ec2Facts(), missing=(gap_in("EC2", "no-region"),))
        left_out = question.leave_out | (EXTRAS - question.also)
        calls = [call for call in CALLS if call.fact not in left_out]
        answers = await asyncio.gather(*(self._observe(call, question) for call in calls))
        facts: dict[str, Any] = {"region": question.region}
        ages: dict[str, float] = {}
        missing: list[Missing] = []
        for call, (held, gap) in zip(calls, answers, strict=True):
            missing.extend([gap] if gap else [])
            if held is not None:
                facts[call.fact], ages[call.fact] = held.value, held.age
        return Ec2Observation(facts=Ec2Facts(**facts), missing=tuple(missing), ages=ages)

    async def _observe(self, call: Call, question: Ec2Question) -> tuple[Held[Rows] | None, Missing | None]:
        unpriced, why = UNPRICED.get(partition_of(question.region), ((), ""))
        if call.fact in unpriced:
            return None, gap_in(call.what, why, region=question.region)
        try:
            held = await self._held(call, question)
        except Exception as error:  # botocore's errors have no common base worth naming, and any costs one fact only
            return None, gap_of(call.what, reason(error, call.action, question.region))
        if held.stale is None:
            return held, None
        code, facts = reason(held.stale, call.action, question.region)
        return held, gap_of(call.what, (code, {**facts, "minutes": f"{held.age / 60:.0f}"}), part="newer")

    async def _held(self, call: Call, question: Ec2Question) -> Held[Rows]:
        """From the cache: the narrow answer, or cut out of the whole region's if that happens to be there."""
        place = (question.account, question.region, call.fact)
        names: Names = question.instance_types if call.by_type else None
        if call.fact == "subnets":
            names = question.subnet_ids
        whole = (
            self._cache.fresh((*place, None), call.ttl) if call.by_type and call.whole and names is not None else None
        )
        if whole is not None and names is not None:
            return Held(tuple(row for row in whole.value if row.instance_type in names), whole.age)
        return await self._cache.get(
            (*place, names),
            call.ttl,
            lambda: self._fetch(call, question, names),
            rest=rest_after,
            patience=self._patience,
        )

    async def _fetch(self, call: Call, question: Ec2Question, names: Names) -> Rows:
        region = pricing_region(question.region) if call.service == "pricing" else question.region
        loop = asyncio.get_running_loop()

        def run(fetch: Fetch) -> "asyncio.Future[Rows]":
            return loop.run_in_executor(
                self._threads, lambda: fetch(self._clients.client(call.service, region, question.account))
            )

        parts = await asyncio.gather(*(run(fetch) for fetch in call.plan(question.region, names)))
        return tuple(row for part in parts for row in part)


def pricing_region(region: str) -> str:
    """Where the Pricing API for a region lives (karpenter-provider-aws pkg/providers/pricing/pricing.go, NewAPI)."""
    nearest = {"ap-": "ap-south-1", "eu-": "eu-central-1"}
    return nearest.get(region[:3], "us-east-1")
