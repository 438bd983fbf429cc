"""A remedy's edits of a pod, made in the document of an object that holds the pod's template.

The pod and its template differ (admission adds tolerations, sidecars, defaults), so nothing is found by index alone: a
container by its name, an expression or a term by what it says. An edit whose old value is not in the document is not made.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from bot.diagnosis.lowering import lowered
from bot.model.diagnosis import Edit, Json
from bot.model.kubernetes import Container, NodeSelectorRequirement, Pod, PodSpec, ResourceRequirements
from bot.model.objects import MalformedObjectError, ObjectRef, decode
from bot.model.quantities import ZERO, Quantity, QuantityError
from bot.remediation.documents import Pointer, at, cut, items, parse_field, places, put, text
from bot.remediation.owners import Carrier
from bot.remediation.templates import Site, sites

Editing = Callable[[Json, Site, Edit, Pod], Json]
_DEFAULT_TOLERATIONS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class Aspect(Enum):
    """What part of a pod an edit touches: what a kind allows to change is said in these."""

    RESOURCES = "resources"
    NODE_SELECTOR = "nodeSelector"
    NODE_AFFINITY = "nodeAffinity"
    POD_AFFINITY = "podAffinity"
    TOLERATIONS = "tolerations"
    TOPOLOGY_SPREAD = "topologySpreadConstraints"
    METADATA = "metadata"


class SeveralTemplates(Exception):  # noqa: N818 (a finding, not a failure)
    """More than one template of the object `ref` holds the value, and nothing tells which one made the pod."""

    def __init__(self, ref: ObjectRef) -> None:
        super().__init__(str(ref))
        self.ref = ref


@dataclass(frozen=True, slots=True)
class Row:
    """Fields that begin so are this aspect and are edited so. An edit returns None where the old value is not there."""

    prefix: Pointer
    aspect: Aspect
    edit: Editing


def aspects_of(edit: Edit) -> frozenset[Aspect]:
    """What the edit touches; empty when no edit of that field is known."""
    row = _row(edit)
    if row is None:
        return frozenset()
    widened = row.aspect is Aspect.NODE_SELECTOR and isinstance(edit.new, list)
    return frozenset({row.aspect, Aspect.NODE_AFFINITY} if widened else {row.aspect})


def _row(edit: Edit) -> Row | None:
    field = parse_field(edit.field)
    return next((row for row in ROWS if field[: len(row.prefix)] == row.prefix), None)


def edited(owner: Carrier, pod: Pod, edits: Sequence[Edit]) -> Json:
    """The owner's document with all edits made; None when it does not hold one of the values.

    Raises SeveralTemplates.
    """
    document = owner.document
    for edit in sorted(edits, key=lambda one: places(one.field), reverse=True):
        row = _row(edit)
        if row is None:
            return None
        holding = _holding(document, sites(owner, pod), edit, pod, row)
        if len(holding) > 1 and not all(site.layered for site in holding):
            raise SeveralTemplates(owner.ref)
        if not holding:
            return None
        for site in holding:
            document = row.edit(document, site, edit, pod)
    return document


def _holding(document: Json, places: Sequence[Site], edit: Edit, pod: Pod, row: Row) -> list[Site]:
    """The places that hold the value; of layers that take something new only the last, which wins over the others."""
    if row.aspect in (Aspect.TOLERATIONS, Aspect.METADATA):
        places = [site for site in places if not site.partial]
        places = places[-1:] if places and places[-1].layered else places
    return [site for site in places if row.edit(document, site, edit, pod) is not None]


def _resource(document: Json, site: Site, edit: Edit, pod: Pod) -> Json:
    where = parse_field(edit.field)
    if len(where) != 6:  # spec.containers[0].resources.limits[nvidia.com/gpu]
        return None
    amounts = _without(pod, where[5]) if edit.new is None else _lowered(pod, where, edit)
    for (containers, name), (old, new) in amounts.items():
        resources = site.resources(document, containers, name)
        document = None if resources is None else _amount_set(document, resources, where[5], old, new)
        if document is None:
            break
    return document if amounts else None


def _pod_level(document: Json, site: Site, edit: Edit, pod: Pod) -> Json:
    """What the pod asks for as a whole goes down, and what its containers ask for as far as they must stay below it."""
    lower = lowered(pod.spec, edit.subject, Quantity.parse(str(edit.new))) if edit.new is not None else None
    if lower is None or lower.resources is None or pod.spec.resources is None:
        return None
    inside = (
        (site.resources(document, kind, before.name), before.resources, after.resources)
        for (kind, before), (_, after) in zip(_containers(pod.spec), _containers(lower), strict=True)
        if before.resources != after.resources
    )
    for where, old, new in (((*site.spec, "resources"), pod.spec.resources, lower.resources), *inside):
        document = None if where is None else _resources_set(document, where, edit.subject, old, new)
        if document is None:
            break
    return document


def _resources_set(
    document: Json, where: Pointer, name: str, old: ResourceRequirements, new: ResourceRequirements
) -> Json:
    """Requests and limits as they are to be, each where it is written; admission adds requests that no template has."""
    changes = ((("requests", name), old.requests, new.requests), (("limits", name), old.limits, new.limits))
    found = False
    for place, before, after in changes:
        raw = at(document, (*where, *place))
        if raw is None:
            continue
        if _quantity(raw) != before.get(name):
            return None
        found, document = True, put(document, (*where, *place), _like(raw, after[name]))
    return document if found else None


Amounts = dict[tuple[str, str], tuple[Quantity, Quantity | None]]
"""Which container (list, name) asks for how much now, and how much it is to ask for; None: not at all."""


def _containers(spec: PodSpec) -> Iterator[tuple[str, Container]]:
    yield from (("containers", c) for c in spec.containers)
    yield from (("initContainers", c) for c in spec.init_containers)


def _asked(container: Container, resource: str) -> Quantity:
    return container.resources.requests.get(resource, container.resources.limits.get(resource, ZERO))


def _without(pod: Pod, resource: str) -> Amounts:
    return {(kind, c.name): (_asked(c, resource), None) for kind, c in _containers(pod.spec) if _asked(c, resource)}


def _lowered(pod: Pod, where: Pointer, edit: Edit) -> Amounts:
    """The pod's total goes down by the named container alone; init containers must fit below the new total each.

    The total is what runs side by side or the largest init container (kubernetes component-helpers resource/helpers.go).
    """
    old, new, resource = Quantity.parse(str(edit.old)), Quantity.parse(str(edit.new)), where[5]
    found = [(kind, c) for kind, c in _containers(pod.spec) if kind == where[1]]
    if int(where[2]) >= len(found):
        return {}
    kind, container = found[int(where[2])]
    alone = kind == "initContainers" and container.restart_policy != "Always"
    asked = _asked(container, resource)
    less = new if alone else asked - (old - new)
    running = sum((_asked(c, resource).nano for k, c in _containers(pod.spec) if k == "containers"), start=0)
    if less < ZERO or (alone and running > new.nano):
        return {}
    amounts: Amounts = {(kind, container.name): (asked, new if asked == old else less)}
    for other in pod.spec.init_containers:
        if other.restart_policy != "Always" and _asked(other, resource) > new:
            amounts["initContainers", other.name] = (_asked(other, resource), new)
    return amounts


def _amount_set(document: Json, resources: Pointer, name: str, old: Quantity, new: Quantity | None) -> Json:
    """Requests and limits that are the same stay the same: extended resources demand it, and a pod keeps its QoS class."""
    places = [(*resources, part, name) for part in ("requests", "limits")]
    written = [(place, at(document, place)) for place in places if at(document, place) is not None]
    if not written or _quantity(written[0][1]) != old:
        return None
    for place, raw in written:
        if new is None:
            document = cut(document, place, keep=len(resources))
        elif _quantity(raw) == old:
            document = put(document, place, _like(raw, new))
    return document


def _quantity(raw: Json) -> Quantity | None:
    try:
        return Quantity.parse(raw) if isinstance(raw, str | int | float) else None
    except QuantityError:
        return None


def _like(raw: Json, amount: Quantity) -> Json:
    """A number stays a number, as custom resources may have it."""
    return amount.whole if isinstance(raw, int) and amount == Quantity.of(amount.whole) else str(amount)


def _selector(document: Json, site: Site, edit: Edit, pod: Pod) -> Json:
    key = parse_field(edit.field)[2]
    where = (*site.spec, "nodeSelector", key)
    if at(document, where) is None or at(document, where) != pod.spec.node_selector.get(key):
        return None
    if isinstance(edit.new, str):
        return put(document, where, edit.new)
    document = cut(document, where, keep=len(site.spec))
    return _required(document, site, {"key": key, "operator": "In", "values": edit.new}) if edit.new else document


_TERMS: Final = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")


def _required(document: Json, site: Site, expression: Json) -> Json:
    """One more expression in each required OR-term; a nodeSelector holds one value, so several need an affinity."""
    where = (*site.spec, *_TERMS)
    terms = items(document, where)
    for index in range(len(terms)):
        place = (*where, str(index), "matchExpressions")
        document = put(document, place, [*items(document, place), expression])
    return document if terms else put(document, where, [{"matchExpressions": [expression]}])


def _expression(document: Json, site: Site, edit: Edit, pod: Pod) -> Json:
    """Widens or drops one expression of node affinity. A term without expressions matches nothing, so it is not left over:
    the whole required affinity goes, for "this or anything" is anything."""
    wanted = _expression_of(pod, edit)
    found = _find_expression(document, site, edit, wanted) if wanted else None
    if found is None:
        return None
    if edit.new is not None:
        return put(document, (*found, "values"), edit.new)
    term, terms = found[:-2], _terms_of(site, edit)
    holder = at(document, term)
    others = len(items(document, found[:-1])) > 1 or (isinstance(holder, dict) and bool(holder.get("matchFields")))
    if others:
        return cut(document, found, keep=len(term))
    required = terms[-1] == "nodeSelectorTerms"
    return cut(document, terms[:-1] if required else (*terms, term[len(terms)]), keep=len(site.spec))


def _expression_of(pod: Pod, edit: Edit) -> NodeSelectorRequirement | None:
    """The pod's own expression that the edit names by its place."""
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    numbers = places(edit.field)
    if affinity is None or len(numbers) != 2:
        return None
    required = affinity.required_during_scheduling_ignored_during_execution
    terms = required.node_selector_terms if required else ()
    if "preference" in parse_field(edit.field):
        terms = tuple(p.preference for p in affinity.preferred_during_scheduling_ignored_during_execution)
    expressions = terms[numbers[0]].match_expressions if numbers[0] < len(terms) else ()
    return expressions[numbers[1]] if numbers[1] < len(expressions) else None


def _terms_of(site: Site, edit: Edit) -> Pointer:
    field = parse_field(edit.field)
    return (*site.spec, *field[1 : next(i for i, token in enumerate(field) if token.isdecimal())])


def _find_expression(document: Json, site: Site, edit: Edit, wanted: NodeSelectorRequirement) -> Pointer | None:
    """The expression that says the same: at the pod's own place if possible, else the only one."""
    terms, field = _terms_of(site, edit), parse_field(edit.field)
    inner = ("preference", "matchExpressions") if "preference" in field else ("matchExpressions",)
    found = [
        (*terms, str(number), *inner, str(position))
        for number, term in enumerate(items(document, terms))
        for position, expression in enumerate(items(term, inner))
        if _says(expression, wanted)
    ]
    same_place = (*site.spec, *field[1:])
    return same_place if same_place in found else (found[0] if len(found) == 1 else None)


def _says(expression: Json, wanted: NodeSelectorRequirement) -> bool:
    try:
        return decode(expression, NodeSelectorRequirement) == wanted
    except MalformedObjectError:
        return False


def _toleration(document: Json, site: Site, edit: Edit, pod: Pod) -> Json:
    where = (*site.spec, "tolerations")
    present = items(document, where)
    # an override's list replaces the whole list of the template below it
    lost = site.layered and not present and any(t.key not in _DEFAULT_TOLERATIONS for t in pod.spec.tolerations)
    if edit.new is None or lost:
        return None
    return document if edit.new in present else put(document, where, [*present, edit.new])


def _spread(document: Json, site: Site, edit: Edit, pod: Pod) -> Json:
    place = int(parse_field(edit.field)[2])
    rules = pod.spec.topology_spread_constraints
    if place >= len(rules):
        return None
    # the label selector may differ: the API server merges matchLabelKeys into the pod's
    wanted = (rules[place].topology_key, rules[place].when_unsatisfiable)
    where = (*site.spec, "topologySpreadConstraints")
    said = [(text(rule, "topologyKey"), text(rule, "whenUnsatisfiable")) for rule in items(document, where)]
    index = _place(said, place, wanted)
    if index is None:
        return None
    rule = (*where, str(index))
    # the API server refuses minDomains beside anything but DoNotSchedule (pkg/apis/core/validation, validateMinDomains)
    strict = document if edit.new == "DoNotSchedule" else cut(document, (*rule, "minDomains"), keep=len(rule))
    return put(strict, (*rule, "whenUnsatisfiable"), edit.new)


def _pod_term(document: Json, site: Site, edit: Edit, _pod: Pod) -> Json:
    field = parse_field(edit.field)
    where = (*site.spec, *field[1:-1])
    keys = [text(term, "topologyKey") for term in items(document, where)]
    index = _place(keys, int(field[-1]), edit.subject)
    return None if index is None else cut(document, (*where, str(index)), keep=len(site.spec))


def _place(said: Sequence[object], place: int, wanted: object) -> int | None:
    """Where it is said: at the same place, else the only one."""
    if place < len(said) and said[place] == wanted:
        return place
    return said.index(wanted) if said.count(wanted) == 1 else None


def _metadata(document: Json, site: Site, edit: Edit, _pod: Pod) -> Json:
    if site.meta is None:
        return None
    field = parse_field(edit.field)
    where = (*site.meta, field[1], field[2] if len(field) > 2 else edit.subject)
    return cut(document, where, keep=len(site.meta)) if edit.new is None else put(document, where, edit.new)


ROWS: Final = (
    Row(("spec", "containers"), Aspect.RESOURCES, _resource),
    Row(("spec", "initContainers"), Aspect.RESOURCES, _resource),
    Row(("spec", "resources"), Aspect.RESOURCES, _pod_level),
    Row(("spec", "nodeSelector"), Aspect.NODE_SELECTOR, _selector),
    Row(("spec", "affinity", "nodeAffinity"), Aspect.NODE_AFFINITY, _expression),
    Row(("spec", "affinity", "podAffinity"), Aspect.POD_AFFINITY, _pod_term),
    Row(("spec", "affinity", "podAntiAffinity"), Aspect.POD_AFFINITY, _pod_term),
    Row(("spec", "tolerations"), Aspect.TOLERATIONS, _toleration),
    Row(("spec", "topologySpreadConstraints"), Aspect.TOPOLOGY_SPREAD, _spread),
    Row(("metadata", "annotations"), Aspect.METADATA, _metadata),
    Row(("metadata", "labels"), Aspect.METADATA, _metadata),
)
