"""Labels, sentences and a title's values -> what the alert is about; the exporter's own names left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bot.alerts.alert import Question, Subject
from bot.alerts.labels import Labels
from bot.alerts.names import CLUSTER, EXPORTERS, LABEL, NODE_NAME, SUBDOMAIN, name_in

_WORKLOADS: Final = ("deployment", "statefulset", "daemonset", "workload")
_SYSTEM: Final = frozenset({"kube-system", "monitoring", "karpenter", "observability", "prometheus"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where values come from, best first: labels with names, then sentences, then a title's values by position."""

    labelled: Labels
    said: Labels = field(default_factory=Labels)
    placed: Mapping[str, str] = field(default_factory=dict)
    alertname: str = ""


def subject_of(sources: Sources, question: Question | None) -> Subject:
    """The subject of an alert that asks this."""
    labelled, said = sources.labelled, sources.said
    pods = _pods(sources)
    exported = any(
        _is_exporter(value) for name in ("pod", "container", "service", "job") for value in labelled.all(name)
    )
    exported = exported or any(
        _is_exporter(sources.placed.get(name, "")) for name in ("pod", "container", "job", "service")
    )
    node = _of(sources, "node") if question is Question.WHY_NODE else ""
    if not node and question is Question.WHY_NODE:
        node = _host(labelled)
    nodepools = _all_of(sources, "nodepool")
    nodeclaim = _of(sources, "nodeclaim")
    namespace = _namespace(sources, question, exported=exported, has_pods=bool(pods))
    job = _job(sources) if question is not Question.WHY_NODE else ""
    if question in (Question.WHY_NODE, Question.NODEPOOL):
        pods = ()
    if not pods and not job and question is Question.WHY_POD and not namespace:
        namespace = next((n for n in map(name_in, said.all("namespace")) if n and n not in _SYSTEM), "")
    return Subject(
        cluster=_cluster(sources),
        namespace=namespace,
        pod=pods[0] if len(pods) == 1 else "",
        pods=pods,
        job=job,
        node=node,
        nodepool=nodepools[0] if len(nodepools) == 1 else "",
        nodeclaim=nodeclaim,
        workload=next((v for name in _WORKLOADS if (v := _of(sources, name))), ""),
    )


def _is_exporter(value: str) -> bool:
    return bool(EXPORTERS.fullmatch(name_in(value, SUBDOMAIN)))


def _pods(sources: Sources) -> tuple[str, ...]:
    """The pods that it is about: `exported_pod` wins over `pod`, which then is the exporter's."""
    labelled = sources.labelled
    for values in (labelled.all("exported_pod"), labelled.all("pod"), sources.said.all("pod")):
        names = (_pod_name(value) for value in values)
        pods = tuple(dict.fromkeys(name for name in names if name and not EXPORTERS.fullmatch(name)))
        if pods:
            return pods
        if values and any(map(_is_exporter, values)):
            return ()
    placed = sources.placed.get("pod", "")
    if placed and not _is_exporter(placed):
        return (placed,)
    linked = [_pod_name(value) for value in labelled.all("link:pod")]
    return tuple(dict.fromkeys(name for name in linked if name and not EXPORTERS.fullmatch(name)))


def _pod_name(value: str) -> str:
    return name_in(value, SUBDOMAIN) or name_in(value.rpartition("/")[2], SUBDOMAIN)


def _namespace(sources: Sources, question: Question | None, *, exported: bool, has_pods: bool) -> str:
    """Where the subject lives. Nodes, NodePools and NodeClaims live nowhere."""
    if question in (Question.WHY_NODE, Question.NODEPOOL):
        return ""
    labelled = sources.labelled
    own = next(filter(None, map(name_in, labelled.all("exported_namespace"))), "")
    if own:
        return own
    names = tuple(dict.fromkeys(filter(None, map(_namespace_name, labelled.all("namespace")))))
    workload = any(labelled.all(name) for name in (*_WORKLOADS[:3], "job_name"))
    karpenters = sources.alertname.lower().startswith("karpenter") or any(map(_is_karpenter, labelled.all("job")))
    if exported and not workload and not has_pods and (karpenters or labelled.all("pod")):
        names = ()
    if karpenters and not has_pods and not workload:
        names = tuple(name for name in names if name not in _SYSTEM)
    if len(names) == 1:
        return names[0]
    if names:
        return ""
    for name in filter(None, map(name_in, sources.said.all("namespace"))):
        if not (karpenters and name in _SYSTEM):
            return name
    before = next((v.partition("/")[0] for v in labelled.all("pod") if "/" in v), "").strip("`'\"* ")
    placed = "" if exported and not has_pods and not _placed_workload(sources) else sources.placed.get("namespace", "")
    linked = next(filter(None, map(name_in, labelled.all("link:namespace"))), "")
    linked = "" if exported and not has_pods and not workload else linked
    return (before if LABEL.fullmatch(before) else "") or placed or linked


def _placed_workload(sources: Sources) -> bool:
    return any(sources.placed.get(name) for name in ("deployment", "statefulset", "daemonset", "job_name"))


def _namespace_name(value: str) -> str:
    return name_in(value) if "," not in value else ""


def _is_karpenter(value: str) -> bool:
    return "karpenter" in value.lower()


def _job(sources: Sources) -> str:
    """The Kubernetes Job; the label `job` is one only where the alert is about Jobs and it looks like none of Prometheus'."""
    labelled = sources.labelled
    for values in (labelled.all("job_name"), sources.said.all("job_name")):
        found = [name_in(value.rpartition("/")[2], SUBDOMAIN) for value in values]
        if len(set(found)) == 1 and found[0]:
            return found[0]
        if found:
            return ""
    if placed := sources.placed.get("job_name"):
        return placed
    if "job" in sources.alertname.lower() or not labelled.all("pod"):
        found = [name_in(value.rpartition("/")[2], SUBDOMAIN) for value in labelled.all("job")]
        if (
            len(found) == 1
            and "-" in found[0]
            and any(map(str.isdigit, found[0]))
            and not EXPORTERS.fullmatch(found[0])
        ):
            return found[0]
    return ""


def _of(sources: Sources, name: str) -> str:
    found = _all_of(sources, name)
    return found[0] if len(found) == 1 else ""


def _all_of(sources: Sources, name: str) -> tuple[str, ...]:
    exported = sources.labelled.all(f"exported_{name}")
    for values in (exported, sources.labelled.all(name), sources.said.all(name)):
        names = tuple(
            dict.fromkeys(found for value in values if (found := name_in(value.rpartition("/")[2], SUBDOMAIN)))
        )
        if names:
            return names
    placed = sources.placed.get(name, "")
    linked = sources.labelled.all(f"link:{name}")
    return (placed,) if placed else tuple(linked[:1])


def _host(labelled: Labels) -> str:
    return next((found[0] for value in labelled.all("host") if (found := NODE_NAME.search(value))), "")


def _cluster(sources: Sources) -> str:
    for values in (sources.labelled.all("cluster"), sources.said.all("cluster")):
        names = tuple(dict.fromkeys(found for value in values if (found := _cluster_name(value))))
        if names:
            return names[0] if len(names) == 1 else ""
    return sources.placed.get("cluster", "") or next(iter(sources.labelled.all("link:cluster")), "")


def _cluster_name(value: str) -> str:
    name = name_in(value, CLUSTER)
    return name.rpartition("/")[2] if name.startswith("arn:") else name
