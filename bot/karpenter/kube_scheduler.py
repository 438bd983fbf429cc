"""kube-scheduler's own FailedScheduling message -> how many nodes said what.

`0/12 nodes are available: 3 Insufficient nvidia.com/gpu, 9 node(s) had untolerated taint {a: b}. preemption: 0/12 …`
Home: kubernetes pkg/scheduler/framework/types.go, FitError.Error; the reasons: pkg/scheduler/framework/plugins.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_MESSAGE: Final = 100_000


class Obstacle(StrEnum):
    """What a node had against the pod."""

    RESOURCE = "resource"
    PODS = "pods"
    TAINT = "taint"
    NODE_AFFINITY = "node affinity"
    POD_AFFINITY = "pod affinity"
    POD_ANTI_AFFINITY = "pod anti-affinity"
    TOPOLOGY_SPREAD = "topology spread"
    HOST_PORT = "host port"
    VOLUME_ZONE = "volume zone"
    VOLUME_UNBOUND = "volume unbound"
    VOLUME_COUNT = "volume count"
    CORDONED = "cordoned"
    DYNAMIC_RESOURCES = "dynamic resources"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReason:
    """`nodes` nodes gave this reason. `subject`: the resource, or the taint as `key: value`."""

    nodes: int
    obstacle: Obstacle
    text: str
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerVerdict:
    """kube-scheduler's answer. `prefilter` is a reason that concerns no node in particular (an unbound claim)."""

    nodes: int
    reasons: tuple[NodeReason, ...] = ()
    prefilter: str = ""
    preemption: str = ""


_OBSTACLES: Final = (
    (re.compile(r"Insufficient (\S+)"), Obstacle.RESOURCE),
    (re.compile(r"Too many pods"), Obstacle.PODS),
    (re.compile(r"node\(s\) had untolerated taint(?:\(s\))?(?: \{([^}]*)\})?"), Obstacle.TAINT),
    (re.compile(r"node\(s\) had taints? (?:\{([^}]*)\}, )?that the pod didn't tolerate"), Obstacle.TAINT),
    (re.compile(r"node\(s\) didn't match (?:Pod's node affinity/selector|Pod's node affinity|node selector)"),
     Obstacle.NODE_AFFINITY),
    (re.compile(r"node\(s\) didn't match pod topology spread constraints.*"), Obstacle.TOPOLOGY_SPREAD),
    (re.compile(r"node\(s\) didn't match pod affinity rules.*"), Obstacle.POD_AFFINITY),
    (re.compile(r"node\(s\) didn't (?:match pod anti-affinity|satisfy existing pods anti-affinity) rules"),
     Obstacle.POD_ANTI_AFFINITY),
    (re.compile(r"node\(s\) didn't have free ports for the requested pod ports"), Obstacle.HOST_PORT),
    (re.compile(r"node\(s\) had (?:volume node affinity conflict|no available volume zone)"), Obstacle.VOLUME_ZONE),
    (re.compile(r".*(?:unbound immediate PersistentVolumeClaims|available persistent volumes to bind"
                r"|non-existent pv\(s\)|persistentvolumeclaim \"[^\"]*\" not found).*"), Obstacle.VOLUME_UNBOUND),
    (re.compile(r"node\(s\) exceed max volume count"), Obstacle.VOLUME_COUNT),
    (re.compile(r"node\(s\) were unschedulable"), Obstacle.CORDONED),
    (re.compile(r".*(?:resourceclaim|cannot allocate all claims).*", re.IGNORECASE), Obstacle.DYNAMIC_RESOURCES),
)  # fmt: skip
_HEAD = re.compile(r"0/(\d{1,9}) nodes are available:? ?")
_COUNTED = re.compile(r"(\d{1,9}) (.+)", re.DOTALL)
_NEXT = re.compile(r", (?=\d{1,9} )")
_NO_NODES: Final = "no nodes available to schedule pods"


def parse_scheduler_message(text: str) -> SchedulerVerdict | None:
    """Reads kube-scheduler's message; None when it is not one of its refusals."""
    text = text[:LONGEST_MESSAGE]
    if text.startswith(_NO_NODES):
        return SchedulerVerdict(nodes=0)
    head = _HEAD.match(text)
    if head is None:
        return None
    said, _, preemption = text[head.end() :].partition(" preemption: ")
    sentences = said.strip().removesuffix(".").split(". ")
    reasons: list[NodeReason] = []
    prefilter: list[str] = []
    for sentence in sentences:
        for part in _NEXT.split(sentence):
            counted = _COUNTED.fullmatch(part)
            if counted:
                reasons.append(_reason(int(counted[1]), counted[2].removesuffix(".")))
            elif part:
                prefilter.append(part)
    return SchedulerVerdict(
        nodes=int(head[1]),
        reasons=tuple(reasons),
        prefilter=". ".join(prefilter),
        preemption=preemption.strip(),
    )


def _reason(nodes: int, text: str) -> NodeReason:
    for pattern, obstacle in _OBSTACLES:
        found = pattern.fullmatch(text)
        if found:
            subject = found[1] if found.re.groups and found[1] else ""
            return NodeReason(nodes=nodes, obstacle=obstacle, text=text, subject=subject)
    return NodeReason(nodes=nodes, obstacle=Obstacle.OTHER, text=text)
