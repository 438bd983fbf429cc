"""What is read from an alert, and the vocabulary of what can be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.model.diagnosis import Json


class Question(StrEnum):
    """What an alert makes one ask."""

    WHY_POD = "why-pod"
    WHY_NODE = "why-node"
    NODEPOOL = "nodepool"


class Status(StrEnum):
    """Whether it still holds."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an alert is about; empty is unknown. `job` is a Kubernetes Job, never Prometheus' scrape job.

    `workload` is a Deployment, StatefulSet or DaemonSet that the alert names instead of pods.
    """

    cluster: str = ""
    namespace: str = ""
    pod: str = ""
    job: str = ""
    node: str = ""
    nodepool: str = ""
    nodeclaim: str = ""
    pods: tuple[str, ...] = ()
    workload: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A recognised alert. `alertname` is empty where it has none or is one of several; `count` of pods, where it says."""

    sender: str
    subject: Subject
    alertname: str = ""
    status: Status | None = None
    question: Question | None = None
    count: int = 0


def as_json(alert: Alert | None) -> Mapping[str, Json]:
    """The contract of `karpenter-bot alert`: the same keys for every message, null where nothing is known."""
    subject = alert.subject if alert else Subject()
    return {
        "recognised": alert is not None,
        "sender": alert.sender if alert else None,
        "alertname": (alert.alertname or None) if alert else None,
        "status": (str(alert.status) if alert.status else None) if alert else None,
        "cluster": subject.cluster or None,
        "namespace": subject.namespace or None,
        "pod": subject.pod or None,
        "job": subject.job or None,
        "node": subject.node or None,
        "nodepool": subject.nodepool or None,
        "nodeclaim": subject.nodeclaim or None,
        "question": (str(alert.question) if alert.question else None) if alert else None,
        "pods": list(subject.pods),
    }
