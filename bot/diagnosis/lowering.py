"""A pod that asks for less of a resource: which container gives way, and down to what.

The pod's total is what its containers and sidecars ask for side by side, or the largest of its init containers with the
sidecars started before it, plus the overhead of its RuntimeClass (kubernetes component-helpers resource/helpers.go,
PodRequests).
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from bot.diagnosis.pods import POD_LEVEL
from bot.model.kubernetes import Container, PodSpec, ResourceRequirements
from bot.model.quantities import ZERO, Quantity

Where = tuple[str, int]
"""A container: `containers` or `initContainers`, and its index."""
_LISTS: Final = {"containers": "containers", "initContainers": "init_containers"}


def asked(container: Container, resource: str) -> Quantity:
    """The container's request, which its limit stands for where there is none."""
    return container.resources.requests.get(resource, container.resources.limits.get(resource, ZERO))


def bearer(spec: PodSpec, resource: str) -> str:
    """The field that decides how much the pod asks for: where a person would look first. "" when no container asks."""
    if _at_pod_level(spec, resource):
        return f"spec.resources.requests[{resource}]"
    running = dict(_running(spec, resource))
    starting = {where: amount + before for where, amount, before in _starting(spec, resource, {})}
    side_by_side = Quantity(sum(amount.nano for amount in running.values()))
    binding = starting if starting and side_by_side < max(starting.values()) else running
    if not any(binding.values()):
        return ""
    kind, index = max(binding, key=lambda where: (binding[where], -where[1]))
    container = (spec.containers if kind == "containers" else spec.init_containers)[index]
    part = "requests" if resource in container.resources.requests else "limits"
    return f"spec.{kind}[{index}].resources.{part}[{resource}]"


def lowered(spec: PodSpec, resource: str, total: Quantity) -> PodSpec | None:
    """The pod with that total. What runs side by side gives way in its largest container, init containers one by one.

    Where the pod asks as a whole, its containers give way only as far as they must stay below that.
    None where the largest container alone cannot give that much: then no single change reaches the total.
    """
    target = total - spec.overhead.get(resource, ZERO)
    if target < ZERO:
        return None
    inside = _contained(spec, resource, target)
    if inside is None or spec.resources is None or not _at_pod_level(spec, resource):
        return inside
    whole = _changed(spec.resources, resource, target)
    return _capped(replace(inside, resources=whole), resource, whole.limits.get(resource))


def _contained(spec: PodSpec, resource: str, target: Quantity) -> PodSpec | None:
    """The pod with containers that together ask for no more than that."""
    running = dict(_running(spec, resource))
    amounts: dict[Where, Quantity] = {}
    excess = Quantity(sum(amount.nano for amount in running.values())) - target
    if excess > ZERO:
        largest = max(running, key=lambda where: (running[where], -where[1]))
        amounts[largest] = running[largest] - excess
    for where, amount, before in _starting(spec, resource, amounts):
        if target < amount + before:
            amounts[where] = target - before
    return None if any(amount < ZERO for amount in amounts.values()) else _with(spec, resource, amounts)


def _capped(spec: PodSpec, resource: str, most: Quantity | None) -> PodSpec:
    """No container's limit is above the pod's: the API server refuses that (validation.go, validatePodResourceConsistency)."""
    if most is None or all(c.resources.limits.get(resource, most) <= most for c in spec.containers):
        return spec
    return replace(spec, containers=tuple(_limited(c, resource, most) for c in spec.containers))


def _limited(container: Container, resource: str, most: Quantity) -> Container:
    limits = {
        name: min(amount, most) if name == resource else amount for name, amount in container.resources.limits.items()
    }
    return replace(container, resources=replace(container.resources, limits=limits))


def without(spec: PodSpec, resource: str) -> PodSpec:
    """The pod with no container that asks for the resource at all."""
    return replace(
        spec,
        containers=tuple(_dropped(c, resource) for c in spec.containers),
        init_containers=tuple(_dropped(c, resource) for c in spec.init_containers),
    )


def _at_pod_level(spec: PodSpec, resource: str) -> bool:
    named = resource in POD_LEVEL or resource.startswith("hugepages-")
    return spec.resources is not None and named and resource in {**spec.resources.limits, **spec.resources.requests}


def _running(spec: PodSpec, resource: str) -> Iterator[tuple[Where, Quantity]]:
    for index, container in enumerate(spec.containers):
        yield ("containers", index), asked(container, resource)
    for index, container in enumerate(spec.init_containers):
        if container.restart_policy == "Always":
            yield ("initContainers", index), asked(container, resource)


def _starting(
    spec: PodSpec, resource: str, changed: Mapping[Where, Quantity]
) -> Iterator[tuple[Where, Quantity, Quantity]]:
    """Each init container that ends, with what it asks for and what the sidecars before it ask for."""
    before = ZERO
    for index, container in enumerate(spec.init_containers):
        amount = changed.get(("initContainers", index), asked(container, resource))
        if container.restart_policy == "Always":
            before += amount
        else:
            yield ("initContainers", index), amount, before


def _with(spec: PodSpec, resource: str, amounts: Mapping[Where, Quantity]) -> PodSpec:
    lists = {"containers": list(spec.containers), "initContainers": list(spec.init_containers)}
    for (kind, index), amount in amounts.items():
        container = lists[kind][index]
        lists[kind][index] = replace(container, resources=_changed(container.resources, resource, amount))
    return replace(spec, **{_LISTS[kind]: tuple(containers) for kind, containers in lists.items()})


def _changed(resources: ResourceRequirements, resource: str, amount: Quantity) -> ResourceRequirements:
    """Another request; a limit that was the same stays the same, as extended resources demand."""
    old = resources.requests.get(resource, resources.limits.get(resource))
    parts = [dict(resources.requests), dict(resources.limits)]
    for part in parts:
        if resource in part and part[resource] == old:
            part[resource] = amount
    return replace(resources, requests=parts[0], limits=parts[1])


def _dropped(container: Container, resource: str) -> Container:
    parts = [
        {name: amount for name, amount in part.items() if name != resource}
        for part in (container.resources.requests, container.resources.limits)
    ]
    return replace(container, resources=replace(container.resources, requests=parts[0], limits=parts[1]))
