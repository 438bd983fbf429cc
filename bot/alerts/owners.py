"""Which workload a pod belongs to, by its name alone; which alerts are one and the same."""

import hashlib
import re
from typing import Final

from bot.alerts.alert import Alert
from bot.alerts.names import DEPLOYMENT_POD

_SUFFIX: Final = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}$")  # apimachinery: pkg/util/rand
_HASH: Final = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{6,10}$")
_NUMBERS: Final = re.compile(r"(?:-\d+)+$")
_INDEX: Final = re.compile(r"-\d+$")


def owner_of(pod: str) -> str:
    """The workload's name: of a Deployment, StatefulSet, CronJob, JobSet … as its pods' names begin."""
    if DEPLOYMENT_POD.fullmatch(pod):
        return _HASH.sub("", _SUFFIX.sub("", pod))
    return _NUMBERS.sub("", _SUFFIX.sub("", pod)) or pod


def job_of(pod: str) -> str:
    """The Job's name of a Job's pod (`job-xxxxx`, indexed `job-0-xxxxx`); "" for other pods."""
    if DEPLOYMENT_POD.fullmatch(pod) or not _SUFFIX.search(pod):
        return ""
    base = _SUFFIX.sub("", pod)
    return _INDEX.sub("", base) if re.search(r"-\d+-\d{1,4}$", base) else base


def fingerprint_of(alert: Alert, message: str) -> str:
    """What its firing and its resolving have in common: 40 hex digits. `message` tells pastes apart, which have no name."""
    one = alert.subject
    parts = (
        alert.sender,
        alert.alertname,
        one.cluster,
        one.namespace,
        *sorted(one.pods),
        one.job,
        one.node,
        one.nodepool,
    )
    named = any(parts[3:])
    told = "\0".join((*parts, one.nodeclaim, one.workload, "" if named and alert.alertname else message))
    return hashlib.sha256(told.encode()).hexdigest()[:40]
