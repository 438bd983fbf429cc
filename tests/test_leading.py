"""Of several replicas one watches: never two at once, soon another when one ends, whatever clocks and networks do."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import app
from bot.leading import EVERY, LEASE, SECONDS, Leadership
from bot.sources.errors import ClusterUnreachable, ReadFailed
from tests.fakes.kube import Fault
from tests.fakes.writable_kube import WritableKube, writable

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


class Time:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def contender(
    stack: AsyncExitStack, kube: WritableKube, folder: Path, name: str, time: Time, now: Callable[[], datetime]
) -> Leadership:
    """One that reaches the API server as the bot does."""
    api = await stack.enter_async_context(await app.connect(app.Place(kubeconfig=str(kube.kubeconfig(folder)))))

    async def connect() -> Any:  # noqa: ANN401
        return api

    return Leadership(connect, namespace="ops", identity=name, clock=time, now=now)


async def test_another_takes_over_from_one_that_was_killed_or_frozen_or_that_ended(tmp_path: Path) -> None:
    time, walls = Time(), {"a": NOW, "b": NOW + timedelta(days=400)}  # nobody's wall clock decides
    async with writable([]) as kube, AsyncExitStack() as stack:
        a, b = [await contender(stack, kube, tmp_path, n, time, lambda n=n: walls[n]) for n in "ab"]  # type: ignore[misc]
        await a.stand()
        await b.stand()
        assert (a.leads(), b.leads()) == (True, False)
        spec = kube.find("Lease", LEASE)["spec"]
        assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("a", 0)

        walls["a"] = NOW - timedelta(days=4000)
        for _ in range(20):  # while it renews, nobody else gets it
            time.now += EVERY
            await a.stand()
            await b.stand()
            assert (a.leads(), b.leads()) == (True, False)

        # frozen: it stops taking itself for the leader before anybody else does
        time.now += SECONDS - 1
        await b.stand()
        assert (a.leads(), b.leads()) == (False, False)
        time.now += 2
        await b.stand()
        assert (a.leads(), b.leads()) == (False, True)
        await a.stand()  # awake again
        assert (a.leads(), b.leads()) == (False, True)
        assert kube.find("Lease", LEASE)["spec"]["leaseTransitions"] == 1

        # an end that was planned costs no wait
        await b._give_back()
        assert not b.leads()
        await a.stand()
        assert a.leads()


async def test_without_the_right_nobody_watches_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    said = f'leases.coordination.k8s.io "{LEASE}" is forbidden'
    async with writable([], faults={LEASE: Fault(status=403, message=said)}) as kube, AsyncExitStack() as stack:
        one = await contender(stack, kube, tmp_path, "a", Time(), lambda: NOW)
        await one.start()
        async with asyncio.timeout(5):
            while said not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not one.leads()
        await one.close()


async def test_whoever_is_alone_leads() -> None:
    alone = Leadership(None, namespace="", identity="a")
    await alone.start()
    assert alone.leads()
    await alone.close()


class Register:
    """An API server in memory that takes one write of each version, and loses requests or answers where it is told to."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] | None = None
        self.version = 0
        self.lose = ""

    async def request(self, method: str, path: str, *, body: Any = None) -> bytes:  # noqa: ANN401, ARG002
        if self.lose == "request":
            raise ClusterUnreachable("cut")
        if method == "GET":
            if self.kept is None:
                raise ReadFailed(404, "not found")
            return json.dumps(self.kept).encode()
        known = self.kept["metadata"]["resourceVersion"] if self.kept else None
        if (method == "POST") is (self.kept is not None) or body["metadata"].get("resourceVersion") != known:
            raise ReadFailed(409, "conflict")
        self.version += 1
        self.kept = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        if self.lose == "answer":
            raise ReadFailed(0, "no answer")
        return b"{}"

    async def close(self) -> None: ...


_STEPS = st.tuples(
    st.sampled_from("abc"),
    st.floats(0, 2 * SECONDS),
    st.sampled_from(["stand", "stand", "stand", "lose request", "lose answer", "end"]),
)


@given(st.lists(_STEPS, max_size=60))
def test_never_do_two_take_themselves_for_the_leader(steps: list[tuple[str, float, str]]) -> None:
    async def story() -> None:
        time, register = Time(), Register()

        async def connect() -> Register:
            return register

        all_ = {n: Leadership(connect, namespace="ops", identity=n, clock=time, now=lambda: NOW) for n in "abc"}
        for name, passes, what in steps:
            time.now += passes
            register.lose = what.removeprefix("lose ") if what.startswith("lose") else ""
            with suppress(ClusterUnreachable, ReadFailed):
                await (all_[name]._give_back() if what == "end" else all_[name].stand())
            assert sum(one.leads() for one in all_.values()) <= 1
        register.lose = ""
        for _ in range(2):  # and where somebody stands, somebody leads
            await all_["a"].stand()
            time.now += SECONDS
            await all_["a"].stand()
        assert all_["a"].leads()

    asyncio.run(story())
