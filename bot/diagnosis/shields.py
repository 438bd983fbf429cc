"""What stood between a node and its end: the pods' annotation, PodDisruptionBudgets, the NodePool's budgets, grace periods.

Which of them count for which reason: karpenter pkg/controllers/disruption (v1.15). Voluntary disruption (empty,
underutilized, drifted) respects all of them at its start; expiry, interruption, repair and deletion respect none: there
they only slow the drain, until terminationGracePeriod ends.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.diagnosis.keeping import VOLUNTARY
from bot.diagnosis.proven import cause
from bot.diagnosis.traces import Seen
from bot.karpenter import Signal, SignalKind
from bot.model.diagnosis import Cause, Fact
from bot.model.karpenter import NodePool
from bot.model.kubernetes import LabelSelector, Pod, PodDisruptionBudget
from bot.model.labels import DO_NOT_DISRUPT
from bot.model.world import World

STUCK: Final = 30
SHIELDS: Final = ("do-not-disrupt", "pdb", "budget", "grace-period")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shield:
    """One protection: `state` is `absent`, `held` (it counted, and held for a while), `counted` (it counts for this reason),
    `does-not-count` (it is there, and this reason passes it by), or `unknown`.
    """

    id: str
    state: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


def shields_of(seen: Seen, reason: str) -> tuple[Shield, ...]:
    """Each protection with what it was worth; none where the node is not known to go."""
    if not seen.trace.known or not reason:
        return ()
    voluntary = reason.casefold() in VOLUNTARY
    held = [s.message for s in seen.said(SignalKind.DISRUPTION_BLOCKED)]
    grace = seen.claim.spec.termination_grace_period if seen.claim else ""
    grace = grace or (seen.pool.spec.template.spec.termination_grace_period if seen.pool else "")
    return (
        _annotation(seen.kin, held, voluntary=voluntary),
        _disruption_budgets(seen.world, seen.kin, held, voluntary=voluntary),
        _budget(seen.pool, reason, voluntary=voluntary),
        Shield(id="grace-period", state="counted" if grace else "absent", facts={"value": grace}),
    )


def _annotation(kin: Sequence[Pod], held: Sequence[str], *, voluntary: bool) -> Shield:
    if any(DO_NOT_DISRUPT in text for text in held):
        return Shield(id="do-not-disrupt", state="held")
    if not kin:
        return Shield(id="do-not-disrupt", state="unknown")
    if not any(p.metadata.annotations.get(DO_NOT_DISRUPT) == "true" for p in kin):
        return Shield(id="do-not-disrupt", state="absent")
    return Shield(id="do-not-disrupt", state="counted" if voluntary else "does-not-count")


def _disruption_budgets(world: World, kin: Sequence[Pod], held: Sequence[str], *, voluntary: bool) -> Shield:
    names = tuple(sorted({b.metadata.name for b in world.pod_disruption_budgets for p in kin if _covers(b, p)}))
    if any(text.startswith(("Pdb", "Eviction does not support")) or "PDB" in text for text in held):
        return Shield(id="pdb", state="held", facts={"names": names})
    if not names:
        unread = any("poddisruptionbudgets" in gap.what for gap in world.missing) or not kin
        return Shield(id="pdb", state="unknown" if unread else "absent", facts={"names": ()})
    return Shield(id="pdb", state="counted" if voluntary else "does-not-count", facts={"names": names})


def _covers(budget: PodDisruptionBudget, pod: Pod) -> bool:
    selector = budget.spec.selector
    same = budget.metadata.namespace == pod.metadata.namespace
    return same and selector is not None and all(_meets(selector, pod.metadata.labels))


def _meets(selector: LabelSelector, labels: Mapping[str, str]) -> Iterator[bool]:
    yield from (labels.get(key) == value for key, value in selector.match_labels.items())
    for one in selector.match_expressions:
        match one.operator:
            case "In":
                yield labels.get(one.key) in one.values
            case "NotIn":
                yield labels.get(one.key) not in one.values
            case "Exists":
                yield one.key in labels
            case _:
                yield one.key not in labels


def _budget(pool: NodePool | None, reason: str, *, voluntary: bool) -> Shield:
    """The NodePool's budgets for this reason; without any, Karpenter's default of 10 %."""
    if pool is None:
        return Shield(id="budget", state="unknown", facts={"nodes": ()})
    own = pool.spec.disruption.budgets
    fitting = [b for b in own or () if not b.reasons or reason in b.reasons]
    nodes = tuple(str(b.nodes) for b in fitting) if own is not None else ("10%",)
    state = "does-not-count" if not voluntary else "counted" if nodes else "absent"
    return Shield(id="budget", state=state, facts={"nodes": nodes})


def stuck_drain(failed: Sequence[Signal]) -> Cause | None:
    """`drain-blocked`, where these failed drains of one node are so many that it is no passing matter: Karpenter repeats the
    event every two minutes (pkg/events/recorder.go, v1.15), so that thirty are an hour.
    """
    times = max((s.count for s in failed), default=0)
    if times < STUCK:
        return None
    last = failed[-1]
    waiting = next((s.facts["pods"] for s in reversed(failed) if s.facts.get("pods", "").isdigit()), "0")
    facts: dict[str, Fact] = {"node": last.objects.get("Node", ""), "waiting": int(waiting), "times": times}
    return cause("drain-blocked", last.message, (), message=last.message, **facts)
