"""NodeClaims that were launched and do not become nodes one can use, and their near misses: waits that are normal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tests.cases.builder.capacity import Machine, node
from tests.cases.builder.case import Case, Files, expect
from tests.cases.builder.claims import Promise, Scene, conditions, job, launched_lines, machine
from tests.cases.builder.objects import Manifest, condition, later, name_of
from tests.cases.builder.words import said

NOT_THERE = "Node not registered with cluster"
NO_CNI = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns "
    "error: cni plugin not initialized"
)


def _expired(promise: Promise, box: Machine) -> list[str]:
    """A NodeClaim that Karpenter gave up after 15 minutes (liveness.go, v1.8)."""
    return [
        *launched_lines(promise, box, through=1),
        promise.line(902, "DEBUG", "terminating due to timeout", timeout="15m0s", reason="registration_timeout"),
        promise.line(903, "INFO", "deleted nodeclaim"),
    ]


def never_registers() -> Case:
    training = job("llama-3-8b", "2025-12-28T11:00:12Z", ("s8k4w",))
    before = [
        Promise(claim=n, at=later(training.created, 6 + 910 * i)) for i, n in enumerate(("gpu-d2v5x", "gpu-m8w3t"))
    ]
    last = Promise(claim="gpu-p6k9z", at=later(training.created, 6 + 910 * 2))
    boxes = [machine(p.claim, f"ip-10-0-97-{40 + i}", later(p.at, 2), registered=False) for i, p in enumerate(before)]
    box = machine(last.claim, "ip-10-0-97-61", later(last.at, 2), registered=False)
    return Scene(
        name="node-never-registers",
        about="Two NodeClaims were given up after 15 minutes without a node; the third is 8 minutes old.",
        training=training,
        now=later(last.at, 8 * 60 + 20),
        machines=(box,),
        promises=(*before, last),
        log=[*(line for p, b in zip(before, boxes, strict=True) for line in _expired(p, b)),
             *launched_lines(last, box, through=1)],
        expect=expect("launching", "", ["not-registered"], not_causes=["not-initialized", "capacity-unavailable"],
                      facts={"loops": 2, "nodeclaim_of_cause": "gpu-p6k9z"}),
    ).case()  # fmt: skip


def registers_soon() -> Case:
    training = job("llama-3-8b", "2025-12-28T11:45:12Z", ("c2m7r",))
    promise = Promise(claim="gpu-w7d4h", at=later(training.created, 6))
    box = machine(promise.claim, "ip-10-0-97-88", later(promise.at, 2), registered=False)
    return Scene(
        name="node-on-its-way",
        about="The NodeClaim was launched a minute and a half ago: nothing is wrong, it needs waiting.",
        training=training,
        now=later(promise.at, 95),
        machines=(box,),
        promises=(promise,),
        log=launched_lines(promise, box, through=1),
        expect=expect("launching", "", not_causes=["not-registered", "not-initialized", "launch-failed"]),
    ).case()


def _joined(
    name: str,
    about: str,
    at: str,
    *,
    seconds: float,
    reason: str,
    message: str,
    causes: Sequence[str],
    not_causes: Sequence[str] = (),
    **facts: object,
) -> tuple[Scene, Machine]:
    """A node that joined 41 seconds after its launch and is not initialized `seconds` later."""
    training = job("qwen3-14b", at, ("h3x9k",))
    promise = Promise(claim="gpu-r4t6n", at=later(training.created, 6))
    launched = later(promise.at, 2)
    box = machine(promise.claim, "ip-10-0-98-17", launched)
    reached = {"Launched": launched, "Registered": later(launched, 41)}
    now = later(launched, 41 + seconds)
    scene = Scene(
        name=name,
        about=about,
        training=training,
        now=now,
        machines=(box,),
        promises=(promise,),
        log=launched_lines(promise, box, through=2),
        claim_conditions={promise.claim: conditions(reached, "Initialized", later(launched, 42), reason, message)},
        expect=expect("launching", "", causes, not_causes=["not-registered", *not_causes], facts=facts),
    )
    return scene, box


def _uninitialized(files: Files, box: Machine, *, without: Sequence[str] = (), taints: Sequence[Manifest] = ()) -> None:
    """The node as it is before Karpenter calls it initialized: no label, resources that nobody registered, taints."""
    found = next(n for n in files["nodes"] if name_of(n) == box.name)
    labels: dict[str, object] = found["metadata"]["labels"]  # type: ignore[index]
    labels.pop("karpenter.sh/initialized", None)
    found["spec"].setdefault("taints", []).extend(dict(t) for t in taints)  # type: ignore[attr-defined]
    for part in ("allocatable", "capacity"):
        for resource in without:
            found["status"][part].pop(resource, None)  # type: ignore[index]


def startup_taint() -> Case:
    taint: Manifest = {"effect": "NoExecute", "key": "node.cilium.io/agent-not-ready", "value": "true"}
    shown = "node.cilium.io/agent-not-ready=true:NoExecute"
    scene, box = _joined(
        "startup-taint-stays",
        "Cilium's startup taint is still on the node nine minutes after it joined.",
        "2025-12-28T12:10:00Z",
        seconds=9 * 60,
        reason="StartupTaintsExist",
        message=f'StartupTaint "{shown}" still exists',
        causes=["not-initialized"],
        not_causes=["device-plugin-missing", "taint-not-tolerated"],
        owner="Cilium",
    )
    case = scene.case()
    _uninitialized(_files(case), box, taints=(taint,))
    for one in (*case.files["nodepools"], *case.files["nodeclaims"]):
        if name_of(one) in ("gpu", "gpu-r4t6n"):
            spec: Manifest = one["spec"]["template"]["spec"] if one["kind"] == "NodePool" else one["spec"]  # type: ignore[index,assignment]
            spec["startupTaints"] = [taint]
    return case


def _files(case: Case) -> Files:
    return {name: list(one) for name, one in case.files.items()}  # the manifests themselves are shared


def _plugin(
    name: str, about: str, at: str, seconds: float, causes: Sequence[str], **facts: object
) -> tuple[Case, Machine]:
    scene, box = _joined(
        name,
        about,
        at,
        seconds=seconds,
        reason="ResourceNotRegistered",
        message='Resource "nvidia.com/gpu" was requested but not registered',
        causes=causes,
        not_causes=["not-initialized", *([] if causes else ["device-plugin-missing"])],
        **facts,
    )
    case = scene.case()
    _uninitialized(_files(case), box, without=("nvidia.com/gpu",))
    return case, box


def _without_pods(case: Case, owner: str, node: str) -> None:
    """Takes the DaemonSet's pod off the node."""
    pods = case.files["pods"]
    kept = [p for p in pods if not (name_of(p).startswith(owner) and p["spec"].get("nodeName") == node)]  # type: ignore[attr-defined]
    pods[:] = kept  # type: ignore[index]


def plugin_without_toleration() -> Case:
    case, box = _plugin(
        "device-plugin-not-tolerating",
        "The NVIDIA device plugin does not tolerate the NodePool's taint, so the node never announces its GPUs.",
        "2025-12-28T12:30:00Z",
        150,
        ["device-plugin-missing"],
        state="not-tolerating",
        plugin="nvdp-nvidia-device-plugin",
    )
    for one in case.files["daemonsets"]:
        if name_of(one) == "nvdp-nvidia-device-plugin":
            one["spec"]["template"]["spec"]["tolerations"] = []  # type: ignore[index]
    _without_pods(case, "nvdp-nvidia-device-plugin", box.name)
    return case


def plugin_absent() -> Case:
    case, box = _plugin(
        "device-plugin-absent",
        "No NVIDIA device plugin is installed at all.",
        "2025-12-28T12:40:00Z",
        70,
        ["device-plugin-missing"],
        state="absent",
    )
    sets = case.files["daemonsets"]
    sets[:] = [one for one in sets if name_of(one) != "nvdp-nvidia-device-plugin"]  # type: ignore[index]
    _without_pods(case, "nvdp-nvidia-device-plugin", box.name)
    return case


def plugin_starting() -> Case:
    case, _ = _plugin(
        "device-plugin-starting",
        "The node joined 40 seconds ago and its device plugin is just starting: normal.",
        "2025-12-28T12:50:00Z",
        40,
        [],
    )
    return case


def no_network() -> Case:
    scene, box = _joined(
        "node-without-network",
        "The network plugin does not come up, so the node stays NotReady since it joined 11 minutes ago.",
        "2025-12-28T13:20:00Z",
        seconds=11 * 60,
        reason="NodeNotReady",
        message="Node status is NotReady",
        causes=["node-not-ready"],
        not_causes=["device-plugin-missing"],
        node=f"{'ip-10-0-98-17'}.ap-northeast-2.compute.internal",
        condition="Ready",
    )
    case = scene.case()
    _uninitialized(_files(case), box)
    _not_ready(case.files, box.name, later(box.launched, 41), "KubeletNotReady", NO_CNI)
    return case


def _not_ready(files: Mapping[str, Sequence[Manifest]], name: str, since: datetime, reason: str, message: str) -> None:
    found = next(n for n in files["nodes"] if name_of(n) == name)
    status: dict[str, object] = found["status"]  # type: ignore[assignment]
    status["conditions"] = [
        *(c for c in status["conditions"] if c["type"] != "Ready"),  # type: ignore[attr-defined]
        condition("Ready", "False", since, reason=reason, message=message),
    ]


def flapping() -> Case:
    """The seed's first section: nodes that become NotReady again and again; pods are bound to one of them."""
    base = job("mixtral-8x7b", "2025-12-28T13:00:00Z", ("k5d2m", "v9t3c"))
    first, second = (
        machine(claim, host, later(base.created, -7200))
        for claim, host in (("gpu-2f6vb", "ip-10-0-99-12"), ("gpu-8m3xr", "ip-10-0-99-45"))
    )
    training = job("mixtral-8x7b", "2025-12-28T13:00:00Z", ("k5d2m", "v9t3c"), running_on=(first.name, second.name))
    now = later(training.created, 50 * 60)
    events = []
    for box, starts in ((first, (600, 1500, 2400, 2940)), (second, (1530, 2430))):
        about = {"apiVersion": "v1", "kind": "Node", "metadata": _meta(box)}
        for at in starts:
            text = f"Node {box.name} status is now: NodeNotReady"
            events.append(said(about, later(training.created, at), "NodeNotReady", text, by="node-controller"))
    case = Scene(
        name="nodes-flapping",
        about="Both nodes of a job become NotReady again and again; the pod's node is NotReady now.",
        training=training,
        now=now,
        machines=(first, second),
        events=events,
        expect=expect("running", "", ["node-not-ready"], not_causes=["node-disrupted"],
                      facts={"node": first.name, "times": 4, "others": [second.name]}),
    ).case()  # fmt: skip
    _not_ready(case.files, first.name, later(training.created, 2940), "NodeStatusUnknown",
               "Kubelet stopped posting node status.")  # fmt: skip
    for one in case.files["nodes"]:
        if name_of(one) == first.name:
            one["status"]["conditions"][-1]["status"] = "Unknown"  # type: ignore[index]
    for pod in case.files["pods"]:
        if name_of(pod) == training.pod_names[0]:
            pod["status"]["phase"] = "Pending"  # type: ignore[index]
            pod["status"]["conditions"] = [condition("PodScheduled", "True", training.created)]  # type: ignore[index]
    return case


def _meta(box: Machine) -> Manifest:
    return node(box)["metadata"]  # type: ignore[return-value]


def cases() -> Iterator[Case]:
    yield never_registers()
    yield registers_soon()
    yield startup_taint()
    yield plugin_without_toleration()
    yield plugin_absent()
    yield plugin_starting()
    yield no_network()
    yield flapping()
