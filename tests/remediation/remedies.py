"""Remedies of the training pod, as the diagnosis makes them, each with what its author would have to write instead."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Final

from bot.model.diagnosis import Change, Constraint, Edit, Editor, Json, Kind, Opens, Remedy
from bot.model.objects import ObjectRef
from tests.remediation.manifests import CAPACITY_TYPE, EFA, GPU, INSTANCE_TYPE, ZONE, Manifest

POD: Final = ObjectRef(api_version="v1", kind="Pod", namespace="train", name="llama-node-0-x2k9p")
POOL: Final = ObjectRef(api_version="karpenter.sh/v1", kind="NodePool", name="gpu")
REQUIRED: Final = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
NEAR: Final = "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]"
TOLERATION: Final[Json] = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
DO_NOT_DISRUPT: Final = "karpenter.sh/do-not-disrupt"


def edit(field: str, subject: str, old: Json, new: Json, *, about: ObjectRef = POD) -> Edit:
    """One change of one field."""
    constraint = Constraint(
        id=f"{about.kind}/{field}",
        kind=Kind.RESOURCE,
        object=about,
        field=field,
        value=str(old),
        editor=Editor.POD_OWNER,
        subject=subject,
    )
    change = Change.REMOVE if new is None else (Change.ADD if old is None else Change.SET)
    return Edit(constraint=constraint, change=change, object=about, field=field, subject=subject, old=old, new=new)


def remedy(*edits: Edit, name: str = "some-remedy") -> Remedy:
    """A remedy of these edits."""
    relaxes = tuple(one.constraint for one in edits)
    opens = Opens(offerings=1, instance_types=("p4d.24xlarge",), zones=("us-west-2b",))
    return Remedy(id=name, relaxes=relaxes, edits=edits, opens=opens, nodepool="gpu")


def gpus(new: str | None) -> Edit:
    """The pod's GPUs; the second container of the pod is the template's first, for a sidecar was injected."""
    return edit(f"spec.containers[1].resources.requests[{GPU}]", GPU, "16", new)


def selector(key: str, old: str, new: Json) -> Edit:
    return edit(f"spec.nodeSelector[{key}]", key, old, new)


def affinity(new: Json) -> Edit:
    return edit(f"{REQUIRED}[0].matchExpressions[0]", ZONE, ["us-west-2b"], new)


Rewrite = Callable[[Manifest], object]


def _resources(template: Manifest) -> Manifest:
    found: Manifest = template["spec"]["containers"][0]["resources"]
    return found


def _fewer(template: Manifest) -> None:
    _resources(template)["limits"][GPU] = _resources(template)["requests"][GPU] = "8"


def _none(template: Manifest) -> None:
    del _resources(template)["limits"][EFA], _resources(template)["requests"][EFA]


def _no_affinity(template: Manifest) -> None:
    del template["spec"]["affinity"]["nodeAffinity"]


def _any_zone(template: Manifest) -> None:
    terms = template["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    terms["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] = ["us-west-2b", "us-west-2c"]


def _two_types(template: Manifest) -> None:
    del template["spec"]["nodeSelector"][INSTANCE_TYPE]
    terms = template["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    types = {"key": INSTANCE_TYPE, "operator": "In", "values": ["p4d.24xlarge", "p5.48xlarge"]}
    terms["nodeSelectorTerms"][0]["matchExpressions"].append(types)


def _relaxed(template: Manifest) -> None:
    """Without minDomains, which the API server takes beside DoNotSchedule only."""
    rule = template["spec"]["topologySpreadConstraints"][0]
    rule["whenUnsatisfiable"] = "ScheduleAnyway"
    del rule["minDomains"]


def _free(template: Manifest) -> None:
    del template["spec"]["nodeSelector"]
    _no_affinity(template)


REMEDIES: Final[dict[str, tuple[Sequence[Edit], Rewrite]]] = {
    "reduce-resource": ([gpus("8")], _fewer),
    "drop-resource": ([edit(f"spec.containers[1].resources.limits[{EFA}]", EFA, "4", None)], _none),
    "drop-node-selector": (
        [selector(INSTANCE_TYPE, "p4d.24xlarge", None)],
        lambda t: t["spec"]["nodeSelector"].pop(INSTANCE_TYPE),
    ),
    "change-node-selector": (
        [selector(INSTANCE_TYPE, "p4d.24xlarge", "p4de.24xlarge")],
        lambda t: t["spec"]["nodeSelector"].update({INSTANCE_TYPE: "p4de.24xlarge"}),
    ),
    "allow-capacity-type": (
        [selector(CAPACITY_TYPE, "spot", "on-demand")],
        lambda t: t["spec"]["nodeSelector"].update({CAPACITY_TYPE: "on-demand"}),
    ),
    "widen-node-selector": ([selector(INSTANCE_TYPE, "p4d.24xlarge", ["p4d.24xlarge", "p5.48xlarge"])], _two_types),
    "widen-affinity": ([affinity(["us-west-2b", "us-west-2c"])], _any_zone),
    "drop-affinity": ([affinity(None)], _no_affinity),
    "add-toleration": (
        [edit("spec.tolerations", GPU, None, TOLERATION)],
        lambda t: t["spec"]["tolerations"].append(TOLERATION),
    ),
    "relax-topology-spread": (
        [edit("spec.topologySpreadConstraints[0]", ZONE, "DoNotSchedule", "ScheduleAnyway")],
        _relaxed,
    ),
    "drop-pod-affinity": (
        [edit(NEAR, ZONE, "pod affinity by zone", None)],
        lambda t: t["spec"]["affinity"].pop("podAffinity"),
    ),
    "add-do-not-disrupt": (
        [edit(f"metadata.annotations[{DO_NOT_DISRUPT}]", DO_NOT_DISRUPT, None, "true")],
        lambda t: t["metadata"].update(annotations={DO_NOT_DISRUPT: "true"}),
    ),
    "combined": (
        [selector(INSTANCE_TYPE, "p4d.24xlarge", None), selector(CAPACITY_TYPE, "spot", None), affinity(None)],
        _free,
    ),
}
"""Remedy to the edits that the diagnosis makes of it, and the same change as a person makes it in the template."""


def rewritten(name: str, template: Manifest) -> Manifest:
    """The template as its author would write it after the remedy."""
    copy = deepcopy(template)
    REMEDIES[name][1](copy)
    return copy
