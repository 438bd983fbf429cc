"""Events as kubectl prints them -> PrintedEvent: the table of `kubectl describe`, the table of `kubectl get events`."""

import re
from typing import Final

from bot.karpenter.pastes import unwrap
from bot.karpenter.signals import PrintedEvent

LONGEST_LINE: Final = 100_000

_TYPE = r"(?P<type>Normal|Warning)\s+(?P<reason>[A-Za-z]\w{0,127})\s+"
_AGE = r"(?P<age><unknown>|<invalid>|[0-9dhmsy]{1,16})(?: \(x(?P<count>\d{1,9}) over [0-9dhmsy]{1,16}\))?"
_DESCRIBED = re.compile(  # one space after the source is enough for the sources known here: chats collapse columns
    rf"\s*{_TYPE}{_AGE}\s+(?P<source>(?:karpenter|default-scheduler|kubelet)(?=\s)|[\w./-]{{1,253}}(?:, \S{{1,253}})?(?=\s\s))"
    r"\s+(?P<message>\S.*)"
)
_LISTED = re.compile(
    rf"\s*(?:(?P<namespace>[a-z0-9][a-z0-9.-]{{0,252}})\s+)?{_AGE}\s+{_TYPE}"
    r"(?P<kind>[a-z][a-z0-9]{0,62}(?:\.[\w.]{1,253})?)/(?P<name>[\w.:-]{1,253})\s+(?P<message>\S.*)"
)
_NAME = re.compile(r"(Name|Namespace|Kind):\s{1,64}(\S{1,253})\s*")
_KINDS: Final = {
    "pod": "Pod",
    "node": "Node",
    "nodeclaim": "NodeClaim",
    "nodepool": "NodePool",
    "ec2nodeclass": "EC2NodeClass",
}
_MARKS: Final = ("Normal", "Warning", "Name")


def parse_events(text: str) -> list[PrintedEvent]:
    """Every event line of a pasted text. In a description the object's name and namespace come from its head."""
    events: list[PrintedEvent] = []
    described = {"Kind": "Pod", "Name": "", "Namespace": ""}
    for printed in unwrap(text).split("\n"):
        line = printed.strip("`")[:LONGEST_LINE]
        if not any(mark in line for mark in _MARKS):
            continue
        head = _NAME.fullmatch(line)
        if head is not None:
            if head[1] == "Name":
                described = {"Kind": "Pod", "Name": head[2], "Namespace": ""}
            described[head[1]] = head[2]
            continue
        event = _parse_described(line, described) or _parse_listed(line)
        if event is not None:
            events.append(event)
    return events


def _parse_described(line: str, described: dict[str, str]) -> PrintedEvent | None:
    found = _DESCRIBED.fullmatch(line)
    if found is None:
        return None
    return PrintedEvent(
        reason=found["reason"],
        message=found["message"].strip(),
        type=found["type"],
        source=found["source"].partition(",")[0],
        kind=described["Kind"] if described["Name"] else "",
        namespace=described["Namespace"],
        name=described["Name"],
        age=found["age"],
        count=int(found["count"] or 1),
    )


def _parse_listed(line: str) -> PrintedEvent | None:
    found = _LISTED.fullmatch(line)
    if found is None:
        return None
    kind = found["kind"].partition(".")[0]
    return PrintedEvent(
        reason=found["reason"],
        message=found["message"].strip(),
        type=found["type"],
        kind=_KINDS.get(kind, kind),
        namespace=found["namespace"] or "",
        name=found["name"],
        age=found["age"],
        count=int(found["count"] or 1),
    )
