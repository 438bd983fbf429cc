"""The sentences of the weekly digest and of a language's figures (`_digest.yaml`, `_format.yaml`), with example values."""

from collections.abc import Mapping
from typing import Final

_TIME: Final = {"year": "2025", "month": "3", "month_2": "03", "day": "2", "day_2": "02", "hour": "06", "minute": "03"}
_WEEK: Final = {"since": "2025-12-22T00:00:00+00:00", "until": "2025-12-29T00:00:00+00:00"}

FORMATS: Final[Mapping[str, Mapping[str, object]]] = {
    **{f"format.{name}": {} for name in ("number", "language")},
    **{f"format.{name}": _TIME for name in ("moment", "day", "clock", "tick")},
    "format.price": {"figure": "5.53"},
    **{f"format.{unit}": {"n": "3"} for unit in ("days", "hours", "minutes", "seconds")},
}
DIGEST: Final[Mapping[str, Mapping[str, object]]] = {
    "digest.title": _WEEK,
    "digest.nothing": {},
    "digest.answers": {"answers": 12, "workloads": 3},
    "digest.waited": {"pods": 9, "seconds": 54_000.0, "placed": 6, "gone": 1, "waiting": 2},
    "digest.longest": {"pod": "ml/train-0-abcde", "seconds": 7_200.0},
    "digest.gpu-hours": {"hours": 123.4},
    **{f"digest.heading.{name}": {} for name in ("causes", "playbooks", "refusals", "ec2")},
    "digest.cause": {"title": "Taint not tolerated", "workloads": 2, "pods": 4, "seconds": 600.0},
    "digest.helped": {"title": "Taint not tolerated", "applied": 3, "verified": 2},
    "digest.refused": {"summary": "Raise the limit of NodePool gpu", "reason": "no budget"},
    "digest.expired": {"count": 2},
    "digest.by-ec2": {"offering": "p5.48xlarge spot ap-northeast-2a", "count": 4},
    "digest.counted": {"since": "2025-12-24T11:00:00+00:00"},
}
