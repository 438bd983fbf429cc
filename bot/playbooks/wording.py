"""The keys of the sentences that are no page, each with example values: what a catalogue must have in each language."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Final

from bot.model.diagnosis import Change, Cheapest, Compared, Verdict
from bot.playbooks.approving import APPROVALS
from bot.playbooks.contract import REMEDIES
from bot.playbooks.explained import EXPLAINED
from bot.playbooks.gone import GONE
from bot.playbooks.market_words import MARKET
from bot.playbooks.people import PEOPLE
from bot.playbooks.wording_alerts import ALERTS
from bot.playbooks.wording_digest import DIGEST, FORMATS

_CHEAPEST: Final = Cheapest(
    instance_type="g6e.8xlarge",
    zone="ap-northeast-2a",
    capacity_type="on-demand",
    price_per_hour=5.52976,
    as_of="2025-12-28",
)
_COMPARED: Final = Compared(instance_type="g6e.xlarge", capacity_type="spot", price_per_hour=0.81, difference=4.72)
_POD: Final = SimpleNamespace(namespace="default", name="llama-3-8b-node-0-1-z49j4")
_EDIT: Final = {
    "object": "NodePool gpu",
    "field": "spec.limits",
    "subject": "nvidia.com/gpu",
    "old": "8",
    "new": "16",
}
_HEADINGS: Final = (
    "because",
    "remedies",
    "protection",
    "check",
    "evidence",
    "pools",
    "says",
    "missing",
    "notes",
    "also",
    "ages",
    "links",
    "shields",
    "timeline",
)
UNEVALUATED: Final = ("node-overlay", "capacity-buffer", "dynamic-resources", "placement-group", "zonal-shift")
_MORE: Final = ("remedies", "causes", "lines", "pools", "candidates")
_QUESTION: Final = {"asked": "whay train-0", "command": "/karpenter", "suggestion": "why train-0"}
_BAD_QUESTIONS: Final = (
    "bad-question",
    "missing-pod",
    "bad-pod-name",
    "bad-namespace",
    "bad-cluster",
    "bad-language",
    "unknown-option",
    "option-without-value",
)

SENTENCES: Final[Mapping[str, Mapping[str, object]]] = {
    "about": {"pod": _POD, "verdict": "blocked", "cluster": "training", "karpenter_version": "1.8.1"},
    **{
        f"verdict.{verdict.value}": {"pod": _POD, "reason": "", "facts": SimpleNamespace(node="ip-10-0-0-1")}
        for verdict in Verdict
    },
    **{f"verdict-name.{verdict.value}": {} for verdict in Verdict},
    **{f"heading.{name}": {} for name in _HEADINGS},
    **{f"more.{name}": {"count": 2} for name in _MORE},
    **{f"remedy.{remedy}.summary": facts for remedy, facts in REMEDIES.items()},
    **{f"edit.{change.value}": _EDIT for change in Change},
    "list.more": {"shown": "a, b", "count": 3},
    "amount.other": {"n": 2, "resource": "example.com/device"},
    "price": {"figure": "5.53"},
    "opens": {
        "offerings": 3,
        "instance_types": ("g6e.8xlarge",),
        "zones": ("ap-northeast-2a", "ap-northeast-2b"),
        "cheapest": _CHEAPEST,
        "compared": _COMPARED,
    },
    "remedy-where": {"object": "TrainJob default/llama-3-8b"},
    "remedy-by-hand": {"why": "the pod has no owner"},
    "remedy-several": {"parts": ["one", "two"]},
    **{
        f"unevaluated.{feature}": {"object": "NodePool gpu", "field": "spec", "detail": "ap-northeast-2a"}
        for feature in UNEVALUATED
    },
    "missing.one": {"what": "spot prices", "why": "not permitted"},
    "pool.blocked": {"name": "gpu", "titles": ("Taint not tolerated",), "offerings": 0, "intended": True},
    "pool.open": {"name": "gpu", "titles": (), "offerings": 3, "intended": True},
    "pool.unknown": {"name": "gpu", "titles": (), "offerings": 0, "intended": False},
    "says.log": {"time": "2025-12-28 06:03 UTC"},
    "says.event": {"time": "2025-12-28 06:03 UTC"},
    "says.both": {"time": "2025-12-28 06:03 UTC"},
    "fallback.headline": {"title": "efa-unsupported"},
    "fallback.constraint": {"object": "Pod default/train-0", "field": "spec.nodeSelector", "value": "a=b"},
    "slack.show-evidence": {},
    "slack.evidence-title": {},
    "slack.close": {},
    "slack.loading": {},
    "slack.request": {"id": "3f2a91c0"},
    "slack.why": {},
    "slack.progress": {"asked": "default/train-0"},
    "slack.candidates": {"asked": "train", "count": 3},
    "slack.help": {"command": "/karpenter"},
    "slack.evidence-hint": {},
    "error.pod-not-found": {"asked": "train-9", "near": ("default/train-0",)},
    "error.no-pending-pods": {"asked": "train", "others": ("default/train-0",)},
    **{f"error.{code}": _QUESTION for code in _BAD_QUESTIONS},
    "error.nothing-known": {"asked": "ip-10-0-12-7"},
    "error.unknown-cluster": {"asked": "prdo", "known": ("prod",)},
    "error.missing-type": {},
    "error.unknown-type": {"asked": "p4d.24xlrge", "near": ("p4d.24xlarge",)},
    "error.unknown-nodepool": {"asked": "gpus", "near": ("gpu",)},
    "error.unknown-region": {"asked": "ap-northeast-2a", "near": ("ap-northeast-2",)},
    "error.cluster-unreachable": {"why": "connection refused"},
    "error.aws-unreachable": {"why": "the credentials have expired"},
    "error.credentials-expired": {"why": "the token ran out"},
    "error.not-permitted": {"why": "no permission to get pods"},
    "error.timeout": {"seconds": 25},
    "error.busy": {},
    "error.too-many-questions": {"seconds": 6},
    "error.restarting": {},
    "error.evidence-gone": {},
    "error.internal": {"reference": "4f1c"},
    **EXPLAINED,
    **PEOPLE,
    **APPROVALS,
    **MARKET,
    **ALERTS,
    **GONE,
    **FORMATS,
    **DIGEST,
}

# Keys that a catalogue may have besides, by how they begin: what diagnosis and catalogue name together. All languages
# have the same ones, save those whose ids are English words themselves.
OPEN_PREFIXES: Final[Mapping[str, Mapping[str, object]]] = {
    "amount.": {"n": 2, "resource": "example.com/device"},
    "caution.": {"before": ("l40s",), "after": ("a100", "h100")},
    "note.": {},
    "reason.": {},
    "why-not.": {
        "object": "TrainJob ml/llama",
        "fields": "resources",
        "suspend": "spec.suspend",
        "missing": "JobSet ml/llama",
        "above": "TrainJob ml/llama",
        "others": "NodePool gpu",
        "manager": "Argo CD Application ml",
        "kind": "JobSet",
        "owner": "JobSet",
        "finalizers": "example.com/guard",
        "done": "3",
        "node": "ip-10-0-0-1",
    },
    **{f"remedy.{remedy}.{part}": facts for remedy, facts in REMEDIES.items() for part in ("caution", "opens")},
}
