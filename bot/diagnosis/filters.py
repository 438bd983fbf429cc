"""A filter over the offering space: a constraint with its provenance, and the offerings that it lets through."""

from dataclasses import dataclass
from typing import Final

from bot.diagnosis.requirements import Requirement, Requirements
from bot.diagnosis.scheduling import PLACEHOLDER
from bot.diagnosis.space import Rows, Space
from bot.model.diagnosis import Constraint
from bot.model.labels import HOSTNAME

PLACEHOLDER_HOST: Final = Requirements((Requirement.of(HOSTNAME, "In", (PLACEHOLDER,)),))
"""A node that is only thought of has a hostname of its own, which nothing else asks for."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A constraint and the offerings that it lets through."""

    constraint: Constraint
    rows: Rows


def decided_by_rows(space: Space, key: str) -> bool:
    """Whether instance types or offerings have the label, so that each of them alone meets a requirement or does not."""
    return bool(space.axis(key).having or space.axis(key).absent) or key in space.slot_keys


def wording(requirement: Requirement) -> str:
    """A requirement in short: `In [a b]`, `Exists >=5`."""
    listed = f" [{' '.join(sorted(requirement.values))}]" if requirement.values else ""
    low = "" if requirement.gte is None else f" >={requirement.gte}"
    high = "" if requirement.lte is None else f" <={requirement.lte}"
    return f"{requirement.operator}{listed}{low}{high}"
