"""Jobs that start together or not at all: some pods have nodes and hold their GPUs, the others wait.

Neither kube-scheduler nor Karpenter knows of gangs (without Kueue, Volcano or a PodGroup plugin): a job that is placed in
part pays for devices that do nothing, and two such jobs can wait for each other for ever.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from bot.diagnosis.disruption import family
from bot.diagnosis.proven import cause
from bot.model.diagnosis import Cause, Fact
from bot.model.kubernetes import Pod
from bot.model.labels import GPU_RESOURCES, NEURON_RESOURCES
from bot.model.objects import ref_of
from bot.model.quantities import total
from bot.model.world import World

DEVICES: Final = (*GPU_RESOURCES, *NEURON_RESOURCES)
_GANG_LABELS: Final = (
    "jobset.sigs.k8s.io/jobset-name",
    "training.kubeflow.org/job-name",
    "leaderworkerset.sigs.k8s.io/group-key",
    "ray.io/cluster",
    "volcano.sh/job-name",
    "scheduling.x-k8s.io/pod-group",
    "batch.kubernetes.io/job-name",
)
"""Labels by which pods of one job know each other, the widest first."""


_INDEPENDENT: Final = frozenset({"ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet"})
"""Whose pods each do their own work: a replica that runs does not wait for the one that has no node."""


def gang_of(pod: Pod) -> tuple[str, str]:
    """What tells a pod's gang: label and value, or the family of its name under ""."""
    for label in _GANG_LABELS:
        if label in pod.metadata.labels:
            return label, pod.metadata.labels[label]
    return "", family(pod.metadata.name)


def devices_of(pod: Pod) -> dict[str, int]:
    """The devices that the pod asks for."""
    asked = total(c.resources.requests or c.resources.limits for c in pod.spec.containers)
    return {name: asked[name].whole for name in DEVICES if name in asked and asked[name].whole}


def _alive(pods: Iterable[Pod]) -> Iterator[Pod]:
    return (p for p in pods if p.status.phase not in ("Succeeded", "Failed") and not p.metadata.deletion_timestamp)


def members(world: World, pod: Pod) -> tuple[Pod, ...]:
    """The living pods of the pod's gang, itself among them."""
    gang, space = gang_of(pod), pod.metadata.namespace
    return tuple(p for p in _alive(world.pods) if p.metadata.namespace == space and gang_of(p) == gang)


def partly_placed(world: World, pod: Pod) -> Cause | None:
    """`gang-partly-placed`: others of the pod's job hold devices on nodes while it waits; None for jobs that do not."""
    asked = devices_of(pod)
    resource = next(iter(asked), "")
    if not resource:
        return None
    label, _ = gang_of(pod)
    if not label and any(owner.kind in _INDEPENDENT for owner in pod.metadata.owner_references):
        return None
    own = members(world, pod)
    placed = [p for p in own if p.spec.node_name]
    if not placed:
        return None
    holding = sum(devices_of(p).get(resource, 0) for p in placed)
    _, name = gang_of(pod)
    facts: dict[str, Fact] = {
        "job": name,
        "placed": len(placed),
        "waiting": len(own) - len(placed),
        "resource": resource,
        "holding": holding,
        "rivals": tuple(_rivals(world, pod, resource)),
    }
    evidence = f"{ref_of(pod)}: {len(placed)} of {len(own)} pods of {name} have a node and hold {holding} {resource}"
    return cause("gang-partly-placed", evidence, (), **facts)


def _rivals(world: World, pod: Pod, resource: str) -> Iterator[str]:
    """Other jobs that are placed in part and hold the same device: each may be waiting for what the other holds."""
    gangs: dict[tuple[str, tuple[str, str]], list[Pod]] = {}
    for one in _alive(world.pods):
        if resource in devices_of(one):
            gangs.setdefault((one.metadata.namespace, gang_of(one)), []).append(one)
    gangs.pop((pod.metadata.namespace, gang_of(pod)), None)
    for (space, (_, name)), pods in sorted(gangs.items()):
        placed = sum(bool(p.spec.node_name) for p in pods)
        if 0 < placed < len(pods):
            yield f"{space}/{name}"
