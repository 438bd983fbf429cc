"""One of several replicas watches what has no deliveries of its own: they agree on it by a Kubernetes Lease.

The rules are those of Kubernetes' own components (client-go: tools/leaderelection, v0.34): a holder that says nothing for
SECONDS is replaced, and one that could not renew for BELIEVED seconds no longer takes itself for it, so that a process that
was frozen does not go on where another has begun. Both are told by a clock that nobody sets.

Why not the official client's election (kubernetes.aio.leaderelection, 37.0): it reads the wall clock, a broken connection
ends it while what it started goes on, and a leader that wakes up leads for its whole renew deadline once more.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from bot import app
from bot.config import Config
from bot.slack.floor import Part
from bot.sources.errors import ReadFailed, SourceError
from bot.telemetry.measures import state

LOG: Final = logging.getLogger(__name__)
LEASE: Final = "karpenter-bot-watcher"
SECONDS: Final = 15
BELIEVED: Final = 10.0
EVERY: Final = 2.5
_CALL: Final = 5.0
_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class LeaseApi(Protocol):
    """What is needed of a connection to the API server that keeps the lease."""

    async def request(self, method: str, path: str, *, body: object = None) -> bytes:
        """Raises SourceError, ReadFailed."""
        ...

    async def close(self) -> None: ...


class Leadership(Part):
    """Stands for election for as long as the bot serves. Without `connect` this process is alone, and leads."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[LeaseApi]] | None,
        *,
        namespace: str,
        identity: str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = app.wall_clock,
    ) -> None:
        self.identity = identity
        self._connect, self._clock, self._now = connect, clock, now
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._api: LeaseApi | None = None
        self._renewed = float("-inf")
        self._version, self._since = "", 0.0
        self._led, self._trouble = False, ""
        self._standing: asyncio.Task[None] | None = None

    def leads(self) -> bool:
        """Whether this process is the one that watches, now: ask before each round of work."""
        return self._connect is None or self._clock() - self._renewed < BELIEVED

    async def start(self) -> None:
        """Begins to stand for election."""
        state("leader", float(self.leads()))
        if self._connect is not None:
            self._standing = asyncio.create_task(self._stand_for_ever())

    async def close(self) -> None:
        """Gives the lease back, so that another need not wait until it runs out."""
        if self._standing is None:
            return
        self._standing.cancel()
        await asyncio.gather(self._standing, return_exceptions=True)
        with suppress(SourceError, ReadFailed, TimeoutError):
            async with asyncio.timeout(_CALL):
                await self._give_back()
        if self._api is not None:
            await self._api.close()

    async def _stand_for_ever(self) -> None:
        while True:
            trouble = ""
            try:
                async with asyncio.timeout(_CALL):
                    await self.stand()
            except TimeoutError:
                trouble = f"no answer within {_CALL:.0f} s"
            except Exception as error:  # whatever it is, the next try comes
                trouble = str(error) or type(error).__name__
            self._tell(trouble)
            await asyncio.sleep(EVERY)

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            LOG.warning("the lease %s cannot be held, so this replica does not watch: %s", LEASE, trouble)
        leads = self.leads()
        if leads != self._led:
            LOG.info("%s watches%s", self.identity, "" if leads else " no more")
        self._led, self._trouble = leads, trouble
        state("leader", float(leads))

    async def stand(self) -> None:
        """Takes, renews or leaves the lease, once. Raises SourceError, ReadFailed."""
        asked = self._clock()  # before anybody can have seen the renewal, so that nobody takes over while we believe
        lease = await self._read()
        if lease is None:
            written = await self._write("POST", self._path, self._taken({}, {}))
        else:
            spec = lease.get("spec") or {}
            holder, version = spec.get("holderIdentity") or "", str(lease["metadata"]["resourceVersion"])
            if version != self._version:
                self._version, self._since = version, self._clock()
            if holder not in ("", self.identity) and asked - self._since < SECONDS:
                self._renewed = float("-inf")
                return
            written = await self._write("PUT", f"{self._path}/{LEASE}", self._taken(lease["metadata"], spec))
        self._renewed = asked if written else float("-inf")

    def _taken(self, metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
        """The lease as ours from now on; who held it before is counted."""
        renewed = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        mine = {"holderIdentity": self.identity, "leaseDurationSeconds": SECONDS, "renewTime": renewed}
        if spec.get("holderIdentity") != self.identity:
            mine |= {"acquireTime": renewed, "leaseTransitions": (spec.get("leaseTransitions") or 0) + bool(spec)}
        return _lease({"name": LEASE, **metadata}, {**spec, **mine})

    async def _give_back(self) -> None:
        if not self.leads():
            return
        self._renewed = float("-inf")
        lease = await self._read()
        if lease is None or lease["spec"].get("holderIdentity") != self.identity:
            return
        spec = {name: value for name, value in lease["spec"].items() if name != "holderIdentity"}
        await self._write("PUT", f"{self._path}/{LEASE}", _lease(lease["metadata"], spec))

    async def _read(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(await (await self._reach()).request("GET", f"{self._path}/{LEASE}"))
        except ReadFailed as failure:
            if failure.status == 404:
                return None
            raise
        return found

    async def _write(self, method: str, path: str, body: dict[str, Any]) -> bool:
        """False where somebody was faster: the API server takes one write of each version."""
        try:
            await (await self._reach()).request(method, path, body=body)
        except ReadFailed as failure:
            if failure.status == 409:
                return False
            raise
        return True

    async def _reach(self) -> LeaseApi:
        if self._api is None:
            assert self._connect is not None  # noqa: S101 (nobody stands alone for election)
            self._api = await self._connect()
        return self._api


def leadership(config: Config, identity: str) -> Leadership:
    """Stands for election where replicas share a database in a cluster; else this process is the only one."""
    namespace = own_namespace()
    if not namespace or not config.store.url.startswith("postgres"):
        return Leadership(None, namespace="", identity=identity)

    async def connect() -> LeaseApi:
        return await app.connect(app.Place(in_cluster="KUBERNETES_SERVICE_HOST" in os.environ))

    return Leadership(connect, namespace=namespace, identity=identity)


def own_namespace() -> str:
    """The namespace that this pod runs in; "" outside of a cluster."""
    if named := os.environ.get("POD_NAMESPACE", ""):
        return named
    with suppress(OSError):
        return _NAMESPACE.read_text("utf-8").strip()
    return ""


def _lease(metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
