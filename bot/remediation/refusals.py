"""Why a patch is not applied: stable codes, each with its sentence in one table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SENTENCES: Final[Mapping[str, str]] = {
    "immutable-recreate": "{object} cannot be changed in its {fields} any more: delete it and create it with the change.",
    "suspend-first": "{object} can be changed in its {fields} only while it is suspended: set {suspend} to true, apply, resume.",
    "owner-unreadable": "{missing} owns {object} and could not be read; it would undo a change made below it.",
    "set-above": "{above} writes {object} and would undo the change; it has no field of its own that holds the value.",
    "not-in-manifest": "No object that owns the pod holds the value: something else set it when the pod was made.",
    "ambiguous-template": "{object} has several pod templates with this value, and nothing tells which one made the pod.",
    "several-objects": "{others} must change with {object}; a patch changes one object, and half a remedy opens nothing.",
    "already-changed": "{object} has the new value already; the pod was made before.",
    "nodepool-unreadable": "{object} could not be read.",
    "new-object": "{object} would be a new object; the bot makes none: create it with kubectl, or where your NodePools are kept.",
    "no-patch": "There is no field in {object} that one patch could change for this.",
    "kept-kind": "karpenter-bot deletes and recreates Jobs and bare pods only; what a {kind} leaves behind, its operator knows.",
    "kept-owned": "karpenter-bot does not do this itself: a {owner} owns the object.",
    "kept-going": "It is being deleted already.",
    "kept-finalizers": "karpenter-bot does not do this itself: {finalizers} must agree to its end.",
    "kept-finished": "karpenter-bot does not do this itself: {done} of its completions are done and would run again.",
    "kept-bound": "karpenter-bot does not do this itself: the pod has a node already ({node}).",
    "gitops": "{manager} manages {object} and would undo the change: make it where {manager} takes the object from.",
}
"""Code to sentence. The words in braces are the refusal's facts."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason. `code` is stable, for wording in other languages; `facts` are what its sentence uses."""

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The reason in English."""
        return SENTENCES[self.code].format(**self.facts)
