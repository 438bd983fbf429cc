"""The catalogue of Karpenter's log lines and events: for each sentence its kind, its releases and where it comes from.

A row's text is a template (see templates.py): its holes become the signal's facts. `lift` names log fields that become
facts too. Core paths are below pkg/controllers/ of sigs.k8s.io/karpenter, `aws:` paths below pkg/ of
github.com/aws/karpenter-provider-aws.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from bot.karpenter.signals import SignalKind
from bot.karpenter.templates import Template, compile_template
from bot.karpenter.wording import EVERY, FIRST, Span, between, since


class Reads(Enum):
    """What is read from the sentence beside its facts: from the error (or the `error` hole), or from the fields."""

    NOTHING = 0
    REFUSAL = 1
    LAUNCH = 2
    DISRUPTION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One sentence. `reason` is the event's reason; empty for a log line."""

    kind: SignalKind
    template: Template
    source: str
    spans: tuple[Span, ...] = EVERY
    reason: str = ""
    lift: tuple[str, ...] = ()
    reads: Reads = Reads.NOTHING


def log(kind: SignalKind, text: str, source: str, spans: tuple[Span, ...] = EVERY, *lift: str) -> Row:
    """A log line's row."""
    return Row(kind=kind, template=compile_template(text), source=source, spans=spans, lift=lift)


def read(reads: Reads, kind: SignalKind, text: str, source: str, spans: tuple[Span, ...] = EVERY) -> Row:
    """A log line's row whose error (field, or hole named `error`) is read further."""
    return Row(kind=kind, template=compile_template(text), source=source, spans=spans, reads=reads)


K = SignalKind
_REFUSED: Final = "provisioning/scheduling/scheduler.go Results.Record (before v0.35: recordSchedulingResults)"
_PROVISIONER: Final = "provisioning/provisioner.go"
_SCHEDULER: Final = "provisioning/scheduling/scheduler.go"
_OLD: Final = between(FIRST, (0, 37))
_NEW: Final = since(0, 37)
_MACHINES: Final = between(FIRST, (0, 33))
_ALLOCATABLE: Final = ("provider-id", "instance-type", "zone", "capacity-type")

PROVISIONING: Final[tuple[Row, ...]] = (
    read(Reads.REFUSAL, K.POD_REFUSED, "could not schedule pod", _REFUSED, _NEW),
    read(Reads.REFUSAL, K.POD_REFUSED, "Could not schedule pod, {error:rest}", _REFUSED, _OLD),
    read(
        Reads.REFUSAL,
        K.POD_REFUSED,
        "skipping pod with Dynamic Resource Allocation requirements, not yet supported by Karpenter",
        _REFUSED,
        since(1, 7),
    ),
    read(Reads.REFUSAL, K.POD_IGNORED, "ignoring pod", f"{_PROVISIONER} GetPendingPods", since(1, 10)),
    read(
        Reads.REFUSAL,
        K.POD_IGNORED,
        "ignoring pod, {error:rest}",
        f"{_PROVISIONER} GetPendingPods",
        between(FIRST, (1, 10)),
    ),
    log(
        K.POD_DEFERRED,
        "deferring scheduling decision for provisionable pod(s) to future simulation due to limited reserved offering "
        "capacity",
        f"{_PROVISIONER} Schedule",
        since(1, 3),
        "Pods",
    ),
    log(K.PODS_FOUND, "found provisionable pod(s)", _PROVISIONER, EVERY, "Pods", "pods", "duration"),
    log(
        K.PODS_FOUND,
        "computing scheduling decision for provisionable pod(s)",
        _PROVISIONER,
        since(1, 3),
        "pending-pods",
        "deleting-pods",
    ),
    log(K.NODECLAIMS_COMPUTED, "computed new nodeclaim(s) to fit pod(s)", _SCHEDULER, EVERY, "nodeclaims", "pods"),
    log(K.FITS_INFLIGHT_NODE, "computed unready node(s) will fit pod(s)", _SCHEDULER, since(1, 3), "nodes", "pods"),
    log(
        K.FITS_INFLIGHT_NODE,
        "computed {nodes:number} unready node(s) will fit {pods:number} pod(s)",
        _SCHEDULER,
        between(FIRST, (1, 3)),
    ),
    log(K.NODECLAIM_CREATED, "created nodeclaim", f"{_PROVISIONER} Create", EVERY, "instance-types"),
    log(K.NODECLAIM_CREATED, "created machine", f"{_PROVISIONER} Create", _MACHINES, "instance-types"),
    log(
        K.PREFERENCE_RELAXED,
        "relaxing soft constraints for pod since it previously failed to schedule",
        "provisioning/scheduling/preferences.go Relax",
        _NEW,
        "reason",
    ),
    log(
        K.PREFERENCE_RELAXED,
        "relaxing soft constraints for pod since it previously failed to schedule, {reason:rest}",
        "provisioning/scheduling/preferences.go Relax",
        _OLD,
    ),
    log(K.SIMULATION_TIMED_OUT, "scheduling simulation timed out", f"{_SCHEDULER} Solve", since(1, 4), "duration"),
    log(K.CLUSTER_STATE_UNSYNCED, "waiting on cluster sync", _PROVISIONER, between(FIRST, (1, 5))),
    log(
        K.CLUSTER_STATE_UNSYNCED,
        "cluster is waiting on sync for extended duration",
        "state/cluster.go Synced",
        since(1, 5),
        "duration",
    ),
    log(K.NO_NODEPOOLS, "no dynamic nodepools found", _PROVISIONER, since(1, 9)),
    log(K.NO_NODEPOOLS, "no nodepools found", _PROVISIONER, between((0, 33), (1, 9))),
    log(K.NO_NODEPOOLS, "no nodepools or provisioners found", _PROVISIONER, _MACHINES),
    log(K.NODEPOOL_NOT_READY, "ignoring nodepool, not ready", f"{_PROVISIONER} NewScheduler", since(1, 1)),
    log(K.NODEPOOL_NOT_READY, "nodePool not ready", f"{_PROVISIONER} NewScheduler", between((1, 0), (1, 1))),
    log(
        K.NODEPOOL_NOT_READY,
        "skipped nodePools, not ready",
        f"{_PROVISIONER} NewScheduler",
        between((1, 0), (1, 1)),
        "nodePools",
    ),
    log(K.NODEPOOL_NOT_READY, "nodepool failed validation", f"{_PROVISIONER} NewScheduler", between((0, 37), (1, 0))),
    log(K.NODEPOOL_NOT_READY, "nodepool failed validation, {error:rest}", f"{_PROVISIONER} NewScheduler", _OLD),
    log(
        K.NODEPOOL_FILTERED_OUT,
        "skipping, nodepool requirements filtered out all instance types",
        f"{_SCHEDULER} NewScheduler",
        since(1, 1),
        "minValuesIncompatibleErr",
    ),
    log(K.INSTANCE_TYPES_UNRESOLVED, "skipping, unable to resolve instance types", _PROVISIONER, _NEW),
    log(K.INSTANCE_TYPES_UNRESOLVED, "skipping, unable to resolve instance types, {error:rest}", _PROVISIONER, _OLD),
    log(K.INSTANCE_TYPES_UNRESOLVED, "skipping, no resolved instance types found", _PROVISIONER),
    log(K.INSTANCE_TYPES_UNRESOLVED, "skipping, awaiting nodeoverlay evaluation", _PROVISIONER, since(1, 7)),
    log(
        K.LIMITS_EXCLUDE_TYPES,
        "instance types were excluded because they would breach limits",
        _SCHEDULER,
        since(1, 10),
        "excluded",
        "total",
    ),
    log(
        K.LIMITS_EXCLUDE_TYPES,
        "{excluded:number} out of {total:number} instance types were excluded because they would breach limits",
        _SCHEDULER,
        between(FIRST, (1, 10)),
    ),
    log(K.STATIC_NODEPOOL, "nodepool node limit reached", "static/provisioning/controller.go", since(1, 8)),
    log(
        K.STATIC_NODEPOOL,
        "provisioning nodeclaims to satisfy replica count",
        "static/provisioning/controller.go",
        since(1, 8),
        "current",
        "desired",
        "provision-count",
    ),
    log(
        K.STATIC_NODEPOOL,
        "deprovisioning nodeclaims to satisfy replica count",
        "static/deprovisioning/controller.go",
        since(1, 8),
        "current",
        "desired",
        "deprovision-count",
    ),
    log(
        K.INVALID_VALUES,
        "please correct found invalid values, proceeding with valid values",
        "../apis/v1/nodeclaim_validation.go validateWellKnownValues",
        since(1, 5),
        "key",
        "valid-values",
        "invalid-values",
    ),
    log(K.VOLUMES_UNREADABLE, "failed getting volume topology requirements", _PROVISIONER, _NEW),
    log(K.VOLUMES_UNREADABLE, "getting volume topology requirements, {error:rest}", _PROVISIONER, _OLD),
    log(
        K.VOLUMES_UNREADABLE,
        "failed tracking CSI volume limits for volume",
        "../scheduling/volumeusage.go",
        _NEW,
        "volume",
    ),
    log(K.KARPENTER_VERSION, "discovered karpenter version", "../operator/operator.go", EVERY, "version"),
)
"""From the pending pod to the NodeClaim."""

_LAUNCH: Final = "nodeclaim/lifecycle/launch.go launchNodeClaim"
_REGISTRATION: Final = "nodeclaim/lifecycle/registration.go"
_OFFERINGS: Final = "aws:cache/unavailableofferings.go MarkUnavailable"

LAUNCHING: Final[tuple[Row, ...]] = (
    log(K.LAUNCHED, "launched nodeclaim", _LAUNCH, EVERY, *_ALLOCATABLE),
    log(K.LAUNCHED, "launched machine", _LAUNCH, _MACHINES, *_ALLOCATABLE),
    read(Reads.LAUNCH, K.LAUNCH_FAILED, "failed launching nodeclaim", _LAUNCH, _NEW),
    read(Reads.LAUNCH, K.LAUNCH_FAILED, "creating instance, {error:rest}", _LAUNCH, _OLD),
    read(Reads.LAUNCH, K.LAUNCH_FAILED, "insufficient capacity, {error:rest}", _LAUNCH, _OLD),
    log(
        K.OFFERING_UNAVAILABLE,
        "removing offering from offerings",
        _OFFERINGS,
        EVERY,
        "reason",
        "instance-type",
        "zone",
        "capacity-type",
        "ttl",
        "fleet-id",
        "placement-group-id",
    ),
    log(
        K.RESERVATION_UNAVAILABLE,
        "marking capacity reservation unavailable",
        "aws:providers/instance/instance.go updateUnavailableOfferingsCache",
        between((1, 3), (1, 15)),
        "reason",
        "instance-type",
        "zone",
        "capacity-reservation-id",
    ),
    log(
        K.OFFERING_UNAVAILABLE,
        "marking reserved offering unavailable",
        "aws:providers/instance/instance.go updateUnavailableOfferingsCache",
        since(1, 15),
        "reason",
        "instance-type",
        "zone",
        "capacity-type",
        "capacity-reservation-id",
    ),
    log(
        K.TYPES_FILTERED_AT_LAUNCH,
        "filtered out instance types from launch",
        "aws:providers/instance/instance.go filterInstanceTypes",
        since(1, 5),
        "filter",
        "instance-types",
    ),
    log(
        K.FALLBACK_INFLEXIBLE,
        "failed while checking on-demand fallback",
        "aws:providers/instance/instance.go checkODFallback",
        _NEW,
    ),
    *(
        log(
            K.NODECLASS_UNAUTHORIZED,
            f"unauthorized to call {action}",
            "aws:controllers/nodeclass/validation.go",
            since(1, 7),
        )
        for action in ("ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:RunInstances")
    ),
    log(K.REGISTERED, "registered nodeclaim", _REGISTRATION),
    log(K.REGISTERED, "registered machine", _REGISTRATION, _MACHINES),
    log(K.REGISTRATION_PENDING, "awaiting registration hooks", _REGISTRATION, since(1, 11), "hooks"),
    log(K.REGISTRATION_TAINT_MISSING, "node claim registration error", _REGISTRATION, since(1, 3), "taint"),
    log(
        K.REGISTRATION_TIMEOUT,
        "terminating due to registration ttl",
        "nodeclaim/lifecycle/liveness.go",
        between(FIRST, (1, 7)),
        "ttl",
    ),
    log(  # its `reason` tells which timeout: read_line looks at it
        K.REGISTRATION_TIMEOUT,
        "terminating due to timeout",
        "nodeclaim/lifecycle/liveness.go",
        since(1, 7),
        "timeout",
        "reason",
    ),
    log(K.INITIALIZED, "initialized nodeclaim", "nodeclaim/lifecycle/initialization.go"),
    log(K.INITIALIZED, "initialized machine", "nodeclaim/lifecycle/initialization.go", _MACHINES),
    log(K.INCONSISTENT, "failed consistency check", "nodeclaim/consistency/controller.go", since(1, 10), "issue"),
    log(
        K.INCONSISTENT,
        "failed consistency check, {issue:rest}",
        "nodeclaim/consistency/controller.go",
        between((1, 8), (1, 10)),
    ),
    log(K.INCONSISTENT, "consistency error", "nodeclaim/consistency/controller.go", between((0, 37), (1, 8))),
    log(K.INCONSISTENT, "check failed, {issue:rest}", "nodeclaim/consistency/controller.go", _OLD),
)
"""From the NodeClaim to the node that is ready."""
