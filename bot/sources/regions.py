"""Which AWS region a cluster is in, told from what was read of it."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from bot.model.karpenter import NodePool
from bot.model.labels import REGION, ZONE
from bot.model.world import World

_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+){1,2}-\d+", re.ASCII)
_PROVIDER_ID: Final = re.compile(r"aws:///([^/]+)/")


def region_of_zone(zone: str) -> str:
    """`ap-northeast-2` of `ap-northeast-2a`, `us-west-2` of the local zone `us-west-2-lax-1a`; "" for anything else."""
    match = _REGION.match(zone)
    return match[0] if match else ""


def region_of(world: World, configured: str = "") -> str:
    """The cluster's region: by its NodePools, its EC2NodeClasses' subnets, its nodes, what Karpenter or a snapshot says of
    itself, and last the configuration; "" when nothing tells.
    """
    return next((region for region in _told(world) if region), configured)


def _told(world: World) -> Iterator[str]:
    for pool in world.node_pools:
        yield _of_pool(pool)
    for node_class in world.node_classes:
        yield _of_zones(subnet.zone for subnet in node_class.status.subnets)
    for node in world.nodes:
        yield node.metadata.labels.get(REGION, "")
        yield region_of_zone(node.metadata.labels.get(ZONE, ""))
        provider = _PROVIDER_ID.match(node.spec.provider_id)
        yield region_of_zone(provider[1]) if provider else ""
    yield world.ec2.region


def _of_pool(pool: NodePool) -> str:
    """One region or zones of one region; a NodePool that allows several regions tells nothing."""
    template = pool.spec.template
    asked = [*(r.values for r in template.spec.requirements if r.key == REGION and r.operator == "In")]
    asked.append(tuple(v for k, v in template.metadata.labels.items() if k == REGION))
    regions = {region for values in asked for region in values}
    zones = [z for r in template.spec.requirements if r.key == ZONE and r.operator == "In" for z in r.values]
    return regions.pop() if len(regions) == 1 else _of_zones(zones)


def _of_zones(zones: Iterable[str]) -> str:
    regions = {region_of_zone(zone) for zone in zones} - {""}
    return regions.pop() if len(regions) == 1 else ""
