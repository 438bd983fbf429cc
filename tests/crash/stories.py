"""What may happen to a proposal, as a table: from which state, by which clicks, to which end. Together they take every
transition of `bot.remediation.approvals` that anything takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bot.model.objects import ObjectRef
from bot.model.proposals import Alteration, Proposal, State
from bot.remediation.outcomes import digest_of, yaml_diff
from bot.remediation.recreation import manifest_of
from tests.remediation.proposals import ANNA, PROPOSAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`click`: what Anna does while it waits for her. `spoil`: what happens to the object before anything is done.

    `writes`: what the API server must have kept, counted. `late`: how many minutes too late everything happens.
    """

    kind: str = "Deployment"
    start: State = State.PROPOSED
    click: str = "approve"
    undo: bool = False
    spoil: str = ""
    late: int = 0
    watched: bool = True
    end: State = State.VERIFIED
    events: tuple[str, ...] = ()
    writes: Mapping[str, int] = field(default_factory=dict)
    confirm_twice: bool = False


_APPLIED: Final = ("propose", "approve", "claim", "apply", "verify")
_NONE: Final = {"patched": 0, "deleted": 0, "created": 0}
_ANEW: Final = {"patched": 0, "deleted": 1, "created": 1}

STORIES: Final[Mapping[str, Story]] = {
    "applied and undone": Story(
        undo=True, end=State.UNDONE, events=(*_APPLIED, "apply"), writes={**_NONE, "patched": 2}
    ),
    "recreated and put back": Story(
        kind="Job",
        undo=True,
        end=State.UNDONE,
        events=("propose", "assent", "approve", "claim", "apply", "verify", "apply"),
        writes={"patched": 0, "deleted": 2, "created": 2},
    ),
    "applied": Story(start=State.APPROVED, events=_APPLIED, writes={**_NONE, "patched": 1}),
    "recreated": Story(
        kind="Job",
        start=State.APPROVED,
        events=_APPLIED,
        writes=_ANEW,
    ),
    "approved twice": Story(
        confirm_twice=True, events=("propose", "assent", *_APPLIED[1:]), writes={**_NONE, "patched": 1}
    ),
    "rejected": Story(click="reject", end=State.REJECTED, events=("propose", "reject"), writes=_NONE),
    "never decided": Story(click="", late=31, end=State.EXPIRED, events=("propose", "expire"), writes=_NONE),
    "carried out too late": Story(
        start=State.APPROVED, late=11, end=State.EXPIRED, events=("propose", "approve", "expire"), writes=_NONE
    ),
    "changed by somebody else": Story(
        start=State.APPROVED,
        spoil="spoil",
        end=State.SUPERSEDED,
        events=("propose", "approve", "claim", "supersede"),
        writes=_NONE,
    ),
    "a job changed by somebody else": Story(
        kind="Job",
        start=State.APPROVED,
        spoil="spoil",
        end=State.SUPERSEDED,
        events=("propose", "approve", "claim", "supersede"),
        writes=_NONE,
    ),
    "refused by the API server": Story(
        start=State.APPROVED,
        spoil="refuse",
        end=State.FAILED,
        events=("propose", "approve", "claim", "fail"),
        writes=_NONE,
    ),
    "applied in vain": Story(
        start=State.APPROVED,
        watched=False,
        end=State.STALLED,
        events=("propose", "approve", "claim", "apply", "stall"),
        writes={**_NONE, "patched": 1},
    ),
}
PLURALS: Final = {"Deployment": "deployments", "Job": "jobs"}


def now() -> datetime:
    """Replicas are processes with real clocks."""
    return datetime.now(UTC)  # noqa: TID251 (the same)


def proposal(story: Story, name: str, document: dict[str, Any]) -> Proposal:
    """The proposal as it was written down when somebody asked for it."""
    group = "apps/v1" if story.kind == "Deployment" else "batch/v1"
    target = ObjectRef(api_version=group, kind=story.kind, namespace="ml", name=name)
    alteration = (_patched if story.kind == "Deployment" else _recreated)(target, document)
    created = now()
    pod = PROPOSAL.pod if story.watched else ObjectRef(api_version="v1", kind="Pod", namespace="ml", name="nowhere")
    return replace(
        PROPOSAL,
        id=name,
        alteration=alteration,
        pod=pod,
        created_at=created,
        expires_at=created + timedelta(minutes=30),
    )


def _patched(target: ObjectRef, document: dict[str, Any]) -> Alteration:
    after = {**document, "spec": {**document["spec"], "replicas": 1}}

    def steps(old: int, new: int) -> tuple[dict[str, Any], ...]:
        path = "/spec/replicas"
        return ({"op": "test", "path": path, "value": old}, {"op": "replace", "path": path, "value": new})

    return Alteration(
        target=target,
        uid=document["metadata"]["uid"],
        patch=steps(8, 1),
        undo=steps(1, 8),
        diff=yaml_diff(document, after),
        digest=digest_of(document, after),
    )


def _recreated(target: ObjectRef, document: dict[str, Any]) -> Alteration:
    old: Any = manifest_of(document)
    new = {**old, "spec": {**old["spec"], "parallelism": 1}}
    return Alteration(
        target=target,
        uid=document["metadata"]["uid"],
        patch=(),
        undo=(),
        diff=yaml_diff(old, new),
        digest=digest_of(old, new),
        before=document,
        creates=new,
    )


__all__ = ["ANNA", "PLURALS", "STORIES", "Story", "now", "proposal"]
