"""What let a node go of Karpenter's own choice, and what keeps the next one: four remedies, the smallest first.

Two were in the page that this project began with (the pods' annotation; `WhenEmpty` with some patience). A budget for the one
reason holds off that reason alone; a NodePool for training keeps all of it away from everybody else's nodes
(karpenter pkg/apis/v1/nodepool.go, pkg/controllers/disruption/helpers.go, v1.15).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace as changed
from typing import Final

from bot.model.diagnosis import Change, Constraint, Edit, Editor, Fact, Json, Kind, Opens, Remedy
from bot.model.karpenter import Budget, NodePool
from bot.model.kubernetes import Pod
from bot.model.labels import DO_NOT_DISRUPT
from bot.model.objects import ObjectRef, ref_of

WHEN_EMPTY: Final = "WhenEmpty"
QUIET: Final = "10m"
VOLUNTARY: Final = frozenset({"empty", "underutilized", "drifted"})
TRAINING: Final = "training"
"""Label value, taint value and the ending of the name of a NodePool for training alone."""
WORKLOAD: Final = "workload"
_ANNOTATION: Final = f"metadata.annotations[{DO_NOT_DISRUPT}]"
_POLICY: Final = "consolidationPolicy"
_BUDGETS: Final = "budgets"
_NOBODY: Final = "0"
_DEFAULT_BUDGET: Final = "10%"
_LONGEST_NAME: Final = 63


def letting_go(pod: Pod | None, pool: NodePool | None, reason: str, *, protected: bool) -> Iterator[Constraint]:
    """What let the node go: a pod that does not object, a NodePool that consolidates nodes in use, a budget that allows it."""
    if pod is not None and not protected:
        yield Constraint(
            id=f"pod/{_ANNOTATION}",
            kind=Kind.DISRUPTION,
            object=ref_of(pod),
            field=_ANNOTATION,
            value="absent",
            editor=Editor.POD_OWNER,
            subject=DO_NOT_DISRUPT,
        )
    if pool is None:
        return
    disruption = pool.spec.disruption
    if disruption.consolidation_policy not in ("", WHEN_EMPTY):
        value = f"{disruption.consolidation_policy} after {disruption.consolidate_after or '0s'}"
        values = (disruption.consolidation_policy, disruption.consolidate_after)
        yield _of_pool(pool, "spec.disruption", value, _POLICY, values)
    if reason.casefold() in VOLUNTARY and pool.api_version.endswith("/v1"):  # v1beta1 has no budgets by reason
        named = reason[:1].upper() + reason[1:]
        allowed = [str(b.nodes) for b in disruption.budgets or (Budget(),) if not b.reasons or named in b.reasons]
        value = f"{', '.join(allowed) or 'no limit'} for {named}"
        yield _of_pool(pool, f"spec.disruption.{_BUDGETS}", value, _BUDGETS, (named,))


def _of_pool(pool: NodePool, field: str, value: str, subject: str, values: tuple[str, ...]) -> Constraint:
    name = pool.metadata.name
    return Constraint(
        id=f"nodepool/{name}/{field}",
        kind=Kind.DISRUPTION,
        object=ref_of(pool),
        field=field,
        value=value,
        editor=Editor.NODEPOOL_OWNER,
        subject=subject,
        values=values,
        nodepool=name,
    )


def keeping(conditions: Sequence[Constraint], pool: NodePool | None) -> Iterator[Remedy]:
    """What keeps a node under a running job, one remedy for each condition that let it go; the widest change comes last."""
    by_subject = {one.subject: one for one in conditions}
    if DO_NOT_DISRUPT in by_subject:
        facts: dict[str, Fact] = {"annotation": DO_NOT_DISRUPT, "value": "true"}
        yield _remedy("add-do-not-disrupt", by_subject[DO_NOT_DISRUPT], (None, "true"), facts)
    if pool is None:
        return
    if _POLICY in by_subject:
        policy, after = by_subject[_POLICY].values
        old: Json = {"consolidationPolicy": policy, "consolidateAfter": after}
        new: Json = {"consolidationPolicy": WHEN_EMPTY, "consolidateAfter": QUIET}
        facts = {"policy_old": policy, "policy_new": WHEN_EMPTY, "after_old": after, "after_new": QUIET}
        facts["nodepool"] = pool.metadata.name
        yield _remedy("set-consolidation", by_subject[_POLICY], (old, new), facts)
    if _BUDGETS in by_subject:
        yield _budget(by_subject[_BUDGETS], pool)
        yield _training_pool(by_subject[_BUDGETS], pool)


def _budget(condition: Constraint, pool: NodePool) -> Remedy:
    """One more budget, of no nodes for this reason. Any list replaces the default: where there is none, that goes with it."""
    (reason,) = condition.values
    present = pool.spec.disruption.budgets
    old: Json = None if present is None else [_written(one) for one in present]
    kept: list[Json] = [{"nodes": _DEFAULT_BUDGET}] if present is None else [_written(one) for one in present]
    new: Json = [*kept, {"nodes": _NOBODY, "reasons": [reason]}]
    facts: dict[str, Fact] = {"nodepool": pool.metadata.name, "reason": reason}
    return _remedy("add-disruption-budget", condition, (old, new), facts)


def _written(one: Budget) -> dict[str, Json]:
    """A budget as its manifest has it."""
    told: Mapping[str, Json] = {
        "nodes": one.nodes,
        "reasons": list(one.reasons),
        "schedule": one.schedule,
        "duration": one.duration,
    }
    return {name: value for name, value in told.items() if value not in ("", [])}


def _training_pool(condition: Constraint, pool: NodePool) -> Remedy:
    """A new NodePool like this one, for training alone: `new` is what differs, its document is made where patches are made."""
    own = pool.metadata.name
    name = f"{own[: _LONGEST_NAME - len(TRAINING) - 1]}-{TRAINING}"
    taint = f"{WORKLOAD}={TRAINING}:NoSchedule"
    new: Json = {
        "metadata": {"name": name},
        "spec": {
            "disruption": {
                "consolidationPolicy": WHEN_EMPTY,
                "consolidateAfter": QUIET,
                "budgets": [{"nodes": _DEFAULT_BUDGET}, {"nodes": _NOBODY, "reasons": ["Drifted"]}],
            },
            "template": {
                "metadata": {"labels": {WORKLOAD: TRAINING}},
                "spec": {"taints": [{"key": WORKLOAD, "value": TRAINING, "effect": "NoSchedule"}]},
            },
        },
    }
    facts: dict[str, Fact] = {"nodepool": own, "name": name, "label": f"{WORKLOAD}: {TRAINING}", "taint": taint}
    found = _remedy("add-training-nodepool", condition, (None, new), facts)
    ref = ObjectRef(api_version=pool.api_version, kind=pool.kind, name=name)
    edits = tuple(changed(edit, object=ref, field="", subject=own) for edit in found.edits)
    return changed(found, edits=edits, cautions=())


def _remedy(remedy: str, condition: Constraint, values: tuple[Json, Json], facts: dict[str, Fact]) -> Remedy:
    """A remedy of one edit (old value, new value), which opens no offering: it keeps one."""
    old, new = values
    edit = Edit(
        constraint=condition,
        change=Change.ADD if old is None else Change.SET,
        object=condition.object,
        field=condition.field,
        subject=condition.subject,
        old=old,
        new=new,
    )
    return Remedy(
        id=remedy,
        relaxes=(condition,),
        edits=(edit,),
        opens=Opens(offerings=0, instance_types=(), zones=()),
        nodepool=condition.nodepool,
        facts=facts,
        parts=((remedy, facts),),
        cautions=("shared-nodepool",) if condition.editor is Editor.NODEPOOL_OWNER else (),
    )
