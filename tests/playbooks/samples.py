"""Playbooks as shipped, and diagnoses built by hand."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from bot.model.diagnosis import (
    Cause,
    Cheapest,
    Constraint,
    Diagnosis,
    Editor,
    Fact,
    Kind,
    Opens,
    Patch,
    PoolVerdict,
    Remedy,
    Statement,
    Verdict,
)
from bot.model.objects import ObjectRef
from bot.model.world import Missing
from bot.playbooks import Page, Playbooks, Rendered, read_playbooks, render

FOLDER: Final = Path(__file__).parents[2] / "playbooks"
LANGUAGES: Final = ("en", "ko")
POD: Final = ObjectRef(api_version="v1", kind="Pod", namespace="default", name="llama-3-8b-node-0-1-z49j4")
EFA_FACTS: Final[Mapping[str, Fact]] = {
    "resource": "vpc.amazonaws.com/efa",
    "requested": 8,
    "offered": 1,
    "instance_type": "g6e.8xlarge",
    "instance_types": ("g6e.8xlarge",),
    "types_count": 1,
    "pinned": True,
}
_CHEAPEST: Final = Cheapest(
    instance_type="g6e.8xlarge",
    zone="ap-northeast-2a",
    capacity_type="spot",
    price_per_hour=2.0123,
    on_demand_price_per_hour=5.53,
    as_of="2025-12-28",
    on_demand_as_of="2025-12-01",
)


@cache
def texts() -> dict[str, str]:
    """The shipped files: path below `playbooks/` -> content."""
    return {str(p.relative_to(FOLDER)): p.read_text("utf-8") for p in sorted(FOLDER.rglob("*")) if p.is_file()}


@cache
def shipped() -> Playbooks:
    """The shipped playbooks, read once."""
    return read_playbooks(texts())


def page_of(cause: str, language: str) -> Page:
    """The shipped page for a cause."""
    return next(p for p in shipped().pages if cause in p.causes and p.language == language)


def constraint(
    field: str = "spec.containers[0].resources.limits", value: str = "vpc.amazonaws.com/efa=8"
) -> Constraint:
    """A condition of the pod."""
    return Constraint(
        id=field, kind=Kind.RESOURCE, object=POD, field=field, value=value, editor=Editor.POD_OWNER, nodepool="gpu"
    )


def cause(name: str, facts: Mapping[str, Fact]) -> Cause:
    """A cause that blocks the NodePool gpu."""
    return Cause(id=name, constraints=(constraint(),), facts=facts, nodepools=("gpu",))


def example(name: str, language: str = "en", **changed: Fact) -> Cause:
    """A cause with its page's example facts, some changed."""
    return cause(name, {**page_of(name, language).examples, **changed})


def remedy(name: str = "reduce-resource", facts: Mapping[str, Fact] | None = None, *, target: str = "") -> Remedy:
    """A remedy; the EFA one unless told."""
    given: Mapping[str, Fact] = {
        "resource": "vpc.amazonaws.com/efa",
        "old": "8",
        "new": "1",
        "keeps": ("g6e.8xlarge",),
    }
    patch = Patch(
        target=ObjectRef(kind="TrainJob", namespace="default", name=target),
        patch_type="merge",
        patch={},
        applicable=True,
    )
    return Remedy(
        id=name,
        relaxes=(constraint(),),
        edits=(),
        opens=Opens(offerings=2, instance_types=("g6e.8xlarge",), zones=("ap-northeast-2a",), cheapest=_CHEAPEST),
        nodepool="gpu",
        facts=given if facts is None else facts,
        patch=patch if target else None,
    )


def blocked(*causes: Cause, remedies: tuple[Remedy, ...] = ()) -> Diagnosis:
    """A blocked pod."""
    return Diagnosis(
        pod=POD,
        uid="u1",
        verdict=Verdict.BLOCKED,
        cluster="training",
        karpenter_version="1.8.1",
        causes=causes,
        remedies=remedies,
        nodepools=(
            PoolVerdict(
                name="gpu",
                blocked_by=tuple(one.id for one in causes),
                karpenter_message="no instance type has enough resources",
                offerings=0,
                intended=True,
            ),
        ),
        karpenter_says=(
            Statement(source="log", time=datetime(2025, 12, 28, 6, 3, 4, tzinfo=UTC), message="could not schedule pod"),
        ),
        missing=(Missing(what="spot prices", why="not permitted"),),
    )


def seed() -> Diagnosis:
    """The answer that it all started from: 8 EFA interfaces on a type that has 1."""
    return blocked(cause("efa-count-exceeds-instance", EFA_FACTS), remedies=(remedy(target="llama-3-8b"),))


def said(diagnosis: Diagnosis, language: str = "en") -> Rendered:
    """Rendered by the shipped playbooks."""
    return render(diagnosis, shipped(), language)
