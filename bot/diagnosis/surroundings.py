"""Conditions that come from what is already there: the pod's volumes, other pods (topology), ports that daemons hold.

What a topology rule allows is counted, and the count depends on the pod's other conditions on the same label; so a
Partition with such rules is not exact, and what is concluded from it is decided again before it is offered (what_if.py).
"""

from collections.abc import Iterator, Sequence

from bot.diagnosis.filters import PLACEHOLDER_HOST, Filter, decided_by_rows, wording
from bot.diagnosis.pods import HostPort, Variant, host_port
from bot.diagnosis.requirements import Requirement, Requirements
from bot.diagnosis.scheduling import Round
from bot.diagnosis.space import Rows, Space
from bot.diagnosis.templates import Template, well_known
from bot.diagnosis.topology import Group, choose
from bot.diagnosis.volumes import VolumeDemand, demands
from bot.karpenter import TopologyRule
from bot.model.diagnosis import Constraint, Editor, Kind
from bot.model.labels import HOSTNAME
from bot.model.objects import ObjectRef, ref_of


def volume_filters(this: Round, template: Template, variant: Variant) -> Iterator[Filter]:
    """Where the pod's volumes are: each claim's alternatives, any of which is good enough."""
    placed = template.requirements & PLACEHOLDER_HOST & variant.requirements
    for demand in demands(this.world, this.pod):
        rows: Rows = 0
        for alternative in demand.alternatives:
            rows |= _meeting(template, placed, alternative)
        yield Filter(_volume_constraint(this, demand), rows)


def _meeting(template: Template, placed: Requirements, alternative: Requirements) -> Rows:
    """The offerings that one alternative leaves: none where a label that offerings do not decide refuses it."""
    space = template.space
    elsewhere = Requirements(r for r in alternative.values() if not decided_by_rows(space, r.key))
    if not placed.accepts(elsewhere, allowed=well_known(template.pool)):
        return 0
    rows = space.rows
    for requirement in alternative.values():
        rows &= space.rows_meeting(requirement)
    return rows


def _volume_constraint(this: Round, demand: VolumeDemand) -> Constraint:
    values = {v for alternative in demand.alternatives for r in alternative.values() for v in r.values}
    keys = sorted({key for alternative in demand.alternatives for key in alternative})
    volume = ObjectRef(api_version="v1", kind="PersistentVolume", name=demand.volume)
    storage_class = ObjectRef(api_version="storage.k8s.io/v1", kind="StorageClass", name=demand.storage_class)
    return Constraint(
        id=f"volume/{this.pod.metadata.namespace}/{demand.claim}",
        kind=Kind.VOLUME,
        object=volume if demand.volume else storage_class,
        field="spec.nodeAffinity.required" if demand.volume else "allowedTopologies",
        value=" or ".join(", ".join(f"{k} {wording(r)}" for k, r in a.items()) for a in demand.alternatives),
        editor=Editor.NOBODY,
        subject=keys[0] if keys else "",
        values=tuple(sorted(values)),
    )


def topology_filters(
    this: Round, template: Template, variant: Variant, groups: Sequence[Group], *, picked: bool
) -> Iterator[Filter]:
    """The domains that each topology rule leaves to a new node of this NodePool.

    `picked`: only those that Karpenter picks among what the NodePool and the pod allow, where it looks no further (of a
    spread's domains the emptiest one); else all that the rule would allow, whatever the NodePool and the pod ask besides.
    """
    placed = template.requirements & PLACEHOLDER_HOST & variant.requirements
    for group in groups:
        allowed = _picked(this, group, variant, placed) if picked else _valid(this, group, variant, template, placed)
        yield Filter(_topology_constraint(this, group), _rows_of(template, placed, group, allowed))


def _picked(this: Round, group: Group, variant: Variant, placed: Requirements) -> tuple[Requirement, ...]:
    anything = Requirement.of(group.key, "Exists")
    return choose(group, this.pod, variant.strict.get(group.key, anything), placed.get(group.key, anything)).picks


def _valid(
    this: Round, group: Group, variant: Variant, template: Template, placed: Requirements
) -> tuple[Requirement, ...]:
    """Every domain that the rule allows, also those that no NodePool can make as they are now: these are empty.

    What the pod asks of the label decides how a spread is counted, and whether the pod is the first of its kind.
    """
    anything = Requirement.of(group.key, "Exists")
    asked = variant.strict.get(group.key, anything)
    first = group.rule is TopologyRule.AFFINITY and group.selects(this.pod)
    counted = group.rule is TopologyRule.SPREAD or first
    within = placed[HOSTNAME] if group.key == HOSTNAME else anything
    valid = choose(group, this.pod, asked if counted else anything, within).valid
    if group.key != HOSTNAME and (not first or not any(group.domains.get(d) for d in valid)):
        unseen = (d for d in template.space.values(group.key) if d not in group.domains)
        valid |= frozenset(unseen) if first or group.rule is not TopologyRule.AFFINITY else frozenset()
    return tuple(Requirement.of(group.key, "In", (domain,)) for domain in sorted(valid))


def _rows_of(template: Template, placed: Requirements, group: Group, allowed: Sequence[Requirement]) -> Rows:
    space = template.space
    if decided_by_rows(space, group.key):
        return _any_of(space, allowed)
    reached = any(placed.accepts(Requirements((one,)), allowed=well_known(template.pool)) for one in allowed)
    return space.rows if reached else 0


def _any_of(space: Space, allowed: Sequence[Requirement]) -> Rows:
    rows: Rows = 0
    for one in allowed:
        rows |= space.rows_meeting(one)
    return rows


def _topology_constraint(this: Round, group: Group) -> Constraint:
    spread = group.rule is TopologyRule.SPREAD
    own = group.field.startswith("spec.") and "other pods" not in group.field
    return Constraint(
        id=f"pod/{group.field}/{group.key}",
        kind=Kind.TOPOLOGY_SPREAD if spread else Kind.POD_AFFINITY,
        object=ref_of(this.pod),
        field=group.field,
        value=f"{group.rule} by {group.key}",
        editor=Editor.POD_OWNER if own else Editor.NOBODY,
        subject=group.key,
        operator=str(group.rule),
        values=tuple(f"{domain}: {count}" for domain, count in sorted(group.domains.items())),
    )


def ports_asked(this: Round) -> Iterator[tuple[HostPort, str]]:
    """The host ports that the pod asks for, each with its field."""
    spec = this.pod.spec
    for index, container in enumerate(spec.containers):
        for place, port in enumerate(container.ports):
            asked = host_port(spec, port)
            if asked is not None:
                yield asked, f"spec.containers[{index}].ports[{place}].hostPort"


def port_filters(this: Round, template: Template) -> Iterator[Filter]:
    """Host ports that a DaemonSet already takes on every node of these types."""
    for asked, where in ports_asked(this):
        held_by = [group for group in template.daemons if any(asked.conflicts_with(p) for p in group.host_ports)]
        if held_by:
            free = sum(group.types for group in template.daemons if group not in held_by)  # groups share no type
            holders = sorted({name for group in held_by for name in group.names})
            yield Filter(port_constraint(this, asked, where, holders), template.space.rows_of_types(free))


def port_constraint(this: Round, asked: HostPort, where: str, holders: Sequence[str]) -> Constraint:
    """A host port of the pod, and who holds it."""
    return Constraint(
        id=f"pod/{where}",
        kind=Kind.HOST_PORT,
        object=ref_of(this.pod),
        field=where,
        value=f"{asked.port}/{asked.protocol}",
        editor=Editor.NOBODY if this.pod.spec.host_network else Editor.POD_OWNER,
        subject=f"{asked.port}/{asked.protocol}",
        values=tuple(holders),
    )
