"""What lets several processes be one bot: questions in the store, evidence in the store, and one who watches."""

import asyncio
import logging
import os
import socket
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec

from bot.playbooks import Rendered
from bot.slack.floor import Part
from bot.store import Store, answers, deliveries, questions
from bot.telemetry.measures import state

LOG: Final = logging.getLogger(__name__)
LEASE: Final = "karpenter-bot-watcher"
_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_HOURLY: Final = 3600.0
_LEASE_SECONDS: Final = 15.0
_RENEW_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 2.0


def own_name() -> str:
    """This process among its like: the pod's name and something that no earlier process of it had."""
    return f"{os.environ.get('POD_NAME') or socket.gethostname()}"[:50] + f"-{uuid4().hex[:8]}"


class StoreBook:
    """Questions in work, in the store (bot.slack.handover.Book)."""

    def __init__(self, store: Store, clock: Callable[[], datetime], owner: str = "") -> None:
        self._store, self._clock, self.owner = store, clock, owner or own_name()

    async def keep(self, question_id: str, asked: bytes) -> bool:
        """Ours now, unless this delivery was ever taken before, by whomever."""
        now = self._clock()
        question = questions.Question(id=question_id, asked=asked)
        return await deliveries.first_time(self._store, f"question {question_id}", now) and await questions.keep(
            self._store, question, self.owner, now
        )

    async def shown(self, question_id: str, message_ts: str) -> None:
        """Its message is there."""
        await questions.shown(self._store, question_id, message_ts)

    async def finish(self, question_id: str) -> None:
        """It is answered."""
        await questions.finish(self._store, question_id)

    async def lost(self, most: int) -> Sequence[tuple[str, bytes, str]]:
        """Renews our leases, then takes over what is nobody's."""
        await questions.renew(self._store, self.owner, self._clock())
        if not most:
            return ()
        claimed = await questions.claim(self._store, self.owner, self._clock(), most=most)
        return [(question.id, question.asked, question.message_ts) for question in claimed]

    async def release(self) -> None:
        """Others may have ours."""
        await questions.release(self._store, self.owner, self._clock())


def as_evidence(rendered: Mapping[str, Rendered]) -> bytes:
    """An answer in all its languages, as the store keeps it."""
    return zlib.compress(msgspec.msgpack.encode(rendered))


def evidence_in(kept: bytes, language: str) -> Rendered | None:
    """A kept answer in this language, else in the first; None for one that another version of the bot has written."""
    try:
        found = msgspec.msgpack.decode(zlib.decompress(kept), type=dict[str, Rendered])
    except (msgspec.MsgspecError, zlib.error):
        return None
    return found.get(language) or next(iter(found.values()), None)


class Housekeeping(Part):
    """Forgets what nobody can ask for any more, once an hour."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Ends."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await answers.forget_answers(self._store, self._clock())
                await deliveries.forget_old(self._store, self._clock())
            except Exception as error:
                LOG.warning("old rows stay for now: %s", error)
            await asyncio.sleep(_HOURLY)


class Leadership:
    """One of several replicas, agreed on by a Kubernetes Lease (the official client's election).

    `leads` is a coroutine function that runs while this replica leads, and is cancelled when it no longer does. A replica
    that is not in a cluster, or alone, leads.
    """

    def __init__(self, leads: Callable[[], Awaitable[None]], *, identity: str, namespace: str = "") -> None:
        self._leads, self._identity = leads, identity
        self._namespace = namespace or own_namespace()

    async def run(self, api_client: Any) -> None:  # noqa: ANN401 (most of the package is without types)
        """Stands for election for ever; a server that does not answer costs the lead, not the process."""
        from kubernetes.aio.leaderelection import electionconfig, leaderelection  # noqa: PLC0415 (1 s of imports)
        from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock  # noqa: PLC0415

        while True:
            lock = LeaseLock(LEASE, self._namespace, self._identity, api_client)
            config = electionconfig.Config(
                lock, _LEASE_SECONDS, _RENEW_SECONDS, _RETRY_SECONDS, self._led, self._stopped
            )
            try:
                await leaderelection.LeaderElection(config).run()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # the package lets a broken connection through
                LOG.warning("the lease cannot be held: %s", error)
            finally:
                state("leader", 0)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _led(self) -> None:
        LOG.info("%s watches", self._identity)
        state("leader", 1)
        with suppress(asyncio.CancelledError):
            await self._leads()

    async def _stopped(self) -> None:
        LOG.info("%s watches no more", self._identity)


def own_namespace() -> str:
    """The namespace that this pod runs in; "" outside of a cluster."""
    if named := os.environ.get("POD_NAMESPACE", ""):
        return named
    with suppress(OSError):
        return _NAMESPACE.read_text("utf-8").strip()
    return ""
