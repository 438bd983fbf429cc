"""Features that look at other pods: topology spread, pod affinity and anti-affinity."""

from __future__ import annotations

from tests.oracle.catalogue import CAPACITY_TYPE, ZONE
from tests.oracle.drafts import CaseDraft, Draw, Json, NodeDraft, PodDraft, expression
from tests.oracle.features.vocabulary import random_expression
from tests.oracle.instance_type_drafts import ZONES

HOSTNAME = "kubernetes.io/hostname"
APP = {"app": "web"}
SELECTOR: Json = {"matchLabels": APP}


def populate(draw: Draw, case: CaseDraft, labels: dict[str, str], *, least: int = 0) -> list[PodDraft]:
    """Nodes in some zones, without room, and pods with these labels bound to them."""
    pods = []
    for index, zone in enumerate(draw.some(ZONES, least, 3)):
        pool = case.pool.name if draw.chance(0.7) else ""
        node = case.add_node(NodeDraft(name=f"host-{zone}", zone=zone, pool=pool))
        for copy in range(draw.number(0, 3)):
            pod = PodDraft(name=f"web-{index}-{copy}", labels=dict(labels), requests={"cpu": "1m"})
            pods.append(case.bind(pod, node))
    return pods


def spread(draw: Draw, case: CaseDraft) -> None:
    """One or two spread constraints over pods that are spread evenly or not."""
    if draw.chance(0.8):
        case.pod.labels |= APP
    populate(draw, case, APP)
    keys = (ZONE, ZONE, ZONE, HOSTNAME, CAPACITY_TYPE, "example.com/rack")
    for key in draw.some(keys, 1, 2):
        constraint: Json = {
            "topologyKey": key,
            "maxSkew": draw.number(1, 2),
            "whenUnsatisfiable": draw.one(("DoNotSchedule", "DoNotSchedule", "ScheduleAnyway")),
            "labelSelector": draw.one((SELECTOR, SELECTOR, {"matchLabels": {"app": "other"}})),
        }
        if constraint["whenUnsatisfiable"] == "DoNotSchedule" and draw.chance(0.2):
            constraint["minDomains"] = draw.number(2, 5)
        if draw.chance(0.2):
            constraint["nodeTaintsPolicy"] = draw.one(("Honor", "Ignore"))
        if draw.chance(0.2):
            constraint["nodeAffinityPolicy"] = draw.one(("Honor", "Ignore"))
        # The API server refuses two constraints of one key and one policy.
        pair = (constraint["topologyKey"], constraint["whenUnsatisfiable"])
        if pair not in [(other["topologyKey"], other["whenUnsatisfiable"]) for other in case.pod.spread]:
            case.pod.spread.append(constraint)
    if draw.chance(0.4):
        case.pod.require(expression(ZONE, draw.one(("In", "NotIn")), *draw.some(ZONES, 1, 2)))
    if draw.chance(0.2):
        case.pool.requirements.append(expression(ZONE, "In", *draw.some(ZONES, 1, 2)))
    if draw.chance(0.2):
        case.pool.taints.append({"key": "dedicated", "effect": "NoSchedule"})
        case.pod.tolerations.append({"key": "dedicated", "operator": "Exists"})


def _term(draw: Draw, case: CaseDraft) -> Json:
    term: Json = {"topologyKey": draw.one((ZONE, ZONE, HOSTNAME, CAPACITY_TYPE)), "labelSelector": SELECTOR}
    if draw.chance(0.2):
        case.namespaces["other"] = {"kind": "shared"}
        term["namespaces"] = draw.one((["other"], ["default", "other"]))
    elif draw.chance(0.2):
        case.namespaces["other"] = {"kind": "shared"}
        term["namespaceSelector"] = draw.one(({}, {"matchLabels": {"kind": "shared"}}))
    return term


def pod_affinity(draw: Draw, case: CaseDraft) -> None:
    """Affinity to pods that run somewhere, nowhere, or are the pod itself."""
    if draw.chance(0.5):
        case.pod.labels |= APP
    populate(draw, case, APP if draw.chance(0.8) else {"app": "other"})
    if draw.chance(0.7):
        case.pod.pod_affinity.append(_term(draw, case))
    if not case.pod.pod_affinity or draw.chance(0.3):
        case.pod.preferred_pod_affinity.append((draw.number(1, 100), _term(draw, case)))
    if draw.chance(0.4):
        case.pod.require(expression(ZONE, draw.one(("In", "NotIn")), *draw.some(ZONES, 1, 2)))


def pod_anti_affinity(draw: Draw, case: CaseDraft) -> None:
    """Anti-affinity to pods that run in some zones or in all."""
    if draw.chance(0.5):
        case.pod.labels |= APP
    populate(draw, case, APP, least=1)
    if draw.chance(0.7):
        case.pod.anti_affinity.append(_term(draw, case))
    if not case.pod.anti_affinity or draw.chance(0.3):
        case.pod.preferred_anti_affinity.append((draw.number(1, 100), _term(draw, case)))
    if draw.chance(0.3):
        case.pod.require(random_expression(draw))


def bound_anti_affinity(draw: Draw, case: CaseDraft) -> None:
    """Running pods that refuse the pod beside them."""
    if draw.chance(0.8):
        case.pod.labels |= APP
    for pod in populate(draw, case, {"app": "loner"}, least=1):
        pod.anti_affinity.append(_term(draw, case))
    if draw.chance(0.4):
        case.pod.require(expression(ZONE, "In", *draw.some(ZONES, 1, 2)))
