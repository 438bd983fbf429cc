"""Which pods wait, from when to when: noted with each answer, looked after every minute, so that a digest can count."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from bot.alerts.owners import owner_of
from bot.app import Clock, waiting
from bot.config import Config
from bot.departing import Connecting
from bot.model.diagnosis import Diagnosis, Verdict
from bot.model.kubernetes import Pod
from bot.sources.errors import ReadFailed, SourceError
from bot.sources.reading import Reader
from bot.sources.resources import PENDING, PODS
from bot.store import Store, StoreUnavailable
from bot.store.waits import GONE, NODE, Asked, Wait, end_wait, keep_asked, keep_waits, open_waits

LOG: Final = logging.getLogger(__name__)
MOST_PODS: Final = 5_000
_NO_WAIT: Final = frozenset({Verdict.RUNNING, Verdict.NOT_KARPENTERS_JOB})


class Waits:
    """The digest's memory."""

    def __init__(self, store: Store, connecting: Connecting, config: Config, clock: Clock) -> None:
        self._store, self._connecting, self._config, self._clock = store, connecting, config, clock

    async def noted(self, cluster: str, diagnosis: Diagnosis, channel: str) -> None:
        """Keeps that an answer was given and, where its pod waits, that it does. A store in trouble costs the digest only."""
        pod, now = diagnosis.pod, self._clock()
        cause = diagnosis.causes[0].id if diagnosis.causes else ""
        place = {"cluster": cluster, "namespace": pod.namespace, "owner": owner_of(pod.name), "cause": cause}
        about = diagnosis.waiting
        try:
            await keep_asked(self._store, Asked(at=now, channel=channel, **place))
            if about is not None and diagnosis.verdict not in _NO_WAIT:
                wait = Wait(
                    pod=pod.name, since=about.since, gpus=about.gpus, seen_at=now, until=None, ended="", **place
                )
                await keep_waits(self._store, [wait])
        except StoreUnavailable as error:
            LOG.warning("an answer is not counted for the digest: %s", error)

    async def round(self) -> None:
        """Looks after every open wait, and at the other pods of the same workloads. Raises StoreUnavailable."""
        known: defaultdict[tuple[str, str], list[Wait]] = defaultdict(list)
        for wait in await open_waits(self._store):
            known[wait.cluster, wait.namespace].append(wait)
        for (cluster, namespace), waits in known.items():
            try:
                await self._look(cluster, namespace, waits)
            except (SourceError, ReadFailed) as error:
                LOG.info("waits in %s/%s are looked after later: %s", cluster, namespace, error)

    async def _look(self, cluster: str, namespace: str, waits: Sequence[Wait]) -> None:
        config = self._config.cluster(cluster)
        if config is None:
            return
        connected = await self._connecting.connected(config)
        reader = Reader(connected.connection)
        now = self._clock()
        pending = [pod for pod in await _pending(reader, namespace) if not pod.spec.node_name]
        causes = {wait.owner: wait.cause for wait in waits}
        seen = [wait for pod in pending if (wait := _wait_of(pod, cluster, causes, now))]
        await keep_waits(self._store, seen)
        still = {(wait.pod, wait.since) for wait in seen}
        for wait in waits:
            if (wait.pod, wait.since) not in still:
                await self._over(reader, wait)

    async def _over(self, reader: Reader, wait: Wait) -> None:
        """The pod does not wait any more: it has a node since then, or is gone (and was last known to wait before)."""
        pod = await reader.one(PODS, Pod, wait.pod, wait.namespace)
        if reader.missing:
            return
        same = pod is not None and pod.metadata.creation_timestamp == wait.since
        if pod is None or not same:
            await end_wait(self._store, wait, wait.seen_at, GONE)
        elif pod.spec.node_name:
            await end_wait(self._store, wait, _scheduled(pod) or self._clock(), NODE)


async def _pending(reader: Reader, namespace: str) -> list[Pod]:
    found: list[Pod] = []
    async for page in reader.pages(PODS, Pod, namespace=namespace, query=PENDING):
        found += page
        if len(found) >= MOST_PODS:
            break
    return found


def _wait_of(pod: Pod, cluster: str, causes: dict[str, str], now: datetime) -> Wait | None:
    """The wait of a pending pod of a workload that is followed."""
    meta, owner = pod.metadata, owner_of(pod.metadata.name)
    about = waiting(pod)
    if owner not in causes or about is None or meta.deletion_timestamp is not None:
        return None
    return Wait(
        cluster=cluster,
        namespace=meta.namespace,
        pod=meta.name,
        since=about.since,
        owner=owner,
        cause=causes[owner],
        gpus=about.gpus,
        seen_at=now,
    )


def _scheduled(pod: Pod) -> datetime | None:
    """When it was bound to its node."""
    return next(
        (c.last_transition_time for c in pod.status.conditions if c.type == "PodScheduled" and c.status == "True"), None
    )
