"""Pods that have a node and do not run yet: image, volume, address, admission, a node that is not well.

Everything here is the kubelet's or the attach controller's business, told by their events and the containers' states
(kubernetes pkg/kubelet, pkg/controller/volume/attachdetach). Karpenter has done its part by then.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from bot.diagnosis.health import ailing, named, not_ready_cause
from bot.diagnosis.history import History, qualified
from bot.diagnosis.proven import cause
from bot.karpenter import Signal, SignalKind
from bot.model.diagnosis import Cause, Fact
from bot.model.kubernetes import Pod
from bot.model.labels import ZONE
from bot.model.objects import ref_of
from bot.model.world import World

K = SignalKind
FEW_ADDRESSES: Final = 16
"""A subnet with fewer free addresses than this cannot give a node's network plugin its next block (a /28 prefix)."""
FAILING: Final = 3
"""On a new node a sandbox may fail once or twice, until the network plugin runs."""
REJECTED: Final = re.compile(r"UnexpectedAdmissionError|OutOf\S{1,253}|NodeAffinity|TopologyAffinityError")
_IMAGE_STATES: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
NO_ADDRESS: Final = re.compile(
    r"failed to assign an IP address to container|no (?:available )?IP addresses|InsufficientCidrBlocks"
    r"|failed to allocate for range|no IPs? available",
    re.I,
)
_RESOURCE: Final = re.compile(r"(?:unavailable for |for resource |resources? )([a-z0-9.-]+/[a-zA-Z0-9_-]+)|OutOf(\S+)")


def not_running(world: World, pod: Pod, history: History) -> tuple[str, tuple[Cause, ...]]:
    """What keeps a pod with a node from running: the reason's id, and the causes; both empty where nothing is told."""
    if REJECTED.fullmatch(pod.status.reason):
        return "rejected", (_rejected(pod),)
    if pod.status.phase not in ("", "Pending"):
        return "", ()
    for look in (_node, _sandbox, _volume, _image, _ailing_node):
        causes = tuple(look(world, pod, history))
        if causes:
            return "not-running", causes
    return ("pulling" if _last(history, pod, K.IMAGE_PULLING) else "starting"), ()


def _rejected(pod: Pod) -> Cause:
    """The kubelet turned the pod away; it is over for this pod, its owner makes another one."""
    resource = rejected_resource(f"{pod.status.message} {pod.status.reason}")
    facts: dict[str, Fact] = {"reason": pod.status.reason, "message": pod.status.message, "resource": resource}
    where = f"{ref_of(pod)} status.reason: {pod.status.reason} {pod.status.message}".rstrip()
    return cause("admission-rejected", where, (), node=pod.spec.node_name, **facts)


def rejected_resource(message: str) -> str:
    """The resource that the kubelet was short of; "" where it does not say."""
    found = _RESOURCE.search(message)
    return next((one for one in found.groups() if one), "") if found else ""


def _node(world: World, pod: Pod, history: History) -> Iterator[Cause]:
    node = named(world, pod.spec.node_name)
    condition = ailing(node)
    if node is not None and condition is not None and condition.type == "Ready":
        yield not_ready_cause(world, history, node, condition)


def _ailing_node(world: World, pod: Pod, history: History) -> Iterator[Cause]:
    """A pressure or a broken device keeps new pods from starting too; it says less than the pod's own events."""
    node = named(world, pod.spec.node_name)
    condition = ailing(node)
    if node is not None and condition is not None:
        yield not_ready_cause(world, history, node, condition)


def _sandbox(world: World, pod: Pod, history: History) -> Iterator[Cause]:
    signal = _last(history, pod, K.SANDBOX_FAILED)
    if signal is None:
        return
    if NO_ADDRESS.search(signal.message):
        yield _no_address(world, pod.spec.node_name, signal)
    elif signal.count >= FAILING:
        yield cause("sandbox-failed", signal.message, (), message=signal.message, node=pod.spec.node_name)


def _no_address(world: World, node: str, signal: Signal) -> Cause:
    """No address for the pod: the subnet's fault where EC2 says that it is full, else the node takes more pods than it has
    addresses for.
    """
    zone = next((n.metadata.labels.get(ZONE, "") for n in world.nodes if n.metadata.name == node), "")
    used = {s.id for c in world.node_classes for s in c.status.subnets if s.zone == zone}
    subnets = [s for s in world.ec2.subnets or () if zone and s.availability_zone == zone and s.subnet_id in used]
    free = max((s.available_ip_address_count for s in subnets), default=None)
    if free is not None and free < FEW_ADDRESSES:
        full = f"{', '.join(s.subnet_id for s in subnets)}: {free} free addresses"
        return cause("subnet-out-of-ips", f"{signal.message} ({full})", (), nodeclaim="", message=full)
    facts: dict[str, Fact] = {"node": node, "free": -1 if free is None else free}
    return cause("no-pod-address", signal.message, (), message=signal.message, **facts)


def _volume(_world: World, pod: Pod, history: History) -> Iterator[Cause]:
    signal = _last(history, pod, K.VOLUME_FAILED)
    if signal is not None:
        facts: dict[str, Fact] = {"volume": signal.facts.get("volume", ""), "node": pod.spec.node_name}
        shared = signal.message.startswith("Multi-Attach")
        yield cause("volume-not-attached", signal.message, (), message=signal.message, shared=shared, **facts)


def _image(_world: World, pod: Pod, history: History) -> Iterator[Cause]:
    images = {c.name: c.image for c in (*pod.spec.init_containers, *pod.spec.containers)}
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waiting = status.state.waiting or {}
        reason = str(waiting.get("reason", ""))
        if reason in _IMAGE_STATES:
            signal = _last(history, pod, K.IMAGE_FAILED, lambda s: "why" in s.facts)
            message = signal.message if signal else str(waiting.get("message", ""))
            facts: dict[str, Fact] = {"image": images.get(status.name, ""), "container": status.name}
            where = f"{ref_of(pod)} status.containerStatuses[{status.name}].state.waiting: {reason} {message}".rstrip()
            yield cause("image-not-pulled", where, (), reason=reason, message=message, node=pod.spec.node_name, **facts)
            return


def _last(
    history: History, pod: Pod, kind: SignalKind, wanted: Callable[[Signal], bool] = lambda _: True
) -> Signal | None:
    own = [s for s in history.about("Pod", qualified(pod)) if s.kind is kind and wanted(s)]
    return own[-1] if own else None
