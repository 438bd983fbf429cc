"""What a pasted text gives: causes that it proves, and what to look at where it proves none. Plain data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from bot.diagnosis.proven import LONGEST_EVIDENCE, at, cause, pool_of_claim
from bot.model.diagnosis import Cause, Fact

__all__ = ["LONGEST_EVIDENCE", "Need", "Told", "at", "cause", "distinct", "merged", "need", "pool_of_claim"]

_OF_POOL: Final = frozenset({"nodepools", "nodepool", "nodeclaim"})
_WORDING: Final = _OF_POOL | {"message", "policy", "resource", "encoded", "limit"}
_OF_LAUNCH: Final = frozenset(
    {"not-authorized", "vcpu-quota-exceeded", "fleet-quota-exceeded", "subnet-out-of-ips", "nodeclass-not-ready"}
)
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
