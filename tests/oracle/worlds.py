"""A case of the oracle as the bot's World, so that both decide about the same cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from bot.model.karpenter import NodeClaim, NodePool
from bot.model.kubernetes import (
    CSINode,
    DaemonSet,
    Namespace,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    StorageClass,
)
from bot.model.labels import (
    CAPACITY_TYPE,
    RESERVATION_ID,
    RESERVATION_INTERRUPTIBLE,
    RESERVATION_TYPE,
    ZONE,
    ZONE_ID,
)
from bot.model.objects import AnyObject, decode
from bot.model.quantities import Quantity, less, total
from bot.model.world import Catalogue, InstanceType, Offering, Settings, Unavailable, World

_OWN = (CAPACITY_TYPE, ZONE, ZONE_ID, RESERVATION_ID, RESERVATION_TYPE, RESERVATION_INTERRUPTIBLE)


def world_of(case: Mapping[str, Any]) -> tuple[World, tuple[Pod, ...]]:
    """The World and the pods in question. Raises MalformedObjectError where a manifest has the wrong shape."""
    pods = _all(case, "pods", Pod)
    options = case.get("options") or {}
    pools = _all(case, "nodePools", NodePool)
    given: Mapping[str, Any] = case.get("instanceTypes") or {}
    shared = {name: Catalogue(types=tuple(map(instance_type, types))) for name, types in given.items()}
    catalogues = {
        p.metadata.name: shared[p.metadata.name if p.metadata.name in shared else "*"]
        for p in pools
        if (p.metadata.name in shared or "*" in shared)
        and p.metadata.name not in (case.get("instanceTypeErrors") or {})
    }
    gates = options.get("featureGates") or {}
    world = World(
        now=_now(case),
        karpenter_version="1.14.1",
        settings=Settings(
            preference_policy=options.get("preferencePolicy") or "Respect",
            min_values_policy=options.get("minValuesPolicy") or "Strict",
            reserved_capacity=gates.get("ReservedCapacity", True),
        ),
        pods=(*pods, *_all(case, "boundPods", Pod)),
        nodes=_all(case, "nodes", Node),
        node_pools=pools,
        node_claims=_all(case, "nodeClaims", NodeClaim),
        daemon_sets=_all(case, "daemonSets", DaemonSet),
        claims=_all(case, "persistentVolumeClaims", PersistentVolumeClaim),
        volumes=_all(case, "persistentVolumes", PersistentVolume),
        storage_classes=_all(case, "storageClasses", StorageClass),
        csi_nodes=_all(case, "csiNodes", CSINode),
        namespaces=_all(case, "namespaces", Namespace),
        placements_known=True,
        catalogues=catalogues,
    )
    return world, pods


def _now(case: Mapping[str, Any]) -> datetime:
    text = case.get("now")
    return datetime.fromisoformat(text) if text else datetime(2026, 1, 1, tzinfo=UTC)


def _all(case: Mapping[str, Any], name: str, kind: type[AnyObject]) -> tuple[AnyObject, ...]:
    return tuple(decode(item, kind) for item in case.get(name) or ())


def _resources(given: Mapping[str, Any] | None) -> dict[str, Quantity]:
    return {name: Quantity.parse(amount) for name, amount in (given or {}).items()}


def instance_type(given: Mapping[str, Any]) -> InstanceType:
    """One instance type as the oracle's cloud provider resolves it.

    Source of allocatable: karpenter pkg/cloudprovider/types.go, computeAllocatable.
    """
    overhead = given.get("overhead") or {}
    capacity = _resources(given.get("capacity"))
    reserved = total(_resources(overhead.get(part)) for part in ("kubeReserved", "systemReserved", "evictionThreshold"))
    return InstanceType(
        name=given["name"],
        labels={r["key"]: frozenset(r.get("values") or ()) for r in given["requirements"] if r["operator"] != "Exists"},
        capacity=capacity,
        allocatable=_allocatable(capacity, reserved),
        offerings=tuple(offering(o) for o in given.get("offerings") or ()),
    )


def _allocatable(capacity: dict[str, Quantity], reserved: dict[str, Quantity]) -> dict[str, Quantity]:
    left = less(capacity, reserved)
    huge = [amount for name, amount in capacity.items() if name.startswith("hugepages-")]
    if "memory" in left:
        for amount in huge:
            left["memory"] = max(left["memory"] - amount, Quantity(0))
    return left


def offering(given: Mapping[str, Any]) -> Offering:
    """One offering; its labels are its requirements, DoesNotExist ones aside."""
    labels = {r["key"]: (r.get("values") or [""])[0] for r in given["requirements"] if r["operator"] == "In"}
    return Offering(
        capacity_type=labels.get(CAPACITY_TYPE, ""),
        zone=labels.get(ZONE, ""),
        zone_id=labels.get(ZONE_ID, ""),
        price=given.get("price"),
        unavailable=() if given.get("available") else (Unavailable.UNSPECIFIED,),
        reservation_id=labels.get(RESERVATION_ID, ""),
        reservation_type=labels.get(RESERVATION_TYPE, ""),
        reservation_interruptible=labels.get(RESERVATION_INTERRUPTIBLE) == "true",
        reservation_capacity=given.get("reservationCapacity") or 0,
        more_labels=tuple(sorted((k, v) for k, v in labels.items() if k not in _OWN)),
    )


def first(pods: Iterable[Pod]) -> Pod | None:
    """The first pod, or None."""
    return next(iter(pods), None)
