"""From a minimal conflict to a Cause: its id, the facts that a sentence about it needs, and the evidence.

Which id a conflict gets is read from one table (KINDS), by the sorts of constraints in it; the first row that matches wins.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from bot.diagnosis.conflicts import Solved
from bot.diagnosis.constraints import Partition
from bot.diagnosis.evidence import attempt, evidence_of, named
from bot.diagnosis.indexes import bits
from bot.diagnosis.space import Rows
from bot.diagnosis.templates import well_known
from bot.diagnosis.widening import widening
from bot.diagnosis.zones import mistaken, mistaken_facts, zone_names
from bot.model.diagnosis import Cause, Constraint, Fact, Kind
from bot.model.karpenter import EC2NodeClass
from bot.model.labels import CAPACITY_TYPE, EFA, GPU_RESOURCES, INSTANCE_TYPE, NEURON_RESOURCES, ZONE
from bot.model.objects import Condition
from bot.model.quantities import ZERO, Quantity
from bot.model.world import InstanceType, Refused, World

COUNTED: Final = (*GPU_RESOURCES, *NEURON_RESOURCES)
"""Devices: whole numbers, of which a type has so many and no more."""
LISTED: Final = 5
"""How many names a fact lists before a sentence says "and N more"."""

KINDS: Final[tuple[tuple[Kind, str], ...]] = (
    (Kind.POOL_NOT_READY, "nodepool-not-ready"),
    (Kind.POOL_MIN_VALUES, "min-values-unmet"),
    (Kind.POOL_TAINT, "taint-not-tolerated"),
    (Kind.POOL_UNDEFINED, "unknown-label"),
    (Kind.HOST_PORT, "host-port-conflict"),
    (Kind.TOPOLOGY_SPREAD, "topology-unsatisfiable"),
    (Kind.POD_AFFINITY, "topology-unsatisfiable"),
    (Kind.REFUSED, "capacity-unavailable"),
    (Kind.RESERVATION, "capacity-unavailable"),
    (Kind.POOL_LIMIT, "nodepool-limit-exceeded"),
    (Kind.VOLUME, "volume-zone-conflict"),
    (Kind.RESOURCE, "resource-exceeds-instance"),
    (Kind.DAEMON_OVERHEAD, "resource-exceeds-instance"),
    (Kind.SUBNETS, "subnet-missing-in-zone"),
    (Kind.OFFERED, "zone-not-offered"),
    (Kind.PRICE, "capacity-type-not-offered"),
    (Kind.INCOMPATIBLE, "no-instance-type"),
    (Kind.NODE_SELECTOR, "requirement-conflict"),
    (Kind.NODE_AFFINITY, "requirement-conflict"),
    (Kind.POOL_REQUIREMENT, "requirement-conflict"),
    (Kind.POOL_LABEL, "requirement-conflict"),
)
_RANK: Final = {kind: rank for rank, (kind, _) in enumerate(KINDS)}


def cause_of(conflict: frozenset[Constraint], solved: Solved, world: World, refused: Sequence[Refused]) -> Cause:
    """The Cause for one minimal conflict of one NodePool."""
    partition = solved.partition
    constraints = tuple(sorted(conflict, key=lambda c: (_RANK.get(c.kind, len(KINDS)), c.id)))
    cause_id, facts = _Reading(partition, constraints, world, refused).read()
    return Cause(
        id=cause_id,
        constraints=constraints,
        facts={**facts, "nodepools": (partition.template.name,)},
        evidence=tuple(evidence_of(constraints, facts)),
        nodepools=(partition.template.name,),
    )


class _Reading:
    """One conflict with what is needed to read it. The methods are the branches of one table."""

    def __init__(
        self, partition: Partition, constraints: tuple[Constraint, ...], world: World, refused: Sequence[Refused]
    ) -> None:
        self.partition = partition
        self.constraints = constraints
        self.world = world
        self.refused = refused

    def read(self) -> tuple[str, dict[str, Fact]]:  # noqa: PLR0911 (a table with one return a row)
        """The cause id and its facts."""
        main = self.constraints[0]
        match main.kind:
            case Kind.POOL_NOT_READY:
                return not_ready(self.world, self.partition)
            case Kind.POOL_MIN_VALUES:
                return self._min_values(main)
            case Kind.POOL_TAINT | Kind.TOLERATIONS:
                return self._taint()
            case Kind.POOL_UNDEFINED:
                return self._unknown_label()
            case Kind.HOST_PORT:
                port, _, protocol = main.subject.partition("/")
                return "host-port-conflict", {"port": int(port), "protocol": protocol, "daemonset": main.values[0]}
            case Kind.TOPOLOGY_SPREAD | Kind.POD_AFFINITY:
                return self._topology(main)
            case Kind.REFUSED | Kind.RESERVATION:
                return self._refused()
            case Kind.POOL_LIMIT:
                return self._limit(main)
            case Kind.VOLUME:
                return self._volume()
            case Kind.RESOURCE | Kind.DAEMON_OVERHEAD:
                return self._resource()
            case Kind.SUBNETS | Kind.OFFERED | Kind.PRICE:
                return self._offering(main)
            case _:
                return self._requirements()

    def _rows(self, *without: Kind) -> Rows:
        """Offerings that pass this conflict's own constraints, those of the given kinds left out."""
        rows = self.partition.universe
        mine = {c for c in self.constraints if c.kind not in without}
        for one in self.partition.filters:
            if one.constraint in mine:
                rows &= one.rows
        return rows

    def _types(self, rows: Rows) -> list[InstanceType]:
        space = self.partition.space
        return [space.types[i] for i in bits(space.types_of_rows(rows))]

    def _asked(self, key: str) -> tuple[str, ...]:
        values = {v for c in self.constraints if c.subject == key and c.operator == "In" for v in c.values}
        return tuple(sorted(values))

    def _by(self, *kinds: Kind) -> tuple[Constraint, ...]:
        return tuple(c for c in self.constraints if c.kind in kinds)

    def _min_values(self, main: Constraint) -> tuple[str, dict[str, Fact]]:
        floor = next(f for f in self.partition.floors if f.constraint == main)
        others = {f.constraint for f in self.partition.filters if f.constraint not in self.constraints}
        have = floor.values(self.partition.space, self.partition.passing(others), others)
        facts: dict[str, Fact] = {"key": floor.key, "needed": floor.needed, "have": len(have), "values": _few(have)}
        return "min-values-unmet", {"nodepool": main.nodepool, **facts}

    def _taint(self) -> tuple[str, dict[str, Fact]]:
        taint = self._by(Kind.POOL_TAINT)[0]
        value = taint.values[0] if taint.values else ""
        facts: dict[str, Fact] = {"taint": taint.value, "key": taint.subject, "value": value, "effect": taint.operator}
        return "taint-not-tolerated", {**facts, "nodepool": taint.nodepool}

    def _unknown_label(self) -> tuple[str, dict[str, Fact]]:
        undefined = self._by(Kind.POOL_UNDEFINED)[0]
        asking = next(c for c in self.constraints if c is not undefined)
        pools = self.world.node_pools
        known = {
            *well_known(self.partition.template.pool),
            *(k for p in pools for k in p.spec.template.metadata.labels),
        }
        known |= {r.key for p in pools for r in p.spec.template.spec.requirements}
        known.discard(undefined.subject)
        suffix = undefined.subject.rpartition("/")[2]
        same_name = [k for k in sorted(known) if k.rpartition("/")[2] == suffix]
        near = same_name or get_close_matches(undefined.subject, sorted(known), n=1, cutoff=0.75)
        return "unknown-label", {
            "key": undefined.subject,
            "wanted": asking.values,
            "wanted_by": named(asking),
            "did_you_mean": near[0] if near else "",
        }

    def _topology(self, main: Constraint) -> tuple[str, dict[str, Fact]]:
        lonely = main.operator == "pod affinity" and not any(not v.endswith(": 0") for v in main.values)
        if lonely:
            return "affinity-deadlock", {"key": main.subject, "selector": main.value, "field": main.field}
        spreads = self.partition.variant.pod.spec.topology_spread_constraints
        skew = next((s.max_skew for i, s in enumerate(spreads) if main.field.endswith(f"[{i}]")), 0)
        return "topology-unsatisfiable", {
            "key": main.subject,
            "rule": main.operator,
            "domains": main.values,
            "max_skew": skew if main.kind is Kind.TOPOLOGY_SPREAD else 0,
            "field": main.field,
        }

    def _refused(self) -> tuple[str, dict[str, Fact]]:
        rows = self._rows(Kind.REFUSED, Kind.RESERVATION)
        offerings = list(self.partition.space.offerings(rows))
        types = {t.name for t, _ in offerings}
        marks = [
            r for r in self.refused if any((t.name, o.zone, o.capacity_type) == (r.instance_type, r.zone, r.capacity_type)
                                           for t, o in offerings)
        ]  # fmt: skip
        told = [r for r in marks if r.reason or r.since]
        since = min((r.since for r in marks if r.since), default=None)
        until = max((r.until for r in marks if r.until), default=None)
        wider = widening(self.partition, self.world, offerings)
        return "capacity-unavailable", {
            "attempts": tuple(attempt(mark) for mark in told[:LISTED]),
            "in_metrics": len(marks) - len(told),
            **wider.facts,
            "instance_types": _few(types),
            "types_count": len(types),
            "zones": tuple(sorted({o.zone for _, o in offerings})),
            "capacity_types": tuple(sorted({o.capacity_type for _, o in offerings})),
            "reason": next((r.reason for r in marks if r.reason), ""),
            "since": since.isoformat() if since else "",
            "until": until.isoformat() if until else "",
            "tried": len(offerings),
        }

    def _limit(self, main: Constraint) -> tuple[str, dict[str, Fact]]:
        resource = main.subject
        template = self.partition.template
        limits = [f.constraint for f in self.partition.filters if f.constraint.kind is Kind.POOL_LIMIT]
        types = self._types(self.partition.passing(limits) or self._rows(Kind.POOL_LIMIT))
        smallest = min(types, key=lambda t: t.capacity.get(resource, ZERO), default=None)
        limit = template.pool.spec.limits[resource]
        left = (template.remaining or {}).get(resource, ZERO)
        one = Quantity.of(1)
        needed = one if resource == "nodes" else (smallest.capacity.get(resource, ZERO) if smallest else ZERO)
        return "nodepool-limit-exceeded", {
            "nodepool": template.name,
            "resource": resource,
            "limit": str(limit),
            "used": str(limit - left),
            "needed": str(needed),
            "instance_type": smallest.name if smallest else "",
        }

    def _volume(self) -> tuple[str, dict[str, Fact]]:
        volumes = self._by(Kind.VOLUME)
        allowed = {o.zone for _, o in self.partition.space.offerings(self._rows(Kind.VOLUME))}
        return "volume-zone-conflict", {
            "claims": tuple(sorted(v.id.rsplit("/", 1)[-1] for v in volumes)),
            "zones": tuple(sorted({z for v in volumes for z in v.values})),
            "allowed": tuple(sorted(allowed)),
        }

    def _resource(self) -> tuple[str, dict[str, Fact]]:
        space, rows = self.partition.space, self._rows(Kind.RESOURCE, Kind.DAEMON_OVERHEAD)
        most = space.types_of_rows(rows)
        types = space.types_of_rows(self._as_pinned(rows)) or most
        resources = self._by(Kind.RESOURCE) or self._by(Kind.DAEMON_OVERHEAD)
        requested = {c: Quantity.parse(c.values[0]) for c in resources}
        # of several resources, the one that the types come nearest to lacking altogether is the one to name
        worst = min(resources, key=lambda c: space.most(c.subject, types)[0].nano / max(requested[c].nano, 1))
        resource, amount = worst.subject, requested[worst]
        offered, best = space.most(resource, types)
        overhead = self._overhead(resource, best)
        facts: dict[str, Fact] = {
            "resource": resource,
            "instance_type": best.name if best else "",
            "instance_types": space.names(types, LISTED),
            "types_count": types.bit_count(),
            "pinned": types != most or any(c.subject == INSTANCE_TYPE for c in self.constraints),
            "most": str(space.most(resource, most)[0]),
        }
        if resource == EFA and not offered:
            return "efa-unsupported", {**facts, "requested": amount.whole}
        if resource == EFA or resource in COUNTED:
            counted = "efa-count-exceeds-instance" if resource == EFA else "gpu-count-exceeds-instance"
            return counted, {**facts, "requested": amount.whole, "offered": offered.whole}
        quantities: dict[str, Fact] = {"requested": str(amount), "overhead": str(overhead), "offered": str(offered)}
        return "resource-exceeds-instance", {**facts, **quantities}

    def _as_pinned(self, rows: Rows) -> Rows:
        """Of these offerings, those of the instance types that the pod names, if it names any: they are what it is about."""
        for one in self.partition.filters:
            named_by_pod = one.constraint.kind in (Kind.NODE_SELECTOR, Kind.NODE_AFFINITY)
            if one.constraint.subject == INSTANCE_TYPE and named_by_pod:
                rows &= one.rows
        return rows

    def _overhead(self, resource: str, best: InstanceType | None) -> Quantity:
        template = self.partition.template
        for group in template.daemons:
            if best is not None and group.types >> template.space.position[best.name] & 1:
                return group.overhead.get(resource, ZERO)
        return ZERO

    def _offering(self, main: Constraint) -> tuple[str, dict[str, Fact]]:
        rows = self._rows(Kind.OFFERED, Kind.SUBNETS, Kind.PRICE)
        asked = list(self.partition.space.offerings(rows))
        names = {t.name for t, _ in asked}
        sold = [
            (t, o)
            for i in bits(self.partition.space.types_of_rows(rows))
            for t in (self.partition.space.types[i],)
            for o in t.offerings
            if not {u.name for u in o.unavailable} & {"NOT_OFFERED", "NOT_SOLD", "NO_PRICE"}
        ]
        facts: dict[str, Fact] = {
            "instance_type": min(names) if names else "",
            "instance_types": _few(names),
            "types_count": len(names),
        }
        zones = tuple(sorted({o.zone for _, o in asked}))
        if main.kind is Kind.SUBNETS:
            node_class = self.partition.template.pool.spec.template.spec.node_class_ref.name
            found = next((c for c in self.world.node_classes if c.metadata.name == node_class), None)
            subnets: Fact = tuple(sorted({s.zone for s in found.status.subnets})) if found else ()
            return "subnet-missing-in-zone", {**facts, "zones": zones, "nodeclass": node_class, "subnet_zones": subnets}
        if main.kind is Kind.PRICE or main.subject == "capacity-type" or not self._asked(ZONE):
            return "capacity-type-not-offered", {
                **facts,
                "capacity_types": self._asked(CAPACITY_TYPE) or tuple(sorted({o.capacity_type for _, o in asked})),
                "offered_capacity_types": tuple(sorted({o.capacity_type for _, o in sold})),
                "zones": zones,
            }
        pin = next(c for c in self.constraints if c.subject == ZONE)
        return "zone-not-offered", {
            **facts,
            "zones": self._asked(ZONE),
            "offered_zones": tuple(sorted({o.zone for _, o in sold})),
            "wanted_by": named(pin),
        }

    def _requirements(self) -> tuple[str, dict[str, Fact]]:
        pod = self._by(Kind.NODE_SELECTOR, Kind.NODE_AFFINITY)
        pool = self._by(Kind.POOL_REQUIREMENT, Kind.POOL_LABEL)
        swapped = mistaken(self.constraints)
        if swapped is not None:
            return "zone-id-as-name", mistaken_facts(swapped, zone_names(self.world), named(swapped))
        known = self.partition.space.position
        types = next((c for c in self.constraints if c.subject == INSTANCE_TYPE and c.operator == "In"), None)
        if types is not None and len(self.constraints) == 1 and known.keys().isdisjoint(types.values):
            near = get_close_matches(types.values[0], sorted(known), n=1, cutoff=0.6) if types.values else []
            return "unknown-instance-type", {
                "instance_type": types.values[0] if types.values else "",
                "wanted_by": named(types),
                "did_you_mean": near[0] if near else "",
            }
        if pod and pool:
            wanted = next((c for c in pod if any(c.subject == p.subject for p in pool)), pod[0])
            allowed = next((p for p in pool if p.subject == wanted.subject), pool[0])
        elif len(self.constraints) > 1:
            wanted, allowed = self.constraints[0], self.constraints[1]
        else:
            return "no-instance-type", {"conditions": tuple(f"{named(c)}: {c.value}" for c in self.constraints)}
        return "requirement-conflict", {
            "key": wanted.subject,
            "wanted": wanted.values or (wanted.value,),
            "wanted_by": named(wanted),
            "allowed_key": allowed.subject,
            "allowed": allowed.values or (allowed.value,),
            "allowed_by": named(allowed),
        }


def _few(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names)[:LISTED])


def not_ready(world: World, partition: Partition) -> tuple[str, dict[str, Fact]]:
    """NodePool or its EC2NodeClass: whichever is at fault, with its own condition's reason and message."""
    pool = partition.template.pool
    name = pool.spec.template.spec.node_class_ref.name
    conditions = {c.type: c for c in pool.status.conditions}
    of_class = conditions.get("NodeClassReady")
    if of_class is not None and of_class.status != "True":
        node_class = next((c for c in world.node_classes if c.metadata.name == name), None)
        culprit = _failing(node_class) or of_class
        return "nodeclass-not-ready", {
            "nodepool": pool.metadata.name,
            "nodeclass": name,
            "condition": culprit.type,
            "reason": culprit.reason,
            "message": culprit.message,
        }
    culprit = next(
        (c for c in pool.status.conditions if c.status != "True" and c.type != "Ready"), None
    ) or conditions.get("Ready", Condition(type="Ready"))
    deleting = pool.metadata.deletion_timestamp is not None
    static = pool.spec.replicas is not None
    return "nodepool-not-ready", {
        "nodepool": pool.metadata.name,
        "condition": culprit.type,
        "reason": "Deleting" if deleting else "StaticReplicas" if static else culprit.reason,
        "message": culprit.message,
    }


def _failing(node_class: EC2NodeClass | None) -> Condition | None:
    conditions = node_class.status.conditions if node_class else ()
    return next((c for c in conditions if c.status != "True" and c.type != "Ready"), None)
