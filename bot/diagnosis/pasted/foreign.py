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
_NO_STS: Final = re.compile(r"lookup ((?:sts|ec2|eks|ssm|iam|api\.pricing)\.\S{1,100}).{0,100}"
                            r"(?:i/o timeout|no such host|server misbehaving)")  # fmt: skip
_NO_FIELD: Final = re.compile(
    r"((?:NodePool|NodeClaim|EC2NodeClass)\b)?.{0,200}?unknown field \\?\"(spec\.[\w.\[\]]{1,200})\\?\""
)
_UNREGISTERED: Final = re.compile(r"xpected resource \\?\"([^\"\\]{1,253})\\?\" didn't register on the node")
_NEVER_JOINED: Final = re.compile(r"node hasn't registered within registration ttl")
_STOLEN: Final = re.compile(r"[Nn]ot all pods would schedule, ")
_INVALID_CLAIM: Final = re.compile(
    r"NodeClaim\.karpenter\.sh \\?\"([^\"\\]{1,253})\\?\" is invalid: (\S{1,200}?): ([^\n]{1,300}?)(?=\"\}|\"$|\n|$)"
)
_WRONG_BINARY: Final = re.compile(r"exec(?:uting)? ?(\S{0,200}?)(?: user process caused)?:? ?exec format error")
_KUBELET_SAYS: Final = re.compile(
    r"^\s*Ready\s+(?:False|Unknown)\s+.{0,120}?\s(KubeletNotReady|NodeStatusUnknown)\s+(\S.{0,400})$", re.MULTILINE
)


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


def node_not_ready(node: str, evidence: str, message: str = "") -> Told:
    """A node is NotReady; how long, the text does not say."""
    facts: dict[str, Fact] = {"node": node, "condition": "Ready", "since": "", "message": message}
    found = cause("node-not-ready", evidence, (), times=0, first="", days=1, others=(), **facts)
    return Told(topic="node-not-ready", causes=(found,), needs=(need("node", node=node),))


def _not_ready(found: re.Match[str]) -> Told:
    return node_not_ready(found[1], found[0])


def _kubelet_says(found: re.Match[str]) -> Told:
    return node_not_ready("", found[0].strip(), found[2].strip())


def _no_address(found: re.Match[str]) -> Told:
    told = cause("no-pod-address", found[0], (), message=found[0], node="")
    return Told(topic="no-address", causes=(told,), needs=(need("subnets"), need("cni")))


def _no_sts(found: re.Match[str]) -> Told:
    told = cause("aws-endpoint-unresolved", found[0], (), host=found[1].rstrip(":"))
    return Told(topic="no-dns", causes=(told,), needs=(need("dns", host=found[1].rstrip(":")),))


def _no_field(found: re.Match[str]) -> Told:
    told = cause("unknown-field", found[0], (), field=found[2], object=found[1] or "")
    return Told(topic="unknown-field", causes=(told,), needs=(need("crds", field=found[2]),))


def _unregistered(found: re.Match[str]) -> Told:
    """The in-flight check of releases before v0.32."""
    facts: dict[str, Fact] = {"nodeclaim": "", "node": "", "resource": found[1], "state": "unknown", "plugin": ""}
    needs = (need("device-plugin", node="", resource=found[1]),)
    return Told(
        topic="device-plugin-missing", causes=(cause("device-plugin-missing", found[0], (), **facts),), needs=needs
    )


def _never_joined(found: re.Match[str]) -> Told:
    """How releases before v0.32 worded the registration timeout."""
    facts: dict[str, Fact] = {"nodeclaim": "", "age": "", "reason": "", "message": "", "loops": 0}
    told = cause("not-registered", found[0], (), **facts)
    return Told(topic="not-registered", causes=(told,), needs=(need("console"),))


def _invalid_claim(found: re.Match[str]) -> Told:
    facts: dict[str, Fact] = {"nodeclaim": found[1], "field": found[2], "message": found[3].strip()}
    return Told(
        topic="claim-not-created",
        causes=(cause("nodeclaim-invalid", found[0], (found[1].rpartition("-")[0],), **facts),),
    )


def _wrong_binary(found: re.Match[str]) -> Told:
    told = cause("image-architecture-mismatch", found[0], (), program=found[1].strip("\"'"))
    return Told(topic="wrong-architecture", causes=(told,))


_READ: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Told]], ...]] = (
    (_GATED, _gated),
    (_NOT_READY, _not_ready),
    (_KUBELET_SAYS, _kubelet_says),
    (_NO_ADDRESS, _no_address),
    (_NO_STS, _no_sts),
    (_NO_FIELD, _no_field),
    (_UNREGISTERED, _unregistered),
    (_NEVER_JOINED, _never_joined),
    (_INVALID_CLAIM, _invalid_claim),
    (_WRONG_BINARY, _wrong_binary),
)
