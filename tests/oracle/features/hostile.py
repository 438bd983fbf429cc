"""Features that nobody means to have: contradictions, nothing on offer, too much of everything."""

from __future__ import annotations

from tests.oracle.catalogue import ZONE
from tests.oracle.drafts import CaseDraft, Draw, NodePoolDraft, expression
from tests.oracle.features.nodepools import BOUNDS
from tests.oracle.features.vocabulary import ARCH, AWS, INSTANCE_TYPE, random_expression
from tests.oracle.instance_type_drafts import ZONES


def contradictions(draw: Draw, case: CaseDraft) -> None:
    """NodePools and pods that contradict themselves, and values that their operator cannot read."""
    options = (
        [expression(ARCH, "In", "amd64"), expression(ARCH, "In", "arm64")],
        [expression(INSTANCE_TYPE, "In")],
        [expression(AWS + "cpu", "Gt", "64"), expression(AWS + "cpu", "Lt", "8")],
        [expression(AWS + "cpu", "Gte", "64"), expression(AWS + "cpu", "Lte", "63")],
        [expression(AWS + "cpu", "Gt", "many")],
        [expression(AWS + "memory", "Lt", "1.5")],
        [expression(AWS + "cpu", "Gt", "9223372036854775807")],
        [expression("team", "In", "a"), expression("team", "DoesNotExist")],
        [expression(AWS + "category", "Exists"), expression(AWS + "category", "DoesNotExist")],
        [expression(ZONE, "NotIn", *ZONES)],
        [expression(AWS + "category", "Gt", "1")],
    )
    if draw.chance(0.6):
        case.pool.requirements += draw.one(options)
    if draw.chance(0.6):
        case.pod.require(*draw.one(options))
    if draw.chance(0.5):
        case.add_pool(NodePoolDraft(name="sane"))
    if draw.chance(0.2):
        case.pool.labels["team"] = "a"


def negative_allocatable(draw: Draw, case: CaseDraft) -> None:
    """Types that keep more memory for themselves than they have: nothing fits them, not even a pod without requests."""
    for it in case.types:
        if draw.chance(0.7):
            it.reserved_memory = draw.one(("600Mi", "9Gi", "40Gi", "3Ti"))
    if draw.chance(0.3):
        case.pod.requests = {}
    if draw.chance(0.3):
        case.pod.requests["cpu"] = "1m"


def nothing_offered(draw: Draw, case: CaseDraft) -> None:
    """No NodePool, no type, or no zone."""
    way = draw.number(0, 3)
    if way == 0:
        case.pools = []
    elif way == 1:
        case.types = []
    else:
        for it in case.types:
            it.zones = [] if way == 2 else [ZONES[0]]
        case.pod.require(expression(ZONE, "In", ZONES[1]))


def many_terms(draw: Draw, case: CaseDraft) -> None:
    """Fifty terms, as a generator of manifests writes them."""
    for _ in range(50):
        if draw.chance(0.5):
            case.pod.required.append(
                {"matchExpressions": [expression(ZONE, "In", "us-east-1f"), random_expression(draw)]}
            )
        else:
            case.pod.preferred.append((draw.number(1, 100), [expression(ZONE, "In", "us-east-1f")]))
    if draw.chance(0.5):
        case.pod.required.append({"matchExpressions": [random_expression(draw)]})


def many_nodepools(draw: Draw, case: CaseDraft) -> None:
    """Up to two hundred NodePools."""
    for index in range(draw.one((30, 60, 100, 200))):
        pool = NodePoolDraft(name=f"pool-{index:03}", weight=draw.one((None, 1, 50, 100)))
        pool.requirements = [random_expression(draw, bounds=BOUNDS) for _ in range(draw.number(1, 3))]
        if draw.chance(0.5):
            pool.taints = [{"key": "dedicated", "value": f"team-{index}", "effect": "NoSchedule"}]
        case.add_pool(pool)
    case.pool.taints = [{"key": "dedicated", "value": "nobody", "effect": "NoSchedule"}]
    case.pod.require(random_expression(draw), random_expression(draw))
