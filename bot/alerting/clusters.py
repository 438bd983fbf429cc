"""Clusters as alerts ask them: the desk's connections, what `sources` reads for alerts, `why-gone` and NodePools' views."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from bot import app
from bot.alerting.answers import LookupFailed, NodeGone, NodeStory, PodTrace, WaitingGroup
from bot.alerts import Subject
from bot.alerts.owners import owner_of
from bot.app import Clock, Connected
from bot.config import ClusterConfig, Config
from bot.departing import Remembering, departed
from bot.diagnosis.departure import Departure
from bot.market import UnknownNodePool
from bot.markets import Pooled, nodepools_of
from bot.model.objects import OwnerReference
from bot.playbooks import Playbooks, render_departure
from bot.slack.questions import Why
from bot.slack.services import Asker, Reply
from bot.sources.aftermath import (
    PendingGroup,
    nodepool_of,
    observe_node,
    observe_pending,
    ready_condition,
)
from bot.sources.errors import CredentialsExpired, NotPermitted, PodNotFound, ReadFailed, SourceError
from bot.sources.gone_pods import OwnerState, observe_trace
from bot.sources.ownership import Owned, Ownership
from bot.sources.reading import Reader

T = TypeVar("T")
_DAEMONS = frozenset({"DaemonSet", "Node"})
"""Owners whose pods belong to their node and move nowhere."""
_SPACES = 5
"""Namespaces whose pending pods are looked at for what became of a node's pods."""


class Desk(Protocol):
    """What is needed of bot.server.Desk."""

    async def why(self, question: Why, asker: Asker) -> Reply: ...
    async def connected(self, config: ClusterConfig) -> Connected: ...
    @property
    def shared(self) -> app.Shared: ...
    def place(self, config: ClusterConfig) -> app.Place: ...


class DeskClusters:
    """bot.alerting.answers.Clusters over the serving bot's desk."""

    def __init__(
        self, config: Config, desk: Desk, playbooks: Playbooks, memory: Remembering, clock: Clock = app.wall_clock
    ) -> None:
        self._config, self._desk, self._playbooks, self._memory, self._clock = config, desk, playbooks, memory, clock
        self._ownership: dict[str, Ownership] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all clusters."""
        return tuple(filter(None, (c.name or c.context for c in self._config.clusters)))

    def resolve(self, cluster: str, channel: str = "") -> str | None:
        """By name or context, also at an ARN's end; one cluster without a name answers for every label.

        An alert without a label is about the cluster that its channel means, else the first.
        """
        config: ClusterConfig | None = self._config.clusters[0]
        if not cluster:
            config = self._config.cluster_of("", channel)
        elif len(self._config.clusters) > 1 or self._config.clusters[0].name:
            config = next((one for one in self._config.clusters if _last(cluster) in map(_last, _names(one))), None)
        return (config.name or config.context) if config else None

    async def why(self, question: Why, asker: Asker) -> Reply:
        """The desk's answer."""
        return await self._desk.why(question, asker)

    async def pending(self, cluster: str, namespace: str) -> tuple[WaitingGroup, ...]:
        """The pending pods by workload. Raises LookupFailed."""
        owners = self._owners(cluster)
        return _groups(await self._read(cluster, lambda reader, _: observe_pending(reader, owners, namespace)))

    async def owners(self, cluster: str, namespace: str, pods: Sequence[str]) -> Mapping[str, Owned]:
        """The owners of pods. Raises LookupFailed."""
        owners = self._owners(cluster)
        return await self._read(cluster, lambda reader, _: owners.of_pods(reader, namespace, pods))

    async def node(self, cluster: str, subject: Subject) -> NodeStory:
        """A node as it is. Raises LookupFailed."""
        owners = self._owners(cluster)
        state = await self._read(
            cluster, lambda reader, _: observe_node(reader, owners, subject.node, subject.nodeclaim)
        )
        node, claim = state.node, state.claim
        ready = ready_condition(node) if node else None
        since = ready.last_transition_time if ready else None
        going = [one.metadata.deletion_timestamp for one in (node, claim) if one is not None]
        return NodeStory(
            name=node.metadata.name if node else subject.node or subject.nodeclaim,
            exists=node is not None,
            ready=(ready.status or "Unknown") if ready else "",
            reason=ready.reason if ready else "",
            message=ready.message if ready else "",
            since=since.isoformat() if since else "",
            nodeclaim=claim.metadata.name if claim else "",
            nodepool=nodepool_of(node.metadata if node else None) or nodepool_of(claim.metadata if claim else None),
            deleting=any(going),
            pods=sum(group.count for group in state.pods) if node else -1,
            workloads=_groups(group for group in state.pods if group.owner.kind not in _DAEMONS),
            said=state.said,
        )

    async def departed(self, cluster: str, subject: Subject, language: str) -> NodeGone | None:
        """What `why-gone` says of a node or NodeClaim. Raises LookupFailed."""
        name = subject.node or subject.nodeclaim

        async def look(_: Reader, connected: Connected) -> Departure | None:
            seen = await connected.cluster.observe_past(name, self._clock())
            try:
                return departed(await self._memory.remembered(self._configured(cluster).name, seen), name, "")
            except PodNotFound:
                return None

        found = await self._read(cluster, look)
        if found is None:
            return None
        rendered = render_departure(found, self._playbooks, language or self._config.language)
        waiting = await self._waiting(cluster, found.pods) if found.state != "here" else ()
        return NodeGone(rendered=rendered, state=found.state, waiting=waiting)

    async def _waiting(self, cluster: str, pods: Sequence[str]) -> tuple[WaitingGroup, ...]:
        """The workloads of pods that were driven off, as far as some of their pods wait now. Their names are what is left."""
        families = {(space, owner_of(name)) for space, _, name in (pod.partition("/") for pod in pods)}
        spaces = sorted({space for space, _ in families if space})[:_SPACES]
        found = [group for space in spaces for group in await self.pending(cluster, space)]
        return tuple(g for g in found if any((g.namespace, owner_of(p.partition("/")[2])) in families for p in g.pods))

    async def nodepools(self, cluster: str, name: str) -> Pooled:
        """Views of NodePools. Raises LookupFailed."""
        place = self._desk.place(self._configured(cluster))

        async def look(_: Reader, connected: Connected) -> Pooled:
            return await nodepools_of(connected.cluster, self._desk.shared, place, name)

        try:
            return await self._read(cluster, look)
        except UnknownNodePool as error:
            facts = {"asked": error.asked, "near": error.near}
            raise LookupFailed("unknown-nodepool", facts, again=False) from error

    async def trace(self, cluster: str, namespace: str, pod: str) -> PodTrace:
        """A pod's trace, and the pods of its workload that wait now. Raises LookupFailed."""
        state = await self._read(cluster, lambda reader, _: observe_trace(reader, namespace, pod))
        successors: tuple[str, ...] = ()
        if state.pod is None and namespace:
            successors = await self._successors(cluster, namespace, pod, state.owner)
        return PodTrace(
            phase=state.pod.status.phase if state.pod else "",
            node=state.pod.spec.node_name if state.pod else "",
            said=state.said,
            successors=successors,
            owner=state.owner,
        )

    async def _successors(self, cluster: str, namespace: str, pod: str, owner: OwnerState | None) -> tuple[str, ...]:
        """Pods of the same topmost owner that wait; where no owner is left, those whose names begin alike."""
        groups = await self.pending(cluster, namespace)
        if owner is None:
            family = owner_of(pod)
            return tuple(name for g in groups for name in g.pods if owner_of(name.partition("/")[2]) == family)
        made_by = OwnerReference(api_version=owner.api_version, kind=owner.kind, name=owner.name)
        owners = self._owners(cluster)
        tops = await self._read(cluster, lambda reader, _: owners.tops(reader, [(namespace, made_by)]))
        top = tops[namespace, owner.kind, owner.name]
        return tuple(name for g in groups if (g.kind, g.owner) == (top.kind, top.name) for name in g.pods)

    def _owners(self, cluster: str) -> Ownership:
        return self._ownership.setdefault(cluster, Ownership())

    def _configured(self, cluster: str) -> ClusterConfig:
        config = self._config.cluster(cluster)
        if config is None:
            raise LookupFailed("unknown-cluster", {"asked": cluster, "known": self.names}, again=False)
        return config

    async def _read(self, cluster: str, work: Callable[[Reader, Connected], Awaitable[T]]) -> T:
        config = self._configured(cluster)
        try:
            connected = await self._desk.connected(config)
            return await work(Reader(connected.connection, connected.mirror), connected)
        except CredentialsExpired as error:
            raise LookupFailed("credentials-expired", {"why": str(error)}) from error
        except NotPermitted as error:
            raise LookupFailed("not-permitted", {"why": str(error)}, again=False) from error
        except (SourceError, ReadFailed) as error:
            raise LookupFailed("cluster-unreachable", {"why": str(error)}) from error


def _groups(groups: Iterable[PendingGroup]) -> tuple[WaitingGroup, ...]:
    return tuple(
        WaitingGroup(
            namespace=g.namespace,
            owner=g.owner.name,
            kind=g.owner.kind,
            pods=g.pods,
            count=g.count,
            oldest=g.oldest,
            jobs=g.jobs,
        )
        for g in groups
    )


def _names(config: ClusterConfig) -> tuple[str, ...]:
    names = (config.name, config.eks, config.context, config.context.rpartition("/")[2])
    return tuple(name for name in names if name)


def _last(name: str) -> str:
    """A cluster's name at the end of its ARN (`arn:aws:eks:REGION:ACCOUNT:cluster/NAME`)."""
    return name.rpartition(":cluster/")[2]
