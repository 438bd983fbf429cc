"""Sentences that are not Karpenter's but come with its troubles: kubelet, node controller, API server, scheduling gates."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from bot.diagnosis.pasted.told import Told, cause, need
from bot.model.diagnosis import Fact

LONGEST_TEXT: Final = 400_000

_GATED: Final = re.compile(r"[Ss]cheduling is blocked due to non-empty scheduling gates|\bSchedulingGated\b")
_NOT_READY: Final = re.compile(r"Node (\S{1,253}) status is now: NodeNotReady")
_NO_ADDRESS: Final = re.compile(r"failed to assign an IP address to container")
_NO_STS: Final = re.compile(r"lookup (sts\.\S{1,100}).{0,100}(?:i/o timeout|no such host|server misbehaving)")
_NO_FIELD: Final = re.compile(r"unknown field \\?\"(spec\.[\w.\[\]]{1,200})\\?\"")
_UNREGISTERED: Final = re.compile(r"xpected resource \\?\"([^\"\\]{1,253})\\?\" didn't register on the node")
_STOLEN: Final = re.compile(r"[Nn]ot all pods would schedule, ")


def read_foreign(text: str) -> Iterator[Told]:
    """What such sentences in the text tell. Never raises."""
    shown = text[:LONGEST_TEXT]
    for pattern, read in _READ:
        found = pattern.search(shown)
        if found is not None:
            yield read(found)


def is_consolidation(text: str) -> bool:
    """`not all pods would schedule, …`: Karpenter tells why a node stays; the refusal in it is of other pods, and imagined."""
    return _STOLEN.search(text[:LONGEST_TEXT]) is not None


def _gated(found: re.Match[str]) -> Told:
    return Told(topic="gated", causes=(cause("scheduling-gated", found[0], (), gates=()),), needs=(need("gates"),))


def _not_ready(found: re.Match[str]) -> Told:
    facts: dict[str, Fact] = {
        "node": found[1],
        "condition": "Ready",
        "since": "",
        "message": "",
        "times": 0,
        "others": (),
    }
    needs = (need("node", node=found[1]),)
    return Told(topic="node-not-ready", causes=(cause("node-not-ready", found[0], (), **facts),), needs=needs)


def _no_address(found: re.Match[str]) -> Told:  # noqa: ARG001 (the table's signature)
    return Told(topic="no-address", needs=(need("subnets"), need("cni")))


def _no_sts(found: re.Match[str]) -> Told:
    return Told(topic="no-dns", needs=(need("dns", host=found[1]),))


def _no_field(found: re.Match[str]) -> Told:
    return Told(topic="unknown-field", needs=(need("crds", field=found[1]),))


def _unregistered(found: re.Match[str]) -> Told:
    """The in-flight check of releases before v0.32."""
    facts: dict[str, Fact] = {"nodeclaim": "", "node": "", "resource": found[1], "state": "unknown", "plugin": ""}
    needs = (need("device-plugin", node="", resource=found[1]),)
    return Told(
        topic="device-plugin-missing", causes=(cause("device-plugin-missing", found[0], (), **facts),), needs=needs
    )


_READ: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Told]], ...]] = (
    (_GATED, _gated),
    (_NOT_READY, _not_ready),
    (_NO_ADDRESS, _no_address),
    (_NO_STS, _no_sts),
    (_NO_FIELD, _no_field),
    (_UNREGISTERED, _unregistered),
)
