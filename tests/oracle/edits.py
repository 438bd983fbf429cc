"""A remedy's edits made in the JSON of a case, so that Karpenter itself can be asked whether they help.

Apart from bot/diagnosis/what_if.py on purpose: it works on typed objects, this on manifests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from copy import deepcopy
from typing import Any

from bot.diagnosis.lowering import lowered
from bot.model.diagnosis import Edit
from bot.model.kubernetes import Container, Pod
from bot.model.objects import decode
from bot.model.quantities import Quantity

Json = MutableMapping[str, Any]
_TOKEN = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


def with_edits(case: Mapping[str, Any], edits: Iterable[Edit]) -> dict[str, Any]:
    """The case with the edits made in its first pod and its NodePools. Raises ValueError for a field it does not know."""
    made = deepcopy(dict(case))
    for edit in sorted(edits, key=lambda e: [int(n) for n in re.findall(r"\[(\d+)\]", e.field)], reverse=True):
        place = [bracketed or plain for bracketed, plain in _TOKEN.findall(edit.field)]
        if edit.object.kind == "NodePool":
            pool = next(p for p in made["nodePools"] if p["metadata"]["name"] == edit.object.name)
            _edit_pool(pool, place, edit)
        else:
            _edit_pod(made["pods"][0], place, edit)
    return made


def _edit_pod(pod: Json, place: list[str], edit: Edit) -> None:
    spec = pod["spec"]
    match place[1]:
        case "nodeSelector":
            _put(spec["nodeSelector"], place[2], edit.new)
        case "tolerations":
            spec.setdefault("tolerations", []).append(edit.new)
        case "topologySpreadConstraints":
            spec["topologySpreadConstraints"][int(place[2])]["whenUnsatisfiable"] = edit.new
        case "affinity":
            _edit_affinity(spec["affinity"], place[2:], edit)
        case "containers" if place[3] == "ports":
            del spec["containers"][int(place[2])]["ports"][int(place[4])]["hostPort"]
        case "containers" | "initContainers" | "resources":
            _edit_resource(pod, edit)
        case _:
            raise ValueError(edit.field)


def _put(members: Json, key: str, value: object) -> None:
    if value is None:
        members.pop(key, None)
    else:
        members[key] = value


def _edit_affinity(affinity: Json, place: list[str], edit: Edit) -> None:
    if place[0] != "nodeAffinity":
        del affinity[place[0]][place[1]][int(place[2])]
        return
    node = affinity["nodeAffinity"]
    preferred = place[1].startswith("preferred")
    terms = node[place[1]] if preferred else node[place[1]]["nodeSelectorTerms"]
    index = int(place[2] if preferred else place[3])
    term = terms[index]["preference"] if preferred else terms[index]
    expressions = term["matchExpressions"]
    if edit.new is not None:
        expressions[int(place[-1])]["values"] = edit.new
        return
    del expressions[int(place[-1])]
    if not expressions and preferred:
        del terms[index]
    elif not expressions and not term.get("matchFields"):
        del node[place[1]]


def _edit_resource(pod: Json, edit: Edit) -> None:
    """What each container asks for is taken over from the typed pod: which of several gives way is lowering.py's matter."""
    spec = decode(dict(pod), Pod).spec
    target = lowered(spec, edit.subject, Quantity.parse(str(edit.new))) if edit.new is not None else None
    if edit.field.startswith("spec.resources."):
        _edit_pod_level(pod["spec"]["resources"], edit)
    for name, containers in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        wanted = (
            containers if target is None else (target.containers if name == "containers" else target.init_containers)
        )
        for raw, container in zip(pod["spec"].get(name, []), wanted, strict=False):
            _amounts(raw, container, edit, dropped=edit.new is None)


def _edit_pod_level(resources: Json, edit: Edit) -> None:
    """The edit speaks of all that the pod takes; its RuntimeClass's overhead is not written here and stays."""
    old = resources.get("requests", {}).get(edit.subject, resources.get("limits", {}).get(edit.subject))
    beside = Quantity.parse(str(edit.old)) - Quantity.parse(str(old))
    for amounts in resources.values():
        if amounts.get(edit.subject) == old:
            amounts[edit.subject] = str(Quantity.parse(str(edit.new)) - beside)


def _amounts(raw: Json, container: Container, edit: Edit, *, dropped: bool) -> None:
    for part, amounts in (("requests", container.resources.requests), ("limits", container.resources.limits)):
        written = raw.get("resources", {}).get(part, {})
        if edit.subject in written:
            _put(written, edit.subject, None if dropped else str(amounts[edit.subject]))


def _edit_pool(pool: Json, place: list[str], edit: Edit) -> None:
    spec = pool["spec"]
    if place[1] == "limits":
        spec["limits"][place[2]] = edit.new
        return
    template = spec["template"]
    if place[2] == "metadata":
        labels = template.setdefault("metadata", {}).setdefault("labels", {})
        _put(labels, place[4] if len(place) > 4 else edit.subject, edit.new)
        return
    requirements = template["spec"]["requirements"]
    index = int(place[4])
    if place[-1] == "minValues":
        requirements[index]["minValues"] = edit.new
    elif edit.new is None:
        del requirements[index]
    else:
        requirements[index]["values"] = edit.new
