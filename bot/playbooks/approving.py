"""The sentences of approve-to-apply, each with example values: what a catalogue must have in each language."""

from collections.abc import Mapping
from typing import Final

_NUMBERED: Final = {"number": 1, "summary": "Ask for 1 GPU"}
_NUMBERED_LABELS: Final = ("propose", "copy", "recreate", "other-propose", "other-copy", "other-recreate", "next-fix")
_OBJECT: Final = {"object": "Deployment ml/trainer", "cluster": "prod"}
_STATES: Final = (
    *("proposed", "confirming", "approved", "applying", "applied", "verified", "stalled", "rejected", "expired"),
    *("superseded", "failed", "undone"),
)
_LABELS: Final = (
    *("other", "modal-title", "copy-title", "submit", "cancel", "loading", "no-risk", "dry-run", "approve", "confirm"),
    *("reject", "undo", "apply-it", "keep", "reason", "reject-title", "command", "repository", "overwritten"),
    *("recreating", "put-back", "next", "post-there", "elsewhere", "moved"),
    *("repository-helm-release", "repository-helm"),
    *("people.asked", "people.approved", "people.decided", "people.may", "people.until"),
    *("audit.title", "audit.none", "audit.hint"),
)
_PLAIN_ERRORS: Final = (
    *("unknown", "nobody", "no-write-role", "not-you", "four-eyes", "another-person", "expired", "store-down"),
    *("undo-under-way", "kept-going", "post-there"),
)

APPROVALS: Final[Mapping[str, Mapping[str, object]]] = {
    **{f"approvals.{name}": {} for name in _LABELS},
    **{f"approvals.{name}": _NUMBERED for name in _NUMBERED_LABELS},
    **{f"approvals.{name}": _OBJECT for name in ("changes", "sure", "sure-undo", "sure-recreate")},
    "approvals.recreates": {"object": "Job ml/llama", "stops": 3},
    "approvals.risk": {"risk": "restarts the pods"},
    "approvals.more-lines": {"count": 2},
    **{f"approvals.state.{state}": {"summary": "Ask for 1 GPU", "reason": "too expensive"} for state in _STATES},
    **{f"approvals.undo-of.{state}": {"summary": "Ask for 1 GPU"} for state in ("proposed", "applied")},
    "approvals.failure.refused": {"message": "spec is immutable"},
    "approvals.failure.object-gone": {"message": ""},
    "approvals.failure.gone-unknown": {"message": ""},
    "approvals.failure.half-done": {"message": "exceeded quota"},
    "approvals.failure.made-anew": {"message": "", "proposal": "pX"},
    "approvals.failure.recreate-unknown": {"message": ""},
    "approvals.delete-pod": {"pod": "train-0"},
    "approvals.now": {"now": "the NodePool's limit is reached"},
    "approvals.sight.nodeclaim": {
        "nodeclaim": "gpu-x7k2p",
        "instance_type": "g6e.8xlarge",
        "zone": "ap-northeast-2a",
        "capacity_type": "spot",
        "price": 2.35,
        "seconds": 3,
    },
    "approvals.sight.node": {"seconds": 41},
    "approvals.sight.pod": {"pod": "train-0", "node": "ip-10-0-0-1", "seconds": 44},
    "approvals.sight.waiting": {"pod": "train-0"},
    "approvals.audit.line": {
        "at": "2026-03-02 03:00:00 UTC",
        "event": "approve",
        "actor": "U0ANNA",
        "proposal": "pX",
        "state": "approved",
    },
    **{f"error.approvals.{code}": {} for code in _PLAIN_ERRORS},
    "error.approvals.no-longer": {"now": "the pod runs"},
    "error.approvals.dry-run-refused": {"why": "spec is immutable"},
    "error.approvals.standing": {"standing": "deactivated"},
    "error.approvals.unreadable": {"why": "usergroups.users.list: ratelimited"},
    "error.approvals.not-now": {"state": "applied"},
    "error.approvals.changed-since": {"object": "Deployment ml/trainer"},
    "error.approvals.undo-refused": {"why": "spec is immutable"},
    "error.approvals.no-recreate-role": {"why": "it cannot be changed any more"},
    "error.approvals.managed": {"why": "Flux Kustomization flux-system/apps"},
    "error.approvals.kept-finished": {"done": "3"},
    "error.approvals.kept-bound": {"node": "ip-10-0-0-1"},
    "error.approvals.kept-finalizers": {"finalizers": "example.com/guard"},
    "error.approvals.kept-owned": {"owner": "JobSet"},
}
