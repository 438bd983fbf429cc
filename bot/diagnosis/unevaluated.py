"""Features of Karpenter's that are in use here and are not worked out: found, and named in the answer.

One function a feature; each yields where the feature shows. What Karpenter does with them is in its docs, v1.14: NodeOverlay,
dynamic resource allocation, CapacityBuffer, placement groups of an EC2NodeClass, ARC zonal shift.
"""

from collections.abc import Callable, Iterator
from typing import Final

from bot.diagnosis.history import History
from bot.karpenter import SignalKind
from bot.model.diagnosis import Unevaluated
from bot.model.kubernetes import Pod
from bot.model.objects import ObjectRef, ref_of
from bot.model.world import World

NODE_OVERLAY: Final = "node-overlay"
CAPACITY_BUFFER: Final = "capacity-buffer"
DYNAMIC_RESOURCES: Final = "dynamic-resources"
PLACEMENT_GROUP: Final = "placement-group"
ZONAL_SHIFT: Final = "zonal-shift"
_KINDS: Final = {"NodeOverlay": NODE_OVERLAY, "CapacityBuffer": CAPACITY_BUFFER}
"""Kinds of objects which can change what Karpenter launches or where there is room; its feature gates have their names."""
_CONTROLLER: Final = ObjectRef(api_version="apps/v1", kind="Deployment", name="karpenter")


def unevaluated(world: World, pod: Pod, history: History) -> tuple[Unevaluated, ...]:
    """All of them, the pod's own first."""
    return tuple(dict.fromkeys(one for find in _FINDERS for one in find(world, pod, history)))


def _claims(world: World, pod: Pod, _history: History) -> Iterator[Unevaluated]:
    """Devices that the pod claims, where Karpenter allocates them; else it refuses the pod, which is worked out."""
    if pod.spec.resource_claims and not world.settings.ignore_dra_requests:
        yield Unevaluated(feature=DYNAMIC_RESOURCES, object=ref_of(pod), field="spec.resourceClaims")


def _objects(world: World, _pod: Pod, _history: History) -> Iterator[Unevaluated]:
    """Objects of a kind that changes what Karpenter launches; where it is not known whether there are any, the gate that
    makes Karpenter look at them."""
    found = [o for o in world.others if o.kind in _KINDS]
    for one in found:
        yield Unevaluated(feature=_KINDS[one.kind], object=one, field="spec")
    known = world.others_listed | {one.kind for one in found}
    for gate, feature in _KINDS.items():
        if gate in world.settings.feature_gates and gate not in known:
            yield Unevaluated(feature=feature, object=_CONTROLLER, field="FEATURE_GATES", detail=gate)


def _placement_groups(world: World, _pod: Pod, _history: History) -> Iterator[Unevaluated]:
    for node_class in world.node_classes:
        if node_class.spec.placement_group_selector is not None:
            where = "spec.placementGroupSelector"
            yield Unevaluated(feature=PLACEMENT_GROUP, object=ref_of(node_class), field=where)


def _zonal_shifts(_world: World, _pod: Pod, history: History) -> Iterator[Unevaluated]:
    """Zones from which AWS has shifted away, by the last word on each."""
    shifted: dict[tuple[str, str], bool] = {}
    for signal in history.of(SignalKind.ZONAL_SHIFT, SignalKind.ZONAL_SHIFT_CLEARED):
        where = signal.objects.get("NodePool", ""), signal.facts.get("zone", "")
        shifted[where] = signal.kind is SignalKind.ZONAL_SHIFT
    for (nodepool, zone), on in shifted.items():
        if on:
            about = ObjectRef(api_version="karpenter.sh/v1", kind="NodePool", name=nodepool)
            yield Unevaluated(feature=ZONAL_SHIFT, object=about, field="event ZonalShiftActive", detail=zone)


_FINDERS: Final[tuple[Callable[[World, Pod, History], Iterator[Unevaluated]], ...]] = (
    _claims,
    _zonal_shifts,
    _placement_groups,
    _objects,
)
