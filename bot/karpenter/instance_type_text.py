"""The sentence about instance types: `no instance type …, requirements=…, resources=…` and its older shape.

Rules' home: karpenter pkg/controllers/provisioning/scheduling/nodeclaim.go, InstanceTypeFilterError (before v1.3
filterResults.FailureReason). Read with find and partition, not with patterns: these texts can be long.
"""

import json
import re
from typing import Final

from bot.karpenter.findings import InstanceTypeRefusal, Reason
from bot.karpenter.printed import (
    PrintedRequirement,
    Version,
    format_requirements,
    format_resources,
    in_force,
    parse_requirements,
    parse_resources,
    recover_resources,
)

TRAILING_FACTS: Final = (1, 3)  # from here `<reason>, requirements=…, resources=…`
MIN_AND_MAX: Final = (1, 14)

_REQUIREMENTS = ", requirements="
_RESOURCES = ", resources="
_OLD = "no instance type satisfied resources "
_OLD_REQUIREMENTS = " and requirements "
_TYPO = " (CPU request >= 1 Million, m vs M typo?)"
_REASONS: Final = {str(reason): reason for reason in Reason if reason is not Reason.MIN_VALUES}
_LONGER: Final = frozenset(
    reason for reason in _REASONS if any(other != reason and other.startswith(reason) for other in _REASONS)
)
_MIN_VALUES = re.compile(
    r"minValues requirement is not met for (?:label\(s\) \(label\(s\)=\[([^\]]*)\]\)|label \(label=([^\s)]+)\)"
    r'|"([^"]+)"|([^\s"(]+))'
)

OPENERS: Final = (*_REASONS, "minValues requirement is not met for ", _OLD)
"""How the sentence can begin."""


def parse_instance_type_refusal(text: str, *, cut: bool = False) -> InstanceTypeRefusal | None:
    """Reads either shape. None when the reason itself is not there whole, so that no reason is ever guessed."""
    if text.startswith(_OLD):
        return _parse_old(text)
    head, found, facts = text.partition(_REQUIREMENTS)
    reason = _parse_reason(head)
    if reason is None or (cut and not found and head in _LONGER):
        return None
    if not found:
        return _refusal(reason, complete=False)
    listed, found, resources = facts.rpartition(_RESOURCES)
    if not found:
        return _refusal(reason, requirements=parse_requirements(facts, cut=True) or (), complete=False)
    requirements = parse_requirements(listed)
    typo = resources.endswith(_TYPO)
    low, high = _parse_min_max(resources.removesuffix(_TYPO))
    if requirements is None or low is None:
        return _refusal(
            reason,
            requirements=requirements if requirements is not None else parse_requirements(listed, cut=True) or (),
            resources={} if resources.startswith("min=") else recover_resources(resources),
            complete=False,
        )
    return _refusal(reason, requirements=requirements, resources=low, resources_max=high, cpu_typo=typo)


def _parse_old(text: str) -> InstanceTypeRefusal | None:
    start = text.find(" (no instance type ")
    start = start if start >= 0 else text.find(" (minValues requirement ")
    if start < 0 or not text.endswith(")"):
        return None
    because = text[start + 2 : -1]
    typo = because.endswith(_TYPO)
    reason = _parse_reason(because.removesuffix(_TYPO))
    resources, found, listed = text[len(_OLD) : start].partition(_OLD_REQUIREMENTS)
    low, requirements = parse_resources(resources), parse_requirements(listed)
    if reason is None:
        return None
    if not found or low is None or requirements is None:
        return _refusal(reason, complete=False)
    return _refusal(reason, requirements=requirements, resources=low, cpu_typo=typo)


def _parse_reason(text: str) -> tuple[Reason, tuple[str, ...]] | None:
    if text in _REASONS:
        return _REASONS[text], ()
    met = _MIN_VALUES.fullmatch(text)
    if met is None:
        return None
    return Reason.MIN_VALUES, tuple((met[1] if met[1] is not None else met[2] or met[3] or met[4] or "").split(" "))


def _refusal(
    reason: tuple[Reason, tuple[str, ...]],
    *,
    requirements: tuple[PrintedRequirement, ...] = (),
    resources: dict[str, str] | None = None,
    resources_max: dict[str, str] | None = None,
    cpu_typo: bool = False,
    complete: bool = True,
) -> InstanceTypeRefusal:
    return InstanceTypeRefusal(
        reason=reason[0],
        requirements=requirements,
        resources=resources or {},
        resources_max=resources_max,
        min_values_keys=reason[1],
        cpu_typo=cpu_typo,
        complete=complete,
    )


def _parse_min_max(text: str) -> tuple[dict[str, str] | None, dict[str, str] | None]:
    """`{…}` or `min={…}, max={…}`. The first is None when the text is neither."""
    if not text.startswith("min="):
        return parse_resources(text), None
    try:
        _, end = json.JSONDecoder().raw_decode(text, len("min="))
    except (ValueError, RecursionError):
        return None, None
    low, high = parse_resources(text[len("min=") : end]), parse_resources(text[end + len(", max=") :])
    return (low, high) if high is not None and text.startswith(", max=", end) else (None, None)


def format_instance_type_refusal(finding: InstanceTypeRefusal, version: Version) -> str | None:
    """The sentence in that release; None when the release has none (minValues before v0.35)."""
    reason = _print_reason(finding, version)
    if reason is None:
        return None
    typo = _TYPO if finding.cpu_typo else ""
    listed = format_requirements(finding.requirements, version)
    if in_force(version) < TRAILING_FACTS:
        return f"{_OLD}{format_resources(finding.resources)}{_OLD_REQUIREMENTS}{listed} ({reason}{typo})"
    resources = format_resources(finding.resources)
    if finding.resources_max is not None and in_force(version) >= MIN_AND_MAX:
        most = format_resources(finding.resources_max)
        resources = resources if most == resources else f"min={resources}, max={most}"
    return f"{reason}{_REQUIREMENTS}{listed}{_RESOURCES}{resources}{typo}"


def _print_reason(finding: InstanceTypeRefusal, version: Version) -> str | None:
    if finding.reason is not Reason.MIN_VALUES:
        return str(finding.reason)
    exact, keys = in_force(version), finding.min_values_keys
    if exact >= (1, 6):
        return f"{finding.reason} for label(s) (label(s)=[{' '.join(keys)}])"
    if exact < (0, 35) or len(keys) != 1:
        return None
    if exact >= (1, 5):
        return f"{finding.reason} for label (label={keys[0]})"
    return f'{finding.reason} for "{keys[0]}"' if exact >= (0, 37) else f"{finding.reason} for {keys[0]}"
