"""Clusters as alerts ask them: the desk's connections, and what `sources.aftermath` reads."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from bot.alerting.answers import LookupFailed, NodeStory, PodTrace, WaitingGroup
from bot.alerts import Subject
from bot.alerts.owners import owner_of
from bot.app import Connected
from bot.config import ClusterConfig, Config
from bot.slack.questions import Why
from bot.slack.services import Asker, Reply
from bot.sources.aftermath import (
    nodepool_of,
    observe_node,
    observe_pending,
    observe_trace,
    ready_condition,
)
from bot.sources.errors import CredentialsExpired, NotPermitted, SourceError
from bot.sources.reading import Reader

T = TypeVar("T")


class Desk(Protocol):
    """What is needed of bot.server.Desk."""

    async def why(self, question: Why, asker: Asker) -> Reply: ...
    async def connected(self, config: ClusterConfig) -> Connected: ...


class DeskClusters:
    """bot.alerting.answers.Clusters over the serving bot's desk."""

    def __init__(self, config: Config, desk: Desk) -> None:
        self._config, self._desk = config, desk

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
            config = next((one for one in self._config.clusters if cluster in _names(one)), None)
        return (config.name or config.context) if config else None

    async def why(self, question: Why, asker: Asker) -> Reply:
        """The desk's answer."""
        return await self._desk.why(question, asker)

    async def pending(self, cluster: str, namespace: str) -> tuple[WaitingGroup, ...]:
        """The pending pods by workload. Raises LookupFailed."""
        groups = await self._read(cluster, lambda reader: observe_pending(reader, namespace))
        return tuple(
            WaitingGroup(namespace=g.namespace, owner=g.owner, pods=g.pods, count=g.count, oldest=g.oldest)
            for g in groups
        )

    async def node(self, cluster: str, subject: Subject) -> NodeStory:
        """A node's story. Raises LookupFailed."""
        state = await self._read(cluster, lambda reader: observe_node(reader, subject.node, subject.nodeclaim))
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
            pods=state.pods if node else -1,
            said=state.said,
        )

    async def trace(self, cluster: str, namespace: str, pod: str) -> PodTrace:
        """A pod's trace, and the pods of its workload that wait now. Raises LookupFailed."""
        state = await self._read(cluster, lambda reader: observe_trace(reader, namespace, pod))
        successors: tuple[str, ...] = ()
        if state.pod is None and namespace:
            groups = await self.pending(cluster, namespace)
            owner = owner_of(pod)
            successors = tuple(name for g in groups for name in g.pods if owner_of(name.partition("/")[2]) == owner)
        return PodTrace(
            phase=state.pod.status.phase if state.pod else "",
            node=state.pod.spec.node_name if state.pod else "",
            said=state.said,
            successors=successors,
        )

    async def _read(self, cluster: str, work: Callable[[Reader], Awaitable[T]]) -> T:
        config = self._config.cluster(cluster)
        if config is None:
            raise LookupFailed("unknown-cluster", {"asked": cluster, "known": self.names}, again=False)
        try:
            connected = await self._desk.connected(config)
            return await work(Reader(connected.connection, connected.mirror))
        except CredentialsExpired as error:
            raise LookupFailed("credentials-expired", {"why": str(error)}) from error
        except NotPermitted as error:
            raise LookupFailed("not-permitted", {"why": str(error)}, again=False) from error
        except SourceError as error:
            raise LookupFailed("cluster-unreachable", {"why": str(error)}) from error


def _names(config: ClusterConfig) -> tuple[str, ...]:
    names = (config.name, config.eks, config.context, config.context.rpartition("/")[2])
    return tuple(name for name in names if name)
