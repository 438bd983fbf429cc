"""How open incidents go on without an alert: pods that run or are gone, nodes that come back; and, where it is wanted,
pods that wait for long without any alert."""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from bot.alerting.answers import Clusters, LookupFailed, WaitingGroup
from bot.alerting.attending import Attending
from bot.alerting.intake import body_of
from bot.alerts import Alert, Question, Status, Subject
from bot.alerts.owners import owner_of
from bot.app import Clock
from bot.store import Store, incidents
from bot.store.incidents import Incident

LOG: Final = logging.getLogger(__name__)
AFTER: Final = timedelta(seconds=60)
"""How old an incident is before it is looked after: the answer's own reads were just made."""
MOST_REPORTED: Final = 50
WATCH: Final = "watch"


class Endings:
    """One round looks after every open incident of all clusters with a list of pending pods for each namespace."""

    def __init__(self, store: Store, clusters: Clusters, attending: Attending, clock: Clock) -> None:
        self._store, self._clusters, self._attending, self._clock = store, clusters, attending, clock

    async def round(self) -> None:
        """Looks once."""
        pending: dict[tuple[str, str], tuple[WaitingGroup, ...]] = {}
        for incident in await incidents.still_open(self._store):
            watch = incident.body.get("watch") or {}
            if not watch or self._clock() - incident.opened_at < AFTER:
                continue
            try:
                await self._look_after(incident, watch, pending)
            except LookupFailed as failed:
                LOG.info("incident %s could not be looked after: %s", incident.id, failed.code)

    async def _look_after(
        self, incident: Incident, watch: Mapping[str, Any], pending: dict[tuple[str, str], tuple[WaitingGroup, ...]]
    ) -> None:
        cluster = watch["cluster"]
        if watch.get("node"):
            story = await self._clusters.node(cluster, Subject(node=watch["node"]))
            if not story.exists or story.ready == "True":
                how = "node-ready" if story.exists else "node-gone"
                await self._attending.ended(incident.id, how, node=watch["node"])
            return
        where = (cluster, watch["namespace"])
        if where not in pending:
            pending[where] = await self._clusters.pending(*where)
        if any(_is_of(group, watch.get("owners") or ()) for group in pending[where]):
            return
        node, how = "", "none-waits"
        if watch.get("pod"):
            trace = await self._clusters.trace(cluster, watch["namespace"], watch["pod"])
            how = "running" if trace.node else "pod-gone"
            node = trace.node
        await self._attending.ended(incident.id, how, node=node)

    async def report_waiting(self, channel: str, minutes: float) -> None:
        """Watch mode: workloads whose pods wait for longer than this are treated like an alert, once."""
        now = self._clock()
        for name in self._clusters.names or ("",):
            try:
                groups = await self._clusters.pending(self._clusters.resolve(name) or name, "")
            except LookupFailed as failed:
                LOG.info("watching %s: %s", name, failed.code)
                continue
            late = [g for g in groups if g.oldest and now - g.oldest > timedelta(minutes=minutes)]
            for group in late[:MOST_REPORTED]:
                await self._report(channel, name, group)

    async def _report(self, channel: str, cluster: str, group: WaitingGroup) -> None:
        pods = tuple(pod.rpartition("/")[2] for pod in group.pods)
        subject = Subject(cluster=cluster, namespace=group.namespace, pod=pods[0], pods=pods[:1])
        alert = Alert(sender=WATCH, subject=subject, status=Status.FIRING, question=Question.WHY_POD)
        item = f"{WATCH}:{cluster}/{group.namespace}/{group.kind}/{group.owner}:{group.oldest:%Y%m%d%H%M%S}"[-255:]
        about = {"name": "", "where": f"{group.namespace}/{group.owner}", "count": group.count}
        body = body_of(alert, item) | {"thread_ts": "", "changed": False, "sent": 0.0, "heading": about}
        await incidents.put(self._store, item, channel, body, self._clock())
        self._attending.wake.set()


def _is_of(group: WaitingGroup, owners: Sequence[str]) -> bool:
    """Whether a group is one of these workloads (`Kind/name`; a name alone where only names were known); all are, for none."""
    names = {f"{group.kind}/{group.owner}", *(owner_of(pod.rpartition("/")[2]) for pod in group.pods)}
    return not owners or not names.isdisjoint(owners)
