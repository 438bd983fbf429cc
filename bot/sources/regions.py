"""Which AWS region a cluster is in, told from what was read of it."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from bot.model.karpenter import NodePool
from bot.model.labels import REGION, ZONE
from bot.model.world import World

_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+){1,2}-\d+", re.ASCII)
_PARTITIONS: Final = (("us-gov-", "aws-us-gov"), ("us-iso", "aws-iso"), ("eu-isoe-", "aws-iso-e"), ("cn-", "aws-cn"))
ENABLED: Final = frozenset(
    {"us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1", "eu-central-1", "eu-north-1"}
    | {"eu-west-1", "eu-west-2", "eu-west-3", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1"}
    | {"ap-southeast-1", "ap-southeast-2"}
)
"""Regions that every account has (AWS Account Management, "Enable or disable AWS Regions": enabled by default); each later
one has to be opted into."""
_PROVIDER_ID: Final = re.compile(r"aws:///([^/]+)/")


def is_region(text: str) -> bool:
    """Whether the text has the form of a region's name."""
    return _REGION.fullmatch(text) is not None


def partition_of(region: str) -> str:
    """The region's partition: `aws`, `aws-us-gov`, `aws-cn`, `aws-iso…`; credentials of one are worth nothing in another."""
    return next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")


def is_opt_in(region: str) -> bool:
    """Whether an account has the region only after it was enabled."""
    return bool(region) and partition_of(region) == "aws" and region not in ENABLED


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
