"""Nodes and NodeClaims as Karpenter's cluster state joins them: one StateNode for each instance.

Mirrors karpenter pkg/controllers/state/statenode.go and cluster.go (v1.15): until a node is registered its NodeClaim speaks
for it, and until it is initialised the NodeClaim fills in what kubelet has not reported yet.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bot.model.karpenter import NodeClaim
from bot.model.kubernetes import Node, Taint
from bot.model.labels import HOSTNAME, INITIALIZED, NODEPOOL, REGISTERED
from bot.model.quantities import Quantity, Resources, total
from bot.model.world import World

NODES: Final = "nodes"
# Taints that a node has only while it starts (pkg/scheduling/taints.go, KnownEphemeralTaints).
_EPHEMERAL: Final = frozenset(
    {
        ("node.kubernetes.io/not-ready", "NoSchedule"),
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoSchedule"),
        ("node.cloudprovider.kubernetes.io/uninitialized", "NoSchedule"),
        ("karpenter.sh/unregistered", "NoExecute"),
    }
)
_READINESS: Final = "readiness.k8s.io/"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateNode:
    """One instance: a Node, a NodeClaim on its way, or both."""

    node: Node | None
    claim: NodeClaim | None

    @property
    def _registered(self) -> bool:
        return self.claim is None or (self.node is not None and self.node.metadata.labels.get(REGISTERED) == "true")

    @property
    def initialized(self) -> bool:
        """Nodes that Karpenter does not manage always are."""
        return self.claim is None or (self.node is not None and self.node.metadata.labels.get(INITIALIZED) == "true")

    @property
    def name(self) -> str:
        if self.node is not None and (self.claim is None or self._registered):
            return self.node.metadata.name
        return self.claim.metadata.name if self.claim is not None else ""

    @property
    def node_name(self) -> str:
        """The Node's own name, to which pods are bound; "" before there is one."""
        return self.node.metadata.name if self.node is not None else ""

    @property
    def labels(self) -> dict[str, str]:
        if self.claim is not None and (self.node is None or not self._registered):
            return self.claim.metadata.labels
        return self.node.metadata.labels if self.node is not None else {}

    @property
    def hostname(self) -> str:
        return self.labels.get(HOSTNAME) or self.name

    @property
    def deleting(self) -> bool:
        if self.claim is not None:
            ending = any(c.type == "InstanceTerminating" and c.status == "True" for c in self.claim.status.conditions)
            return self.claim.metadata.deletion_timestamp is not None or ending
        return self.node is not None and self.node.metadata.deletion_timestamp is not None

    @property
    def taints(self) -> tuple[Taint, ...]:
        """While a managed node starts, the taints that its start removes do not count."""
        if self.claim is not None and (self.node is None or not self._registered):
            taints = self.claim.spec.taints
        else:
            taints = self.node.spec.taints if self.node is not None else ()
        if self.initialized or self.claim is None:
            return taints
        passing = _EPHEMERAL | {(t.key, t.effect) for t in self.claim.spec.startup_taints}
        return tuple(t for t in taints if (t.key, t.effect) not in passing and not t.key.startswith(_READINESS))

    @property
    def allocatable(self) -> Resources:
        promised = self.claim.status.allocatable if self.claim is not None else {}
        return self._reported(self.node.status.allocatable if self.node is not None else {}, promised)

    @property
    def capacity(self) -> Resources:
        """With `nodes: 1`, as NodePool limits count it."""
        promised = self.claim.status.capacity if self.claim is not None else {}
        known = self._reported(self.node.status.capacity if self.node is not None else {}, promised)
        return {**known, NODES: Quantity.of(1)}

    def _reported(self, known: Resources, promised: Resources) -> Resources:
        return known if self.initialized else {**known, **{k: v for k, v in promised.items() if not known.get(k)}}


@dataclass(frozen=True, slots=True, eq=False)
class _Instances:
    """A World's nodes and NodeClaims, compared by identity: an edited World that has the same ones needs no new sums."""

    nodes: tuple[Node, ...]
    claims: tuple[NodeClaim, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Instances) and self.nodes is other.nodes and self.claims is other.claims

    def __hash__(self) -> int:
        return hash((id(self.nodes), id(self.claims)))


def state_nodes(world: World) -> Iterator[StateNode]:
    """Every node and every launched NodeClaim, joined by provider id; NodeClaims not yet launched are not in the state."""
    return _joined(world.nodes, world.node_claims)


def capacity_of_pools(world: World) -> Mapping[str, Resources]:
    """NodePool name to the capacity of its nodes and NodeClaims that are not being deleted, as its limits count it."""
    return _capacity_of_pools(_Instances(world.nodes, world.node_claims))


@lru_cache(maxsize=2)
def _capacity_of_pools(instances: _Instances) -> Mapping[str, Resources]:
    parts: defaultdict[str, list[Resources]] = defaultdict(list)
    for one in _joined(instances.nodes, instances.claims):
        pool = one.labels.get(NODEPOOL)
        if pool is not None and not one.deleting:
            parts[pool].append(one.capacity)
    return {pool: total(capacities) for pool, capacities in parts.items()}


def _joined(nodes: tuple[Node, ...], node_claims: tuple[NodeClaim, ...]) -> Iterator[StateNode]:
    claims = {c.status.provider_id: c for c in node_claims if c.status.provider_id}
    for node in nodes:
        yield StateNode(node=node, claim=claims.pop(node.spec.provider_id, None))
    for claim in claims.values():
        yield StateNode(node=None, claim=claim)
