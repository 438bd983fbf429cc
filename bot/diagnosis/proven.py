"""A cause that a sentence or a status proves by itself: its evidence is that sentence. Small helpers of such readings."""

from collections.abc import Iterable
from typing import Final

from bot.karpenter import Signal
from bot.model.diagnosis import Cause, Fact

LONGEST_EVIDENCE: Final = 1_000


def cause(cause_id: str, evidence: str, nodepools: Iterable[str] = (), **facts: Fact) -> Cause:
    """A cause that the text itself proves: its evidence is the sentence, its constraints lie out of sight."""
    pools = tuple(pool for pool in nodepools if pool)
    shown = evidence if len(evidence) <= LONGEST_EVIDENCE else evidence[: LONGEST_EVIDENCE - 1] + "…"
    evidences = (shown,) if shown else ()
    return Cause(id=cause_id, constraints=(), facts={"nodepools": pools, **facts}, evidence=evidences, nodepools=pools)


def pool_of_claim(nodeclaim: str) -> str:
    """The NodePool that a NodeClaim's name begins with (karpenter: nodeclaimtemplate.go, GenerateName `<NodePool>-`)."""
    return nodeclaim.rpartition("-")[0]


def at(signal: Signal) -> str:
    """When it was said, as RFC 3339; "" where the text does not tell."""
    return signal.time.isoformat() if signal.time else ""
