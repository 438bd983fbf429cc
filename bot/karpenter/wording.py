"""One row of the tables of refusal sentences: a finding, a template, the releases that print it, its source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bot.karpenter.findings import (
    Finding,
    HostPort,
    HostPortConflict,
    KeyConflict,
    LabelUnknown,
    TopologyRule,
    TopologyUnsatisfiable,
    UnknownValues,
)
from bot.karpenter.printed import Version, in_force
from bot.karpenter.templates import Template, compile_template

Span = tuple[Version, Version | None]
"""Releases from the first up to, not including, the second; None: to the newest."""

Part = Finding | LabelUnknown | KeyConflict

FIRST: Final = (0, 32)
EVERY: Final[tuple[Span, ...]] = ((FIRST, None),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One sentence. `fixed` are fields that the sentence itself implies."""

    make: Callable[..., Part]
    template: Template
    spans: tuple[Span, ...]
    source: str
    fixed: Mapping[str, object] = field(default_factory=dict)

    def printed_by(self, version: Version) -> bool:
        exact = in_force(version)
        return any(first <= exact and (before is None or exact < before) for first, before in self.spans)

    def read(self, text: str) -> Part | None:
        """The finding, or None when the text is not this sentence, whole."""
        values = self.template.read(text)
        return None if values is None else _build(self.make, values, self.fixed)

    def write(self, part: Part, version: Version) -> str | None:
        """The sentence, or None when it cannot say this finding."""
        values = _scatter(part)
        if any(values.get(name) != value for name, value in self.fixed.items()):
            return None
        return self.template.write(values, version)


def wording(make: Callable[..., Part], text: str, source: str, spans: tuple[Span, ...], **fixed: object) -> Wording:
    """A row; KeyError when its text names a codec that does not exist."""
    return Wording(make=make, template=compile_template(text), spans=spans, source=source, fixed=fixed)


def since(*first: int) -> tuple[Span, ...]:
    """From that release to the newest."""
    return ((first, None),)


def between(first: Version, before: Version) -> tuple[Span, ...]:
    """From that release up to, not including, another."""
    return ((first, before),)


_PORTS: Final = (("asked", "pod"), ("existing", "existing"))
_PORT_PARTS: Final = ("ip", "port", "protocol")


def _build(make: Callable[..., Part], values: Mapping[str, object], fixed: Mapping[str, object]) -> Part | None:
    """Holes -> the finding: six port holes make two HostPorts, a rule's name its enum."""
    fields = {name: value for name, value in values.items() if name != "again"}
    for name, prefix in _PORTS:
        if f"{prefix}_ip" in fields:
            ip, port, protocol = (str(fields.pop(f"{prefix}_{part}")) for part in _PORT_PARTS)
            fields[name] = HostPort(ip=ip, port=int(port), protocol=protocol)
    rule = fields.get("rule")
    if rule is not None:
        if rule not in set(TopologyRule):
            return None
        fields["rule"] = TopologyRule(str(rule))
    return make(**fields, **fixed)


def _scatter(part: Part) -> dict[str, object]:
    """The finding -> holes, the inverse of `_build`."""
    values: dict[str, object] = {name: getattr(part, name) for name in part.__dataclass_fields__}
    if isinstance(part, HostPortConflict):
        for prefix, port in (("pod", part.asked), ("existing", part.existing)):
            values |= {f"{prefix}_{name}": getattr(port, name) for name in _PORT_PARTS}
    if isinstance(part, TopologyUnsatisfiable):
        values["rule"] = str(part.rule)
    if isinstance(part, UnknownValues):
        values["again"] = part.values
    return values
