"""How Karpenter prints requirements and resources, and how such text is read back.

Rules' home: karpenter pkg/scheduling/requirement.go `String`, pkg/scheduling/requirements.go `String`,
pkg/utils/resources/resources.go `String` (v0.32 to v1.14; only the bounds changed, in v1.9).
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from bot.model.labels import HOSTNAME

Version = tuple[int, ...]
"""A Karpenter release: (1, 14), or (1, 0, 2) where a patch release matters. (1, 0) means the minor's last patch."""

Resources = Mapping[str, str]
"""Resource name -> quantity, spelled as Karpenter prints it: {"cpu": "345m", "pods": "10"}."""

VALUES_SHOWN: Final = 5  # requirement.go String: five values, then `and N others`
INCLUSIVE_BOUNDS: Final = (1, 9)  # `>=n` and `<=n`; before: `>n` and `<n`
LAST_PATCH: Final = 1_000_000


class Operator(StrEnum):
    """The operators that Karpenter prints. Gt, Lt, Gte and Lte are printed as Exists (or NotIn) with bounds."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedRequirement:
    """One requirement as a message shows it: at most five of its values, `others` more unnamed.

    The bounds are inclusive in every version: `>4` of v1.8 and `>=5` of v1.9 both read as at_least=5.
    """

    key: str
    operator: Operator
    values: tuple[str, ...] = ()
    others: int = 0
    at_least: int | None = None
    at_most: int | None = None
    min_values: int | None = None

    def abridged(self) -> "PrintedRequirement":
        """The same requirement with its values sorted and cut as Karpenter prints them."""
        shown = tuple(sorted(self.values))
        return replace(self, values=shown[:VALUES_SHOWN], others=self.others + max(0, len(shown) - VALUES_SHOWN))


# 19 digits hold any Go int; a longer run of digits is not Karpenter's.
_REQUIREMENT = re.compile(
    r"(?P<key>[^\s,]{1,1024}) (?:(?P<set>In|NotIn) \[(?P<values>[^\]]*)\]|(?P<bare>Exists|DoesNotExist))"
    r"(?: >(?P<gte>=)?(?P<low>-?[0-9]{1,19}))?(?: <(?P<lte>=)?(?P<high>-?[0-9]{1,19}))?"
    r"(?: minValues (?P<min>[0-9]{1,9}))?"
)
REQUIREMENT_PATTERN: Final = re.sub(r"\?P<\w+>", "?:", _REQUIREMENT.pattern)
"""The pattern of one printed requirement without its groups, to be set into larger patterns."""


def in_force(version: Version) -> Version:
    """(1, 0) -> (1, 0, 1000000): a minor alone stands for its last patch, so that plain comparison orders releases."""
    return version if len(version) > 2 else (*version, LAST_PATCH)


def parse_requirement(text: str) -> PrintedRequirement | None:
    """`key In [a b]`, `key Exists >=5`, `key NotIn [a] minValues 2`. None when the text is not one requirement."""
    found = _REQUIREMENT.fullmatch(text)
    if found is None:
        return None
    values, others = _parse_values(found["values"]) if found["set"] else ((), 0)
    low = None if found["low"] is None else int(found["low"]) + (0 if found["gte"] else 1)
    high = None if found["high"] is None else int(found["high"]) - (0 if found["lte"] else 1)
    return PrintedRequirement(
        key=found["key"],
        operator=Operator(found["set"] or found["bare"]),
        values=values,
        others=others,
        at_least=low,
        at_most=high,
        min_values=int(found["min"]) if found["min"] else None,
    )


def _parse_values(inside: str) -> tuple[tuple[str, ...], int]:
    words = inside.split(" ")  # one value may be the empty string: `[]` and `[ nitro]`
    if len(words) == VALUES_SHOWN + 3 and words[-3] == "and" and words[-1] == "others" and words[-2].isdecimal():
        return tuple(words[:VALUES_SHOWN]), int(words[-2][:19])
    return tuple(words), 0


def parse_requirements(text: str, *, cut: bool = False) -> tuple[PrintedRequirement, ...] | None:
    """A list of requirements joined with `, `. None when a part of it is not a requirement.

    With `cut` the text may end anywhere: a last requirement that could have gone on is left out, never guessed.
    """
    if not text:
        return ()
    parts = text.split(", ")
    if cut and not parts[-1].endswith("]"):
        parts.pop()
    read = tuple(parse_requirement(part) for part in parts)
    whole = tuple(one for one in read if one is not None)
    if cut and len(read) - len(whole) == 1 and read[-1] is None:
        return whole
    return whole if len(whole) == len(read) else None


def format_requirement(requirement: PrintedRequirement, version: Version) -> str:
    """Exactly the text of `Requirement.String()` in that version."""
    one = requirement.abridged()
    text = f"{one.key} {one.operator}"
    if one.operator in {Operator.IN, Operator.NOT_IN}:
        shown = (*one.values, f"and {one.others} others") if one.others else one.values
        text += f" [{' '.join(shown)}]"
    inclusive = in_force(version) >= INCLUSIVE_BOUNDS
    if one.at_least is not None:
        text += f" >={one.at_least}" if inclusive else f" >{one.at_least - 1}"
    if one.at_most is not None:
        text += f" <={one.at_most}" if inclusive else f" <{one.at_most + 1}"
    return text if one.min_values is None else f"{text} minValues {one.min_values}"


def format_requirements(requirements: Iterable[PrintedRequirement], version: Version) -> str:
    """Exactly the text of `Requirements.String()`: each printed, the hostname hidden, sorted as text, joined."""
    return ", ".join(sorted(format_requirement(one, version) for one in requirements if one.key != HOSTNAME))


def parse_resources(text: str) -> dict[str, str] | None:
    """`{"cpu":"345m","pods":"10"}`. None when the text is not one JSON object of strings."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not all(isinstance(value, str) for value in read.values()):
        return None
    return read


_PAIR = re.compile(r'"([^"\\]{1,400})":"([^"\\]{1,100})"')


def recover_resources(text: str) -> dict[str, str]:
    """The whole pairs of a resource object that was cut somewhere: a quantity that may have gone on is left out."""
    return dict(_PAIR.findall(text[:100_000]))


def format_resources(resources: Resources) -> str:
    """Exactly the text of `resources.String()`: Go's JSON of a map, keys sorted, no spaces."""
    return json.dumps(dict(resources), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
