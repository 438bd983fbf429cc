"""Delete and create anew: the change of an object of which nothing can be changed any more, as two writes under one name.

Which kinds allow it, what is created, and how far it has come: read off what stands under the object's name now, beside
what the ledger knows to have been sent. Sources: kubernetes pkg/registry/batch/job/strategy.go (generateSelector),
pkg/registry/core/pod/strategy.go, apiserver pkg/registry/generic/registry/store.go (Create, Delete), v1.35.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, cast

import jsonpatch

from bot.model.diagnosis import Json
from bot.model.proposals import Alteration, Attempt, Proposal, Write
from bot.remediation.documents import Operation, Pointer, at, cut, items, parse_field, pointer_text, put, text
from bot.remediation.outcomes import MARK
from bot.remediation.owners import group_of
from bot.remediation.refusals import Refusal

DOUBT: Final = timedelta(minutes=10)
"""How long after a call that was never answered its effect is taken for what stands there now. Later it is not guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recreation:
    """One kind. `propagation`: of the deletion. `cuts`: what the server wrote into the object and would not take again."""

    propagation: str
    cuts: tuple[Pointer, ...] = ()


_TEMPLATE: Final = ("spec", "template", "metadata", "labels")
RECREATED: Final[Mapping[tuple[str, str], Recreation]] = {
    # Foreground: its pods are gone, with what they hold (GPUs, volumes, quota), before the new ones come
    ("batch", "Job"): Recreation(
        propagation="Foreground",
        cuts=(
            ("spec", "selector"),
            (*_TEMPLATE, "controller-uid"),
            (*_TEMPLATE, "job-name"),
            (*_TEMPLATE, "batch.kubernetes.io/controller-uid"),
            (*_TEMPLATE, "batch.kubernetes.io/job-name"),
        ),
    ),
    ("", "Pod"): Recreation(propagation="Background", cuts=(("spec", "nodeName"), ("spec", "ephemeralContainers"))),
}
"""Only these. What an operator makes (JobSet, TrainJob, Workflow) leaves children and a state that it alone knows."""
_OF_THE_SERVER: Final = (
    ("status",),
    *(
        ("metadata", name)
        for name in (
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "managedFields",
            "selfLink",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        )
    ),
    ("metadata", "annotations", MARK),
)


def recreation_of(document: Json) -> Recreation | None:
    """The kind's row; None for a kind that is never deleted and recreated."""
    return RECREATED.get((group_of(text(document, "apiVersion")), text(document, "kind")))


def why_kept(document: Json) -> Refusal | None:
    """Why the bot does not delete and recreate this object; None where it may."""
    metadata = at(document, ("metadata",))
    kind, finalizers = text(document, "kind"), items(metadata, ("finalizers",))
    finished = _number(document, "status.succeeded") or text(document, "status", "completionTime")
    node = text(document, "spec", "nodeName")
    if recreation_of(document) is None:
        return Refusal("kept-kind", {"kind": kind})
    if items(metadata, ("ownerReferences",)):
        return Refusal("kept-owned", {"owner": text(items(metadata, ("ownerReferences",))[0], "kind")})
    if text(metadata, "deletionTimestamp"):
        return Refusal("kept-going")
    if finalizers:
        return Refusal("kept-finalizers", {"finalizers": ", ".join(map(str, finalizers))})
    if kind == "Job" and finished:
        return Refusal("kept-finished", {"done": str(_number(document, "status.succeeded"))})
    return Refusal("kept-bound", {"node": node}) if kind == "Pod" and node else None


def stops(document: Json) -> int:
    """How many pods of the object run now and end with it."""
    return _number(document, "status.ready")


def _number(document: Json, field: str) -> int:
    found = at(document, parse_field(field))
    return found if isinstance(found, int) else 0


# -- what is created -------------------------------------------------------------------------------------------------


def manifest_of(document: Json) -> Json:
    """The object as its author would create it: without what the server and its controllers have written into it."""
    row = recreation_of(document)
    own = () if row is None or at(document, ("spec", "manualSelector")) is True else row.cuts
    for pointer in (*_OF_THE_SERVER, *own):
        if at(document, pointer) is not None:
            document = cut(document, pointer, keep=1)
    return document


def marked(manifest: Json, proposal: str) -> Json:
    """The manifest as it is sent: with our mark."""
    return put(manifest, ("metadata", "annotations", MARK), proposal)


def changed(document: Json, patch: Sequence[Mapping[str, Json]]) -> Json:
    """The document with the patch made; None where it does not hold what the patch was worked out for."""
    try:
        return cast("Json", jsonpatch.apply_patch(document, [dict(step) for step in patch]))
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
        return None


def cleaning(document: Json) -> list[Operation]:
    """Patch steps that take out what the server wrote, for `kubectl replace --force`."""
    row = recreation_of(document)
    own = () if row is None or at(document, ("spec", "manualSelector")) is True else row.cuts
    return [{"op": "remove", "path": pointer_text(one)} for one in own if at(document, one) is not None]


# -- how far it has come -----------------------------------------------------------------------------------------------


class Standing(StrEnum):
    """What stands under the name now."""

    OLD = "old"
    GOING = "going"
    NOTHING = "nothing"
    OURS = "ours"
    OTHER = "other"


def standing(document: Json, alteration: Alteration, proposal: str) -> Standing:
    """Our own new object has our mark; the old one its uid; anything else is somebody else's."""
    if document is None:
        return Standing.NOTHING
    if text(document, "metadata", "annotations", MARK) == proposal:
        return Standing.OURS
    if text(document, "metadata", "uid") != alteration.uid:
        return Standing.OTHER
    return Standing.GOING if text(document, "metadata", "deletionTimestamp") else Standing.OLD


class Next(StrEnum):
    """What is to be done. The last three are the ends that are told, as failure codes."""

    DELETE = "delete"
    WAIT = "wait"
    FOUND_OUT = "found-out"
    """It goes by the deletion that was never answered: from here on the new one must come."""
    CREATE = "create"
    DONE = "done"
    NOT_OURS = "object-gone"
    TAKEN = "made-anew"
    UNKNOWN = "recreate-unknown"


def following(now: Standing, alteration: Alteration, attempt: Attempt | None, moment: datetime) -> Next:
    """The next step. Nothing is created while it is not certain that it was we who took away what stood there."""
    gone = alteration.before is None or (attempt is not None and (attempt.write is Write.CREATE or attempt.accepted))
    sent = gone or attempt is not None
    doubtful = attempt is not None and not attempt.accepted and attempt.at is not None and moment - attempt.at > DOUBT
    match now:
        case Standing.OURS:
            return Next.DONE
        case Standing.OLD:
            return Next.WAIT if gone else Next.DELETE
        case Standing.GOING:
            return Next.NOT_OURS if not sent else Next.WAIT if gone or doubtful else Next.FOUND_OUT
        case Standing.OTHER:
            return Next.TAKEN if sent else Next.NOT_OURS
        case Standing.NOTHING:
            return Next.NOT_OURS if not sent else Next.UNKNOWN if doubtful else Next.CREATE


def uid_left(proposal: Proposal) -> str:
    """The uid of the object that carries the change: a recreated one has another than before."""
    left: Any = proposal.facts.get("uid")
    return str(left or proposal.alteration.uid)
