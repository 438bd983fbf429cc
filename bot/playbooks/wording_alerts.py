"""The sentences of alert threads and the values each may use."""

from collections.abc import Mapping
from typing import Final

_ENDED: Final = {"minutes": 12, "node": "ip-10-0-0-1.ec2.internal"}
_WHERE: Final = {"cluster": "prod", "namespace": "team-a", "nodepool": "gpu"}
_NODE: Final = {
    "node": "ip-10-0-0-1.ec2.internal",
    "cluster": "prod",
    "ready": "Unknown",
    "reason": "NodeStatusUnknown",
    "message": "Kubelet stopped posting node status",
    "since": "2025-12-28 06:03 UTC",
    "nodeclaim": "gpu-8kx2p",
    "nodepool": "gpu",
    "deleting": True,
    "pods": 3,
}
_OWNER: Final = {"kind": "Job", "name": "train-0", "why": "BackoffLimitExceeded", "wanted": 4, "has": 2}
_SETTINGS: Final = {
    "on": True,
    "clusters": ("prod",),
    "namespaces": (),
    "language": "ko",
    "quiet": "22:00-07:00",
    "zone": "Asia/Seoul",
    "digest": "mon 09:00",
}
ALERTS: Final[Mapping[str, Mapping[str, object]]] = {
    "alert.grown": {"pods": 40, "jobs": 3, "alerts": 42, "ended": False},
    **{
        f"alert.ended-{how}": _ENDED
        for how in ("resolved", "running", "pod-gone", "none-waits", "node-ready", "node-gone")
    },
    "alert.grouped": {"count": 12, **_WHERE},
    "alert.group": {"count": 8, "owners": ("team-a/train", "team-a/eval")},
    "alert.group-rest": {"count": 4},
    "alert.nothing-waits": _WHERE,
    **{f"alert.node-{state}": _NODE for state in ("gone", "ready", "unready")},
    **{f"alert.node-{what}": {"count": 8, "workloads": ("ml/train", "ml/eval")} for what in ("pods", "waiting")},
    "alert.nodepool-limit": {
        "nodepool": "gpu",
        "resource": "nvidia.com/gpu",
        "percent": 93,
        "used": "15",
        "limit": "16",
        "left": "1",
    },
    "alert.nodepool-unlimited": {"nodepool": "gpu"},
    "alert.behind": {"count": 8},
    **{f"alert.owner-{state}": _OWNER for state in ("complete", "failed", "suspended", "deleting", "active")},
    "alert.pod-gone": {"pod": "team-a/train-0", "successors": ("team-a/train-1",)},
    "alert.said": {"statement": "06:03 UTC Evicted: the node was low on memory"},
    "alert.of-webhook": {"name": "KubePodNotReady", "where": "team-a/train-0", "count": 2},
    "alert.settings": {"settings": _SETTINGS, "changed": True},
    "error.bad-setting": {"asked": "quiet 25:00"},
}
