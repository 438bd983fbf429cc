"""Pods that have a node and do not run: image, volume, address, admission. Events as kubelet v1.33 writes them.

And pods that were never made, or that a job holds back.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from tests.cases.builder.blocked import NO_MATCH
from tests.cases.builder.case import V1_8, Case, expect
from tests.cases.builder.claims import Scene, job, machine
from tests.cases.builder.objects import Manifest, condition, later, metadata, moment, name_of, stamp
from tests.cases.builder.pools import default_pool, gpu_pool, neuron_pool
from tests.cases.builder.training import chain
from tests.cases.builder.words import (
    DEFAULT,
    NOT_MET_NOR_ENOUGH,
    could_not_schedule,
    no_type,
    refusal,
    said,
)

PULL: Final = (
    'Failed to pull image "{image}": failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
    "{image}: not found"
)
NO_ADDRESS: Final = (
    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "
    '"5b1f0c9e7d2a4863b1c05f9e7d2a4863b1c05f9e7d2a4863b1c05f9e7d2a4863": plugin type="aws-cni" name="aws-cni" failed (add): '
    "add cmd: failed to assign an IP address to container"
)
MULTI_ATTACH: Final = (
    'Multi-Attach error for volume "pvc-5b0c6f3e-8d1a-4c52-9a77-2f4e1d90b6c3" Volume is already exclusively attached to one '
    "node and can't be attached to another"
)
DEVICES_GONE: Final = (
    "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 4, Available: 3, which is "
    "unexpected"
)


def _bound(name: str, about: str, at: str, *, wanted: Mapping[str, object], seconds: float = 240) -> tuple[Scene, str]:
    """A pod on a node that has been up for an hour."""
    base = moment(at)
    box = machine("gpu-5t8xw", "ip-10-0-101-9", later(base, -3600))
    training = job("deepseek-r1", at, ("w6h2d",), running_on=(box.name,))
    scene = Scene(
        name=name,
        about=about,
        training=training,
        now=later(training.created, seconds),
        machines=(box,),
        expect=wanted,
    )
    return scene, box.name


def _pending(case: Case, at: datetime, waiting: Mapping[str, str] | None) -> None:
    """The pod as its node has it before it runs."""
    for pod in _pods(case):
        pod["status"] = {
            "conditions": [condition("PodScheduled", "True", at)],
            "containerStatuses": [
                {"name": "node", "ready": False, "restartCount": 0, "state": {"waiting": dict(waiting or {})}}
            ],
            "phase": "Pending",
            "startTime": stamp(later(at, 1)),
        }


def _pods(case: Case) -> list[Manifest]:
    return [p for p in case.files["pods"] if name_of(p) == case.question]


def _told(
    scene: Scene, waiting: Mapping[str, str], events: Sequence[tuple[float, str, str, str]], count: int = 4
) -> Case:
    """The case with what the kubelet (or another) said about the pod: seconds, reason, message, who."""
    case, at = scene.case(), scene.training.created
    pod = _pods(case)[0]
    made = [
        said(pod, later(at, seconds), reason, text, by=by, again=(count, later(at, seconds + 60)))
        for seconds, reason, text, by in events
    ]
    listed = case.files["events"]
    listed.extend(made)  # type: ignore[attr-defined]
    _pending(case, later(at, 3), waiting)
    return case


def image() -> Case:
    name = "public.ecr.aws/deep-learning-containers/pytorch-training:2.8.0-gpu-py312-cu129-ubuntu22.04-ec2-v1.0"
    scene, _ = _bound(
        "image-not-found",
        "The pod has a node; its image's tag does not exist.",
        "2025-12-28T17:00:00Z",
        wanted=expect("running", "", ["image-not-pulled"], not_causes=["not-registered", "volume-not-attached"],
                      facts={"image": name}),
    )  # fmt: skip
    back = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{name}"'}
    return _told(
        scene,
        back,
        [
            (5, "Pulling", f'Pulling image "{name}"', "kubelet"),
            (6, "Failed", PULL.format(image=name), "kubelet"),
            (7, "BackOff", f'Back-off pulling image "{name}"', "kubelet"),
        ],
    )


def pulling() -> Case:
    name = "public.ecr.aws/deep-learning-containers/pytorch-training:2.8.0-gpu-py312-cu129-ubuntu22.04-ec2-v1.0"
    scene, _ = _bound(
        "image-being-pulled",
        "The image is being pulled for a minute now: normal for ten gigabytes.",
        "2025-12-28T17:10:00Z",
        wanted=expect("running", "", not_causes=["image-not-pulled", "volume-not-attached", "no-pod-address"]),
        seconds=75,
    )
    return _told(
        scene, {"reason": "ContainerCreating"}, [(5, "Pulling", f'Pulling image "{name}"', "kubelet")], count=1
    )


def volume() -> Case:
    scene, _ = _bound(
        "volume-still-elsewhere",
        "The pod's EBS volume is still attached to the node that the last pod ran on.",
        "2025-12-28T17:20:00Z",
        wanted=expect("running", "", ["volume-not-attached"], not_causes=["volume-zone-conflict", "image-not-pulled"],
                      facts={"shared": True}),
    )  # fmt: skip
    events = [(4, "FailedAttachVolume", MULTI_ATTACH, "attachdetach-controller")]
    return _told(scene, {"reason": "ContainerCreating"}, events, count=1)


def address() -> Case:
    scene, _ = _bound(
        "no-address-for-the-pod",
        "The network plugin has no address for the pod, though the subnet has many: the node takes too many pods.",
        "2025-12-28T17:30:00Z",
        wanted=expect("running", "", ["no-pod-address"], not_causes=["subnet-out-of-ips", "image-not-pulled"]),
    )
    return _told(
        scene, {"reason": "ContainerCreating"}, [(4, "FailedCreatePodSandBox", NO_ADDRESS, "kubelet")], count=9
    )


def admission() -> Case:
    scene, _ = _bound(
        "node-turned-pod-away",
        "A GPU of the node is gone: the kubelet turns the pod away after the scheduler had bound it.",
        "2025-12-28T17:40:00Z",
        wanted=expect("running", "", ["admission-rejected"], not_causes=["gpu-count-exceeds-instance"],
                      facts={"resource": "nvidia.com/gpu"}),
    )  # fmt: skip
    case = scene.case()
    at = later(scene.training.created, 4)
    for pod in _pods(case):
        pod["status"] = {
            "message": f"Pod was rejected: {DEVICES_GONE}",
            "phase": "Failed",
            "reason": "UnexpectedAdmissionError",
            "startTime": stamp(at),
        }
        listed = case.files["events"]
        listed.append(said(pod, at, "UnexpectedAdmissionError", DEVICES_GONE, by="kubelet"))  # type: ignore[attr-defined]
    return case


def gang() -> Case:
    """Two jobs of two nodes each, placed by half; the NodePool's limit leaves no third node."""
    at = "2025-12-28T18:00:00Z"
    base = moment(at)
    mine, theirs = (
        machine("gpu-3c7vk", "ip-10-0-102-14", later(base, -900)),
        machine("gpu-9b4mz", "ip-10-0-102-77", later(base, -880)),
    )
    training = job("llama-4-scout", at, ("g7r5j", "n3w8q"), running_on=("", mine.name))
    other = chain(job("qwen3-235b", at, ("f2k6t", "d8p4s"), running_on=(theirs.name, "")), NO_MATCH)
    limit = "all available instance types exceed limits for nodepool (NodePool=gpu)"
    why = refusal(
        limit, no_type(NOT_MET_NOR_ENOUGH, DEFAULT, training.selector, training.devices), NodePool={"name": "gpu"}
    )
    first = later(training.created, 6)
    used = {"cpu": "96", "memory": "779836928Ki", "nodes": "2", "nvidia.com/gpu": "8", "pods": "468"}
    pools = (default_pool(), gpu_pool(limits={"nvidia.com/gpu": "8"}, used=used), neuron_pool())
    scene = Scene(
        name="two-jobs-half-placed",
        about="Two jobs hold one node each and wait for a second one; NodePool gpu is limited to eight GPUs.",
        training=training,
        now=later(first, 40),
        pools=pools,
        machines=(mine, theirs),
        log=could_not_schedule(V1_8, first, training.pod_names[:1], why),
        extra=other,
        expect=expect("blocked", "gpu", ["nodepool-limit-exceeded", "gang-partly-placed"],
                      not_causes=["capacity-unavailable", "gpu-count-exceeds-instance"]),
    )  # fmt: skip
    return scene.case()


def no_quota() -> Case:
    """The job's pods do not exist: asked for by the job's name."""
    training = job("phi-4", "2025-12-28T18:30:00Z", ())
    mine = chain(training, NO_MATCH)
    quota: Manifest = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata("ResourceQuota", "gpu-quota", later(training.created, -864000), namespace="default"),
        "spec": {"hard": {"requests.nvidia.com/gpu": "8"}},
        "status": {"hard": {"requests.nvidia.com/gpu": "8"}, "used": {"requests.nvidia.com/gpu": "8"}},
    }
    text = (
        'Error creating: pods "phi-4-node-0-0-" is forbidden: exceeded quota: gpu-quota, requested: '
        "requests.nvidia.com/gpu=4, used: requests.nvidia.com/gpu=8, limited: requests.nvidia.com/gpu=8"
    )
    scene = Scene(
        name="namespace-quota",
        about="The namespace's quota of GPUs is used up, so the job's pods are never made.",
        training=training,
        now=later(training.created, 120),
        question="phi-4-node-0",
        extra={"resourcequotas": [quota]},
        events=[said(mine["jobs"][0], later(training.created, 4), "FailedCreate", text, by="job-controller",
                     again=(5, later(training.created, 90)))],
        expect=expect("not-karpenters-job", "", ["namespace-quota-exceeded"], not_causes=["no-nodepool"],
                      facts={"quota": "gpu-quota"}),
    )  # fmt: skip
    return scene.case()


def cases() -> Iterator[Case]:
    yield image()
    yield pulling()
    yield volume()
    yield address()
    yield admission()
    yield gang()
    yield no_quota()
