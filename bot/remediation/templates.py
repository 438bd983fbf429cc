"""Where an owner keeps the template of a pod: a table of kinds, and a search for kinds that are in no table.

A Site is one such place. Most are pod templates; Kubeflow's TrainJob only overrides its runtime's template, and an Argo
Workflow spreads a pod over the workflow and the step.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from bot.model.diagnosis import Json
from bot.model.kubernetes import Pod
from bot.remediation.documents import Pointer, at, items, parse_field, text
from bot.remediation.owners import Carrier

REPLICATED_JOB: Final = "jobset.sigs.k8s.io/replicatedjob-name"
REPLICA_TYPE: Final = "training.kubeflow.org/replica-type"
RAY_NODE_TYPE: Final = "ray.io/node-type"
RAY_GROUP: Final = "ray.io/group"
WORKER_INDEX: Final = "leaderworkerset.sigs.k8s.io/worker-index"
TRAINER_CONTAINER: Final = "node"
_SCHEDULING: Final = ("nodeSelector", "tolerations", "affinity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Pointers to a pod template's parts. `containers`: container name to the place of its `resources`, where that differs.

    `layered`: several sites make up one pod, so a value is changed wherever it stands. `partial`: there may be no template
    around it, so nothing new is added here.
    """

    spec: Pointer
    meta: Pointer | None = None
    containers: Mapping[str, Pointer] | None = None
    layered: bool = False
    partial: bool = False

    def resources(self, document: Json, containers: str, name: str) -> Pointer | None:
        """The place of a container's `resources`; None when the container is not here."""
        if self.containers is not None:
            return self.containers.get(name)
        where = (*self.spec, containers)
        for index, container in enumerate(items(document, where)):
            if text(container, "name") == name:
                return (*where, str(index), "resources")
        return None


Finder = Callable[[Json, Pod], Iterator[Site]]


def sites(owner: Carrier, pod: Pod) -> tuple[Site, ...]:
    """Where the owner holds this pod's template; empty when nowhere. More than one that is not layered: not certain which."""
    find = FINDERS.get((owner.group, owner.ref.kind), _searched)
    return tuple(site for site in find(owner.document, pod) if _could_make(owner.document, site, pod))


def _could_make(document: Json, site: Site, pod: Pod) -> bool:
    """A pod has all containers of its template; it may have more, which admission added."""
    own = {c.name for c in pod.spec.containers}
    named = {text(container, "name") for container in items(document, (*site.spec, "containers"))}
    return site.containers is not None or named <= own


def _template(where: Pointer) -> Site:
    return Site(spec=(*where, "spec"), meta=(*where, "metadata"))


def _at(field: str, document: Json, _pod: Pod) -> Iterator[Site]:
    """The one template at a fixed place."""
    where = parse_field(field)
    if isinstance(at(document, (*where, "spec")), dict):
        yield _template(where)


def _pod_itself(_document: Json, _pod: Pod) -> Iterator[Site]:
    yield _template(())


def _named(field: str, name: str, template: str, label: str, document: Json, pod: Pod) -> Iterator[Site]:
    """Templates in a list: of the item that the pod's label names, of all items when the pod has no such label."""
    wanted = pod.metadata.labels.get(label)
    for index, item in enumerate(items(document, parse_field(field))):
        if wanted in (None, text(item, name)):
            yield _template((*parse_field(field), str(index), *parse_field(template)))


def _replicas(field: str, document: Json, pod: Pod) -> Iterator[Site]:
    """Kubeflow v1's map of roles; the pod's label has the role in lower case (training-operator common/pod.go, v1.9)."""
    role = pod.metadata.labels.get(REPLICA_TYPE)
    replicas = at(document, ("spec", field))
    for name in replicas if isinstance(replicas, dict) else ():
        if role is None or role.lower() == name.lower():
            yield _template(("spec", field, name, "template"))


def _ray(field: str, document: Json, pod: Pod) -> Iterator[Site]:
    """A Ray cluster's head, or the worker group that the pod's label names. The pod that submits a RayJob is neither."""
    kind = pod.metadata.labels.get(RAY_NODE_TYPE)
    if kind == "head":
        yield from _at(f"{field}.headGroupSpec.template", document, pod)
    if kind == "worker":
        yield from _named(f"{field}.workerGroupSpecs", "groupName", "template", RAY_GROUP, document, pod)


def _leader_worker(document: Json, pod: Pod) -> Iterator[Site]:
    """Worker 0 is the leader; without a template of its own it has the workers' (lws leaderworkerset_types.go, v0.10)."""
    where = parse_field("spec.leaderWorkerTemplate")
    own = pod.metadata.labels.get(WORKER_INDEX) == "0" and at(document, (*where, "leaderTemplate")) is not None
    yield _template((*where, "leaderTemplate" if own else "workerTemplate"))


def _train_job(document: Json, pod: Pod) -> Iterator[Site]:
    """What a TrainJob overrides in its runtime; a later override wins.

    Source: kubeflow/trainer pkg/apis/trainer/v1alpha1/trainjob_types.go: podSpecOverrides in v2.0, podTemplateOverrides in
    v2.1, runtimePatches since v2.2; spec.trainer.resourcesPerNode is for the container `node` in all of them.
    """
    job = pod.metadata.labels.get(REPLICATED_JOB)
    trainer = {TRAINER_CONTAINER: parse_field("spec.trainer.resourcesPerNode")}
    yield Site(spec=("spec", "trainer"), containers=trainer, layered=True, partial=True)
    for field, suffix in (("podSpecOverrides", ()), ("podTemplateOverrides", ("spec",))):
        for index, override in enumerate(items(document, ("spec", field))):
            targets = [text(target, "name") for target in items(override, ("targetJobs",))]
            if job is None or job in targets:
                where = ("spec", field, str(index))
                yield Site(
                    spec=(*where, *suffix),
                    meta=(*where, "metadata") if suffix else None,
                    containers={},
                    layered=True,
                )
    for index, _ in enumerate(items(document, ("spec", "runtimePatches"))):
        jobs = f"spec.runtimePatches[{index}].trainingRuntimeSpec.template.spec.replicatedJobs"
        for site in _named(jobs, "name", "template.spec.template", REPLICATED_JOB, document, pod):
            yield Site(spec=site.spec, meta=site.meta, containers={}, layered=True)


def _workflow(field: str, document: Json, pod: Pod) -> Iterator[Site]:
    """An Argo Workflow's own pod fields, and those of the step whose name is in the pod's (`<workflow>-<step>-<hash>`)."""
    root = parse_field(field)
    yield Site(spec=root, meta=(*root, "podMetadata"), containers={}, layered=True)
    for index, step in enumerate(items(document, (*root, "templates"))):
        runs = next((kind for kind in ("container", "script") if at(step, (kind,)) is not None), None)
        if runs is not None and f"-{text(step, 'name')}-" in pod.metadata.name:
            where = (*root, "templates", str(index))
            main = {"main": (*where, runs, "resources")}
            yield Site(spec=where, meta=(*where, "metadata"), containers=main, layered=True)


def _searched(document: Json, _pod: Pod) -> Iterator[Site]:
    """An unknown kind: pod templates, and any other place that holds scheduling fields."""
    for where, value in _maps(at(document, ("spec",)), ("spec",)):
        names = {text(container, "name") for container in items(value, ("containers",))}
        if all(names) and names:
            yield _template(where[:-1]) if where[-1] == "spec" else Site(spec=where)
        elif not names and any(field in value for field in _SCHEDULING):
            yield Site(spec=where, containers={}, partial=True)


def _maps(value: Json, where: Pointer) -> Iterator[tuple[Pointer, dict[str, Json]]]:
    if isinstance(value, dict):
        yield where, value
        for key, member in value.items():
            yield from _maps(member, (*where, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _maps(item, (*where, str(index)))


_PLAIN: Final = partial(_at, "spec.template")

FINDERS: Final[Mapping[tuple[str, str], Finder]] = {
    ("", "Pod"): _pod_itself,
    ("", "ReplicationController"): _PLAIN,
    ("apps", "ReplicaSet"): _PLAIN,
    ("apps", "Deployment"): _PLAIN,
    ("apps", "StatefulSet"): _PLAIN,
    ("apps", "DaemonSet"): _PLAIN,
    ("argoproj.io", "Rollout"): _PLAIN,
    ("batch", "Job"): _PLAIN,
    ("batch", "CronJob"): partial(_at, "spec.jobTemplate.spec.template"),
    ("jobset.x-k8s.io", "JobSet"): partial(
        _named, "spec.replicatedJobs", "name", "template.spec.template", REPLICATED_JOB
    ),
    ("trainer.kubeflow.org", "TrainJob"): _train_job,
    ("kubeflow.org", "PyTorchJob"): partial(_replicas, "pytorchReplicaSpecs"),
    ("kubeflow.org", "TFJob"): partial(_replicas, "tfReplicaSpecs"),
    ("kubeflow.org", "MPIJob"): partial(_replicas, "mpiReplicaSpecs"),
    ("kubeflow.org", "XGBoostJob"): partial(_replicas, "xgbReplicaSpecs"),
    ("kubeflow.org", "PaddleJob"): partial(_replicas, "paddleReplicaSpecs"),
    ("kubeflow.org", "JAXJob"): partial(_replicas, "jaxReplicaSpecs"),
    ("ray.io", "RayCluster"): partial(_ray, "spec"),
    ("ray.io", "RayJob"): partial(_ray, "spec.rayClusterSpec"),
    ("ray.io", "RayService"): partial(_ray, "spec.rayClusterConfig"),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): _leader_worker,
    ("argoproj.io", "Workflow"): partial(_workflow, "spec"),
    ("argoproj.io", "CronWorkflow"): partial(_workflow, "spec.workflowSpec"),
}
