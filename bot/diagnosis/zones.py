"""Zone names and zone ids told apart: `us-east-1a` is another place in every account, `use1-az4` the same one in all.

Karpenter compares `topology.kubernetes.io/zone` with names and `topology.k8s.aws/zone-id` with ids, so that one in the place
of the other matches nothing. Only EC2 may pair them (DescribeAvailabilityZones, or a subnet of the zone).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from bot.model.diagnosis import Constraint, Fact
from bot.model.labels import ZONE, ZONE_ID
from bot.model.world import World

_ID: Final = re.compile(r"[a-z]{2,5}\d+-(?:[a-z]+\d*-)*(?:az|wlz)\d+", re.ASCII)
"""`use1-az4`, `usgw1-az1`, of a local zone `usw2-lax1-az1`, of a Wavelength zone `use1-wl1-bos-wlz1`."""
_NAME: Final = re.compile(r"[a-z]{2}(?:-[a-z]+){1,2}-\d+(?:[a-z]|-[a-z0-9-]+[a-z0-9])", re.ASCII)


def is_zone_id(text: str) -> bool:
    """Whether it has the form of a zone's id."""
    return _ID.fullmatch(text) is not None


def zone_names(world: World) -> dict[str, str]:
    """Zone id -> this account's name of the zone, as far as EC2 or a subnet pairs them."""
    pairs = [(z.zone_id, z.zone_name) for z in world.ec2.zones or ()]
    pairs += [(s.availability_zone_id, s.availability_zone) for s in world.ec2.subnets or ()]
    pairs += [(s.zone_id, s.zone) for c in world.node_classes for s in c.status.subnets]
    return {zone_id: name for zone_id, name in pairs if zone_id and name}


def mistaken(constraints: Sequence[Constraint]) -> Constraint | None:
    """The condition that alone leaves nothing because all its values are ids where names belong, or names where ids do."""
    if len(constraints) != 1 or constraints[0].operator != "In" or not constraints[0].values:
        return None
    wrong = {ZONE: _ID, ZONE_ID: _NAME}.get(constraints[0].subject)
    return constraints[0] if wrong and all(wrong.fullmatch(value) for value in constraints[0].values) else None


def mistaken_facts(one: Constraint, names: Mapping[str, str], wanted_by: str) -> dict[str, Fact]:
    """What a page says of it. `meant`: the values that belong there, in the order of `wanted`; "" where nobody could say."""
    ids = {name: zone_id for zone_id, name in names.items()}
    paired: Mapping[str, str] = names if one.subject == ZONE else ids
    return {
        "key": one.subject,
        "wanted": one.values,
        "meant": tuple(paired.get(value, "") for value in one.values),
        "is_id": one.subject == ZONE,
        "wanted_by": wanted_by,
    }
