"""What a pasted text gives: causes that it proves, and what to look at where it proves none. Plain data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from bot.karpenter import Signal
from bot.model.diagnosis import Cause, Fact

LONGEST_EVIDENCE: Final = 1_000
_OF_POOL: Final = frozenset({"nodepools", "nodepool", "nodeclaim"})
_WORDING: Final = _OF_POOL | {"message"}
_OF_LAUNCH: Final = frozenset({"not-authorized", "vcpu-quota-exceeded", "subnet-out-of-ips", "nodeclass-not-ready"})
"""What a log line and an event about one thing say in different words."""
READY: Final = "Ready"
"""The condition that only sums up others: of two causes, the one that names another condition says more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something to look at next. `id` names its sentence (`need.<id>`), `facts` are the values in it."""

    id: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one part of a text tells. `topic` names the sentence that says what the part is.

    `decisive`: the causes are the pod's own doing or Karpenter's last word, so no other part can make them noise.
    """

    topic: str
    causes: tuple[Cause, ...] = ()
    needs: tuple[Need, ...] = ()
    decisive: bool = False


def need(need_id: str, **facts: Fact) -> Need:
    """A Need with its values."""
    return Need(id=need_id, facts=facts)


def cause(cause_id: str, evidence: str, nodepools: Iterable[str] = (), **facts: Fact) -> Cause:
    """A cause that the text itself proves: its evidence is the sentence, its constraints lie out of sight."""
    pools = tuple(pool for pool in nodepools if pool)
    shown = evidence if len(evidence) <= LONGEST_EVIDENCE else evidence[: LONGEST_EVIDENCE - 1] + "…"
    evidences = (shown,) if shown else ()
    return Cause(id=cause_id, constraints=(), facts={"nodepools": pools, **facts}, evidence=evidences, nodepools=pools)


def merged(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Each cause once: the same id with the same facts for several NodePools is one cause of all of them."""
    found: dict[str, Cause] = {}
    for one in causes:
        apart = _WORDING if one.id in _OF_LAUNCH else _OF_POOL
        facts = {name: value for name, value in one.facts.items() if name not in apart}
        key = f"{one.id} {sorted(facts.items())!r}"
        known = found.get(key)
        if known is None:
            found[key] = one
        else:
            pools = tuple(dict.fromkeys((*known.nodepools, *one.nodepools)))
            found[key] = replace(known, nodepools=pools, facts={**known.facts, "nodepools": pools})
    specific = {one.id for one in found.values() if one.facts.get("condition", READY) != READY}
    return tuple(c for c in found.values() if c.id not in specific or c.facts.get("condition") != READY)


def distinct(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Each need once, in order."""
    return tuple({f"{one.id} {sorted(one.facts.items())!r}": one for one in needs}.values())


def pool_of_claim(nodeclaim: str) -> str:
    """The NodePool that a NodeClaim's name begins with (karpenter: nodeclaimtemplate.go, GenerateName `<NodePool>-`)."""
    return nodeclaim.rpartition("-")[0]


def at(signal: Signal) -> str:
    """When it was said, as RFC 3339; "" where the text does not tell."""
    return signal.time.isoformat() if signal.time else ""
