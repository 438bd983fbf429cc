"""The funnel of an answer: how many offerings each condition leaves, in the order in which they narrow. Pure."""

from dataclasses import dataclass
from typing import Final

from bot.model.diagnosis import Diagnosis, PoolVerdict
from bot.playbooks.markup import Line, clean
from bot.playbooks.phrases import Phrases

LABEL: Final = 20
"""Characters of a step's name: Slack's charts take no longer ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedFunnel:
    """One NodePool's funnel: `steps` are names (each different, at most LABEL characters) and offerings left after them;
    `said` is the same in a sentence.
    """

    nodepool: str
    steps: tuple[tuple[str, int], ...]
    said: Line


def render_funnel(diagnosis: Diagnosis, phrases: Phrases) -> RenderedFunnel | None:
    """The funnel of the NodePool that was meant (else the first that has one); None where nothing narrows."""
    told = [pool for pool in diagnosis.nodepools if len(pool.funnel) > 1]
    pool = next((pool for pool in told if pool.intended), told[0] if told else None)
    if pool is None:
        return None
    steps = _steps(pool, phrases)
    said = " → ".join(
        f"{phrases.number(left)} {name}" if index == 0 else f"{name} {phrases.number(left)}"
        for index, (name, left) in enumerate(steps)
    )
    return RenderedFunnel(
        nodepool=pool.name,
        steps=steps,
        said=phrases.line("funnel.text", name=pool.name, steps=said),
    )


def _steps(pool: PoolVerdict, phrases: Phrases) -> tuple[tuple[str, int], ...]:
    named: dict[str, int] = {}
    for index, (constraint, left) in enumerate(pool.funnel):
        subject = pool.funnel_subjects[index] if index < len(pool.funnel_subjects) else ""
        source = constraint.partition("/")[0] if constraint else "all"
        key = f"funnel.{source}"
        name = phrases.text(key) if phrases.has(key) else _short(subject or constraint)
        taken = name[:LABEL]
        for again in range(2, 100):
            if taken not in named:
                break
            taken = f"{name[: LABEL - 3]} {again}"
        named[taken] = left
    return tuple(named.items())


def _short(subject: str) -> str:
    """`node.kubernetes.io/instance-type` -> `instance-type`, `spec.limits[cpu]` -> `cpu`."""
    return clean(subject.rstrip("]").rpartition("/")[2].rpartition("[")[2]) or subject[:LABEL]
