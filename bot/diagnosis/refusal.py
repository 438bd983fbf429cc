"""Why every NodePool refuses a pod: causes and remedies over all NodePools, the intended one first.

Finding (conflicts), naming (causes), mending (remedies) are rooms of their own; here they are put together and ordered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.diagnosis import conflicts
from bot.diagnosis.causes import cause_of
from bot.diagnosis.conflicts import Solved
from bot.diagnosis.constraints import Partition, partition
from bot.diagnosis.indexes import bits
from bot.diagnosis.offers import offers
from bot.diagnosis.pods import Variant, first_variant, untolerated
from bot.diagnosis.scheduling import Attempt, Decision, Round, attempt_template
from bot.diagnosis.templates import Template, by_weight, template
from bot.karpenter import Clause, Finding, Refusal, format_refusal
from bot.model.diagnosis import Cause, Editor, Fact, Kind, PoolVerdict, Remedy
from bot.model.karpenter import NodePool
from bot.model.labels import NODEPOOL, WELL_KNOWN
from bot.model.world import Refused

MOST_CAUSES: Final = 12
_BY_REQUEST: Final = {"nodepool-limit-exceeded": ("needed", "instance_type")}
"""Facts that differ with what else stands in the conflict, and not with what is wrong."""
MOST_PARTITIONS: Final = 400
"""NodePools times OR-terms of the pod that are explained one by one; of more, each NodePool's last terms."""
_APART: Final = {
    Kind.POOL_REQUIREMENT: 2.0,
    Kind.POOL_LABEL: 2.0,
    Kind.POOL_UNDEFINED: 1.5,
    Kind.POOL_TAINT: 1.5,
    Kind.TOLERATIONS: 1.5,
    Kind.POOL_LIMIT: 0.1,
    Kind.POOL_NOT_READY: 0.1,
    Kind.REFUSED: 0.1,
    Kind.RESERVATION: 0.1,
    Kind.SUBNETS: 0.2,
    Kind.PRICE: 0.2,
}
"""How much a condition that would have to give way says "this NodePool is for other pods"; others count 1. A limit that is
used up or capacity that is gone says nothing of the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Causes, remedies and one verdict a NodePool, each list in the order in which it should be told."""

    causes: tuple[Cause, ...]
    remedies: tuple[Remedy, ...]
    nodepools: tuple[PoolVerdict, ...]
    cut: bool = False
    """Whether not every OR-term of the pod was looked at for every NodePool: there are too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    """One NodePool's whole case: its partitions solved, Karpenter's own finding, how near it is to the pod."""

    template: Template
    solved: tuple[Solved, ...]
    attempt: Attempt | None
    nearness: tuple[float, ...]


def explain(this: Round, decision: Decision, refused: Sequence[Refused]) -> Explanation:
    """Every NodePool's conflicts and corrections, merged and ordered: the NodePool that the pod is meant for first."""
    resolved = [pool for pool in by_weight(this.world.node_pools) if pool.metadata.name in this.world.catalogues]
    terms = _or_terms(this, decision)
    explained = terms[: max(1, MOST_PARTITIONS // max(len(resolved), 1))]
    pools = [_case(this, pool, decision, explained, refused) for pool in resolved]
    pools.sort(key=lambda p: p.nearness, reverse=True)
    causes: dict[str, Cause] = {}
    verdicts: list[PoolVerdict] = []
    for position, pool in enumerate(pools):
        own = _causes(this, pool, refused)
        for cause in own:
            key = _key(cause)
            known = causes.get(key)
            if known is None:
                causes[key] = cause
            else:
                named = tuple(dict.fromkeys((*known.nodepools, *cause.nodepools)))
                causes[key] = replace(known, nodepools=named, facts={**known.facts, "nodepools": named})
        verdicts.append(_verdict(this, pool, own, intended=position == 0))
    offered = offers(this, [pool.solved for pool in pools], refused)
    order = {name: i for i, name in enumerate(p.name for p in verdicts)}
    told = sorted(causes.values(), key=lambda c: (min(order[n] for n in c.nodepools), _weight(c)))
    return Explanation(
        causes=tuple(told[:MOST_CAUSES]),
        remedies=offered,
        nodepools=tuple(verdicts),
        cut=len(explained) < len(terms),
    )


def _key(cause: Cause) -> str:
    return cause.id + "|" + "|".join(sorted(c.id for c in cause.constraints))


def _weight(cause: Cause) -> tuple[int, int, str]:
    """Small conflicts first; between equals, those about the pod's own fields before what the NodePool or EC2 adds."""
    fixed = sum(c.editor in (Editor.NOBODY, Editor.AWS) for c in cause.constraints)
    return len(cause.constraints), fixed, _key(cause)


def _case(
    this: Round, pool: NodePool, decision: Decision, terms: Sequence[Variant], refused: Sequence[Refused]
) -> _Pool:
    built = next((t for t in this.templates if t.pool is pool), None) or template(
        this.world, pool, refused, this.version, this.daemons
    )
    solved = tuple(_solved(this, built, variant) for variant in terms)
    attempt = next((a for a in decision.refusals if a.template.pool is pool), None)
    return _Pool(template=built, solved=solved, attempt=attempt, nearness=_nearness(this, built, solved))


def _solved(this: Round, built: Template, variant: Variant) -> Solved:
    """The conditions as they are, or where these leave something that Karpenter does not find, as it applies them."""
    groups = this.topology.groups(variant)
    solved = conflicts.solve(partition(this, built, variant, groups))
    if solved.conflicts or not groups or attempt_template(this, built, variant, groups).launches:
        return solved
    return conflicts.solve(partition(this, built, variant, groups, picked=True))


def _or_terms(this: Round, decision: Decision) -> list[Variant]:
    """The pod once for each required term, the last (the one Karpenter reports) first.

    Karpenter gives up required terms before preferences (preferences.go, Relax): so only the last is tried without these.
    """
    last = first_variant(this.pod, respect_preferences=False)
    tolerations = decision.variant.tolerations if decision.variant else last.tolerations
    last = replace(last, tolerations=tolerations, terms=last.terms[-1:])
    soft = first_variant(this.pod, respect_preferences=this.world.settings.preference_policy != "Ignore")
    return [last, *(replace(soft, terms=(term,)) for term in reversed(soft.terms[:-1]))]


def _nearness(this: Round, built: Template, solved: Sequence[Solved]) -> tuple[float, ...]:
    """How much a NodePool looks like the one that is meant: named or matched by the pod, then nearest to launching."""
    asks = [a.requirement for a in first_variant(this.pod, respect_preferences=False).asks]
    matched = sum(
        1.0
        for r in asks
        if r.key not in WELL_KNOWN and r.key in built.requirements and built.requirements[r.key].intersects(r)
    )
    named = sum(3.0 for r in asks if r.key == NODEPOOL and built.name in r)
    taints = built.pool.spec.template.spec.taints
    tolerated = 0.5 * (len(taints) - len(untolerated(this.pod.spec.tolerations, taints)))
    least = min(
        (sum(_APART.get(c.kind, 1.0) for c in s_c.constraints) for s in solved for s_c in s.corrections), default=99.0
    )
    return named + matched + tolerated - least, float(built.pool.spec.weight)


def _causes(this: Round, pool: _Pool, refused: Sequence[Refused]) -> list[Cause]:
    found = [cause_of(conflict, solved, this.world, refused) for solved in pool.solved for conflict in solved.conflicts]
    if not found and pool.attempt is not None:
        message = message_of(pool.attempt.findings, this.version)
        facts: dict[str, Fact] = {"message": message, "nodepools": (pool.template.name,)}
        found = [Cause(id="unexplained", constraints=(), facts=facts, nodepools=(pool.template.name,))]
    return _told_once(sorted(found, key=_weight))


def _told_once(causes: Sequence[Cause]) -> list[Cause]:
    """Of conflicts that one sentence tells only the first: a limit that is in the way of this request and of that one, by this
    much and by that much, is one limit.
    """
    said: dict[tuple[str, str], Cause] = {}
    for cause in causes:
        facts = {name: value for name, value in cause.facts.items() if name not in _BY_REQUEST.get(cause.id, ())}
        said.setdefault((cause.id, repr(sorted(facts.items()))), cause)
    return list(said.values())


def _verdict(this: Round, pool: _Pool, causes: Sequence[Cause], *, intended: bool) -> PoolVerdict:
    left = pool.solved[0].partition.passing().bit_count() if pool.solved and not pool.solved[0].conflicts else 0
    findings = pool.attempt.findings if pool.attempt else ()
    funnel = _funnel(pool.solved[0].partition) if pool.solved else ()
    return PoolVerdict(
        name=pool.template.name,
        blocked_by=tuple(dict.fromkeys(c.id for c in causes)),
        karpenter_message=message_of(findings, this.version),
        offerings=left,
        intended=intended,
        funnel=tuple((step, left) for step, _, left in funnel),
        funnel_subjects=tuple(subject for _, subject, _ in funnel),
    )


def _funnel(whole: Partition) -> tuple[tuple[str, str, int], ...]:
    """The conditions that narrow, in the order NodePool, pod, EC2: id, subject, offerings left (a picture of the answer)."""
    rows = whole.universe
    steps = [("", "", rows.bit_count())]
    order = {
        Kind.POOL_REQUIREMENT: 0,
        Kind.POOL_LABEL: 0,
        Kind.NODE_SELECTOR: 1,
        Kind.NODE_AFFINITY: 1,
        Kind.RESOURCE: 2,
    }
    for one in sorted(whole.filters, key=lambda f: order.get(f.constraint.kind, 3)):
        narrowed = rows & one.rows
        if narrowed != rows:
            steps.append((one.constraint.id, one.constraint.subject, narrowed.bit_count()))
        rows = narrowed
    return tuple(steps)


def message_of(findings: Sequence[Finding], version: tuple[int, ...]) -> str:
    """The text that Karpenter of that version logs for one NodePool's findings."""
    return format_refusal(Refusal(clauses=(Clause(findings=tuple(findings)),)), version) if findings else ""


def offerings_left(attempt: Attempt) -> int:
    """How many offerings a launching NodePool could use."""
    space = attempt.template.space
    slots = space.slots_meeting(attempt.requirements)
    return sum((space.available[s] & attempt.types).bit_count() for s in slots)


def types_left(attempt: Attempt) -> tuple[str, ...]:
    """The names of the instance types of a launching NodePool, sorted."""
    return tuple(sorted(attempt.template.space.types[i].name for i in bits(attempt.types)))
