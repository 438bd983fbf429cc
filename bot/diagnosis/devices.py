"""Why a device's resource is not announced by a node: its plugin is not there, may not run there, or fails there.

A device plugin is a DaemonSet; it is told by its name or image, since nothing else says which resource it registers.
"""

import re
from dataclasses import dataclass
from typing import Final

from bot.diagnosis.pods import first_variant, untolerated
from bot.diagnosis.requirements import Requirements
from bot.model.karpenter import NodeClaim
from bot.model.kubernetes import DaemonSet, Node, Pod
from bot.model.labels import AUTO_MODE_DOMAIN, NODEPOOL
from bot.model.world import World

_PLUGINS: Final = (  # resource -> words in the names and images of DaemonSets that register it
    (
        re.compile(r"nvidia\.com/.*"),
        re.compile(r"nvidia-device-plugin|nvidia/k8s-device-plugin|nvidia-gpu-device-plugin"),
    ),
    (re.compile(r"amd\.com/.*"), re.compile(r"amdgpu-device-plugin|rocm/k8s-device-plugin")),
    (re.compile(r"habana\.ai/.*"), re.compile(r"habana")),
    (re.compile(r"aws\.amazon\.com/neuron.*"), re.compile(r"neuron-device-plugin")),
    (re.compile(r"vpc\.amazonaws\.com/efa"), re.compile(r"efa-k8s-device-plugin|efa-device-plugin")),
    (re.compile(r"vpc\.amazonaws\.com/(?:pod-eni|PrivateIPv4Address)"), re.compile(r"^aws-node$|amazon-k8s-cni")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """The state of a resource's device plugin for one node. `state`: `absent` (no such DaemonSet), `not-tolerating`,
    `not-selected`, `failing`, `running`, or `unknown`; `name` is the DaemonSet's, `detail` a taint, label or reason.
    """

    state: str
    name: str = ""
    detail: str = ""

    @property
    def at_fault(self) -> bool:
        """Whether it is certain already that the resource will not appear, however long one waits."""
        return self.state in ("absent", "not-tolerating", "not-selected", "failing")


def plugin_of(world: World, resource: str, node: Node | None, claim: NodeClaim) -> Plugin:
    """What keeps the plugin for the resource from the claim's node."""
    words = next((plugin for name, plugin in _PLUGINS if name.fullmatch(resource)), None)
    if words is None or _unread(world):
        return Plugin(state="unknown")
    found = [d for d in world.daemon_sets if _is_plugin(d, words)]
    if not found:
        return Plugin(state="unknown" if _built_in(world, resource, claim) else "absent")
    states = [_state(world, one, node, claim) for one in found]
    return next((s for s in states if s.state in ("running", "failing", "unknown")), states[0])


def _built_in(world: World, resource: str, claim: NodeClaim) -> bool:
    """Bottlerocket's NVIDIA variants and EKS Auto Mode bring the plugin in the image."""
    reference = claim.spec.node_class_ref
    if reference.group == AUTO_MODE_DOMAIN:
        return True
    found = next((c for c in world.node_classes if c.metadata.name == reference.name), None)
    names = (found.spec.ami_family, *(t.alias for t in found.spec.ami_selector_terms)) if found else ()
    return resource.startswith("nvidia.com/") and any(n.lower().startswith("bottlerocket") for n in names)


def _unread(world: World) -> bool:
    return any("daemonsets" in gap.what for gap in world.missing)


def _is_plugin(daemon_set: DaemonSet, words: re.Pattern[str]) -> bool:
    spec = daemon_set.spec.template.spec
    return bool(words.search(daemon_set.metadata.name) or any(words.search(c.image) for c in spec.containers))


def _state(world: World, daemon_set: DaemonSet, node: Node | None, claim: NodeClaim) -> Plugin:
    name, spec = daemon_set.metadata.name, daemon_set.spec.template.spec
    pod = _pod_on(world, daemon_set, claim.status.node_name)
    if pod is not None:
        reason = _failing(pod)
        return Plugin(state="failing" if reason else "running", name=name, detail=reason)
    refused = untolerated(spec.tolerations, claim.spec.taints)
    if refused:
        return Plugin(state="not-tolerating", name=name, detail=str(refused[0]))
    labels = {**claim.metadata.labels, **(node.metadata.labels if node else {})}
    variant = first_variant(Pod(spec=spec), respect_preferences=False)
    if labels.get(NODEPOOL) and node is not None and len(variant.terms) <= 1:
        wanted = variant.strict
        if not Requirements.from_labels(labels).accepts(wanted, allowed=frozenset()):
            missed = next((r for r in wanted.values() if labels.get(r.key, "") not in r), None)
            return Plugin(state="not-selected", name=name, detail=str(missed or ""))
    return Plugin(state="unknown", name=name)


def _pod_on(world: World, daemon_set: DaemonSet, node: str) -> Pod | None:
    uid = daemon_set.metadata.uid
    owned = (p for p in world.pods if uid and any(o.uid == uid for o in p.metadata.owner_references))
    return next((p for p in owned if node and p.spec.node_name == node), None)


def _failing(pod: Pod) -> str:
    """Why the plugin's pod does not work, "" where it does or has only just begun."""
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        reason = str((status.state.waiting or {}).get("reason", ""))
        if reason and reason not in ("ContainerCreating", "PodInitializing"):
            return reason
    return pod.status.reason if pod.status.phase == "Failed" else ""
