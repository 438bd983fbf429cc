"""Karpenter's log lines and the cluster's events, built from the facts that the manifests state."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zlib import crc32

from tests.cases.builder.objects import Manifest, later, meta_of, metadata, micro, name_of, stamp, uid
from tests.cases.builder.system import Release

GPU: Final = {
    "karpenter.k8s.aws/ec2nodeclass": "In [gpu]",
    "karpenter.k8s.aws/instance-category": "In [g p]",
    "karpenter.sh/capacity-type": "In [on-demand spot]",
    "karpenter.sh/nodepool": "In [gpu]",
    "kubernetes.io/arch": "In [amd64]",
    "nodeType": "In [nvidia]",
}
"""What NodePool `gpu` asks for, as Karpenter prints it."""
DEFAULT: Final = {
    "karpenter.k8s.aws/ec2nodeclass": "In [default]",
    "karpenter.k8s.aws/instance-category": "In [c m r]",
    "karpenter.k8s.aws/instance-generation": "Exists >4",
    "karpenter.sh/capacity-type": "In [on-demand spot]",
    "karpenter.sh/nodepool": "In [default]",
    "kubernetes.io/arch": "In [amd64]",
    "kubernetes.io/os": "In [linux]",
}
GPU_DAEMONS: Final = {"cpu": "345m", "memory": "664Mi", "pods": "9"}
DEFAULT_DAEMONS: Final = {"cpu": "215m", "memory": "264Mi", "pods": "7"}

NOT_MET_NOR_ENOUGH: Final = "no instance type met the scheduling requirements or had enough resources"
ALL_MET: Final = "no instance type met all requirements"
ENOUGH: Final = "no instance type has enough resources"
RIGHT_BUT_NOT_OFFERED: Final = (
    "no instance type which met the scheduling requirements and had enough resources, had a required offering"
)
BIG_BUT_FORBIDDEN: Final = (
    "no instance type which had enough resources and the required offering met the scheduling requirements"
)
NOT_MET_NOR_OFFERED: Final = "no instance type met the scheduling requirements or had a required offering"


def printed(resources: Mapping[str, str]) -> str:
    """Resources as Karpenter prints them."""
    return json.dumps(dict(sorted(resources.items())), separators=(",", ":"))


def requirements(base: Mapping[str, str], selector: Mapping[str, str]) -> str:
    """A NodePool's requirements and a pod's nodeSelector together, as Karpenter prints them."""
    both = {**base, **{key: f"In [{value}]" for key, value in selector.items()}}
    return ", ".join(sorted(f"{key} {text}" for key, text in both.items()))


def no_type(reason: str, base: Mapping[str, str], selector: Mapping[str, str], devices: Mapping[str, str]) -> str:
    """`no instance type …, requirements=…, resources=…`, as v1.3 to v1.13 print it for a pod that asks for devices only."""
    daemons = GPU_DAEMONS if base["karpenter.sh/nodepool"] == "In [gpu]" else DEFAULT_DAEMONS
    resources = {**daemons, "pods": str(int(daemons["pods"]) + 1), **devices}
    return f"{reason}, requirements={requirements(base, selector)}, resources={printed(resources)}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Karpenter says against a pod: one text for each NodePool, and the error keys it repeats beside them."""

    texts: Sequence[str]
    hoisted: Mapping[str, object]

    @property
    def text(self) -> str:
        return "; ".join(self.texts)


def refusal(*texts: str, **hoisted: object) -> Refusal:
    return Refusal(texts, hoisted)


def log_line(release: Release, time: datetime, level: str, message: str, fields: Mapping[str, object]) -> str:
    """One JSON line in the order in which Karpenter's logger writes its fields (v0.37 and newer)."""
    head: dict[str, object] = {"level": level, "time": f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"}
    head["logger"] = "controller"
    rest = dict(fields)
    if "caller" in rest:
        head["caller"] = rest.pop("caller")
    return json.dumps({**head, "message": message, "commit": release.commit, **rest}, separators=(",", ":"))


def provisioner(loop: str, more: Mapping[str, object]) -> dict[str, object]:
    """The fields of a line by the provisioner; `loop` tells its rounds apart."""
    return {"controller": "provisioner", "namespace": "", "name": "", "reconcileID": uid("reconcile", loop), **more}


def could_not_schedule(release: Release, time: datetime, pods: Iterable[str], why: Refusal) -> list[str]:
    """`could not schedule pod`, one line for each pod of one round."""
    causes = {"errorCauses": [{"error": text} for text in why.texts]} if len(why.texts) > 1 else {}
    return [
        log_line(
            release,
            time,
            "ERROR",
            "could not schedule pod",
            provisioner(
                stamp(time),
                {"Pod": {"name": pod, "namespace": "default"}, **why.hoisted, "error": why.text, **causes},
            ),
        )
        for pod in pods
    ]


def about(
    controller: str, kind: str, name: str, more: Mapping[str, object], group: str = "karpenter.sh"
) -> dict[str, object]:
    """The fields of a line by a controller that reconciles one cluster-scoped object."""
    return {
        "controller": controller,
        "controllerGroup": group,
        "controllerKind": kind,
        kind: {"name": name},
        "namespace": "",
        "name": name,
        "reconcileID": uid("reconcile", controller, name),
        **more,
    }


def _event(involved: Mapping[str, object], time: datetime, reason: str, message: str, kind: str) -> Manifest:
    meta = meta_of(involved)
    namespace = str(meta.get("namespace", "default"))
    # two events of one object in one second differ in their nanoseconds, and so in their names
    suffix = f"{int(time.timestamp() * 1_000_000_000) + crc32(reason.encode()) % 1_000_000:x}"
    name = f"{meta['name']}.{suffix}"
    return {
        "apiVersion": "v1",
        "involvedObject": {
            "apiVersion": involved["apiVersion"],
            "kind": involved["kind"],
            "name": meta["name"],
            **({"namespace": meta["namespace"]} if "namespace" in meta else {}),
            "resourceVersion": meta["resourceVersion"],
            "uid": meta["uid"],
        },
        "kind": "Event",
        "message": message,
        "metadata": {**metadata("Event", name, time, namespace=namespace), "uid": uid("event", name, reason)},
        "reason": reason,
        "type": kind,
    }


def said(
    involved: Mapping[str, object],
    first: datetime,
    reason: str,
    message: str,
    *,
    by: str = "karpenter",
    again: tuple[int, datetime] | None = None,
) -> Manifest:
    """An event as client-go's recorder writes it (Karpenter, kubelet); a warning where the reason is one.

    `again`: how often it was seen, and when last.
    """
    warnings = (
        "FailedScheduling",
        "InsufficientCapacityError",
        "NoCompatibleInstanceTypes",
        "FailedDraining",
        "BackoffLimitExceeded",
    )
    made = _event(involved, first, reason, message, "Warning" if reason in warnings else "Normal")
    count, last = again or (1, first)
    return {
        **made,
        "count": count,
        "eventTime": None,
        "firstTimestamp": stamp(first),
        "lastTimestamp": stamp(last),
        "reportingComponent": by,
        "reportingInstance": "",
        "source": {"component": by},
    }


def unschedulable(pod: Mapping[str, object], time: datetime, message: str) -> Manifest:
    """kube-scheduler's FailedScheduling: written through events.k8s.io, so its times lie elsewhere."""
    return {
        **_event(pod, time, "FailedScheduling", message, "Warning"),
        "action": "Scheduling",
        "eventTime": micro(time),
        "firstTimestamp": None,
        "lastTimestamp": None,
        "reportingComponent": "default-scheduler",
        "reportingInstance": "default-scheduler-ip-10-0-62-17.ap-northeast-2.compute.internal",
        "source": {},
    }


def scheduler_message(nodes: int, *reasons: str) -> str:
    """kube-scheduler's own message, v1.33."""
    return (
        f"0/{nodes} nodes are available: {', '.join(reasons)}. "
        f"preemption: 0/{nodes} nodes are available: {nodes} Preemption is not helpful for scheduling."
    )


def refused_pods(pods: Sequence[Manifest], time: datetime, scheduler: str, why: Refusal | None) -> list[Manifest]:
    """What both schedulers said about each pending pod: kube-scheduler at once, Karpenter when its batch closed."""
    events = [unschedulable(pod, time, scheduler) for pod in pods]
    if why is not None:
        text = f"Failed to schedule pod, {why.text}"
        events += [said(pod, later(time, 3), "FailedScheduling", text) for pod in pods]
    return events


def names(pods: Iterable[Mapping[str, object]]) -> list[str]:
    return [name_of(pod) for pod in pods]
