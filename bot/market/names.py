"""An instance type or a family as a person types it -> the types that are meant, or the nearest names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from bot.diagnosis.instance_tables import FIGURES
from bot.model.ec2 import Ec2Facts

LONGEST: Final = 40
_NEAR: Final = 3
_MOST_TYPES: Final = 40
"""Types of one question at most: EC2 has no family with more sizes."""
_AROUND: Final = re.compile(r"^[`'\"\s]+|[`'\"\s.*]+$")


class UnknownName(Exception):  # noqa: N818 (reads as what is the case)
    """No instance type and no family has this name. Carries `asked` and the nearest names."""

    def __init__(self, asked: str, near: tuple[str, ...]) -> None:
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        super().__init__(f"EC2 has no instance type or family `{asked}`{hint}")
        self.asked, self.near = asked, near


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is meant. `family` is empty when one type was named; `known_here`: the region's own data has it.

    Names that only the table of all regions has are known, and not offered here.
    """

    name: str
    family: str
    instance_types: tuple[str, ...]
    known_here: bool


def asked_for(text: str, ec2: Ec2Facts) -> Asked:
    """The types of the region that a name stands for: `p5.48xlarge`, `p5`, `p5.*`. Raises UnknownName.

    Where the region's types were not read, every name that has the form of one in the table of all regions counts.
    """
    name = _AROUND.sub("", text.strip()[:LONGEST]).lower()
    here = {info.instance_type for info in ec2.instance_types or ()} | {o.instance_type for o in ec2.offerings or ()}
    for known, is_here in ((here, True), (FIGURES.keys(), False)):
        if name in known:
            return Asked(name=name, family="", instance_types=(name,), known_here=is_here)
        of_family = sorted(one for one in known if one.partition(".")[0] == name)
        if of_family:
            return Asked(name=name, family=name, instance_types=tuple(of_family[:_MOST_TYPES]), known_here=is_here)
    raise UnknownName(name or text.strip()[:LONGEST], nearest(name, here or FIGURES.keys()))


def nearest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """The names most like it: types for what looks like a type, else families."""
    types = sorted(known)
    names = types if "." in name else sorted({one.partition(".")[0] for one in types})
    return tuple(get_close_matches(name, names, n=_NEAR, cutoff=0.6))
