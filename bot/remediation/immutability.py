"""What may be changed where, and whether the change reaches pods that exist: one table of kinds.

Sources: kubernetes pkg/apis/{core,batch,apps}/validation and pkg/registry/batch/job/strategy.go (v1.35); jobset
pkg/webhooks/jobset_webhook.go (v0.8 to v0.12); trainer pkg/runtime/framework/plugins/jobset/jobset.go (v2.0 to v2.3);
training-operator pkg/controller.v1/common/pod.go (v1.9); kuberay ray-operator/controllers/ray (v1.7);
lws pkg/webhooks/leaderworkerset_webhook.go (v0.10).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bot.model.diagnosis import Json
from bot.remediation.documents import Pointer, at, items, parse_field
from bot.remediation.edits import Aspect
from bot.remediation.owners import Carrier

EVERYTHING: Final = frozenset(Aspect)
NOTHING: Final[frozenset[Aspect]] = frozenset()


class Reach(StrEnum):
    """What becomes of pods that exist. The values are caution ids."""

    REPLACES = "restarts-pods"
    KEEPS = "delete-pod-after"
    NEXT_RUN = "next-run-only"
    THIS_POD = "this-pod-only"
    UNKNOWN = "owner-kind-unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind. `suspended`: what may change while the object is suspended, has not started and has no active pods."""

    always: frozenset[Aspect] = EVERYTHING
    suspended: frozenset[Aspect] = EVERYTHING
    suspend: Pointer = ()
    started: Pointer = ()
    active: Pointer = ()
    reach: Reach = Reach.REPLACES
    replaces: tuple[tuple[Pointer, str], ...] = ()
    """Fields that must have these values (an absent one is another value) for `reach` REPLACES to be true."""


_KEPT: Final = Rule(reach=Reach.KEEPS)
_KUBEFLOW: Final = Rule(suspend=parse_field("spec.runPolicy.suspend"), reach=Reach.KEEPS)

RULES: Final[Mapping[tuple[str, str], Rule]] = {
    # Tolerations may be added only. Gated pods may also have selectors added, which no remedy does.
    ("", "Pod"): Rule(always=frozenset({Aspect.TOLERATIONS, Aspect.METADATA}), reach=Reach.THIS_POD),
    ("", "ReplicationController"): _KEPT,
    ("apps", "ReplicaSet"): _KEPT,
    ("apps", "Deployment"): Rule(),
    ("argoproj.io", "Rollout"): Rule(),
    # With OrderedReady the controller waits for the pending pod and never comes to replace it (stateful_set_control.go).
    ("apps", "StatefulSet"): Rule(
        replaces=(
            (parse_field("spec.podManagementPolicy"), "Parallel"),
            (parse_field("spec.updateStrategy.type"), "RollingUpdate"),
        )
    ),
    ("apps", "DaemonSet"): Rule(replaces=((parse_field("spec.updateStrategy.type"), "RollingUpdate"),)),
    # Of affinity only nodeAffinity. From 1.36 a suspended Job that has run may change too, and its resources.
    ("batch", "Job"): Rule(
        always=NOTHING,
        suspended=frozenset({Aspect.NODE_SELECTOR, Aspect.NODE_AFFINITY, Aspect.TOLERATIONS, Aspect.METADATA}),
        suspend=parse_field("spec.suspend"),
        started=parse_field("status.startTime"),
    ),
    ("batch", "CronJob"): Rule(reach=Reach.NEXT_RUN),
    ("jobset.x-k8s.io", "JobSet"): Rule(
        always=NOTHING,
        suspended=frozenset({Aspect.NODE_SELECTOR, Aspect.TOLERATIONS, Aspect.METADATA}),
        suspend=parse_field("spec.suspend"),
        active=parse_field("status.replicatedJobsStatus"),
    ),
    # v2.0 and v2.1 let spec.trainer be changed, but a JobSet that runs is not updated from it; v2.2 forbids it by CEL.
    ("trainer.kubeflow.org", "TrainJob"): Rule(
        always=NOTHING,
        suspended=frozenset({Aspect.NODE_SELECTOR, Aspect.TOLERATIONS, Aspect.METADATA}),
        suspend=parse_field("spec.suspend"),
        active=parse_field("status.jobsStatus"),
    ),
    # The operator makes absent pods from the template and leaves those that exist.
    ("kubeflow.org", "PyTorchJob"): _KUBEFLOW,
    ("kubeflow.org", "TFJob"): _KUBEFLOW,
    ("kubeflow.org", "MPIJob"): _KUBEFLOW,
    ("kubeflow.org", "XGBoostJob"): _KUBEFLOW,
    ("kubeflow.org", "PaddleJob"): _KUBEFLOW,
    ("kubeflow.org", "JAXJob"): _KUBEFLOW,
    # Pods are replaced only where the cluster asks for it (raycluster_controller.go, shouldRecreatePodsForUpgrade, v1.6).
    ("ray.io", "RayCluster"): Rule(
        suspend=parse_field("spec.suspend"), replaces=((parse_field("spec.upgradeStrategy.type"), "Recreate"),)
    ),
    # A change of a running RayJob's cluster is ignored (rayjob_controller.go, getOrCreateRayClusterInstance).
    ("ray.io", "RayJob"): Rule(always=NOTHING, suspend=parse_field("spec.suspend")),
    ("ray.io", "RayService"): Rule(),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): Rule(),
    # A pod of a step that has begun is never made again.
    ("argoproj.io", "Workflow"): Rule(always=NOTHING, suspended=NOTHING),
    ("argoproj.io", "CronWorkflow"): Rule(reach=Reach.NEXT_RUN),
}
_UNKNOWN: Final = Rule(reach=Reach.UNKNOWN)
_IMMUTABLE_BETWEEN: Final = frozenset({("batch", "Job"), ("argoproj.io", "Workflow")})


class Verdict(StrEnum):
    """Whether a change may be made. The values other than ALLOWED are refusal codes."""

    ALLOWED = "allowed"
    SUSPEND_FIRST = "suspend-first"
    RECREATE = "immutable-recreate"


def rule_of(owner: Carrier) -> Rule:
    """The kind's rule; of an unknown kind nothing is known but that it may be tried."""
    return RULES.get((owner.group, owner.ref.kind), _UNKNOWN)


def verdict_on(owner: Carrier, below: Sequence[Carrier], aspects: frozenset[Aspect]) -> Verdict:
    """Whether the object takes these changes now. `below`: what stands between it and the pod."""
    rule = rule_of(owner)
    immutable_below = rule.reach is not Reach.NEXT_RUN and any(
        (one.group, one.ref.kind) in _IMMUTABLE_BETWEEN for one in below
    )
    if aspects <= rule.always and not immutable_below:
        return Verdict.ALLOWED
    if not rule.suspend or not aspects <= rule.suspended or (immutable_below and aspects <= rule.always):
        return Verdict.RECREATE
    return Verdict.ALLOWED if _is_suspended(owner.document, rule) else Verdict.SUSPEND_FIRST


def _is_suspended(document: Json, rule: Rule) -> bool:
    started = bool(rule.started) and at(document, rule.started) is not None
    active = any(at(job, ("active",)) not in (None, 0) for job in items(document, rule.active))
    return at(document, rule.suspend) is True and not started and not active


def cautions_on(owner: Carrier) -> Iterator[str]:
    """What becomes of the pods that exist when the object changes, as a caution id."""
    rule = rule_of(owner)
    suspended = bool(rule.suspend) and at(owner.document, rule.suspend) is True
    if suspended:
        return
    holds = all(at(owner.document, where) == value for where, value in rule.replaces)
    yield rule.reach if holds else Reach.KEEPS
