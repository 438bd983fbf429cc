"""Families about nodes that were launched: those that never join, never become usable, break, or end in a loop."""

from collections.abc import Iterator, Sequence
from typing import Final

from tests.cases.builder.claims import conditions
from tests.cases.builder.daemons import daemon_sets
from tests.cases.builder.moments import (
    CLAIM,
    CREATED,
    HOST,
    Moment,
    ago,
    bound_status,
    claim_of,
    job,
    line,
    machine,
    node_of,
    nominated,
    right,
    unwell,
    worker,
)
from tests.cases.builder.objects import Manifest, metadata, own_condition, owned_by
from tests.cases.builder.words import said

NOT_THERE: Final = ("NodeNotFound", "Node not registered with cluster")


def _promised(name: str, about: str, *, since: float, claim: Manifest, expect: dict[str, object],
              more: Sequence[Manifest] = (), log: Sequence[str] = (), gone: Sequence[str] = ()) -> Moment:  # fmt: skip
    """A pod that was promised a NodeClaim so many minutes ago."""
    pod = worker(since=since + 0.5)
    objects = [job(), pod, nominated(pod, since), claim, *more]
    return Moment(name=name, about=about, objects=objects, log=log, gone=gone, expect=expect)


def _unjoined(minutes: float, reason: str, message: str, *, status: str = "Unknown") -> Manifest:
    claim = claim_of(machine(since=minutes, registered=False))
    made = [
        own_condition("Launched", "True", ago(minutes)),
        own_condition("Registered", status, ago(minutes), reason=reason, message=message),
        own_condition("Initialized", "Unknown", ago(minutes), reason="AwaitingReconciliation",
                      message="object is awaiting reconciliation"),
    ]  # fmt: skip
    return {**claim, "status": {**claim["status"], "conditions": made}}  # type: ignore[dict-item]


def _launched(minutes: float, claim: str = CLAIM) -> str:
    return line(minutes, "launched nodeclaim", claim=claim, host="", **{"instance-type": "g6e.12xlarge",
                "zone": "ap-northeast-2a", "capacity-type": "on-demand"})  # fmt: skip


def registration() -> Iterator[Moment]:
    """NodeClaims whose node does not join."""
    yield _promised("never-joins", "Launched eleven minutes ago, no node: the role is not mapped, the endpoint is shut, ...",
                    since=11.2, claim=_unjoined(11, *NOT_THERE), log=[_launched(11)],
                    expect=right("launching", "not-registered", loops=0, nodeclaim=CLAIM))  # fmt: skip
    yield _promised("two-nodes", "Two Node objects have the instance's id; no waiting mends that.", since=2.2,
                    claim=_unjoined(2, "MultipleNodesFound", "Invariant violated, matched multiple nodes", status="False"),
                    log=[_launched(2)], expect=right("launching", "not-registered", reason="MultipleNodesFound"))  # fmt: skip
    yield _promised("joins-soon", "The near miss: launched two minutes ago.", since=2.2, claim=_unjoined(2, *NOT_THERE),
                    log=[_launched(2)], expect=right("launching", not_causes=["not-registered"]))  # fmt: skip
    yield _loop("registration-loop", "Three NodeClaims were given up after 15 minutes each; none exists at the moment.",
                "terminating due to timeout", {"timeout": "15m0s", "reason": "registration_timeout"}, apart=16)  # fmt: skip
    yield _loop("instances-end", "Three instances ended seconds after their launch, as with a KMS key that denies.",
                "garbage collecting nodeclaim with no cloudprovider representation", {}, apart=4,
                reason="InstanceGone")  # fmt: skip


def _loop(name: str, about: str, end: str, fields: dict[str, object], *, apart: float, **facts: object) -> Moment:
    """NodeClaims of one pod that all came to the same end, and none that is there now."""
    names = ("gpu-2b4fx", "gpu-9d7vk", "gpu-m3w8q")
    pod = worker(since=3 * apart + 1)
    starts = [3 * apart - apart * i for i in range(3)]
    promises = [nominated(pod, at, claim) for claim, at in zip(names, starts, strict=True)]
    log = [
        text
        for claim, at in zip(names, starts, strict=True)
        for text in (
            _launched(at - 0.05, claim),
            line(at - apart + 0.5, end, claim=claim, host="", level="DEBUG", **fields),  # type: ignore[arg-type]
            line(at - apart + 0.45, "deleted nodeclaim", claim=claim, host=""),
        )
    ]
    found = right(
        "blocked", "not-registered", not_causes=["capacity-unavailable"], loops=3, nodeclaim=names[-1], **facts
    )
    return Moment(name=name, about=about, objects=[job(), pod, *promises], log=log, expect=found)


def _uninitialized(
    minutes: float, reason: str, message: str, *, without: Sequence[str] = ()
) -> tuple[Manifest, Manifest]:
    """NodeClaim and Node that joined so many minutes ago and are not initialized."""
    box = machine(since=minutes + 0.7)
    claim, node = claim_of(box), node_of(box)
    made = conditions(
        {"Launched": ago(minutes + 0.7), "Registered": ago(minutes)}, "Initialized", ago(minutes), reason, message
    )
    status: dict[str, dict[str, str]] = node["status"]  # type: ignore[assignment]
    left = {part: {k: v for k, v in status[part].items() if k not in without} for part in ("allocatable", "capacity")}
    labels = {k: v for k, v in node["metadata"]["labels"].items() if k != "karpenter.sh/initialized"}  # type: ignore[index]
    node = {**node, "metadata": {**node["metadata"], "labels": labels}, "status": {**status, **left}}  # type: ignore[dict-item]
    return {**claim, "status": {**claim["status"], "conditions": made}}, node  # type: ignore[dict-item]


def _unusable(name: str, about: str, minutes: float, reason: str, message: str, expect: dict[str, object], *,
              without: Sequence[str] = (), more: Sequence[Manifest] = (), gone: Sequence[str] = ()) -> Moment:  # fmt: skip
    claim, node = _uninitialized(minutes, reason, message, without=without)
    return _promised(name, about, since=minutes + 1, claim=claim, more=[node, *more], gone=gone, expect=expect,
                     log=[_launched(minutes + 0.7), line(minutes, "registered nodeclaim")])  # fmt: skip


def initialisation() -> Iterator[Moment]:
    """Nodes that joined and do not become usable."""
    efa, missing = "vpc.amazonaws.com/efa", 'Resource "{}" was requested but not registered'
    yield _unusable("startup-taint", "Nobody takes the startup taint of the GPU operator off.", 9, "StartupTaintsExist",
                    'StartupTaint "nvidia.com/gpu-driver=installing:NoSchedule" still exists',
                    right("launching", "not-initialized", owner="NVIDIA GPU Operator"))  # fmt: skip
    yield _unusable("cloud-taint", "The cloud-controller-manager has not looked at the node.", 8, "KnownEphemeralTaintsExist",
                    'KnownEphemeralTaint "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule" still exists',
                    right("launching", "not-initialized", owner="AWS cloud-controller-manager"))  # fmt: skip
    yield _unusable("efa-plugin-absent", "No EFA device plugin is installed.", 2, "ResourceNotRegistered",
                    missing.format(efa), right("launching", "device-plugin-missing", resource=efa, state="absent"),
                    without=[efa], gone=["DaemonSet kube-system/aws-efa-k8s-device-plugin"])  # fmt: skip
    yield _unusable("efa-plugin-failing", "The EFA device plugin crashes on the node.", 2, "ResourceNotRegistered",
                    missing.format(efa), right("launching", "device-plugin-missing", resource=efa, state="failing"),
                    without=[efa], more=[_crashing()])  # fmt: skip
    yield _unusable("plugin-starting", "The near miss: the node joined a moment ago.", 0.6, "ResourceNotRegistered",
                    missing.format("nvidia.com/gpu"), right("launching", not_causes=["device-plugin-missing"]),
                    without=["nvidia.com/gpu"])  # fmt: skip


def _crashing() -> Manifest:
    """The EFA plugin's pod on the node."""
    owner = next(d for d in daemon_sets(CREATED, {}) if "efa" in str(d["metadata"]["name"]))  # type: ignore[index]
    meta = owner["metadata"]
    space = str(meta["namespace"])  # type: ignore[index]
    more = {"ownerReferences": owned_by(owner)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata("Pod", f"{meta['name']}-7kq2x", ago(2), namespace=space, more=more),  # type: ignore[index]
        "spec": {**owner["spec"]["template"]["spec"], "nodeName": HOST},  # type: ignore[index]
        "status": bound_status(ago(2), "CrashLoopBackOff", "back-off 40s restarting failed container"),
    }


def _on_sick_node(name: str, about: str, kind: str, status: str, minutes: float, *said: str,
                  **facts: object) -> Moment:  # fmt: skip
    """A pod on a node of which one condition is bad, for this reason and with this message."""
    reason, message = said
    box = machine(since=180)
    node = unwell(node_of(box), kind, status, minutes, reason, message)
    pod = worker(since=60, on=HOST)
    found = right("running", "node-not-ready", node=HOST, condition=kind, **facts)  # type: ignore[arg-type]
    return Moment(name=name, about=about, objects=[job(), pod, claim_of(box), node], expect=found)


def conditions_of_nodes() -> Iterator[Moment]:
    """Every condition by which a node says that it is not well: which one, and since when."""
    stopped = "Kubelet stopped posting node status."
    cni = ("container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns "
           "error: cni plugin not initialized")  # fmt: skip
    yield _on_sick_node("kubelet-silent", "The kubelet posts nothing any more.", "Ready", "Unknown", 14, "NodeStatusUnknown",
                        stopped, since=ago(14).isoformat())  # fmt: skip
    yield _on_sick_node("no-network", "The network plugin is down.", "Ready", "False", 9, "KubeletNotReady", cni)
    yield _on_sick_node("memory", "The node runs out of memory.", "MemoryPressure", "True", 5,
                        "KubeletHasInsufficientMemory", "kubelet has insufficient memory available")  # fmt: skip
    yield _on_sick_node("disk", "The node's disk is full.", "DiskPressure", "True", 5, "KubeletHasDiskPressure",
                        "kubelet has disk pressure")  # fmt: skip
    yield _on_sick_node("processes", "The node has no process ids left.", "PIDPressure", "True", 5,
                        "KubeletHasInsufficientPID", "kubelet has insufficient PID available")  # fmt: skip
    yield _on_sick_node("gpu-broken", "The node monitoring agent found a broken GPU.", "AcceleratedHardwareReady", "False", 7,
                        "NvidiaXID79Error", "Xid 79: GPU has fallen off the bus")  # fmt: skip
    box, pod = machine(since=180), worker(since=60, on=HOST)
    sick = unwell(node_of(box), "Ready", "Unknown", 2, "NodeStatusUnknown", stopped)
    about = {"apiVersion": "v1", "kind": "Node", "metadata": sick["metadata"]}
    falls = [said(about, ago(at), "NodeNotReady", f"Node {HOST} status is now: NodeNotReady", by="node-controller")
             for at in (48, 31, 17, 2)]  # fmt: skip
    yield Moment(
        name="flapping",
        about="The node becomes NotReady again and again.",
        objects=[job(), pod, claim_of(box), sick, *falls],
        expect=right("running", "node-not-ready", node=HOST, times=4),
    )
    yield Moment(
        name="well",
        about="The near miss: the node is well, the pod's containers are being made.",
        objects=[job(), worker(since=1, on=HOST), claim_of(box), node_of(box)],
        expect=right("running", not_causes=["node-not-ready"]),
    )
