"""What Karpenter decided to disrupt: from the fields of `disrupting node(s)` or from the older sentences.

Homes: karpenter pkg/controllers/disruption/types.go `Command.String` and `Command.LogValues`, controller.go, queue.go.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bot.model.diagnosis import Json

LONGEST_COMMAND: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DisruptedNode:
    """A node that goes. Empty where the release did not say."""

    name: str
    nodeclaim: str = ""
    instance_type: str = ""
    capacity_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisruptionCommand:
    """One decision: `reason` (empty, underutilized, drifted, expired, …; lower case), `decision` (delete, replace), the
    nodes that go, how many pods on them, and what comes instead (the types as printed, five and `and N other(s)`).
    """

    reason: str
    decision: str
    nodes: tuple[DisruptedNode, ...] = ()
    pods: int | None = None
    replacements: int = 0
    replacement_types: str = ""
    replacement_capacity_type: str = ""
    command: str = ""


_METHODS: Final = {  # v0.x names the method instead of a reason
    "consolidation": "underutilized",
    "emptiness": "empty",
    "drift": "drifted",
    "expiration": "expired",
}
_SENTENCE = re.compile(
    r"disrupting (?:nodeclaim\(s\) )?via (?:(?P<method>consolidation|emptiness|drift|expiration) )?"
    r"(?P<decision>delete|replace|no-op), terminating (?P<count>\d{1,9}) (?:nodes|candidates|machines)"
    r"(?: \((?P<pods>\d{1,9}) pods\))? (?P<rest>.*)",
    re.DOTALL,
)
_INSTEAD = re.compile(
    r"(?P<nodes>.*?) and replacing with (?:(?P<spot>\d{1,9}) spot and (?P<on_demand>\d{1,9}) on-demand,"
    r"|(?:(?P<capacity>[a-z-]{1,40}) )?node) from types (?P<types>.*)",
    re.DOTALL,
)


def parse_disruption(message: str, fields: Mapping[str, Json]) -> DisruptionCommand | None:
    """The decision in a log line: v1.3 on in its fields, before in its message. None when it is in neither."""
    if isinstance(fields.get("decision"), str):
        return _from_fields(fields)
    sentence = _SENTENCE.fullmatch(message[:LONGEST_COMMAND])
    return _from_sentence(sentence, fields) if sentence else None


def _from_fields(fields: Mapping[str, Json]) -> DisruptionCommand:
    command = _text(fields, "command")
    nodes, replaced = _dicts(fields.get("disrupted-nodes")), _dicts(fields.get("replacement-nodes"))
    count, first = fields.get("replacement-node-count"), replaced[0] if replaced else {}
    pods = fields.get("pod-count")
    return DisruptionCommand(
        reason=(_text(fields, "reason") or command.partition("/")[0]).lower(),
        decision=_text(fields, "decision"),
        nodes=tuple(
            DisruptedNode(
                name=_name(node.get("Node")),
                nodeclaim=_name(node.get("NodeClaim")),
                instance_type=_text(node, "instance-type"),
                capacity_type=_text(node, "capacity-type"),
            )
            for node in nodes
        ),
        pods=pods if isinstance(pods, int) else None,
        replacements=count if isinstance(count, int) else len(replaced),
        replacement_types=_text(first, "instance-types"),
        replacement_capacity_type=_text(first, "capacity-type"),
        command=command,
    )


def _from_sentence(sentence: re.Match[str], fields: Mapping[str, Json]) -> DisruptionCommand:
    rest = sentence["rest"]
    instead = _INSTEAD.fullmatch(rest) if " and replacing with " in rest else None
    many = int(instead["spot"]) + int(instead["on_demand"]) if instead and instead["spot"] else 1
    return DisruptionCommand(
        reason=_METHODS.get(sentence["method"] or "", "") or _text(fields, "reason").lower(),
        decision=sentence["decision"],
        nodes=tuple(_node(part) for part in (instead["nodes"] if instead else rest).split(", ") if part.strip()),
        pods=int(sentence["pods"]) if sentence["pods"] else None,
        replacements=many if instead else 0,
        replacement_types=instead["types"] if instead else "",
        replacement_capacity_type=(instead["capacity"] or "") if instead else "",
    )


def _node(text: str) -> DisruptedNode:
    name, _, rest = text.strip().partition("/")
    instance_type, _, capacity_type = rest.partition("/")
    return DisruptedNode(name=name, instance_type=instance_type, capacity_type=capacity_type)


def _text(fields: Mapping[str, Json], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _name(value: Json) -> str:
    name = value.get("name") if isinstance(value, dict) else value
    return name if isinstance(name, str) else ""


def _dicts(value: Json) -> list[dict[str, Json]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
