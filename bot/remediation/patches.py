"""A remedy becomes a patch: of the object that really decides, as small as can be, with its inverse, or with why not.

The topmost owner that holds the value is patched, since a controller would put back what is changed below it. Each change
is made in that object's document, and the patch is the difference: `test` operations refuse an object that has changed.
"""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

import yaml

from bot.model.diagnosis import Change, Edit, Json, Patch, Remedy
from bot.model.kubernetes import Pod
from bot.model.objects import ObjectRef
from bot.model.world import World
from bot.remediation.documents import Operation, operations
from bot.remediation.edits import Aspect, SeveralTemplates, aspects_of, edited
from bot.remediation.gitops import managed_by
from bot.remediation.immutability import Verdict, cautions_on, rule_of, verdict_on
from bot.remediation.owners import Carrier, Chain, chain_of, group_of, of_node_pool, of_pod
from bot.remediation.pool_edits import pool_edited, pool_like
from bot.remediation.recreation import cleaning, why_kept
from bot.remediation.refusals import Refusal

JSON_PATCH: Final = "json"
CREATE: Final = "create"
"""No patch but a whole new object, to be made by hand: the bot's role makes none."""
_RECREATING: Final = frozenset({Verdict.RECREATE, Verdict.SUSPEND_FIRST})
"""Where a new object may have what this one cannot be given. A Job that has begun cannot be changed by suspending it."""
_POD_INSTEAD: Final = frozenset({Verdict.RECREATE, Verdict.SUSPEND_FIRST, "set-above", "not-in-manifest"})
"""Where the owner cannot be changed, its pod may still be: tolerations and annotations of a pod that waits are open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be changed: `target` with its document now and then. `then` is None where no change could be made."""

    target: ObjectRef
    carrier: Carrier | None = None
    then: Json = None
    refusal: Refusal | None = None
    cautions: tuple[str, ...] = ()
    undoable: bool = True

    @property
    def anew(self) -> bool:
        """Whether a new object may have what this one cannot be given."""
        return self.refusal is not None and self.refusal.code in _RECREATING and self.then is not None


def patched(world: World, pod: Pod, remedy: Remedy) -> Remedy:
    """The remedy with its patch, and with what to know about applying it. Where nothing fits, `patch.patch` is None."""
    if any(edit.change is Change.ADD and not edit.field for edit in remedy.edits):
        return replace(remedy, patch=_new_object(world, remedy.edits[0]))
    found = plan(world, pod, remedy)
    cautions = (*remedy.cautions, *(c for c in found.cautions if c not in remedy.cautions))
    return replace(remedy, patch=_patch(found), cautions=cautions)


def _new_object(world: World, edit: Edit) -> Patch:
    """A NodePool like the one that `edit.subject` names, with what `edit.new` says otherwise."""
    like = of_node_pool(world, ObjectRef(kind=edit.object.kind, name=edit.subject))
    if like is None:
        refusal = Refusal("nodepool-unreadable", {"object": f"{edit.object.kind} {edit.subject}"})
    else:
        refusal = Refusal("new-object", {"object": str(edit.object)})
    return Patch(
        target=edit.object,
        patch_type=CREATE,
        patch=pool_like(like.document, edit.new) if like else None,
        applicable=False,
        why_not=refusal.sentence,
        why_not_code=refusal.code,
        why_not_facts=refusal.facts,
    )


def plan(world: World, pod: Pod, remedy: Remedy) -> Plan:
    """Which object changes to what, or why it may not (`refusal.code` and `refusal.facts`, for wording)."""
    by_object: dict[ObjectRef, list[Edit]] = {}
    for edit in remedy.edits:
        by_object.setdefault(edit.object, []).append(edit)
    plans = [
        _plan_pod(world, pod, edits) if ref.kind == "Pod" else _plan_pool(world, ref, edits)
        for ref, edits in sorted(by_object.items(), key=lambda one: one[0].kind != "Pod")
    ]
    if not plans:
        own = of_pod(pod).ref
        return Plan(target=own, refusal=Refusal("no-patch", {"object": str(own)}))
    if len(plans) > 1:
        others = " and ".join(str(one.target) for one in plans[1:])
        facts = {"object": str(plans[0].target), "others": others}
        return replace(plans[0], refusal=Refusal("several-objects", facts), cautions=())
    return plans[0]


def _patch(found: Plan) -> Patch:
    """The difference of the two documents, and back. Where the document was rebuilt, the generation stands for its values."""
    carrier = found.carrier
    patch: list[Operation] | None = None
    undo: list[Operation] | None = None
    if carrier is not None and found.then is not None:
        forth, back = operations(carrier.document, found.then), operations(found.then, carrier.document)
        patch = [*_guards(carrier, forth), *_tested(carrier, forth)]
        undo = [*_identity(carrier), *_tested(carrier, back)] if found.undoable else None
    kept = why_kept(carrier.document) if carrier is not None and found.anew else None
    told = kept if found.refusal and found.refusal.code == Verdict.RECREATE else None
    cleaned = cleaning(carrier.document) if carrier is not None and found.anew else []
    return Patch(
        target=found.target,
        patch_type=JSON_PATCH,
        patch=cast("Json", patch),
        applicable=found.refusal is None,
        why_not=found.refusal.sentence if found.refusal else "",
        why_not_code=found.refusal.code if found.refusal else "",
        why_not_facts=found.refusal.facts if found.refusal else {},
        undo=cast("Json", undo),
        anew=cast("Json", [*(patch or ()), *cleaned]) if found.anew else None,
        recreate=found.anew and kept is None,
        kept=told.code if told else "",
        kept_facts=told.facts if told else {},
    )


def _guards(carrier: Carrier, forth: Sequence[Operation]) -> Iterator[Operation]:
    """JSON Patch cannot test that nothing is there; that nothing was added meanwhile, the generation says."""
    yield from _identity(carrier)
    blind = not carrier.exact or any(operation["op"] == "add" for operation in forth)
    if blind and carrier.meta.generation:
        yield {"op": "test", "path": "/metadata/generation", "value": carrier.meta.generation}


def _identity(carrier: Carrier) -> Iterator[Operation]:
    """An object of the same name that was made anew is another object."""
    if carrier.meta.uid:
        yield {"op": "test", "path": "/metadata/uid", "value": carrier.meta.uid}


def _tested(carrier: Carrier, steps: Sequence[Operation]) -> Iterator[Operation]:
    """In a rebuilt document quantities are printed anew and unknown fields are gone, so its values are no test."""
    return (step for step in steps if carrier.exact or step["op"] != "test")


def _plan_pod(world: World, pod: Pod, edits: Sequence[Edit]) -> Plan:
    chain = chain_of(world, pod)
    carriers = (of_pod(pod), *chain.owners)
    known = [aspects_of(edit) for edit in edits]
    aspects = frozenset[Aspect]().union(*known)
    try:
        changes = [edited(one, pod, edits) if all(known) else None for one in carriers]
    except SeveralTemplates as unclear:
        return Plan(target=unclear.ref, refusal=Refusal("ambiguous-template", {"object": str(unclear.ref)}))
    depth = max((depth for depth, then in enumerate(changes) if then is not None), default=None)
    if depth is None:
        target = carriers[-1].ref
        return Plan(target=target, refusal=Refusal("no-patch", {"object": str(target)}))
    reason = _reason(chain, carriers, depth, changes[depth], aspects)
    if reason is not None and reason.code in _POD_INSTEAD and aspects <= rule_of(carriers[0]).always:
        depth, reason = 0, None
    return Plan(
        target=carriers[depth].ref,
        carrier=carriers[depth],
        then=changes[depth],
        refusal=reason,
        cautions=() if reason else tuple(cautions_on(carriers[depth])),
        # tolerations of a pod may be added, never taken away
        undoable=depth > 0 or Aspect.TOLERATIONS not in aspects,
    )


def _reason(
    chain: Chain, carriers: Sequence[Carrier], depth: int, then: Json, aspects: frozenset[Aspect]
) -> Refusal | None:
    """Why the change of the object at this height is not applied: whoever would undo it comes before what forbids it."""
    carrier, below = carriers[depth], carriers[1:depth]
    own = str(carrier.ref)
    if chain.missing is not None:
        return Refusal("owner-unreadable", {"object": str(carriers[-1].ref), "missing": str(chain.missing)})
    if depth == 0 and chain.owners:
        return Refusal("not-in-manifest")
    if depth + 1 < len(carriers):
        return Refusal("set-above", {"object": own, "above": str(carriers[depth + 1].ref)})
    return _unchanged(carrier, then) or _managed(carrier) or _forbidden(carrier, below, aspects)


def _unchanged(carrier: Carrier, then: Json) -> Refusal | None:
    return Refusal("already-changed", {"object": str(carrier.ref)}) if then == carrier.document else None


def _managed(carrier: Carrier) -> Refusal | None:
    manager = managed_by(carrier.document)
    if manager is None:
        return None
    return Refusal("gitops", {"object": str(carrier.ref), "manager": str(manager), "tool": manager.what})


def _forbidden(carrier: Carrier, below: Sequence[Carrier], aspects: frozenset[Aspect]) -> Refusal | None:
    verdict = verdict_on(carrier, below, aspects)
    if verdict is Verdict.ALLOWED:
        return None
    facts = {"object": str(carrier.ref), "fields": ", ".join(sorted(aspect.value for aspect in aspects))}
    return Refusal(verdict, {**facts, "suspend": ".".join(rule_of(carrier).suspend)})


def _plan_pool(world: World, ref: ObjectRef, edits: Sequence[Edit]) -> Plan:
    carrier = of_node_pool(world, ref)
    if carrier is None:
        return Plan(target=ref, refusal=Refusal("nodepool-unreadable", {"object": str(ref)}))
    then = pool_edited(carrier.document, edits)
    if then is None:
        return Plan(target=carrier.ref, refusal=Refusal("no-patch", {"object": str(carrier.ref)}))
    return Plan(target=carrier.ref, carrier=carrier, then=then, refusal=_unchanged(carrier, then) or _managed(carrier))


def kubectl_command(patch: Patch) -> str:
    """The command that makes the change by hand, quoted for a POSIX shell; empty when there is no patch.

    An object that takes no change is patched on this side of the wire only, and what comes out replaces it.
    """
    if patch.patch is None:
        return ""
    if patch.patch_type == CREATE:
        return f"kubectl create -f - <<'EOF'\n{yaml.safe_dump(patch.patch, sort_keys=False)}EOF"
    replaces = patch.anew is not None and patch.why_not_code == Verdict.RECREATE
    target = patch.target
    group = group_of(target.api_version)
    words = ["kubectl", "patch", f"{target.kind.lower()}.{group}" if group else target.kind.lower(), target.name]
    words += ["--namespace", target.namespace] if target.namespace else []
    words += [f"--type={patch.patch_type}", *(("--dry-run=client", "-o", "json") if replaces else ())]
    steps = patch.anew if replaces else patch.patch
    command = shlex.join([*words, "-p", json.dumps(steps, ensure_ascii=False, separators=(",", ":"))])
    return f"{command} | kubectl replace --force --cascade=foreground -f -" if replaces else command
