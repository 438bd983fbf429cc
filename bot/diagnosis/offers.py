"""Which remedies are offered: those that help when the decision is taken again, none of them larger than it need be.

The offering space proposes (remedies.py), Karpenter's own rules decide (what_if.py). So a remedy that topology, minValues
or Karpenter's order of trying would foil is not offered, whatever the space says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import Final

from bot.diagnosis.conflicts import Solved
from bot.diagnosis.constraints import Partition, pod_constraints
from bot.diagnosis.edits import (
    Opening,
    Part,
    changed_label,
    dropped_requirement,
    edits,
    limit_part,
    resource_part,
)
from bot.diagnosis.quotas import quotas_of
from bot.diagnosis.remedies import MOST_EDITS, dated, rank, remedies, remedy_of, within_quotas
from bot.diagnosis.scheduling import Round, steps
from bot.diagnosis.state_nodes import NODES
from bot.diagnosis.what_if import decided
from bot.model.diagnosis import Constraint, Edit, Editor, Kind, Remedy
from bot.model.quantities import ZERO, Quantity
from bot.model.world import Refused

MOST_REMEDIES: Final = 8
MOST_TRIALS: Final = 200
FEWEST_TRIALS: Final = 40
MOST_STEPS: Final = 4000
"""How many decisions may be taken to check remedies, and relaxation steps in all of them: bounds on time where hundreds of
NodePools refuse, or where each decision has a hundred steps."""
OTHER_NODEPOOL: Final = 300
"""Added to the rank of a remedy that leads to a NodePool which the pod is not meant for."""

Key = frozenset[tuple[str, str, str, str]]
Ranked = tuple[tuple[float, ...], Remedy]


@dataclass(slots=True)
class Trials:
    """Decisions taken again after some edits, each once; `False` for all once there were too many."""

    this: Round
    refused: Sequence[Refused]
    _known: dict[tuple[Key, str], bool] = field(default_factory=dict)
    _most: int = 0

    def __post_init__(self) -> None:
        self._most = min(MOST_TRIALS, max(FEWEST_TRIALS, MOST_STEPS // len(steps(self.this))))

    def helps(self, chosen: Sequence[Edit], nodepool: str) -> bool:
        """Whether the pod gets a node, of that NodePool or one that exists, once the edits are made."""
        key = key_of(chosen), nodepool
        if key not in self._known:
            self._known[key] = (
                len(self._known) < self._most and not decided(self.this, chosen, nodepool, self.refused).blocked
            )
        return self._known[key]

    def helps_done(self, remedy: Remedy) -> bool:
        """Whether the pod gets a node with the remedy."""
        return self.helps(remedy.edits, remedy.nodepool)


def key_of(chosen: Sequence[Edit]) -> Key:
    """What a set of edits does, whichever NodePool it is proposed for."""
    return frozenset((str(e.object), e.field, e.subject, repr(e.new)) for e in chosen)


def offers(this: Round, pools: Sequence[tuple[Solved, ...]], refused: Sequence[Refused]) -> tuple[Remedy, ...]:
    """The best remedies, best first. `pools`: each NodePool's solved partitions, the one that is meant first.

    A NodePool that the pod is not meant for gets a say only where one edit makes it fit.
    """
    trials = Trials(this, refused)
    proposed = _own_first(_proposed(pools))
    chosen = list(islice((one for one in proposed if _is_single(one) and trials.helps_done(one[1])), MOST_REMEDIES))
    if not chosen:
        found = _single(pools, Trials(this, refused))
        chosen = [found] if found is not None else []
    for one in proposed:
        better = [other for other in chosen if other[0] <= one[0]]
        if len(better) >= MOST_REMEDIES:
            break
        if not _is_single(one) and trials.helps_done(one[1]) and not _larger_than_needed(one[1], chosen, pools, trials):
            chosen.append(one)
    chosen.sort(key=lambda one: one[0])
    best = chosen[:MOST_REMEDIES]
    single = next((one for one in chosen if _is_single(one)), None)
    if single is not None and single not in best:
        best[-1] = single
    quotas = quotas_of(this.world)
    return dated([within_quotas(remedy, quotas) for _, remedy in best], this.world.ec2)


def _is_single(one: Ranked) -> bool:
    return len(one[1].edits) == 1


def _proposed(pools: Sequence[tuple[Solved, ...]]) -> list[tuple[int, Ranked]]:
    """All that the offering space proposes, ranked, with the NodePool's position; the same edits only once."""
    found: dict[Key, tuple[int, Ranked]] = {}
    for position, pool in enumerate(pools):
        for solved in pool:
            for remedy in remedies(solved, MOST_EDITS if position == 0 else 1):
                key, ranked = key_of(remedy.edits), _ranked(position, remedy)
                if key not in found or ranked[0] < found[key][1][0]:
                    found[key] = position, ranked
    return sorted(found.values(), key=lambda one: one[1][0])


def _ranked(position: int, remedy: Remedy) -> Ranked:
    score, *rest = rank(remedy)
    return (score + OTHER_NODEPOOL * min(position, 1), float(position), *rest), remedy


def _own_first(proposed: Sequence[tuple[int, Ranked]]) -> list[Ranked]:
    """Other NodePools are not opened for this pod as long as there is anything better to do."""
    own = [one for position, one in proposed if position == 0 or "shared-nodepool" not in one[1].cautions]
    others = [one for position, one in proposed if not (position == 0 or "shared-nodepool" not in one[1].cautions)]
    return own or others


def _larger_than_needed(
    remedy: Remedy, chosen: Sequence[Ranked], pools: Sequence[tuple[Solved, ...]], trials: Trials
) -> bool:
    """Whether fewer of its edits would do, for the same NodePool or for another."""
    if any(key_of(other.edits) < key_of(remedy.edits) for _, other in chosen):
        return True
    for count in range(1, len(remedy.edits)):
        for fewer in combinations(remedy.edits, count):
            if trials.helps(fewer, remedy.nodepool) or _suffices_elsewhere(fewer, pools, trials):
                return True
    return False


def _suffices_elsewhere(fewer: Sequence[Edit], pools: Sequence[tuple[Solved, ...]], trials: Trials) -> bool:
    relaxed = {edit.constraint.id for edit in fewer}
    return any(
        {c.id for c in correction.constraints} <= relaxed and trials.helps(fewer, solved.partition.template.name)
        for pool in pools
        for solved in pool
        for correction in solved.corrections
    )


def _single(pools: Sequence[tuple[Solved, ...]], trials: Trials) -> Ranked | None:
    """One edit that helps though the offering space does not say so: for rules that are not about single offerings, for
    nodes that exist, and a NodePool's own label, which is not changed where anything else helps."""
    existing = bool(trials.this.nodes.occupied)
    for position, pool in enumerate(pools):
        found: list[Ranked] = []
        for solved in pool:
            hidden = existing or not solved.partition.exact
            for constraint in _all_constraints(trials.this, solved.partition):
                if not hidden and constraint.kind is not Kind.POOL_LABEL:
                    continue
                part = _helping(solved.partition, constraint, trials)
                if part is not None:
                    opening = _opening(solved.partition, constraint)
                    found.append(_ranked(position, remedy_of(opening, (part,))))
        if found:
            return min(found, key=lambda one: one[0])
    return None


def _all_constraints(this: Round, whole: Partition) -> list[Constraint]:
    """The NodePool's conditions, and all of the pod's own: on a node that exists others of these may be in the way."""
    named = (c for choice in whole.choices for broken in choice for c in broken)
    floors = (floor.constraint for floor in whole.floors)
    own = pod_constraints(this, whole.variant)
    return sorted({*(f.constraint for f in whole.filters), *named, *floors, *own}, key=lambda c: c.id)


def _opening(whole: Partition, constraint: Constraint) -> Opening:
    return Opening(whole, frozenset({constraint}), whole.passing((constraint,)))


def _helping(whole: Partition, constraint: Constraint, trials: Trials) -> Part | None:
    """An edit of that constraint's field which helps by itself."""
    narrow = _opening(whole, constraint)
    wide = Opening(whole, narrow.relaxed, whole.universe)
    nodepool = whole.template.name
    if constraint.kind is Kind.RESOURCE:
        return _amount(_reductions(wide, constraint, trials.this), nodepool, trials)
    if constraint.kind is Kind.POOL_LIMIT:
        return _amount(_raises(wide, constraint), nodepool, trials)
    tried = [part for opening in (narrow, wide) for part in edits(opening, constraint)]
    if constraint.kind is Kind.POOL_REQUIREMENT:
        tried.append(dropped_requirement(constraint))  # its minValues goes with it
    if constraint.kind is Kind.POOL_LABEL and constraint.editor is Editor.NODEPOOL_OWNER:
        label = changed_label(wide, constraint)
        tried += [label] if label is not None else []
    return next((part for part in tried if trials.helps((part.edit,), nodepool)), None)


def _reductions(wide: Opening, constraint: Constraint, this: Round) -> list[Part]:
    """Every amount for which some type or some existing node has room, the largest first."""
    if constraint.editor is not Editor.POD_OWNER:
        return []
    resource, asked = constraint.subject, Quantity.parse(constraint.values[0])
    of_types = dict(wide.left(resource))
    amounts = {
        *(wide.amount_left(resource, i) for i in of_types.values()),
        *(one.room.get(resource, ZERO) for one in this.nodes.occupied),
    }
    lower = sorted((amount for amount in amounts if amount < asked), reverse=True)
    return [part for amount in lower for part in (resource_part(wide, constraint, amount),) if part is not None]


def _raises(wide: Opening, constraint: Constraint) -> list[Part]:
    """Every capacity that some type has, the smallest first."""
    resource = constraint.subject
    if resource == NODES:
        return [limit_part(wide, constraint, Quantity.of(1))]
    return [limit_part(wide, constraint, q) for q in sorted({t.capacity.get(resource, ZERO) for t in wide.types})]


def _amount(parts: Sequence[Part], nodepool: str, trials: Trials) -> Part | None:
    """The first of these, each easier than the one before, that helps."""
    if not parts or not trials.helps((parts[-1].edit,), nodepool):
        return None
    low, high = 0, len(parts) - 1
    while low < high:
        middle = (low + high) // 2
        if trials.helps((parts[middle].edit,), nodepool):
            high = middle
        else:
            low = middle + 1
    return parts[high]
