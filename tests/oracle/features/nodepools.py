"""Features of NodePools and of what the cloud offers them."""

from __future__ import annotations

from dataclasses import replace

from tests.oracle.catalogue import CAPACITY_TYPE, RESERVATION_ID, ZONE, catalogue
from tests.oracle.drafts import CaseDraft, Draw, Json, NodeDraft, NodePoolDraft, expression
from tests.oracle.features.vocabulary import ARCH, AWS, INSTANCE_TYPE, TEXTUAL, random_expression, value, values_of
from tests.oracle.instance_type_drafts import ZONES, InstanceTypeDraft, Reservation

BOUNDS = ("Gt", "Lt", "Gte", "Lte")


def custom_labels(draw: Draw, case: CaseDraft) -> None:
    """Labels of the user's own, from the NodePool's template or requirements."""
    key = draw.one(("team", "example.com/tier", "billing"))
    way = draw.number(0, 4)
    if way == 0:
        case.pool.labels[key] = "blue"
    elif way <= 2:
        case.pool.requirements.append(
            expression(key, draw.one(("In", "NotIn")), *draw.some(("blue", "red", "7"), 1, 2))
        )
    elif way == 3:
        case.pool.requirements.append(expression(key, draw.one(("Exists", "DoesNotExist"))))
    else:
        case.pool.requirements.append(expression(key, draw.one(BOUNDS), "5"))
    operator = draw.one(("In", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"))
    wanted = {"In": draw.some(("blue", "red", "7"), 1, 2), "NotIn": ["blue"], "Gt": ["6"], "Lt": ["8"]}.get(
        operator, []
    )
    case.pod.require(expression(key, operator, *wanted))


def requirements(draw: Draw, case: CaseDraft) -> None:
    """Every operator on the NodePool, Gte and Lte too, sometimes against a pod that wants something as well."""
    case.pool.requirements += [random_expression(draw, bounds=BOUNDS) for _ in range(draw.number(1, 3))]
    if draw.chance(0.5):
        case.pod.require(random_expression(draw))


def weights(draw: Draw, case: CaseDraft) -> None:
    """Several NodePools: the heaviest that takes the pod wins, ties go to the later name."""
    case.pool.weight = draw.one((None, 1, 10))
    for name in draw.some(("alpha", "beta", "gamma", "zeta"), 1, 3):
        pool = NodePoolDraft(name=name, weight=draw.one((None, 1, 10, 50, 100)))
        pool.requirements = [random_expression(draw, bounds=BOUNDS) for _ in range(draw.number(0, 2))]
        if draw.chance(0.3):
            pool.taints.append(_taint(draw))
        if draw.chance(0.2):
            pool.limits = {"cpu": draw.one(("1", "10", "100"))}
        case.add_pool(pool)
    if draw.chance(0.5):
        case.pod.require(random_expression(draw))


def _taint(draw: Draw) -> Json:
    taint: Json = {
        "key": draw.one(("gpu", "dedicated", "nvidia.com/gpu")),
        "effect": draw.one(("NoSchedule", "NoSchedule", "NoExecute", "PreferNoSchedule")),
    }
    if draw.chance(0.6):
        taint["value"] = draw.one(("true", "team-a", "5"))
    return taint


def _toleration(draw: Draw, taint: Json) -> Json:
    """One that often fits the taint."""
    toleration: Json = {"key": taint["key"], "operator": draw.one(("Exists", "Equal", "Equal"))}
    if toleration["operator"] == "Equal":
        toleration["value"] = taint.get("value", "") if draw.chance(0.8) else "other"
    if draw.chance(0.6):
        toleration["effect"] = taint["effect"] if draw.chance(0.8) else "NoSchedule"
    if draw.chance(0.1):
        return {"operator": "Exists"}
    if draw.chance(0.1):
        return {"key": taint["key"], "operator": draw.one(("Gt", "Lt")), "value": "4", "effect": taint["effect"]}
    return toleration


def taints(draw: Draw, case: CaseDraft) -> None:
    """Taints of all effects on one or two NodePools; startup taints never matter to a new node."""
    if draw.chance(0.4):
        case.add_pool(NodePoolDraft(name="tainted", weight=draw.one((None, 10))))
    for pool in case.pools:
        unique = {(taint["key"], taint["effect"]): taint for taint in (_taint(draw) for _ in range(draw.number(0, 2)))}
        pool.taints = list(unique.values())
        if draw.chance(0.2):
            pool.startup_taints = [{"key": "starting", "effect": "NoSchedule"}]
        case.pod.tolerations += [_toleration(draw, taint) for taint in pool.taints if draw.chance(0.6)]


def limits(draw: Draw, case: CaseDraft) -> None:
    """Limits, partly used by nodes that have no room for the pod."""
    case.pool.limits = {
        name: draw.one(sizes)
        for name, sizes in (
            ("cpu", ("0", "1", "16", "20", "64", "1000")),
            ("memory", ("1Gi", "64Gi", "200Gi", "4Ti")),
            ("nodes", ("0", "1", "2", "10")),
            ("nvidia.com/gpu", ("0", "1", "8")),
        )
        if draw.chance(0.5)
    }
    for index in range(draw.number(0, 3)):
        case.add_node(
            NodeDraft(
                name=f"used-{index}",
                pool=case.pool.name if draw.chance(0.8) else "",
                instance_type=draw.one(("m5.large", "m5.4xlarge", "g4dn.xlarge")),
                room={"cpu": "100m", "memory": "64Mi", "pods": "20"},
            )
        )


def min_values(draw: Draw, case: CaseDraft) -> None:
    """minValues on one or two keys."""
    for key in draw.some((INSTANCE_TYPE, AWS + "family", AWS + "category", AWS + "size", ZONE, CAPACITY_TYPE), 1, 2):
        requirement = expression(key, "Exists")
        if draw.chance(0.5):
            requirement = expression(key, "In", *draw.some(values_of(key), 2, 5))
        least = draw.number(1, 6)
        wanted = requirement.get("values")
        if isinstance(wanted, list):
            least = min(least, len(wanted))
        case.pool.requirements.append({**requirement, "minValues": least})
    if draw.chance(0.5):
        case.pod.require(random_expression(draw))
    if draw.chance(0.3):
        case.options["minValuesPolicy"] = draw.one(("Strict", "BestEffort"))


def states(draw: Draw, case: CaseDraft) -> None:
    """NodePools that the scheduler does not see: not ready, being deleted, static, another controller's."""
    if draw.chance(0.6):
        case.add_pool(NodePoolDraft(name="second", weight=draw.one((None, 20))))
        case.pools[1].requirements = [random_expression(draw)]
    for pool in case.pools:
        state = draw.number(0, 5)
        pool.ready = state != 0
        pool.deleting = state == 1
        pool.static = state == 2
        pool.node_class_kind = "OtherNodeClass" if state == 3 else "EC2NodeClass"


def policies(draw: Draw, case: CaseDraft) -> None:
    """The controller's policies on preferences and minValues."""
    case.options["preferencePolicy"] = draw.one(("Ignore", "Respect"))
    case.options["minValuesPolicy"] = draw.one(("BestEffort", "Strict"))
    case.pod.preferred.append((10, [random_expression(draw)]))
    if draw.chance(0.5):
        case.pool.requirements.append({**expression(AWS + "family", "Exists"), "minValues": draw.number(2, 12)})
    if draw.chance(0.4) and not case.pod.spread:
        selector = {"matchLabels": {"app": "web"}}
        case.pod.labels["app"] = "web"
        case.pod.spread.append(
            {
                "topologyKey": ZONE,
                "maxSkew": 1,
                "whenUnsatisfiable": draw.one(("ScheduleAnyway", "DoNotSchedule")),
                "labelSelector": selector,
            }
        )


def unavailable_offerings(draw: Draw, case: CaseDraft) -> None:
    """Insufficient capacity lately: by zone, by capacity type, or everywhere."""
    zones = draw.some(ZONES, 1, 3)
    capacity_types = draw.some(("on-demand", "spot"), 1, 2)
    for it in case.types:
        if draw.chance(0.8):
            it.unavailable |= {(zone, capacity_type) for zone in zones for capacity_type in capacity_types}
    for it in draw.some(case.types, 0, 3):
        it.zones = draw.some(ZONES, 1, 2)
    if draw.chance(0.5):
        case.pod.require(expression(ZONE, "In", draw.one(ZONES)))
    if draw.chance(0.5):
        case.pod.require(expression(CAPACITY_TYPE, "In", draw.one(("on-demand", "spot", "reserved"))))
    if draw.chance(0.3):
        case.pod.require(expression(ARCH, "In", "arm64"))


def instance_types_per_pool(draw: Draw, case: CaseDraft) -> None:
    """NodePools of different NodeClasses: other types, none, or an error instead."""
    for name in draw.some(("alpha", "beta", "gamma"), 1, 2):
        case.add_pool(NodePoolDraft(name=name, weight=draw.one((None, 10, 50))))
    for pool in case.pools:
        way = draw.number(0, 4)
        if way == 0:
            case.types_of[pool.name] = []
        elif way == 1:
            case.type_errors[pool.name] = "no subnets found"
        elif way <= 3:
            case.types_of[pool.name] = [InstanceTypeDraft(name=n) for n in sorted(draw.some(sorted(catalogue()), 1, 4))]
    if draw.chance(0.5):
        key = draw.one(TEXTUAL)
        case.pod.node_selector[key] = value(draw, key)


def reserved_capacity(draw: Draw, case: CaseDraft) -> None:
    """Reservations with and without room; a pod waits for one rather than fall back."""
    for index, it in enumerate(draw.some(case.types, 1, 3)):
        it.reservations = [
            Reservation(
                id=f"cr-{index}{n}", zone=draw.one(ZONES), kind=draw.one(("default", "capacity-block")), left=left
            )
            for n, left in enumerate(draw.some((0, 1, 1, 2), 1, 2))
        ]
        if len({reservation.kind for reservation in it.reservations}) == 1 and draw.chance(0.3):
            case.pool.requirements.append(expression(INSTANCE_TYPE, "In", it.name))
    if draw.chance(0.8):
        # A NodePool must allow reserved capacity to use it.
        case.pool.requirements = [it for it in case.pool.requirements if it["key"] != CAPACITY_TYPE]
    if draw.chance(0.5):
        others = draw.some(("on-demand", "spot"), 0, 2)
        case.pool.requirements.append(expression(CAPACITY_TYPE, "In", "reserved", *others))
    if draw.chance(0.4):
        case.pod.require(expression(CAPACITY_TYPE, draw.one(("In", "NotIn")), "reserved"))
    if draw.chance(0.3):
        case.pod.require(expression(RESERVATION_ID, "In", draw.one(("cr-00", "cr-01", "cr-99"))))
    if draw.chance(0.2):
        case.options["featureGates"] = {"ReservedCapacity": False}
    if draw.chance(0.4):
        # Pods that cannot share a node compete for what is left of a reservation.
        case.pod.host_ports = [{"containerPort": 80, "hostPort": 8443, "protocol": "TCP"}]
        case.pods += [replace(case.pod, name=f"rival-{index}") for index in range(draw.number(1, 2))]
