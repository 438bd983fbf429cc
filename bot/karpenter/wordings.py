"""The table of Karpenter's sentences about NodePools, and of the conflicts inside them.

One table serves both directions: read a sentence of any release, write it in a given one. Paths are below
pkg/controllers/provisioning/ of sigs.k8s.io/karpenter unless they begin with pkg/.
"""

from typing import Final

from bot.karpenter.findings import (
    AllFilteredOut,
    DynamicResourcesUnallocated,
    DynamicResourcesUnsupported,
    HostPortConflict,
    KeyConflict,
    LabelUnknown,
    LimitsExceeded,
    MinValuesUnmet,
    NodeLimitsExhausted,
    NoTypeWithDynamicResources,
    Reserved,
    ReservedOfferings,
    ResourceClaimMissing,
    ResourceLimitExceeded,
    TaintNotTolerated,
    TopologyUnsatisfiable,
    VolumeLimitExceeded,
)
from bot.karpenter.wording import EVERY, FIRST, Wording, between, since, wording

_TAINTS: Final = "pkg/scheduling/taints.go Tolerates"
_NEW_CLAIM: Final = "scheduling/scheduler.go addToNewNodeClaim (before v1.5: add)"
_TRUNCATE: Final = "scheduling/scheduler.go TruncateInstanceTypes"
_TOPOLOGY: Final = "scheduling/topology.go AddRequirements, topologyError"
_PORTS: Final = "pkg/scheduling/hostportusage.go Conflicts; from v1.14 not for new nodes"
_LIMITS: Final = "pkg/apis/v1/nodepool.go (before v1.0 pkg/apis/v1beta1) Limits.ExceededBy"

CONFLICTS: Final[tuple[Wording, ...]] = (
    wording(
        LabelUnknown,
        "label {key:quoted} does not have known values (typo of {hint:quoted}?)",
        "pkg/scheduling/requirements.go Compatible, labelHint",
        EVERY,
    ),
    wording(
        LabelUnknown,
        "label {key:quoted} does not have known values",
        "pkg/scheduling/requirements.go Compatible",
        EVERY,
        hint=None,
    ),
    wording(
        KeyConflict,
        "key {key}, {incoming:requirement} not in {existing:requirement}",
        "pkg/scheduling/requirements.go Intersects, badKeyError",
        EVERY,
    ),
)
"""The conflicts inside `incompatible requirements, …`; several are joined with `; `."""

WORDINGS: Final[tuple[Wording, ...]] = (
    wording(
        TaintNotTolerated,
        "did not tolerate taint (taint={key:taintkey}={value:taintvalue}:{effect:effect})",
        _TAINTS,
        since(1, 5),
    ),
    wording(
        TaintNotTolerated,
        "did not tolerate taint (taint={key:taintkey}:{effect:effect})",
        _TAINTS,
        since(1, 5),
        value="",
    ),
    wording(
        TaintNotTolerated,
        "did not tolerate {key:taintkey}={value:taintvalue}:{effect:effect}",
        _TAINTS,
        between(FIRST, (1, 5)),
    ),
    wording(
        TaintNotTolerated,
        "did not tolerate {key:taintkey}:{effect:effect}",
        _TAINTS,
        between((1, 0, 2), (1, 5)),
        value="",
    ),
    wording(
        TaintNotTolerated,
        "did not tolerate {key:taintkey}=:{effect:effect}",
        _TAINTS,
        between(FIRST, (1, 0, 2)),
        value="",
    ),
    wording(
        LimitsExceeded,
        "all available instance types exceed limits for nodepool (NodePool={nodepool})",
        _NEW_CLAIM,
        since(1, 5),
        owner="nodepool",
    ),
    wording(
        LimitsExceeded,
        "all available instance types exceed limits for nodepool {nodepool:quoted}",
        _NEW_CLAIM,
        between((1, 3), (1, 5)),
        owner="nodepool",
    ),
    wording(
        LimitsExceeded,
        "all available instance types exceed limits for nodepool: {nodepool:quoted}",
        _NEW_CLAIM,
        between(FIRST, (1, 3)),
        owner="nodepool",
    ),
    wording(
        LimitsExceeded,
        "all available instance types exceed limits for provisioner: {nodepool:quoted}",
        _NEW_CLAIM,
        between(FIRST, (0, 33)),
        owner="provisioner",
    ),
    wording(
        NodeLimitsExhausted,
        "node limits have been exhausted for nodepool (NodePool={nodepool})",
        _NEW_CLAIM,
        since(1, 11),
    ),
    wording(
        ResourceLimitExceeded,
        "resource usage exceeds limit (limit={limit}, resource-name={resource}, usage={usage})",
        _LIMITS,
        since(1, 5),
    ),
    wording(
        ResourceLimitExceeded,
        "{resource} resource usage of {usage} exceeds limit of {limit}",
        _LIMITS,
        between(FIRST, (1, 5)),
    ),
    wording(
        TopologyUnsatisfiable,
        "unsatisfiable topology constraint for {rule:text}, key={key} (counts = {counts:gocounts}, "
        "podDomains = {pod_domains:requirement}, nodeDomains = {node_domains:requirement})",
        _TOPOLOGY,
        between(FIRST, (0, 32, 6)) + between((0, 33, 0), (0, 33, 2)),
    ),
    wording(
        TopologyUnsatisfiable,
        "unsatisfiable topology constraint for {rule:text}, key={key} (counts = {counts:counts5}, "
        "podDomains = {pod_domains:requirement}, nodeDomains = {node_domains:requirement}",
        _TOPOLOGY,
        between((0, 32, 6), (0, 33, 0)) + between((0, 33, 2), (0, 34, 1)),
    ),
    wording(
        TopologyUnsatisfiable,
        "unsatisfiable topology constraint for {rule:text}, key={key} (counts = {counts:counts25}, "
        "podDomains = {pod_domains:requirement}, nodeDomains = {node_domains:requirement}",
        _TOPOLOGY,
        since(0, 34, 1),
    ),
    wording(
        HostPortConflict,
        "checking host port usage, pod hostport conflicts with existing hostport configuration "
        "(existing-hostport-ip={existing_ip}, existing-hostport-port={existing_port:number}, "
        "existing-hostport-protocol={existing_protocol}, "
        "pod-hostport-ip={pod_ip}, pod-hostport-port={pod_port:number}, pod-hostport-protocol={pod_protocol})",
        _PORTS,
        since(1, 5),
    ),
    wording(
        HostPortConflict,
        "checking host port usage, {asked:port} conflicts with existing HostPort configuration {existing:port}",
        _PORTS,
        between(FIRST, (1, 5)),
    ),
    wording(
        MinValuesUnmet,
        "pod didn’t schedule because NodePool couldn’t meet minValues requirements, validating minValues, "
        "minValues requirement is not met for label(s) (label(s)={keys:words}) (NodePool={nodepool})",
        _TRUNCATE,
        since(1, 6),
    ),
    wording(
        MinValuesUnmet,
        "pod didn’t schedule because NodePool couldn’t meet minValues requirements, validating minValues, "
        "minValues requirement is not met for label (label={keys:oneword}) (NodePool={nodepool})",
        _TRUNCATE,
        between((1, 5), (1, 6)),
    ),
    wording(
        MinValuesUnmet,
        "pod didn’t schedule because NodePool {nodepool:quoted} couldn’t meet minValues requirements, "
        "validating minValues, minValues requirement is not met for {keys:onequoted}",
        _TRUNCATE,
        between((0, 37), (1, 5)),
    ),
    wording(
        MinValuesUnmet,
        "pod didn’t schedule because NodePool {nodepool:quoted} couldn’t meet minValues requirements "
        "after truncating to 100 instance types",
        _TRUNCATE,
        between((0, 35), (0, 37)),
        keys=(),
    ),
    *(
        wording(ReservedOfferings, str(one), "scheduling/nodeclaim.go offeringsToReserve", spans, reserved=one)
        for one, spans in (
            (Reserved.TAKEN, since(1, 3)),
            (Reserved.LOST, since(1, 3)),
            (Reserved.FULL, since(1, 15)),
            (Reserved.FALLING_THROUGH, since(1, 15)),
        )
    ),
    wording(
        VolumeLimitExceeded,
        "would exceed volume limit for all instance type options "
        "(provisioner={provisioner}, volume-count={volumes:number}, volume-limit={limit:number})",
        "scheduling/nodeclaim.go volumeAttachmentLimitError",
        since(1, 15),
    ),
    wording(
        VolumeLimitExceeded,
        "would exceed volume limit for all instance type options",
        "scheduling/nodeclaim.go volumeAttachmentLimitError",
        since(1, 15),
        provisioner=None,
        volumes=None,
        limit=None,
    ),
    wording(
        AllFilteredOut,
        "nodepool requirements filtered out all available instance types",
        "scheduling/scheduler.go add",
        since(1, 7),
    ),
    wording(
        DynamicResourcesUnsupported,
        "pod has Dynamic Resource Allocation requirements that are not yet supported by Karpenter",
        "scheduling/scheduler.go add",
        since(1, 7),
    ),
    wording(
        DynamicResourcesUnallocated,
        "allocating dynamic resources, {detail:rest}",
        "scheduling/nodeclaim.go tryVolumeAlternative",
        since(1, 14),
    ),
    wording(
        NoTypeWithDynamicResources,
        "no instance type satisfies both scheduling and dynamic resource requirements",
        "scheduling/nodeclaim.go tryVolumeAlternative",
        since(1, 14),
    ),
    wording(
        ResourceClaimMissing,
        "resourceclaim {claim:quoted} not found",
        "scheduling/dra.go resolvePodClaims",
        since(1, 14),
    ),
)
"""Sentences about a NodePool, or about all of them."""
