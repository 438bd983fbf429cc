"""Which instance types each NodePool of a World can use. PURE; keeps what it worked out, for the facts change slowly."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from msgspec import structs

from bot.diagnosis.instance_memory import discovered_memory
from bot.diagnosis.instance_types import Region, catalogue, for_auto_mode, prepared
from bot.model.ec2 import Ec2Facts
from bot.model.karpenter import EC2NodeClass, Kubelet, NodePool
from bot.model.labels import AUTO_MODE_DOMAIN, AWS_DOMAIN
from bot.model.objects import MalformedObjectError, decode
from bot.model.quantities import Quantity
from bot.model.world import Catalogue, World

KEPT: Final = 2
"""How often a cluster's facts are kept: as they are, and as they were for the questions that are still under way."""
_CLASSES: Final = 32
"""EC2NodeClasses (with their kubelets' settings) for which a cluster's types are kept."""
Memory = Mapping[str, Quantity]
"""Instance type to the memory that its nodes really have."""


class Catalogues:
    """Builds catalogues and keeps the last ones. Facts are compared by identity: the same answer of AWS, the same index."""

    def __init__(self, clusters: int = 1) -> None:
        self._kept = KEPT * max(clusters, 1)
        self._regions: OrderedDict[tuple[int, ...], tuple[Ec2Facts, Region]] = OrderedDict()
        self._built: OrderedDict[tuple[object, ...], tuple[object, Catalogue]] = OrderedDict()

    def of(self, world: World) -> World:
        """The World with a Catalogue for each NodePool; without EC2's instance types it comes back as it is."""
        if world.ec2.instance_types is None:
            return world
        region = self._region(world.ec2)
        seen: dict[str, Memory] = {}
        found = {p.metadata.name: self._of_pool(world, region, p, seen) for p in world.node_pools}
        return replace(world, catalogues=found)

    def _region(self, ec2: Ec2Facts) -> Region:
        parts = (ec2.instance_types, ec2.offerings, ec2.spot_prices, ec2.on_demand_prices, ec2.subnets)
        key = tuple(id(part) for part in (*parts, ec2.capacity_reservations))
        if key not in self._regions:
            self._regions[key] = (ec2, prepared(ec2))  # the facts are kept too, so that no other ones get their ids
            _trim(self._regions, self._kept)
            there = {id(region) for _, region in self._regions.values()}
            for old in [of for of, (region, _) in self._built.items() if id(region) not in there]:
                del self._built[old]
        self._regions.move_to_end(key)
        return self._regions[key][1]

    def _of_pool(self, world: World, region: Region, pool: NodePool, seen: dict[str, Memory]) -> Catalogue:
        """`seen`: what nodes told of each EC2NodeClass, for a hundred NodePools of one class ask thousands of nodes once."""
        node_class = _with_kubelet(_class_of(world, pool), pool)
        name = node_class.metadata.name if node_class else ""
        if name not in seen:
            seen[name] = _memory(world, node_class)
        return self._of_class(world, region, node_class, pool.spec.template.spec.node_class_ref.group, seen[name])

    def of_class(self, world: World, node_class: EC2NodeClass | None) -> Catalogue:
        """The instance types for one EC2NodeClass; None: one that leaves everything to Karpenter."""
        memory = _memory(world, node_class)
        return self._of_class(world, self._region(world.ec2), node_class, AWS_DOMAIN, memory)

    def _of_class(
        self, world: World, region: Region, node_class: EC2NodeClass | None, group: str, memory: Memory
    ) -> Catalogue:
        version = (
            (node_class.metadata.uid, node_class.metadata.resource_version, node_class.metadata.name)
            if node_class
            else ()
        )
        kubelet = repr(node_class.spec.kubelet) if node_class else ""
        remembered = tuple(sorted((name, amount.nano) for name, amount in memory.items()))
        key = (id(region), group, version, kubelet, world.settings, remembered)
        if key not in self._built:
            found = catalogue(region, node_class, world.settings, memory)
            self._built[key] = (region, for_auto_mode(found) if group == AUTO_MODE_DOMAIN else found)
            _trim(self._built, self._kept * _CLASSES)
        return self._built[key][1]


def _memory(world: World, node_class: EC2NodeClass | None) -> Memory:
    return discovered_memory(world.nodes, world.node_claims, node_class) if node_class else {}


def _trim(kept: OrderedDict[Any, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)


def _class_of(world: World, pool: NodePool) -> EC2NodeClass | None:
    """The NodePool's EC2NodeClass; None for other kinds of class and for one that was not read."""
    ref = pool.spec.template.spec.node_class_ref
    if ref.kind not in ("", "EC2NodeClass"):
        return None
    return next((c for c in world.node_classes if (c.kind, c.metadata.name) == ("EC2NodeClass", ref.name)), None)


def _with_kubelet(node_class: EC2NodeClass | None, pool: NodePool) -> EC2NodeClass | None:
    """v1beta1 had kubelet's settings in the NodePool; they count as if they stood in the class."""
    settings = pool.spec.template.spec.kubelet
    if not settings:
        return node_class
    try:
        kubelet = decode(settings, Kubelet)
    except MalformedObjectError:
        return node_class
    base = node_class or EC2NodeClass()
    return structs.replace(base, spec=structs.replace(base.spec, kubelet=kubelet))
