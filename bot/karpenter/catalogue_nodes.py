"""The catalogue, second half: the end of a node in log lines, and all events. See catalogue.py for how to read it."""

from typing import Final

from bot.karpenter.catalogue import LAUNCHING, PROVISIONING, K, Reads, Row, log, read
from bot.karpenter.templates import compile_template
from bot.karpenter.wording import EVERY, FIRST, Span, between, since

_DISRUPTION: Final = "disruption/controller.go (from v1.6 disruption/queue.go)"
_DRIFT: Final = "nodeclaim/disruption/drift.go"
_OLD: Final = between(FIRST, (0, 37))
_MACHINES: Final = between(FIRST, (0, 33))

ENDING: Final[tuple[Row, ...]] = (
    read(Reads.DISRUPTION, K.DISRUPTING, "disrupting node(s)", _DISRUPTION, since(1, 3)),
    read(Reads.DISRUPTION, K.DISRUPTING, "disrupting nodeclaim(s) via {command:rest}", _DISRUPTION,
         between((1, 0), (1, 3))),
    read(Reads.DISRUPTION, K.DISRUPTING, "disrupting via {command:rest}", _DISRUPTION, between(FIRST, (1, 0))),
    log(K.CONSOLIDATABLE, "marking consolidatable", "nodeclaim/disruption/consolidation.go", since(1, 0)),
    log(K.CONSOLIDATABLE, "marking empty", "nodeclaim/disruption/emptiness.go", between(FIRST, (1, 0))),
    *(
        log(K.CONSOLIDATION_ABANDONED, f"abandoning {method} consolidation attempt due to pod churn, command is no longer "
            f"valid{tail}", f"disruption/{home}", spans)
        for method, home, structured in (
            ("empty node", "emptiness.go", since(1, 3)),
            ("single-node", "singlenodeconsolidation.go", between((1, 3), (1, 9))),
            ("multi-node", "multinodeconsolidation.go", between((1, 3), (1, 9))),
        )
        for tail, spans in (("", structured), (", {command:rest}", between(FIRST, (1, 3))))
    ),
    log(K.DRIFTED, "marking drifted", _DRIFT, EVERY, "reason"),
    log(K.EXPIRED, "deleting expired nodeclaim", "nodeclaim/expiration/controller.go", since(1, 0)),
    log(K.EXPIRED, "triggering termination for expired node after TTL", "disruption/expiration.go",
        between(FIRST, (1, 0)), "ttl"),
    log(K.EXPIRED, "marking expired", "nodeclaim/disruption/expiration.go", between(FIRST, (1, 0))),
    log(K.INTERRUPTED, "initiating delete from interruption message", "aws:controllers/interruption", EVERY,
        "messageKind", "action"),
    log(K.INSTANCE_UNHEALTHY, "detected unhealthy instance owned by cluster",
        "aws:controllers/interruption/instancestatus_controller.go", since(1, 13), "instanceID", "category"),
    log(K.CAPACITY_BLOCK_EXPIRING, "initiating delete for capacity block expiration",
        "aws:controllers/capacityreservation/expiration", since(1, 6), "capacity-reservation-id"),
    log(K.NODE_REPAIR, "deleting unhealthy node", "node/health/controller.go (v1.15 node/legacyrepair)", since(1, 1)),
    log(K.NODE_REPAIR, "selected repair policy", "disruption/repair.go", since(1, 15), "condition", "status", "reason",
        "action", "termination-grace-period"),
    log(K.NODE_REPAIR, "committed node reboot", "disruption/repair.go", since(1, 15)),
    log(K.NODE_REPAIR, "reboot failed, replacing node", "nodeclaim/reboot/controller.go", since(1, 15), "result"),
    log(K.NODE_REPAIR, "reboot reached terminal outcome", "nodeclaim/reboot/controller.go", since(1, 15), "reason"),
    log(K.TERMINATION_DEADLINE, "annotated nodeclaim", "nodeclaim/termination, node/health", since(1, 0),
        "karpenter.sh/nodeclaim-termination-timestamp"),
    log(K.NODE_TAINTED, "tainted node", "node/termination/terminator/terminator.go", EVERY, "taint.Key", "taint.Value",
        "taint.Effect"),
    log(K.POD_FORCE_DELETED, "deleting pod", "node/termination/terminator/terminator.go", since(1, 0)),
    log(K.NODE_DELETED, "deleted node", "node/termination/controller.go"),
    log(K.NODECLAIM_DELETED, "deleted nodeclaim", "nodeclaim/lifecycle/controller.go (before v1.1 nodeclaim/termination)"),
    log(K.NODECLAIM_DELETED, "deleted machine", "nodeclaim/termination/controller.go", _MACHINES),
    *(
        log(K.GARBAGE_COLLECTED, text, home, spans, "provider-id")
        for text, home, spans in (
            ("garbage collecting nodeclaim with no cloudprovider representation",
             "nodeclaim/garbagecollection/controller.go", since(0, 33)),
            ("garbage collecting stale unlaunched nodeclaim from cluster state", "state/nodeclaimgc", since(1, 14, 3)),
            ("garbage collected with no cloudprovider representation", "nodeclaim/garbagecollection", _MACHINES),
            ("garbage collected cloudprovider instance", "aws:controllers/nodeclaim/garbagecollection", EVERY),
            ("garbage collected node", "aws:controllers/nodeclaim/garbagecollection", EVERY),
        )
    ),
    log(K.RECONCILE_FAILED, "Reconciler error", "sigs.k8s.io/controller-runtime", EVERY),
)  # fmt: skip
"""From the decision to remove a node to its end."""

LOG_ROWS: Final[tuple[Row, ...]] = (*PROVISIONING, *LAUNCHING, *ENDING)


def event(kind: K, reason: str, text: str, source: str, spans: tuple[Span, ...] = EVERY) -> Row:
    """An event's row."""
    return Row(kind=kind, reason=reason, template=compile_template(text), source=source, spans=spans)


def _reading(reads: Reads, kind: K, reason: str, text: str, source: str, spans: tuple[Span, ...] = EVERY) -> Row:
    return Row(kind=kind, reason=reason, template=compile_template(text), source=source, spans=spans, reads=reads)


_POD_EVENTS: Final = "provisioning/scheduling/events.go"
_LIFECYCLE: Final = "nodeclaim/lifecycle/events.go"
_EVENTS: Final = "disruption/events/events.go"
_DRAIN: Final = "node/termination/terminator/events/events.go"
_INTERRUPTION: Final = "aws:controllers/interruption/events/events.go"
_BLOCKED: Final = (
    "state/statenode.go ValidateNodeDisruptable, ValidatePodsDisruptable (before v1.0 disruption/types.go)"
)
_CONSOLIDATION: Final = "disruption/consolidation.go"
_BEFORE_12: Final = between(FIRST, (1, 2))

EVENT_ROWS: Final[tuple[Row, ...]] = (
    _reading(Reads.REFUSAL, K.POD_REFUSED, "FailedScheduling", "Failed to schedule pod, {error:rest}", _POD_EVENTS),
    event(K.NOMINATED, "Nominated", "Pod should schedule on: {targets:rest}", _POD_EVENTS),
    event(K.NODEPOOL_FILTERED_OUT, "NoCompatibleInstanceTypes",
          "NodePool requirements filtered out all compatible available instance types", _POD_EVENTS, since(1, 2)),
    event(K.NODEPOOL_FILTERED_OUT, "NoCompatibleInstanceTypes",
          "NodePool requirements filtered out all compatible available instance types due to {because:rest}", _POD_EVENTS,
          since(1, 6)),
    _reading(Reads.LAUNCH, K.LAUNCH_FAILED_ICE, "InsufficientCapacityError", "NodeClaim {nodeclaim} event: {error:rest}",
             _LIFECYCLE),
    _reading(Reads.LAUNCH, K.LAUNCH_FAILED_ICE, "InsufficientCapacityError", "Machine {nodeclaim} event: {error:rest}",
             _LIFECYCLE, _MACHINES),
    _reading(Reads.LAUNCH, K.LAUNCH_FAILED_ICE, "InsufficientCapacityError",
             "NodeClaim {nodeclaim} nominated for this pod failed to launch: {error:rest}", _LIFECYCLE, since(1, 15)),
    _reading(Reads.LAUNCH, K.NODECLASS_NOT_READY, "NodeClassNotReady", "NodeClaim {nodeclaim} event: {error:rest}",
             _LIFECYCLE),
    event(K.REGISTRATION_TAINT_MISSING, "UnregisteredTaintMissing",
          "Missing {taint} taint which prevents registration related race conditions on Karpenter-managed nodes",
          _LIFECYCLE, since(1, 3)),
    event(K.INCONSISTENT, "FailedConsistencyCheck",
          "expected {expected} of resource {resource}, but found {found} ({percent:text}% of expected)",
          "nodeclaim/consistency/nodeshape.go"),
    event(K.INCONSISTENT, "FailedConsistencyCheck", "{issue:rest}", "nodeclaim/consistency"),
    event(K.DISRUPTING, "DisruptionLaunching", "Launching NodeClaim: {reason:rest}", _EVENTS),
    event(K.DISRUPTION_WAITING, "DisruptionWaitingReadiness", "Waiting on readiness to continue disruption", _EVENTS),
    event(K.DISRUPTION_WAITING, "DisruptionWaitingDeletion", "Waiting on deletion to continue disruption", _EVENTS,
          between(FIRST, (1, 0))),
    event(K.DISRUPTING, "DisruptionTerminating", "Disrupting NodeClaim: {reason:rest}", _EVENTS),
    event(K.DISRUPTING, "DisruptionTerminating", "Disrupting Node: {reason:rest}", _EVENTS),
    event(K.DISRUPTING, "DeprovisioningTerminating", "Deprovisioning {object}: {reason:rest}", _EVENTS, _MACHINES),
    event(K.DISRUPTION_BLOCKED, "DeprovisioningBlocked", "Cannot deprovision {object}: {why:rest}", _EVENTS, _MACHINES),
    event(K.DISRUPTION_BLOCKED, "DisruptionBlocked",
          "No allowed disruptions for disruption reason {reason} due to blocking budget", _EVENTS, since(1, 0)),
    event(K.DISRUPTION_BLOCKED, "DisruptionBlocked", "No allowed disruptions due to blocking budget", _EVENTS,
          since(0, 34)),
    *(
        event(K.DISRUPTION_BLOCKED, "DisruptionBlocked", text, _BLOCKED, spans)
        for text, spans in (
            ('Pod has "karpenter.sh/do-not-disrupt" annotation (Pod={pod})', since(1, 5)),
            ('Pod {pod:quoted} has "karpenter.sh/do-not-disrupt" annotation', between((1, 2), (1, 5))),
            ("Pdb prevents pod evictions (PodDisruptionBudget={pdbs:rest})", since(1, 5)),
            ("Pdb {pdbs:quoted} prevents pod evictions", between((1, 2), (1, 5))),
            ("Eviction does not support multiple PDBs (PodDisruptionBudget(s)={pdbs:rest})", since(1, 7)),
            ('Disruption is blocked through the "karpenter.sh/do-not-disrupt" annotation', since(1, 0)),
            ('Cannot disrupt {object}: Pod {pod:quoted} has "karpenter.sh/do-not-disrupt" annotation', _BEFORE_12),
            ('Cannot disrupt {object}: pod {pod:quoted} has "karpenter.sh/do-not-disrupt" annotation', _BEFORE_12),
            ("Cannot disrupt {object}: PDB {pdbs:quoted} prevents pod evictions", _BEFORE_12),
            ("Cannot disrupt {object}: pdb {pdbs:quoted} prevents pod evictions", _BEFORE_12),
            ("Cannot disrupt {object}: {why:rest}", _BEFORE_12),
            ("{why:rest}", EVERY),
        )
    ),
    *(
        event(K.UNCONSOLIDATABLE, "Unconsolidatable", text, _CONSOLIDATION, spans)
        for text, spans in (
            ("NodePool {nodepool:quoted} has consolidation disabled", EVERY),
            ("NodePool {nodepool:quoted} has non-empty consolidation disabled", between((1, 0), (1, 14))),
            ("NodePool {nodepool:quoted} has consolidation policy WhenEmpty, but node is not empty", since(1, 14)),
            ("Can't remove without creating {count:number} candidates", EVERY),
            ("Can't replace with a cheaper node", EVERY),
            ("Not all pods would schedule, {refusals:rest}", since(0, 34)),
            ("not all pods would schedule, {refusals:rest}", between(FIRST, (0, 34))),
            ("{why:rest}", EVERY),
        )
    ),
    event(K.CONSOLIDATION_CANDIDATE, "ConsolidationCandidate", "Consolidation candidate: {command:rest}", _EVENTS,
          since(1, 9)),
    event(K.CONSOLIDATION_JUDGED, "ConsolidationRejected", "Consolidation rejected: {command:rest}", _EVENTS, since(1, 9)),
    event(K.CONSOLIDATION_JUDGED, "ConsolidationApproved", "{score:rest}", _EVENTS, since(1, 14)),
    event(K.DO_NOT_DISRUPT, "InvalidDoNotDisruptAnnotation",
          "Invalid karpenter.sh/do-not-disrupt annotation: {why:text}, ignoring annotation", "../utils/pod/events.go",
          since(1, 12)),
    event(K.DO_NOT_DISRUPT, "DoNotDisruptUntil", "The karpenter.sh/do-not-disrupt grace period will elapse at {until}",
          "../utils/pod/events.go", since(1, 12)),
    event(K.DO_NOT_DISRUPT, "DoNotDisruptGracePeriodElapsed",
          "The karpenter.sh/do-not-disrupt grace period has elapsed, pod is now disruptable", "../utils/pod/events.go",
          since(1, 12)),
    event(K.NODE_REPAIR_BLOCKED, "NodeRepairBlocked", "more than {percent} nodes are unhealthy in the {scope}",
          "node/health/events.go", since(1, 3)),
    event(K.NODE_REPAIR_BLOCKED, "NodeRepairBlocked", "more then {percent} nodes are unhealthy in the {scope}",
          "node/health/events.go", since(1, 1)),
    event(K.NODE_REPAIR_BLOCKED, "NodeRepairBlocked",
          "more than {percent} of nodes in nodepool {nodepool:quoted} are unhealthy", "disruption/repair.go", since(1, 15)),
    event(K.NODE_REPAIR_BLOCKED, "NodeRepairBlocked", "{why:rest}", "disruption/repair.go", since(1, 15)),
    event(K.NODE_REPAIR, "RebootObserved", "New boot observed (bootID changed); awaiting node readiness",
          "nodeclaim/reboot/events/events.go", since(1, 15)),
    event(K.NODE_REPAIR, "RebootFailed", "{why:rest}", "nodeclaim/reboot/events/events.go", since(1, 15)),
    event(K.POD_EVICTED, "Evicted", "Evicted pod: {reason:rest}", _DRAIN, since(1, 2)),
    event(K.POD_EVICTED, "Evicted", "Evicted pod", _DRAIN, _BEFORE_12),
    event(K.POD_FORCE_DELETED, "Disrupted", "Deleting the pod to accommodate the terminationTime {deadline:text} of the "
          "node. The pod was granted {granted} seconds of grace-period of its {asked} terminationGracePeriodSeconds. This "
          "bypasses the PDB of the pod and the do-not-disrupt annotation.", _DRAIN, since(1, 0)),
    event(K.DRAIN_FAILED, "FailedDraining", "Failed to drain node, {pods:number} pods are waiting to be evicted", _DRAIN),
    event(K.DRAIN_FAILED, "FailedDraining", "Failed to drain node, evicting pod violates a PDB (Pod={pod})", _DRAIN,
          since(1, 5)),
    event(K.DRAIN_FAILED, "FailedDraining", "Failed to drain node, evicting pod {pod} violates a PDB", _DRAIN,
          between(FIRST, (1, 5))),
    event(K.DRAIN_FAILED, "FailedDraining", "Failed to drain node, {why:rest}", _DRAIN),
    event(K.TERMINATION_DEADLINE, "TerminationGracePeriodExpiring", "All pods will be deleted by {deadline}", _DRAIN,
          since(1, 0)),
    event(K.VOLUMES_DETACHING, "AwaitingVolumeDetachment", "Awaiting deletion of bound volumeattachments {names:rest}",
          _DRAIN, since(1, 6)),
    event(K.INTERRUPTED, "SpotInterrupted", "Spot interruption warning was triggered", _INTERRUPTION),
    event(K.INTERRUPTED, "CapacityReservationInstanceInterrupted",
          "Capacity Reservation interruption warning was triggered", _INTERRUPTION, since(1, 10)),
    event(K.INTERRUPTION_WARNED, "SpotRebalanceRecommendation", "Spot rebalance recommendation was triggered",
          _INTERRUPTION),
    event(K.INTERRUPTED, "InstanceStopping", "Instance is stopping", _INTERRUPTION),
    event(K.INTERRUPTED, "InstanceTerminating", "Instance is terminating", _INTERRUPTION),
    event(K.INSTANCE_UNHEALTHY, "InstanceUnhealthy", "An unhealthy warning was triggered for the instance", _INTERRUPTION),
    event(K.INTERRUPTED, "TerminatingOnInterruption", "Interruption triggered termination for the {object}",
          _INTERRUPTION),
    event(K.NODECLASS_UNRESOLVED, "", "Failed resolving NodeClass", "aws:cloudprovider/events"),
    event(K.SPOT_ROLE_MISSING, "", "Attempted to launch a spot instance but failed due to {code:quoted}",
          "aws:providers/instance/events.go", since(1, 5)),
    event(K.NODECLASS_DELETING, "WaitingOnNodeClaimTermination", "Waiting on NodeClaim termination for {names:rest}",
          "aws:controllers/nodeclass/events.go"),
    event(K.ZONAL_SHIFT, "ZonalShiftActive",
          "Zonal shift detected: offerings in zone {zone} ({zone_id}) are unavailable for this NodePool",
          "aws:cloudprovider/events", since(1, 14)),
    event(K.ZONAL_SHIFT_CLEARED, "ZonalShiftCleared",
          "Zonal shift cleared: offerings in zone {zone} ({zone_id}) are restored for this NodePool",
          "aws:cloudprovider/events", since(1, 14)),
    event(K.CONDITION_CHANGED, "", "Status condition transitioned, Type: {condition:listed}, Status: {before:listed} -> "
          "{status:listed}, Reason: {reason:listed}, Message: {why:rest}", "awslabs/operatorpkg status/controller.go"),
    event(K.CONDITION_CHANGED, "", "Status condition transitioned, Type: {condition:listed}, Status: {before:listed} -> "
          "{status:listed}, Reason: {reason:listed}", "awslabs/operatorpkg status/controller.go"),
    event(K.SCHEDULED, "Scheduled", "Successfully assigned {pod} to {node}", "kube-scheduler"),
)  # fmt: skip
"""Every event, most telling sentence first within a reason."""
