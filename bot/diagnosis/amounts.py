"""Conditions on amounts: what the pod asks for, what DaemonSets take on every node, what a NodePool's limits leave."""

from collections.abc import Iterator

from bot.diagnosis.filters import Filter
from bot.diagnosis.indexes import Types
from bot.diagnosis.lowering import bearer
from bot.diagnosis.scheduling import Round
from bot.diagnosis.state_nodes import NODES
from bot.diagnosis.templates import Template
from bot.model.diagnosis import Constraint, Editor, Kind
from bot.model.objects import ObjectRef, ref_of
from bot.model.quantities import ZERO, Quantity


def request_filters(this: Round, template: Template) -> Iterator[Filter]:
    """One filter a resource: what daemons leave of allocatable must hold the request.

    Types that daemons overfill by themselves pass if they would hold the request without them: it is not the request that
    keeps the pod off these (see daemon_filters).
    """
    pod, space = ref_of(this.pod), template.space
    for resource, amount in sorted(this.requests.items()):
        overfilled = space.types_having(resource, amount) & ~_fitting(template, resource, ZERO)
        fitting = _fitting(template, resource, amount) | overfilled
        bearing = bearer(this.pod.spec, resource)
        where = bearing or f"spec[{resource}]"
        constraint = Constraint(
            id=f"pod/{where}",
            kind=Kind.RESOURCE,
            object=pod,
            field=where,
            value=str(amount),
            editor=Editor.POD_OWNER if bearing else Editor.NOBODY,
            subject=resource,
            values=(str(amount),),
        )
        yield Filter(constraint, space.rows_of_types(fitting))


def _fitting(template: Template, resource: str, amount: Quantity) -> Types:
    """The types with so much beside what daemons take there."""
    return sum(
        template.space.types_having(resource, amount + group.overhead.get(resource, ZERO)) & group.types
        for group in template.daemons  # groups have no type in common
    )


def daemon_filters(template: Template) -> Iterator[Filter]:
    """Types that DaemonSets alone overfill: there the pod does not fit whatever it asks for."""
    for resource in sorted({name for group in template.daemons for name in group.overhead}):
        fitting = _fitting(template, resource, ZERO)
        if fitting == template.space.all_types:
            continue
        holding = [group for group in template.daemons if group.overhead.get(resource)]
        most = max(group.overhead[resource] for group in holding)
        constraint = Constraint(
            id=f"nodepool/{template.name}/daemons/{resource}",
            kind=Kind.DAEMON_OVERHEAD,
            object=ObjectRef(
                api_version="apps/v1",
                kind="DaemonSet",
                name=", ".join(sorted({name for group in holding for name in group.names})),
            ),
            field=f"spec.template.spec.containers[].resources.requests[{resource}]",
            value=str(most),
            editor=Editor.NOBODY,
            subject=resource,
            values=(str(most),),
            nodepool=template.name,
        )
        yield Filter(constraint, template.space.rows_of_types(fitting))


def limit_filters(template: Template) -> Iterator[Filter]:
    """NodePool limits: a type's whole capacity must fit into what is left of each."""
    for resource, left in (template.remaining or {}).items():
        if resource == NODES:
            fitting = template.space.all_types if left.nano > 0 else 0
        else:
            fitting = template.space.types_within(resource, left)
        limit = template.pool.spec.limits[resource]
        constraint = Constraint(
            id=f"nodepool/{template.name}/spec.limits[{resource}]",
            kind=Kind.POOL_LIMIT,
            object=ref_of(template.pool),
            field=f"spec.limits[{resource}]",
            value=str(limit),
            editor=Editor.NODEPOOL_OWNER,
            subject=resource,
            values=(str(left),),
            nodepool=template.name,
        )
        yield Filter(constraint, template.space.rows_of_types(fitting))
