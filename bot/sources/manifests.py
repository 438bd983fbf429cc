"""Manifests of any kind -> the model's objects, sorted by what a World keeps of them. No I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bot.model.karpenter import EC2NodeClass, NodeClaim, NodePool
from bot.model.kubernetes import (
    DaemonSet,
    Event,
    Namespace,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodDisruptionBudget,
    StorageClass,
    Workload,
)
from bot.model.objects import MalformedObjectError, Object, ObjectRef, decode, ref_of
from bot.sources.controller import ControllerPod
from bot.sources.owners import parse_workload
from bot.sources.reading import name_in
from bot.sources.resources import AUTO_MODE, KARPENTER, KARPENTER_AWS, group_of

KINDS: Final[Mapping[tuple[str, str], tuple[str, type[Object]]]] = {
    ("", "Pod"): ("pods", Pod),
    ("", "Node"): ("nodes", Node),
    ("", "Event"): ("events", Event),
    ("events.k8s.io", "Event"): ("events", Event),
    ("", "Namespace"): ("namespaces", Namespace),
    ("", "PersistentVolumeClaim"): ("claims", PersistentVolumeClaim),
    ("", "PersistentVolume"): ("volumes", PersistentVolume),
    ("storage.k8s.io", "StorageClass"): ("storage_classes", StorageClass),
    ("policy", "PodDisruptionBudget"): ("pod_disruption_budgets", PodDisruptionBudget),
    ("apps", "DaemonSet"): ("daemon_sets", DaemonSet),
    (KARPENTER, "NodePool"): ("node_pools", NodePool),
    (KARPENTER, "NodeClaim"): ("node_claims", NodeClaim),
    (KARPENTER_AWS, "EC2NodeClass"): ("node_classes", EC2NodeClass),
    (AUTO_MODE, "NodeClass"): ("node_classes", EC2NodeClass),
}
"""Group and kind -> the field of World, and its type. Any other kind may be a workload."""
NAMED_ONLY: Final = frozenset({(KARPENTER, "NodeOverlay"), ("autoscaling.x-k8s.io", "CapacityBuffer")})
"""Kinds that change what Karpenter does and are not worked out: that such objects are there is all that is kept."""
NEVER_READ: Final = frozenset({("", "Secret"), ("", "ConfigMap")})
_NAME_LABEL: Final = "app.kubernetes.io/name"
_KARPENTER_NAME: Final = "karpenter"
_EVENT_FIELDS: Final = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
"""events.k8s.io/v1 -> core/v1 (kubernetes pkg/apis/events/v1/conversion.go)."""


@dataclass(slots=True)
class Sorted:
    """Objects by the World's field they belong to; `controllers` are Karpenter's own pods and Deployments once more."""

    objects: dict[str, dict[tuple[str, str, str], Any]] = field(default_factory=dict)
    """Field of World -> (kind, namespace, name) -> object: one that lies in two files counts once, as the later file has it."""
    workloads: list[Workload] = field(default_factory=list)
    controllers: list[ControllerPod] = field(default_factory=list)
    others: list[ObjectRef] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    """Fields of World of which a typed list was seen (`kind: NodePoolList`), so that an empty one is an answer too."""

    def of(self, name: str) -> tuple[Any, ...]:
        """The objects of one field of World."""
        return tuple(self.objects.get(name, {}).values())

    def add(self, document: object) -> None:
        """Takes an object or a List of any kind. Raises MalformedObjectError naming the object and the field."""
        for manifest in self._items(document):
            try:
                self._add_one(manifest)
            except MalformedObjectError as error:
                kind = str(manifest.get("kind") or "object") if isinstance(manifest, dict) else "object"
                raise MalformedObjectError(f"{kind} {name_in(manifest)}: {error}") from error

    def _items(self, document: object) -> Iterator[object]:
        """A List's items; those of a typed list (`NodePoolList`) come without apiVersion and kind."""
        if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
            raise MalformedObjectError("neither a Kubernetes object nor a List: no `kind`")
        kind, api_version = document["kind"], document.get("apiVersion")
        if not kind.endswith("List") or "items" not in document:
            yield document
            return
        of_kind = {"apiVersion": api_version, "kind": kind.removesuffix("List")} if kind != "List" else {}
        place = KINDS.get((_group(api_version), kind.removesuffix("List")))
        self.listed |= {place[0]} if place else set()
        items = document["items"] or []
        if not isinstance(items, list):
            raise MalformedObjectError(f"{kind}: `items` is no list")
        for item in items:
            yield {**of_kind, **item} if isinstance(item, dict) else item

    def _add_one(self, manifest: object) -> None:
        if not isinstance(manifest, dict):
            raise MalformedObjectError("not an object")
        key = (_group(manifest.get("apiVersion")), str(manifest.get("kind") or ""))
        if key in NEVER_READ:
            return
        if key in NAMED_ONLY:
            self.others.append(ref_of(parse_workload(manifest)))
            return
        place = KINDS.get(key)
        if place is None:
            workload = parse_workload(manifest)
            self.workloads.append(workload)
            if _is_karpenter(workload.metadata.labels) and workload.kind == "Deployment":
                self.controllers.append(decode(_template(manifest), ControllerPod))
            return
        name, kind = place
        one: Any = decode(_as_core_event(manifest) if name == "events" else manifest, kind)
        same = self.objects.setdefault(name, {})
        same[one.kind, one.metadata.namespace, one.metadata.name or f"without a name, {len(same)}"] = one
        if name == "pods" and _is_karpenter(one.metadata.labels):
            self.controllers.append(decode(manifest, ControllerPod))


def _group(api_version: object) -> str:
    found = group_of(api_version) if isinstance(api_version, str) else None
    if found is None:
        raise MalformedObjectError(f"`{api_version}` is no apiVersion")
    return found[0]


def _is_karpenter(labels: Mapping[str, str]) -> bool:
    return labels.get(_NAME_LABEL) == _KARPENTER_NAME


def _template(deployment: Mapping[str, Any]) -> object:
    spec = deployment.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    return {**template, "metadata": deployment["metadata"]} if isinstance(template, dict) else {}


def _as_core_event(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    return {_EVENT_FIELDS.get(key, key): value for key, value in manifest.items()}
