"""What each NodePool can launch, has launched, has left of its limits, and what last went wrong with it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Final

from bot.diagnosis.history import History, read_history, refused_offerings
from bot.diagnosis.indexes import bits
from bot.diagnosis.instance_offerings import on_demand_prices, spot_prices
from bot.diagnosis.remedies import cheapest, priced
from bot.diagnosis.state_nodes import StateNode, state_nodes
from bot.diagnosis.templates import Template, by_weight, ready_problem, within_limits
from bot.karpenter import LaunchFailure, Signal, SignalKind
from bot.market.pools import allowed, configured
from bot.model.diagnosis import Cheapest
from bot.model.ec2 import Ec2Facts
from bot.model.karpenter import EC2NodeClass, NodeClaim, NodePool
from bot.model.labels import CAPACITY_TYPE, INSTANCE_TYPE, NODEPOOL, RESERVED, SPOT, ZONE
from bot.model.objects import Condition
from bot.model.quantities import ZERO, Quantity
from bot.model.world import Missing, Refused, World

MOST_PROBLEMS: Final = 20
_LONGEST_MESSAGE: Final = 1_000
_FAULTS: Final = frozenset(
    {
        SignalKind.LAUNCH_FAILED_ICE,
        SignalKind.LAUNCH_FAILED,
        SignalKind.LAUNCH_TIMEOUT,
        SignalKind.NODECLASS_NOT_READY,
        SignalKind.NODECLASS_UNRESOLVED,
        SignalKind.NODECLASS_UNAUTHORIZED,
        SignalKind.NODEPOOL_NOT_READY,
        SignalKind.NODEPOOL_FILTERED_OUT,
        SignalKind.NODECLAIM_NOT_CREATED,
        SignalKind.INSTANCE_TYPES_UNRESOLVED,
        SignalKind.LIMITS_EXCLUDE_TYPES,
        SignalKind.RESERVATION_UNAVAILABLE,
        SignalKind.SPOT_ROLE_MISSING,
        SignalKind.REGISTRATION_TIMEOUT,
        SignalKind.INCONSISTENT,
        SignalKind.INSTANCE_UNHEALTHY,
        SignalKind.RECONCILE_FAILED,
    }
)
"""Signals that say that something went wrong with a NodePool or one of its NodeClaims."""
_GENERATED: Final = re.compile(r"-[a-z0-9]{5}")
"""What Karpenter adds to a NodePool's name for a NodeClaim (generateName)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One of the NodePool's limits, as Karpenter counts it: its nodes and NodeClaims that are not being deleted."""

    resource: str
    limit: Quantity
    used: Quantity

    @property
    def left(self) -> Quantity:
        return max(self.limit - self.used, ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launchable:
    """What the NodePool's configuration allows, and how much of it Karpenter would try now.

    `offerings`: zone × capacity type (× reservation) of `instance_types`; `open`: of those, priced, not refused a moment
    ago, with room in reservations and within the limits.
    """

    instance_types: tuple[str, ...]
    families: tuple[str, ...]
    zones: tuple[str, ...]
    capacity_types: tuple[str, ...]
    offerings: int
    open: int
    cheapest: Cheapest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """A node of the NodePool or a NodeClaim on its way. `state`: launching, registering, initializing, ready, deleting."""

    nodeclaim: str
    node: str
    instance_type: str
    zone: str
    capacity_type: str
    state: str
    created: datetime | None
    price: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that went wrong, the same words counted: `kind` is a SignalKind's value."""

    kind: str
    message: str
    about: str
    last: datetime | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePoolView:
    """One NodePool. `not_ready`: why Karpenter does not look at it (`not ready`, `deleting`, `static`, `foreign`) or ""."""

    name: str
    weight: int
    not_ready: str
    conditions: tuple[Condition, ...]
    node_class: str
    node_class_conditions: tuple[Condition, ...]
    node_class_known: bool
    requirements: tuple[str, ...]
    taints: tuple[str, ...]
    limits: tuple[Limit, ...]
    launchable: Launchable | None
    launched: tuple[Launched, ...]
    marks: tuple[Refused, ...]
    problems: tuple[Problem, ...]

    @property
    def ready(self) -> bool:
        return not self.not_ready


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePools:
    """The whole answer: NodePools in the order in which Karpenter tries them."""

    cluster: str
    region: str
    now: datetime
    pools: tuple[NodePoolView, ...]
    missing: tuple[Missing, ...]


class UnknownNodePool(Exception):  # noqa: N818 (reads as what is the case)
    """The cluster has no NodePool of this name. Carries `asked` and the nearest names."""

    def __init__(self, asked: str, near: tuple[str, ...]) -> None:
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"there is no NodePool `{asked}`{hint}")
        self.asked, self.near = asked, near


def nodepool_views(world: World, name: str = "") -> NodePools:
    """All NodePools, or the one of that name. Raises UnknownNodePool."""
    pools = by_weight(world.node_pools)
    chosen = [pool for pool in pools if not name or pool.metadata.name == name]
    if name and not chosen:
        names = [pool.metadata.name for pool in pools]
        raise UnknownNodePool(name, tuple(get_close_matches(name, names, n=3, cutoff=0.5) or sorted(names)[:3]))
    history = read_history(world)
    reading = _Reading(world, history)
    return NodePools(
        cluster=world.cluster,
        region=world.ec2.region,
        now=world.now,
        pools=tuple(reading.view(pool) for pool in chosen),
        missing=world.missing,
    )


class _Reading:
    """The World, indexed once for all NodePools."""

    def __init__(self, world: World, history: History) -> None:
        self.world = world
        self.refused = refused_offerings(world, history)
        self.faults = _faults(history)
        self.names = [pool.metadata.name for pool in world.node_pools]
        self.states = list(state_nodes(world))
        self.on_demand = on_demand_prices(world.ec2.on_demand_prices or ())
        self.spot = spot_prices(world.ec2.spot_prices or ())

    def view(self, pool: NodePool) -> NodePoolView:
        name, spec = pool.metadata.name, pool.spec.template.spec
        node_class = _class_of(self.world, pool)
        built = configured(self.world, pool, self.refused) if name in self.world.catalogues else None
        return NodePoolView(
            name=name,
            weight=pool.spec.weight,
            not_ready=ready_problem(pool),
            conditions=_failing(pool.status.conditions),
            node_class=spec.node_class_ref.name,
            node_class_conditions=_failing(node_class.status.conditions) if node_class else (),
            node_class_known=node_class is not None,
            requirements=tuple(f"{r.key} {r.operator} {list(r.values)}" for r in spec.requirements),
            taints=tuple(map(str, spec.taints)),
            limits=tuple(self._limits(pool)),
            launchable=_launchable(built, self.world.ec2) if built else None,
            launched=tuple(self._launched(name)),
            marks=_marks(built, self.refused) if built else (),
            problems=self._problems(name),
        )

    def _limits(self, pool: NodePool) -> Iterator[Limit]:
        own = [s.capacity for s in self.states if s.labels.get(NODEPOOL) == pool.metadata.name and not s.deleting]
        for resource, limit in pool.spec.limits.items():
            used = sum((capacity.get(resource, ZERO) for capacity in own), start=ZERO)
            yield Limit(resource=resource, limit=limit, used=used)

    def _launched(self, name: str) -> Iterator[Launched]:
        for state in self.states:
            if state.labels.get(NODEPOOL) == name:
                yield self._node(state)
        for claim in self.world.node_claims:
            if not claim.status.provider_id and claim.metadata.labels.get(NODEPOOL) == name:
                yield self._node(StateNode(node=None, claim=claim))

    def _node(self, state: StateNode) -> Launched:
        labels = {**(state.node.metadata.labels if state.node else {}), **state.labels}
        instance_type, zone = labels.get(INSTANCE_TYPE, ""), labels.get(ZONE, "")
        capacity_type = labels.get(CAPACITY_TYPE, "")
        made = state.claim or state.node
        return Launched(
            nodeclaim=state.claim.metadata.name if state.claim else "",
            node=state.node_name,
            instance_type=instance_type,
            zone=zone,
            capacity_type=capacity_type,
            state=_state(state),
            created=made.metadata.creation_timestamp if made else None,
            price=self._price(instance_type, zone, capacity_type),
        )

    def _price(self, instance_type: str, zone: str, capacity_type: str) -> float | None:
        """Of now: what it cost when it was launched, nobody kept. A reservation is paid for whether used or not."""
        if capacity_type == SPOT:
            return self.spot.get((instance_type, zone))
        return None if capacity_type == RESERVED else self.on_demand.get(instance_type)

    def _problems(self, name: str) -> tuple[Problem, ...]:
        """Newest first; the same words about several NodeClaims are one problem."""
        found: dict[tuple[str, str], list[Signal]] = {}
        for signal in self.faults:
            claim = signal.objects.get("NodeClaim", "")
            if signal.objects.get("NodePool") == name or (claim and self._pool_of(claim) == name):
                message = _words(signal)
                words = message.replace(claim, "…") if claim else message
                found.setdefault((signal.kind.value, words[:_LONGEST_MESSAGE]), []).append(signal)
        problems = [_problem(kind, said) for (kind, _), said in found.items()]
        problems.sort(key=lambda p: (p.last is not None, p.last.timestamp() if p.last else 0.0), reverse=True)
        return tuple(problems[:MOST_PROBLEMS])

    def _pool_of(self, claim: str) -> str:
        """A NodeClaim's NodePool by its label; one that is gone is known by its name alone."""
        known: Mapping[str, NodeClaim] = {c.metadata.name: c for c in self.world.node_claims}
        if claim in known:
            return known[claim].metadata.labels.get(NODEPOOL, "")
        owners = (n for n in self.names if claim.startswith(n) and _GENERATED.fullmatch(claim[len(n) :]))
        return max(owners, key=len, default="")


def _faults(history: History) -> list[Signal]:
    """What went wrong, each thing once: an event says again, and shorter, what the log says."""
    faults = history.of(*_FAULTS)
    logged = {(s.kind, s.objects.get("NodeClaim"), s.objects.get("NodePool")) for s in faults if not s.from_event}
    key = ((s, (s.kind, s.objects.get("NodeClaim"), s.objects.get("NodePool"))) for s in faults)
    return [s for s, about in key if not (s.from_event and about in logged)]


def _words(signal: Signal) -> str:
    """EC2's own errors where it was EC2 that failed, else Karpenter's words."""
    if isinstance(signal.detail, LaunchFailure) and signal.detail.errors:
        return "; ".join(f"{error.code}: {error.message}" for error in signal.detail.errors)
    return signal.facts.get("error") or signal.message


def _problem(kind: str, said: Sequence[Signal]) -> Problem:
    last = said[-1]
    about = last.objects.get("NodeClaim") or last.objects.get("NodePool", "")
    return Problem(kind=kind, message=_words(last)[:_LONGEST_MESSAGE], about=about, last=last.time, count=len(said))


def _failing(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    return tuple(c for c in conditions if c.status != "True")


def _class_of(world: World, pool: NodePool) -> EC2NodeClass | None:
    ref = pool.spec.template.spec.node_class_ref
    return next((c for c in world.node_classes if c.metadata.name == ref.name), None)


def _state(state: StateNode) -> str:
    if state.deleting:
        return "deleting"
    if state.claim is None:
        return "ready"
    done = {c.type for c in state.claim.status.conditions if c.status == "True"}
    steps = (("Launched", "launching"), ("Registered", "registering"), ("Initialized", "initializing"))
    return next((word for condition, word in steps if condition not in done), "ready")


def _launchable(built: Template, ec2: Ec2Facts) -> Launchable:
    space, rows = built.space, allowed(built)
    within = space.rows_of_types(within_limits(space, space.all_types, built.remaining))
    launchable = rows & space.available_rows & within if not ready_problem(built.pool) else 0
    types = [space.types[i].name for i in bits(space.types_of_rows(rows))]
    best = space.cheapest(launchable)
    return Launchable(
        instance_types=tuple(sorted(types)),
        families=tuple(sorted({name.partition(".")[0] for name in types})),
        zones=tuple(sorted({space.slots[s].zone for s in space.slots_of_rows(rows)})),
        capacity_types=tuple(sorted({space.slots[s].capacity_type for s in space.slots_of_rows(rows)})),
        offerings=rows.bit_count(),
        open=launchable.bit_count(),
        cheapest=priced((cheapest(*best),), ec2)[0] if best else None,
    )


def _marks(built: Template, refused: Sequence[Refused]) -> tuple[Refused, ...]:
    """The marks that are on and touch what the NodePool allows."""
    own = {(t.name, o.zone, o.capacity_type) for t, o in built.space.offerings(allowed(built))}
    return tuple(m for m in refused if (m.instance_type, m.zone, m.capacity_type) in own)
