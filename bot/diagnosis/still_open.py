"""What a pod could also take where EC2 keeps refusing its launches, though Karpenter still finds an offering to try."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.diagnosis.constraints import partition
from bot.diagnosis.pods import first_variant
from bot.diagnosis.releases import NEWEST
from bot.diagnosis.scheduling import begin
from bot.diagnosis.verdicts import parse_version
from bot.diagnosis.widening import widening
from bot.model.diagnosis import Fact
from bot.model.kubernetes import Pod
from bot.model.world import Refused, World


def wider_facts(world: World, pod: Pod, nodepool: str, marks: Sequence[Refused]) -> Mapping[str, Fact]:
    """What is open beside the offerings that were tried, their marks still on or not; nothing where none is the NodePool's."""
    refused = [replace(mark, until=None) for mark in marks]
    this = begin(world, pod, refused, parse_version(world.karpenter_version) or NEWEST)
    built = next((template for template in this.templates if template.name == nodepool), None)
    if built is None:
        return {}
    first = first_variant(pod, respect_preferences=False)
    variant = replace(first, terms=first.terms[:1])
    conditions = partition(this, built, variant, this.topology.groups(variant))
    names = {(mark.instance_type, mark.zone, mark.capacity_type) for mark in marks}
    offered = conditions.space.offerings(conditions.universe)
    tried = [(t, o) for t, o in offered if (t.name, o.zone, o.capacity_type) in names]
    return widening(conditions, world, tried).facts if tried else {}
