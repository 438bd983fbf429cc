"""What pages may speak of: the causes with their facts, the remedies with theirs, and what else a template sees.

The diagnosis promises these facts; `check` holds every page to them. Values are plain (text, number, true or false, a
tuple of texts); `nodepools` belongs to every cause.
"""

from collections.abc import Mapping
from typing import Final

from bot.model.diagnosis import Fact

_COUNTS: Final = "resource requested offered instance_type instance_types types_count pinned"
_TYPES: Final = "instance_type instance_types"

# cause id -> its facts, besides `nodepools`
_CAUSE_FACTS: Final[Mapping[str, str]] = {
    "gpu-count-exceeds-instance": _COUNTS,
    "efa-count-exceeds-instance": _COUNTS,
    "efa-unsupported": "resource requested instance_type instance_types types_count pinned",
    "resource-exceeds-instance": f"{_COUNTS} overhead",
    "requirement-conflict": "key wanted wanted_by allowed allowed_by",
    "unknown-label": "key wanted wanted_by did_you_mean",
    "restricted-label": "key wanted_by message",
    "pod-ignored": "message",
    "dynamic-resources-unsupported": "claims message",
    "unknown-instance-type": "instance_type wanted_by did_you_mean",
    "zone-id-as-name": "key wanted meant is_id wanted_by",
    "zone-not-offered": f"{_TYPES} zones offered_zones wanted_by",
    "capacity-type-not-offered": f"{_TYPES} capacity_types offered_capacity_types zones",
    "subnet-missing-in-zone": "zones nodeclass subnet_zones",
    "capacity-unavailable": "instance_types zones capacity_types reason since until tried attempts in_metrics launches open"
    " wider_zones wider_capacity_types wider_sizes wider_families excluded_by_nodepool reserved_off"
    " held held_kinds held_what held_zones held_ends held_unselected held_excluded"
    " blocks blocks_what blocks_zones blocks_starts blocks_hours blocks_fees",
    "taint-not-tolerated": "taint key value effect nodepool",
    "nodepool-limit-exceeded": "nodepool resource limit used needed instance_type",
    "nodepool-not-ready": "nodepool condition reason message",
    "nodeclass-not-ready": "nodepool nodeclass condition reason message",
    "no-nodepool": "total",
    "volume-zone-conflict": "claims zones allowed",
    "topology-unsatisfiable": "key rule domains max_skew field",
    "affinity-deadlock": "key selector field",
    "host-port-conflict": "port protocol daemonset",
    "min-values-unmet": "nodepool key needed have",
    "no-instance-type": "conditions",
    "scheduling-gated": "gates",
    "not-seen-by-scheduler": "reason",
    "daemonset-pod": "daemonset",
    "other-scheduler": "scheduler",
    "already-bound": "node there",
    "node-disrupted": "node nodepool reason policy consolidate_after do_not_disrupt pods time field",
    "node-removed": "node nodepool how pods time message",
    "drain-blocked": "node waiting times message",
    "node-not-ready": "node condition since message times first days others",
    "launch-failed": "nodeclaim code message about",
    "not-authorized": "nodeclaim operation message denied policy resource encoded",
    "vcpu-quota-exceeded": "nodeclaim message instance_types bought limit quotas",
    "fleet-quota-exceeded": "nodeclaim message",
    "reservation-exhausted": "nodeclaim message instance_types zones reservation",
    "api-throttled": "nodeclaim message",
    "subnet-out-of-ips": "nodeclaim message",
    "not-registered": "nodeclaim age reason message loops",
    "not-initialized": "nodeclaim reason message taint owner",
    "device-plugin-missing": "nodeclaim node resource state plugin",
    "image-not-pulled": "image container reason message node",
    "volume-not-attached": "volume message shared node",
    "no-pod-address": "message node",
    "sandbox-failed": "message node",
    "admission-rejected": "reason message resource node",
    "namespace-quota-exceeded": "quota message owner namespace",
    "pods-not-created": "message owner",
    "unknown-field": "field object",
    "aws-endpoint-unresolved": "host",
    "nodeclaim-invalid": "nodeclaim field message",
    "image-architecture-mismatch": "program",
    "gang-partly-placed": "job placed waiting resource holding rivals",
    "unexplained": "message",
}
CAUSES: Final[Mapping[str, frozenset[str]]] = {
    cause: frozenset({"nodepools", *facts.split()}) for cause, facts in _CAUSE_FACTS.items()
}

# remedy id -> its facts, with the examples that `check` renders its sentences with
REMEDIES: Final[Mapping[str, Mapping[str, Fact]]] = {
    "reduce-resource": {"resource": "vpc.amazonaws.com/efa", "old": "8", "new": "1", "keeps": ("g6e.8xlarge",)},
    "drop-resource": {"resource": "vpc.amazonaws.com/efa", "old": "1", "new": "0", "keeps": ("g5.2xlarge",)},
    "relax-topology-spread": {"key": "topology.kubernetes.io/zone", "field": "spec.topologySpreadConstraints[0]"},
    "drop-pod-affinity": {"key": "topology.kubernetes.io/zone", "field": "spec.affinity.podAffinity"},
    "drop-node-selector": {"key": "node.kubernetes.io/instance-type", "old": "g6e.8xlarge"},
    "drop-affinity": {"key": "topology.kubernetes.io/zone", "old": "ap-northeast-2a"},
    "change-node-selector": {"key": "node.kubernetes.io/instance-type", "old": "g6e.8xlarge", "new": "g6e.48xlarge"},
    "widen-node-selector": {
        "key": "topology.kubernetes.io/zone",
        "old": "ap-northeast-2a",
        "new": ("ap-northeast-2b",),
    },
    "add-toleration": {"taint": "nvidia.com/gpu=true:NoSchedule"},
    "raise-limit": {"nodepool": "gpu", "resource": "nvidia.com/gpu", "old": "8", "new": "16"},
    "add-requirement-value": {
        "nodepool": "gpu",
        "key": "karpenter.k8s.aws/instance-category",
        "old": ("g",),
        "new": ("g", "p"),
    },
    "drop-requirement": {"nodepool": "gpu", "key": "karpenter.k8s.aws/instance-category"},
    "add-nodepool-label": {"nodepool": "gpu", "key": "nodeType", "value": "nvidia"},
    "change-nodepool-label": {"nodepool": "gpu", "key": "nodeType", "old": "intel", "value": "nvidia"},
    "lower-min-values": {"nodepool": "gpu", "key": "node.kubernetes.io/instance-type", "old": 10, "new": 3},
    "allow-capacity-type": {
        "key": "karpenter.sh/capacity-type",
        "old": ("spot",),
        "new": ("on-demand", "spot"),
        "where": "NodePool gpu",
    },
    "add-do-not-disrupt": {"annotation": "karpenter.sh/do-not-disrupt", "value": "true"},
    "set-consolidation": {
        "nodepool": "gpu",
        "policy_old": "WhenEmptyOrUnderutilized",
        "policy_new": "WhenEmpty",
        "after_old": "0s",
        "after_new": "10m",
    },
    "add-disruption-budget": {"nodepool": "gpu", "reason": "Drifted"},
    "add-training-nodepool": {
        "nodepool": "gpu",
        "name": "gpu-training",
        "label": "workload: training",
        "taint": "workload=training:NoSchedule",
    },
}

SEVERITIES: Final = ("blocked", "disrupted", "waiting", "info")
BLOCKS: Final = ("headline", "because", "check", "remedies")

# What a page's template sees besides `facts`: name -> its attributes (none: look no further).
CONTEXT: Final[Mapping[str, frozenset[str]]] = {
    "facts": frozenset(),
    "pod": frozenset({"namespace", "name"}),
    "cause": frozenset({"id", "constraints", "evidence", "nodepools"}),
    "remedies": frozenset(),
    "diagnosis": frozenset({"verdict", "cluster", "karpenter_version", "missing", "notes"}),
}
